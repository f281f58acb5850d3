//! As much of an announcer's log as one bidder may see: its own bids whole, those of winners as their
//! close has them, and of all others the digests.

mod audit;

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    Digest, RealmId, Timestamp,
    broadcast::{Announcement, Bid, Close, Confirm},
    cbor::{self, Blob, CborError, Reader, Wire, Writer},
    records::{Chain, Signed},
    wire_map,
};

use crate::{
    aggregate::Citation,
    log::{
        Announced, Awarded, BidsClosed, Cancelled, Conclusion, Decided, Ended, Entry, Finished,
        Proved, Unused, entries,
    },
};

pub use audit::{Seen, Viewed, recompute};

wire_map! {
    /// The broadcast as everybody who bid was told it; the first entry.
    pub struct Told {
        /// The announcement of each round, signed.
        0 => rounds: Vec<Signed<Announcement>>,
        /// The pages of the close, each encoded.
        1 => close: Vec<Blob>,
    }
}

wire_map! {
    /// A bid of the reader's counts.
    pub struct OwnBid {
        /// The bid, signed.
        0 => bid: Signed<Bid>,
        /// When.
        1 => at: Timestamp,
    }
}

wire_map! {
    /// An award is answered, or is no longer waited for.
    pub struct Reply {
        /// The slot.
        0 => slot: u64,
        /// The epoch.
        1 => epoch: u64,
        /// Whether what the work needs is reserved.
        2 => reserved: bool,
        /// What the reader signed; absent where it did not answer, and of others.
        3 => confirm: Option<Signed<Confirm>>,
        /// When.
        4 => at: Timestamp,
    }
}

wire_map! {
    /// A lease is granted, or renewed; with the first, whoever holds the slot gets the input.
    pub struct Term {
        /// The slot.
        0 => slot: u64,
        /// The epoch.
        1 => epoch: u64,
        /// What it answers: 0 the confirmation, otherwise the progress of this number.
        2 => answers: u64,
        /// How long it is, milliseconds.
        3 => lease_ms: u64,
        /// When.
        4 => at: Timestamp,
    }
}

entries! {
    /// One thing that a bidder may see of what an announcer wrote down.
    Shown {
    /// The broadcast as everybody who bid was told it.
    1 => Told,
    /// A round begins.
    2 => Announced,
    /// A bid of the reader's counts.
    3 => OwnBid,
    /// No more bids are taken.
    4 => BidsClosed,
    /// A slot is awarded; what the work may use is shown to its winner.
    5 => Awarded,
    /// An award is answered.
    6 => Reply,
    /// A lease is granted or renewed.
    7 => Term,
    /// A lease ended; what its holder gave is shown to it.
    8 => Ended,
    /// A person has decided.
    9 => Decided,
    /// An outcome of the reader's came that is not used.
    10 => Unused,
    /// The broadcast is cancelled.
    11 => Cancelled,
    /// The broadcast has ended; its output, and what others were to it, are not shown.
    12 => Finished,
    /// The announcer, the reader or a winner is proven.
    13 => Proved,
    }
}

/// What a bidder may see of a log whose broadcast has ended; none where no bid of the reader's counts.
pub fn view(entries: &[Entry], reader: RealmId, close: &[Close]) -> Option<Vec<Shown>> {
    let mut eye = Eye::new(entries, reader, close);
    if eye.own.is_empty() {
        return None;
    }
    Some(entries.iter().filter_map(|it| eye.see(it, close)).collect())
}

/// What a reader may see, and of whom.
struct Eye {
    /// The reader's bids that counted.
    own: BTreeSet<Digest>,
    /// Realms whose chains it sees: those of bids that it sees, and the announcer's.
    known: BTreeSet<RealmId>,
    /// Which bid had each award, by slot and epoch.
    awards: BTreeMap<(u64, u64), Digest>,
    /// The outcomes that ended leases of the reader's.
    outcomes: BTreeSet<Digest>,
}

