//! What each level says of a question, and which policies never decide anything.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use realm_policy::{
    Action, AskedPrincipal, AskedResource, LevelAnswer, Policy, Request, overruled,
};
use realm_protocol::{RealmId, Scope, Timestamp};

const ACME: RealmId = RealmId::new([1; 32]);
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn scope(path: &str) -> Scope {
    let path = path.parse().unwrap();
    Scope { root: ACME, path }
}

fn documents(texts: &[(&str, &str)]) -> BTreeMap<String, String> {
    let texts = texts.iter();
    texts
        .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn every_level_is_heard_whatever_the_others_say() {
    let mut policy = Policy::new();
    policy.set_ancestors(3);
    let closed = r#"@id("no-pay") forbid (principal, action, resource)
        when { resource is Loop && resource.name == "pay" };
        permit (principal, action, resource);"#;
    policy.set_ceiling(0, scope(""), ACME, 4, closed).unwrap();
    let broken = "permit (principal, action, resource) when { context.later };";
    policy.set_ceiling(1, scope("a"), ACME, 5, broken).unwrap();
    let own = [("open", "permit (principal, action, resource);")];
    policy.set_own(documents(&own)).unwrap();
    let says = |id: &str| {
        let resource = AskedResource::Loop {
            owner: scope("a/b/c"),
            id: id.parse().unwrap(),
        };
        let principal = AskedPrincipal::Realm(scope("d"));
        let asked = Request::new(
            Action::Invoke,
            principal.as_principal(),
            resource.as_resource(),
            NOW,
        );
        let says = policy.explain(&asked).into_iter();
        says.map(|says| (says.answer, says.policies.join(" ")))
            .collect::<Vec<_>>()
    };

    use LevelAnswer::{Fails, Forbids, Permits, Silent};
    let told = |answer, policies: &str| (answer, policies.to_owned());
    let below = [told(Fails, ""), told(Silent, ""), told(Permits, "open")];
    assert_eq!(
        says("pay"),
        [&[told(Forbids, "no-pay")][..], &below].concat()
    );
    assert_eq!(
        says("see"),
        [&[told(Permits, "policy1")][..], &below].concat()
    );
}

#[test]
fn a_policy_that_never_decides_anything_is_told_of_with_the_one_that_goes_before_it() {
    let told = |texts: &[(&str, &str)]| {
        let found = overruled(&documents(texts), &BTreeMap::new()).into_iter();
        found
            .map(|problem| format!("{}: {}", problem.id, problem.what))
            .collect::<Vec<_>>()
    };
    let permit = r#"permit (principal in Realm::"a", action == Action::"invoke", resource is Loop)
        when { context.now > 5 };"#;
    let forbid = r#"forbid (principal, action in [Action::"invoke", Action::"bid"], resource);"#;

    assert_eq!(
        told(&[("closed", forbid), ("open", permit)]),
        ["open: `open` never permits anything: `closed` forbids all of it"]
    );
    let both = format!("{forbid}\n{permit}");
    assert_eq!(
        told(&[("both", &both)]),
        ["both: policy 2 of `both` never permits anything: policy 1 of `both` forbids all of it"]
    );
    assert_eq!(
        told(&[("a", forbid), ("b", forbid)]),
        ["b: `b` changes nothing: `a` says all of it already"]
    );
    let sometimes = r#"forbid (principal, action, resource) when { context.answer };"#;
    assert_eq!(told(&[("open", permit), ("sometimes", sometimes)]), [""; 0]);
    let others = r#"forbid (principal, action == Action::"relay", resource);"#;
    assert_eq!(told(&[("open", permit), ("others", others)]), [""; 0]);
    let asks = r#"@approval("owner") permit (principal, action == Action::"invoke", resource);"#;
    let all = "permit (principal, action, resource);";
    assert_eq!(told(&[("all", all), ("asks", asks)]), [""; 0]);
    assert_eq!(told(&[("broken", "permit ("), ("all", all)]), [""; 0]);

    let above = documents(&[("acme", &format!("{all}\n{forbid}"))]);
    let found = overruled(&documents(&[("open", permit)]), &above);
    let found: Vec<_> = found.into_iter().map(|problem| problem.what).collect();
    let closed = "`open` never permits anything: policy 2 of `acme` forbids all of it";
    assert!(found.contains(&closed.to_owned()), "{found:?}");
}
