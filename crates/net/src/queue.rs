//! The bounded queues between a link's task and its owner. Most links are idle most of the time, so
//! an empty queue has no room set aside.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::task::AtomicWaker;
use realm_protocol::limits::FRAME_BYTES;
use thiserror::Error;
use tokio::task::coop::cooperative;

use crate::Limits;

/// Frames that a queue keeps room for once it is empty.
const KEPT: usize = 4;

/// Frames on their way from one end to the other.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Who waits for frames.
    reader: AtomicWaker,
    /// Who waits for room.
    writer: AtomicWaker,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// No more are taken; those that are there can still be read.
    closed: bool,
}

impl Waiting {
    fn push(&mut self, frame: Bytes) {
        self.bytes = self.bytes.saturating_add(frame.len());
        self.frames.push_back(frame);
    }

    /// Moves at most `limit` frames to `frames`; gives their number.
    fn take(&mut self, frames: &mut Vec<Bytes>, limit: usize) -> usize {
        let taken = limit.min(self.frames.len());
        for frame in self.frames.drain(..taken) {
            self.bytes = self.bytes.saturating_sub(frame.len());
            frames.push(frame);
        }
        self.release();
        taken
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes = self.bytes.saturating_sub(frame.len());
        self.release();
        Some(frame)
    }

    /// Gives the room of a burst back once it is over.
    fn release(&mut self) {
        if self.frames.is_empty() {
            self.frames.shrink_to(KEPT);
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more frames, and wakes who waits at either end.
    fn close(&self) {
        self.lock().closed = true;
        self.reader.wake();
        self.writer.wake();
    }

    /// As [`Self::close`], and drops what nobody will read.
    fn abandon(&self) {
        self.lock().frames = VecDeque::new();
        self.close();
    }

    /// Gives what `take` finds; ready with `None` where there is nothing and nothing will come.
    fn poll_take<T>(
        &self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut Waiting) -> Option<T>,
    ) -> Poll<Option<T>> {
        self.reader.register(cx.waker());
        let mut waiting = self.lock();
        match take(&mut waiting) {
            None if !waiting.closed => Poll::Pending,
            taken => Poll::Ready(taken),
        }
    }
}

/// Takes frames for the peer of one link. Clones share one queue.
#[derive(Clone, Debug)]
pub struct Outbox {
    queue: Arc<Queue>,
    most_frames: usize,
    most_bytes: usize,
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
        if frame.len() > FRAME_BYTES {
            return Err(SendError::TooLong);
        }
        let mut waiting = self.queue.lock();
        if waiting.closed {
            return Err(SendError::Closed);
        }
        let bytes = waiting.bytes.saturating_add(frame.len());
        if waiting.frames.len() >= self.most_frames || bytes > self.most_bytes {
            return Err(SendError::Full);
        }
        waiting.push(frame);
        drop(waiting);
        self.queue.reader.wake();
        Ok(())
    }
}

/// The link's end of an [`Outbox`].
#[derive(Debug)]
pub(crate) struct OutboxEnd(Arc<Queue>);

impl OutboxEnd {
    /// Takes the next frame; `None` once the queue is closed and empty.
    pub(crate) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_take(cx, Waiting::pop)
    }

    /// Takes no more frames; those queued can still be read.
    pub(crate) fn close(&mut self) {
        self.0.close();
    }
}

impl Drop for OutboxEnd {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Gives frames from the peer of one link, in order.
#[derive(Debug)]
pub struct Inbox(Arc<Queue>);

impl Inbox {
    /// Waits for the next frame; `None` once the link is down and everything was read. Losing the
    /// future loses no frame. A frame shares memory with up to 64 KiB that arrived with it: whoever
    /// keeps it for long keeps a copy.
    pub async fn recv(&mut self) -> Option<Bytes> {
        let frame = poll_fn(|cx| self.0.poll_take(cx, Waiting::pop));
        let frame = cooperative(frame).await?;
        self.0.writer.wake();
        Some(frame)
    }

    /// Waits as [`Self::recv`] does and appends what is there to `frames`, at most `limit` of them.
    /// Gives their number; 0 once the link is down and everything was read.
    pub async fn recv_many(&mut self, frames: &mut Vec<Bytes>, limit: usize) -> usize {
        let taken = poll_fn(|cx| {
            self.0.poll_take(cx, |waiting| {
                Some(waiting.take(frames, limit)).filter(|taken| *taken > 0)
            })
        });
        let taken = cooperative(taken).await.unwrap_or_default();
        self.0.writer.wake();
        taken
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// The link's end of an [`Inbox`].
#[derive(Debug)]
pub(crate) struct InboxEnd {
    queue: Arc<Queue>,
    most_frames: usize,
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
        self.queue.writer.register(cx.waker());
        let waiting = self.queue.lock();
        if waiting.closed {
            return Poll::Ready(Err(InboxDropped));
        }
        if waiting.frames.len() >= self.most_frames || waiting.bytes >= limit {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Queues a frame. There is room, since [`Self::poll_room`] said so and nobody else sends.
    pub(crate) fn send(&mut self, frame: Bytes) -> Result<(), InboxDropped> {
        let mut waiting = self.queue.lock();
        if waiting.closed {
            return Err(InboxDropped);
        }
        waiting.push(frame);
        drop(waiting);
        self.queue.reader.wake();
        Ok(())
    }
}

impl Drop for InboxEnd {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Makes the two queues of a link: the owner's ends and the link's ends.
pub(crate) fn queues(limits: &Limits) -> (Outbox, Inbox, OutboxEnd, InboxEnd) {
    let (to_peer, from_peer) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
    (
        Outbox {
            queue: Arc::clone(&to_peer),
            most_frames: limits.outbox_frames.max(1),
            most_bytes: limits.outbox_bytes,
        },
        Inbox(Arc::clone(&from_peer)),
        OutboxEnd(to_peer),
        InboxEnd {
            queue: from_peer,
            most_frames: limits.inbox_frames.max(1),
        },
    )
}

#[cfg(test)]
mod tests;
