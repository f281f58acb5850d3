//! Lines of a server, which end before they are too long.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// A stream that fails at a line longer than allowed, instead of waiting for its end.
pub(super) struct Lines<R> {
    inner: R,
    limit: usize,
    since_end: usize,
    exceeded: Arc<AtomicBool>,
}

impl<R> Lines<R> {
    /// Takes a stream, the longest line, and where it is told that one was longer.
    pub(super) fn new(inner: R, limit: usize, exceeded: Arc<AtomicBool>) -> Self {
        Self {
            inner,
            limit,
            since_end: 0,
            exceeded,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Lines<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        for part in read.split_inclusive(|byte| *byte == b'\n') {
            self.since_end = self.since_end.saturating_add(part.len());
            if self.since_end > self.limit {
                self.exceeded.store(true, Ordering::Relaxed);
                return Poll::Ready(Err(io::Error::other("the line is too long")));
            }
            if part.ends_with(b"\n") {
                self.since_end = 0;
            }
        }
        Poll::Ready(Ok(()))
    }
}
