//! The key that seals what a realm keeps on disk.

use std::fmt;

use rand_core::CryptoRng;
use realm_protocol::RealmId;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    aead::{AeadKey, TAG_BYTES},
    keys::random,
};

/// Bytes of nonce in front of each ciphertext.
const NONCE_BYTES: usize = 24;

/// Why sealed bytes from disk do not open.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AtRestError {
    /// Shorter than a nonce.
    #[error("sealed bytes are truncated")]
    Truncated,
    /// Another key, other associated data, or changed bytes.
    #[error("sealed bytes do not open: wrong key, wrong place, or changed")]
    Refused,
}

/// Associated data of what one realm keeps in one place: it opens there alone.
pub fn bind(tag: &str, realm: RealmId, place: &[u8]) -> Vec<u8> {
    [tag.as_bytes(), &[0], realm.as_bytes(), place].concat()
}

/// An XChaCha20-Poly1305 key for what is stored.
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    /// Takes the 32 key bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Makes a new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(random(rng))
    }

    /// Gives the key bytes, for storing under another key.
    pub fn bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// Seals the plaintext: a random nonce of 24 bytes, then the ciphertext.
    pub fn seal(&self, rng: &mut impl CryptoRng, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        self.seal_onto(rng, aad, plaintext, &mut sealed);
        sealed
    }

    /// Seals the plaintext like [`StoreKey::seal`], behind what `out` holds.
    pub fn seal_onto(
        &self,
        rng: &mut impl CryptoRng,
        aad: &[u8],
        plaintext: &[u8],
        out: &mut Vec<u8>,
    ) {
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let (key, short) = AeadKey::extended(&self.0, &nonce);
        out.reserve_exact(plaintext.len().saturating_add(NONCE_BYTES + TAG_BYTES));
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plaintext);
        #[expect(clippy::expect_used, reason = "fails only past 256 GiB of plaintext")]
        key.seal(short, aad, out, start).expect("256 GiB");
    }

    /// Opens what [`StoreKey::seal`] gave, under the same associated data.
    ///
    /// # Errors
    /// [`AtRestError`] when anything about it differs.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, AtRestError> {
        let (nonce, msg) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(AtRestError::Truncated)?;
        let (key, short) = AeadKey::extended(&self.0, nonce);
        key.open(short, aad, msg).ok_or(AtRestError::Refused)
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(redacted)")
    }
}
