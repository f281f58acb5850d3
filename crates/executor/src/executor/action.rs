//! What runs want done.

use std::sync::Arc;

use realm_protocol::{
    CallId, LoopAddress, RunId, Timestamp,
    journal::{self, Event},
};
use serde_json::Value;

use crate::{BackendRequest, Outcome, Registered};

/// A call that a run makes of a loop of another realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealmCall {
    /// The new call.
    pub call: CallId,
    /// The run that waits.
    pub run: RunId,
    /// The frame that waits, the same in every attempt.
    pub frame: CallId,
    /// When the first attempt was made.
    pub asked: Timestamp,
    /// When this one was; earlier than now where a restart broke it off.
    pub tried: Timestamp,
    /// The loop and its realm.
    pub address: LoopAddress,
    /// The version meant.
    pub version: Option<String>,
    /// Input.
    pub input: Value,
    /// Milliseconds the run waits for it.
    pub timeout_ms: u64,
    /// How many calls led to it.
    pub depth: u64,
    /// Whether what its output is being made of is wanted while that is made.
    pub stream: bool,
}

/// Work that a run announces.
#[derive(Clone, Debug)]
pub struct Announcing {
    /// The new call; it names the broadcast as well.
    pub call: CallId,
    /// The run that waits.
    pub run: RunId,
    /// The loop whose contract the work has, and that says how it is announced.
    pub contract: Arc<Registered>,
    /// Input.
    pub input: Value,
    /// Milliseconds the run waits for it.
    pub timeout_ms: u64,
    /// How many calls led to it.
    pub depth: u64,
}

/// Two are the same if they announce the same revision with the same words.
impl PartialEq for Announcing {
    fn eq(&self, other: &Self) -> bool {
        let words = |of: &Self| (of.call, of.run, of.contract.digest, of.timeout_ms, of.depth);
        words(self) == words(other) && self.input == other.input
    }
}

impl Eq for Announcing {}

/// What the owner of an executor has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Give the work to a backend and its answer to [`Executor::backend_done`].
    Backend {
        /// The frame that waits.
        call: CallId,
        /// The work.
        request: BackendRequest,
    },
    /// Stop the work of this frame; its answer will be ignored.
    CancelBackend(CallId),
    /// Call a loop of another realm and give its answer to [`Executor::invoke_done`].
    Invoke(RealmCall),
    /// Stop the call to another realm; its answer will be ignored.
    CancelInvoke(CallId),
    /// Announce work and give its end to [`Executor::invoke_done`]. After a restart it may be said of
    /// a broadcast that is under way, or has ended: then it is that one that is waited for.
    Announce(Announcing),
    /// Take the announced work back; its end will be ignored.
    CancelAnnounce(CallId),
    /// Show who wants to see it some of the text that a run's output is being made of. It is no
    /// output: nothing of it is checked or kept.
    Part {
        /// The run.
        run: RunId,
        /// Which text; a greater number begins anew.
        number: u64,
        /// Some of it, in order.
        text: String,
    },
    /// Write down an event of a run's trace.
    Event(Event),
    /// Write down where a frame stands, over what was written of it before.
    Keep {
        /// The run.
        run: RunId,
        /// The frame.
        call: CallId,
        /// Where it stands.
        frame: Box<journal::FrameRecord>,
    },
    /// Remove what was written down of frames.
    Forget {
        /// The run.
        run: RunId,
        /// The frames.
        calls: Vec<CallId>,
    },
    /// The run stands still until somebody resumes it.
    Paused {
        /// The run.
        run: RunId,
        /// Whether a call's outcome is unknown, so that a person has to decide.
        undecided: bool,
    },
    /// The run goes on.
    Resumed {
        /// The run.
        run: RunId,
    },
    /// A run has ended; nothing of it follows.
    Finished {
        /// The run.
        run: RunId,
        /// Its call.
        call: CallId,
        /// How it ended.
        outcome: Outcome,
    },
}
