use serde_json::{Value, json};

use super::*;

#[test]
fn paths_take_out_whole_values_wherever_they_lead() {
    let rules = [
        "$.patient.name",
        "$.items[*].id",
        "$..ssn",
        "$['a b'][1]",
        "$.free.*",
    ];

    let left = redacted(
        &rules,
        &[],
        json!({
            "patient": { "name": { "first": "Ada" }, "age": 36, "ssn": 1 },
            "items": [{ "id": 7, "name": "x", "deep": [{ "ssn": "1-2" }] }],
            "a b": ["kept", "gone"],
            "free": { "text": "gone", "more": ["gone"] },
            "name": "kept",
        }),
    );

    assert_eq!(
        left,
        json!({
            "patient": { "name": REDACTED, "age": 36, "ssn": REDACTED },
            "items": [{ "id": REDACTED, "name": "x", "deep": [{ "ssn": REDACTED }] }],
            "a b": ["kept", REDACTED],
            "free": { "text": REDACTED, "more": REDACTED },
            "name": "kept",
        })
    );
}

#[test]
fn patterns_take_out_what_matches_in_texts_numbers_and_names() {
    let left = redacted(
        &[],
        &[r"\d{3}-\d{4}", "^4242$"],
        json!({ "call 555-1234 now": "or 555-9999", "n": 4242, "other": 42 }),
    );

    assert_eq!(
        left,
        json!({ "call [redacted] now": "or [redacted]", "n": REDACTED, "other": 42 })
    );
}

#[test]
fn members_whose_names_become_one_are_all_kept() {
    let left = redacted(&[], &["[ab]"], json!({ "a": 1, "b": 2, "[redacted]": 3 }));

    assert_eq!(left.as_object().map(serde_json::Map::len), Some(3));
    assert!(!left.to_string().contains("\"a\""), "{left}");
}

#[test]
fn the_whole_document_can_be_taken_out_and_what_is_too_deep_always_is() {
    let deep = (0..200).fold(json!("secret"), |inner, _| json!([inner]));

    assert_eq!(redacted(&["$"], &[], json!({ "a": 1 })), json!(REDACTED));
    assert!(
        !redacted(&["$.no"], &[], deep)
            .to_string()
            .contains("secret")
    );
}

#[test]
fn many_wildcards_and_a_deep_document_stay_cheap() {
    let path = format!("${}", "..*".repeat(60));
    let deep = (0..60).fold(json!("x"), |inner, _| json!({ "a": inner, "b": [1, 2, 3] }));

    let left = redacted(&[path.as_str()], &[], deep);

    assert!(left.is_object());
}

#[test]
fn every_rule_that_cannot_be_used_is_named_with_the_reason() {
    let long = "a".repeat(limits::REDACTION_BYTES + 1);
    let paths = ["patient.name", "$.", "$[x]", "$['a", "$.a b"];
    let patterns = ["(", "a*", long.as_str()];

    let errors = Redaction::new(&paths, &patterns).unwrap_err();

    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let parts = [
        "`patient.name`, byte 0: expected `$`",
        "`$.`, byte 2: expected a name or `*`",
        "`$[x]`, byte 2: expected a number",
        "`$['a`, byte 4: expected the closing quote",
        "`$.a b`, byte 3: expected `.` or `[`",
        "`(`: ",
        "matches the empty text",
        "at most",
    ];
    assert_eq!(told.len(), parts.len(), "{told:#?}");
    for (told, part) in told.iter().zip(parts) {
        assert!(told.contains(part), "no `{part}` in {told}");
    }
}

fn redacted(paths: &[&str], patterns: &[&str], mut value: Value) -> Value {
    Redaction::new(paths, patterns).unwrap().apply(&mut value);
    value
}
