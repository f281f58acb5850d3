//! What the reader of a view finds: whether its bids counted, whether all that it sees stands by the
//! rule, and whether every award that it can judge was right.

mod slot;
mod stopping;

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    Digest, LoopId, RealmId, Timestamp,
    broadcast::{Announcement, Bid, Close, Confirm, ConfirmAnswer, Effects, Winner},
    cbor::{self, Blob, CborError},
    limits,
    records::Signed,
};

use super::{OwnBid, Reply, Shown, Term, Told};
use crate::{
    Part,
    announcer::{
        Fate, Fault, Plan, PlanError, Refusal, Round, Wrong, judge, keeps_to, last_awards,
        over_after, unconfirmed,
    },
    close::{CloseError, Closed},
    log::{
        Announced, Awarded, BidsClosed, CloseCause, Conclusion, Decided, End, Ended, Ending,
        Finished, Unused,
    },
    scope::FanOut,
};

use slot::{Slot, State};

/// What a view comes to.
#[derive(Clone, Debug)]
pub struct Viewed {
    /// The first round's announcement.
    pub announcement: Announcement,
    /// Every bid that counted, in rank order.
    pub bids: Vec<Seen>,
    /// How the broadcast ended, and what the reader was to it.
    pub conclusion: Conclusion,
}

/// What a view shows of a bid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its digest.
    pub digest: Digest,
    /// The bid; none where its digest is all that is shown.
    pub bid: Option<Bid>,
    /// Whether it is the reader's.
    pub own: bool,
    /// What became of it.
    pub fate: Fate,
}

/// Recomputes as much of a broadcast as a view shows. Signatures are for the caller to check, and so is
/// what only the loop's schema tells.
///
/// # Errors
/// [`Fault`] for the first entry that the rule does not lead to.
pub fn recompute(reader: RealmId, entries: &[Shown]) -> Result<Viewed, Fault> {
    let fault = |entry, wrong| Fault { entry, wrong };
    let Some((Shown::Told(told), rest)) = entries.split_first() else {
        return Err(fault(0, Wrong::Plan(PlanError::Log)));
    };
    let mut audit = Audit::new(reader, told).map_err(|wrong| fault(0, wrong))?;
    for (number, entry) in (1..).zip(rest) {
        audit.follow(entry).map_err(|wrong| fault(number, wrong))?;
    }
    let end = fault(entries.len() as u64, Wrong::Open);
    audit.viewed().ok_or(end)
}

/// A view, as far as it has been read and found right.
struct Audit {
    reader: RealmId,
    announcement: Announcement,
    /// The digests that bids name the rounds by.
    rounds: Vec<Digest>,
    told: Closed,
    /// The bids that are shown, and of the reader's when they counted.
    shown: BTreeMap<Digest, (Bid, Option<Timestamp>)>,
    /// The reader's bids that count, by their agents.
    own: BTreeMap<LoopId, Digest>,
    /// How many rounds have begun, and when the last did.
    begun: usize,
    announced: Timestamp,
    /// When the bidding ended.
    closed: Option<Timestamp>,
    slots: Vec<Slot>,
    fates: BTreeMap<Digest, Fate>,
    /// Where the bids that had awards stand, from 0, and when they had them.
    awards: Vec<(usize, Timestamp)>,
    /// Awards of the reader's whose outcomes are not used, and outcomes that were written down.
    unused: BTreeSet<(u64, u64)>,
    heard: BTreeSet<Digest>,
    cancelled: bool,
    /// Whether the bidding ended by a cancel that is still to come.
    cut: bool,
    conclusion: Option<Conclusion>,
}

impl Audit {
    fn new(reader: RealmId, told: &Told) -> Result<Self, Wrong> {
        let pages: Result<Vec<Close>, CborError> = told
            .close
            .iter()
            .map(|page: &Blob| cbor::decode(page))
            .collect();
        let pages = pages.map_err(|_| Wrong::Told(CloseError::Pages))?;
        let closed = Closed::join(&pages).map_err(Wrong::Told)?;
        let announcement = planned(&told.rounds, closed.verdict.secret).map_err(Wrong::Plan)?;
        if closed.verdict.broadcast != announcement.broadcast {
            return Err(Wrong::Told(CloseError::Another));
        }
        let mut audit = Self {
            reader,
            announcement,
            rounds: told.rounds.iter().map(Signed::digest).collect(),
            shown: BTreeMap::new(),
            own: BTreeMap::new(),
            begun: 0,
            announced: Timestamp::from_millis(0),
            closed: None,
            slots: Vec::new(),
            fates: BTreeMap::new(),
            awards: Vec::new(),
            unused: BTreeSet::new(),
            heard: BTreeSet::new(),
            cancelled: false,
            cut: false,
            conclusion: None,
            told: closed,
        };
        for (won, bid) in audit.told.winners.clone() {
            let rounds = audit.rounds.len();
            audit
                .keeps(&bid, rounds)
                .map_err(|why| Wrong::Counted { bid: won.bid, why })?;
            audit.shown.insert(won.bid, (bid, None));
        }
        Ok(audit)
    }

