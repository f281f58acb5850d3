//! Every signed record, and what is none.

use ciborium::Value;
use ed25519_dalek::{Signature, VerifyingKey};
use realm_crypto::{SigningKey, succeed, verify};
use realm_protocol::{
    Digest, cbor,
    records::{
        Approval, ChildCert, Grant, Inception, KemRecord, NodeCert, Peering, PolicyRecord,
        RealmRecord, Record, RevocationList, Signed, Succession, SuccessionReason,
    },
    trace::TracePass,
};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex, long},
    raw::{Raw, edit, with},
    tree::{NOW, Realm, key, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "records",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    match case.text("record") {
        "Inception" => read::<Inception>(case),
        "Succession" => read::<Succession>(case),
        "NodeCert" => read::<NodeCert>(case),
        "KemRecord" => read::<KemRecord>(case),
        "RealmRecord" => read::<RealmRecord>(case),
        "ChildCert" => read::<ChildCert>(case),
        "Peering" => read::<Peering>(case),
        "RevocationList" => read::<RevocationList>(case),
        "PolicyRecord" => read::<PolicyRecord>(case),
        "Approval" => read::<Approval>(case),
        "Grant" => read::<Grant>(case),
        "TracePass" => read::<TracePass>(case),
        other => panic!("no record {other}"),
    }
}

fn read<T: Record>(case: &Case) -> Result<(), String> {
    let bytes = case.bytes("hex");
    let signed: Signed<T> = cbor::decode(&bytes).map_err(|error| error.to_string())?;
    let signers = case.cases("signers");
    let keys: Vec<[u8; 32]> = signers.iter().map(|signer| signer.array("key")).collect();
    let record = verify(&signed, &keys).map_err(|error| error.to_string())?;

    assert_eq!(cbor::encode(&signed), bytes);
    assert_eq!(signed.digest().as_bytes(), &case.array("digest"));
    let ignored = case.has("ignored");
    assert_eq!(cbor::encode(&record) == *signed.payload, !ignored);
    for (signer, signature) in signers.iter().zip(&signed.signatures) {
        let input = [signer.text("tag").as_bytes(), &[0], &signed.payload].concat();
        let key = VerifyingKey::from_bytes(&signer.array("key")).unwrap();
        let signature = Signature::from_bytes(signature);
        key.verify_strict(&input, &signature).unwrap();
        let seed = SigningKey::from_seed(&signer.array("seed"));
        assert_eq!(seed.public(), signer.array("key"));
    }
    Ok(())
}

/// A record to be written down, with the seeds of its signers.
struct Made {
    record: &'static str,
    tags: &'static [&'static str],
    seeds: Vec<u8>,
    payload: Vec<u8>,
}

impl Made {
    fn of<T: Record>(record: &'static str, signed: &Signed<T>, seeds: &[u8]) -> Self {
        Self {
            record,
            tags: T::TAGS,
            seeds: seeds.to_vec(),
            payload: signed.payload.to_vec(),
        }
    }

    fn payload(&self, payload: Vec<u8>) -> Self {
        Self {
            record: self.record,
            tags: self.tags,
            seeds: self.seeds.clone(),
            payload,
        }
    }

    fn signature(&self, seed: u8, tag: &str) -> Vec<u8> {
        use ed25519_dalek::Signer as _;
        let input = [tag.as_bytes(), &[0], &self.payload].concat();
        let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        key.sign(&input).to_bytes().to_vec()
    }

    fn signatures(&self) -> Vec<Vec<u8>> {
        let pairs = self.seeds.iter().zip(self.tags);
        pairs
            .map(|(seed, tag)| self.signature(*seed, tag))
            .collect()
    }

    fn fields(&self) -> serde_json::Value {
        self.fields_with(&self.signatures())
    }

    fn fields_with(&self, signatures: &[Vec<u8>]) -> serde_json::Value {
        let signatures = signatures.iter().cloned().map(Value::Bytes);
        let items = std::iter::once(Value::Bytes(self.payload.clone())).chain(signatures);
        let bytes = cbor::encode(&Raw(Value::Array(items.collect())));
        let signers = self.seeds.iter().zip(self.tags);
        let signers: Vec<_> = signers
            .map(|(seed, tag)| {
                json!({"tag": tag, "seed": hex([*seed; 32]), "key": hex(key(*seed).public())})
            })
            .collect();
        json!({
            "record": self.record, "hex": long(bytes),
            "digest": hex(Digest::of(&[&self.payload]).as_bytes()), "signers": signers,
        })
    }
}

