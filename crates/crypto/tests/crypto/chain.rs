//! What a chain proves, and what it does not.

use realm_crypto::{CertError, Trust, check_known, succeed, verify_chain, verify_own_chain};
use realm_protocol::{
    Digest, RealmId, limits,
    records::{Chain, KemPurpose, Signed, SuccessionReason, scopes},
};

use crate::tree::{DAY, NOW, Realm, none_revoked, signed, trust};

struct Tree {
    root: Realm,
    middle: Realm,
    leaf: Realm,
}

fn tree() -> Tree {
    let root = Realm::root(1);
    let middle = root.child(2, "health");
    let leaf = middle.child(3, "cardiology");
    Tree { root, middle, leaf }
}

#[test]
fn a_chain_proves_place_node_and_keys() {
    let Tree { root, middle, leaf } = tree();

    let verified = leaf.verified();

    assert_eq!(verified.root(), root.id);
    assert_eq!(verified.path().to_string(), "health/cardiology");
    assert_eq!(verified.place().realm, Some(leaf.id));
    assert_eq!(verified.place().node, Some(leaf.node.node_id()));
    assert_eq!(verified.kem_at(NOW).unwrap().key_id(), leaf.kem.key_id());
    assert_eq!(verified.expires(), NOW.plus(14 * DAY));
    assert_eq!(verified.epoch(), 3);
    let serials: Vec<_> = verified.serials().collect();
    assert_eq!(serials, [(root.id, 7), (middle.id, 7)]);
    let ancestors: Vec<_> = verified.ancestors().iter().map(|a| a.realm).collect();
    assert_eq!(ancestors, [root.id, middle.id, leaf.id]);
}

