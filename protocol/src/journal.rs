//! What a realm writes to its disk: entries of changes, applied whole or not at all.
//!
//! Like the wire, the disk outlives the process, so these types carry versions and vectors too.
mod erasure;

use serde::{Deserialize, Serialize};

use crate::{
    CallId, Digest, FailureCode, RunId, Timestamp,
    audit::AuditRow,
    budget::{Budget, Spend},
    cbor::{Blob, numbered},
    wire_map,
};

/// Position in the journal. Rises by one an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalSeq(pub u64);

/// One durable step: all its changes happen, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The changes, in order.
    pub changes: Vec<Change>,
}

/// One change of what a realm remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes a record, over what the key held.
    Put(Table, Vec<u8>, Vec<u8>),
    /// Writes a record that is forgotten, without a further change, some time after the moment
    /// given.
    PutUntil(Table, Vec<u8>, Vec<u8>, Timestamp),
    /// Removes a record.
    Delete(Table, Vec<u8>),
    /// Writes a run's summary, over the earlier one.
    Run(Run),
    /// Appends an event to a run's trace.
    Event(Event),
    /// Appends an entry, with this number, to the audit log.
    Audit(u64, AuditRow),
    /// Erases the content of a run that has ended, and of its trace.
    Erase(RunId, Erased),
}

numbered! {
    /// Which kind of record a key belongs to.
    Table ("a known Table") {
        /// This realm's own standing: chain, counters, clocks. Keys are short names.
        Standing = 1,
        /// Children by label.
        Children = 2,
        /// Peerings by root id.
        Peers = 3,
        /// Open invitations by ticket id.
        Tickets = 4,
        /// Petnames of roots by label.
        Petnames = 5,
        /// Policies by id.
        Policies = 6,
        /// Loop manifests by loop id.
        Loops = 7,
        /// Revocation lists by realm id.
        Revocations = 8,
        /// Message ids seen, by expiry and id.
        Replay = 9,
        /// Idempotency keys by caller and key.
        Keys = 10,
        /// Denials by reference, for `policy why`.
        Denials = 11,
        /// Policy records of realms above, by depth.
        Ceilings = 12,
        /// Private KEM keys, sealed, by key id.
        Kem = 13,
        /// Calls kept for children, in the order they came.
        Custody = 14,
        /// Revisions of loops that are not the current ones, by loop id and digest.
        Revisions = 15,
        /// What was changed of loops, by loop id and number.
        LoopChanges = 16,
        /// Frames of runs under way, by run and call.
        Frames = 17,
        /// Broadcasts under way by id, and behind each what its announcer wrote down, by number.
        Broadcasts = 18,
        /// Slots that this realm's bids have won, by digest of the bid and kind of record.
        Slots = 19,
        /// Bids that this realm has made, by when and digest, with the closes of their broadcasts.
        Bids = 20,
        /// What this realm makes of bidders, by their ids.
        Bidders = 21,
        /// What is known of prompts beside their revisions, by loop id: who shares their calls, and scores.
        Prompts = 22,
        /// Entries of the audit log: rows of several, by the number of the first.
        Audit = 23,
        /// Signed heads of the audit log, by how many entries they have.
        AuditHeads = 24,
        /// What people were asked to approve, by id, with what they said.
        Approvals = 26,
        /// What agents keep between calls, by agent and key.
        States = 27,
        /// Chains of those whose signatures receipts hold, by root, realm, node and when they run out.
        Signers = 30,
        /// Heads of others' audit logs, by realm.
        Witness = 31,
        /// Grants that were given, are held, or were handed on by others and are counted here, by id.
        Grants = 32,
        /// Rates that were applied, by name.
        Rates = 33,
        /// What people are called elsewhere, by a digest of the secret that it is derived from.
        Pseudonyms = 34,
        /// What people of a provider have left, by a digest of whose it is, with their sign-ins; only the daemon reads it.
        SignIns = 35,
    }
}

numbered! {
    /// Which half of a call a run is.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    Direction ("a known Direction") {
        /// Called and run here.
        Local = 1,
        /// Called here, run by another realm.
        Out = 2,
        /// Called by another realm, run here.
        In = 3,
    }
}

numbered! {
    /// Where a run stands.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    Status ("a known Status") {
        /// Not finished.
        Running = 1,
        /// Finished with an output.
        Completed = 2,
        /// Finished with an error.
        Failed = 3,
        /// Stopped by somebody.
        Cancelled = 4,
        /// Waiting to be resumed.
        Paused = 5,
    }
}

