//! The handle of a running net.

use std::sync::Arc;

use libp2p::{Multiaddr, identity::Keypair};
use realm_protocol::NodeId;
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use zeroize::Zeroizing;

use crate::{
    Config, Counted, DialId, Event, InvalidNode, LinkId, TransportError, Turned,
    identity::node_id,
    supervisor::{Command, Promised, Supervisor},
};

/// Commands waiting for the swarm's task; more are `CommandError::Busy`.
const COMMANDS: usize = 1_024;
/// Events waiting for the owner; at the bound no connection is taken and no dial advances.
/// Frames on links that stand go on.
const EVENTS: usize = 256;

/// Commands a running net. Dropping it stops the net without waiting for it.
#[derive(Debug)]
pub struct Net {
    node: NodeId,
    commands: mpsc::Sender<Command>,
    addresses: watch::Receiver<Vec<Multiaddr>>,
    turned: Turned,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Why a net did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no tokio runtime here.
    #[error("no runtime to run in")]
    NoRuntime(#[source] tokio::runtime::TryCurrentError),
    /// The seed makes no usable Ed25519 key.
    #[error("the node key is unusable")]
    Key(#[source] InvalidNode),
    /// The handshakes could not be prepared with the node key.
    #[error("the node key cannot authenticate links")]
    Transport(#[source] TransportError),
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CommandError {
    /// More commands wait than the net's task has had time for.
    #[error("too many commands at once")]
    Busy,
    /// The net has stopped.
    #[error("the net has stopped")]
    Stopped,
}

/// Starts a net in the current tokio runtime: one supervised task that owns all connections. The
/// receiver tells what happens; a net whose receiver is dropped stops.
pub fn start(config: Config) -> Result<(Net, mpsc::Receiver<Event>), StartError> {
    let Config {
        seed,
        listen,
        limits,
    } = config;
    let runtime = Handle::try_current().map_err(StartError::NoRuntime)?;
    let (keypair, node) = node_key(seed)?;
    let (command_sender, commands) = mpsc::channel(COMMANDS);
    let (events, event_receiver) = mpsc::channel(EVENTS);
    let (stop_sender, stop) = oneshot::channel();
    let (address_sender, addresses) = watch::channel(Vec::new());
    let turned = Turned::default();
    let supervisor = Supervisor {
        keypair,
        node,
        listen,
        limits: Arc::new(limits),
        commands,
        events,
        stop,
        addresses: address_sender,
        turned: turned.clone(),
        promised: Promised::default(),
    };
    let swarm = supervisor.build().map_err(StartError::Transport)?;
    let net = Net {
        node,
        commands: command_sender,
        addresses,
        turned,
        stop: stop_sender,
        task: runtime.spawn(supervisor.run(swarm)),
    };
    Ok((net, event_receiver))
}

impl Net {
    /// Gives this node's id, made from the seed it was started with.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Gives the concrete addresses listened on now.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        self.addresses.borrow().clone()
    }

    /// Gives the number of connections refused since the start, at any limit.
    pub fn refused(&self) -> u64 {
        self.turned.refused()
    }

    /// Gives the counts of what is turned away and cut, which outlive the net.
    pub fn turned(&self) -> Turned {
        self.turned.clone()
    }

    /// Dials exactly this node at all the addresses given, at most
    /// `realm_protocol::limits::ADDRESSES` of them. They are the operator's word, from a ticket or
    /// the configuration, and are dialled as they stand. Ends in `Event::Up` or
    /// `Event::DialFailed`.
    pub fn dial(
        &self,
        dial: DialId,
        node: NodeId,
        addresses: Vec<Multiaddr>,
    ) -> Result<(), CommandError> {
        self.command(Command::Dial(dial, node, addresses))
    }

    /// Dials as [`Self::dial`] does, at addresses that somebody else claims: those outside the
    /// public internet are not dialled, whether written as such or behind a name.
    pub fn dial_learned(
        &self,
        dial: DialId,
        node: NodeId,
        addresses: Vec<Multiaddr>,
    ) -> Result<(), CommandError> {
        self.command(Command::DialLearned(dial, node, addresses))
    }

    /// Keeps a link beyond the time of admission. May be said again as its standing changes. A
    /// link that is gone is ignored: its `Event::Down` says so.
    pub fn admit(&self, link: LinkId, counted: Counted) -> Result<(), CommandError> {
        self.command(Command::Admit(link, counted))
    }

    /// Closes a link once the peer has read what is in its outbox, within `Limits::close`. Frames
    /// that arrive meanwhile are dropped. Ends in `Event::Down`. A link that is gone is ignored.
    pub fn close(&self, link: LinkId) -> Result<(), CommandError> {
        self.command(Command::Close(link))
    }

    /// Stops: listens no more, closes every link as [`Self::close`] does, and returns when all is
    /// quiet, at most twice `Limits::close` later.
    pub async fn stop(self) {
        // A task that has ended already needs no telling, and has nothing to report.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }

    #[cfg(test)]
    pub(crate) fn panic(&self) {
        self.command(Command::Panic).unwrap();
    }

    fn command(&self, command: Command) -> Result<(), CommandError> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => CommandError::Busy,
                mpsc::error::TrySendError::Closed(_) => CommandError::Stopped,
            })
    }
}

fn node_key(mut seed: Zeroizing<[u8; 32]>) -> Result<(Keypair, NodeId), StartError> {
    let keypair = Keypair::ed25519_from_bytes(seed.as_mut_slice())
        .map_err(|_| StartError::Key(InvalidNode))?;
    let node = node_id(&keypair.public().to_peer_id()).map_err(StartError::Key)?;
    Ok((keypair, node))
}
