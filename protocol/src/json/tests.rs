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
