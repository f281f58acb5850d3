//! What two realms of different wire versions say to each other.

use ciborium::Value;
use realm_protocol::{
    Digest,
    link::{Bye, Frame, Hello, Versions},
};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex},
    raw::with,
    tree::{NOW, world},
};

pub(super) const SUBJECT: Subject = Subject {
    name: "versions",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let hello = case.bytes("hello");
    let theirs = Versions::of_hello(&hello).ok_or("no hello of any version")?;
    let mine = Versions {
        oldest: case.number("oldest"),
        newest: case.number("newest"),
    };
    let common = mine.common(theirs).ok_or("VersionMismatch")?;
    assert_eq!(common, case.number("common"));
    // Who names version 1 greets as version 1 does.
    let frame = Frame::decode(&hello.into());
    assert!(common > 1 || matches!(frame, Ok(Frame::Hello(_))));
    Ok(())
}

/// A Hello of a realm that speaks these versions, in the form of version 1.
fn hello((oldest, newest): (u64, u64)) -> Vec<u8> {
    let hello = Hello {
        oldest,
        newest,
        chain: world().health.chain(),
        clock: NOW,
        records: Digest::of(&[b"records"]),
        joining: None,
    };
    Frame::Hello(hello).encode().to_vec()
}

fn make(book: &mut Book) {
    book.about(
        "Hellos by the hex of their frame, as they reach a realm that speaks the versions from `oldest` to \
         `newest`; `common` is what both then speak. Without one the link is closed with VersionMismatch.",
    );
    for (mine, theirs, common) in [
        ((1, 1), (1, 1), 1),
        ((1, 1), (1, 2), 1),
        ((1, 2), (1, 1), 1),
        ((1, 2), (1, 2), 2),
        ((1, 2), (2, 3), 2),
        ((2, 3), (1, 2), 2),
        ((2, 3), (1, 9), 3),
        ((1, 1), (0, u64::MAX), 1),
    ] {
        let (oldest, newest) = mine;
        let name = format!("{oldest} to {newest} meets {} to {}", theirs.0, theirs.1);
        let fields = json!({
            "hello": hex(hello(theirs)), "oldest": oldest, "newest": newest, "common": common,
        });
        book.valid(&name, "HELLO-2", fields);
    }
    for (mine, theirs) in [
        ((1, 1), (2, 2)),
        ((1, 1), (2, 3)),
        ((2, 2), (1, 1)),
        ((1, 2), (3, 4)),
        ((3, 4), (1, 2)),
        ((1, 2), (2, 1)),
        ((1, 3), (3, 1)),
        ((1, 1), (u64::MAX, 0)),
    ] {
        let (oldest, newest) = mine;
        let name = format!("{oldest} to {newest} meets {} to {}", theirs.0, theirs.1);
        let fields = json!({"hello": hex(hello(theirs)), "oldest": oldest, "newest": newest});
        book.invalid(&name, "HELLO-2", fields);
    }
    forms(book);
}

/// What a later version may look like, and what none may.
fn forms(book: &mut Book) {
    let first = (1, 1);
    let mine = |bytes: Vec<u8>| json!({"hello": hex(bytes), "oldest": first.0, "newest": first.1});
    let changed = |versions, key, value| {
        let frame = hello(versions);
        let content = with(&frame[2..], key, value);
        [&frame[..2], &content].concat()
    };
    let other_chain = changed((2, 3), 2, Some(Value::from("another form")));
    let no_chain = changed((2, 3), 2, None);
    for (name, bytes) in [
        ("a later version with another form of chain", other_chain),
        ("a later version without a chain", no_chain),
    ] {
        assert!(Frame::decode(&bytes.clone().into()).is_err());
        book.invalid(name, "HELLO-2 HELLO-8", mine(bytes));
    }
    for (name, bytes) in [
        ("without its oldest version", changed((1, 1), 0, None)),
        ("without its newest version", changed((1, 1), 1, None)),
        (
            "with versions in words",
            changed((1, 1), 0, Some("one".into())),
        ),
        (
            "of another number",
            Frame::Bye(Bye {
                code: None,
                detail: None,
            })
            .encode()
            .to_vec(),
        ),
        ("cut short", hello(first)[..40].to_vec()),
    ] {
        book.invalid(name, "HELLO-8", mine(bytes));
    }
}
