//! What a realm does about the announcements of others: bid, confirm, work under a lease, say how
//! it ended.
//!
//! Announcements go into [`Bidder::announced`], everything else into [`Bidder::handle`]; what is to
//! be done comes out of [`Bidder::poll_output`], in order: whatever follows an [`Output::Write`]
//! rests on it and waits until it is durable.

mod bidding;
mod budget;
mod held;
mod job;
mod jobs;
mod lease;
mod terms;

use std::collections::{BTreeMap, VecDeque};

use realm_protocol::{
    BroadcastId, Digest, FailureCode, LoopId, Now, Place, RunId, Tick,
    broadcast::{
        Award, Bid, Confirm, ConfirmAnswer, Lease, MILLION, Outcome, OutcomeAck, Price, Stopped,
        Withdraw, WorkProgress,
    },
    budget::{Budget, Spend},
    cbor::Blob,
    limits,
};
use serde_json::Value;

pub use bidding::Heard;
pub use budget::{Day, DayBudget};
pub use held::{Acked, Begun, Given, Held, Reserved};
pub use terms::{Agent, Evaluate, Figure, NoBid, Offer, Quote, Terms};

use crate::resend::Resend;

use bidding::Round;
use budget::Reservations;
use job::{Job, State, Won};
use jobs::Jobs;

/// One agent's part in one broadcast.
type JobId = (BroadcastId, LoopId);

/// What a worker gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Output, JSON, that matches the agent's own contract.
    pub output: Blob,
    /// How sure the agent is of it, in millionths; none for as sure as its bid.
    pub confidence: Option<u64>,
    /// What it cost; none for nothing.
    pub charged: Option<Price>,
    /// The run that did it.
    pub run: RunId,
}

/// Whether a realm would take the work that it is awarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It would.
    Granted,
    /// Policy no longer permits it.
    Denied,
    /// It can take no other call of the announcer's tree.
    Full,
}

/// What happens to a bidder. Senders are those whose signature on the envelope was verified.
#[derive(Clone, Debug)]
pub enum Input {
    /// An agent that was asked has answered.
    Answered {
        /// The broadcast.
        broadcast: BroadcastId,
        /// The round that it was asked about.
        round: u64,
        /// The agent.
        agent: LoopId,
        /// What it offers; none if it would not.
        offer: Option<Offer>,
    },
    /// A bid has won.
    Award {
        /// Who sent it.
        from: Place,
        /// The award.
        award: Award,
        /// Whether the realm would take the work.
        admission: Admission,
    },
    /// A lease came.
    Lease {
        /// Who sent it.
        from: Place,
        /// The lease.
        lease: Lease,
    },
    /// An award or a lease is taken back.
    Withdraw {
        /// Who sent it.
        from: Place,
        /// What is taken back.
        withdraw: Withdraw,
    },
    /// An announcer has closed a broadcast, and gives nothing of it any more.
    Closed {
        /// Who sent it.
        from: Place,
        /// Which.
        broadcast: BroadcastId,
    },
    /// The announcer has the outcome.
    Ack {
        /// Who sent it.
        from: Place,
        /// Which.
        ack: OutcomeAck,
    },
    /// The work has come so far.
    Progressed {
        /// Digest of the bid.
        bid: Digest,
        /// How far, in millionths.
        done: u64,
    },
    /// The work has ended.
    Worked {
        /// Digest of the bid.
        bid: Digest,
        /// How.
        result: Result<Work, FailureCode>,
        /// What it and all that it caused have used; none where nobody knows.
        spent: Option<Spend>,
        /// What was heard from those that worked for it in turn, where it was told to stop.
        below: Option<Stopped>,
    },
    /// The work was refused before any of it had begun.
    Refused {
        /// Digest of the bid.
        bid: Digest,
        /// Why.
        why: FailureCode,
    },
}

/// Work whose lease has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Who announced it.
    pub announcer: Place,
    /// The slot that it won.
    pub slot: u64,
    /// Digest of the bid that won it.
    pub bid: Digest,
    /// The agent.
    pub agent: LoopId,
    /// Idempotency key.
    pub key: Digest,
    /// Input, JSON.
    pub input: Blob,
    /// When the first lease ends.
    pub until: Tick,
    /// How long the work may take in all, milliseconds.
    pub execution_ms: u64,
    /// How many calls and broadcasts led to the announcement.
    pub depth: u64,
    /// What it and all that it causes may use; none for no bound.
    pub budget: Option<Budget>,
}

