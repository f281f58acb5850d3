//! Envelopes, their headers and both forms of their signatures.

use super::signed::{seal, seal_reply, sign_clear};
use ciborium::Value;
use ed25519_dalek::Signer as _;
use realm_crypto::{
    RootMemo, SigningKey, Trust, Verified, VerifiedChain, open_clear, verify_chain, verify_envelope,
};
use realm_protocol::{
    CallId, Digest, Envelope, Failure, FailureCode, Header, Kind, Place, Signature, TAG_ROOT,
    TAG_SINGLE,
    cbor::{self, Blob},
    flags, limits,
    link::{Versions, read_chain},
    message::{Cancel, ContractsAsked, ContractsGiven, Resolve, Resolved},
    records::scopes,
};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex, long},
    raw::{Raw, change, with},
    tree::{NOW, Realm, World, outgoing, rng, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "envelopes",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let envelope: Envelope = cbor::decode(&case.bytes("hex")).map_err(|error| error.to_string())?;
    assert_eq!(cbor::encode(&envelope), case.bytes("hex"));
    let verified = verified(case, envelope)?;
    let header = verified.header();
    let node = header.source.node.unwrap();
    super::flushes::by_hand(verified.envelope(), node.as_bytes());
    assert_eq!(header.kind.name(), case.text("kind"));
    assert_eq!(verified.digest().as_bytes(), &case.array("digest"));
    assert_eq!(verified.envelope().signed_input(), case.bytes("signed"));
    if case.has("code") {
        failed(case, &verified)?;
    }
    if case.has("request") {
        answers(header, &cbor::decode(&case.bytes("request")).unwrap())?;
    }
    Ok(())
}

/// Judges header, chain and signature as a destination does.
pub(super) fn verified(case: &Case, envelope: Envelope) -> Result<Verified, String> {
    let header = envelope.read_header().map_err(|error| error.to_string())?;
    let known = header.flags.is_none_or(|bits| bits & !flags::KNOWN == 0);
    if !Versions::SPOKEN.include(header.version) || !header.kind.is_spoken() || !known {
        return Err("a version that is not spoken".to_owned());
    }
    let source = source(case, &envelope)?;
    verify_envelope(envelope, header, &source, 0, &mut RootMemo::default())
        .map_err(|error| error.to_string())
}

fn source(case: &Case, envelope: &Envelope) -> Result<VerifiedChain, String> {
    let bytes = match &envelope.chain {
        Some(chain) => chain.clone(),
        None => Blob::from(case.bytes("chain")),
    };
    let chain = read_chain(&bytes).map_err(|error| error.to_string())?;
    let trust = Trust {
        root: realm_protocol::RealmId::new(case.array("root")),
        shared: None,
        revoked: &|_, _| false,
        now: NOW,
    };
    verify_chain(&chain, &trust).map_err(|error| error.to_string())
}

/// What a Failure in the clear says.
fn failed(case: &Case, verified: &Verified) -> Result<(), String> {
    let opened = open_clear(verified).map_err(|error| error.to_string())?;
    let failure: Failure = cbor::decode(opened.content()).map_err(|error| error.to_string())?;
    assert_eq!(failure.code.name(), case.text("code"));
    if Some(failure.answers) == verified.header().answers {
        Ok(())
    } else {
        Err("a failure of another request".to_owned())
    }
}

fn answers(header: &Header, request: &Envelope) -> Result<(), String> {
    let asked = request.peek().unwrap();
    let same = header.answers == Some(request.digest()) && header.call == asked.call;
    let flag = header.kind == Kind::Contracts && !header.has(flags::ANSWER);
    if same && !flag {
        Ok(())
    } else {
        Err("not the answer to this request".to_owned())
    }
}

