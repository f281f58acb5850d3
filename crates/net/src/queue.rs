//! The bounded queues between a link's task and its owner.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::task::AtomicWaker;
use realm_protocol::limits::FRAME_BYTES;
use thiserror::Error;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::Limits;

/// Takes frames for the peer of one link. Clones share one queue.
#[derive(Clone, Debug)]
pub struct Outbox {
    frames: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicUsize>,
    limit: usize,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The queue is at its bound of frames or bytes: the peer reads too slowly.
    #[error("the link's queue is full")]
    Full,
    /// The link is down or closing.
    #[error("the link is closed")]
    Closed,
    /// The frame is longer than `realm_protocol::limits::FRAME_BYTES`.
    #[error("the frame is longer than a frame may be")]
    TooLong,
}

impl Outbox {
    /// Queues a frame of up to `FRAME_BYTES` bytes. It is sent in order, unless the link ends first.
    pub fn try_send(&self, frame: Bytes) -> Result<(), SendError> {
        let length = frame.len();
        if length > FRAME_BYTES {
            return Err(SendError::TooLong);
        }
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        let result = if before.saturating_add(length) > self.limit {
            // A closed link says so, however much was queued when it closed.
            Err(if self.frames.is_closed() {
                SendError::Closed
            } else {
                SendError::Full
            })
        } else {
            self.frames.try_send(frame).map_err(|error| match error {
                TrySendError::Full(_) => SendError::Full,
                TrySendError::Closed(_) => SendError::Closed,
            })
        };
        if result.is_err() {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
        }
        result
    }
}

/// The link's end of an [`Outbox`].
#[derive(Debug)]
pub(crate) struct OutboxEnd {
    frames: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicUsize>,
}

impl OutboxEnd {
    /// Takes the next frame; `None` once the queue is closed and empty.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.frames.poll_recv(cx).map(|frame| {
            frame.inspect(|frame| {
                self.bytes.fetch_sub(frame.len(), Ordering::Relaxed);
            })
        })
    }

    /// Takes no more frames; those queued can still be read.
    pub(crate) fn close(&mut self) {
        self.frames.close();
    }
}

/// Gives frames from the peer of one link, in order.
#[derive(Debug)]
pub struct Inbox {
    frames: mpsc::Receiver<Bytes>,
    room: Arc<Room>,
}

/// Bytes waiting in an inbox, and who waits for room.
#[derive(Debug, Default)]
struct Room {
    bytes: AtomicUsize,
    waker: AtomicWaker,
}

impl Inbox {
    /// Waits for the next frame; `None` once the link is down and everything was read. Losing the
    /// future loses no frame. A frame shares memory with up to 64 KiB that arrived with it: whoever
    /// keeps it for long keeps a copy.
    pub async fn recv(&mut self) -> Option<Bytes> {
        let frame = self.frames.recv().await?;
        self.room.bytes.fetch_sub(frame.len(), Ordering::AcqRel);
        self.room.waker.wake();
        Some(frame)
    }

    /// Waits as [`Self::recv`] does and appends what is there to `frames`, at most `limit` of them.
    /// Gives their number; 0 once the link is down and everything was read.
    pub async fn recv_many(&mut self, frames: &mut Vec<Bytes>, limit: usize) -> usize {
        let received = self.frames.recv_many(frames, limit).await;
        let bytes = frames.iter().rev().take(received).map(Bytes::len).sum();
        self.room.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.room.waker.wake();
        received
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.frames.close();
        self.room.waker.wake();
    }
}

/// The link's end of an [`Inbox`].
#[derive(Debug)]
pub(crate) struct InboxEnd {
    frames: mpsc::Sender<Bytes>,
    room: Arc<Room>,
}

/// Nobody reads the inbox any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InboxDropped;

impl InboxEnd {
    /// Becomes ready when one more frame fits, with fewer than `limit` bytes waiting.
    pub(crate) fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        limit: usize,
    ) -> Poll<Result<(), InboxDropped>> {
        self.room.waker.register(cx.waker());
        if self.frames.is_closed() {
            return Poll::Ready(Err(InboxDropped));
        }
        if self.frames.capacity() == 0 || self.room.bytes.load(Ordering::Acquire) >= limit {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Queues a frame. There is room, since [`Self::poll_room`] said so and nobody else sends.
    pub(crate) fn send(&mut self, frame: Bytes) -> Result<(), InboxDropped> {
        let length = frame.len();
        self.room.bytes.fetch_add(length, Ordering::AcqRel);
        self.frames.try_send(frame).map_err(|_| InboxDropped)
    }
}

/// Makes the two queues of a link: the owner's ends and the link's ends.
pub(crate) fn queues(limits: &Limits) -> (Outbox, Inbox, OutboxEnd, InboxEnd) {
    let (out_frames, out_end) = mpsc::channel(limits.outbox_frames.max(1));
    let (in_end, in_frames) = mpsc::channel(limits.inbox_frames.max(1));
    let bytes = Arc::new(AtomicUsize::new(0));
    let room = Arc::new(Room::default());
    (
        Outbox {
            frames: out_frames,
            bytes: Arc::clone(&bytes),
            limit: limits.outbox_bytes,
        },
        Inbox {
            frames: in_frames,
            room: Arc::clone(&room),
        },
        OutboxEnd {
            frames: out_end,
            bytes,
        },
        InboxEnd {
            frames: in_end,
            room,
        },
    )
}
