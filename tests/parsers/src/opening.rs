//! Envelopes behind their signature: verified, and opened.

use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use ed25519_dalek::Signer as _;
use realm_crypto::{
    KemKey, RootMemo, Trust, Verified, VerifiedChain, open_clear, open_sealed, verify_chain,
    verify_envelope,
};
use realm_protocol::{
    Digest, Envelope, Header, Signature, Suite, TAG_SINGLE,
    cbor::{self, Blob},
    records::Chain,
};

use crate::chains::{NOW, known_key};

const VECTORS: &str = include_str!("../../../protocol/vectors/envelopes.json");

/// The chain of the realm that sends in the vectors.
static SOURCE: LazyLock<VerifiedChain> = LazyLock::new(|| {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).expect("JSON");
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

pub(crate) fn opening(bytes: &[u8]) {
    let Ok(envelope) = cbor::decode::<Envelope>(bytes) else {
        return;
    };
    let Ok(header) = envelope.peek() else {
        return;
    };
    if let Some(verified) = verify(envelope.clone(), header.clone()) {
        open(&verified);
    }
    let (envelope, header) = signed(envelope, header);
    let verified = verify(envelope, header).expect("signed by its source");
    open(&verified);
}

/// The envelope as its source would have sent it: from there, committed to, and signed. A sealed
/// body is bound to its header, so that one stays as it is where it can.
fn signed(mut envelope: Envelope, mut header: Header) -> (Envelope, Header) {
    header.source = SOURCE.place().clone();
    if header.suite == Suite::Clear {
        header.commitment = Digest::of(&[&envelope.body]);
    }
    envelope.header = Blob::from(cbor::encode(&header));
    let key = known_key(SOURCE.node().as_bytes()).expect("a known key");
    let key = ed25519_dalek::SigningKey::from_bytes(&key.seed());
    let input = [TAG_SINGLE.as_bytes(), &[0], &envelope.signed_input()].concat();
    envelope.signature = Signature::Single(key.sign(&input).to_bytes());
    (envelope, header)
}

fn verify(envelope: Envelope, header: Header) -> Option<Verified> {
    let digest = envelope.digest();
    let verified = verify_envelope(envelope, header, &SOURCE, 1, &mut RootMemo::default()).ok()?;
    assert_eq!(verified.header().source, *SOURCE.place());
    assert_eq!(verified.digest(), digest);
    Some(verified)
}

/// Opens a body. What opens is what the header commits to, for whom the header names.
fn open(verified: &Verified) {
    let clear = open_clear(verified);
    let sealed = open_sealed(verified, |id| {
        KEM_KEYS.iter().find(|key| key.key_id() == id)
    });
    assert!(clear.is_err() || sealed.is_err(), "one body, two suites");
    let Ok(opened) = clear.or(sealed) else {
        return;
    };
    let header = verified.header();
    assert_eq!(Digest::of(&[opened.committed()]), header.commitment);
    assert_eq!(opened.header(), header);
    crate::wire::message(opened.content());
}
