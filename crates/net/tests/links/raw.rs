//! A peer that authenticates itself and does what it likes afterwards.

use std::{future::poll_fn, pin::Pin, sync::Arc, task::Poll};

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::{
    Multiaddr, Transport as _,
    core::{
        Endpoint,
        muxing::{StreamMuxerExt as _, SubstreamBox},
        transport::{DialOpts, PortUse},
        upgrade::Version,
    },
    identity::Keypair,
    noise, tcp, tls, yamux,
};
use quinn::crypto::rustls::QuicClientConfig;
use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle};

use super::node::{Node, Way};

/// What both sides of a stream say to agree on a lane.
const NEGOTIATION: &[u8; 35] = b"\x13/multistream/1.0.0\n\x0e/realm/lane/1\n";

pub(crate) struct RawPeer {
    /// Streams this peer opened.
    pub(crate) lanes: Vec<Lane>,
    /// The stream the node opened.
    pub(crate) inbound: Lane,
    driver: JoinHandle<()>,
}

pub(crate) struct Lane {
    pub(crate) read: Pin<Box<dyn AsyncRead + Send>>,
    pub(crate) write: Pin<Box<dyn AsyncWrite + Send>>,
}

impl RawPeer {
    /// Connects and opens `lanes` streams, without a word on them.
    pub(crate) async fn connect(way: Way, seed: u8, node: &Node, lanes: usize) -> Self {
        let keypair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
        match way {
            Way::Tcp => Self::over_tcp(&keypair, node.address.clone(), lanes).await,
            Way::Quic => Self::over_quic(&keypair, node, lanes).await,
        }
    }

    async fn over_tcp(keypair: &Keypair, address: Multiaddr, lanes: usize) -> Self {
        let mut transport = tcp::tokio::Transport::new(tcp::Config::new())
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(keypair).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let opts = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let (_, mut muxer) = transport.dial(address, opts).unwrap().await.unwrap();
        let mut opened = Vec::new();
        for _ in 0..lanes {
            let stream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await;
            opened.push(Lane::from(stream.unwrap()));
        }
        let (sender, inbound) = oneshot::channel();
        let mut sender = Some(sender);
        let driver = Handle::current().spawn(poll_fn(move |cx| {
            while let Poll::Ready(Ok(stream)) = muxer.poll_inbound_unpin(cx) {
                if let Some(sender) = sender.take() {
                    let _ = sender.send(stream);
                }
            }
            muxer.poll_unpin(cx).map(|_| ())
        }));
        Self {
            lanes: opened,
            inbound: inbound.await.unwrap().into(),
            driver,
        }
    }

    async fn over_quic(keypair: &Keypair, node: &Node, lanes: usize) -> Self {
        let tls = tls::make_client_config(keypair, None).unwrap();
        let crypto = QuicClientConfig::try_from(tls).unwrap();
        let client = quinn::ClientConfig::new(Arc::new(crypto));
        let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let connecting = endpoint.connect_with(client, node.socket(), "l").unwrap();
        let connection = connecting.await.unwrap();
        let mut opened = Vec::new();
        for _ in 0..lanes {
            opened.push(Lane::from(connection.open_bi().await.unwrap()));
        }
        let inbound = connection.accept_bi().await.unwrap();
        let driver = Handle::current().spawn(async move {
            connection.closed().await;
        });
        Self {
            lanes: opened,
            inbound: inbound.into(),
            driver,
        }
    }

    /// Agrees on the node's lane and on the first of this peer's.
    pub(crate) async fn negotiate(&mut self) {
        self.inbound.negotiate().await;
        self.lanes[0].negotiate().await;
    }

    /// Asks for a second lane, without waiting for an answer.
    pub(crate) async fn negotiate_second(&mut self) {
        self.lanes[1].write.write_all(NEGOTIATION).await.unwrap();
        self.lanes[1].write.flush().await.unwrap();
    }

    /// Waits until the node has hung up.
    pub(crate) async fn closed(self) {
        self.driver.await.unwrap();
    }
}

impl Lane {
    async fn negotiate(&mut self) {
        self.write.write_all(NEGOTIATION).await.unwrap();
        self.write.flush().await.unwrap();
        let mut answer = [0; NEGOTIATION.len()];
        self.read.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, NEGOTIATION);
    }
}

impl From<SubstreamBox> for Lane {
    fn from(stream: SubstreamBox) -> Self {
        let (read, write) = stream.split();
        Self {
            read: Box::pin(read),
            write: Box::pin(write),
        }
    }
}

impl From<(quinn::SendStream, quinn::RecvStream)> for Lane {
    fn from((write, read): (quinn::SendStream, quinn::RecvStream)) -> Self {
        Self {
            read: Box::pin(read),
            write: Box::pin(write),
        }
    }
}
