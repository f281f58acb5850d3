//! A peer that speaks Noise and yamux and does what it likes above them.

use std::{future::poll_fn, task::Poll};

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::{
    Multiaddr, Transport as _,
    core::{
        Endpoint,
        muxing::{StreamMuxerExt as _, SubstreamBox},
        transport::{DialOpts, PortUse},
        upgrade::Version,
    },
    identity::Keypair,
    noise, tcp, yamux,
};
use tokio::{sync::oneshot, task::JoinHandle};

/// What both sides of a stream say to agree on a lane.
const NEGOTIATION: &[u8; 35] = b"\x13/multistream/1.0.0\n\x0e/realm/lane/1\n";

pub(crate) struct RawPeer {
    /// Streams this peer opened.
    pub(crate) lanes: Vec<SubstreamBox>,
    /// The stream the node opened.
    pub(crate) inbound: SubstreamBox,
    driver: JoinHandle<()>,
}

impl RawPeer {
    /// Connects and opens `lanes` streams, without a word on them.
    pub(crate) async fn connect(seed: u8, address: &Multiaddr, lanes: usize) -> Self {
        let keypair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
        let mut transport = tcp::tokio::Transport::new(tcp::Config::new())
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&keypair).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let opts = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let (_, mut muxer) = transport
            .dial(address.clone(), opts)
            .unwrap()
            .await
            .unwrap();
        let mut opened = Vec::new();
        for _ in 0..lanes {
            let stream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await;
            opened.push(stream.unwrap());
        }
        let (sender, inbound) = oneshot::channel();
        let mut sender = Some(sender);
        let driver = tokio::runtime::Handle::current().spawn(poll_fn(move |cx| {
            while let Poll::Ready(Ok(stream)) = muxer.poll_inbound_unpin(cx) {
                if let Some(sender) = sender.take() {
                    let _ = sender.send(stream);
                }
            }
            muxer.poll_unpin(cx).map(|_| ())
        }));
        Self {
            lanes: opened,
            inbound: inbound.await.unwrap(),
            driver,
        }
    }

    /// Agrees on the node's lane and on the first of this peer's.
    pub(crate) async fn negotiate(&mut self) {
        negotiate(&mut self.inbound).await;
        negotiate(&mut self.lanes[0]).await;
    }

    /// Asks for a second lane, without waiting for an answer.
    pub(crate) async fn negotiate_second(&mut self) {
        self.lanes[1].write_all(NEGOTIATION).await.unwrap();
        self.lanes[1].flush().await.unwrap();
    }

    /// Waits until the node has hung up.
    pub(crate) async fn closed(self) {
        self.driver.await.unwrap();
    }
}

async fn negotiate(stream: &mut SubstreamBox) {
    stream.write_all(NEGOTIATION).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = [0; NEGOTIATION.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, NEGOTIATION);
}
