//! Bodies: commitment, HPKE, reply keys, padding. Opened once more here without `realm-crypto`.

use super::signed::{Sealed, seal, seal_reply, sign_clear};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit as _,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use realm_crypto::{KemKey, Opened, open_clear, open_reply, open_sealed};
use realm_protocol::{
    CallId, Digest, Envelope, Header, KeyId, Kind, MessageId, RealmId, Suite,
    cbor::{self, Blob},
    message::Plaintext,
};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    book::{Book, Case, Subject, hex, long},
    envelopes::{self, sign},
    raw::change,
    tree::{World, outgoing, rng, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "sealing",
    make,
    judge,
};

pub(super) type Kem = hpke::kem::X25519HkdfSha256;
pub(super) type Kdf = hpke::kdf::HkdfSha256;
pub(super) type Cipher = hpke::aead::ChaCha20Poly1305;

pub(super) const INFO: &[u8] = b"realm/1/hpke";

fn judge(case: &Case) -> Result<(), String> {
    match case.text("body") {
        "clear" => clear(case),
        "sealed" => sealed(case).map(|_| ()),
        "reply" => reply(case),
        "padding" => padding(case),
        other => panic!("no body {other}"),
    }
}

pub(super) fn envelope(case: &Case) -> Envelope {
    cbor::decode(&case.bytes("hex")).unwrap()
}

pub(super) fn means(case: &Case, opened: &Opened) {
    assert_eq!(opened.committed(), case.bytes("committed"));
    assert_eq!(opened.content(), case.bytes("content"));
    assert_eq!(
        opened.header().commitment,
        Digest::of(&[&case.bytes("committed")])
    );
}

fn clear(case: &Case) -> Result<(), String> {
    let verified = envelopes::verified(case, envelope(case))?;
    let opened = open_clear(&verified).map_err(|error| error.to_string())?;
    means(case, &opened);
    assert_eq!(*verified.envelope().body, case.bytes("committed"));
    Ok(())
}

pub(super) fn sealed(case: &Case) -> Result<Opened, String> {
    let verified = envelopes::verified(case, envelope(case))?;
    let key = KemKey::from_secret(case.array("kem_secret"));
    let opened = open_sealed(&verified, |id| (id == key.key_id()).then_some(&key))
        .map_err(|error| error.to_string())?;

    assert_eq!(hex(key.public()), case.text("kem_key"));
    let (committed, secret) = by_hand(verified.envelope(), case.array("kem_secret"));
    assert_eq!(committed, opened.committed());
    assert_eq!(secret, case.array("reply_secret"));
    means(case, &opened);
    Ok(opened)
}

/// Opens a sealed body with HPKE alone; gives what is committed to and the reply secret.
fn by_hand(envelope: &Envelope, secret: [u8; 32]) -> (Vec<u8>, [u8; 32]) {
    let (enc, ciphertext) = envelope.body.split_at(32);
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc).unwrap();
    let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(&secret).unwrap();
    let mut context =
        hpke::setup_receiver::<Cipher, Kdf, Kem>(&OpModeR::Base, &private, &enc, INFO).unwrap();
    let committed = context.open(ciphertext, &envelope.header).unwrap();
    let mut reply = [0; 32];
    context.export(b"realm/1/reply", &mut reply).unwrap();
    (committed, reply)
}

fn reply(case: &Case) -> Result<(), String> {
    let request = Case(case.value("request").as_object().unwrap().clone());
    let asked = sealed(&request).unwrap();
    let verified = envelopes::verified(case, envelope(case))?;
    let opened = open_reply(&verified, asked.reply_key().unwrap());
    let opened = opened.map_err(|error| error.to_string())?;

    let id = opened.header().id;
    let salt = [&id.as_bytes()[..], envelope(&request).digest().as_bytes()].concat();
    assert_eq!(salt, case.bytes("salt"));
    let mut output = [0; 44];
    Hkdf::<Sha256>::new(Some(&salt), &request.bytes("reply_secret"))
        .expand(b"realm/1/reply-key", &mut output)
        .unwrap();
    assert_eq!(output[..32], case.bytes("key"));
    assert_eq!(output[32..], case.bytes("nonce"));
    let key: [u8; 32] = case.array("key");
    let nonce: [u8; 12] = case.array("nonce");
    let payload = Payload {
        msg: &verified.envelope().body,
        aad: &verified.envelope().header,
    };
    let committed = ChaCha20Poly1305::new((&key).into()).decrypt(&nonce.into(), payload);
    assert_eq!(committed.unwrap(), opened.committed());
    means(case, &opened);
    Ok(())
}

