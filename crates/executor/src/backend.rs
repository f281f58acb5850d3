//! What a loop asks of the world outside, and what the world may answer.

mod error;

use std::collections::BTreeMap;

use realm_protocol::{CallId, Digest, FailureCode, LoopId, budget::Amount};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::{Container, MOCK, Sandbox};
pub use error::{BackendError, ContainerError};

/// One piece of work for a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendRequest {
    /// A completion by a model, the mock among them.
    Model(Box<ModelRequest>),
    /// The input, given back.
    Echo {
        /// The loop's input.
        input: Value,
    },
    /// One step of a machine that counts `n`, from zero unless told, up to `to`.
    Count {
        /// The loop's input.
        input: Value,
    },
    /// A POST of JSON to an agent.
    Http {
        /// Absolute `http` or `https` URL.
        url: String,
        /// Headers beside content type, length and idempotency key.
        headers: BTreeMap<String, String>,
        /// The secret that is shown as a bearer's token, by its name.
        bearer: Option<String>,
        /// Headers whose values are secrets, by the secrets' names.
        secrets: BTreeMap<String, String>,
        /// The same in every attempt at the same work.
        key: CallId,
        /// The loop's input.
        body: Value,
        /// Whether its words are wanted while it works.
        stream: bool,
        /// Milliseconds for the whole exchange.
        timeout_ms: u64,
        /// `host:port` pairs that may be reached though their addresses are not public.
        allow_private: Vec<String>,
    },
    /// A child process: JSON on its standard input, JSON on its standard output.
    Process {
        /// Program and arguments; no shell reads them.
        argv: Vec<String>,
        /// Environment beside the minimum.
        env: BTreeMap<String, String>,
        /// Variables whose values are secrets, by the secrets' names.
        secrets: BTreeMap<String, String>,
        /// The same in every attempt at the same work.
        key: CallId,
        /// Working directory; none for the daemon's.
        cwd: Option<String>,
        /// What it is kept from.
        sandbox: Box<Sandbox>,
        /// The loop's input.
        input: Value,
        /// Whether it answers in lines: words while it works, and its output last.
        lines: bool,
        /// Whether its words are wanted while it works.
        stream: bool,
        /// Milliseconds from start to exit.
        timeout_ms: u64,
    },
    /// A command, which is asked nothing and answers by what it prints.
    Command {
        /// Program and arguments; no shell reads them.
        argv: Vec<String>,
        /// Environment beside the minimum.
        env: BTreeMap<String, String>,
        /// Variables whose values are secrets, by the secrets' names.
        secrets: BTreeMap<String, String>,
        /// The same in every attempt at the same work.
        key: CallId,
        /// Working directory; none for the daemon's.
        cwd: Option<String>,
        /// What it is kept from.
        sandbox: Box<Sandbox>,
        /// Milliseconds from start to exit.
        timeout_ms: u64,
    },
    /// A program in a container: JSON on its standard input, JSON on its standard output.
    Container(Box<ContainerRequest>),
    /// A call of a tool of a server of the Model Context Protocol.
    Mcp {
        /// What the realm's configuration calls the server.
        server: String,
        /// What the server calls the tool.
        tool: String,
        /// Digest of the tool's definition that was approved, if one was.
        digest: Option<Digest>,
        /// The loop's input, which is an object.
        input: Value,
        /// Milliseconds for the whole exchange.
        timeout_ms: u64,
    },
    /// A call of an agent that is attached, or will be before the time is over.
    Attached(Box<AttachedRequest>),
}

/// A container that is to run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerRequest {
    /// What runs.
    pub container: Container,
    /// The same in every attempt at the same work.
    pub key: CallId,
    /// The loop's input.
    pub input: Value,
    /// Whether its words are wanted while it works.
    pub stream: bool,
    /// Milliseconds until the answer must be there, fetching the image included.
    pub timeout_ms: u64,
}

/// A call that an attached agent is to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedRequest {
    /// What the agent calls itself.
    pub agent: LoopId,
    /// The loop.
    pub loop_id: LoopId,
    /// The loop's version.
    pub version: String,
    /// The same in every attempt at the same work.
    pub key: CallId,
    /// The loop's input.
    pub input: Value,
    /// What of its state the agent is given, by key; none for a loop that keeps none.
    pub state: Option<Value>,
    /// What people have said to the questions that it has asked; none for a loop that asks nobody.
    pub answers: Option<Value>,
    /// Whether its words are wanted while it works.
    pub stream: bool,
    /// Whether another instance may be asked where one has gone away without an answer.
    pub repeatable: bool,
    /// Milliseconds until the answer must be there, the wait for an agent included.
    pub timeout_ms: u64,
}

