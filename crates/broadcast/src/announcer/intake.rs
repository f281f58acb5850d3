//! Bids as they come: which count, and when there are enough.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    Digest, LoopId, Place, RealmId, Scope, Timestamp,
    broadcast::{Announcement, Bid, BidLimits, EarlyClose, MILLION, Rule, Selection},
    limits,
    records::Signed,
};
use thiserror::Error;

use super::Announcer;
use crate::{
    log::Counted,
    quota::{Quotas, Shares},
    rank::Candidate,
    scope::Side,
};

/// Why a bid does not count.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// It came after the bidding.
    #[error("the bid came after its time")]
    Late,
    /// The agent has bid in this round.
    #[error("the agent has bid already")]
    Duplicate,
    /// It names no announcement of this broadcast.
    #[error("the bid is for another announcement")]
    Unknown,
    /// Its bidder is not who sent it.
    #[error("the bid names another bidder than its sender")]
    Author,
    /// It does not read.
    #[error("the bid does not read")]
    Malformed,
    /// It is too long, or a share in it is above one.
    #[error(
        "a bid has at most {} bytes, and shares of at most one",
        limits::BID_BYTES
    )]
    OutOfRange,
    /// It holds for no time, or for too long.
    #[error("a bid holds for 1 to {} ms", limits::BID_MS)]
    Holds,
    /// Its price is in another currency.
    #[error("the bid is in another currency")]
    Currency,
    /// Its price is above the highest.
    #[error("the bid is above the highest price")]
    Price,
    /// Its time is above the longest.
    #[error("the bid is above the longest time")]
    Time,
    /// Its confidence is below the lowest.
    #[error("the bid is below the lowest confidence")]
    Confidence,
    /// Policy does not let the work be awarded to its bidder.
    #[error("policy does not let the work be awarded to the bidder")]
    Denied,
    /// As many bids count from there as may.
    #[error("no more bids count from that realm, or from one above it")]
    Quota,
    /// As many bids count as are taken.
    #[error("no more bids are taken")]
    Full,
}

impl Refusal {
    /// Whether the bid is one that its bidder's tally counts, though it does not count here.
    const fn is_tallied(self) -> bool {
        matches!(
            self,
            Self::OutOfRange
                | Self::Holds
                | Self::Currency
                | Self::Price
                | Self::Time
                | Self::Confidence
                | Self::Denied
                | Self::Quota
        )
    }
}

/// A bid that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entrant {
    /// The bid, signed.
    pub(crate) signed: Signed<Bid>,
    /// The bid, read.
    pub(crate) bid: Bid,
    /// What it is ranked by.
    pub(crate) candidate: Candidate,
    /// When it counted.
    pub(crate) at: Timestamp,
}

impl Entrant {
    /// Whether the bid holds at a time.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        now.since(self.at) < self.bid.expires_ms
    }
}

/// The bids that count.
#[derive(Clone, Debug)]
pub(crate) struct Intake {
    entrants: BTreeMap<Digest, Entrant>,
    by_agent: BTreeMap<(RealmId, LoopId), Digest>,
    quotas: Quotas,
    arrivals: u64,
    good: u64,
    /// Agents of which a bid counts that came in this round; one of an earlier round may come late, and
    /// another of its agent after it.
    counted: BTreeSet<(RealmId, LoopId)>,
    /// Agents whose bids of this round do not count though tallies count them, and what they and the
    /// others have taken of the quotas: whoever sends more than its share cuts off nobody else.
    refused: BTreeSet<(RealmId, LoopId)>,
    tallied: Quotas,
    /// Where the announcer stands, and how many of both came from each of its sides.
    home: Scope,
    received: BTreeMap<Side, u64>,
}

impl Intake {
    pub(crate) fn new(announcement: &Announcement) -> Self {
        let shares = Shares::of(announcement);
        Self {
            entrants: BTreeMap::new(),
            by_agent: BTreeMap::new(),
            quotas: Quotas::new(shares.clone()),
            arrivals: 0,
            good: 0,
            counted: BTreeSet::new(),
            refused: BTreeSet::new(),
            tallied: Quotas::new(shares),
            home: announcement.announcer.scope(),
            received: BTreeMap::new(),
        }
    }

