//! What this machine's programs may ask of a realm, and the answers.

mod refusal;

use realm_executor::{BackendChoice, ContractChange, Decision, Manifest, Verdict};
use realm_protocol::{
    CallId, Digest, FailureCode, GrantId, Label, LoopAddress, LoopId, RealmId, RealmName,
    RealmPath, RunId, Scope, Timestamp,
    budget::{Budget, Spend},
    cbor::Blob,
    journal::Run,
    message::Contract,
    records::{GrantLink, Ticket},
};
use serde_json::Value;
use thiserror::Error;

use crate::{Decide, Person, PromptAsked};
pub use refusal::Refusal;

/// Something asked over the local API. Whoever asks has been let in by the daemon.
#[derive(Debug)]
pub enum Request {
    /// What somebody asks for: done if policy lets them.
    By(Person, Box<Request>),
    /// A call that an agent makes by itself, which is all that it may ask for: done if policy lets it.
    InvokeAs(LoopId, Box<InvokeAsked>),
    /// Whether policy lets whoever asks do this in this realm.
    May(realm_policy::Action),
    /// Takes what a directory says of somebody.
    Know(crate::Member),
    /// Believes nothing any more that directories have said.
    ForgetMembers,
    /// Writes down sign-ins of somebody, for the next start.
    KeepSignIns(SignInsRow),
    /// Writes something down in the audit log that the daemon has done.
    Note(Note),
    /// Calls a loop and waits for its end.
    Invoke(InvokeAsked),
    /// Announces work without an address, and waits for its outcome.
    Broadcast(Box<crate::BroadcastAsked>),
    /// Stops a run and what it waits for.
    Cancel(RunId),
    /// Erases the content of a run that has ended.
    Erase(Box<crate::EraseAsked>),
    /// Takes away what leads from pseudonyms to somebody.
    ForgetPseudonyms(crate::ForgetAsked),
    /// Holds a run where it stands.
    Pause(RunId),
    /// Lets a paused run go on; the decision says what becomes of a call whose outcome is unknown.
    Resume(RunId, Option<Decision>),
    /// Takes what a person says of a call that waits for an approval.
    Decide(Decide),
    /// Lets something stand still.
    Halt(crate::HaltAsked),
    /// Lets something go on.
    Unhalt(crate::UnhaltAsked),
    /// Makes a ticket.
    Invite(InviteAsked),
    /// Joins a parent or a peer with a ticket.
    Join(JoinAsked),
    /// Asks a realm which loops this realm may see there.
    Contracts(ContractsOf),
    /// Asks a realm what it shows of the run that served a call.
    Trace(Box<crate::TraceOf>),
    /// Measures the way to a realm and back.
    Ping(RealmName),
    /// Registers loops, all or none.
    Apply(ApplyAsked),
    /// Holds this realm to what documents of other systems restrict.
    Restrict(crate::RestrictAsked),
    /// Removes a loop, or one version of it.
    RemoveLoop(RemoveAsked),
    /// Promotes, shares out or scores versions of a prompt.
    Prompt(PromptAsked),
    /// Forgets one value that an agent keeps, or all.
    ForgetState {
        /// The agent.
        agent: LoopId,
        /// The key; none for all.
        key: Option<String>,
    },
    /// Closes a breaker.
    ResetBreaker(crate::ResetAsked),
    /// Permits something.
    Allow(AllowAsked),
    /// Adds or replaces a policy document of this realm.
    SetPolicy {
        /// Its id.
        id: String,
        /// Cedar text.
        cedar: String,
        /// Whether it decides for every realm below instead of this one.
        subtree: bool,
    },
    /// Removes a policy by its id.
    Disallow(String),
    /// Puts a rate in force, over the one of its name that was applied before.
    ApplyRate(crate::Rate),
    /// Lets a rate go that was applied.
    RemoveRate(String),
    /// Grants another realm something.
    Grant(crate::GrantAsked),
    /// Takes what another realm has granted this one: the chain, the first first.
    HoldGrant(Vec<GrantLink>),
    /// Takes back a grant that this realm has given, or lets one go that it holds.
    RevokeGrant(GrantId),
    /// Takes note that somebody has seen what contradicts the audit log of a realm.
    Acknowledge {
        /// Where the realm stands, or stood.
        realm: Scope,
        /// Why it is no more to be told of.
        why: Option<String>,
    },
    /// Revokes a child and closes its link.
    Revoke(RealmPath),
    /// Ends a peering and closes its link.
    RemovePeer(Label),
    /// Gives a root a petname on this machine, over the one it had.
    Pin {
        /// The petname.
        petname: Label,
        /// The root.
        root: RealmId,
    },
}

