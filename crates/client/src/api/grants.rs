//! What realms grant each other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Budget, Time};

/// Why a realm knows a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum GrantKept {
    /// This realm gave it.
    Given,
    /// This realm may use it.
    Held,
}

/// Something to grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrantRequest {
    /// The realm that may use it.
    pub holder: String,
    /// The loops: ids, or how ids begin with `*` behind it. They are this realm's, or with `from` those of
    /// the realm that grant is by.
    pub loops: Vec<String>,
    /// How many calls may begin by it; absent for any number, or as many as `from` lets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// What each of them may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How long it is good, milliseconds; absent for a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// The id of a grant that this realm holds, to hand on some of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A grant of another realm's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldRequest {
    /// The line that its giver was shown.
    pub grant: String,
}

/// One grant of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantStep {
    /// Its id.
    pub id: String,
    /// Who gave it, as this realm calls it, or by its id.
    pub issuer: String,
    /// Who may use it.
    pub holder: String,
    /// The loops.
    pub loops: Vec<String>,
    /// How many calls may begin by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// What each may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// When it is good no more.
    pub until: Time,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrantView {
    /// Its id: what it is taken back by.
    pub id: String,
    /// Why this realm knows it.
    pub kept: GrantKept,
    /// The realm whose loops it is for.
    pub realm: String,
    /// Who may use it.
    pub holder: String,
    /// The loops.
    pub loops: Vec<String>,
    /// How many calls may begin by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// How many have: where it was given those of all that was handed on of it too, where it is held those
    /// of this realm since the daemon began.
    pub used: u64,
    /// What each may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// When it was given.
    pub since: Time,
    /// When it is good no more.
    pub until: Time,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Time>,
    /// Who gave whom: the realm's own grant first, this one last.
    pub chain: Vec<GrantStep>,
    /// The line for its holder; only when it was just given, or is asked for by its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}
