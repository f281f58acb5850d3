//! The one way to write an Ed25519 public key.

/// Tells whether a public key's second coordinate is written below the field's modulus,
/// 2^255 - 19. Only points of small order can be written in two ways even so.
pub fn is_canonical_key(key: &[u8; 32]) -> bool {
    let [lowest, between @ .., highest] = key;
    *lowest < 0xed || between.iter().any(|byte| *byte != 0xff) || highest & 0x7f != 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_canonical_below_the_modulus_alone() {
        for lowest in 0..=0xff {
            for highest in [0x7f, 0xff] {
                let mut key = [0xff; 32];
                key[0] = lowest;
                key[31] = highest;
                assert_eq!(is_canonical_key(&key), lowest < 0xed, "{key:02x?}");
                for (at, bit) in (1..32).flat_map(|at| (0..8).map(move |bit| (at, 1 << bit))) {
                    let mut smaller = key;
                    smaller[at] ^= bit;
                    let is_sign = (at, bit) == (31, 0x80);
                    assert_eq!(is_canonical_key(&smaller), !is_sign || lowest < 0xed);
                }
            }
        }
    }
}
