//! From the lease to the acknowledged outcome.

use std::collections::BTreeMap;

use realm_protocol::{
    BroadcastId, Digest, FailureCode, Now, Place, Tick,
    broadcast::{
        Confirm, ConfirmAnswer, Lease, LeaseEnd, MILLION, Outcome, OutcomeAck, Stopped, Withdraw,
        WorkProgress,
    },
    budget::Spend,
    cbor::Blob,
    limits,
};

use super::{
    Assignment, Bidder, JobId, Output, Work,
    held::{Acked, Begun, Given, Held, Reserved},
    job::{self, Announced, Job, State, Won},
};
use crate::{resend::Resend, work::slot_key};

/// How long an outcome waits for its acknowledgement before it is sent again the first time,
/// milliseconds; each time twice as long.
const RESEND_MS: u64 = 1_000;
/// How long a job that is over is remembered, so that what comes late is not taken for something
/// new, milliseconds.
const REMEMBER_MS: u64 = 2 * limits::BID_MS;

impl Bidder {
    pub(super) fn lease(&mut self, from: &Place, lease: Lease, now: Now) {
        let Some((id, job)) = self.job_at(from, lease.broadcast, lease.slot, lease.epoch) else {
            return;
        };
        let (id, job) = (id.clone(), job.clone());
        match job.state {
            State::Reserved { won, .. } if lease.answers == 0 => {
                self.begin(&id, (job.announcer, job.work), won, lease, now);
            }
            State::Working {
                won,
                lease: mut held,
            } => {
                if !held.renew(lease.answers, lease.lease_ms) {
                    held.ask_again(now.tick);
                }
                self.become_state(&id, State::Working { won, lease: held });
            }
            _ => {}
        }
    }

    /// Begins the work, if the lease has time left and is for it.
    fn begin(
        &mut self,
        id: &JobId,
        (announcer, work): (Place, Announced),
        won: Won,
        lease: Lease,
        now: Now,
    ) {
        let key = slot_key(lease.broadcast, work.name, lease.slot);
        let Some(input) = lease.input.filter(|_| lease.key == key) else {
            return;
        };
        // Counted from the confirmation, the lease is over here before it is for the announcer.
        let until = won.confirmed.plus(lease.lease_ms);
        if until <= now.tick {
            self.give(id, LeaseEnd::NotBegun, Err(FailureCode::Timeout), None, now);
            return;
        }
        let (bid, budget) = (won.bid, won.budget);
        let held = job::Held {
            until,
            lease_ms: lease.lease_ms,
            sent: BTreeMap::from([(0, won.confirmed)]),
            next: won.confirmed.plus(lease.lease_ms / 2).max(now.tick),
            done: 0,
            stops: None,
            below: None,
        };
        self.become_state(id, State::Working { won, lease: held });
        self.write(Begun { bid, at: now.wall });
        self.outputs.push_back(Output::Work(Box::new(Assignment {
            broadcast: id.0,
            announcer,
            slot: lease.slot,
            bid,
            agent: id.1.clone(),
            key,
            input,
            until,
            execution_ms: work.execution_ms,
            depth: work.depth,
            budget,
        })));
    }

    pub(super) fn become_state(&mut self, id: &JobId, state: State) {
        self.jobs.change(id, |it| *it = state);
    }

    /// The job that holds a slot of an announcer's broadcast in this epoch.
    fn job_at(
        &self,
        from: &Place,
        broadcast: BroadcastId,
        slot: u64,
        epoch: u64,
    ) -> Option<(&JobId, &Job)> {
        self.jobs.iter().find(|((of, _), job)| {
            let holds = job
                .won()
                .is_some_and(|won| (won.slot, won.epoch) == (slot, epoch));
            let ended = match &job.state {
                State::Ended { outcome, .. } => (outcome.slot, outcome.epoch) == (slot, epoch),
                _ => false,
            };
            *of == broadcast && job.announcer.realm == from.realm && (holds || ended)
        })
    }

    pub(super) fn withdraw(&mut self, from: &Place, it: &Withdraw, now: Now) {
        let Some((id, job)) = self.job_at(from, it.broadcast, it.slot, it.epoch) else {
            return;
        };
        let id = id.clone();
        match job.state {
            State::Reserved { .. } => {
                self.give(
                    &id,
                    LeaseEnd::NotBegun,
                    Err(FailureCode::Cancelled),
                    None,
                    now,
                );
            }
            State::Working { .. } => self.wind_up(&id, it.waits_ms.unwrap_or(0), now),
            _ => {}
        }
    }

