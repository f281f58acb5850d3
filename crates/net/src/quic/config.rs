//! What QUIC connections are held to.

use std::{io, net::UdpSocket, sync::Arc, time::Duration};

use libp2p::{identity::Keypair, tls};
use quinn::{
    VarInt,
    crypto::rustls::{QuicClientConfig, QuicServerConfig},
    rustls::NoKeyLog,
};

use crate::{Limits, transport::TransportError};

/// Silence after which a packet is sent for its own sake, so that no idle timeout strikes a link
/// that stands.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Bytes that connections may send ahead while they wait to be let in, all together.
const EARLY_BYTES: u64 = 1024 * 1024;
/// The same for one connection: a ClientHello and what comes with it.
const EARLY_BYTES_EACH: u64 = 16 * 1024;

/// Keys and bounds of the transport.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(super) client: quinn::ClientConfig,
    pub(super) server: quinn::ServerConfig,
    /// How long a dial waits for TCP to get through first.
    pub(super) tcp_head_start: Duration,
    /// Handshakes under way from which on addresses are validated first.
    pub(super) unvalidated: usize,
}

impl Config {
    /// Prepares the node's key and the limits for QUIC.
    pub(crate) fn new(keypair: &Keypair, limits: &Limits) -> Result<Self, TransportError> {
        let transport = Arc::new(transport(limits));
        let mut tls = tls::make_client_config(keypair, None)?;
        // Keys are never written down, whatever SSLKEYLOGFILE says.
        tls.key_log = Arc::new(NoKeyLog {});
        let mut client = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        client.transport_config(Arc::clone(&transport));
        let mut tls = tls::make_server_config(keypair)?;
        tls.key_log = Arc::new(NoKeyLog {});
        let tls = QuicServerConfig::try_from(tls)?;
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(tls));
        server
            .transport_config(transport)
            // Links are told apart by the address they came from.
            .migration(false)
            .max_incoming(limits.pending)
            .incoming_buffer_size(EARLY_BYTES_EACH)
            .incoming_buffer_size_total(EARLY_BYTES);
        Ok(Self {
            client,
            server,
            tcp_head_start: limits.tcp_head_start,
            unvalidated: limits.unvalidated,
        })
    }

    /// Puts a socket to work, for inbound connections too if there is a `server`.
    pub(super) fn endpoint(
        &self,
        server: Option<quinn::ServerConfig>,
        socket: UdpSocket,
    ) -> io::Result<quinn::Endpoint> {
        let mut config = quinn::EndpointConfig::default();
        config.supported_versions(vec![1]);
        quinn::Endpoint::new(config, server, socket, Arc::new(quinn::TokioRuntime))
    }
}

fn transport(limits: &Limits) -> quinn::TransportConfig {
    let varint = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let idle = quinn::IdleTimeout::try_from(limits.idle).ok();
    let mut config = quinn::TransportConfig::default();
    config
        .max_concurrent_bidi_streams(varint(limits.streams).into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(varint(limits.stream_bytes).into())
        .receive_window(varint(limits.connection_bytes).into())
        .send_window(u64::from(varint(limits.stream_bytes)))
        .max_idle_timeout(idle)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .allow_spin(false);
    config
}
