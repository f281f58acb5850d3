//! One QUIC connection as a muxer, and its streams.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::{AsyncRead, AsyncWrite, FutureExt as _, future::BoxFuture};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use quinn::{ConnectionError, ReadError, RecvStream, SendStream, VarInt, WriteError};

/// Code of an orderly goodbye.
const GOODBYE: VarInt = VarInt::from_u32(0);

type Opening = BoxFuture<'static, Result<(SendStream, RecvStream), ConnectionError>>;

/// An authenticated connection. Dropping it closes it.
pub(crate) struct Connection {
    connection: quinn::Connection,
    inbound: Option<Opening>,
    outbound: Option<Opening>,
}

impl Connection {
    pub(super) fn new(connection: quinn::Connection) -> Self {
        Self {
            connection,
            inbound: None,
            outbound: None,
        }
    }
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let this = &mut *self;
        let connection = &this.connection;
        let opening = this.inbound.get_or_insert_with(|| {
            let connection = connection.clone();
            async move { connection.accept_bi().await }.boxed()
        });
        let opened = ready!(opening.poll_unpin(cx));
        this.inbound = None;
        Poll::Ready(opened.map(Stream::from).map_err(io::Error::from))
    }

    fn poll_outbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let this = &mut *self;
        let connection = &this.connection;
        let opening = this.outbound.get_or_insert_with(|| {
            let connection = connection.clone();
            async move { connection.open_bi().await }.boxed()
        });
        let opened = ready!(opening.poll_unpin(cx));
        this.outbound = None;
        Poll::Ready(opened.map(Stream::from).map_err(io::Error::from))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.close(GOODBYE, &[]);
        Poll::Ready(Ok(()))
    }

    /// Has nothing to tell: the end of the connection ends the wait for its streams.
    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Poll::Pending
    }
}

/// One stream of a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    send: SendStream,
    receive: RecvStream,
}

impl From<(SendStream, RecvStream)> for Stream {
    fn from((send, receive): (SendStream, RecvStream)) -> Self {
        Self { send, receive }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.receive
            .poll_read(cx, buffer)
            .map_err(|error| match error {
                ReadError::ConnectionLost(error) => error.into(),
                error => error.into(),
            })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.send)
            .poll_write(cx, bytes)
            .map_err(|error| match error {
                WriteError::ConnectionLost(error) => error.into(),
                error => error.into(),
            })
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is written is sent without being asked for.
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A stream that is finished or was refused has nothing more to say either.
        let _ = self.send.finish();
        Poll::Ready(Ok(()))
    }
}
