//! Strict JSON.

use realm_protocol::json;
use serde_json::json;

use super::book::{Book, Case, Subject, hex, long};

pub(super) const SUBJECT: Subject = Subject {
    name: "json",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let bytes = case.bytes("hex");
    // Where a reader stops is its own business.
    let value = json::parse(&bytes).map_err(|_| "refused".to_owned())?;
    if case.has("value") {
        assert_eq!(&value, case.value("value"));
    }
    Ok(())
}

fn make(book: &mut Book) {
    book.about("JSON texts by `hex`, and the `value` where it fits a JSON file.");
    for (rules, text) in [
        ("JSON-1", r#"{"a":[1,-2,3.5,true,null,"é"]}"#),
        ("JSON-1", " [ ] "),
        ("JSON-1", "true"),
        ("JSON-2", r#"{"a":1,"A":2,"a ":3}"#),
        ("JSON-3", "[9007199254740991,-9007199254740991]"),
        ("JSON-4", "[6.02214076e23,1e20,12345678901234567890.5]"),
    ] {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        book.valid(text, rules, json!({"hex": hex(text), "value": value}));
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    book.valid("depth 64", "JSON-5", json!({"hex": hex(nested(64))}));
    book.invalid("depth 65", "JSON-5", json!({"hex": long(nested(65))}));
    book.invalid(
        "depth 50,000",
        "JSON-5",
        json!({"hex": long("[".repeat(50_000))}),
    );
    let invalid: [(&str, &str, &[u8]); 21] = [
        ("nothing", "JSON-1", b""),
        ("two texts", "JSON-1", b"{}{}"),
        ("a byte order mark", "JSON-1", b"\xef\xbb\xbf{}"),
        ("a byte that is not UTF-8", "JSON-1", b"\"\xff\""),
        ("UTF-16", "JSON-1", b"[\0]\0"),
        ("a comma too many", "JSON-1", b"[1,]"),
        ("a comment", "JSON-1", b"[/**/]"),
        ("a leading zero", "JSON-1", b"01"),
        ("a lone surrogate", "JSON-1", br#""\ud800""#),
        ("a control character in a string", "JSON-1", b"\"\n\""),
        ("a name twice", "JSON-2", br#"{"a":1,"a":1}"#),
        (
            "a name twice, once escaped",
            "JSON-2",
            br#"{"a":1,"\u0061":2}"#,
        ),
        (
            "a name twice, deeper",
            "JSON-2",
            br#"[{"b":{"a":1,"a":2}}]"#,
        ),
        ("2^53", "JSON-3", b"9007199254740992"),
        ("minus 2^53", "JSON-3", b"-9007199254740992"),
        ("2^64 - 1", "JSON-3", b"18446744073709551615"),
        ("2^64", "JSON-3", b"18446744073709551616"),
        ("30 digits", "JSON-3", b"[100000000000000000000000000000]"),
        ("a number past all doubles", "JSON-4", b"1e400"),
        ("not a number", "JSON-4", b"NaN"),
        ("infinity", "JSON-4", b"-Infinity"),
    ];
    for (name, rule, bytes) in invalid {
        book.invalid(name, rule, json!({"hex": hex(bytes)}));
    }
}
