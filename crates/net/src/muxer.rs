//! A muxer whose goodbye has a deadline.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

use crate::deadline::Deadline;

/// Wraps a muxer so that closing ends in time, whether or not the peer still reads. Without it a
/// peer that stops reading keeps its socket and its slot until TCP gives up.
#[derive(Debug)]
pub(crate) struct TimedClose<M> {
    muxer: M,
    deadline: Deadline,
    time: Duration,
}

impl<M> TimedClose<M> {
    /// Gives `muxer` the given time to close.
    pub(crate) fn new(muxer: M, time: Duration) -> Self {
        Self {
            muxer,
            deadline: Deadline::default(),
            time,
        }
    }
}

impl<M> StreamMuxer for TimedClose<M>
where
    M: StreamMuxer + Unpin,
    io::Error: From<M::Error>,
{
    type Substream = M::Substream;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        Pin::new(&mut self.muxer)
            .poll_inbound(cx)
            .map_err(io::Error::from)
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
        this.deadline.begin(this.time);
        if let Poll::Ready(closed) = Pin::new(&mut this.muxer).poll_close(cx) {
            return Poll::Ready(closed.map_err(io::Error::from));
        }
        this.deadline
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.muxer).poll(cx).map_err(io::Error::from)
    }
}
