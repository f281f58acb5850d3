//! What goes wrong around a run: tools that hang, realms that vanish, clocks that jump, full disks.

use realm_protocol::journal::Status;
use realm_tests::{Loops, Tree, World, invariants};
use serde_json::{Value, json};

use super::bench::{Bench, call, composite, program, retried};

const HOUR_MS: u64 = 3_600_000;

#[test]
fn a_mapping_to_a_missing_field_ends_the_run_and_says_which() {
    let mut step = call("spend", "a");
    step["inputMapping"]["amount"] = json!("$.input.amount");
    let mut bench = Bench::with(20, &[Loops::once("spend", 10)], json!([step]));
    let run = bench.begin(json!({"n": 1}), 1_000);
    assert_eq!(bench.effects(), 0);
    bench.fails(run, "SchemaInput", "step 0 (`spend`)");
}

#[test]
fn a_step_that_hangs_is_stopped_at_its_time() {
    let mut step = call("spend", "a");
    step["timeout"] = json!("2s");
    let mut bench = Bench::with(21, &[Loops::once("spend", HOUR_MS)], json!([step]));
    let run = bench.begin(json!({"n": 1}), 3_000);
    bench.fails(run, "Timeout", "within 2000 ms");
}

#[test]
fn a_late_answer_is_not_taken_for_another_attempt() {
    let mut step = retried("see", "a", 3);
    step["timeout"] = json!("1s");
    let mut bench = Bench::with(22, &[Loops::idempotent("see", 2_500)], json!([step]));
    bench.world.deaf = true;
    let run = bench.begin(json!({"n": 1}), 20_000);
    assert_eq!(bench.count(run, "call.retried"), 2);
    assert_eq!(bench.count(run, "call.tool.returned"), 0);
    bench.fails(run, "Timeout", "within 1000 ms");
}

#[test]
fn a_realm_that_vanishes_while_a_run_waits_for_it_may_come_back() {
    let mut there = retried("see@lab", "there", 9);
    there["retry"]["delay"] = json!("5s");
    let steps = json!([there, call("spend", "here")]);
    let mut bench = Bench::with(23, &[Loops::once("spend", 10)], steps);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.apply(lab, &[Loops::idempotent("see", 3_000)]);
    let run = bench.begin(json!({"n": 1}), 1_000);
    bench.restart(lab, 8_000);
    bench.world.silence(acme, lab);
    bench.world.run_for(15_000);
    bench.world.heal(acme, lab);
    bench.world.run_for(90_000);
    assert_eq!(bench.effects(), 1, "{:?}", bench.error(run));
    bench.completes(run);
}

#[test]
fn what_a_realm_was_asked_before_it_vanished_is_not_done_twice() {
    let steps = json!([retried("spend@lab", "there", 4)]);
    let mut bench = Bench::with(24, &[], steps);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.apply(lab, &[Loops::once("spend", 40_000)]);
    let run = bench.begin(json!({"n": 1}), 1_000);
    bench.world.silence(acme, lab);
    bench.world.run_for(2 * 60_000);
    bench.world.heal(acme, lab);
    bench.world.run_for(5 * 60_000);
    assert_eq!(bench.effects(), 1);
    assert_ne!(bench.status(run), Status::Running);
    invariants::check(&mut bench.world);
}

#[test]
fn a_composite_is_not_tried_again_once_it_has_spent() {
    let inner = composite(
        "inner",
        json!([call("spend", "a"), call("far@nowhere", "b")]),
    );
    let steps = json!([retried("inner", "x", 3)]);
    let mut bench = Bench::with(25, &[Loops::once("spend", 10), inner], steps);
    let run = bench.begin(json!({"n": 1}), 20_000);
    assert_eq!(bench.effects(), 1);
    bench.fails(run, "NoRoute", "step 1 failed");
}

