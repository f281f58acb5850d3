//! Chains that hold, and chains that do not.

use realm_crypto::{Trust, VerifiedChain, succeed, verify_chain};
use realm_protocol::{
    Digest, NodeId, RealmId, Timestamp, cbor,
    records::{Chain, ChildCert, KemPurpose, NodeCert, Signed, SuccessionReason, scopes},
};
use serde_json::{Value, json};

use super::{
    book::{Book, Case, Subject, hex},
    tree::{DAY, NOW, Realm, key, signed, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "chains",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let chain: Chain = cbor::decode(&case.bytes("hex")).map_err(|error| error.to_string())?;
    let own = case.has("own").then(|| own_chain(case));
    let revoked: Vec<(RealmId, u64)> = case.cases("revoked").iter().map(serial).collect();
    let trust = Trust {
        root: RealmId::new(case.array("root")),
        shared: own.as_ref(),
        revoked: &|issuer, serial| revoked.contains(&(issuer, serial)),
        now: Timestamp::from_millis(case.number("now")),
    };
    let verified = verify_chain(&chain, &trust).map_err(|error| error.to_string())?;
    assert_eq!(hex(verified.realm().as_bytes()), case.text("realm"));
    assert_eq!(hex(verified.node().as_bytes()), case.text("node"));
    assert_eq!(verified.path().to_string(), case.text("path"));
    assert_eq!(verified.epoch(), case.number("epoch"));
    if case.has("seal_to") {
        let key = verified.kem_at(trust.now).map(|record| hex(record.key));
        assert_eq!(key.as_deref(), case.value("seal_to").as_str());
    }
    Ok(())
}

fn own_chain(case: &Case) -> VerifiedChain {
    let chain: Chain = cbor::decode(&case.bytes("own")).unwrap();
    let root = RealmId::new(case.array("root"));
    let now = Timestamp::from_millis(case.number("now"));
    realm_crypto::verify_own_chain(&chain, root, now).unwrap()
}

fn serial(case: &Case) -> (RealmId, u64) {
    (RealmId::new(case.array("issuer")), case.number("serial"))
}

/// What a chain is checked against, as the file says it.
struct Check<'a> {
    root: RealmId,
    now: Timestamp,
    own: Option<&'a Chain>,
    revoked: &'a [(RealmId, u64)],
}

impl Check<'_> {
    const fn of(root: RealmId) -> Self {
        Self {
            root,
            now: NOW,
            own: None,
            revoked: &[],
        }
    }

    fn fields(&self, chain: &Chain) -> Value {
        let revoked = self.revoked.iter();
        let revoked: Vec<Value> = revoked
            .map(|(issuer, serial)| json!({"issuer": hex(issuer.as_bytes()), "serial": serial}))
            .collect();
        let mut fields = json!({
            "hex": hex(cbor::encode(chain)), "root": hex(self.root.as_bytes()),
            "now": self.now.as_millis(), "revoked": revoked,
        });
        if let Some(own) = self.own {
            fields["own"] = hex(cbor::encode(own)).into();
        }
        fields
    }

    fn holds(&self, chain: &Chain, realm: &Realm, path: &str) -> Value {
        let mut fields = self.fields(chain);
        fields["realm"] = hex(realm.id.as_bytes()).into();
        fields["node"] = hex(realm.node.public()).into();
        fields["path"] = path.into();
        fields["epoch"] = 3.into();
        fields
    }
}

fn make(book: &mut Book) {
    book.about(
        "Chains by `hex`, checked against `root` at the time `now` with the `revoked` serials; \
         `own` is the reader's own chain, where it has one in the same tree. A chain that holds \
         proves `realm`, `node`, `path`, and the `epoch` of its realm record; `seal_to` is the X25519 key that a \
         sender seals to, null if there is none.",
    );
    let world = world();
    let check = Check::of(world.acme.id);
    let rules = "CHAIN-1 CHAIN-2 REC-9";
    book.valid(
        "a root",
        rules,
        check.holds(&world.acme.chain(), &world.acme, ""),
    );
    let rules = "CHAIN-3 CHAIN-4 CHAIN-5 CHAIN-9 CHAIN-10";
    let path = "health/cardiology";
    let chain = world.cardiology.chain();
    book.valid(
        "three realms",
        rules,
        check.holds(&chain, &world.cardiology, path),
    );
    depths(book);
    shapes(book);
    links(book);
    leaves(book);
    seals(book);
    keys(book);
    times(book);
    shared(book);
}

