//! Policy across the tree: pushed down, narrowed, never widened.

use realm_node::{AllowAsked, Request, Response};
use realm_protocol::FailureCode;
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

fn code(world: &mut World, from: HostId, address: &str) -> Result<(), FailureCode> {
    let called = world.call(from, address, json!({}));
    called.result.map(|_| ()).map_err(|failure| failure.code)
}

#[test]
fn what_a_realm_forbids_its_subtree_no_child_can_permit() {
    let mut world = World::new(120);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let imaging = world.child(health, "imaging");
    let billing = world.child(acme, "billing");
    world.apply(imaging, &[Loops::once("scan", 1)]);
    world.run_for(1_000);
    assert_eq!(
        code(&mut world, billing, "scan@acme/health/imaging"),
        Ok(())
    );

    let forbid = r#"forbid (principal, action == Action::"invoke", resource) when { resource.name == "scan" };"#;
    world.set_policy(acme, "subtree.no-scans", forbid, true);
    world.run_for(1_000);
    world.allow(imaging, "acme", "scan");
    let denied = code(&mut world, billing, "scan@acme/health/imaging");
    assert_eq!(denied, Err(FailureCode::Denied));
    assert_eq!(
        code(&mut world, billing, "echo@acme/health/imaging"),
        Ok(())
    );

    world.crash(imaging);
    world.start(imaging);
    world.run_for(40_000);
    let denied = code(&mut world, billing, "scan@acme/health/imaging");
    assert_eq!(denied, Err(FailureCode::Denied), "after a restart");
    invariants::check(&mut world);
}

#[test]
fn a_word_for_the_subtree_that_gets_lost_is_asked_for_at_the_next_beat() {
    let mut world = World::new(123);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(5_000);
    world.silence(acme, health);
    let forbid = r#"forbid (principal, action == Action::"invoke", resource) when { resource.name == "echo" };"#;
    world.set_policy(acme, "subtree.no-echo", forbid, true);
    world.run_for(1_000);
    world.heal(acme, health);

    world.run_for(5_000);
    let denied = code(&mut world, acme, "echo@acme/health");

    assert_eq!(denied, Err(FailureCode::Denied));
    invariants::check(&mut world);
}

#[test]
fn a_child_can_forbid_what_its_parent_permits() {
    let mut world = World::new(121);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    let forbid = r#"forbid (principal, action == Action::"invoke", resource);"#;
    world.set_policy(health, "closed", forbid, false);
    assert_eq!(
        code(&mut world, acme, "echo@acme/health"),
        Err(FailureCode::Denied)
    );
    invariants::check(&mut world);
}

#[test]
fn a_relay_can_refuse_to_pass_a_message_on() {
    let mut world = World::new(122);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let imaging = world.child(health, "imaging");
    world.run_for(1_000);
    let forbid =
        r#"forbid (principal, action == Action::"relay", resource) when { !context.answer };"#;
    world.set_policy(health, "no-relay", forbid, false);
    assert_eq!(
        code(&mut world, acme, "echo@acme/health/imaging"),
        Err(FailureCode::Denied)
    );
    assert_eq!(code(&mut world, acme, "echo@acme/health"), Ok(()));
    assert_eq!(world.hosts[imaging.0].node().counters().served, 0);
    invariants::check(&mut world);
}

#[test]
fn nothing_crosses_between_organisations_that_are_not_peered() {
    let mut world = World::new(123);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let lab = world.found("lab");
    world.run_for(1_000);
    let root = world.hosts[lab.0].realm;
    let pin = Request::Pin {
        petname: "lab".parse().unwrap(),
        root,
    };
    world.ask_and_wait(health, pin);
    assert_eq!(
        code(&mut world, health, "echo@lab"),
        Err(FailureCode::NoRoute)
    );
    assert_eq!(world.hosts[lab.0].node().counters().served, 0);
    let _ = acme;
    invariants::check(&mut world);
}

#[test]
fn a_permission_ends_with_its_time_and_with_disallow() {
    let mut world = World::new(124);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.run_for(5_000);
    let asked = AllowAsked {
        caller: "acme".parse().unwrap(),
        action: "invoke".into(),
        pattern: "echo".into(),
        for_ms: Some(60_000),
        subtree: false,
        dry_run: false,
    };
    let Response::Allowed(allowed) = world.ask_and_wait(lab, Request::Allow(asked.clone())) else {
        panic!("not allowed");
    };
    assert_eq!(code(&mut world, acme, "echo@lab"), Ok(()));
    world.run_for(65_000);
    assert_eq!(code(&mut world, acme, "echo@lab"), Err(FailureCode::Denied));
    let forever = AllowAsked {
        for_ms: None,
        ..asked
    };
    world.ask_and_wait(lab, Request::Allow(forever));
    assert_eq!(code(&mut world, acme, "echo@lab"), Ok(()));
    world.ask_and_wait(lab, Request::Disallow(allowed.id));
    assert_eq!(code(&mut world, acme, "echo@lab"), Err(FailureCode::Denied));
    invariants::check(&mut world);
}

#[test]
fn a_peering_that_ends_closes_the_way() {
    let mut world = World::new(125);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.allow(lab, "acme", "echo");
    world.run_for(5_000);
    assert_eq!(code(&mut world, acme, "echo@lab"), Ok(()));
    world.ask_and_wait(lab, Request::RemovePeer("acme".parse().unwrap()));
    world.run_for(60_000);
    let cut = code(&mut world, acme, "echo@lab");
    assert!(cut.is_err(), "{cut:?}");
    invariants::check(&mut world);
}