/// An envelope as the file says it.
pub(super) fn fields(envelope: &Envelope, source: &Realm) -> serde_json::Value {
    let mut fields = json!({
        "hex": long(cbor::encode(envelope)), "root": hex(source.root().as_bytes()),
        "digest": hex(envelope.digest().as_bytes()), "signed": hex(envelope.signed_input()),
    });
    if let Ok(header) = envelope.peek() {
        fields["kind"] = header.kind.name().into();
    }
    if envelope.chain.is_none() {
        fields["chain"] = hex(&*source.chain_bytes()).into();
    }
    fields
}

pub(super) fn sign(envelope: &mut Envelope, key: &SigningKey) {
    let signature = sign_bytes(key, TAG_SINGLE, &envelope.signed_input());
    envelope.signature = Signature::Single(signature);
}

pub(super) fn sign_bytes(key: &SigningKey, tag: &str, input: &[u8]) -> [u8; 64] {
    let message = [tag.as_bytes(), &[0], input].concat();
    let key = ed25519_dalek::SigningKey::from_bytes(&key.seed());
    key.sign(&message).to_bytes()
}

/// Signs a flush: leaves filled up with zero digests to a power of two.
fn sign_root(key: &SigningKey, envelopes: &mut [Envelope]) {
    let leaf = |envelope: &Envelope| Digest::of(&[&[0], &envelope.signed_input()]);
    let inner = |pair: &[Digest]| Digest::of(&[&[1], pair[0].as_bytes(), pair[1].as_bytes()]);
    let mut level: Vec<Digest> = envelopes.iter().map(leaf).collect();
    level.resize(level.len().next_power_of_two(), Digest::new([0; 32]));
    let mut levels = Vec::new();
    while level.len() > 1 {
        let next = level.chunks(2).map(inner).collect();
        levels.push(std::mem::replace(&mut level, next));
    }
    let signature = sign_bytes(key, TAG_ROOT, level[0].as_bytes());
    for (index, envelope) in envelopes.iter_mut().enumerate() {
        let siblings = levels.iter().enumerate();
        let siblings = siblings.map(|(up, level)| level[(index >> up) ^ 1]);
        envelope.signature = Signature::Root {
            signature,
            index: index as u64,
            siblings: siblings.collect(),
        };
    }
}

/// A Failure in the clear from the lab's root to `acme/health`, with nothing else to it.
pub(super) fn failure(world: &World) -> Envelope {
    failure_of(world, Digest::of(&[b"request"]))
}

/// One that names, in its body, the request given.
fn failure_of(world: &World, request: Digest) -> Envelope {
    let failure = Failure {
        code: FailureCode::NoRoute,
        answers: request,
        reference: None,
        retry_after_ms: None,
        detail: None,
        not_begun: None,
        spent: None,
        receipt: None,
    };
    let content = cbor::encode(&failure);
    let (from, to) = (world.lab.place(), world.health.place());
    let asked = Some(Digest::of(&[b"request"]));
    let out = outgoing(Kind::Failure, &from, &to, asked, &content);
    sign_clear(&mut rng(2), &world.lab.node, &out)
        .unwrap()
        .envelope
}

fn make(book: &mut Book) {
    book.about(
        "Envelopes by `hex`. The source's `chain` stands beside it where the envelope carries \
         none, and is checked against `root` at the time 1800000000000. `kind`, `digest` (of the \
         header) and `signed` (the signed input) say what a reader finds. `request` is the \
         envelope that an answer answers, `code` the code of a Failure in the clear.",
    );
    let world = world();
    kinds(book, &world);
    signatures(book, &world);
    super::flushes::make(book, &world);
    headers(book, &world);
    shapes(book, &world);
    chains(book, &world);
}