/// A completion that is wanted of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRequest {
    /// The backend's id.
    pub backend: String,
    /// The model; none for the backend's own choice.
    pub model: Option<String>,
    /// System prompt.
    pub system: Option<String>,
    /// The rendered prompt.
    pub prompt: String,
    /// Most tokens that may be written; none for the backend's own bound.
    pub max_tokens: Option<u64>,
    /// How freely the model may choose.
    pub temperature: Option<Number>,
    /// JSON Schema that the answer is to match; none where text will do.
    pub schema: Option<Value>,
    /// What the model may call.
    pub tools: Vec<ToolSpec>,
    /// What it has called and been answered so far.
    pub turns: Vec<Turn>,
    /// The same in every attempt at the same work.
    pub key: CallId,
    /// Milliseconds for the whole exchange.
    pub timeout_ms: u64,
    /// Whether what it writes is wanted while it writes.
    pub stream: bool,
}

/// A loop as a model is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// JSON Schema of its input.
    pub schema: Value,
}

/// One answer of a model that was calls, and what came of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// What it said beside.
    pub said: Option<String>,
    /// What it called.
    pub calls: Vec<ToolCall>,
    /// What came of each, in the same order.
    pub results: Vec<ToolResult>,
}

/// What a model calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's own name for this call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its input.
    pub arguments: Value,
}

/// What came of a call of a model's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// JSON: the output, or the error.
    pub output: Value,
    /// Whether it is an error.
    pub failed: bool,
}

impl BackendRequest {
    /// Whether it asks a program, a service or an agent, not a model, which is paid for each answer.
    pub const fn is_tool(&self) -> bool {
        !matches!(self, Self::Model(_))
    }

    /// Whether it does nothing to the world and answers the same each time.
    pub fn is_pure(&self) -> bool {
        match self {
            Self::Echo { .. } | Self::Count { .. } => true,
            Self::Model(request) => request.backend == MOCK,
            Self::Http { .. }
            | Self::Process { .. }
            | Self::Command { .. }
            | Self::Container(_)
            | Self::Mcp { .. }
            | Self::Attached(_) => false,
        }
    }
}

/// What a backend answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendReply {
    /// The answer.
    pub output: BackendOutput,
    /// Tokens read, if the backend counts.
    pub input_tokens: Option<u64>,
    /// Tokens written, if the backend counts.
    pub output_tokens: Option<u64>,
    /// The model that answered, if one did.
    pub model: Option<String>,
    /// What it cost, if that is known.
    pub cost: Option<Amount>,
}

impl BackendReply {
    /// Makes a reply without tokens or model.
    pub fn json(output: Value) -> Self {
        Self {
            output: BackendOutput::Json(output),
            input_tokens: None,
            output_tokens: None,
            model: None,
            cost: None,
        }
    }
}

/// An answer, parsed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendOutput {
    /// A JSON value.
    Json(Value),
    /// Text; JSON in it is parsed, anything else becomes `{"text": …}`.
    Text(String),
    /// Calls that the model wants made before it answers.
    Calls {
        /// What it said beside.
        said: Option<String>,
        /// The calls.
        calls: Vec<ToolCall>,
    },
}

/// What a caller may do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// It may work when tried again.
    Transient,
    /// The data is wrong.
    Validation,
    /// The work was done and refused.
    Business,
    /// It is not allowed.
    Permission,
    /// Nobody can tell.
    Unknown,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 5] = [
        Self::Transient,
        Self::Validation,
        Self::Business,
        Self::Permission,
        Self::Unknown,
    ];

    /// The category of a failure that says nothing else about itself.
    pub const fn of(code: FailureCode) -> Self {
        match code {
            FailureCode::NoRoute
            | FailureCode::Offline
            | FailureCode::Overloaded
            | FailureCode::Timeout
            | FailureCode::StoreFailed
            | FailureCode::TooFewBids
            | FailureCode::TooFewResults => Self::Transient,
            FailureCode::SchemaInput
            | FailureCode::SchemaOutput
            | FailureCode::Malformed
            | FailureCode::TooLarge => Self::Validation,
            FailureCode::Denied | FailureCode::BadCertificate => Self::Permission,
            FailureCode::LoopFailed
            | FailureCode::LoopNotFound
            | FailureCode::Budget
            | FailureCode::NoConsensus
            | FailureCode::NoQuorum
            | FailureCode::NotAggregated => Self::Business,
            _ => Self::Unknown,
        }
    }

    /// The category of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// The category's name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Validation => "validation",
            Self::Business => "business",
            Self::Permission => "permission",
            Self::Unknown => "unknown",
        }
    }
}
