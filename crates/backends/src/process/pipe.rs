//! What a process prints, as far as it is the process that prints it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, ReadBuf};

/// A stream that ends when it ends, or when nothing is left in it and its writer is over, whoever else holds it open.
pub(crate) struct Pipe<R> {
    stream: R,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl<R> Pipe<R> {
    /// A stream whose writer is over when `over` comes back.
    pub(super) fn new(stream: R, over: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            stream,
            over: Box::pin(over),
            ended: false,
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Pipe<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        // What the writer has left is read first.
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            return Poll::Ready(read);
        }
        self.ended = self.over.as_mut().poll(context).is_ready();
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}