fn depths(book: &mut Book) {
    let mut realm = Realm::new(10, None);
    let root = realm.id;
    for depth in 1..=9_u8 {
        realm = Realm::new(10 + 4 * depth, Some((&realm, "a")));
        let check = Check::of(root);
        let chain = realm.chain();
        if depth == 8 {
            let path = ["a"; 8].join("/");
            let fields = check.holds(&chain, &realm, &path);
            book.valid("nine realms", "CHAIN-1 CHAIN-8", fields);
        } else if depth == 9 {
            book.invalid("ten realms", "CHAIN-1", check.fields(&chain));
        }
    }
    let mut realm = Realm::new(10, None);
    let root = realm.id;
    for depth in 1..=5_u8 {
        realm = Realm::new(10 + 4 * depth, Some((&realm, &"a".repeat(60))));
    }
    let fields = Check::of(root).fields(&realm.chain());
    book.invalid("labels longer than a path", "CHAIN-8", fields);
}

fn shapes(book: &mut Book) {
    let world = world();
    let check = Check::of(world.acme.id);
    let mut none = world.acme.chain();
    none.links.clear();
    book.invalid("no realms", "CHAIN-1", check.fields(&none));
    let fields = check.fields(&world.lab.chain());
    book.invalid("another root", "CHAIN-2", fields);
    let mut headless = world.cardiology.chain();
    headless.links.remove(0);
    book.invalid("without its root", "CHAIN-2", check.fields(&headless));
    let mut parented = world.acme.chain();
    parented.links[0].child_cert = Some(world.lab.child_cert(&world.acme, "acme", |_| ()));
    book.invalid("a root with a parent", "CHAIN-2", check.fields(&parented));
    let mut orphan = world.health.chain();
    orphan.links[1].child_cert = None;
    book.invalid(
        "a child without a certificate",
        "CHAIN-3",
        check.fields(&orphan),
    );
    let mut gap = world.cardiology.chain();
    gap.links.remove(1);
    book.invalid("without a realm between", "CHAIN-4", check.fields(&gap));
}

/// A chain of two realms whose child certificate is another.
fn with_cert(cert: impl FnOnce(&Realm, &Realm) -> Signed<ChildCert>) -> Value {
    let mut world = world();
    let cert = cert(&world.acme, &world.health);
    world.health.link().child_cert = Some(cert);
    Check::of(world.acme.id).fields(&world.health.chain())
}

fn edited(edit: impl FnOnce(&mut ChildCert)) -> Value {
    with_cert(|acme, health| acme.child_cert(health, "health", edit))
}

