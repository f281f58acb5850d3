//! Calling a loop.

use super::{Budget, Spend, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Which loop is called with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvokeRequest {
    /// Address: `loop` or `loop@realm/path`.
    #[serde(rename = "loop")]
    pub address: String,
    /// Input, as the loop's input schema has it.
    pub input: Value,
    /// The version the caller means; none for the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How long to wait, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Asking again under the same key never runs the loop twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Answer as soon as the run has begun, with status `running`.
    #[serde(default)]
    pub detach: bool,
    /// Let the callee's parent keep the call while the callee is offline; it then waits 7 days where
    /// `timeoutMs` does not say, and at most.
    #[serde(default)]
    pub store: bool,
    /// Show what the output is being made of while it is made: the answer is server-sent events,
    /// `event: part` with a [`StreamPart`] each, the last `event: end` with an [`InvokeResult`]. Whoever
    /// hangs up takes the call back.
    #[serde(default)]
    pub stream: bool,
    /// What the call and all that it causes may use; where it says nothing, what the configuration does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// The backend, `office` or with a model `office:small`, that prompts ask in this run instead of their own; only of runs in
    /// this realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

/// Some of the text that a call's output is being made of. It is no output: nothing of it is checked,
/// and what counts is the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamPart {
    /// Which text it belongs to. A greater number begins anew: what came before was of an attempt that
    /// failed, or of a turn that ended in calls.
    pub number: u64,
    /// Bytes of that text before this.
    pub offset: u64,
    /// Some of the text.
    pub text: String,
}

/// How a call ended, or that it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum InvokeStatus {
    /// With an output.
    Ok,
    /// With an error.
    Error,
    /// Not yet; only for detached calls.
    Running,
}

impl InvokeStatus {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Running => "running",
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallError {
    /// Catalogue code, `RLM-0111`.
    pub code: String,
    /// Name of the failure on the wire: `SchemaInput`.
    pub name: String,
    /// What happened.
    pub message: String,
    /// Single faults, `<instance path or (root)>: <message>`.
    #[serde(default)]
    pub details: Vec<String>,
    /// The realm that raised it, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// For `policy why` at the realm that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When to try again, milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What helps; a command where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvokeResult {
    /// The run here.
    pub run_id: String,
    /// The call; the same id in both realms.
    pub call_id: String,
    /// The loop's id.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The realm that ran it; none for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The loop's version, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How it ended.
    pub status: InvokeStatus,
    /// The requests for approvals that it waits for; only of detached calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<String>,
    /// Output, if it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Error, if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CallError>,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Milliseconds between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Realms on the way, from here to the one that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hops: Option<Vec<String>>,
    /// Whether this is an earlier answer given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<bool>,
    /// What it and all that it caused have used; none where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spend>,
}
