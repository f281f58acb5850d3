//! Why a request of the local API is not carried out.

use realm_executor::{Need, ResumeError, ShareError};
use realm_protocol::{Label, LoopId, RealmName, RunId, Scope};
use thiserror::Error;

use super::{ApplyReport, CallFailure};
use crate::DecideError;

/// Why a request was not carried out.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No root has this petname here.
    #[error("no realm is called `{name}` here")]
    UnknownPetname {
        /// The name asked for.
        name: Label,
        /// The names there are.
        known: Vec<Label>,
    },
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// `loop`, `policy`, `child`, `peer` or `run`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Versions do not share calls as asked.
    #[error(transparent)]
    Shares(#[from] ShareError),
    /// The remote realm, or one on the way, refused or failed.
    #[error(transparent)]
    Call(#[from] CallFailure),
    /// Only a root peers.
    #[error("only a root can peer, and this realm is {scope}")]
    NotRoot {
        /// Where this realm stands.
        scope: Scope,
    },
    /// This realm has a parent, children or peers already.
    #[error("this realm has {what} already, and joining would rename its tree")]
    NotFree {
        /// What it has.
        what: &'static str,
    },
    /// The label belongs to a child.
    #[error("the label `{label}` belongs to a child already")]
    LabelTaken {
        /// The label.
        label: Label,
    },
    /// The petname belongs to another root.
    #[error("`{petname}` is what another root is called here")]
    PetnameTaken {
        /// The petname.
        petname: Label,
    },
    /// The rate stands in the configuration.
    #[error("the rate `{name}` stands in realm.toml, under [rates.{name}]")]
    ConfiguredRate {
        /// Its name.
        name: String,
    },
    /// A document names what is not here.
    #[error("{} of the restrictions cannot be held to", .0.len())]
    Restrictions(Vec<realm_executor::Problem>),
    /// The grant is not what it should be.
    #[error("the grant is refused: {0}")]
    Grant(String),
    /// Too many of something.
    #[error("the limit of {limit} {what} is reached")]
    Full {
        /// What there are too many of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The run has not ended.
    #[error("run {run} is under way: its content can be erased once it has ended")]
    UnderWay {
        /// The run.
        run: RunId,
    },
    /// The run cannot be resumed so.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// Only whoever said so lets it go on.
    #[error(
        "it stands still by the word of {by}, above this realm, and goes on when that is lifted there"
    )]
    HaltedAbove {
        /// Who said so.
        by: String,
    },
    /// What was said of a call that waits for an approval is not taken.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The ticket is past its time.
    #[error("the ticket has expired")]
    TicketExpired,
    /// The inviter refused the ticket.
    #[error("the inviter refused the ticket: {detail}")]
    TicketRefused {
        /// What it said.
        detail: String,
    },
    /// The inviter could not be reached.
    #[error("the inviter could not be reached: {detail}")]
    Unreachable {
        /// What was tried.
        detail: String,
    },
    /// A value is outside its range.
    #[error("{what} must be {range}")]
    Range {
        /// Which value.
        what: &'static str,
        /// Its range.
        range: String,
    },
    /// Policy text is wrong.
    #[error("the policy is not valid: {0:?}")]
    Policy(Vec<realm_policy::PolicyProblem>),
    /// Loops do not fit together.
    #[error("the loops are not valid: {}", .0.join("; "))]
    Loops(Vec<String>),
    /// Versions would keep their number and break their own contract.
    #[error("a version would break its own contract")]
    Breaks(Vec<ApplyReport>),
    /// Steps of other loops would find no longer what they call.
    #[error("other loops need what would go")]
    Needed(Vec<Need>),
    /// The version is the one that calls get which name none.
    #[error("{version} is the current version of `{id}`")]
    CurrentVersion {
        /// The loop.
        id: LoopId,
        /// Its version.
        version: semver::Version,
    },
    /// The caller is outside every peering's scope.
    #[error("{caller} is outside every peering's scope, so the permission would never be used")]
    OutsidePeering {
        /// Who was to be allowed.
        caller: RealmName,
    },
    /// The clock differs too much from the parent's or peers'.
    #[error("this machine's clock is {skew_ms} ms away from its neighbours'; nothing is issued")]
    ClockSkew {
        /// By how much, milliseconds.
        skew_ms: u64,
    },
    /// The node is not allowed to issue.
    #[error("this node's certificate does not let it issue, or has expired")]
    MayNotIssue,
    /// The realm is shutting down.
    #[error("the realm is shutting down")]
    Stopping,
    /// The store has failed, so nothing can be promised.
    #[error("the store has failed, so nothing can be promised")]
    StoreFailed,
}
