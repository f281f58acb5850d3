//! What agents keep between calls, while everything dies.

use realm_node::{RemoveAsked, Request, Response};
use realm_protocol::LoopId;
use realm_tests::{CrashPoint, HostId, Tree, World, invariants};
use serde_json::{Value, json};

/// Steps of the machine `count`.
const STEPS: u64 = 3;

fn agent() -> LoopId {
    "counter".parse().expect("an id")
}

/// A realm whose machine `count` takes three steps of an agent that keeps how many it has done.
fn town(seed: u64) -> (World, HostId) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let tally = json!({
        "id": "tally", "version": "1.0.0", "kind": "tool", "effects": "idempotent",
        "inputSchema": {}, "outputSchema": {},
        "tool": {"implementation": "process", "config": {"argv": ["tally"]}},
        "state": {"agent": "counter", "keys": ["total"]},
    });
    let count = json!({
        "id": "count", "version": "1.0.0", "kind": "machine",
        "inputSchema": {}, "outputSchema": {}, "machine": {"loopId": "tally"},
    });
    world.apply(acme, &[tally, count]);
    world.run_for(1_000);
    (world, acme)
}

fn total(world: &World, host: HostId) -> Option<Value> {
    let node = world.hosts[host.0].node.as_ref().expect("it runs");
    let held = node.states().of(&agent())?.get("total")?;
    Some(held.value.clone())
}

/// Calls the machine and lets everything end.
fn count(world: &mut World, host: HostId) {
    world.ask(host, World::invoke("count", json!({})));
    for _ in 0..20 {
        world.run_for(30_000);
        world.resume_all();
    }
}

#[test]
fn wherever_a_run_is_broken_off_each_step_counts_once_in_the_state_of_its_agent() {
    let (mut world, acme) = town(1);
    let before = world.hosts[acme.0].disk.durable().0;
    count(&mut world, acme);
    let entries = world.hosts[acme.0].disk.durable().0 - before;
    assert_eq!(total(&world, acme), Some(json!(STEPS)));
    invariants::check(&mut world);

    for entry in 1..=entries {
        for durable in [false, true] {
            let (mut world, acme) = town(1);
            let point = CrashPoint {
                entries: entry,
                durable,
                down_ms: 1_000,
            };
            world.crash_points.insert(acme, point);
            world.ask(acme, World::invoke("count", json!({})));
            for _ in 0..20 {
                world.run_for(30_000);
                world.resume_all();
            }

            // The run may have been lost before it was written down, and then nothing of it is there.
            let begun = !world.hosts[acme.0].disk.runs.is_empty();
            let expected = begun.then(|| json!(STEPS));
            assert_eq!(
                total(&world, acme),
                expected,
                "entry {entry}, durable {durable}"
            );
            invariants::check(&mut world);
        }
    }
}

#[test]
fn a_version_that_names_no_agent_takes_nothing_from_those_that_do() {
    let (mut world, acme) = town(3);
    count(&mut world, acme);
    let without = json!({
        "id": "tally", "version": "2.0.0", "kind": "tool", "effects": "idempotent",
        "inputSchema": {}, "outputSchema": {},
        "tool": {"implementation": "process", "config": {"argv": ["tally"]}},
    });

    world.apply(acme, &[without]);
    world.run_for(1_000);

    assert_eq!(total(&world, acme), Some(json!(STEPS)));
}

#[test]
fn state_outlives_restarts_and_goes_with_the_last_loop_that_names_its_agent() {
    let (mut world, acme) = town(2);
    count(&mut world, acme);
    world.crash_for(acme, 100);
    world.run_for(5_000);
    count(&mut world, acme);
    assert_eq!(total(&world, acme), Some(json!(2 * STEPS)));

    let removed = world.ask_and_wait(
        acme,
        Request::RemoveLoop(RemoveAsked {
            id: "tally".parse().expect("an id"),
            version: None,
            force: true,
            by: "ann".to_owned(),
        }),
    );

    assert!(matches!(removed, Response::Done), "{removed:?}");
    assert_eq!(total(&world, acme), None);
    world.crash_for(acme, 100);
    world.run_for(5_000);
    assert_eq!(total(&world, acme), None);
    invariants::check(&mut world);
}
