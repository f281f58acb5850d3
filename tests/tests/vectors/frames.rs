//! Everything that crosses a link, and the bytes around it.

use super::signed::sign_clear;
use ciborium::Value;
use realm_broadcast::Capabilities;
use realm_protocol::{
    Digest, FailureCode, Kind, RealmId, Secret16, TicketId,
    audit::{AuditHead, AuditProof},
    cbor, limits,
    link::{
        Accept, Beat, Bye, Frame, Hello, Join, Joined, NeedChain, Offer, Records, Renew, Taken,
    },
    message::Resolve,
    records::{ChildCert, Peering, Signed},
};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex},
    raw::{Raw, with},
    tree::{NOW, Realm, World, admission, outgoing, rng, signed, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "frames",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    if case.has("lists") {
        return digest(case);
    }
    let bytes = if case.has("stream") {
        unframed(&case.bytes("stream"))?
    } else {
        case.bytes("hex")
    };
    let frame = Frame::decode(&bytes.clone().into()).map_err(|error| error.to_string())?;
    assert_eq!(frame.name(), case.text("frame"));
    assert_eq!(frame.encode(), bytes);
    Ok(())
}

/// Takes the one frame out of a stream.
fn unframed(stream: &[u8]) -> Result<Vec<u8>, String> {
    let (length, rest) = stream.split_first_chunk().ok_or("a length cut short")?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
    if length > limits::FRAME_BYTES {
        return Err("a frame too long".to_owned());
    }
    let frame = rest.get(..length).ok_or("a frame cut short")?;
    Ok(frame.to_vec())
}

fn digest(case: &Case) -> Result<(), String> {
    let mut bytes = Vec::new();
    for list in case.cases("lists") {
        bytes.extend(list.bytes("issuer"));
        bytes.extend(list.number("number").to_be_bytes());
    }
    assert_eq!(Digest::of(&[&bytes]).as_bytes(), &case.array("digest"));
    Ok(())
}

fn frames(world: &World) -> Vec<(&'static str, Frame)> {
    let (acme, health, lab) = (&world.acme, &world.health, &world.lab);
    let child = health.links[1].child_cert.clone().unwrap();
    let peering = acme.peering(lab);
    let (source, mut target) = (acme.place(), lab.place());
    target.realm = None;
    target.node = None;
    let content = cbor::encode(&Resolve { known: None });
    let out = outgoing(Kind::Resolve, &source, &target, None, &content);
    let clear = sign_clear(&mut rng(1), &acme.node, &out).unwrap();
    let digest = Digest::of(&[b"records"]);
    vec![
        ("an envelope", clear.envelope.into()),
        (
            "a hello",
            Frame::Hello(Hello {
                oldest: 1,
                newest: 1,
                chain: health.chain(),
                clock: NOW,
                records: digest,
                joining: None,
            }),
        ),
        (
            "a join as child",
            Frame::Join(Join {
                ticket: TicketId::new([1; 16]),
                secret: Secret16::new([2; 16]),
                admission: None,
                petname: None,
            }),
        ),
        (
            "a join as peer",
            Frame::Join(Join {
                ticket: TicketId::new([1; 16]),
                secret: Secret16::new([2; 16]),
                admission: Some(admission(&[""])),
                petname: Some("lab".parse().unwrap()),
            }),
        ),
        (
            "an offer to a child",
            Frame::Offer(Offer {
                child_cert: Some(first(&child)),
                peering: None,
                chain: acme.chain(),
            }),
        ),
        (
            "an offer to a peer",
            Frame::Offer(Offer {
                child_cert: None,
                peering: Some(first_of(&peering)),
                chain: acme.chain(),
            }),
        ),
        (
            "an accept by a child",
            Frame::Accept(Accept {
                child_cert: Some(child.clone()),
                peering: None,
            }),
        ),
        (
            "an accept by a peer",
            Frame::Accept(Accept {
                child_cert: None,
                peering: Some(peering),
            }),
        ),
        (
            "a joined",
            Frame::Joined(Joined {
                record: child.digest(),
            }),
        ),
        (
            "a renewal",
            Frame::Renew(Renew {
                held: Some(child.digest()),
            }),
        ),
        ("a question for records", Frame::Renew(Renew { held: None })),
        (
            "records",
            Frame::Records(Records {
                chain: Some(acme.chain()),
                revocations: vec![acme.revocations(&[3]), lab.revocations(&[])],
                issuers: vec![acme.chain(), lab.chain()],
                policies: vec![acme.policy(None)],
                summary: None,
            }),
        ),
        (
            "what a child can bid for with all below it",
            Frame::Records(Records {
                summary: Some(Capabilities::of(["price.check", "quote"]).write()),
                ..Records::default()
            }),
        ),
        (
            "a question for a chain",
            Frame::NeedChain(NeedChain { header: digest }),
        ),
        (
            "a beat",
            Frame::Beat(Beat {
                clock: NOW,
                records: digest,
                head: None,
                witnessed: None,
                proof: None,
            }),
        ),
        (
            "a beat that shows a head with its proof",
            Frame::Beat(Beat {
                clock: NOW,
                records: digest,
                head: Some(audit_head(acme, 3)),
                witnessed: Some(300),
                proof: Some(AuditProof {
                    from: audit_head(acme, 2),
                    frontier: vec![1; 32].into(),
                    range: vec![2; 32].into(),
                }),
            }),
        ),
        (
            "a bye",
            Frame::Bye(Bye {
                code: None,
                detail: None,
            }),
        ),
        (
            "a bye with a reason",
            Frame::Bye(Bye {
                code: Some(FailureCode::Denied),
                detail: Some("the ticket is not valid".to_owned()),
            }),
        ),
        ("a taken", Frame::Taken(Taken { header: digest })),
    ]
}

