//! Runs and their traces.

use super::{Budget, CallError, Spend, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which half of a call a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Called and run here.
    Local,
    /// Called here, run by another realm.
    Out,
    /// Called by another realm, run here.
    In,
}

impl Direction {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunStatus {
    /// Not finished.
    Running,
    /// Finished with an output.
    Completed,
    /// Finished with an error.
    Failed,
    /// Stopped by somebody.
    Cancelled,
    /// Waiting to be resumed.
    Paused,
}

impl RunStatus {
    /// The variant's text, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
        }
    }
}

/// A run, without its payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// The run.
    pub id: String,
    /// Its call; the same id in both realms.
    pub call_id: String,
    /// The loop's id.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The loop's version, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Which half this is.
    pub direction: Direction,
    /// The other realm; none for a local run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether it stands still because its realm, or a loop of it, is halted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halted: bool,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// Milliseconds between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Name of the failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The run here that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Who has erased its content, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erasure>,
}

/// That the content of a run was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// When.
    pub at: Time,
    /// By whom.
    pub by: String,
}

/// The content of a run is to be erased.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EraseRequest {
    /// Whether only to say what would go.
    #[serde(default)]
    pub dry_run: bool,
    /// Why, for those who read the audit log later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What was erased of a run, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EraseResult {
    /// The run as it stands now.
    pub run: RunSummary,
    /// SHA-256 of the input that went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_digest: Option<String>,
    /// SHA-256 of the output that went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<String>,
    /// Bytes of input and output.
    pub bytes: u64,
    /// Events of its trace, which lose what they say of contents.
    pub events: u64,
    /// Answers kept under idempotency keys that went with it.
    pub answers: u64,
    /// Whether nothing was erased yet.
    pub dry_run: bool,
}

/// A run with its payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    /// The run.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Output, if it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Error, if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CallError>,
    /// The requests for approvals that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<String>,
}

/// Which runs are meant; all must match. The newest come first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// The loop's id.
    #[serde(rename = "loop", default, skip_serializing_if = "Option::is_none")]
    pub loop_id: Option<String>,
    /// The other realm's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    /// Which half it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The run here that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Begun at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Begun before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// At most so many; 50 unless told, 500 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One event of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TraceEvent {
    /// Position in the run, from zero, without gaps.
    pub index: u64,
    /// The frame it belongs to.
    pub call_id: String,
    /// When it happened.
    pub ts: Time,
    /// `call.started`, `call.sent`, `call.completed`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// What is known about it.
    pub payload: Value,
}

/// One realm's half of a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The run.
    pub run: RunDetail,
    /// Its events, in order.
    #[serde(default)]
    pub events: Vec<TraceEvent>,
    /// Where more events follow: the `cursor` that asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which part of a trace is meant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TraceQuery {
    /// The `next` of the part before; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// One call of a run. Members that nothing was recorded for are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Frame {
    /// The call.
    pub call_id: String,
    /// The loop's id.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The loop's version, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Digest of the loop's contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<String>,
    /// The realm that runs it; none for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The realm that asked for it, where that is not this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The step of the calling loop, from zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// The branch of a parallel step, from zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u64>,
    /// The item of a `forEach` step, from zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u64>,
    /// Whether it ran because another loop had failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fallback: bool,
    /// Where it stands.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Time,
    /// Milliseconds it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Name of the failure, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What happened, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What may be done about the failure: `transient`, `validation`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// How often it was tried; none before this was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// The backend that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Version of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_version: Option<String>,
    /// Tokens that went in, over all attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<u64>,
    /// Tokens that came out, over all attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Cost over all attempts, in millionths of the currency the backend bills in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micros: Option<u64>,
    /// What it and all below it may use, where something bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What it and all below it have used, where that is accounted for: of the first call, of those with
    /// a budget of their own, and of calls to other realms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spend>,
    /// What carries it out, where that is a tool: `builtin:echo`, `http`, `process`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// How often the tool was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<u64>,
    /// Digest of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_digest: Option<String>,
    /// Digest of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_digest: Option<String>,
    /// Input; never in a [`FrameTree`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Output; never in a [`FrameTree`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

/// One call in the tree of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameTree {
    /// The call.
    #[serde(flatten)]
    pub frame: Frame,
    /// The calls it made, in order.
    #[serde(default)]
    #[schema(no_recursion)]
    pub children: Vec<FrameTree>,
    /// How many calls below it are left out, because the tree would be too deep; the trace has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u64>,
}

/// Holds a run where it stands. It says nothing more yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PauseRequest {}

/// Lets a paused run go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeRequest {
    /// What becomes of a call whose outcome is unknown; needed where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<ResumeDecision>,
}

/// What becomes of a call whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ResumeDecision {
    /// It is made again.
    Again,
    /// It was done, and gave this.
    Gave(Value),
    /// It failed, for this reason.
    Failed(String),
}

/// Why a run is where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunExplanation {
    /// The run.
    pub run: RunSummary,
    /// One paragraph for people.
    pub text: String,
    /// What it waits for; empty once it has ended.
    #[serde(default)]
    pub waits: Vec<Wait>,
    /// Its calls that other realms have accepted, and whose end is told once it is known.
    #[serde(default)]
    pub accepted: Vec<AcceptedCall>,
    /// A command that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// A call of a run that another realm has accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedCall {
    /// The loop with its realm, as it was asked for.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The run there.
    pub run_id: String,
    /// When it was accepted.
    pub since: Time,
    /// How it stood there when last that was told.
    pub stage: AcceptedStage,
}

/// How a run stands in another realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AcceptedStage {
    /// It is at work.
    Running,
    /// It waits for a time.
    Waiting,
    /// It stands still until a person there says how it goes on.
    Paused,
    /// It has ended; its end is on the way.
    Ended,
}

/// One call of a run that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// The call.
    pub call_id: String,
    /// Its loop, with its realm if that is another one.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// What for.
    pub on: WaitsOn,
    /// Which attempt is under way, from 1.
    pub attempt: u64,
    /// Since when, where somebody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Until when, where it is a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Steps taken, where it is a machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
}

/// What a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum WaitsOn {
    /// A backend's answer.
    Backend,
    /// Another realm's answer.
    Realm,
    /// Bids for announced work, or what comes of it.
    Bidders,
    /// A time: a wait, or the next attempt.
    Time,
    /// A person's word.
    Person,
    /// A person's approval, without which it does not begin.
    Approval,
    /// A machine's next step.
    Step,
}

/// Cancels a run. It says nothing more yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelRequest {}

/// A run that was cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelResult {
    /// Where the run stands.
    #[serde(flatten)]
    pub run: RunSummary,
    /// Each broadcast that it had announced, or that it is.
    #[serde(default)]
    pub withdrawn: Vec<Withdrawal>,
}

/// A broadcast that was taken back, and who has confirmed it. Realms that its winners had called or announced
/// work to are told by these, and confirm it to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Withdrawal {
    /// The broadcast's run here.
    pub run_id: String,
    /// The loop whose work it was.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// How it ended: `Cancelled`, or otherwise if its outcome came first.
    pub ending: String,
    /// Winners that said that they have stopped, by slot.
    #[serde(default)]
    pub confirmed: Vec<String>,
    /// Winners that had the work and did not say so in time, by slot; their leases run out.
    #[serde(default)]
    pub silent: Vec<String>,
    /// How many that worked for those in turn, at all levels, said that they have stopped.
    #[serde(default)]
    pub confirmed_below: u64,
    /// How many of them did not say so in time.
    #[serde(default)]
    pub silent_below: u64,
}
