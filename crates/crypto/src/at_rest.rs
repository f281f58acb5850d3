//! The key that seals what a realm keeps on disk.

use std::fmt;

use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keys::random;

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
        let mut nonce = [0; NONCE_BYTES];
        rng.fill_bytes(&mut nonce);
        let payload = Payload {
            msg: plaintext,
            aad,
        };
        #[expect(clippy::expect_used, reason = "fails only past 256 GiB of plaintext")]
        let ciphertext = self
            .cipher()
            .encrypt(&nonce.into(), payload)
            .expect("256 GiB");
        [nonce.as_slice(), &ciphertext].concat()
    }

    /// Opens what [`StoreKey::seal`] gave, under the same associated data.
    ///
    /// # Errors
    /// [`AtRestError`] when anything about it differs.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, AtRestError> {
        let (nonce, msg) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(AtRestError::Truncated)?;
        self.cipher()
            .decrypt(&(*nonce).into(), Payload { msg, aad })
            .map_err(|_| AtRestError::Refused)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(redacted)")
    }
}