#[test]
fn a_chain_with_one_wrong_record_proves_nothing() {
    let t = tree();
    let stranger = Realm::root(9);
    type Edit<'a> = Box<dyn Fn(&mut Chain) + 'a>;
    let child = |edit: fn(&mut realm_protocol::records::ChildCert)| -> Edit<'_> {
        let cert = t.middle.child_cert(&t.leaf, "cardiology", edit);
        Box::new(move |chain| chain.links[2].child_cert = Some(cert.clone()))
    };
    let parent_limits = |edit: fn(&mut realm_protocol::records::ChildCert)| -> Edit<'_> {
        let cert = t.root.child_cert(&t.middle, "health", edit);
        Box::new(move |chain| chain.links[1].child_cert = Some(cert.clone()))
    };
    let cases: Vec<(&str, Edit<'_>, CertError)> = vec![
        ("no links", Box::new(|c| c.links.clear()), CertError::Empty),
        ("expired", child(|c| c.not_after = NOW), CertError::Expired),
        (
            "beyond the clocks' difference",
            child(|c| c.not_before = NOW.plus(limits::CLOCK_SKEW_MS + 1)),
            CertError::NotYetValid,
        ),
        (
            "other child",
            child(|c| c.child = c.parent),
            CertError::Realm,
        ),
        (
            "other parent",
            child(|c| c.parent = c.child),
            CertError::Realm,
        ),
        (
            "other parent node",
            child(|c| c.parent_node = c.child_node),
            CertError::Node,
        ),
        (
            "other child node",
            child(|c| c.child_node = c.parent_node),
            CertError::Node,
        ),
        (
            "not allowed to certify",
            parent_limits(|c| c.limits.may_certify = false),
            CertError::MayNotCertify(t.middle.id),
        ),
        (
            "no countersignature",
            Box::new(|c| {
                c.links[2].child_cert.as_mut().unwrap().signatures.pop();
            }),
            CertError::SignatureCount,
        ),
        (
            "countersigned by the parent",
            Box::new(|c| {
                let cert = c.links[2].child_cert.as_ref().unwrap().peek().unwrap();
                c.links[2].child_cert = Some(signed(&cert, &[&t.middle.node, &t.middle.node]));
            }),
            CertError::Signature,
        ),
        (
            "label changed after signing",
            Box::new(|c| {
                let cert = c.links[2].child_cert.as_mut().unwrap();
                let mut changed = cert.peek().unwrap();
                changed.label = "billing".parse().unwrap();
                cert.payload = Signed::unsigned(&changed).payload;
            }),
            CertError::Signature,
        ),
        (
            "no child certificate",
            Box::new(|c| c.links[2].child_cert = None),
            CertError::Parentage,
        ),
        (
            "a root with a parent",
            Box::new(|c| c.links[0].child_cert = c.links[1].child_cert.clone()),
            CertError::Parentage,
        ),
        (
            "a skipped realm",
            Box::new(|c| {
                c.links.remove(1);
            }),
            CertError::Signature,
        ),
        (
            "node certificate of another realm",
            Box::new(|c| c.links[2].node_cert = c.links[1].node_cert.clone()),
            CertError::Signature,
        ),
        (
            "expired node certificate above",
            Box::new(|c| c.links[0].node_cert = t.root.node_cert(|n| n.not_after = NOW)),
            CertError::Expired,
        ),
        (
            "parent without the issue scope",
            Box::new(|c| c.links[1].node_cert = t.middle.node_cert(|n| n.scopes = scopes::MESSAGE)),
            CertError::Scope,
        ),
        (
            "leaf without the issue scope",
            Box::new(|c| c.links[2].node_cert = t.leaf.node_cert(|n| n.scopes = scopes::MESSAGE)),
            CertError::Scope,
        ),
        (
            "keys without the message scope",
            Box::new(|c| c.links[2].node_cert = t.leaf.node_cert(|n| n.scopes = scopes::ISSUE)),
            CertError::Scope,
        ),
        (
            "an epoch nobody proved",
            Box::new(|c| c.links[2].node_cert = t.leaf.node_cert(|n| n.epoch = 1)),
            CertError::Epoch,
        ),
        (
            "a stranger's key record",
            Box::new(|c| c.kem = vec![stranger.kem_record(|_| ())]),
            CertError::Signature,
        ),
        (
            "a key record for another realm",
            Box::new(|c| c.kem = vec![t.leaf.kem_record(|k| k.realm = t.root.id)]),
            CertError::Realm,
        ),
        (
            "too many key records",
            Box::new(|c| c.kem = vec![t.leaf.kem_record(|_| ()); limits::KEM_RECORDS + 1]),
            CertError::TooMany,
        ),
        (
            "a realm record naming another node",
            Box::new(|c| c.realm_record = t.leaf.realm_record(|r| r.node = t.root.node.node_id())),
            CertError::Node,
        ),
        (
            "a realm record of another realm",
            Box::new(|c| c.realm_record = t.leaf.realm_record(|r| r.realm = t.root.id)),
            CertError::Realm,
        ),
    ];
    for (name, edit, expected) in cases {
        let mut chain = t.leaf.chain();
        edit(&mut chain);

        let refused = verify_chain(&chain, &trust(t.root.id)).unwrap_err();

        assert_eq!(refused, expected, "{name}");
    }
}

#[test]
fn a_chain_starts_at_the_root_expected() {
    let t = tree();
    let refused = verify_chain(&t.leaf.chain(), &trust(t.middle.id)).unwrap_err();
    assert_eq!(refused, CertError::Root(t.root.id));
}

#[test]
fn a_realm_stands_at_most_eight_labels_deep() {
    let mut realm = Realm::root(1);
    for depth in 0..limits::PATH_DEPTH {
        realm = realm.child(u8::try_from(depth).unwrap() + 2, "down");
    }
    assert_eq!(realm.verified().path().depth(), limits::PATH_DEPTH);

    let deeper = realm.child(99, "down");

    let refused = verify_chain(&deeper.chain(), &trust(realm.root_id())).unwrap_err();
    assert_eq!(refused, CertError::Depth);
}

#[test]
fn clocks_may_differ_before_a_certificate_begins_but_not_after_it_ends() {
    let t = tree();
    let mut chain = t.leaf.chain();
    let begins = NOW.plus(limits::CLOCK_SKEW_MS);
    chain.links[2].node_cert = t.leaf.node_cert(|n| n.not_before = begins);
    assert!(verify_chain(&chain, &trust(t.root.id)).is_ok());

    chain.links[2].node_cert = t.leaf.node_cert(|n| n.not_after = NOW);
    let refused = verify_chain(&chain, &trust(t.root.id)).unwrap_err();

    assert_eq!(refused, CertError::Expired);
}