/// Sign-ins of somebody, as the store has them; the node knows no more of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInsRow {
    /// Whose.
    pub key: Digest,
    /// What is kept of them, and until when; none where they are over.
    pub value: Option<(Blob, Timestamp)>,
}

/// What the daemon has done, and not its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A sign-in began or ended.
    SignIn(SignInNote),
    /// Somebody has had a backup written.
    BackedUp {
        /// Who.
        person: String,
        /// Where.
        path: String,
    },
    /// The configuration was read again: the names of the keys that are others now, or why it stays as it was.
    Configured(Result<Vec<String>, String>),
    /// What is no longer kept is gone.
    Removed {
        /// So many runs.
        runs: u64,
        /// So many milliseconds after their end.
        kept_ms: u64,
    },
}

/// What became of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInNote {
    /// Who, as they are known here, or say that they are.
    pub person: String,
    /// What happened.
    pub what: SignInEnd,
}

/// How a sign-in began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInEnd {
    /// It is good from now on.
    Begun,
    /// They were not let in, for this reason.
    Refused(String),
    /// It is good no more, for this reason.
    Ended(String),
}

/// A call from this machine.
#[derive(Clone, Debug)]
pub struct InvokeAsked {
    /// Which loop, where.
    pub address: LoopAddress,
    /// The version meant; none for the current one.
    pub version: Option<String>,
    /// Input.
    pub input: Value,
    /// How long to wait, milliseconds; none for the configured time.
    pub timeout_ms: Option<u64>,
    /// Makes the call again under the same key instead of a second time.
    pub key: Option<String>,
    /// Who asks, for the trace.
    pub caller: Option<String>,
    /// Whether the callee's parent may keep the call while the callee is offline.
    pub store: bool,
    /// Whether nobody waits for the answer: the run has its own bounds alone, and outlives the
    /// process.
    pub detach: bool,
    /// Whether the output is wanted while it is being made, by [`Effect::Part`].
    ///
    /// [`Effect::Part`]: crate::Effect::Part
    pub stream: bool,
    /// What it may use, with all that it causes.
    pub budget: Budget,
    /// Whom the prompts of its run ask instead of their own backends; of another realm's run nobody may say that.
    pub backend: Option<BackendChoice>,
}

/// A finished call.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// This realm's run.
    pub run: RunId,
    /// The call, the same in both halves of the trace.
    pub call: CallId,
    /// The loop as it was addressed.
    pub address: LoopAddress,
    /// Version that ran, once known.
    pub version: Option<String>,
    /// The output, or why there is none.
    pub result: Result<Value, CallFailure>,
    /// When it started here.
    pub started: Timestamp,
    /// When it ended here.
    pub ended: Timestamp,
    /// Milliseconds by the monotonic clock.
    pub duration_ms: u64,
    /// Realms the call passed, from this one to the one that ran it, as scope text.
    pub way: Vec<Scope>,
    /// Whether the answer was an earlier one given again.
    pub replayed: bool,
    /// What it used, as far as it counts; none where nobody knows.
    pub spent: Option<Spend>,
}

/// Why a call has no output.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{code}: {message}")]
pub struct CallFailure {
    /// The wire's code.
    pub code: FailureCode,
    /// What happened.
    pub message: String,
    /// One line a problem, for schema failures `"<instance path or (root)>: <message>"`.
    pub details: Vec<String>,
    /// For `policy why` at the realm that decided.
    pub reference: Option<String>,
    /// When to try again, milliseconds.
    pub retry_after_ms: Option<u64>,
    /// The realm that raised it; none for this one.
    pub from: Option<Scope>,
    /// Whether it proves that the message it answers has begun nothing.
    pub not_begun: bool,
    /// What had been used by then, if that is known.
    pub spent: Option<Spend>,
    /// The receipt of the call that it ends, encoded.
    pub receipt: Option<Blob>,
}

