//! What is CBOR here, and what is not.

use ciborium::Value;
use realm_protocol::{Hop, cbor, link::Bye};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex, long},
    raw::Raw,
};

pub(super) const SUBJECT: Subject = Subject {
    name: "cbor",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let bytes = case.bytes("hex");
    cbor::check(&bytes).map_err(|error| error.to_string())?;
    let again = match case.0.get("as").and_then(|kind| kind.as_str()) {
        Some("hop") => cbor::decode::<Hop>(&bytes).map(|value| cbor::encode(&value)),
        Some("bye") => cbor::decode::<Bye>(&bytes).map(|value| cbor::encode(&value)),
        _ => cbor::decode::<Raw>(&bytes).map(|value| cbor::encode(&value)),
    };
    let expected = if case.has("read") {
        case.bytes("read")
    } else {
        bytes
    };
    assert_eq!(again.map_err(|error| error.to_string())?, expected);
    Ok(())
}

fn make(book: &mut Book) {
    book.about(
        "Documents by `hex`; `as` names the map they are read as, where that matters (hop and bye \
         are in links.md and envelopes.md); `read` is what a reader that drops ignored keys would \
         write. Long runs of one byte are written as [byte, count] in a list of parts.",
    );
    for (name, bytes) in valid() {
        book.valid(name, "CBOR-1 CBOR-3", json!({"hex": bytes}));
    }
    limits(book);
    keys(book);
    for (rule, forms) in INVALID {
        for (name, bytes) in *forms {
            book.invalid(name, rule, json!({"hex": bytes}));
        }
    }
}

fn valid() -> Vec<(&'static str, &'static str)> {
    vec![
        ("zero", "00"),
        ("23", "17"),
        ("24", "1818"),
        ("255", "18ff"),
        ("256", "190100"),
        ("65535", "19ffff"),
        ("65536", "1a00010000"),
        ("2^32 - 1", "1affffffff"),
        ("2^32", "1b0000000100000000"),
        ("2^64 - 1", "1bffffffffffffffff"),
        ("minus 1", "20"),
        ("minus 25", "3818"),
        ("minus 2^64", "3bffffffffffffffff"),
        ("no bytes", "40"),
        ("a byte", "41ff"),
        ("no text", "60"),
        ("text", "62c3a9"),
        ("text that is not in a normal form", "6365cc81"),
        ("an empty array", "80"),
        ("an array", "83010203"),
        ("an empty map", "a0"),
        ("a map", "a3000117021818a0"),
        ("false", "f4"),
        ("true", "f5"),
        ("null", "f6"),
    ]
}

fn limits(book: &mut Book) {
    let nested = |arrays: usize| hex([vec![0x81; arrays], vec![0]].concat());
    book.valid("depth 32", "CBOR-11", json!({"hex": nested(31)}));
    book.invalid("depth 33", "CBOR-11", json!({"hex": nested(32)}));
    let map = hex([[0xa1, 0].repeat(32), vec![0]].concat());
    book.invalid("depth 33 in maps", "CBOR-11", json!({"hex": map}));
    let unread = hex(vec![0x81; 40]);
    book.invalid(
        "depth 33 before the end is missed",
        "CBOR-11",
        json!({"hex": unread}),
    );

    let zeros = |count: usize| long(cbor::encode(&Raw(Value::Array(vec![0.into(); count]))));
    book.valid("4096 items", "CBOR-12", json!({"hex": zeros(4_095)}));
    book.invalid("4097 items", "CBOR-12", json!({"hex": zeros(4_096)}));
    let map = |keys: u64| {
        let entries = (0..keys).map(|key| (key.into(), Value::Bool(true)));
        hex(cbor::encode(&Raw(Value::Map(entries.collect()))))
    };
    book.valid("256 keys", "CBOR-13", json!({"hex": map(256)}));
    book.invalid("257 keys", "CBOR-13", json!({"hex": map(257)}));
    let maps = Value::Array(
        (0..16)
            .map(|_| Value::Map((0..128_u64).map(|key| (key.into(), 0.into())).collect()))
            .collect(),
    );
    let maps = hex(cbor::encode(&Raw(maps)));
    book.invalid(
        "4113 items, keys among them",
        "CBOR-12",
        json!({"hex": maps}),
    );
}

fn keys(book: &mut Book) {
    let plain = "a3001101010200";
    book.valid("a hop", "CBOR-5 CBOR-6", json!({"as": "hop", "hex": plain}));
    for (name, bytes) in [
        ("a hop with key 64", "a4001101010200184000"),
        (
            "a hop with key 2^64 - 1",
            "a40011010102001bfffffffffffffffff6",
        ),
        (
            "a hop with nesting under key 300",
            "a400110101020019012c81a10040",
        ),
    ] {
        book.valid(
            name,
            "CBOR-9",
            json!({"as": "hop", "hex": bytes, "read": plain}),
        );
    }
    for (name, bytes) in [
        ("a hop with key 3", "a400110101020003f5"),
        ("a hop with key 63", "a4001101010200183f00"),
        ("a hop with keys 63 and 64", "a5001101010200183f00184000"),
    ] {
        book.invalid(name, "CBOR-10", json!({"as": "hop", "hex": bytes}));
    }
    book.valid(
        "a bye that says nothing",
        "CBOR-14",
        json!({"as": "bye", "hex": "a0"}),
    );
    for (name, bytes) in [
        ("a bye with null for a code", "a100f6"),
        ("a bye with null for a detail", "a101f6"),
    ] {
        book.invalid(name, "CBOR-14", json!({"as": "bye", "hex": bytes}));
    }
}

