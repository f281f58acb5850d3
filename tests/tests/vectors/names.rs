//! Labels, paths, loop ids and the texts of ids.

use std::{fmt::Display, str::FromStr};

use realm_protocol::{
    Digest, KeyId, Label, LoopAddress, LoopId, MessageId, RealmId, RealmName, RealmPath,
    cbor::{self, Wire},
};
use serde_json::json;

use super::book::{Book, Case, Subject, hex};

pub(super) const SUBJECT: Subject = Subject {
    name: "names",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    match case.text("kind") {
        "label" => wire::<Label>(case),
        "path" => wire::<RealmPath>(case),
        "loop id" => wire::<LoopId>(case),
        "realm id" => wire::<RealmId>(case),
        "message id" => wire::<MessageId>(case),
        "key id" => wire::<KeyId>(case),
        "realm name" => text::<RealmName>(case).map(|_| ()),
        "loop address" => text::<LoopAddress>(case).map(|_| ()),
        other => panic!("no kind {other}"),
    }
}

fn text<T>(case: &Case) -> Result<T, String>
where
    T: FromStr + Display,
    T::Err: Display,
{
    let text = case.text("text");
    let name: T = text.parse().map_err(|_| "refused".to_owned())?;
    assert_eq!(name.to_string(), text);
    Ok(name)
}

fn wire<T>(case: &Case) -> Result<(), String>
where
    T: FromStr + Display + Wire,
    T::Err: Display,
{
    let name: T = text(case)?;
    assert_eq!(cbor::encode(&name), case.bytes("cbor"));
    Ok(())
}

fn make(book: &mut Book) {
    book.about("Names by `kind` and `text`, with their `cbor` where they cross a link.");
    let a = |count: usize| "a".repeat(count);
    let path = |labels: usize, length: usize| vec![a(length); labels].join("/");
    for text in ["a", "0", "a-b", "a--b", "9lives", "xn--x", &a(63)] {
        let cbor = cbor::encode(&text.parse::<Label>().unwrap());
        let fields = json!({"kind": "label", "text": text, "cbor": hex(cbor)});
        book.valid(&format!("label `{text}`"), "NAME-1 NAME-4 NAME-6", fields);
    }
    for text in ["", "health", "health/cardiology", &path(8, 1), &path(4, 63)] {
        let cbor = cbor::encode(&text.parse::<RealmPath>().unwrap());
        let fields = json!({"kind": "path", "text": text, "cbor": hex(cbor)});
        book.valid(&format!("path `{text}`"), "NAME-2 NAME-3 NAME-4", fields);
    }
    for text in ["echo", "builtin:echo", "a/b.c_D-1", "0", &a(128)] {
        let cbor = cbor::encode(&text.parse::<LoopId>().unwrap());
        let fields = json!({"kind": "loop id", "text": text, "cbor": hex(cbor)});
        book.valid(&format!("loop id `{text}`"), "NAME-5", fields);
    }
    for (kind, text) in [
        ("realm name", "acme"),
        ("realm name", "acme/health/cardiology"),
        ("loop address", "hello"),
        ("loop address", "risk-classify@acme/health"),
    ] {
        let fields = json!({"kind": kind, "text": text});
        book.valid(&format!("{kind} `{text}`"), "NAME-1 NAME-5", fields);
    }
    refused(
        book,
        "label",
        "NAME-1",
        &[
            "",
            "-",
            "-a",
            "a-",
            "A",
            "a_b",
            "a.b",
            "a/b",
            "a b",
            " a",
            "a\n",
            "a\0",
            "é",
            "а",
            "ａ",
            "٣",
            &a(64),
        ],
    );
    refused(book, "path", "NAME-2", &[&path(9, 1)]);
    refused(
        book,
        "path",
        "NAME-3",
        &[&path(5, 51), "/", "/a", "a/", "a//b", "a/B", "a/.."],
    );
    refused(
        book,
        "loop id",
        "NAME-5",
        &["", "a b", "a@b", "a#b", "é", "a\0", &a(129)],
    );
    refused(book, "realm name", "NAME-1", &["", "/", "acme/", "Acme"]);
    refused(
        book,
        "loop address",
        "NAME-5",
        &["", "@acme", "a@", "a@b@c"],
    );
    ids(book);
}

fn refused(book: &mut Book, kind: &str, rule: &str, texts: &[&str]) {
    for text in texts {
        let fields = json!({"kind": kind, "text": text});
        book.invalid(&format!("{kind} {text:?}"), rule, fields);
    }
}

fn ids(book: &mut Book) {
    let digest = *Digest::of(&[b"realm"]).as_bytes();
    for (name, bytes) in [
        ("zeros", [0; 32]),
        ("ones", [0xff; 32]),
        ("a digest", digest),
    ] {
        let id = RealmId::new(bytes);
        let fields = json!({"kind": "realm id", "text": id.to_string(),
            "cbor": hex(cbor::encode(&id))});
        book.valid(&format!("realm id of {name}"), "ID-2", fields);
    }
    let message = MessageId::new(std::array::from_fn(|at| at as u8));
    let fields = json!({"kind": "message id", "text": message.to_string(),
        "cbor": hex(cbor::encode(&message))});
    book.valid("message id", "ID-2", fields);
    let key = KeyId::new([0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0]);
    let fields = json!({"kind": "key id", "text": key.to_string(),
        "cbor": hex(cbor::encode(&key))});
    book.valid("key id", "ID-2", fields);

    let text = RealmId::new([0xff; 32]).to_string();
    for (name, wrong) in [
        ("in capitals", text.to_uppercase()),
        ("a character short", text[1..].to_owned()),
        ("a character long", format!("{text}0")),
        ("with padding", format!("{text}====")),
        ("with bits after its last", format!("{}z", &text[..51])),
        (
            "with a letter that is not used",
            format!("{}u", &text[..51]),
        ),
        ("with a space", format!("{} ", &text[..51])),
    ] {
        let fields = json!({"kind": "realm id", "text": wrong});
        book.invalid(&format!("realm id {name}"), "ID-3", fields);
    }
}
