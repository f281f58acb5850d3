//! Loops that hand their work on to other realms, by priority.

use realm_protocol::{
    FailureCode,
    journal::{Direction, Status},
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

/// `acme`, whose `grade` goes to `lab`, and to `clinic` where that one did nothing.
struct Routed {
    world: World,
    acme: HostId,
    lab: HostId,
    clinic: HostId,
}

fn routed(seed: u64, work_ms: u64) -> Routed {
    let mut world = World::new(seed);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    let clinic = world.found("clinic");
    let grade = json!({
        "id": "grade", "version": "1.0.0", "kind": "route",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "route": {"targets": [
            {"realm": "lab", "priority": 2, "timeout": "20s"},
            {"realm": "clinic", "loop": "grade-slide", "timeout": "20s"},
        ]},
    });
    for (host, id) in [(lab, "grade"), (clinic, "grade-slide")] {
        world.peer(acme, host);
        world.allow(host, "acme", id);
        world.apply(host, &[Loops::once(id, work_ms)]);
    }
    world.apply(acme, &[grade, Loops::composite("report", &["grade"])]);
    world.run_for(3_000);
    Routed {
        world,
        acme,
        lab,
        clinic,
    }
}

impl Routed {
    /// Runs that a host has served for others.
    fn served(&self, host: HostId) -> usize {
        let runs = self.world.hosts[host.0].disk.runs.values();
        runs.filter(|run| run.direction == Direction::In).count()
    }

    /// How the last run that was asked for here ended.
    fn ended(&self) -> (Status, Option<String>) {
        let runs = self.world.hosts[self.acme.0].disk.runs.values();
        let local = runs.filter(|run| run.direction == Direction::Local);
        let last = local.max_by_key(|run| run.started).unwrap();
        (last.status, last.error.clone())
    }

    fn work(&self) -> u64 {
        self.world.effects.values().sum()
    }
}

#[test]
fn work_for_a_realm_that_is_gone_or_forbids_it_is_done_by_the_next() {
    let mut it = routed(71, 10);
    it.world
        .ask(it.acme, World::invoke("report@acme", json!({"n": 1})));
    it.world.run_for(1_000);
    assert_eq!((it.served(it.lab), it.served(it.clinic)), (1, 0));

    it.world.crash_for(it.lab, 40_000);
    it.world.run_for(2_000);
    it.world
        .ask(it.acme, World::invoke("report@acme", json!({"n": 2})));
    it.world.run_for(30_000);
    assert_eq!(it.ended(), (Status::Completed, None));
    assert_eq!((it.served(it.lab), it.served(it.clinic)), (1, 1));

    it.world.run_for(30_000);
    it.world
        .ask(it.acme, World::invoke("report@acme", json!({"n": 3})));
    it.world.run_for(5_000);
    assert_eq!((it.served(it.lab), it.served(it.clinic)), (2, 1));
    let nothing = "forbid (principal, action == Action::\"invoke\", resource);";
    it.world.set_policy(it.lab, "closed", nothing, false);
    it.world
        .ask(it.acme, World::invoke("report@acme", json!({"n": 4})));
    it.world.run_for(5_000);
    assert_eq!(it.ended(), (Status::Completed, None));
    assert_eq!(it.served(it.clinic), 2);
    assert_eq!(it.work(), 4);
    invariants::check(&mut it.world);
}

#[test]
fn a_restart_asks_the_realm_that_was_chosen_and_the_work_is_done_once() {
    let mut it = routed(72, 5_000);
    it.world
        .ask(it.acme, World::invoke("report@acme", json!({"n": 5})));
    it.world.run_for(1_000);

    it.world.crash_for(it.acme, 2_000);
    it.world.run_for(30_000);

    assert_eq!(it.ended(), (Status::Completed, None));
    assert_eq!((it.served(it.lab), it.served(it.clinic)), (1, 0));
    assert_eq!(it.work(), 1);
    invariants::check(&mut it.world);
}

#[test]
fn work_that_may_have_begun_where_nobody_answers_any_more_is_not_done_elsewhere() {
    let mut it = routed(73, 5_000);
    it.world
        .ask(it.acme, World::invoke("report@acme", json!({"n": 6})));
    it.world.run_for(1_000);

    it.world.crash_for(it.lab, 600_000);
    it.world.run_for(60_000);

    let (status, error) = it.ended();
    assert_eq!(status, Status::Failed);
    assert_ne!(error.as_deref(), Some(FailureCode::NoRoute.name()));
    assert_eq!(it.served(it.clinic), 0);
}
