//! What a node writes down, each with its version.

pub(crate) mod standing;

use std::sync::Arc;

use realm_protocol::{
    CallId, Digest, Envelope, Label, LoopId, NodeId, Place, RealmId, RunId, Scope, TicketId,
    Timestamp,
    budget::Budget,
    cbor::{self, Blob, CborError, Wire},
    journal::Run,
    message::{PolicyUse, Stage, TraceParent},
    records::{
        Chain, ChildCert, KemRecord, Peering, PolicyRecord, RevocationList, Role, Signed,
        Succession, Ticket,
    },
    wire_map,
};

use realm_executor::{Bounder, Effects, Given, Verdict};

use crate::{LoopAction, LoopChange, UnderWay, approvals::StoredRule, receipts::Ordered};

/// Version of every record below.
const VERSION: u64 = 1;

/// Writes a record behind its version.
pub(crate) fn write<T: Wire>(record: &T) -> Vec<u8> {
    write_encoded(cbor::encode(record).into())
}

/// As [`write`], of a record that is encoded already.
pub(crate) fn write_encoded(record: Blob) -> Vec<u8> {
    cbor::encode(&vec![Blob::from(cbor::encode(&VERSION)), record])
}

/// Reads a record of this version.
pub(crate) fn read<T: Wire>(bytes: &[u8]) -> Result<T, CborError> {
    let parts: Vec<Blob> = cbor::decode(bytes)?;
    let [version, record] =
        <[Blob; 2]>::try_from(parts).map_err(|_| CborError::Expected("a versioned record"))?;
    if cbor::decode::<u64>(&version)? != VERSION {
        return Err(CborError::Expected("a record of version 1"));
    }
    cbor::decode(&record)
}

/// Somebody this node dials and keeps dialling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// The parent.
    Parent,
    /// The peer with this root.
    Peer(RealmId),
}

wire_map! {
    /// The parent, as the child knows it.
    pub struct ParentRecord {
        /// Its chain when last heard of.
        0 => chain: Chain,
        /// This realm's certificate from it.
        1 => child_cert: Signed<ChildCert>,
        /// Its node.
        2 => node: NodeId,
        /// Where it is dialled.
        3 => addresses: Vec<String>,
        /// What the root is called here.
        4 => petname: Label,
    }
}

wire_map! {
    /// A child, as the parent knows it.
    pub struct ChildRecord {
        /// Its chain as it last showed it; absent before its first Hello.
        0 => chain: Option<Arc<Chain>>,
        /// Its certificate.
        1 => child_cert: Signed<ChildCert>,
        /// The child.
        2 => realm: RealmId,
        /// Whether the certificate has been countersigned and stored by both.
        3 => accepted: bool,
        /// Every certificate offered to it that has not run out: what a revocation takes back.
        4 => issued: Option<Vec<Issued>>,
    }
}

wire_map! {
    /// A certificate that has left this realm.
    #[derive(Copy)]
    pub struct Issued {
        /// Its serial.
        0 => serial: u64,
        /// When it runs out.
        1 => not_after: Timestamp,
    }
}

impl ChildRecord {
    /// Whether its certificate has run out.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.child_cert
            .peek()
            .is_ok_and(|cert| cert.not_after <= now)
    }

    /// Serials of every certificate that may still be in use.
    pub(crate) fn serials(&self) -> Vec<u64> {
        let offered = self.issued.iter().flatten().map(|issued| issued.serial);
        let held = self.child_cert.peek().ok().map(|cert| cert.serial);
        let mut serials: Vec<u64> = offered.chain(held).collect();
        serials.sort_unstable();
        serials.dedup();
        serials
    }
}

wire_map! {
    /// A peer root.
    pub struct PeerRecord {
        /// What it is called here.
        0 => petname: Label,
        /// The peering with both signatures.
        1 => peering: Signed<Peering>,
        /// Its chain as it last showed it.
        2 => chain: Chain,
        /// Where it is dialled; empty where it dials.
        3 => addresses: Vec<String>,
        /// Its node.
        4 => node: NodeId,
    }
}

