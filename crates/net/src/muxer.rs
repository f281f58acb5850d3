//! A muxer with a bound on the peer's streams and a deadline for its goodbye.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

use crate::deadline::Deadline;

/// Streams a peer may open: its one lane, and one more to be refused by name. One beyond that
/// ends the connection, since yamux would hold up to 256 KiB for each that nobody reads.
const STREAMS: usize = 2;

/// Wraps a muxer. Its closing ends in time, whether or not the peer still reads: without that a
/// peer that stops reading keeps its socket and its slot until TCP gives up.
#[derive(Debug)]
pub(crate) struct BoundedMuxer<M: StreamMuxer> {
    muxer: M,
    /// Streams the peer has opened so far.
    opened: usize,
    /// Those nobody has asked for yet.
    waiting: VecDeque<M::Substream>,
    deadline: Deadline,
    close_time: Duration,
}

impl<M: StreamMuxer> BoundedMuxer<M> {
    /// Gives `muxer` at most `close_time` to close.
    pub(crate) fn new(muxer: M, close_time: Duration) -> Self {
        Self {
            muxer,
            opened: 0,
            waiting: VecDeque::new(),
            deadline: Deadline::default(),
            close_time,
        }
    }
}

impl<M> BoundedMuxer<M>
where
    M: StreamMuxer + Unpin,
    io::Error: From<M::Error>,
{
    /// Takes every stream the peer has opened. Becomes ready when the connection has failed, or
    /// the peer has opened too many.
    fn poll_opened(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while let Poll::Ready(opened) = Pin::new(&mut self.muxer).poll_inbound(cx) {
            match opened {
                Ok(stream) if self.opened < STREAMS => {
                    self.opened += 1;
                    self.waiting.push_back(stream);
                }
                Ok(_) => return Poll::Ready(io::ErrorKind::InvalidData.into()),
                Err(error) => return Poll::Ready(error.into()),
            }
        }
        Poll::Pending
    }
}

impl<M> StreamMuxer for BoundedMuxer<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
    io::Error: From<M::Error>,
{
    type Substream = M::Substream;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        if let Poll::Ready(error) = self.poll_opened(cx) {
            return Poll::Ready(Err(error));
        }
        self.waiting
            .pop_front()
            .map_or(Poll::Pending, |stream| Poll::Ready(Ok(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        Pin::new(&mut self.muxer)
            .poll_outbound(cx)
            .map_err(io::Error::from)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.deadline.begin(this.close_time);
        if let Poll::Ready(closed) = Pin::new(&mut this.muxer).poll_close(cx) {
            return Poll::Ready(closed.map_err(io::Error::from));
        }
        this.deadline
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        let before = self.waiting.len();
        if let Poll::Ready(error) = self.poll_opened(cx) {
            return Poll::Ready(Err(error));
        }
        if self.waiting.len() > before {
            // The connection asks for streams after it asks for events.
            cx.waker().wake_by_ref();
        }
        Pin::new(&mut self.muxer).poll(cx).map_err(io::Error::from)
    }
}
