//! What a server says of a tool, and the digest that approval is of.

use realm_executor::canonical_json;
use realm_protocol::Digest;
use rmcp::model::Tool;
use serde_json::{Value, json};

/// What a server says of one of its tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolDefinition {
    /// What it is called.
    pub name: String,
    /// What it is for, in the server's words.
    pub description: Option<String>,
    /// JSON Schema of its arguments.
    pub input_schema: Value,
    /// JSON Schema of its structured output, if it has one.
    pub output_schema: Option<Value>,
}

impl ToolDefinition {
    pub(super) fn of(tool: Tool) -> Self {
        Self {
            name: tool.name.into_owned(),
            description: tool.description.map(Into::into),
            input_schema: Value::Object((*tool.input_schema).clone()),
            output_schema: tool
                .output_schema
                .map(|schema| Value::Object((*schema).clone())),
        }
    }

    /// SHA-256 over the canonical JSON of name, description and schemas.
    pub fn digest(&self) -> Digest {
        let Self {
            name,
            description,
            input_schema,
            output_schema,
        } = self;
        let definition = json!({
            "name": name,
            "description": description,
            "inputSchema": input_schema,
            "outputSchema": output_schema,
        });
        Digest::of(&[canonical_json(&definition).as_bytes()])
    }
}
