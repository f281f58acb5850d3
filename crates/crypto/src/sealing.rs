//! What goes out: header, commitment, body. Signing comes after, for all that leave together.

use rand_core::CryptoRng;
use realm_protocol::{
    CallId, Digest, Header, Kind, MessageId, Place, Priority, Suite, Timestamp,
    cbor::{self, Blob},
    limits,
    message::Plaintext,
    records::KemRecord,
};
use thiserror::Error;

use crate::{
    Letter,
    body::{ReplyKey, encode_padded, fits, hpke_seal},
    keys::{SigningKey, random},
    session::Session,
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
    /// Digest of the order or receipt in the content, if one is.
    pub receipt: Option<Digest>,
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
    /// Only resolution, failures and custody receipts go in the clear.
    #[error("a {} must be sealed", .0.name())]
    MustBeSealed(Kind),
    /// The session has sealed all it may.
    #[error("the session is used up")]
    UsedUp,
    /// The recipient's public key is no key.
    #[error("the recipient's key cannot be sealed to")]
    Key,
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
) -> Result<(Letter, ReplyKey), SealError> {
    let to = out.destination;
    if to.realm != Some(kem.realm) || to.node != Some(kem.node) {
        return Err(SealError::Recipient);
    }
    let draft = Draft::salted(rng, signer, out)?;
    let mut header = draft.header(out, Suite::Sealed);
    header.key = Some(kem.key_id());
    let encoded = cbor::encode(&header);
    let (body, exported) =
        hpke_seal(rng, &kem.key, &encoded, &draft.committed).ok_or(SealError::Key)?;
    let letter = Letter::new(header, encoded, body);
    let reply_key = exported.reply_key(letter.digest(), letter.message_digest());
    Ok((letter, reply_key))
}

/// Seals a request under a session, under [`Suite::Session`].
///
/// # Errors
/// [`SealError::UsedUp`] once the session has sealed all it may, and as [`seal`].
pub fn seal_in_session(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    session: &mut Session,
    out: &Outgoing<'_>,
) -> Result<(Letter, ReplyKey), SealError> {
    let draft = Draft::salted(rng, signer, out)?;
    let counter = session.take_counter().ok_or(SealError::UsedUp)?;
    let mut header = draft.header(out, Suite::Session);
    header.key = Some(session.id());
    header.counter = Some(counter);
    let encoded = cbor::encode(&header);
    let mut body = draft.committed;
    session
        .encrypt(counter, &encoded, &mut body)
        .ok_or(SealError::TooLarge)?;
    let letter = Letter::new(header, encoded, body);
    let reply_key = session.reply_key(letter.digest());
    Ok((letter, reply_key))
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
) -> Result<Letter, SealError> {
    if out.answers != Some(reply_key.request()) {
        return Err(SealError::Request);
    }
    let draft = Draft::salted(rng, signer, out)?;
    let header = draft.header(out, Suite::Reply);
    let encoded = cbor::encode(&header);
    let mut body = draft.committed;
    reply_key
        .encrypt(draft.id, &encoded, &mut body)
        .ok_or(SealError::TooLarge)?;
    Ok(Letter::new(header, encoded, body))
}

/// Makes a message that anybody may read, under [`Suite::Clear`].
///
/// # Errors
/// [`SealError::MustBeSealed`] for all but resolution, failures and custody receipts, and as [`seal`].
pub fn write_clear(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    out: &Outgoing<'_>,
) -> Result<Letter, SealError> {
    if !may_be_clear(out.kind) {
        return Err(SealError::MustBeSealed(out.kind));
    }
    let draft = Draft::clear(rng, signer, out)?;
    let header = draft.header(out, Suite::Clear);
    let encoded = cbor::encode(&header);
    Ok(Letter::new(header, encoded, draft.committed))
}

/// Whether messages of this kind may go unsealed.
pub(crate) fn may_be_clear(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Resolve | Kind::Resolved | Kind::Failure | Kind::Custody
    )
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
        let committed = encode_padded(&random(rng), plaintext);
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
        // A header is signed for its destination, and what a link has agreed on says nothing of that: before a second
        // version is spoken senders have to learn what destinations know.
        const { assert!(limits::WIRE_OLDEST == limits::WIRE_VERSION) }
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
            counter: None,
            receipt: out.receipt,
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
