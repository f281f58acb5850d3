//! Sessions: what a call and its answer make, and the requests in it. Derived and opened once
//! more here without `realm-crypto`.

use std::convert::Infallible;

use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit as _,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hpke::{Deserializable as _, OpModeR};
use rand_core::{TryCryptoRng, TryRng};
use realm_crypto::{
    Ephemeral, Opened, Session, Side, open_in_session, open_reply, seal_in_session,
};
use realm_protocol::{
    Digest, Envelope, Header, KeyId, Kind, MessageId,
    cbor::{self, Blob},
    limits,
    message::{Call, CallResult, Plaintext},
};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    book::{Book, Case, Subject, bytes, hex, long},
    envelopes::{self, sign},
    raw::change,
    sealing::{self, Cipher, INFO, Kdf, Kem, envelope, means},
    signed::{Sealed, seal, seal_reply},
    tree::{Realm, World, outgoing, rng, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "sessions",
    make,
    judge,
};

/// Secret of the key that the call offers, and of the one that its answer takes the session with.
const OFFERED: [u8; 32] = [61; 32];
const TAKEN: [u8; 32] = [62; 32];

fn judge(case: &Case) -> Result<(), String> {
    match case.text("body") {
        "handshake" => handshake(case).map(|_| ()),
        "session" => request(case).map(|_| ()),
        "reply" => reply(case),
        other => panic!("no body {other}"),
    }
}

/// Gives these bytes and no others.
struct Given([u8; 32]);

