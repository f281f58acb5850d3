//! How often calls of others begin.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How often calls begin, by who calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateRequest {
    /// What it is called.
    pub name: String,
    /// Whose calls: those of a realm such as `lab/genomics` and all below it; none for everybody's but this
    /// realm's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<String>,
    /// Calls of which loops; without any, of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loops: Vec<String>,
    /// How many begin in a minute.
    pub per_minute: u64,
    /// How many begin at once; 1 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// Whether its callers share it; otherwise each organisation has as much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<bool>,
    /// How many wait for their turn, in their own time; none unless told, and one more is `Overloaded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u64>,
}

/// A rate, and what it has done since the daemon started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RateView {
    /// What it is called.
    pub name: String,
    /// Whether it stands in `realm.toml`, and was not applied.
    pub configured: bool,
    /// Whose calls; none for everybody's but this realm's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callers: Option<String>,
    /// Calls of which loops; without any, of all.
    #[serde(default)]
    pub loops: Vec<String>,
    /// How many begin in a minute.
    pub per_minute: u64,
    /// How many begin at once.
    pub burst: u64,
    /// Whether its callers share it.
    pub shared: bool,
    /// How many wait for their turn.
    pub queue: u64,
    /// Calls that waited for their turn.
    pub waited: u64,
    /// Calls that were refused.
    pub refused: u64,
}