impl CallFailure {
    pub(crate) fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            reference: None,
            retry_after_ms: None,
            from: None,
            not_begun: false,
            spent: None,
            receipt: None,
        }
    }

    /// Policy does not let it begin; whoever decided finds out why by the reference.
    pub(crate) fn denied(reference: String) -> Self {
        let message = format!("denied by policy; reference {reference}");
        Self {
            reference: Some(reference),
            ..Self::new(FailureCode::Denied, message)
        }
    }

    /// Says that nothing has begun.
    #[must_use]
    pub(crate) fn before_work(self) -> Self {
        Self {
            not_begun: true,
            ..self
        }
    }
}

/// What an invitation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteKind {
    /// A child with this label.
    Child(Label),
    /// A peer root.
    Peer,
}

/// A ticket to be made.
#[derive(Clone, Debug)]
pub struct InviteAsked {
    /// For whom.
    pub kind: InviteKind,
    /// Loop id patterns that whoever joins may invoke here.
    pub allow: Vec<String>,
    /// How often it may be used.
    pub uses: u64,
    /// How long it is good for, milliseconds.
    pub ttl_ms: u64,
    /// What a peer will be called here; none for what it calls itself.
    pub petname: Option<Label>,
}

/// A ticket made.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The ticket.
    pub ticket: Ticket,
}

/// A ticket to be used.
#[derive(Clone, Debug)]
pub struct JoinAsked {
    /// The ticket.
    pub ticket: Ticket,
    /// What the inviter's root is to be called here; none for what it calls itself.
    pub petname: Option<Label>,
    /// Loop id patterns that the inviter's tree may invoke here.
    pub allow: Vec<String>,
}

/// How a realm has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedAs {
    /// This realm's place now.
    pub me: Scope,
    /// The realm joined.
    pub with: Scope,
    /// What that realm's root is called here.
    pub petname: Label,
    /// Whether it is a peering, not a parent.
    pub peer: bool,
}

/// Which contracts are asked for.
#[derive(Clone, Debug)]
pub struct ContractsOf {
    /// The realm.
    pub realm: RealmName,
    /// One loop, with its schemas; none for all.
    pub loop_id: Option<LoopId>,
}

/// Loops to be registered.
#[derive(Clone, Debug)]
pub struct ApplyAsked {
    /// The loops.
    pub manifests: Vec<Manifest>,
    /// Only says what would happen.
    pub dry_run: bool,
    /// Goes on where a version breaks its own contract, or loops find no longer what they need.
    pub force: bool,
    /// Removes every other loop.
    pub prune: bool,
    /// Keeps new versions of loops that are there beside the current ones, which stay what they are.
    pub stage: bool,
    /// Who asks, for the history.
    pub by: String,
    /// Why, for the history.
    pub why: Option<String>,
}

/// A loop to be removed.
#[derive(Clone, Debug)]
pub struct RemoveAsked {
    /// The loop.
    pub id: LoopId,
    /// One version, which is not the current one; none for the whole loop.
    pub version: Option<semver::Version>,
    /// Goes on where another loop needs it.
    pub force: bool,
    /// Who asks, for the history.
    pub by: String,
}

/// What happened to a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoopAction {
    /// It is new.
    Created,
    /// Another version took its place.
    Updated,
    /// Its version stayed, and what it is changed.
    Changed,
    /// It was there already.
    Unchanged,
    /// It, or one version of it, is gone.
    Removed,
    /// The version is kept beside the current one.
    Staged,
    /// A version that was kept is the current one.
    Promoted,
    /// The version is the current one again that was it before.
    RolledBack,
    /// Versions share the calls that name none.
    Shared,
}

