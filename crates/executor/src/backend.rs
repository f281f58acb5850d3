//! What a loop asks of the world outside, and what the world may answer.

use std::collections::BTreeMap;

use realm_protocol::{CallId, Digest, FailureCode};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use thiserror::Error;

use crate::{MOCK, Sandbox};

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
        /// The same in every attempt at the same work.
        key: CallId,
        /// The loop's input.
        body: Value,
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
        /// The same in every attempt at the same work.
        key: CallId,
        /// Working directory; none for the daemon's.
        cwd: Option<String>,
        /// What it is kept from.
        sandbox: Box<Sandbox>,
        /// The loop's input.
        input: Value,
        /// Milliseconds from start to exit.
        timeout_ms: u64,
    },
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
    /// Whether it does nothing to the world and answers the same each time.
    pub fn is_pure(&self) -> bool {
        match self {
            Self::Echo { .. } | Self::Count { .. } => true,
            Self::Model(request) => request.backend == MOCK,
            Self::Http { .. } | Self::Process { .. } | Self::Mcp { .. } => false,
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
    pub cost: Option<Cost>,
}

/// Money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Three capital letters, such as `EUR`.
    pub currency: String,
    /// Millionths of the currency's unit.
    pub micros: u64,
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

/// Why a backend gave no answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BackendError {
    /// It took longer than its time.
    #[error("no answer within {after_ms} ms")]
    Timeout {
        /// The time it had, milliseconds.
        after_ms: u64,
    },
    /// The manifest names something that is not allowed or not a URL.
    #[error("refused: {reason}")]
    Refused {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The host has an address that may not be reached.
    #[error(
        "{host} is at {address}, which is not a public address; `allowPrivate: [{host}]` permits it"
    )]
    Blocked {
        /// `host:port` as the manifest names it.
        host: String,
        /// The address.
        address: String,
    },
    /// Metadata services of clouds are never reached.
    #[error("{address} is a metadata service and is never reached")]
    Metadata {
        /// The address.
        address: String,
    },
    /// The agent could not be reached, or the connection broke.
    #[error("{host} could not be reached: {reason}")]
    Unreachable {
        /// `host:port` as the manifest names it.
        host: String,
        /// What the connection said.
        reason: String,
    },
    /// It answered with a status other than success.
    #[error("it answered with status {code}{}", Tail(.said))]
    Status {
        /// HTTP status.
        code: u16,
        /// What it said about it; empty where it said nothing that can be read.
        said: String,
        /// When it may be asked again, milliseconds, if it said so.
        retry_after_ms: Option<u64>,
    },
    /// The model did not finish its answer.
    #[error("the model did not finish: {reason}")]
    Unfinished {
        /// Why, as its backend says.
        reason: String,
    },
    /// The key of a model backend cannot be had.
    #[error("the key of backend `{id}` cannot be had: {reason}")]
    NoKey {
        /// The backend's id.
        id: String,
        /// Why.
        reason: String,
    },
    /// The answer is larger than allowed.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit, bytes.
        limit: usize,
    },
    /// The answer is not JSON, or not what the backend's format says.
    #[error("the answer does not read: {reason}")]
    BadOutput {
        /// What the parser said.
        reason: String,
    },
    /// The process could not be started.
    #[error("`{program}` could not be started: {reason}")]
    Spawn {
        /// First of the arguments.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// The process ended with an error.
    #[error("the process ended with {}{}", Ended(.code), Tail(.stderr))]
    Exit {
        /// Exit code; none if a signal ended it.
        code: Option<i32>,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// A signal ended the process.
    #[error("the process was ended by {}{}", Signal(.signal), Tail(.stderr))]
    Signal {
        /// The signal's number.
        signal: i32,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// The manifest names a model backend that this realm does not have.
    #[error(
        "backend `{id}` is not configured here: `[backends.{id}]` in realm.toml makes it, and `realmctl backend ls` lists those there are"
    )]
    Unconfigured {
        /// The backend's id.
        id: String,
    },
    /// The kernel does not keep a process from what its sandbox says, so it was not started.
    #[error(
        "`{program}` was not started, because its sandbox cannot be had: {reason}; `sandbox: basic` runs it without, `realmctl explain loop.tool.config.sandbox` says what that means"
    )]
    Unconfined {
        /// First of the arguments.
        program: String,
        /// What failed.
        reason: String,
    },
    /// The manifest names a server that this realm does not have.
    #[error(
        "MCP server `{id}` is not configured here: `[mcp.{id}]` in realm.toml makes it, and `realmctl backend ls` lists those there are"
    )]
    NoServer {
        /// The server's id.
        id: String,
    },
    /// The server has no such tool.
    #[error(
        "MCP server `{id}` has no tool `{tool}`: `realmctl backend show {id}` lists those it has"
    )]
    NoTool {
        /// The server's id.
        id: String,
        /// The tool.
        tool: String,
    },
    /// Nobody has approved the tool.
    #[error(
        "the tool `{tool}` of MCP server `{id}` is not approved: `realmctl backend show {id}` shows it, `realmctl backend approve {id}` approves it"
    )]
    NotApproved {
        /// The server's id.
        id: String,
        /// The tool.
        tool: String,
    },
    /// The tool is no longer what was approved.
    #[error(
        "the tool `{tool}` of MCP server `{id}` has changed since it was approved: `realmctl backend show {id}` shows it as it is now, `realmctl backend approve {id}` approves that"
    )]
    ToolChanged {
        /// The server's id.
        id: String,
        /// The tool.
        tool: String,
    },
    /// The input does not match the tool's own schema.
    #[error("the input does not match the schema of the tool `{tool}`")]
    ToolInput {
        /// The tool.
        tool: String,
        /// One line a fault.
        faults: Vec<String>,
    },
    /// The tool said that it failed.
    #[error("the tool `{tool}` failed{}", Tail(.said))]
    ToolFailed {
        /// The tool.
        tool: String,
        /// What it said.
        said: String,
    },
    /// The server could not be started or reached, or broke what both had agreed on.
    #[error("MCP server `{id}`: {reason}")]
    Server {
        /// The server's id.
        id: String,
        /// What went wrong.
        reason: String,
        /// Whether the call had been sent by then.
        sent: bool,
        /// When the server is tried again at the earliest, milliseconds, if it rests.
        retry_after_ms: Option<u64>,
    },
}

