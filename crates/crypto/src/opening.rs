//! What comes in: a verified envelope's body, opened and held against its header.

use std::{fmt, sync::Arc};

use realm_protocol::{
    Digest, Header, KeyId, Kind, Suite,
    cbor::{self, Blob, CborError},
    message::Plaintext,
    receipt::SignedHeader,
};
use thiserror::Error;

use crate::{
    body::{ReplyKey, SALT_BYTES, fits, hpke_open},
    keys::KemKey,
    sealing::may_be_clear,
    session::{Session, Unopened},
    signature::Verified,
};

/// Why a verified envelope's body is of no use.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OpenError {
    /// The body is protected in another way than it was to be opened.
    #[error("the body is under another suite")]
    Suite,
    /// A message of this kind came in the clear.
    #[error("a {} must be sealed", .0.name())]
    MustBeSealed(Kind),
    /// It is sealed to a key that this realm does not hold, or no longer.
    #[error("sealed to an unknown key")]
    UnknownKey,
    /// Its counter came before in its session, or is too old to tell.
    #[error("replayed in its session")]
    Replayed,
    /// It answers another request than the reply key is of.
    #[error("not the answer to this request")]
    Request,
    /// The ciphertext does not open.
    #[error("the ciphertext does not open")]
    Ciphertext,
    /// What was opened is not what the header committed to.
    #[error("the plaintext is not what the header commits to")]
    Commitment,
    /// The plaintext does not decode, or its padding is not zeros.
    #[error("malformed plaintext: {0}")]
    Malformed(#[from] CborError),
    /// Source, destination or message id inside differ from the header's.
    #[error("the plaintext is of another message")]
    Misplaced,
    /// The content is longer than one message takes.
    #[error("the content is too large")]
    TooLarge,
}

/// A message that is whole, from whom it says, and for whom it says.
#[derive(Clone)]
pub struct Opened {
    header: Arc<Header>,
    digest: Digest,
    content: Blob,
    committed: Blob,
    signed: SignedHeader,
    reply_key: Option<ReplyKey>,
}

impl Opened {
    /// Gives the header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Gives SHA-256 of the header.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Gives the content of the kind, encoded.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Gives the bytes that the header's commitment is the SHA-256 of: with header and signature,
    /// all that a third party needs as evidence.
    pub fn committed(&self) -> &[u8] {
        &self.committed
    }

    /// Gives what its source has signed of it.
    pub fn signed(&self) -> SignedHeader {
        self.signed.clone()
    }

    /// Gives the key for answers; a sealed message has one.
    pub fn reply_key(&self) -> Option<&ReplyKey> {
        self.reply_key.as_ref()
    }

    /// Takes header, digest, content and reply key apart.
    pub fn into_parts(self) -> (Header, Digest, Blob, Option<ReplyKey>) {
        let header = Arc::unwrap_or_clone(self.header);
        (header, self.digest, self.content, self.reply_key)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("header", &self.header)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Opens a body sealed to one of this realm's KEM keys.
///
/// # Errors
/// [`OpenError::UnknownKey`] when `keys` does not have the key; otherwise [`OpenError`] says
/// what does not hold.
pub fn open_sealed<'k>(
    verified: &Verified,
    keys: impl Fn(KeyId) -> Option<&'k KemKey>,
) -> Result<Opened, OpenError> {
    expect_suite(verified, Suite::Sealed)?;
    let id = verified.header().key.ok_or(OpenError::UnknownKey)?;
    let key = keys(id).ok_or(OpenError::UnknownKey)?;
    let envelope = verified.envelope();
    let (committed, exported) =
        hpke_open(key, &envelope.header, &envelope.body).ok_or(OpenError::Ciphertext)?;
    let reply_key = exported.reply_key(verified.digest(), verified.message_digest());
    let committed = Blob::from(committed);
    finish(verified, committed, SALT_BYTES, Some(reply_key))
}

/// Opens a request in a session, once.
///
/// # Errors
/// [`OpenError::Replayed`] when its counter came before or is too old to tell; otherwise
/// [`OpenError`] says what does not hold.
pub fn open_in_session(verified: &Verified, session: &mut Session) -> Result<Opened, OpenError> {
    expect_suite(verified, Suite::Session)?;
    let header = verified.header();
    let counter = header.counter.ok_or(OpenError::UnknownKey)?;
    if header.key != Some(session.id()) {
        return Err(OpenError::UnknownKey);
    }
    let envelope = verified.envelope();
    let committed = session
        .decrypt(counter, &envelope.header, &envelope.body)
        .map_err(|unopened| match unopened {
            Unopened::Replayed => OpenError::Replayed,
            Unopened::Ciphertext => OpenError::Ciphertext,
        })?;
    let reply_key = session.reply_key(verified.digest());
    finish(verified, committed.into(), SALT_BYTES, Some(reply_key))
}

/// Opens an answer with the key that its request shared.
///
/// # Errors
/// [`OpenError::Request`] when it answers another request; otherwise [`OpenError`] says what
/// does not hold.
pub fn open_reply(verified: &Verified, reply_key: &ReplyKey) -> Result<Opened, OpenError> {
    expect_suite(verified, Suite::Reply)?;
    let header = verified.header();
    if header.answers != Some(reply_key.request()) {
        return Err(OpenError::Request);
    }
    let envelope = verified.envelope();
    let committed = reply_key
        .decrypt(header.id, &envelope.header, &envelope.body)
        .ok_or(OpenError::Ciphertext)?;
    finish(verified, committed.into(), SALT_BYTES, None)
}

/// Reads a body that anybody may read.
///
/// # Errors
/// [`OpenError::MustBeSealed`] for all but resolution and failures; otherwise [`OpenError`]
/// says what does not hold.
pub fn open_clear(verified: &Verified) -> Result<Opened, OpenError> {
    expect_suite(verified, Suite::Clear)?;
    let kind = verified.header().kind;
    if !may_be_clear(kind) {
        return Err(OpenError::MustBeSealed(kind));
    }
    finish(verified, verified.envelope().body.clone(), 0, None)
}

fn expect_suite(verified: &Verified, suite: Suite) -> Result<(), OpenError> {
    if verified.header().suite == suite {
        Ok(())
    } else {
        Err(OpenError::Suite)
    }
}

/// Holds what was opened against the header: the commitment first, then who, whom and which.
fn finish(
    verified: &Verified,
    committed: Blob,
    salt: usize,
    reply_key: Option<ReplyKey>,
) -> Result<Opened, OpenError> {
    let header = verified.header();
    if Digest::of(&[&committed]) != header.commitment {
        return Err(OpenError::Commitment);
    }
    let mut bytes = committed.clone().into_bytes();
    if bytes.len() < salt {
        return Err(CborError::Truncated.into());
    }
    let plaintext: Plaintext = cbor::decode_shared(&bytes.split_off(salt))?;
    let same = Some(plaintext.source) == header.source.realm
        && plaintext.destination == header.destination.realm
        && plaintext.id == header.id;
    if !same {
        return Err(OpenError::Misplaced);
    }
    let padding = plaintext.padding.unwrap_or_default();
    if padding.iter().fold(0, |seen, byte| seen | byte) != 0 {
        return Err(OpenError::Malformed(CborError::Expected(
            "zeros as padding",
        )));
    }
    if !fits(&plaintext.content) {
        return Err(OpenError::TooLarge);
    }
    Ok(Opened {
        header: verified.shared_header(),
        digest: verified.digest(),
        content: plaintext.content,
        committed,
        signed: verified.signed(),
        reply_key,
    })
}
