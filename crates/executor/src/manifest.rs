//! The one model of a loop; every format is converted into it.

mod approval;
mod bid;
pub(crate) mod broadcast;
mod canonical;
mod commands;
mod container;
mod document;
mod kept;
mod needed;
mod prompt;
mod route;
mod step;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

use realm_protocol::{Digest, LoopId, budget::Budget, limits};
use serde_json::{Map, Value};

pub use approval::{ApprovalRule, Escalation};
pub use bid::{BidTerms, BidTermsError, BidTermsFault, Figure, OfferTerms, Offered};
pub use broadcast::{Audience, Broadcast, Wider};
pub use canonical::canonical_json;
pub use commands::{Command, Commands, Word};
pub use container::{Container, ContainerLimits, Image, NotPinned, Pull};
pub use kept::{NotAKey, StateKey, StateUse};
pub use needed::{Needed, NotNeeded};
pub use prompt::{BackendChoice, ModelTool, NotABackend, Prompt};
pub use route::{NotAPattern, Pattern, Route, Target};
pub use step::{Backoff, Call, Composite, Fallback, ForEach, Machine, Retry, Step, Work};

/// What a loop is: its contract, its limits, and a way to run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its name inside its realm.
    pub id: LoopId,
    /// Its version.
    pub version: semver::Version,
    /// Other names that calls reach it by.
    pub aliases: Vec<LoopId>,
    /// What it can do, whatever it is called: announced work that needs all of it may be its.
    pub capabilities: BTreeSet<LoopId>,
    /// What it is for.
    pub description: Option<String>,
    /// JSON Schema of what it takes.
    pub input_schema: Value,
    /// JSON Schema of what it gives.
    pub output_schema: Value,
    /// The effects it declares; none leaves them to its kind.
    pub effects: Option<Effects>,
    /// Its bounds.
    pub limits: LoopLimits,
    /// What a run of it may use, with all that it calls.
    pub budget: Budget,
    /// What of its own work is tried again; none for nothing.
    pub retry: Option<Retry>,
    /// Who approves before it begins; none where nobody need.
    pub approval: Option<ApprovalRule>,
    /// Whom it may ask while it is at work; none for nobody.
    pub asks: Option<ApprovalRule>,
    /// How it runs.
    pub body: Body,
    /// How it bids for work without an address.
    pub bid: Option<BidTerms>,
    /// What of its agent's state its calls are given; none for nothing.
    pub state: Option<StateUse>,
    /// What other realms' grants its runs are given, where this realm holds them.
    pub needs: Vec<Needed>,
    /// What else its author says; nothing reads it.
    pub metadata: Map<String, Value>,
    /// Where it was written.
    pub origin: Origin,
}

/// The model backend that needs no model.
pub const MOCK: &str = "mock";

impl Manifest {
    /// Which kind of loop it is.
    pub const fn kind(&self) -> Kind {
        match self.body {
            Body::Prompt(_) => Kind::Prompt,
            Body::Composite(_) => Kind::Composite,
            Body::Machine(_) => Kind::Machine,
            Body::Tool(_) => Kind::Tool,
            Body::Broadcast(_) => Kind::Broadcast,
            Body::Route(_) => Kind::Route,
        }
    }

    /// The effects of everything but what is composed of other loops: as declared, else by kind. Theirs
    /// come from what they call, which [`crate::Registered::effects`] knows.
    pub fn own_effects(&self) -> Effects {
        let default = match &self.body {
            Body::Tool(Tool::Echo | Tool::Count) => Effects::None,
            Body::Prompt(_) => Effects::Idempotent,
            Body::Composite(_)
            | Body::Machine(_)
            | Body::Tool(_)
            | Body::Broadcast(_)
            | Body::Route(_) => Effects::Once,
        };
        self.effects.unwrap_or(default)
    }

    /// JSON Schema of what one winner gives, where the loop announces work: its own output schema, or
    /// that of the items where results become a list.
    pub fn result_schema(&self) -> Value {
        let items = match &self.body {
            Body::Broadcast(broadcast) if broadcast.gives_list() => self.output_schema.get("items"),
            _ => None,
        };
        let Some(items) = items else {
            return self.output_schema.clone();
        };
        let mut items = items.clone();
        if let (Some(items), Some(whole)) = (items.as_object_mut(), self.output_schema.as_object())
        {
            let shared = broadcast::SHARED
                .into_iter()
                .filter_map(|name| Some((name, whole.get(name)?)));
            items.extend(shared.map(|(name, value)| (name.to_owned(), value.clone())));
        }
        items
    }

    /// The calls of other loops that it can make, in the order they are written.
    pub fn calls(&self) -> Vec<&Call> {
        match &self.body {
            Body::Composite(composite) => composite.calls().collect(),
            Body::Machine(machine) => vec![&machine.step],
            Body::Prompt(prompt) => prompt.tools.iter().map(|tool| &tool.call).collect(),
            Body::Route(route) => route.targets.iter().map(|target| &target.call).collect(),
            Body::Tool(_) | Body::Broadcast(_) => Vec::new(),
        }
    }

