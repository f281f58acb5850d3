//! What holders of leases say after the one outcome of a broadcast: it changes nothing of that, and counts
//! all the same.

use realm_protocol::{BroadcastId, RunId, Tick, Timestamp, journal::Run, limits};

use super::{Announced, kept::Unfinished};
use crate::{Node, state::StoredOver};

/// A broadcast of this realm's that has ended, and of which outcomes are still to come.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) own: Announced,
    /// How much of its trace was written when it was last written down what a restart needs.
    noted: u64,
    /// Until when they are heard.
    ends: Timestamp,
    pub(super) until: Tick,
}

impl Late {
    /// What a restart needs of it beside what it needs of one that is under way.
    pub(super) fn stored(&self) -> StoredOver {
        StoredOver {
            run: Run {
                input: None,
                output: None,
                ..self.own.run.clone()
            },
            events: self.own.events,
            ends: self.ends,
        }
    }
}

impl Node {
    /// Goes on hearing those who have not said yet what they charge and have used, of the latest broadcasts.
    pub(super) fn hear_on(&mut self, broadcast: BroadcastId, own: Announced) {
        if !own.announcer.is_owed() {
            return self.forget_broadcast(broadcast, own.entries);
        }
        let ends = self.now.wall.plus(limits::LATE_MS);
        self.remember_late(broadcast, own, ends);
        self.keep_broadcast(broadcast);
        while self.market.late.len() > limits::CLOSES {
            let late = self.market.late.iter();
            let oldest = late.min_by_key(|(_, it)| it.ends);
            let oldest = oldest.map(|(broadcast, _)| *broadcast);
            oldest.into_iter().for_each(|it| self.forget_late(it));
        }
    }

    fn remember_late(&mut self, broadcast: BroadcastId, mut own: Announced, ends: Timestamp) {
        own.announcer.forget_losers();
        let until = self.now.tick.plus(ends.since(self.now.wall));
        let late = Late {
            noted: own.events,
            own,
            ends,
            until,
        };
        self.market.late.insert(broadcast, late);
    }

    /// Goes on hearing holders after a restart; false where what was written down does not do.
    pub(super) fn resume_late(&mut self, unfinished: Unfinished, ends: Timestamp) -> bool {
        let broadcast = unfinished.broadcast;
        let Ok(mut own) = self.resumed(unfinished) else {
            return false;
        };
        // All of it was said before.
        while own.announcer.poll_output().is_some() {}
        let owed = own.announcer.is_owed() && ends > self.now.wall;
        if owed {
            self.remember_late(broadcast, own, ends);
        }
        owed
    }

    /// An outcome has come. What a restart needs is written down anew if it is the first of its award, or proves somebody
    /// anew, and nothing is kept once no more can come.
    pub(super) fn settle_late(&mut self, broadcast: BroadcastId) {
        let Some(late) = self.market.late.get_mut(&broadcast) else {
            return;
        };
        let events = late.own.events;
        let told = std::mem::replace(&mut late.noted, events) < events;
        if !late.own.announcer.is_owed() {
            self.forget_late(broadcast);
        } else if told {
            self.keep_broadcast(broadcast);
        }
    }

    /// Hears nobody any more whose time is over.
    pub(super) fn give_up_late(&mut self) {
        let now = self.now.tick;
        let late = self.market.late.iter();
        let over = late.filter(|(_, it)| it.until <= now);
        let over: Vec<BroadcastId> = over.map(|(broadcast, _)| *broadcast).collect();
        over.into_iter().for_each(|it| self.forget_late(it));
    }

    /// Nothing more is to be written down of a run.
    pub(crate) fn forget_late_of(&mut self, run: RunId) {
        let mut late = self.market.late.iter();
        let of_run = late.find(|(_, it)| it.own.run.id == run);
        if let Some(broadcast) = of_run.map(|(broadcast, _)| *broadcast) {
            self.forget_late(broadcast);
        }
    }

    fn forget_late(&mut self, broadcast: BroadcastId) {
        if let Some(late) = self.market.late.remove(&broadcast) {
            self.forget_broadcast(broadcast, late.own.entries);
        }
    }
}
