//! What the store key holds together.

use crate::signed::seal;
use realm_crypto::{AtRestError, KemKey, SigningKey, StoreKey, WrappingKey};
use realm_protocol::Kind;

use crate::tree::{Realm, outgoing, rng};

#[test]
fn sealed_bytes_open_only_whole_in_their_place_and_with_their_key() {
    let key = StoreKey::generate(&mut rng(1));
    let sealed = key.seal(&mut rng(2), b"run 1", b"what was asked");
    assert_eq!(key.open(b"run 1", &sealed).unwrap(), b"what was asked");

    assert_eq!(key.open(b"run 2", &sealed), Err(AtRestError::Refused));
    let other = StoreKey::generate(&mut rng(3));
    assert_eq!(other.open(b"run 1", &sealed), Err(AtRestError::Refused));
    assert_eq!(
        key.open(b"run 1", &sealed[..23]),
        Err(AtRestError::Truncated)
    );
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert_eq!(key.open(b"run 1", &changed), Err(AtRestError::Refused));
    }
}

#[test]
fn nothing_prints_a_key() {
    let secret = [0xab; 32];
    let (here, there) = (Realm::root(1), Realm::root(2));
    let (source, target) = (here.verified(), there.verified());
    let out = outgoing(Kind::Call, source.place(), target.place(), None, b"");
    let sealed = seal(&mut rng(3), &here.node, &target.kem()[0], &out).unwrap();

    let printed = [
        format!("{:?}", SigningKey::from_seed(&secret)),
        format!("{:?}", KemKey::from_secret(secret)),
        format!("{:?}", StoreKey::from_bytes(secret)),
        format!("{:?}", sealed.reply_key),
        format!("{:?}", WrappingKey::generate(&mut rng(4))),
    ];

    assert_eq!(
        printed,
        [
            "SigningKey(redacted)",
            "KemKey(redacted)",
            "StoreKey(redacted)",
            "ReplyKey(redacted)",
            "WrappingKey(redacted)",
        ]
    );
    assert!(format!("{sealed:?}").contains("ReplyKey(redacted)"));
}
