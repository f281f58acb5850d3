use curve25519_dalek::{
    EdwardsPoint, Scalar,
    constants::{ED25519_BASEPOINT_POINT as BASE, EIGHT_TORSION},
};
use ed25519_dalek::Signer as _;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use rand_core::Rng as _;
use sha2::{Digest as _, Sha512};

use super::*;

/// The group's order, lowest byte first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
/// The field's modulus, lowest byte first.
const MODULUS: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

fn strictly(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let signature = Signature::from_bytes(signature);
    VerifyingKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

/// Judges in both ways, in one part and in several, and gives what both say.
fn judged(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let strict = strictly(key, message, signature);
    let taken = PublicKey::new(key);
    let (head, tail) = message.split_at(message.len() / 2);
    for parts in [&[message][..], &[head, &[], tail]] {
        let held = taken.is_some_and(|key| key.has_signed(parts, signature));
        assert_eq!(held, strict, "{key:02x?} {message:02x?} {signature:02x?}");
    }
    strict
}

/// Adds two numbers of 256 bits; none where the sum has more.
fn sum(one: [u8; 32], other: [u8; 32]) -> Option<[u8; 32]> {
    let mut carry = 0;
    let mut total = [0; 32];
    for ((into, one), other) in total.iter_mut().zip(one).zip(other) {
        let digit = u16::from(one) + u16::from(other) + carry;
        *into = (digit % 256) as u8;
        carry = digit / 256;
    }
    (carry == 0).then_some(total)
}

/// All ways to write a point: the canonical one first, then with the modulus added to the second
/// coordinate, and with a sign for a first coordinate that is zero.
fn encodings(point: &EdwardsPoint) -> Vec<[u8; 32]> {
    let canonical = point.compress().to_bytes();
    let mut all = vec![canonical];
    let sign = canonical[31] & 0x80;
    let mut second = canonical;
    second[31] &= 0x7f;
    if let Some(longer) = sum(second, MODULUS).filter(|longer| longer[31] < 0x80) {
        all.push(longer);
    }
    for mut bytes in all.clone() {
        bytes[31] |= sign;
        if bytes != canonical {
            all.push(bytes);
        }
        bytes[31] ^= 0x80;
        all.push(bytes);
    }
    let decodes = |bytes: &[u8; 32]| {
        let point_of = curve25519_dalek::edwards::CompressedEdwardsY(*bytes).decompress();
        point_of == Some(*point)
    };
    all.retain(decodes);
    all.sort_unstable();
    all.dedup();
    let at = all.iter().position(|bytes| *bytes == canonical).unwrap();
    all.swap(0, at);
    all
}

fn scalar(rng: &mut ChaCha20Rng) -> Scalar {
    let mut wide = [0; 64];
    rng.fill_bytes(&mut wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let mut hash = Sha512::new();
    hash.update(r);
    hash.update(key);
    hash.update(message);
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn join(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(r);
    signature[32..].copy_from_slice(s);
    signature
}

#[test]
fn points_of_small_order_are_known_however_they_are_written() {
    let mut seen = Vec::new();
    for point in &EIGHT_TORSION {
        for bytes in encodings(point) {
            assert!(is_small(&join(&bytes, &[9; 32])), "{bytes:02x?}");
            assert!(PublicKey::new(&bytes).is_none(), "{bytes:02x?}");
            seen.push(bytes);
        }
    }
    assert_eq!(seen.len(), 14);
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    for torsion in &EIGHT_TORSION {
        let mixed = (scalar(&mut rng) * BASE + torsion).compress().to_bytes();
        assert!(!is_small(&join(&mixed, &[9; 32])));
        assert!(PublicKey::new(&mixed).is_some());
    }
}

/// Keys and first halves of every order, every way to write them, second halves that are too
/// large, and challenges under which the equation holds, or holds but for the cofactor.
#[test]
fn crafted_keys_and_signatures_are_judged_as_strictly() {
    let mut rng = ChaCha20Rng::from_seed([2; 32]);
    let (mut held, mut mixed, mut cofactored, mut refused) = (0, 0, 0, 0);
    for (i, j) in (0..8).flat_map(|i| (0..8).map(move |j| (i, j))) {
        for (no_key, no_r) in [(false, false), (false, true), (true, false), (true, true)] {
            let secret = if no_key {
                Scalar::ZERO
            } else {
                scalar(&mut rng)
            };
            let nonce = if no_r { Scalar::ZERO } else { scalar(&mut rng) };
            let key = secret * BASE + EIGHT_TORSION[i];
            let first = nonce * BASE + EIGHT_TORSION[j];
            for (key_bytes, r) in encodings(&key)
                .iter()
                .flat_map(|key| encodings(&first).into_iter().map(move |r| (key, r)))
            {
                for number in 0..8_u8 {
                    let message = [number; 5];
                    let k = challenge(&r, key_bytes, &message);
                    let s = nonce + k * secret;
                    let exact = s * BASE == first + k * key;
                    let holds = judged(key_bytes, &message, &join(&r, s.as_bytes()));

                    let strict = exact && !no_key && !no_r && r == first.compress().to_bytes();
                    assert_eq!(holds, strict);
                    held += usize::from(holds);
                    mixed += usize::from(holds && (i, j) != (0, 0));
                    cofactored += usize::from(!exact);
                    refused += usize::from(exact && !holds);
                    let mut larger = *s.as_bytes();
                    while let Some(next) = sum(larger, ORDER) {
                        larger = next;
                        assert!(!judged(key_bytes, &message, &join(&r, &larger)));
                    }
                }
            }
        }
    }
    assert!(held > 8 && mixed > 8 && cofactored > 100 && refused > 100);
}

#[test]
fn a_key_written_in_another_way_is_judged_as_strictly() {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let mut points = 0;
    for low in 0xed..=0xff {
        for sign in [0, 0x80] {
            let mut key = [0xff; 32];
            key[0] = low;
            key[31] = 0x7f | sign;
            points += usize::from(VerifyingKey::from_bytes(&key).is_ok());
            let r = (scalar(&mut rng) * BASE).compress().to_bytes();
            assert!(!judged(
                &key,
                b"message",
                &join(&r, scalar(&mut rng).as_bytes())
            ));
            assert!(!judged(
                &r,
                b"message",
                &join(&key, scalar(&mut rng).as_bytes())
            ));
        }
    }
    assert!(points > 10);
}

#[test]
fn a_key_that_is_not_canonical_is_refused_although_its_point_is_a_key() {
    let mut large = 0;
    for (low, sign) in (0xed..=0xff).flat_map(|low| [(low, 0), (low, 0x80)]) {
        let mut bytes = [0xff; 32];
        bytes[0] = low;
        bytes[31] = 0x7f | sign;
        assert!(PublicKey::new(&bytes).is_none(), "{bytes:02x?}");
        let decoded = VerifyingKey::from_bytes(&bytes);
        let Some(key) = decoded.ok().filter(|key| !key.is_weak()) else {
            continue;
        };
        let canonical = key.to_edwards().compress().to_bytes();
        assert_ne!(canonical, bytes);
        assert!(PublicKey::new(&canonical).is_some(), "{canonical:02x?}");
        large += 1;
    }
    assert!(large > 10, "{large}");
}

#[test]
fn signatures_are_made_and_judged_as_another_library_does() {
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let mut held = 0;
    for round in 0..10_000_u32 {
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let mut message = vec![0; (rng.next_u32() % 200) as usize];
        rng.fill_bytes(&mut message);
        let ours = SecretKey::from_seed(&seed);
        let theirs = ed25519_dalek::SigningKey::from_bytes(&seed);
        assert_eq!(ours.public(), theirs.verifying_key().to_bytes());
        assert_eq!(ours.seed().as_slice(), seed);
        let mut signature = ours.sign(&message);
        assert_eq!(signature, theirs.sign(&message).to_bytes());

        let mut key = ours.public();
        let bit = 1 << (rng.next_u32() % 8);
        let at = rng.next_u32() as usize;
        match round % 4 {
            0 => signature[at % 64] ^= bit,
            1 => key[at % 32] ^= bit,
            2 if !message.is_empty() => {
                let at = at % message.len();
                message[at] ^= bit;
            }
            _ => {}
        }
        held += usize::from(judged(&key, &message, &signature));
    }
    assert!((2_500..2_600).contains(&held), "{held}");
}
