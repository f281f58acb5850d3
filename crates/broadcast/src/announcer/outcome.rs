//! Outcomes of leased work: what they end, and what they are worth.

use realm_protocol::{
    Digest, FailureCode, Now, Place,
    broadcast::{Bid, Deliver, Effects, LeaseEnd, Outcome, OutcomeAck},
};

use super::{Announcer, Fate, Message, slot::State};
use crate::log::{End, Ended, Unused};

impl Announcer {
    pub(super) fn delivered(&mut self, from: &Place, delivered: Deliver, matches: bool, now: Now) {
        let Ok(outcome) = delivered.outcome.peek() else {
            return;
        };
        let ours = outcome.broadcast == self.broadcast() && self.is_bidder(from, &outcome.bid);
        let Some(number) = self.number(outcome.slot).filter(|_| ours) else {
            return;
        };
        let epochs = self.slots.get(number).map_or(0, |slot| slot.epoch);
        if outcome.epoch == 0 || outcome.epoch > epochs {
            return;
        }
        if !self.heard.contains(&delivered.outcome.digest()) {
            self.take_outcome(number, &outcome, delivered, matches, now);
        }
        let ack = OutcomeAck {
            broadcast: outcome.broadcast,
            slot: outcome.slot,
            epoch: outcome.epoch,
        };
        self.send(outcome.bid, Message::Ack(ack));
        self.go_on(now);
    }

    fn take_outcome(
        &mut self,
        number: usize,
        outcome: &Outcome,
        delivered: Deliver,
        matches: bool,
        now: Now,
    ) {
        let Some(entrant) = self.intake.get(&outcome.bid) else {
            return;
        };
        let end = judge(outcome, &delivered, &entrant.bid, matches);
        let current = self.held(number) == Some((outcome.epoch, outcome.bid));
        let settles = match self.slots.get(number).map(|slot| &slot.state) {
            Some(State::Leased { .. }) => current,
            // The lease is over, and the person need not be asked any more.
            Some(State::Asking { .. }) => current && matches!(end, End::Result | End::NotBegun),
            _ => false,
        };
        let (slot, epoch, at) = (outcome.slot, outcome.epoch, now.wall);
        if settles {
            let delivered = Some(delivered);
            let ended = Ended {
                slot,
                epoch,
                end,
                delivered,
                at,
            };
            self.record(ended, now);
            self.ask(number);
        } else if self.was_awarded(&outcome.bid, (slot, epoch))
            && !self.is_unleased((slot, epoch))
            && self.unused.insert((slot, epoch))
        {
            self.record(Unused::of(delivered, end, at), now);
        }
    }

    /// Whether an award has no lease yet and may still have one: what its winner says of the work says
    /// nothing.
    pub(super) fn is_unleased(&self, (slot, epoch): (u64, u64)) -> bool {
        let slot = self.number(slot).and_then(|number| self.slots.get(number));
        slot.is_some_and(|slot| {
            slot.epoch == epoch && matches!(slot.state, State::Awarded { .. } | State::Reserved)
        })
    }

    /// Whether a bid has had this award.
    pub(super) fn was_awarded(&self, bid: &Digest, award: (u64, u64)) -> bool {
        match self.fates.get(bid) {
            Some(Fate::Won { slot, epoch, .. } | Fate::Declined { slot, epoch }) => {
                (*slot, *epoch) == award
            }
            Some(Fate::Standby | Fate::Lost) | None => false,
        }
    }

    /// Whether work whose lease ended without a result may go to the next bidder unasked.
    pub(super) fn may_repeat(&self, end: End) -> bool {
        end == End::NotBegun || self.announcement().effects != Effects::Once
    }
}

/// What an outcome is worth.
pub(crate) fn judge(outcome: &Outcome, delivered: &Deliver, bid: &Bid, matches: bool) -> End {
    let charged = outcome.charged.as_ref();
    let overcharged = charged.is_some_and(|charged| {
        let agreed = bid
            .price
            .as_ref()
            .filter(|it| it.currency == charged.currency);
        charged.micros > agreed.map_or(0, |it| it.micros)
    });
    let given = delivered
        .output
        .as_ref()
        .map(|output| Digest::of(&[output]));
    match outcome.end {
        _ if overcharged => End::Overcharged,
        LeaseEnd::NotBegun => End::NotBegun,
        LeaseEnd::Failed => End::Failed,
        LeaseEnd::Done if given.is_none() || given != outcome.output => End::Forged,
        LeaseEnd::Done if !matches => End::Mismatched,
        LeaseEnd::Done => End::Result,
    }
}

/// The failure that stands for an end without a result.
pub(super) fn code(end: End, outcome: Option<&Outcome>) -> FailureCode {
    match end {
        End::Result | End::Failed => {
            let said = outcome.and_then(|outcome| outcome.failure);
            said.unwrap_or(FailureCode::LoopFailed)
        }
        End::NotBegun => FailureCode::Overloaded,
        End::Expired => FailureCode::Timeout,
        End::Overcharged => FailureCode::Budget,
        End::Mismatched => FailureCode::SchemaOutput,
        End::Forged => FailureCode::Malformed,
        End::Withdrawn => FailureCode::Cancelled,
    }
}
