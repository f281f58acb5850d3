//! One connection: opens the lanes, moves frames, keeps the deadlines. Runs in the connection's
//! own task.

use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    task::{Context, Poll, ready},
};

use libp2p::{
    Stream, StreamProtocol,
    core::upgrade::ReadyUpgrade,
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, ConnectionId, SubstreamProtocol,
        handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};
use realm_protocol::limits::FRAME_BYTES;
use tokio::sync::mpsc;

use crate::{
    DownReason, Inbox, Limits, Outbox,
    deadline::Deadline,
    lane::{Reader, Writer, Written, poll_discard},
    queue::queues,
};

/// The protocol of a lane, as yamux streams negotiate it.
const LANE: StreamProtocol = StreamProtocol::new("/realm/lane/1");

/// What the swarm's task asks of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Keep the link beyond the time of admission.
    Admit,
    /// Send what is queued, say goodbye, end.
    Close,
}

/// What a connection tells the swarm's task.
#[derive(Debug)]
pub(crate) enum Report {
    /// Both lanes stand.
    Up(Outbox, Inbox),
    /// Nothing more will cross this connection.
    Ended(DownReason),
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Handler {
    limits: Arc<Limits>,
    state: State,
    /// Whether the outbound lane has been asked for.
    requested: bool,
    admitted: bool,
    /// Runs from the connection's start until it is admitted.
    admission: Deadline,
    /// Bounds opening and closing.
    phase: Deadline,
    reports: VecDeque<Report>,
    _witness: Witness,
}

#[derive(Debug)]
enum State {
    Opening(Box<Opening>),
    Open(Box<Lanes>),
    Closing(Box<Goodbye>),
    Ended,
}

/// The lanes negotiated so far.
#[derive(Debug, Default)]
struct Opening {
    inbound: Option<Stream>,
    outbound: Option<Stream>,
}

#[derive(Debug)]
struct Lanes {
    reader: Reader<Stream>,
    writer: Writer<Stream>,
}

/// A link this side closes: what is queued is sent, then the lane ends, then the peer, having
/// read it all, ends its own. To hang up any sooner could cost the peer the last frames.
#[derive(Debug)]
struct Goodbye {
    writer: Writer<Stream>,
    written: bool,
    from_peer: Stream,
}

impl Handler {
    /// Takes a connection that has just been authenticated. `panicked` hears of it should its
    /// task panic.
    pub(crate) fn new(
        connection: ConnectionId,
        limits: Arc<Limits>,
        panicked: mpsc::Sender<ConnectionId>,
    ) -> Self {
        Self {
            admission: Deadline::after(limits.admission),
            phase: Deadline::after(limits.negotiate),
            limits,
            state: State::Opening(Box::default()),
            requested: false,
            admitted: false,
            reports: VecDeque::new(),
            _witness: Witness {
                connection,
                panicked,
            },
        }
    }

    fn protocol(&self) -> SubstreamProtocol<ReadyUpgrade<StreamProtocol>> {
        SubstreamProtocol::new(ReadyUpgrade::new(LANE), ()).with_timeout(self.limits.negotiate)
    }

    fn take_inbound(&mut self, mut stream: Stream) {
        stream.ignore_for_keep_alive();
        match &mut self.state {
            State::Opening(lanes) if lanes.inbound.is_none() => lanes.inbound = Some(stream),
            State::Opening(_) | State::Open(_) => self.end(DownReason::SecondLane),
            State::Closing(_) | State::Ended => {}
        }
        self.open();
    }

    fn take_outbound(&mut self, mut stream: Stream) {
        stream.ignore_for_keep_alive();
        if let State::Opening(lanes) = &mut self.state {
            lanes.outbound = Some(stream);
        }
        self.open();
    }

    /// Opens the link once both lanes are there.
    fn open(&mut self) {
        let State::Opening(lanes) = &mut self.state else {
            return;
        };
        if lanes.inbound.is_none() || lanes.outbound.is_none() {
            return;
        }
        let (Some(from_peer), Some(to_peer)) = (lanes.inbound.take(), lanes.outbound.take()) else {
            return;
        };
        let (outbox, inbox, outbox_end, inbox_end) = queues(&self.limits);
        self.state = State::Open(Box::new(Lanes {
            reader: Reader::new(from_peer, inbox_end, self.limits.frame),
            writer: Writer::new(to_peer, outbox_end, self.limits.frame),
        }));
        self.phase.clear();
        self.reports.push_back(Report::Up(outbox, inbox));
    }

