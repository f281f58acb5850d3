//! Why a request came to nothing.

use std::{fmt, io, time::Duration};

use thiserror::Error;

use crate::{Exit, api::Problem, catalogue::Code, trace::TraceTooLong};

/// Why the daemon does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// There is no socket.
    NotRunning,
    /// There is a socket, and nobody behind it.
    StaleSocket,
    /// The socket belongs to somebody else.
    Permission,
    /// The system could not connect for another reason.
    System,
}

impl Unreachable {
    pub(super) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotRunning,
            io::ErrorKind::ConnectionRefused => Self::StaleSocket,
            io::ErrorKind::PermissionDenied => Self::Permission,
            _ => Self::System,
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRunning => "the daemon is not running",
            Self::StaleSocket => "the daemon is not running; its socket was left by a crash",
            Self::Permission => "the daemon's socket belongs to somebody else",
            Self::System => "the daemon cannot be reached",
        })
    }
}

/// Why a request came to nothing.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody answers there.
    #[error("{why} ({place})")]
    Unreachable {
        /// The socket or the address.
        place: String,
        /// Why.
        why: Unreachable,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon did not do it, and says why.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// No answer in time; what was asked may still be done.
    #[error("no answer within {} s", .after.as_secs())]
    Timeout {
        /// How long it was waited.
        after: Duration,
    },
    /// The request cannot be written as JSON or HTTP.
    #[error("the request cannot be written")]
    Request(#[source] serde_json::Error),
    /// The address of the request is not valid HTTP.
    #[error("the request is not valid HTTP")]
    Address(#[source] http::Error),
    /// The connection broke.
    #[error("the connection to the daemon broke")]
    Connection(#[source] hyper::Error),
    /// The answer is larger than any answer should be, or broke off.
    #[error("the answer is too large, or broke off")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is not what this version expects.
    #[error("the answer is not understood")]
    Answer(#[source] serde_json::Error),
    /// The answer is an error without a problem document.
    #[error("the daemon answered with HTTP status {0}")]
    Status(u16),
    /// A line of an event stream is longer than any event.
    #[error("an event is too large")]
    EventTooLarge,
    /// A trace has more than is held whole.
    #[error(transparent)]
    TraceTooLong(#[from] TraceTooLong),
}

impl ClientError {
    /// The catalogue entry; none where a newer daemon sent a code this version does not know.
    pub fn code(&self) -> Option<Code> {
        Some(match self {
            Self::Unreachable { why, .. } => match why {
                Unreachable::NotRunning | Unreachable::System => Code::DaemonNotRunning,
                Unreachable::StaleSocket => Code::DaemonStale,
                Unreachable::Permission => Code::DaemonPermission,
            },
            Self::Problem(problem) => return problem.entry(),
            Self::Timeout { .. } => Code::DaemonTimeout,
            Self::Request(_) | Self::Address(_) => Code::RequestInvalid,
            Self::Connection(_) | Self::Body(_) | Self::Answer(_) | Self::Status(_) => {
                Code::DaemonProtocol
            }
            Self::EventTooLarge => Code::DaemonProtocol,
            Self::TraceTooLong(_) => Code::TraceTooLong,
        })
    }

    /// What a program that fails with it ends with.
    pub fn exit(&self) -> Exit {
        self.code().map_or(Exit::Other, Code::exit)
    }
}
