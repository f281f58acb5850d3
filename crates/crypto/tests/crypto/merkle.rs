//! Envelopes signed together under one root.

use ed25519_dalek::Signer as _;
use realm_crypto::{RootMemo, SigningKey, VerifyError, verify_envelope};
use realm_protocol::{Digest, Envelope, Kind, Signature, TAG_ROOT, TAG_SINGLE, limits};

use crate::{
    envelope::{pair, verify},
    tree::{outgoing, rng},
};

/// Signs tag, zero byte and input.
pub(crate) fn sign_bytes(key: &SigningKey, tag: &str, input: &[u8]) -> [u8; 64] {
    let message = [tag.as_bytes(), &[0], input].concat();
    let key = ed25519_dalek::SigningKey::from_bytes(&key.seed());
    key.sign(&message).to_bytes()
}

/// Signs a flush: leaves filled up with zero digests to a power of two.
pub(crate) fn sign_root(key: &SigningKey, envelopes: &mut [Envelope]) {
    let leaf = |envelope: &Envelope| Digest::of(&[&[0], &envelope.signed_input()]);
    let inner = |pair: &[Digest]| Digest::of(&[&[1], pair[0].as_bytes(), pair[1].as_bytes()]);
    let mut leaves: Vec<Digest> = envelopes.iter().map(leaf).collect();
    leaves.resize(leaves.len().next_power_of_two(), Digest::new([0; 32]));
    let mut levels = vec![leaves];
    while levels[levels.len() - 1].len() > 1 {
        let level = levels[levels.len() - 1].chunks(2).map(inner).collect();
        levels.push(level);
    }
    let root = levels.pop().unwrap()[0];
    let signature = sign_bytes(key, TAG_ROOT, root.as_bytes());
    for (index, envelope) in envelopes.iter_mut().enumerate() {
        let siblings = levels.iter().enumerate();
        envelope.signature = Signature::Root {
            signature,
            index: index as u64,
            siblings: siblings
                .map(|(up, level)| level[(index >> up) ^ 1])
                .collect(),
        };
    }
}

fn flush(count: usize) -> Vec<Envelope> {
    let pair = pair();
    let mut rng = rng(5);
    let mut envelopes: Vec<Envelope> = (0..count)
        .map(|_| {
            let (source, target) = (pair.source.place(), pair.target.place());
            let out = outgoing(Kind::Failure, source, target, None, b"no");
            let clear = crate::signed::sign_clear(&mut rng, &pair.here.node, &out);
            clear.unwrap().envelope
        })
        .collect();
    sign_root(&pair.here.node, &mut envelopes);
    envelopes
}

#[test]
fn every_leaf_of_a_flush_verifies_under_its_root() {
    let source = pair().source;
    for count in [1, 2, 3, 7, 1_024] {
        let mut roots = RootMemo::default();
        for envelope in flush(count) {
            let header = envelope.read_header().unwrap();
            verify_envelope(envelope, header, &source, 0, &mut roots).unwrap();
        }
    }
}

#[test]
fn a_leaf_verifies_only_in_its_place() {
    let source = pair().source;
    let envelopes = flush(7);
    let mut roots = RootMemo::default();
    for envelope in &envelopes {
        let header = envelope.read_header().unwrap();
        verify_envelope(envelope.clone(), header, &source, 0, &mut roots).unwrap();
    }
    type Edit = fn(&mut [u8; 64], &mut u64, &mut Vec<Digest>);
    let edits: [Edit; 7] = [
        |signature, _, _| signature[0] ^= 1,
        |signature, _, _| signature[63] ^= 1,
        |_, index, _| *index ^= 1,
        |_, index, _| *index += 8,
        |_, _, siblings| siblings.reverse(),
        |_, _, siblings| siblings.truncate(2),
        |_, _, siblings| siblings.resize(limits::MERKLE_SIBLINGS + 1, Digest::new([0; 32])),
    ];
    for edit in edits {
        let mut changed = envelopes[2].clone();
        let Signature::Root {
            signature,
            index,
            siblings,
        } = &mut changed.signature
        else {
            continue;
        };
        edit(signature, index, siblings);

        let header = changed.read_header().unwrap();
        let refused = verify_envelope(changed, header, &source, 0, &mut roots).err();

        assert_eq!(refused, Some(VerifyError::Signature));
    }
}

#[test]
fn the_two_forms_of_signature_do_not_stand_for_each_other() {
    let pair = pair();
    let mut envelope = flush(1).remove(0);
    let leaf = Digest::of(&[&[0], &envelope.signed_input()]);
    let as_root = |tag| Signature::Root {
        signature: sign_bytes(&pair.here.node, tag, leaf.as_bytes()),
        index: 0,
        siblings: Vec::new(),
    };

    envelope.signature = as_root(TAG_ROOT);
    assert!(verify(&envelope, &pair.source).is_ok());
    envelope.signature = as_root(TAG_SINGLE);
    assert!(verify(&envelope, &pair.source).is_err());
    let input = envelope.signed_input();
    envelope.signature = Signature::Single(sign_bytes(&pair.here.node, TAG_ROOT, &input));
    assert!(verify(&envelope, &pair.source).is_err());
}
