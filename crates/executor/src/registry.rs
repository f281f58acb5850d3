//! The loops of a realm, compiled: the current revision of each, and the earlier ones that are kept.

mod kept;
mod pins;
mod set;
mod shares;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use realm_protocol::{CallId, Digest, LoopId, limits};
use serde_json::{Map, Value, json};
use thiserror::Error;

pub use kept::{Kept, RevisionChange};
pub use pins::Need;
pub use shares::{Share, ShareError};

use crate::{
    Body, Effects, LoopLimits, Manifest, Origin, Pattern, Tool,
    schema::{LazySchema, SchemaError},
};

/// Id of the loop that every realm has.
const ECHO: &str = "echo";

/// A revision of a loop, with its schemas compiled and its contract settled.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The loop.
    pub manifest: Arc<Manifest>,
    /// What names this revision: [`Manifest::digest`].
    pub digest: Digest,
    /// Its effects: as declared, by kind, or the strongest of what it calls.
    pub effects: Effects,
    /// Its contract's digest.
    pub contract: Digest,
    /// Whether it comes with the realm and cannot be replaced or removed.
    pub builtin: bool,
    /// Bytes of the definition, where it is a prompt.
    prompt_bytes: u64,
    input: Arc<LazySchema>,
    output: Arc<LazySchema>,
    /// Of what one winner gives, where that is not the output.
    result: Option<Arc<(Value, LazySchema)>>,
}

impl Registered {
    /// A revision whose schemas are compiled when they are first used.
    fn new(manifest: Manifest) -> Self {
        let effects = manifest.own_effects();
        Self {
            digest: manifest.digest(),
            effects,
            contract: manifest.contract_digest(effects),
            builtin: false,
            prompt_bytes: match manifest.body {
                Body::Prompt(_) => manifest.to_json().to_string().len() as u64,
                _ => 0,
            },
            input: Arc::default(),
            output: Arc::default(),
            result: matches!(&manifest.body, Body::Broadcast(it) if it.gives_list())
                .then(|| Arc::new((manifest.result_schema(), LazySchema::default()))),
            manifest: Arc::new(manifest),
        }
    }

    /// The same revision with other effects, and the contract that goes with them.
    fn with_effects(&self, effects: Effects) -> Self {
        Self {
            effects,
            contract: self.manifest.contract_digest(effects),
            ..self.clone()
        }
    }

    /// Compiles the schemas now.
    fn compiled(self) -> Result<Self, RegisterError> {
        let input = self.input.compiled(&self.manifest.input_schema);
        input.map_err(|error| RegisterError::Input(error.clone()))?;
        let output = self.output.compiled(&self.manifest.output_schema);
        output.map_err(|error| RegisterError::Output(error.clone()))?;
        Ok(self)
    }

    /// Checks an input.
    ///
    /// # Errors
    /// The faults, each `"<instance path or (root)>: <message>"`.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        self.input.check(&self.manifest.input_schema, input)
    }

    /// Checks an output.
    ///
    /// # Errors
    /// As [`Registered::check_input`].
    pub fn check_output(&self, output: &Value) -> Result<(), Vec<String>> {
        self.output.check(&self.manifest.output_schema, output)
    }

    /// Checks what one winner of the announced work gives.
    ///
    /// # Errors
    /// As [`Registered::check_input`].
    pub fn check_result(&self, result: &Value) -> Result<(), Vec<String>> {
        match self.result.as_deref() {
            Some((schema, lazy)) => lazy.check(schema, result),
            None => self.check_output(result),
        }
    }

    /// Whether it is a prompt: then it is never forgotten.
    pub fn is_prompt(&self) -> bool {
        matches!(self.manifest.body, Body::Prompt(_))
    }

    /// Whether this version is the one meant: the same version, or inside the requirement.
    pub fn satisfies(&self, wanted: &str) -> bool {
        satisfies(&self.manifest.version, wanted)
    }
}

/// What a registration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The current revision that was there.
    pub replaced: Option<Arc<Manifest>>,
}

