//! What a person is called by realms of other roots.

use std::fmt;

use hkdf::Hkdf;
use rand_core::CryptoRng;
use realm_protocol::{PersonId, RealmId};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keys::random;

const INFO: &[u8] = b"realm/1/pseudonym";

/// One person's secret. Without it nobody can tell that two of their pseudonyms are of one person, nor of whom.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonKey(Zeroizing<[u8; 32]>);

impl PersonKey {
    /// Takes the 32 key bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Makes a new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(random(rng))
    }

    /// Gives the key bytes, for the store.
    pub fn bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// What the realms of a root call the person.
    pub fn pseudonym(&self, root: RealmId) -> PersonId {
        let mut id = [0; 16];
        let hkdf = Hkdf::<Sha256>::new(Some(INFO), self.0.as_slice());
        // Sixteen bytes are less than HKDF gives at most.
        let _ = hkdf.expand(root.as_bytes(), &mut id);
        PersonId::new(id)
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_one_pseudonym_for_a_root_and_nobody_shares_any() {
        let keys = [1, 2].map(|of| PersonKey::from_bytes([of; 32]));
        let roots = [3, 4].map(|of| RealmId::new([of; 32]));
        let all = keys
            .iter()
            .flat_map(|key| roots.map(|root| key.pseudonym(root)));
        let all: std::collections::BTreeSet<PersonId> = all.collect();
        assert_eq!(all.len(), 4);
        assert!(!all.contains(&PersonId::new([0; 16])));
        assert_eq!(
            keys[0].pseudonym(roots[0]),
            keys[0].clone().pseudonym(roots[0])
        );
        assert_eq!(format!("{:?}", keys[0]), "PersonKey(redacted)");
    }
}