    /// Stops the work, and says so once it has, or after most of the time that its announcer waits.
    fn wind_up(&mut self, id: &JobId, waits_ms: u64, now: Now) {
        let waits_ms = most(waits_ms.min(limits::WITHDRAW_MS));
        if waits_ms == 0 {
            return self.stop(id, FailureCode::Cancelled, now);
        }
        let stopped = self.jobs.change(id, |state| match state {
            State::Working { won, lease } if lease.stops.is_none() => {
                lease.stops = Some(now.tick.plus(waits_ms));
                Some(won.bid)
            }
            _ => None,
        });
        if let Some(bid) = stopped.flatten() {
            let waits_ms = most(waits_ms);
            self.outputs.push_back(Output::Stop { bid, waits_ms });
        }
    }

    /// Stops the work and says so.
    fn stop(&mut self, id: &JobId, why: FailureCode, now: Now) {
        let won = self.jobs.get(id).and_then(Job::won);
        if let Some(bid) = won.map(|won| won.bid) {
            self.outputs.push_back(Output::Stop { bid, waits_ms: 0 });
            self.give(id, LeaseEnd::Failed, Err(why), None, now);
        }
    }

    pub(super) fn progressed(&mut self, bid: &Digest, done: u64) {
        self.working(bid, |lease| lease.done = done.min(MILLION));
    }

    /// The job that has won a slot with a bid.
    fn worker(&self, bid: &Digest) -> Option<JobId> {
        let mut jobs = self.jobs.iter();
        let (id, _) = jobs.find(|(_, job)| job.won().is_some_and(|won| won.bid == *bid))?;
        Some(id.clone())
    }

    /// Changes the lease of the job that works for a bid; none where none does.
    fn working<T>(
        &mut self,
        bid: &Digest,
        change: impl FnOnce(&mut job::Held) -> T,
    ) -> Option<(JobId, T)> {
        let id = self.worker(bid)?;
        let changed = self.jobs.change(&id, |state| match state {
            State::Working { lease, .. } => Some(change(lease)),
            _ => None,
        });
        Some((id, changed??))
    }

    pub(super) fn worked(
        &mut self,
        bid: &Digest,
        result: Result<Work, FailureCode>,
        (spent, below): (Option<Spend>, Option<Stopped>),
        now: Now,
    ) {
        let worked = self.working(bid, |lease| {
            lease.below = below;
            lease.stops.is_some()
        });
        let Some((id, stops)) = worked else {
            return;
        };
        let result = match stops {
            false => result,
            true => Err(FailureCode::Cancelled),
        };
        let end = match result {
            Ok(_) => LeaseEnd::Done,
            Err(_) => LeaseEnd::Failed,
        };
        self.give(&id, end, result, spent, now);
    }

    /// Gives a slot back whose work has not begun: the next bidder may have it.
    pub(super) fn refused(&mut self, bid: &Digest, why: FailureCode, now: Now) {
        if let Some((id, ())) = self.working(bid, |_| ()) {
            self.give(&id, LeaseEnd::NotBegun, Err(why), None, now);
        }
    }

    /// Gives a slot back with its outcome.
    fn give(
        &mut self,
        id: &JobId,
        end: LeaseEnd,
        result: Result<Work, FailureCode>,
        spent: Option<Spend>,
        now: Now,
    ) {
        let Some(won) = self.jobs.get(id).and_then(Job::won).cloned() else {
            return;
        };
        if let (LeaseEnd::NotBegun, Some(price)) = (end, &won.price) {
            let day = self.reservations.release(&id.1, price, won.at);
            self.outputs.extend(day.map(Output::Reserve));
        }
        let below = match self.jobs.get(id).map(|job| &job.state) {
            Some(State::Working { lease, .. }) => lease.below,
            _ => None,
        };
        let (work, failure) = match result {
            Ok(work) => (Some(work), None),
            Err(code) => (None, Some(code)),
        };
        let outcome = Outcome {
            broadcast: id.0,
            slot: won.slot,
            epoch: won.epoch,
            bid: won.bid,
            end,
            output: work.as_ref().map(|work| Digest::of(&[&work.output])),
            failure,
            confidence: work.as_ref().and_then(|work| work.confidence),
            charged: work.as_ref().and_then(|work| work.charged.clone()),
            run: work.as_ref().map(|work| work.run),
            created: now.wall,
            // What the work cost its owner is nobody else's matter.
            spent: spent.map(|spent| Spend {
                money: Vec::new(),
                unpriced: 0,
                ..spent
            }),
            below,
        };
        let output = work.map(|work| work.output);
        self.write(Given {
            outcome: outcome.clone(),
            output: output.clone(),
        });
        self.become_ended(id, outcome, output, now.tick);
    }

