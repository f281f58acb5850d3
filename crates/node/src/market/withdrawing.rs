//! Broadcasts that are taken back by a person, and who has confirmed that it stopped.

use std::collections::{BTreeMap, BTreeSet};

use realm_broadcast::log::{Conclusion, Ending};
use realm_protocol::{BroadcastId, Place, RunId};

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
