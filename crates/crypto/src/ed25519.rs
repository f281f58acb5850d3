//! Ed25519: signing by the faster library, verifying by the one whose rules are the strictest.
//!
//! A signature holds if and only if its key is canonical and ed25519-dalek's `verify_strict` says
//! so. Of that work, the part that depends on the key alone is done once, when the key is taken up.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use ed25519_dalek::{Signature, VerifyingKey, ed25519::signature::MultipartVerifier as _};
use realm_protocol::is_canonical_key;
use zeroize::Zeroizing;

use crate::meter::timed;

/// Second coordinates of the points of small order, lowest word first, as they may be written:
/// 0, 1, -1, 0 and 1 once more with the modulus added, and those of the points of order eight.
const SMALL_ORDER: [[u64; 4]; 7] = [
    [
        0x0000000000000000,
        0x0000000000000000,
        0x0000000000000000,
        0x0000000000000000,
    ],
    [
        0x0000000000000001,
        0x0000000000000000,
        0x0000000000000000,
        0x0000000000000000,
    ],
    [
        0xffffffffffffffec,
        0xffffffffffffffff,
        0xffffffffffffffff,
        0x7fffffffffffffff,
    ],
    [
        0xffffffffffffffed,
        0xffffffffffffffff,
        0xffffffffffffffff,
        0x7fffffffffffffff,
    ],
    [
        0xffffffffffffffee,
        0xffffffffffffffff,
        0xffffffffffffffff,
        0x7fffffffffffffff,
    ],
    [
        0x4fd84d3d706a17c7,
        0x0f67100d760b3cba,
        0xc6cc392cfa53202a,
        0x7a03ac9277fdc74e,
    ],
    [
        0xb027b2c28f95e826,
        0xf098eff289f4c345,
        0x3933c6d305acdfd5,
        0x05fc536d880238b1,
    ],
];

/// A secret key, ready to sign. It erases itself.
pub(crate) struct SecretKey {
    seed: Zeroizing<[u8; 32]>,
    public: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SecretKey {
    /// Derives the key from its 32-byte seed.
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "fails only for shorter seeds")]
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes");
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Self {
            seed: Zeroizing::new(*seed),
            public,
            pair,
        }
    }

    /// Gives the seed.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        self.seed.clone()
    }

    /// Gives the public key.
    pub(crate) fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs a message; always in the same way.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(timed(|| self.pair.sign(message)).as_ref());
        signature
    }
}

/// A public key, taken up: it is a point, written as it must be, and not of small order.
#[derive(Clone, Copy)]
pub(crate) struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Takes up a key; none if nothing may be believed for it.
    pub(crate) fn new(bytes: &[u8; 32]) -> Option<Self> {
        // ed25519-dalek decodes a second coordinate beyond the modulus as if it were below.
        if !is_canonical_key(bytes) {
            return None;
        }
        let key = timed(|| VerifyingKey::from_bytes(bytes)).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    /// Checks a signature over the parts, one after the other.
    pub(crate) fn has_signed(&self, parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        // The equation gives a point, written in its one canonical form, and the signature's first
        // half must be the same bytes: so it is a point, and need not be decoded to be judged.
        !is_small(signature)
            && timed(|| {
                self.0
                    .multipart_verify(parts, &Signature::from_bytes(signature))
                    .is_ok()
            })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(self.0.as_bytes()).finish()
    }
}

/// Whether a signature's first half is a point of small order, in whatever way it is written.
fn is_small(signature: &[u8; 64]) -> bool {
    let (words, _) = signature.as_chunks::<8>();
    let mut second = [0; 4];
    for (word, bytes) in second.iter_mut().zip(words) {
        *word = u64::from_le_bytes(*bytes);
    }
    let [.., highest] = &mut second;
    *highest &= u64::MAX >> 1; // The topmost bit is the first coordinate's sign.
    SMALL_ORDER.contains(&second)
}

#[cfg(test)]
mod tests;