impl BackendError {
    /// Whether the work may have begun, so that only what may be repeated is tried again.
    pub const fn may_have_begun(&self) -> bool {
        match self {
            Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::TooLarge { .. }
            | Self::BadOutput { .. }
            | Self::Exit { .. }
            | Self::Signal { .. } => true,
            Self::Unfinished { .. } | Self::ToolFailed { .. } => true,
            Self::Server { sent, .. } => *sent,
            Self::Status { code, .. } => !matches!(code, 400..=499 | 503),
            Self::Refused { .. }
            | Self::Blocked { .. }
            | Self::Metadata { .. }
            | Self::Spawn { .. }
            | Self::Unconfined { .. }
            | Self::NoKey { .. }
            | Self::NoServer { .. }
            | Self::NoTool { .. }
            | Self::NotApproved { .. }
            | Self::ToolChanged { .. }
            | Self::ToolInput { .. }
            | Self::Unconfigured { .. } => false,
        }
    }

    /// When the work may be tried again at the earliest, milliseconds, if the backend said so.
    pub const fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Status { retry_after_ms, .. } | Self::Server { retry_after_ms, .. } => {
                *retry_after_ms
            }
            _ => None,
        }
    }

    /// What a caller may do about it.
    pub const fn category(&self) -> Category {
        match self {
            Self::Timeout { .. } | Self::Unreachable { .. } | Self::Server { .. } => {
                Category::Transient
            }
            Self::Unfinished { .. } | Self::ToolFailed { .. } => Category::Business,
            Self::Status { code, .. } => match code {
                408 | 425 | 429 | 500..=599 => Category::Transient,
                401 | 403 => Category::Permission,
                400 | 422 => Category::Validation,
                _ => Category::Business,
            },
            Self::TooLarge { .. } | Self::BadOutput { .. } | Self::ToolInput { .. } => {
                Category::Validation
            }
            Self::Refused { .. }
            | Self::Blocked { .. }
            | Self::Metadata { .. }
            | Self::NotApproved { .. }
            | Self::ToolChanged { .. } => Category::Permission,
            Self::Exit { .. } | Self::Signal { .. } => Category::Business,
            Self::Spawn { .. }
            | Self::Unconfined { .. }
            | Self::NoKey { .. }
            | Self::NoServer { .. }
            | Self::NoTool { .. }
            | Self::Unconfigured { .. } => Category::Unknown,
        }
    }
}

struct Ended<'a>(&'a Option<i32>);

impl std::fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(code) => write!(f, "exit code {code}"),
            None => f.write_str("a signal"),
        }
    }
}

struct Signal<'a>(&'a i32);

impl std::fmt::Display for Signal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self.0 {
            1 => "SIGHUP",
            2 => "SIGINT",
            3 => "SIGQUIT",
            4 => "SIGILL",
            5 => "SIGTRAP",
            6 => "SIGABRT",
            8 => "SIGFPE",
            9 => "SIGKILL",
            11 => "SIGSEGV",
            13 => "SIGPIPE",
            14 => "SIGALRM",
            15 => "SIGTERM",
            number => return write!(f, "signal {number}"),
        };
        f.write_str(name)
    }
}

struct Tail<'a>(&'a str);

impl std::fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.0)
        }
    }
}