wire_map! {
    /// An open invitation.
    pub struct TicketRecord {
        /// The ticket as given out.
        0 => ticket: Ticket,
        /// Uses left.
        1 => uses: u64,
        /// Loop id patterns that whoever joins may invoke.
        2 => allow: Vec<String>,
        /// What a peer will be called here.
        3 => petname: Option<Label>,
        /// Who has used it: a realm that joins again under a lost answer needs no further use.
        4 => used_by: Vec<RealmId>,
    }
}

wire_map! {
    /// One of this realm's policies.
    pub struct StoredPolicy {
        /// Cedar text.
        0 => cedar: String,
        /// Whether it decides for every realm below instead of this one.
        1 => subtree: bool,
        /// When it was made.
        2 => created: Timestamp,
    }
}

wire_map! {
    /// A revocation list with the chain of who issued it.
    pub struct StoredRevocations {
        /// The list.
        0 => list: Signed<RevocationList>,
        /// The issuer's chain.
        1 => issuer: Chain,
    }
}

wire_map! {
    /// The successions of a realm.
    pub struct StoredHistory {
        /// Where it stood when they were learned.
        0 => scope: Scope,
        /// The successions, in order.
        1 => successions: Vec<Signed<Succession>>,
    }
}

wire_map! {
    /// The policy record of a realm above.
    pub struct StoredCeiling {
        /// The record.
        0 => record: Signed<PolicyRecord>,
        /// Where its realm stands.
        1 => scope: Scope,
    }
}

wire_map! {
    /// A KEM key of this node.
    pub struct StoredKem {
        /// X25519 secret.
        0 => secret: [u8; 32],
        /// Its record.
        1 => record: Signed<KemRecord>,
        /// When it is erased.
        2 => erased: Timestamp,
    }
}

wire_map! {
    /// What became of an idempotency key.
    pub struct StoredKey {
        /// SHA-256 of loop, version, contract and input.
        0 => request: Digest,
        /// The run that serves it.
        1 => run: RunId,
        /// When it is forgotten.
        2 => forgotten: Timestamp,
        /// The answer's kind and content; absent while it runs.
        3 => answer: Option<StoredAnswer>,
        /// Whether asking again may run again: effects `none` or `idempotent`.
        4 => repeatable: bool,
    }
}

wire_map! {
    /// An answer that can be given again.
    pub struct StoredAnswer {
        /// Whether it is a Failure, not a Result.
        0 => failed: bool,
        /// The encoded body.
        1 => content: Blob,
    }
}

wire_map! {
    /// A revision of a loop that is not the current one.
    pub struct StoredRevision {
        /// The manifest, JSON.
        0 => manifest: Blob,
        /// Its place among all that were replaced.
        1 => order: u64,
        /// Whether its version can still be asked for.
        2 => offered: bool,
    }
}

wire_map! {
    /// One change of a loop.
    pub struct StoredLoopChange {
        /// When it was made.
        0 => at: Timestamp,
        /// Who made it.
        1 => by: String,
        /// What was done.
        2 => action: String,
        /// The version it was done to.
        3 => version: String,
        /// The revision.
        4 => digest: Digest,
        /// What it meant to callers.
        5 => verdict: Option<String>,
        /// Why it was not compatible.
        6 => reasons: Vec<String>,
        /// Why it was made, as who made it says.
        7 => why: Option<String>,
    }
}

impl From<&LoopChange> for StoredLoopChange {
    fn from(change: &LoopChange) -> Self {
        Self {
            at: change.at,
            by: change.by.clone(),
            action: change.action.name().to_owned(),
            version: change.version.to_string(),
            digest: change.digest,
            verdict: change.verdict.map(|verdict| verdict.name().to_owned()),
            reasons: change.reasons.clone(),
            why: change.why.clone(),
        }
    }
}

impl TryFrom<StoredLoopChange> for LoopChange {
    type Error = CborError;

    fn try_from(stored: StoredLoopChange) -> Result<Self, CborError> {
        let mut actions = LoopAction::ALL.into_iter();
        let action = actions.find(|action| action.name() == stored.action);
        let version = stored.version.parse();
        Ok(Self {
            at: stored.at,
            by: stored.by,
            action: action.ok_or(CborError::Expected("an action"))?,
            version: version.map_err(|_| CborError::Expected("a version"))?,
            digest: stored.digest,
            verdict: stored.verdict.and_then(|name| {
                let mut all = Verdict::ALL.into_iter();
                all.find(|verdict| verdict.name() == name)
            }),
            reasons: stored.reasons,
            why: stored.why,
        })
    }
}

