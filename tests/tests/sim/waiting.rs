//! Waits that outlast the daemons.

use realm_node::{InvokeAsked, Request};
use realm_protocol::journal::{Direction, Status};
use realm_tests::{Loops, Tree, World, invariants};
use serde_json::json;

const HOUR_MS: u64 = 60 * 60 * 1_000;

#[test]
fn a_wait_of_three_days_ends_on_its_day_though_both_realms_restarted() {
    let mut world = World::new(61);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::once("notify", 10)]);
    let remind_later = json!({
        "id": "remind-later", "version": "1.0.0", "kind": "composite",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "composite": {"steps": [
            {"loopId": "notify@acme", "inputMapping": {"about": "literal:begun"}},
            {"wait": "3d"},
            {"loopId": "notify@acme"},
        ]},
    });
    world.apply(health, &[remind_later]);
    world.run_for(1_000);
    let Request::Invoke(asked) =
        World::invoke("remind-later@acme/health", json!({"about": "milk"}))
    else {
        unreachable!()
    };
    let detach = true;
    world.ask(health, Request::Invoke(InvokeAsked { detach, ..asked }));
    world.run_for(1_000);
    let mut runs = world.hosts[health.0].disk.runs.values();
    let run = runs
        .find(|run| run.direction == Direction::Local)
        .unwrap()
        .id;

    // Nobody is there for most of the time, and both are in the last hour.
    for _ in 0..2 {
        world.crash_for(acme, 35 * HOUR_MS);
        world.crash_for(health, 34 * HOUR_MS);
        world.run_for(35 * HOUR_MS + HOUR_MS / 2);
    }
    assert_eq!(
        world.hosts[health.0].disk.runs[&run].status,
        Status::Running
    );
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    world.run_for(HOUR_MS);

    let ended = &world.hosts[health.0].disk.runs[&run];
    assert_eq!(ended.status, Status::Completed);
    let lasted = ended.ended.unwrap().since(ended.started);
    assert!(
        (72 * HOUR_MS..72 * HOUR_MS + 5_000).contains(&lasted),
        "it took {lasted} ms"
    );
    assert_eq!(world.effects.values().sum::<u64>(), 2);
    invariants::check(&mut world);
}