wire_map! {
    /// A run's summary. `input` and `output` are payload: sealed at rest.
    pub struct Run {
        /// The run.
        0 => id: RunId,
        /// Its call: the same id in both halves of a trace.
        1 => call: CallId,
        /// The loop.
        2 => loop_id: String,
        /// The loop's version, once known.
        3 => version: Option<String>,
        /// Which half this is.
        4 => direction: Direction,
        /// The other realm's scope text; none for a local run.
        5 => peer: Option<String>,
        /// Where it stands.
        6 => status: Status,
        /// When it started.
        7 => started: Timestamp,
        /// When it ended.
        8 => ended: Option<Timestamp>,
        /// Failure code's name, if it failed.
        9 => error: Option<String>,
        /// Input, JSON.
        10 => input: Option<Blob>,
        /// Output, JSON; of a failed run, its detail.
        11 => output: Option<Blob>,
        /// The run in this realm that caused it.
        12 => parent: Option<RunId>,
        /// What a restart needs to go on with it; none for a run that ends with the process.
        13 => resume: Option<Blob>,
        /// Who has erased its content, and when.
        14 => erased: Option<Erased>,
    }
}

wire_map! {
    /// That the content of a run was erased.
    pub struct Erased {
        /// When.
        0 => at: Timestamp,
        /// By whom.
        1 => by: String,
    }
}

wire_map! {
    /// What a run needs to know of one of its frames to go on after a restart. It is gone once the
    /// frame's caller has ended. `output` and `state` are payload: sealed at rest.
    pub struct FrameRecord {
        /// When the frame began.
        0 => began: Timestamp,
        /// The manifest that it runs; none for a loop of another realm.
        1 => manifest: Option<Digest>,
        /// Which attempt is under way, from 1.
        2 => attempt: u64,
        /// When somebody was asked who has not answered yet.
        3 => asked: Option<Timestamp>,
        /// When a pause ends.
        4 => due: Option<Timestamp>,
        /// The output, JSON, of a frame that ended well.
        5 => output: Option<Blob>,
        /// Why a frame ended without one.
        6 => error: Option<FrameError>,
        /// The last state of a machine, JSON.
        7 => state: Option<Blob>,
        /// Steps that a machine has taken; of a composite, its last wait, from 1, which is over where
        /// `due` says no end.
        8 => steps: u64,
        /// Milliseconds for which the run had been paused when this was written.
        9 => paused_ms: u64,
        /// Since when the run is paused; only of its first frame.
        10 => paused: Option<Timestamp>,
        /// Whether somebody asked for that pause; else a call's outcome is unknown.
        11 => by_hand: bool,
        /// When the attempt under way began.
        12 => tried: Timestamp,
        /// When its time is over, later by what the run is paused from now on.
        13 => deadline: Option<Timestamp>,
        /// What another realm was given of its budget, until it is known what that used.
        14 => given: Option<Budget>,
        /// How it stands with the approval that it needs before it begins, if it needs one.
        15 => approval: Option<Consent>,
        /// What it and all below it have used, what is set aside included; only where that is bounded.
        16 => spent: Option<Spend>,
    }
}

numbered! {
    /// How it stands with the approval that a frame needs before it begins.
    Consent ("a known consent") {
        /// It is asked for, and nothing of the frame has begun.
        Asked = 1,
        /// It was given, and used.
        Given = 2,
    }
}

wire_map! {
    /// Why a frame gave no output.
    pub struct FrameError {
        /// What went wrong.
        0 => code: FailureCode,
        /// What went wrong, for a person.
        1 => message: String,
        /// One line a fault.
        2 => details: Vec<String>,
        /// What a caller may do about it: `transient`, `validation`, ….
        3 => category: String,
        /// Whether the work may have begun.
        4 => may_have_begun: bool,
    }
}

wire_map! {
    /// One event of a run's trace. `payload` is sealed at rest.
    pub struct Event {
        /// The run.
        0 => run: RunId,
        /// Position in the run, from zero, without gaps.
        1 => index: u64,
        /// The frame it belongs to.
        2 => call: CallId,
        /// When it happened.
        3 => at: Timestamp,
        /// Its type: `call.started`, `call.completed`, ….
        4 => kind: String,
        /// Its payload, JSON.
        5 => payload: Blob,
    }
}
