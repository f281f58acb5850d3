//! The loops of this realm: applied and removed, kept in their revisions, and who changed what when.

mod history;

use realm_executor::{
    ContractChange, Kept, Manifest, Need, Registered, Registry, RevisionChange, version_to_break,
};
use realm_protocol::{Digest, LoopId, cbor::Blob, journal::Table};

use crate::{
    ApplyAsked, ApplyReport, LoopAction, LoopChange, Node, Refusal, RemoveAsked, Replacement,
    Response,
    state::{self, StoredLoopChange, StoredRevision},
};
pub(crate) use history::LoopHistories;

/// Differences remembered of one change; further ones are left out.
const REASONS: usize = 8;
/// Characters remembered of one difference.
const REASON: usize = 200;

impl Node {
    pub(crate) fn apply(&mut self, asked: ApplyAsked) -> Result<Vec<ApplyReport>, Refusal> {
        let mut after = self.registry_to_change();
        let applied: Vec<LoopId> = asked.manifests.iter().map(|new| new.id.clone()).collect();
        after.insert_all(asked.manifests).map_err(|refused| {
            let problems = refused.iter().map(|(id, error)| format!("{id}: {error}"));
            Refusal::Loops(problems.collect())
        })?;
        if asked.stage {
            self.keep_current(&mut after, &applied)?;
        }
        let pruned = if asked.prune {
            prune(&mut after, &applied)
        } else {
            Vec::new()
        };
        if !asked.force {
            self.check_needs(&after)?;
        }
        let all = applied.iter().chain(&pruned);
        let reports = all.filter_map(|id| match asked.stage {
            true => self.staged(id, &after).or_else(|| self.report(id, &after)),
            false => self.report(id, &after),
        });
        let reports: Vec<ApplyReport> = reports.collect();
        let breaks = reports.iter().filter(|report| breaks_itself(report));
        let breaks: Vec<ApplyReport> = breaks.cloned().collect();
        if !asked.force && !breaks.is_empty() {
            return Err(Refusal::Breaks(breaks));
        }
        if !asked.dry_run {
            self.take_registry(after, &reports, &asked.by, asked.why);
        }
        Ok(reports)
    }

    pub(crate) fn remove_loop(&mut self, asked: &RemoveAsked) -> Result<Response, Refusal> {
        let mut after = self.registry_to_change();
        let not_found = || Refusal::NotFound {
            what: "loop",
            name: asked.id.to_string(),
        };
        let report = match &asked.version {
            None => {
                after.remove(&asked.id).ok_or_else(not_found)?;
                self.report(&asked.id, &after).ok_or_else(not_found)?
            }
            Some(version) => self.withdraw(&asked.id, version, &mut after)?,
        };
        if !asked.force {
            self.check_needs(&after)?;
        }
        self.take_registry(after, &[report], &asked.by, None);
        Ok(Response::Done)
    }

    /// A registry to change, which keeps what runs under way use.
    pub(crate) fn registry_to_change(&self) -> Registry {
        let mut registry = self.registry.clone();
        registry.spare(self.executor.revisions());
        registry
    }

    /// Makes what is current now the current revisions again, beside those that came.
    fn keep_current(&self, after: &mut Registry, applied: &[LoopId]) -> Result<(), Refusal> {
        for id in applied {
            let Some(old) = self.registry.get(id) else {
                continue;
            };
            let again = after.insert(Manifest::clone(&old.manifest));
            again.map_err(|error| Refusal::Loops(vec![format!("{id}: {error}")]))?;
        }
        Ok(())
    }

    /// What becomes of a version that is kept beside the current one; none if that is no new one.
    fn staged(&self, id: &LoopId, after: &Registry) -> Option<ApplyReport> {
        let before = self.registry.kept(id);
        let known = |digest: &Digest| before.iter().any(|kept| kept.registered.digest == *digest);
        let mut kept = after.kept(id).iter();
        let new = kept.find(|kept| !known(&kept.registered.digest))?;
        Some(report(&new.registered, LoopAction::Staged, None))
    }

