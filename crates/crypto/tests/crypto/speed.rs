//! What the libraries cost, one beside the other. Ignored: it measures and asserts nothing.
//!
//! `cargo test --release -p realm-crypto --test crypto speed -- --ignored --nocapture`

use std::{hint::black_box, time::Instant};

use aws_lc_rs::{aead, signature};
use chacha20poly1305::{AeadInOut as _, ChaCha20Poly1305, KeyInit as _};
use ed25519_dalek::{Signer as _, Verifier as _};
use realm_crypto::{
    Trust, VerifiedChain, open_in_session, open_reply, seal_in_session, seal_reply, verify_chain,
};
use realm_protocol::{Kind, cbor};

use crate::{
    envelope::verify,
    sessions::{Ends, ends},
    tree::{NOW, Realm, outgoing, rng},
};

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn clock() -> Instant {
    Instant::now()
}

/// Prints the best of seven runs, so that what else the machine does counts least.
fn measure(name: &str, times: u32, mut work: impl FnMut()) {
    let best = (0..7).map(|_| {
        let start = clock();
        (0..times).for_each(|_| work());
        start.elapsed().as_nanos() / u128::from(times)
    });
    println!("{name:<44} {:>8} ns", best.min().unwrap_or_default());
}

#[test]
#[ignore = "a benchmark"]
fn one_body() {
    let nonce = || aead::Nonce::assume_unique_for_key([7; 12]);
    let fresh = || {
        let key = aead::UnboundKey::new(&aead::CHACHA20_POLY1305, &[3; 32]).unwrap();
        aead::LessSafeKey::new(key)
    };
    for size in [64, 1024, 4096] {
        let header = [1; 300];
        let mut buffer = vec![5; size];
        let reference = ChaCha20Poly1305::new(&[3; 32].into());
        measure(&format!("chacha20poly1305 {size}"), 20_000, || {
            let tag = reference.encrypt_inout_detached(
                &[7; 12].into(),
                &header,
                buffer.as_mut_slice().into(),
            );
            black_box(tag.unwrap());
        });
        let key = fresh();
        measure(&format!("aws-lc-rs, a key kept {size}"), 20_000, || {
            let aad = aead::Aad::from(&header);
            let tag = key.seal_in_place_separate_tag(nonce(), aad, &mut buffer);
            black_box(tag.unwrap().as_ref());
        });
        measure(&format!("aws-lc-rs, a key each {size}"), 20_000, || {
            let aad = aead::Aad::from(&header);
            let tag = fresh().seal_in_place_separate_tag(nonce(), aad, &mut buffer);
            black_box(tag.unwrap().as_ref());
        });
    }
}

#[test]
#[ignore = "a benchmark"]
fn one_signature() {
    let message = [9; 81];
    let dalek = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let aws = signature::Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap();
    let public = dalek.verifying_key();
    let bytes = public.to_bytes();
    let signed = dalek.sign(&message);
    measure("sign, ed25519-dalek", 1_000, || {
        black_box(dalek.sign(&message));
    });
    measure("sign, aws-lc-rs", 1_000, || {
        black_box(aws.sign(&message));
    });
    measure("key from seed, aws-lc-rs", 1_000, || {
        black_box(signature::Ed25519KeyPair::from_seed_unchecked(&[3; 32])).unwrap();
    });
    measure("verify, ed25519-dalek, from bytes", 1_000, || {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).unwrap();
        black_box(key.verify_strict(&message, &signed)).unwrap();
    });
    measure("verify, ed25519-dalek, a key kept", 1_000, || {
        black_box(public.verify_strict(&message, &signed)).unwrap();
    });
    measure("verify, not strictly, ed25519-dalek, kept", 1_000, || {
        black_box(public.verify(&message, &signed)).unwrap();
    });
    let each = signature::UnparsedPublicKey::new(&signature::ED25519, &bytes);
    measure("verify, aws-lc-rs, from bytes", 1_000, || {
        black_box(each.verify(&message, &signed.to_bytes())).unwrap();
    });
    let kept = signature::ParsedPublicKey::new(&signature::ED25519, bytes).unwrap();
    measure("verify, aws-lc-rs, a key kept", 1_000, || {
        black_box(kept.verify_sig(&message, &signed.to_bytes())).unwrap();
    });
    measure("parse of a public key, ed25519-dalek", 1_000, || {
        black_box(ed25519_dalek::VerifyingKey::from_bytes(&bytes)).unwrap();
    });
}

#[test]
#[ignore = "a benchmark"]
fn one_digest() {
    use aws_lc_rs::digest;
    for size in [64, 300, 1100, 4096] {
        let bytes = vec![1; size];
        measure(&format!("SHA-256, sha2 {size}"), 20_000, || {
            black_box(realm_protocol::Digest::of(&[&bytes]));
        });
        measure(&format!("SHA-256, aws-lc-rs {size}"), 20_000, || {
            black_box(digest::digest(&digest::SHA256, &bytes));
        });
    }
}

/// A call in a session and its answer: sealed, signed alone, verified and opened, both.
#[inline(never)]
fn call_and_answer(ends: &mut Ends, content: &[u8]) {
    let (here, there) = (ends.pair.source.place(), ends.pair.target.place());
    let (caller, callee) = (&ends.pair.here.node, &ends.pair.there.node);
    let out = outgoing(Kind::Call, here, there, None, content);
    let (letter, key) = seal_in_session(&mut rng(1), caller, &mut ends.caller, &out).unwrap();
    let call = verify(&letter.sign(caller), &ends.pair.source).unwrap();
    let opened = open_in_session(&call, &mut ends.callee).unwrap();
    let out = outgoing(Kind::Result, there, here, Some(opened.digest()), content);
    let theirs = opened.reply_key().unwrap();
    let letter = seal_reply(&mut rng(2), callee, theirs, &out).unwrap();
    let answer = verify(&letter.sign(callee), &ends.pair.target).unwrap();
    assert_eq!(open_reply(&answer, &key).unwrap().content(), content);
}

/// For counting, once built:
/// `valgrind --tool=callgrind --toggle-collect='*call_and_answer*' .../crypto-... one_call --ignored`
#[test]
#[ignore = "a benchmark"]
fn one_call() {
    let mut ends = ends();
    let content = vec![7; 1024];
    measure("a call of 1 KiB and its answer", 100, || {
        call_and_answer(&mut ends, &content);
    });
}

/// What the process holds in memory, kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    kilobytes.unwrap().parse().unwrap()
}

/// Prints what verified chains of realms that stand so deep take in memory.
#[test]
#[ignore = "a benchmark"]
fn chains_in_memory() {
    const CHAINS: u64 = 8_192;
    for depth in [0_u8, 2, 8] {
        let realm = (1..=depth).fold(Realm::root(1), |above, level| {
            above.child(1 + level, &format!("level{level}"))
        });
        let bytes = cbor::encode(&realm.chain());
        let trust = Trust {
            root: realm.root_id(),
            shared: None,
            revoked: &|_, _| false,
            now: NOW,
        };
        let before = resident();
        let chains: Vec<VerifiedChain> = (0..CHAINS)
            .map(|_| verify_chain(&cbor::decode(&bytes).unwrap(), &trust).unwrap())
            .collect();
        let each = (resident() - before) * 1_024 / CHAINS;
        println!(
            "depth {depth}: {} bytes as sent, {each} in memory",
            bytes.len()
        );
        black_box(chains);
    }
}
