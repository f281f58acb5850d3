//! A server's answers without a server.

use realm_executor::{BackendError, BackendOutput};
use rmcp::model::{JsonRpcMessage, ServerJsonRpcMessage, ServerResult};

use super::{ToolDefinition, answer, link::Known};
use crate::secret::{Secret, Secrets};

/// What a line of a server tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A page of its tools.
    Tools(Vec<ToolDefinition>),
    /// What a tool has answered.
    Answer(Result<BackendOutput, BackendError>),
    /// Something else that is understood.
    Other,
}

/// Reads a line of a server that was told a secret; an answer is taken for one of `tool`. None where it
/// would be hung up.
pub fn server(line: &[u8], tool: &ToolDefinition, secret: &Secret) -> Option<Told> {
    let message: ServerJsonRpcMessage = serde_json::from_slice(line).ok()?;
    let JsonRpcMessage::Response(response) = message else {
        return Some(Told::Other);
    };
    let told = match response.result {
        ServerResult::ListToolsResult(listed) => {
            let tools = listed.tools.into_iter().map(ToolDefinition::of);
            let known = tools.map(|tool| Known::new(tool).definition);
            Told::Tools(known.collect())
        }
        ServerResult::CallToolResult(result) => {
            let (known, secrets) = (Known::new(tool.clone()), Secrets::new([secret]));
            let reply = answer::read(&known, result, &secrets);
            Told::Answer(reply.map(|reply| reply.output))
        }
        _ => Told::Other,
    };
    Some(told)
}
