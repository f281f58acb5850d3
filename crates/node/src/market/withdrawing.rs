//! Broadcasts that are taken back by a person, and who has confirmed that it stopped.

use std::collections::{BTreeMap, BTreeSet};

use realm_broadcast::{
    bidder,
    log::{Conclusion, Ending},
};
use realm_protocol::{
    BroadcastId, Digest, FailureCode, Place, RunId, broadcast::Stopped, budget::Spend, limits,
};

use super::{Announced, BROADCASTS};
use crate::{ControlId, Node, Response};

/// How a broadcast ended whose run was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Its run here.
    pub run: RunId,
    /// The loop whose work it was.
    pub loop_id: String,
    /// How it ended: `Cancelled`, or otherwise if its outcome came first.
    pub ending: &'static str,
    /// Who said that it had stopped, by slot.
    pub confirmed: Vec<String>,
    /// Who had the work and did not say so in time, by slot.
    pub silent: Vec<String>,
    /// How many of those that worked for the confirmed ones in turn said that they had stopped, and did not.
    pub below: Stopped,
}

/// Leased work that is taken back, while those that work for it in turn are waited for.
#[derive(Debug)]
pub(super) struct Stopping {
    bid: Digest,
    waits_ms: u64,
    below: Stopped,
    /// What its run has used, once that has ended.
    ended: Option<Option<Spend>>,
}

/// Somebody who has cancelled a run, and waits for what it had announced.
#[derive(Debug)]
pub(super) struct Withdrawing {
    control: ControlId,
    left: BTreeSet<BroadcastId>,
    ended: Vec<Withdrawn>,
}

impl Node {
    /// Cancels a run. It is answered once everything that the run has announced has ended.
    pub(crate) fn cancel(&mut self, control: ControlId, run: RunId) {
        let of_run = |own: &Announced| own.run.id == run || own.run.parent == Some(run);
        let own = self.market.announced.iter();
        let own = own.filter(|(_, own)| of_run(own));
        let left: BTreeSet<BroadcastId> = own.map(|(broadcast, _)| *broadcast).collect();
        if left.is_empty() || self.market.withdrawing.len() >= BROADCASTS {
            match self.cancel_broadcast(run) {
                true => self.respond(control, Response::Done),
                false => self.cancel_run(control, run),
            }
            return;
        }
        self.market.withdrawing.push(Withdrawing {
            control,
            left,
            ended: Vec::new(),
        });
        if !self.cancel_broadcast(run) {
            self.cancel_served_run(run);
        }
    }

    /// A broadcast has ended: whoever took it back is told once it was the last.
    pub(super) fn tell_withdrawn(
        &mut self,
        broadcast: BroadcastId,
        own: &Announced,
        conclusion: &Conclusion,
    ) {
        let waits = |it: &Withdrawing| it.left.contains(&broadcast);
        if !self.market.withdrawing.iter().any(waits) {
            return;
        }
        let (confirmed, silent) = self.withdrawn_from(&own.holders, conclusion);
        let withdrawn = Withdrawn {
            run: own.run.id,
            loop_id: own.run.loop_id.clone(),
            ending: conclusion.ending.name(),
            confirmed,
            silent,
            below: own.announcer.stopped_below(),
        };
        for it in self.market.withdrawing.iter_mut().filter(|it| waits(it)) {
            it.left.remove(&broadcast);
            it.ended.push(withdrawn.clone());
        }
        let over = |it: &mut Withdrawing| it.left.is_empty();
        let over: Vec<Withdrawing> = self.market.withdrawing.extract_if(.., over).collect();
        for it in over {
            self.respond(it.control, Response::Withdrawn(it.ended));
        }
    }

    /// The run of leased work is about to be cancelled, and whoever leased it waits to hear who has stopped.
    pub(super) fn begin_stopping(&mut self, run: RunId, bid: Digest, waits_ms: u64) {
        let stopping = Stopping {
            bid,
            waits_ms,
            below: Stopped::default(),
            ended: None,
        };
        self.market.stopping.insert(run, stopping);
    }

    /// How long a broadcast of this run waits for its holders when it is taken back, milliseconds.
    pub(super) fn stopping_for(&self, parent: Option<RunId>) -> u64 {
        let stopping = parent.and_then(|parent| self.market.stopping.get(&parent));
        stopping.map_or(limits::WITHDRAW_MS, |it| it.waits_ms)
    }

    /// The run of leased work has ended; says whether that was because it is taken back, and is told once
    /// all that it had announced has ended too.
    pub(super) fn has_stopped(&mut self, run: RunId, spent: &Option<Spend>) -> bool {
        let Some(stopping) = self.market.stopping.get_mut(&run) else {
            return false;
        };
        stopping.ended = Some(spent.clone());
        self.tell_stopped(run);
        true
    }

    /// A broadcast has ended: what its holders said counts for the work that it was announced for.
    pub(super) fn count_stopped(&mut self, own: &Announced, conclusion: &Conclusion) {
        let Some(parent) = own.run.parent else {
            return;
        };
        let Some(stopping) = self.market.stopping.get_mut(&parent) else {
            return;
        };
        let own_holders = Stopped {
            confirmed: conclusion.confirmed.len() as u64,
            silent: conclusion.silent.len() as u64,
        };
        let below = own.announcer.stopped_below();
        stopping.below = stopping.below.plus(own_holders).plus(below);
        self.tell_stopped(parent);
    }

    /// Says that leased work has stopped, once its run and all that this has announced have ended.
    fn tell_stopped(&mut self, run: RunId) {
        let mut announced = self.market.announced.values();
        if announced.any(|own| own.run.parent == Some(run)) {
            return;
        }
        let stopping = self.market.stopping.get(&run);
        if stopping.is_none_or(|it| it.ended.is_none()) {
            return;
        }
        if let Some(it) = self.market.stopping.remove(&run) {
            self.tell_bidder(bidder::Input::Worked {
                bid: it.bid,
                result: Err(FailureCode::Cancelled),
                spent: it.ended.flatten(),
                below: Some(it.below).filter(|below| *below != Stopped::default()),
            });
            self.set_market_timer();
        }
    }

    /// Who has confirmed that it stopped, and who has not; nobody where nothing was taken back.
    pub(super) fn withdrawn_from(
        &self,
        holders: &BTreeMap<u64, Place>,
        conclusion: &Conclusion,
    ) -> (Vec<String>, Vec<String>) {
        if conclusion.ending != Ending::Cancelled {
            return (Vec::new(), Vec::new());
        }
        let names = |slots: &[u64]| {
            let holders = slots.iter().filter_map(|slot| holders.get(slot));
            holders.map(|it| self.name_of(&it.scope())).collect()
        };
        (names(&conclusion.confirmed), names(&conclusion.silent))
    }
}