fn made(world: &super::tree::World) -> Vec<Made> {
    let (acme, health, lab) = (&world.acme, &world.health, &world.lab);
    let inception = &acme.links[0].inception;
    let next = Digest::of(&[&key(60).public()]);
    let reason = SuccessionReason::Routine;
    let succession = succeed(inception, &[], &acme.next_key, next, reason, NOW);
    let node = acme.seed + 2;
    let health_node = health.seed + 2;
    let child_cert = health.links[1].child_cert.clone().unwrap();
    vec![
        Made::of("Inception", inception, &[acme.seed]),
        Made::of("Succession", &succession, &[acme.seed + 1]),
        Made::of("NodeCert", &acme.node_cert(|_| ()), &[acme.seed]),
        Made::of("KemRecord", &acme.kem_record(|_| ()), &[node]),
        Made::of("RealmRecord", &acme.realm_record(|_| ()), &[node]),
        Made::of("ChildCert", &child_cert, &[node, health_node]),
        Made::of("Peering", &acme.peering(lab), &[node, lab.seed + 2]),
        Made::of("RevocationList", &acme.revocations(&[3, 24, 300]), &[node]),
        Made::of("PolicyRecord", &acme.policy(None), &[node]),
        Made::of("Approval", &acme.approval(), &[node]),
        Made::of("Grant", &acme.grant(health), &[node]),
        Made::of("TracePass", &acme.trace_pass(lab), &[node]),
    ]
}

fn make(book: &mut Book) {
    book.about(
        "Signed records: `hex` is the whole record, `digest` the SHA-256 of its payload, `signers` \
         hold the tag, the seed (RFC 8032's secret key) and the public key of each signature, in \
         order. `ignored` marks a payload with keys that a reader ignores. An invalid vector is \
         refused as this record by these signers.",
    );
    let world = world();
    for record in made(&world) {
        let rules = "REC-1 REC-3 REC-5 REC-8 REC-9 REC-10 ID-1 NAME-4";
        book.valid(record.record, rules, record.fields());
        shapes(book, &record);
        signatures(book, &record);
    }
    let above = Made::of(
        "PolicyRecord",
        &world.health.policy(Some(Digest::of(&[b"above"]))),
        &[world.health.seed + 2],
    );
    book.valid(
        "PolicyRecord under another",
        "REC-10 CBOR-14",
        above.fields(),
    );
    let null = above.payload(with(&above.payload, 6, Some(Value::Null)));
    book.invalid("PolicyRecord with null above it", "CBOR-14", null.fields());
    lengths(book, &world.acme);
    values(book, &world);
    strictness(book, &world.acme);
}

/// Payloads that are not the record.
fn shapes(book: &mut Book, record: &Made) {
    let name = record.record;
    let mut with_ignored = record.payload(with(&record.payload, 64, Some("later".into())));
    let mut fields = with_ignored.fields();
    fields["ignored"] = true.into();
    book.valid(&format!("{name} with key 64"), "REC-2 CBOR-9", fields);
    with_ignored = record.payload(with(&record.payload, 63, Some("later".into())));
    book.invalid(
        &format!("{name} with key 63"),
        "CBOR-10",
        with_ignored.fields(),
    );

    let required: Vec<u64> = entries(&record.payload);
    for key in required {
        let without = record.payload(with(&record.payload, key, None));
        let label = format!("{name} without key {key}");
        book.invalid(&label, "REC-10 CBOR-15", without.fields());
        let other = record.payload(with(&record.payload, key, Some(Value::Bool(false))));
        let label = format!("{name} with false under key {key}");
        book.invalid(&label, "REC-10 CBOR-15", other.fields());
    }
    let mut longer = record.payload.clone();
    longer.push(0);
    let trailing = record.payload(longer);
    book.invalid(
        &format!("{name} with a byte after it"),
        "REC-1",
        trailing.fields(),
    );
    let bare = json!({
        "record": name, "signers": record.fields()["signers"],
        "hex": hex([&[0x81][..], &record.payload].concat()),
    });
    book.invalid(&format!("{name} outside a byte string"), "REC-1", bare);
}

fn entries(payload: &[u8]) -> Vec<u64> {
    let mut keys = Vec::new();
    edit(payload, |map| {
        let numbers = map.iter().map(|(key, _)| key.as_integer().unwrap());
        keys = numbers.map(|key| u64::try_from(key).unwrap()).collect();
    });
    keys
}

fn signatures(book: &mut Book, record: &Made) {
    let name = record.record;
    let good = record.signatures();
    let first = good[0].clone();
    let mut more = good.clone();
    more.push(first.clone());
    book.invalid(
        &format!("{name} with a signature too many"),
        "REC-6",
        record.fields_with(&more),
    );
    book.invalid(
        &format!("{name} with a signature missing"),
        "REC-5",
        record.fields_with(&good[1..]),
    );
    let mut flipped = good.clone();
    flipped[0][0] ^= 1;
    let label = format!("{name} with a bit flipped in its signature");
    book.invalid(&label, "REC-3", record.fields_with(&flipped));
    let mut thief = good.clone();
    thief[0] = record.signature(99, record.tags[0]);
    let label = format!("{name} signed by another key");
    book.invalid(&label, "REC-9", record.fields_with(&thief));
    for tag in ["", "realm/1/envelope", "realm/1/node-cert", "realm/1/kem"] {
        if record.tags.contains(&tag) {
            continue;
        }
        let mut tagged = good.clone();
        tagged[0] = record.signature(record.seeds[0], tag);
        let label = format!("{name} signed under the tag `{tag}`");
        book.invalid(&label, "REC-3", record.fields_with(&tagged));
    }
    if good.len() == 2 {
        let swapped = [good[1].clone(), good[0].clone()];
        let label = format!("{name} with its signatures swapped");
        book.invalid(&label, "REC-5 REC-9", record.fields_with(&swapped));
        let twice = [
            good[0].clone(),
            record.signature(record.seeds[1], record.tags[0]),
        ];
        let label = format!("{name} countersigned under the first tag");
        book.invalid(&label, "REC-3", record.fields_with(&twice));
    }
    let mut changed = record.payload.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let changed = record.payload(changed);
    let label = format!("{name} changed after it was signed");
    book.invalid(&label, "REC-2 REC-3", changed.fields_with(&good));
}

