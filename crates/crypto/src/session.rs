//! Sessions: what two realms that talk seal to each other without encapsulating a key each time.

mod window;

use std::fmt;

use hkdf::Hkdf;
use rand_core::CryptoRng;
use realm_protocol::{Digest, KeyId, limits};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::{aead::AeadKey, body::ReplyKey, keys::random, meter::timed};
use window::Window;

/// HKDF's `info` for the keys of a session.
const SESSION_INFO: &[u8] = b"realm/1/session";

/// One side's short-lived X25519 key for the session to come. It erases itself and never prints.
pub struct Ephemeral(StaticSecret);

impl Ephemeral {
    /// Makes a new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(StaticSecret::from(*random(rng)))
    }

    /// Gives the public key: what the call offers, or the answer accepts with.
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }

    /// Agrees on a secret; none with a key that makes it known to everybody.
    fn agree(&self, theirs: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
        let shared = timed(|| self.0.diffie_hellman(&PublicKey::from(*theirs)));
        shared
            .was_contributory()
            .then(|| Zeroizing::new(shared.to_bytes()))
    }
}

impl fmt::Debug for Ephemeral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ephemeral(redacted)")
    }
}

/// Which end of a session a realm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It made the sealed call that offered the session.
    Caller,
    /// It answered it.
    Callee,
}

/// What two realms share after a sealed call that offered a session and the answer that took it.
///
/// Requests in a session cost one AEAD each; their answers go under reply keys as all answers do.
pub struct Session {
    id: KeyId,
    seals: AeadKey,
    opens: AeadKey,
    replies: Zeroizing<[u8; 32]>,
    next: u64,
    window: Window,
}

impl Session {
    /// Derives the session that a sealed call and its answer make. `reply_key` is the call's,
    /// `answer` the [`realm_protocol::Envelope::message_digest`] of the answer. None if the other
    /// side's key is of no use.
    pub fn derive(
        side: Side,
        reply_key: &ReplyKey,
        answer: Digest,
        mine: &Ephemeral,
        theirs: &[u8; 32],
    ) -> Option<Self> {
        let agreed = mine.agree(theirs)?;
        let seed = reply_key.session_seed()?;
        let transcript = Digest::of(&[seed.request.as_bytes(), answer.as_bytes()]);
        let mut secret = Zeroizing::new([0; 64]);
        let (first, second) = secret.split_at_mut(32);
        first.copy_from_slice(seed.exported.as_slice());
        second.copy_from_slice(agreed.as_slice());
        let mut output = Zeroizing::new([0; 104]);
        Hkdf::<Sha256>::new(Some(transcript.as_bytes()), secret.as_slice())
            .expand(SESSION_INFO, output.as_mut_slice())
            .ok()?;
        let (from_caller, rest) = output.split_first_chunk::<32>()?;
        let (from_callee, rest) = rest.split_first_chunk::<32>()?;
        let (replies, id) = rest.split_first_chunk::<32>()?;
        let (seals, opens) = match side {
            Side::Caller => (from_caller, from_callee),
            Side::Callee => (from_callee, from_caller),
        };
        Some(Self {
            id: KeyId::new(id.try_into().ok()?),
            seals: AeadKey::new(seals),
            opens: AeadKey::new(opens),
            replies: Zeroizing::new(*replies),
            next: 0,
            window: Window::default(),
        })
    }

    /// Gives its name, as headers carry it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Tells how many requests this side has sealed.
    pub fn sealed(&self) -> u64 {
        self.next
    }

    /// Takes the next counter; none once the session is used up.
    pub(crate) fn take_counter(&mut self) -> Option<u64> {
        let counter = self.next;
        self.next = counter.checked_add(1)?;
        (counter < limits::SESSION_MESSAGES).then_some(counter)
    }

    /// Encrypts a request's body in place, under its counter.
    pub(crate) fn encrypt(&self, counter: u64, header: &[u8], body: &mut Vec<u8>) -> Option<()> {
        self.seals.seal(nonce(counter), header, body, 0)
    }

    /// Decrypts a request's body, once for each counter.
    pub(crate) fn decrypt(
        &mut self,
        counter: u64,
        header: &[u8],
        body: &[u8],
    ) -> Result<Vec<u8>, Unopened> {
        if counter >= limits::SESSION_MESSAGES || !self.window.is_fresh(counter) {
            return Err(Unopened::Replayed);
        }
        let plaintext = self
            .opens
            .open(nonce(counter), header, body)
            .ok_or(Unopened::Ciphertext)?;
        self.window.note(counter);
        Ok(plaintext)
    }

    /// Gives the key for the answers to a request with this header.
    pub(crate) fn reply_key(&self, request: Digest) -> ReplyKey {
        ReplyKey::in_session(self.replies.clone(), request)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Why a body did not open in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// Its counter came before, or is too old to tell.
    Replayed,
    /// It was not sealed under it.
    Ciphertext,
}

/// Four zero bytes, then the counter.
fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    let (_, tail) = nonce.split_at_mut(4);
    tail.copy_from_slice(&counter.to_be_bytes());
    nonce
}

#[cfg(test)]
mod tests;
