//! Announcements of others: passed on as this realm's policy lets them, and tallied on the way back.

use realm_broadcast::{Left, Side, Tallying, check_announcement, fan_out, is_asked};
use realm_crypto::verify;
use realm_protocol::{
    BroadcastId, Kind, Place, Scope,
    broadcast::{Announce, Announcement, Tally},
    cbor, limits,
    records::Chain,
};

use super::Passed;
use crate::{Node, Refused};

impl Node {
    /// An announcement came from a neighbour.
    pub(super) fn heard(&mut self, from: &Place, announce: Announce) {
        let Some(side) = self
            .side_of(&from.scope())
            .filter(|side| *side != Side::Here)
        else {
            return self.counters.refuse(Refused::Unasked);
        };
        let Some(announcement) = self.verified(&announce) else {
            return self.counters.refuse(Refused::Certificate);
        };
        let key = (announcement.broadcast, announcement.round);
        let own = announcement.announcer.realm == self.me.place().realm;
        if !own && self.market.is_own(announcement.broadcast) {
            return self.counters.refuse(Refused::Certificate);
        }
        // What was announced long ago is said again by whoever wants it heard again.
        let (now, created) = (self.wall(), announcement.created);
        let over = created.plus(announcement.window_ms.saturating_add(limits::CLOCK_SKEW_MS));
        if over < now || created.since(now) > limits::CLOCK_SKEW_MS {
            return self.counters.refuse(Refused::Expired);
        }
        if own || self.market.passed.contains_key(&key) {
            return;
        }
        let stopped = |place: &Place| self.halts.stops_below(&place.scope());
        if stopped(from) || stopped(&announcement.announcer) {
            return self.suppress(from, &announcement, Refused::Halted);
        }
        let Some(levels) = self.admit_announcement(from, &announcement) else {
            return self.suppress(from, &announcement, Refused::Overloaded);
        };
        let (me, window_ms) = (
            self.me.scope(),
            announce.window_ms.min(announcement.window_ms),
        );
        let left = Left {
            down: announce
                .down
                .min(announcement.reach.down.max(announcement.reach.across)),
            up: announce.up.min(announcement.reach.up),
        };
        let neighbours = self.neighbours(&announcement);
        let fan = fan_out(&announcement, &me, &side, left, window_ms, &neighbours);
        let asked = is_asked(&announcement, &me);
        let due = self.now.tick.plus(window_ms);
        let tallying = Tallying::new(&announcement, &me, asked, &fan, due);
        let passed = Passed {
            to: from.clone(),
            tallying,
            levels,
            decided: !asked,
        };
        self.market.passed.insert(key, passed);
        for pass in &fan.passes {
            let (signed, chain) = (announce.announcement.clone(), announce.chain.clone());
            self.pass_to(signed, pass, chain);
        }
        if asked {
            self.consider(announce.announcement, window_ms);
        }
        self.send_due_tallies();
    }

    /// Takes a place for an announcement at its neighbour, and at all levels that it comes from.
    fn admit_announcement(
        &mut self,
        from: &Place,
        announcement: &Announcement,
    ) -> Option<Vec<Scope>> {
        if !self.market.has_room_from(from) {
            return None;
        }
        let (announcer, me) = (announcement.announcer.scope(), self.me.scope());
        let (rate, now) = (self.config.announce_rate, self.now.tick);
        self.market.floods.admit(&announcer, &me, rate, now)
    }

    /// Says at once that an announcement goes no further, so that nobody waits for its tally.
    fn suppress(&mut self, from: &Place, announcement: &Announcement, why: Refused) {
        self.counters.refuse(why);
        let tally = Tally {
            broadcast: announcement.broadcast,
            round: announcement.round,
            asked: 0,
            bids: 0,
            unreached: 1,
            suppressed: Some(1),
        };
        self.send_to(tally.broadcast, from, Kind::Tally, &tally);
    }

    /// An announcement whose announcer's chain and signature hold.
    fn verified(&mut self, announce: &Announce) -> Option<Announcement> {
        let announcement = announce.announcement.peek().ok()?;
        check_announcement(&announcement).ok()?;
        let (place, now) = (&announcement.announcer, self.wall());
        let scope = place.scope();
        if self.trust.chain(&scope, now).is_none() {
            let chain: Chain = cbor::decode(announce.chain.as_deref()?).ok()?;
            let own = self.me.chain();
            let chain = self.trust.check(&chain, scope.root, own, now).ok()?;
            (chain.place() == place).then(|| self.trust.remember(chain))?;
        }
        let chain = self.trust.chain(&scope, now)?;
        let same = chain.place() == place;
        let signed = verify(&announce.announcement, &[*chain.node().as_bytes()]);
        signed.ok().filter(|_| same)
    }

    /// A neighbour's tally of an announcement that was passed on to it.
    pub(super) fn tally_of_passed(&mut self, from: &Side, tally: &Tally) {
        let key = (tally.broadcast, tally.round);
        if let Some(passed) = self.market.passed.get_mut(&key) {
            passed.tallying.hear(from, tally);
        }
        self.send_due_tallies();
    }

    /// This realm's own agents have decided about an announcement.
    pub(super) fn count_own(&mut self, key: (BroadcastId, u64), bids: u64) {
        if let Some(passed) = self.market.passed.get_mut(&key) {
            passed.tallying.count_own(bids);
            passed.decided = true;
        }
        self.send_due_tallies();
    }

    /// Sends the tallies that are complete, and those whose time is over.
    pub(super) fn send_due_tallies(&mut self) {
        let now = self.now.tick;
        let is_due = |passed: &Passed| {
            let complete = passed.decided && passed.tallying.is_complete();
            complete || passed.tallying.due() <= now
        };
        let due = self
            .market
            .passed
            .iter()
            .filter(|(_, passed)| is_due(passed));
        let due: Vec<_> = due.map(|(key, _)| *key).collect();
        for key in due {
            if let Some(passed) = self.market.passed.remove(&key) {
                self.market.floods.release(&passed.levels);
                let tally = passed.tallying.tally();
                self.send_to(tally.broadcast, &passed.to, Kind::Tally, &tally);
            }
        }
    }
}
