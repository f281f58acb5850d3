//! Calls across realms that take long: accepted, told once they have ended, whoever restarts.

use realm_node::{Invocation, InvokeAsked, Request, Response};
use realm_protocol::{
    FailureCode, RunId,
    journal::{Direction, Run, Status, Table},
    limits,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

#[path = "long/ends.rs"]
mod ends;
#[path = "long/faults.rs"]
mod faults;
#[path = "long/hostile.rs"]
mod hostile;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// The roots acme and lab; acme may call everything there.
struct Pair {
    world: World,
    acme: HostId,
    lab: HostId,
}

impl Pair {
    fn new(seed: u64, loops: &[Value]) -> Self {
        let mut world = World::new(seed);
        let (acme, lab) = (world.found("acme"), world.found("lab"));
        world.peer(acme, lab);
        world.allow(lab, "acme", "*");
        world.apply(lab, loops);
        world.run_for(1_000);
        Self { world, acme, lab }
    }

    fn restart(&mut self, host: HostId, down_ms: u64) {
        self.world.crash(host);
        self.world.run_for(down_ms);
        self.world.start(host);
        self.world.run_for(1_000);
    }

    /// The half of the only call that this host has.
    fn half(&self, host: HostId, direction: Direction) -> &Run {
        let mut runs = self.world.hosts[host.0].disk.runs.values();
        let half = runs.find(|run| run.direction == direction);
        half.expect("a half of the call")
    }

    fn out(&self) -> &Run {
        self.half(self.acme, Direction::Out)
    }

    fn served(&self) -> &Run {
        self.half(self.lab, Direction::In)
    }

    fn count(&self, host: HostId, kind: &str) -> usize {
        let events = self.world.hosts[host.0].disk.events.values();
        events.filter(|event| event.kind == kind).count()
    }

    fn effects(&self) -> u64 {
        self.world.effects.values().sum()
    }

    /// Nothing is kept of calls that are over.
    fn leaves_nothing(mut self) {
        for host in [self.acme, self.lab] {
            for prefix in [b"accepted/".as_slice(), b"delivery/", b"call/"] {
                let keys = self.world.hosts[host.0].disk.keys(Table::Standing);
                let left = keys.into_iter().filter(|key| key.starts_with(prefix));
                assert_eq!(left.count(), 0, "{}", String::from_utf8_lossy(prefix));
            }
        }
        invariants::check(&mut self.world);
    }
}

fn detached(address: &str) -> Request {
    let Request::Invoke(asked) = World::invoke(address, json!({"n": 1})) else {
        unreachable!()
    };
    let detach = true;
    Request::Invoke(InvokeAsked { detach, ..asked })
}

fn within(address: &str, millis: u64) -> Request {
    World::invoke_within(address, json!({"n": 1}), millis)
}

/// A tool that takes so long, and may.
fn long(mut tool: Value, ms: u64) -> Value {
    tool["limits"] = json!({"timeout": format!("{}ms", 2 * ms)});
    tool
}

fn waits(id: &str, wait: &str) -> Value {
    json!({
        "id": id, "version": "1.0.0", "kind": "composite",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "composite": {"steps": [{"wait": wait}, {"loopId": "spend"}]},
    })
}

fn invoked(response: Response) -> Invocation {
    match response {
        Response::Invoked(invocation) => *invocation,
        other => panic!("not a call: {other:?}"),
    }
}

#[test]
fn a_call_that_takes_long_is_accepted_and_told_its_end() {
    let mut pair = Pair::new(1, &[long(Loops::once("spend", HOUR_MS), HOUR_MS)]);
    let control = pair.world.ask(pair.acme, within("spend@lab", 3 * HOUR_MS));
    pair.world.run_for(10_000);
    assert_eq!(pair.count(pair.acme, "call.accepted"), 1);
    assert_eq!(pair.count(pair.lab, "call.accepted"), 1);
    pair.world.run_for(HOUR_MS);
    let ended = invoked(pair.world.wait_for(pair.acme, control));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    assert_eq!(pair.effects(), 1);
    assert_eq!(pair.count(pair.acme, "call.sent"), 1);
    pair.world.run_for(MINUTE_MS);
    pair.leaves_nothing();
}

#[test]
fn a_call_that_is_over_soon_is_answered_at_once() {
    let mut pair = Pair::new(2, &[Loops::once("spend", 1_000)]);
    let ended = pair
        .world
        .ask_and_wait(pair.acme, within("spend@lab", HOUR_MS));
    assert!(invoked(ended).result.is_ok());
    assert_eq!(pair.count(pair.acme, "call.accepted"), 0);
    pair.leaves_nothing();
}

#[test]
fn a_caller_who_waits_for_a_minute_is_never_told_to_wait_longer() {
    let mut pair = Pair::new(3, &[long(Loops::once("spend", 30_000), 30_000)]);
    let control = pair.world.ask(pair.acme, within("spend@lab", MINUTE_MS));
    pair.world.run_for(40_000);
    let ended = invoked(pair.world.wait_for(pair.acme, control));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    assert_eq!(pair.count(pair.lab, "call.accepted"), 0);
    pair.leaves_nothing();
}

#[test]
fn a_detached_call_of_three_days_outlives_restarts_of_both_ends() {
    let mut pair = Pair::new(4, &[Loops::once("spend", 10), waits("later", "3d")]);
    let (acme, lab) = (pair.acme, pair.lab);
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(10_000);
    for _ in 0..2 {
        pair.restart(acme, HOUR_MS);
        pair.restart(lab, HOUR_MS);
        pair.world.crash(acme);
        pair.restart(lab, 30 * HOUR_MS);
        pair.world.start(acme);
        pair.world.run_for(MINUTE_MS);
    }
    assert_eq!(pair.out().status, Status::Running);
    pair.world.run_for(12 * HOUR_MS);
    assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
    assert_eq!(pair.served().status, Status::Completed);
    assert_eq!(pair.effects(), 1);
    assert_eq!(pair.count(acme, "call.sent"), 1);
    pair.leaves_nothing();
}

#[test]
fn an_end_waits_until_its_caller_is_back() {
    let mut pair = Pair::new(5, &[long(Loops::once("spend", HOUR_MS), HOUR_MS)]);
    let acme = pair.acme;
    pair.world.ask(acme, detached("spend@lab"));
    pair.world.run_for(10_000);
    pair.restart(acme, 20 * HOUR_MS);
    assert_eq!(pair.served().status, Status::Completed);
    pair.world.run_for(5 * MINUTE_MS);
    assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
    assert_eq!(pair.effects(), 1);
    pair.leaves_nothing();
}

#[test]
fn an_end_that_was_told_before_a_crash_is_told_again_after_it() {
    for down in [false, true] {
        let mut pair = Pair::new(6, &[long(Loops::once("spend", HOUR_MS), HOUR_MS)]);
        let (acme, lab) = (pair.acme, pair.lab);
        pair.world.ask(acme, detached("spend@lab"));
        pair.world.run_for(HOUR_MS - 10_000);
        pair.world.silence(acme, lab);
        pair.world.run_for(MINUTE_MS);
        assert_eq!(pair.served().status, Status::Completed);
        assert_eq!(pair.out().status, Status::Running);
        if down {
            pair.restart(lab, 1_000);
        }
        pair.world.heal(acme, lab);
        pair.world.run_for(3 * MINUTE_MS);
        assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
        pair.leaves_nothing();
    }
}

#[test]
fn a_question_to_a_person_there_is_waited_for_here() {
    let mut pair = Pair::new(7, &[long(Loops::once("spend", HOUR_MS), HOUR_MS)]);
    let (acme, lab) = (pair.acme, pair.lab);
    let control = pair.world.ask(acme, within("spend@lab", 100 * HOUR_MS));
    pair.world.run_for(10_000);
    // It crashed while the tool was at work: whether it has spent, nobody knows.
    pair.restart(lab, 1_000);
    pair.world.run_for(20 * MINUTE_MS);
    assert_eq!(pair.served().status, Status::Paused);
    let told = pair.world.hosts[acme.0]
        .node()
        .accepted_elsewhere(pair.out().id);
    assert_eq!(told.len(), 1);
    assert_eq!(format!("{:?}", told[0].stage), "Paused");
    pair.world.run_for(30 * HOUR_MS);
    assert_eq!(pair.world.resume_all(), 1);
    pair.world.run_for(2 * HOUR_MS);
    let ended = invoked(pair.world.wait_for(acme, control));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    assert_eq!(pair.effects(), 1);
    pair.leaves_nothing();
}

#[test]
fn a_composite_waits_for_a_long_step_elsewhere_over_restarts_of_both() {
    let mut pair = Pair::new(8, &[Loops::once("spend", 10), waits("later", "30h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    let main = json!({
        "id": "main", "version": "1.0.0", "kind": "composite", "limits": {"timeout": "7d"},
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "composite": {"steps": [
            {"loopId": "later@lab", "inputMapping": {"n": "literal:first"}},
            {"loopId": "later@lab", "inputMapping": {"n": "literal:second"}},
        ]},
    });
    pair.world.apply(acme, &[main]);
    pair.world.ask(acme, detached("main@acme"));
    for _ in 0..3 {
        pair.world.run_for(10 * HOUR_MS);
        pair.restart(acme, HOUR_MS);
        pair.restart(lab, HOUR_MS);
        pair.world.run_for(10 * HOUR_MS);
    }
    let run = pair.half(acme, Direction::Local);
    let told = String::from_utf8_lossy(run.output.as_deref().unwrap_or_default());
    assert_eq!(run.status, Status::Completed, "{told}");
    assert_eq!(pair.effects(), 2);
    assert_eq!(pair.count(acme, "call.sent"), 2);
    pair.leaves_nothing();
}

#[test]
fn a_failure_that_comes_late_is_told_as_one() {
    let mut fails = Loops::failing("balk");
    fails["tool"]["config"]["argv"] = json!(["balk", HOUR_MS.to_string()]);
    let mut pair = Pair::new(9, &[long(fails, HOUR_MS)]);
    let control = pair.world.ask(pair.acme, within("balk@lab", 3 * HOUR_MS));
    pair.world.run_for(2 * HOUR_MS);
    let ended = invoked(pair.world.wait_for(pair.acme, control));
    let failure = ended.result.unwrap_err();
    assert_eq!(failure.code, FailureCode::LoopFailed);
    assert!(failure.message.contains("it fails"), "{failure}");
    pair.leaves_nothing();
}

#[test]
fn a_call_is_taken_back_by_its_caller_though_both_have_restarted() {
    let mut pair = Pair::new(10, &[Loops::once("spend", 10), waits("later", "3d")]);
    let (acme, lab) = (pair.acme, pair.lab);
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(10_000);
    pair.restart(lab, 1_000);
    pair.restart(acme, 1_000);
    pair.world.run_for(MINUTE_MS);
    let run = pair.out().id;
    let cancelled = pair.world.ask_and_wait(acme, Request::Cancel(run));
    assert!(matches!(cancelled, Response::Done), "{cancelled:?}");
    pair.world.run_for(2 * MINUTE_MS);
    assert_eq!(pair.out().status, Status::Cancelled);
    assert_eq!(pair.served().status, Status::Cancelled);
    assert_eq!(pair.effects(), 0);
    pair.leaves_nothing();
}

#[test]
fn one_foreign_root_cannot_have_all_calls_accepted() {
    let mut pair = Pair::new(12, &[Loops::once("spend", 10), waits("later", "30m")]);
    let (acme, lab) = (pair.acme, pair.lab);
    let mut asked = Vec::new();
    // Few at a time: that many may be under way without being accepted.
    for n in 0..=limits::ACCEPTED_SHARE {
        let request = World::invoke_within("later@lab", json!({"n": n}), 3 * HOUR_MS);
        asked.push(pair.world.ask(acme, request));
        if asked.len() % 8 == 0 {
            pair.world.run_for(6_000);
        }
    }
    pair.world.run_for(10_000);
    assert_eq!(pair.count(lab, "call.accepted"), limits::ACCEPTED_SHARE);
    pair.world.run_for(2 * HOUR_MS);
    for control in asked {
        let ended = invoked(pair.world.wait_for(acme, control));
        assert!(ended.result.is_ok(), "{:?}", ended.result);
    }
    pair.leaves_nothing();
}

#[test]
fn a_callee_that_was_put_back_says_that_it_does_not_know_the_run() {
    let mut pair = Pair::new(11, &[Loops::once("spend", 10), waits("later", "3d")]);
    let (acme, lab) = (pair.acme, pair.lab);
    let control = pair.world.ask(acme, within("later@lab", 200 * HOUR_MS));
    pair.world.run_for(10_000);
    pair.world.crash(lab);
    let gone: Vec<RunId> = pair.world.hosts[lab.0].disk.runs.keys().copied().collect();
    for run in gone {
        pair.world.hosts[lab.0].disk.runs.remove(&run);
    }
    pair.world.start(lab);
    pair.world.run_for(30 * MINUTE_MS);
    let failure = invoked(pair.world.wait_for(acme, control))
        .result
        .unwrap_err();
    assert_eq!(failure.code, FailureCode::Expired, "{failure}");
    assert!(failure.message.contains("no longer knows"), "{failure}");
}
