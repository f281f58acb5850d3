//! Which loops need which, and in which version.

use std::collections::BTreeSet;

use realm_protocol::{Digest, LoopId};

use super::{Registry, set};

/// A step that finds its loop no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The loop that has the step.
    pub caller: LoopId,
    /// The loop it calls.
    pub called: LoopId,
    /// The version it needs; none for any.
    pub version: Option<String>,
}

impl Registry {
    /// The steps of current loops that find their loop here, but would not in `after`.
    pub fn needs_unmet(&self, after: &Self) -> Vec<Need> {
        let steps = after.loops.values().flat_map(|known| {
            set::local_steps(&known.manifest).map(|step| (&known.manifest.id, step))
        });
        let unmet = steps.filter(|(_, step)| {
            let (id, version) = (&step.loop_id.loop_id, step.loop_version.as_deref());
            after.find(id, version).is_none() && self.find(id, version).is_some()
        });
        let needs = unmet.map(|(caller, step)| Need {
            caller: caller.clone(),
            called: step.loop_id.loop_id.clone(),
            version: step.loop_version.clone(),
        });
        let mut needs: Vec<Need> = needs.collect();
        needs.dedup();
        needs
    }

    /// The revisions that steps which name a version lead to.
    pub(super) fn needed(&self) -> BTreeSet<Digest> {
        let current = self.loops.values();
        let offered = self.earlier.values().flatten().filter(|kept| kept.offered);
        let all = current.chain(offered.map(|kept| &kept.registered));
        let steps = all.flat_map(|known| set::local_steps(&known.manifest));
        let pinned = steps.filter(|step| step.loop_version.is_some());
        let found = pinned
            .filter_map(|step| self.find(&step.loop_id.loop_id, step.loop_version.as_deref()));
        found.map(|found| found.digest).collect()
    }
}
