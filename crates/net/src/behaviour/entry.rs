//! Who may connect.

use std::sync::Arc;

use libp2p::{
    Multiaddr, PeerId,
    swarm::{ConnectionDenied, ConnectionId},
};
use realm_protocol::NodeId;
use tokio::time::Instant;

use super::{Link, Links, Stage};
use crate::{
    Counted, DialId, LinkId,
    dial::bare,
    gate::{Source, TooMuch},
    handler::Handler,
    identity,
};

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The net is stopping.
    #[error("stopping")]
    Stopping,
    /// The process is short of memory.
    #[error("short of memory")]
    Memory,
    /// Too many handshakes are under way.
    #[error("too many handshakes under way")]
    Pending,
    /// One address asks for too much.
    #[error(transparent)]
    Gate(#[from] TooMuch),
    /// The peer's key is no node key.
    #[error("not a node's key")]
    Key,
    /// Enough links with this node stand already.
    #[error("too many links with this node")]
    PerNode,
    /// Too many links that are not known ones.
    #[error("too many uncertified links")]
    Uncertified,
}

impl Refusal {
    /// The names of all.
    pub(crate) const NAMES: [&'static str; 7] = [
        "stopping",
        "memory",
        "handshakes",
        "address",
        "key",
        "perNode",
        "uncertified",
    ];

    /// The refusal's name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        let [
            stopping,
            memory,
            handshakes,
            address,
            key,
            per_node,
            uncertified,
        ] = Self::NAMES;
        match self {
            Self::Stopping => stopping,
            Self::Memory => memory,
            Self::Pending => handshakes,
            Self::Gate(TooMuch) => address,
            Self::Key => key,
            Self::PerNode => per_node,
            Self::Uncertified => uncertified,
        }
    }
}

impl Links {
    pub(super) fn begin_handshake(
        &mut self,
        connection: ConnectionId,
        address: &Multiaddr,
    ) -> Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        if self.memory.refuses() {
            return Err(Refusal::Memory);
        }
        if self.handshakes.len() >= self.limits.pending {
            return Err(Refusal::Pending);
        }
        let source = self.gate.enter(address, Instant::now())?;
        self.handshakes.insert(connection, source);
        Ok(())
    }

    pub(super) fn end_handshake(&mut self, connection: ConnectionId) {
        if let Some(Some(source)) = self.handshakes.remove(&connection) {
            self.gate.leave(source);
        }
    }

    fn check_node(&self, peer: &PeerId) -> Result<NodeId, Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        let node = identity::node_id(peer).map_err(|_| Refusal::Key)?;
        if self.count(|link| link.node == node) >= self.limits.per_node {
            return Err(Refusal::PerNode);
        }
        Ok(node)
    }

    pub(super) fn accept(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
    ) -> Result<Handler, Refusal> {
        let node = self.check_node(&peer)?;
        let uncertified =
            |link: &Link| link.dialed.is_none() && link.counted != Some(Counted::Known);
        if self.count(uncertified) >= self.limits.uncertified {
            return Err(Refusal::Uncertified);
        }
        let source = self.handshakes.remove(&connection).flatten();
        Ok(self.insert(connection, peer, node, address, None, source))
    }

    pub(super) fn connect(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
    ) -> Result<Handler, Refusal> {
        let node = self.check_node(&peer)?;
        let dialed = self.dials.remove(&connection).map(|dialing| dialing.dial);
        Ok(self.insert(connection, peer, node, address, dialed, None))
    }

    fn insert(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        node: NodeId,
        address: &Multiaddr,
        dialed: Option<DialId>,
        source: Option<Source>,
    ) -> Handler {
        let link = Link {
            id: LinkId::next(),
            node,
            peer,
            address: bare(address),
            dialed,
            source,
            counted: None,
            stage: Stage::Opening,
            closing: false,
        };
        self.links.insert(connection, link);
        Handler::new(connection, Arc::clone(&self.limits), self.witness.clone())
    }

    pub(super) fn refuse(&self, refusal: Refusal) -> ConnectionDenied {
        self.turned.refuse(refusal);
        tracing::debug!(%refusal, "connection refused");
        ConnectionDenied::new(refusal)
    }
}
