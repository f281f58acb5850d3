//! What agents keep between calls.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Time;

/// How much an agent keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateSummary {
    /// The agent.
    pub agent: String,
    /// How many keys it has.
    pub keys: u64,
    /// Bytes of their values, as JSON.
    pub bytes: u64,
    /// When the last change was made.
    pub changed: Time,
}

/// One value that an agent keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StateView {
    /// The agent.
    pub agent: String,
    /// The key.
    pub key: String,
    /// Rises by one with every change, from 1.
    pub version: u64,
    /// When this version was written.
    pub changed: Time,
    /// The call that wrote it.
    pub call: String,
    /// The value.
    pub value: Value,
}

/// Which of an agent's values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StateQuery {
    /// The key; all unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
