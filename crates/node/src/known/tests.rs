use realm_executor::contract_digest;
use realm_protocol::{
    Digest, RealmId, RealmPath, RunId, Scope, cbor::Blob, limits, message::CallResult,
};
use serde_json::json;

use super::{ContractError, KnownContract, KnownContracts, Meant};

fn result() -> CallResult {
    let schema = || Some(Blob::from(b"true".to_vec()));
    CallResult {
        output: Blob::from(b"1".to_vec()),
        run: RunId::new([1; 16]),
        contract: contract_digest("none", &json!(true), &json!(true)),
        version: "1.0.0".to_owned(),
        output_schema: schema(),
        duration_ms: 1,
        policies: Vec::new(),
        replayed: false,
        session: None,
        hops: 1,
        input_schema: schema(),
        effects: Some("none".to_owned()),
        spent: None,
        receipt: None,
    }
}

fn meant(n: usize) -> Meant {
    let scope = Scope {
        root: RealmId::new([1; 32]),
        path: RealmPath::ROOT,
    };
    (scope, format!("loop-{n}").parse().unwrap(), None)
}

#[test]
fn a_result_shows_all_of_its_contract_or_rests_on_the_one_that_was_named() {
    let whole = KnownContract::of_result(&result(), None).unwrap();
    let silent = CallResult {
        output_schema: None,
        input_schema: None,
        effects: None,
        ..result()
    };
    assert!(KnownContract::of_result(&silent, Some(&whole)).is_ok());

    let refused = |result: &CallResult, named| KnownContract::of_result(result, named).unwrap_err();
    assert_eq!(refused(&silent, None), ContractError::Absent);
    let another = CallResult {
        contract: Digest::of(&[b"another"]),
        ..silent
    };
    assert_eq!(refused(&another, Some(&whole)), ContractError::Absent);
    let without_effects = CallResult {
        effects: None,
        ..result()
    };
    assert_eq!(refused(&without_effects, Some(&whole)), ContractError::Part);
    let other_effects = CallResult {
        effects: Some("once".to_owned()),
        ..result()
    };
    assert_eq!(refused(&other_effects, Some(&whole)), ContractError::Digest);
}

#[test]
fn the_contract_used_longest_ago_is_forgotten_first() {
    let contract = KnownContract::of_result(&result(), None).unwrap();
    let mut known = KnownContracts::default();
    for n in 0..limits::CONTRACTS {
        known.remember(meant(n), contract.clone());
    }
    known.get(&meant(0)).unwrap();

    known.remember(meant(limits::CONTRACTS), contract);

    assert_eq!(known.len(), limits::CONTRACTS);
    assert!(known.get(&meant(0)).is_some() && known.get(&meant(1)).is_none());
}
