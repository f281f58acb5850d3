//! Awards, confirmations, and what becomes of them.

use realm_protocol::{
    Digest, FailureCode, Now, Place, Tick, Timestamp,
    broadcast::{Award, Confirm, ConfirmAnswer, Withdraw},
    budget::Budget,
    records::Signed,
};

use super::{
    Announcer, Message, Output, Phase,
    slot::{Slot, State},
};
use crate::log::{Answered, Awarded, Decided, End, Ended};

impl Announcer {
    /// Awards open slots, as many as may be worked on at a time.
    pub(super) fn fill(&mut self, now: Now) {
        let Phase::Working { until } = self.phase else {
            return;
        };
        let is_open = |slot: &Slot| matches!(slot.state, State::Open);
        if !self.slots.iter().any(is_open) {
            return;
        }
        let in_time = now.tick < until && self.may_award(now.wall);
        let mut active = self.slots.iter().filter(|slot| slot.is_active()).count() as u64;
        let mut next = self.next_bid(now.wall).filter(|_| in_time);
        for number in 0..self.slots.len() {
            let Some(slot) = self.slots.get(number).filter(|slot| is_open(slot)) else {
                continue;
            };
            match next.filter(|_| slot.waits()) {
                None => self.set(number, State::Over),
                Some(bid) if active < self.plan.at_once => match self.afford(&bid) {
                    Some(given) => {
                        self.award(number, bid, given, now);
                        active = active.saturating_add(1);
                        next = self.next_bid(now.wall).filter(|_| in_time);
                    }
                    // Some of what is set aside may return.
                    None if active > 0 => {}
                    None => self.set(number, State::Over),
                },
                Some(_) => {}
            }
        }
    }

    /// Whether awards may still be made.
    pub(super) fn may_award(&self, now: Timestamp) -> bool {
        now <= self.closed.plus(self.announcement().award_ms)
    }

    /// The best-ranked winner or standby that has had no award and whose bid holds.
    pub(super) fn next_bid(&self, now: Timestamp) -> Option<Digest> {
        let live = |bid: &Digest| self.intake.get(bid).is_some_and(|it| it.is_live(now));
        self.unawarded().find(live)
    }

    /// Winners and standbys that have had no award, the best-ranked first.
    fn unawarded(&self) -> impl Iterator<Item = Digest> {
        let rule = &self.announcement().rule;
        let most = rule.awards.saturating_add(rule.standbys);
        let eligible = self.ranking.ranked.iter();
        eligible
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .map(|ranked| ranked.candidate.bid)
            .filter(|bid| !self.fates.contains_key(bid))
    }

    /// What the award of a bid is given; none where what is left does not bear its price.
    pub(super) fn afford(&self, bid: &Digest) -> Option<Budget> {
        let waiting = self.slots.iter().filter(|slot| slot.waits());
        let price = self.intake.get(bid)?.bid.price.as_ref();
        self.purse.share(price, waiting.count() as u64)
    }

    /// Why a slot has had no lease.
    pub(super) fn unleased(&self) -> FailureCode {
        let next = self.unawarded().next();
        match next.is_some_and(|bid| self.afford(&bid).is_none()) {
            true => FailureCode::Budget,
            false => FailureCode::Offline,
        }
    }

    fn award(&mut self, number: usize, bid: Digest, given: Budget, now: Now) {
        let epoch = self.slots.get(number).map_or(0, |slot| slot.epoch);
        let awarded = Awarded {
            slot: number as u64,
            epoch: epoch.saturating_add(1),
            bid,
            at: now.wall,
            budget: bounding(given),
        };
        self.record(awarded, now);
        self.send_award(number);
    }

    /// Sends a slot's last award, perhaps once more.
    pub(super) fn send_award(&mut self, number: usize) {
        let Some((epoch, bid)) = self.held(number) else {
            return;
        };
        let slot = number as u64;
        let award = Award {
            broadcast: self.broadcast(),
            slot,
            epoch,
            bid,
            confirm_ms: self.plan.confirm_ms,
            lease_ms: self.plan.lease_ms,
            budget: self.purse.given((slot, epoch)).and_then(bounding),
        };
        self.send(bid, Message::Award(award));
    }

