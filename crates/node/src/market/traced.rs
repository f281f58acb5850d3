//! Broadcasts in the traces of their runs.

use realm_broadcast::log::{Conclusion, End, Ending, Entry, Proved, SideHeard, Unused};
use realm_executor::spend_value;
use realm_protocol::{
    BroadcastId, Place,
    broadcast::{MILLION, Offshoots, Stopped},
    budget::Amount,
    cbor::Blob,
    journal::{Change, Event},
    json::Object,
};
use serde_json::{Value, json};

use super::{bare, trusting::family};
use crate::Node;

/// Nodes that one bidder may sign by in one broadcast; what others sign is not proven.
const NODES: usize = 8;

impl Node {
    /// What a broadcast wrote down, in the trace of its run.
    pub(super) fn write_down(&mut self, broadcast: BroadcastId, entry: &Entry) {
        self.judge_bidder(broadcast, entry);
        let bytes = self.keep_entry(broadcast, entry);
        let (kind, payload) = self.told(broadcast, entry);
        let payload = payload.with("entry", &bytes.to_base64());
        self.note_broadcast(broadcast, kind, payload);
        let signer = match entry {
            Entry::Planned(_) => Some(self.me.place().clone()),
            Entry::Counted(it) => it.bid.peek().ok().map(|bid| bid.bidder),
            _ => None,
        };
        let settled = match entry {
            Entry::Decided(it) => Some((it.slot, it.epoch)),
            Entry::Ended(it) => Some((it.slot, it.epoch)),
            _ => None,
        };
        if let Some(slot) = settled {
            self.no_longer_asked(broadcast, slot);
        }
        if let Some(signer) = signer {
            self.prove(broadcast, &signer);
        }
    }

    /// Writes down what proves a bidder that signs by another node than it bid by.
    pub(super) fn prove_anew(&mut self, broadcast: BroadcastId, signer: &Place) {
        let own = self.market.own(broadcast);
        let moved = own.is_some_and(|own| {
            let of_realm = own.proven.iter().filter(|it| it.realm == signer.realm);
            own.announcer.is_by_bidder(signer) && of_realm.count() < NODES
        });
        if moved {
            self.prove(broadcast, signer);
        }
    }

    /// Writes down what proves a realm that has signed something, once for each of its nodes.
    pub(super) fn prove(&mut self, broadcast: BroadcastId, signer: &Place) {
        let Some(own) = self.market.own(broadcast) else {
            return;
        };
        if own.proven.contains(signer) {
            return;
        }
        let now = self.now.wall;
        let Some(known) = self.known_chain(signer) else {
            return;
        };
        let (chain, family) = (bare(known), family(known.chain()));
        if let Some(own) = self.market.own_mut(broadcast) {
            own.proven.insert(signer.clone());
            if let Some((realm, above)) = family {
                own.families.entry(realm).or_insert(above);
            }
        }
        let proved = Proved { chain, at: now };
        self.write_down(broadcast, &proved.into());
    }

