//! What goes out: header, commitment, body, signature.

use rand_core::CryptoRng;
use realm_protocol::{
    CallId, Digest, Envelope, Header, Hop, Kind, MessageId, Phase, Place, Priority, Signature,
    Suite, TAG_SINGLE, Timestamp,
    cbor::{self, Blob},
    limits,
    message::Plaintext,
    records::KemRecord,
};
use thiserror::Error;

use crate::{
    body::{ReplyKey, encode_padded, fits, hpke_seal},
    keys::{SigningKey, random},
};

/// A message before it is sealed.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// What it is.
    pub kind: Kind,
    /// Who sends it; the signing node's place.
    pub source: &'a Place,
    /// Who receives it.
    pub destination: &'a Place,
    /// When it is made.
    pub created: Timestamp,
    /// How long it may be under way, milliseconds.
    pub ttl_ms: u64,
    /// The call it belongs to.
    pub call: CallId,
    /// Digest of the header it answers.
    pub answers: Option<Digest>,
    /// How it ranks.
    pub priority: Priority,
    /// Bits of [`realm_protocol::flags`]; none for none.
    pub flags: Option<u64>,
    /// Largest answer taken, bytes of plaintext.
    pub max_reply: u64,
    /// The content of the kind, encoded.
    pub content: &'a [u8],
}

/// Why a message cannot go out.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// The content is longer than one message takes.
    #[error("content longer than {} bytes", limits::BODY_BYTES)]
    TooLarge,
    /// The source's node does not hold the signing key.
    #[error("the source is not the node that signs")]
    Source,
    /// The KEM record is another realm's or another node's than the destination.
    #[error("the key is not the destination's")]
    Recipient,
    /// The answer does not name the request that the reply key is of.
    #[error("the reply key is of another request")]
    Request,
    /// Only resolution and failures go in the clear.
    #[error("a {} must be sealed", .0.name())]
    MustBeSealed(Kind),
    /// The recipient's public key is no key.
    #[error("the recipient's key cannot be sealed to")]
    Key,
}

/// A sealed request.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The envelope, at the start of its way, without a chain.
    pub envelope: Envelope,
    /// Opens the answers.
    pub reply_key: ReplyKey,
    /// SHA-256 of the header: what answers name.
    pub digest: Digest,
    /// The message's id.
    pub id: MessageId,
}

/// A signed message that shares no new key.
#[derive(Clone, Debug)]
pub struct Enveloped {
    /// The envelope, at the start of its way, without a chain.
    pub envelope: Envelope,
    /// SHA-256 of the header.
    pub digest: Digest,
    /// The message's id.
    pub id: MessageId,
}

/// Seals a message to a KEM key of its destination, under [`Suite::Sealed`].
///
/// # Errors
/// [`SealError`] when it is too large, or the keys are not those of its source and destination.
pub fn seal(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    kem: &KemRecord,
    out: &Outgoing<'_>,
) -> Result<Sealed, SealError> {
    let to = out.destination;
    if to.realm != Some(kem.realm) || to.node != Some(kem.node) {
        return Err(SealError::Recipient);
    }
    let draft = Draft::salted(rng, signer, out)?;
    let mut header = draft.header(out, Suite::Sealed);
    header.key = Some(kem.key_id());
    let header = cbor::encode(&header);
    let (body, reply_key) =
        hpke_seal(rng, &kem.key, &header, &draft.committed).ok_or(SealError::Key)?;
    let Enveloped {
        envelope,
        digest,
        id,
    } = draft.finish(signer, header, body);
    Ok(Sealed {
        envelope,
        reply_key,
        digest,
        id,
    })
}

/// Seals an answer under the key that its request shared, under [`Suite::Reply`].
///
/// # Errors
/// [`SealError`] when it is too large, or answers another request than the key is of.
pub fn seal_reply(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    reply_key: &ReplyKey,
    out: &Outgoing<'_>,
) -> Result<Enveloped, SealError> {
    if out.answers != Some(reply_key.request()) {
        return Err(SealError::Request);
    }
    let draft = Draft::salted(rng, signer, out)?;
    let header = cbor::encode(&draft.header(out, Suite::Reply));
    let body = reply_key
        .encrypt(draft.id, &header, &draft.committed)
        .ok_or(SealError::TooLarge)?;
    Ok(draft.finish(signer, header, body))
}

