//! One broadcast, from its announcement to its one outcome, at the realm that announces it.
//!
//! Inputs go into [`Announcer::handle`], time into [`Announcer::handle_timeout`], and what is to be
//! done comes out of [`Announcer::poll_output`], in order: whatever follows an [`Output::Write`]
//! rests on it and waits until it is durable. What was written down makes the announcer again
//! ([`Announcer::resume`]).

mod audit;
mod bidding;
mod finish;
mod intake;
mod late;
mod lease;
mod outcome;
mod plan;
mod purse;
mod replay;
mod slot;
mod work;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use realm_protocol::{
    BroadcastId, Digest, FailureCode, Now, Place, Tick, Timestamp,
    broadcast::{
        Announcement, Award, Bid, Confirm, Deliver, Lease, OutcomeAck, Tally, Verdict, Withdraw,
        WorkProgress,
    },
    budget::{Budget, Spend},
    cbor::Blob,
    limits,
    records::Signed,
};
use serde_json::Value;

use crate::{
    log::{Cancelled, CloseCause, Conclusion, Ending, Entry},
    rank::Ranking,
    resend::Resend,
    scope::{FanOut, Pass, Side, Tallying},
};

pub use audit::{Account, Fate, Fault, Recomputed, Wrong, recompute};
pub use intake::Refusal;
pub use plan::{Plan, PlanError, Round};

pub(crate) use audit::over_after;
pub(crate) use finish::{last_awards, unconfirmed};
pub(crate) use intake::{are_enough, keeps_to};
pub(crate) use outcome::judge;

use intake::Intake;
use purse::Purse;
use slot::Slot;

/// What happens to an announcer. Senders are those whose signature on the envelope was verified.
#[derive(Clone, Debug)]
pub enum Input {
    /// The announcement of the round has left: until now it waited to be durable.
    Left,
    /// A bid came.
    Bid {
        /// Who sent it.
        from: Place,
        /// The bid; its signature is verified.
        bid: Signed<Bid>,
        /// How this realm trusts the bidder, in millionths.
        trust: u64,
        /// Whether policy permits that the bidder is awarded the work.
        permitted: bool,
    },
    /// A neighbour's tally came.
    Tally {
        /// Which neighbour.
        from: Side,
        /// The tally.
        tally: Tally,
    },
    /// The announcement did not reach a neighbour.
    Unreached(Side),
    /// Whom the next round is passed to: it begins.
    FannedOut(FanOut),
    /// A winner answered.
    Confirm {
        /// Who sent it.
        from: Place,
        /// The answer; its signature is verified.
        confirm: Signed<Confirm>,
    },
    /// An award did not reach its winner.
    Undelivered {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
    },
    /// The holder of a lease works.
    Progress {
        /// Who sent it.
        from: Place,
        /// How far it is.
        progress: WorkProgress,
    },
    /// The holder of a lease gave its outcome.
    Delivered {
        /// Who sent it.
        from: Place,
        /// The outcome; its signature is verified.
        delivered: Deliver,
        /// Whether the output matches the contract's schema.
        matches: bool,
    },
    /// A person says whether work that may have begun is given out again.
    Decision {
        /// The slot.
        slot: u64,
        /// The epoch that the person was asked about.
        epoch: u64,
        /// Whether it is.
        again: bool,
    },
    /// The loop that aggregates ended.
    Aggregated(Result<Blob, FailureCode>),
    /// What the results were made is what the contract says, or why it is not.
    Checked(Option<String>),
    /// The broadcast is to end.
    Cancel {
        /// How long to wait for the holders of leases to say that they stopped, milliseconds.
        waits_ms: u64,
    },
}

/// What an announcer wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// To be durable before anything that follows is done.
    Write(Box<Entry>),
    /// A round may begin once it is known whom it is passed to: [`Input::FannedOut`].
    FanOut {
        /// The round, from 1.
        round: u64,
    },
    /// The announcement of a round goes to a neighbour.
    Announce {
        /// The round, from 1.
        round: u64,
        /// Which neighbour, how far, and for how long.
        pass: Pass,
    },
    /// A bid does not count.
    Refuse {
        /// Who sent it.
        to: Place,
        /// Its digest.
        bid: Digest,
        /// Why.
        why: Refusal,
    },
    /// A message goes to a bidder.
    Send {
        /// Who.
        to: Place,
        /// What.
        message: Message,
    },
    /// A person must say whether work that may have begun is given out again.
    Ask {
        /// The slot.
        slot: u64,
        /// The epoch.
        epoch: u64,
        /// Who held it.
        holder: Place,
    },
    /// The loop that aggregates is to run.
    Aggregate(Value),
    /// What the results were made is to be held against the contract: nobody gave it so.
    Check(Value),
    /// The broadcast is closed: the verdict is to be signed and sent in pages.
    Close {
        /// The verdict.
        verdict: Box<Verdict>,
        /// The winners' bids, by slot.
        winners: Vec<Signed<Bid>>,
        /// Everybody whose bid counted.
        to: Vec<Place>,
    },
    /// The broadcast has ended. After a restart it may be said again, and says the same.
    Finished(Box<Conclusion>),
}

