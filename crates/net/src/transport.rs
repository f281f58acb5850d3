//! The one way out: TCP without delay, Noise, yamux.

use std::io;

use libp2p::{
    PeerId,
    core::{
        muxing::StreamMuxerBox,
        transport::{
            Boxed, Transport,
            timeout::{TransportTimeout, TransportTimeoutError},
        },
        upgrade::Version,
    },
    dns,
    identity::Keypair,
    noise, tcp, yamux,
};

use crate::{Limits, muxer::BoundedMuxer};

/// Builds the transport. Where the system's resolver cannot be read, addresses with names are
/// unsupported and all others work.
pub(crate) fn build(
    keypair: &Keypair,
    limits: &Limits,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, noise::Error> {
    let noise = noise::Config::new(keypair)?;
    let plain = || tcp::tokio::Transport::new(tcp::Config::new().nodelay(true));
    Ok(match dns::tokio::Transport::system(plain()) {
        Ok(resolving) => secure(resolving, noise, limits),
        Err(error) => {
            tracing::warn!(%error, "no resolver: addresses with names cannot be dialled");
            secure(plain(), noise, limits)
        }
    })
}

fn secure<T>(transport: T, noise: noise::Config, limits: &Limits) -> Boxed<(PeerId, StreamMuxerBox)>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(limits.streams);
    let close = limits.close;
    let muxed = transport
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .map(move |(peer, muxer), _| (peer, StreamMuxerBox::new(BoundedMuxer::new(muxer, close))));
    let dialing = TransportTimeout::with_outgoing_timeout(muxed, limits.dial).map_err(timed_out);
    TransportTimeout::with_ingoing_timeout(dialing, limits.negotiate)
        .map_err(timed_out)
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