/// Why a loop is not registered.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RegisterError {
    /// The registry is full.
    #[error("a realm holds at most {} loops", limits::LOOPS)]
    Full,
    /// The id belongs to a loop that comes with the realm.
    #[error("`{0}` comes with every realm and cannot be replaced")]
    Builtin(LoopId),
    /// The input schema is refused.
    #[error("inputSchema: {0}")]
    Input(#[source] SchemaError),
    /// The output schema is refused.
    #[error("outputSchema: {0}")]
    Output(#[source] SchemaError),
    /// A name is another loop's already.
    #[error("`{name}` is `{owner}` already")]
    NameTaken {
        /// The id or alias.
        name: LoopId,
        /// The loop that has it.
        owner: LoopId,
    },
    /// A route takes the same names.
    #[error("`{owner}` takes the names `{pattern}` already")]
    PatternTaken {
        /// The pattern.
        pattern: Pattern,
        /// The route that has it.
        owner: LoopId,
    },
    /// Every version that is kept is needed by another loop.
    #[error(
        "{} versions of it are kept, and other loops need every one; let them need newer ones first",
        limits::LOOP_VERSIONS
    )]
    VersionsNeeded,
    /// Every earlier revision that is kept is needed by another loop or used by a run under way.
    #[error(
        "{} earlier revisions of loops are kept, and other loops or runs under way need every one; \
         let runs end, or cancel some (`realmctl run ls --status running`, `realmctl run cancel`)",
        limits::LOOP_REVISIONS_IN_ALL
    )]
    RevisionsUsed,
    /// The definitions of prompts, in all their versions, have more bytes than may be kept.
    #[error(
        "the definitions of prompts have {bytes} bytes in all their versions, and {most} are kept; `prompts.keep` in \
         realm.toml lets more be kept, and no version is ever forgotten by itself"
    )]
    PromptsFull {
        /// What they have.
        bytes: u64,
        /// What they may have.
        most: u64,
    },
    /// Loops would call each other in a circle.
    #[error("loops call each other in a circle: {}", circle(.0))]
    Circle(Vec<LoopId>),
}

fn circle(loops: &[LoopId]) -> String {
    let names: Vec<&str> = loops.iter().map(LoopId::as_str).collect();
    names.join(" → ")
}

/// The loops of a realm by id. `echo`, which gives any object back, is always among them.
///
/// What another revision takes the place of is kept: its version can still be asked for, and runs
/// that began with it find it by its digest.
#[derive(Clone, Debug)]
pub struct Registry {
    loops: BTreeMap<LoopId, Arc<Registered>>,
    /// Of each loop, the revision replaced longest ago first. Here are removed loops too.
    earlier: BTreeMap<LoopId, Vec<Kept>>,
    /// Which loop an alias stands for: as the current revisions say.
    aliases: BTreeMap<LoopId, LoopId>,
    /// Which route takes the names that match a pattern: as the current revisions say.
    patterns: BTreeMap<Pattern, LoopId>,
    /// Whose revision a digest names.
    digests: BTreeMap<Digest, LoopId>,
    /// Loops whose calls several versions share.
    shares: BTreeMap<LoopId, Vec<Share>>,
    /// Revisions that runs under way use.
    spared: BTreeSet<Digest>,
    /// Bytes that prompts' definitions may have together.
    prompt_bytes: u64,
    /// Order of the revision that is replaced next.
    next_order: u64,
    changes: Vec<RevisionChange>,
}

impl Default for Registry {
    fn default() -> Self {
        let mut registry = Self::empty();
        if let Some(echo) = ECHO_LOOP.clone() {
            let id = echo.manifest.id.clone();
            registry.digests.insert(echo.digest, id.clone());
            registry.loops.insert(id, echo);
        }
        registry
    }
}

impl Registry {
    /// A registry without even `echo`, for steps that look nothing up.
    pub(crate) const fn empty() -> Self {
        Self {
            loops: BTreeMap::new(),
            earlier: BTreeMap::new(),
            aliases: BTreeMap::new(),
            patterns: BTreeMap::new(),
            digests: BTreeMap::new(),
            shares: BTreeMap::new(),
            spared: BTreeSet::new(),
            prompt_bytes: limits::PROMPT_BYTES,
            next_order: 0,
            changes: Vec::new(),
        }
    }