    /// The names of the realm's secrets that it uses.
    pub fn secrets(&self) -> Vec<&str> {
        let (key, named) = match &self.body {
            Body::Tool(Tool::Http(http)) => (http.key.as_ref(), &http.secrets),
            Body::Tool(Tool::Process(process)) => (None, &process.secrets),
            Body::Tool(Tool::Commands(commands)) => (None, &commands.secrets),
            _ => return Vec::new(),
        };
        key.into_iter()
            .chain(named.values())
            .map(String::as_str)
            .collect()
    }

    /// The agent whose state its calls are given, if they are given any.
    pub fn state_agent(&self) -> Option<&LoopId> {
        let named = self.state.as_ref()?.agent.as_ref();
        Some(named.or_else(|| self.agent()).unwrap_or(&self.id))
    }

    /// The agent that runs it once attached, if one does.
    pub fn agent(&self) -> Option<&LoopId> {
        match &self.body {
            Body::Tool(Tool::Attached(attached)) => {
                Some(attached.agent.as_ref().unwrap_or(&self.id))
            }
            _ => None,
        }
    }

    /// Whether it asks nobody but itself, and gives the same output for the same input.
    pub fn is_pure(&self) -> bool {
        match &self.body {
            Body::Prompt(prompt) => prompt.backend == MOCK && prompt.tools.is_empty(),
            Body::Tool(tool) => matches!(tool, Tool::Echo | Tool::Count),
            Body::Composite(_) | Body::Machine(_) | Body::Broadcast(_) | Body::Route(_) => false,
        }
    }

    /// Whether its effects are those of what it calls.
    pub const fn is_composed(&self) -> bool {
        match &self.body {
            Body::Composite(_) | Body::Machine(_) | Body::Route(_) => true,
            Body::Prompt(prompt) => !prompt.tools.is_empty(),
            Body::Tool(_) | Body::Broadcast(_) => false,
        }
    }

    /// SHA-256 over the canonical JSON of the whole manifest: what names this revision of it.
    pub fn digest(&self) -> Digest {
        Digest::of(&[canonical_json(&self.to_json()).as_bytes()])
    }

    /// SHA-256 over the canonical JSON of effects, input schema and output schema.
    pub fn contract_digest(&self, effects: Effects) -> Digest {
        contract_digest(effects.name(), &self.input_schema, &self.output_schema)
    }
}

/// SHA-256 over the canonical JSON of a contract's effects, input schema and output schema.
pub fn contract_digest(effects: &str, input: &Value, output: &Value) -> Digest {
    let contract = serde_json::json!({"effects": effects, "input": input, "output": output});
    Digest::of(&[canonical_json(&contract).as_bytes()])
}

/// SHA-256 over the canonical JSON of what a loop says of itself to whoever may discover it: its name, its
/// description and its contract. It is what is approved of a loop of another realm before a model calls it.
pub fn definition_digest(name: &LoopId, description: Option<&str>, contract: Digest) -> Digest {
    let definition = serde_json::json!({
        "name": name.as_str(),
        "description": description,
        "contract": contract.to_string(),
    });
    Digest::of(&[canonical_json(&definition).as_bytes()])
}

/// Kinds of loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A model fills a template.
    Prompt,
    /// Other loops, step by step.
    Composite,
    /// One loop, again and again.
    Machine,
    /// A program.
    Tool,
    /// Work without an address.
    Broadcast,
    /// One of several loops.
    Route,
}

impl Kind {
    /// The kind's name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Composite => "composite",
            Self::Machine => "machine",
            Self::Tool => "tool",
            Self::Broadcast => "broadcast",
            Self::Route => "route",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens to the world when a loop runs; a later one is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effects {
    /// Nothing.
    None,
    /// Running it twice is as running it once.
    Idempotent,
    /// Each run counts.
    Once,
}

impl Effects {
    /// Every value, the weakest first.
    pub const ALL: [Self; 3] = [Self::None, Self::Idempotent, Self::Once];

    /// The name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Idempotent => "idempotent",
            Self::Once => "once",
        }
    }
}

impl fmt::Display for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not `none`, `idempotent` or `once`.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not one of none, idempotent, once")]
pub struct UnknownEffects;

impl FromStr for Effects {
    type Err = UnknownEffects;

    fn from_str(text: &str) -> Result<Self, UnknownEffects> {
        let known = Self::ALL.into_iter().find(|effects| effects.name() == text);
        known.ok_or(UnknownEffects)
    }
}

/// Bounds of one loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopLimits {
    /// Milliseconds from start to output; past them the run ends with `Timeout`.
    pub timeout_ms: u64,
    /// Runs at a time, without those that stand still; one more is `Overloaded`.
    pub concurrency: u64,
}

