//! What loops are to each other: who calls whom, and what that makes of their effects.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::LoopId;

use super::Registry;
use crate::{Body, Effects, Manifest, Origin, Problem, Step};

type Lookup<'a> = &'a dyn Fn(&LoopId) -> Option<&'a Manifest>;

impl Registry {
    /// Checks loops that are about to be registered together, over the ones that are here:
    /// every loop called in this realm exists, none calls itself, none claims weaker effects than
    /// what it calls has, and none takes the place of a loop that comes with the realm.
    ///
    /// # Errors
    /// All problems at once.
    pub fn validate_set(&self, manifests: &[Manifest]) -> Result<(), Vec<Problem>> {
        let new: BTreeMap<&LoopId, &Manifest> =
            manifests.iter().map(|new| (&new.id, new)).collect();
        let lookup = |id: &LoopId| {
            new.get(id)
                .copied()
                .or_else(|| self.get(id).map(|known| &*known.manifest))
        };
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for manifest in manifests {
            if !seen.insert(&manifest.id) {
                let what = format!("`{}` is defined twice", manifest.id);
                problems.push(Problem::at(&manifest.origin, "loop.twice", what));
            }
            self.check_builtin(manifest, &mut problems);
            check_calls(manifest, &lookup, &mut problems);
            check_effects(manifest, &lookup, &mut problems);
        }
        check_cycles(manifests, &lookup, &mut problems);
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    fn check_builtin(&self, manifest: &Manifest, problems: &mut Vec<Problem>) {
        if self.get(&manifest.id).is_some_and(|known| known.builtin) {
            let what = format!(
                "`{}` comes with every realm and cannot be replaced",
                manifest.id
            );
            problems.push(
                Problem::at(&manifest.origin, "loop.builtin", what).hint("choose another id"),
            );
        }
    }
}

/// The steps of a composite; none for every other kind.
fn steps(manifest: &Manifest) -> &[Step] {
    match &manifest.body {
        Body::Composite(composite) => &composite.steps,
        Body::Prompt(_) | Body::Tool(_) => &[],
    }
}

/// The loops of this realm that a loop calls.
pub(super) fn local_calls(manifest: &Manifest) -> impl Iterator<Item = &LoopId> {
    let local = steps(manifest)
        .iter()
        .filter(|step| step.loop_id.realm.is_none());
    local.map(|step| &step.loop_id.loop_id)
}

/// A loop's effects. A composite has the strongest of what it calls; what is unknown or in another
/// realm counts as `once`.
pub(super) fn effects<'a>(manifest: &'a Manifest, lookup: Lookup<'a>) -> Effects {
    let called = called_effects(manifest, lookup);
    match (called, manifest.effects) {
        (Some(called), Some(declared)) => called.max(declared),
        (Some(called), None) => called,
        (None, _) => manifest.own_effects(),
    }
}

/// The strongest effects of everything a composite leads to; none for other kinds.
fn called_effects<'a>(manifest: &'a Manifest, lookup: Lookup<'a>) -> Option<Effects> {
    if !matches!(manifest.body, Body::Composite(_)) {
        return None;
    }
    let mut strongest = Effects::None;
    let mut seen = BTreeSet::from([&manifest.id]);
    let mut waiting = vec![manifest];
    while let Some(caller) = waiting.pop() {
        for step in steps(caller) {
            let local = step.loop_id.realm.is_none();
            match lookup(&step.loop_id.loop_id).filter(|_| local) {
                None => return Some(Effects::Once),
                Some(called) if matches!(called.body, Body::Composite(_)) => {
                    strongest = strongest.max(called.effects.unwrap_or(Effects::None));
                    if seen.insert(&called.id) {
                        waiting.push(called);
                    }
                }
                Some(called) => strongest = strongest.max(called.own_effects()),
            }
        }
    }
    Some(strongest)
}

fn check_calls<'a>(manifest: &'a Manifest, lookup: Lookup<'a>, problems: &mut Vec<Problem>) {
    let local = steps(manifest)
        .iter()
        .filter(|step| step.loop_id.realm.is_none());
    for step in local {
        let id = &step.loop_id.loop_id;
        let Some(called) = lookup(id) else {
            let what = format!(
                "`{}` calls `{id}`, which this realm does not have",
                manifest.id
            );
            let hint =
                format!("apply `{id}` together with it, or name its realm: `{id}@realm/path`");
            problems.push(Problem::at(&step.origin, "composite.loopId", what).hint(hint));
            continue;
        };
        let wanted = step.loop_version.as_deref();
        if wanted.is_some_and(|wanted| !super::satisfies(&called.version, wanted)) {
            let wanted = wanted.unwrap_or_default();
            let what = format!("`{id}` is here in version {}, not {wanted}", called.version);
            problems.push(Problem::at(&step.origin, "composite.loopVersion", what));
        }
    }
}

fn check_effects<'a>(manifest: &'a Manifest, lookup: Lookup<'a>, problems: &mut Vec<Problem>) {
    if let (Some(called), Some(declared)) = (called_effects(manifest, lookup), manifest.effects)
        && declared < called
    {
        let what = format!(
            "`{}` declares effects `{declared}`, but what it calls has `{called}`",
            manifest.id
        );
        let hint = format!("declare `effects: {called}`, or leave it out");
        problems.push(Problem::at(&manifest.origin, "loop.effects", what).hint(hint));
    }
}

/// Finds every cycle that starts at one of the new loops and names it once.
fn check_cycles<'a>(manifests: &'a [Manifest], lookup: Lookup<'a>, problems: &mut Vec<Problem>) {
    let mut done: BTreeSet<&LoopId> = BTreeSet::new();
    for start in manifests {
        let mut path: Vec<(&'a LoopId, Vec<&'a LoopId>)> = Vec::new();
        let mut next = Some(&start.id);
        loop {
            if let Some(id) = next.take() {
                if let Some(first) = path.iter().position(|(on_path, _)| *on_path == id) {
                    let cycle = path.iter().skip(first).map(|(id, _)| *id);
                    problems.push(cycle_problem(&start.origin, cycle, id));
                } else if done.insert(id) {
                    let calls = lookup(id).map(|found| local_calls(found).collect());
                    path.push((id, calls.unwrap_or_default()));
                }
            }
            match path.last_mut() {
                None => break,
                Some((_, calls)) => match calls.pop() {
                    Some(call) => next = Some(call),
                    None => drop(path.pop()),
                },
            }
        }
    }
}

fn cycle_problem<'a>(
    origin: &Origin,
    cycle: impl Iterator<Item = &'a LoopId>,
    back: &'a LoopId,
) -> Problem {
    let names: Vec<String> = cycle.chain([back]).map(ToString::to_string).collect();
    Problem::at(
        origin,
        "composite.cycle",
        format!("loops call each other in a circle: {}", names.join(" → ")),
    )
}