#[test]
fn a_revoked_certificate_ends_the_chain_at_once_and_later() {
    let t = tree();
    let revoked = |issuer: RealmId, serial: u64| issuer == t.middle.id && serial == 7;
    let expected = CertError::Revoked {
        issuer: t.middle.id,
        serial: 7,
    };
    let known = Trust {
        revoked: &revoked,
        ..trust(t.root.id)
    };
    assert_eq!(verify_chain(&t.leaf.chain(), &known).unwrap_err(), expected);

    let verified = t.leaf.verified();

    assert_eq!(verified.is_valid_at(NOW, &none_revoked), Ok(()));
    assert_eq!(verified.is_valid_at(NOW, &revoked), Err(expected));
    let end = verified.expires();
    assert_eq!(
        verified.is_valid_at(end, &none_revoked),
        Err(CertError::Expired)
    );
}

#[test]
fn a_subtree_that_is_cut_off_goes_on_working_inside() {
    let t = tree();
    let sibling = t.middle.child(4, "imaging");
    let own = t.leaf.verified();
    let mut chain = sibling.chain();
    let expired = t
        .root
        .child_cert(&t.middle, "health", |c| c.not_after = NOW.minus(1));
    chain.links[1].child_cert = Some(expired);
    chain.links[0].node_cert = t.root.node_cert(|n| n.not_after = NOW.minus(1));
    let revoked = |issuer: RealmId, _| issuer == t.root.id;
    let inside = Trust {
        shared: Some(&own),
        revoked: &revoked,
        ..trust(t.root.id)
    };

    let verified = verify_chain(&chain, &inside).unwrap();

    assert_eq!(verified.serials().collect::<Vec<_>>(), [(t.middle.id, 7)]);
    let outside = trust(t.root.id);
    assert_eq!(
        verify_chain(&chain, &outside).unwrap_err(),
        CertError::Expired
    );
    chain.links[2].child_cert = Some(
        t.middle
            .child_cert(&sibling, "imaging", |c| c.not_after = NOW),
    );
    assert_eq!(
        verify_chain(&chain, &inside).unwrap_err(),
        CertError::Expired
    );
}

#[test]
fn a_realm_that_is_cut_off_still_proves_itself_to_itself() {
    let t = tree();
    let mut chain = t.leaf.chain();
    let expired = t
        .middle
        .child_cert(&t.leaf, "cardiology", |c| c.not_after = NOW);
    chain.links[2].child_cert = Some(expired);
    chain.links[1].node_cert = t.middle.node_cert(|n| n.not_after = NOW);

    let own = verify_own_chain(&chain, t.root.id, NOW).unwrap();

    assert_eq!(own.realm(), t.leaf.id);
    assert_eq!(own.expires(), NOW.plus(90 * DAY));
    chain.links[2].node_cert = t.leaf.node_cert(|n| n.not_after = NOW);
    let refused = verify_own_chain(&chain, t.root.id, NOW).unwrap_err();
    assert_eq!(refused, CertError::Expired);
}

#[test]
fn a_renamed_realm_is_not_the_shared_one() {
    let t = tree();
    let own = t.leaf.verified();
    let mut chain = t.middle.chain();
    let renamed = t
        .root
        .child_cert(&t.middle, "billing", |c| c.not_after = NOW);
    chain.links[1].child_cert = Some(renamed);
    let inside = Trust {
        shared: Some(&own),
        ..trust(t.root.id)
    };

    assert_eq!(
        verify_chain(&chain, &inside).unwrap_err(),
        CertError::Expired
    );
}

#[test]
fn a_routine_succession_lets_certificates_run_out_and_a_compromise_voids_them() {
    let t = tree();
    for (reason, old) in [
        (SuccessionReason::Routine, Ok(())),
        (SuccessionReason::Compromised, Err(CertError::Voided)),
    ] {
        let mut chain = t.leaf.chain();
        let inception = chain.links[1].inception.clone();
        let succession = succeed(
            &inception,
            &[],
            &t.middle.next_key,
            Digest::new([0; 32]),
            reason,
            NOW,
        );
        chain.links[1].successions = vec![succession];

        let by_old_key = verify_chain(&chain, &trust(t.root.id)).map(|_| ());
        chain.links[1].node_cert = t.middle.node_cert(|n| n.epoch = 1);
        let by_new_key = verify_chain(&chain, &trust(t.root.id));

        assert_eq!(by_old_key, old);
        assert!(by_new_key.is_ok());
    }
}

