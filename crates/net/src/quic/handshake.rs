//! Inbound connections on their way in.

use std::{
    future::Future,
    io, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{PeerId, tls};
use quinn::rustls::pki_types::CertificateDer;

use super::connection::Connection;

/// An inbound connection. Its handshake begins when it is first polled, which the swarm does once
/// it has let the connection in; dropped before that, it is refused in one packet.
pub(crate) struct Handshake {
    pub(super) step: Step,
    /// Says that this handshake is under way.
    _counted: Arc<()>,
}

/// How far a handshake is.
pub(super) enum Step {
    /// The swarm has not let it in.
    Waiting(Box<quinn::Incoming>),
    /// Under way.
    Shaking(quinn::Connecting),
    /// Over.
    Done,
}

impl Handshake {
    /// Takes a connection that somebody has asked for.
    pub(super) fn new(incoming: quinn::Incoming, counted: Arc<()>) -> Self {
        Self {
            step: Step::Waiting(Box::new(incoming)),
            _counted: counted,
        }
    }
}

impl Future for Handshake {
    type Output = io::Result<(PeerId, Connection)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut connecting = match mem::replace(&mut self.step, Step::Done) {
            Step::Waiting(incoming) => incoming.accept()?,
            Step::Shaking(connecting) => connecting,
            Step::Done => return Poll::Ready(Err(io::ErrorKind::InvalidInput.into())),
        };
        match Pin::new(&mut connecting).poll(cx) {
            Poll::Ready(connection) => Poll::Ready(authenticate(connection?)),
            Poll::Pending => {
                self.step = Step::Shaking(connecting);
                Poll::Pending
            }
        }
    }
}

/// Tells who is at the other end. TLS has verified the certificate; the node's key is in it.
pub(super) fn authenticate(connection: quinn::Connection) -> io::Result<(PeerId, Connection)> {
    let unknown = || io::Error::from(io::ErrorKind::InvalidData);
    let identity = connection.peer_identity().ok_or_else(unknown)?;
    let certificates = identity
        .downcast::<Vec<CertificateDer<'_>>>()
        .map_err(|_| unknown())?;
    let certificate = certificates.first().ok_or_else(unknown)?;
    let peer = tls::certificate::parse(certificate)
        .map_err(io::Error::other)?
        .peer_id();
    Ok((peer, Connection::new(connection)))
}
