//! Policy across the tree: pushed down, narrowed, never widened.

use realm_node::{AllowAsked, CallerName, Refusal, Request, Response};
use realm_protocol::{FailureCode, journal::Table};
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
        caller: CallerName::Realm("acme".parse().unwrap()),
        action: "invoke".into(),
        pattern: "echo".into(),
        owner: None,
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

/// Makes a word of a policy on the disk one that no policy has, as a version would find it that reads another
/// Cedar.
fn spoil(world: &mut World, host: HostId, (word, other): (&str, &str)) {
    world.crash(host);
    for row in world.hosts[host.0].disk.rows_mut(Table::Policies) {
        let at = row
            .windows(word.len())
            .position(|bytes| bytes == word.as_bytes());
        if let Some(at) = at {
            row[at..at + word.len()].copy_from_slice(other.as_bytes());
        }
    }
    world.start(host);
    world.run_for(5_000);
}

#[test]
fn a_stored_policy_that_compiles_no_more_denies_everything_and_stays_until_it_is_taken_away() {
    let mut world = World::new(709);
    let acme = world.found("acme");
    let night = r#"forbid (principal, action == Action::"bid", resource);"#;
    world.set_policy(acme, "night", night, false);
    spoil(&mut world, acme, ("forbid", "forbad"));
    let denied = |world: &mut World| {
        let failure = world.call(acme, "echo", json!({})).result.err()?;
        assert_eq!(failure.code, FailureCode::Denied);
        let denial = world.hosts[acme.0]
            .node()
            .denial(&failure.reference?)?
            .clone();
        Some(denial.errors.join(" "))
    };
    let kept = |world: &World| {
        let mut policies = world.hosts[acme.0].node().policies();
        policies.any(|(id, cedar, ..)| id == "night" && cedar.starts_with("forbad"))
    };

    assert!(denied(&mut world).expect("denied").contains("night:1:1"));
    world.set_policy(
        acme,
        "day",
        r#"permit (principal, action == Action::"bid", resource);"#,
        false,
    );
    assert!(denied(&mut world).expect("denied").contains("night:1:1"));
    assert!(kept(&world));
    let worse = Request::SetPolicy {
        id: "day".to_owned(),
        cedar: "permit".to_owned(),
        subtree: false,
    };
    let answer = world.ask_and_wait(acme, worse);
    let Response::Refused(Refusal::Policy(problems)) = answer else {
        panic!("{answer:?}")
    };
    assert!(
        problems.iter().all(|problem| problem.id == "day"),
        "{problems:?}"
    );
    world.crash_for(acme, 500);
    world.run_for(5_000);
    assert!(denied(&mut world).is_some() && kept(&world));

    let done = world.ask_and_wait(acme, Request::Disallow("night".to_owned()));
    assert!(matches!(done, Response::Done), "{done:?}");
    assert_eq!(denied(&mut world), None);
}

#[test]
fn a_stored_policy_that_does_not_read_denies_everything_too() {
    let mut world = World::new(713);
    let acme = world.found("acme");
    world.crash(acme);
    let key = b"unreadable".to_vec();
    world.hosts[acme.0]
        .disk
        .forge(Table::Policies, key, vec![0xff]);
    world.start(acme);
    world.run_for(1_000);

    let failure = world.call(acme, "echo", json!({})).result.unwrap_err();

    assert_eq!(failure.code, FailureCode::Denied);
    let mut policies = world.hosts[acme.0].node().policies();
    assert!(policies.any(|(id, ..)| id == "unreadable"));
}