impl Default for LoopLimits {
    fn default() -> Self {
        Self {
            timeout_ms: limits::CALL_MS,
            concurrency: limits::CALLS as u64,
        }
    }
}

impl LoopLimits {
    /// What a loop has unless told: one that waits has that time on top, one that announces work what
    /// that may take, and a route what all its targets may.
    pub fn of(body: &Body) -> Self {
        let default = Self::default();
        let timeout_ms = match body {
            Body::Composite(composite) => default.timeout_ms.saturating_add(composite.waits_ms()),
            Body::Broadcast(broadcast) => broadcast.lasts_ms(),
            Body::Route(route) => route.lasts_ms(),
            Body::Prompt(_) | Body::Machine(_) | Body::Tool(_) => default.timeout_ms,
        };
        Self {
            timeout_ms: timeout_ms.min(limits::RUN_MS),
            ..default
        }
    }
}

/// How a loop runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A model fills a template.
    Prompt(Prompt),
    /// Other loops, step by step.
    Composite(Composite),
    /// One loop, again and again.
    Machine(Box<Machine>),
    /// A program.
    Tool(Tool),
    /// Work without an address.
    Broadcast(Box<Broadcast>),
    /// One of several loops.
    Route(Route),
}

/// Programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Gives its input back.
    Echo,
    /// One step of a machine that counts `n` up to `to`.
    Count,
    /// An HTTP agent.
    Http(Http),
    /// A child process.
    Process(Process),
    /// One of several commands.
    Commands(Commands),
    /// A program in a container of its own.
    Container(Container),
    /// A tool of a server of the Model Context Protocol.
    Mcp(Mcp),
    /// An agent that has connected to the realm.
    Attached(Attached),
}

impl Tool {
    /// The implementation's name in files and traces.
    pub const fn implementation(&self) -> &'static str {
        match self {
            Self::Echo => "builtin:echo",
            Self::Count => "builtin:count",
            Self::Http(_) => "http",
            Self::Process(_) => "process",
            Self::Commands(_) => "commands",
            Self::Container(_) => "container",
            Self::Mcp(_) => "mcp",
            Self::Attached(_) => "attached",
        }
    }
}

/// An HTTP agent: takes the input as a POST of JSON, answers with the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Absolute `http` or `https` URL.
    pub url: String,
    /// Headers beside content type and length.
    pub headers: BTreeMap<String, String>,
    /// The secret of the realm that it is shown as a bearer's token; none where it wants none.
    pub key: Option<String>,
    /// Headers whose values are secrets of the realm, by the secrets' names.
    pub secrets: BTreeMap<String, String>,
    /// `host:port` pairs that may be reached though their addresses are not public.
    pub allow_private: Vec<String>,
}

/// A child process: JSON on its standard input, JSON on its standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Program and arguments; no shell reads them.
    pub argv: Vec<String>,
    /// Environment beside the minimum.
    pub env: BTreeMap<String, String>,
    /// Variables whose values are secrets of the realm, by the secrets' names.
    pub secrets: BTreeMap<String, String>,
    /// Working directory; none for the daemon's.
    pub cwd: Option<String>,
    /// What it is kept from.
    pub sandbox: Sandbox,
    /// Whether it answers in lines: words while it works, and its output last.
    pub lines: bool,
}

/// What a child process is kept from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// How much.
    pub level: SandboxLevel,
    /// Files and folders that it may read and run under `strict`, beside its folder and the system's.
    pub read: Vec<String>,
    /// Files and folders that it may change under `strict`.
    pub write: Vec<String>,
}

/// How much a child process is kept from; a later one is stronger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SandboxLevel {
    /// Nothing but the daemon's environment.
    None,
    /// The terminal, new privileges, and outliving the daemon.
    #[default]
    Basic,
    /// Files, network, other processes, and most of what a kernel offers.
    Strict,
}

impl SandboxLevel {
    /// Every level, the weakest first.
    pub const ALL: [Self; 3] = [Self::None, Self::Basic, Self::Strict];

    /// The level's name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Strict => "strict",
        }
    }

    /// The level of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// A tool of a server of the Model Context Protocol: the input is its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mcp {
    /// What the realm's configuration calls the server.
    pub server: String,
    /// What the server calls the tool.
    pub tool: String,
    /// Digest of the tool's definition that was approved; none where none was, and then it is not called.
    pub digest: Option<Digest>,
}

/// An agent that connects to the realm by itself and takes calls over that connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// What the agent calls itself; none for what the loop is called.
    pub agent: Option<LoopId>,
}

/// Where something was written. It is not part of what a manifest is: all origins are equal.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The file's name; empty for what was not read from a file.
    pub file: Arc<str>,
    /// Line, from 1; zero if unknown.
    pub line: usize,
    /// Column in characters, from 1; zero if unknown.
    pub column: usize,
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origin {}
