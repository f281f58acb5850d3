//! What must not lose an end: wrong clocks, pauses, full tables, messages that come late.

use realm_node::{Request, Response};
use realm_protocol::{
    Kind, RunId,
    journal::{Direction, Status},
    link::Frame,
};
use realm_tests::{HostId, Loops, Tree};
use serde_json::{Value, json};

use super::{HOUR_MS, MINUTE_MS, Pair, detached, invoked, long, waits, within};

/// A composite here with one long step there.
fn main_loop() -> Value {
    json!({
        "id": "main", "version": "1.0.0", "kind": "composite", "limits": {"timeout": "20d"},
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "composite": {"steps": [{"loopId": "later@lab"}]},
    })
}

impl Pair {
    fn own(&self) -> RunId {
        self.half(self.acme, Direction::Local).id
    }

    fn done(&mut self, host: HostId, request: Request) {
        let done = self.world.ask_and_wait(host, request);
        assert!(matches!(done, Response::Done), "{done:?}");
    }
}

#[test]
fn a_clock_that_is_wrong_for_a_while_ends_no_call() {
    for (seed, wrong) in [(20, 0), (21, 1)] {
        let mut pair = Pair::new(seed, &[Loops::once("spend", 10), waits("later", "10h")]);
        pair.world.ask(pair.acme, detached("later@lab"));
        pair.world.run_for(MINUTE_MS);
        pair.world.hosts[wrong].clock_offset = 330_000;
        pair.world.run_for(HOUR_MS);
        pair.world.hosts[wrong].clock_offset = 0;
        assert_eq!(pair.out().status, Status::Running, "{:?}", pair.out());
        pair.world.run_for(12 * HOUR_MS);
        assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
        assert_eq!(pair.effects(), 1);
        pair.leaves_nothing();
    }
}

#[test]
fn an_end_that_comes_while_its_run_stands_still_is_not_lost() {
    for restarted in [false, true] {
        let mut pair = Pair::new(22, &[Loops::once("spend", 10), waits("later", "10h")]);
        let acme = pair.acme;
        pair.world.apply(acme, &[main_loop()]);
        pair.world.ask(acme, detached("main@acme"));
        pair.world.run_for(MINUTE_MS);
        let run = pair.own();
        pair.done(acme, Request::Pause(run));
        if restarted {
            pair.restart(acme, 1_000);
        }
        pair.world.run_for(20 * HOUR_MS);
        assert_eq!(pair.served().status, Status::Completed);
        pair.restart(acme, 1_000);
        pair.done(acme, Request::Resume(run, None));
        pair.world.run_for(20 * MINUTE_MS);
        let own = pair.half(acme, Direction::Local);
        assert_eq!(own.status, Status::Completed, "{restarted}: {own:?}");
        assert_eq!(pair.effects(), 1);
        assert_eq!(pair.count(acme, "call.sent"), 1, "{restarted}");
        pair.leaves_nothing();
    }
}

#[test]
fn a_run_that_is_cancelled_while_it_stands_still_takes_its_call_back() {
    let mut pair = Pair::new(23, &[Loops::once("spend", 10), waits("later", "10h")]);
    let acme = pair.acme;
    pair.world.apply(acme, &[main_loop()]);
    pair.world.ask(acme, detached("main@acme"));
    pair.world.run_for(MINUTE_MS);
    let run = pair.own();
    pair.done(acme, Request::Pause(run));
    pair.restart(acme, 1_000);
    pair.done(acme, Request::Cancel(run));
    pair.world.run_for(MINUTE_MS);
    assert_eq!(pair.served().status, Status::Cancelled);
    assert_eq!(pair.effects(), 0);
    pair.leaves_nothing();
}

#[test]
fn an_end_is_told_though_no_more_answers_can_be_waited_for() {
    let mut pair = Pair::new(24, &[long(Loops::once("spend", HOUR_MS), HOUR_MS)]);
    let (acme, lab) = (pair.acme, pair.lab);
    let ward = pair.world.child(lab, "ward");
    pair.world.run_for(1_000);
    pair.world.call(lab, "echo@lab/ward", json!({}));
    let control = pair.world.ask(acme, within("spend@lab", 3 * HOUR_MS));
    pair.world.run_for(HOUR_MS - 5_000);
    pair.world.silence(lab, ward);
    for n in 0..1_100 {
        let request = realm_tests::World::invoke_within("echo@lab/ward", json!({"n": n}), 50_000);
        pair.world.ask(lab, request);
    }
    pair.world.run_for(20_000);
    assert_eq!(pair.served().status, Status::Completed);
    pair.world.heal(lab, ward);
    pair.world.run_for(20 * MINUTE_MS);
    let ended = invoked(pair.world.wait_for(acme, control));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    pair.leaves_nothing();
}

#[test]
fn an_attempt_that_comes_after_a_later_one_takes_no_end_away() {
    let mut pair = Pair::new(25, &[Loops::once("spend", 10), waits("later", "10h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    pair.world.call(acme, "echo@lab", json!({}));
    pair.world.silence(acme, lab);
    pair.world.tap = true;
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(100);
    let first = pair.world.wire.iter().find_map(|(from, _, bytes)| {
        let Ok(Frame::Envelope(envelope)) = Frame::decode(bytes) else {
            return None;
        };
        let call = *from == acme && envelope.peek().unwrap().kind == Kind::Call;
        call.then(|| bytes.clone())
    });
    pair.world.tap = false;
    pair.world.heal(acme, lab);
    pair.world.cut_once(acme, lab);
    pair.world.run_for(MINUTE_MS);
    assert_eq!(pair.count(acme, "call.accepted"), 1);
    let received = pair.count(lab, "call.received");

    let link = pair.world.links_between(lab, acme)[0];
    pair.world.inject(lab, link, first.expect("a call left"));
    pair.world.run_for(1_000);
    assert_eq!(pair.count(lab, "call.received"), received + 1);
    pair.world.run_for(11 * HOUR_MS);
    assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
    assert_eq!(pair.effects(), 1);
    pair.leaves_nothing();
}

#[test]
fn a_call_is_taken_back_though_its_caller_does_not_know_the_way_yet() {
    let mut pair = Pair::new(26, &[Loops::once("spend", 10), waits("later", "3d")]);
    let acme = pair.acme;
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(10_000);
    pair.world.crash(acme);
    pair.world.start(acme);
    let run = pair.out().id;
    pair.done(acme, Request::Cancel(run));
    pair.world.run_for(2 * MINUTE_MS);
    assert_eq!(pair.out().status, Status::Cancelled);
    assert_eq!(pair.served().status, Status::Cancelled);
    assert_eq!(pair.effects(), 0);
    pair.leaves_nothing();
}
