//! Messages sealed and signed alone, in one step.

use rand_core::CryptoRng;
use realm_crypto::{Letter, Outgoing, ReplyKey, SealError, SigningKey};
use realm_protocol::{Digest, Envelope, records::KemRecord};

/// A request on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) envelope: Envelope,
    pub(crate) reply_key: ReplyKey,
    pub(crate) digest: Digest,
}

/// An answer or a clear message on its way.
pub(crate) struct Enveloped {
    pub(crate) envelope: Envelope,
}

impl Enveloped {
    fn of(letter: Letter, signer: &SigningKey) -> Self {
        Self {
            envelope: letter.sign(signer),
        }
    }
}

pub(crate) fn seal(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    kem: &KemRecord,
    out: &Outgoing<'_>,
) -> Result<Sealed, SealError> {
    let (letter, reply_key) = realm_crypto::seal(rng, signer, kem, out)?;
    Ok(Sealed {
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
    Ok(Enveloped::of(letter, signer))
}

pub(crate) fn sign_clear(
    rng: &mut impl CryptoRng,
    signer: &SigningKey,
    out: &Outgoing<'_>,
) -> Result<Enveloped, SealError> {
    let letter = realm_crypto::write_clear(rng, signer, out)?;
    Ok(Enveloped::of(letter, signer))
}
