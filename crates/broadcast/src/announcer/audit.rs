//! What a reader of an announcer's log finds: whether every award, lease and result was right, and
//! why each bid won or lost.

mod stopping;

use std::collections::BTreeMap;

use realm_protocol::{
    Digest, Now, Place, Tick, Timestamp,
    broadcast::{Bid, Confirm, Stopped, Verdict},
    limits,
    records::Signed,
};
use thiserror::Error;

use super::{
    Announcer, Phase, Plan, PlanError, Refusal, Round, outcome::judge, slot::State, work::bounding,
};
use crate::{
    close::CloseError,
    log::{
        Announced, Answered, Awarded, Conclusion, Counted, End, Ended, Ending, Entry, Finished,
        Leased, Planned, Unused,
    },
    rank::Ranking,
    scope::FanOut,
};

pub(crate) use stopping::over_after;

/// What is wrong with a log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Wrong {
    /// It does not begin with a plan, or with one that contradicts itself.
    #[error("the log does not begin with a plan that can be followed: {0}")]
    Plan(PlanError),
    /// Rounds are not in order, or one begins after the bidding or though there are bids enough.
    #[error("round {0} is out of order")]
    Round(u64),
    /// A bid was counted that does not count.
    #[error("bid {bid} was counted: {why}")]
    Counted {
        /// Its digest.
        bid: Digest,
        /// Why it does not count.
        why: Refusal,
    },
    /// The bidding ended twice, or before it began.
    #[error("the bidding ended out of order")]
    Close,
    /// The bidding ended before what is given for its cause.
    #[error("the bidding ended before what is given for its cause")]
    Cause,
    /// An award was made to another bid than the next, out of order, too late, or though there are results
    /// enough.
    #[error("award {epoch} of slot {slot} is not to the next bid")]
    Award {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// An award was given another budget than is left for it, or costs more than is left.
    #[error("award {epoch} of slot {slot} is not given what the broadcast's budget bears")]
    Budget {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// A confirmation is not of the award before it.
    #[error("the answer to award {epoch} of slot {slot} is not of that award")]
    Answer {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// A lease, and so the input, was given without a confirmation, to somebody else, or for longer than the
    /// work may take.
    #[error(
        "the lease of epoch {epoch} of slot {slot} was not confirmed by its holder, or is too long"
    )]
    Lease {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// A lease did not end as its outcome says, or as its time does, or was taken back while its result is
    /// waited for.
    #[error("epoch {epoch} of slot {slot} did not end so")]
    End {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// A person decided about what nobody asked.
    #[error("nobody asked about slot {0}")]
    Decision(u64),
    /// Something follows what ends a log, or happened before the bidding ended.
    #[error("an entry is out of order")]
    Order,
    /// It ended while a slot is open that somebody's bid could be awarded.
    #[error("it ended while a bid holds that an open slot is to be awarded to")]
    Owed,
    /// The outcome is not what the results come to.
    #[error("the outcome is not what the results come to")]
    Conclusion,
    /// What a view has of the close is not of its broadcast, or does not have the reader's bids.
    #[error("the close: {0}")]
    Told(CloseError),
    /// Two bids that a view shows do not stand as the rule has it.
    #[error("bid {bid} stands before bid {other} by the rule, and after it in the list")]
    Misplaced {
        /// The digest of the one that should stand before the other.
        bid: Digest,
        /// The other's.
        other: Digest,
    },
    /// An award went to a bid though a better one held that had had none.
    #[error("award {epoch} of slot {slot} passed over a bid that stands before and held")]
    PassedOver {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// The verdict in a view is not what its entries come to.
    #[error("the verdict of the close is not what the entries come to")]
    Verdict,
    /// A view is of a broadcast that has not ended.
    #[error("there is no outcome yet, and a view is of a broadcast that has one")]
    Open,
}

/// The first entry of a log that the rule does not lead to.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("entry {entry}: {wrong}")]
pub struct Fault {
    /// Its number, from 0.
    pub entry: u64,
    /// What is wrong with it.
    #[source]
    pub wrong: Wrong,
}

/// What became of a bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It won a slot, and its lease ended so; none while it has not.
    Won {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
        /// How.
        end: Option<End>,
    },
    /// It was awarded a slot and was not confirmed.
    Declined {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// It stood among the winners or standbys, and no slot was left for it, or it held no longer.
    Standby,
    /// It stood behind all of them.
    Lost,
}

/// Why a bid won or lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its digest.
    pub bid: Digest,
    /// Who bid.
    pub bidder: Place,
    /// Its rank, from 1.
    pub rank: u64,
    /// Its score, where the rule has weights.
    pub score: Option<u64>,
    /// What became of it.
    pub fate: Fate,
}

/// What a log comes to.
#[derive(Clone, Debug)]
pub struct Recomputed {
    /// The ranking.
    pub ranking: Ranking,
    /// Why each bid won or lost, in rank order.
    pub accounts: Vec<Account>,
    /// Everybody who got the input, in the order in which they did.
    pub informed: Vec<Place>,
    /// The outcome; none while there is none.
    pub conclusion: Option<Conclusion>,
    /// After a cancel, what the holders of leases have heard from those that worked for them in turn.
    pub stopped_below: Stopped,
    /// What the announcer is to sign of the end; it says nothing before there is one.
    pub verdict: Verdict,
    /// The winners' bids, by slot.
    pub winners: Vec<Signed<Bid>>,
}

/// Recomputes a broadcast from its log: every award, lease, end and the outcome. Signatures are for
/// the caller to check, and so is what only the loop's schema tells.
///
/// # Errors
/// [`Fault`] for the first entry that the rule does not lead to.
pub fn recompute(entries: &[Entry]) -> Result<Recomputed, Fault> {
    let fault = |entry, wrong| Fault { entry, wrong };
    let unplanned = |error| fault(0, Wrong::Plan(error));
    let Some((Entry::Planned(planned), rest)) = entries.split_first() else {
        return Err(unplanned(PlanError::Log));
    };
    let announcer = Announcer::new(plan(planned)).map_err(unplanned)?;
    let mut audit = Audit {
        announcer,
        informed: Vec::new(),
        announced: Timestamp::from_millis(0),
        cut: false,
        aggregates: false,
        leased: BTreeMap::new(),
    };
    for (number, entry) in (1..).zip(rest) {
        audit.check(entry).map_err(|wrong| fault(number, wrong))?;
        audit.announcer.apply(entry, at(entry.at()));
    }
    Ok(audit.recomputed())
}

/// The plan of a log; whom it was passed to and the input are not in it.
fn plan(planned: &Planned) -> Plan {
    let rounds = planned.rounds.iter().map(|announcement| Round {
        announcement: announcement.clone(),
        fan: FanOut {
            passes: Vec::new(),
            unreached: 0,
        },
    });
    Plan {
        rounds: rounds.collect(),
        secret: planned.secret,
        input: Vec::new().into(),
        confirm_ms: planned.confirm_ms,
        lease_ms: planned.lease_ms,
        at_once: planned.at_once,
        person_ms: planned.person_ms,
        budget: planned.budget,
    }
}

fn at(wall: Timestamp) -> Now {
    Now {
        wall,
        tick: Tick::from_millis(0),
    }
}

/// A log, as far as it has been read and found right.
struct Audit {
    announcer: Announcer,
    informed: Vec<Place>,
    /// When the last round began.
    announced: Timestamp,
    /// Whether the bidding ended by a cancel that is still to come.
    cut: bool,
    /// Whether making the results one has begun.
    aggregates: bool,
    /// When the last lease of a slot was granted, and for how long.
    leased: BTreeMap<u64, (Timestamp, u64)>,
}

impl Audit {
    fn check(&mut self, entry: &Entry) -> Result<(), Wrong> {
        let finished = matches!(self.announcer.phase, Phase::Finished(_));
        match entry {
            Entry::Proved(_) => Ok(()),
            Entry::Unused(it) => self.unused(it),
            _ if finished => Err(Wrong::Order),
            Entry::Cancelled(_) if self.is_working() => {
                self.cut = false;
                Ok(())
            }
            _ if self.cut => Err(Wrong::Order),
            Entry::Planned(_) => Err(Wrong::Order),
            Entry::Announced(it) => self.announced(it),
            Entry::Counted(it) => self.counted(it),
            Entry::BidsClosed(it) => self.bids_closed(it),
            _ if matches!(self.announcer.phase, Phase::Bidding { .. }) => Err(Wrong::Order),
            Entry::Awarded(it) => self.awarded(it),
            Entry::Answered(it) => self.answered(it),
            Entry::Leased(it) => self.leased(it),
            Entry::Ended(it) => self.ended(it),
            Entry::Decided(it) => match self.state(it.slot, it.epoch) {
                Some(State::Asking { .. }) => Ok(()),
                _ => Err(Wrong::Decision(it.slot)),
            },
            Entry::Cancelled(_) => Err(Wrong::Order),
            Entry::Finished(it) => self.finished(it),
        }
    }

    fn announced(&mut self, it: &Announced) -> Result<(), Wrong> {
        let next = match self.announcer.phase {
            Phase::Bidding { until, .. } if until == Tick::MAX => 1,
            Phase::Bidding { round, .. } => (round as u64).saturating_add(2),
            _ => return Err(Wrong::Round(it.round)),
        };
        let planned = self.announcer.rounds.len() as u64;
        let wanted = next == 1 || self.announcer.has_too_few_bids();
        if it.round == next && it.round <= planned && wanted {
            self.announced = it.at;
            Ok(())
        } else {
            Err(Wrong::Round(it.round))
        }
    }

    /// Whether a round has begun and bids are taken.
    fn is_open(&self) -> bool {
        matches!(self.announcer.phase, Phase::Bidding { until, .. } if until < Tick::MAX)
    }

    fn is_working(&self) -> bool {
        matches!(self.announcer.phase, Phase::Working { .. })
    }

    /// An outcome that is not used is of an award that was made and does not wait for its lease, and of
    /// each there is one.
    fn unused(&mut self, it: &Unused) -> Result<(), Wrong> {
        let outcome = it.delivered.outcome.peek().map_err(|_| Wrong::Order)?;
        let award = (outcome.slot, outcome.epoch);
        let made =
            self.announcer.was_awarded(&outcome.bid, award) && !self.announcer.is_unleased(award);
        let again = self.announcer.unused.contains(&award)
            || self
                .announcer
                .heard
                .contains(&it.delivered.outcome.digest());
        match made && !again {
            true => {
                self.begins_to_aggregate(it.at);
                Ok(())
            }
            false => Err(Wrong::End {
                slot: award.0,
                epoch: award.1,
            }),
        }
    }

    fn counted(&mut self, it: &Counted) -> Result<(), Wrong> {
        let bid = it.bid.digest();
        let wrong = |why| Wrong::Counted { bid, why };
        if !self.is_open() {
            return Err(wrong(Refusal::Late));
        }
        let bidder = it.bid.peek().map_err(|_| wrong(Refusal::Malformed))?.bidder;
        self.announcer
            .check_bid(&bidder, &it.bid, true)
            .map_err(wrong)
    }

    /// Where a slot stands in an epoch.
    fn state(&self, slot: u64, epoch: u64) -> Option<&State> {
        let slot = self.announcer.slots.get(self.announcer.number(slot)?)?;
        (slot.epoch == epoch).then_some(&slot.state)
    }

    fn bid(&self, slot: u64) -> Option<(&Signed<Bid>, &Bid)> {
        let (_, bid) = self.announcer.held(self.announcer.number(slot)?)?;
        let entrant = self.announcer.intake.get(&bid)?;
        Some((&entrant.signed, &entrant.bid))
    }

    fn awarded(&mut self, it: &Awarded) -> Result<(), Wrong> {
        let announcer = &self.announcer;
        let active = announcer
            .slots
            .iter()
            .filter(|slot| slot.is_active())
            .count() as u64;
        let is_open = matches!(
            self.state(it.slot, it.epoch.saturating_sub(1)),
            Some(State::Open)
        );
        let is_next = announcer.next_bid(it.at) == Some(it.bid) && announcer.may_award(it.at);
        let bounded = it.epoch <= limits::EPOCHS && active < announcer.plan.at_once;
        let wrong = Wrong::Award {
            slot: it.slot,
            epoch: it.epoch,
        };
        if !(is_open && is_next && bounded) || self.stops() {
            return Err(wrong);
        }
        match announcer.afford(&it.bid) {
            Some(given) if it.budget == bounding(given) => {
                self.aggregates = false;
                Ok(())
            }
            _ => Err(Wrong::Budget {
                slot: it.slot,
                epoch: it.epoch,
            }),
        }
    }

    fn answered(&self, it: &Answered) -> Result<(), Wrong> {
        let wrong = Wrong::Answer {
            slot: it.slot,
            epoch: it.epoch,
        };
        let (Some(State::Awarded { .. }), Some((bid, _))) =
            (self.state(it.slot, it.epoch), self.bid(it.slot))
        else {
            return Err(wrong);
        };
        let Some(confirm) = &it.confirm else {
            return Ok(());
        };
        let confirm = confirm.peek().map_err(|_| wrong.clone())?;
        let expected = Confirm {
            broadcast: self.announcer.broadcast(),
            slot: it.slot,
            epoch: it.epoch,
            bid: bid.digest(),
            answer: confirm.answer,
        };
        if confirm == expected {
            Ok(())
        } else {
            Err(wrong)
        }
    }

    fn leased(&mut self, it: &Leased) -> Result<(), Wrong> {
        let wrong = Wrong::Lease {
            slot: it.slot,
            epoch: it.epoch,
        };
        let in_order = match self.state(it.slot, it.epoch) {
            Some(State::Reserved) => it.answers == 0,
            Some(State::Leased { answers, .. }) => it.answers > *answers,
            _ => false,
        };
        let holds = self
            .bid(it.slot)
            .is_some_and(|(_, bid)| bid.bidder == it.holder);
        let bounded =
            it.lease_ms <= self.announcer.plan.lease_ms && self.is_in_time(it.at, it.lease_ms);
        if !in_order || !holds || !bounded || self.stops() {
            return Err(wrong);
        }
        if it.answers == 0 {
            self.informed.push(it.holder.clone());
        }
        self.leased.insert(it.slot, (it.at, it.lease_ms));
        Ok(())
    }

    fn ended(&self, it: &Ended) -> Result<(), Wrong> {
        let wrong = Wrong::End {
            slot: it.slot,
            epoch: it.epoch,
        };
        let state = self.state(it.slot, it.epoch).ok_or(wrong.clone())?;
        let is_right = match (&it.delivered, it.end) {
            (None, End::Withdrawn) => matches!(state, State::Leased { .. }) && self.stops(),
            (None, End::NotBegun) => {
                matches!(state, State::Reserved) && (self.stops() || self.is_work_over(it.at))
            }
            (None, End::Expired) => {
                matches!(state, State::Leased { .. }) && self.is_over(it.slot, it.at)
            }
            (None, _) => false,
            (Some(delivered), end) => {
                let outcome = delivered.outcome.peek().map_err(|_| wrong.clone())?;
                let (signed, bid) = self.bid(it.slot).ok_or(wrong.clone())?;
                // What the schema says only who has it can tell.
                let judged = judge(&outcome, delivered, bid, end != End::Mismatched);
                let of_slot = (outcome.slot, outcome.epoch, outcome.bid)
                    == (it.slot, it.epoch, signed.digest());
                let waited = match state {
                    State::Leased { .. } => true,
                    State::Asking { .. } => matches!(end, End::Result | End::NotBegun),
                    _ => false,
                };
                let wanted = !self.is_working() || !self.announcer.has_enough();
                judged == end && of_slot && waited && wanted
            }
        };
        if is_right { Ok(()) } else { Err(wrong) }
    }

    fn finished(&self, it: &Finished) -> Result<(), Wrong> {
        let (announcer, conclusion) = (&self.announcer, &it.conclusion);
        let waits = announcer.slots.iter().any(super::Slot::is_active);
        let expected = announcer.settled();
        let is_right = if announcer.aggregates_by_loop() && expected.ending == Ending::Output {
            let by_loop = matches!(conclusion.ending, Ending::Output | Ending::AggregatorFailed);
            by_loop && conclusion.citations == expected.citations
        } else if conclusion.ending == Ending::Mismatched {
            // What the schema says only who has it can tell.
            let bare = conclusion.output.is_none()
                && conclusion.confirmed.is_empty()
                && conclusion.silent.is_empty();
            let made = announcer.makes_anew() && expected.ending == Ending::Output;
            bare && made && conclusion.citations == expected.citations
        } else {
            *conclusion == expected
        };
        if !is_right || waits {
            Err(Wrong::Conclusion)
        } else if !self.aggregates && self.owes_an_award(it.at) {
            Err(Wrong::Owed)
        } else {
            Ok(())
        }
    }

    fn recomputed(self) -> Recomputed {
        let accounts = self.accounts();
        let conclusion = self.announcer.conclusion().cloned();
        let (verdict, winners) = self.announcer.told();
        Recomputed {
            verdict,
            winners,
            accounts,
            informed: self.informed,
            conclusion,
            stopped_below: self.announcer.stopped_below(),
            ranking: self.announcer.ranking,
        }
    }

    fn accounts(&self) -> Vec<Account> {
        let announcer = &self.announcer;
        let rule = &announcer.announcement().rule;
        let eligible = rule.awards.saturating_add(rule.standbys);
        let ranked = (1_u64..).zip(&announcer.ranking.ranked);
        let accounts = ranked.filter_map(|(rank, ranked)| {
            let bid = ranked.candidate.bid;
            let fate = announcer.fates.get(&bid).copied();
            let unawarded = if rank <= eligible {
                Fate::Standby
            } else {
                Fate::Lost
            };
            Some(Account {
                bid,
                bidder: announcer.intake.get(&bid)?.bid.bidder.clone(),
                rank,
                score: ranked.score,
                fate: fate.unwrap_or(unawarded),
            })
        });
        accounts.collect()
    }
}
