//! Realms of different builds.

use realm_node::Refused;
use realm_protocol::link::Versions;
use realm_tests::{HostId, Tree, World, invariants};
use serde_json::json;

/// The wire version that a host speaks with its only neighbour.
fn spoken(world: &World, host: HostId) -> Option<u64> {
    world.hosts[host.0].node().links()[0].version
}

#[test]
fn a_realm_of_the_next_version_and_one_of_this_speak_what_both_can() {
    let mut world = World::new(2_200);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.hosts[lab.0].versions = Some(Versions {
        oldest: 1,
        newest: 2,
    });

    world.peer(lab, acme);
    world.allow(acme, "lab", "echo");
    world.run_for(5_000);

    assert_eq!(spoken(&world, acme), Some(1));
    let called = world.call(lab, "echo@acme", json!({"n": 1}));
    assert_eq!(called.result, Ok(json!({"n": 1})));
    invariants::check(&mut world);
}

#[test]
fn realms_without_a_version_in_common_part_and_both_know_why() {
    let mut world = World::new(2_201);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(5_000);

    // The child comes back as a build that has given up the only version that its parent speaks.
    world.crash(health);
    world.hosts[health.0].versions = Some(Versions {
        oldest: 2,
        newest: 3,
    });
    world.start(health);
    world.run_for(10_000);

    let parent = world.hosts[acme.0].node();
    assert!(!parent.children()[0].connected);
    assert!(parent.counters().refused[&Refused::Version] > 0);
    let told = world.hosts[health.0].node().standing().turned_away;
    let why = "no wire version in common: 1 is spoken there, 2 to 3 here";
    assert_eq!(told.as_deref(), Some(why));

    // With one that still speaks it they find each other.
    world.hosts[health.0].versions = Some(Versions {
        oldest: 1,
        newest: 2,
    });
    world.run_for(120_000);
    let called = world.call(acme, "echo@acme/health", json!({}));
    assert_eq!(called.result, Ok(json!({})));
    invariants::check(&mut world);
}
