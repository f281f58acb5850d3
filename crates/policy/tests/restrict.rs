//! What the policies that restrict let be.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use realm_policy::{
    Action, Decision, Policy, Principal, Request, Resource, Restraint, check, restrict_policy,
};
use realm_protocol::{LoopId, RealmId, Scope, Timestamp, records::Role};

fn scope(root: u8, path: &str) -> Scope {
    Scope {
        root: RealmId::new([root; 32]),
        path: path.parse().unwrap(),
    }
}

fn names(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// Whether a realm may call a loop at another one, where this holds for `acme/ward` and those below and all else is
/// permitted.
fn lets(restraint: &Restraint, spared: &[Scope], from: &Scope, id: &str, at: &Scope) -> bool {
    let cedar = restrict_policy("p of mesh.care", &scope(1, "ward"), restraint, spared);
    assert_eq!(check(&cedar), [], "{cedar}");
    let all = "permit (principal, action, resource);".to_owned();
    let mut policy = Policy::new();
    let texts = BTreeMap::from([("all".to_owned(), all), ("p".to_owned(), cedar)]);
    policy.set_own(texts).unwrap();
    let id: LoopId = id.parse().unwrap();
    let resource = Resource::Loop { owner: at, id: &id };
    let now = Timestamp::from_millis(1);
    let request = Request::new(Action::Invoke, Principal::from(from), resource, now);
    matches!(policy.decide(&request), Decision::Permitted(_))
}

#[test]
fn loops_are_let_by_their_names_and_by_who_calls_and_denial_goes_before() {
    let (ward, desk) = (scope(1, "ward"), scope(1, "desk"));
    let lab = scope(2, "");
    let listed = Restraint::Loops {
        everybody: Some(names(&["finance.*"])),
        by_realm: vec![(lab.clone(), names(&["mail.send"]))],
        nobody: names(&["finance.delete"]),
    };
    let may = |from: &Scope, id: &str| lets(&listed, &[], from, id, &ward);
    assert!(may(&desk, "finance.report"));
    assert!(!may(&desk, "finance.delete"));
    assert!(!may(&desk, "mail.send"));
    assert!(may(&lab, "mail.send"));
    assert!(may(&scope(2, "below"), "mail.send"));
    assert!(!may(&lab, "hr.salaries"));

    let open = Restraint::Loops {
        everybody: None,
        by_realm: Vec::new(),
        nobody: names(&["hr.*"]),
    };
    assert!(lets(&open, &[], &desk, "mail.send", &ward));
    assert!(!lets(&open, &[], &desk, "hr.salaries", &ward));
    let spared = [scope(1, "ward/free")];
    let at_free = |id: &str| lets(&open, &spared, &desk, id, &scope(1, "ward/free"));
    assert!(at_free("hr.salaries"));
    assert!(!lets(&open, &spared, &desk, "hr.salaries", &ward));

    let none = Restraint::Loops {
        everybody: Some(Vec::new()),
        by_realm: Vec::new(),
        nobody: Vec::new(),
    };
    assert!(!lets(&none, &[], &desk, "mail.send", &ward));
}

#[test]
fn a_name_cannot_end_the_text_it_stands_in() {
    let evil = Restraint::Loops {
        everybody: Some(names(&[
            "\"} ; permit (principal, action, resource); //",
            "x*",
        ])),
        by_realm: Vec::new(),
        nobody: Vec::new(),
    };
    let ward = scope(1, "ward");
    assert!(!lets(&evil, &[], &scope(2, ""), "finance.report", &ward));
    assert!(lets(&evil, &[], &scope(2, ""), "x-ray", &ward));
}

#[test]
fn calls_go_no_further_than_they_are_let() {
    let (ward, below, desk) = (scope(1, "ward"), scope(1, "ward/b"), scope(1, "desk"));
    let (acme, lab) = (scope(1, ""), scope(2, ""));
    let table = [
        (Restraint::Within(acme), [true, true, true, false, false]),
        (
            Restraint::Within(ward.clone()),
            [true, true, false, false, false],
        ),
        (
            Restraint::Alone(ward.clone()),
            [true, false, false, false, false],
        ),
        (Restraint::Nothing, [false; 5]),
    ];
    for (restraint, expected) in table {
        let may = |from: &Scope, at: &Scope| lets(&restraint, &[], from, "echo", at);
        let found = [
            may(&ward, &below),
            may(&below, &ward),
            may(&desk, &ward),
            may(&lab, &ward),
            may(&ward, &lab),
        ];
        assert_eq!(found, expected, "{restraint:?}");
    }
}

#[test]
fn people_are_let_by_their_roles_and_realms_as_before() {
    let ward = scope(1, "ward");
    let roles = BTreeMap::from([(Role::Operator, names(&["finance.*"]))]);
    let restraint = Restraint::Roles(roles);
    assert!(lets(
        &restraint,
        &[],
        &scope(1, "desk"),
        "hr.salaries",
        &ward
    ));
    let cedar = restrict_policy("p", &ward, &restraint, &[]);
    let all = "permit (principal, action, resource);".to_owned();
    let mut policy = Policy::new();
    policy
        .set_own(BTreeMap::from([
            ("all".to_owned(), all),
            ("p".to_owned(), cedar),
        ]))
        .unwrap();
    let may = |role: Role, id: &str| {
        let id: LoopId = id.parse().unwrap();
        let resource = Resource::Loop {
            owner: &ward,
            id: &id,
        };
        let person = Principal::Person {
            name: "ann",
            home: &ward,
            roles: &[role].into(),
        };
        let request = Request::new(Action::Invoke, person, resource, Timestamp::from_millis(1));
        matches!(policy.decide(&request), Decision::Permitted(_))
    };
    assert!(may(Role::Operator, "finance.report"));
    assert!(!may(Role::Operator, "hr.salaries"));
    assert!(!may(Role::Viewer, "finance.report"));
}
