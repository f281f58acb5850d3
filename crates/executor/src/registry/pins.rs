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
        let calls = after.loops.values().flat_map(|known| {
            set::local_calls(&known.manifest).map(|call| (&known.manifest.id, call))
        });
        let unmet = calls.filter(|(_, call)| {
            let (id, version) = (call.id, call.version);
            after.find(id, version).is_none() && self.find(id, version).is_some()
        });
        let needs = unmet.map(|(caller, call)| Need {
            caller: caller.clone(),
            called: call.id.clone(),
            version: call.version.map(str::to_owned),
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
        let calls = all.flat_map(|known| set::local_calls(&known.manifest));
        let pinned = calls.filter(|call| call.version.is_some());
        let found = pinned.filter_map(|call| self.find(call.id, call.version));
        let shared = self.shares.values().flatten().map(|share| share.digest);
        found.map(|found| found.digest).chain(shared).collect()
    }
}
