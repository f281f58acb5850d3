//! QUIC, as libp2p speaks it, on one socket per listener and one per family for dials.
//!
//! An inbound connection costs no cryptography until the swarm has let it in, and once handshakes
//! pile up an address must first show that it receives what is sent to it.

mod config;
mod connection;
mod handshake;
mod listener;
mod socket;

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{FutureExt as _, future::BoxFuture};
use libp2p::{
    Multiaddr, PeerId,
    core::transport::{DialOpts, ListenerId, Transport, TransportError, TransportEvent},
};

use crate::deadline::Deadline;

pub(crate) use config::Config;
use connection::Connection;
use handshake::{Handshake, authenticate};
use listener::Listener;

/// The QUIC transport.
pub(crate) struct QuicTransport {
    config: Config,
    listeners: Vec<Listener>,
    /// Sockets that dials leave from, for IPv4 and for IPv6; made on first use.
    dialers: [Option<quinn::Endpoint>; 2],
}

impl QuicTransport {
    /// Makes a transport that listens nowhere yet.
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            listeners: Vec::new(),
            dialers: [None, None],
        }
    }

    fn dialer(&mut self, remote: SocketAddr) -> io::Result<quinn::Endpoint> {
        let [v4, v6] = &mut self.dialers;
        let slot = if remote.is_ipv4() { v4 } else { v6 };
        if let Some(endpoint) = slot {
            return Ok(endpoint.clone());
        }
        let socket = socket::bind(socket::unspecified(remote))?;
        let endpoint = self.config.endpoint(None, socket)?;
        *slot = Some(endpoint.clone());
        Ok(endpoint)
    }
}

impl Transport for QuicTransport {
    type Output = (PeerId, Connection);
    type Error = io::Error;
    type ListenerUpgrade = Handshake;
    type Dial = BoxFuture<'static, io::Result<Self::Output>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        let local = socket::address(&address)
            .ok_or_else(|| TransportError::MultiaddrNotSupported(address.clone()))?;
        let listener = Listener::bind(id, local, &self.config).map_err(TransportError::Other)?;
        self.listeners.push(listener);
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let found = self.listeners.iter_mut().find(|listener| listener.is(id));
        found.map(Listener::close).is_some()
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let remote = socket::address(&address)
            .filter(|remote| remote.port() != 0 && !remote.ip().is_unspecified())
            .ok_or_else(|| TransportError::MultiaddrNotSupported(address.clone()))?;
        let endpoint = self.dialer(remote).map_err(TransportError::Other)?;
        let client = self.config.client.clone();
        let head_start = self.config.tcp_head_start;
        Ok(async move {
            // Where TCP gets through it has won by now, and this dial is dropped.
            if !head_start.is_zero() {
                Deadline::after(head_start).wait().await;
            }
            let connecting = endpoint
                .connect_with(client, remote, SERVER_NAME)
                .map_err(io::Error::other)?;
            authenticate(connecting.await?)
        }
        .boxed())
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Handshake, io::Error>> {
        self.listeners.retain(|listener| !listener.has_ended());
        // Whoever was served goes last, so that no listener starves another.
        for index in 0..self.listeners.len() {
            let polled = self.listeners.get_mut(index).map(|it| it.poll(cx));
            if let Some(Poll::Ready(event)) = polled {
                self.listeners.rotate_left(index.saturating_add(1));
                return Poll::Ready(event);
            }
        }
        Poll::Pending
    }
}

/// TLS wants a name; nodes are known by their keys, and libp2p has agreed on this one.
const SERVER_NAME: &str = "l";

#[cfg(test)]
mod tests;
