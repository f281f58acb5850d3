//! Calls that wait for people to approve them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{Budget, Spend, Time};

/// Where a request for an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApprovalState {
    /// People have not said enough yet.
    Waiting,
    /// The call may begin, once.
    Granted,
    /// Somebody has said no.
    Denied,
    /// Nobody said enough in time.
    Expired,
    /// The call has changed, or is not made any more.
    Void,
}

impl ApprovalState {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }
}

/// A call that waits for people to approve it, or did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalView {
    /// The request.
    pub id: String,
    /// Where it stands.
    pub state: ApprovalState,
    /// The loop that would be called, with its realm where that is another one.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The loop's version; of another realm's, the one asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The revision of a loop of this realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The arguments, while the call waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// SHA-256 of the arguments.
    pub input_digest: String,
    /// What the call and all that it causes may use at most, while it waits; absent where nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What an answer may use at most, where people are asked because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Spend>,
    /// What another realm would be given for its work, where people are asked because of that. Nothing bounds what is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Budget>,
    /// What names exactly this call: realm, run, call, loop, revision and arguments.
    pub action: String,
    /// The run.
    pub run_id: String,
    /// The call.
    pub call_id: String,
    /// The loops that led to it, the outermost first.
    #[serde(default)]
    pub frames: Vec<String>,
    /// On whose behalf the run is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// What has to be met, all of it.
    pub rules: Vec<ApprovalTerms>,
    /// When it was asked for.
    pub requested_at: Time,
    /// When it expires.
    pub expires_at: Time,
    /// What people have said.
    #[serde(default)]
    pub decisions: Vec<ApprovalDecision>,
    /// When the call began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Time>,
}

/// What has to be met before a call begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalTerms {
    /// The role that those have who approve; owners always may.
    pub role: String,
    /// How many different people.
    pub count: u64,
    /// Whether whoever asked for the work may not be one of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub distinct_from_requester: bool,
    /// The role of those who may approve as well, later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalates_to: Option<String>,
    /// From when on they may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalates_at: Option<Time>,
}

/// What somebody has said of a call that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalDecision {
    /// Who.
    pub person: String,
    /// The roles that they had then.
    pub roles: Vec<String>,
    /// Whether the call may begin.
    pub granted: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub at: Time,
}

/// Which requests are meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApprovalQuery {
    /// Those of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Those that were decided, too.
    #[serde(default)]
    pub all: bool,
}

/// Lets a call begin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveCallRequest {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Ends a call before it begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DenyRequest {
    /// Why; whoever made the call is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