fn lengths(book: &mut Book, acme: &Realm) {
    let policy = |bytes: usize| {
        let record = acme.policy(None);
        let bare = with(&record.payload, 2, Some(Value::Text(String::new())));
        // The text's head grows from one byte to three.
        let text = "a".repeat(bytes - bare.len() - 2);
        let payload = with(&bare, 2, Some(Value::Text(text)));
        assert_eq!(payload.len(), bytes);
        Made::of("PolicyRecord", &record, &[acme.seed + 2]).payload(payload)
    };
    book.valid("a payload of 16384 bytes", "REC-7", policy(16_384).fields());
    book.invalid("a payload of 16385 bytes", "REC-7", policy(16_385).fields());
}

/// Values outside their range.
fn values(book: &mut Book, world: &super::tree::World) {
    let made = made(world);
    let of = |name: &str| made.iter().find(|made| made.record == name).unwrap();
    let bytes = |length: usize| Value::Bytes(vec![1; length]);
    let grant = |scope: &str| {
        Value::Map(vec![
            (0.into(), Value::Array(vec![scope.into()])),
            (1.into(), 50.into()),
            (2.into(), 200.into()),
        ])
    };
    for (name, record, key, value, rules) in [
        ("a key of 31 bytes", "Inception", 0, bytes(31), "CBOR-15"),
        ("a key of 33 bytes", "KemRecord", 2, bytes(33), "CBOR-15"),
        ("a realm id of 16 bytes", "NodeCert", 1, bytes(16), "ID-1"),
        ("a node id as text", "RealmRecord", 2, "node".into(), "ID-1"),
        (
            "a negative time",
            "RealmRecord",
            3,
            Value::from(-1),
            "CBOR-15",
        ),
        ("the reason 0", "Succession", 5, 0.into(), "CBOR-15"),
        ("the reason 3", "Succession", 5, 3.into(), "CBOR-15"),
        ("the verdict 3", "Approval", 2, 3.into(), "CBOR-15"),
        (
            "the role 5",
            "Approval",
            4,
            Value::Array(vec![5.into()]),
            "CBOR-15",
        ),
        ("the purpose 3", "KemRecord", 3, 3.into(), "CBOR-15"),
        (
            "a label in capitals",
            "ChildCert",
            2,
            "Health".into(),
            "NAME-4",
        ),
        (
            "a label with a slash",
            "ChildCert",
            2,
            "a/b".into(),
            "NAME-4",
        ),
        ("a label as bytes", "ChildCert", 2, bytes(3), "NAME-4"),
        (
            "a path with an empty label",
            "Peering",
            3,
            grant("a//b"),
            "NAME-4",
        ),
        (
            "a path of nine labels",
            "Peering",
            4,
            grant("a/a/a/a/a/a/a/a/a"),
            "NAME-4",
        ),
        (
            "a serial as text",
            "RevocationList",
            2,
            Value::Array(vec!["7".into()]),
            "CBOR-15",
        ),
    ] {
        let record = of(record);
        let changed = record.payload(with(&record.payload, key, Some(value)));
        let label = format!("{} with {name}", record.record);
        book.invalid(&label, rules, changed.fields());
    }
}

/// Signatures that only a lax verifier takes.
fn strictness(book: &mut Book, acme: &Realm) {
    let record = Made::of("KemRecord", &acme.kem_record(|_| ()), &[acme.seed + 2]);
    let mut signature = record.signatures().remove(0);
    add_group_order(&mut signature[32..]);
    let fields = record.fields_with(&[signature]);
    book.invalid("KemRecord with S plus the group order", "REC-4", fields);

    let mut neutral = vec![0; 64];
    neutral[0] = 1;
    let mut fields = record.fields_with(&[neutral.clone()]);
    fields["signers"][0]["key"] = hex(&neutral[..32]).into();
    book.invalid("KemRecord by the neutral element", "REC-4", fields);

    let mut fields = record.fields();
    fields["signers"][0]["key"] = hex([0xff; 32]).into();
    book.invalid("KemRecord by a key that is no point", "REC-4", fields);
}

/// Adds 2^252 + 27742317777372353535851937790883648493 to a little-endian number.
fn add_group_order(number: &mut [u8]) {
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in number.iter_mut().zip(order) {
        let sum = u16::from(*byte) + add + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}
