//! A socket that takes connections.

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt as _, future::BoxFuture};
use if_watch::{IfEvent, tokio::IfWatcher};
use libp2p::core::transport::{ListenerId, TransportEvent};

use super::{config::Config, handshake::Handshake, socket};

/// Connections turned away in one poll before other tasks run.
const TURNS: usize = 64;

type Event = TransportEvent<Handshake, io::Error>;

/// Listens on one address, or on all of one family.
pub(super) struct Listener {
    id: ListenerId,
    endpoint: quinn::Endpoint,
    local: SocketAddr,
    accepting: BoxFuture<'static, Option<quinn::Incoming>>,
    /// Tells which addresses the machine has; none if only one is listened on.
    interfaces: Option<IfWatcher>,
    events: VecDeque<Event>,
    /// Held once by this and once by each handshake under way.
    handshakes: Arc<()>,
    unvalidated: usize,
    closed: bool,
}

impl Listener {
    /// Binds a socket and begins to listen.
    pub(super) fn bind(id: ListenerId, address: SocketAddr, config: &Config) -> io::Result<Self> {
        let socket = socket::bind(address)?;
        let local = socket.local_addr()?;
        let endpoint = config.endpoint(Some(config.server.clone()), socket)?;
        let mut events = VecDeque::new();
        let interfaces = if local.ip().is_unspecified() {
            Some(IfWatcher::new()?)
        } else {
            events.push_back(TransportEvent::NewAddress {
                listener_id: id,
                listen_addr: socket::multiaddr(local),
            });
            None
        };
        Ok(Self {
            id,
            local,
            accepting: accept(&endpoint),
            endpoint,
            interfaces,
            events,
            handshakes: Arc::new(()),
            unvalidated: config.unvalidated,
            closed: false,
        })
    }

    /// Whether this is the listener of that id.
    pub(super) fn is(&self, id: ListenerId) -> bool {
        self.id == id
    }

    /// Takes no more connections and lets go of the socket once those that stand have ended.
    pub(super) fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.endpoint.set_server_config(None);
            self.events.push_back(TransportEvent::ListenerClosed {
                listener_id: self.id,
                reason: Ok(()),
            });
        }
    }

    /// Whether there is nothing left to tell.
    pub(super) fn has_ended(&self) -> bool {
        self.closed && self.events.is_empty()
    }

    /// Gives what has happened.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        if self.closed {
            return Poll::Pending;
        }
        if let Poll::Ready(event) = self.poll_interfaces(cx) {
            return Poll::Ready(event);
        }
        for _ in 0..TURNS {
            match self.accepting.poll_unpin(cx) {
                Poll::Ready(Some(incoming)) => {
                    self.accepting = accept(&self.endpoint);
                    if let Some(handshake) = self.admit(incoming) {
                        return Poll::Ready(handshake);
                    }
                }
                Poll::Ready(None) => {
                    self.closed = true;
                    return Poll::Ready(TransportEvent::ListenerClosed {
                        listener_id: self.id,
                        reason: Err(io::ErrorKind::BrokenPipe.into()),
                    });
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Passes a connection on, or has its address validated first: while many handshakes are
    /// under way, senders that only pretend to be somewhere else shall not be among them.
    fn admit(&self, incoming: quinn::Incoming) -> Option<Event> {
        let busy = Arc::strong_count(&self.handshakes) > self.unvalidated;
        if busy && incoming.may_retry() && !incoming.remote_address_validated() {
            // It may be retried, as was just asked.
            let _ = incoming.retry();
            return None;
        }
        let remote = incoming.remote_address();
        Some(TransportEvent::Incoming {
            listener_id: self.id,
            local_addr: socket::multiaddr(self.local),
            send_back_addr: socket::multiaddr(remote),
            upgrade: Handshake::new(incoming, Arc::clone(&self.handshakes)),
        })
    }

    fn poll_interfaces(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let Some(interfaces) = &mut self.interfaces else {
            return Poll::Pending;
        };
        while let Poll::Ready(change) = interfaces.poll_if_event(cx) {
            let listener_id = self.id;
            let (net, is_up) = match change {
                Ok(IfEvent::Up(net)) => (net, true),
                Ok(IfEvent::Down(net)) => (net, false),
                Err(error) => {
                    return Poll::Ready(TransportEvent::ListenerError { listener_id, error });
                }
            };
            if net.addr().is_ipv4() != self.local.is_ipv4() {
                continue;
            }
            let listen_addr = socket::multiaddr((net.addr(), self.local.port()).into());
            return Poll::Ready(if is_up {
                TransportEvent::NewAddress {
                    listener_id,
                    listen_addr,
                }
            } else {
                TransportEvent::AddressExpired {
                    listener_id,
                    listen_addr,
                }
            });
        }
        Poll::Pending
    }
}

fn accept(endpoint: &quinn::Endpoint) -> BoxFuture<'static, Option<quinn::Incoming>> {
    let endpoint = endpoint.clone();
    async move { endpoint.accept().await }.boxed()
}
