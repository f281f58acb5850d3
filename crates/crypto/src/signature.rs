//! An envelope's signature, alone or as a leaf under a Merkle root.

mod memo;

use std::sync::Arc;

use realm_protocol::{
    Digest, Envelope, Header, Hop, ReadHeader, Signature, TAG_SINGLE, limits,
    receipt::SignedHeader, records::scopes,
};
use thiserror::Error;

pub use self::memo::{RootMemo, RootMemos};
use crate::chain::VerifiedChain;

/// Prefix of a Merkle leaf's input.
const LEAF: &[u8] = &[0];
/// Prefix of an inner Merkle node's input.
const INNER: &[u8] = &[1];

/// Why an envelope is not its source's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum VerifyError {
    /// The header given is not the envelope's.
    #[error("another envelope's header, or none")]
    Header,
    /// The chain proves another place than the header's source.
    #[error("the source is not whom the chain proves")]
    Source,
    /// The source's node may not sign messages.
    #[error("the source's node may not sign messages")]
    Scope,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
}

/// An envelope whose signature is its source's.
#[derive(Clone, Debug)]
pub struct Verified {
    envelope: Envelope,
    header: Arc<Header>,
    digest: Digest,
    body_digest: Digest,
    trust_epoch: u64,
}

impl Verified {
    /// Gives the header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Gives what the last hop said; not signed.
    pub fn hop(&self) -> Hop {
        self.envelope.hop
    }

    /// Gives the envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Gives SHA-256 of the header.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Gives what [`Envelope::message_digest`] gives.
    pub fn message_digest(&self) -> Digest {
        Digest::of(&[&signed_input(self.digest, self.body_digest)])
    }

    /// Gives what its source has signed, without the body.
    pub(crate) fn signed(&self) -> SignedHeader {
        SignedHeader {
            header: self.envelope.header.clone(),
            signature: self.envelope.signature.clone(),
            body: self.body_digest,
        }
    }

    /// Gives the header to share.
    pub(crate) fn shared_header(&self) -> Arc<Header> {
        Arc::clone(&self.header)
    }

    /// Gives the caller's trust epoch under which the envelope was verified.
    pub fn trust_epoch(&self) -> u64 {
        self.trust_epoch
    }

    /// Takes the envelope back.
    pub fn into_envelope(self) -> Envelope {
        self.envelope
    }
}

/// Verifies that an envelope is from the realm that `source` proves. `header` is what
/// [`Envelope::read_header`] gave; `trust_epoch` is the caller's and is carried along.
///
/// # Errors
/// [`VerifyError`] when the header is another's, names another source, or is not signed by it.
pub fn verify_envelope(
    envelope: Envelope,
    header: ReadHeader,
    source: &VerifiedChain,
    trust_epoch: u64,
    roots: &mut RootMemo,
) -> Result<Verified, VerifyError> {
    if !header.is_of(&envelope) {
        return Err(VerifyError::Header);
    }
    if header.source != *source.place() {
        return Err(VerifyError::Source);
    }
    if source.scopes() & scopes::MESSAGE == 0 {
        return Err(VerifyError::Scope);
    }
    let digest = envelope.digest();
    let body_digest = Digest::of(&[&envelope.body]);
    let input = signed_input(digest, body_digest);
    if !is_signed_by(&envelope.signature, &input, source, roots) {
        return Err(VerifyError::Signature);
    }
    Ok(Verified {
        digest,
        body_digest,
        envelope,
        header: Arc::new(header.into_header()),
        trust_epoch,
    })
}

/// Reads a header whose body is not there, if the realm that `source` proves has signed both.
///
/// # Errors
/// As [`verify_envelope`]; [`VerifyError::Header`] where the header does not read.
pub fn verify_header(signed: &SignedHeader, source: &VerifiedChain) -> Result<Header, VerifyError> {
    let Ok(header) = signed.peek() else {
        return Err(VerifyError::Header);
    };
    if header.source != *source.place() {
        return Err(VerifyError::Source);
    }
    if source.scopes() & scopes::MESSAGE == 0 {
        return Err(VerifyError::Scope);
    }
    let input = signed_input(Digest::of(&[&signed.header]), signed.body);
    match is_signed_by(&signed.signature, &input, source, &mut RootMemo::default()) {
        true => Ok(header),
        false => Err(VerifyError::Signature),
    }
}

/// What a signature covers: the digest of the header, then that of the body.
pub(crate) fn signed_input(header: Digest, body: Digest) -> [u8; 64] {
    let mut input = [0; 64];
    let (first, second) = input.split_at_mut(32);
    first.copy_from_slice(header.as_bytes());
    second.copy_from_slice(body.as_bytes());
    input
}

fn is_signed_by(
    signature: &Signature,
    input: &[u8; 64],
    source: &VerifiedChain,
    roots: &mut RootMemo,
) -> bool {
    let Some(key) = source.key() else {
        return false;
    };
    match signature {
        Signature::Single(signature) => {
            key.has_signed(&[TAG_SINGLE.as_bytes(), &[0], input], signature)
        }
        Signature::Root {
            signature,
            index,
            siblings,
        } => merkle_root(input, *index, siblings)
            .is_some_and(|root| roots.verify(source.node(), key, root, signature)),
    }
}

/// The leaf of a message with this signed input.
pub(crate) fn leaf(input: &[u8]) -> Digest {
    Digest::of(&[LEAF, input])
}

/// The digest above two others.
pub(crate) fn inner(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[INNER, left.as_bytes(), right.as_bytes()])
}

/// Climbs from a leaf to its root; none for a leaf outside its tree.
fn merkle_root(input: &[u8], index: u64, siblings: &[Digest]) -> Option<Digest> {
    if siblings.len() > limits::MERKLE_SIBLINGS {
        return None;
    }
    let mut digest = leaf(input);
    let mut index = index;
    for sibling in siblings {
        let (left, right) = if index.is_multiple_of(2) {
            (&digest, sibling)
        } else {
            (sibling, &digest)
        };
        digest = inner(left, right);
        index = index.wrapping_shr(1);
    }
    (index == 0).then_some(digest)
}
