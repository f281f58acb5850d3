//! What bidders say to this realm as the one that announced.

use realm_broadcast::announcer::{Input, Message};
use realm_protocol::{
    Place,
    broadcast::{Bid, Confirm, Deliver, OutcomeAck, Tally, WorkProgress},
    records::Signed,
};

use crate::Node;

impl Node {
    pub(super) fn tallied(&mut self, from: &Place, tally: &Tally) {
        let Some(side) = self.side_of(&from.scope()) else {
            return;
        };
        if self.market.announced.contains_key(&tally.broadcast) {
            let (broadcast, tally) = (tally.broadcast, *tally);
            return self.tell_announcer(broadcast, Input::Tally { from: side, tally });
        }
        self.tally_of_passed(&side, tally);
    }

    pub(super) fn bid_came(&mut self, from: &Place, bid: Signed<Bid>) {
        let Ok(read) = bid.peek() else { return };
        if !self.has_signed(from, &bid) {
            return;
        }
        let from = from.clone();
        let trust = self.trust_of(&from);
        let permitted = self.may_award(read.broadcast, &from).is_ok();
        let input = Input::Bid {
            from,
            bid,
            trust,
            permitted,
        };
        self.tell_announcer(read.broadcast, input);
    }

    pub(super) fn confirmed(&mut self, from: &Place, confirm: Signed<Confirm>) {
        let Ok(read) = confirm.peek() else { return };
        if !self.has_signed(from, &confirm) {
            return;
        }
        let from = from.clone();
        self.prove_anew(read.broadcast, &from);
        self.tell_announcer(read.broadcast, Input::Confirm { from, confirm });
    }

    pub(super) fn progressed(&mut self, from: &Place, progress: WorkProgress) {
        let from = from.clone();
        let broadcast = progress.broadcast;
        self.tell_announcer(broadcast, Input::Progress { from, progress });
    }

    pub(super) fn gave(&mut self, from: &Place, delivered: Deliver) {
        let Ok(outcome) = delivered.outcome.peek() else {
            return;
        };
        if !self.has_signed(from, &delivered.outcome) {
            return;
        }
        let broadcast = outcome.broadcast;
        let Some(own) = self.market.own(broadcast) else {
            // It is over, and nothing is to be done about it: whoever sends it may stop.
            let ack = OutcomeAck {
                broadcast,
                slot: outcome.slot,
                epoch: outcome.epoch,
            };
            return self.send_as_announcer(from, Message::Ack(ack));
        };
        let matches = own.matches(&delivered);
        self.prove_anew(broadcast, from);
        let input = Input::Delivered {
            from: from.clone(),
            delivered,
            matches,
        };
        self.tell_announcer(broadcast, input);
        self.settle_late(broadcast);
    }
}