impl LoopAction {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Updated,
        Self::Changed,
        Self::Unchanged,
        Self::Removed,
        Self::Staged,
        Self::Promoted,
        Self::RolledBack,
        Self::Shared,
    ];

    /// Whether a definition came with it.
    pub(crate) const fn brings(self) -> bool {
        matches!(
            self,
            Self::Created | Self::Updated | Self::Changed | Self::Staged
        )
    }

    /// Whether the version became the current one.
    pub(crate) const fn makes_current(self) -> bool {
        matches!(
            self,
            Self::Created | Self::Updated | Self::Changed | Self::Promoted | Self::RolledBack
        )
    }

    /// The name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Staged => "staged",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolledBack",
            Self::Shared => "shared",
        }
    }
}

/// One change of a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopChange {
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: String,
    /// What was done.
    pub action: LoopAction,
    /// The version it was done to.
    pub version: semver::Version,
    /// The revision.
    pub digest: Digest,
    /// What it meant to callers; none if there was nothing to call before.
    pub verdict: Option<Verdict>,
    /// Why it was not compatible.
    pub reasons: Vec<String>,
    /// Why it was made, as who made it says.
    pub why: Option<String>,
}

/// Whom a permission is for, as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerName {
    /// A realm, with everything below.
    Realm(RealmName),
    /// An agent of this realm.
    Agent(LoopId),
}

impl std::fmt::Display for CallerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Realm(name) => name.fmt(f),
            Self::Agent(id) => write!(f, "agent={id}"),
        }
    }
}

/// A permission to be given.
#[derive(Clone, Debug)]
pub struct AllowAsked {
    /// Who.
    pub caller: CallerName,
    /// `invoke`, `discover` or `relay`.
    pub action: String,
    /// Loop id, `*` standing for anything.
    pub pattern: String,
    /// The realm that an agent may call there; none for this one.
    pub owner: Option<RealmName>,
    /// For how long, milliseconds; none for ever.
    pub for_ms: Option<u64>,
    /// Whether it decides for every realm below instead of this one.
    pub subtree: bool,
    /// Only says what would happen.
    pub dry_run: bool,
}

/// A permission given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The policy's id, for `disallow`.
    pub id: String,
    /// Its Cedar text.
    pub cedar: String,
    /// What still stands in the way.
    pub warnings: Vec<String>,
}

/// What an apply did or would do to one loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyReport {
    /// The loop.
    pub id: LoopId,
    /// Its version.
    pub version: semver::Version,
    /// The revision.
    pub digest: Digest,
    /// What is done.
    pub action: LoopAction,
    /// What it means to callers of the revision whose place it takes; none if there is none.
    pub replaces: Option<Replacement>,
}

/// What it means to callers that one revision takes the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The version that was.
    pub version: semver::Version,
    /// How the contract changes.
    pub change: ContractChange,
    /// The version that would tell callers of the break, where the new one does not.
    pub advised: Option<semver::Version>,
}

/// An answer to a [`Request`].
#[derive(Debug)]
pub enum Response {
    /// The call has ended.
    Invoked(Box<Invocation>),
    /// The detached call has had its turn, and its run is written down.
    Begun(Box<Run>),
    /// The broadcast has ended.
    Broadcasted(Box<crate::Broadcasted>),
    /// The run is cancelled, and what it had announced has ended so.
    Withdrawn(Vec<crate::Withdrawn>),
    /// The ticket.
    Invited(Box<Invited>),
    /// Joined.
    Joined(JoinedAs),
    /// The contracts.
    Contracts(Vec<Contract>),
    /// What a realm shows of a run.
    TraceShown(Box<crate::ShownTrace>),
    /// Microseconds are below this crate's clock; the way and back took this long.
    Pong {
        /// The realm that answered.
        realm: RealmId,
        /// Where it stands.
        scope: Scope,
        /// Milliseconds by the monotonic clock.
        round_trip_ms: u64,
        /// Realms on the way.
        way: Vec<Scope>,
    },
    /// What became of each loop.
    Applied(Vec<ApplyReport>),
    /// What became of each restriction.
    Restricted(Vec<crate::RestrictReport>),
    /// The permission.
    Allowed(Allowed),
    /// The grant.
    Granted(Box<crate::GrantView>),
    /// Done, nothing to say.
    Done,
    /// Not done.
    Refused(Refusal),
}