    /// Withdraws a version that is not the current one.
    fn withdraw(
        &self,
        id: &LoopId,
        version: &semver::Version,
        after: &mut Registry,
    ) -> Result<ApplyReport, Refusal> {
        let known = self.registry.find(id, Some(&version.to_string()));
        let known = known.ok_or_else(|| Refusal::NotFound {
            what: "loop",
            name: format!("{id} {version}"),
        })?;
        if !after.remove_version(id, version)
            || after.find(id, Some(&version.to_string())).is_some()
        {
            return Err(Refusal::CurrentVersion {
                id: id.clone(),
                version: version.clone(),
            });
        }
        Ok(ApplyReport {
            id: id.clone(),
            version: version.clone(),
            digest: known.digest,
            action: LoopAction::Removed,
            replaces: None,
        })
    }

    /// Whether every step of every loop still finds what it finds now.
    pub(crate) fn check_needs(&self, after: &Registry) -> Result<(), Refusal> {
        let unmet: Vec<Need> = self.registry.needs_unmet(after);
        if unmet.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Needed(unmet))
        }
    }

    /// What becomes of one loop.
    pub(crate) fn report(&self, id: &LoopId, after: &Registry) -> Option<ApplyReport> {
        let (old, new) = (self.registry.get(id), after.get(id));
        let Some(new) = new else {
            return old.map(|old| report(old, LoopAction::Removed, None));
        };
        if old.is_some_and(|old| old.digest == new.digest) {
            return Some(report(new, LoopAction::Unchanged, None));
        }
        let same = self
            .registry
            .find(id, Some(&new.manifest.version.to_string()));
        let same = same.filter(|same| same.digest != new.digest);
        let action = match (old, same) {
            (None, _) => LoopAction::Created,
            (Some(_), None) => LoopAction::Updated,
            (Some(_), Some(_)) => LoopAction::Changed,
        };
        let replaces = same.or(old).map(|old| self.replacement(old, new));
        Some(report(new, action, replaces))
    }

    fn replacement(&self, old: &Registered, new: &Registered) -> Replacement {
        let change = ContractChange::between(old.into(), new.into());
        let told =
            |old: &Registered| version_to_break(&old.manifest.version, &new.manifest.version);
        let breaks =
            |old: &Registered| !ContractChange::between(old.into(), new.into()).is_compatible();
        // Callers that ask for an older line get the new version too, if it is in that line.
        let versions = self.registry.versions(&new.manifest.id);
        let mut line = versions.iter().filter(|known| {
            known.digest != new.digest
                && known.manifest.version <= new.manifest.version
                && told(known).is_some()
        });
        let advised = (!change.is_compatible()).then(|| told(old)).flatten();
        let advised = advised.or_else(|| {
            line.next()
                .filter(|known| breaks(known))
                .and_then(|known| told(known))
        });
        Replacement {
            version: old.manifest.version.clone(),
            change,
            advised,
        }
    }

    /// Takes a registry over, and writes down in what it differs and who made it so.
    pub(crate) fn take_registry(
        &mut self,
        mut after: Registry,
        reports: &[ApplyReport],
        by: &str,
        why: Option<String>,
    ) {
        let changes = after.take_changes();
        self.registry = after;
        self.share_summary();
        for report in reports {
            let key = report.id.as_str().as_bytes();
            match (report.action, self.registry.get(&report.id)) {
                (LoopAction::Unchanged, _) => continue,
                (LoopAction::Staged, _) => {}
                (LoopAction::Removed, None) => self.delete(Table::Loops, key),
                (LoopAction::Removed, Some(_)) | (_, None) => {}
                (_, Some(current)) => {
                    let row = current.manifest.to_json().to_string().into_bytes();
                    self.put(Table::Loops, key, row);
                }
            }
            self.note_change(report, by, why.clone());
            self.write_prompt(&report.id);
        }
        for change in &changes {
            self.write_revision(change);
        }
        self.forget_states_of_gone_agents();
    }

    fn write_revision(&mut self, change: &RevisionChange) {
        let (RevisionChange::Kept(id, digest) | RevisionChange::Dropped(id, digest)) = change;
        let key = revision_row(id, digest);
        let mut kept = self.registry.kept(id).iter();
        match kept.find(|kept| kept.registered.digest == *digest) {
            Some(kept) => {
                let row = state::write(&stored_revision(kept));
                self.put(Table::Revisions, &key, row);
            }
            None => self.delete(Table::Revisions, &key),
        }
        if !self.registry.remembers(id) {
            for row in self.loop_histories.forget(id) {
                self.delete(Table::LoopChanges, &row);
            }
        }
    }

    pub(crate) fn note_change(&mut self, report: &ApplyReport, by: &str, why: Option<String>) {
        let change = report.replaces.as_ref().map(|replaces| &replaces.change);
        let change = LoopChange {
            at: self.wall(),
            by: by.to_owned(),
            action: report.action,
            version: report.version.clone(),
            digest: report.digest,
            verdict: change.map(ContractChange::verdict),
            reasons: change.map(reasons).unwrap_or_default(),
            why,
        };
        let row = state::write(&StoredLoopChange::from(&change));
        // Who brought a version of a prompt, when and why, is told for as long as that is kept.
        let registry = &self.registry;
        let of_prompt =
            |digest: &Digest| registry.by_digest(digest).is_some_and(|it| it.is_prompt());
        let (key, forgotten) = self.loop_histories.note(&report.id, change, |change| {
            change.action.brings() && of_prompt(&change.digest)
        });
        self.put(Table::LoopChanges, &key, row);
        for key in forgotten {
            self.delete(Table::LoopChanges, &key);
        }
    }

    /// What was changed of a loop, the oldest first; also of one that is gone.
    pub fn loop_history<'a>(
        &'a self,
        id: &LoopId,
    ) -> impl DoubleEndedIterator<Item = &'a LoopChange> + use<'a> {
        self.loop_histories.of(id)
    }

    /// Takes up the loops as they were written down: current ones, kept revisions, histories.
    pub(crate) fn recover_loops<'a>(
        &mut self,
        loops: impl Iterator<Item = (&'a Vec<u8>, &'a Vec<u8>)>,
        revisions: Vec<(Vec<u8>, StoredRevision)>,
        changes: Vec<(Vec<u8>, StoredLoopChange)>,
    ) {
        let current = loops.filter_map(|(key, bytes)| read_manifest(key, bytes));
        let kept = revisions.into_iter().filter_map(|(key, stored)| {
            let manifest = read_manifest(&key, &stored.manifest)?;
            Some((manifest, stored.order, stored.offered))
        });
        let refused = self.registry.recover(current.collect(), kept.collect());
        for (id, error) in refused {
            tracing::error!(%id, %error, "a stored loop is no longer valid");
        }
        for (key, stored) in changes {
            self.loop_histories.recover(&key, stored);
        }
    }
}