fn audit_head(realm: &Realm, count: u64) -> Signed<AuditHead> {
    let head = AuditHead {
        realm: realm.id,
        count,
        root: Digest::of(&[b"root"]),
        at: NOW,
    };
    signed(&head, &[&realm.node])
}

/// Signed by the offering side alone.
fn first(cert: &Signed<ChildCert>) -> Signed<ChildCert> {
    let mut cert = cert.clone();
    cert.signatures.truncate(1);
    cert
}

fn first_of(peering: &Signed<Peering>) -> Signed<Peering> {
    let mut peering = peering.clone();
    peering.signatures.truncate(1);
    peering
}

fn make(book: &mut Book) {
    book.about(
        "Frames by `hex` and the name of their `frame`; by `stream` with their length before them. \
         `lists` are issuers and numbers of revocation lists in their order, with the `digest` \
         that a Beat shows for them.",
    );
    let world = world();
    for (name, frame) in frames(&world) {
        let fields = json!({"frame": frame.name(), "hex": hex(frame.encode())});
        book.valid(name, "FRAME-3 FRAME-7 ID-1", fields);
        damaged(book, name, &frame);
    }
    streams(book);
    numbers(book);
    let lists = [(RealmId::new([1; 32]), 7_u64), (world.acme.id, 300)];
    let bytes: Vec<u8> = lists
        .iter()
        .flat_map(|(issuer, number)| [&issuer.as_bytes()[..], &number.to_be_bytes()].concat())
        .collect();
    let issuers =
        lists.map(|(issuer, number)| json!({"issuer": hex(issuer.as_bytes()), "number": number}));
    let fields = json!({"lists": issuers, "digest": hex(Digest::of(&[&bytes]).as_bytes())});
    book.valid("the digest of two lists", "SHARE-2", fields);
    let fields = json!({"lists": [], "digest": hex(Digest::of(&[]).as_bytes())});
    book.valid("the digest of no lists", "SHARE-2", fields);
}

/// Each required key left out, and a key that nobody knows.
fn damaged(book: &mut Book, name: &str, frame: &Frame) {
    let Raw(Value::Array(items)) = cbor::decode(&frame.encode()).unwrap() else {
        panic!("a frame is an array");
    };
    let Value::Map(entries) = &items[1] else {
        return;
    };
    let content = cbor::encode(&Raw(items[1].clone()));
    let whole = |content: &[u8]| {
        let content = cbor::decode::<Raw>(content).unwrap().0;
        let bytes = cbor::encode(&Raw(Value::Array(vec![items[0].clone(), content])));
        json!({"frame": frame.name(), "hex": hex(bytes)})
    };
    let unknown = whole(&with(&content, 63, Some(0.into())));
    book.invalid(&format!("{name} with key 63"), "FRAME-7", unknown);
    for (key, _) in entries {
        let key = u64::try_from(key.as_integer().unwrap()).unwrap();
        let fields = whole(&with(&content, key, Some(Value::Bool(true))));
        let label = format!("{name} with true under key {key}");
        book.invalid(&label, "FRAME-7 CBOR-15", fields);
        if !is_optional(frame, key) {
            let fields = whole(&with(&content, key, None));
            book.invalid(
                &format!("{name} without key {key}"),
                "FRAME-7 CBOR-15",
                fields,
            );
        }
    }
}

fn is_optional(frame: &Frame, key: u64) -> bool {
    match frame {
        Frame::Join(_) => key >= 2,
        Frame::Offer(_) => key < 2,
        Frame::Accept(_) | Frame::Renew(_) | Frame::Bye(_) => true,
        Frame::Records(_) => matches!(key, 0 | 4),
        Frame::Beat(_) => key >= 64,
        _ => false,
    }
}

fn streams(book: &mut Book) {
    let beat = Frame::Bye(Bye {
        code: None,
        detail: None,
    });
    let bytes = beat.encode();
    let stream = |length: u32| hex([&length.to_be_bytes()[..], &bytes].concat());
    let length = u32::try_from(bytes.len()).unwrap();
    let fields = json!({"frame": "Bye", "stream": stream(length)});
    book.valid("a bye on a stream", "FRAME-1", fields);
    for (name, rule, length) in [
        ("a length of 131,073", "FRAME-2", 131_073),
        ("a length of 4 GiB", "FRAME-2", u32::MAX),
        ("a length past the end", "FRAME-1", length + 1),
        ("a length short of the end", "FRAME-1", length - 1),
        ("a length of zero", "FRAME-1", 0),
    ] {
        book.invalid(
            name,
            rule,
            json!({"frame": "Bye", "stream": stream(length)}),
        );
    }
}

fn numbers(book: &mut Book) {
    let frame = |items: Vec<Value>| {
        let bytes = cbor::encode(&Raw(Value::Array(items)));
        json!({"frame": "Bye", "hex": hex(bytes)})
    };
    let map = || Value::Map(Vec::new());
    for number in [11, 15, 16, u64::from(u32::MAX)] {
        let fields = frame(vec![number.into(), map()]);
        book.invalid(&format!("number {number}"), "FRAME-4", fields);
    }
    for (name, items) in [
        ("a negative number", vec![Value::from(-1), map()]),
        ("a number as text", vec!["bye".into(), map()]),
        ("no content", vec![10.into()]),
        ("two contents", vec![10.into(), map(), map()]),
        (
            "an array as content",
            vec![10.into(), Value::Array(Vec::new())],
        ),
        ("nothing at all", vec![]),
    ] {
        book.invalid(name, "FRAME-3", frame(items));
    }
    let bare = json!({"frame": "Bye", "hex": "a0"});
    book.invalid("content alone", "FRAME-3", bare);
}