/// What an announcer says to a bidder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// It has won.
    Award(Award),
    /// It may work, or go on.
    Lease(Lease),
    /// It has won no more.
    Withdraw(Withdraw),
    /// Its outcome is written down.
    Ack(OutcomeAck),
}

/// Where a broadcast stands.
#[derive(Clone, Debug)]
enum Phase {
    /// Bids are taken in this round, from 0.
    Bidding { round: usize, until: Tick },
    /// Slots are awarded and worked on.
    Working { until: Tick },
    /// The loop that aggregates runs, or what was made is checked.
    Aggregating,
    /// Holders are waited for after a cancel.
    Withdrawing {
        until: Tick,
        /// When they are told again.
        again: Resend,
    },
    /// It has ended.
    Finished(Box<Conclusion>),
}

/// One broadcast at the realm that announces it.
#[derive(Clone, Debug)]
pub struct Announcer {
    plan: Plan,
    rounds: Vec<Announcement>,
    /// The digests that bids name the rounds by.
    digests: Vec<Digest>,
    phase: Phase,
    intake: Intake,
    tallying: Tallying,
    ranking: Ranking,
    slots: Vec<Slot>,
    /// What awards may use, and what counts of each.
    purse: Purse,
    /// What became of the bids that have had an award.
    fates: BTreeMap<Digest, Fate>,
    /// When the bidding ended.
    closed: Timestamp,
    /// When the broadcast ended.
    finished: Timestamp,
    /// Whether somebody has bid in the round, though it leaves only now: after a restart.
    heard_before: bool,
    /// The round that bids were last taken in, from 0.
    last_round: usize,
    /// Why the round ended, while it is not known whom the next one is passed to.
    widening: Option<CloseCause>,
    /// Slots that were leased when the broadcast was cancelled.
    withdrawn: Vec<u64>,
    /// How long they are waited for, milliseconds; none before a cancel, and after a restart.
    waits_ms: Option<u64>,
    /// Results that counted so far.
    results: u64,
    /// Digests of outcomes that were written down.
    heard: BTreeSet<Digest>,
    /// Slots and epochs of leases that ran out while nobody could hear their holders.
    unheard: BTreeSet<(u64, u64)>,
    /// Slots and epochs of outcomes that are not used.
    unused: BTreeSet<(u64, u64)>,
    outputs: VecDeque<Output>,
}

impl Announcer {
    /// Begins a broadcast.
    ///
    /// # Errors
    /// [`PlanError`] where the plan contradicts itself or a rule of the protocol.
    pub fn start(plan: Plan, now: Now) -> Result<Self, PlanError> {
        let mut announcer = Self::new(plan)?;
        let planned = announcer.plan.entry();
        announcer
            .outputs
            .push_back(Output::Write(Box::new(planned.into())));
        announcer.announce(1, now);
        announcer.close_if_complete(now);
        Ok(announcer)
    }

    fn new(plan: Plan) -> Result<Self, PlanError> {
        let rounds = plan.check()?;
        let first = rounds.first().ok_or(PlanError::Rounds)?;
        let fan = FanOut {
            passes: Vec::new(),
            unreached: 0,
        };
        Ok(Self {
            phase: Phase::Bidding {
                round: 0,
                until: Tick::MAX,
            },
            intake: Intake::new(first),
            tallying: Tallying::new(first, &first.announcer.scope(), false, &fan, Tick::MAX),
            ranking: Ranking {
                root: crate::rank::bids_root(Vec::new()),
                ranked: Vec::new(),
            },
            slots: Vec::new(),
            purse: Purse::new(plan.budget),
            fates: BTreeMap::new(),
            closed: first.created,
            finished: first.created,
            heard_before: false,
            last_round: 0,
            widening: None,
            withdrawn: Vec::new(),
            waits_ms: None,
            results: 0,
            heard: BTreeSet::new(),
            unheard: BTreeSet::new(),
            unused: BTreeSet::new(),
            outputs: VecDeque::new(),
            digests: plan
                .rounds
                .iter()
                .map(|it| it.announcement.digest())
                .collect(),
            plan,
            rounds,
        })
    }

