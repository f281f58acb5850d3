//! What runs want done.

use std::sync::Arc;

use realm_protocol::{
    CallId, Digest, LoopAddress, LoopId, RealmName, RunId, Timestamp,
    budget::{Budget, Spend},
    journal::{self, Event},
};
use serde_json::Value;

use crate::{ApprovalRule, BackendRequest, BreakerChange, Outcome, Registered, StateValue};

/// What a loop of another realm must still be when a model calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// What was approved: [`crate::definition_digest`].
    pub digest: Digest,
    /// The prompt that it was approved for.
    pub by: LoopId,
}

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
    /// What it must still be, where a model calls it.
    pub pin: Option<Pin>,
    /// Input.
    pub input: Value,
    /// Milliseconds the run waits for it.
    pub timeout_ms: u64,
    /// How many calls led to it.
    pub depth: u64,
    /// Whether what its output is being made of is wanted while that is made.
    pub stream: bool,
    /// What it may use: set aside from what the run may.
    pub budget: Budget,
    /// The loop that calls, where its definition says that it needs a grant for this.
    pub needs: Option<LoopId>,
}

/// Work that a run announces.
#[derive(Clone, Debug)]
pub struct Announcing {
    /// The new call; it names the broadcast as well.
    pub call: CallId,
    /// The work: the same where another attempt announces it again.
    pub work: CallId,
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
    /// What it may use: set aside from what the run may.
    pub budget: Budget,
}

/// Two are the same if they announce the same revision with the same words.
impl PartialEq for Announcing {
    fn eq(&self, other: &Self) -> bool {
        let words = |of: &Self| {
            (
                of.call,
                of.work,
                of.run,
                of.contract.digest,
                of.timeout_ms,
                of.depth,
            )
        };
        words(self) == words(other) && self.input == other.input
    }
}

impl Eq for Announcing {}

/// A call that a run makes of a loop of this realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepAsked {
    /// The run.
    pub run: RunId,
    /// The frame that has not begun.
    pub call: CallId,
    /// The loop that calls.
    pub by: LoopId,
    /// Whether its model chose to, and not its definition.
    pub tool: bool,
    /// The loop that is called.
    pub loop_id: LoopId,
}

/// A call that does not begin before it is approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalAsked {
    /// The run.
    pub run: RunId,
    /// The frame that has not begun.
    pub call: CallId,
    /// Its loop, with its realm where that is another one.
    pub loop_id: String,
    /// The other realm.
    pub realm: Option<RealmName>,
    /// The loop's version; of another realm's, the one asked for.
    pub version: Option<String>,
    /// The revision of a loop of this realm.
    pub revision: Option<Digest>,
    /// The contract of a loop of this realm.
    pub contract: Option<Digest>,
    /// The input that it would have.
    pub input: Value,
    /// Whether an approval that was used is good for the call as long as it is the same: doing it twice is
    /// as doing it once.
    pub repeatable: bool,
    /// What has to be met, all of it.
    pub rules: Vec<ApprovalRule>,
    /// What the call would use, where it is that what people decide about.
    pub cost: Option<Cost>,
}

/// What a call would use that people are asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cost {
    /// An answer, at most this.
    Answer(Spend),
    /// Work of another realm: this share of what is left, of which nothing bounds what is absent.
    Share(Budget),
}

/// What the owner of an executor has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Give the work to a backend and its answer to [`Executor::backend_done`].
    Backend {
        /// The run.
        run: RunId,
        /// The frame that waits.
        call: CallId,
        /// The loop that it is a call of.
        by: LoopId,
        /// The work.
        request: BackendRequest,
        /// Whether it has to be on the disk first that this was asked: asking again after a crash
        /// may have effects, or is paid for.
        intent: bool,
    },
    /// Stop the work of this frame; its answer will be ignored.
    CancelBackend(CallId),
    /// Take back what this frame has asked of a backend if it has not left yet, and say so with
    /// [`Executor::not_asked`]; whatever has left may answer.
    Recall(CallId),
    /// Call a loop of another realm and give its answer to [`Executor::invoke_done`].
    Invoke(RealmCall),
    /// Stop the call to another realm; its answer will be ignored.
    CancelInvoke(CallId),
    /// A breaker has opened or closed: write it down.
    Breaker(BreakerChange),
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
    /// Write down a change of an agent's state, with the end of the frame that made it.
    State {
        /// The agent.
        agent: LoopId,
        /// The key.
        key: String,
        /// The value; none where it is forgotten.
        value: Option<StateValue>,
    },
    /// Remove what was written down of frames.
    Forget {
        /// The run.
        run: RunId,
        /// The frames.
        calls: Vec<CallId>,
    },
    /// Say by [`Executor::permit_step`] or [`Executor::refuse_step`] whether a loop of this realm may call another
    /// one. In every attempt, and once people have approved it, it is asked again.
    Step(StepAsked),
    /// See whether a call is approved, and say so by [`Executor::hold`], [`Executor::approve`] or
    /// [`Executor::deny`]. After a restart, and in every attempt, it is asked again.
    Approve(Box<ApprovalAsked>),
    /// The call needs no approval any more: nothing waits for it.
    CancelApproval {
        /// The run.
        run: RunId,
        /// The frame.
        call: CallId,
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
    /// The run stands still by its owner's word.
    Halted {
        /// The run.
        run: RunId,
    },
    /// The owner's word no longer holds the run.
    Unhalted {
        /// The run.
        run: RunId,
        /// Whether something else still does.
        held: bool,
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
