//! A node on loopback, and waiting for what it tells.

use std::{net::SocketAddr, time::Duration};

use realm_net::{
    Config, Counted, DialError, DialId, DownReason, Event, Inbox, Limits, LinkId, Multiaddr, Net,
    Outbox, start,
};
use realm_protocol::NodeId;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Guards against a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// The default limits, without the guard over memory that all tests of this process share.
pub(crate) fn limits() -> Limits {
    Limits {
        memory: None,
        ..Limits::default()
    }
}

pub(crate) fn node_id(seed: u8) -> NodeId {
    let keypair = libp2p::identity::Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    realm_net::node_id(&keypair.public().to_peer_id()).unwrap()
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

    pub(crate) async fn start(seed: u8, limits: Limits) -> Self {
        let anywhere = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
        let mut node = Self::listen_on(seed, limits, vec![anywhere]);
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
                Some(libp2p::multiaddr::Protocol::Tcp(port)),
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
