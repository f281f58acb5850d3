//! The two one-way streams of a link, each with its framing, back-pressure and deadline.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use futures::{AsyncRead, AsyncWrite};

use crate::{
    DownReason,
    cause::kind,
    deadline::Deadline,
    frame::{self, Decoder},
    queue::{InboxEnd, OutboxEnd},
};

/// Steps one poll may take before it lets other tasks run.
const TURNS: usize = 64;
/// Bytes read at once from a lane that nobody listens to any more.
const DISCARD_BYTES: usize = 4 * 1024;
/// Bytes gathered into one write.
const WRITE_BYTES: usize = 64 * 1024;

/// The lane from the peer.
#[derive(Debug)]
pub(crate) struct Reader<S> {
    stream: S,
    inbox: InboxEnd,
    decoder: Decoder,
    deadline: Deadline,
    frame_time: Duration,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    /// Wraps a negotiated stream; a frame once begun must end within `frame_time`.
    pub(crate) fn new(stream: S, inbox: InboxEnd, frame_time: Duration) -> Self {
        Self {
            stream,
            inbox,
            decoder: Decoder::default(),
            deadline: Deadline::default(),
            frame_time,
        }
    }

    /// Moves frames into the inbox while it has room below `inbox_bytes`. Ready when the lane has
    /// ended.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, inbox_bytes: usize) -> Poll<DownReason> {
        for _ in 0..TURNS {
            match self.inbox.poll_room(cx, inbox_bytes) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(DownReason::ClosedHere),
                // Reading stops, and yamux stops the peer. That is no fault of the peer's.
                Poll::Pending => {
                    self.deadline.clear();
                    return Poll::Pending;
                }
            }
            match self.decoder.next_frame() {
                Ok(Some(frame)) => {
                    self.deadline.clear();
                    if self.inbox.send(frame).is_err() {
                        return Poll::Ready(DownReason::ClosedHere);
                    }
                }
                Ok(None) => {
                    if let Err(reason) = ready!(self.poll_read(cx)) {
                        return Poll::Ready(reason);
                    }
                }
                Err(error) => return Poll::Ready(DownReason::FrameTooLong(error.0)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gives up the inbox, which ends for its owner, and keeps the stream.
    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), DownReason>> {
        let stream = Pin::new(&mut self.stream);
        match self.decoder.read_with(|space| stream.poll_read(cx, space)) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(DownReason::ClosedByPeer)),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(error)) => Poll::Ready(Err(kind(&error).into())),
            Poll::Pending if self.decoder.is_partial() => {
                self.deadline.begin(self.frame_time);
                ready!(self.deadline.poll(cx));
                Poll::Ready(Err(DownReason::FrameTimeout))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Reads and forgets. Ready when the stream has ended.
pub(crate) fn poll_discard<S: AsyncRead + Unpin>(stream: &mut S, cx: &mut Context<'_>) -> Poll<()> {
    let mut chunk = [0; DISCARD_BYTES];
    for _ in 0..TURNS {
        match ready!(Pin::new(&mut *stream).poll_read(cx, &mut chunk)) {
            Ok(0) | Err(_) => return Poll::Ready(()),
            Ok(_) => {}
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// The lane to the peer.
#[derive(Debug)]
pub(crate) struct Writer<S> {
    stream: S,
    outbox: OutboxEnd,
    buffer: BytesMut,
    flushed: bool,
    deadline: Deadline,
    frame_time: Duration,
}

/// Why a writer stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The outbox is closed, and everything in it is written and flushed.
    All,
    /// The lane has ended.
    Failed(DownReason),
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    /// Wraps a negotiated stream; the peer must take bytes within `frame_time`.
    pub(crate) fn new(stream: S, outbox: OutboxEnd, frame_time: Duration) -> Self {
        Self {
            stream,
            outbox,
            buffer: BytesMut::new(),
            // Negotiation may have left bytes behind.
            flushed: false,
            deadline: Deadline::default(),
            frame_time,
        }
    }

    /// Refuses further frames; those queued are still sent.
    pub(crate) fn finish(&mut self) {
        self.outbox.close();
    }

    /// Moves queued frames onto the wire, many in one write, and flushes when there are no more.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Written> {
        for _ in 0..TURNS {
            let closed = self.gather(cx);
            let step = if !self.buffer.is_empty() {
                self.poll_write(cx)
            } else if !self.flushed {
                Pin::new(&mut self.stream).poll_flush(cx).map_ok(|()| {
                    self.flushed = true;
                })
            } else {
                frame::release(&mut self.buffer);
                return if closed {
                    Poll::Ready(Written::All)
                } else {
                    Poll::Pending
                };
            };
            match step {
                Poll::Ready(Ok(())) => self.deadline.clear(),
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Written::Failed(kind(&error).into()));
                }
                Poll::Pending => {
                    self.deadline.begin(self.frame_time);
                    ready!(self.deadline.poll(cx));
                    return Poll::Ready(Written::Failed(DownReason::Stalled));
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Tells the peer that nothing follows.
    pub(crate) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.stream).poll_close(cx).map(|_| ())
    }

    /// Fills the buffer from the outbox; true once the outbox is closed and empty.
    fn gather(&mut self, cx: &mut Context<'_>) -> bool {
        while self.buffer.len() < WRITE_BYTES {
            match self.outbox.poll_frame(cx) {
                Poll::Ready(Some(frame)) => frame::encode(&frame, &mut self.buffer),
                Poll::Ready(None) => return self.buffer.is_empty(),
                Poll::Pending => break,
            }
        }
        false
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.buffer))?;
        if written == 0 {
            return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
        }
        self.buffer.advance(written.min(self.buffer.len()));
        self.flushed = false;
        Poll::Ready(Ok(()))
    }
}
