//! Every failure code.

use ciborium::Value;
use realm_protocol::{Digest, Failure, FailureCode, cbor};
use serde_json::json;

use super::{
    book::{Book, Case, Subject, hex},
    raw::with,
};

pub(super) const SUBJECT: Subject = Subject {
    name: "failures",
    make,
    judge,
};

fn judge(case: &Case) -> Result<(), String> {
    let bytes = case.bytes("hex");
    let failure: Failure = cbor::decode(&bytes).map_err(|error| error.to_string())?;
    assert_eq!(cbor::encode(&failure), bytes);
    assert_eq!(failure.code.number(), case.number("number"));
    assert_eq!(failure.code.name(), case.text("code"));
    assert_eq!(failure.code.from_path(), case.value("on_path") == true);
    Ok(())
}

fn failure(code: FailureCode) -> Failure {
    Failure {
        code,
        answers: Digest::of(&[b"request"]),
        reference: (code == FailureCode::Denied).then(|| "4zq1b7k9md".to_owned()),
        retry_after_ms: (code == FailureCode::Overloaded).then_some(1_000),
        detail: (code == FailureCode::LoopFailed).then(|| "it broke\nhere".to_owned()),
        not_begun: (code == FailureCode::LoopNotFound).then_some(true),
        spent: None,
        receipt: None,
    }
}

fn make(book: &mut Book) {
    book.about(
        "Bodies of Failures by `hex`, with `number` and name of their `code`, and whether any \
         realm on the path may raise it.",
    );
    for code in FailureCode::ALL {
        let fields = json!({
            "hex": hex(cbor::encode(&failure(*code))), "number": code.number(),
            "code": code.name(), "on_path": code.from_path(),
        });
        book.valid(code.name(), "FAIL-1", fields);
    }
    let bytes = cbor::encode(&failure(FailureCode::Denied));
    for (name, rule, key, value) in [
        ("code 0", "FAIL-8", 0, Some(Value::from(0))),
        ("code 27", "FAIL-8", 0, Some(27.into())),
        ("code 2^64 - 1", "FAIL-8", 0, Some(u64::MAX.into())),
        ("a code as text", "FAIL-1", 0, Some("Denied".into())),
        ("no code", "FAIL-1", 0, None),
        ("no request", "FAIL-1", 1, None),
        (
            "a request of 31 bytes",
            "FAIL-1",
            1,
            Some(Value::Bytes(vec![0; 31])),
        ),
        ("null for a reference", "FAIL-1", 2, Some(Value::Null)),
        ("a negative time", "FAIL-1", 3, Some(Value::from(-1))),
        (
            "a detail of bytes",
            "FAIL-1",
            4,
            Some(Value::Bytes(vec![0])),
        ),
        ("key 5", "FAIL-1", 5, Some(0.into())),
    ] {
        book.invalid(name, rule, json!({"hex": hex(with(&bytes, key, value))}));
    }
}
