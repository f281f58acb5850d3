//! libp2p links between nodes: dial, listen, up, down, and bounded frames in between.
//!
//! [`start`] gives a [`Net`] to command and a stream of [`Event`]s to follow. Each link comes up
//! with an [`Outbox`] and an [`Inbox`] that carry whole frames, in order, each way. A link is on
//! trial until [`Net::admit`]: whoever is not admitted in time is cut. Everything is bounded by
//! [`Limits`]. TCP with Noise and yamux, and QUIC; nothing travels in the clear.
//! It must never know what a frame means.

mod behaviour;
mod cause;
mod config;
mod deadline;
mod dial;
mod event;
mod frame;
mod gate;
mod handler;
mod identity;
mod lane;
mod learned;
mod memory;
mod muxer;
mod net;
mod queue;
mod quic;
mod supervisor;
mod transport;
mod turned;

pub use config::{Config, Limits};
pub use dial::{Attempt, AttemptError, Attempts, DialError};
pub use event::{Counted, DialId, DownReason, Event, LinkId, ListenError};
pub use identity::{InvalidNode, node_id, peer_id};
pub use libp2p::{Multiaddr, PeerId};
pub use net::{CommandError, Net, StartError, start};
pub use queue::{Inbox, Outbox, SendError};
pub use transport::TransportError;
pub use turned::Turned;
