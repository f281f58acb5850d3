use data_encoding::HEXLOWER;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

use super::*;

const REALM: RealmId = RealmId::new([7; 32]);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([1; 32])
}

fn lock(passphrase: &[u8]) -> (WrappingKey, PassphraseLock) {
    let key = WrappingKey::generate(&mut rng());
    let lock = key.lock(&mut rng(), REALM, passphrase).unwrap();
    (key, lock)
}

#[test]
fn a_passphrase_gives_the_key_that_other_implementations_derive() {
    let (_, mut lock) = lock(b"any");
    lock.salt = [1; 16];

    let key = lock.stretch(b"correct horse").unwrap();

    let expected = "dcc3ec3ce0901fcc6f65123e4abe2793a4638f8c4688d557fac29554b038ced3";
    assert_eq!(HEXLOWER.encode(key.bytes().as_slice()), expected);
}

#[test]
fn a_lock_opens_with_its_passphrase_for_its_realm_alone() {
    let (key, lock) = lock(b"correct horse");
    let wrapped = key.wrap(&mut rng(), REALM, "node.key", &[5; 32]);

    let opened = lock.open(REALM, b"correct horse").unwrap();

    let read = opened.unwrap_key(REALM, "node.key", &wrapped);
    assert_eq!(*read.unwrap(), [5; 32]);
    let elsewhere = opened.unwrap_key(REALM, "realm.key", &wrapped);
    assert_eq!(elsewhere.unwrap_err(), AtRestError::Refused);
    for (realm, passphrase) in [
        (REALM, b"correct horsf".as_slice()),
        (RealmId::new([8; 32]), b"correct horse"),
    ] {
        let refused = lock.open(realm, passphrase).unwrap_err();
        assert_eq!(refused, PassphraseError::Wrong);
    }
}

#[test]
fn a_lock_with_anything_changed_does_not_open() {
    let (_, lock) = lock(b"correct horse");
    let mut salted = lock.clone();
    salted.salt[0] ^= 1;
    let mut sealed = lock.clone();
    let mut changed = sealed.sealed.to_vec();
    changed[30] ^= 1;
    sealed.sealed = changed.into();
    let cheaper = PassphraseLock {
        passes: 2,
        ..lock.clone()
    };

    for changed in [salted, sealed, cheaper] {
        let refused = changed.open(REALM, b"correct horse").unwrap_err();
        assert_eq!(refused, PassphraseError::Wrong);
    }
}

#[test]
fn a_lock_that_asks_for_too_much_or_too_little_is_refused_before_it_costs_anything() {
    let (_, lock) = lock(b"correct horse");
    let with = |memory_kib, passes, lanes| PassphraseLock {
        memory_kib,
        passes,
        lanes,
        ..lock.clone()
    };

    for lock in [
        with(u64::MAX, 3, 1),
        with(8, 3, 1),
        with(64 * 1024, u64::MAX, 1),
        with(64 * 1024, 1, 1),
        with(64 * 1024, 3, 0),
        with(64 * 1024, 3, 5),
    ] {
        let refused = lock.open(REALM, b"correct horse");
        assert!(matches!(refused, Err(PassphraseError::Cost { .. })));
    }
    let later = PassphraseLock { form: 2, ..lock };
    assert_eq!(
        later.open(REALM, b"x").unwrap_err(),
        PassphraseError::Form(2)
    );
}

#[test]
fn a_passphrase_is_neither_empty_nor_endless() {
    let key = WrappingKey::generate(&mut rng());

    for wrong in [vec![], vec![b'a'; PASSPHRASE_BYTES + 1]] {
        let refused = key.lock(&mut rng(), REALM, &wrong).unwrap_err();
        assert_eq!(refused, PassphraseError::Length);
    }
}
