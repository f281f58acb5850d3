//! Whom nothing is asked of for a while, because too much has failed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// How a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum BreakerState {
    /// What it guards is asked.
    Closed,
    /// Nothing is asked until its rest is over.
    Open,
    /// One call is under way, the probe, and all others are refused until it has ended.
    HalfOpen,
}

/// The breaker of a backend, an agent, another organisation or a loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakerView {
    /// Whose: `backend/ID`, `agent/NAME`, `peer/NAME` or `loop/ID`.
    pub name: String,
    /// How it stands.
    pub state: BreakerState,
    /// Why it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it opened first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Until when nothing is asked; after that, one probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// While it is closed: how many of the latest calls are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// While it is closed: how many of those went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
}

impl BreakerView {
    /// One that is closed, and of which no more is known.
    pub const fn closed(name: String) -> Self {
        Self {
            name,
            state: BreakerState::Closed,
            reason: None,
            since: None,
            until: None,
            calls: None,
            failed: None,
        }
    }
}

/// A breaker to be closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResetRequest {
    /// Why, for those who read the audit log later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
