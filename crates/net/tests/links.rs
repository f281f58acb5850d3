//! Links over loopback, honest and hostile, through the public API.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod links {
    pub(crate) mod node;
    pub(crate) mod raw;
}

use std::time::Duration;

use bytes::Bytes;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use links::{
    node::{Node, connect, limits, node_id},
    raw::RawPeer,
};
use realm_net::{
    AttemptError, Counted, DialError, DialId, DownReason, Event, Limits, ListenError, SendError,
};
use realm_protocol::limits::FRAME_BYTES;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// For what is bound to be late.
const SHORT: Duration = Duration::from_millis(100);
/// For what is late where something else, in the same time, must not be.
const LONGER: Duration = Duration::from_secs(1);

fn frame(index: u32, length: usize) -> Bytes {
    let mut frame = vec![0; length];
    frame[..4].copy_from_slice(&index.to_be_bytes());
    frame.into()
}

fn index(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[..4].try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_frames_cross_each_way_in_order() {
    const FRAMES: u32 = 10_000;
    let mut a = Node::start(1, limits()).await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, b_end) = connect(&mut a, &mut b).await;

    let talk = |mut end: links::node::Link| async move {
        let send = async {
            for i in 0..FRAMES {
                while end.outbox.try_send(frame(i, 1024)) == Err(SendError::Full) {
                    tokio::task::yield_now().await;
                }
            }
        };
        let receive = async {
            for i in 0..FRAMES {
                let frame = end.inbox.recv().await.expect("the link stands");
                assert_eq!((index(&frame), frame.len()), (i, 1024));
            }
        };
        tokio::join!(send, receive);
        end
    };
    let (_a_end, _b_end) = tokio::join!(talk(a_end), talk(b_end));
}

#[tokio::test]
async fn a_dial_that_meets_another_node_fails_and_names_it() {
    let mut a = Node::start(1, limits()).await;
    let b = Node::start(2, limits()).await;

    a.net
        .dial(DialId(7), node_id(3), vec![b.address.clone()])
        .unwrap();

    let Event::DialFailed {
        dial: DialId(7),
        error: DialError::WrongNode(attempts),
    } = a.event().await
    else {
        panic!("another node was taken for the right one");
    };
    assert!(matches!(
        attempts.0[0].error,
        AttemptError::WrongNode(Some(node)) if node == b.id
    ));
    assert_eq!(attempts.0[0].address, b.address);
}

#[tokio::test]
async fn a_wrong_node_at_one_address_does_not_hide_the_right_one_at_another() {
    let mut a = Node::start(1, limits()).await;
    let b = Node::start(2, limits()).await;
    let c = Node::start(3, limits()).await;

    a.net
        .dial(
            DialId(1),
            b.id,
            vec![c.address.clone(), b.address.clone(), c.address.clone()],
        )
        .unwrap();

    let link = a.up().await;
    assert_eq!((link.node, link.dialed), (b.id, Some(DialId(1))));
}

#[tokio::test]
async fn a_dial_says_why_it_failed() {
    let mut a = Node::start(1, limits()).await;
    let own = a.address.clone();
    let closed = Node::start(2, limits()).await;
    let nobody = closed.address.clone();
    closed.net.stop().await;

    a.net.dial(DialId(1), node_id(2), vec![nobody]).unwrap();
    let refused = a.dial_error().await;
    a.net.dial(DialId(2), node_id(2), vec![]).unwrap();
    let nowhere = a.dial_error().await;
    a.net.dial(DialId(3), a.id, vec![own.clone()]).unwrap();
    let myself = a.dial_error().await;
    a.net.dial(DialId(4), node_id(2), vec![own]).unwrap();
    let disguised = a.dial_error().await;
    a.net
        .dial(
            DialId(5),
            node_id(2),
            vec!["/ip4/127.0.0.1/udp/9".parse().unwrap()],
        )
        .unwrap();
    let unsupported = a.dial_error().await;

    assert!(matches!(refused, DialError::Refused(_)), "{refused}");
    assert!(matches!(nowhere, DialError::NoAddress), "{nowhere}");
    assert!(matches!(myself, DialError::OwnNode), "{myself}");
    assert!(matches!(disguised, DialError::OwnNode), "{disguised}");
    assert!(
        matches!(unsupported, DialError::Unreachable(_)),
        "{unsupported}"
    );
}

