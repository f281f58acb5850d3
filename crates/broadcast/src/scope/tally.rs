//! How many were asked and how many bids they sent, counted on the way back up.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    Scope, Tick,
    broadcast::{Announcement, Tally},
    limits,
};

use super::{FanOut, Side};
use crate::{log::SideHeard, quota::Shares};

/// What a realm has heard of those it passed an announcement to. Of bids it takes no more from anywhere
/// than may count from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tallying {
    tally: Tally,
    shares: Shares,
    /// Where the realm stands.
    here: Scope,
    waiting: BTreeSet<Side>,
    /// What those say who have answered, of bids as many as may count.
    told: BTreeMap<Side, Tally>,
    due: Tick,
}

impl Tallying {
    /// Begins when the realm at `here` passes an announcement on; `asked` tells whether it is asked itself.
    pub fn new(
        announcement: &Announcement,
        here: &Scope,
        asked: bool,
        fan: &FanOut,
        due: Tick,
    ) -> Self {
        Self {
            shares: Shares::of(announcement),
            here: here.clone(),
            tally: Tally {
                broadcast: announcement.broadcast,
                round: announcement.round,
                asked: u64::from(asked),
                bids: 0,
                unreached: fan.unreached,
                suppressed: None,
            },
            waiting: fan.passes.iter().map(|pass| pass.to.clone()).collect(),
            told: BTreeMap::new(),
            due,
        }
    }

    /// Counts bids of the realm itself.
    pub fn count_own(&mut self, bids: u64) {
        self.tally.bids = self.tally.bids.saturating_add(bids);
    }

    /// Takes a neighbour's tally. One of another round, or that nobody waits for, changes nothing.
    pub fn hear(&mut self, from: &Side, tally: &Tally) {
        let own = (self.tally.broadcast, self.tally.round);
        if (tally.broadcast, tally.round) != own || !self.waiting.remove(from) {
            return;
        }
        let bids = match from.seen_from(&self.here) {
            Some(there) => self.countable(&there, tally.bids),
            None => tally.bids,
        };
        self.told.insert(from.clone(), Tally { bids, ..*tally });
        self.tally.asked = self.tally.asked.saturating_add(tally.asked);
        self.tally.bids = self.tally.bids.saturating_add(bids);
        self.tally.unreached = self.tally.unreached.saturating_add(tally.unreached);
        if let Some(suppressed) = tally.suppressed {
            let before = self.tally.suppressed.unwrap_or_default();
            self.tally.suppressed = Some(before.saturating_add(suppressed));
        }
    }

    /// As many of the bids of a realm and all below it as may count.
    fn countable(&self, there: &Scope, bids: u64) -> u64 {
        self.shares.most(there).map_or(bids, |most| bids.min(most))
    }

    /// Gives up on a neighbour that cannot be reached after all.
    pub fn lose(&mut self, side: &Side) {
        if self.waiting.remove(side) {
            self.tally.unreached = self.tally.unreached.saturating_add(1);
        }
    }

    /// Whether everybody has answered.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether everybody has answered, and from each side as many bids have come as were told: what one
    /// says too little of cuts off nobody else.
    pub fn is_met(&self, received: impl Fn(&Side) -> u64) -> bool {
        let mut told = self.told.iter();
        self.is_complete() && told.all(|(side, tally)| received(side) >= tally.bids)
    }

    /// What was heard from each side by now; first those from which less has come than was told, or nothing.
    pub fn heard(&self, received: impl Fn(&Side) -> u64) -> Vec<SideHeard> {
        let told = self.told.iter().map(|(side, tally)| (side, Some(*tally)));
        let silent = self.waiting.iter().map(|side| (side, None));
        let heard = told.chain(silent).filter_map(|(side, tally)| {
            Some(SideHeard {
                side: side.seen_from(&self.here)?,
                came: received(side),
                tally,
            })
        });
        let mut heard: Vec<SideHeard> = heard.collect();
        heard.sort_by_key(SideHeard::is_met);
        heard.truncate(limits::SIDES);
        heard
    }

    /// When it is sent at the latest.
    pub fn due(&self) -> Tick {
        self.due
    }

    /// The tally by now; who has not answered counts as not reached.
    pub fn tally(&self) -> Tally {
        Tally {
            bids: self.countable(&self.here, self.tally.bids),
            unreached: self
                .tally
                .unreached
                .saturating_add(self.waiting.len() as u64),
            ..self.tally
        }
    }
}
