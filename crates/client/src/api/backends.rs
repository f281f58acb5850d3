//! Model backends, and servers of tools.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A model backend, or an MCP server; its key is never shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackendView {
    /// What loops call it.
    pub id: String,
    /// How it is spoken to: `mock`, `openai`, `anthropic`, `ollama`, `mcp`, or `docker`.
    pub format: String,
    /// Where it is served; absent for what is part of the daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The program that it is, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<String>,
    /// The model that answers where a loop names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where its key is: `file:keys/openai`; absent where it wants none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Most tokens of an answer where a loop does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// What a million tokens cost, read and written: `USD 0.15 0.60`; absent where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// What can be told about it that will not work; of one alone also what asking it came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The tools that it has, where it is an MCP server and was asked for alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolView>,
    /// The images that loops need, where it is the container engine and was asked for alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageView>,
}

/// An image of containers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageView {
    /// What names it.
    pub image: String,
    /// Why containers cannot be made from it now; absent if they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The loops that run in it.
    pub loops: Vec<String>,
}

/// A tool of an MCP server. All of it but the state and the loops is the server's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToolView {
    /// What the server calls it.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its arguments.
    pub input_schema: Value,
    /// JSON Schema of its structured output; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Value>,
    /// SHA-256 of name, description and schemas: what is approved.
    pub digest: String,
    /// Whether it is what was approved.
    pub state: ToolState,
    /// The loops that call it.
    #[serde(default)]
    pub loops: Vec<String>,
}

/// What a realm's owner has said of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ToolState {
    /// No loop calls it.
    Unused,
    /// A loop calls it that nobody approved it for; its calls are refused.
    Unapproved,
    /// It is what was approved.
    Approved,
    /// It is no longer what was approved, or no longer there; its calls are refused.
    Changed,
}

impl ToolState {
    /// The state in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Unapproved => "unapproved",
            Self::Approved => "approved",
            Self::Changed => "changed",
        }
    }
}

/// A loop that a prompt's model may call. What a loop of another realm is, is that realm's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelToolView {
    /// What the model calls it.
    pub name: String,
    /// The loop, here or in another realm.
    pub loop_id: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of its input.
    pub input_schema: Value,
    /// JSON Schema of its output.
    pub output_schema: Value,
    /// SHA-256 of its name, description and contract: what is approved. Empty for a loop of this realm, which
    /// nobody approves, and where the other realm does not tell it.
    pub digest: String,
    /// Whether it is what was approved; a loop of this realm always is.
    pub state: ToolState,
    /// Why it cannot be told what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// Which tools are approved as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveRequest {
    /// Digests by tool, as they were shown.
    pub tools: BTreeMap<String, String>,
}
