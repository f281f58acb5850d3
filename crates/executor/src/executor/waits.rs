//! What runs wait for, and what a person says to one that waits for a person.

use realm_protocol::{CallId, Timestamp};
use serde_json::Value;
use thiserror::Error;

/// A frame that waits for somebody or something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// The frame.
    pub call: CallId,
    /// Its loop, with its realm if that is another one.
    pub name: String,
    /// Which attempt is under way, from 1.
    pub attempt: u64,
    /// What for.
    pub on: WaitingFor,
    /// When somebody was asked, if that is written down.
    pub since: Option<Timestamp>,
}

/// What a frame waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingFor {
    /// A backend's answer.
    Backend,
    /// Another realm's answer.
    Realm,
    /// Bids for announced work, or what comes of it.
    Bidders,
    /// A time.
    Time(Timestamp),
    /// A person's word.
    Person,
    /// A person's approval.
    Approval,
    /// A machine's next step, after so many.
    Step(u64),
}

/// What becomes of a call whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is made again.
    Again,
    /// It was done, and gave this.
    Output(Value),
    /// It failed, for this reason.
    Fail(String),
}

impl Decision {
    /// The decision's name in text.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Output(_) => "output",
            Self::Fail(_) => "fail",
        }
    }
}

/// Why a run was not resumed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ResumeError {
    /// No such run is under way.
    #[error("no such run is under way")]
    NotFound,
    /// It is not paused.
    #[error("the run is not paused")]
    NotPaused,
    /// Its owner has halted it.
    #[error("the run is halted: `realmctl unhalt` lets it go on")]
    Halted,
    /// It waits for a decision, and none was given.
    #[error(
        "what call {call} did is unknown: say whether it is made again, what it gave, or that it failed"
    )]
    Undecided {
        /// The call.
        call: CallId,
    },
    /// It waits for an approval, and for nothing else.
    #[error("the run waits for an approval, and goes on once that is given")]
    NeedsApproval,
    /// What the call is said to have given does not match its loop's output schema.
    #[error("what call {call} is said to have given does not match its loop's output schema")]
    Output {
        /// The call.
        call: CallId,
    },
    /// A decision was given, and nothing waits for one.
    #[error("no call of the run waits for a decision")]
    NothingToDecide,
}
