//! Realms and loops that their owner halts: nothing begins, nothing is lost, and it goes on later.

#[path = "halt/below.rs"]
mod below;
#[path = "halt/soon.rs"]
mod soon;

use realm_executor::ResumeError;
use realm_node::{HaltAsked, HaltOf, Refusal, Request, Response, UnhaltAsked, UnhaltOf};
use realm_protocol::{FailureCode, RunId, journal::Status};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

use super::durable::bench::{Bench, call, composite, detached, refusal};

const HOUR_MS: u64 = 3_600_000;

fn asks_halt(of: HaltOf) -> Request {
    Request::Halt(HaltAsked {
        of,
        by: "owner".to_owned(),
        why: Some("a drill".to_owned()),
    })
}

fn asks_unhalt(of: UnhaltOf) -> Request {
    Request::Unhalt(UnhaltAsked {
        of,
        by: "owner".to_owned(),
        why: None,
    })
}

pub(super) fn halt(world: &mut World, host: HostId, of: HaltOf) {
    let answer = world.ask_and_wait(host, asks_halt(of));
    assert!(matches!(answer, Response::Done), "{answer:?}");
}

pub(super) fn unhalt(world: &mut World, host: HostId, of: UnhaltOf) {
    let answer = world.ask_and_wait(host, asks_unhalt(of));
    assert!(matches!(answer, Response::Done), "{answer:?}");
}

/// A run of two steps, the first of which takes a second and is under way.
fn two_steps(seed: u64) -> (Bench, RunId) {
    let tools = [Loops::once("spend", 1_000)];
    let steps = json!([call("spend", "a"), call("spend", "b")]);
    let mut bench = Bench::with(seed, &tools, steps);
    let run = bench.begin(json!({"n": 1}), 500);
    assert_eq!(bench.effects(), 1);
    (bench, run)
}

#[test]
fn a_loop_that_is_not_there_does_not_go_on() {
    let mut world = World::new(312);
    let acme = world.found("acme");
    halt(&mut world, acme, HaltOf::All);

    let refused = world.ask_and_wait(
        acme,
        asks_unhalt(UnhaltOf::Loop("nothing".parse().unwrap())),
    );

    let refused = refusal(refused);
    assert!(matches!(refused, Refusal::NotFound { .. }), "{refused:?}");
    unhalt(&mut world, acme, UnhaltOf::Loop("echo".parse().unwrap()));
    assert!(world.call(acme, "echo@acme", json!({})).result.is_ok());
}

#[test]
fn a_halted_realm_takes_what_is_under_way_and_begins_nothing_until_it_goes_on() {
    let (mut bench, run) = two_steps(1);
    let acme = bench.acme;
    halt(&mut bench.world, acme, HaltOf::All);
    bench.world.run_for(HOUR_MS);
    assert_eq!(bench.effects(), 1, "the first step's alone");
    assert_eq!(bench.status(run), Status::Paused);
    let refused = bench.world.call(acme, "spend@acme", json!({"n": 2}));
    assert_eq!(refused.result.unwrap_err().code, FailureCode::Halted);
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(2_000);
    assert_eq!(bench.effects(), 2);
    assert_eq!(bench.count(run, "halt.stopped"), 1);
    assert_eq!(bench.count(run, "halt.lifted"), 1);
    bench.completes(run);
}

#[test]
fn what_waits_to_leave_when_the_halt_comes_never_leaves() {
    let mut bench = Bench::with(2, &[Loops::once("spend", 10)], json!([call("spend", "a")]));
    let acme = bench.acme;
    bench.world.ask_together(
        acme,
        vec![
            detached("main@acme", json!({"n": 1})),
            asks_halt(HaltOf::All),
        ],
    );
    bench.world.run_for(HOUR_MS);
    assert_eq!(bench.effects(), 0);
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(2_000);
    assert_eq!(bench.effects(), 1);
    invariants::check(&mut bench.world);
}

#[test]
fn a_halt_outlives_restarts_and_so_does_what_it_keeps() {
    let (mut bench, run) = two_steps(3);
    let acme = bench.acme;
    halt(&mut bench.world, acme, HaltOf::All);
    bench.world.run_for(2_000);
    for _ in 0..3 {
        bench.restart(acme, HOUR_MS);
        bench.world.run_for(HOUR_MS);
        assert_eq!(bench.status(run), Status::Paused);
    }
    assert_eq!(bench.effects(), 1);
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(2_000);
    assert_eq!(bench.effects(), 2);
    bench.completes(run);
}

#[test]
fn a_tool_that_answers_a_halted_realm_is_not_asked_again_after_a_restart() {
    let mut bench = Bench::new(4);
    let acme = bench.acme;
    bench.world.apply(acme, &[Loops::once("main", 1_000)]);
    let run = bench.begin(json!({"n": 1}), 500);
    halt(&mut bench.world, acme, HaltOf::All);
    bench.world.run_for(2_000);
    assert_eq!(
        bench.status(run),
        Status::Paused,
        "its answer goes no further"
    );
    bench.restart(acme, HOUR_MS);
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(2_000);
    assert_eq!(bench.effects(), 1);
    bench.completes(run);
}