    /// Compiles a loop's schemas and makes it the current revision under its id. The one that was
    /// is kept.
    ///
    /// Loops that call each other are inserted together, by [`Registry::insert_all`].
    ///
    /// # Errors
    /// [`RegisterError`]; the registry is then as before, but for
    /// [`RegisterError::VersionsNeeded`] and [`RegisterError::RevisionsUsed`].
    pub fn insert(&mut self, manifest: Manifest) -> Result<Inserted, RegisterError> {
        let id = manifest.id.clone();
        let inserted = self.insert_unsettled(manifest)?;
        self.settle([id]);
        Ok(inserted)
    }

    fn insert_unsettled(&mut self, manifest: Manifest) -> Result<Inserted, RegisterError> {
        let id = manifest.id.clone();
        let known = self.loops.get(&id);
        if known.is_some_and(|known| known.builtin) {
            return Err(RegisterError::Builtin(id));
        }
        if known.is_none() && self.loops.len() >= limits::LOOPS {
            return Err(RegisterError::Full);
        }
        if let Some((name, owner)) = self.taken(&manifest) {
            return Err(RegisterError::NameTaken { name, owner });
        }
        if let Some((pattern, owner)) = self.pattern_taken(&manifest) {
            return Err(RegisterError::PatternTaken { pattern, owner });
        }
        let registered = Registered::new(manifest).compiled()?;
        if known.is_some_and(|known| known.digest != registered.digest) {
            self.forget_shares(&id);
        }
        let adds_prompt = registered.is_prompt() && !self.digests.contains_key(&registered.digest);
        let replaced = self.put(Arc::new(registered));
        self.bound(&id)?;
        if adds_prompt {
            self.bound_prompts()?;
        }
        Ok(Inserted {
            replaced: replaced.map(|old| old.manifest.clone()),
        })
    }

    /// Inserts loops together, as [`Registry::insert`] does each, if none of them leads back to
    /// itself then.
    ///
    /// # Errors
    /// What is wrong with each; the registry is then of no use.
    pub fn insert_all(
        &mut self,
        manifests: Vec<Manifest>,
    ) -> Result<(), Vec<(LoopId, RegisterError)>> {
        let ids: Vec<LoopId> = manifests.iter().map(|new| new.id.clone()).collect();
        let inserted = manifests
            .into_iter()
            .map(|new| (new.id.clone(), self.insert_unsettled(new)));
        let refused = inserted.filter_map(|(id, inserted)| Some((id, inserted.err()?)));
        let mut refused: Vec<_> = refused.collect();
        if refused.is_empty() {
            let circles = self.circles(&ids).into_iter();
            refused.extend(circles.map(|(id, circle)| (id, RegisterError::Circle(circle))));
        }
        if refused.is_empty() {
            self.settle(ids);
            Ok(())
        } else {
            Err(refused)
        }
    }

    /// Removes a loop with all its versions; gives it, if it was there and did not come with the
    /// realm. Its revisions are kept for runs that began with them.
    pub fn remove(&mut self, id: &LoopId) -> Option<Arc<Manifest>> {
        if self.loops.get(id)?.builtin {
            return None;
        }
        let removed = self.loops.remove(id)?;
        self.forget_shares(id);
        self.aliases.retain(|_, of| of != id);
        self.patterns.retain(|_, of| of != id);
        let manifest = removed.manifest.clone();
        self.withdraw(id, removed);
        self.settle([id.clone()]);
        Some(manifest)
    }

    /// Finds the current revision of a loop.
    pub fn get(&self, id: &LoopId) -> Option<&Arc<Registered>> {
        self.loops.get(id)
    }