#[test]
fn a_key_succeeded_by_plan_signs_nothing_that_outlives_its_last_certificate() {
    let t = tree();
    let inception = t.middle.chain().links[0].inception.clone();
    let (next, reason) = (Digest::new([0; 32]), SuccessionReason::Routine);
    let known = [succeed(
        &inception,
        &[],
        &t.root.next_key,
        next,
        reason,
        NOW,
    )];
    let judge = |not_after| {
        let mut chain = t.middle.chain();
        chain.links[0].node_cert = t.root.node_cert(|cert| cert.not_after = not_after);
        check_known(
            &chain,
            |realm| if realm == t.root.id { &known } else { &[] },
        )
    };
    let last = NOW.plus(limits::NODE_CERT_MS + limits::CLOCK_SKEW_MS);

    assert_eq!(judge(last), Ok(()));
    assert_eq!(judge(last.plus(1)), Err(CertError::Outlived));
}

#[test]
fn nobody_hides_a_compromise_from_who_has_seen_it() {
    let t = tree();
    let stale = t.leaf.chain();
    let mut fresh = t.middle.chain();
    let inception = &fresh.links[0].inception.clone();
    let reason = SuccessionReason::Compromised;
    let succession = succeed(
        inception,
        &[],
        &t.root.next_key,
        Digest::new([0; 32]),
        reason,
        NOW,
    );
    fresh.links[0].successions = vec![succession];
    fresh.links[0].node_cert = t.root.node_cert(|n| n.epoch = 1);
    let own = verify_chain(&fresh, &trust(t.root.id)).unwrap();

    let informed = Trust {
        shared: Some(&own),
        ..trust(t.root.id)
    };

    assert_eq!(
        verify_chain(&stale, &informed).unwrap_err(),
        CertError::Voided
    );
    let reason = SuccessionReason::Routine;
    let other = succeed(
        inception,
        &[],
        &t.root.next_key,
        Digest::new([0; 32]),
        reason,
        NOW,
    );
    fresh.links[0].successions = vec![other];
    assert_eq!(
        verify_chain(&fresh, &informed).unwrap_err(),
        CertError::Fork(1)
    );
}

#[test]
fn the_newest_live_key_that_has_begun_is_sealed_to() {
    let t = tree();
    let mut chain = t.leaf.chain();
    let key = |n: u8, from, to| {
        t.leaf
            .kem_record(|k| (k.key, k.not_before, k.not_after) = ([n; 32], from, to))
    };
    chain.kem = vec![
        key(1, NOW.minus(DAY), NOW.plus(1_000)),
        key(2, NOW.minus(1), NOW.plus(DAY)),
        key(3, NOW.plus(1), NOW.plus(2 * DAY)),
        key(4, NOW.minus(2), NOW),
        t.leaf
            .kem_record(|k| (k.key, k.purpose, k.not_before) = ([5; 32], KemPurpose::Stored, NOW)),
    ];

    let verified = verify_chain(&chain, &trust(t.root.id)).unwrap();

    let listed: Vec<_> = verified.kem().iter().map(|k| k.key[0]).collect();
    assert_eq!(listed, [1, 2, 3]);
    let stored: Vec<_> = verified.stored_kem().iter().map(|k| k.key[0]).collect();
    assert_eq!(stored, [5]);
    assert_eq!(verified.stored_kem_at(NOW).unwrap().key, [5; 32]);
    assert_eq!(verified.kem_at(NOW).unwrap().key, [2; 32]);
    assert_eq!(verified.kem_at(NOW.plus(1)).unwrap().key, [3; 32]);
    assert!(verified.kem_at(NOW.plus(2 * DAY)).is_none());
    assert!(verified.kem_at(NOW.minus(2 * DAY)).is_none());
}