/// What a bidder wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// To be durable before anything that follows is done.
    Write(Box<Held>),
    /// What an agent's confirmed bids of a day come to; to be durable as well, in place of what was
    /// written before.
    Reserve(Day),
    /// An agent is to be asked for its offer.
    Ask {
        /// The broadcast.
        broadcast: BroadcastId,
        /// The round.
        round: u64,
        /// The agent.
        agent: LoopId,
        /// What it is asked about: the announcement, and the bidder's own load and budget.
        facts: Box<Value>,
        /// How long it has, milliseconds.
        limit_ms: u64,
        /// How many calls and broadcasts led to the announcement.
        depth: u64,
    },
    /// A bid is to be signed, sealed and sent to the announcer.
    Bid {
        /// The announcer.
        to: Place,
        /// The bid.
        bid: Box<Bid>,
    },
    /// An agent does not bid.
    NoBid {
        /// The broadcast.
        broadcast: BroadcastId,
        /// The agent; none where no agent was looked at.
        agent: Option<LoopId>,
        /// Why.
        why: NoBid,
    },
    /// All agents have decided about an announcement.
    Decided {
        /// The broadcast.
        broadcast: BroadcastId,
        /// The round.
        round: u64,
        /// How many bids were sent.
        bids: u64,
    },
    /// The answer to an award is to be signed and sent.
    Confirm {
        /// The announcer.
        to: Place,
        /// The answer.
        confirm: Confirm,
    },
    /// Work is to begin.
    Work(Box<Assignment>),
    /// Work is to stop at once.
    Stop {
        /// Digest of the bid.
        bid: Digest,
        /// How long those that work for it in turn may take to say that they have stopped, milliseconds; 0
        /// where nobody waits for their word.
        waits_ms: u64,
    },
    /// The announcer is told how far the work is.
    Progress {
        /// The announcer.
        to: Place,
        /// Digest of the bid.
        bid: Digest,
        /// How far; what the work has announced in its turn is for the caller to add.
        progress: WorkProgress,
    },
    /// An outcome is to be signed and sent with the output.
    Deliver {
        /// The announcer.
        to: Place,
        /// The outcome.
        outcome: Box<Outcome>,
        /// Output, JSON, if there is one.
        output: Option<Blob>,
    },
}

/// A realm as a bidder.
#[derive(Clone, Debug)]
pub struct Bidder {
    me: Place,
    /// Slots that may be worked on at a time.
    capacity: u64,
    /// How long a bid holds, milliseconds.
    holds_ms: u64,
    jobs: Jobs,
    /// The highest epoch that was confirmed of each slot, by whichever agent, of broadcasts with jobs.
    confirmed: BTreeMap<(BroadcastId, u64), u64>,
    reservations: Reservations,
    rounds: BTreeMap<BroadcastId, Round>,
    realm_load: u64,
    outputs: VecDeque<Output>,
}

impl Bidder {
    /// Takes who bids, how many slots it works on at a time, and how long its bids hold.
    pub fn new(me: Place, capacity: u64, holds_ms: u64) -> Self {
        Self {
            me,
            capacity,
            holds_ms: holds_ms.clamp(1, limits::BID_MS),
            jobs: Jobs::default(),
            confirmed: BTreeMap::new(),
            reservations: Reservations::default(),
            rounds: BTreeMap::new(),
            realm_load: 0,
            outputs: VecDeque::new(),
        }
    }

    /// How busy it is, in millionths of its capacity; as busy as its realm is, where that is more.
    pub fn load(&self) -> u64 {
        let busy = self.jobs.busy().saturating_mul(MILLION);
        let load = busy.checked_div(self.capacity).unwrap_or(MILLION);
        load.max(self.realm_load).min(MILLION)
    }

    /// How busy its realm is with all that it does, in millionths.
    pub fn set_realm_load(&mut self, load: u64) {
        self.realm_load = load;
    }

    /// Whether it has bid for a broadcast, and is not done with it.
    pub fn takes_part(&self, broadcast: BroadcastId) -> bool {
        self.jobs.are_of(broadcast)
    }

    /// The agent whose bid it is, if the bid is out or has won.
    pub fn agent_of(&self, bid: Digest) -> Option<&LoopId> {
        self.job_of_bid(&bid).map(|(_, job)| &job.agent)
    }

    /// Takes up what an agent had confirmed of a day before a restart.
    pub fn take_up(&mut self, day: Day) {
        self.reservations.take_up(day);
    }

    /// The price of a bid that has won, while its work is not done.
    pub fn price_of(&self, bid: Digest) -> Option<&Price> {
        self.job_of_bid(&bid)?.1.won()?.price.as_ref()
    }