    /// Epoch and bid of a slot's last award.
    pub(super) fn held(&self, number: usize) -> Option<(u64, Digest)> {
        let slot = self.slots.get(number)?;
        Some((slot.epoch, slot.holder?))
    }

    pub(super) fn send(&mut self, bid: Digest, message: Message) {
        if let Some(entrant) = self.intake.get(&bid) {
            let to = entrant.bid.bidder.clone();
            self.outputs.push_back(Output::Send { to, message });
        }
    }

    fn set(&mut self, number: usize, state: State) {
        if let Some(slot) = self.slots.get_mut(number) {
            slot.state = state;
        }
    }

    /// Tells a holder that it holds a slot no more.
    pub(super) fn withdraw(&mut self, number: usize) {
        if let Some((epoch, bid)) = self.held(number) {
            let (broadcast, slot) = (self.broadcast(), number as u64);
            let withdraw = Withdraw {
                broadcast,
                slot,
                epoch,
                waits_ms: self.waits_ms,
            };
            self.send(bid, Message::Withdraw(withdraw));
        }
    }

    pub(super) fn confirm(&mut self, from: &Place, signed: Signed<Confirm>, now: Now) {
        let Ok(confirm) = signed.peek() else {
            return;
        };
        if confirm.broadcast != self.broadcast() || !self.is_bidder(from, &confirm.bid) {
            return;
        }
        let Some(number) = self.number(confirm.slot) else {
            return;
        };
        let current = self.held(number) == Some((confirm.epoch, confirm.bid));
        let state = self.slots.get(number).map(|slot| &slot.state);
        match state {
            Some(State::Awarded { .. }) if current => {
                let answered = Answered {
                    slot: confirm.slot,
                    epoch: confirm.epoch,
                    confirm: Some(signed),
                    at: now.wall,
                };
                self.record(answered, now);
                self.go_on(now);
            }
            // The same again: the lease is on its way, or was lost on it.
            Some(State::Leased { answers: 0, .. }) if current => self.lease_again(number),
            Some(State::Leased { .. } | State::Reserved) if current => {}
            // Somebody keeps room for nothing.
            _ if confirm.answer == ConfirmAnswer::Reserved => {
                let withdraw = Withdraw {
                    broadcast: confirm.broadcast,
                    slot: confirm.slot,
                    epoch: confirm.epoch,
                    waits_ms: None,
                };
                self.send(confirm.bid, Message::Withdraw(withdraw));
            }
            _ => {}
        }
    }

    /// Whether a realm has a bid that counts.
    pub fn is_by_bidder(&self, from: &Place) -> bool {
        let mut entrants = self.intake.entrants();
        from.realm.is_some() && entrants.any(|it| it.bid.bidder.realm == from.realm)
    }

    pub(super) fn is_bidder(&self, from: &Place, bid: &Digest) -> bool {
        let entrant = self.intake.get(bid);
        from.realm.is_some() && entrant.is_some_and(|it| it.bid.bidder.realm == from.realm)
    }

    pub(super) fn number(&self, slot: u64) -> Option<usize> {
        let number = usize::try_from(slot).ok()?;
        (number < self.slots.len()).then_some(number)
    }

    /// Sends an award once more that is not answered, if it is time.
    fn award_again(&mut self, number: usize, now: Now) {
        let state = self.slots.get_mut(number).map(|slot| &mut slot.state);
        if let Some(State::Awarded { again, .. }) = state
            && again.is_due(now.tick)
        {
            self.send_award(number);
        }
    }