/// How long a plaintext becomes, by the rule of the specification.
fn padding(case: &Case) -> Result<(), String> {
    let bare = case.number("without_padding");
    let class = |length: u64| {
        let length = length.max(256);
        let exponent = length.ilog2();
        let step = 1_u64 << (exponent - exponent.ilog2() - 1);
        length.div_ceil(step) * step
    };
    let head = |zeros: u64| match zeros {
        0..24 => 2,
        24..256 => 3,
        _ => 4,
    };
    let mut length = class(bare);
    let zeros = loop {
        let gap = length - bare;
        let fitting = (0..gap).find(|zeros| zeros + head(*zeros) == gap);
        match fitting {
            _ if gap == 0 => break None,
            Some(zeros) => break Some(zeros),
            None => length = class(length + 1),
        }
    };
    assert_eq!(length, case.number("length"));
    assert_eq!(zeros, case.value("zeros").as_u64());
    Ok(())
}

fn make(book: &mut Book) {
    book.about(
        "Envelopes as in envelopes.json, opened: `committed` is what the commitment is over and \
         `content` the content of the kind. A sealed one has the receiver's X25519 `kem_secret` \
         and `kem_key`, and the `reply_secret` that is exported; a reply has its `request`, and \
         the `salt`, `key` and `nonce` it is opened with. Padding gives the lengths of a plaintext \
         `without_padding` and with it, and the number of `zeros`.",
    );
    let world = world();
    good(book, &world);
    lengths(book, &world);
    plaintexts(book, &world);
    ciphertexts(book, &world);
    replies(book, &world);
    clears(book, &world);
}

fn request(world: &World, content: &[u8]) -> Sealed {
    let (here, there) = (world.health.place(), world.lab.place());
    let kem = world.lab.kem_record(|_| ()).peek().unwrap();
    let out = outgoing(Kind::Call, &here, &there, None, content);
    seal(&mut rng(3), &world.health.node, &kem, &out).unwrap()
}

fn sealed_fields(world: &World, envelope: &Envelope) -> Value {
    let mut fields = envelopes::fields(envelope, &world.health);
    fields["body"] = "sealed".into();
    fields["kem_secret"] = hex(*world.lab.kem.secret()).into();
    fields["kem_key"] = hex(world.lab.kem.public()).into();
    fields
}

/// Adds what a reader finds.
pub(super) fn opened_fields(world: &World, envelope: &Envelope) -> Value {
    let mut fields = sealed_fields(world, envelope);
    let (committed, secret) = by_hand(envelope, *world.lab.kem.secret());
    let plaintext: Plaintext = cbor::decode(&committed[32..]).unwrap();
    fields["committed"] = long(&committed);
    fields["content"] = long(&*plaintext.content);
    fields["reply_secret"] = hex(secret).into();
    fields
}

fn good(book: &mut Book, world: &World) {
    let content = cbor::encode(&super::messages::call());
    let call = request(world, &content);
    let rules = "SEAL-1 SEAL-2 SEAL-3 SEAL-4 SEAL-5 REPLY-1 PAD-1 OPEN-1";
    book.valid("a call", rules, opened_fields(world, &call.envelope));
    let content = cbor::encode(&super::messages::result());
    let (fields, _) = reply_fields(world, &call, &content, |_| ());
    let rules = "SEAL-1 SEAL-5 REPLY-1 REPLY-2 REPLY-3 PAD-1";
    book.valid("a result", rules, fields);
}

