//! Envelopes behind their signature: verified, and opened.

use std::{convert::Infallible, sync::LazyLock};

use data_encoding::HEXLOWER;
use ed25519_dalek::Signer as _;
use rand_core::{TryCryptoRng, TryRng};
use realm_crypto::{
    Ephemeral, KemKey, OpenError, ReplyKey, RootMemo, Session, Side, Trust, Verified,
    VerifiedChain, open_clear, open_in_session, open_sealed, verify_chain, verify_envelope,
};
use realm_protocol::{
    Digest, Envelope, Header, KeyId, Signature, Suite, TAG_SINGLE,
    cbor::{self, Blob},
    message::Call,
    records::Chain,
};
use serde_json::Value;

use crate::chains::{NOW, known_key};

const VECTORS: &str = include_str!("../../../protocol/vectors/envelopes.json");
const SESSIONS: &str = include_str!("../../../protocol/vectors/sessions.json");

/// The chain of the realm that sends in the vectors.
static SOURCE: LazyLock<VerifiedChain> = LazyLock::new(|| {
    let vectors: Value = serde_json::from_str(VECTORS).expect("JSON");
    let cases = vectors["valid"].as_array().expect("cases");
    let chain = cases.iter().find_map(|case| case["chain"].as_str());
    let chain = HEXLOWER.decode(chain.expect("a chain").as_bytes());
    let chain: Chain = cbor::decode(&chain.expect("hexadecimal")).expect("a chain");
    let trust = Trust {
        root: chain.links.first().expect("a root").inception.realm_id(),
        shared: None,
        revoked: &|_, _| false,
        now: NOW,
    };
    verify_chain(&chain, &trust).expect("a chain that holds")
});

/// The KEM keys whose secrets are 32 equal bytes.
static KEM_KEYS: LazyLock<Vec<KemKey>> = LazyLock::new(|| {
    let secrets = (0..=u8::MAX).map(|secret| KemKey::from_secret([secret; 32]));
    secrets.collect()
});

/// What the callee of the vectors' session has when it takes it.
struct Handshake {
    reply_key: ReplyKey,
    answer: Digest,
    offered: [u8; 32],
    taken_secret: [u8; 32],
}

static HANDSHAKE: LazyLock<Handshake> = LazyLock::new(|| {
    let vectors: Value = serde_json::from_str(SESSIONS).expect("JSON");
    let case = &vectors["valid"][0];
    let bytes = |value: &Value| {
        let text = value.as_str().expect("hexadecimal");
        HEXLOWER.decode(text.as_bytes()).expect("hexadecimal")
    };
    let envelope = |of: &str| cbor::decode::<Envelope>(&bytes(&case[of]["hex"])).expect("one");
    let call = envelope("call");
    let call = verify(call).expect("from the source");
    let call = open_sealed(&call, kem_key).expect("sealed to a known key");
    let body: Call = cbor::decode(call.content()).expect("a call");
    Handshake {
        reply_key: call.reply_key().expect("a request").clone(),
        answer: envelope("answer").message_digest(),
        offered: body.session.expect("an offer"),
        taken_secret: bytes(&case["taken_secret"]).try_into().expect("a key"),
    }
});

/// Gives these bytes and no others.
struct Given([u8; 32]);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Given {}

/// The session of the vectors, as the callee holds it before the first request.
fn session() -> Session {
    let handshake = &*HANDSHAKE;
    let mine = Ephemeral::generate(&mut Given(handshake.taken_secret));
    let (key, answer) = (&handshake.reply_key, handshake.answer);
    let session = Session::derive(Side::Callee, key, answer, &mine, &handshake.offered);
    session.expect("a session")
}

fn kem_key(id: KeyId) -> Option<&'static KemKey> {
    KEM_KEYS.iter().find(|key| key.key_id() == id)
}

pub(crate) fn opening(bytes: &[u8]) {
    let Ok(envelope) = cbor::decode::<Envelope>(bytes) else {
        return;
    };
    let Ok(header) = envelope.peek() else {
        return;
    };
    if let Some(verified) = verify(envelope.clone()) {
        open(&verified);
    }
    let verified = verify(signed(envelope, header)).expect("signed by its source");
    open(&verified);
}

/// The envelope as its source would have sent it: from there, committed to, and signed. A sealed
/// body is bound to its header, so that one stays as it is where it can.
fn signed(mut envelope: Envelope, mut header: Header) -> Envelope {
    header.source = SOURCE.place().clone();
    if header.suite == Suite::Clear {
        header.commitment = Digest::of(&[&envelope.body]);
    }
    envelope.header = Blob::from(cbor::encode(&header));
    let key = known_key(SOURCE.node().as_bytes()).expect("a known key");
    let key = ed25519_dalek::SigningKey::from_bytes(&key.seed());
    let input = [TAG_SINGLE.as_bytes(), &[0], &envelope.signed_input()].concat();
    envelope.signature = Signature::Single(key.sign(&input).to_bytes());
    envelope
}

fn verify(envelope: Envelope) -> Option<Verified> {
    let header = envelope.read_header().ok()?;
    let digest = envelope.digest();
    let verified = verify_envelope(envelope, header, &SOURCE, 1, &mut RootMemo::default()).ok()?;
    assert_eq!(verified.header().source, *SOURCE.place());
    assert_eq!(verified.digest(), digest);
    Some(verified)
}

/// Opens a body. What opens is what the header commits to, for whom the header names.
fn open(verified: &Verified) {
    let clear = open_clear(verified);
    let sealed = open_sealed(verified, kem_key);
    let talked = (verified.header().suite == Suite::Session).then(session);
    let talked = talked.map_or(Err(OpenError::Suite), |mut session| {
        let opened = open_in_session(verified, &mut session)?;
        let again = open_in_session(verified, &mut session).err();
        assert_eq!(again, Some(OpenError::Replayed), "a counter taken twice");
        Ok(opened)
    });
    let suites = [clear.is_ok(), sealed.is_ok(), talked.is_ok()];
    let opens = suites.iter().filter(|opens| **opens).count();
    assert!(opens < 2, "one body, two suites");
    let Ok(opened) = clear.or(sealed).or(talked) else {
        return;
    };
    let header = verified.header();
    assert_eq!(Digest::of(&[opened.committed()]), header.commitment);
    assert_eq!(opened.header(), header);
    crate::wire::message(opened.content());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_the_vectors_opens_in_its_session() {
        let vectors: Value = serde_json::from_str(SESSIONS).unwrap();
        let request = &vectors["valid"][1];
        assert_eq!(request["name"], "the first request of the caller");
        let bytes = HEXLOWER.decode(request["hex"].as_str().unwrap().as_bytes());
        let envelope: Envelope = cbor::decode(&bytes.unwrap()).unwrap();
        let header = envelope.peek().unwrap();

        let verified = verify(signed(envelope, header)).unwrap();

        assert!(open_in_session(&verified, &mut session()).is_ok());
    }
}
