//! The loops of a realm, compiled.

mod set;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use realm_protocol::{Digest, LoopId, limits};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::{
    Body, Effects, LoopLimits, Manifest, Origin, Tool,
    schema::{Compiled, SchemaError},
};

/// Id of the loop that every realm has.
const ECHO: &str = "echo";

/// A loop with its schemas compiled and its contract settled.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The loop.
    pub manifest: Arc<Manifest>,
    /// Its effects: as declared, by kind, or the strongest of what it calls.
    pub effects: Effects,
    /// Its contract's digest.
    pub contract: Digest,
    /// Whether it comes with the realm and cannot be replaced or removed.
    pub builtin: bool,
    input: Arc<Compiled>,
    output: Arc<Compiled>,
}

impl Registered {
    /// Checks an input.
    ///
    /// # Errors
    /// The faults, each `"<instance path or (root)>: <message>"`.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<String>> {
        self.input.check(input)
    }

    /// Checks an output.
    ///
    /// # Errors
    /// As [`Registered::check_input`].
    pub fn check_output(&self, output: &Value) -> Result<(), Vec<String>> {
        self.output.check(output)
    }

    /// Whether this version is the one meant: the same version, or inside the requirement.
    pub fn satisfies(&self, wanted: &str) -> bool {
        satisfies(&self.manifest.version, wanted)
    }
}

fn satisfies(version: &semver::Version, wanted: &str) -> bool {
    match (
        semver::Version::parse(wanted),
        semver::VersionReq::parse(wanted),
    ) {
        (Ok(exact), _) => exact == *version,
        (Err(_), Ok(requirement)) => requirement.matches(version),
        _ => false,
    }
}

/// What a registration did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// The loop of the same id that was there.
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
}

/// The loops of a realm by id. `echo`, which gives any object back, is always among them.
#[derive(Clone, Debug)]
pub struct Registry {
    loops: BTreeMap<LoopId, Arc<Registered>>,
}

impl Default for Registry {
    fn default() -> Self {
        let echo = ECHO_LOOP.clone();
        Self {
            loops: echo
                .map(|echo| (echo.manifest.id.clone(), echo))
                .into_iter()
                .collect(),
        }
    }
}

impl Registry {
    /// A registry without even `echo`, for steps that look nothing up.
    pub(crate) const fn empty() -> Self {
        Self {
            loops: BTreeMap::new(),
        }
    }

    /// Compiles a loop's schemas and registers it under its id, over the one that was there.
    ///
    /// # Errors
    /// [`RegisterError`]; the registry is then as before.
    pub fn insert(&mut self, manifest: Manifest) -> Result<Inserted, RegisterError> {
        let id = manifest.id.clone();
        let known = self.loops.get(&id);
        if known.is_some_and(|known| known.builtin) {
            return Err(RegisterError::Builtin(id));
        }
        if known.is_none() && self.loops.len() >= limits::LOOPS {
            return Err(RegisterError::Full);
        }
        let registered = compile(manifest)?;
        let replaced = self.loops.insert(id.clone(), Arc::new(registered));
        self.settle(&id);
        Ok(Inserted {
            replaced: replaced.map(|old| old.manifest.clone()),
        })
    }

    /// Removes a loop; gives it, if it was there and did not come with the realm.
    pub fn remove(&mut self, id: &LoopId) -> Option<Arc<Manifest>> {
        if self.loops.get(id)?.builtin {
            return None;
        }
        let removed = self.loops.remove(id)?;
        self.settle(id);
        Some(removed.manifest.clone())
    }

    /// Finds a loop.
    pub fn get(&self, id: &LoopId) -> Option<&Arc<Registered>> {
        self.loops.get(id)
    }

    /// Finds a loop in the version meant; none if it is absent in that version.
    pub fn find(&self, id: &LoopId, version: Option<&str>) -> Option<&Arc<Registered>> {
        let found = self.loops.get(id)?;
        version
            .is_none_or(|wanted| found.satisfies(wanted))
            .then_some(found)
    }

    /// All loops by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Registered>> {
        self.loops.values()
    }

    /// Settles effects and contracts of a loop and of all composites that lead to it.
    fn settle(&mut self, changed: &LoopId) {
        let mut waiting = vec![changed.clone()];
        let mut settled = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if !settled.insert(id.clone()) {
                continue;
            }
            self.settle_one(&id);
            waiting.extend(self.callers(&id));
        }
    }

    fn settle_one(&mut self, id: &LoopId) {
        let Some(found) = self.loops.get(id) else {
            return;
        };
        let effects = set::effects(&found.manifest, &|id| {
            self.loops.get(id).map(|found| &*found.manifest)
        });
        if effects != found.effects {
            let contract = found.manifest.contract_digest(effects);
            let settled = Registered {
                effects,
                contract,
                ..Registered::clone(found)
            };
            self.loops.insert(id.clone(), Arc::new(settled));
        }
    }

    fn callers(&self, id: &LoopId) -> Vec<LoopId> {
        let calls = |manifest: &Manifest| set::local_calls(manifest).any(|called| called == id);
        let callers = self.loops.values().filter(|found| calls(&found.manifest));
        callers.map(|found| found.manifest.id.clone()).collect()
    }
}

fn compile(manifest: Manifest) -> Result<Registered, RegisterError> {
    let input = Compiled::new(&manifest.input_schema).map_err(RegisterError::Input)?;
    let output = Compiled::new(&manifest.output_schema).map_err(RegisterError::Output)?;
    let effects = manifest.own_effects();
    Ok(Registered {
        effects,
        contract: manifest.contract_digest(effects),
        builtin: false,
        input: Arc::new(input),
        output: Arc::new(output),
        manifest: Arc::new(manifest),
    })
}

static ECHO_LOOP: LazyLock<Option<Arc<Registered>>> = LazyLock::new(|| {
    let echo = Manifest {
        id: ECHO.parse().ok()?,
        version: semver::Version::new(1, 0, 0),
        description: Some("Gives its input back.".to_owned()),
        input_schema: json!({"type": "object"}),
        output_schema: json!({"type": "object"}),
        effects: None,
        limits: LoopLimits::default(),
        body: Body::Tool(Tool::Echo),
        bid: None,
        metadata: Map::new(),
        origin: Origin::default(),
    };
    let registered = compile(echo).ok()?;
    Some(Arc::new(Registered {
        builtin: true,
        ..registered
    }))
});