fn links(book: &mut Book) {
    let countersigned = |signer: u8| {
        with_cert(|acme, health| {
            let cert = acme.child_cert(health, "health", |_| ()).peek().unwrap();
            signed(&cert, &[&acme.node, &key(signer)])
        })
    };
    book.invalid(
        "a wrong countersignature",
        "CHAIN-3 REC-9",
        countersigned(99),
    );
    let alone = with_cert(|acme, health| {
        let mut cert = acme.child_cert(health, "health", |_| ());
        cert.signatures.truncate(1);
        cert
    });
    book.invalid("without a countersignature", "CHAIN-3", alone);
    let by_child = with_cert(|acme, health| {
        let cert = acme.child_cert(health, "health", |_| ()).peek().unwrap();
        signed(&cert, &[&health.node, &health.node])
    });
    book.invalid("a child that certifies itself", "CHAIN-3 REC-9", by_child);
    let other = RealmId::new([0; 32]);
    let node = NodeId::new([0; 32]);
    for (name, fields) in [
        ("another parent", edited(|cert| cert.parent = other)),
        ("another child", edited(|cert| cert.child = other)),
        (
            "another parent's node",
            edited(|cert| cert.parent_node = node),
        ),
        (
            "another child's node",
            edited(|cert| cert.child_node = node),
        ),
    ] {
        book.invalid(&format!("a certificate of {name}"), "CHAIN-4", fields);
    }
    let mut world = world();
    let bound = world.acme.child_cert(&world.health, "health", |cert| {
        cert.limits.may_certify = false;
    });
    world.health.link().child_cert = Some(bound);
    let check = Check::of(world.acme.id);
    let fields = check.holds(&world.health.chain(), &world.health, "health");
    book.valid("a realm that may not certify", "CHAIN-7", fields);
    let below = Realm::new(30, Some((&world.health, "cardiology")));
    let fields = check.fields(&below.chain());
    book.invalid("below a realm that may not certify", "CHAIN-7", fields);
}

/// A chain of two realms after an edit of the chain.
fn leaf(edit: impl FnOnce(&Realm, &mut Chain)) -> Value {
    let world = world();
    let mut chain = world.health.chain();
    edit(&world.health, &mut chain);
    Check::of(world.acme.id).fields(&chain)
}

fn leaves(book: &mut Book) {
    let other = RealmId::new([0; 32]);
    let node = NodeId::new([0; 32]);
    let fields = leaf(|health, chain| {
        chain.realm_record = health.realm_record(|record| record.realm = other);
    });
    book.invalid("a realm record of another realm", "CHAIN-9", fields);
    let fields = leaf(|health, chain| {
        chain.realm_record = health.realm_record(|record| record.node = node);
    });
    book.invalid("a realm record of another node", "CHAIN-9", fields);
    let fields = leaf(|health, chain| {
        let record = health.realm_record(|_| ()).peek().unwrap();
        chain.realm_record = signed(&record, &[&health.realm_key]);
    });
    book.invalid("a realm record by the realm key", "CHAIN-9 REC-9", fields);
    let fields = leaf(|health, chain| {
        chain.kem = vec![health.kem_record(|record| record.realm = other)];
    });
    book.invalid("a KEM record of another realm", "CHAIN-10", fields);
    let fields = leaf(|health, chain| {
        chain.kem = vec![health.kem_record(|record| record.node = node)];
    });
    book.invalid("a KEM record of another node", "CHAIN-10", fields);
    let fields = leaf(|health, chain| chain.kem = vec![health.kem_record(|_| ()); 9]);
    book.invalid("nine KEM records", "CHAIN-11", fields);
    let world = world();
    let mut eight = world.health.chain();
    eight.kem = vec![world.health.kem_record(|_| ()); 8];
    let check = Check::of(world.acme.id);
    let fields = check.holds(&eight, &world.health, "health");
    book.valid("eight KEM records", "CHAIN-11", fields);
}

/// Which of several KEM keys a sender takes: by when they begin and end, relative to now.
fn seals(book: &mut Book) {
    let minute = 60_000;
    let world = world();
    let check = Check::of(world.acme.id);
    let at = |offset: i64| {
        let now = NOW.as_millis();
        Timestamp::from_millis(now.saturating_add_signed(offset * minute))
    };
    type Keys = &'static [(i64, i64)];
    let cases: [(&str, Keys, Option<u8>); 7] = [
        (
            "of two keys the one that begins last",
            &[(-60, 60), (-30, 90)],
            Some(1),
        ),
        (
            "of two keys the one that has begun",
            &[(-60, 60), (1, 90)],
            Some(0),
        ),
        (
            "of two keys the one that has not ended",
            &[(-60, 60), (-30, 0)],
            Some(0),
        ),
        ("a key about to begin", &[(5, 60)], Some(0)),
        (
            "of two keys the one about to begin first",
            &[(4, 60), (3, 60)],
            Some(1),
        ),
        ("no key that begins later", &[(6, 60)], None),
        ("no key that has ended", &[(-60, 0)], None),
    ];
    for (name, keys, chosen) in cases {
        let mut chain = world.acme.chain();
        let records = (0..).zip(keys).map(|(number, (from, to))| {
            world.acme.kem_record(|record| {
                record.key = [number; 32];
                record.not_before = at(*from);
                record.not_after = at(*to);
            })
        });
        chain.kem = records.collect();
        let mut fields = check.holds(&chain, &world.acme, "");
        fields["seal_to"] = chosen.map(|number| hex([number; 32])).into();
        book.valid(&format!("sealing to {name}"), "CHAIN-18", fields);
    }
    let mut chain = world.acme.chain();
    chain.kem = vec![
        world
            .acme
            .kem_record(|record| record.purpose = KemPurpose::Stored),
    ];
    let mut fields = check.holds(&chain, &world.acme, "");
    fields["seal_to"] = Value::Null;
    book.valid("sealing to no key for stored messages", "CHAIN-18", fields);
}

