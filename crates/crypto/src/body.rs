//! Bodies: the plaintext in its size class, and the ciphers around it.

use std::fmt;

use hkdf::Hkdf;
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use rand_core::CryptoRng;
use realm_protocol::{
    Digest, MessageId,
    cbor::{self, Blob},
    limits,
    message::Plaintext,
};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    aead::{AeadKey, TAG_BYTES},
    keys::KemKey,
    meter::timed,
};

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Cipher = hpke::aead::ChaCha20Poly1305;

/// HPKE's `info`.
const HPKE_INFO: &[u8] = b"realm/1/hpke";
/// What the reply key is exported under.
const REPLY_LABEL: &[u8] = b"realm/1/reply";
/// What the seed of a session is exported under.
const SESSION_LABEL: &[u8] = b"realm/1/session";
/// HKDF's `info` for the key and nonce of one answer.
const REPLY_INFO: &[u8] = b"realm/1/reply-key";

/// Bytes of salt in front of a sealed plaintext.
pub(crate) const SALT_BYTES: usize = 32;
/// Bytes of encapsulated key in front of a sealed body.
const ENC_BYTES: usize = 32;
/// Smallest size class.
const CLASS_BYTES: usize = 256;

/// The secret that a sealed request and its answers share, bound to that request.
#[derive(Clone)]
pub struct ReplyKey {
    secret: Zeroizing<[u8; 32]>,
    request: Digest,
    seed: Option<SessionSeed>,
}

/// What a sealed request gives to the session that its answer may begin.
#[derive(Clone)]
pub(crate) struct SessionSeed {
    /// HPKE's export.
    pub(crate) exported: Zeroizing<[u8; 32]>,
    /// The whole request: [`realm_protocol::Envelope::message_digest`].
    pub(crate) request: Digest,
}

impl ReplyKey {
    /// The key for the answers to a request in a session.
    pub(crate) fn in_session(secret: Zeroizing<[u8; 32]>, request: Digest) -> Self {
        Self {
            secret,
            request,
            seed: None,
        }
    }

    /// Gives what a session begins with; none if the request was in a session itself.
    pub(crate) fn session_seed(&self) -> Option<&SessionSeed> {
        self.seed.as_ref()
    }

    /// Gives the digest of the request's header.
    pub fn request(&self) -> Digest {
        self.request
    }

    /// Derives the key and nonce of one answer; both are used once, as message ids are.
    fn derive(&self, id: MessageId) -> Option<(AeadKey, [u8; 12])> {
        let mut salt = [0; 48];
        let (first, last) = salt.split_at_mut(16);
        first.copy_from_slice(id.as_bytes());
        last.copy_from_slice(self.request.as_bytes());
        let mut output = Zeroizing::new([0; 44]);
        Hkdf::<Sha256>::new(Some(&salt), self.secret.as_slice())
            .expand(REPLY_INFO, output.as_mut_slice())
            .ok()?;
        let (key, nonce) = output.split_first_chunk::<32>()?;
        Some((AeadKey::new(key), nonce.try_into().ok()?))
    }

    /// Encrypts an answer's body in place.
    pub(crate) fn encrypt(&self, id: MessageId, header: &[u8], body: &mut Vec<u8>) -> Option<()> {
        let (key, nonce) = self.derive(id)?;
        key.seal(nonce, header, body, 0)
    }

    /// Decrypts an answer's body.
    pub(crate) fn decrypt(&self, id: MessageId, header: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let (key, nonce) = self.derive(id)?;
        key.open(nonce, header, body)
    }
}

impl fmt::Debug for ReplyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyKey(redacted)")
    }
}

/// What a sealed request lets both its sides share, before its digests are known.
pub(crate) struct Exported {
    reply: Zeroizing<[u8; 32]>,
    session: Zeroizing<[u8; 32]>,
}

impl Exported {
    /// Gives the reply key of the request with these digests of its header and of the whole.
    pub(crate) fn reply_key(self, header: Digest, message: Digest) -> ReplyKey {
        ReplyKey {
            secret: self.reply,
            request: header,
            seed: Some(SessionSeed {
                exported: self.session,
                request: message,
            }),
        }
    }
}