    /// Sends an outcome, and will send it again.
    fn become_ended(&mut self, id: &JobId, outcome: Outcome, output: Option<Blob>, now: Tick) {
        let ended = State::Ended {
            outcome: Box::new(outcome),
            output,
            sends: 0,
            next: now,
        };
        self.become_state(id, ended);
        self.send_outcome(id, now);
    }

    fn send_outcome(&mut self, id: &JobId, now: Tick) {
        let Some(job) = self.jobs.get(id) else {
            return;
        };
        let State::Ended {
            outcome,
            output,
            sends,
            ..
        } = &job.state
        else {
            return;
        };
        let (bid, sent) = (outcome.bid, *sends);
        if sent >= limits::OUTCOME_SENDS {
            self.become_over(id, now);
            return self.write(Acked { bid });
        }
        self.outputs.push_back(Output::Deliver {
            to: job.announcer.clone(),
            outcome: outcome.clone(),
            output: output.clone(),
        });
        let waits = RESEND_MS.checked_shl(sent).unwrap_or(u64::MAX);
        self.jobs.change(id, |state| {
            if let State::Ended { sends, next, .. } = state {
                (*sends, *next) = (sent.saturating_add(1), now.plus(waits));
            }
        });
    }

    pub(super) fn ack(&mut self, from: &Place, ack: &OutcomeAck, now: Now) {
        let Some((id, job)) = self.job_at(from, ack.broadcast, ack.slot, ack.epoch) else {
            return;
        };
        let id = id.clone();
        if let State::Ended { outcome, .. } = &job.state {
            let bid = outcome.bid;
            self.write(Acked { bid });
            self.become_over(&id, now.tick);
        }
    }

    /// Remembers for a while that a job is over; the oldest is forgotten where there are too many.
    pub(super) fn become_over(&mut self, id: &JobId, now: Tick) {
        let until = now.plus(REMEMBER_MS);
        self.become_state(id, State::Over { until });
        if self.jobs.over() > limits::OFFERS {
            let over = self.jobs.iter().filter(|(_, job)| !job.is_open());
            let oldest = over.min_by_key(|(_, job)| job.until());
            let oldest = oldest.map(|(id, _)| id.clone());
            oldest.iter().for_each(|id| self.jobs.remove(id));
        }
    }

    /// Does what its time has come for.
    pub fn handle_timeout(&mut self, now: Now) {
        let due = self.jobs.iter().filter(|(_, job)| job.until() <= now.tick);
        let due: Vec<JobId> = due.map(|(id, _)| id.clone()).collect();
        for id in due {
            self.time_out(&id, now);
        }
    }

    fn time_out(&mut self, id: &JobId, now: Now) {
        let state = self.jobs.get(id).map(|job| job.state.clone());
        match state {
            Some(State::Asking { announcement, .. }) => {
                self.answered(id, announcement.round, None, now);
            }
            Some(State::Offered { .. } | State::Over { .. }) => {
                self.jobs.remove(id);
            }
            Some(State::Reserved { until, .. }) if until <= now.tick => {
                self.give(id, LeaseEnd::NotBegun, Err(FailureCode::Timeout), None, now);
            }
            Some(State::Reserved { won, .. }) => self.confirm_again(id, &won, now),
            Some(State::Working { lease, .. }) if lease.until <= now.tick => {
                self.stop(id, FailureCode::Timeout, now);
            }
            Some(State::Working { lease, .. }) if lease.stops.is_some() => {
                let late = Err(FailureCode::Cancelled);
                self.give(id, LeaseEnd::Failed, late, None, now);
            }
            Some(State::Working { won, lease }) => self.send_progress(id, won, lease, now),
            Some(State::Ended { .. }) => self.send_outcome(id, now.tick),
            None => {}
        }
    }

