//! Which policies see the time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use realm_policy::Policy;
use realm_protocol::{RealmId, Scope};

const ACME: RealmId = RealmId::new([1; 32]);

/// Whether a ceiling with this condition sees the time.
fn sees(condition: &str) -> bool {
    let mut policy = Policy::new();
    let text = format!("permit (principal, action, resource) when {{ {condition} }};");
    let scope = Scope {
        root: ACME,
        path: "".parse().unwrap(),
    };
    policy.set_ceiling(0, scope, ACME, 1, &text).unwrap();
    policy.sees_time()
}

#[test]
fn whatever_could_read_the_time_is_found() {
    for condition in [
        "context.now < 5",
        "context . // the\n now < 5",
        r#"context["now"] < 5"#,
        r#"context["n\u{6f}w"] < 5"#,
        "context has now",
        "context == {now: 5}",
        "(if principal == resource then context else {now: 5}).now < 5",
        "[context].contains({now: 5})",
        r#"{left: context, attr: "answer"}.left.now < 5"#,
        "context.answer && !(1 == 2 || context.now > 7)",
    ] {
        assert!(sees(condition), "{condition}");
    }
}

#[test]
fn who_reads_something_else_does_not_see_the_time() {
    for condition in [
        "true",
        "context.answer",
        "context has amount && context . amount < 5",
        "context.nowhere == 5",
        "resource.now == 5",
        r#"principal.name == "now""#,
    ] {
        assert!(!sees(condition), "{condition}");
    }
    assert!(!Policy::new().sees_time());
}
