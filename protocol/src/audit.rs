//! The audit log of a realm: what was done, by whom, and how it ended, in an order that cannot be
//! changed afterwards without being seen.
//!
//! Each entry names the one before it by digest, all of them are the leaves of one Merkle tree
//! ([`Frontier`]), and the realm's node signs its root from time to time ([`AuditHead`]). What an
//! owner may want to erase of an entry stands beside it ([`AuditDetails`]), bound by a digest.

mod tree;

use serde::Serialize;

use crate::{
    CallId, Digest, RealmId, RunId, Scope, Timestamp,
    broadcast::Price,
    cbor::{self, Blob, CborError, numbered},
    limits::AUDIT_TEXT_BYTES,
    records::{Record, Signed},
    wire_map,
};

pub use tree::{Frontier, LeafRange, entry_digest};

/// Before the bytes of details, when they are digested.
const DETAILS_TAG: &[u8] = b"realm/1/audit-details";

numbered! {
    /// How something ended.
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    AuditOutcome ("a known AuditOutcome") {
        /// Done.
        Success = 1,
        /// Tried, and failed.
        Failure = 2,
        /// Not let begin.
        Refusal = 3,
        /// Taken back.
        Cancelled = 4,
    }
}

wire_map! {
    /// One entry. It never holds what was said, only what it was about.
    pub struct AuditEntry {
        /// Its place in the log, from 0, without gaps.
        0 => index: u64,
        /// [`entry_digest`] of the entry before; of the first, 32 zeros.
        1 => previous: Digest,
        /// When it was written, by the realm's clock.
        2 => at: Timestamp,
        /// What was done: `call.served`, `policy.allowed`, ….
        3 => action: String,
        /// How it ended.
        4 => outcome: AuditOutcome,
        /// The name of the failure, if it is one.
        5 => error: Option<String>,
        /// What it was done to: a loop, a policy, a realm.
        6 => subject: Option<String>,
        /// The other realm; none where it is this one.
        7 => realm: Option<Scope>,
        /// The run here.
        8 => run: Option<RunId>,
        /// The call: the same at both of its ends.
        9 => call: Option<CallId>,
        /// The run that caused it, at the caller.
        10 => parent: Option<RunId>,
        /// The contract that was kept to.
        11 => contract: Option<Digest>,
        /// The receipt that both ends have signed.
        12 => receipt: Option<Digest>,
        /// What it cost, if that is known.
        13 => cost: Option<Price>,
        /// How often it happened, where one entry stands for several.
        14 => times: Option<u64>,
        /// [`AuditDetails::digest`] of what stands beside it.
        15 => details: Digest,
    }
}

wire_map! {
    /// What stands beside an entry until it is erased.
    pub struct AuditDetails {
        /// Random, so that the rest cannot be guessed from its digest.
        0 => salt: [u8; 16],
        /// The person who asked, as the realm knows them.
        1 => person: Option<String>,
        /// SHA-256 of the input, as the trace holds it.
        2 => input: Option<Digest>,
        /// SHA-256 of the output, as the trace holds it.
        3 => output: Option<Digest>,
        /// Why it was done, as who did it says.
        4 => why: Option<String>,
    }
}

impl AuditDetails {
    /// The digest that an entry binds its details by.
    pub fn digest(encoded: &[u8]) -> Digest {
        Digest::of(&[DETAILS_TAG, &[0], encoded])
    }
}

wire_map! {
    /// Where the log stands, as its realm's node signs it.
    pub struct AuditHead {
        /// The realm.
        0 => realm: RealmId,
        /// How many entries there are.
        1 => count: u64,
        /// The root of the tree of their digests.
        2 => root: Digest,
        /// When it was signed; 0 in a proof, which says where the log stood once and not when that is said.
        3 => at: Timestamp,
    }
}

