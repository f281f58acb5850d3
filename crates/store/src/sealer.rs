//! Sealing of values: every one is bound to its realm, its tree, its key and its version.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use realm_crypto::StoreKey;
use realm_protocol::{
    RealmId,
    cbor::{self, Wire},
};
use thiserror::Error;

use crate::{ReadError, Tree};

/// Newest schema version of a stored value. It is each value's first byte.
const VERSION: u8 = 1;

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
        let aad = self.place(tree, key, VERSION);
        let mut stored = vec![VERSION];
        stored.extend(self.key.seal(rng, &aad, plaintext));
        stored
    }

    /// Opens a value of one place.
    pub(crate) fn open(&self, tree: Tree, key: &[u8], stored: &[u8]) -> Result<Vec<u8>, ReadError> {
        let (version, sealed) = stored.split_first().ok_or(ReadError::Damaged(tree))?;
        if *version > VERSION {
            return Err(ReadError::Newer {
                tree,
                found: *version,
                known: VERSION,
            });
        }
        let aad = self.place(tree, key, *version);
        let opened = self.key.open(&aad, sealed);
        opened.map_err(|_| ReadError::Damaged(tree))
    }

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

    fn place(&self, tree: Tree, key: &[u8], version: u8) -> Vec<u8> {
        let realm = self.realm.as_bytes().as_slice();
        [realm, &[tree.number()], key, &[version]].concat()
    }
}

/// The value of an index row, which says all it has to say by its key.
pub(crate) fn index_value() -> Vec<u8> {
    vec![VERSION]
}
