use std::collections::BTreeSet;

use super::*;

#[test]
fn every_wire_failure_has_the_entry_of_its_number() {
    for failure in FailureCode::ALL {
        let code = Code::of_failure(*failure);

        assert_eq!(u64::from(code.number()), 100 + failure.number());
        assert_eq!(code.failure(), Some(*failure));
    }
}

#[test]
fn codes_are_unique_and_read_back_from_their_text() {
    let mut slugs = BTreeSet::new();

    for code in Code::ALL {
        assert_eq!(code.to_string().parse(), Ok(*code));
        assert!(slugs.insert(code.slug()), "{} twice", code.slug());
        assert!((400..600).contains(&code.status()));
    }
    assert!(Code::ALL.is_sorted());
    assert!("RLM-106".parse::<Code>().is_err());
    assert!("RLM-+106".parse::<Code>().is_err());
}
