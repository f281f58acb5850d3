//! What `invite` prints.

use ciborium::Value;
use data_encoding::BASE64URL_NOPAD;
use realm_client::ticket;
use realm_protocol::{
    Digest, cbor,
    records::{Ticket, TicketKind},
};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex},
    raw::with,
    tree::world,
};

pub(super) const SUBJECT: Subject = Subject {
    name: "tickets",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let text = case.text("text");
    let read = ticket::decode(text).map_err(|error| error.to_string())?;
    let bytes = case.bytes("cbor");
    assert_eq!(cbor::decode::<Ticket>(&bytes).as_ref(), Ok(&read));
    assert_eq!(cbor::encode(&read), bytes);
    assert_eq!(ticket::encode(&read), text);
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    let checksum = *Digest::of(&[bytes]).as_bytes();
    let bytes = [bytes, &checksum[..4]].concat();
    format!("realm-ticket-v1:{}", BASE64URL_NOPAD.encode(&bytes))
}

fn make(book: &mut Book) {
    book.about("Tickets by `text`, with the `cbor` inside.");
    let world = world();
    let kinds = [
        (
            "for a child",
            &world.health,
            TicketKind::Child("cardiology".parse().unwrap()),
        ),
        (
            "for a peer",
            &world.lab,
            TicketKind::Peer("lab".parse().unwrap()),
        ),
    ];
    for (name, realm, kind) in kinds {
        let bytes = cbor::encode(&realm.ticket(kind));
        book.valid(
            name,
            "TICKET-1",
            json!({"text": text(&bytes), "cbor": hex(bytes)}),
        );
    }
    let kind = TicketKind::Child("cardiology".parse().unwrap());
    let bytes = cbor::encode(&world.health.ticket(kind));
    let good = text(&bytes);
    let changed = good.replacen(":q", ":r", 1);
    for (name, text) in [
        ("nothing", String::new()),
        (
            "without its prefix",
            good["realm-ticket-v1:".len()..].to_owned(),
        ),
        ("of version 2", good.replacen("v1", "v2", 1)),
        ("in capitals", good.to_uppercase()),
        ("with its first character changed", changed),
        ("cut by a character", good[..good.len() - 1].to_owned()),
        ("cut by four characters", good[..good.len() - 4].to_owned()),
        ("with padding", format!("{good}=")),
        ("with a space inside", good.replacen(":", ": ", 1)),
        ("of nothing", text(&[])),
        ("too long", text(&[0; 8_192])),
    ] {
        book.invalid(name, "TICKET-2", json!({"text": text}));
    }
    let wrong = |kind: u64| Value::Array(vec![kind.into(), "a".into()]);
    for (name, key, value) in [
        ("of kind 3", 2, Some(wrong(3))),
        ("without a secret", 1, None),
        ("with an unknown key", 10, Some(0.into())),
        (
            "with an address that is no text",
            8,
            Some(Value::Array(vec![1.into()])),
        ),
    ] {
        let bytes = with(&bytes, key, value);
        book.invalid(name, "TICKET-1 CBOR-15", json!({"text": text(&bytes)}));
    }
}
