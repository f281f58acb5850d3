//! Runs that outlive the process: random composites over several realms, broken off anywhere.

use std::thread;

use realm_protocol::journal::{Direction, Run, Status};
use realm_tests::{CrashPoint, Flows, HostId, Tree, World, invariants};
use serde_json::{Value, json};

use self::bench::detached;

#[path = "durable/approved.rs"]
mod approved;
#[path = "durable/asked.rs"]
mod asked;
#[path = "durable/bench.rs"]
pub(super) mod bench;
#[path = "durable/faults.rs"]
mod faults;
#[path = "durable/paused.rs"]
mod paused;
#[path = "durable/records.rs"]
mod records;
#[path = "durable/spending.rs"]
mod spending;

/// Composites that are broken off at every entry of the journal.
const COMPOSITES: u64 = 6;
/// Every how many begin with a call that takes so long that it is accepted.
const LONG: u64 = 3;

/// Two realms under two roots with random composites; the first one's owner calls `flow`.
struct Town {
    world: World,
    acme: HostId,
    lab: HostId,
    input: Value,
}

fn town(seed: u64) -> Town {
    let mut world = World::new(seed);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    for (host, other) in [(acme, Some("lab".to_owned())), (lab, None)] {
        let others: Vec<String> = other.into_iter().collect();
        let mut loops = Flows::loops(&others, &mut |bound| world.random(bound));
        if host == acme && seed.is_multiple_of(LONG) {
            begin_long(&mut loops);
        }
        world.apply(host, &loops);
    }
    world.run_for(2_000);
    let input = Flows::input(1, &mut |bound| world.random(bound));
    Town {
        world,
        acme,
        lab,
        input,
    }
}

/// Lets `flow` begin with a call of a slow tool elsewhere.
fn begin_long(loops: &mut [Value]) {
    let flow = loops.last_mut().expect("flow");
    let steps = flow["composite"]["steps"].as_array_mut().expect("steps");
    let mapping = json!({"n": "$.input.n", "tag": "literal:long"});
    steps.insert(0, json!({"loopId": "dawdle@lab", "inputMapping": mapping}));
}

impl Town {
    fn begin(&mut self) {
        let request = detached("flow@acme", self.input.clone());
        self.world.ask(self.acme, request);
    }

    /// Lets everything end; what asks a person is answered.
    fn end(&mut self) {
        for _ in 0..40 {
            self.world.run_for(60_000);
            if self.world.resume_all() == 0 && !self.is_running() {
                return;
            }
        }
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        [self.acme, self.lab]
            .into_iter()
            .flat_map(|host| self.world.hosts[host.0].disk.runs.values())
    }

    fn is_running(&self) -> bool {
        self.runs().any(|run| run.status == Status::Running)
    }

    /// Entries that both have written.
    fn entries(&self) -> [u64; 2] {
        [self.acme, self.lab].map(|host| self.world.hosts[host.0].disk.durable().0)
    }
}

#[test]
fn a_run_that_is_broken_off_at_any_entry_does_everything_once_and_ends() {
    let [odd, even] = [1, 0].map(|half| {
        let seeds = (1..=COMPOSITES).filter(move |seed| seed % 2 == half);
        thread::spawn(move || seeds.flat_map(break_off_everywhere).collect::<Vec<_>>())
    });
    let mut failed = odd.join().expect("a verdict on every seed");
    failed.extend(even.join().expect("a verdict on every seed"));
    assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
}

/// Runs the composite of a seed as often as it takes to break it off at each entry of either
/// journal; gives what does not hold.
fn break_off_everywhere(seed: u64) -> Vec<String> {
    let mut town = town(seed);
    let before = town.entries();
    town.begin();
    town.end();
    let mut failed = invariants::broken(&mut town.world);
    let mut events = town.world.hosts[town.acme.0].disk.events.values();
    if seed.is_multiple_of(LONG) && !events.any(|event| event.kind == "call.accepted") {
        failed.push(format!("seed {seed}: no call was accepted"));
    }
    let after = town.entries();
    for (number, host) in [town.acme, town.lab].into_iter().enumerate() {
        for entries in 1..=after[number] - before[number] {
            for durable in [false, true] {
                failed.extend(break_off(seed, host, entries, durable));
            }
        }
    }
    failed
}

fn break_off(seed: u64, host: HostId, entries: u64, durable: bool) -> Option<String> {
    let mut town = town(seed);
    let point = CrashPoint {
        entries,
        durable,
        down_ms: 1 + town.world.random(3_000),
    };
    town.world.crash_points.insert(host, point);
    town.begin();
    town.end();
    let mut broken = invariants::broken(&mut town.world);
    let mut own = town.runs().filter(|run| run.direction == Direction::Local);
    if own.any(|run| run.ended.is_none()) {
        broken.push("the run never ended".to_owned());
    }
    let host = host.0;
    let failed = format!("seed {seed}, host {host} at entry {entries}, durable {durable}");
    (!broken.is_empty()).then(|| format!("{failed}: {broken:?}"))
}