wire_map! {
    /// A call kept for a child that is offline.
    pub struct KeptCall {
        /// The child's label.
        0 => child: Label,
        /// Since when it is kept.
        1 => since: Timestamp,
        /// Until when.
        2 => until: Timestamp,
        /// The call as it came, with its source's chain.
        3 => envelope: Envelope,
    }
}

wire_map! {
    /// What a restart needs to go on with a run, beside its summary and its frames.
    pub struct StoredRun {
        /// Until when it may run, were it never paused.
        0 => until: Timestamp,
        /// How many calls led to it.
        1 => depth: u64,
        /// Who asked, for the trace.
        2 => caller: Option<String>,
        /// Who asked.
        3 => scope: Scope,
        /// The row of its idempotency key.
        4 => key: Option<Blob>,
        /// What that key stands for.
        5 => request: Digest,
        /// When that key is forgotten.
        6 => forgotten: Timestamp,
        /// The policies that permitted it.
        7 => policies: Vec<PolicyUse>,
        /// The caller's half of the trace.
        8 => parent: Option<TraceParent>,
        /// The input, where the run's own may have lost something.
        9 => input: Option<Blob>,
        /// The callers that its call was accepted from.
        10 => accepted: Vec<AcceptedCaller>,
        /// What it may use, by everybody who bounds it.
        11 => budgets: Option<Vec<StoredGiven>>,
        /// The person on this machine who asked.
        13 => person: Option<String>,
        /// What people are asked for before it begins, beside what its loop asks for.
        14 => approvals: Option<Vec<StoredRule>>,
        /// What the caller has signed of the call.
        15 => ordered: Option<Ordered>,
        /// Whom its prompts ask instead of their own backends.
        16 => backend: Option<String>,
        /// What let it in, where people have to approve it first or it goes by a grant.
        17 => authority: Option<crate::serve::StoredAuthority>,
        /// The roles that the person had, where they are one of this realm's.
        18 => roles: Option<Vec<Role>>,
    }
}

wire_map! {
    /// What a run may use.
    pub struct StoredGiven {
        /// What.
        0 => budget: Budget,
        /// By whose word, by number.
        1 => by: u64,
    }
}

impl StoredGiven {
    /// Everybody who may bound a run, by their numbers.
    const BY: [(u64, Bounder); 5] = [
        (0, Bounder::Asker),
        (1, Bounder::Caller),
        (2, Bounder::Configuration),
        (3, Bounder::Owner),
        (4, Bounder::Grant),
    ];

    pub(crate) fn of(given: &Given) -> Self {
        let found = Self::BY.iter().find(|(_, by)| *by == given.by);
        Self {
            budget: given.budget,
            by: found.map_or(0, |(number, _)| *number),
        }
    }

    pub(crate) fn given(&self) -> Given {
        let found = Self::BY.iter().find(|(number, _)| *number == self.by);
        Given {
            budget: self.budget,
            by: found.map_or(Bounder::Asker, |(_, by)| *by),
        }
    }
}

wire_map! {
    /// A broadcast of this realm's under way, beside what its announcer wrote down.
    pub struct StoredBroadcast {
        /// Its run.
        0 => run: RunId,
        /// The revision of the loop whose contract the work has.
        1 => revision: Digest,
        /// Input, JSON.
        2 => input: Blob,
        /// Whom the announcement of each round is passed to.
        3 => fans: Vec<StoredFan>,
        /// The loop here that makes results one, where a loop does.
        4 => aggregator: Option<LoopId>,
        /// The call of the frame that asked for it, where one did.
        5 => frame: Option<CallId>,
        /// Who asked for it by hand.
        6 => person: Option<String>,
        /// How many calls and broadcasts led to whoever asked for it; none for as many as are announced.
        7 => depth: Option<u64>,
        /// Once it has ended, what is needed to hear those who have not said yet how their leases ended.
        8 => over: Option<StoredOver>,
    }
}

