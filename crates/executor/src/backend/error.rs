//! Why backends give no answer, and what may be done about it.

mod container;

use realm_protocol::LoopId;
use thiserror::Error;

use super::Category;
pub use container::ContainerError;

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
    /// The manifest names a host as one that may have a private address, and the realm's owner does not.
    #[error(
        "{host} is for `allowPrivate` alone: the owner does not open it to loops; under [loops] in realm.toml write {line}"
    )]
    NotOpened {
        /// `host:port` as the manifest names it.
        host: String,
        /// What would open it, beside what is open.
        line: String,
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
        /// Whether there was a connection, by which the work may have been sent.
        sent: bool,
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
    /// A secret that the manifest names cannot be had.
    #[error(
        "the secret `{name}` cannot be had: {reason}; `[secrets.{name}]` in realm.toml says where it is"
    )]
    NoSecret {
        /// The secret's name.
        name: String,
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
    /// The sandbox would open to a process what is closed to all of them.
    #[error(
        "`{program}` was not started: its sandbox opens {given}, and {closed}, where this realm keeps its keys, must not be in it or around it; name other folders in `cwd`, `read` and `write`"
    )]
    Opened {
        /// First of the arguments.
        program: String,
        /// The folder or file that it is given.
        given: String,
        /// The folder that is closed.
        closed: String,
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
    /// Policy does not let the loop use it.
    #[error("policy does not let the loop use {what}; reference {reference}")]
    Denied {
        /// What, by its kind and name.
        what: String,
        /// For `policy why`.
        reference: String,
    },
    /// Whoever began the run may no longer run loops.
    #[error("{why}")]
    Dismissed {
        /// Who, and why.
        why: String,
    },
    /// A secret that the manifest names is for other loops.
    #[error(
        "the secret `{name}` is not for the loop `{id}`: `secrets.{name}.loops` in realm.toml lists those that it is for"
    )]
    NotForLoop {
        /// The secret's name.
        name: String,
        /// The loop.
        id: String,
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
    /// No instance of the agent was there.
    #[error(
        "no instance of agent `{agent}` that serves `{loop_id}` is attached, and none came in time"
    )]
    Absent {
        /// What the agent calls itself.
        agent: LoopId,
        /// The loop.
        loop_id: LoopId,
    },
    /// Every instance of the agent had as many calls as it takes.
    #[error(
        "every instance of agent `{agent}` has as many calls as it takes, and none ended in time"
    )]
    Busy {
        /// What the agent calls itself.
        agent: LoopId,
    },
    /// The agent went away without an answer.
    #[error("agent `{agent}` went away without an answer")]
    Vanished {
        /// What the agent calls itself.
        agent: LoopId,
    },
    /// A container does not run, or did not end well.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The agent says that it failed.
    #[error("{message}")]
    Reported {
        /// What it says about it.
        message: String,
        /// What it says can be done about it.
        category: Category,
        /// When it may be asked again, milliseconds, if it said so.
        retry_after_ms: Option<u64>,
    },
}

impl BackendError {
    /// Whether the work may have begun, so that only what may be repeated is tried again.
    pub const fn may_have_begun(&self) -> bool {
        match self {
            Self::Timeout { .. }
            | Self::TooLarge { .. }
            | Self::BadOutput { .. }
            | Self::Exit { .. }
            | Self::Signal { .. } => true,
            Self::Unfinished { .. }
            | Self::ToolFailed { .. }
            | Self::Vanished { .. }
            | Self::Reported { .. } => true,
            Self::Server { sent, .. } | Self::Unreachable { sent, .. } => *sent,
            Self::Container(error) => error.may_have_begun(),
            Self::Status { code, .. } => !matches!(code, 400..=499 | 503),
            Self::Refused { .. }
            | Self::Blocked { .. }
            | Self::NotOpened { .. }
            | Self::Metadata { .. }
            | Self::Spawn { .. }
            | Self::Unconfined { .. }
            | Self::Opened { .. }
            | Self::NoKey { .. }
            | Self::NoSecret { .. }
            | Self::NoServer { .. }
            | Self::NoTool { .. }
            | Self::NotApproved { .. }
            | Self::Denied { .. }
            | Self::NotForLoop { .. }
            | Self::Dismissed { .. }
            | Self::ToolChanged { .. }
            | Self::ToolInput { .. }
            | Self::Unconfigured { .. }
            | Self::Absent { .. }
            | Self::Busy { .. } => false,
        }
    }

    /// When the work may be tried again at the earliest, milliseconds, if the backend said so.
    pub const fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Status { retry_after_ms, .. }
            | Self::Server { retry_after_ms, .. }
            | Self::Reported { retry_after_ms, .. } => *retry_after_ms,
            _ => None,
        }
    }

    /// What a caller may do about it.
    pub const fn category(&self) -> Category {
        match self {
            Self::Timeout { .. }
            | Self::Unreachable { .. }
            | Self::Server { .. }
            | Self::Absent { .. }
            | Self::Busy { .. }
            | Self::Vanished { .. } => Category::Transient,
            Self::Reported { category, .. } => *category,
            Self::Container(error) => error.category(),
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
            | Self::NotOpened { .. }
            | Self::Metadata { .. }
            | Self::NotApproved { .. }
            | Self::Denied { .. }
            | Self::NotForLoop { .. }
            | Self::Dismissed { .. }
            | Self::Opened { .. }
            | Self::ToolChanged { .. } => Category::Permission,
            Self::Exit { .. } | Self::Signal { .. } => Category::Business,
            Self::Spawn { .. }
            | Self::Unconfined { .. }
            | Self::NoKey { .. }
            | Self::NoSecret { .. }
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
            25 => "SIGXFSZ (it wrote more into one file than its sandbox lets it)",
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
