//! Idempotency keys: at most one effect, and the same answer again.

use realm_executor::Decision;
use realm_node::{Request, Response};
use realm_protocol::{
    FailureCode,
    journal::{Status, Table},
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

fn two_realms(seed: u64, loops: &[Value]) -> (World, HostId, HostId) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, loops);
    world.run_for(1_000);
    (world, acme, health)
}

fn keyed(input: Value, key: &str) -> Request {
    let Request::Invoke(mut asked) = World::invoke("pay@acme", input) else {
        unreachable!()
    };
    asked.key = Some(key.to_owned());
    Request::Invoke(asked)
}

fn invoked(response: Response) -> realm_node::Invocation {
    match response {
        Response::Invoked(invocation) => *invocation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_repeated_key_is_answered_with_the_first_answer() {
    let (mut world, _, health) = two_realms(20, &[Loops::once("pay", 10)]);
    let first = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    let again = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    assert_eq!(first.result, again.result);
    assert!(!first.replayed && again.replayed);
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    invariants::check(&mut world);
}

#[test]
fn a_repeated_key_joins_the_running_call() {
    let (mut world, _, health) = two_realms(21, &[Loops::once("pay", 2_000)]);
    let first = world.ask(health, keyed(json!({"n": 1}), "a"));
    world.run_for(500);
    let again = world.ask(health, keyed(json!({"n": 1}), "a"));
    let first = invoked(world.wait_for(health, first));
    let again = invoked(world.wait_for(health, again));
    assert_eq!(first.result, Ok(json!({"done": {"n": 1}})));
    assert_eq!(first.result, again.result);
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    invariants::check(&mut world);
}

#[test]
fn cancelling_one_of_two_callers_under_a_key_leaves_the_other_its_answer() {
    let (mut world, _, health) = two_realms(22, &[Loops::once("pay", 2_000)]);
    let first = world.ask(health, keyed(json!({"n": 1}), "a"));
    world.run_for(500);
    let run = *world.hosts[health.0].disk.runs.keys().last().unwrap();
    let again = world.ask(health, keyed(json!({"n": 1}), "a"));
    world.run_for(500);
    world.ask_and_wait(health, Request::Cancel(run));
    let first = invoked(world.wait_for(health, first));
    assert_eq!(first.result.unwrap_err().code, FailureCode::Cancelled);
    let again = invoked(world.wait_for(health, again));
    assert_eq!(again.result, Ok(json!({"done": {"n": 1}})));
    invariants::check(&mut world);
}

#[test]
fn a_key_that_a_restore_may_have_forgotten_is_not_begun_anew() {
    let (mut world, acme, health) = two_realms(33, &[Loops::once("pay", 10)]);
    let backup = world.hosts[acme.0].disk.copy();
    let first = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    assert!(first.result.is_ok(), "{first:?}");
    world.crash(acme);
    world.hosts[acme.0].disk = backup.restored();
    world.start(acme);
    world.run_for(60_000);

    let again = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    world.crash_for(acme, 1_000);
    world.run_for(60_000);
    let restarted = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));

    for refused in [again, restarted] {
        let failure = refused.result.unwrap_err();
        assert_eq!(failure.code, FailureCode::LoopFailed, "{failure:?}");
    }
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    world.run_for(5 * 60_000);
    let later = invoked(world.ask_and_wait(health, keyed(json!({"n": 2}), "b")));
    assert!(later.result.is_ok(), "{later:?}");
}

#[test]
fn a_key_for_another_input_is_refused() {
    let (mut world, _, health) = two_realms(23, &[Loops::once("pay", 10)]);
    invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    let other = invoked(world.ask_and_wait(health, keyed(json!({"n": 2}), "a")));
    assert_eq!(other.result.unwrap_err().code, FailureCode::KeyReused);
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    invariants::check(&mut world);
}

#[test]
fn two_calls_under_one_key_at_the_same_moment_have_one_effect() {
    let (mut world, _, health) = two_realms(24, &[Loops::once("pay", 10)]);
    world.faults.disk_ms = 40;
    let controls: Vec<_> = (0..4)
        .map(|_| world.ask(health, keyed(json!({"n": 1}), "a")))
        .collect();
    for control in controls {
        let done = invoked(world.wait_for(health, control));
        assert_eq!(done.result, Ok(json!({"done": {"n": 1}})));
    }
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    invariants::check(&mut world);
}

#[test]
fn callers_that_ask_while_a_key_is_looked_up_share_the_fate_of_the_first() {
    let mut pay = Loops::once("pay", 2_000);
    pay["limits"] = json!({"concurrency": 1});
    let (mut world, _, health) = two_realms(25, &[pay]);
    world.faults.disk_ms = 40;
    let busy = world.ask(health, keyed(json!({"n": 0}), "busy"));
    world.run_for(300);
    let controls: Vec<_> = (0..2)
        .map(|_| world.ask(health, keyed(json!({"n": 1}), "a")))
        .collect();
    for control in controls {
        let done = invoked(world.wait_for(health, control));
        if let Err(failure) = done.result {
            assert_eq!(failure.code, FailureCode::Overloaded, "{failure:?}");
        }
    }
    invoked(world.wait_for(health, busy));
    invariants::check(&mut world);
}