    /// Begins to count what comes for another round.
    pub(crate) fn begin_round(&mut self) {
        self.counted.clear();
        self.refused.clear();
        self.tallied.clear();
        self.received.clear();
    }

    pub(crate) fn len(&self) -> u64 {
        self.entrants.len() as u64
    }

    /// Whether a bid of this round counts.
    pub(crate) fn has_counted(&self) -> bool {
        !self.counted.is_empty()
    }

    /// Bids of this round that a side's tally may have counted.
    pub(crate) fn received(&self, side: &Side) -> u64 {
        self.received.get(side).copied().unwrap_or_default()
    }

    /// Takes a bid that tallies may count, as far as they do.
    fn receive(&mut self, from: &Scope) {
        if !self.tallied.has_room(from) {
            return;
        }
        self.tallied.count(from);
        let received = self.received.entry(Side::towards(&self.home, from));
        let received = received.or_default();
        *received = received.saturating_add(1);
    }

    /// Forgets all other bids.
    pub(crate) fn keep_only(&mut self, keeps: impl Fn(&Digest) -> bool) {
        self.entrants.retain(|bid, _| keeps(bid));
        self.by_agent.retain(|_, bid| keeps(bid));
    }

    pub(crate) fn get(&self, bid: &Digest) -> Option<&Entrant> {
        self.entrants.get(bid)
    }

    pub(crate) fn entrants(&self) -> impl Iterator<Item = &Entrant> {
        self.entrants.values()
    }

    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let entrants = self.entrants.values();
        entrants.map(|entrant| entrant.candidate.clone()).collect()
    }

    /// How many of them are good enough for an early close.
    pub(crate) fn good(&self) -> u64 {
        self.good
    }

    /// Says whether a bid for one of the rounds so far counts.
    pub(crate) fn check(
        &mut self,
        rounds: &[(Digest, &Announcement)],
        from: &Place,
        signed: &Signed<Bid>,
        permitted: bool,
    ) -> Result<(), Refusal> {
        let refusal = self.refusal(rounds, from, signed, permitted);
        if let Err(why) = refusal
            && why.is_tallied()
            && let Ok(bid) = signed.peek()
        {
            self.note_refused(from, bid);
        }
        refusal
    }

    fn note_refused(&mut self, from: &Place, bid: Bid) {
        let (Some(realm), scope) = (from.realm, from.scope()) else {
            return;
        };
        let agent = (realm, bid.agent);
        let full = self.refused.len() >= limits::BIDS || !self.tallied.has_room(&scope);
        if !full && !self.counted.contains(&agent) && self.refused.insert(agent) {
            self.receive(&scope);
        }
    }

    fn refusal(
        &self,
        rounds: &[(Digest, &Announcement)],
        from: &Place,
        signed: &Signed<Bid>,
        permitted: bool,
    ) -> Result<(), Refusal> {
        if signed.payload.len() > limits::BID_BYTES {
            return Err(Refusal::OutOfRange);
        }
        let bid = signed.peek().map_err(|_| Refusal::Malformed)?;
        let round = |bid: &Bid| {
            let named = |(digest, _): &(Digest, _)| *digest == bid.announcement;
            rounds.iter().position(named)
        };
        let named = round(&bid).and_then(|round| rounds.get(round));
        let announcement = named.map(|(_, it)| *it).ok_or(Refusal::Unknown)?;
        if bid.broadcast != announcement.broadcast {
            return Err(Refusal::Unknown);
        }
        let realm = bid.bidder.realm.ok_or(Refusal::Malformed)?;
        if !bid.bidder.is_at(from) || from.realm != Some(realm) {
            return Err(Refusal::Author);
        }
        if !permitted {
            return Err(Refusal::Denied);
        }
        keeps_to(&bid, &announcement.limits)?;
        let earlier = self.by_agent.get(&(realm, bid.agent.clone()));
        let earlier = earlier.and_then(|digest| self.entrants.get(digest));
        // A later round's bid takes the place of an earlier one's.
        if earlier.is_some_and(|earlier| round(&earlier.bid) >= round(&bid)) {
            return Err(Refusal::Duplicate);
        }
        if earlier.is_some() {
            return Ok(());
        }
        if self.len() >= announcement.rule.max_bids {
            return Err(Refusal::Full);
        }
        if self.quotas.has_room(&bid.bidder.scope()) {
            Ok(())
        } else {
            Err(Refusal::Quota)
        }
    }

    /// Counts a bid. One that does not read was never written down, and changes nothing.
    pub(crate) fn count(&mut self, counted: &Counted, early: Option<&EarlyClose>) {
        let Ok(bid) = counted.bid.peek() else {
            return;
        };
        let Some(realm) = bid.bidder.realm else {
            return;
        };
        let digest = counted.bid.digest();
        let is_good = |bid: &Bid| early.is_some_and(|early| is_good(bid, early));
        let agent = (realm, bid.agent.clone());
        if self.counted.insert(agent.clone()) && !self.refused.contains(&agent) {
            self.receive(&bid.bidder.scope());
        }
        let earlier = self.by_agent.insert(agent, digest);
        if let Some(earlier) = earlier.and_then(|earlier| self.entrants.remove(&earlier)) {
            self.quotas.release(&earlier.bid.bidder.scope());
            self.good = self.good.saturating_sub(u64::from(is_good(&earlier.bid)));
        }
        self.quotas.count(&bid.bidder.scope());
        self.good = self.good.saturating_add(u64::from(is_good(&bid)));
        let candidate = Candidate::of(&bid, digest, counted.trust, self.arrivals);
        self.arrivals = self.arrivals.saturating_add(1);
        let entrant = Entrant {
            signed: counted.bid.clone(),
            bid,
            candidate,
            at: counted.at,
        };
        self.entrants.insert(digest, entrant);
    }
}