/// A chain of three realms, in which the node certificate at a depth is another.
fn node_cert(depth: usize, cert: impl FnOnce(&Realm) -> Signed<NodeCert>) -> Value {
    let world = world();
    let realms = [&world.acme, &world.health, &world.cardiology];
    let mut chain = world.cardiology.chain();
    chain.links[depth].node_cert = cert(realms[depth]);
    Check::of(world.acme.id).fields(&chain)
}

fn keys(book: &mut Book) {
    let other = RealmId::new([0; 32]);
    let fields = node_cert(1, |realm| realm.node_cert(|cert| cert.realm = other));
    book.invalid("a node certificate of another realm", "CHAIN-5", fields);
    let fields = node_cert(1, |realm| {
        let cert = realm.node_cert(|_| ()).peek().unwrap();
        signed(&cert, &[&key(99)])
    });
    book.invalid("a node certificate by another key", "CHAIN-5 REC-9", fields);
    let fields = node_cert(1, |realm| realm.node_cert(|cert| cert.epoch = 1));
    book.invalid(
        "a node certificate of an epoch not shown",
        "CHAIN-5",
        fields,
    );
    for (depth, name) in [
        (0, "a parent"),
        (1, "a child that is a parent"),
        (2, "a child"),
    ] {
        let fields = node_cert(depth, |realm| {
            realm.node_cert(|cert| cert.scopes = scopes::MESSAGE)
        });
        book.invalid(
            &format!("{name} without the scope issue"),
            "CHAIN-6",
            fields,
        );
    }
    let fields = node_cert(2, |realm| {
        realm.node_cert(|cert| cert.scopes = scopes::ISSUE)
    });
    book.invalid("KEM records without the scope message", "CHAIN-10", fields);

    for (name, reason, rule) in [
        ("a routine succession", SuccessionReason::Routine, "SUCC-10"),
        ("a compromise", SuccessionReason::Compromised, "SUCC-9"),
    ] {
        let (old, new) = (succeeded(reason, 0), succeeded(reason, 1));
        let check = Check::of(old.root());
        let label = format!("a node certificate from before {name}");
        if reason == SuccessionReason::Routine {
            book.valid(&label, rule, check.holds(&old.chain(), &old, "health"));
        } else {
            book.invalid(&label, rule, check.fields(&old.chain()));
        }
        let label = format!("a node certificate from after {name}");
        book.valid(&label, rule, check.holds(&new.chain(), &new, "health"));
    }
}

/// A child after a succession, with a node certificate of the epoch given.
fn succeeded(reason: SuccessionReason, epoch: u64) -> Realm {
    let mut health = world().health;
    let inception = health.link().inception.clone();
    let next = Digest::of(&[b"next"]);
    let succession = succeed(&inception, &[], &health.next_key, next, reason, NOW);
    let cert = health.node_cert(|cert| cert.epoch = epoch);
    health.link().successions = vec![succession];
    health.link().node_cert = cert;
    health
}