type Forms = &'static [(&'static str, &'static str)];

const INVALID: &[(&str, Forms)] = &[
    (
        "CBOR-1",
        &[
            ("a byte after an integer", "0000"),
            ("an item after an array", "8100f6"),
            ("an item after an empty map", "a0a0"),
            ("a break after an item", "00ff"),
        ],
    ),
    (
        "CBOR-2",
        &[
            ("nothing", ""),
            ("no argument of one byte", "18"),
            ("half an argument of two bytes", "1901"),
            ("part of an argument of four bytes", "1a000100"),
            ("part of an argument of eight bytes", "1b00000001000000"),
            ("bytes cut short", "4301ff"),
            ("text cut short", "626f"),
            ("an array cut short", "820a"),
            ("a map without its last value", "a20001"),
            ("a map without a key", "a1"),
        ],
    ),
    (
        "CBOR-3",
        &[
            ("0 in one byte more", "1800"),
            ("23 in one byte more", "1817"),
            ("24 in two bytes", "190018"),
            ("255 in two bytes", "1900ff"),
            ("256 in four bytes", "1a00000100"),
            ("65535 in four bytes", "1a0000ffff"),
            ("65536 in eight bytes", "1b0000000000010000"),
            ("2^32 - 1 in eight bytes", "1b00000000ffffffff"),
            ("minus 1 in one byte more", "3800"),
            ("minus 256 in two bytes", "3900ff"),
            ("a length of 0 in one byte more", "5800"),
            ("a length of 1 in two bytes", "59000101"),
            ("a text's length in four bytes", "7a0000000161"),
            ("a count of items in one byte more", "980100"),
            ("a count of keys in one byte more", "b8010000"),
            ("a key in one byte more", "a1180000"),
        ],
    ),
    (
        "CBOR-4",
        &[
            ("bytes in chunks", "5f4101ff"),
            ("bytes in no chunks", "5fff"),
            ("text in chunks", "7f6161ff"),
            ("an array with a break", "9f00ff"),
            ("an empty array with a break", "9fff"),
            ("a map with a break", "bf0000ff"),
            ("an inner array with a break", "819fff"),
            ("a break alone", "ff"),
        ],
    ),
    (
        "CBOR-5",
        &[
            ("a negative key", "a12000"),
            ("a text key", "a1616100"),
            ("a key of bytes", "a1410000"),
            ("an array as key", "a18000"),
            ("a map as key", "a1a000"),
            ("true as key", "a1f500"),
            ("null as key", "a1f600"),
            ("a text key after an integer", "a200006000"),
        ],
    ),
    (
        "CBOR-6",
        &[
            ("a key twice", "a200000001"),
            ("a key twice with the same value", "a201000100"),
            ("keys in descending order", "a201000000"),
            ("the third key before the second", "a3000002000100"),
            ("a long key before a short one", "a21818000100"),
            ("keys unsorted in an inner map", "a100a201000000"),
        ],
    ),
    (
        "CBOR-7",
        &[
            ("a tag", "c000"),
            ("a bignum", "c24101"),
            ("the tag of CBOR itself", "d9d9f700"),
            ("a half float", "f93c00"),
            ("a single float", "fa3f800000"),
            ("a double float", "fb3ff0000000000000"),
            ("a float that is not a number", "f97e00"),
            ("undefined", "f7"),
            ("simple value 0", "e0"),
            ("simple value 32", "f820"),
            ("false in two bytes", "f814"),
            ("reserved information 28", "1c"),
            ("reserved information 29 for bytes", "5d"),
            ("reserved information 30 for an array", "9e"),
            ("reserved information 28 for a simple value", "fc"),
        ],
    ),
    (
        "CBOR-8",
        &[
            ("a lone continuation byte", "6180"),
            ("a start without its continuation", "61c3"),
            ("an overlong slash", "62c0af"),
            ("a surrogate", "63eda080"),
            ("a point past the last", "64f4908080"),
            ("a byte that is never used", "61ff"),
        ],
    ),
    (
        "CBOR-16",
        &[
            ("2^63 - 1 bytes declared", "5b7fffffffffffffff"),
            ("2^64 - 1 bytes declared", "5bffffffffffffffff"),
            ("4 GiB of text declared", "7affffffff"),
            ("2^64 - 1 items declared", "9bffffffffffffffff"),
            ("2^64 - 1 keys declared", "bbffffffffffffffff"),
        ],
    ),
];
