//! The published vectors of the ciphers this crate stands on.

use std::convert::Infallible;

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit as _,
    aead::{Aead as _, Payload},
};
use data_encoding::HEXLOWER;
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use rand_core::{TryCryptoRng, TryRng};
use realm_crypto::StoreKey;

const SUNSCREEN: &[u8] = b"Ladies and Gentlemen of the class of '99: If I could offer you only \
one tip for the future, sunscreen would be it.";

fn bytes(hex: &str) -> Vec<u8> {
    HEXLOWER.decode(hex.as_bytes()).unwrap()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().unwrap()
}

fn counting_key() -> [u8; 32] {
    std::array::from_fn(|index| 0x80 + u8::try_from(index).unwrap())
}

#[test]
fn chacha20poly1305_seals_as_rfc_8439_says() {
    let cipher = ChaCha20Poly1305::new(&counting_key().into());
    let nonce: [u8; 12] = array("070000004041424344454647");
    let aad = bytes("50515253c0c1c2c3c4c5c6c7");
    let payload = Payload {
        msg: SUNSCREEN,
        aad: &aad,
    };

    let sealed = cipher.encrypt(&nonce.into(), payload).unwrap();

    let expected = bytes(concat!(
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6",
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36",
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc",
        "3ff4def08e4b7a9de576d26586cec64b6116",
        "1ae10b594f09e26a7e902ecbd0600691",
    ));
    assert_eq!(sealed, expected);
}

#[test]
fn the_store_key_seals_as_the_xchacha_draft_says() {
    let nonce = bytes("404142434445464748494a4b4c4d4e4f5051525354555657");
    let aad = bytes("50515253c0c1c2c3c4c5c6c7");
    let mut rng = Replay(nonce.clone());

    let sealed = StoreKey::from_bytes(counting_key()).seal(&mut rng, &aad, SUNSCREEN);

    let expected = bytes(concat!(
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb",
        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452",
        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9",
        "21f9664c97637da9768812f615c68b13b52e",
        "c0875924c1c7987947deafd8780acf49",
    ));
    assert_eq!(sealed, [nonce, expected].concat());
}

type Kem = hpke::kem::X25519HkdfSha256;
type Kdf = hpke::kdf::HkdfSha256;
type Cipher = hpke::aead::ChaCha20Poly1305;

/// RFC 9180, A.2.1: base mode.
const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
const ENC: &str = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
const PLAINTEXT: &[u8] = b"Beauty is truth, truth beauty";
const CIPHERTEXTS: [&str; 2] = [
    "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
    "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c",
];
const EXPORTS: [(&[u8], &str); 3] = [
    (
        b"",
        "4bbd6243b8bb54cec311fac9df81841b6fd61f56538a775e7c80a9f40160606e",
    ),
    (
        &[0],
        "8c1df14732580e5501b00f82b10a1647b40713191b7c1240ac80e2b68808ba69",
    ),
    (
        b"TestContext",
        "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53",
    ),
];

#[test]
fn hpke_seals_and_exports_as_rfc_9180_says() {
    let recipient = bytes("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
    let recipient = <Kem as hpke::Kem>::PublicKey::from_bytes(&recipient).unwrap();
    let mut rng = Replay(bytes(
        "909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b",
    ));

    let (enc, mut context) = hpke::setup_sender_with_rng::<Cipher, Kdf, Kem>(
        &OpModeS::Base,
        &recipient,
        &bytes(INFO),
        &mut rng,
    )
    .unwrap();

    assert_eq!(enc.to_bytes().as_slice(), bytes(ENC));
    for (number, ciphertext) in CIPHERTEXTS.iter().enumerate() {
        let aad = format!("Count-{number}");
        let sealed = context.seal(PLAINTEXT, aad.as_bytes()).unwrap();
        assert_eq!(sealed, bytes(ciphertext));
    }
    for (label, expected) in EXPORTS {
        let mut secret = [0; 32];
        context.export(label, &mut secret).unwrap();
        assert_eq!(secret, array(expected));
    }
}

#[test]
fn hpke_opens_and_exports_as_rfc_9180_says() {
    let private = bytes("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
    let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(&private).unwrap();
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(&bytes(ENC)).unwrap();

    let mut context =
        hpke::setup_receiver::<Cipher, Kdf, Kem>(&OpModeR::Base, &private, &enc, &bytes(INFO))
            .unwrap();

    for (number, ciphertext) in CIPHERTEXTS.iter().enumerate() {
        let aad = format!("Count-{number}");
        let opened = context.open(&bytes(ciphertext), aad.as_bytes()).unwrap();
        assert_eq!(opened, PLAINTEXT);
    }
    for (label, expected) in EXPORTS {
        let mut secret = [0; 32];
        context.export(label, &mut secret).unwrap();
        assert_eq!(secret, array(expected));
    }
}

/// Gives the bytes that a vector says were random, once.
struct Replay(Vec<u8>);

impl TryRng for Replay {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(buffer.len());
        buffer.copy_from_slice(&self.0);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Replay {}
