//! Secret keys that sign and that receive. They erase themselves and never print.

use std::fmt;

use rand_core::CryptoRng;
use realm_protocol::{
    Digest, KeyId, NodeId,
    records::{Record, Signed},
};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::ed25519::{self, SecretKey};

/// An Ed25519 key: a realm's, or a node's.
pub struct SigningKey(SecretKey);

impl SigningKey {
    /// Derives the key from its 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SecretKey::from_seed(seed))
    }

    /// Makes a new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_seed(&random(rng))
    }

    /// Gives the seed, for storing.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.0.seed()
    }

    /// Gives the public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.public()
    }

    /// Names the node that holds this key.
    pub fn node_id(&self) -> NodeId {
        NodeId::new(self.public())
    }

    /// Appends the record's next signature; a record that has all of them stays as it is.
    pub fn sign<T: Record>(&self, record: &mut Signed<T>) {
        if let Some(input) = record.signed_input(record.signatures.len()) {
            record.signatures.push(self.0.sign(&input));
        }
    }

    /// Signs the tag, a zero byte and the input.
    pub(crate) fn sign_tagged(&self, tag: &str, input: &[u8]) -> [u8; 64] {
        self.0.sign(&[tag.as_bytes(), &[0], input].concat())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

/// An X25519 key that bodies are sealed to.
pub struct KemKey(StaticSecret);

impl KemKey {
    /// Takes the 32 secret bytes.
    pub fn from_secret(secret: [u8; 32]) -> Self {
        Self(StaticSecret::from(secret))
    }

    /// Makes a new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_secret(*random(rng))
    }

    /// Gives the secret bytes, for storing.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Gives the public key.
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    /// Gives the key's short name in headers.
    pub fn key_id(&self) -> KeyId {
        let digest = Digest::of(&[&self.public()]);
        let mut short = [0; 8];
        short.copy_from_slice(digest.as_bytes().split_at(8).0);
        KeyId::new(short)
    }
}

impl fmt::Debug for KemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemKey(redacted)")
    }
}

/// Checks a signature over the message as it stands, by a key that is seen once.
pub(crate) fn is_signed_over(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    ed25519::PublicKey::new(key).is_some_and(|key| key.has_signed(&[message], signature))
}

/// Fills 32 bytes.
pub(crate) fn random(rng: &mut impl CryptoRng) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(bytes.as_mut_slice());
    bytes
}

#[cfg(test)]
mod tests;
