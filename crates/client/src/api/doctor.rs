//! What `doctor` finds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Finding {
    /// As it should be.
    Ok,
    /// Works, and will not for ever.
    Warn,
    /// Does not work.
    Fail,
    /// Could not be checked.
    Skip,
}

impl Finding {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// Its name: `clock.skew`.
    pub code: String,
    /// How it ended.
    pub status: Finding,
    /// What was checked.
    pub title: String,
    /// What was seen.
    pub evidence: String,
    /// The command or change that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Checks of one matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckGroup {
    /// `config`, `keys`, `clock`, `store`, `ports`, `parent and peers`, `backends`, `policy`, `halts`.
    pub name: String,
    /// The checks, in order.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// All that `doctor` found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Doctor {
    /// The worst of all.
    pub status: Finding,
    /// The groups, in order.
    #[serde(default)]
    pub groups: Vec<CheckGroup>,
}
