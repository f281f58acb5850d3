use super::*;
use crate::{cbor, samples};

#[test]
fn the_codes_in_the_specification_are_those_in_the_code() {
    let table = samples::table(
        "| number | code | believed from |",
        FailureCode::ALL.len(),
        |at| {
            let code = FailureCode::ALL[at];
            let from = if code.from_path() {
                "any realm on the path"
            } else {
                "the destination"
            };
            format!("| {} | {} | {from} |", code.number(), code.name())
        },
    );

    samples::assert_in_spec("failures.md", &table);
}

#[test]
fn codes_are_numbered_without_gaps_and_nothing_else_is_one() {
    let numbers: Vec<u64> = FailureCode::ALL.iter().map(|code| code.number()).collect();

    assert_eq!(numbers, (1..=26).collect::<Vec<_>>());
    for number in [0_u64, 27, u64::MAX] {
        cbor::decode::<FailureCode>(&cbor::encode(&number)).unwrap_err();
    }
}
