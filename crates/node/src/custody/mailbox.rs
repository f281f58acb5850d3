//! What is kept for which child, and how much of it.

use std::collections::BTreeMap;

use realm_protocol::{
    CallId, Digest, Label, Place, Scope, Tick, Timestamp, journal::JournalSeq, limits,
};
use realm_router::TokenBucket;

use super::TakenBack;
use crate::LookId;

/// How long a child has to say that it has taken a call before it is given again, milliseconds.
pub(super) const AGAIN_MS: u64 = 10_000;

/// What is kept for children. The calls themselves stay on the disk.
#[derive(Debug, Default)]
pub(crate) struct Custodian {
    pub(super) children: BTreeMap<Label, Mailbox>,
    pub(super) looks: BTreeMap<LookId, (Label, u64)>,
    pub(super) bytes: usize,
    /// Bytes kept for all children, by whose share they fall into.
    shares: BTreeMap<Scope, usize>,
    pub(super) last: u64,
    pub(crate) taken_back: TakenBack,
}

/// What is kept for one child, by number: in the order it came.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub(super) calls: BTreeMap<u64, Kept>,
    pub(super) bytes: usize,
    /// Whether one is being read from the disk.
    pub(super) reading: bool,
    pub(super) pace: Option<TokenBucket>,
}

#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) digest: Digest,
    pub(super) source: Place,
    pub(super) call: CallId,
    /// When its source made it: of two attempts the later one counts.
    pub(super) created: Timestamp,
    /// Whose share of the room it falls into; none for this realm's own.
    pub(super) share: Option<Scope>,
    pub(super) bytes: usize,
    pub(super) until: Timestamp,
    /// The entry that writes it down.
    pub(super) written: JournalSeq,
    /// When it was given to the child last, over the link that stands.
    pub(super) given: Option<Tick>,
    /// Whether it is given to nobody any more, and its source is to hear so.
    pub(super) given_up: bool,
}

impl Kept {
    /// Whether the child may still be about to say that it has taken it.
    pub(super) fn is_under_way(&self, now: Tick) -> bool {
        self.given.is_some_and(|given| now.since(given) < AGAIN_MS)
    }
}

impl Custodian {
    /// Bytes kept for all children.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a call is kept.
    pub(crate) fn keeps(&self, digest: Digest) -> bool {
        let mut calls = self.children.values().flat_map(|of| of.calls.values());
        calls.any(|kept| kept.digest == digest)
    }

    /// Whether this reading of a record is for a child.
    pub(crate) fn is_looking(&self, look: LookId) -> bool {
        self.looks.contains_key(&look)
    }

    /// What was under way to a child is not any more: it begins with the oldest again.
    pub(crate) fn child_is_gone(&mut self, child: &Label) {
        if let Some(mailbox) = self.children.get_mut(child) {
            for kept in mailbox.calls.values_mut() {
                kept.given = None;
            }
        }
    }

    pub(super) fn find(&self, child: &Label, is_it: impl Fn(&Kept) -> bool) -> Option<u64> {
        let mut calls = self.children.get(child)?.calls.iter();
        calls
            .find(|(_, kept)| is_it(kept))
            .map(|(number, _)| *number)
    }

    pub(super) fn get_mut(&mut self, child: &Label, number: u64) -> Option<&mut Kept> {
        self.children.get_mut(child)?.calls.get_mut(&number)
    }

    /// Whether one more is let in; what it would take the place of counts no longer.
    pub(super) fn has_room(&self, child: &Label, kept: &Kept, instead: Option<u64>) -> bool {
        let mailbox = self.children.get(child);
        let freed = mailbox.and_then(|mailbox| mailbox.calls.get(&instead?));
        let freed_bytes = freed.map_or(0, |freed| freed.bytes);
        let more = |bytes: usize| bytes.saturating_sub(freed_bytes).saturating_add(kept.bytes);
        let calls = mailbox.iter().flat_map(|mailbox| mailbox.calls.iter());
        let others = calls.filter(|(at, _)| Some(**at) != instead);
        let others: Vec<&Kept> = others.map(|(_, other)| other).collect();
        let all = others.len() < limits::CUSTODY
            && more(mailbox.map_or(0, |mailbox| mailbox.bytes)) <= limits::CUSTODY_BYTES
            && more(self.bytes) <= limits::CUSTODY_BYTES_IN_ALL;
        let Some(share) = &kept.share else {
            return all;
        };
        let same = || others.iter().filter(|other| other.share == kept.share);
        let bytes: usize = same().map(|other| other.bytes).sum();
        let of_same = freed.is_some_and(|freed| freed.share == kept.share);
        let in_all = self.shares.get(share).copied().unwrap_or(0);
        let in_all = in_all.saturating_sub(if of_same { freed_bytes } else { 0 });
        all && same().count() < limits::CUSTODY_SHARE
            && bytes.saturating_add(kept.bytes) <= limits::CUSTODY_SHARE_BYTES
            && in_all.saturating_add(kept.bytes) <= limits::CUSTODY_SHARE_BYTES_IN_ALL
    }

    pub(super) fn insert(&mut self, child: &Label, number: u64, kept: Kept) {
        self.last = self.last.max(number);
        self.bytes = self.bytes.saturating_add(kept.bytes);
        if let Some(share) = &kept.share {
            let bytes = self.shares.entry(share.clone()).or_default();
            *bytes = bytes.saturating_add(kept.bytes);
        }
        let mailbox = self.children.entry(child.clone()).or_default();
        mailbox.bytes = mailbox.bytes.saturating_add(kept.bytes);
        mailbox.calls.insert(number, kept);
    }

    pub(super) fn remove(&mut self, child: &Label, number: u64) -> Option<Kept> {
        let mailbox = self.children.get_mut(child)?;
        let kept = mailbox.calls.remove(&number)?;
        mailbox.bytes = mailbox.bytes.saturating_sub(kept.bytes);
        self.bytes = self.bytes.saturating_sub(kept.bytes);
        if mailbox.calls.is_empty() {
            self.children.remove(child);
        }
        if let Some(share) = &kept.share
            && let Some(bytes) = self.shares.get_mut(share)
        {
            *bytes = bytes.saturating_sub(kept.bytes);
            if *bytes == 0 {
                self.shares.remove(share);
            }
        }
        Some(kept)
    }

    /// Every call that is over by now.
    pub(super) fn over(&self, now: Timestamp) -> Vec<(Label, u64)> {
        let mailboxes = self.children.iter();
        let over = mailboxes.flat_map(|(child, mailbox)| {
            let over = mailbox.calls.iter().filter(|(_, kept)| kept.until <= now);
            over.map(|(number, _)| (child.clone(), *number))
        });
        over.collect()
    }
}

#[cfg(test)]
mod tests;
