use super::*;
use data_encoding::HEXLOWER;
use zeroize::ZeroizeOnDrop;

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
}

#[test]
fn ed25519_gives_the_keys_and_signatures_of_rfc_8032() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            &[][..],
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            &[0xaf, 0x82],
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (seed, public, message, signature) in vectors {
        let key = SigningKey::from_seed(&bytes(seed));
        let signature = bytes(signature);

        assert_eq!(key.public(), bytes(public));
        assert_eq!(key.0.sign(message), signature);
        assert!(is_signed_over(&key.public(), message, &signature));
        assert!(!is_signed_over(&key.public(), b"another", &signature));
    }
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // The neutral element: a lax verifier takes R = neutral, s = 0 for every message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;

    assert!(!is_signed_over(&neutral, b"anything", &signature));
}

#[test]
fn x25519_gives_the_public_keys_of_rfc_7748() {
    let alice = KemKey::from_secret(bytes(
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    ));

    assert_eq!(
        alice.public(),
        bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    );
}

#[test]
fn secret_keys_erase_themselves() {
    fn erases<T: ZeroizeOnDrop>() {}
    erases::<Zeroizing<[u8; 32]>>();
    erases::<StaticSecret>();
}

#[test]
fn a_record_takes_no_more_signatures_than_it_has() {
    let key = SigningKey::from_seed(&[1; 32]);
    let mut record = Signed::unsigned(&realm_protocol::records::Inception {
        realm_key: key.public(),
        next_key: Digest::new([0; 32]),
        created: realm_protocol::Timestamp::from_millis(0),
    });

    key.sign(&mut record);
    key.sign(&mut record);

    assert_eq!(record.signatures.len(), 1);
}
