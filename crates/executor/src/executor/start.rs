//! How runs begin, go on after a restart, or do neither.

use std::collections::BTreeMap;

use realm_protocol::{
    CallId, Digest, FailureCode, LoopId, RunId, Timestamp, journal, message::TraceParent,
};
use serde_json::Value;
use thiserror::Error;

use super::Given;
use crate::{ApprovalRule, BackendChoice};

/// A run to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The new run.
    pub run: RunId,
    /// Its call, which is also its first frame.
    pub call: CallId,
    /// The loop.
    pub loop_id: LoopId,
    /// The version meant: one version or a requirement; none for the current one.
    pub version: Option<String>,
    /// Input.
    pub input: Value,
    /// How long the caller waits, milliseconds.
    pub timeout_ms: u64,
    /// How many calls led to this one.
    pub depth: u64,
    /// Who asked, for the trace.
    pub caller: Option<String>,
    /// The caller's half of the trace.
    pub parent: Option<TraceParent>,
    /// Whether it goes on after a restart, and writes down what it needs for that.
    pub durable: bool,
    /// Names the work where runs elsewhere may do the same: their tools are asked under the same
    /// keys. None where the work is this run's alone.
    pub work: Option<Digest>,
    /// Whether somebody wants to see the output while it is being made.
    pub stream: bool,
    /// What people are asked for before it begins, beside what its loop asks for.
    pub approvals: Vec<ApprovalRule>,
    /// What it may use, by everybody who bounds it.
    pub budgets: Vec<Given>,
    /// Whom its prompts ask instead of their own backends.
    pub backend: Option<BackendChoice>,
}

/// A run to go on with after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// How it began; its time is what is left of it.
    pub start: Start,
    /// When it began.
    pub started: Timestamp,
    /// What was written down of its frames.
    pub known: BTreeMap<CallId, journal::FrameRecord>,
}

/// Why a run did not begin.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StartError {
    /// The loop is absent, or not here in the version meant.
    #[error("no such loop")]
    LoopNotFound,
    /// As many runs as the realm allows are under way.
    #[error("as many runs are under way as this realm allows, {limit}; ask again later")]
    Overloaded {
        /// The limit.
        limit: usize,
    },
    /// As many runs as the loop allows are under way.
    #[error(
        "as many runs of `{loop_id}` are under way as it allows, {limit}; ask again later, or \
         raise `limits.concurrency` in its definition"
    )]
    LoopBusy {
        /// The loop.
        loop_id: LoopId,
        /// The limit.
        limit: u64,
    },
    /// The call is nested too deep, or its time is over.
    #[error("the call is nested too deep or has no time left")]
    Budget,
    /// The run or the call is under way already.
    #[error("the run or the call is under way already")]
    Busy,
}

impl StartError {
    /// The failure as the wire says it.
    pub const fn code(&self) -> FailureCode {
        match self {
            Self::LoopNotFound => FailureCode::LoopNotFound,
            Self::Overloaded { .. } | Self::LoopBusy { .. } | Self::Busy => FailureCode::Overloaded,
            Self::Budget => FailureCode::Budget,
        }
    }
}

/// Why a run does not go on after a restart.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RestartError {
    /// Its loop is gone in the form that it began with.
    #[error(
        "it began with revision {digest} of `{loop_id}`, which this realm no longer keeps; invoke \
         the loop anew"
    )]
    RevisionGone {
        /// The loop.
        loop_id: LoopId,
        /// The revision.
        digest: Digest,
    },
    /// Its loop is gone, or is not here in the version meant.
    #[error("`{loop_id}` is no longer here in that version; apply it again, and invoke it anew")]
    LoopNotFound {
        /// The loop.
        loop_id: LoopId,
    },
    /// What was written down of it does not read, and nothing may be put in its place.
    #[error("the {what} that is written down of its frame {call} does not read: {reason}")]
    Unreadable {
        /// The frame.
        call: CallId,
        /// What of it.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// The run is under way already.
    #[error("the run is under way already")]
    Busy,
}