#[test]
fn a_composite_that_has_spent_nothing_is_tried_again() {
    let inner = composite(
        "inner",
        json!([call("far@nowhere", "b"), call("spend", "a")]),
    );
    let steps = json!([retried("inner", "x", 3)]);
    let mut bench = Bench::with(26, &[Loops::once("spend", 10), inner], steps);
    let run = bench.begin(json!({"n": 1}), 20_000);
    assert_eq!(bench.count(run, "call.retried"), 2);
    bench.fails(run, "NoRoute", "step 0 failed");
}

#[test]
fn attempts_end_when_nobody_waits_any_more() {
    let mut slow = program("slow", "balk", 4_000);
    slow["effects"] = json!("idempotent");
    slow["retry"] = json!({"attempts": 9, "delay": "1s", "backoff": "fixed", "on": ["business"]});
    let mut bench = Bench::new(27);
    bench.world.apply(bench.acme, &[slow]);
    let asked = World::invoke_within("slow@acme", json!({"n": 1}), 10_000);
    let control = bench.world.ask(bench.acme, asked);
    bench.world.run_for(11_000);
    assert!(bench.world.outcomes.contains_key(&(bench.acme, control)));
    invariants::check(&mut bench.world);
}

#[test]
fn a_pause_between_attempts_lasts_over_a_restart() {
    let mut step = retried("breaks", "a", 3);
    step["retry"]["delay"] = json!("2m");
    step["retry"]["maxDelay"] = json!("2m");
    step["timeout"] = json!("5s");
    let mut breaks = program("breaks", "balk", 10);
    breaks["effects"] = json!("idempotent");
    let mut main = composite("main", json!([step]));
    main["limits"] = json!({"timeout": "1h"});
    let mut bench = Bench::new(28);
    let acme = bench.acme;
    bench.world.apply(acme, &[breaks, main]);
    let run = bench.begin(json!({"n": 1}), 500);
    for _ in 0..2 {
        bench.restart(acme, 30_000);
        assert_eq!(bench.status(run), Status::Running);
        bench.world.run_for(2 * 60_000);
    }
    assert_eq!(bench.count(run, "call.tool.invoked"), 3);
    bench.fails(run, "LoopFailed", "it fails");
}

#[test]
fn a_timer_that_fell_due_while_nobody_was_there_goes_off_at_the_start() {
    let steps = json!([{"wait": "3d"}, call("spend", "a")]);
    let mut bench = Bench::with(29, &[Loops::once("spend", 10)], steps);
    let acme = bench.acme;
    let run = bench.begin(json!({"n": 1}), 500);
    bench.restart(acme, 30 * HOUR_MS);
    assert_eq!(bench.status(run), Status::Running);
    bench.restart(acme, 80 * HOUR_MS);
    bench.world.run_for(1_000);
    assert_eq!(bench.effects(), 1);
    // The peer's keys have gone out of date meanwhile.
    bench.world.run_for(60_000);
    bench.completes(run);
}

#[test]
fn a_wait_that_is_over_does_not_come_again() {
    let steps = json!([
        {"wait": "1h"}, call("spend", "a"), {"wait": "1h"}, call("spend", "b"),
        {"wait": "10s"}, call("spend", "c"),
    ]);
    let mut bench = Bench::with(30, &[Loops::once("spend", 1_000)], steps);
    let acme = bench.acme;
    let run = bench.begin(json!({"n": 1}), HOUR_MS + 5_000);
    assert_eq!(bench.effects(), 1);
    // Between two waits, the pause and its end are written over what is known of the first.
    bench.restart(acme, 1_000);
    bench.world.run_for(HOUR_MS - 10_000);
    bench.world.run_for(6_500);
    bench.pause(run);
    bench.resume(run);
    bench.restart(acme, 1_000);
    bench.world.resume_all();
    bench.world.run_for(30_000);
    assert_eq!(bench.effects(), 3);
    bench.completes(run);
}

