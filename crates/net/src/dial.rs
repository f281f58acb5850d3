//! Why a dial led to no link, address by address.

use std::{fmt, io};

use libp2p::{Multiaddr, core::transport::TransportError, multiaddr::Protocol, swarm};
use realm_protocol::NodeId;

use crate::{
    DownReason,
    behaviour::Refusal,
    cause::{innermost, kind},
    identity,
};

/// Why a dial led to no link.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No address was given.
    #[error("no address to dial")]
    NoAddress,
    /// The node id is no Ed25519 public key.
    #[error("the node id is not a public key")]
    InvalidNode,
    /// The node, or every address given, is this node's own.
    #[error("the node is this node")]
    OwnNode,
    /// `Limits::pending` dials are under way already.
    #[error("too many dials under way")]
    Busy,
    /// `Limits::per_node` links with the node stand already.
    #[error("enough links with this node stand already")]
    TooManyLinks,
    /// The process is short of memory.
    #[error("short of memory")]
    Memory,
    /// The net is stopping or was restarted.
    #[error("the net is stopping")]
    Stopping,
    /// The node answered, and the link ended before it was up.
    #[error("connected, but no link came up: {0}")]
    NoLink(DownReason),
    /// Another node answered.
    #[error("another node answers there: {0}")]
    WrongNode(Attempts),
    /// Nobody listens there.
    #[error("refused: {0}")]
    Refused(Attempts),
    /// Nobody answered in time.
    #[error("no answer in time: {0}")]
    Timeout(Attempts),
    /// No address could be reached or used at all.
    #[error("unreachable: {0}")]
    Unreachable(Attempts),
}

/// How each address of a dial failed.
#[derive(Debug, Default)]
pub struct Attempts(pub Vec<Attempt>);

/// How one address failed.
#[derive(Debug)]
pub struct Attempt {
    /// The address.
    pub address: Multiaddr,
    /// What happened there.
    pub error: AttemptError,
}

/// What happened at one address.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// Another node answered; its id, if it has one.
    #[error("another node answers")]
    WrongNode(Option<NodeId>),
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// Nobody answered in time.
    #[error("no answer in time")]
    Timeout,
    /// The address was learned from others and is not one of the public internet, or is a name
    /// for such addresses.
    #[error("learned from others and not a public address")]
    NotPublic,
    /// The address is of a kind this net does not dial, or names another node.
    #[error("not an address this node can dial")]
    Unsupported,
    /// Anything else: no route, no such name, a failed handshake.
    #[error("{}", innermost(.0))]
    Failed(#[source] io::Error),
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Attempt { address, error }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{address}: {error}")?;
        }
        Ok(())
    }
}

impl From<Attempts> for DialError {
    /// Names the dial after its most telling attempt.
    fn from(attempts: Attempts) -> Self {
        let any = |wanted: fn(&AttemptError) -> bool| {
            attempts.0.iter().any(|attempt| wanted(&attempt.error))
        };
        if any(|error| matches!(error, AttemptError::WrongNode(_))) {
            Self::WrongNode(attempts)
        } else if any(|error| matches!(error, AttemptError::Refused)) {
            Self::Refused(attempts)
        } else if any(|error| matches!(error, AttemptError::Timeout)) {
            Self::Timeout(attempts)
        } else {
            Self::Unreachable(attempts)
        }
    }
}

impl From<&TransportError<io::Error>> for AttemptError {
    fn from(error: &TransportError<io::Error>) -> Self {
        match error {
            TransportError::MultiaddrNotSupported(_) => Self::Unsupported,
            TransportError::Other(error) => match kind(error) {
                io::ErrorKind::ConnectionRefused => Self::Refused,
                io::ErrorKind::TimedOut => Self::Timeout,
                kind => Self::Failed(io::Error::new(kind, innermost(error))),
            },
        }
    }
}

/// What a failed dial means: final, or that some addresses were wrong and others are left.
pub(crate) enum Outcome {
    /// The dial is over.
    Failed(DialError),
    /// This address is of no use; the others may be.
    Wrong(Attempt),
    /// These addresses failed, and they were all.
    All(Vec<Attempt>),
}

impl From<&swarm::DialError> for Outcome {
    fn from(error: &swarm::DialError) -> Self {
        match error {
            swarm::DialError::LocalPeerId { address } => Self::Wrong(Attempt {
                address: bare(address),
                error: AttemptError::WrongNode(None),
            }),
            swarm::DialError::WrongPeerId { obtained, address } => Self::Wrong(Attempt {
                address: bare(address),
                error: AttemptError::WrongNode(identity::node_id(obtained).ok()),
            }),
            // The swarm leaves out the addresses it listens on itself.
            swarm::DialError::NoAddresses => Self::Failed(DialError::OwnNode),
            swarm::DialError::DialPeerConditionFalse(_) | swarm::DialError::Aborted => {
                Self::Failed(DialError::Stopping)
            }
            swarm::DialError::Denied { cause } => {
                Self::Failed(match cause.downcast_ref::<Refusal>() {
                    Some(Refusal::Memory) => DialError::Memory,
                    Some(Refusal::Stopping) | None => DialError::Stopping,
                    Some(_) => DialError::TooManyLinks,
                })
            }
            swarm::DialError::Transport(errors) => Self::All(
                errors
                    .iter()
                    .map(|(address, error)| Attempt {
                        address: bare(address),
                        error: error.into(),
                    })
                    .collect(),
            ),
        }
    }
}

/// Gives the address without the node at its end.
pub(crate) fn bare(address: &Multiaddr) -> Multiaddr {
    let mut bare = address.clone();
    if matches!(bare.iter().last(), Some(Protocol::P2p(_))) {
        bare.pop();
    }
    bare
}