    fn admit(&mut self) {
        self.admitted = true;
        self.admission.clear();
    }

    fn close(&mut self) {
        match mem::replace(&mut self.state, State::Ended) {
            State::Opening(_) => self
                .reports
                .push_back(Report::Ended(DownReason::ClosedHere)),
            State::Open(lanes) => {
                let mut writer = lanes.writer;
                writer.finish();
                self.state = State::Closing(Box::new(Goodbye {
                    writer,
                    written: false,
                    from_peer: lanes.reader.into_stream(),
                }));
                self.phase = Deadline::after(self.limits.close);
            }
            unchanged => self.state = unchanged,
        }
    }

    fn end(&mut self, reason: DownReason) {
        if !matches!(self.state, State::Ended) {
            self.state = State::Ended;
            self.reports.push_back(Report::Ended(reason));
        }
    }

    /// Moves what can be moved. Ready when the link has ended.
    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<DownReason> {
        let late = self.phase.poll(cx).is_ready();
        let unadmitted = self.admission.poll(cx).is_ready();
        let inbox_bytes = self.inbox_bytes();
        match &mut self.state {
            State::Opening(_) if late => Poll::Ready(DownReason::NoLanes),
            State::Opening(_) | State::Open(_) if unadmitted => {
                Poll::Ready(DownReason::NotAdmitted)
            }
            State::Open(lanes) => lanes.poll(cx, inbox_bytes),
            State::Closing(_) if late => Poll::Ready(DownReason::ClosedHere),
            State::Closing(goodbye) => goodbye.poll(cx),
            State::Opening(_) | State::Ended => Poll::Pending,
        }
    }

    /// Bytes the peer may leave in the inbox: one frame at most while it is on trial.
    fn inbox_bytes(&self) -> usize {
        if self.admitted {
            self.limits.inbox_bytes
        } else {
            self.limits.inbox_bytes.min(FRAME_BYTES)
        }
    }
}

impl Lanes {
    fn poll(&mut self, cx: &mut Context<'_>, inbox_bytes: usize) -> Poll<DownReason> {
        if let Poll::Ready(reason) = self.reader.poll(cx, inbox_bytes) {
            return Poll::Ready(reason);
        }
        match self.writer.poll(cx) {
            Poll::Ready(Written::Failed(reason)) => Poll::Ready(reason),
            // An owner without an outbox has nothing to say and may still listen.
            Poll::Ready(Written::All) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Goodbye {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DownReason> {
        if !self.written
            && let Poll::Ready(written) = self.writer.poll(cx)
        {
            if written != Written::All {
                return Poll::Ready(DownReason::ClosedHere);
            }
            self.written = self.writer.poll_close(cx).is_ready();
        }
        ready!(poll_discard(&mut self.from_peer, cx));
        Poll::Ready(DownReason::ClosedHere)
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Command;
    type ToBehaviour = Report;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        self.protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.admitted
    }

    fn on_behaviour_event(&mut self, command: Command) {
        match command {
            Command::Admit => self.admit(),
            Command::Close => self.close(),
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) => self.take_inbound(stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                ..
            }) => self.take_outbound(stream),
            ConnectionEvent::DialUpgradeError(_) => self.end(DownReason::NoLanes),
            _ => {}
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Report>> {
        if !self.requested {
            self.requested = true;
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: self.protocol(),
            });
        }
        if let Poll::Ready(reason) = self.poll_link(cx) {
            self.end(reason);
        }
        match self.reports.pop_front() {
            Some(report) => Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report)),
            None => Poll::Pending,
        }
    }

    /// Delivers the frames that arrived before the connection ended: its end and its last frames
    /// often come in one read.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Report>> {
        if let Some(report) = self.reports.pop_front() {
            return Poll::Ready(Some(report));
        }
        let inbox_bytes = self.inbox_bytes();
        if let State::Open(lanes) = &mut self.state {
            self.phase.begin(self.limits.close);
            if lanes.reader.poll(cx, inbox_bytes).is_pending() && self.phase.poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.state = State::Ended;
        Poll::Ready(None)
    }
}

/// Tells of a panic in a connection's task, which libp2p itself would never notice.
#[derive(Debug)]
struct Witness {
    connection: ConnectionId,
    panicked: mpsc::Sender<ConnectionId>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // At the bound the link lingers until its owner misses its beats.
            let _ = self.panicked.try_send(self.connection);
        }
    }
}

#[cfg(test)]
mod tests;
