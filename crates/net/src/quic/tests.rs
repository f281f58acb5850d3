use std::{future::poll_fn, time::Duration};

use libp2p::{
    core::{Endpoint, transport::PortUse},
    identity::Keypair,
};
use tokio::{net::UdpSocket, runtime::Handle};

use super::{handshake::Step, *};
use crate::Limits;

fn config(seed: u8, limits: &Limits) -> Config {
    let keypair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
    Config::new(&keypair, limits).unwrap()
}

async fn listening(config: Config) -> (QuicTransport, Multiaddr) {
    let mut transport = QuicTransport::new(config);
    let anywhere = "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap();
    transport.listen_on(ListenerId::next(), anywhere).unwrap();
    match next(&mut transport).await {
        TransportEvent::NewAddress { listen_addr, .. } => (transport, listen_addr),
        _ => panic!("not listening"),
    }
}

async fn next(transport: &mut QuicTransport) -> TransportEvent<Handshake, io::Error> {
    poll_fn(|cx| Pin::new(&mut *transport).poll(cx)).await
}

async fn incoming(transport: &mut QuicTransport) -> Handshake {
    match next(transport).await {
        TransportEvent::Incoming { upgrade, .. } => upgrade,
        _ => panic!("nobody came"),
    }
}

#[tokio::test]
async fn once_handshakes_pile_up_an_address_must_show_that_it_receives() {
    for (unvalidated, shown) in [(8, false), (0, true)] {
        let limits = Limits {
            unvalidated,
            tcp_head_start: Duration::ZERO,
            ..Limits::default()
        };
        let (mut server, address) = listening(config(1, &limits)).await;
        let opts = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let mut client = QuicTransport::new(config(2, &limits));
        let dial = Handle::current().spawn(client.dial(address, opts).unwrap());

        let handshake = incoming(&mut server).await;

        let Step::Waiting(waiting) = &handshake.step else {
            panic!("the handshake began before it was let in");
        };
        assert_eq!(waiting.remote_address_validated(), shown);
        let (peer, _connection) = handshake.await.unwrap();
        assert_eq!(
            peer,
            Keypair::ed25519_from_bytes([2; 32])
                .unwrap()
                .public()
                .to_peer_id()
        );
        dial.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_unconfirmed_address_is_sent_at_most_three_times_what_came_from_it() {
    let limits = Limits {
        idle: Duration::from_secs(1),
        unvalidated: 8,
        ..Limits::default()
    };
    let (mut server, address) = listening(config(1, &limits)).await;
    let trap = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let dialing = config(2, &limits);
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let _connecting = endpoint
        .connect_with(dialing.client, trap.local_addr().unwrap(), SERVER_NAME)
        .unwrap();
    let mut first = vec![0; 2_048];
    let length = trap.recv(&mut first).await.unwrap();
    let victim = UdpSocket::bind("127.0.0.1:0").await.unwrap();

    let to = socket::address(&address).unwrap();
    victim.send_to(&first[..length], to).await.unwrap();
    let ended = incoming(&mut server).await.await;

    assert!(
        ended.is_err(),
        "a handshake with somebody who never answered"
    );
    let mut answers = Vec::new();
    victim.readable().await.unwrap();
    while victim.try_recv_buf(&mut answers).is_ok() {}
    assert!(
        !answers.is_empty() && answers.len() <= 3 * length,
        "{}",
        answers.len()
    );
}
