use futures::FutureExt as _;

use super::*;

const FRAME: Bytes = Bytes::from_static(&[7; 100]);

/// Room that a queue has set aside, in frames.
fn room(queue: &Queue) -> usize {
    queue.lock().frames.capacity()
}

fn limits() -> Limits {
    Limits {
        outbox_frames: 200,
        inbox_frames: 200,
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_queue_takes_memory_for_what_waits_in_it_and_no_more() {
    let (outbox, mut inbox, mut outbox_end, mut inbox_end) = queues(&limits());
    assert_eq!((room(&outbox.queue), room(&inbox.0)), (0, 0));

    for _ in 0..200 {
        outbox.try_send(FRAME).unwrap();
        inbox_end.send(FRAME).unwrap();
    }
    assert!(room(&outbox.queue) >= 200 && room(&inbox.0) >= 200);

    for _ in 0..200 {
        poll_fn(|cx| outbox_end.poll_frame(cx)).await.unwrap();
    }
    assert_eq!(inbox.recv_many(&mut Vec::new(), 300).await, 200);
    assert!(room(&outbox.queue) <= KEPT && room(&inbox.0) <= KEPT);
}

#[tokio::test]
async fn both_bounds_of_an_outbox_hold_until_frames_leave() {
    let bounds = Limits {
        outbox_frames: 3,
        outbox_bytes: 350,
        ..limits()
    };
    let (outbox, _inbox, mut end, _inbox_end) = queues(&bounds);
    let clone = outbox.clone();

    outbox.try_send(FRAME).unwrap();
    clone.try_send(FRAME).unwrap();
    let long = Bytes::from_static(&[7; 151]);
    assert_eq!(outbox.try_send(long), Err(SendError::Full));
    outbox.try_send(FRAME).unwrap();
    assert_eq!(clone.try_send(Bytes::new()), Err(SendError::Full));

    assert_eq!(poll_fn(|cx| end.poll_frame(cx)).await, Some(FRAME));
    assert_eq!(clone.try_send(FRAME), Ok(()));
}

#[tokio::test]
async fn a_closed_outbox_says_so_and_gives_what_it_holds() {
    let (outbox, _inbox, mut end, _inbox_end) = queues(&limits());
    outbox.try_send(FRAME).unwrap();

    end.close();

    assert_eq!(outbox.try_send(FRAME), Err(SendError::Closed));
    assert_eq!(poll_fn(|cx| end.poll_frame(cx)).await, Some(FRAME));
    assert_eq!(poll_fn(|cx| end.poll_frame(cx)).await, None);
}

#[tokio::test]
async fn who_waits_hears_of_frames_of_room_and_of_the_end() {
    let one = Limits {
        inbox_frames: 1,
        ..limits()
    };
    let (outbox, mut inbox, mut outbox_end, mut inbox_end) = queues(&one);
    let sent = [Bytes::from_static(b"first"), Bytes::from_static(b"second")];

    let link = async {
        for _ in &sent {
            let frame = poll_fn(|cx| outbox_end.poll_frame(cx)).await.unwrap();
            poll_fn(|cx| inbox_end.poll_room(cx, usize::MAX))
                .await
                .unwrap();
            inbox_end.send(frame).unwrap();
        }
        assert!(
            poll_fn(|cx| inbox_end.poll_room(cx, usize::MAX))
                .now_or_never()
                .is_none(),
            "an inbox for one frame had room for another"
        );
        drop(inbox_end);
    };
    let owner = async {
        // Each goes once the link waits for it.
        for frame in &sent {
            tokio::task::yield_now().await;
            outbox.try_send(frame.clone()).unwrap();
        }
        let mut received = Vec::new();
        while let Some(frame) = inbox.recv().await {
            received.push(frame);
        }
        received
    };
    let ((), received) = tokio::join!(link, owner);

    assert_eq!(received, sent);
}

#[tokio::test]
async fn a_link_whose_owner_is_gone_stops_reading() {
    let (_outbox, inbox, _outbox_end, mut inbox_end) = queues(&limits());

    drop(inbox);

    assert_eq!(inbox_end.send(FRAME), Err(InboxDropped));
    assert_eq!(
        poll_fn(|cx| inbox_end.poll_room(cx, 1)).await,
        Err(InboxDropped)
    );
}
