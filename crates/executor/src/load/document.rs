//! One document becomes one manifest.

use std::sync::Arc;

use realm_protocol::{LoopId, limits};
use serde_json::{Map, Value};

use super::{
    Loaded, Problem,
    node::{Node, Place},
    object::{self, Object},
    sketch,
};
use crate::{BidTerms, Body, Broadcast, Effects, LoopLimits, Manifest, Needed, Origin};

/// A rule's ids: in our own form, in LSEM, in the sketch.
pub(super) type Rule = [&'static str; 3];

macro_rules! rule {
    ($name:literal) => {
        [
            concat!("loop.", $name),
            concat!("lsem.", $name),
            concat!("sketch.", $name),
        ]
    };
}
pub(super) use rule;

/// Whose form a document has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Own,
    Lsem,
    Sketch,
    /// Another system's, with `metadata` and `spec`.
    Foreign,
}

/// Reads the documents of one file and gathers their problems.
pub(super) struct Reader<'a> {
    pub(super) file: Arc<str>,
    pub(super) files: &'a dyn Fn(&str) -> Option<String>,
    dialect: Dialect,
    /// How the route that is being read announces its work, and which target does.
    pub(super) announced: Option<(usize, Broadcast)>,
    problems: Vec<Problem>,
    loaded: Loaded,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: Arc<str>, files: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            file,
            files,
            dialect: Dialect::Own,
            announced: None,
            problems: Vec::new(),
            loaded: Loaded::default(),
        }
    }

    pub(super) fn finish(mut self) -> Result<Loaded, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(self.loaded);
        }
        self.problems
            .sort_by_key(|problem| (problem.line, problem.column));
        Err(self.problems)
    }

    /// Whether unknown members are problems.
    pub(super) fn is_own(&self) -> bool {
        self.dialect == Dialect::Own
    }

    pub(super) fn origin(&self, at: Place) -> Origin {
        Origin {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
        }
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn problem(&mut self, at: Place, rule: Rule, what: impl Into<String>) {
        let problem = self.new_problem(at, rule, what);
        self.report(problem);
    }

    pub(super) fn new_problem(
        &self,
        at: Place,
        [own, lsem, sketch]: Rule,
        what: impl Into<String>,
    ) -> Problem {
        let rule = match self.dialect {
            Dialect::Own | Dialect::Foreign => own,
            Dialect::Lsem => lsem,
            Dialect::Sketch => sketch,
        };
        Problem::at(&self.origin(at), rule, what)
    }

    /// Reads one document; its problems are kept, and nothing of it is taken if it has any.
    pub(super) fn read(&mut self, document: &Node) {
        self.dialect = dialect(document);
        let before = self.problems.len();
        let read = match self.dialect {
            Dialect::Foreign => self.foreign(document),
            Dialect::Own | Dialect::Lsem | Dialect::Sketch => self.one_loop(document),
        };
        if let Some(read) = read.filter(|_| self.problems.len() == before) {
            self.loaded.loops.extend(read.loops);
            self.loaded.stacks.extend(read.stacks);
            self.loaded.meshes.extend(read.meshes);
            self.loaded.realms.extend(read.realms);
        }
    }

    fn one_loop(&mut self, document: &Node) -> Option<Loaded> {
        let mut object = Object::of(self, document, rule!("document"))?;
        let place = object.at;
        let manifest = if self.dialect == Dialect::Sketch {
            sketch::read(self, &mut object)
        } else {
            self.manifest(&mut object)
        };
        object.finish(self);
        let announced = self.announced.take();
        let mut manifest = manifest?;
        let made = self.name_targets(&mut manifest, announced);
        if let Some(made) = &made {
            self.check_output(place, Some(&made.body), Some(&made.output_schema));
        }
        Some(Loaded {
            loops: std::iter::once(manifest).chain(made).collect(),
            ..Loaded::default()
        })
    }

    /// A document of another system: which one it is stands in `apiVersion` and `kind`.
    fn foreign(&mut self, document: &Node) -> Option<Loaded> {
        let api = document.get("apiVersion");
        let kind = document.get("kind");
        let text = |node: Option<&Node>| node.and_then(Node::text).unwrap_or_default().to_owned();
        let mut loaded = Loaded::default();
        match (text(api).as_str(), text(kind).as_str()) {
            ("loopstacks.io/v1", "Agent") => loaded.loops.push(self.agent(document)?),
            ("loopstacks.io/v1", "Realm") => loaded.realms.push(self.platform_realm(document)?),
            ("loopstacks.io/v1" | "", "LoopStack" | "") => {
                loaded.stacks.push(self.stack(document)?);
            }
            ("interrealm.io/v1alpha1", "Capability") => {
                (loaded.loops, loaded.stacks) = self.capability(document)?;
            }
            ("interrealm.io/v1alpha1", "MeshConfiguration") => {
                loaded.meshes.push(self.mesh(document)?);
            }
            (api_name, kind_name) => {
                let at = api.or(kind).map_or(document.at, |node| node.at);
                let what = format!(
                    "documents of `{api_name}`, kind `{kind_name}`, are not read by this version"
                );
                let problem = Problem::at(&self.origin(at), "format.unknown", what);
                self.report(problem.hint(
                    "read are loopstacks.io/v1 Agent, LoopStack and Realm, and interrealm.io/v1alpha1 \
                     Capability and MeshConfiguration",
                ));
            }
        }
        Some(loaded)
    }

    /// Reads every member before it gives up, so that all problems come at once.
    fn manifest(&mut self, object: &mut Object<'_>) -> Option<Manifest> {
        let id = self.id(object);
        let version = self.version(object);
        let aliases = self.aliases(object);
        let capabilities = self.capabilities(object);
        let description = object
            .text(self, "description", rule!("description"))
            .map(str::to_owned);
        let commands = self.runs_commands(object);
        let written = (!commands).then(|| self.contract(object));
        let effects = self.effects(object);
        let retry = self.retry(object);
        let approval = self.approval(object);
        let bid = self.bid(object);
        let body = self.body(object);
        let contract = written.unwrap_or_else(|| self.commands_contract(object, body.as_ref()));
        let limits = self.limits(object, body.as_ref());
        let budget = self.budget(object);
        let runs = (body.as_ref(), effects);
        let asks = self.asks(object, runs);
        let state = self.state(object, runs);
        let output_schema = contract.as_ref().map(|[_, output]| output);
        self.check_output(object.at, body.as_ref(), output_schema);
        let needs = self.needs(object);
        let metadata = self.metadata(object);
        let [input_schema, output_schema] = contract?;
        Some(Manifest {
            id: id?,
            version: version?,
            aliases,
            capabilities: capabilities.into_iter().collect(),
            description,
            input_schema,
            output_schema,
            effects,
            limits,
            budget,
            retry,
            approval,
            asks,
            body: body?,
            bid,
            state,
            needs,
            metadata,
            origin: self.origin(object.at),
        })
    }

    pub(super) fn id(&mut self, object: &mut Object<'_>) -> Option<LoopId> {
        let node = object.need(self, "id", rule!("id"))?;
        self.parsed(node, rule!("id"))
    }

    /// Other names of the loop; LSEM knows none.
    fn aliases(&mut self, object: &mut Object<'_>) -> Vec<LoopId> {
        let node = self.is_own().then(|| object.get("aliases")).flatten();
        node.map_or_else(Vec::new, |node| {
            self.loop_ids(node, rule!("aliases"), limits::LOOP_ALIASES)
        })
    }

    /// What the loop can do; LSEM knows no such thing.
    fn capabilities(&mut self, object: &mut Object<'_>) -> Vec<LoopId> {
        let node = self.is_own().then(|| object.get("capabilities")).flatten();
        node.map_or_else(Vec::new, |node| self.named_capabilities(node))
    }

    /// A list of names of capabilities.
    pub(super) fn named_capabilities(&mut self, node: &Node) -> Vec<LoopId> {
        self.loop_ids(node, rule!("capabilities"), limits::CAPABILITIES)
    }

    /// What the loop needs grants for; LSEM knows no such thing.
    fn needs(&mut self, object: &mut Object<'_>) -> Vec<Needed> {
        let node = self.is_own().then(|| object.get("needs")).flatten();
        let Some(node) = node else {
            return Vec::new();
        };
        let items = self.items(node, rule!("needs")).unwrap_or_default();
        if items.len() > limits::GRANT_LOOPS {
            let what = format!("{} stand here at most", limits::GRANT_LOOPS);
            self.problem(node.at, rule!("needs"), what);
        }
        let items = items.iter();
        items
            .filter_map(|item| self.parsed(item, rule!("needs")))
            .collect()
    }

    /// A list of names, `most` of them at most.
    fn loop_ids(&mut self, node: &Node, rule: Rule, most: usize) -> Vec<LoopId> {
        let items = self.items(node, rule).unwrap_or_default();
        if items.len() > most {
            self.problem(node.at, rule, format!("{most} names stand here at most"));
        }
        let names = items.iter();
        names.filter_map(|item| self.parsed(item, rule)).collect()
    }

    /// How the loop bids for announced work.
    fn bid(&mut self, object: &mut Object<'_>) -> Option<BidTerms> {
        let node = object.get("bid")?;
        let terms = BidTerms::read(&node.to_value());
        terms
            .map_err(|error| {
                let member = error.member.and_then(|name| node.get(name));
                let at = member.map_or(node.at, |member| member.at);
                self.problem(at, rule!("bid"), error.to_string());
            })
            .ok()
    }

    fn version(&mut self, object: &mut Object<'_>) -> Option<semver::Version> {
        let node = object.need(self, "version", rule!("version"))?;
        let text = object::text(self, node, rule!("version"))?;
        self.semver(node.at, text)
    }

    pub(super) fn semver(&mut self, at: Place, text: &str) -> Option<semver::Version> {
        let parsed = semver::Version::parse(text);
        if let Err(error) = &parsed {
            let what = format!("`{text}` is not a semantic version: {error}");
            let problem = self.new_problem(at, rule!("version"), what);
            self.report(problem.hint("write three numbers, such as 1.0.0"));
        }
        parsed.ok()
    }

    fn effects(&mut self, object: &mut Object<'_>) -> Option<Effects> {
        let node = object.get("effects")?;
        let text = object::text(self, node, rule!("effects"))?;
        let parsed = text.parse();
        parsed
            .map_err(|error| {
                self.problem(node.at, rule!("effects"), format!("`{text}` is {error}"));
            })
            .ok()
    }

    fn limits(&mut self, object: &mut Object<'_>, body: Option<&Body>) -> LoopLimits {
        let mut limits = body.map_or_else(LoopLimits::default, LoopLimits::of);
        let Some(mut object) = object
            .get("limits")
            .and_then(|node| Object::of(self, node, rule!("limits")))
        else {
            return limits;
        };
        if let Some(node) = object.get("timeout") {
            let read = self.duration(node, rule!("limits.timeout"), limits::RUN_MS);
            limits.timeout_ms = read.unwrap_or(limits.timeout_ms);
        }
        if let Some(node) = object.get("concurrency") {
            let most = limits::CALLS as u64;
            let read = self.count(node, rule!("limits.concurrency"), most);
            limits.concurrency = read.unwrap_or(limits.concurrency);
        }
        object.finish(self);
        limits
    }

    /// The author's own words, LSEM's name, and what LSEM does not know.
    fn metadata(&mut self, object: &mut Object<'_>) -> Map<String, Value> {
        let mut metadata = Map::new();
        if let Some(node) = object.get("metadata") {
            match node.to_value() {
                Value::Object(members) => metadata = members,
                _ => self.problem(
                    node.at,
                    rule!("metadata"),
                    format!("expected an object, found {}", node.noun()),
                ),
            }
        }
        if self.dialect == Dialect::Lsem {
            let name = object.need_text(self, "name", rule!("name"));
            metadata.extend(name.map(|name| ("name".to_owned(), name.into())));
            for member in object.rest() {
                metadata
                    .entry(member.key.clone())
                    .or_insert_with(|| member.value.to_value());
            }
        }
        metadata
    }
}

fn dialect(document: &Node) -> Dialect {
    let foreign = document.get("apiVersion").is_some()
        || document.get("spec").is_some() && document.get("metadata").is_some();
    if foreign {
        Dialect::Foreign
    } else if document.get("type").is_some() && document.get("kind").is_none() {
        Dialect::Sketch
    } else if document.get("name").is_some() {
        Dialect::Lsem
    } else {
        Dialect::Own
    }
}