fn kinds(book: &mut Book, world: &World) {
    let (health, lab) = (&world.health, &world.lab);
    let (here, there) = (health.place(), lab.place());
    let rules = "ENV-1 HEAD-1 HEAD-2 HEAD-3 SIG-1 SIG-5";

    let nobody = Place {
        realm: None,
        node: None,
        ..there.clone()
    };
    let content = cbor::encode(&Resolve { known: None });
    let out = outgoing(Kind::Resolve, &here, &nobody, None, &content);
    let mut resolve = sign_clear(&mut rng(1), &health.node, &out)
        .unwrap()
        .envelope;
    resolve.chain = Some(health.chain_bytes());
    book.valid(
        "a resolve",
        &format!("{rules} RESOLVE-1"),
        fields(&resolve, health),
    );

    let content = cbor::encode(&Resolved {
        chain: lab.chain(),
        revocations: vec![lab.revocations(&[3])],
    });
    let out = outgoing(
        Kind::Resolved,
        &there,
        &here,
        Some(resolve.digest()),
        &content,
    );
    let mut resolved = sign_clear(&mut rng(2), &lab.node, &out).unwrap().envelope;
    resolved.chain = Some(lab.chain_bytes());
    let mut of = fields(&resolved, lab);
    of["request"] = hex(cbor::encode(&resolve)).into();
    book.valid("a resolved", &format!("{rules} HEAD-6 RESOLVE-1"), of);

    let kem = lab.kem_record(|_| ()).peek().unwrap();
    let request = |kind, content: &[u8], flags| {
        let mut out = outgoing(kind, &here, &there, None, content);
        out.flags = flags;
        seal(&mut rng(3), &health.node, &kem, &out).unwrap()
    };
    let content = cbor::encode(&super::messages::call());
    let call = request(Kind::Call, &content, None);
    book.valid("a call", rules, fields(&call.envelope, health));
    let cancel = Cancel { reason: None };
    let cancel = request(Kind::Cancel, &cbor::encode(&cancel), None);
    book.valid("a cancel", rules, fields(&cancel.envelope, health));
    let asked = ContractsAsked {
        loop_id: None,
        after: None,
    };
    let contracts = request(Kind::Contracts, &cbor::encode(&asked), None);
    let of = fields(&contracts.envelope, health);
    book.valid("a contracts question", &format!("{rules} HEAD-7"), of);

    let given = cbor::encode(&ContractsGiven {
        contracts: Vec::new(),
        more: false,
    });
    let result = cbor::encode(&super::messages::result());
    let failed = cbor::encode(&Failure {
        code: FailureCode::LoopFailed,
        answers: call.digest,
        reference: None,
        retry_after_ms: None,
        detail: Some("it broke".to_owned()),
        not_begun: None,
        spent: None,
        receipt: None,
    });
    for (name, kind, request, content, flag) in [
        ("a result", Kind::Result, &call, &result, None),
        ("a sealed failure", Kind::Failure, &call, &failed, None),
        (
            "a contracts answer",
            Kind::Contracts,
            &contracts,
            &given,
            Some(flags::ANSWER),
        ),
    ] {
        let mut out = outgoing(kind, &there, &here, Some(request.digest), content);
        out.flags = flag;
        let reply = seal_reply(&mut rng(4), &lab.node, &request.reply_key, &out).unwrap();
        let mut of = fields(&reply.envelope, lab);
        of["request"] = hex(cbor::encode(&request.envelope)).into();
        book.valid(name, &format!("{rules} HEAD-6 HEAD-7"), of.clone());
        let other = if kind == Kind::Contracts {
            &call
        } else {
            &contracts
        };
        of["request"] = hex(cbor::encode(&other.envelope)).into();
        book.invalid(&format!("{name} to another request"), "HEAD-6", of);
    }
    let out = outgoing(
        Kind::Contracts,
        &there,
        &here,
        Some(contracts.digest),
        &given,
    );
    let reply = seal_reply(&mut rng(4), &lab.node, &contracts.reply_key, &out).unwrap();
    let mut of = fields(&reply.envelope, lab);
    of["request"] = hex(cbor::encode(&contracts.envelope)).into();
    book.invalid("a contracts answer without its flag", "HEAD-7", of);
    let mut other = outgoing(Kind::Result, &there, &here, Some(call.digest), &result);
    other.call = CallId::new([8; 16]);
    let reply = seal_reply(&mut rng(4), &lab.node, &call.reply_key, &other).unwrap();
    let mut of = fields(&reply.envelope, lab);
    of["request"] = hex(cbor::encode(&call.envelope)).into();
    book.invalid("a result of another call", "HEAD-6", of);
    let mut of = fields(&failure(world), lab);
    of["code"] = FailureCode::NoRoute.name().into();
    book.valid("a failure in the clear", &format!("{rules} FAIL-2"), of);
    let other = Digest::of(&[b"another request"]);
    let mut of = fields(&failure_of(world, other), lab);
    of["code"] = FailureCode::NoRoute.name().into();
    book.invalid("a failure that names another request inside", "FAIL-2", of);
}