/// An answer to a request with all that opens it, after an edit of what goes out.
fn reply_fields(
    world: &World,
    call: &Sealed,
    content: &[u8],
    edit: impl FnOnce(&mut Envelope),
) -> (Value, Envelope) {
    let (there, here) = (world.lab.place(), world.health.place());
    let out = outgoing(Kind::Result, &there, &here, Some(call.digest), content);
    let reply = seal_reply(&mut rng(4), &world.lab.node, &call.reply_key, &out).unwrap();
    let id = reply.envelope.peek().unwrap().id;
    let mut envelope = reply.envelope;
    let request = opened_fields(world, &call.envelope);
    let secret: [u8; 32] = Case(request.as_object().unwrap().clone()).array("reply_secret");
    let salt = [&id.as_bytes()[..], call.digest.as_bytes()].concat();
    let mut output = [0; 44];
    Hkdf::<Sha256>::new(Some(&salt), &secret)
        .expand(b"realm/1/reply-key", &mut output)
        .unwrap();
    let key: [u8; 32] = output[..32].try_into().unwrap();
    let nonce: [u8; 12] = output[32..].try_into().unwrap();
    let payload = Payload {
        msg: &envelope.body,
        aad: &envelope.header,
    };
    let committed = ChaCha20Poly1305::new((&key).into()).decrypt(&nonce.into(), payload);
    let committed = committed.unwrap();
    edit(&mut envelope);
    sign(&mut envelope, &world.lab.node);
    let mut fields = envelopes::fields(&envelope, &world.lab);
    fields["body"] = "reply".into();
    fields["request"] = request;
    fields["salt"] = hex(salt).into();
    fields["key"] = hex(key).into();
    fields["nonce"] = hex(nonce).into();
    fields["committed"] = long(committed);
    fields["content"] = long(content);
    (fields, envelope)
}

fn lengths(book: &mut Book, world: &World) {
    for content in [
        0, 1, 120, 121, 122, 123, 124, 125, 126, 127, 128, 500, 1_000, 4_000, 65_536,
    ] {
        let call = request(world, &vec![7; content]);
        let (committed, _) = by_hand(&call.envelope, *world.lab.kem.secret());
        let plaintext: Plaintext = cbor::decode(&committed[32..]).unwrap();
        let zeros = plaintext.padding.as_ref().map(|padding| padding.len());
        let bare = Plaintext {
            padding: None,
            ..plaintext
        };
        let fields = json!({
            "body": "padding", "content_length": content,
            "without_padding": cbor::encode(&bare).len(), "length": committed.len() - 32,
            "zeros": zeros,
        });
        let name = format!("a plaintext with content of {content} bytes");
        book.valid(&name, "PAD-2 PAD-3", fields);
    }
}

/// A sealed message made by hand.
struct Parts {
    header: Header,
    salt: Vec<u8>,
    plaintext: Plaintext,
    info: &'static [u8],
}

fn craft(
    world: &World,
    before: impl FnOnce(&mut Parts),
    after: impl FnOnce(&mut Header),
) -> Envelope {
    let mut envelope = request(world, b"question").envelope;
    let (committed, _) = by_hand(&envelope, *world.lab.kem.secret());
    let plaintext: Plaintext = cbor::decode(&committed[32..]).unwrap();
    let mut parts = Parts {
        header: envelope.peek().unwrap(),
        salt: committed[..32].to_vec(),
        plaintext,
        info: INFO,
    };
    before(&mut parts);
    let committed = [parts.salt, cbor::encode(&parts.plaintext)].concat();
    parts.header.commitment = Digest::of(&[&committed]);
    after(&mut parts.header);
    envelope.header = Blob::from(cbor::encode(&parts.header));
    let public = <Kem as hpke::Kem>::PublicKey::from_bytes(&world.lab.kem.public()).unwrap();
    let (enc, mut context) = hpke::setup_sender_with_rng::<Cipher, Kdf, Kem>(
        &OpModeS::Base,
        &public,
        parts.info,
        &mut rng(5),
    )
    .unwrap();
    let ciphertext = context.seal(&committed, &envelope.header).unwrap();
    envelope.body = Blob::from([enc.to_bytes().as_slice(), &ciphertext].concat());
    sign(&mut envelope, &world.health.node);
    envelope
}

