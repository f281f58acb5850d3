//! What leased work announces in its turn: its lease tells how many broadcasts that are, and how they stand.

use realm_broadcast::log::Ending;
use realm_protocol::{Digest, RunId, broadcast::Offshoots};

use super::Announced;
use crate::Node;

impl Node {
    /// What the work that a bid has won has announced so far, at all levels below.
    pub(super) fn offshoots_of(&self, bid: Digest) -> Offshoots {
        let runs = self.serving.runs_that(|it| it.bid() == Some(bid));
        let of_work = |run: &RunId| {
            let ended = self.market.offshoots.get(run).copied().unwrap_or_default();
            let own = self.market.announced.values();
            let under_way = own.filter(|own| own.run.parent == Some(*run));
            under_way.fold(ended, |sum, own| sum.plus(under(own)))
        };
        runs.iter()
            .map(of_work)
            .fold(Offshoots::default(), Offshoots::plus)
    }

    /// A broadcast has ended: where leased work had announced it, that is told until the work is done.
    pub(super) fn count_offshoot(&mut self, own: &Announced, ending: Ending) {
        let serving = &self.serving;
        let leased = |run: RunId| {
            let served = serving.get(run);
            served.is_some_and(|it| it.responders.iter().any(|it| it.bid().is_some()))
        };
        let offshoots = &mut self.market.offshoots;
        offshoots.retain(|run, _| leased(*run));
        if let Some(run) = own.run.parent.filter(|run| leased(*run)) {
            let ended = Offshoots {
                under_way: 0,
                given: u64::from(ending == Ending::Output),
                failed: u64::from(ending != Ending::Output),
            };
            // Nothing below one that has ended goes on.
            let below = Offshoots {
                under_way: 0,
                ..own.announcer.offshoots()
            };
            let sum = offshoots.entry(run).or_default();
            *sum = sum.plus(ended).plus(below);
        }
    }
}

/// A broadcast that is under way, and what the holders of its leases have announced.
fn under(own: &Announced) -> Offshoots {
    let itself = Offshoots {
        under_way: 1,
        ..Offshoots::default()
    };
    own.announcer.offshoots().plus(itself)
}
