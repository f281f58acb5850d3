//! A run's trace with what other realms show of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RunDetail, TraceEvent};

/// A run's trace, followed through the realms that it led to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FederatedTrace {
    /// This realm's run.
    pub run: RunDetail,
    /// This realm's events, in order.
    #[serde(default)]
    pub events: Vec<TraceEvent>,
    /// The calls of other realms; whoever led to one stands before it.
    #[serde(default)]
    pub parts: Vec<FederatedPart>,
}

/// What another realm shows of the run that served a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FederatedPart {
    /// The realm.
    pub realm: String,
    /// The call, as its caller names it.
    pub call_id: String,
    /// The loop that was called.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The part that led here, by its place in the list; none for a call of this realm's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// What came of the question.
    pub outcome: PartOutcome,
    /// Why nothing is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How what is shown stands by what the realm has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<PartDigests>,
    /// How many of its events, from the first, come to what the realm has signed, where that is so; it may have added those
    /// from this index on later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_events: Option<u64>,
    /// The run there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Events that are not shown.
    #[serde(default)]
    pub hidden: u64,
    /// Events that are shown, in order.
    #[serde(default)]
    pub events: Vec<TraceEvent>,
}

/// What came of a question for a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PartOutcome {
    /// All or some of it is shown.
    Shown,
    /// The realm does not show it.
    Refused,
    /// The realm gave no answer.
    Unreachable,
    /// It was not asked: there are more calls, or further realms, than a trace is followed through.
    NotAsked,
}

impl PartOutcome {
    /// The name in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::NotAsked => "not asked",
        }
    }
}

/// How what a realm shows stands by what it has signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PartDigests {
    /// Shown and hidden events, as many as its receipt tells of, come to what that says.
    Signed,
    /// They do not.
    Differ,
    /// No receipt that its caller has says what they come to.
    Unsigned,
    /// The realm says that the content was erased; its digests cannot be compared any more.
    Erased,
}

impl PartDigests {
    /// The name in text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "signed",
            Self::Differ => "DIFFER",
            Self::Unsigned => "unsigned",
            Self::Erased => "erased",
        }
    }
}
