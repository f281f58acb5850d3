//! What loops are to each other: who calls whom, and what that makes of their effects.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{LoopAddress, LoopId};
use semver::Version;

use super::{RegisterError, Registry, pattern_of, satisfies};
use crate::{Body, Effects, Manifest, Origin, Problem};

/// Finds a loop in the version meant.
type Lookup<'a> = &'a dyn Fn(&LoopId, Option<&str>) -> Option<&'a Manifest>;

impl Registry {
    /// Checks loops that are about to be registered together, over the ones that are here:
    /// every loop called in this realm exists, none calls itself, none claims weaker effects than
    /// what it calls has, and none takes the place of a loop that comes with the realm.
    ///
    /// # Errors
    /// All problems at once.
    pub fn validate_set(&self, manifests: &[Manifest]) -> Result<(), Vec<Problem>> {
        let new: BTreeMap<&LoopId, &Manifest> = manifests
            .iter()
            .flat_map(|new| names(new).map(move |name| (name, new)))
            .collect();
        let lookup = |id: &LoopId, version: Option<&str>| {
            let named = new.get(id).copied();
            let taking = || taking(manifests, id).filter(|_| self.get(self.resolve(id)).is_none());
            let new = named.or_else(taking);
            let new = new.filter(|new| version.is_none_or(|text| satisfies(&new.version, text)));
            let known = self.find(id, version).map(|known| &*known.manifest);
            match (new, known) {
                // A new revision takes the place of the one with its version.
                (Some(new), Some(known)) if version.is_some() && known.version > new.version => {
                    Some(known)
                }
                (new, known) => new.or(known),
            }
        };
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        let Walk { order, circles } = walk(manifests.iter(), &lookup);
        let mut settled = Settled::default();
        for manifest in order {
            settled.effects(manifest, &lookup);
        }
        for manifest in manifests {
            if !seen.insert(&manifest.id) {
                let what = format!("`{}` is defined twice", manifest.id);
                problems.push(Problem::at(&manifest.origin, "loop.twice", what));
            }
            self.check_builtin(manifest, &mut problems);
            self.check_names(manifest, &new, &mut problems);
            self.check_calls(manifest, &lookup, &mut problems);
            check_effects(manifest, &mut settled, &lookup, &mut problems);
        }
        let circles = circles.into_iter();
        problems.extend(circles.map(|(start, circle)| circle_problem(&start.origin, circle)));
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// The circles that these loops lead into, in their current revisions.
    pub(super) fn circles(&self, ids: &[LoopId]) -> Vec<(LoopId, Vec<LoopId>)> {
        let lookup = |id: &LoopId, version: Option<&str>| {
            let found = self.find(id, version);
            found.map(|found| &*found.manifest)
        };
        let starts = ids.iter().filter_map(|id| lookup(id, None));
        let circles = walk(starts, &lookup).circles.into_iter();
        circles
            .map(|(start, circle)| (start.id.clone(), circle))
            .collect()
    }

    fn check_calls<'a>(
        &self,
        manifest: &'a Manifest,
        lookup: Lookup<'a>,
        problems: &mut Vec<Problem>,
    ) {
        for call in local_calls(manifest) {
            let id = call.id;
            let Some(called) = lookup(id, None) else {
                let what = format!(
                    "`{}` calls `{id}`, which this realm does not have",
                    manifest.id
                );
                let hint =
                    format!("apply `{id}` together with it, or name its realm: `{id}@realm/path`");
                problems.push(Problem::at(call.origin, "composite.loopId", what).hint(hint));
                continue;
            };
            let wanted = call.version;
            if let Some(wanted) = wanted.filter(|_| lookup(id, wanted).is_none()) {
                let known = self.versions(id);
                let known = known.iter().map(|known| &known.manifest.version);
                let versions: BTreeSet<_> = known.chain([&called.version]).collect();
                let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
                let what = format!(
                    "`{id}` is here in version {}, not {wanted}",
                    versions.join(", ")
                );
                problems.push(Problem::at(call.origin, "composite.loopVersion", what));
            }
        }
    }