fn report(known: &Registered, action: LoopAction, replaces: Option<Replacement>) -> ApplyReport {
    ApplyReport {
        id: known.manifest.id.clone(),
        version: known.manifest.version.clone(),
        digest: known.digest,
        action,
        replaces,
    }
}

/// Whether a version keeps its number and breaks its callers.
fn breaks_itself(report: &ApplyReport) -> bool {
    let same = report.action == LoopAction::Changed;
    let replaces = report.replaces.as_ref();
    same && replaces.is_some_and(|replaces| !replaces.change.is_compatible())
}

/// The differences as they are remembered.
fn reasons(change: &ContractChange) -> Vec<String> {
    let reasons = change.differences.iter().map(ToString::to_string);
    reasons
        .map(|reason| reason.chars().take(REASON).collect())
        .take(REASONS)
        .collect()
}

/// Removes what is not among those applied; gives what that was.
fn prune(after: &mut Registry, applied: &[LoopId]) -> Vec<LoopId> {
    let others = after.iter().filter(|known| !known.builtin);
    let others = others.map(|known| known.manifest.id.clone());
    let mut pruned: Vec<LoopId> = others.filter(|id| !applied.contains(id)).collect();
    pruned.retain(|id| after.remove(id).is_some());
    pruned
}

fn read_manifest(key: &[u8], bytes: &[u8]) -> Option<Manifest> {
    let document = serde_json::from_slice(bytes).ok();
    let manifest = document.and_then(|document| Manifest::from_json(&document).ok());
    if manifest.is_none() {
        let id = String::from_utf8_lossy(key).into_owned();
        tracing::error!(id, "a stored loop does not read");
    }
    manifest
}

fn stored_revision(kept: &Kept) -> StoredRevision {
    let document = kept.registered.manifest.to_json();
    StoredRevision {
        manifest: Blob::from(document.to_string().into_bytes()),
        order: kept.order,
        offered: kept.offered,
    }
}

/// Key of a kept revision: the loop, a zero, the revision.
fn revision_row(id: &LoopId, digest: &Digest) -> Vec<u8> {
    [id.as_str().as_bytes(), &[0], digest.as_bytes()].concat()
}
