//! The configuration in force.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One key of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigEntry {
    /// The key: `store.cache`.
    pub key: String,
    /// Its value; secrets are redacted.
    pub value: Value,
    /// Where the value comes from: `default`, `realm.toml:7`, `REALMD_STORE__CACHE`, `--listen`.
    pub source: String,
    /// Its value if nothing sets it.
    pub default: Value,
    /// What it does.
    pub meaning: String,
    /// Whether SIGHUP applies a change.
    pub reloads: bool,
}

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigView {
    /// The file it was read from.
    pub file: String,
    /// The keys, sorted.
    #[serde(default)]
    pub entries: Vec<ConfigEntry>,
}