    pub(super) fn undelivered(&mut self, slot: u64, epoch: u64, now: Now) {
        let awarded = self.number(slot).and_then(|number| self.slots.get(number));
        let waits = awarded
            .is_some_and(|it| it.epoch == epoch && matches!(it.state, State::Awarded { .. }));
        if waits {
            self.unanswered(slot, epoch, now);
            self.go_on(now);
        }
    }

    pub(super) fn unanswered(&mut self, slot: u64, epoch: u64, now: Now) {
        let answered = Answered {
            slot,
            epoch,
            confirm: None,
            at: now.wall,
        };
        self.record(answered, now);
    }

    pub(super) fn decide(&mut self, slot: u64, epoch: u64, again: bool, now: Now) {
        let asked = self.number(slot).and_then(|number| self.slots.get(number));
        let waits =
            asked.is_some_and(|it| it.epoch == epoch && matches!(it.state, State::Asking { .. }));
        if waits {
            self.record_decision(slot, epoch, Some(again), now);
            self.go_on(now);
        }
    }

    /// Waits for a person no more.
    pub(super) fn give_up(&mut self, slot: u64, epoch: u64, now: Now) {
        self.record_decision(slot, epoch, None, now);
    }

    /// Writes down what a person has said, if anybody has.
    fn record_decision(&mut self, slot: u64, epoch: u64, said: Option<bool>, now: Now) {
        let decided = Decided {
            slot,
            epoch,
            again: said == Some(true),
            at: now.wall,
            unsaid: said.is_none().then_some(true),
        };
        self.record(decided, now);
    }

    pub(super) fn work_timeout(&mut self, now: Now) {
        let (over, told_again) = match &mut self.phase {
            Phase::Working { until } => (*until <= now.tick, false),
            Phase::Withdrawing { until, again } => (*until <= now.tick, again.is_due(now.tick)),
            _ => return,
        };
        for number in 0..self.slots.len() {
            let Some(slot) = self.slots.get(number) else {
                continue;
            };
            let (due, epoch) = (slot.is_due(now.tick), slot.epoch);
            let gives_up = over && matches!(self.phase, Phase::Withdrawing { .. });
            match slot.state {
                State::Awarded { .. } if due || over => {
                    self.withdraw(number);
                    self.unanswered(number as u64, epoch, now);
                }
                State::Awarded { .. } => self.award_again(number, now),
                State::Reserved if over => {
                    self.withdraw(number);
                    self.end(number, End::NotBegun, now);
                }
                State::Leased { .. } if due => self.end(number, End::Expired, now),
                State::Leased { .. } if gives_up => self.end(number, End::Withdrawn, now),
                State::Leased { .. } if told_again => self.withdraw(number),
                State::Asking { .. } if due || gives_up => {
                    self.give_up(number as u64, epoch, now);
                }
                _ => {}
            }
        }
        self.go_on(now);
    }

    /// Ends a lease of which its holder says nothing.
    pub(super) fn end(&mut self, number: usize, end: End, now: Now) {
        if let Some((epoch, _)) = self.held(number) {
            let ended = Ended {
                slot: number as u64,
                epoch,
                end,
                delivered: None,
                at: now.wall,
            };
            self.record(ended, now);
            self.ask(number);
        }
    }

    pub(super) fn next_work_timeout(&self) -> Option<Tick> {
        let slots = self.slots.iter().filter_map(Slot::until).min();
        let own = match self.phase {
            Phase::Withdrawing { until, again } => {
                Some(again.next().map_or(until, |next| next.min(until)))
            }
            Phase::Working { until } => {
                let waits = |slot: &Slot| {
                    matches!(
                        slot.state,
                        State::Open | State::Awarded { .. } | State::Reserved
                    )
                };
                self.slots.iter().any(waits).then_some(until)
            }
            _ => None,
        };
        slots.into_iter().chain(own).min()
    }
}

/// A budget as it is said: none where it bounds nothing.
pub(super) fn bounding(budget: Budget) -> Option<Budget> {
    Some(budget).filter(|budget| !budget.is_unbounded())
}