#[tokio::test]
async fn a_silent_listener_times_the_dial_out() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut a = Node::start(
        1,
        Limits {
            dial: SHORT,
            ..limits()
        },
    )
    .await;

    let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    a.net.dial(DialId(1), node_id(2), vec![address]).unwrap();

    let error = a.dial_error().await;
    assert!(matches!(error, DialError::Timeout(_)), "{error}");
}

#[tokio::test]
async fn an_address_in_use_is_reported() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();

    let mut a = Node::listen_on(1, limits(), vec![address]);

    assert!(matches!(
        a.event().await,
        Event::ListenFailed {
            error: ListenError::Io(_),
            ..
        }
    ));
}

#[tokio::test]
async fn an_oversize_declared_frame_closes_its_link_and_no_other() {
    let mut a = Node::start(1, limits()).await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, mut b_end) = connect(&mut a, &mut b).await;
    let mut hostile = RawPeer::connect(9, &b.address, 1).await;
    hostile.negotiate().await;
    let hostile_end = b.up().await;

    hostile.lanes[0].write_all(&[0xff; 4]).await.unwrap();
    hostile.lanes[0].flush().await.unwrap();

    assert_eq!(
        b.down().await,
        (hostile_end.link, DownReason::FrameTooLong(u32::MAX))
    );
    a_end.outbox.try_send(frame(1, FRAME_BYTES)).unwrap();
    assert_eq!(b_end.inbox.recv().await.unwrap().len(), FRAME_BYTES);
}

#[tokio::test]
async fn a_frame_longer_than_a_frame_is_not_taken() {
    let mut a = Node::start(1, limits()).await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, _b_end) = connect(&mut a, &mut b).await;

    assert_eq!(
        a_end.outbox.try_send(frame(1, FRAME_BYTES + 1)),
        Err(SendError::TooLong)
    );
}

#[tokio::test]
async fn a_frame_begun_and_not_finished_closes_the_link() {
    let mut b = Node::start(
        2,
        Limits {
            frame: SHORT,
            ..limits()
        },
    )
    .await;
    let mut hostile = RawPeer::connect(9, &b.address, 1).await;
    hostile.negotiate().await;
    let end = b.up().await;
    b.net.admit(end.link, Counted::Known).unwrap();

    hostile.lanes[0].write_all(&[0, 0, 1, 0, 7]).await.unwrap();
    hostile.lanes[0].flush().await.unwrap();

    assert_eq!(b.down().await, (end.link, DownReason::FrameTimeout));
}

#[tokio::test]
async fn a_second_lane_is_refused() {
    let mut b = Node::start(2, limits()).await;
    let mut hostile = RawPeer::connect(9, &b.address, 2).await;

    hostile.negotiate().await;
    let end = b.up().await;
    hostile.negotiate_second().await;

    assert_eq!(b.down().await, (end.link, DownReason::SecondLane));
}

#[tokio::test]
async fn a_peer_that_opens_many_streams_is_cut() {
    let mut b = Node::start(2, limits()).await;
    let mut hostile = RawPeer::connect(9, &b.address, 30).await;
    hostile.negotiate().await;
    let end = b.up().await;

    for lane in &mut hostile.lanes[1..] {
        // The node may hang up before it has seen them all.
        let _ = lane.write_all(&[0; 1024]).await;
        let _ = lane.flush().await;
    }

    assert_eq!(b.down().await.0, end.link);
    hostile.closed().await;
}

#[tokio::test]
async fn a_peer_without_lanes_is_cut_and_never_announced() {
    let mut b = Node::start(
        2,
        Limits {
            negotiate: LONGER,
            ..limits()
        },
    )
    .await;
    let hostile = RawPeer::connect(9, &b.address, 0).await;

    hostile.closed().await;

    assert!(b.events.try_recv().is_err());
}