    /// The plan that it follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The broadcast.
    pub fn broadcast(&self) -> BroadcastId {
        self.announcement().broadcast
    }

    /// The bids that counted, in rank order; none before the bidding has ended.
    pub fn ranking(&self) -> &Ranking {
        &self.ranking
    }

    /// What counts as used of all awards: what was set aside, until it is known what was charged.
    pub fn spent(&self) -> Spend {
        self.purse.spent()
    }

    /// What may still be used.
    pub fn left(&self) -> Budget {
        self.purse.left()
    }

    /// The one outcome, once there is one.
    pub fn conclusion(&self) -> Option<&Conclusion> {
        match &self.phase {
            Phase::Finished(conclusion) => Some(conclusion),
            _ => None,
        }
    }

    /// Whether the broadcast was cancelled, so that holders stop because they are told to.
    pub fn is_taken_back(&self) -> bool {
        match &self.phase {
            Phase::Withdrawing { .. } => true,
            Phase::Finished(conclusion) => conclusion.ending == Ending::Cancelled,
            _ => false,
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Left => self.announcement_left(now),
            Input::Bid {
                from,
                bid,
                trust,
                permitted,
            } => self.bid(from, bid, (trust, permitted), now),
            Input::Tally { from, tally } => {
                self.tallying.hear(&from, &tally);
                self.close_if_complete(now);
            }
            Input::Unreached(side) => {
                self.tallying.lose(&side);
                self.close_if_complete(now);
            }
            Input::FannedOut(fan) => self.fanned_out(fan, now),
            Input::Confirm { from, confirm } => self.confirm(&from, confirm, now),
            Input::Undelivered { slot, epoch } => self.undelivered(slot, epoch, now),
            Input::Progress { from, progress } => self.progress(&from, &progress, now),
            Input::Delivered {
                from,
                delivered,
                matches,
            } => self.delivered(&from, delivered, matches, now),
            Input::Decision { slot, epoch, again } => self.decide(slot, epoch, again, now),
            Input::Aggregated(result) => self.aggregated(result, now),
            Input::Checked(why) => self.checked(why, now),
            Input::Cancel { waits_ms } => self.cancel(waits_ms, now),
        }
    }

    /// Does what its time has come for.
    pub fn handle_timeout(&mut self, now: Now) {
        match self.phase {
            Phase::Bidding { until, .. } if until <= now.tick => {
                self.close_bids(CloseCause::Window, now);
            }
            Phase::Working { .. } | Phase::Withdrawing { .. } => self.work_timeout(now),
            Phase::Bidding { .. } | Phase::Aggregating | Phase::Finished(_) => {}
        }
    }

    /// When [`Announcer::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Tick> {
        match self.phase {
            Phase::Bidding { until, .. } => Some(until).filter(|_| self.widening.is_none()),
            Phase::Working { .. } | Phase::Withdrawing { .. } => self.next_work_timeout(),
            Phase::Aggregating | Phase::Finished(_) => None,
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The last round's announcement; rounds differ in number and reach alone.
    fn announcement(&self) -> &Announcement {
        let round = match self.phase {
            Phase::Bidding { round, .. } => round,
            _ => 0,
        };
        #[expect(
            clippy::indexing_slicing,
            reason = "a plan has at least one round, and no phase is past the last"
        )]
        &self.rounds[round]
    }

    /// Writes an entry down, and is what it says from then on.
    fn record(&mut self, entry: impl Into<Entry>, now: Now) {
        let entry = entry.into();
        self.apply(&entry, now);
        self.outputs.push_back(Output::Write(Box::new(entry)));
    }

    fn cancel(&mut self, waits_ms: u64, now: Now) {
        if let Phase::Bidding { .. } = self.phase {
            self.close_bids(CloseCause::Cancelled, now);
        }
        if let Phase::Working { .. } | Phase::Aggregating = self.phase {
            self.record(Cancelled { at: now.wall }, now);
            let waits_ms = waits_ms.min(limits::WITHDRAW_MS);
            self.waits_ms = Some(waits_ms);
            if let Phase::Withdrawing { until, again } = &mut self.phase {
                *until = now.tick.plus(waits_ms);
                *again = Resend::new(now.tick, waits_ms);
            }
            self.withdraw_all();
            self.go_on(now);
        }
    }
}

#[cfg(test)]
mod tests;