fn times(book: &mut Book) {
    let world = world();
    let chain = world.cardiology.chain();
    let path = "health/cardiology";
    let at = |now: Timestamp| Check {
        now,
        ..Check::of(world.acme.id)
    };
    let (begin, end) = (NOW.minus(DAY), NOW.plus(13 * DAY));
    for (name, now) in [
        ("a moment before its end", end.minus(1)),
        ("five minutes before its start", begin.minus(300_000)),
    ] {
        let fields = at(now).holds(&chain, &world.cardiology, path);
        book.valid(name, "CHAIN-13", fields);
    }
    book.invalid("expired", "CHAIN-13", at(end).fields(&chain));
    let early = begin.minus(300_001);
    book.invalid("not valid yet", "CHAIN-13", at(early).fields(&chain));
    let fields = node_cert(0, |acme| acme.node_cert(|cert| cert.not_after = NOW));
    book.invalid(
        "an expired node certificate at the root",
        "CHAIN-13",
        fields,
    );
    let fields = node_cert(2, |realm| realm.node_cert(|cert| cert.not_after = NOW));
    book.invalid("an expired node certificate at the end", "CHAIN-13", fields);

    for (name, issuer) in [("parent", world.health.id), ("root", world.acme.id)] {
        let revoked = [(issuer, 7)];
        let check = Check {
            revoked: &revoked,
            ..Check::of(world.acme.id)
        };
        let label = format!("revoked by the {name}");
        book.invalid(&label, "CHAIN-14", check.fields(&chain));
    }
    let revoked = [
        (world.health.id, 8),
        (world.cardiology.id, 7),
        (world.lab.id, 7),
    ];
    let check = Check {
        revoked: &revoked,
        ..Check::of(world.acme.id)
    };
    let fields = check.holds(&chain, &world.cardiology, path);
    book.valid("other serials revoked, and by others", "CHAIN-14", fields);
}

/// What a reader inside the same tree judges.
fn shared(book: &mut Book) {
    let mut world = world();
    let cut_off = world.acme.child_cert(&world.health, "health", |cert| {
        cert.not_after = NOW.minus(1);
    });
    world.health.link().child_cert = Some(cut_off);
    let cardiology = Realm::new(30, Some((&world.health, "cardiology")));
    let billing = Realm::new(50, Some((&world.health, "billing")));
    let (chain, own) = (cardiology.chain(), billing.chain());
    let fields = Check::of(world.acme.id).fields(&chain);
    book.invalid("cut off, for a reader outside", "CHAIN-13", fields);
    let revoked = [(world.acme.id, 7)];
    let inside = Check {
        own: Some(&own),
        revoked: &revoked,
        ..Check::of(world.acme.id)
    };
    let fields = inside.holds(&chain, &cardiology, "health/cardiology");
    book.valid("cut off, for a reader inside", "CHAIN-13 CHAIN-14", fields);
    let revoked = [(world.health.id, 7)];
    let inside = Check {
        own: Some(&own),
        revoked: &revoked,
        ..Check::of(world.acme.id)
    };
    let fields = inside.fields(&chain);
    book.invalid("revoked by the realm both stand under", "CHAIN-14", fields);

    let known = succeeded(SuccessionReason::Compromised, 1);
    let own = Realm::new(50, Some((&known, "billing"))).chain();
    let hidden = Realm::new(30, Some((&self::world().health, "cardiology"))).chain();
    let check = Check {
        own: Some(&own),
        ..Check::of(known.root())
    };
    let fields = check.fields(&hidden);
    book.invalid(
        "a compromise that the reader knows, hidden",
        "CHAIN-16",
        fields,
    );
    let mut forked = succeeded(SuccessionReason::Routine, 1);
    let cert = forked.node_cert(|cert| cert.epoch = 1);
    forked.link().node_cert = cert;
    let forked = Realm::new(30, Some((&forked, "cardiology"))).chain();
    book.invalid(
        "a fork of what the reader knows",
        "CHAIN-16 SUCC-8",
        check.fields(&forked),
    );
}