    fn told(&self, broadcast: BroadcastId, entry: &Entry) -> (&'static str, Object) {
        let told = Object::new();
        match entry {
            Entry::Planned(_) => ("broadcast.planned", told),
            Entry::Announced(it) => {
                let window = self.window_of(broadcast, it.round);
                let told = told.with("round", &it.round);
                ("broadcast.announced", told.with_some("windowMs", window))
            }
            Entry::Counted(it) => {
                let bid = it.bid.peek().ok();
                let realm = bid.as_ref().map(|bid| self.name_of(&bid.bidder.scope()));
                let agent = bid.as_ref().map(|bid| bid.agent.clone());
                let price = bid.as_ref().and_then(|bid| bid.price.as_ref());
                let price = price.map(|price| Amount::from(price).to_string());
                let time = bid.as_ref().map(|bid| bid.time_ms);
                let told = told.with("bid", &it.bid.digest()).with_some("realm", realm);
                let told = told.with_some("agent", agent).with_some("price", price);
                let told = told.with_some("timeMs", time);
                ("broadcast.bid", told)
            }
            Entry::BidsClosed(it) => {
                let told = told.with("cause", it.cause.name());
                let told = told
                    .with("asked", &it.tally.asked)
                    .with("bids", &it.tally.bids);
                let short = it.heard.iter().flatten().filter(|side| it.is_short(side));
                let short: Vec<Value> = short.map(|it| self.told_short(it)).collect();
                let short = Some(short).filter(|short| !short.is_empty());
                (
                    "broadcast.closed",
                    told.with("unreached", &it.tally.unreached)
                        .with_some("suppressed", it.tally.suppressed)
                        .with_some("short", short),
                )
            }
            Entry::Awarded(it) => {
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                ("broadcast.awarded", told.with("bid", &it.bid))
            }
            Entry::Answered(it) => {
                let answer = it.confirm.as_ref().and_then(|it| it.peek().ok());
                let answer = answer.map(|it| it.answer.name());
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                ("broadcast.answered", told.with_some("answer", answer))
            }
            Entry::Leased(it) => {
                let realm = self.name_of(&it.holder.scope());
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                let told = told.with("realm", &realm).with("leaseMs", &it.lease_ms);
                let told = told.with("progress", &it.answers);
                let own = self.market.announced.get(&broadcast);
                let done = own.map_or(0, |own| own.announcer.done_of(it.slot));
                let done = (done > 0).then(|| done as f64 / MILLION as f64);
                let offshoots = own.and_then(|own| own.announcer.offshoots_of(it.slot).any());
                let told = told.with_some("done", done);
                let told = told.with_some("offshoots", offshoots.map(told_offshoots));
                ("broadcast.leased", told)
            }
            Entry::Ended(it) => {
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                ("broadcast.ended", told.with("end", it.end.name()))
            }
            Entry::Decided(it) => {
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                let own = self.market.own(broadcast);
                let holder = own.and_then(|own| own.holders.get(&it.slot));
                let realm = holder.map(|holder| self.name_of(&holder.scope()));
                let told = told.with_some("realm", realm).with("again", &it.again);
                ("broadcast.decided", told.with_some("unsaid", it.unsaid))
            }
            Entry::Unused(it) => {
                let own = self.market.own(broadcast);
                let worth = own.and_then(|own| own.announcer.worth_of(it));
                let spent = own.map(|own| own.announcer.spent());
                let told = told_unused(told, it, worth);
                let told = told.with_some("spent", spent.as_ref().map(spend_value));
                ("broadcast.unused", told)
            }
            Entry::Cancelled(_) => ("broadcast.cancelled", told),
            Entry::Proved(_) => ("broadcast.proved", told),
            Entry::Finished(it) => {
                let own = self.market.announced.get(&broadcast);
                let refused = own.map(|own| own.refused).filter(|refused| *refused > 0);
                let told = told.with("ending", it.conclusion.ending.name());
                let told = told.with_some("refused", refused);
                let mismatch = it.conclusion.reason.as_ref();
                let mismatch = mismatch.filter(|_| it.conclusion.ending == Ending::Mismatched);
                let told = told.with_some("mismatch", mismatch);
                (
                    "broadcast.finished",
                    self.told_withdrawn(broadcast, &it.conclusion, told),
                )
            }
        }
    }

    /// A side from which fewer bids have come than its neighbour told of, or which has not answered.
    fn told_short(&self, it: &SideHeard) -> Value {
        let told = it.tally.map(|tally| tally.bids);
        json!({"realm": self.name_of(&it.side), "told": told, "came": it.came})
    }

    /// How long bids are taken in a round, milliseconds.
    fn window_of(&self, broadcast: BroadcastId, round: u64) -> Option<u64> {
        let own = self.market.announced.get(&broadcast)?;
        let mut rounds = own.rounds.iter().filter_map(|it| it.peek().ok());
        let announced = rounds.find(|it| it.round == round)?;
        Some(announced.window_ms)
    }

    /// With who stopped and who did not say so, where the broadcast was taken back.
    fn told_withdrawn(&self, broadcast: BroadcastId, it: &Conclusion, told: Object) -> Object {
        let own = self.market.announced.get(&broadcast);
        let Some(own) = own.filter(|_| it.ending == Ending::Cancelled) else {
            return told;
        };
        let (confirmed, silent) = self.withdrawn_from(&own.holders, it);
        let Stopped {
            confirmed: below,
            silent: silent_below,
        } = own.announcer.stopped_below();
        told.with("confirmed", &confirmed)
            .with("silent", &silent)
            .with("confirmedBelow", &below)
            .with("silentBelow", &silent_below)
    }

    pub(super) fn note_broadcast(&mut self, broadcast: BroadcastId, kind: &str, payload: Object) {
        let at = self.wall();
        let Some(own) = self.market.own_mut(broadcast) else {
            return;
        };
        let event = Event {
            run: own.run.id,
            index: own.events,
            call: own.run.call,
            at,
            kind: kind.to_owned(),
            payload: Blob::from(payload.into_bytes()),
        };
        own.events = own.events.saturating_add(1);
        self.out.change(Change::Event(event));
    }
}

/// What a holder says of work that is not used.
fn told_unused(told: Object, it: &Unused, worth: Option<End>) -> Object {
    let Ok(outcome) = it.delivered.outcome.peek() else {
        return told;
    };
    let charged = outcome.charged.as_ref();
    let charged = charged.map(|price| Amount::from(price).to_string());
    told.with("slot", &outcome.slot)
        .with("epoch", &outcome.epoch)
        .with("end", outcome.end.name())
        .with_some("wrong", worth.filter(|it| it.is_wrong()).map(End::name))
        .with_some("charged", charged)
}

/// What a holder says that its work has announced in its turn, and how that stands.
fn told_offshoots(it: Offshoots) -> Value {
    json!({"underWay": it.under_way, "given": it.given, "failed": it.failed})
}