fn plaintexts(book: &mut Book, world: &World) {
    let plain = craft(world, |_| (), |_| ());
    book.valid(
        "made by hand",
        "SEAL-3 SEAL-4",
        opened_fields(world, &plain),
    );
    let odd = craft(world, |parts| parts.plaintext.padding = None, |_| ());
    book.valid(
        "a plaintext of no size class",
        "PAD-5",
        opened_fields(world, &odd),
    );

    type Edit = fn(&mut Parts);
    let edits: [(&str, &str, Edit); 7] = [
        ("another source inside", "OPEN-2", |parts| {
            parts.plaintext.source = RealmId::new([0; 32]);
        }),
        ("another destination inside", "OPEN-2", |parts| {
            parts.plaintext.destination = Some(RealmId::new([0; 32]));
        }),
        ("no destination inside", "OPEN-2", |parts| {
            parts.plaintext.destination = None;
        }),
        ("another message id inside", "OPEN-2", |parts| {
            parts.plaintext.id = MessageId::new([0; 16]);
        }),
        ("padding that ends in a one", "PAD-4", |parts| {
            let padding = parts.plaintext.padding.as_mut().unwrap();
            change(padding, |padding| *padding.last_mut().unwrap() = 1);
        }),
        ("padding of text", "PAD-4", |parts| {
            parts.plaintext.padding = Some(Blob::from(b"hidden".to_vec()));
        }),
        ("a salt of 31 bytes", "SEAL-2", |parts| {
            parts.salt.truncate(31);
        }),
    ];
    for (name, rule, edit) in edits {
        let envelope = craft(world, edit, |_| ());
        book.invalid(name, rule, sealed_fields(world, &envelope));
    }
    let other = craft(
        world,
        |_| (),
        |header| header.commitment = Digest::new([0; 32]),
    );
    book.invalid(
        "another commitment",
        "SEAL-1 OPEN-1",
        sealed_fields(world, &other),
    );
    let other = craft(world, |parts| parts.info = b"realm/2/hpke", |_| ());
    book.invalid(
        "sealed under another info",
        "SEAL-3",
        sealed_fields(world, &other),
    );
}

fn ciphertexts(book: &mut Book, world: &World) {
    let call = request(world, b"question").envelope;
    let changed = |edit: &dyn Fn(&mut Envelope)| {
        let mut envelope = call.clone();
        edit(&mut envelope);
        sign(&mut envelope, &world.health.node);
        sealed_fields(world, &envelope)
    };
    let header = |edit: &dyn Fn(&mut Header)| {
        changed(&|envelope| {
            let mut header = envelope.peek().unwrap();
            edit(&mut header);
            envelope.header = Blob::from(cbor::encode(&header));
        })
    };
    for (name, at) in [
        ("encapsulated key", 0),
        ("ciphertext", 40),
        ("tag", call.body.len() - 1),
    ] {
        let fields = changed(&|envelope| change(&mut envelope.body, |body| body[at] ^= 1));
        book.invalid(
            &format!("a bit flipped in the {name}, signed anew"),
            "SEAL-3",
            fields,
        );
    }
    for length in [0, 31, 32, 47] {
        let fields = changed(&|envelope| change(&mut envelope.body, |body| body.truncate(length)));
        book.invalid(&format!("a body of {length} bytes"), "SEAL-4", fields);
    }
    let fields = changed(&|envelope| change(&mut envelope.body, |body| body[..32].fill(0)));
    book.invalid("an encapsulated key of zeros", "SEAL-3", fields);
    let fields = header(&|header| header.max_reply -= 1);
    book.invalid(
        "a header changed after sealing, signed anew",
        "SEAL-3",
        fields,
    );
    let fields = header(&|header| header.call = CallId::new([0; 16]));
    book.invalid("another call, signed anew", "SEAL-3", fields);
    let fields = header(&|header| header.key = Some(KeyId::new([0; 8])));
    book.invalid("an unknown key", "SEAL-5", fields);
    let fields = header(&|header| header.key = None);
    book.invalid("no key", "SEAL-5", fields);
    let mut fields = header(&|header| header.suite = Suite::Clear);
    fields["body"] = "clear".into();
    book.invalid("a call in the clear", "SEAL-6", fields);
    let mut thief = call.clone();
    let mut stolen = thief.peek().unwrap();
    stolen.source = world.acme.place();
    thief.header = Blob::from(cbor::encode(&stolen));
    sign(&mut thief, &world.acme.node);
    let mut fields = envelopes::fields(&thief, &world.acme);
    fields["body"] = "sealed".into();
    fields["kem_secret"] = hex(*world.lab.kem.secret()).into();
    book.invalid(
        "a ciphertext signed by who did not make it",
        "SEAL-3",
        fields,
    );
}