    /// Whether a bid is for one of the rounds up to this one, and keeps to what was announced.
    fn keeps(&self, bid: &Bid, rounds: usize) -> Result<usize, Refusal> {
        let mut begun = self.rounds.iter().take(rounds);
        let round = begun.position(|round| *round == bid.announcement);
        let round = round.filter(|_| bid.broadcast == self.announcement.broadcast);
        let round = round.ok_or(Refusal::Unknown)?;
        keeps_to(bid, &self.announcement.limits)?;
        Ok(round)
    }

    fn follow(&mut self, entry: &Shown) -> Result<(), Wrong> {
        match entry {
            Shown::Proved(_) => Ok(()),
            Shown::Unused(it) => self.unused(it),
            _ if self.conclusion.is_some() => Err(Wrong::Order),
            Shown::Told(_) => Err(Wrong::Order),
            Shown::Announced(it) => self.announced(it),
            Shown::OwnBid(it) => {
                let bid = it.bid.digest();
                self.counted(it).map_err(|why| Wrong::Counted { bid, why })
            }
            Shown::BidsClosed(it) => self.bids_closed(it),
            _ if self.closed.is_none() => Err(Wrong::Order),
            Shown::Cancelled(_) if !self.cancelled => {
                (self.cancelled, self.cut) = (true, false);
                Ok(())
            }
            _ if self.cut => Err(Wrong::Order),
            Shown::Awarded(it) => self.awarded(it),
            Shown::Reply(it) => self.answered(it),
            Shown::Term(it) => self.leased(it),
            Shown::Ended(it) => self.ended(it),
            Shown::Decided(it) => self.decided(it),
            Shown::Cancelled(_) => Err(Wrong::Order),
            Shown::Finished(it) => self.finished(it),
        }
    }

    fn announced(&mut self, it: &Announced) -> Result<(), Wrong> {
        let next = self.begun.saturating_add(1);
        if self.closed.is_some() || it.round != next as u64 || next > self.rounds.len() {
            return Err(Wrong::Round(it.round));
        }
        (self.begun, self.announced) = (next, it.at);
        Ok(())
    }

    fn counted(&mut self, it: &OwnBid) -> Result<(), Refusal> {
        if self.closed.is_some() || self.begun == 0 {
            return Err(Refusal::Late);
        }
        if it.bid.payload.len() > limits::BID_BYTES {
            return Err(Refusal::OutOfRange);
        }
        let bid = it.bid.peek().map_err(|_| Refusal::Malformed)?;
        if bid.bidder.realm != Some(self.reader) {
            return Err(Refusal::Author);
        }
        let round = self.keeps(&bid, self.begun)?;
        let earlier = self
            .own
            .get(&bid.agent)
            .and_then(|digest| self.shown.get(digest));
        if let Some((earlier, _)) = earlier
            && self.keeps(earlier, self.begun)? >= round
        {
            return Err(Refusal::Duplicate);
        }
        let digest = it.bid.digest();
        if let Some(earlier) = self.own.insert(bid.agent.clone(), digest) {
            self.shown.remove(&earlier);
        }
        self.shown.insert(digest, (bid, Some(it.at)));
        Ok(())
    }

