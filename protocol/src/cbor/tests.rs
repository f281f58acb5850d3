use ciborium::Value;
use proptest::prelude::*;

use super::*;
use crate::{Hop, Phase, limits, link::Bye, samples};

mod noncanonical;
mod speed;

#[test]
fn every_sample_is_written_again_as_it_was_read() {
    for sample in samples::all() {
        let again = (sample.again)(&sample.bytes);
        assert_eq!(again.as_ref(), Ok(&sample.bytes), "{}", sample.name);
    }
}

#[test]
fn an_unknown_key_below_64_is_a_mismatch_and_one_from_64_on_is_ignored() {
    let hop = Hop {
        left: 17,
        phase: Phase::Up,
        age_ms: 0,
    };
    let with = |keys: u8, more: &[u8]| [&[0xa0 + keys, 0, 17, 1, 1, 2, 0], more].concat();
    for (bytes, read) in [
        (with(3, &[]), Ok(hop)),
        (with(4, &[3, 0]), Err(CborError::Unknown(3))),
        (with(4, &[0x18, 63, 0]), Err(CborError::Unknown(63))),
        (with(4, &[0x18, 64, 0]), Ok(hop)),
        (with(4, &[0x19, 1, 0, 0x80]), Ok(hop)),
        (vec![0xa2, 0, 17, 2, 0], Err(CborError::Missing(1))),
        (vec![0xa0], Err(CborError::Missing(0))),
    ] {
        assert_eq!(decode::<Hop>(&bytes), read, "{bytes:x?}");
    }
}

#[test]
fn an_absent_value_is_left_out_and_never_null() {
    assert!(decode::<Bye>(&[0xa0]).is_ok());
    assert!(decode::<Bye>(&[0xa1, 1, 0xf6]).is_err());
    assert_eq!(
        encode(&Bye {
            code: None,
            detail: None
        }),
        [0xa0]
    );
}

#[test]
fn depth_is_bounded_by_nesting_and_not_by_the_stack() {
    let nested = |arrays: usize| [vec![0x81; arrays], vec![0]].concat();

    assert_eq!(check(&nested(limits::CBOR_DEPTH - 1)), Ok(()));

    assert_eq!(check(&nested(limits::CBOR_DEPTH)), Err(CborError::Depth));
    assert_eq!(check(&nested(100_000)), Err(CborError::Depth));
}

#[test]
fn items_and_keys_are_counted_before_anything_is_allocated() {
    let array = |items: u16| {
        let [high, low] = items.to_be_bytes();
        [vec![0x99, high, low], vec![0; usize::from(items)]].concat()
    };
    let map = |keys: u16| {
        let [high, low] = keys.to_be_bytes();
        let mut bytes = vec![0xb9, high, low];
        for key in 0..keys {
            encode_head(key, &mut bytes);
            bytes.push(0);
        }
        bytes
    };

    assert_eq!(check(&array(4_095)), Ok(()));
    assert_eq!(check(&map(256)), Ok(()));

    assert_eq!(check(&array(4_096)), Err(CborError::Items));
    assert_eq!(check(&map(257)), Err(CborError::Items));
    let endless = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(check(&endless), Err(CborError::Truncated));
}

fn encode_head(key: u16, bytes: &mut Vec<u8>) {
    bytes.extend(encode(&u64::from(key)));
}

#[test]
fn two_thousand_noncanonical_forms_of_valid_bytes_are_refused() {
    let mut refused = 0;
    for sample in samples::all() {
        for form in noncanonical::forms(&sample.bytes) {
            let found = check(&form.bytes);
            assert_eq!(
                found,
                Err(form.error),
                "{}: {} at site {}",
                sample.name,
                form.class,
                form.site
            );
            assert!((sample.again)(&form.bytes).is_err());
            refused += 1;
        }
    }
    assert!(refused >= 2_000, "only {refused} forms were made");
}

/// Whether a map anywhere has a key that a reader may ignore.
fn has_ignorable(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_ignorable),
        Value::Map(entries) => entries.iter().any(|(key, value)| {
            let key = key.as_integer().and_then(|key| u64::try_from(key).ok());
            key.is_none_or(|key| key >= 64) || has_ignorable(value)
        }),
        _ => false,
    }
}

fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let value: Value = ciborium::from_reader(bytes).unwrap();
    let mut again = Vec::new();
    ciborium::into_writer(&value, &mut again).unwrap();
    again
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
        ".{0,40}".prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let key = prop_oneof![0..30_u64, any::<u64>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::Array),
            proptest::collection::btree_map(key, inner, 0..8).prop_map(|map| {
                Value::Map(
                    map.into_iter()
                        .map(|(key, value)| (key.into(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_accepted_has_one_encoding(value in any_value()) {
        let mut bytes = Vec::new();
        ciborium::into_writer(&value, &mut bytes).unwrap();

        prop_assert_eq!(check(&bytes), Ok(()));
        prop_assert_eq!(rewritten(&bytes), bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if check(&bytes).is_ok() {
            prop_assert_eq!(rewritten(&bytes), &bytes[..]);
        }
        for sample in samples::all() {
            let _ = (sample.again)(&bytes);
        }
    }

    #[test]
    fn a_damaged_sample_is_refused_or_read_in_full(
        pick in any::<proptest::sample::Index>(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let samples = samples::all();
        let sample = pick.get(&samples);
        let mut bytes = sample.bytes.clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(again) = (sample.again)(&bytes) {
            let value: Value = ciborium::from_reader(&bytes[..]).unwrap();
            prop_assert!(again == bytes || has_ignorable(&value));
        }
    }
}

#[test]
fn what_is_appended_is_what_would_be_written_alone() {
    for before in [&b""[..], b"before"] {
        let hop = Hop {
            left: 300,
            phase: Phase::Down,
            age_ms: 70_000,
        };
        let mut bytes = before.to_vec();

        encode_onto(&hop, &mut bytes);

        assert_eq!(bytes, [before, &encode(&hop)].concat());
        assert_eq!(bytes.len(), before.len() + encoded_length(&hop));
    }
}
