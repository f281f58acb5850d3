//! Messages sealed and signed alone, in one step.

use rand_core::CryptoRng;
use realm_crypto::{Outgoing, ReplyKey, SealError, SigningKey};
use realm_protocol::{Digest, Envelope, MessageId, records::KemRecord};

/// A request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) envelope: Envelope,
    pub(crate) reply_key: ReplyKey,
    pub(crate) digest: Digest,
    pub(crate) id: MessageId,
}

/// An answer or a clear message on its way.
pub(crate) struct Enveloped {
    pub(crate) envelope: Envelope,
}

pub(crate) fn seal(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    kem: &KemRecord,
    out: &Outgoing<'_>,
) -> Result<Sealed, SealError> {
    let (letter, reply_key) = realm_crypto::seal(rng, signer, kem, out)?;
    Ok(Sealed {
        id: letter.id(),
        digest: letter.digest(),
        envelope: letter.sign(signer),
        reply_key,
    })
}

pub(crate) fn seal_reply(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    reply_key: &ReplyKey,
    out: &Outgoing<'_>,
) -> Result<Enveloped, SealError> {
    let letter = realm_crypto::seal_reply(rng, signer, reply_key, out)?;
    let envelope = letter.sign(signer);
    Ok(Enveloped { envelope })
}

pub(crate) fn sign_clear(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    out: &Outgoing<'_>,
) -> Result<Enveloped, SealError> {
    let letter = realm_crypto::write_clear(rng, signer, out)?;
    let envelope = letter.sign(signer);
    Ok(Enveloped { envelope })
}
