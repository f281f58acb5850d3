use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;

use super::*;

/// Random bytes, of any length below `end`.
fn some(rng: &mut ChaCha20Rng, end: u32) -> Vec<u8> {
    let mut bytes = vec![0; (rng.next_u32() % end) as usize];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn array<const N: usize>(rng: &mut ChaCha20Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn sealed(key: &AeadKey, nonce: [u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut buffer = [b"before", plaintext].concat();
    key.seal(nonce, aad, &mut buffer, 6).unwrap();
    assert!(buffer.starts_with(b"before"));
    buffer.split_off(6)
}

#[test]
fn it_seals_and_opens_byte_for_byte_as_another_library_does() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    for round in 0..1_000 {
        let (key, long): ([u8; 32], [u8; 24]) = (array(&mut rng), array(&mut rng));
        let end = if round % 10 == 0 { 9_000 } else { 300 };
        let (msg, aad) = (some(&mut rng, end), some(&mut rng, 400));
        let payload = || Payload {
            msg: &msg,
            aad: &aad,
        };
        let short: [u8; 12] = array(&mut rng);
        let (extended, under) = AeadKey::extended(&key, &long);

        let plain = sealed(&AeadKey::new(&key), short, &aad, &msg);
        let under_long = sealed(&extended, under, &aad, &msg);

        let reference = ChaCha20Poly1305::new(&key.into());
        let theirs = reference.encrypt(&short.into(), payload());
        assert_eq!(plain, theirs.unwrap());
        let reference = XChaCha20Poly1305::new(&key.into());
        let theirs = reference.encrypt(&long.into(), payload());
        assert_eq!(under_long, theirs.unwrap());
        assert_eq!(extended.open(under, &aad, &under_long), Some(msg));
    }
}

#[test]
fn what_was_changed_opens_neither_here_nor_there() {
    let mut rng = ChaCha20Rng::from_seed([2; 32]);
    for _ in 0..1_000 {
        let (bytes, nonce): ([u8; 32], [u8; 12]) = (array(&mut rng), array(&mut rng));
        let (msg, mut aad) = (some(&mut rng, 300), some(&mut rng, 50));
        let key = AeadKey::new(&bytes);
        let mut changed = sealed(&key, nonce, &aad, &msg);
        let at = rng.next_u32() as usize;
        match rng.next_u32() % 4 {
            0 => aad.push(0),
            1 => changed.truncate(at % changed.len()),
            2 => changed.push(0),
            _ => {
                let at = at % changed.len();
                changed[at] ^= 1 << (rng.next_u32() % 8);
            }
        }

        let opened = key.open(nonce, &aad, &changed);

        let payload = Payload {
            msg: &changed,
            aad: &aad,
        };
        let theirs = ChaCha20Poly1305::new(&bytes.into()).decrypt(&nonce.into(), payload);
        assert_eq!(opened, None);
        assert!(theirs.is_err());
    }
}