#[tokio::test]
async fn a_stranger_nobody_admits_is_cut_while_an_admitted_one_stays() {
    let mut a = Node::start(1, limits()).await;
    let c = Node::start(3, limits()).await;
    let mut b = Node::start(
        2,
        Limits {
            admission: LONGER,
            ..limits()
        },
    )
    .await;
    let (a_end, mut admitted) = connect(&mut a, &mut b).await;

    c.net
        .dial(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();
    let stranger = b.up().await;

    assert_eq!(b.down().await, (stranger.link, DownReason::NotAdmitted));
    a_end.outbox.try_send(frame(5, 4)).unwrap();
    assert_eq!(index(&admitted.inbox.recv().await.unwrap()), 5);
}

#[tokio::test]
async fn strangers_beyond_the_limit_are_closed_and_known_nodes_are_not() {
    let mut b = Node::start(
        2,
        Limits {
            strangers: 1,
            ..limits()
        },
    )
    .await;
    let mut others = Vec::new();
    let mut ends = Vec::new();
    for seed in 3..6 {
        let mut other = Node::start(seed, limits()).await;
        other
            .net
            .dial(DialId(1), b.id, vec![b.address.clone()])
            .unwrap();
        ends.push((other.up().await, b.up().await));
        others.push(other);
    }

    b.net.admit(ends[0].1.link, Counted::Stranger).unwrap();
    b.net.admit(ends[1].1.link, Counted::Known).unwrap();
    b.net.admit(ends[2].1.link, Counted::Stranger).unwrap();

    assert_eq!(
        b.down().await,
        (ends[2].1.link, DownReason::TooManyStrangers)
    );
}

#[tokio::test]
async fn uncertified_links_are_limited_and_known_ones_do_not_count() {
    let mut b = Node::start(
        2,
        Limits {
            uncertified: 1,
            ..limits()
        },
    )
    .await;
    let mut a = Node::start(1, limits()).await;
    let (_a_end, _known) = connect(&mut a, &mut b).await;
    let mut c = Node::start(3, limits()).await;
    c.net
        .dial(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();
    let (_c_end, _stranger) = (c.up().await, b.up().await);

    let mut d = Node::start(4, limits()).await;
    d.net
        .dial(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();

    let error = d.dial_error().await;
    assert!(matches!(error, DialError::NoLink(_)), "{error}");
    assert_eq!(b.net.refused(), 1);
}

#[tokio::test]
async fn a_node_has_at_most_two_links() {
    let mut a = Node::start(1, limits()).await;
    let mut b = Node::start(2, limits()).await;
    let (_a1, _b1) = connect(&mut a, &mut b).await;
    let (_a2, _b2) = connect(&mut a, &mut b).await;

    a.net
        .dial(DialId(3), b.id, vec![b.address.clone()])
        .unwrap();

    let error = a.dial_error().await;
    assert!(matches!(error, DialError::TooManyLinks), "{error}");
}

#[tokio::test]
async fn a_process_short_of_memory_takes_no_connection() {
    let b = Node::start(
        2,
        Limits {
            memory: Some(1_000),
            ..limits()
        },
    )
    .await;
    let mut a = Node::start(1, limits()).await;

    a.net
        .dial(DialId(1), b.id, vec![b.address.clone()])
        .unwrap();

    let error = a.dial_error().await;
    assert!(matches!(error, DialError::Unreachable(_)), "{error}");
    assert_eq!(b.net.refused(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_does_not_read_fills_the_outbox_and_loses_nothing() {
    const BYTES: usize = 64 * 1024;
    let small = Limits {
        outbox_frames: 16,
        inbox_frames: 4,
        ..limits()
    };
    let mut a = Node::start(1, small.clone()).await;
    let mut b = Node::start(2, small).await;
    let (a_end, mut b_end) = connect(&mut a, &mut b).await;

    // Full for many turns in a row means that nothing moves any more.
    let (mut sent, mut full) = (0, 0);
    while full < 10_000 {
        match a_end.outbox.try_send(frame(sent, BYTES)) {
            Ok(()) => (sent, full) = (sent + 1, 0),
            Err(error) => {
                assert_eq!(error, SendError::Full);
                full += 1;
            }
        }
        assert!(sent < 512, "32 MiB sent to a peer that reads nothing");
        tokio::task::yield_now().await;
    }

    for i in 0..sent {
        assert_eq!(index(&b_end.inbox.recv().await.unwrap()), i);
    }
}

#[tokio::test]
async fn a_peer_that_takes_no_bytes_is_cut() {
    let mut a = Node::start(
        1,
        Limits {
            frame: SHORT,
            ..limits()
        },
    )
    .await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, _unread) = connect(&mut a, &mut b).await;

    while a_end.outbox.try_send(frame(0, FRAME_BYTES)) != Err(SendError::Closed) {
        tokio::task::yield_now().await;
    }

    assert_eq!(a.down().await, (a_end.link, DownReason::Stalled));
}

#[tokio::test]
async fn the_byte_bound_of_an_outbox_holds() {
    let mut a = Node::start(
        1,
        Limits {
            outbox_bytes: 10,
            ..limits()
        },
    )
    .await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, _b_end) = connect(&mut a, &mut b).await;

    assert_eq!(a_end.outbox.try_send(frame(0, 10)), Ok(()));
    assert_eq!(a_end.outbox.try_send(frame(1, 4)), Err(SendError::Full));
}

#[tokio::test]
async fn closing_delivers_what_was_queued() {
    let mut a = Node::start(1, limits()).await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, mut b_end) = connect(&mut a, &mut b).await;

    for i in 0..100 {
        a_end.outbox.try_send(frame(i, 4096)).unwrap();
    }
    a.net.close(a_end.link).unwrap();

    for i in 0..100 {
        assert_eq!(index(&b_end.inbox.recv().await.unwrap()), i);
    }
    assert_eq!(b_end.inbox.recv().await, None);
    assert_eq!(a.down().await, (a_end.link, DownReason::ClosedHere));
    assert_eq!(b.down().await, (b_end.link, DownReason::ClosedByPeer));
    assert_eq!(b_end.outbox.try_send(frame(0, 4)), Err(SendError::Closed));
}

#[tokio::test]
async fn closing_does_not_wait_for_a_peer_that_does_not_read() {
    let mut a = Node::start(
        1,
        Limits {
            close: SHORT,
            ..limits()
        },
    )
    .await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, _unread) = connect(&mut a, &mut b).await;
    while a_end.outbox.try_send(frame(0, FRAME_BYTES)) == Ok(()) {}

    a.net.close(a_end.link).unwrap();

    assert_eq!(a.down().await, (a_end.link, DownReason::ClosedHere));
    a.net.stop().await;
}

#[tokio::test]
async fn dropping_the_inbox_closes_the_link() {
    let mut a = Node::start(1, limits()).await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, b_end) = connect(&mut a, &mut b).await;

    drop(b_end.inbox);

    assert_eq!(b.down().await, (b_end.link, DownReason::ClosedHere));
    assert_eq!(a.down().await, (a_end.link, DownReason::ClosedByPeer));
}

#[tokio::test]
async fn stopping_delivers_what_was_queued_and_frees_the_port() {
    let mut a = Node::start(1, limits()).await;
    let mut b = Node::start(2, limits()).await;
    let (mut a_end, b_end) = connect(&mut a, &mut b).await;
    for i in 0..100 {
        b_end.outbox.try_send(frame(i, 4096)).unwrap();
    }

    let read = async {
        for i in 0..100 {
            assert_eq!(index(&a_end.inbox.recv().await.unwrap()), i);
        }
        assert_eq!(a_end.inbox.recv().await, None);
    };
    tokio::join!(b.net.stop(), read);

    assert_eq!(a.down().await, (a_end.link, DownReason::ClosedByPeer));
    a.net.dial(DialId(2), b.id, vec![b.address]).unwrap();
    let error = a.dial_error().await;
    assert!(matches!(error, DialError::Refused(_)), "{error}");
}

#[tokio::test]
async fn garbage_in_the_clear_does_no_harm() {
    let mut a = Node::start(1, limits()).await;
    let mut b = Node::start(2, limits()).await;
    let (a_end, mut b_end) = connect(&mut a, &mut b).await;

    for garbage in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xff; 100_000],
        b"\x13/multistream/1.0.0\n\x0e/realm/lane/1\n".to_vec(),
    ] {
        let mut stream = tokio::net::TcpStream::connect(b.socket()).await.unwrap();
        // The node may hang up before it has everything.
        let _ = stream.write_all(&garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.windows(6).any(|text| text == b"/realm"));
    }

    a_end.outbox.try_send(frame(3, 4)).unwrap();
    assert_eq!(index(&b_end.inbox.recv().await.unwrap()), 3);
    assert!(b.events.try_recv().is_err());
}

#[tokio::test]
async fn a_raw_peer_speaks_the_same_lanes() {
    let mut b = Node::start(2, limits()).await;
    let mut raw = RawPeer::connect(9, &b.address, 1).await;
    raw.negotiate().await;
    let mut end = b.up().await;

    raw.lanes[0].write_all(&[0, 0, 0, 2, 8, 9]).await.unwrap();
    raw.lanes[0].flush().await.unwrap();
    end.outbox.try_send(Bytes::from_static(&[5])).unwrap();

    assert_eq!(end.inbox.recv().await.unwrap().as_ref(), [8, 9]);
    let mut answer = [0; 5];
    raw.inbound.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [0, 0, 0, 1, 5]);
}