    /// The loops, by id, that have all of these capabilities.
    pub fn able<'a>(
        &'a self,
        capabilities: &'a [LoopId],
    ) -> impl Iterator<Item = &'a Arc<Registered>> {
        self.iter().filter(|known| {
            let own = &known.manifest.capabilities;
            capabilities.iter().all(|needed| own.contains(needed))
        })
    }

    /// The loop that a name stands for: itself, unless it is an alias.
    pub fn resolve<'a>(&'a self, name: &'a LoopId) -> &'a LoopId {
        self.aliases.get(name).unwrap_or(name)
    }

    /// The loop that a call of a name runs: as [`Registry::resolve`], or where no loop is called so, the
    /// route with the longest pattern that takes the name.
    fn called<'a>(&'a self, name: &'a LoopId) -> &'a LoopId {
        let id = self.resolve(name);
        if self.loops.contains_key(id) {
            return id;
        }
        let taking = self
            .patterns
            .iter()
            .filter(|(pattern, _)| pattern.takes(id));
        let longest = taking.max_by_key(|(pattern, _)| pattern.prefix().len());
        longest.map_or(id, |(_, route)| route)
    }

    /// The route whose pattern another one has already.
    fn pattern_taken(&self, manifest: &Manifest) -> Option<(Pattern, LoopId)> {
        let pattern = pattern_of(manifest)?;
        let owner = self.patterns.get(pattern)?;
        (*owner != manifest.id).then(|| (pattern.clone(), owner.clone()))
    }

    /// A name of this loop that is another's already, and whose.
    fn taken(&self, manifest: &Manifest) -> Option<(LoopId, LoopId)> {
        let mut names = std::iter::once(&manifest.id).chain(&manifest.aliases);
        names.find_map(|name| {
            let owner = self.resolve(name);
            let other = *owner != manifest.id && self.loops.contains_key(owner);
            other.then(|| (name.clone(), owner.clone()))
        })
    }

    /// Finds a loop, by its id, an alias or a route's pattern, in the version meant: the newest that is kept
    /// and satisfies the requirement, the current one where none is meant.
    pub fn find(&self, id: &LoopId, version: Option<&str>) -> Option<&Arc<Registered>> {
        let id = self.called(id);
        let current = self.loops.get(id)?;
        let Some(wanted) = version else {
            return Some(current);
        };
        let wanted = Wanted::read(wanted)?;
        // Of equal versions the last one counts, and the current one comes last.
        self.offered(id)
            .filter(|known| wanted.takes(&known.manifest.version))
            .max_by(|a, b| a.manifest.version.cmp(&b.manifest.version))
    }

    /// Finds the revision that a digest names, or without one the one that this call of the loop gets.
    pub fn revision(
        &self,
        digest: Option<&Digest>,
        call: CallId,
        id: &LoopId,
        version: Option<&str>,
    ) -> Option<&Arc<Registered>> {
        match digest {
            Some(digest) => self.by_digest(digest),
            None => self.find_for(call, id, version),
        }
    }

    /// Finds a revision that is kept, current or not.
    pub fn by_digest(&self, digest: &Digest) -> Option<&Arc<Registered>> {
        let id = self.digests.get(digest)?;
        let kept = self.kept(id).iter().map(|kept| &kept.registered);
        let mut known = self.loops.get(id).into_iter().chain(kept);
        known.find(|known| known.digest == *digest)
    }

    /// The versions of a loop that can be asked for, each in its last revision, the newest first.
    pub fn versions(&self, id: &LoopId) -> Vec<&Arc<Registered>> {
        let last: BTreeMap<_, _> = self
            .offered(id)
            .map(|known| (&known.manifest.version, known))
            .collect();
        last.into_values().rev().collect()
    }

    /// All loops by id, each in its current revision.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Registered>> {
        self.loops.values()
    }

    /// Every revision that can be asked for, in the order in which they were replaced; the current
    /// one comes last.
    fn offered(&self, id: &LoopId) -> impl Iterator<Item = &Arc<Registered>> {
        let kept = self.kept(id).iter().filter(|kept| kept.offered);
        let current = self.loops.get(id);
        kept.map(|kept| &kept.registered).chain(current)
    }

    /// Settles effects and contracts of loops and of all that lead to them, what is called before who
    /// calls it.
    fn settle(&mut self, changed: impl IntoIterator<Item = LoopId>) {
        let affected = self.led_from(changed);
        let lookup = |id: &LoopId, version: Option<&str>| {
            let found = self.find(id, version);
            found.map(|found| &*found.manifest)
        };
        let current = affected.iter().filter_map(|id| lookup(id, None));
        let mut settled = set::Settled::default();
        for manifest in set::walk(current, &lookup).order {
            settled.effects(manifest, &lookup);
        }
        let mut anew = Vec::new();
        for id in &affected {
            let current = self.loops.get(id).into_iter();
            let kept = self.kept(id).iter().map(|kept| &kept.registered);
            for known in current.chain(kept) {
                let effects = settled.effects(&known.manifest, &lookup);
                if effects != known.effects {
                    anew.push(known.with_effects(effects));
                }
            }
        }
        for registered in anew {
            self.replace(Arc::new(registered));
        }
    }

    /// These loops, and all whose steps lead to them.
    fn led_from(&self, changed: impl IntoIterator<Item = LoopId>) -> BTreeSet<LoopId> {
        let mut callers: BTreeMap<&LoopId, BTreeSet<&LoopId>> = BTreeMap::new();
        let kept = self.earlier.values().flatten();
        let all = self.loops.values().chain(kept.map(|kept| &kept.registered));
        for known in all {
            for call in set::local_calls(&known.manifest) {
                let called = callers.entry(self.called(call.id)).or_default();
                called.insert(&known.manifest.id);
            }
        }
        let mut led = BTreeSet::new();
        let mut waiting: Vec<LoopId> = changed.into_iter().collect();
        while let Some(id) = waiting.pop() {
            if led.insert(id.clone()) {
                let callers = callers.get(&id).into_iter().flatten();
                waiting.extend(callers.map(|caller| LoopId::clone(caller)));
            }
        }
        led
    }

    /// Puts a revision in the place of the one with its digest.
    fn replace(&mut self, registered: Arc<Registered>) {
        let id = &registered.manifest.id;
        let current = self.loops.get_mut(id).into_iter();
        let kept = self.earlier.get_mut(id).into_iter().flatten();
        let kept = kept.map(|kept| &mut kept.registered);
        let same = |known: &&mut Arc<Registered>| known.digest == registered.digest;
        if let Some(known) = current.chain(kept).find(same) {
            *known = registered.clone();
        }
    }
}

