//! What an entry means: the announcer becomes what it says, now or after a restart.

use realm_protocol::{Now, Tick, Timestamp, broadcast::Offshoots, json, limits};

use super::{
    Announcer, Fate, Output, Phase, Plan, PlanError,
    outcome::code,
    slot::{Given, Last, Slot, State},
};
use crate::{
    log::{Awarded, BidsClosed, CloseCause, End, Ended, Entry, Leased},
    rank::{Scale, rank},
    resend::Resend,
    scope::Tallying,
    select::select,
};

/// The most renewals in the time of one lease.
const RENEWALS: u64 = 8;

/// How long holders are waited for after a restart at the least, milliseconds: as long as they wait
/// before they send an outcome for the sixth time, and some more.
const HEARD_AGAIN_MS: u64 = 20_000;

impl Announcer {
    /// Goes on with a broadcast from what was written down of it. Whatever may have been lost on
    /// its way out is said again.
    ///
    /// # Errors
    /// [`PlanError`] where the plan is none, or the entries are not of a broadcast planned so.
    pub fn resume(
        plan: Plan,
        entries: impl IntoIterator<Item = Entry>,
        now: Now,
    ) -> Result<Self, PlanError> {
        let mut announcer = Self::new(plan)?;
        let mut entries = entries.into_iter();
        match entries.next() {
            Some(Entry::Planned(planned)) if planned == announcer.plan.entry() => {}
            _ => return Err(PlanError::Log),
        }
        let (mut announced, mut cut) = (false, false);
        for entry in entries {
            announced |= matches!(entry, Entry::Announced(_));
            cut |= matches!(&entry, Entry::BidsClosed(it) if it.cause == CloseCause::Cancelled);
            announcer.apply(&entry, now);
        }
        announcer.wait_for_holders(now);
        announcer.heard_before = announcer.intake.has_counted();
        if cut && matches!(announcer.phase, Phase::Working { .. }) {
            announcer.cancel(0, now);
        } else if announced {
            announcer.say_again(now);
        } else {
            announcer.announce(1, now);
            announcer.close_if_complete(now);
        }
        Ok(announcer)
    }

    /// Gives whoever holds a lease the time to say again what nobody could hear.
    fn wait_for_holders(&mut self, now: Now) {
        let least = now.tick.plus(HEARD_AGAIN_MS);
        for (number, slot) in (0_u64..).zip(&mut self.slots) {
            if let State::Leased { until, .. } = &mut slot.state {
                if *until <= now.tick {
                    self.unheard.insert((number, slot.epoch));
                }
                *until = least.max(*until);
            }
        }
    }

    /// Says again what may not have left before the restart, and goes on.
    fn say_again(&mut self, now: Now) {
        if let Phase::Finished(_) = self.phase {
            self.say_finished();
            return;
        }
        // Tallies were not written down: they are asked for again with the announcement.
        self.pass_on();
        for number in 0..self.slots.len() {
            let state = self.slots.get(number).map(|slot| slot.state.clone());
            match (state, &self.phase) {
                (Some(State::Awarded { .. } | State::Leased { .. }), Phase::Withdrawing { .. }) => {
                    self.withdraw(number);
                }
                (Some(State::Awarded { .. }), _) => self.send_award(number),
                (
                    Some(State::Leased {
                        answers, lease_ms, ..
                    }),
                    _,
                ) => self.send_lease(number, answers, lease_ms),
                (Some(State::Asking { .. }), _) => self.ask(number),
                _ => {}
            }
        }
        self.close_if_complete(now);
        self.go_on(now);
    }