#[test]
fn a_wall_clock_that_jumps_while_a_run_waits_moves_no_timer() {
    for jump in [HOUR_MS as i64, -(HOUR_MS as i64)] {
        let steps = json!([{"wait": "10m"}, call("spend", "a")]);
        let mut bench = Bench::with(31, &[Loops::once("spend", 10)], steps);
        let run = bench.begin(json!({"n": 1}), 500);
        bench.world.hosts[bench.acme.0].clock_offset = jump;
        bench.world.run_for(9 * 60_000);
        assert_eq!(bench.effects(), 0);
        bench.world.run_for(2 * 60_000);
        bench.world.hosts[bench.acme.0].clock_offset = 0;
        assert_eq!(bench.effects(), 1);
        bench.completes(run);
    }
}

#[test]
fn a_wall_clock_that_jumps_across_a_restart_leaves_a_run_that_ends() {
    for jump in [HOUR_MS as i64, -(HOUR_MS as i64)] {
        let steps = json!([{"wait": "10m"}, call("spend", "a")]);
        let mut bench = Bench::with(32, &[Loops::once("spend", 10)], steps);
        let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 500));
        bench.world.hosts[acme.0].clock_offset = jump;
        bench.restart(acme, 1_000);
        bench.world.run_for(2 * HOUR_MS);
        bench.world.hosts[acme.0].clock_offset = 0;
        bench.world.run_for(60_000);
        assert!(bench.run(run).ended.is_some(), "{:?}", bench.run(run));
        invariants::check(&mut bench.world);
    }
}

#[test]
fn a_full_disk_at_any_entry_leaves_a_run_that_ends_with_room() {
    let everything = || {
        json!([
            call("spend", "a"),
            {"parallel": [call("spend", "b"), call("see@lab", "c")]},
            {"wait": "1s"},
            call("spend@lab", "d"),
        ])
    };
    let tools = [Loops::once("spend", 50), Loops::idempotent("see", 50)];
    let mut at = 1;
    loop {
        let mut bench = Bench::with(33, &tools, everything());
        let (acme, lab) = (bench.acme, bench.lab);
        bench.world.apply(lab, &tools);
        let before = bench.world.hosts[acme.0].disk.durable().0;
        let run = bench.begin(json!({"n": 1}), 3);
        let mut left = 10_000;
        while bench.world.hosts[acme.0].disk.durable().0 < before + at && left > 0 {
            bench.world.run_for(1);
            left -= 1;
        }
        if left == 0 {
            assert!(at > 5, "{at} entries are too few");
            return bench.completes(run);
        }
        bench.world.hosts[acme.0].disk.broken = true;
        bench.world.run_for(5_000);
        bench.world.hosts[acme.0].disk.broken = false;
        bench.restart(acme, 1_000);
        for _ in 0..6 {
            bench.world.run_for(60_000);
            bench.world.resume_all();
        }
        assert!(bench.run(run).ended.is_some(), "full at entry {at}");
        invariants::check(&mut bench.world);
        at += 1;
    }
}

#[test]
fn loops_of_two_realms_that_call_each_other_in_a_circle_end_with_the_depth_error() {
    let back = json!([{"parallel": [call("main@acme", "y")]}]);
    let mut bench = Bench::with(34, &[], json!([{"loopId": "back@lab"}]));
    let (lab, acme) = (bench.lab, bench.acme);
    bench.world.apply(lab, &[composite("back", back)]);
    bench.world.allow(acme, "lab", "*");
    let run = bench.begin(json!({"n": 1}), 60_000);
    bench.fails(run, "Budget", "nested too deep");
}

#[test]
fn nesting_ends_with_the_depth_error_at_the_limit() {
    let mut loops: Vec<Value> = (0..100)
        .map(|level| {
            let next = format!("level-{}", level + 1);
            composite(&format!("level-{level}"), json!([{"loopId": next}]))
        })
        .collect();
    loops.push(Loops::once("level-100", 10));
    let mut bench = Bench::with(35, &loops, json!([{"loopId": "level-0"}]));
    let run = bench.begin(json!({"n": 1}), 2_000);
    assert_eq!(bench.effects(), 0);
    bench.fails(run, "Budget", "nested too deep");
}
