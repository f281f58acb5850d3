//! Messages that are sealed and not yet signed: those that leave together share a signature.

use realm_protocol::{
    Digest, Envelope, Header, Hop, MessageId, Phase, Signature, TAG_ROOT, TAG_SINGLE, cbor::Blob,
    limits,
};

use crate::{
    keys::SigningKey,
    signature::{inner, leaf, signed_input},
};

/// Letters under one root, at most.
const FLUSH: usize = 1 << limits::MERKLE_SIBLINGS;

/// A message that lacks only its signature.
#[derive(Clone, Debug)]
pub struct Letter {
    header: Header,
    encoded: Blob,
    body: Blob,
    digest: Digest,
    body_digest: Digest,
    /// The source's certificate chain, encoded, where the destination may not have it.
    pub chain: Option<Blob>,
    /// Which leg it begins with.
    pub phase: Phase,
}

impl Letter {
    /// Takes a header with its encoding, and the body.
    pub(crate) fn new(header: Header, encoded: Vec<u8>, body: Vec<u8>) -> Self {
        Self {
            digest: Digest::of(&[&encoded]),
            body_digest: Digest::of(&[&body]),
            header,
            encoded: Blob::from(encoded),
            body: Blob::from(body),
            chain: None,
            phase: Phase::Up,
        }
    }

    /// Gives the header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Gives the message's id.
    pub fn id(&self) -> MessageId {
        self.header.id
    }

    /// Gives SHA-256 of the header: what answers name.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Gives what [`Envelope::message_digest`] will give.
    pub fn message_digest(&self) -> Digest {
        Digest::of(&[&self.signed_input()])
    }

    /// Signs it alone.
    pub fn sign(self, signer: &SigningKey) -> Envelope {
        let signature = signer.sign_tagged(TAG_SINGLE, &self.signed_input());
        self.seal_with(Signature::Single(signature))
    }

    fn signed_input(&self) -> [u8; 64] {
        signed_input(self.digest, self.body_digest)
    }

    fn seal_with(self, signature: Signature) -> Envelope {
        Envelope {
            hop: Hop {
                left: limits::HOPS,
                phase: self.phase,
                age_ms: 0,
            },
            header: self.encoded,
            signature,
            body: self.body,
            chain: self.chain,
        }
    }
}

/// Signs letters that leave together: one alone, more under one Merkle root for each 1,024.
/// Gives the envelopes in the order of the letters.
pub fn sign_flush(signer: &SigningKey, letters: Vec<Letter>) -> Vec<Envelope> {
    let mut signed = Vec::with_capacity(letters.len());
    let mut letters = letters.into_iter();
    loop {
        let flush: Vec<Letter> = letters.by_ref().take(FLUSH).collect();
        if flush.is_empty() {
            return signed;
        }
        sign_together(signer, flush, &mut signed);
    }
}

fn sign_together(signer: &SigningKey, flush: Vec<Letter>, signed: &mut Vec<Envelope>) {
    if flush.len() < 2 {
        return signed.extend(flush.into_iter().map(|letter| letter.sign(signer)));
    }
    let levels = levels(
        flush
            .iter()
            .map(|letter| leaf(&letter.signed_input()))
            .collect(),
    );
    let root = levels.last().and_then(|level| level.first());
    let root = root.copied().unwrap_or(Digest::new([0; 32]));
    let signature = signer.sign_tagged(TAG_ROOT, root.as_bytes());
    for (index, letter) in flush.into_iter().enumerate() {
        signed.push(letter.seal_with(Signature::Root {
            signature,
            index: index as u64,
            siblings: siblings(&levels, index),
        }));
    }
}

/// The tree over the leaves, leaves first, root last. A level of odd length ends in zeros.
fn levels(leaves: Vec<Digest>) -> Vec<Vec<Digest>> {
    let mut levels = vec![leaves];
    while let Some(level) = levels.last_mut()
        && level.len() > 1
    {
        if !level.len().is_multiple_of(2) {
            level.push(Digest::new([0; 32]));
        }
        let (pairs, _) = level.as_chunks::<2>();
        let above = pairs.iter().map(|[left, right]| inner(left, right));
        let above = above.collect();
        levels.push(above);
    }
    levels
}

/// The digests beside the way from a leaf to the root.
fn siblings(levels: &[Vec<Digest>], index: usize) -> Vec<Digest> {
    let mut index = index;
    let mut beside = Vec::with_capacity(levels.len());
    for level in levels.iter().take(levels.len().saturating_sub(1)) {
        beside.extend(level.get(index ^ 1).copied());
        index >>= 1;
    }
    beside
}