impl TryRng for Given {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("a key is taken as bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("a key is taken as bytes")
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        into.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Given {}

/// The secrets of a session.
struct Secrets {
    from_caller: [u8; 32],
    from_callee: [u8; 32],
    replies: [u8; 32],
    id: [u8; 8],
}

impl Secrets {
    /// Derives them as the specification says.
    fn by_hand(
        (call, kem_secret): (&Envelope, [u8; 32]),
        answer: &Envelope,
        mine: [u8; 32],
        theirs: [u8; 32],
    ) -> Self {
        let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(&call.body[..32]).unwrap();
        let private = <Kem as hpke::Kem>::PrivateKey::from_bytes(&kem_secret).unwrap();
        let context =
            hpke::setup_receiver::<Cipher, Kdf, Kem>(&OpModeR::Base, &private, &enc, INFO).unwrap();
        let mut secret = [0; 64];
        context
            .export(b"realm/1/session", &mut secret[..32])
            .unwrap();
        secret[32..].copy_from_slice(&x25519_dalek::x25519(mine, theirs));
        let digest = |envelope: &Envelope| Digest::of(&[&envelope.signed_input()]);
        let (call, answer) = (digest(call), digest(answer));
        let salt = Digest::of(&[call.as_bytes(), answer.as_bytes()]);
        let mut output = [0; 104];
        Hkdf::<Sha256>::new(Some(salt.as_bytes()), &secret)
            .expand(b"realm/1/session", &mut output)
            .unwrap();
        Self {
            from_caller: output[..32].try_into().unwrap(),
            from_callee: output[32..64].try_into().unwrap(),
            replies: output[64..96].try_into().unwrap(),
            id: output[96..].try_into().unwrap(),
        }
    }

    fn key(&self, side: Side) -> [u8; 32] {
        match side {
            Side::Caller => self.from_caller,
            Side::Callee => self.from_callee,
        }
    }
}

/// Both ends of a session, and its secrets.
struct Ends {
    caller: Session,
    callee: Session,
    secrets: Secrets,
}

impl Ends {
    fn end(&mut self, side: Side) -> &mut Session {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }
}

fn inside(case: &Case, key: &str) -> Case {
    Case(case.value(key).as_object().unwrap().clone())
}

fn handshake(case: &Case) -> Result<Ends, String> {
    let (called, answered) = (inside(case, "call"), inside(case, "answer"));
    let call = sealing::sealed(&called)?;
    let key = call.reply_key().unwrap();
    let answer = envelopes::verified(&answered, envelope(&answered))?;
    let result = open_reply(&answer, key).map_err(|error| error.to_string())?;
    let offered = cbor::decode::<Call>(call.content()).unwrap().session;
    let taken = cbor::decode::<CallResult>(result.content()).unwrap();
    let (Some(offered), Some(taken)) = (offered, taken.session) else {
        return Err("no session is offered and taken".to_owned());
    };
    let derive = |side, secret: &str, theirs| {
        let mine = Ephemeral::generate(&mut Given(case.array(secret)));
        let digest = answer.envelope().message_digest();
        Session::derive(side, key, digest, &mine, &theirs).ok_or("no session".to_owned())
    };
    let callee = derive(Side::Callee, "taken_secret", offered)?;
    let caller = derive(Side::Caller, "offered_secret", taken)?;

    let secrets = Secrets::by_hand(
        (&envelope(&called), called.array("kem_secret")),
        answer.envelope(),
        case.array("offered_secret"),
        taken,
    );
    assert_eq!(secrets.from_caller, case.array("from_caller"));
    assert_eq!(secrets.from_callee, case.array("from_callee"));
    assert_eq!(secrets.replies, case.array("reply_secret"));
    assert_eq!(secrets.id, case.array("session"));
    assert_eq!(caller.id(), KeyId::new(secrets.id));
    assert_eq!(callee.id(), caller.id());
    Ok(Ends {
        caller,
        callee,
        secrets,
    })
}

/// Opens a request in its session, after those that came before it.
fn request(case: &Case) -> Result<(Secrets, Opened), String> {
    let mut ends = handshake(case)?;
    let (from, to) = match case.text("from") {
        "caller" => (Side::Caller, Side::Callee),
        "callee" => (Side::Callee, Side::Caller),
        other => panic!("no side {other}"),
    };
    for before in case.list("before") {
        let before: Envelope = cbor::decode(&bytes(before)).unwrap();
        let before = envelopes::verified(case, before).unwrap();
        // What does not open changes nothing.
        let _ = open_in_session(&before, ends.end(to));
    }
    let verified = envelopes::verified(case, envelope(case))?;
    let opened = open_in_session(&verified, ends.end(to)).map_err(|error| error.to_string())?;

    assert_eq!(opened.header().counter, Some(case.number("counter")));
    let committed = decrypt(
        ends.secrets.key(from),
        nonce(case.number("counter")),
        verified.envelope(),
    );
    assert_eq!(committed, opened.committed());
    means(case, &opened);
    Ok((ends.secrets, opened))
}

fn nonce(counter: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

fn decrypt(key: [u8; 32], nonce: [u8; 12], envelope: &Envelope) -> Vec<u8> {
    let payload = Payload {
        msg: &envelope.body,
        aad: &envelope.header,
    };
    let cipher = ChaCha20Poly1305::new((&key).into());
    cipher.decrypt(&nonce.into(), payload).unwrap()
}

fn encrypt(key: [u8; 32], nonce: [u8; 12], header: &[u8], committed: &[u8]) -> Vec<u8> {
    let payload = Payload {
        msg: committed,
        aad: header,
    };
    let cipher = ChaCha20Poly1305::new((&key).into());
    cipher.encrypt(&nonce.into(), payload).unwrap()
}

/// Key and nonce of an answer.
fn reply_key(secret: [u8; 32], id: MessageId, request: Digest) -> ([u8; 32], [u8; 12]) {
    let salt = [&id.as_bytes()[..], request.as_bytes()].concat();
    let mut output = [0; 44];
    Hkdf::<Sha256>::new(Some(&salt), &secret)
        .expand(b"realm/1/reply-key", &mut output)
        .unwrap();
    let (key, nonce) = output.split_at(32);
    (key.try_into().unwrap(), nonce.try_into().unwrap())
}

fn reply(case: &Case) -> Result<(), String> {
    let (secrets, asked) = request(&inside(case, "request")).unwrap();
    let verified = envelopes::verified(case, envelope(case))?;
    let opened = open_reply(&verified, asked.reply_key().unwrap());
    let opened = opened.map_err(|error| error.to_string())?;

    let (key, nonce) = reply_key(secrets.replies, opened.header().id, asked.digest());
    let committed = decrypt(key, nonce, verified.envelope());
    assert_eq!(committed, opened.committed());
    means(case, &opened);
    Ok(())
}

fn make(book: &mut Book) {
    book.about(
        "Envelopes as in envelopes.json. A handshake has the `call` that offers a session and the \
         `answer` that takes it, both as in sealing.json, the X25519 secrets of both sides, \
         `offered_secret` and `taken_secret`, and what they make: `from_caller` and `from_callee`, \
         the keys of each direction, the `reply_secret` and the `session` id. A request in a \
         session has its handshake, the side it is `from`, the envelopes that came `before` it, \
         its `counter`, and what is inside as in sealing.json; a reply has its `request`.",
    );
    let world = world();
    let talk = Talk::new(&world, public(OFFERED), public(TAKEN));
    handshakes(book, &world, &talk);
    requests(book, &world, &talk);
    counters(book, &world, &talk);
    ciphertexts(book, &world, &talk);
    replies(book, &world, &talk);
}

fn public(secret: [u8; 32]) -> [u8; 32] {
    x25519_dalek::x25519(secret, x25519_dalek::X25519_BASEPOINT_BYTES)
}

/// A call that offers a session with a key, and the answer that takes it with another.
struct Talk {
    call: Sealed,
    answer: Envelope,
}

impl Talk {
    fn new(world: &World, offered: [u8; 32], taken: [u8; 32]) -> Self {
        let content = Call {
            session: Some(offered),
            ..super::messages::call()
        };
        let content = cbor::encode(&content);
        let (here, there) = (world.health.place(), world.lab.place());
        let kem = world.lab.kem_record(|_| ()).peek().unwrap();
        let out = outgoing(Kind::Call, &here, &there, None, &content);
        let call = seal(&mut rng(60), &world.health.node, &kem, &out).unwrap();
        let answer = Self::answer(world, &call, taken);
        Self { call, answer }
    }

    fn answer(world: &World, call: &Sealed, taken: [u8; 32]) -> Envelope {
        let content = CallResult {
            session: Some(taken),
            ..super::messages::result()
        };
        let content = cbor::encode(&content);
        let (here, there) = (world.health.place(), world.lab.place());
        let out = outgoing(Kind::Result, &there, &here, Some(call.digest), &content);
        let reply = seal_reply(&mut rng(61), &world.lab.node, &call.reply_key, &out).unwrap();
        reply.envelope
    }

    fn secrets(&self, world: &World) -> Secrets {
        let call = (&self.call.envelope, *world.lab.kem.secret());
        Secrets::by_hand(call, &self.answer, OFFERED, public(TAKEN))
    }

    fn session(&self, side: Side) -> Session {
        let (mine, theirs) = match side {
            Side::Caller => (OFFERED, TAKEN),
            Side::Callee => (TAKEN, OFFERED),
        };
        let mine = Ephemeral::generate(&mut Given(mine));
        let (key, digest) = (&self.call.reply_key, self.answer.message_digest());
        Session::derive(side, key, digest, &mine, &public(theirs)).unwrap()
    }

    /// The fields of the handshake.
    fn fields(&self, world: &World) -> Value {
        let secrets = self.secrets(world);
        json!({
            "body": "handshake",
            "call": sealing::opened_fields(world, &self.call.envelope),
            "answer": envelopes::fields(&self.answer, &world.lab),
            "offered_secret": hex(OFFERED), "taken_secret": hex(TAKEN),
            "from_caller": hex(secrets.from_caller), "from_callee": hex(secrets.from_callee),
            "reply_secret": hex(secrets.replies), "session": hex(secrets.id),
        })
    }
}

fn handshakes(book: &mut Book, world: &World, talk: &Talk) {
    let name = "a call that offers a session and the answer that takes it";
    let rules = "SESSION-1 SESSION-2 SESSION-3";
    book.valid(name, rules, talk.fields(world));
    let mut one = [0; 32];
    one[0] = 1;
    for (name, point) in [("zeros", [0; 32]), ("small order", one)] {
        let offered = Talk::new(world, point, public(TAKEN));
        let mut fields = talk.fields(world);
        fields["call"] = sealing::opened_fields(world, &offered.call.envelope);
        fields["answer"] = envelopes::fields(&offered.answer, &world.lab);
        book.invalid(&format!("a key of {name} offered"), "SESSION-4", fields);
        let taken = Talk::new(world, public(OFFERED), point);
        let mut fields = talk.fields(world);
        fields["answer"] = envelopes::fields(&taken.answer, &world.lab);
        book.invalid(&format!("a key of {name} taken"), "SESSION-4", fields);
    }
}

fn side(world: &World, side: Side) -> (&'static str, &Realm, &Realm) {
    match side {
        Side::Caller => ("caller", &world.health, &world.lab),
        Side::Callee => ("callee", &world.lab, &world.health),
    }
}

/// The fields of a request in the session of a talk.
fn request_fields(world: &World, talk: &Talk, from: Side, envelope: &Envelope) -> Value {
    let (name, source, _) = side(world, from);
    let mut fields = talk.fields(world);
    let of = envelopes::fields(envelope, source);
    let fields_of = of.as_object().unwrap().clone();
    fields.as_object_mut().unwrap().extend(fields_of);
    fields["body"] = "session".into();
    fields["from"] = name.into();
    fields["before"] = json!([]);
    fields
}

/// With what a reader finds.
fn opened_fields(world: &World, talk: &Talk, from: Side, envelope: &Envelope) -> Value {
    let mut fields = request_fields(world, talk, from, envelope);
    let counter = envelope.peek().unwrap().counter.unwrap();
    let key = talk.secrets(world).key(from);
    let committed = decrypt(key, nonce(counter), envelope);
    let plaintext: Plaintext = cbor::decode(&committed[32..]).unwrap();
    fields["counter"] = counter.into();
    fields["committed"] = long(&committed);
    fields["content"] = long(&*plaintext.content);
    fields
}

fn seal_in(world: &World, session: &mut Session, from: Side, content: &[u8]) -> Envelope {
    let (_, source, target) = side(world, from);
    let (here, there) = (source.place(), target.place());
    let out = outgoing(Kind::Call, &here, &there, None, content);
    let (letter, _) = seal_in_session(&mut rng(63), &source.node, session, &out).unwrap();
    letter.sign(&source.node)
}

fn requests(book: &mut Book, world: &World, talk: &Talk) {
    let content = cbor::encode(&super::messages::call());
    let rules = "SESSION-3 SESSION-5 SESSION-6 SEAL-5 PAD-1";
    for from in [Side::Caller, Side::Callee] {
        let (name, ..) = side(world, from);
        let mut session = talk.session(from);
        let first = seal_in(world, &mut session, from, &content);
        let fields = opened_fields(world, talk, from, &first);
        book.valid(&format!("the first request of the {name}"), rules, fields);
        let second = seal_in(world, &mut session, from, &content);
        let mut fields = opened_fields(world, talk, from, &second);
        fields["before"] = json!([long(cbor::encode(&first))]);
        book.valid(&format!("the second request of the {name}"), rules, fields);
    }
}

/// A request in a session made by hand.
struct Parts {
    header: Header,
    key: [u8; 32],
    /// The counter that the nonce is of; the header's, unless it is another.
    nonce: Option<u64>,
}

fn craft(world: &World, talk: &Talk, from: Side, edit: impl FnOnce(&mut Parts)) -> Envelope {
    let (_, source, _) = side(world, from);
    let mut envelope = seal_in(world, &mut talk.session(from), from, b"question");
    let key = talk.secrets(world).key(from);
    let committed = decrypt(key, nonce(0), &envelope);
    let mut parts = Parts {
        header: envelope.peek().unwrap(),
        key,
        nonce: None,
    };
    edit(&mut parts);
    let counter = parts.nonce.or(parts.header.counter).unwrap();
    let header = cbor::encode(&parts.header);
    let body = encrypt(parts.key, nonce(counter), &header, &committed);
    (envelope.header, envelope.body) = (Blob::from(header), Blob::from(body));
    sign(&mut envelope, &source.node);
    envelope
}

fn counters(book: &mut Book, world: &World, talk: &Talk) {
    let at = |counter: u64| {
        craft(world, talk, Side::Caller, |parts| {
            parts.header.counter = Some(counter);
        })
    };
    let after = |envelope: &Envelope, before: &[Envelope]| {
        let counter = envelope.peek().unwrap().counter.unwrap();
        let mut fields = opened_fields(world, talk, Side::Caller, envelope);
        let before = before.iter().map(|before| long(cbor::encode(before)));
        fields["before"] = before.collect();
        fields["counter"] = counter.into();
        fields
    };
    let last = limits::SESSION_MESSAGES - 1;
    let name = "the last request that a session may carry, as the first that comes";
    book.valid(name, "SESSION-5 SESSION-6", after(&at(last), &[]));
    let name = "a request beyond the last that a session may carry";
    book.invalid(name, "SESSION-6", after(&at(last + 1), &[]));

    let newest = at(limits::SESSION_WINDOW + 7);
    let name = "a request 1,023 below the newest";
    let fields = after(&at(8), std::slice::from_ref(&newest));
    book.valid(name, "SESSION-7", fields);
    let name = "a request 1,024 below the newest";
    let fields = after(&at(7), std::slice::from_ref(&newest));
    book.invalid(name, "SESSION-7", fields);
    let again = after(&newest, std::slice::from_ref(&newest));
    book.invalid("a request that came before", "SESSION-7", again);
    let name = "a request that came before one that came before";
    let late = at(8);
    let fields = after(&late, &[late.clone(), newest.clone()]);
    book.invalid(name, "SESSION-7", fields);
    let name = "another request under a counter that came before";
    let other = craft(world, talk, Side::Caller, |parts| {
        parts.header.counter = Some(8);
        parts.header.max_reply -= 1;
    });
    book.invalid(name, "SESSION-6 SESSION-7", after(&late, &[other]));
    let name = "a request under a counter that one that did not open named before";
    let forged = craft(world, talk, Side::Caller, |parts| {
        parts.header.counter = Some(8);
        parts.key = [0; 32];
    });
    book.valid(name, "SESSION-7", after(&late, &[forged]));
}

fn ciphertexts(book: &mut Book, world: &World, talk: &Talk) {
    let secrets = talk.secrets(world);
    let from = Side::Caller;
    let crafted = |edit: &dyn Fn(&mut Parts)| {
        let envelope = craft(world, talk, from, edit);
        request_fields(world, talk, from, &envelope)
    };
    let fields = crafted(&|parts| parts.key = secrets.from_callee);
    let name = "a request under the key of the other direction";
    book.invalid(name, "SESSION-3 SESSION-5", fields);
    let fields = crafted(&|parts| parts.nonce = Some(1));
    book.invalid(
        "a request under another counter's nonce",
        "SESSION-5",
        fields,
    );

    let other = Talk {
        answer: Talk::answer(world, &other_call(world), public(TAKEN)),
        call: other_call(world),
    };
    let others = other.secrets(world);
    let fields = crafted(&|parts| parts.key = others.from_caller);
    let name = "a request under the key of another session";
    book.invalid(name, "SESSION-2 SESSION-5", fields);
    let fields = crafted(&|parts| {
        parts.key = others.from_caller;
        parts.header.key = Some(KeyId::new(others.id));
    });
    book.invalid("a request in another session", "SEAL-5", fields);
    let fields = crafted(&|parts| parts.header.key = None);
    book.invalid("a request in no session", "SEAL-5", fields);

    let good = craft(world, talk, from, |_| ());
    let changed = |edit: &dyn Fn(&mut Envelope)| {
        let mut envelope = good.clone();
        edit(&mut envelope);
        sign(&mut envelope, &world.health.node);
        request_fields(world, talk, from, &envelope)
    };
    type Edit = fn(&mut Header);
    let edits: [(&str, Edit); 3] = [
        ("counter", |header| header.counter = Some(1)),
        ("largest answer", |header| header.max_reply -= 1),
        ("message id", |header| header.id = MessageId::new([0; 16])),
    ];
    for (name, edit) in edits {
        let fields = changed(&|envelope| {
            let mut header = envelope.peek().unwrap();
            edit(&mut header);
            envelope.header = Blob::from(cbor::encode(&header));
        });
        let name = format!("a request whose {name} was changed, signed anew");
        book.invalid(&name, "SESSION-5", fields);
    }
    for (name, at) in [("ciphertext", 0), ("tag", good.body.len() - 1)] {
        let fields = changed(&|envelope| change(&mut envelope.body, |body| body[at] ^= 1));
        let name = format!("a request with a bit flipped in its {name}, signed anew");
        book.invalid(&name, "SESSION-5", fields);
    }
}

/// A call under the same keys, with other content.
fn other_call(world: &World) -> Sealed {
    let (here, there) = (world.health.place(), world.lab.place());
    let kem = world.lab.kem_record(|_| ()).peek().unwrap();
    let out = outgoing(Kind::Call, &here, &there, None, b"another call");
    seal(&mut rng(60), &world.health.node, &kem, &out).unwrap()
}

fn replies(book: &mut Book, world: &World, talk: &Talk) {
    let content = cbor::encode(&super::messages::call());
    let asked = seal_in(
        world,
        &mut talk.session(Side::Caller),
        Side::Caller,
        &content,
    );
    let request = opened_fields(world, talk, Side::Caller, &asked);
    let content = cbor::encode(&super::messages::result());
    let (here, there) = (world.health.place(), world.lab.place());
    let out = outgoing(Kind::Result, &there, &here, Some(asked.digest()), &content);
    // The key of the request in the session, as its receiver has it.
    let verified = envelopes::verified(&Case(request.as_object().unwrap().clone()), asked.clone());
    let opened = open_in_session(&verified.unwrap(), &mut talk.session(Side::Callee)).unwrap();
    let key = opened.reply_key().unwrap();
    let answer = seal_reply(&mut rng(64), &world.lab.node, key, &out).unwrap();
    let answer = answer.envelope;
    let id = answer.peek().unwrap().id;
    let fields = |answer: &Envelope, secret: [u8; 32]| {
        let (key, nonce) = reply_key(secret, id, asked.digest());
        let committed = decrypt(key, nonce, answer);
        let mut fields = envelopes::fields(answer, &world.lab);
        fields["body"] = "reply".into();
        fields["request"] = request.clone();
        fields["committed"] = long(committed);
        fields["content"] = long(&content);
        fields
    };
    let secrets = talk.secrets(world);
    let of = fields(&answer, secrets.replies);
    book.valid("the answer to a request in a session", "REPLY-5", of);

    let (key, nonce) = reply_key(secrets.replies, id, asked.digest());
    let committed = decrypt(key, nonce, &answer);
    let call = sealing::opened_fields(world, &talk.call.envelope);
    let of_call = Case(call.as_object().unwrap().clone()).array("reply_secret");
    for (name, secret) in [
        ("the call that began the session", of_call),
        ("zeros", [0; 32]),
    ] {
        let mut other = answer.clone();
        let (key, nonce) = reply_key(secret, id, asked.digest());
        other.body = Blob::from(encrypt(key, nonce, &other.header, &committed));
        sign(&mut other, &world.lab.node);
        let name = format!("an answer under the reply secret of {name}");
        book.invalid(&name, "REPLY-5", fields(&other, secret));
    }
}
