//! A node on loopback, and waiting for what it tells.

use std::{
    any::Any,
    net::{SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use bytes::Bytes;
use realm_net::{
    Config, Counted, DialError, DialId, DownReason, Event, Inbox, Limits, LinkId, Multiaddr, Net,
    Outbox, start,
};
use realm_protocol::NodeId;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// For what is bound to be late.
pub(crate) const SHORT: Duration = Duration::from_millis(100);
/// For what is late where something else, in the same time, must not be.
pub(crate) const LONGER: Duration = Duration::from_secs(1);
/// Guards against a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Tcp,
    Quic,
}

impl Way {
    /// An address of this transport on loopback.
    pub(crate) fn loopback(self, port: u16) -> Multiaddr {
        let text = match self {
            Self::Tcp => format!("/ip4/127.0.0.1/tcp/{port}"),
            Self::Quic => format!("/ip4/127.0.0.1/udp/{port}/quic-v1"),
        };
        text.parse().unwrap()
    }

    /// Whether a dial failed as it must where nobody listens: UDP has no way to say so.
    pub(crate) fn is_unheard(self, error: &DialError) -> bool {
        match self {
            Self::Tcp => matches!(error, DialError::Refused(_)),
            Self::Quic => matches!(error, DialError::Timeout(_)),
        }
    }

    /// A socket that another program holds, and its port.
    pub(crate) fn taken(self) -> (Box<dyn Any>, u16) {
        match self {
            Self::Tcp => {
                let socket = TcpListener::bind("127.0.0.1:0").unwrap();
                let port = socket.local_addr().unwrap().port();
                (Box::new(socket), port)
            }
            Self::Quic => {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                let port = socket.local_addr().unwrap().port();
                (Box::new(socket), port)
            }
        }
    }
}

pub(crate) struct Node {
    pub(crate) net: Net,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) id: NodeId,
    pub(crate) address: Multiaddr,
}

pub(crate) struct Link {
    pub(crate) link: LinkId,
    pub(crate) node: NodeId,
    pub(crate) dialed: Option<DialId>,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
}

/// The default limits, without the guard over memory that all tests of this
/// process share, and without waiting for TCP where there is none.
pub(crate) fn limits() -> Limits {
    Limits {
        memory: None,
        tcp_head_start: Duration::ZERO,
        ..Limits::default()
    }
}

pub(crate) fn node_id(seed: u8) -> NodeId {
    let keypair = libp2p::identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    realm_net::node_id(&keypair.public().to_peer_id()).unwrap()
}

/// A frame that tells its place.
pub(crate) fn frame(index: u32, length: usize) -> Bytes {
    let mut frame = vec![0; length];
    frame[..4].copy_from_slice(&index.to_be_bytes());
    frame.into()
}

pub(crate) fn index(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[..4].try_into().unwrap())
}

/// Links `a` to `b` and admits both ends.
pub(crate) async fn connect(a: &mut Node, b: &mut Node) -> (Link, Link) {
    a.net
        .dial(DialId(0), b.id, vec![b.address.clone()])
        .unwrap();
    let (a_end, b_end) = (a.up().await, b.up().await);
    assert_eq!((a_end.node, b_end.node), (b.id, a.id));
    a.net.admit(a_end.link, Counted::Known).unwrap();
    b.net.admit(b_end.link, Counted::Known).unwrap();
    (a_end, b_end)
}

impl Node {
    pub(crate) fn listen_on(seed: u8, limits: Limits, listen: Vec<Multiaddr>) -> Self {
        let (net, events) = start(Config {
            seed: Zeroizing::new([seed; 32]),
            listen,
            limits,
        })
        .unwrap();
        Self {
            id: net.node(),
            net,
            events,
            address: Multiaddr::empty(),
        }
    }

    pub(crate) async fn start(way: Way, seed: u8, limits: Limits) -> Self {
        let mut node = Self::listen_on(seed, limits, vec![way.loopback(0)]);
        assert_eq!(node.id, node_id(seed));
        let Event::Listening(address) = node.event().await else {
            panic!("not listening");
        };
        node.address = address;
        node
    }

    pub(crate) fn socket(&self) -> SocketAddr {
        let mut parts = self.address.iter();
        match (parts.next(), parts.next()) {
            (
                Some(libp2p::multiaddr::Protocol::Ip4(ip)),
                Some(
                    libp2p::multiaddr::Protocol::Tcp(port) | libp2p::multiaddr::Protocol::Udp(port),
                ),
            ) => (ip, port).into(),
            other => panic!("not a socket: {other:?}"),
        }
    }

    pub(crate) async fn event(&mut self) -> Event {
        tokio::time::timeout(PATIENCE, self.events.recv())
            .await
            .expect("an event in time")
            .expect("the net runs")
    }

    pub(crate) async fn up(&mut self) -> Link {
        match self.event().await {
            Event::Up {
                link,
                node,
                dialed,
                outbox,
                inbox,
                ..
            } => Link {
                link,
                node,
                dialed,
                outbox,
                inbox,
            },
            other => panic!("not up: {other:?}"),
        }
    }

    pub(crate) async fn down(&mut self) -> (LinkId, DownReason) {
        match self.event().await {
            Event::Down { link, reason } => (link, reason),
            other => panic!("not down: {other:?}"),
        }
    }

    pub(crate) async fn dial_error(&mut self) -> DialError {
        match self.event().await {
            Event::DialFailed { error, .. } => error,
            other => panic!("not failed: {other:?}"),
        }
    }
}
