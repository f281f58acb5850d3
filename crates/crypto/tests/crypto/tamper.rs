//! Every byte that arrives counts.

use realm_crypto::{Opened, RootMemo, Trust, open_sealed, verify_chain, verify_envelope};
use realm_protocol::{Envelope, cbor, link::read_chain};

use crate::{
    envelope::{Pair, pair},
    tree::trust,
};

/// What a destination does with bytes from a stranger.
fn receive(pair: &Pair, trust: &Trust<'_>, bytes: &[u8]) -> Option<Opened> {
    let envelope: Envelope = cbor::decode(bytes).ok()?;
    let header = envelope.read_header().ok()?;
    let chain = read_chain(envelope.chain.as_ref()?).ok()?;
    let source = verify_chain(&chain, trust).ok()?;
    let mut roots = RootMemo::default();
    let verified = verify_envelope(envelope, header, &source, 0, &mut roots).ok()?;
    let keys = |id| (id == pair.there.kem.key_id()).then_some(&pair.there.kem);
    open_sealed(&verified, keys).ok()
}

#[test]
fn a_flip_of_any_byte_of_header_signature_body_or_chain_is_refused() {
    let pair = pair();
    let trust = trust(pair.source.root());
    let mut envelope = pair.call(b"question").envelope;
    envelope.chain = Some(pair.source.bytes().clone());
    let bytes = cbor::encode(&envelope);
    assert_eq!(
        receive(&pair, &trust, &bytes).unwrap().content(),
        b"question"
    );
    let unsigned = 1..=cbor::encode(&envelope.hop).len();

    for index in (0..bytes.len()).filter(|index| !unsigned.contains(index)) {
        for mask in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[index] ^= mask;
            assert!(
                receive(&pair, &trust, &changed).is_none(),
                "byte {index} ^ {mask:#x}"
            );
        }
    }
}

#[test]
fn a_cut_anywhere_is_refused() {
    let pair = pair();
    let trust = trust(pair.source.root());
    let mut envelope = pair.call(b"question").envelope;
    envelope.chain = Some(pair.source.bytes().clone());
    let bytes = cbor::encode(&envelope);

    for length in 0..bytes.len() {
        assert!(receive(&pair, &trust, &bytes[..length]).is_none());
    }
}
