//! Model backends.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A model backend; its key is never shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackendView {
    /// What loops call it.
    pub id: String,
    /// How it is spoken to: `mock`, `openai`, `anthropic` or `ollama`.
    pub format: String,
    /// Where it is served; absent for what is part of the daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
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
    /// What can be told about it that will not work, without asking it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}
