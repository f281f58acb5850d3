//! Scenarios in the virtual world.

use realm_tests::{Tree, World};
use serde_json::json;

#[test]
fn a_child_calls_its_parent_and_the_parent_its_child() {
    let mut world = World::new(1);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);

    let up = world.call(health, "echo@acme", json!({"say": "up"}));
    assert_eq!(up.result, Ok(json!({"say": "up"})));
    let down = world.call(acme, "echo@acme/health", json!({"say": "down"}));
    assert_eq!(down.result, Ok(json!({"say": "down"})));
}

#[test]
fn a_grandchild_calls_across_organisations_once_it_is_allowed() {
    let mut world = World::new(2);
    let mercy = world.found("mercy");
    let cardiology = world.child(mercy, "cardiology");
    let imaging = world.child(cardiology, "imaging");
    let lab = world.found("lab");
    let genomics = world.child(lab, "genomics");
    world.peer(lab, mercy);
    world.run_for(5_000);

    let denied = world.call(imaging, "echo@lab/genomics", json!({}));
    let failure = denied.result.expect_err("not allowed yet");
    assert_eq!(
        failure.code,
        realm_protocol::FailureCode::Denied,
        "{failure:?}"
    );

    let allow = realm_node::Request::Allow(realm_node::AllowAsked {
        caller: "mercy".parse().unwrap(),
        action: "invoke".into(),
        pattern: "echo".into(),
        for_ms: None,
        subtree: false,
        dry_run: false,
    });
    let allowed = world.ask_and_wait(genomics, allow);
    assert!(
        matches!(allowed, realm_node::Response::Allowed(_)),
        "{allowed:?}"
    );
    let permitted = world.call(imaging, "echo@lab/genomics", json!({"n": 1}));
    assert_eq!(permitted.result, Ok(json!({"n": 1})));
    assert_eq!(permitted.way.len(), 5);
}
