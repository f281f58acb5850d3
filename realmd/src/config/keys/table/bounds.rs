//! The keys of what a realm bears at most.

use super::{GIB, HOUR, KIB, Key, Kind, MIB, SECOND};

pub(super) const ADMISSION: Key = Key {
    name: "limits.admission",
    kind: Kind::Duration(SECOND, 5 * 60 * SECOND),
    default: Some("\"10s\""),
    meaning: "How long a new link has to prove who it is; then it is cut.",
    reloads: false,
};
pub(super) const ANNOUNCE_RATE: Key = Key {
    name: "limits.announce_rate",
    kind: Kind::Number(1, 1_000_000),
    default: Some("250"),
    meaning: "Announcements a second that are passed on from under one root, or from one subtree beside this realm, half as many at each level below; four times as many at once.",
    reloads: false,
};
pub(super) const CALL_TIMEOUT: Key = Key {
    name: "limits.call_timeout",
    kind: Kind::Duration(SECOND, HOUR),
    default: Some("\"60s\""),
    meaning: "How long a call waits for its answer where the caller does not say.",
    reloads: false,
};
pub(super) const CHILD_RATE: Key = Key {
    name: "limits.child_rate",
    kind: Kind::Number(1, 1_000_000),
    default: Some("5000"),
    meaning: "Messages a second that a child's link carries, four times as many at once; in certificates from the next renewal on.",
    reloads: false,
};
pub(super) const CONNECTIONS: Key = Key {
    name: "limits.connections",
    kind: Kind::Number(1, 65_536),
    default: Some("256"),
    meaning: "Inbound links that are neither parent, child nor peer; more are refused.",
    reloads: false,
};
pub(super) const HANDSHAKES: Key = Key {
    name: "limits.handshakes",
    kind: Kind::Number(1, 10_000),
    default: Some("10"),
    meaning: "Handshakes a second from one address; more are refused. Loopback is exempt.",
    reloads: false,
};
pub(super) const MAX_CALLS: Key = Key {
    name: "limits.max_calls",
    kind: Kind::Number(1, 65_536),
    default: Some("4096"),
    meaning: "Calls under way, in and out; more are refused as Overloaded.",
    reloads: false,
};
pub(super) const MAX_CALLS_PER_PEER: Key = Key {
    name: "limits.max_calls_per_peer",
    kind: Kind::Number(1, 65_536),
    default: Some("8"),
    meaning: "Calls under way here from one foreign root; more are refused as Overloaded.",
    reloads: false,
};
pub(super) const MAX_MEMORY: Key = Key {
    name: "limits.max_memory",
    kind: Kind::Bytes(64 * MIB, 1024 * GIB),
    default: Some("\"1 GiB\""),
    meaning: "Resident memory; from 75 % no connection is taken, from 90 % strangers are cut.",
    reloads: false,
};
pub(super) const PEER_BYTES: Key = Key {
    name: "limits.peer_bytes",
    kind: Kind::Bytes(128 * KIB, GIB),
    default: Some("\"4 MiB\""),
    meaning: "Bytes a second that are taken from one peer, beside parts of outputs, whatever its messages; four times as many at once. More are dropped.",
    reloads: false,
};
pub(super) const PENDING: Key = Key {
    name: "limits.pending",
    kind: Kind::Number(1, 4_096),
    default: Some("64"),
    meaning: "Connections in their handshake, and dials under way; more are refused.",
    reloads: false,
};
pub(super) const PER_NODE: Key = Key {
    name: "limits.per_node",
    kind: Kind::Number(2, 16),
    default: Some("2"),
    meaning: "Links with one node, both directions; more are refused.",
    reloads: false,
};
pub(super) const STRANGERS: Key = Key {
    name: "limits.strangers",
    kind: Kind::Number(1, 4_096),
    default: Some("32"),
    meaning: "Links of realms that are let in only to join; one more is closed.",
    reloads: false,
};
pub(super) const UNADMITTED_PER_ADDRESS: Key = Key {
    name: "limits.unadmitted_per_address",
    kind: Kind::Number(1, 4_096),
    default: Some("8"),
    meaning: "Connections from one address that have not proved who they are; more are refused. Loopback is exempt.",
    reloads: false,
};