/// How two heads of one log contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Contradiction {
    /// The one that was shown later has fewer entries: the log was cut short, or an old one was put back.
    Shorter,
    /// Both have as many entries, and not the same: the log was told anew.
    Other,
}

impl AuditHead {
    /// Whether it says when it was signed, as every head does that is not of a proof. What has no time shows
    /// nothing of which of two heads is the later one.
    pub fn is_dated(&self) -> bool {
        self.at > Timestamp::from_millis(0)
    }

    /// How one of the same log that is shown later contradicts this one; none where it may follow it. A realm shows
    /// its heads in order, whatever its clock says; where a proof says that a log once stood is no word of where it stands.
    pub fn contradicted_by(&self, shown: &Self) -> Option<Contradiction> {
        if shown.count == self.count && shown.root != self.root {
            return Some(Contradiction::Other);
        }
        let shorter = shown.count < self.count && shown.is_dated();
        shorter.then_some(Contradiction::Shorter)
    }
}

impl Record for AuditHead {
    const TAGS: &'static [&'static str] = &["realm/1/audit-head"];
}

wire_map! {
    /// A head as a realm keeps it.
    pub struct KeptHead {
        /// The head.
        0 => head: Signed<AuditHead>,
        /// [`Frontier::to_bytes`] there.
        1 => frontier: Blob,
        /// [`entry_digest`] of the last entry.
        2 => last: Digest,
        /// The count of the head before that is kept.
        3 => since: Option<u64>,
        /// [`LeafRange::to_bytes`] from there.
        4 => range: Option<Blob>,
    }
}

wire_map! {
    /// What shows a witness that a head goes on from one that it has.
    pub struct AuditProof {
        /// The log at the count of the witness's head, signed anew and without a time: two roots of one count are
        /// two stories.
        0 => from: Signed<AuditHead>,
        /// [`Frontier::to_bytes`] there.
        1 => frontier: Blob,
        /// [`LeafRange::to_bytes`] from there to the head.
        2 => range: Blob,
    }
}

impl AuditProof {
    /// Whether the tree of the first head, as read, goes on to that of the second.
    pub fn leads(&self, from: &AuditHead, to: &AuditHead) -> bool {
        self.read(from, to).unwrap_or(false)
    }

    fn read(&self, from: &AuditHead, to: &AuditHead) -> Result<bool, CborError> {
        let mut frontier = Frontier::from_bytes(from.count, &self.frontier)?;
        let begins = frontier.root() == from.root && !from.is_dated();
        frontier.join(&LeafRange::from_bytes(from.count, to.count, &self.range)?)?;
        Ok(begins && frontier.root() == to.root)
    }
}

wire_map! {
    /// Two heads of one log that cannot both be of a log that only grew, and were shown in this order.
    pub struct AuditContradiction {
        /// The head that was kept.
        0 => known: Signed<AuditHead>,
        /// The later one.
        1 => shown: Signed<AuditHead>,
        /// When the second was shown, by the clock of the witness.
        2 => at: Timestamp,
        /// The [`crate::records::Chain`] of the realm, encoded.
        3 => chain: Option<Blob>,
    }
}

wire_map! {
    /// An entry as a realm keeps it, or as much of it as it shows.
    pub struct AuditRow {
        /// The [`AuditEntry`], encoded.
        0 => entry: Blob,
        /// The [`AuditDetails`], encoded; none once they are erased.
        1 => details: Option<Blob>,
        /// The [`crate::receipt::KeptReceipt`] of the call, encoded.
        2 => receipt: Option<Blob>,
    }
}

wire_map! {
    /// One place of the log in an export.
    pub struct AuditItem {
        /// The [`AuditEntry`], encoded; none where it is not shown.
        0 => entry: Option<Blob>,
        /// The [`AuditDetails`], encoded; none where they are not shown, or erased.
        1 => details: Option<Blob>,
        /// [`entry_digest`] of an entry that is not shown.
        2 => digest: Option<Digest>,
    }
}

