//! The books of all connections: who may connect, which links stand, which dials are under way.
//! Runs in the swarm's task; frames never pass through here.

mod dialing;
mod entry;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    task::{Context, Poll},
};

use futures::{future::BoxFuture, stream::FuturesUnordered};
use libp2p::{
    Multiaddr, PeerId,
    core::{Endpoint, transport::PortUse},
    swarm::{
        CloseConnection, ConnectionDenied, ConnectionError, ConnectionId, FromSwarm, ListenError,
        NetworkBehaviour, NotifyHandler, THandlerOutEvent, ToSwarm,
    },
};
use realm_protocol::NodeId;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior},
};

use crate::{
    Counted, DialError, DialId, DownReason, Event, Limits, LinkId, Turned,
    cause::kind,
    gate::{Gate, Source},
    handler::{Command, Handler, Report},
    memory::MemoryGuard,
};

use dialing::Dialing;
pub(crate) use entry::Refusal;

/// Actions waiting for the swarm; at the bound no command is taken.
const ACTIONS: usize = 1_024;
/// Panics of connection tasks not yet noticed.
const PANICS: usize = 256;
/// How often the memory guard looks.
const MEMORY_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

/// All links of a node.
pub(crate) struct Links {
    own: NodeId,
    limits: Arc<Limits>,
    links: BTreeMap<ConnectionId, Link>,
    handshakes: BTreeMap<ConnectionId, Option<Source>>,
    dials: BTreeMap<ConnectionId, Dialing>,
    /// Dials that wait for names to be looked up.
    lookups: FuturesUnordered<BoxFuture<'static, Dialing>>,
    gate: Gate,
    memory: MemoryGuard,
    memory_ticks: Option<Interval>,
    actions: VecDeque<ToSwarm<Event, Command>>,
    panicked: mpsc::Receiver<ConnectionId>,
    witness: mpsc::Sender<ConnectionId>,
    turned: Turned,
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

impl Links {
    /// Makes empty books for the node `own`. `turned` counts what is not let in, and what is cut.
    pub(crate) fn new(own: NodeId, limits: Arc<Limits>, turned: Turned) -> Self {
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
            lookups: FuturesUnordered::new(),
            memory,
            memory_ticks,
            actions: VecDeque::new(),
            panicked,
            witness,
            turned,
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
        if link.stage == Stage::Ended {
            return;
        }
        let reason = if link.closing {
            DownReason::ClosedHere
        } else {
            reason
        };
        let told = match (link.stage, link.dialed) {
            (Stage::Up, _) => Some(Event::Down {
                link: link.id,
                reason,
            }),
            (_, Some(dial)) => Some(Event::DialFailed {
                dial,
                error: DialError::NoLink(reason),
            }),
            (_, None) => None,
        };
        link.stage = Stage::Ended;
        self.turned.cut(reason);
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
            FromSwarm::ListenFailure(failure) => {
                if !matches!(failure.error, ListenError::Denied { .. }) {
                    self.turned.fail_handshake();
                }
                self.end_handshake(failure.connection_id);
            }
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
        self.poll_lookups(cx);
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
