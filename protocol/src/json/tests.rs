use serde_json::json;

use super::*;

fn refused(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_duplicate_key_is_refused_at_any_depth_and_however_it_is_spelled() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"b":[{"a":1,"a":2}]}"#,
        r#"{"a":1,"\u0061":2}"#,
    ] {
        assert!(refused(text).contains("duplicate key `a`"), "{text}");
    }
}

#[test]
fn integers_that_some_reader_would_round_are_refused() {
    for text in ["9007199254740991", "-9007199254740991", "[0,-0]"] {
        parse(text.as_bytes()).unwrap();
    }
    for text in [
        "9007199254740992",
        "-9007199254740992",
        "9223372036854775807",
        "-9999999999999999999",
        "18446744073709551615",
        "18446744073709551616",
        "[100000000000000000000000]",
        r#"{"a":12345678901234567}"#,
    ] {
        assert!(refused(text).contains("2^53"), "{text}");
    }
}

#[test]
fn floats_and_digits_in_strings_are_no_integers() {
    for text in [
        "6.02214076e23",
        "1e20",
        "12345678901234567890.5",
        "0.12345678901234567890",
        r#""12345678901234567890""#,
        r#"["\"12345678901234567890"]"#,
        r#"{"12345678901234567890":"\\"}"#,
    ] {
        parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[test]
fn what_overflows_a_float_is_refused() {
    for text in ["1e400", "-1e400", "NaN", "Infinity"] {
        refused(text);
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));

    parse(nested(limits::JSON_DEPTH).as_bytes()).unwrap();

    assert!(refused(&nested(limits::JSON_DEPTH + 1)).contains("nested deeper"));
    refused(&nested(100_000));
}

#[test]
fn one_document_stands_alone_and_is_utf8() {
    for bytes in [
        &b""[..],
        b"{} {}",
        b"[1,]",
        b"{'a':1}",
        b"\"\xff\"",
        b"\xef\xbb\xbf{}",
    ] {
        assert!(parse(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn what_is_written_reads_back_as_the_same_bytes() {
    let text = r#"{"b":[1,2.5,1e20,"\u0001é"],"a":{"c":null,"d":true}}"#;

    let written = to_bytes(&parse(text.as_bytes()).unwrap());

    assert_eq!(to_bytes(&parse(&written).unwrap()), written);
}

#[test]
fn what_would_not_be_read_back_is_named_with_its_place() {
    let nested = |depth: usize| (0..depth).fold(json!(0), |inner, _| json!({"a": inner}));
    for value in [
        nested(limits::JSON_DEPTH),
        json!([
            9_007_199_254_740_991_u64,
            -1,
            1e300,
            0.1,
            12_345_678_901_234_567.0
        ]),
    ] {
        assert_eq!(check(&value), Ok(()));
        parse(&to_bytes(&value)).unwrap();
    }
    let deep = json!([nested(limits::JSON_DEPTH)]);
    for (value, pointer, what) in [
        (deep, format!("/0{}", "/a".repeat(99)), "deeper than 64"),
        (
            json!({"a/b": [0, 9_007_199_254_740_992_u64]}),
            "/a~1b/1".to_owned(),
            "2^53",
        ),
        (json!([-9_007_199_254_740_992_i64]), "/0".to_owned(), "2^53"),
    ] {
        let error = check(&value).unwrap_err();
        assert!(
            pointer.starts_with(error.pointer.trim_end_matches('…')),
            "{error:?}"
        );
        assert!(error.to_string().contains(what), "{error}");
        assert!(parse(&to_bytes(&value)).is_err());
    }
}

#[test]
fn an_object_written_member_by_member_is_what_a_tree_would_be() {
    let none: Option<u8> = None;
    let written = Object::new()
        .with("text", "a \"b\"")
        .with_some("left out", none)
        .with_some("number", Some(7))
        .with("list", &[1, 2])
        .into_bytes();

    assert_eq!(written, br#"{"text":"a \"b\"","number":7,"list":[1,2]}"#);
    assert_eq!(Object::default().into_bytes(), b"{}");
    assert!(
        Object::new()
            .with(
                "not in JSON",
                &std::collections::BTreeMap::from([(vec![1], 1)])
            )
            .into_bytes()
            == br#"{"not in JSON":null}"#
    );
}

#[test]
fn what_cannot_be_kept_is_found_by_its_pointer() {
    let value = json!({"a/b": [1, {"c~d": 9_007_199_254_740_993_u64}]});

    let error = check(&value).unwrap_err();

    assert_eq!(error.pointer, "/a~1b/1/c~0d");
}