/// Signs a message that anybody may read, under [`Suite::Clear`].
///
/// # Errors
/// [`SealError::MustBeSealed`] for all but resolution and failures, and as [`seal`].
pub fn sign_clear(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    out: &Outgoing<'_>,
) -> Result<Enveloped, SealError> {
    if !may_be_clear(out.kind) {
        return Err(SealError::MustBeSealed(out.kind));
    }
    let draft = Draft::clear(rng, signer, out)?;
    let header = cbor::encode(&draft.header(out, Suite::Clear));
    let body = draft.committed.clone();
    Ok(draft.finish(signer, header, body))
}

/// Whether messages of this kind may go unsealed.
pub(crate) fn may_be_clear(kind: Kind) -> bool {
    matches!(kind, Kind::Resolve | Kind::Resolved | Kind::Failure)
}

/// A message whose id and committed bytes stand.
struct Draft {
    id: MessageId,
    /// What the commitment is over: the salt where there is one, then the plaintext.
    committed: Vec<u8>,
}

impl Draft {
    fn salted(
        rng: &mut impl CryptoRng,
        signer: &SigningKey,
        out: &Outgoing<'_>,
    ) -> Result<Self, SealError> {
        let (id, plaintext) = plaintext(rng, signer, out)?;
        let salt = random(rng);
        let committed = [salt.as_slice(), &encode_padded(plaintext)].concat();
        Ok(Self { id, committed })
    }

    fn clear(
        rng: &mut impl CryptoRng,
        signer: &SigningKey,
        out: &Outgoing<'_>,
    ) -> Result<Self, SealError> {
        let (id, plaintext) = plaintext(rng, signer, out)?;
        let committed = cbor::encode(&plaintext);
        Ok(Self { id, committed })
    }

    fn header(&self, out: &Outgoing<'_>, suite: Suite) -> Header {
        Header {
            version: limits::WIRE_VERSION,
            id: self.id,
            kind: out.kind,
            source: out.source.clone(),
            destination: out.destination.clone(),
            created: out.created,
            ttl_ms: out.ttl_ms,
            call: out.call,
            commitment: Digest::of(&[&self.committed]),
            answers: out.answers,
            priority: out.priority,
            flags: out.flags,
            suite,
            key: None,
            max_reply: out.max_reply,
            chunk: None,
        }
    }

    fn finish(self, signer: &SigningKey, header: Vec<u8>, body: Vec<u8>) -> Enveloped {
        let mut envelope = Envelope {
            hop: Hop {
                left: limits::HOPS,
                phase: Phase::Up,
                age_ms: 0,
            },
            header: Blob::from(header),
            signature: Signature::Single([0; 64]),
            body: Blob::from(body),
            chain: None,
        };
        let signature = signer.sign_tagged(TAG_SINGLE, &envelope.signed_input());
        envelope.signature = Signature::Single(signature);
        Enveloped {
            digest: envelope.digest(),
            envelope,
            id: self.id,
        }
    }
}

/// Checks the message against its source and the limits; gives it an id and its plaintext.
fn plaintext(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    out: &Outgoing<'_>,
) -> Result<(MessageId, Plaintext), SealError> {
    if !fits(out.content) {
        return Err(SealError::TooLarge);
    }
    if out.source.node != Some(signer.node_id()) {
        return Err(SealError::Source);
    }
    let source = out.source.realm.ok_or(SealError::Source)?;
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let id = MessageId::new(id);
    let plaintext = Plaintext {
        source,
        destination: out.destination.realm,
        id,
        content: Blob::from(out.content.to_vec()),
        padding: None,
    };
    Ok((id, plaintext))
}