    /// The announcers of bids that are confirmed and have no lease yet.
    pub fn reserved(&self) -> impl Iterator<Item = &Place> {
        let jobs = self.jobs.iter().map(|(_, job)| job);
        let reserved = jobs.filter(|job| matches!(job.state, State::Reserved { .. }));
        reserved.map(|job| &job.announcer)
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Bids from another place from now on; what is under way stays.
    pub fn move_to(&mut self, me: Place) {
        self.me = me;
    }

    /// When [`Bidder::handle_timeout`] is to be called next.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.jobs.iter().map(|(_, job)| job.until()).min()
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Answered {
                broadcast,
                round,
                agent,
                offer,
            } => self.answered(&(broadcast, agent), round, offer, now),
            Input::Award {
                from,
                award,
                admission,
            } => self.award(&from, &award, admission, now),
            Input::Lease { from, lease } => self.lease(&from, lease, now),
            Input::Withdraw { from, withdraw } => self.withdraw(&from, &withdraw, now),
            Input::Closed { from, broadcast } => self.closed(&from, broadcast, now),
            Input::Ack { from, ack } => self.ack(&from, &ack, now),
            Input::Progressed { bid, done } => self.progressed(&bid, done),
            Input::Worked {
                bid,
                result,
                spent,
                below,
            } => self.worked(&bid, result, (spent, below), now),
            Input::Refused { bid, why } => self.refused(&bid, why, now),
        }
    }

    /// Answers an award: room is kept from here on, not before.
    fn award(&mut self, from: &Place, award: &Award, admission: Admission, now: Now) {
        let answer = match self.job_of_bid(&award.bid) {
            None => ConfirmAnswer::Unknown,
            Some((_, job)) if job.announcer.realm != from.realm => return,
            Some((id, _)) if id.0 != award.broadcast => ConfirmAnswer::Unknown,
            Some((id, job)) => {
                let (id, answer) = (id.clone(), self.answer(job, award, admission, now));
                if answer == ConfirmAnswer::Reserved {
                    self.reserve(&id, award, now);
                }
                answer
            }
        };
        let confirm = Confirm {
            broadcast: award.broadcast,
            slot: award.slot,
            epoch: award.epoch,
            bid: award.bid,
            answer,
        };
        let to = from.clone();
        self.outputs.push_back(Output::Confirm { to, confirm });
    }

    fn answer(&self, job: &Job, award: &Award, admission: Admission, now: Now) -> ConfirmAnswer {
        let confirmed = self.confirmed.get(&(award.broadcast, award.slot));
        if confirmed.is_some_and(|epoch| award.epoch < *epoch) {
            return ConfirmAnswer::Stale;
        }
        match &job.state {
            State::Offered { .. } if admission == Admission::Denied => ConfirmAnswer::Refused,
            State::Offered { until, .. } if *until <= now.tick => ConfirmAnswer::Expired,
            State::Offered { bid, .. }
                if admission == Admission::Full
                    || self.jobs.busy() >= self.capacity
                    || !self.affords(job, bid.price.as_ref(), now) =>
            {
                ConfirmAnswer::Busy
            }
            State::Offered { .. } => ConfirmAnswer::Reserved,
            State::Reserved { won, .. } | State::Working { won, .. }
                if (won.slot, won.epoch) == (award.slot, award.epoch) =>
            {
                ConfirmAnswer::Reserved
            }
            _ => ConfirmAnswer::Stale,
        }
    }

    /// Whether the agent's budget has room for what it bids.
    fn affords(&self, job: &Job, price: Option<&Price>, now: Now) -> bool {
        let (Some(budget), Some(price)) = (&job.budget, price) else {
            return true;
        };
        self.reservations
            .has_room(&job.agent, budget, price, now.wall)
    }

    /// The job that a bid is out for, or that a bid has won a slot for.
    fn job_of_bid(&self, bid: &Digest) -> Option<(&JobId, &Job)> {
        self.jobs.iter().find(|(_, job)| match &job.state {
            State::Offered { digest, .. } => digest == bid,
            State::Ended { outcome, .. } => outcome.bid == *bid,
            _ => job.won().is_some_and(|won| won.bid == *bid),
        })
    }

    fn reserve(&mut self, id: &JobId, award: &Award, now: Now) {
        let Some(job) = self.jobs.get(id) else {
            return;
        };
        // The same award again changes nothing: the time runs from the first answer.
        let State::Offered { bid, .. } = &job.state else {
            return;
        };
        let price = bid.price.clone();
        let reserved = Reserved {
            broadcast: award.broadcast,
            slot: award.slot,
            epoch: award.epoch,
            bid: award.bid,
            agent: job.agent.clone(),
            announcer: job.announcer.clone(),
            at: now.wall,
            price: price.clone(),
            work: job.work.name,
        };
        let agent = job.agent.clone();
        let day = price
            .as_ref()
            .map(|price| self.reservations.reserve(&agent, price, now.wall));
        let won = Won {
            slot: award.slot,
            epoch: award.epoch,
            bid: award.bid,
            confirmed: now.tick,
            price,
            at: now.wall,
            budget: award.budget,
        };
        let waits = award.confirm_ms.saturating_mul(2).min(limits::BID_MS);
        let state = State::Reserved {
            won,
            until: now.tick.plus(waits),
            again: Resend::new(now.tick, award.confirm_ms),
        };
        self.become_state(id, state);
        self.confirm_epoch(&reserved);
        self.write(reserved);
        self.outputs.extend(day.map(Output::Reserve));
    }

    /// Remembers what an award that comes late must not be below, as long as it can have a bid.
    fn confirm_epoch(&mut self, reserved: &Reserved) {
        let epoch = self.confirmed.entry((reserved.broadcast, reserved.slot));
        let epoch = epoch.or_default();
        *epoch = reserved.epoch.max(*epoch);
        let jobs = &self.jobs;
        self.confirmed.retain(|(of, _), _| jobs.are_of(*of));
    }

    fn write(&mut self, entry: impl Into<Held>) {
        self.outputs
            .push_back(Output::Write(Box::new(entry.into())));
    }
}

#[cfg(test)]
mod tests;
