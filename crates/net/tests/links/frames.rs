//! Frames between honest nodes, and the end of links.

use realm_net::{DialId, DownReason, Limits, SendError};
use realm_protocol::limits::FRAME_BYTES;

use super::node::{LONGER, Link, Node, SHORT, Way, connect, frame, index, limits};

pub(crate) async fn ten_thousand_frames_cross_each_way_in_order(way: Way) {
    const FRAMES: u32 = 10_000;
    let mut a = Node::start(way, 1, limits()).await;
    let mut b = Node::start(way, 2, limits()).await;
    let (a_end, b_end) = connect(&mut a, &mut b).await;

    let talk = |mut end: Link| async move {
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

pub(crate) async fn a_frame_longer_than_a_frame_is_not_taken(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let mut b = Node::start(way, 2, limits()).await;
    let (a_end, _b_end) = connect(&mut a, &mut b).await;

    assert_eq!(
        a_end.outbox.try_send(frame(1, FRAME_BYTES + 1)),
        Err(SendError::TooLong)
    );
}

pub(crate) async fn a_peer_that_does_not_read_fills_the_outbox_and_loses_nothing(way: Way) {
    const BYTES: usize = 64 * 1024;
    let small = Limits {
        outbox_frames: 16,
        inbox_frames: 4,
        ..limits()
    };
    let mut a = Node::start(way, 1, small.clone()).await;
    let mut b = Node::start(way, 2, small).await;
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

pub(crate) async fn a_peer_that_takes_no_bytes_is_cut(way: Way) {
    let mut a = Node::start(
        way,
        1,
        Limits {
            frame: SHORT,
            ..limits()
        },
    )
    .await;
    let mut b = Node::start(way, 2, limits()).await;
    let (a_end, _unread) = connect(&mut a, &mut b).await;

    while a_end.outbox.try_send(frame(0, FRAME_BYTES)) != Err(SendError::Closed) {
        tokio::task::yield_now().await;
    }

    assert_eq!(a.down().await, (a_end.link, DownReason::Stalled));
}

pub(crate) async fn the_byte_bound_of_an_outbox_holds(way: Way) {
    let mut a = Node::start(
        way,
        1,
        Limits {
            outbox_bytes: 10,
            ..limits()
        },
    )
    .await;
    let mut b = Node::start(way, 2, limits()).await;
    let (a_end, _b_end) = connect(&mut a, &mut b).await;

    assert_eq!(a_end.outbox.try_send(frame(0, 10)), Ok(()));
    assert_eq!(a_end.outbox.try_send(frame(1, 4)), Err(SendError::Full));
}

pub(crate) async fn closing_delivers_what_was_queued(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let mut b = Node::start(way, 2, limits()).await;
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

pub(crate) async fn closing_does_not_wait_for_a_peer_that_does_not_read(way: Way) {
    let mut a = Node::start(
        way,
        1,
        Limits {
            close: SHORT,
            ..limits()
        },
    )
    .await;
    let mut b = Node::start(way, 2, limits()).await;
    let (a_end, _unread) = connect(&mut a, &mut b).await;
    while a_end.outbox.try_send(frame(0, FRAME_BYTES)) == Ok(()) {}

    a.net.close(a_end.link).unwrap();

    assert_eq!(a.down().await, (a_end.link, DownReason::ClosedHere));
    a.net.stop().await;
}

pub(crate) async fn dropping_the_inbox_closes_the_link(way: Way) {
    let mut a = Node::start(way, 1, limits()).await;
    let mut b = Node::start(way, 2, limits()).await;
    let (a_end, b_end) = connect(&mut a, &mut b).await;

    drop(b_end.inbox);

    assert_eq!(b.down().await, (b_end.link, DownReason::ClosedHere));
    assert_eq!(a.down().await, (a_end.link, DownReason::ClosedByPeer));
}

pub(crate) async fn stopping_delivers_what_was_queued_and_frees_the_port(way: Way) {
    let brief = Limits {
        dial: LONGER,
        ..limits()
    };
    let mut a = Node::start(way, 1, brief).await;
    let mut b = Node::start(way, 2, limits()).await;
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
    assert!(way.is_unheard(&error), "{error}");
}