#[test]
fn a_once_call_interrupted_by_a_crash_is_not_run_again() {
    let (mut world, acme, health) = two_realms(26, &[Loops::once("pay", 5_000)]);
    let control = world.ask(health, keyed(json!({"n": 1}), "a"));
    world.run_for(1_000);
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    world.crash(acme);
    world.start(acme);
    let failed = invoked(world.wait_for(health, control)).result.unwrap_err();
    assert_eq!(failed.code, FailureCode::LoopFailed, "{failed:?}");
    assert!(failed.message.contains("interrupted"), "{failed:?}");
    assert_eq!(world.effects.values().sum::<u64>(), 1);

    // Somebody at the callee finds out what it did; then the caller is told so, too.
    let paused = world.hosts[acme.0].disk.runs.values();
    let mut paused = paused.filter(|run| run.status == Status::Paused);
    let run = paused.next().unwrap().id;
    let gave = Decision::Output(json!({"paid": true}));
    let resumed = world.ask_and_wait(acme, Request::Resume(run, Some(gave)));
    assert!(matches!(resumed, Response::Done), "{resumed:?}");
    let control = world.ask(health, keyed(json!({"n": 1}), "a"));
    let told = invoked(world.wait_for(health, control));
    assert_eq!(told.result.unwrap(), json!({"paid": true}));
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    invariants::check(&mut world);
}

#[test]
fn a_key_whose_record_does_not_read_is_not_begun_anew() {
    let (mut world, acme, health) = two_realms(36, &[Loops::once("pay", 10)]);
    invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    world.crash(acme);
    for record in world.hosts[acme.0].disk.rows_mut(Table::Keys) {
        record.truncate(record.len() / 2);
    }
    world.start(acme);

    let again = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    let other = invoked(world.ask_and_wait(health, keyed(json!({"n": 2}), "b")));

    let failed = again.result.unwrap_err();
    assert_eq!(failed.code, FailureCode::LoopFailed, "{failed:?}");
    assert!(failed.message.contains("interrupted"), "{failed:?}");
    assert_eq!(other.result, Ok(json!({"done": {"n": 2}})));
    assert_eq!(world.effects.values().sum::<u64>(), 2);
    invariants::check(&mut world);
}

/// Stops a host in the middle of its runs, so that none of them can go on.
fn break_off(world: &mut World, id: HostId) {
    world.run_for(1_000);
    world.crash(id);
    for run in world.hosts[id.0].disk.runs.values_mut() {
        run.resume = None;
    }
    world.start(id);
}

#[test]
fn a_key_that_was_left_open_is_served_by_the_effects_that_its_loop_has_now() {
    let (mut world, acme, _) = two_realms(37, &[Loops::idempotent("pay", 3_000)]);
    world.ask(acme, keyed(json!({"n": 1}), "a"));
    break_off(&mut world, acme);
    world.apply(acme, &[Loops::once("pay", 3_000)]);
    // What was idempotent may be done again, and counts from now on.
    world.ask(acme, keyed(json!({"n": 1}), "a"));
    break_off(&mut world, acme);

    let third = invoked(world.ask_and_wait(acme, keyed(json!({"n": 1}), "a")));

    let failed = third.result.unwrap_err();
    assert_eq!(failed.code, FailureCode::LoopFailed, "{failed:?}");
    assert!(failed.message.contains("interrupted"), "{failed:?}");
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    invariants::check(&mut world);
}

#[test]
fn an_idempotent_call_interrupted_by_a_crash_is_run_again() {
    let (mut world, acme, health) = two_realms(27, &[Loops::idempotent("pay", 3_000)]);
    let control = world.ask(health, keyed(json!({"n": 1}), "a"));
    world.run_for(1_000);
    world.crash(acme);
    world.start(acme);
    let done = invoked(world.wait_for(health, control));
    assert_eq!(done.result, Ok(json!({"done": {"n": 1}})));
    world.effects.clear();
    invariants::check(&mut world);
}

#[test]
fn an_answer_is_given_again_after_the_callee_has_restarted() {
    let (mut world, acme, health) = two_realms(28, &[Loops::once("pay", 10)]);
    let first = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    world.crash(acme);
    world.start(acme);
    world.run_for(30_000);
    let again = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    assert_eq!(first.result, again.result);
    assert!(again.replayed);
    assert_eq!(world.effects.values().sum::<u64>(), 1);
    invariants::check(&mut world);
}

#[test]
fn what_a_caller_was_told_of_an_effect_is_still_in_its_trace_after_a_crash() {
    for (seed, pay) in [
        (34, Loops::once("pay", 10)),
        (35, Loops::idempotent("pay", 10)),
    ] {
        let (mut world, _, health) = two_realms(seed, &[pay]);
        let told = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));

        world.crash(health);
        world.start(health);

        let run = &world.hosts[health.0].disk.runs[&told.run];
        assert_eq!(run.status, Status::Completed, "{run:?}");
        invariants::check(&mut world);
    }
}

#[test]
fn a_key_is_known_for_seven_days() {
    let (mut world, acme, health) = two_realms(29, &[Loops::once("pay", 10)]);
    invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    for _ in 0..6 {
        world.leap(24 * 3_600_000);
        world.run_for(60_000);
    }
    world.crash(acme);
    world.start(acme);
    world.run_for(40_000);
    let again = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    assert!(again.replayed, "{again:?}");
    invariants::check(&mut world);
}

#[test]
fn a_broken_disk_promises_nothing() {
    let (mut world, acme, health) = two_realms(30, &[Loops::once("pay", 10)]);
    world.hosts[acme.0].disk.broken = true;
    let failed = invoked(world.ask_and_wait(health, keyed(json!({"n": 1}), "a")));
    assert!(failed.result.is_err());
    assert_eq!(world.effects.len(), 0);
    let local = invoked(world.ask_and_wait(acme, World::invoke("pay", json!({"n": 2}))));
    assert_eq!(local.result.unwrap_err().code, FailureCode::StoreFailed);
    world.run_for(60_000);
    invariants::check(&mut world);
}
