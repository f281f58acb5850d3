//! The audit log of this realm.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Time;

/// Which entries are meant; all must match.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// The loop's id.
    #[serde(rename = "loop", default, skip_serializing_if = "Option::is_none")]
    pub loop_id: Option<String>,
    /// The person who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The other realm's name, with every realm below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// What was done: `call.served`, or all that begins so: `policy.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Written at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// At most so many; 50 unless told, 500 at most. An export has no use for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditOutcome {
    /// Done.
    Success,
    /// Tried, and failed.
    Failure,
    /// Not let begin.
    Refusal,
    /// Taken back.
    Cancelled,
}

impl AuditOutcome {
    /// The name in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Refusal => "refusal",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its place in the log, from 0.
    pub index: u64,
    /// When it was written.
    pub at: Time,
    /// What was done: `call.served`, `policy.allowed`, ….
    pub action: String,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// Why, where it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The other realm's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The person who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The run here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// The run that caused it, at the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_run_id: Option<String>,
    /// Digest of the contract that was kept to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// Digest of the receipt that both ends have signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// SHA-256 of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_digest: Option<String>,
    /// SHA-256 of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<String>,
    /// Currency of the cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What it cost, millionths of the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// How often it happened, where one entry stands for several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Why it was done, as who did it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Digest of the entry before.
    pub previous: String,
    /// Digest of the entry.
    pub digest: String,
    /// Whether person, digests and reason have been erased.
    pub erased: bool,
}

/// A part of the log that proves itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditFile {
    /// The place of its first entry.
    pub first: u64,
    /// How many entries the log has where the file ends.
    pub count: u64,
    /// How many entries it shows; of the others it has digests.
    pub shown: u64,
    /// The bytes, in base64url without padding.
    pub evidence: String,
}

/// What this realm keeps, as a witness, of the audit log of another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WitnessView {
    /// The other realm's name.
    pub realm: String,
    /// The newest head that is proven to go on from those before.
    pub newest: HeadView,
    /// Since when it shows a longer log without proof that it goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unproven_since: Option<Time>,
    /// What contradicts that the log only grew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradiction: Option<ContradictionView>,
}

/// Where an audit log stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeadView {
    /// How many entries there were.
    pub count: u64,
    /// The root of the tree of all of them.
    pub root: String,
    /// When that was signed, by the clock of that realm.
    pub signed_at: Time,
}

/// How a head that was shown later contradicts one that was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContradictionKind {
    /// It has fewer entries: the log was cut short, or an old one was put back.
    Shorter,
    /// It has as many, and not the same: the log was told anew.
    Other,
}

/// Two heads of one log that cannot both be of a log that only grew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContradictionView {
    /// How the later one contradicts the other.
    pub kind: ContradictionKind,
    /// The head that was kept.
    pub known: HeadView,
    /// The later one.
    pub shown: HeadView,
    /// When that was shown, by this realm's clock.
    pub shown_at: Time,
    /// When an owner has acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Time>,
}

/// Somebody has seen what contradicts the audit log of a realm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcknowledgeRequest {
    /// Why it is no more to be told of, for those who read the audit log later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What proves a contradiction by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WitnessFile {
    /// The other realm's name.
    pub realm: String,
    /// The bytes, in base64url without padding.
    pub evidence: String,
}