    /// Every bid of the reader's must be in the list, and what is shown in the order of the rule.
    fn bids_closed(&mut self, it: &BidsClosed) -> Result<(), Wrong> {
        if self.closed.is_some() || self.begun == 0 {
            return Err(Wrong::Close);
        }
        let digests = &self.told.digests;
        let listed: BTreeSet<&Digest> = digests.iter().collect();
        // A winner's bid comes with the close, and counts like any other.
        let uncounted = |(bid, at): &(Bid, Option<Timestamp>)| {
            at.is_none() && bid.bidder.realm == Some(self.reader)
        };
        if self.own.values().any(|bid| !listed.contains(bid)) || self.shown.values().any(uncounted)
        {
            return Err(Wrong::Told(CloseError::Missing));
        }
        let shown = digests.iter().filter_map(|digest| {
            let (bid, _) = self.shown.get(digest)?;
            Some((*digest, bid))
        });
        if let Some((bid, other)) = self.told.misplaced(&self.announcement, shown) {
            return Err(Wrong::Misplaced { bid, other });
        }
        self.check_cause(it)?;
        self.closed = Some(it.at);
        self.cut = it.cause == CloseCause::Cancelled;
        let slots = match self.too_few() {
            true => 0,
            false => (digests.len() as u64).min(self.announcement.rule.awards),
        };
        self.slots.extend((0..slots).map(|_| Slot::default()));
        Ok(())
    }

    fn too_few(&self) -> bool {
        (self.told.digests.len() as u64) < self.announcement.rule.min_bids.max(1)
    }

    fn awarded(&mut self, it: &Awarded) -> Result<(), Wrong> {
        let (slot, epoch) = (it.slot, it.epoch);
        let wrong = Wrong::Award { slot, epoch };
        let rule = &self.announcement.rule;
        let eligible = rule.awards.saturating_add(rule.standbys);
        let rank = self.told.digests.iter().position(|bid| *bid == it.bid);
        let rank =
            rank.filter(|rank| (*rank as u64) < eligible && !self.fates.contains_key(&it.bid));
        let rank = rank.ok_or(wrong.clone())?;
        let until = self.closed.map(|at| at.plus(self.announcement.award_ms));
        let withdrawn = |fate: &Fate| {
            matches!(
                fate,
                Fate::Won {
                    end: Some(End::Withdrawn),
                    ..
                }
            )
        };
        let over = self.cancelled || self.fates.values().any(withdrawn);
        let in_time = until.is_some_and(|until| it.at <= until) && !over;
        let before = self
            .slot(slot, epoch.saturating_sub(1))
            .ok_or(wrong.clone())?;
        if before.state != State::Open || epoch == 0 || epoch > limits::EPOCHS || !in_time {
            return Err(wrong);
        }
        if self.is_passed_over(rank, it.at) {
            return Err(Wrong::PassedOver { slot, epoch });
        }
        self.awards.push((rank, it.at));
        self.fates.insert(it.bid, Fate::Declined { slot, epoch });
        self.become_at(slot, State::Awarded, |slot| {
            slot.epoch = epoch;
            slot.holder = Some(it.bid);
            slot.awarded = Some(it.at);
        });
        Ok(())
    }

    /// Whether an award at this rank leaves out a bid before it that held: one of the reader's, or this
    /// one itself, where an earlier award went to a bid behind it.
    fn is_passed_over(&self, rank: usize, at: Timestamp) -> bool {
        let earlier = |(other, then): &(usize, Timestamp)| *other > rank && *then <= at;
        let holds = |digest: &Digest| match self.shown.get(digest) {
            Some((bid, Some(counted))) => {
                let counted = self.announcement.created.max(*counted);
                !self.fates.contains_key(digest) && at.since(counted) < bid.expires_ms
            }
            _ => false,
        };
        self.awards.iter().any(earlier) || self.told.digests.iter().take(rank).any(holds)
    }

    /// A slot in an epoch.
    fn slot(&self, slot: u64, epoch: u64) -> Option<&Slot> {
        let slot = self.slots.get(usize::try_from(slot).ok()?)?;
        (slot.epoch == epoch).then_some(slot)
    }

    fn become_at(&mut self, slot: u64, state: State, change: impl FnOnce(&mut Slot)) {
        let slot = usize::try_from(slot).ok();
        if let Some(slot) = slot.and_then(|slot| self.slots.get_mut(slot)) {
            slot.state = state;
            change(slot);
        }
    }

    /// The reader's bid that holds a slot, if it is one of them.
    fn held(&self, slot: &Slot) -> Option<(Digest, &Bid)> {
        let holder = slot.holder?;
        let (bid, _) = self.shown.get(&holder)?;
        self.is_own(&holder).then_some((holder, bid))
    }

    fn is_own(&self, digest: &Digest) -> bool {
        matches!(self.shown.get(digest), Some((_, Some(_))))
    }

