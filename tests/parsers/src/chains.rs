//! Chains, as they come and signed by keys that everybody knows.
//!
//! Whatever a fuzzer changes breaks a signature, so that nothing behind one would ever be
//! reached. Here the signatures are made anew, with the keys of the vectors.

use std::{collections::BTreeMap, sync::LazyLock};

use realm_crypto::{CertError, SigningKey, Trust, VerifiedChain, verify_chain, verify_own_chain};
use realm_protocol::{
    RealmId, Timestamp, cbor,
    records::{Chain, ChainLink, Record, Signed},
};

use crate::wire::one_encoding;

/// The wall clock of all vectors.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The signing keys whose seeds are 32 equal bytes, by their public halves.
static KEYS: LazyLock<BTreeMap<[u8; 32], SigningKey>> = LazyLock::new(|| {
    let keys = (0..=u8::MAX).map(|seed| SigningKey::from_seed(&[seed; 32]));
    keys.map(|key| (key.public(), key)).collect()
});

pub(crate) fn chain(bytes: &[u8]) {
    let Some(mut chain) = one_encoding::<Chain>(bytes) else {
        return;
    };
    holds(&chain);
    sign(&mut chain);
    holds(&chain);
}

/// The known key with this public half.
pub(crate) fn known_key(public: &[u8; 32]) -> Option<&'static SigningKey> {
    KEYS.get(public)
}

/// Signs every record of a chain anew, as far as its signer's key is known.
fn sign(chain: &mut Chain) {
    let mut leaf = None;
    let mut above = None;
    for link in &mut chain.links {
        leaf = sign_link(link, above);
        above = leaf;
    }
    for record in &mut chain.kem {
        sign_record(record, &[leaf]);
    }
    sign_record(&mut chain.realm_record, &[leaf]);
}

/// Signs a link's records; gives the key of its node.
fn sign_link(link: &mut ChainLink, above: Option<[u8; 32]>) -> Option<[u8; 32]> {
    let inception = link.inception.peek().ok()?;
    let mut realm_keys = vec![inception.realm_key];
    sign_record(&mut link.inception, &[Some(inception.realm_key)]);
    for signed in &mut link.successions {
        let key = signed.peek().ok()?.realm_key;
        sign_record(signed, &[Some(key)]);
        realm_keys.push(key);
    }
    let cert = link.node_cert.peek().ok()?;
    let epoch = usize::try_from(cert.epoch).ok()?;
    sign_record(&mut link.node_cert, &[realm_keys.get(epoch).copied()]);
    let node = *cert.node.as_bytes();
    if let Some(cert) = &mut link.child_cert {
        sign_record(cert, &[above, Some(node)]);
    }
    Some(node)
}

/// Replaces a record's signatures, if every signer's key is known.
fn sign_record<T: Record>(signed: &mut Signed<T>, signers: &[Option<[u8; 32]>]) {
    let keys: Option<Vec<_>> = signers.iter().map(|key| known_key(&(*key)?)).collect();
    if let Some(keys) = keys {
        signed.signatures.clear();
        keys.iter().for_each(|key| key.sign(signed));
    }
}

/// Verifies a chain. One that holds says what its links say, and stops holding with its root,
/// its time, or any of its certificates.
fn holds(chain: &Chain) -> Option<VerifiedChain> {
    let root = chain.links.first().map(|link| link.inception.realm_id());
    let root = root.unwrap_or(RealmId::new([0; 32]));
    let verify = |root, now, revoked: &dyn Fn(RealmId, u64) -> bool| {
        let shared = None;
        verify_chain(
            chain,
            &Trust {
                root,
                shared,
                revoked,
                now,
            },
        )
    };
    let proof = verify(root, NOW, &|_, _| false).ok()?;

    assert_eq!(proof.root(), root);
    assert_eq!(proof.bytes().to_vec(), cbor::encode(chain));
    assert_eq!(proof.path().depth() + 1, chain.links.len());
    assert_eq!(proof.ancestors().len(), chain.links.len());
    let claimed = chain.links.last().map(|link| link.inception.realm_id());
    assert_eq!(Some(proof.realm()), claimed);
    assert!(proof.kem_at(NOW).is_none_or(|key| NOW < key.not_after));
    assert!(verify_own_chain(chain, root, NOW).is_ok());

    assert!(NOW < proof.expires());
    let late = verify(root, proof.expires(), &|_, _| false);
    assert!(matches!(late, Err(CertError::Expired)), "{late:?}");
    let other = verify(RealmId::new([0; 32]), NOW, &|_, _| false);
    assert!(matches!(other, Err(CertError::Root(_))), "{other:?}");
    for (issuer, serial) in proof.serials() {
        let revoked = verify(root, NOW, &|by, number| (by, number) == (issuer, serial));
        assert!(
            matches!(revoked, Err(CertError::Revoked { .. })),
            "{revoked:?}"
        );
    }
    Some(proof)
}
