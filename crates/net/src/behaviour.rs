//! The books of all connections: who may connect, which links stand, which dials are under way.
//! Runs in the swarm's task; frames never pass through here.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionError, ConnectionId, DialFailure, FromSwarm,
        NetworkBehaviour, NotifyHandler, THandlerOutEvent, ToSwarm,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use realm_protocol::{NodeId, limits::ADDRESSES};
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior},
};

use crate::{
    Attempt, Attempts, Counted, DialError, DialId, DownReason, Event, Limits, LinkId,
    cause::kind,
    dial::{Outcome, bare},
    gate::{Gate, Source},
    handler::{Command, Handler, Report},
    identity,
    memory::MemoryGuard,
};

/// Actions waiting for the swarm; at the bound no command is taken.
const ACTIONS: usize = 1_024;
/// Panics of connection tasks not yet noticed.
const PANICS: usize = 256;
/// How often the memory guard looks.
const MEMORY_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

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
    Gate(#[from] crate::gate::TooMuch),
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

/// All links of a node.
pub(crate) struct Links {
    own: NodeId,
    limits: Arc<Limits>,
    links: BTreeMap<ConnectionId, Link>,
    handshakes: BTreeMap<ConnectionId, Option<Source>>,
    dials: BTreeMap<ConnectionId, Dialing>,
    gate: Gate,
    memory: MemoryGuard,
    memory_ticks: Option<Interval>,
    actions: VecDeque<ToSwarm<Event, Command>>,
    panicked: mpsc::Receiver<ConnectionId>,
    witness: mpsc::Sender<ConnectionId>,
    refused: Arc<AtomicU64>,
    stopping: bool,
}

struct Link {
    id: LinkId,
    node: NodeId,
    peer: PeerId,
    address: Multiaddr,
    /// The dial that led here; none for an inbound link.
    dialed: Option<DialId>,
    /// Held at the gate until admission.
    source: Option<Source>,
    counted: Option<Counted>,
    stage: Stage,
    /// Closed by this side, whoever then hangs up first.
    closing: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Up,
    Ended,
}

struct Dialing {
    dial: DialId,
    peer: PeerId,
    addresses: Vec<Multiaddr>,
    attempts: Vec<Attempt>,
    since: Instant,
}

impl Links {
    /// Makes empty books for the node `own`. `refused` counts connections not let in.
    pub(crate) fn new(own: NodeId, limits: Arc<Limits>, refused: Arc<AtomicU64>) -> Self {
        let (witness, panicked) = mpsc::channel(PANICS);
        let memory = MemoryGuard::new(limits.memory);
        let memory_ticks = memory.watches().then(|| {
            let mut ticks = tokio::time::interval(MEMORY_INTERVAL);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self {
            own,
            gate: Gate::new(&limits),
            limits,
            links: BTreeMap::new(),
            handshakes: BTreeMap::new(),
            dials: BTreeMap::new(),
            memory,
            memory_ticks,
            actions: VecDeque::new(),
            panicked,
            witness,
            refused,
            stopping: false,
        }
    }

    /// Whether another command may be given. The caller polls the swarm after each.
    pub(crate) fn has_room(&self) -> bool {
        self.actions.len() < ACTIONS
    }

    /// Whether no connection is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Dials a node at all of its addresses at once.
    pub(crate) fn dial(&mut self, dial: DialId, node: NodeId, mut addresses: Vec<Multiaddr>) {
        addresses.truncate(ADDRESSES);
        let refused = if self.stopping {
            Some(DialError::Stopping)
        } else if node == self.own {
            Some(DialError::OwnNode)
        } else if addresses.is_empty() {
            Some(DialError::NoAddress)
        } else if self.dials.len() >= self.limits.pending {
            Some(DialError::Busy)
        } else {
            None
        };
        match (refused, identity::peer_id(&node)) {
            (Some(error), _) => self.fail(dial, error),
            (None, Err(_)) => self.fail(dial, DialError::InvalidNode),
            (None, Ok(peer)) => self.try_dial(Dialing {
                dial,
                peer,
                addresses,
                attempts: Vec::new(),
                since: Instant::now(),
            }),
        }
    }

    /// Keeps a link beyond the time of admission.
    pub(crate) fn admit(&mut self, id: LinkId, counted: Counted) {
        let strangers = self.count(|link| link.counted == Some(Counted::Stranger));
        let limit = self.limits.strangers;
        let Some((&connection, link)) = self.links.iter_mut().find(|(_, link)| link.id == id)
        else {
            return;
        };
        if counted == Counted::Stranger && link.counted.is_none() && strangers >= limit {
            self.end(connection, DownReason::TooManyStrangers);
            return;
        }
        link.counted = Some(counted);
        if let Some(source) = link.source.take() {
            self.gate.leave(source);
        }
        if counted == Counted::Known {
            self.gate.note_known(&link.address, Instant::now());
        }
        let peer_id = link.peer;
        self.notify(connection, peer_id, Command::Admit);
    }

    /// Closes a link once what is queued is sent.
    pub(crate) fn close(&mut self, id: LinkId) {
        if let Some((&connection, link)) = self.links.iter_mut().find(|(_, link)| link.id == id) {
            link.closing = true;
            let peer = link.peer;
            self.notify(connection, peer, Command::Close);
        }
    }

    /// Closes every link and lets no other begin.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        let open: Vec<_> = self
            .links
            .iter_mut()
            .map(|(connection, link)| {
                link.closing = true;
                (*connection, link.peer)
            })
            .collect();
        for (connection, peer) in open {
            self.notify(connection, peer, Command::Close);
        }
    }

    fn count(&self, which: impl Fn(&Link) -> bool) -> usize {
        self.links.values().filter(|link| which(link)).count()
    }

    fn notify(&mut self, connection: ConnectionId, peer_id: PeerId, event: Command) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event,
        });
    }

    fn tell(&mut self, event: Event) {
        self.actions.push_back(ToSwarm::GenerateEvent(event));
    }

    fn fail(&mut self, dial: DialId, error: DialError) {
        self.tell(Event::DialFailed { dial, error });
    }

    fn try_dial(&mut self, dialing: Dialing) {
        let opts = DialOpts::peer_id(dialing.peer)
            .condition(PeerCondition::Always)
            .addresses(dialing.addresses.clone())
            // A dial from the listening port could meet another in the middle.
            .allocate_new_port()
            .build();
        self.dials.insert(opts.connection_id(), dialing);
        self.actions.push_back(ToSwarm::Dial { opts });
    }

    fn handle_dial_failure(&mut self, failure: &DialFailure<'_>) {
        let Some(mut dialing) = self.dials.remove(&failure.connection_id) else {
            return;
        };
        match Outcome::from(failure.error) {
            Outcome::Failed(error) => self.fail(dialing.dial, error),
            Outcome::All(attempts) => {
                dialing.attempts.extend(attempts);
                self.fail(dialing.dial, Attempts(dialing.attempts).into());
            }
            Outcome::Wrong(attempt) => {
                let before = dialing.addresses.len();
                dialing
                    .addresses
                    .retain(|address| bare(address) != attempt.address);
                let shrunk = dialing.addresses.len() < before;
                dialing.attempts.push(attempt);
                let in_time = dialing.since.elapsed() < self.limits.dial;
                if shrunk && in_time && !dialing.addresses.is_empty() && !self.stopping {
                    self.try_dial(dialing);
                } else {
                    self.fail(dialing.dial, Attempts(dialing.attempts).into());
                }
            }
        }
    }

    fn begin_handshake(
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

    fn end_handshake(&mut self, connection: ConnectionId) {
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

    fn accept(
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

    fn connect(
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

    fn handle_report(&mut self, connection: ConnectionId, report: Report) {
        match report {
            Report::Up(outbox, inbox) => {
                let Some(link) = self.links.get_mut(&connection) else {
                    return;
                };
                if link.stage != Stage::Opening {
                    return;
                }
                link.stage = Stage::Up;
                let up = Event::Up {
                    link: link.id,
                    node: link.node,
                    address: link.address.clone(),
                    dialed: link.dialed,
                    outbox,
                    inbox,
                };
                self.tell(up);
            }
            Report::Ended(reason) => self.end(connection, reason),
        }
    }

    /// Ends a link, tells of it once, and has its connection closed.
    fn end(&mut self, connection: ConnectionId, reason: DownReason) {
        let Some(link) = self.links.get_mut(&connection) else {
            return;
        };
        let reason = if link.closing {
            DownReason::ClosedHere
        } else {
            reason
        };
        let told = match (
            std::mem::replace(&mut link.stage, Stage::Ended),
            link.dialed,
        ) {
            (Stage::Up, _) => Some(Event::Down {
                link: link.id,
                reason,
            }),
            (Stage::Opening, Some(dial)) => Some(Event::DialFailed {
                dial,
                error: DialError::NoLink(reason),
            }),
            (Stage::Opening, None) | (Stage::Ended, _) => None,
        };
        tracing::debug!(link = %link.id, node = %link.node, %reason, "link ended");
        let peer_id = link.peer;
        if let Some(event) = told {
            self.tell(event);
        }
        self.actions.push_back(ToSwarm::CloseConnection {
            peer_id,
            connection: CloseConnection::One(connection),
        });
    }

    /// Forgets a connection that is gone.
    fn forget(&mut self, connection: ConnectionId, reason: DownReason) {
        self.end(connection, reason);
        if let Some(source) = self.links.remove(&connection).and_then(|link| link.source) {
            self.gate.leave(source);
        }
    }

    /// Closes what is not known while the process is short of memory.
    fn shed(&mut self) {
        let unknown: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.dialed.is_none() && link.counted != Some(Counted::Known))
            .map(|(connection, _)| *connection)
            .collect();
        if !unknown.is_empty() && self.memory.sheds() {
            tracing::warn!(
                links = unknown.len(),
                "short of memory: closing unknown links"
            );
            for connection in unknown {
                self.end(connection, DownReason::Memory);
            }
        }
    }

    fn refuse(&self, refusal: Refusal) -> ConnectionDenied {
        self.refused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%refusal, "connection refused");
        ConnectionDenied::new(refusal)
    }
}

impl NetworkBehaviour for Links {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.begin_handshake(connection, remote)
            .map_err(|refusal| self.refuse(refusal))
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        _local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        self.accept(connection, peer, remote)
            .map_err(|refusal| self.refuse(refusal))
    }

    fn handle_pending_outbound_connection(
        &mut self,
        _connection: ConnectionId,
        _peer: Option<PeerId>,
        _addresses: &[Multiaddr],
        _role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if self.memory.refuses() {
            return Err(self.refuse(Refusal::Memory));
        }
        Ok(Vec::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _role: Endpoint,
        _port: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        self.connect(connection, peer, address)
            .map_err(|refusal| self.refuse(refusal))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) => {
                self.forget(closed.connection_id, reason(closed.cause));
            }
            FromSwarm::DialFailure(failure) => self.handle_dial_failure(&failure),
            FromSwarm::ListenFailure(failure) => self.end_handshake(failure.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _peer: PeerId,
        connection: ConnectionId,
        report: THandlerOutEvent<Self>,
    ) {
        self.handle_report(connection, report);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, Command>> {
        while let Poll::Ready(Some(connection)) = self.panicked.poll_recv(cx) {
            tracing::error!("a connection's task panicked");
            self.forget(connection, DownReason::Panicked);
        }
        while let Some(Poll::Ready(_)) = self.memory_ticks.as_mut().map(|ticks| ticks.poll_tick(cx))
        {
            self.shed();
        }
        // Commands come from the task that polls this next, so no waker is kept for them.
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

fn reason(cause: Option<&ConnectionError>) -> DownReason {
    match cause {
        None => DownReason::ClosedHere,
        Some(ConnectionError::KeepAliveTimeout) => DownReason::NotAdmitted,
        Some(ConnectionError::IO(error)) => kind(error).into(),
    }
}
