//! A signature of one type is no signature of another.

use std::collections::BTreeSet;

use realm_crypto::{CertError, SigningKey, verify, verify_first};
use realm_protocol::{
    Digest, NodeId, RealmId, Signature, TAG_ROOT, TAG_SINGLE,
    records::{
        Admission, ChildCert, ChildLimits, Inception, KemPurpose, KemRecord, NodeCert, Peering,
        PolicyRecord, RealmRecord, Record, RevocationList, Signed, Succession, SuccessionReason,
    },
};

use crate::{
    envelope::{self, pair},
    merkle::sign_bytes,
    tree::{NOW, Realm},
};

const REALM: RealmId = RealmId::new([1; 32]);
const NODE: NodeId = NodeId::new([2; 32]);
const DIGEST: Digest = Digest::new([3; 32]);

fn all_tags() -> Vec<&'static str> {
    let tags = [
        Inception::TAGS,
        Succession::TAGS,
        NodeCert::TAGS,
        KemRecord::TAGS,
        RealmRecord::TAGS,
        ChildCert::TAGS,
        RevocationList::TAGS,
        PolicyRecord::TAGS,
        Peering::TAGS,
        &[TAG_SINGLE, TAG_ROOT],
    ];
    tags.concat()
}

/// Signs each place of the record under every tag; only its own may verify.
fn try_every_tag<T: Record + Clone>(record: &T) {
    let key = SigningKey::from_seed(&[7; 32]);
    let keys = vec![key.public(); T::TAGS.len()];
    let mut good = Signed::unsigned(record);
    for _ in T::TAGS {
        key.sign(&mut good);
    }
    assert!(verify(&good, &keys).is_ok());
    for (place, own) in T::TAGS.iter().enumerate() {
        for tag in all_tags().iter().filter(|tag| *tag != own) {
            let mut forged = good.clone();
            forged.signatures[place] = sign_bytes(&key, tag, &good.payload);

            let refused = verify(&forged, &keys).err();

            assert_eq!(refused, Some(CertError::Signature), "{tag} as {own}");
        }
    }
}

#[test]
fn no_two_tags_are_alike() {
    let tags = all_tags();
    let distinct: BTreeSet<_> = tags.iter().collect();
    assert_eq!(distinct.len(), tags.len());
    assert!(tags.iter().all(|tag| tag.starts_with("realm/1/")));
}

#[test]
fn no_signature_of_one_record_verifies_as_anothers() {
    try_every_tag(&Inception {
        realm_key: [4; 32],
        next_key: DIGEST,
        created: NOW,
    });
    try_every_tag(&Succession {
        realm: REALM,
        number: 1,
        previous: DIGEST,
        realm_key: [4; 32],
        next_key: DIGEST,
        reason: SuccessionReason::Routine,
        created: NOW,
    });
    try_every_tag(&NodeCert {
        serial: 1,
        realm: REALM,
        node: NODE,
        scopes: 3,
        not_before: NOW,
        not_after: NOW,
        epoch: 0,
    });
    try_every_tag(&KemRecord {
        realm: REALM,
        node: NODE,
        key: [4; 32],
        purpose: KemPurpose::Live,
        not_before: NOW,
        not_after: NOW,
    });
    try_every_tag(&RealmRecord {
        realm: REALM,
        epoch: 1,
        node: NODE,
        created: NOW,
    });
    try_every_tag(&ChildCert {
        serial: 1,
        parent: REALM,
        label: "a".parse().unwrap(),
        child: REALM,
        not_before: NOW,
        not_after: NOW,
        parent_node: NODE,
        child_node: NODE,
        limits: ChildLimits {
            rate: 1,
            burst: 1,
            may_certify: true,
        },
        epoch: 1,
    });
    try_every_tag(&RevocationList {
        realm: REALM,
        number: 1,
        serials: vec![1],
        created: NOW,
        node: NODE,
    });
    try_every_tag(&PolicyRecord {
        realm: REALM,
        number: 1,
        cedar: String::new(),
        petnames: Vec::new(),
        created: NOW,
        node: NODE,
        above: None,
    });
    let admission = Admission {
        scopes: Vec::new(),
        rate: 1,
        burst: 1,
    };
    try_every_tag(&Peering {
        serial: 1,
        inviter: REALM,
        acceptor: REALM,
        from_inviter: admission.clone(),
        from_acceptor: admission,
        not_before: NOW,
        not_after: NOW,
        inviter_node: NODE,
        acceptor_node: NODE,
    });
}

#[test]
fn no_signature_of_a_record_verifies_as_an_envelopes() {
    let pair = pair();
    let mut envelope = pair.call(b"question").envelope;
    let input = envelope.signed_input();
    for tag in all_tags() {
        envelope.signature = Signature::Single(sign_bytes(&pair.here.node, tag, &input));

        let verified = envelope::verify(&envelope, &pair.source).is_ok();

        assert_eq!(verified, tag == TAG_SINGLE, "{tag}");
    }
}

#[test]
fn a_record_needs_each_signature_by_its_own_key() {
    let (first, second) = (
        SigningKey::from_seed(&[1; 32]),
        SigningKey::from_seed(&[2; 32]),
    );
    let record = Inception {
        realm_key: first.public(),
        next_key: DIGEST,
        created: NOW,
    };
    let mut signed = Signed::unsigned(&record);
    assert_eq!(
        verify(&signed, &[first.public()]),
        Err(CertError::SignatureCount)
    );

    first.sign(&mut signed);

    assert_eq!(verify(&signed, &[first.public()]), Ok(record));
    assert_eq!(
        verify(&signed, &[second.public()]),
        Err(CertError::Signature)
    );
    let keys = [first.public(), second.public()];
    assert_eq!(verify(&signed, &keys), Err(CertError::SignatureCount));
}

#[test]
fn what_is_countersigned_is_first_signed_by_one_alone() {
    let (root, child) = (Realm::root(1), Realm::root(2));
    let whole = root.child_cert(&child, "health", |_| ());
    let parent = root.node.public();
    let mut offered = whole.clone();
    offered.signatures.truncate(1);

    assert_eq!(
        verify_first(&offered, &parent),
        whole.peek().map_err(Into::into)
    );

    assert_eq!(
        verify_first(&whole, &parent),
        Err(CertError::SignatureCount)
    );
    let refused = verify_first(&offered, &child.node.public());
    assert_eq!(refused, Err(CertError::Signature));
}
