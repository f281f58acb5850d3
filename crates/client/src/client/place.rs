//! Where a daemon is reached, and what is shown there.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use tokio::{
    io::{self, AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

use super::{ClientError, Unreachable};

/// Where a daemon is reached.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// At the socket in its home, by whoever this user is.
    Socket(PathBuf),
    /// At a port of this machine, by whose token is shown.
    Port(SocketAddr, Option<Token>),
}

/// What is shown at a port.
#[derive(Clone)]
pub(super) struct Token(pub(super) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Place {
    pub(super) async fn open(&self) -> Result<Stream, ClientError> {
        let opened = match self {
            Self::Socket(path) => UnixStream::connect(path).await.map(Stream::Socket),
            Self::Port(address, _) => TcpStream::connect(address).await.map(Stream::Port),
        };
        opened.map_err(|source| ClientError::Unreachable {
            why: match self {
                Self::Socket(_) => Unreachable::of(&source),
                Self::Port(..) => Unreachable::System,
            },
            place: self.to_string(),
            source,
        })
    }

    /// Adds to a request what this place asks for.
    pub(super) fn address(&self, request: &mut Request<Full<Bytes>>) -> Result<(), ClientError> {
        let value = |text: &str| {
            let value = HeaderValue::from_str(text);
            value.map_err(|error| ClientError::Address(error.into()))
        };
        let headers = request.headers_mut();
        let Self::Port(address, token) = self else {
            headers.insert(header::HOST, HeaderValue::from_static("localhost"));
            return Ok(());
        };
        headers.insert(header::HOST, value(&address.to_string())?);
        if let Some(Token(token)) = token {
            let mut shown = value(&format!("Bearer {token}"))?;
            shown.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, shown);
        }
        Ok(())
    }

    pub(super) fn socket(&self) -> Option<&Path> {
        match self {
            Self::Socket(path) => Some(path),
            Self::Port(..) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Port(address, _) => address.fmt(f),
        }
    }
}

/// A connection to a daemon.
#[derive(Debug)]
pub(super) enum Stream {
    Socket(UnixStream),
    Port(TcpStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Port(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Port(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_flush(cx),
            Self::Port(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Port(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