impl Eye {
    fn new(entries: &[Entry], reader: RealmId, close: &[Close]) -> Self {
        let winners = close.iter().flat_map(|page| &page.winners);
        let winners = winners.filter_map(|bid| bid.peek().ok()?.bidder.realm);
        let mut eye = Self {
            own: BTreeSet::new(),
            known: winners.chain([reader]).collect(),
            awards: BTreeMap::new(),
            outcomes: BTreeSet::new(),
        };
        for entry in entries {
            match entry {
                Entry::Planned(it) => {
                    let read = it.rounds.iter().filter_map(|round| round.peek().ok());
                    eye.known.extend(read.filter_map(|it| it.announcer.realm));
                }
                Entry::Counted(it) => {
                    let bid = it.bid.peek().ok();
                    if bid.is_some_and(|bid| bid.bidder.realm == Some(reader)) {
                        eye.own.insert(it.bid.digest());
                    }
                }
                Entry::Awarded(it) => {
                    eye.awards.insert((it.slot, it.epoch), it.bid);
                }
                Entry::Ended(it) if eye.is_own(it.slot, it.epoch) => {
                    let outcome = it.delivered.as_ref().map(|it| it.outcome.digest());
                    eye.outcomes.extend(outcome);
                }
                _ => {}
            }
        }
        eye
    }

    /// Whether an award was the reader's.
    fn is_own(&self, slot: u64, epoch: u64) -> bool {
        let bid = self.awards.get(&(slot, epoch));
        bid.is_some_and(|bid| self.own.contains(bid))
    }

    fn see(&mut self, entry: &Entry, close: &[Close]) -> Option<Shown> {
        Some(match entry {
            Entry::Planned(it) => Shown::from(Told {
                rounds: it.rounds.clone(),
                close: close.iter().map(|page| cbor::encode(page).into()).collect(),
            }),
            Entry::Announced(it) => it.clone().into(),
            Entry::Counted(it) if self.own.contains(&it.bid.digest()) => Shown::from(OwnBid {
                bid: it.bid.clone(),
                at: it.at,
            }),
            Entry::Counted(_) => return None,
            Entry::BidsClosed(it) => Shown::from(BidsClosed {
                heard: None,
                ..it.clone()
            }),
            Entry::Awarded(it) => Shown::from(Awarded {
                budget: it.budget.filter(|_| self.own.contains(&it.bid)),
                ..it.clone()
            }),
            Entry::Answered(it) => {
                let confirm = it.confirm.clone();
                Shown::from(Reply {
                    slot: it.slot,
                    epoch: it.epoch,
                    reserved: it.is_reserved(),
                    confirm: confirm.filter(|_| self.is_own(it.slot, it.epoch)),
                    at: it.at,
                })
            }
            Entry::Leased(it) => Shown::from(Term {
                slot: it.slot,
                epoch: it.epoch,
                answers: it.answers,
                lease_ms: it.lease_ms,
                at: it.at,
            }),
            Entry::Ended(it) => {
                let delivered = it.delivered.clone();
                Shown::from(Ended {
                    delivered: delivered.filter(|_| self.is_own(it.slot, it.epoch)),
                    ..it.clone()
                })
            }
            Entry::Decided(it) => it.clone().into(),
            Entry::Unused(it) => {
                let outcome = it.delivered.outcome.peek().ok()?;
                let own = self.own.contains(&outcome.bid);
                own.then(|| it.clone().into())?
            }
            Entry::Cancelled(it) => it.clone().into(),
            Entry::Finished(it) => Shown::from(Finished {
                conclusion: self.concluded(&it.conclusion),
                at: it.at,
            }),
            Entry::Proved(it) => {
                let known = realm_of(&it.chain).is_some_and(|realm| self.known.contains(&realm));
                known.then(|| it.clone().into())?
            }
        })
    }

    /// The ending, and what the reader was to it.
    fn concluded(&self, conclusion: &Conclusion) -> Conclusion {
        let cited = conclusion.citations.iter();
        let cited = cited.filter(|it| self.own.contains(&it.bid));
        Conclusion {
            ending: conclusion.ending,
            output: None,
            reason: None,
            citations: cited.map(|it| self.cited(*it)).collect(),
            confirmed: Vec::new(),
            silent: Vec::new(),
        }
    }

    /// A citation of the reader's, without what came of a lease that another bid had of the slot before.
    fn cited(&self, citation: Citation) -> Citation {
        let outcome = citation.outcome;
        match outcome.is_none_or(|it| self.outcomes.contains(&it)) {
            true => citation,
            false => Citation {
                outcome: None,
                failure: None,
                ..citation
            },
        }
    }
}

/// The realm that a chain proves.
fn realm_of(chain: &Blob) -> Option<RealmId> {
    let chain: Chain = cbor::decode(chain).ok()?;
    Some(chain.links.last()?.inception.realm_id())
}
