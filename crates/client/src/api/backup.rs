//! Backups.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where to write a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackupRequest {
    /// Absolute path of a file that does not exist.
    pub path: String,
}

/// A backup that was written and is whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupReport {
    /// The file.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Records in it.
    pub records: u64,
    /// Runs in it.
    pub runs: u64,
    /// Events in it.
    pub events: u64,
    /// Journal position it stands for.
    pub seq: u64,
    /// Milliseconds it took.
    pub duration_ms: u64,
}
