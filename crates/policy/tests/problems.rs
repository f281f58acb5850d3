//! How problems with a policy's text read, and where nesting ends.

use std::collections::BTreeMap;

use realm_policy::{Policy, check};
use realm_protocol::limits;

const PERMIT: &str = "permit (principal, action, resource)";

#[test]
fn a_problem_reads_as_its_policy_its_place_and_what_is_wrong() {
    let text = format!("{PERMIT}\n  when {{ context.time > 3 }};");
    let own = BTreeMap::from([("rule".to_owned(), text.clone())]);

    let [read] = &check(&text)[..] else {
        unreachable!("one problem");
    };
    let [kept] = &Policy::new().set_own(own).unwrap_err()[..] else {
        unreachable!("one problem");
    };

    assert_eq!(read.to_string(), format!("2:10: {}", read.what));
    assert_eq!(kept.to_string(), format!("rule:2:10: {}", read.what));
    assert!(read.what.contains("`time`"), "{}", read.what);
}

#[test]
fn what_cedar_knows_no_help_for_gets_a_hint() {
    let hint = |text: &str| check(text).remove(0).hint;

    let name = hint(&format!("{PERMIT} when {{ resource.name == \"x\" }};"));
    let never = hint("permit (principal, action == Action::\"invoke\", resource is Realm);");
    let other = hint(&format!("{PERMIT} when {{ context.now }};"));

    assert!(name.unwrap().contains("`resource is Loop`"));
    assert!(
        never
            .unwrap()
            .contains("invoke, announce, bid, award, spend, approve")
    );
    assert!(other.is_none_or(|hint| !hint.contains("loops")));
}

#[test]
fn a_text_nests_as_deep_as_the_bound_and_no_deeper() {
    let nested = |brackets: usize, ifs: usize| {
        let ifs = "if true then true else ".repeat(ifs);
        let (open, close) = ("(".repeat(brackets), ")".repeat(brackets));
        format!("{PERMIT} when {{ {open}{ifs}true{close} }};")
    };

    // The braces of `when` are the twelfth.
    for (brackets, ifs) in [(11, 0), (0, 11), (5, 6)] {
        assert_eq!(check(&nested(brackets, ifs)), [], "{brackets} {ifs}");
        let deeper = check(&nested(brackets, ifs + 1));
        assert_eq!(deeper[0].what, "the policy is nested too deeply");
        assert_eq!(deeper.len(), 1);
    }
    // What one policy used up is there again for the next.
    assert_eq!(check(&nested(5, 6).repeat(3)), []);
}

#[test]
fn where_a_text_nests_too_deeply_is_told() {
    let text = format!("// fine\n{PERMIT} when {{ {}true", "(".repeat(12));

    let problem = check(&text).remove(0);

    let column = PERMIT.len() + " when { ".len() + 12;
    assert_eq!((problem.line, problem.column), (2, column));
    assert!(problem.hint.unwrap().contains("several"));
}

#[test]
fn a_text_may_be_as_long_as_the_bound() {
    let text = format!("//{}", "x".repeat(limits::POLICY_BYTES - 2));

    assert_eq!(check(&text), []);
    assert_eq!(check(&format!("{text}x")).len(), 1);
}

#[test]
fn what_is_wrong_inside_is_told_and_not_what_follows_from_it() {
    let places = |condition: &str| -> Vec<usize> {
        let problems = check(&format!("{PERMIT} when {{ {condition} }};"));
        let before = PERMIT.len() + " when { ".len();
        let columns = problems.iter().map(|problem| problem.column - before);
        columns.collect()
    };

    assert_eq!(
        places("resource.name == 3"),
        [1],
        "the place is the whole's"
    );
    assert_eq!(places("3 == resource.name"), [6], "the end is the whole's");
    assert_eq!(places("(3 == resource.name) && true"), [7], "neither is");
    assert_eq!(places("context.time > 3 && context.foo"), [1, 21]);
    let inner = &check(&format!("{PERMIT} when {{ resource.name == 3 }};"))[0];
    assert!(inner.what.contains("`name`"), "{inner}");
}