fn flush(world: &World, count: u8) -> Vec<Envelope> {
    let (from, to) = (world.lab.place(), world.health.place());
    let one = |number: u8| {
        let content = [number];
        let out = outgoing(Kind::Failure, &from, &to, None, &content);
        sign_clear(&mut rng(number), &world.lab.node, &out)
            .unwrap()
            .envelope
    };
    let mut envelopes: Vec<Envelope> = (0..count).map(one).collect();
    sign_root(&world.lab.node, &mut envelopes);
    envelopes
}

fn signatures(book: &mut Book, world: &World) {
    let lab = &world.lab;
    let rules = "SIG-2 SIG-3 SIG-4 SIG-5";
    let alone = flush(world, 1).remove(0);
    book.valid("a root over one leaf", rules, fields(&alone, lab));
    let flush = flush(world, 5);
    for (index, envelope) in flush.iter().enumerate() {
        let name = format!("leaf {index} of a root over five");
        book.valid(&name, rules, fields(envelope, lab));
    }
    type Edit = fn(&mut [u8; 64], &mut u64, &mut Vec<Digest>);
    let edits: [(&str, &str, Edit); 8] = [
        (
            "a bit flipped in its signature",
            "SIG-2",
            |signature, _, _| signature[0] ^= 1,
        ),
        ("another index", "SIG-3", |_, index, _| *index ^= 1),
        ("its siblings reversed", "SIG-3", |_, _, siblings| {
            siblings.reverse();
        }),
        ("a sibling changed", "SIG-3", |_, _, siblings| {
            siblings[0] = Digest::new([1; 32]);
        }),
        ("a sibling too few", "SIG-3", |_, _, siblings| {
            siblings.truncate(2);
        }),
        ("a sibling too many", "SIG-3", |_, _, siblings| {
            siblings.push(siblings[0]);
        }),
        ("an index outside its tree", "SIG-4", |_, index, _| {
            *index = 8;
        }),
        ("eleven siblings", "SIG-4", |_, _, siblings| {
            siblings.resize(11, Digest::new([0; 32]));
        }),
    ];
    for (name, rule, edit) in edits {
        let mut envelope = flush[2].clone();
        let Signature::Root {
            signature,
            index,
            siblings,
        } = &mut envelope.signature
        else {
            panic!("a flush is signed by its root");
        };
        edit(signature, index, siblings);
        book.invalid(&format!("leaf 2 with {name}"), rule, fields(&envelope, lab));
    }
    let mut bare = flush[2].clone();
    if let Signature::Root { signature, .. } = bare.signature {
        bare.signature = Signature::Single(signature);
    }
    book.invalid("a root's signature alone", "SIG-1", fields(&bare, lab));
    let mut untagged = failure(world);
    let signature = sign_bytes(&lab.node, TAG_ROOT, &untagged.signed_input());
    untagged.signature = Signature::Single(signature);
    book.invalid(
        "a single signature under the root's tag",
        "SIG-1",
        fields(&untagged, lab),
    );
    let mut leafless = failure(world);
    let digest = Digest::of(&[&leafless.signed_input()]);
    leafless.signature = Signature::Root {
        signature: sign_bytes(&lab.node, TAG_ROOT, digest.as_bytes()),
        index: 0,
        siblings: Vec::new(),
    };
    book.invalid(
        "a leaf hashed without its prefix",
        "SIG-3",
        fields(&leafless, lab),
    );

    let mut stolen = failure(world);
    sign(&mut stolen, &world.health.node);
    book.invalid("signed by another node", "SIG-1", fields(&stolen, lab));
    let mut by_realm = failure(world);
    sign(&mut by_realm, &lab.realm_key);
    book.invalid("signed by the realm key", "SIG-1", fields(&by_realm, lab));
    type Part = fn(&mut Envelope) -> &mut Blob;
    let parts: [(&str, Part); 2] = [("header", |e| &mut e.header), ("body", |e| &mut e.body)];
    for (name, part) in parts {
        let mut changed = failure(world);
        change(part(&mut changed), |bytes| *bytes.last_mut().unwrap() ^= 1);
        book.invalid(
            &format!("a bit flipped in its {name}"),
            "SIG-1",
            fields(&changed, lab),
        );
    }
    let mut lax = failure(world);
    let mut neutral = [0; 64];
    neutral[0] = 1;
    lax.signature = Signature::Single(neutral);
    book.invalid("signed by nobody", "SIG-6", fields(&lax, lab));
    let mut mute = world.lab.chain();
    mute.kem.clear();
    mute.links[0].node_cert = lab.node_cert(|cert| cert.scopes = scopes::ISSUE);
    let mut of = fields(&failure(world), lab);
    of["chain"] = hex(cbor::encode(&mute)).into();
    book.invalid("signed by a node without the scope message", "SIG-7", of);
}

