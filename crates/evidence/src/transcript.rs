//! A transcript: sealed by its announcer, signed by everybody in it, and made by the rule.

use std::collections::BTreeMap;

use realm_broadcast::{announcer::recompute, log::Entry, open_transcript};
use realm_protocol::{
    Digest, Place,
    broadcast::{Announcement, Deliver, Transcript},
    records::{Record, Signed},
};

use crate::{
    account::Account,
    chains::{Chains, SignatureError},
    error::EvidenceError,
};

/// Examines a transcript.
pub(crate) fn examine(transcript: &Transcript) -> Result<Account, EvidenceError> {
    let entries = open_transcript(transcript)?;
    let mut chains = Chains::default();
    for (entry, written) in (0..).zip(&entries) {
        if let Entry::Proved(it) = written {
            let proven = chains.prove(&it.chain, it.at);
            proven.map_err(|error| signature(entry, "a chain", error))?;
        }
    }
    let checked = Signatures::check_all(&chains, &entries);
    let (signatures, recomputed) = match (checked, recompute(&entries)) {
        (Ok(checked), Ok(recomputed)) => (checked.saturating_add(1), recomputed),
        // What comes first may be why the other is wrong as well.
        (Err(error), Err(fault)) if error.entry() <= Some(fault.entry) => return Err(error),
        (_, Err(fault)) => return Err(fault.into()),
        (Err(error), Ok(_)) => return Err(error),
    };
    let announcement = announcement(&entries)?;
    check_seal(transcript, &announcement, chains)?;
    Ok(Account::new(
        &announcement,
        &entries,
        &recomputed,
        signatures,
    ))
}

fn signature(entry: u64, what: &'static str, error: SignatureError) -> EvidenceError {
    EvidenceError::Signature { entry, what, error }
}

/// The first round's announcement.
fn announcement(entries: &[Entry]) -> Result<Announcement, EvidenceError> {
    let rounds = match entries.first() {
        Some(Entry::Planned(planned)) => planned.rounds.as_slice(),
        _ => &[],
    };
    let first = rounds.first().ok_or(EvidenceError::Another)?;
    let read = first.peek();
    read.map_err(|error| signature(0, "an announcement", error.into()))
}

fn check_seal(
    transcript: &Transcript,
    announcement: &Announcement,
    mut chains: Chains,
) -> Result<(), EvidenceError> {
    let read = transcript.seal.peek();
    let seal = read.map_err(|error| EvidenceError::Seal(error.into()))?;
    if seal.broadcast != announcement.broadcast {
        return Err(EvidenceError::Another);
    }
    if let Some(chain) = &transcript.chain {
        chains = Chains::default();
        chains.prove(chain, seal.at).map_err(EvidenceError::Seal)?;
    }
    let checked = chains.check(&transcript.seal, &announcement.announcer);
    checked.map(|_| ()).map_err(EvidenceError::Seal)
}

/// The signatures in the entries, as far as they are checked.
struct Signatures<'a> {
    chains: &'a Chains,
    /// Who made each counted bid.
    bidders: BTreeMap<Digest, Place>,
    checked: u64,
}

impl<'a> Signatures<'a> {
    /// Checks all signatures in the entries; gives how many there are.
    fn check_all(chains: &'a Chains, entries: &[Entry]) -> Result<u64, EvidenceError> {
        let mut signed = Self {
            chains,
            bidders: BTreeMap::new(),
            checked: 0,
        };
        for (entry, written) in (0..).zip(entries) {
            signed.check(entry, written)?;
        }
        Ok(signed.checked)
    }

    fn check(&mut self, entry: u64, written: &Entry) -> Result<(), EvidenceError> {
        match written {
            Entry::Planned(it) => {
                for round in &it.rounds {
                    let what = "an announcement";
                    let read = round.peek();
                    let read = read.map_err(|error| signature(entry, what, error.into()))?;
                    self.signed(entry, what, round, &read.announcer)?;
                }
                Ok(())
            }
            Entry::Counted(it) => {
                let what = "a bid";
                let read = it.bid.peek();
                let read = read.map_err(|error| signature(entry, what, error.into()))?;
                self.signed(entry, what, &it.bid, &read.bidder)?;
                self.bidders.insert(it.bid.digest(), read.bidder);
                Ok(())
            }
            Entry::Answered(it) => {
                let what = "the answer to an award";
                let Some(confirm) = &it.confirm else {
                    return Ok(());
                };
                let read = confirm.peek();
                let read = read.map_err(|error| signature(entry, what, error.into()))?;
                self.of_bid(entry, what, confirm, read.bid)
            }
            Entry::Ended(it) => match &it.delivered {
                Some(delivered) => self.delivered(entry, delivered),
                None => Ok(()),
            },
            Entry::Unused(it) => self.delivered(entry, &it.delivered),
            _ => Ok(()),
        }
    }

    fn delivered(&mut self, entry: u64, delivered: &Deliver) -> Result<(), EvidenceError> {
        let what = "an outcome";
        let read = delivered.outcome.peek();
        let read = read.map_err(|error| signature(entry, what, error.into()))?;
        self.of_bid(entry, what, &delivered.outcome, read.bid)
    }

    /// Something that whoever made a bid must have signed.
    fn of_bid<T: Record>(
        &mut self,
        entry: u64,
        what: &'static str,
        record: &Signed<T>,
        bid: Digest,
    ) -> Result<(), EvidenceError> {
        let bidder = self.bidders.get(&bid).cloned();
        let bidder = bidder.ok_or_else(|| signature(entry, what, SignatureError::NoBid))?;
        let checked = self.chains.check_realm(record, &bidder);
        self.count(entry, what, checked)
    }

    fn signed<T: Record>(
        &mut self,
        entry: u64,
        what: &'static str,
        record: &Signed<T>,
        signer: &Place,
    ) -> Result<(), EvidenceError> {
        let checked = self.chains.check(record, signer);
        self.count(entry, what, checked)
    }

    fn count<T>(
        &mut self,
        entry: u64,
        what: &'static str,
        checked: Result<T, SignatureError>,
    ) -> Result<(), EvidenceError> {
        checked.map_err(|error| signature(entry, what, error))?;
        self.checked = self.checked.saturating_add(1);
        Ok(())
    }
}