/// The names that a route takes besides its own.
fn pattern_of(manifest: &Manifest) -> Option<&Pattern> {
    match &manifest.body {
        Body::Route(route) => route.pattern.as_ref(),
        _ => None,
    }
}

/// Which version is meant.
enum Wanted {
    Exactly(semver::Version),
    Within(semver::VersionReq),
}

impl Wanted {
    fn read(text: &str) -> Option<Self> {
        let exact = semver::Version::parse(text).map(Self::Exactly);
        exact
            .or_else(|_| semver::VersionReq::parse(text).map(Self::Within))
            .ok()
    }

    fn takes(&self, version: &semver::Version) -> bool {
        match self {
            Self::Exactly(exact) => exact == version,
            Self::Within(requirement) => requirement.matches(version),
        }
    }
}

fn satisfies(version: &semver::Version, wanted: &str) -> bool {
    Wanted::read(wanted).is_some_and(|wanted| wanted.takes(version))
}

static ECHO_LOOP: LazyLock<Option<Arc<Registered>>> = LazyLock::new(|| {
    let echo = Manifest {
        id: ECHO.parse().ok()?,
        version: semver::Version::new(1, 0, 0),
        aliases: Vec::new(),
        capabilities: BTreeSet::new(),
        description: Some("Gives its input back.".to_owned()),
        input_schema: json!({"type": "object"}),
        output_schema: json!({"type": "object"}),
        effects: None,
        limits: LoopLimits {
            timeout_ms: limits::RUN_MS,
            ..LoopLimits::default()
        },
        retry: None,
        approval: None,
        asks: None,
        body: Body::Tool(Tool::Echo),
        bid: None,
        budget: realm_protocol::budget::Budget::default(),
        state: None,
        needs: Vec::new(),
        metadata: Map::new(),
        origin: Origin::default(),
    };
    Some(Arc::new(Registered {
        builtin: true,
        ..Registered::new(echo).compiled().ok()?
    }))
});
