//! What realms sign about themselves and each other.
//!
//! A record is signed as bytes: `[payload, signature, …]`, each signature over a domain tag and
//! the payload as received. Nothing is ever encoded again to be checked.

mod approval;
mod chain;
mod grant;
mod identity;
mod peering;
mod subtree;

use std::marker::PhantomData;

use crate::{
    Digest, RealmId,
    cbor::{self, Blob, CborError, Reader, Wire, Writer},
    limits,
};

pub use approval::{Approval, ApprovalAction, ApprovalVerdict, Role, UnknownRole};
pub use chain::{Chain, ChainLink};
pub use grant::{Grant, GrantLink, LoopPattern, Widened};
pub use identity::{
    Inception, KemPurpose, KemRecord, NodeCert, RealmRecord, Succession, SuccessionReason, scopes,
};
pub use peering::{Admission, Peering, Ticket, TicketKind};
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
    fn write(&self, out: &mut Writer) {
        out.array(self.signatures.len().saturating_add(1));
        self.payload.write(out);
        for signature in &self.signatures {
            signature.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        let items = from.array("a signed record")?;
        let signatures = items.checked_sub(1).ok_or(CborError::Truncated)?;
        if signatures > T::TAGS.len() as u64 {
            return Err(CborError::Expected("fewer signatures"));
        }
        // A record outlives what brought it, so it is copied out.
        let payload = Blob::from(from.bytes()?.to_vec());
        if payload.len() > limits::RECORD_BYTES {
            return Err(CborError::Expected("a shorter record"));
        }
        let signatures = (0..signatures).map(|_| Wire::read(from));
        Ok(Self {
            payload,
            signatures: signatures.collect::<Result<_, _>>()?,
            record: PhantomData,
        })
    }
}

#[cfg(test)]
mod tests;
