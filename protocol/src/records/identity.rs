//! Who a realm is: inception, succession, node certificates, KEM keys, the serving node.

use super::Record;
use crate::{Digest, KeyId, NodeId, RealmId, Timestamp, cbor::numbered, wire_map};

wire_map! {
    /// The first record of a realm. Its digest is the [`RealmId`].
    pub struct Inception {
        /// The first realm key, Ed25519 public.
        0 => realm_key: [u8; 32],
        /// SHA-256 of the public key that succeeds it.
        1 => next_key: Digest,
        /// When the realm was made.
        2 => created: Timestamp,
    }
}

impl Record for Inception {
    const TAGS: &'static [&'static str] = &["realm/1/inception"];
}

numbered! {
    /// Why a realm key was succeeded.
    SuccessionReason ("a known succession reason") {
        /// By plan: older certificates run out by themselves.
        Routine = 1,
        /// The key may be in other hands: everything it signed is void at once.
        Compromised = 2,
    }
}

wire_map! {
    /// Hands a realm over to the next key, which its predecessor committed to.
    pub struct Succession {
        /// The realm.
        0 => realm: RealmId,
        /// Number of this succession: 1 follows the inception.
        1 => number: u64,
        /// Digest of the record before it: the inception or a succession.
        2 => previous: Digest,
        /// The realm key from here on, Ed25519 public; it signs this record.
        3 => realm_key: [u8; 32],
        /// SHA-256 of the public key that succeeds it.
        4 => next_key: Digest,
        /// Why.
        5 => reason: SuccessionReason,
        /// When.
        6 => created: Timestamp,
    }
}

impl Record for Succession {
    const TAGS: &'static [&'static str] = &["realm/1/succession"];
}

/// What a node certificate lets its node sign.
pub mod scopes {
    /// Envelopes and its own KEM records.
    pub const MESSAGE: u64 = 1;
    /// Child certificates, revocations, policy records, grants, the realm record.
    pub const ISSUE: u64 = 2;
}

wire_map! {
    /// The realm key lets a node act for the realm.
    pub struct NodeCert {
        /// Number among the realm's node certificates.
        0 => serial: u64,
        /// The realm.
        1 => realm: RealmId,
        /// The node, Ed25519 public.
        2 => node: NodeId,
        /// Bits of [`scopes`].
        3 => scopes: u64,
        /// Not valid before.
        4 => not_before: Timestamp,
        /// Not valid from.
        5 => not_after: Timestamp,
        /// Number of the succession whose key signs this; 0 for the inception's.
        6 => epoch: u64,
    }
}

impl Record for NodeCert {
    const TAGS: &'static [&'static str] = &["realm/1/node-cert"];
}

numbered! {
    /// What a KEM key receives.
    KemPurpose ("a known KEM purpose") {
        /// Messages on their way now.
        Live = 1,
        /// Messages a parent may keep for a realm that is offline.
        Stored = 2,
    }
}

wire_map! {
    /// A node's X25519 key that bodies are sealed to.
    pub struct KemRecord {
        /// The realm.
        0 => realm: RealmId,
        /// The node that holds the private half and signs this.
        1 => node: NodeId,
        /// X25519 public key.
        2 => key: [u8; 32],
        /// What it receives.
        3 => purpose: KemPurpose,
        /// Not sealed to before.
        4 => not_before: Timestamp,
        /// Not sealed to from.
        5 => not_after: Timestamp,
    }
}

impl KemRecord {
    /// The key's short name in headers.
    pub fn key_id(&self) -> KeyId {
        let digest = Digest::of(&[&self.key]);
        let mut short = [0; 8];
        short.copy_from_slice(digest.as_bytes().split_at(8).0);
        KeyId::new(short)
    }
}

impl Record for KemRecord {
    const TAGS: &'static [&'static str] = &["realm/1/kem"];
}

wire_map! {
    /// Names the node that serves a realm.
    pub struct RealmRecord {
        /// The realm.
        0 => realm: RealmId,
        /// Rises with every change of the serving node.
        1 => epoch: u64,
        /// The serving node; it signs this under its `issue` scope.
        2 => node: NodeId,
        /// When it was made.
        3 => created: Timestamp,
    }
}

impl Record for RealmRecord {
    const TAGS: &'static [&'static str] = &["realm/1/realm"];
}
