//! Key files behind a passphrase.
//!
//! A random wrapping key seals each key file; the passphrase seals the wrapping key. So a change
//! of passphrase rewrites one small record, whole or not at all.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use rand_core::CryptoRng;
use realm_protocol::{
    RealmId,
    cbor::{self, Blob},
    wire_map,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::at_rest::{AtRestError, StoreKey, bind};

/// Argon2id 1.3, and XChaCha20-Poly1305 under what it gives.
const FORM: u64 = 1;
/// Memory that a lock may ask for, KiB. Less guards nothing; more is an attack on who opens it.
const MEMORY_KIB: std::ops::RangeInclusive<u64> = 19 * 1024..=1024 * 1024;
/// Passes over that memory that a lock may ask for.
const PASSES: std::ops::RangeInclusive<u64> = 2..=16;
/// Lanes that a lock may ask for.
const LANES: std::ops::RangeInclusive<u64> = 1..=4;

/// Longest passphrase, bytes.
pub const PASSPHRASE_BYTES: usize = 1024;

/// Why a lock does not open, or cannot be made.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PassphraseError {
    /// Another form of lock, of a later version.
    #[error("a lock of form {0}, which this version does not know")]
    Form(u64),
    /// The lock asks for a cost outside the bounds.
    #[error("a lock that asks for {memory_kib} KiB, {passes} passes and {lanes} lanes")]
    Cost {
        /// Memory, KiB.
        memory_kib: u64,
        /// Passes.
        passes: u64,
        /// Lanes.
        lanes: u64,
    },
    /// Empty, or longer than [`PASSPHRASE_BYTES`].
    #[error("a passphrase has 1 to {PASSPHRASE_BYTES} bytes")]
    Length,
    /// Another passphrase, another realm's lock, or a changed one. Which cannot be told apart.
    #[error("the passphrase does not open the lock")]
    Wrong,
}

wire_map! {
    /// The wrapping key of a realm's key files, sealed under its passphrase.
    pub struct PassphraseLock {
        /// Form of this record; 1 is Argon2id and XChaCha20-Poly1305.
        0 => form: u64,
        /// Memory that Argon2id fills, KiB.
        1 => memory_kib: u64,
        /// Passes over that memory.
        2 => passes: u64,
        /// Lanes.
        3 => lanes: u64,
        /// Salt of Argon2id.
        4 => salt: [u8; 16],
        /// Nonce, wrapping key and tag.
        5 => sealed: Blob,
    }
}

impl PassphraseLock {
    /// Opens the lock. A wrong passphrase costs what the right one does.
    ///
    /// # Errors
    /// [`PassphraseError`]; [`PassphraseError::Cost`] before anything is spent.
    pub fn open(&self, realm: RealmId, passphrase: &[u8]) -> Result<WrappingKey, PassphraseError> {
        let opened = self
            .stretch(passphrase)?
            .open(&self.binding(realm), &self.sealed);
        let opened = Zeroizing::new(opened.map_err(|_| PassphraseError::Wrong)?);
        let bytes = <[u8; 32]>::try_from(opened.as_slice());
        let bytes = bytes.map_err(|_| PassphraseError::Wrong)?;
        Ok(WrappingKey(StoreKey::from_bytes(bytes)))
    }

    /// Derives the key that the wrapping key is sealed under.
    fn stretch(&self, passphrase: &[u8]) -> Result<StoreKey, PassphraseError> {
        let Self {
            form,
            memory_kib,
            passes,
            lanes,
            salt,
            sealed: _,
        } = self;
        if *form != FORM {
            return Err(PassphraseError::Form(*form));
        }
        let cost = PassphraseError::Cost {
            memory_kib: *memory_kib,
            passes: *passes,
            lanes: *lanes,
        };
        let bounded =
            MEMORY_KIB.contains(memory_kib) && PASSES.contains(passes) && LANES.contains(lanes);
        if !bounded {
            return Err(cost);
        }
        if passphrase.is_empty() || passphrase.len() > PASSPHRASE_BYTES {
            return Err(PassphraseError::Length);
        }
        let small = |number: &u64| u32::try_from(*number).map_err(|_| cost);
        let params = Params::new(small(memory_kib)?, small(passes)?, small(lanes)?, None);
        let mut key = Zeroizing::new([0; 32]);
        params
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .and_then(|argon| argon.hash_password_into(passphrase, salt, key.as_mut_slice()))
            .map_err(|_| cost)?;
        Ok(StoreKey::from_bytes(*key))
    }

    /// What the sealed key is bound to: the realm, and everything else in the lock.
    fn binding(&self, realm: RealmId) -> Vec<u8> {
        let open = Self {
            sealed: Vec::new().into(),
            ..self.clone()
        };
        bind("realm/1/passphrase", realm, &cbor::encode(&open))
    }
}

/// The key that seals a realm's key files.
pub struct WrappingKey(StoreKey);

impl WrappingKey {
    /// Makes a new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(StoreKey::generate(rng))
    }

    /// Seals the key under a passphrase: Argon2id over 64 MiB, three passes, one lane, the second
    /// choice of RFC 9106 on one lane.
    ///
    /// # Errors
    /// [`PassphraseError::Length`].
    pub fn lock(
        &self,
        rng: &mut impl CryptoRng,
        realm: RealmId,
        passphrase: &[u8],
    ) -> Result<PassphraseLock, PassphraseError> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        let mut lock = PassphraseLock {
            form: FORM,
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
            salt,
            sealed: Vec::new().into(),
        };
        let key = lock.stretch(passphrase)?;
        let sealed = key.seal(rng, &lock.binding(realm), self.0.bytes().as_slice());
        lock.sealed = sealed.into();
        Ok(lock)
    }

    /// Seals a key of a realm under the name of its file.
    pub fn wrap(
        &self,
        rng: &mut impl CryptoRng,
        realm: RealmId,
        name: &str,
        key: &[u8; 32],
    ) -> Vec<u8> {
        self.0.seal(rng, &of_file(realm, name), key)
    }

    /// Opens what [`WrappingKey::wrap`] gave, for the same realm and name.
    ///
    /// # Errors
    /// [`AtRestError`] when anything about it differs.
    pub fn unwrap_key(
        &self,
        realm: RealmId,
        name: &str,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, AtRestError> {
        let opened = Zeroizing::new(self.0.open(&of_file(realm, name), wrapped)?);
        let mut key = Zeroizing::new([0; 32]);
        if opened.len() != key.len() {
            return Err(AtRestError::Refused);
        }
        key.copy_from_slice(&opened);
        Ok(key)
    }
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappingKey(redacted)")
    }
}

fn of_file(realm: RealmId, name: &str) -> Vec<u8> {
    bind("realm/1/key-file", realm, name.as_bytes())
}

#[cfg(test)]
mod tests;