    fn answered(&mut self, it: &Reply) -> Result<(), Wrong> {
        let (slot, epoch) = (it.slot, it.epoch);
        let wrong = Wrong::Answer { slot, epoch };
        let stands = self.slot(slot, epoch).ok_or(wrong.clone())?;
        let reserved = match (self.held(stands), &it.confirm) {
            (Some((bid, _)), Some(confirm)) => {
                let confirm = confirm.peek().map_err(|_| wrong.clone())?;
                let expected = Confirm {
                    broadcast: self.announcement.broadcast,
                    slot,
                    epoch,
                    bid,
                    answer: confirm.answer,
                };
                (confirm == expected).then_some(confirm.answer == ConfirmAnswer::Reserved)
            }
            (Some(_), None) => Some(false),
            (None, None) => Some(it.reserved),
            (None, Some(_)) => None,
        };
        if stands.state != State::Awarded || reserved != Some(it.reserved) {
            return Err(wrong);
        }
        let state = if it.reserved {
            State::Reserved
        } else {
            State::Open
        };
        self.become_at(slot, state, |_| {});
        Ok(())
    }

    fn leased(&mut self, it: &Term) -> Result<(), Wrong> {
        let (slot, epoch) = (it.slot, it.epoch);
        let wrong = Wrong::Lease { slot, epoch };
        let stands = self.slot(slot, epoch).ok_or(wrong.clone())?;
        let in_order = match stands.state {
            State::Reserved => it.answers == 0,
            State::Leased { answers, .. } => it.answers > answers,
            _ => false,
        };
        if !in_order || self.cancelled || !self.is_in_time(it.at, it.lease_ms) {
            return Err(wrong);
        }
        let lasts = it.lease_ms.saturating_add(limits::LEASE_GRACE_MS);
        let over = over_after(it.at, lasts);
        let answers = it.answers;
        self.ends(slot, epoch, None);
        self.become_at(slot, State::Leased { answers, over }, |_| {});
        Ok(())
    }

    /// What became of the bid that holds a slot.
    fn ends(&mut self, slot: u64, epoch: u64, end: Option<End>) {
        let holder = self.slot(slot, epoch).and_then(|slot| slot.holder);
        if let Some(holder) = holder {
            self.fates.insert(holder, Fate::Won { slot, epoch, end });
        }
    }

    fn ended(&mut self, it: &Ended) -> Result<(), Wrong> {
        let (slot, epoch, end) = (it.slot, it.epoch, it.end);
        let wrong = Wrong::End { slot, epoch };
        let stands = self.slot(slot, epoch).ok_or(wrong.clone())?;
        let leased = matches!(stands.state, State::Leased { .. });
        let asking = stands.state == State::Asking && matches!(end, End::Result | End::NotBegun);
        let own = self.held(stands);
        let is_right = match (&it.delivered, end) {
            (None, End::Withdrawn) => leased && self.may_stop(),
            (None, End::Expired) => {
                matches!(stands.state, State::Leased { over, .. } if it.at >= over)
            }
            (None, End::NotBegun) if stands.state == State::Reserved => {
                self.may_stop() || self.is_work_over(it.at)
            }
            // What others gave is not shown.
            (None, _) => own.is_none() && (leased || asking),
            (Some(delivered), end) => {
                let outcome = delivered.outcome.peek().map_err(|_| wrong.clone())?;
                let (bid, held) = own.ok_or(wrong.clone())?;
                let judged = judge(&outcome, delivered, held, end != End::Mismatched);
                let named = (outcome.broadcast, outcome.slot, outcome.epoch, outcome.bid);
                let of_slot = named == (self.announcement.broadcast, slot, epoch, bid);
                judged == end && of_slot && (leased || asking)
            }
        };
        if !is_right {
            return Err(wrong);
        }
        let given_back = stands.state == State::Reserved;
        let repeats = end == End::NotBegun || self.announcement.effects != Effects::Once;
        let state = match end {
            End::Result => State::Done,
            End::Withdrawn => State::Over,
            _ if given_back || self.cancelled => State::Over,
            _ if repeats => State::Open,
            _ => State::Asking,
        };
        let outcome = it.delivered.as_ref().map(|it| it.outcome.digest());
        self.heard.extend(outcome);
        self.ends(slot, epoch, Some(end));
        self.become_at(slot, state, |slot| slot.outcome = outcome);
        Ok(())
    }

    fn decided(&mut self, it: &Decided) -> Result<(), Wrong> {
        let asking = self.slot(it.slot, it.epoch);
        if asking.is_none_or(|slot| slot.state != State::Asking) {
            return Err(Wrong::Decision(it.slot));
        }
        let state = if it.again { State::Open } else { State::Over };
        self.become_at(it.slot, state, |_| {});
        Ok(())
    }

