//! A transcript: sealed by its announcer, signed by everybody in it, and made by the rule.

use realm_broadcast::{announcer::recompute, log::Entry, open_transcript};
use realm_protocol::broadcast::{Announcement, Transcript};

use crate::{
    account::Account,
    chains::Chains,
    error::EvidenceError,
    signatures::{Signatures, check_seal},
};

/// Examines a transcript.
pub(crate) fn examine(transcript: &Transcript) -> Result<Account, EvidenceError> {
    let entries = open_transcript(transcript)?;
    let chains = Chains::of(&entries, |written| match written {
        Entry::Proved(it) => Some(it),
        _ => None,
    })?;
    let checked = check_all(&chains, &entries);
    let (signatures, recomputed) = EvidenceError::first(checked, recompute(&entries))?;
    let announcement = announcement(&entries)?;
    check_seal(transcript, &announcement, chains)?;
    Ok(Account::new(
        &announcement,
        &entries,
        &recomputed,
        // The seal is one more.
        signatures.saturating_add(1),
    ))
}

/// The first round's announcement.
fn announcement(entries: &[Entry]) -> Result<Announcement, EvidenceError> {
    let rounds = match entries.first() {
        Some(Entry::Planned(planned)) => planned.rounds.as_slice(),
        _ => &[],
    };
    let first = rounds.first().ok_or(EvidenceError::Another)?;
    let read = first.peek();
    read.map_err(|error| EvidenceError::signature(0, "an announcement", error.into()))
}

/// Checks all signatures in the entries; gives how many there are.
fn check_all(chains: &Chains, entries: &[Entry]) -> Result<u64, EvidenceError> {
    let mut signed = Signatures::new(chains);
    for (entry, written) in (0..).zip(entries) {
        match written {
            Entry::Planned(it) => signed.announcements(entry, &it.rounds)?,
            Entry::Counted(it) => signed.bid(entry, &it.bid)?,
            Entry::Answered(it) => signed.confirm(entry, it.confirm.as_ref())?,
            Entry::Ended(it) => signed.delivered(entry, it.delivered.as_ref())?,
            Entry::Unused(it) => signed.delivered(entry, Some(&it.delivered))?,
            _ => {}
        }
    }
    Ok(signed.checked())
}