fn headers(book: &mut Book, world: &World) {
    let lab = &world.lab;
    let signed = |header: Vec<u8>| {
        let mut envelope = failure(world);
        envelope.header = Blob::from(header);
        sign(&mut envelope, &lab.node);
        fields(&envelope, lab)
    };
    let header = failure(world).header;
    let number = |value: u64| Some(Value::from(value));
    for (name, rules, key, value) in [
        ("version 0", "HEAD-2", 0, number(0)),
        ("version 2", "HEAD-2", 0, number(2)),
        ("kind 0", "HEAD-2", 2, number(0)),
        ("kind 29", "HEAD-2", 2, number(29)),
        ("the reserved kind 20", "HEAD-2", 2, number(20)),
        ("priority 0", "HEAD-2", 10, number(0)),
        ("priority 4", "HEAD-2", 10, number(4)),
        ("an unknown flag", "HEAD-2", 11, number(4)),
        ("suite 4", "HEAD-2", 12, number(4)),
        (
            "a short message id",
            "HEAD-1",
            1,
            Some(Value::Bytes(vec![1; 15])),
        ),
        (
            "a short key id",
            "HEAD-1",
            13,
            Some(Value::Bytes(vec![1; 7])),
        ),
        ("a negative ttl", "HEAD-1", 6, Some(Value::from(-1))),
        ("null for what it answers", "HEAD-1", 9, Some(Value::Null)),
        ("key 16", "HEAD-1", 16, number(0)),
        ("key 17", "HEAD-1", 17, number(0)),
        ("suite 3 and no counter", "HEAD-1", 12, number(3)),
        ("no source", "HEAD-1", 3, None),
        ("no destination", "HEAD-1", 4, None),
        ("no commitment", "HEAD-1", 8, None),
        ("no suite", "HEAD-1", 12, None),
        ("no size of the answer", "HEAD-1", 14, None),
    ] {
        let of = signed(with(&header, key, value));
        book.invalid(&format!("a header with {name}"), rules, of);
    }
    let later = signed(with(&header, 64, Some("later".into())));
    book.valid("a header with key 64", "HEAD-1 SIG-1", later);

    type Edit = fn(&mut Place);
    let edits: [(&str, Edit); 4] = [
        ("without its realm", |place| place.realm = None),
        ("without its node", |place| place.node = None),
        ("at another path", |place| {
            place.path = "genomics".parse().unwrap();
        }),
        ("under another root", |place| {
            place.root = realm_protocol::RealmId::new([0; 32]);
        }),
    ];
    for (name, edit) in edits {
        let mut header = failure(world).peek().unwrap();
        edit(&mut header.source);
        let of = signed(cbor::encode(&header));
        book.invalid(&format!("a source {name}"), "HEAD-3", of);
    }
}