fn replies(book: &mut Book, world: &World) {
    let call = request(world, b"question");
    let (good, envelope) = reply_fields(world, &call, b"answer", |_| ());
    let other = {
        let (here, there) = (world.health.place(), world.lab.place());
        let kem = world.lab.kem_record(|_| ()).peek().unwrap();
        let out = outgoing(Kind::Call, &here, &there, None, b"another");
        seal(&mut rng(6), &world.health.node, &kem, &out).unwrap()
    };
    let mut fields = good.clone();
    fields["request"] = opened_fields(world, &other.envelope);
    book.invalid("an answer to another request", "REPLY-4", fields);
    let relabelled = |header: &mut Header| header.answers = Some(other.digest);
    let (mut fields, _) = reply_fields(world, &call, b"answer", rewrite(relabelled));
    fields["request"] = opened_fields(world, &other.envelope);
    book.invalid(
        "an answer under another request's digest",
        "REPLY-2 REPLY-4",
        fields,
    );
    let renamed = |header: &mut Header| header.id = MessageId::new([0; 16]);
    let (fields, _) = reply_fields(world, &call, b"answer", rewrite(renamed));
    book.invalid("an answer under another message id", "REPLY-2", fields);
    let changed = |header: &mut Header| header.ttl_ms += 1;
    let (fields, _) = reply_fields(world, &call, b"answer", rewrite(changed));
    book.invalid("an answer whose header was changed", "REPLY-3", fields);
    let (fields, _) = reply_fields(world, &call, b"answer", |envelope| {
        change(&mut envelope.body, |body| body[0] ^= 1);
    });
    book.invalid("an answer with a bit flipped", "REPLY-3", fields);
    let mut fields = envelopes::fields(&envelope, &world.lab);
    fields["body"] = "clear".into();
    book.invalid("an answer read as clear", "SEAL-6", fields);
}

fn rewrite(edit: impl FnOnce(&mut Header)) -> impl FnOnce(&mut Envelope) {
    |envelope| {
        let mut header = envelope.peek().unwrap();
        edit(&mut header);
        envelope.header = Blob::from(cbor::encode(&header));
    }
}

fn clears(book: &mut Book, world: &World) {
    let (from, to) = (world.lab.place(), world.health.place());
    let clear = |content: &[u8]| {
        let out = outgoing(Kind::Resolved, &from, &to, None, content);
        sign_clear(&mut rng(7), &world.lab.node, &out)
            .unwrap()
            .envelope
    };
    let fields = |envelope: &Envelope| {
        let mut fields = envelopes::fields(envelope, &world.lab);
        fields["body"] = "clear".into();
        fields
    };
    let whole = clear(&[7; 65_536]);
    let mut largest = fields(&whole);
    largest["committed"] = long(&*whole.body);
    largest["content"] = long([7; 65_536]);
    book.valid(
        "a clear message with the largest content",
        "SEAL-1 SEAL-6 OPEN-3",
        largest,
    );

    let edited = |edit: &dyn Fn(&mut Header, &mut Plaintext)| {
        let mut envelope = clear(b"chain");
        let mut header = envelope.peek().unwrap();
        let mut plaintext: Plaintext = cbor::decode(&envelope.body).unwrap();
        header.commitment = Digest::new([0; 32]);
        edit(&mut header, &mut plaintext);
        envelope.body = Blob::from(cbor::encode(&plaintext));
        if header.commitment == Digest::new([0; 32]) {
            header.commitment = Digest::of(&[&envelope.body]);
        }
        envelope.header = Blob::from(cbor::encode(&header));
        sign(&mut envelope, &world.lab.node);
        fields(&envelope)
    };
    let larger = edited(&|_, plaintext| plaintext.content = Blob::from(vec![7; 65_537]));
    book.invalid("a clear message with content too large", "OPEN-3", larger);
    let other = edited(&|header, _| header.commitment = Digest::new([1; 32]));
    book.invalid("a clear message with another commitment", "SEAL-1", other);
    let other = edited(&|_, plaintext| plaintext.id = MessageId::new([0; 16]));
    book.invalid("a clear message with another id inside", "OPEN-2", other);
    let padded = edited(&|_, plaintext| plaintext.padding = Some(Blob::from(vec![0, 1])));
    book.invalid(
        "a clear message with padding that is not zeros",
        "PAD-4",
        padded,
    );
}
