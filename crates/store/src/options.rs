//! What a caller chooses, and what the store tells it.

use std::fmt;

use realm_crypto::StoreKey;
use realm_protocol::{RealmId, journal::JournalSeq};

use crate::StoreError;

/// Default size of an engine's page cache, bytes: small, because an idle daemon holds it too.
const CACHE_BYTES: usize = 1024 * 1024;

/// Opens a store as whose, with which key, and on what.
#[derive(Debug)]
pub struct Options {
    /// The realm whose store it is; every sealed value is bound to it.
    pub realm: RealmId,
    /// The key that seals every value.
    pub key: StoreKey,
    /// Bytes of pages the engine may keep in memory.
    pub cache_bytes: usize,
    /// The engine that keeps the files.
    pub engine: EngineKind,
}

impl Options {
    /// Takes the realm and its key, with the default engine and cache.
    pub fn new(realm: RealmId, key: StoreKey) -> Self {
        Self {
            realm,
            key,
            cache_bytes: CACHE_BYTES,
            engine: EngineKind::default(),
        }
    }
}

/// Names the engine that keeps a store's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// One file, `realm.redb`.
    #[default]
    Redb,
    /// A folder, `realm.sled`.
    Sled,
}

impl EngineKind {
    /// Every engine there is.
    pub const ALL: &[Self] = &[Self::Redb, Self::Sled];

    /// The engine's name, as it stands in configurations and beside the store's files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
        }
    }

    /// The engine of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Says how soon an entry must reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Something waits for it: written with whatever else is waiting.
    Now,
    /// Nothing waits for it: it may trail by up to 50 ms, for company.
    Soon,
}

/// What the committer reports, in order.
#[derive(Debug)]
pub enum Ack {
    /// Every entry up to and including this one is durable.
    Durable(JournalSeq),
    /// The store is poisoned: nothing that was not acknowledged ever will be.
    Failed(StoreError),
}
