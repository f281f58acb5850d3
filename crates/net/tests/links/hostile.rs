//! Peers that keep no rule.

use std::net::SocketAddr;

use bytes::Bytes;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use realm_net::{Counted, DownReason, Limits};
use realm_protocol::limits::FRAME_BYTES;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    node::{LONGER, Node, SHORT, Way, connect, frame, index, limits},
    raw::RawPeer,
};

pub(crate) async fn an_oversize_declared_frame_closes_its_link_and_no_other(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let mut b = Node::start(way, 2, limits()).await;
    let (a_end, mut b_end) = connect(&mut a, &mut b).await;
    let mut hostile = RawPeer::connect(way, 9, &b, 1).await;
    hostile.negotiate().await;
    let hostile_end = b.up().await;

    hostile.lanes[0].write.write_all(&[0xff; 4]).await.unwrap();
    hostile.lanes[0].write.flush().await.unwrap();

    assert_eq!(
        b.down().await,
        (hostile_end.link, DownReason::FrameTooLong(u32::MAX))
    );
    assert_eq!(b.net.turned().counts().get("frameTooLong"), Some(&1));
    a_end.outbox.try_send(frame(1, FRAME_BYTES)).unwrap();
    assert_eq!(b_end.inbox.recv().await.unwrap().len(), FRAME_BYTES);
}

pub(crate) async fn a_frame_begun_and_not_finished_closes_the_link(way: Way) {
    let mut b = Node::start(
        way,
        2,
        Limits {
            frame: SHORT,
            ..limits()
        },
    )
    .await;
    let mut hostile = RawPeer::connect(way, 9, &b, 1).await;
    hostile.negotiate().await;
    let end = b.up().await;
    b.net.admit(end.link, Counted::Known).unwrap();

    hostile.lanes[0]
        .write
        .write_all(&[0, 0, 1, 0, 7])
        .await
        .unwrap();
    hostile.lanes[0].write.flush().await.unwrap();

    assert_eq!(b.down().await, (end.link, DownReason::FrameTimeout));
}

pub(crate) async fn a_second_lane_is_refused(way: Way) {
    let mut b = Node::start(way, 2, limits()).await;
    let mut hostile = RawPeer::connect(way, 9, &b, 2).await;

    hostile.negotiate().await;
    let end = b.up().await;
    hostile.negotiate_second().await;

    assert_eq!(b.down().await, (end.link, DownReason::SecondLane));
}

pub(crate) async fn a_peer_that_opens_many_streams_is_cut(way: Way) {
    let mut b = Node::start(way, 2, limits()).await;
    let mut hostile = RawPeer::connect(way, 9, &b, 30).await;
    hostile.negotiate().await;
    let end = b.up().await;

    for lane in &mut hostile.lanes[1..] {
        // The node may hang up before it has seen them all.
        let _ = lane.write.write_all(&[0; 1024]).await;
        let _ = lane.write.flush().await;
    }

    assert_eq!(b.down().await.0, end.link);
    hostile.closed().await;
}

pub(crate) async fn a_peer_without_lanes_is_cut_and_never_announced(way: Way) {
    let mut b = Node::start(
        way,
        2,
        Limits {
            negotiate: LONGER,
            ..limits()
        },
    )
    .await;
    let hostile = RawPeer::connect(way, 9, &b, 0).await;

    hostile.closed().await;

    assert!(b.events.try_recv().is_err());
}

pub(crate) async fn garbage_in_the_clear_does_no_harm(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let mut b = Node::start(way, 2, limits()).await;
    let (a_end, mut b_end) = connect(&mut a, &mut b).await;

    for garbage in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 100_000],
        b"\x13/multistream/1.0.0\n\x0e/realm/lane/1\n".to_vec(),
    ] {
        let answer = match way {
            Way::Tcp => shout(b.socket(), &garbage).await,
            Way::Quic => throw(b.socket(), &garbage).await,
        };
        assert!(!answer.windows(6).any(|text| text == b"/realm"));
    }

    a_end.outbox.try_send(frame(3, 4)).unwrap();
    assert_eq!(index(&b_end.inbox.recv().await.unwrap()), 3);
    assert!(b.events.try_recv().is_err());
}

pub(crate) async fn a_raw_peer_speaks_the_same_lanes(way: Way) {
    let mut b = Node::start(way, 2, limits()).await;
    let mut raw = RawPeer::connect(way, 9, &b, 1).await;
    raw.negotiate().await;
    let mut end = b.up().await;

    raw.lanes[0]
        .write
        .write_all(&[0, 0, 0, 2, 8, 9])
        .await
        .unwrap();
    raw.lanes[0].write.flush().await.unwrap();
    end.outbox.try_send(Bytes::from_static(&[5])).unwrap();

    assert_eq!(end.inbox.recv().await.unwrap().as_ref(), [8, 9]);
    let mut answer = [0; 5];
    raw.inbound.read.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0, 0, 0, 1, 5]);
}

/// Says something over TCP and gives the answer.
async fn shout(to: SocketAddr, words: &[u8]) -> Vec<u8> {
    let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
    // The node may hang up before it has everything.
    let _ = stream.write_all(words).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

/// Says something over UDP, and gives what has come back by the time it is all sent.
async fn throw(to: SocketAddr, words: &[u8]) -> Vec<u8> {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut answer = Vec::new();
    for datagram in words.chunks(1_200) {
        socket.send_to(datagram, to).await.unwrap();
        let _ = socket.try_recv_buf(&mut answer);
    }
    answer
}
