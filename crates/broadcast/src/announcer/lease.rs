//! Leases: granted, renewed, and what their holders say meanwhile.

use realm_protocol::{
    Now, Place,
    broadcast::{Lease, MILLION, Offshoots, WorkProgress},
    limits,
};

use super::{Announcer, Message, Phase, slot::State};
use crate::{log::Leased, work::slot_key};

impl Announcer {
    /// Grants the leases of slots that are confirmed.
    pub(super) fn grant(&mut self, now: Now) {
        let reserved = |number: &usize| {
            let slot = self.slots.get(*number);
            slot.is_some_and(|slot| matches!(slot.state, State::Reserved))
        };
        let reserved: Vec<usize> = (0..self.slots.len()).filter(reserved).collect();
        for number in reserved {
            self.lease(number, 0, now);
        }
    }

    /// Grants or renews a lease, as far as there is time for the work.
    fn lease(&mut self, number: usize, answers: u64, now: Now) {
        let Phase::Working { until } = self.phase else {
            return;
        };
        let left = until.as_millis().saturating_sub(now.tick.as_millis());
        // Also by the clock that entries are dated by, which goes on while the machine sleeps.
        let ends = self.closed.plus(self.announcement().execution_ms);
        let lease_ms = self.plan.lease_ms.min(left).min(ends.since(now.wall));
        let held = self.held(number);
        let Some((epoch, bid)) = held.filter(|_| lease_ms > 0) else {
            return;
        };
        let Some(holder) = self.intake.get(&bid).map(|it| it.bid.bidder.clone()) else {
            return;
        };
        let leased = Leased {
            slot: number as u64,
            epoch,
            answers,
            lease_ms,
            holder,
            at: now.wall,
        };
        self.record(leased, now);
        self.send_lease(number, answers, lease_ms);
    }

    /// Sends a lease; the first with the input.
    pub(super) fn send_lease(&mut self, number: usize, answers: u64, lease_ms: u64) {
        let Some((epoch, bid)) = self.held(number) else {
            return;
        };
        let (broadcast, slot) = (self.broadcast(), number as u64);
        let lease = Lease {
            broadcast,
            slot,
            epoch,
            answers,
            lease_ms,
            key: slot_key(broadcast, self.announcement().work, slot),
            input: (answers == 0).then(|| self.plan.input.clone()),
        };
        self.send(bid, Message::Lease(lease));
    }

    /// Sends a lease once more that was granted and not renewed.
    pub(super) fn lease_again(&mut self, number: usize) {
        let state = self.slots.get_mut(number).map(|slot| &mut slot.state);
        if let Some(State::Leased {
            lease_ms, sends, ..
        }) = state
            && *sends < limits::AWARD_SENDS
        {
            *sends = sends.saturating_add(1);
            let lease_ms = *lease_ms;
            self.send_lease(number, 0, lease_ms);
        }
    }

    /// How much of a slot's work its holder said was done when it last asked for more time, in millionths.
    pub fn done_of(&self, slot: u64) -> u64 {
        let number = self.number(slot);
        let slot = number.and_then(|number| self.slots.get(number));
        slot.map_or(0, |slot| slot.done)
    }

    /// What a slot's holder said then that the work had announced in its turn.
    pub fn offshoots_of(&self, slot: u64) -> Offshoots {
        let number = self.number(slot);
        let slot = number.and_then(|number| self.slots.get(number));
        slot.map_or_else(Offshoots::default, |slot| slot.offshoots)
    }

    /// What the holders of all slots said last that their work had announced in its turn.
    pub fn offshoots(&self) -> Offshoots {
        let told = self.slots.iter().map(|slot| slot.offshoots);
        told.fold(Offshoots::default(), Offshoots::plus)
    }

    /// How long the work takes by the bid that holds a slot, milliseconds.
    pub fn bid_ms_of(&self, slot: u64) -> Option<u64> {
        let (_, bid) = self.held(self.number(slot)?)?;
        self.intake.get(&bid).map(|entrant| entrant.bid.time_ms)
    }

    /// Whether a lease ran out while this realm could not hear its holder.
    pub fn was_unheard(&self, slot: u64, epoch: u64) -> bool {
        self.unheard.contains(&(slot, epoch))
    }

    pub(super) fn progress(&mut self, from: &Place, progress: &WorkProgress, now: Now) {
        let Some(number) = self.number(progress.slot) else {
            return;
        };
        let Some((epoch, bid)) = self.held(number) else {
            return;
        };
        let ours = progress.broadcast == self.broadcast() && progress.epoch == epoch;
        let (last, due) = match self.slots.get(number).map(|slot| &slot.state) {
            Some(State::Leased {
                answers, renewable, ..
            }) => (*answers, *renewable <= now.tick),
            _ => return,
        };
        if ours && due && progress.number > last && self.is_bidder(from, &bid) {
            if let Some(slot) = self.slots.get_mut(number) {
                slot.done = progress.done.min(MILLION);
                slot.offshoots = Offshoots::default().plus(progress.offshoots.unwrap_or_default());
            }
            self.lease(number, progress.number, now);
        }
    }
}