fn shapes(book: &mut Book, world: &World) {
    let lab = &world.lab;
    let whole = failure(world);
    let Raw(Value::Array(items)) = cbor::decode(&cbor::encode(&whole)).unwrap() else {
        panic!("an envelope is an array");
    };
    let mut write = |name: &str, rules: &str, items: Vec<Value>| {
        let mut of = fields(&whole, lab);
        of["hex"] = long(cbor::encode(&Raw(Value::Array(items))));
        book.invalid(name, rules, of);
    };
    write("three items", "ENV-1", items[..3].to_vec());
    let chain = Value::Bytes(lab.chain_bytes().to_vec());
    let six = [&items[..], &[chain.clone(), chain.clone()]].concat();
    write("six items", "ENV-1", six);
    for (name, at, value) in [
        ("a hop of phase 0", 0, vec![(0, 17), (1, 0), (2, 0)]),
        ("a hop of phase 4", 0, vec![(0, 17), (1, 4), (2, 0)]),
        ("a hop without age", 0, vec![(0, 17), (1, 1)]),
        ("a hop with key 3", 0, vec![(0, 17), (1, 1), (2, 0), (3, 0)]),
    ] {
        let map = value
            .into_iter()
            .map(|(key, value)| (Value::from(key), Value::from(value)));
        let mut changed = items.clone();
        changed[at] = Value::Map(map.collect());
        write(name, "ENV-1", changed);
    }
    for (name, at, value) in [
        ("a header as a map", 1, Value::Map(Vec::new())),
        ("a signature of 63 bytes", 2, Value::Bytes(vec![0; 63])),
        (
            "a root signature without siblings",
            2,
            Value::Array(vec![Value::Bytes(vec![0; 64]), 0.into()]),
        ),
        ("a body as text", 3, "body".into()),
    ] {
        let mut changed = items.clone();
        changed[at] = value;
        write(name, "ENV-1", changed);
    }
    let null = [&items[..], &[Value::Null]].concat();
    write("null for a chain", "ENV-1", null);
    let mut changed = items.clone();
    changed[1] = Value::Bytes(vec![0; limits::HEADER_BYTES + 1]);
    write("a header of 2049 bytes", "ENV-2", changed);
    let long_chain = Value::Bytes(vec![0; limits::CHAIN_BYTES + 1]);
    let changed = [&items[..], &[long_chain]].concat();
    write("a chain of 32769 bytes", "ENV-2 CHAIN-12", changed);
}

fn chains(book: &mut Book, world: &World) {
    let lab = &world.lab;
    let carrying = |chain: Vec<u8>| {
        let mut envelope = failure(world);
        envelope.chain = Some(Blob::from(chain));
        fields(&envelope, lab)
    };
    let chain = cbor::encode(&lab.chain());
    book.valid(
        "a failure with its source's chain",
        "ENV-4",
        carrying(chain.clone()),
    );
    let other = cbor::encode(&world.health.chain());
    book.invalid("another realm's chain", "ENV-4", carrying(other));
    let mut flipped = chain.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    book.invalid("a chain with a bit flipped", "ENV-4", carrying(flipped));
    book.invalid(
        "a chain cut short",
        "ENV-4",
        carrying(chain[..last].to_vec()),
    );
}