    /// Becomes what an entry says.
    pub(super) fn apply(&mut self, entry: &Entry, now: Now) {
        match entry {
            Entry::Planned(_) | Entry::Proved(_) => {}
            Entry::Announced(it) => self.apply_announced(it.round, it.at, now),
            Entry::Counted(it) => {
                let early = self.announcement().rule.early;
                self.intake.count(it, early.as_ref());
            }
            Entry::BidsClosed(it) => self.apply_closed(it, now),
            Entry::Awarded(it) => self.apply_awarded(it, now),
            Entry::Answered(it) => {
                let state = if it.is_reserved() {
                    State::Reserved
                } else {
                    self.purse.release((it.slot, it.epoch));
                    State::Open
                };
                self.become_at(it.slot, it.epoch, state);
            }
            Entry::Leased(it) => self.apply_leased(it, now),
            Entry::Ended(it) => self.apply_ended(it, now),
            Entry::Decided(it) => {
                let state = if it.again { State::Open } else { State::Over };
                self.become_at(it.slot, it.epoch, state);
            }
            Entry::Unused(it) => {
                if let Ok(outcome) = it.delivered.outcome.peek() {
                    let paid = self.worth_of(it) == Some(End::Result);
                    self.unused.insert((outcome.slot, outcome.epoch));
                    self.purse.settle_unused(&outcome, paid);
                }
                self.heard.insert(it.delivered.outcome.digest());
            }
            Entry::Cancelled(it) => {
                let slots = (0_u64..).zip(&self.slots);
                let leased = slots.filter(|(_, slot)| slot.is_leased());
                self.withdrawn = leased.map(|(number, _)| number).collect();
                self.phase = Phase::Withdrawing {
                    until: left(limits::WITHDRAW_MS, it.at, now),
                    again: Resend::new(now.tick, limits::WITHDRAW_MS),
                };
            }
            Entry::Finished(it) => {
                self.finished = it.at;
                self.phase = Phase::Finished(Box::new(it.conclusion.clone()));
            }
        }
    }

    fn apply_announced(&mut self, round: u64, at: Timestamp, now: Now) {
        let round = usize::try_from(round.saturating_sub(1)).unwrap_or(usize::MAX);
        let round = round.min(self.rounds.len().saturating_sub(1));
        let until = left(self.announcement().window_ms, at, now);
        self.phase = Phase::Bidding { round, until };
        self.last_round = round;
        self.intake.begin_round();
        if let Some(planned) = self.plan.rounds.get(round) {
            let announcement = self.announcement();
            let here = announcement.announcer.scope();
            self.tallying = Tallying::new(announcement, &here, false, &planned.fan, until);
        }
    }

    fn apply_closed(&mut self, closed: &BidsClosed, now: Now) {
        let announcement = self.announcement();
        let (rule, scale) = (announcement.rule, Scale::of(announcement));
        let until = left(announcement.execution_ms, closed.at, now);
        let candidates = self.intake.candidates();
        self.ranking = rank(&candidates, &rule, &scale, &self.plan.secret);
        let winners = select(&self.ranking, &rule).map_or(0, |selected| selected.winners.len());
        self.slots = vec![Slot::default(); winners];
        self.closed = closed.at;
        self.phase = Phase::Working { until };
    }

    fn apply_awarded(&mut self, awarded: &Awarded, now: Now) {
        let (slot, epoch) = (awarded.slot, awarded.epoch);
        self.fates
            .insert(awarded.bid, Fate::Declined { slot, epoch });
        let until = now.tick.plus(self.plan.confirm_ms);
        let price = self.intake.get(&awarded.bid);
        let price = price.and_then(|entrant| entrant.bid.price.as_ref());
        let given = awarded.budget.unwrap_or_default();
        self.purse.set_aside((slot, epoch), price, given);
        let again = Resend::new(now.tick, self.plan.confirm_ms);
        if let Some(slot) = self.slot_mut(awarded.slot) {
            slot.epoch = awarded.epoch;
            slot.holder = Some(awarded.bid);
            slot.awarded = awarded.at;
            slot.done = 0;
            slot.offshoots = Offshoots::default();
            slot.state = State::Awarded { until, again };
        }
    }

    fn apply_leased(&mut self, leased: &Leased, now: Now) {
        let lasts = leased.lease_ms.saturating_add(limits::LEASE_GRACE_MS);
        self.become_fate(leased.slot, leased.epoch, None);
        self.unheard.remove(&(leased.slot, leased.epoch));
        let until = left(lasts, leased.at, now);
        let state = State::Leased {
            until,
            answers: leased.answers,
            lease_ms: leased.lease_ms,
            renewable: renewable(until, leased.lease_ms),
            sends: 1,
        };
        self.become_at(leased.slot, leased.epoch, state);
    }

