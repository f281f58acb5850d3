//! The two ways out: TCP without delay under Noise and yamux, and QUIC.

use std::io;

use libp2p::{
    PeerId,
    core::{
        muxing::{StreamMuxer, StreamMuxerBox},
        transport::{
            Boxed, Transport,
            timeout::{TransportTimeout, TransportTimeoutError},
        },
        upgrade::Version,
    },
    dns,
    identity::Keypair,
    noise, tcp, tls, yamux,
};
use thiserror::Error;

use crate::{Limits, muxer::BoundedMuxer, quic};

/// A way to another node, dialled or listened on.
pub(crate) type Way = Boxed<(PeerId, StreamMuxerBox)>;

/// The node key cannot authenticate links.
#[derive(Debug, Error)]
pub enum TransportError {
    /// Noise, over TCP.
    #[error("the node key cannot sign for TCP")]
    Noise(#[from] noise::Error),
    /// TLS, over QUIC.
    #[error("the node key cannot sign for QUIC")]
    Certificate(#[from] tls::certificate::GenError),
    /// The TLS library lacks what QUIC needs.
    #[error("TLS lacks what QUIC needs")]
    Tls(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
}

/// Builds the transport. Where the system's resolver cannot be read, addresses with names are
/// unsupported and all others work.
pub(crate) fn build(keypair: &Keypair, limits: &Limits) -> Result<Way, TransportError> {
    let noise = noise::Config::new(keypair)?;
    let quic = quic::Config::new(keypair, limits)?;
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the error's type has no name here"
    )]
    let ways = || {
        over_tcp(noise.clone(), limits)
            .or_transport(over_quic(quic.clone(), limits))
            .map(|way, _| way.into_inner())
            .map_err(|error| error.into_inner())
    };
    Ok(match dns::tokio::Transport::system(ways()) {
        Ok(resolving) => in_time(resolving, limits),
        Err(error) => {
            tracing::warn!(%error, "no resolver: addresses with names cannot be dialled");
            in_time(ways(), limits)
        }
    })
}

fn over_tcp(noise: noise::Config, limits: &Limits) -> Way {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(limits.streams);
    let close = limits.close;
    tcp::tokio::Transport::new(tcp::Config::new().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .map(move |(peer, muxer), _| (peer, StreamMuxerBox::new(BoundedMuxer::new(muxer, close))))
        // What the socket said stays an IO error; either-or types hide it.
        .map_err(|error| {
            error.either(
                |lower| lower.either(|io| io, io::Error::other),
                io::Error::other,
            )
        })
        .boxed()
}

fn over_quic(config: quic::Config, limits: &Limits) -> Way {
    let close = limits.close;
    quic::QuicTransport::new(config)
        .map(move |(peer, muxer), _| (peer, StreamMuxerBox::new(BoundedMuxer::new(muxer, close))))
        .boxed()
}

fn in_time<T, M>(transport: T, limits: &Limits) -> Way
where
    T: Transport<Output = (PeerId, M)> + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
    M: StreamMuxer + Send + 'static,
    M::Substream: Send + 'static,
    M::Error: Send + Sync + 'static,
{
    let dialing =
        TransportTimeout::with_outgoing_timeout(transport, limits.dial).map_err(timed_out);
    TransportTimeout::with_ingoing_timeout(dialing, limits.negotiate)
        .map_err(timed_out)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed()
}

/// Keeps a timeout recognisable as an IO error, whatever wraps it later.
fn timed_out<E>(error: TransportTimeoutError<E>) -> io::Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    match error {
        TransportTimeoutError::Timeout => io::ErrorKind::TimedOut.into(),
        TransportTimeoutError::TimerError(error) => error,
        TransportTimeoutError::Other(error) => io::Error::other(error),
    }
}
