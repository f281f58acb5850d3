//! What a tool's answer comes to.

use realm_executor::{BackendError, BackendReply};
use realm_protocol::{json as strict, limits};
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

use super::link::Known;
use crate::secret::Secrets;

/// Characters of what a tool says about a failure that are repeated.
const SAID_CHARS: usize = 300;

/// Reads an answer: its structured content, which meets the tool's schema; else its text, parsed where
/// it is JSON; else all of its content.
pub(super) fn read(
    known: &Known,
    result: CallToolResult,
    secrets: &Secrets,
) -> Result<BackendReply, BackendError> {
    let tool = &known.definition.name;
    if result.is_error == Some(true) {
        return Err(failed(tool, &texts(&result).unwrap_or_default(), secrets));
    }
    let output = match (result.structured_content, &known.output) {
        (Some(structured), Some(schema)) => {
            schema.check(&structured).map_err(|faults| {
                let fault = faults.into_iter().next().unwrap_or_default();
                let fault = secrets.masked(&fault);
                bad(format!("it does not match the tool's own schema: {fault}"))
            })?;
            structured
        }
        (Some(structured), None) => structured,
        (None, Some(_)) => {
            let reason = "the tool has an output schema, and gave no structured content";
            return Err(bad(reason.to_owned()));
        }
        (None, None) => match texts_of(&result.content) {
            Some(text) => strict::parse(text.as_bytes()).unwrap_or_else(|_| json!({"text": text})),
            None => json!({"content": serde_json::to_value(&result.content).unwrap_or_default()}),
        },
    };
    within(output).map(BackendReply::json)
}

/// A tool's word that it failed, without what it was told in secret.
pub(super) fn failed(tool: &str, said: &str, secrets: &Secrets) -> BackendError {
    BackendError::ToolFailed {
        tool: tool.to_owned(),
        said: secrets.masked(said).chars().take(SAID_CHARS).collect(),
    }
}

/// Holds an output to the bounds that every backend has.
fn within(output: Value) -> Result<Value, BackendError> {
    strict::check(&output).map_err(|error| bad(error.to_string()))?;
    match strict::to_bytes(&output).len() > limits::BACKEND_BYTES {
        true => Err(BackendError::TooLarge {
            limit: limits::BACKEND_BYTES,
        }),
        false => Ok(output),
    }
}

fn texts(result: &CallToolResult) -> Option<String> {
    texts_of(&result.content)
}

/// The text of content that has nothing else.
fn texts_of(content: &[rmcp::model::ContentBlock]) -> Option<String> {
    let texts: Option<Vec<&str>> = content
        .iter()
        .map(|block| block.as_text().map(|text| text.text.as_str()))
        .collect();
    texts.map(|texts| texts.join("\n"))
}

fn bad(reason: String) -> BackendError {
    BackendError::BadOutput { reason }
}