    fn check_names(
        &self,
        manifest: &Manifest,
        new: &BTreeMap<&LoopId, &Manifest>,
        problems: &mut Vec<Problem>,
    ) {
        let together = names(manifest).find_map(|name| {
            let owner = new.get(name).filter(|owner| owner.id != manifest.id)?;
            Some((name.clone(), owner.id.clone()))
        });
        let taken = self.taken(manifest);
        if let Some((pattern, owner)) = self.pattern_taken(manifest) {
            let what = format!("`{owner}` takes the names `{pattern}` already");
            let problem = Problem::at(&manifest.origin, "route.pattern", what);
            problems.push(problem.hint("choose a longer pattern, or change that route first"));
        }
        if let Some((name, owner)) = together.or(taken) {
            let what = format!("`{name}` is a name of `{owner}` already");
            let problem = Problem::at(&manifest.origin, "loop.aliases", what);
            problems.push(problem.hint("choose another name, or apply that loop without it first"));
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

/// The id and the aliases of a loop.
fn names(manifest: &Manifest) -> impl Iterator<Item = &LoopId> {
    std::iter::once(&manifest.id).chain(&manifest.aliases)
}

/// The route with the longest pattern that takes a name.
fn taking<'a>(manifests: &'a [Manifest], name: &LoopId) -> Option<&'a Manifest> {
    let routes = manifests
        .iter()
        .filter_map(|it| Some((pattern_of(it)?, it)));
    let routes = routes.filter(|(pattern, _)| pattern.takes(name));
    let longest = routes.max_by_key(|(pattern, _)| pattern.prefix().len());
    longest.map(|(_, route)| route)
}

/// A loop that another one calls.
#[derive(Clone, Copy)]
pub(super) struct Called<'a> {
    address: &'a LoopAddress,
    /// The loop, in its realm.
    pub(super) id: &'a LoopId,
    /// The version that is needed.
    pub(super) version: Option<&'a str>,
    /// Where the call was written.
    pub(super) origin: &'a Origin,
}

impl Called<'_> {
    fn is_local(&self) -> bool {
        self.address.realm.is_none()
    }
}

/// The loops that a loop calls; those it falls back on and those that make results one as well.
fn called(manifest: &Manifest) -> impl Iterator<Item = Called<'_>> {
    let calls = manifest.calls().into_iter().flat_map(|call| {
        let fallback = call.fallback.as_ref();
        let fallback = fallback.map(|other| (&other.loop_id, &other.loop_version));
        let both = std::iter::once((&call.loop_id, &call.loop_version)).chain(fallback);
        both.map(|(address, version)| Called {
            address,
            id: &address.loop_id,
            version: version.as_deref(),
            origin: &call.origin,
        })
    });
    let aggregator = match &manifest.body {
        Body::Broadcast(broadcast) => broadcast.aggregator.as_ref(),
        _ => None,
    };
    calls.chain(aggregator.map(|address| Called {
        address,
        id: &address.loop_id,
        version: None,
        origin: &manifest.origin,
    }))
}

/// The loops of this realm that a loop calls.
pub(super) fn local_calls(manifest: &Manifest) -> impl Iterator<Item = Called<'_>> {
    called(manifest).filter(Called::is_local)
}

/// The effects of loops, each worked out once.
#[derive(Default)]
pub(super) struct Settled<'a>(BTreeMap<(&'a LoopId, &'a Version), Effects>);

impl<'a> Settled<'a> {
    /// A loop's effects. A composite or a machine has the strongest of what it calls; what is unknown
    /// or in another realm counts as `once`. A route's author says what its targets in other realms have.
    pub(super) fn effects(&mut self, manifest: &'a Manifest, lookup: Lookup<'a>) -> Effects {
        let called = self.called_effects(manifest, lookup);
        match (called, manifest.effects) {
            (Some(called), Some(declared)) => called.max(declared),
            (Some(called), None) => called,
            (None, _) => manifest.own_effects(),
        }
    }

