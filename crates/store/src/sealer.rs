//! Sealing of values: every one is bound to its realm, its tree, its key and its version.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use realm_crypto::StoreKey;
use realm_protocol::{
    RealmId, Timestamp,
    cbor::{self, Wire},
    journal::Event,
};
use thiserror::Error;

use crate::{ReadError, Tree, block, group::Group, layout, pointer::GROUPED};

// The schema version is each stored value's first byte.
/// The sealed value follows.
const PLAIN: u8 = 1;
/// A record's expiry follows, in milliseconds, eight bytes, then the sealed value. The expiry is
/// in clear, as it is in the index, and bound to the value.
const EXPIRING: u8 = 2;
/// Several events follow, sealed as one value: see [`crate::block`].
const BLOCK: u8 = 3;
// 4 is `GROUPED`: the value is in a group, and its place there follows.

/// Bytes that a stored value takes beside what is sealed, at most: version, expiry, nonce and tag.
const AROUND: usize = 1 + 8 + 24 + 16;

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, Error)]
#[error("the system gives no random bytes")]
pub(crate) struct NoRandomness;

/// Gives a generator with a fresh seed from the system: one system call for a group of values.
pub(crate) fn generator() -> Result<ChaCha20Rng, NoRandomness> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| NoRandomness)?;
    Ok(ChaCha20Rng::from_seed(seed))
}

pub(crate) struct Sealer {
    realm: RealmId,
    key: StoreKey,
}

impl Sealer {
    pub(crate) fn new(realm: RealmId, key: StoreKey) -> Self {
        Self { realm, key }
    }

    pub(crate) fn realm(&self) -> RealmId {
        self.realm
    }

    /// Seals a value for one place.
    pub(crate) fn seal(
        &self,
        rng: &mut ChaCha20Rng,
        tree: Tree,
        key: &[u8],
        plaintext: &[u8],
    ) -> Vec<u8> {
        let aad = self.place(tree, key, &[], PLAIN);
        let mut stored = Vec::with_capacity(plaintext.len() + AROUND);
        stored.push(PLAIN);
        self.key.seal_onto(rng, &aad, plaintext, &mut stored);
        stored
    }

    /// Seals a record that expires.
    pub(crate) fn seal_until(
        &self,
        rng: &mut ChaCha20Rng,
        key: &[u8],
        until: Timestamp,
        plaintext: &[u8],
    ) -> Vec<u8> {
        let expiry = until.as_millis().to_be_bytes();
        let aad = self.place(Tree::Records, key, &expiry, EXPIRING);
        let mut stored = Vec::with_capacity(plaintext.len() + AROUND);
        stored.push(EXPIRING);
        stored.extend(expiry);
        self.key.seal_onto(rng, &aad, plaintext, &mut stored);
        stored
    }

    /// Seals a block of events at the place of its first one, as the second format had them.
    #[cfg(test)]
    pub(crate) fn seal_block(&self, rng: &mut ChaCha20Rng, key: &[u8], block: &[u8]) -> Vec<u8> {
        let aad = self.place(Tree::Events, key, &[], BLOCK);
        let mut stored = vec![BLOCK];
        stored.extend(self.key.seal(rng, &aad, block));
        stored
    }

    /// Opens a group.
    pub(crate) fn open_group(&self, key: &[u8], stored: &[u8]) -> Result<Group, ReadError> {
        let opened = self.open(Tree::Groups, key, stored)?;
        Group::read(opened).ok_or(ReadError::Damaged(Tree::Groups))
    }

    /// Opens the events of a row that holds them itself, whether it is one event or a block.
    pub(crate) fn open_events(&self, key: &[u8], stored: &[u8]) -> Result<Vec<Event>, ReadError> {
        let damaged = || ReadError::Damaged(Tree::Events);
        let (run, first) = layout::event_of(key).ok_or_else(damaged)?;
        if stored.first() == Some(&BLOCK) {
            let opened = self.open(Tree::Events, key, stored)?;
            return block::read(run, first, &opened).ok_or_else(damaged);
        }
        let event: Event = self.open_wire(Tree::Events, key, stored)?;
        if (event.run, event.index) == (run, first) {
            Ok(vec![event])
        } else {
            Err(damaged())
        }
    }

    /// Opens a value of one place.
    pub(crate) fn open(&self, tree: Tree, key: &[u8], stored: &[u8]) -> Result<Vec<u8>, ReadError> {
        let (version, rest) = stored.split_first().ok_or(ReadError::Damaged(tree))?;
        let (found, known) = (*version, newest(tree));
        if found > known {
            return Err(ReadError::Newer { tree, found, known });
        }
        let expiry_bytes = if found == EXPIRING { 8 } else { 0 };
        let parts = rest.split_at_checked(expiry_bytes);
        let (expiry, sealed) = parts.ok_or(ReadError::Damaged(tree))?;
        let aad = self.place(tree, key, expiry, found);
        let opened = self.key.open(&aad, sealed);
        opened.map_err(|_| ReadError::Damaged(tree))
    }

    /// Seals a typed value, as the formats before groups had runs and single events.
    #[cfg(test)]
    pub(crate) fn seal_wire<T: Wire>(
        &self,
        rng: &mut ChaCha20Rng,
        tree: Tree,
        key: &[u8],
        value: &T,
    ) -> Vec<u8> {
        self.seal(rng, tree, key, &cbor::encode(value))
    }

    pub(crate) fn open_wire<T: Wire>(
        &self,
        tree: Tree,
        key: &[u8],
        stored: &[u8],
    ) -> Result<T, ReadError> {
        let bytes = self.open(tree, key, stored)?;
        cbor::decode(&bytes).map_err(|_| ReadError::Damaged(tree))
    }

    /// The version comes last: by it alone everything before is told apart.
    fn place(&self, tree: Tree, key: &[u8], expiry: &[u8], version: u8) -> Vec<u8> {
        let realm = self.realm.as_bytes().as_slice();
        [realm, &[tree.number()], key, expiry, &[version]].concat()
    }
}

/// When a stored record expires. Only opening the record proves it.
pub(crate) fn expiry(stored: &[u8]) -> Option<Timestamp> {
    let rest = stored.strip_prefix(&[EXPIRING])?;
    let millis = rest.first_chunk()?;
    Some(Timestamp::from_millis(u64::from_be_bytes(*millis)))
}

/// The newest schema version of a tree's values.
const fn newest(tree: Tree) -> u8 {
    match tree {
        Tree::Records => EXPIRING,
        Tree::Runs | Tree::Events => GROUPED,
        _ => PLAIN,
    }
}

/// The value of an index row, which says all it has to say by its key.
pub(crate) const INDEX_VALUE: &[u8] = &[PLAIN];
