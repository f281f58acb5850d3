//! ChaCha20-Poly1305, with nonces of 12 and of 24 bytes. Nothing else names the library that
//! carries it out.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use chacha20::{R20, hchacha};
use zeroize::Zeroize as _;

use crate::meter::timed;

/// Bytes that stand after each ciphertext.
pub(crate) const TAG_BYTES: usize = 16;

/// A key with its schedule. It erases itself.
pub(crate) struct AeadKey(LessSafeKey);

impl AeadKey {
    /// Takes the 32 key bytes.
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "fails only for keys of another length")]
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).expect("32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Derives XChaCha20-Poly1305's key for one nonce of 24 bytes, and the nonce under it.
    pub(crate) fn extended(bytes: &[u8; 32], nonce: &[u8; 24]) -> (Self, [u8; 12]) {
        let (first, last) = nonce.split_at(16);
        let mut input = [0; 16];
        input.copy_from_slice(first);
        let mut subkey: [u8; 32] = hchacha::<R20>(bytes.into(), &input.into()).into();
        let key = Self::new(&subkey);
        subkey.zeroize();
        let mut short = [0; 12];
        let (_, tail) = short.split_at_mut(4);
        tail.copy_from_slice(last);
        (key, short)
    }

    /// Encrypts `buffer` from byte `start` on in place, and appends the tag. Never twice under one
    /// nonce. None past 256 GiB.
    pub(crate) fn seal(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        buffer: &mut Vec<u8>,
        start: usize,
    ) -> Option<()> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plaintext = buffer.get_mut(start..)?;
        let tag = timed(|| {
            self.0
                .seal_in_place_separate_tag(nonce, Aad::from(aad), plaintext)
        });
        let tag = tag.ok()?;
        buffer.extend_from_slice(tag.as_ref());
        Some(())
    }

    /// Decrypts a ciphertext with its tag; none if anything about it differs.
    pub(crate) fn open(&self, nonce: [u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut plaintext = vec![0; ciphertext.len()];
        let opened = timed(|| {
            self.0
                .open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut plaintext)
        });
        opened.ok()?;
        Some(plaintext)
    }
}

#[cfg(test)]
mod tests;