wire_map! {
    /// A broadcast that has ended, and of which outcomes are still to come.
    pub struct StoredOver {
        /// Its run, without input and output.
        0 => run: Run,
        /// Events of its run so far.
        1 => events: u64,
        /// Until when holders are heard.
        2 => ends: Timestamp,
    }
}

impl StoredOver {
    /// The run as one to go on with.
    pub(crate) fn under_way(self) -> UnderWay {
        UnderWay {
            run: self.run,
            events: self.events,
        }
    }
}

wire_map! {
    /// Whom one round's announcement is passed to.
    pub struct StoredFan {
        /// The neighbours.
        0 => passes: Vec<StoredPass>,
        /// Neighbours that it cannot be passed to.
        1 => unreached: u64,
    }
}

wire_map! {
    /// One neighbour that an announcement is passed to.
    pub struct StoredPass {
        /// Where the neighbour stands.
        0 => to: Scope,
        /// How many levels down it may go from there.
        1 => down: u64,
        /// How many levels up.
        2 => up: u64,
        /// Until when its tally is due, milliseconds.
        3 => window_ms: u64,
    }
}

wire_map! {
    /// A caller elsewhere whose call was accepted: how it is told the end.
    pub struct AcceptedCaller {
        /// Who called.
        0 => source: Place,
        /// Its call.
        1 => call: CallId,
        /// Digest of the header of the Call that was accepted.
        2 => header: Digest,
        /// The contract that the call named.
        3 => contract: Option<Digest>,
        /// The largest end that the caller takes, bytes.
        4 => max_reply: u64,
        /// Links that the call crossed.
        5 => hops: u64,
    }
}

wire_map! {
    /// The end of an accepted call, until its caller has acknowledged it.
    pub struct Delivery {
        /// The run that ended.
        0 => run: RunId,
        /// Who is told.
        1 => to: AcceptedCaller,
        /// Whether the content is a Failure.
        2 => failed: bool,
        /// What is told: a Result or Failure, encoded.
        3 => content: Blob,
        /// When it is given up.
        4 => until: Timestamp,
        /// Digest of the receipt in it.
        5 => receipt: Option<Digest>,
    }
}

wire_map! {
    /// A call of this realm's that another one has accepted.
    pub struct StoredAcceptance {
        /// The callee's run.
        0 => run: RunId,
        /// When it was accepted.
        1 => since: Timestamp,
        /// How the run stood then.
        2 => stage: Stage,
        /// The run here that waits.
        3 => caller: RunId,
        /// The callee.
        4 => scope: Scope,
        /// The realm that stood there.
        5 => realm: Option<RealmId>,
    }
}

wire_map! {
    /// A call of this realm's that outlives it: what its run does not say.
    pub struct StoredCall {
        /// Its run.
        0 => run: RunId,
        /// The callee.
        1 => scope: Scope,
        /// The loop, as it was asked for.
        2 => address: String,
        /// Its idempotency key.
        3 => key: Digest,
        /// When that was made.
        4 => key_created: Timestamp,
        /// Until when its caller waits.
        5 => until: Timestamp,
        /// Events of its run so far.
        6 => events: u64,
        /// Who asked on this machine.
        7 => caller: Option<String>,
        /// When its latest attempt that may be kept was made.
        8 => sealed: Timestamp,
        /// The input, where the run's own may have lost something.
        9 => input: Option<Blob>,
        /// Whether it may be kept for its callee.
        10 => storable: bool,
        /// What it may use.
        11 => budget: Option<Budget>,
    }
}

impl StoredKey {
    /// A key whose run is under way.
    pub(crate) fn under_way(
        run: RunId,
        request: Digest,
        forgotten: Timestamp,
        effects: Effects,
    ) -> Self {
        Self {
            request,
            run,
            forgotten,
            answer: None,
            repeatable: effects != Effects::Once,
        }
    }
}

/// Key of an idempotency record: the caller's realm, then the key.
pub(crate) fn key_row(caller: RealmId, key: &Digest) -> Vec<u8> {
    [caller.as_bytes().as_slice(), key.as_bytes()].concat()
}

/// A ticket's key in its table.
pub(crate) fn ticket_row(id: &TicketId) -> Vec<u8> {
    id.as_bytes().to_vec()
}
