//! What realms sign about themselves and each other.
//!
//! A record is signed as bytes: `[payload, signature, …]`, each signature over a domain tag and
//! the payload as received. Nothing is ever encoded again to be checked.

mod chain;
mod identity;
mod peering;
mod subtree;

use std::marker::PhantomData;

use ciborium::Value;

use crate::{
    Digest, RealmId,
    cbor::{self, Blob, CborError, Wire},
    limits,
};

pub use chain::{Chain, ChainLink};
pub use identity::{
    Inception, KemPurpose, KemRecord, NodeCert, RealmRecord, Succession, SuccessionReason, scopes,
};
pub use peering::{Grant, Peering, Ticket, TicketKind};
pub use subtree::{ChildCert, ChildLimits, Petname, PolicyRecord, RevocationList};

/// A kind of record: its type and the domain tags of its signatures.
pub trait Record: Wire {
    /// The domain tag of each signature, in order. No two tags in the protocol are alike.
    const TAGS: &'static [&'static str];
}

/// A record's payload as it was signed, with its signatures, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    /// The bytes that were signed.
    pub payload: Blob,
    /// One Ed25519 signature for each of [`Record::TAGS`]; fewer while others are still to sign.
    pub signatures: Vec<[u8; 64]>,
    record: PhantomData<T>,
}

impl<T: Record> Signed<T> {
    /// Encodes the payload; the signatures are added by who holds the keys.
    pub fn unsigned(record: &T) -> Self {
        Self {
            payload: Blob::from(cbor::encode(record)),
            signatures: Vec::new(),
            record: PhantomData,
        }
    }

    /// Reads the payload without checking any signature. Use what `realm-crypto` verified.
    ///
    /// # Errors
    /// [`CborError`] when the payload is not this record.
    pub fn peek(&self) -> Result<T, CborError> {
        cbor::decode(&self.payload)
    }

    /// SHA-256 of the payload.
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.payload])
    }

    /// What signature `index` is over: the tag, a zero byte, the payload.
    pub fn signed_input(&self, index: usize) -> Option<Vec<u8>> {
        let tag = T::TAGS.get(index)?;
        Some([tag.as_bytes(), &[0], &self.payload].concat())
    }
}

impl Signed<Inception> {
    /// The realm's id: the digest of its inception.
    pub fn realm_id(&self) -> RealmId {
        RealmId::new(*self.digest().as_bytes())
    }
}

impl<T: Record> Wire for Signed<T> {
    fn to_value(&self) -> Value {
        let signatures = self.signatures.iter().map(Wire::to_value);
        Value::Array(
            std::iter::once(self.payload.to_value())
                .chain(signatures)
                .collect(),
        )
    }

    fn from_value(value: Value) -> Result<Self, CborError> {
        let items = value
            .into_array()
            .map_err(|_| CborError::Expected("a signed record"))?;
        let mut items = items.into_iter();
        let payload = Blob::from_value(items.next().ok_or(CborError::Truncated)?)?;
        let signatures = items
            .map(<[u8; 64]>::from_value)
            .collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > T::TAGS.len() {
            return Err(CborError::Expected("fewer signatures"));
        }
        if payload.len() > limits::RECORD_BYTES {
            return Err(CborError::Expected("a shorter record"));
        }
        Ok(Self {
            payload,
            signatures,
            record: PhantomData,
        })
    }
}

#[cfg(test)]
mod tests;