/// Whether a bid keeps to what every bid must keep to, and to the announcement's limits.
pub(crate) fn keeps_to(bid: &Bid, asked: &BidLimits) -> Result<(), Refusal> {
    let (currency, price) = (asked.currency.as_deref(), bid.price.as_ref());
    let refusals = [
        (
            bid.confidence > MILLION || bid.load > MILLION,
            Refusal::OutOfRange,
        ),
        (
            bid.expires_ms == 0 || bid.expires_ms > limits::BID_MS,
            Refusal::Holds,
        ),
        (
            price.is_some_and(|price| Some(price.currency.as_str()) != currency),
            Refusal::Currency,
        ),
        (
            asked.price.is_some_and(|most| bid.micros() > most),
            Refusal::Price,
        ),
        (
            asked.time_ms.is_some_and(|most| bid.time_ms > most),
            Refusal::Time,
        ),
        (
            asked.confidence.is_some_and(|least| bid.confidence < least),
            Refusal::Confidence,
        ),
    ];
    let first = refusals.into_iter().find(|(refused, _)| *refused);
    first.map_or(Ok(()), |(_, refusal)| Err(refusal))
}

impl Announcer {
    /// Whether bids are taken no more because there are enough of them.
    pub(super) fn has_enough_bids(&self) -> bool {
        let rule = &self.announcement().rule;
        are_enough(rule, self.intake.len(), self.intake.good())
    }

    /// Whether as many bids count as are taken.
    pub(super) fn is_full(&self) -> bool {
        self.intake.len() >= self.announcement().rule.max_bids
    }

    /// Whether fewer bids count than are asked for.
    pub(super) fn has_too_few_bids(&self) -> bool {
        self.intake.len() < self.announcement().rule.min_bids.max(1)
    }
}

/// Whether so many bids, of which so many are good, are enough by the rule.
pub(crate) fn are_enough(rule: &Rule, counted: u64, good: u64) -> bool {
    // Under *first* whoever bids later wins nothing.
    let decided =
        rule.selection == Selection::First && counted >= rule.awards.saturating_add(rule.standbys);
    let early = rule.early.is_some_and(|early| good >= early.enough);
    (decided || early) && counted >= rule.min_bids
}

fn is_good(bid: &Bid, early: &EarlyClose) -> bool {
    early.price.is_none_or(|most| bid.micros() <= most)
        && early.time_ms.is_none_or(|most| bid.time_ms <= most)
        && early.confidence.is_none_or(|least| bid.confidence >= least)
}