    /// An outcome of the reader's that is not used is of an award that it had, and of each there is one.
    fn unused(&mut self, it: &Unused) -> Result<(), Wrong> {
        let outcome = it.delivered.outcome.peek().map_err(|_| Wrong::Order)?;
        let (slot, epoch) = (outcome.slot, outcome.epoch);
        let had = match self.fates.get(&outcome.bid) {
            Some(Fate::Won { slot, epoch, .. } | Fate::Declined { slot, epoch }) => {
                self.is_own(&outcome.bid).then_some((*slot, *epoch))
            }
            _ => None,
        };
        let waits = self
            .slot(slot, epoch)
            .is_some_and(|slot| matches!(slot.state, State::Awarded | State::Reserved));
        let first = self.heard.insert(it.delivered.outcome.digest());
        if had == Some((slot, epoch)) && !waits && first && self.unused.insert((slot, epoch)) {
            Ok(())
        } else {
            Err(Wrong::End { slot, epoch })
        }
    }

    fn finished(&mut self, it: &Finished) -> Result<(), Wrong> {
        let conclusion = &it.conclusion;
        let waits = self.slots.iter().any(|slot| slot.state.is_active());
        let few = self.too_few() && !self.cancelled;
        let ended = (conclusion.ending == Ending::Cancelled) == self.cancelled
            && (conclusion.ending == Ending::TooFewBids) == few
            && conclusion.output.is_none();
        if waits || !ended || !self.is_cited(conclusion) {
            return Err(Wrong::Conclusion);
        }
        let verdict = &self.told.verdict;
        let round = self
            .begun
            .checked_sub(1)
            .and_then(|last| self.rounds.get(last));
        let told = verdict.winners == self.winners()
            && verdict.unconfirmed == unconfirmed(self.told.digests.iter().copied(), &self.fates)
            && verdict.closed == it.at
            && round == Some(&verdict.announcement);
        if !told {
            return Err(Wrong::Verdict);
        }
        self.conclusion = Some(conclusion.clone());
        Ok(())
    }

    /// Whether each slot that the reader held last, or would have had, is cited by what came of it.
    fn is_cited(&self, conclusion: &Conclusion) -> bool {
        let nobody = matches!(conclusion.ending, Ending::Cancelled | Ending::TooFewBids);
        let slots = (0_u64..).zip(&self.slots).zip(&self.told.digests);
        let held = slots.filter_map(|((number, slot), ranked)| {
            let bid = slot.holder.unwrap_or(*ranked);
            let own = self.is_own(&bid) && !nobody;
            own.then_some((number, bid, slot.outcome, slot.state == State::Done))
        });
        let cited = conclusion.citations.iter();
        held.eq(cited.map(|it| (it.slot, it.bid, it.outcome, it.part != Part::Failed)))
    }

    /// The last award of each slot.
    fn winners(&self) -> Vec<Winner> {
        let slots = self.slots.iter();
        last_awards(slots.map(|slot| (slot.epoch, slot.holder, slot.awarded)))
    }

    fn viewed(self) -> Option<Viewed> {
        let rule = &self.announcement.rule;
        let eligible = rule.awards.saturating_add(rule.standbys);
        let bids = (0_u64..).zip(&self.told.digests).map(|(rank, digest)| {
            let unawarded = if rank < eligible {
                Fate::Standby
            } else {
                Fate::Lost
            };
            Seen {
                digest: *digest,
                bid: self.shown.get(digest).map(|(bid, _)| bid.clone()),
                own: self.is_own(digest),
                fate: self.fates.get(digest).copied().unwrap_or(unawarded),
            }
        });
        let bids = bids.collect();
        Some(Viewed {
            bids,
            conclusion: self.conclusion?,
            announcement: self.announcement,
        })
    }
}

/// The first round's announcement, if they can be followed and have the digest of the secret.
fn planned(rounds: &[Signed<Announcement>], secret: [u8; 32]) -> Result<Announcement, PlanError> {
    let rounds = rounds.iter().map(|announcement| Round {
        announcement: announcement.clone(),
        fan: FanOut {
            passes: Vec::new(),
            unreached: 0,
        },
    });
    // Of what bidders are not told anything will do.
    let plan = Plan {
        rounds: rounds.collect(),
        secret,
        input: Blob::from(Vec::new()),
        confirm_ms: 1,
        lease_ms: 1,
        at_once: 1,
        person_ms: 0,
        budget: None,
    };
    plan.check()?.into_iter().next().ok_or(PlanError::Rounds)
}
