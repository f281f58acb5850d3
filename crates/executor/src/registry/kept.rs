//! Revisions that another one took the place of.

use std::{collections::BTreeSet, sync::Arc};

use realm_protocol::{Digest, LoopId, limits};

use super::{RegisterError, Registered, Registry, pattern_of};
use crate::Manifest;

/// A revision of a loop that is not the current one.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The revision.
    pub registered: Arc<Registered>,
    /// Its place among all that were replaced; the last one has the highest.
    pub order: u64,
    /// Whether its version can still be asked for. Otherwise it is only there for runs that began
    /// with it.
    pub offered: bool,
}

/// A change of what is kept, to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionChange {
    /// The revision is kept, in this place or on other terms.
    Kept(LoopId, Digest),
    /// The revision is current again, or forgotten.
    Dropped(LoopId, Digest),
}

impl Registry {
    /// The revisions of a loop that are kept beside the current one, the one replaced longest ago
    /// first.
    pub fn kept(&self, id: &LoopId) -> &[Kept] {
        self.earlier.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether anything of a loop is known, be it removed.
    pub fn remembers(&self, id: &LoopId) -> bool {
        self.loops.contains_key(id) || self.earlier.contains_key(id)
    }

    /// Spares the revisions that runs under way use: they are not forgotten, whatever else is.
    pub fn spare(&mut self, revisions: BTreeSet<Digest>) {
        self.spared = revisions;
    }

    /// What has changed in what is kept since this was last asked.
    pub fn take_changes(&mut self) -> Vec<RevisionChange> {
        std::mem::take(&mut self.changes)
    }

    /// Takes up what was stored, into a registry without loops: the current revisions, then the
    /// kept ones with their order and whether they can be asked for. Gives the current ones that
    /// cannot be registered.
    pub fn recover(
        &mut self,
        current: Vec<Manifest>,
        mut kept: Vec<(Manifest, u64, bool)>,
    ) -> Vec<(LoopId, RegisterError)> {
        let mut refused = Vec::new();
        for manifest in current {
            let id = manifest.id.clone();
            match Registered::new(manifest).compiled() {
                Ok(_) if self.loops.get(&id).is_some_and(|known| known.builtin) => {
                    refused.push((id.clone(), RegisterError::Builtin(id)));
                }
                Ok(registered) => {
                    self.digests.insert(registered.digest, id.clone());
                    self.alias(&registered);
                    self.loops.insert(id, Arc::new(registered));
                }
                Err(error) => refused.push((id, error)),
            }
        }
        kept.sort_by_key(|(_, order, _)| *order);
        for (manifest, order, offered) in kept {
            let registered = Arc::new(Registered::new(manifest));
            if !self.digests.contains_key(&registered.digest) {
                self.next_order = self.next_order.max(order.saturating_add(1));
                self.shelve(Kept {
                    registered,
                    order,
                    offered,
                });
            }
        }
        let all: BTreeSet<LoopId> = self
            .loops
            .keys()
            .chain(self.earlier.keys())
            .cloned()
            .collect();
        self.settle(all);
        self.changes.clear();
        refused
    }

    /// Withdraws one version that is not the current one; gives whether it was offered.
    pub fn remove_version(&mut self, id: &LoopId, version: &semver::Version) -> bool {
        let of_version =
            |kept: &&mut Kept| kept.offered && kept.registered.manifest.version == *version;
        let mut withdrawn = false;
        for kept in self
            .earlier
            .get_mut(id)
            .into_iter()
            .flatten()
            .filter(of_version)
        {
            kept.offered = false;
            withdrawn = true;
            let digest = kept.registered.digest;
            self.changes.push(RevisionChange::Kept(id.clone(), digest));
        }
        if withdrawn {
            self.forget_shares(id);
            self.settle([id.clone()]);
            self.bound_revisions(id);
        }
        withdrawn
    }

    /// Makes a revision the current one and keeps the one that was, which it gives.
    pub(super) fn put(&mut self, registered: Arc<Registered>) -> Option<Arc<Registered>> {
        let (id, digest) = (registered.manifest.id.clone(), registered.digest);
        if self.digests.insert(digest, id.clone()).is_some() {
            self.unshelve(&id, digest);
        }
        self.alias(&registered);
        let replaced = self.loops.insert(id, registered);
        if let Some(replaced) = replaced.clone().filter(|old| old.digest != digest) {
            self.keep(replaced, true);
        }
        replaced
    }

    /// Keeps a loop that was removed, and offers none of its versions any more.
    pub(super) fn withdraw(&mut self, id: &LoopId, removed: Arc<Registered>) {
        self.keep(removed, false);
        for kept in self.earlier.get_mut(id).into_iter().flatten() {
            if std::mem::take(&mut kept.offered) {
                let digest = kept.registered.digest;
                self.changes.push(RevisionChange::Kept(id.clone(), digest));
            }
        }
        self.bound_revisions(id);
        self.bound_removed();
        self.bound_all();
    }

    /// Lets the definitions of prompts have so many bytes together.
    pub const fn keep_prompts(&mut self, bytes: u64) {
        self.prompt_bytes = bytes;
    }

    /// Whether a revision of a prompt has been added to more than may be kept of them.
    pub(super) fn bound_prompts(&self) -> Result<(), RegisterError> {
        let kept = self.earlier.values().flatten();
        let all = self.loops.values().chain(kept.map(|kept| &kept.registered));
        let bytes = all.fold(0_u64, |sum, known| sum.saturating_add(known.prompt_bytes));
        let most = self.prompt_bytes;
        match bytes > most {
            true => Err(RegisterError::PromptsFull { bytes, most }),
            false => Ok(()),
        }
    }

    /// Keeps what the limits allow of a loop that has a new revision, and of all. Of prompts every version is kept.
    pub(super) fn bound(&mut self, id: &LoopId) -> Result<(), RegisterError> {
        if self.get(id).is_some_and(|current| current.is_prompt()) {
            return Ok(());
        }
        while self.versions(id).len() > limits::LOOP_VERSIONS {
            let needed = self.needed();
            let unneeded = |kept: &&Kept| kept.offered && !needed.contains(&kept.registered.digest);
            let current = self.get(id).map(|current| &current.manifest.version);
            let mut kept = self.kept(id).iter().filter(unneeded);
            let oldest = kept.find(|kept| {
                let version = &kept.registered.manifest.version;
                let same = |other: &&Arc<Registered>| other.manifest.version == *version;
                let last = self.offered(id).filter(same).last();
                Some(version) != current
                    && last.is_some_and(|last| last.digest == kept.registered.digest)
            });
            let Some(version) = oldest.map(|kept| kept.registered.manifest.version.clone()) else {
                return Err(RegisterError::VersionsNeeded);
            };
            self.remove_version(id, &version);
        }
        self.bound_revisions(id);
        self.bound_all();
        if self.surplus() > 0 {
            return Err(RegisterError::RevisionsUsed);
        }
        Ok(())
    }

    /// Forgets revisions of a loop that nobody can ask for, past the limit.
    fn bound_revisions(&mut self, id: &LoopId) {
        let offered: BTreeSet<Digest> =
            self.versions(id).iter().map(|known| known.digest).collect();
        let kept = self.kept(id).iter();
        let kept = kept.filter(|kept| !kept.registered.is_prompt());
        let digests = kept.map(|kept| kept.registered.digest);
        let alone = |digest: &Digest| !offered.contains(digest) && !self.spared.contains(digest);
        let alone: Vec<Digest> = digests.filter(alone).collect();
        let surplus = alone.len().saturating_sub(limits::LOOP_REVISIONS);
        for digest in alone.into_iter().take(surplus) {
            self.forget(id, digest);
        }
    }

    /// Forgets removed loops past the limit.
    fn bound_removed(&mut self) {
        let used = |kept: &Kept| self.spared.contains(&kept.registered.digest);
        let removed = self
            .earlier
            .iter()
            .filter(|(id, kept)| !self.loops.contains_key(*id) && !kept.iter().any(used));
        let mut removed: Vec<(u64, LoopId)> = removed
            .map(|(id, kept)| (kept.last().map_or(0, |last| last.order), id.clone()))
            .collect();
        removed.sort_unstable();
        let surplus = removed.len().saturating_sub(limits::LOOPS_REMOVED);
        for (_, id) in removed.into_iter().take(surplus) {
            let digests = self.kept(&id).iter().map(|kept| kept.registered.digest);
            for digest in digests.collect::<Vec<_>>() {
                self.forget(&id, digest);
            }
        }
    }

    /// Forgets revisions past the limit of them all.
    fn bound_all(&mut self) {
        let surplus = self.surplus();
        if surplus == 0 {
            return;
        }
        let needed = self.needed();
        let all = self.earlier.iter();
        let mut all: Vec<(u64, LoopId, Digest)> = all
            .flat_map(|(id, kept)| {
                let kept = kept.iter().filter(|kept| !kept.registered.is_prompt());
                kept.map(|kept| (kept.order, id.clone(), kept.registered.digest))
            })
            .filter(|(_, _, digest)| !needed.contains(digest) && !self.spared.contains(digest))
            .collect();
        all.sort_unstable();
        for (_, id, digest) in all.into_iter().take(surplus) {
            self.forget(&id, digest);
        }
    }

    /// Revisions kept past the limit of them all.
    fn surplus(&self) -> usize {
        let kept = self.earlier.values().flatten();
        let kept = kept.filter(|kept| !kept.registered.is_prompt()).count();
        kept.saturating_sub(limits::LOOP_REVISIONS_IN_ALL)
    }

    /// Takes over the aliases and the pattern of a revision that is to be the current one.
    fn alias(&mut self, registered: &Registered) {
        let id = &registered.manifest.id;
        self.aliases.retain(|_, of| of != id);
        let aliases = registered
            .manifest
            .aliases
            .iter()
            .filter(|alias| *alias != id);
        let aliases: Vec<_> = aliases.map(|alias| (alias.clone(), id.clone())).collect();
        self.aliases.extend(aliases);
        self.patterns.retain(|_, of| of != id);
        let pattern = pattern_of(&registered.manifest).cloned();
        self.patterns
            .extend(pattern.map(|pattern| (pattern, id.clone())));
    }

    fn keep(&mut self, registered: Arc<Registered>, offered: bool) {
        let order = self.next_order;
        self.next_order = order.saturating_add(1);
        let id = registered.manifest.id.clone();
        self.changes
            .push(RevisionChange::Kept(id, registered.digest));
        self.shelve(Kept {
            registered,
            order,
            offered,
        });
    }

    fn shelve(&mut self, kept: Kept) {
        let id = kept.registered.manifest.id.clone();
        self.digests.insert(kept.registered.digest, id.clone());
        self.earlier.entry(id).or_default().push(kept);
    }

    fn forget(&mut self, id: &LoopId, digest: Digest) {
        self.unshelve(id, digest);
        self.digests.remove(&digest);
    }

    fn unshelve(&mut self, id: &LoopId, digest: Digest) {
        let Some(kept) = self.earlier.get_mut(id) else {
            return;
        };
        let before = kept.len();
        kept.retain(|kept| kept.registered.digest != digest);
        if kept.len() < before {
            self.changes
                .push(RevisionChange::Dropped(id.clone(), digest));
        }
        if kept.is_empty() {
            self.earlier.remove(id);
        }
    }
}
