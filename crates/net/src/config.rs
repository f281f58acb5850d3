//! What a net is started with, and every bound it keeps.

use std::time::Duration;

use libp2p::Multiaddr;
use realm_protocol::limits;
use zeroize::Zeroizing;

/// Everything [`start`](crate::start) needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of the node's Ed25519 key, which authenticates its links.
    pub seed: Zeroizing<[u8; 32]>,
    /// Addresses to listen on, such as `/ip4/0.0.0.0/tcp/0` or `/ip6/::/udp/0/quic-v1`; none means
    /// dial only.
    pub listen: Vec<Multiaddr>,
    /// Bounds; the default is right for a daemon.
    pub limits: Limits,
}

/// Bounds of a net. What happens at each stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Inbound connections in their handshake; more are refused. Also dials under way; more are
    /// `DialError::Busy`.
    pub pending: usize,
    /// Inbound links that are not `Counted::Known`; more are refused after their handshake.
    pub uncertified: usize,
    /// Links admitted as `Counted::Stranger`; one more is closed instead of admitted.
    pub strangers: usize,
    /// Links with one node, both directions; more are refused after their handshake.
    pub per_node: usize,
    /// Inbound connections from one address (IPv4 /32, IPv6 /64) that are not admitted yet; more
    /// are refused before their handshake. Loopback is exempt.
    pub unadmitted_per_address: usize,
    /// Handshakes a second from one address; more are refused. Loopback is exempt.
    pub handshakes: u32,
    /// The same for an address that had a known link in the last hour.
    pub known_handshakes: u32,
    /// Inbound QUIC handshakes under way from which on an address must show that it receives
    /// what is sent to it, which costs its handshake one round trip more.
    pub unvalidated: usize,
    /// Streams in one connection; more end it over yamux and are not given over QUIC.
    pub streams: usize,
    /// Bytes of one QUIC stream, each way, that may be under way unread or unconfirmed; then
    /// the sender waits. Over yamux a stream has 256 KiB.
    pub stream_bytes: usize,
    /// The same for all streams of a connection that the peer sends on.
    pub connection_bytes: usize,
    /// Resident bytes of the process. From 75 % no new connection is taken, from 90 % links that
    /// are not known are closed. `None` turns the guard off.
    pub memory: Option<usize>,
    /// Frames waiting in an outbox; more are `SendError::Full`.
    pub outbox_frames: usize,
    /// Bytes waiting in an outbox; more are `SendError::Full`.
    pub outbox_bytes: usize,
    /// Frames waiting in an inbox; at the bound the peer is no longer read.
    pub inbox_frames: usize,
    /// Bytes waiting in an inbox, give or take one frame; at the bound the peer is no longer
    /// read. Before admission the bound is one frame.
    pub inbox_bytes: usize,
    /// Time for a dial to connect and authenticate; then `DialError::Timeout`.
    pub dial: Duration,
    /// How long TCP addresses are tried before QUIC addresses are.
    pub tcp_head_start: Duration,
    /// Silence after which a QUIC connection counts as lost.
    pub idle: Duration,
    /// Time for an inbound handshake, and for both lanes to stand; then the connection is cut.
    pub negotiate: Duration,
    /// Time from connection to admission; then the link is cut.
    pub admission: Duration,
    /// Time for a frame to arrive once begun, and for a peer to take bytes; then the link is cut.
    pub frame: Duration,
    /// Time to flush and say goodbye when a link is closed; then it is dropped as it is.
    pub close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending: 64,
            uncertified: 256,
            strangers: 32,
            per_node: 2,
            unadmitted_per_address: 8,
            handshakes: 10,
            known_handshakes: 500,
            unvalidated: 0,
            streams: 32,
            stream_bytes: 1024 * 1024,
            connection_bytes: 8 * 1024 * 1024,
            memory: Some(1024 * 1024 * 1024),
            outbox_frames: 256,
            outbox_bytes: 4 * 1024 * 1024,
            inbox_frames: 64,
            inbox_bytes: 1024 * 1024,
            dial: Duration::from_secs(10),
            tcp_head_start: Duration::from_millis(500),
            idle: Duration::from_secs(30),
            negotiate: Duration::from_secs(5),
            admission: Duration::from_millis(limits::ADMISSION_MS),
            frame: Duration::from_secs(15),
            close: Duration::from_secs(2),
        }
    }
}
