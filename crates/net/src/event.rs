//! What a net tells its owner.

use std::{
    fmt, io,
    sync::atomic::{AtomicU64, Ordering},
};

use libp2p::Multiaddr;
use realm_protocol::NodeId;
use thiserror::Error;

use crate::{DialError, Inbox, Outbox};

/// One link with one node; unique for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl LinkId {
    /// Takes the next id of this process.
    pub(crate) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link-{}", self.0)
    }
}

/// One dial, named by whoever asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// How an admitted link counts against the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A certified parent, child or peer: does not count against `Limits::uncertified`.
    Known,
    /// Anybody else who may stay, such as a node that is about to join.
    Stranger,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The net listens on one more concrete address.
    Listening(Multiaddr),
    /// An address from the configuration is not listened on, or no longer.
    ListenFailed {
        /// The address as configured.
        address: Multiaddr,
        /// Why not.
        error: ListenError,
    },
    /// A link stands, both lanes open. It is cut unless admitted in time.
    Up {
        /// The link.
        link: LinkId,
        /// The node at the other end, authenticated by its key.
        node: NodeId,
        /// The other end's address: the one dialled, or the one the connection came from.
        address: Multiaddr,
        /// The dial that led here; `None` for an inbound link.
        dialed: Option<DialId>,
        /// Takes frames for the peer.
        outbox: Outbox,
        /// Gives frames from the peer. Dropping it closes the link.
        inbox: Inbox,
    },
    /// A link that was up is gone. Its inbox still gives what had arrived, then ends.
    Down {
        /// The link.
        link: LinkId,
        /// Why it ended.
        reason: DownReason,
    },
    /// A dial led to no link. Trying again is the owner's decision.
    DialFailed {
        /// The dial.
        dial: DialId,
        /// Why it failed.
        error: DialError,
    },
    /// The task that owns all links panicked and was started again. Every link went down and
    /// every dial failed before this. An alarm: somebody should look.
    Restarted {
        /// How often this has happened since the start.
        times: u64,
    },
}

/// Why a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DownReason {
    /// This side closed it, or dropped its inbox.
    #[error("closed here")]
    ClosedHere,
    /// The peer closed it, or broke the rules of the transport.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// The connection broke.
    #[error("connection lost: {0}")]
    Lost(io::ErrorKind),
    /// The connection spoke no lane protocol in time.
    #[error("no lanes negotiated")]
    NoLanes,
    /// Nobody admitted it in time.
    #[error("not admitted in time")]
    NotAdmitted,
    /// The peer declared a frame longer than a frame may be.
    #[error("a frame of {0} bytes declared")]
    FrameTooLong(u32),
    /// The peer began a frame and did not finish it in time.
    #[error("frame not finished in time")]
    FrameTimeout,
    /// The peer took no bytes for too long.
    #[error("the peer does not read")]
    Stalled,
    /// The peer opened a second lane.
    #[error("a second lane opened by the peer")]
    SecondLane,
    /// Too many strangers are admitted already.
    #[error("too many strangers")]
    TooManyStrangers,
    /// The process is short of memory and the link is not a known one.
    #[error("short of memory")]
    Memory,
    /// The link's task panicked; an alarm.
    #[error("the link's task panicked")]
    Panicked,
    /// The net was restarted after a panic.
    #[error("the net restarted")]
    Restarted,
}

impl From<io::ErrorKind> for DownReason {
    fn from(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as Kind;

        match kind {
            // Yamux reports the orderly end of a connection as an error of no kind.
            Kind::Other
            | Kind::UnexpectedEof
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::WriteZero => Self::ClosedByPeer,
            kind => Self::Lost(kind),
        }
    }
}

/// Why an address is not listened on.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The address is not one of TCP or QUIC over IPv4 or IPv6.
    #[error("not an address of TCP or QUIC")]
    Unsupported,
    /// The system refused: in use, not permitted, not an address of this machine.
    #[error(transparent)]
    Io(#[from] io::Error),
}
