//! What stands still by its owner's word, whatever else it waits for.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{LoopId, Now, RunId};

use super::{Executor, frame::Subject};
use crate::{Body, Registry};

/// Everything that stands still by its owner's word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Halted {
    /// Runs that stand still as a whole.
    pub runs: BTreeSet<RunId>,
    /// Loops that do not run, each with the runs that may go on with it all the same.
    pub loops: BTreeMap<LoopId, BTreeSet<RunId>>,
    /// Whether nothing is asked of other realms.
    pub outside: bool,
}

impl Halted {
    /// Whether a run stands still that comes to this.
    pub(super) fn stops(&self, run: RunId, subject: &Subject) -> bool {
        match subject {
            Subject::Remote { .. } => self.outside,
            Subject::Local(entry) => {
                let announces = matches!(entry.manifest.body, Body::Broadcast(_));
                let halted = self.loops.get(&entry.manifest.id);
                self.outside && announces || halted.is_some_and(|but| !but.contains(&run))
            }
        }
    }
}

impl Executor {
    /// Lets exactly this stand still from now on, and everything else go on. An answer that is under
    /// way is taken and written down, and goes no further; calls of other realms are taken back, and
    /// made again once the run goes on.
    pub fn set_halted(&mut self, halted: Halted, registry: &Registry, now: Now) {
        self.shared.halted = halted;
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        for run in runs {
            self.with(run, registry, now, super::run::Run::heed_halt);
        }
    }

    /// Whether a run stands still by its owner's word.
    pub fn is_halted(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(super::run::Run::is_halted)
    }

    /// Whether a run would stand still where this alone were halted.
    pub fn is_held_by(&self, run: RunId, halted: &Halted) -> bool {
        let run = self.runs.get(&run);
        run.is_some_and(|run| run.is_held_by(halted))
    }
}