    /// Says once more that it has reserved: its lease may have been lost, or the confirmation itself.
    fn confirm_again(&mut self, id: &JobId, won: &Won, now: Now) {
        let is_due = self.jobs.change(id, |state| match state {
            State::Reserved { again, .. } => again.is_due(now.tick),
            _ => false,
        });
        let announcer = self.jobs.get(id).map(|job| job.announcer.clone());
        if let (Some(to), Some(true)) = (announcer, is_due) {
            let confirm = Confirm {
                broadcast: id.0,
                slot: won.slot,
                epoch: won.epoch,
                bid: won.bid,
                answer: ConfirmAnswer::Reserved,
            };
            self.outputs.push_back(Output::Confirm { to, confirm });
        }
    }

    /// Says that it works, and so asks for more time.
    fn send_progress(&mut self, id: &JobId, won: Won, mut lease: job::Held, now: Now) {
        let Some(to) = self.jobs.get(id).map(|job| job.announcer.clone()) else {
            return;
        };
        let progress = WorkProgress {
            broadcast: id.0,
            slot: won.slot,
            epoch: won.epoch,
            number: lease.send(now.tick),
            done: lease.done,
            offshoots: None,
        };
        let bid = won.bid;
        self.become_state(id, State::Working { won, lease });
        self.outputs
            .push_back(Output::Progress { to, bid, progress });
    }

    /// Goes on after a restart from what was written down. What was reserved is given back, what
    /// had begun has failed, and what was given is sent again.
    pub fn resume(&mut self, entries: impl IntoIterator<Item = Held>, now: Now) {
        for entry in entries {
            match entry {
                Held::Reserved(it) => self.restore(it, now.tick),
                Held::Begun(it) => self.restore_begun(&it.bid, now.tick),
                Held::Given(it) => self.restore_given(it, now.tick),
                Held::Acked(it) => {
                    let id = self.job_of_bid(&it.bid).map(|(id, _)| id.clone());
                    id.iter().for_each(|id| self.jobs.remove(id));
                }
            }
        }
        let jobs: Vec<JobId> = self.jobs.iter().map(|(id, _)| id.clone()).collect();
        for id in jobs {
            match self.jobs.get(&id).map(|job| &job.state) {
                Some(State::Reserved { .. }) => {
                    self.give(
                        &id,
                        LeaseEnd::NotBegun,
                        Err(FailureCode::Cancelled),
                        None,
                        now,
                    );
                }
                Some(State::Working { .. }) => {
                    self.give(
                        &id,
                        LeaseEnd::Failed,
                        Err(FailureCode::LoopFailed),
                        None,
                        now,
                    );
                }
                _ => self.send_outcome(&id, now.tick),
            }
        }
    }

    fn restore(&mut self, it: Reserved, now: Tick) {
        let confirmed = it.clone();
        let won = Won {
            slot: it.slot,
            epoch: it.epoch,
            bid: it.bid,
            confirmed: now,
            price: it.price.clone(),
            at: it.at,
            budget: None,
        };
        let job = Job {
            announced: None,
            // Nothing of it begins any more.
            work: Announced::default(),
            announcer: it.announcer,
            agent: it.agent.clone(),
            budget: None,
            state: State::Reserved {
                won,
                until: now,
                again: Resend::new(now, 0),
            },
        };
        self.jobs.insert((it.broadcast, it.agent), job);
        self.confirm_epoch(&confirmed);
    }

    fn restore_begun(&mut self, bid: &Digest, now: Tick) {
        let Some(id) = self.worker(bid) else {
            return;
        };
        let Some(won) = self.jobs.get(&id).and_then(Job::won).cloned() else {
            return;
        };
        let lease = job::Held {
            until: now,
            lease_ms: 0,
            sent: BTreeMap::new(),
            next: now,
            done: 0,
            stops: None,
            below: None,
        };
        self.become_state(&id, State::Working { won, lease });
    }

    fn restore_given(&mut self, it: Given, now: Tick) {
        let id = self.job_of_bid(&it.outcome.bid).map(|(id, _)| id.clone());
        if let Some(id) = id {
            let ended = State::Ended {
                outcome: Box::new(it.outcome),
                output: it.output,
                sends: 0,
                next: now,
            };
            self.become_state(&id, ended);
        }
    }
}

/// What of a wait is left to those below, so that whoever waits hears the end of it in time.
const fn most(waits_ms: u64) -> u64 {
    waits_ms.saturating_sub(waits_ms / 8)
}
