//! What is told of policies that others go before.

use std::collections::BTreeMap;

use realm_policy::{conflicts, overruled, overruled_with};

fn texts(texts: &[(&str, &str)]) -> BTreeMap<String, String> {
    let texts = texts.iter();
    texts
        .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()))
        .collect()
}

fn told(problems: Vec<realm_policy::PolicyProblem>) -> Vec<String> {
    problems.into_iter().map(|problem| problem.what).collect()
}

const LET: &str = r#"permit (principal in Realm::"acme", action == Action::"invoke", resource);"#;
const LOCK: &str = r#"forbid (principal, action == Action::"invoke", resource);"#;

#[test]
fn a_policy_is_told_of_those_in_force_that_go_before_it_and_of_those_that_it_goes_before() {
    let in_force = texts(&[("lock", LOCK)]);
    let found = told(overruled_with(("let", LET), &in_force, &BTreeMap::new()));
    assert_eq!(
        found,
        ["`let` never permits anything: `lock` forbids all of it"]
    );

    let in_force = texts(&[("let", LET)]);
    let found = overruled_with(("lock", LOCK), &in_force, &BTreeMap::new());
    assert_eq!(found[0].id, "let", "it is about the one in force");
    assert_eq!(
        told(found),
        ["`let` never permits anything: `lock` forbids all of it"]
    );
}

#[test]
fn what_was_known_before_and_the_text_that_is_replaced_are_not_told() {
    let in_force = texts(&[("let", LET), ("lock", LOCK)]);
    let other = r#"permit (principal in Realm::"acme", action == Action::"relay", resource);"#;
    assert!(overruled_with(("other", other), &in_force, &BTreeMap::new()).is_empty());
    let open = r#"forbid (principal, action == Action::"join", resource);"#;
    assert!(overruled_with(("lock", open), &in_force, &BTreeMap::new()).is_empty());
}

#[test]
fn what_a_realm_above_closes_or_does_not_permit_is_told() {
    let above = texts(&[("mercy", LOCK)]);
    let found = told(overruled_with(("let", LET), &BTreeMap::new(), &above));
    assert!(
        found.contains(
            &"`let` never permits anything: policy 1 of `mercy` forbids all of it".to_owned()
        ) || found.contains(&"`let` never permits anything: `mercy` forbids all of it".to_owned()),
        "{found:?}"
    );

    let relays = r#"permit (principal, action == Action::"relay", resource);"#;
    let above = texts(&[("mercy", relays)]);
    let found = told(overruled_with(("let", LET), &BTreeMap::new(), &above));
    let says = "`let` never permits anything: `mercy`, above, permits none of it";
    assert_eq!(found, [says]);
    for inside in [
        r#"permit (principal is Person, action == Action::"invoke", resource);"#,
        r#"permit (principal in Realm::"acme", action == Action::"step", resource);"#,
    ] {
        let alone = overruled_with(("inside", inside), &BTreeMap::new(), &above);
        assert!(alone.is_empty(), "its own realm permits it: {alone:?}");
    }
    let wide = texts(&[("mercy", "permit (principal, action, resource);")]);
    assert!(overruled(&texts(&[("let", LET)]), &wide).is_empty());
}

#[test]
fn what_others_forbid_in_part_is_a_conflict() {
    let night =
        r#"forbid (principal, action == Action::"invoke", resource) when { context.now > 5 };"#;
    let narrow = r#"forbid (principal in Realm::"acme", action == Action::"invoke", resource) when { context.now > 5 };"#;
    let wide = r#"permit (principal, action == Action::"invoke", resource);"#;
    let says = |permit: &str, forbid: &str| {
        format!("{permit} permits what {forbid} forbids in part: what is forbidden stays forbidden")
    };
    let none = BTreeMap::new();

    let in_force = texts(&[("night", night)]);
    let found = told(conflicts(("let", LET), &in_force, &none));
    assert_eq!(found, [says("`let`", "`night`")]);
    let above = told(conflicts(("let", LET), &none, &in_force));
    assert_eq!(above, found);
    let turned = told(conflicts(("night", night), &texts(&[("let", LET)]), &none));
    assert_eq!(turned, found);
    let both = format!("{wide} {narrow}");
    let within = told(conflicts(("both", &both), &none, &none));
    assert_eq!(within, [says("policy 1 of `both`", "policy 2 of `both`")]);

    let elsewhere =
        r#"forbid (principal, action == Action::"relay", resource) when { context.now > 5 };"#;
    assert!(conflicts(("let", LET), &texts(&[("x", elsewhere)]), &none).is_empty());
    assert!(
        conflicts(("let", LET), &texts(&[("lock", LOCK)]), &none).is_empty(),
        "that it never permits anything is told already"
    );
}