    fn apply_ended(&mut self, ended: &Ended, now: Now) {
        let delivered = ended.delivered.as_ref();
        let digest = delivered.map(|it| it.outcome.digest());
        let outcome = delivered.and_then(|it| it.outcome.peek().ok());
        self.heard.extend(digest);
        let award = (ended.slot, ended.epoch);
        match (&outcome, ended.end) {
            (Some(outcome), end) => self.purse.settle(outcome, end == End::Result),
            (None, End::NotBegun) => self.purse.release(award),
            (None, End::Withdrawn) => self.purse.withdraw(award),
            // Until its holder says more, all of it counts.
            (None, _) => {}
        }
        let last = Last {
            code: code(ended.end, outcome.as_ref()),
            outcome: digest,
            below: outcome.and_then(|it| it.below).unwrap_or_default(),
        };
        let result = (ended.end == End::Result)
            .then(|| self.given(ended))
            .flatten();
        let withdrawing = matches!(self.phase, Phase::Withdrawing { .. });
        let state = match ended.end {
            End::Result => result.map_or(State::Over, State::Done),
            End::Withdrawn => State::Over,
            // Confirmed, and never leased: nothing more is waited for.
            End::NotBegun if delivered.is_none() => State::Over,
            _ if withdrawing => State::Over,
            end if self.may_repeat(end) => State::Open,
            _ => State::Asking {
                until: left(self.plan.person_ms, ended.at, now),
            },
        };
        if matches!(state, State::Done(_)) {
            self.results = self.results.saturating_add(1);
        }
        self.become_fate(ended.slot, ended.epoch, Some(ended.end));
        if let Some(slot) = self.slot_mut(ended.slot) {
            slot.last = Some(last);
            slot.state = state;
        }
    }

    /// The result that an outcome gives.
    fn given(&self, ended: &Ended) -> Option<Given> {
        let delivered = ended.delivered.as_ref()?;
        let outcome = delivered.outcome.peek().ok()?;
        let bid = self.intake.get(&outcome.bid)?;
        Some(Given {
            outcome: delivered.outcome.digest(),
            output: json::parse(delivered.output.as_ref()?).ok()?.into(),
            confidence: outcome.confidence.unwrap_or(bid.bid.confidence),
            arrival: self.results,
        })
    }

    /// What becomes of the bid that holds a slot.
    fn become_fate(&mut self, slot: u64, epoch: u64, end: Option<End>) {
        let held = self.number(slot).and_then(|number| self.held(number));
        if let Some((_, bid)) = held.filter(|(held, _)| *held == epoch) {
            self.fates.insert(bid, Fate::Won { slot, epoch, end });
        }
    }

    fn slot_mut(&mut self, slot: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(slot).ok()?)
    }

    fn become_at(&mut self, slot: u64, epoch: u64, state: State) {
        if let Some(slot) = self.slot_mut(slot).filter(|slot| slot.epoch == epoch) {
            slot.state = state;
        }
    }

    /// Asks a person about a slot that waits for one.
    pub(super) fn ask(&mut self, number: usize) {
        let Some(slot) = self.slots.get(number) else {
            return;
        };
        let entrant = slot.holder.and_then(|bid| self.intake.get(&bid));
        if let (State::Asking { .. }, Some(entrant)) = (&slot.state, entrant) {
            self.outputs.push_back(Output::Ask {
                slot: number as u64,
                epoch: slot.epoch,
                holder: entrant.bid.bidder.clone(),
            });
        }
    }
}

/// When something ends that began at a time and lasts so long; from now on at the latest.
fn left(lasts_ms: u64, began: Timestamp, now: Now) -> Tick {
    now.tick
        .plus(lasts_ms.saturating_sub(now.wall.since(began)))
}

/// When a lease that is given up at a time may be renewed: each renewal is written down, and a holder
/// that asks all the time asks in vain for an eighth of it.
fn renewable(until: Tick, lease_ms: u64) -> Tick {
    let lasts = lease_ms.saturating_add(limits::LEASE_GRACE_MS);
    let waits = lasts.saturating_sub(lease_ms / RENEWALS);
    Tick::from_millis(until.as_millis().saturating_sub(waits))
}
