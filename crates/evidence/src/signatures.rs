//! Who signed what in an announcer's entries, and the seal under them.

use std::collections::BTreeMap;

use realm_protocol::{
    Digest, Place,
    broadcast::{Announcement, Bid, Confirm, Deliver, Transcript},
    records::{Record, Signed},
};

use crate::{
    chains::{Chains, SignatureError},
    error::EvidenceError,
};

/// Checks what the announcer signed of the entries; gives the chains that it signed by, which are those
/// in the entries where there is none beside the seal.
pub(crate) fn check_seal(
    sealed: &Transcript,
    announcement: &Announcement,
    mut chains: Chains,
) -> Result<Chains, EvidenceError> {
    let read = sealed.seal.peek();
    let seal = read.map_err(|error| EvidenceError::Seal(error.into()))?;
    if seal.broadcast != announcement.broadcast {
        return Err(EvidenceError::Another);
    }
    if let Some(chain) = &sealed.chain {
        chains = Chains::default();
        chains.prove(chain, seal.at).map_err(EvidenceError::Seal)?;
    }
    let checked = chains.check(&sealed.seal, &announcement.announcer);
    checked.map_err(EvidenceError::Seal)?;
    Ok(chains)
}

/// The signatures in the entries, as far as they are checked.
pub(crate) struct Signatures<'a> {
    chains: &'a Chains,
    /// Who made each bid.
    bidders: BTreeMap<Digest, Place>,
    checked: u64,
}

impl<'a> Signatures<'a> {
    pub(crate) fn new(chains: &'a Chains) -> Self {
        Self {
            chains,
            bidders: BTreeMap::new(),
            checked: 0,
        }
    }

    /// How many were checked.
    pub(crate) const fn checked(&self) -> u64 {
        self.checked
    }

    pub(crate) fn announcements(
        &mut self,
        entry: u64,
        rounds: &[Signed<Announcement>],
    ) -> Result<(), EvidenceError> {
        rounds.iter().try_for_each(|round| {
            self.signed(entry, "an announcement", round, |it| &it.announcer)?;
            Ok(())
        })
    }

    pub(crate) fn bid(&mut self, entry: u64, bid: &Signed<Bid>) -> Result<(), EvidenceError> {
        let read = self.signed(entry, "a bid", bid, |it| &it.bidder)?;
        self.bidders.insert(bid.digest(), read.bidder);
        Ok(())
    }

    pub(crate) fn confirm(
        &mut self,
        entry: u64,
        confirm: Option<&Signed<Confirm>>,
    ) -> Result<(), EvidenceError> {
        let what = "the answer to an award";
        confirm.map_or(Ok(()), |it| self.of_bid(entry, what, it, |it| it.bid))
    }

    pub(crate) fn delivered(
        &mut self,
        entry: u64,
        delivered: Option<&Deliver>,
    ) -> Result<(), EvidenceError> {
        let outcome = delivered.map(|it| &it.outcome);
        outcome.map_or(Ok(()), |it| {
            self.of_bid(entry, "an outcome", it, |it| it.bid)
        })
    }

    /// Something that whoever made a bid must have signed.
    fn of_bid<T: Record>(
        &mut self,
        entry: u64,
        what: &'static str,
        record: &Signed<T>,
        bid: impl Fn(&T) -> Digest,
    ) -> Result<(), EvidenceError> {
        let wrong = |error| EvidenceError::signature(entry, what, error);
        let read = record.peek().map_err(|error| wrong(error.into()))?;
        let bidder = self.bidders.get(&bid(&read));
        let bidder = bidder.ok_or_else(|| wrong(SignatureError::NoBid))?;
        self.chains.check_realm(record, bidder).map_err(wrong)?;
        self.checked = self.checked.saturating_add(1);
        Ok(())
    }

    /// Something that names who must have signed it.
    fn signed<T: Record>(
        &mut self,
        entry: u64,
        what: &'static str,
        record: &Signed<T>,
        signer: impl Fn(&T) -> &Place,
    ) -> Result<T, EvidenceError> {
        let wrong = |error| EvidenceError::signature(entry, what, error);
        let read = record.peek().map_err(|error| wrong(error.into()))?;
        self.chains.check(record, signer(&read)).map_err(wrong)?;
        self.checked = self.checked.saturating_add(1);
        Ok(read)
    }
}