wire_map! {
    /// A part of a realm's log that proves itself.
    pub struct AuditExport {
        /// The head that it ends with.
        0 => head: Signed<AuditHead>,
        /// The place of its first item.
        1 => first: u64,
        /// [`Frontier::to_bytes`] before its first item.
        2 => frontier: Blob,
        /// [`entry_digest`] of the entry before its first item; 32 zeros where there is none.
        3 => previous: Digest,
        /// Every place from the first to the head's, in pages: each an array of [`AuditItem`].
        4 => pages: Vec<Blob>,
        /// Earlier heads of the same log inside it, by count.
        5 => heads: Vec<Signed<AuditHead>>,
        /// The [`crate::records::Chain`] of the realm, encoded.
        6 => chain: Option<Blob>,
    }
}

/// What is to be written down of something done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditNote {
    /// See [`AuditEntry::action`].
    pub action: &'static str,
    /// See [`AuditEntry::outcome`].
    pub outcome: AuditOutcome,
    /// See [`AuditEntry::error`].
    pub error: Option<String>,
    /// See [`AuditEntry::subject`].
    pub subject: Option<String>,
    /// See [`AuditEntry::realm`].
    pub realm: Option<Scope>,
    /// See [`AuditEntry::run`].
    pub run: Option<RunId>,
    /// See [`AuditEntry::call`].
    pub call: Option<CallId>,
    /// See [`AuditEntry::parent`].
    pub parent: Option<RunId>,
    /// See [`AuditEntry::contract`].
    pub contract: Option<Digest>,
    /// See [`AuditEntry::receipt`].
    pub receipt: Option<Digest>,
    /// See [`AuditRow::receipt`].
    pub kept_receipt: Option<Blob>,
    /// See [`AuditEntry::cost`].
    pub cost: Option<Price>,
    /// See [`AuditEntry::times`].
    pub times: Option<u64>,
    /// See [`AuditDetails::person`].
    pub person: Option<String>,
    /// See [`AuditDetails::input`].
    pub input: Option<Digest>,
    /// See [`AuditDetails::output`].
    pub output: Option<Digest>,
    /// See [`AuditDetails::why`].
    pub why: Option<String>,
}

impl AuditNote {
    /// Something that succeeded, and nothing more is said of it.
    pub const fn new(action: &'static str) -> Self {
        Self {
            action,
            outcome: AuditOutcome::Success,
            error: None,
            subject: None,
            realm: None,
            run: None,
            call: None,
            parent: None,
            contract: None,
            receipt: None,
            kept_receipt: None,
            cost: None,
            times: None,
            person: None,
            input: None,
            output: None,
            why: None,
        }
    }

    /// Says what it was done to.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    /// The entry and its details, encoded. Texts that are too long lose their ends.
    pub fn into_row(self, index: u64, previous: Digest, at: Timestamp, salt: [u8; 16]) -> AuditRow {
        let details = cbor::encode(&AuditDetails {
            salt,
            person: self.person.map(bounded),
            input: self.input,
            output: self.output,
            why: self.why.map(bounded),
        });
        let entry = AuditEntry {
            index,
            previous,
            at,
            action: self.action.to_owned(),
            outcome: self.outcome,
            error: self.error.map(bounded),
            subject: self.subject.map(bounded),
            realm: self.realm,
            run: self.run,
            call: self.call,
            parent: self.parent,
            contract: self.contract,
            receipt: self.receipt,
            cost: self.cost,
            times: self.times,
            details: AuditDetails::digest(&details),
        };
        AuditRow {
            entry: cbor::encode(&entry).into(),
            details: Some(details.into()),
            receipt: self.kept_receipt,
        }
    }
}

fn bounded(mut text: String) -> String {
    if text.len() > AUDIT_TEXT_BYTES {
        let mut end = AUDIT_TEXT_BYTES;
        while !text.is_char_boundary(end) {
            end = end.saturating_sub(1);
        }
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests;