#[test]
fn a_halt_takes_back_calls_of_other_realms_and_they_are_made_again() {
    let steps = json!([call("look@lab", "there")]);
    let mut bench = Bench::with(5, &[], steps);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.apply(lab, &[Loops::idempotent("look", 5_000)]);
    let run = bench.begin(json!({"n": 1}), 1_000);
    halt(&mut bench.world, acme, HaltOf::All);
    bench.world.run_for(1_000);
    let there = bench.world.hosts[lab.0].disk.runs.values();
    let there: Vec<Status> = there.map(|run| run.status).collect();
    assert_eq!(there, [Status::Cancelled]);
    bench.world.run_for(HOUR_MS);
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(10_000);
    bench.completes(run);
}

#[test]
fn a_halted_loop_stops_the_runs_that_come_to_it_and_no_others() {
    let tools = [Loops::once("spend", 10), Loops::idempotent("look", 10)];
    let steps = json!([call("look", "a"), call("spend", "b")]);
    let mut bench = Bench::with(6, &tools, steps);
    let acme = bench.acme;
    let other = composite("other", json!([call("look", "c")]));
    bench.world.apply(acme, &[other]);
    halt(
        &mut bench.world,
        acme,
        HaltOf::Loop("spend".parse().unwrap()),
    );
    let run = bench.begin(json!({"n": 1}), HOUR_MS);
    assert_eq!(bench.status(run), Status::Paused);
    assert_eq!(bench.effects(), 0);
    let other = bench.world.call(acme, "other@acme", json!({"n": 1}));
    assert!(other.result.is_ok(), "{other:?}");
    let refused = bench.world.call(acme, "spend@acme", json!({"n": 2}));
    assert_eq!(refused.result.unwrap_err().code, FailureCode::Halted);
    bench.restart(acme, 100);
    assert_eq!(bench.status(run), Status::Paused);
    unhalt(
        &mut bench.world,
        acme,
        UnhaltOf::Loop("spend".parse().unwrap()),
    );
    bench.world.run_for(1_000);
    assert_eq!(bench.effects(), 1);
    bench.completes(run);
}

#[test]
fn one_run_or_one_loop_may_go_on_while_all_else_stands_still() {
    let (mut bench, first) = two_steps(7);
    let acme = bench.acme;
    let second = bench.begin(json!({"n": 2}), 500);
    bench.world.apply(acme, &[Loops::idempotent("look", 10)]);
    halt(&mut bench.world, acme, HaltOf::All);
    bench.world.run_for(HOUR_MS);
    unhalt(&mut bench.world, acme, UnhaltOf::Run(first));
    unhalt(
        &mut bench.world,
        acme,
        UnhaltOf::Loop("look".parse().unwrap()),
    );
    bench.world.run_for(2_000);
    assert_eq!(bench.status(first), Status::Completed);
    assert_eq!(bench.status(second), Status::Paused);
    let look = bench.world.call(acme, "look@acme", json!({"n": 1}));
    assert!(look.result.is_ok(), "{look:?}");
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(2_000);
    assert_eq!(bench.effects(), 4);
    bench.completes(second);
}

#[test]
fn a_realm_may_begin_halted() {
    let (mut bench, run) = two_steps(8);
    let acme = bench.acme;
    bench.world.hosts[acme.0].halted = true;
    bench.restart(acme, 100);
    bench.world.hosts[acme.0].halted = false;
    bench.world.run_for(HOUR_MS);
    assert_eq!(bench.status(run), Status::Paused);
    assert_eq!(bench.effects(), 1);
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(100);
    assert_eq!(
        bench.world.resume_all(),
        1,
        "what the first step did is unknown"
    );
    bench.world.run_for(5_000);
    assert_eq!(bench.effects(), 2);
    bench.completes(run);
}

#[test]
fn a_halted_run_is_let_go_by_unhalt_and_not_by_resume() {
    let (mut bench, run) = two_steps(9);
    let acme = bench.acme;
    bench.pause(run);
    halt(&mut bench.world, acme, HaltOf::All);
    let resumed = refusal(bench.world.ask_and_wait(acme, Request::Resume(run, None)));
    assert!(matches!(resumed, Refusal::Resume(ResumeError::Halted)));
    unhalt(&mut bench.world, acme, UnhaltOf::All);
    bench.world.run_for(HOUR_MS);
    assert_eq!(
        bench.status(run),
        Status::Paused,
        "somebody paused it before"
    );
    bench.resume(run);
    bench.world.run_for(2_000);
    bench.completes(run);
}

#[test]
fn a_caller_elsewhere_hears_that_the_realm_is_halted() {
    let mut bench = Bench::new(10);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.apply(lab, &[Loops::once("spend", 1_000)]);
    let control = bench
        .world
        .ask(acme, World::invoke("spend@lab", json!({"n": 1})));
    bench.world.run_for(500);
    halt(&mut bench.world, lab, HaltOf::All);
    let Response::Invoked(told) = bench.world.wait_for(acme, control) else {
        panic!("an invocation");
    };
    assert_eq!(told.result.unwrap_err().code, FailureCode::Halted);
    let refused = bench.world.call(acme, "spend@lab", json!({"n": 2}));
    assert_eq!(refused.result.unwrap_err().code, FailureCode::Halted);
    assert_eq!(bench.effects(), 1);
    unhalt(&mut bench.world, lab, UnhaltOf::All);
    bench.world.run_for(2_000);
    invariants::check(&mut bench.world);
}