/// Seals to a public key: encapsulated key, then ciphertext; and what both sides share.
pub(crate) fn hpke_seal(
    rng: &mut impl CryptoRng,
    recipient: &[u8; 32],
    header: &[u8],
    plaintext: &[u8],
) -> Option<(Vec<u8>, Exported)> {
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(recipient).ok()?;
    let (enc, context, ciphertext) = timed(|| {
        let (enc, mut context) = hpke::setup_sender_with_rng::<Cipher, Kdf, Kem>(
            &OpModeS::Base,
            &recipient,
            HPKE_INFO,
            rng,
        )
        .ok()?;
        let ciphertext = context.seal(plaintext, header).ok()?;
        Some((enc, context, ciphertext))
    })?;
    let body = [enc.to_bytes().as_slice(), &ciphertext].concat();
    let exported = exported(|label, into| context.export(label, into).ok())?;
    Some((body, exported))
}

/// Opens what was sealed to this key; gives the plaintext and what both sides share.
pub(crate) fn hpke_open(key: &KemKey, header: &[u8], body: &[u8]) -> Option<(Vec<u8>, Exported)> {
    let (enc, ciphertext) = body.split_at_checked(ENC_BYTES)?;
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc).ok()?;
    let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(key.secret().as_slice()).ok()?;
    let (context, plaintext) = timed(|| {
        let mut context =
            hpke::setup_receiver::<Cipher, Kdf, Kem>(&OpModeR::Base, &private, &enc, HPKE_INFO)
                .ok()?;
        let plaintext = context.open(ciphertext, header).ok()?;
        Some((context, plaintext))
    })?;
    let exported = exported(|label, into| context.export(label, into).ok())?;
    Some((plaintext, exported))
}

fn exported(export: impl Fn(&[u8], &mut [u8]) -> Option<()>) -> Option<Exported> {
    let mut reply = Zeroizing::new([0; 32]);
    export(REPLY_LABEL, reply.as_mut_slice())?;
    let mut session = Zeroizing::new([0; 32]);
    export(SESSION_LABEL, session.as_mut_slice())?;
    Some(Exported { reply, session })
}

/// Encodes salt and plaintext, filled up with zeros to its size class. There is room left for
/// the tag of whoever encrypts it in place.
pub(crate) fn encode_padded(salt: &[u8; SALT_BYTES], mut plaintext: Plaintext) -> Vec<u8> {
    plaintext.padding = None;
    let bare = cbor::encoded_length(&plaintext);
    if let Some(zeros) = zeros_after(bare) {
        plaintext.padding = Some(Blob::from(vec![0; zeros]));
    }
    let length = cbor::encoded_length(&plaintext);
    let mut bytes = Vec::with_capacity(length.saturating_add(SALT_BYTES + TAG_BYTES));
    bytes.extend_from_slice(salt);
    cbor::encode_onto(&plaintext, &mut bytes);
    bytes
}

/// How many zeros bring an encoding of `length` bytes to a size class; none if it is one.
fn zeros_after(length: usize) -> Option<usize> {
    let mut class = size_class(length);
    // One key byte and a head of one to three bytes: a few gaps cannot be filled exactly, and
    // the next class then serves.
    loop {
        let gap = class.saturating_sub(length);
        if gap == 0 {
            return None;
        }
        let fits = |overhead: usize| gap.checked_sub(overhead).filter(|n| cost(*n) == overhead);
        if let Some(zeros) = (2..=4).find_map(fits) {
            return Some(zeros);
        }
        class = size_class(class.saturating_add(1));
    }
}

/// Bytes that stand before `count` zeros: the key, and the head of a byte string.
fn cost(count: usize) -> usize {
    match count {
        0..24 => 2,
        24..256 => 3,
        _ => 4,
    }
}

/// The Padmé class of a length: at most 12 % more, and only its first few bits differ.
fn size_class(length: usize) -> usize {
    let length = length.max(CLASS_BYTES);
    let exponent = length.ilog2();
    let kept = exponent.ilog2().saturating_add(1);
    length.next_multiple_of(2_usize.saturating_pow(exponent.saturating_sub(kept)))
}

/// Whether content fits one message.
pub(crate) fn fits(content: &[u8]) -> bool {
    content.len() <= limits::BODY_BYTES
}

#[cfg(test)]
mod tests;
