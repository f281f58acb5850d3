//! Loops that hand their work on to other realms, by priority.

use realm_protocol::{
    FailureCode,
    journal::{Direction, Status},
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

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

/// `acme`, whose `grade` goes to `lab`, is announced where that one did nothing, and is done here where
/// nobody bids for it; `ward` below `acme` asks for it.
fn announced(seed: u64, price: &str) -> (Routed, HostId) {
    let mut world = World::new(seed);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    let clinic = world.found("clinic");
    let (ward, archive) = (world.child(acme, "ward"), world.child(acme, "archive"));
    for host in [lab, clinic] {
        world.peer(acme, host);
        world.allow(host, "acme", "grade");
    }
    world.permit(clinic, "acme", "bid", "grade");
    world.permit(acme, "clinic", "award", "grade");
    let grade = Loops::idempotent("grade", 50);
    world.apply(lab, std::slice::from_ref(&grade));
    let mut cheap = grade.clone();
    cheap["bid"] = json!({"price": price, "time": "1s", "confidence": 0.9});
    world.apply(clinic, &[cheap]);
    let mut slow = grade.clone();
    slow["bid"] = json!({"ask": "quote", "within": "4s"});
    world.apply(archive, &[Loops::once("quote", 4_000), slow]);
    world.load(
        acme,
        r#"
id: grade
version: 1.0.0
kind: route
inputSchema: {type: object}
outputSchema: {type: object}
effects: idempotent
route:
  targets:
    - {realm: lab, priority: 2, timeout: 20s}
    - broadcast:
        scope: [children, peers]
        maxPrice: EUR 0.10
        window: 8s
        enough: {bids: 1, price: EUR 0.03}
      priority: 1
    - {loop: grade-by-hand}
"#,
    );
    world.apply(acme, &[Loops::idempotent("grade-by-hand", 10)]);
    world.run_for(3_000);
    let routed = Routed {
        world,
        acme,
        lab,
        clinic,
    };
    (routed, ward)
}

#[test]
fn a_call_whose_realm_is_gone_comes_back_from_the_first_good_bidder_without_waiting_for_others() {
    let (mut it, ward) = announced(74, "EUR 0.02");
    let first = it.world.call(ward, "grade@acme", json!({"n": 1}));
    assert!(first.result.is_ok(), "{:?}", first.result);
    assert_eq!((it.served(it.lab), it.served(it.clinic)), (1, 0));

    it.world.crash(it.lab);
    it.world.run_for(30_000);
    let before = it.world.elapsed_ms();
    let second = it.world.call(ward, "grade@acme", json!({"n": 2}));

    assert_eq!(second.result.unwrap(), json!({"done": {"n": 2}}));
    assert_eq!(it.served(it.clinic), 1);
    let took = it.world.elapsed_ms() - before;
    assert!(took < 3_000, "it waits for the slow agent: {took} ms");
    it.world.start(it.lab);
    it.world.run_for(10_000);
    invariants::check(&mut it.world);
}

#[test]
fn a_call_that_nobody_bids_for_goes_on_to_what_the_route_has_last() {
    let (mut it, ward) = announced(75, "EUR 0.50");
    let nobody = "forbid (principal, action == Action::\"bid\", resource);";
    it.world.set_policy(it.acme, "no-bids", nobody, true);
    it.world.crash(it.lab);
    it.world.run_for(30_000);

    let ended = it.world.call(ward, "grade@acme", json!({"n": 3}));

    assert_eq!(ended.result.unwrap(), json!({"done": {"n": 3}}));
    assert_eq!(it.served(it.clinic), 0);
    let events = it.world.hosts[it.acme.0].disk.events.values();
    let rerouted = events.filter(|event| event.kind == "call.rerouted");
    let next: Vec<String> = rerouted
        .map(|event| serde_json::from_slice::<Value>(&event.payload).unwrap())
        .filter_map(|payload| Some(payload["next"].as_str()?.to_owned()))
        .collect();
    assert_eq!(next, ["grade/announced", "grade-by-hand"]);
    it.world.start(it.lab);
    it.world.run_for(10_000);
    invariants::check(&mut it.world);
}