    /// The strongest effects of everything a composite or a machine leads to; none for other kinds.
    fn called_effects(&mut self, manifest: &'a Manifest, lookup: Lookup<'a>) -> Option<Effects> {
        if !manifest.is_composed() {
            return None;
        }
        let strongest = self.strongest(manifest, lookup);
        // What an earlier revision calls says nothing of the one that its version finds.
        let own = lookup(&manifest.id, Some(&manifest.version.to_string()));
        if own.is_some_and(|own| std::ptr::eq(own, manifest)) {
            self.0.insert((&manifest.id, &manifest.version), strongest);
        }
        Some(strongest)
    }

    fn strongest(&self, manifest: &'a Manifest, lookup: Lookup<'a>) -> Effects {
        let mut strongest = Effects::None;
        let mut seen = BTreeSet::from([(&manifest.id, &manifest.version)]);
        let mut waiting = vec![manifest];
        while let Some(caller) = waiting.pop() {
            for call in called(caller) {
                if matches!(caller.body, Body::Route(_)) && !call.is_local() {
                    strongest = strongest.max(caller.effects.unwrap_or(Effects::Once));
                    continue;
                }
                let Some(called) = lookup(call.id, call.version).filter(|_| call.is_local()) else {
                    return Effects::Once;
                };
                let key = (&called.id, &called.version);
                strongest = strongest.max(match called.is_composed() {
                    true => called.effects.unwrap_or(Effects::None),
                    false => called.own_effects(),
                });
                match self.0.get(&key) {
                    Some(known) => strongest = strongest.max(*known),
                    None if called.is_composed() && seen.insert(key) => waiting.push(called),
                    None => {}
                }
            }
        }
        strongest
    }
}

fn check_effects<'a>(
    manifest: &'a Manifest,
    settled: &mut Settled<'a>,
    lookup: Lookup<'a>,
    problems: &mut Vec<Problem>,
) {
    let called = settled.called_effects(manifest, lookup);
    if let (Some(called), Some(declared)) = (called, manifest.effects)
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

/// A walk over everything that loops lead to.
#[derive(Default)]
pub(super) struct Walk<'a> {
    /// All of it, what is called before who calls it.
    pub(super) order: Vec<&'a Manifest>,
    /// The circles of calls, each once: where the walk began that found it, and the loops that call
    /// each other, the first one again at the end.
    circles: Vec<(&'a Manifest, Vec<LoopId>)>,
}

/// Walks over everything that these loops lead to, in this realm.
pub(super) fn walk<'a>(starts: impl Iterator<Item = &'a Manifest>, lookup: Lookup<'a>) -> Walk<'a> {
    let mut walk = Walk::default();
    let mut done: BTreeSet<(&LoopId, &Version)> = BTreeSet::new();
    for start in starts {
        let mut path: Vec<(&'a Manifest, Vec<Called<'a>>)> = Vec::new();
        let mut on_path: BTreeSet<(&LoopId, &Version)> = BTreeSet::new();
        let mut next = Some(start);
        loop {
            if let Some(called) = next.take() {
                let key = (&called.id, &called.version);
                if on_path.contains(&key) {
                    let before = |(of, _): &&(&Manifest, _)| (&of.id, &of.version) != key;
                    let circle = path.iter().skip_while(before).map(|(of, _)| &of.id);
                    let circle = circle.chain([&called.id]).cloned().collect();
                    walk.circles.push((start, circle));
                } else if done.insert(key) {
                    on_path.insert(key);
                    path.push((called, local_calls(called).collect()));
                }
            }
            let Some((caller, calls)) = path.last_mut() else {
                break;
            };
            match calls.pop() {
                Some(call) => next = lookup(call.id, call.version),
                None => {
                    on_path.remove(&(&caller.id, &caller.version));
                    walk.order.push(*caller);
                    path.pop();
                }
            }
        }
    }
    walk
}

fn circle_problem(origin: &Origin, circle: Vec<LoopId>) -> Problem {
    let what = RegisterError::Circle(circle).to_string();
    Problem::at(origin, "composite.cycle", what)
}
