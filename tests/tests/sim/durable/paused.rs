//! Runs that stand still, because somebody said so or because a tool's work is unknown.

use realm_executor::{Decision, ResumeError};
use realm_node::{Refusal, RemoveAsked, Request, Response};
use realm_protocol::{journal::Status, limits};
use realm_tests::{Loops, Tree, World, invariants};
use serde_json::json;

use super::bench::{Bench, call, composite, refusal, retried};

const HOUR_MS: u64 = 3_600_000;

#[test]
fn a_paused_run_is_given_its_time_back_over_restarts() {
    let tools = [Loops::once("spend", 1_000)];
    let mut main = composite("main", json!([call("spend", "a"), call("spend", "b")]));
    main["limits"] = json!({"timeout": "10s"});
    let mut bench = Bench::new(1);
    let acme = bench.acme;
    bench.world.apply(acme, &[tools[0].clone(), main]);
    let run = bench.begin(json!({"n": 1}), 500);
    bench.pause(run);
    bench.world.run_for(HOUR_MS);
    bench.restart(acme, HOUR_MS);
    assert_eq!(bench.status(run), Status::Paused);
    bench.world.run_for(HOUR_MS);
    bench.restart(acme, HOUR_MS);
    bench.world.run_for(HOUR_MS);
    assert_eq!(bench.status(run), Status::Paused);
    bench.resume(run);
    bench.world.run_for(10_000);
    assert_eq!(bench.effects(), 2);
    bench.completes(run);
}

#[test]
fn a_question_may_be_answered_days_and_restarts_later() {
    let tools = [Loops::once("spend", 1_000)];
    let steps = json!([call("spend", "a"), call("spend", "b")]);
    let mut bench = Bench::with(2, &tools, steps);
    let acme = bench.acme;
    let run = bench.begin(json!({"n": 1}), 500);
    bench.restart(acme, 100);
    bench.world.run_for(30 * HOUR_MS);
    bench.restart(acme, HOUR_MS);
    bench.world.run_for(HOUR_MS);
    assert_eq!(bench.status(run), Status::Paused);
    assert_eq!(bench.world.resume_all(), 1);
    bench.world.run_for(10_000);
    assert_eq!(bench.effects(), 2);
    bench.completes(run);
}

#[test]
fn two_questions_of_parallel_branches_are_answered_one_by_one() {
    let tools = [Loops::once("spend", 1_000)];
    let steps = json!([
        {"parallel": [call("spend", "left"), call("spend", "right")]}, call("spend", "after"),
    ]);
    let mut bench = Bench::with(3, &tools, steps);
    let acme = bench.acme;
    let run = bench.begin(json!({"n": 1}), 500);
    assert_eq!(bench.effects(), 2);
    bench.restart(acme, 100);
    let mut questions = Vec::new();
    for _ in 0..2 {
        // What a person has said is not asked again.
        bench.restart(acme, 100);
        assert_eq!(bench.status(run), Status::Paused);
        let asked = bench.world.ask_and_wait(acme, Request::Resume(run, None));
        let Refusal::Resume(ResumeError::Undecided { call }) = refusal(asked) else {
            panic!("a question")
        };
        questions.push(call);
        bench.world.resume_all();
        bench.world.run_for(100);
    }
    assert_ne!(questions[0], questions[1]);
    bench.world.run_for(5_000);
    assert_eq!(bench.effects(), 3);
    bench.completes(run);
}

#[test]
fn a_machine_beside_another_question_keeps_what_a_person_said() {
    let mut turns = json!({
        "id": "turns", "version": "1.0.0", "kind": "machine",
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "machine": {"loopId": "turn"},
    });
    turns["machine"]["maxSteps"] = json!(5);
    let turn = super::bench::program("turn", "step", 1_000);
    let tools = [Loops::once("spend", 1_000), turn, turns];
    let steps = json!([{"parallel": [call("turns", "left"), call("spend", "right")]}]);
    let mut bench = Bench::with(4, &tools, steps);
    let acme = bench.acme;
    let run = bench.begin(json!({"n": 1}), 500);
    bench.restart(acme, 100);
    let mut asked = Vec::new();
    while bench.status(run) != Status::Completed {
        assert!(asked.len() < 4, "the same is asked again: {asked:?}");
        let response = bench.world.ask_and_wait(acme, Request::Resume(run, None));
        if let Refusal::Resume(ResumeError::Undecided { call }) = refusal(response) {
            asked.push(call);
        }
        bench.world.resume_all();
        bench.restart(acme, 100);
        bench.world.run_for(5_000);
    }
    let distinct: std::collections::BTreeSet<_> = asked.iter().collect();
    assert_eq!(distinct.len(), asked.len(), "{asked:?}");
    bench.completes(run);
}

#[test]
fn a_decision_needs_a_question_and_a_question_a_decision() {
    let tools = [Loops::once("spend", 60_000)];
    let mut bench = Bench::with(5, &tools, json!([call("spend", "a")]));
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 500));
    let not_paused = bench.world.ask_and_wait(acme, Request::Resume(run, None));
    let not_paused = refusal(not_paused);
    assert!(matches!(
        not_paused,
        Refusal::Resume(ResumeError::NotPaused)
    ));
    bench.pause(run);
    let again = Request::Resume(run, Some(Decision::Again));
    let nothing = refusal(bench.world.ask_and_wait(acme, again));
    assert!(matches!(
        nothing,
        Refusal::Resume(ResumeError::NothingToDecide)
    ));
    bench.resume(run);
    bench.world.run_for(70_000);
    bench.completes(run);
}

#[test]
fn a_paused_run_takes_a_remote_answer_and_begins_nothing() {
    let steps = json!([call("spend@lab", "there"), call("spend", "here")]);
    let mut bench = Bench::with(6, &[Loops::once("spend", 10)], steps);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.apply(lab, &[Loops::once("spend", 3_000)]);
    let run = bench.begin(json!({"n": 1}), 1_000);
    bench.pause(run);
    bench.world.run_for(HOUR_MS);
    assert_eq!(bench.effects(), 1, "the other realm's alone");
    assert_eq!(bench.status(run), Status::Paused);
    bench.restart(acme, 1_000);
    bench.resume(run);
    bench.world.run_for(5_000);
    assert_eq!(bench.effects(), 2);
    bench.completes(run);
}

#[test]
fn a_paused_run_goes_on_with_the_revision_it_began_with() {
    for restarted in [false, true] {
        for removed in [false, true] {
            let steps = json!([{"wait": "10s"}, call("spend", "old")]);
            let mut bench = Bench::with(7, &[Loops::once("spend", 10)], steps);
            let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 500));
            bench.pause(run);
            if removed {
                let asked = RemoveAsked {
                    id: "main".parse().unwrap(),
                    version: None,
                    force: true,
                    by: "owner".to_owned(),
                };
                bench.world.ask_and_wait(acme, Request::RemoveLoop(asked));
            } else {
                let mut newer = composite("main", json!([call("spend", "new")]));
                newer["version"] = json!("2.0.0");
                bench.world.apply(acme, &[newer]);
            }
            if restarted {
                bench.restart(acme, 1_000);
            }
            bench.resume(run);
            bench.world.run_for(20_000);
            let effects: Vec<&String> = bench.world.effects.keys().collect();
            let what = format!("restarted {restarted}, removed {removed}");
            assert_eq!(effects.len(), 1, "{what}: {:?}", bench.error(run));
            assert!(effects[0].contains("old"), "{what}: {effects:?}");
            bench.completes(run);
        }
    }
}

#[test]
fn a_paused_run_keeps_its_revisions_however_many_newer_ones_there_are() {
    let inner = |tag: &str| composite("inner", json!([{"wait": "10s"}, call("spend", tag)]));
    let tools = [Loops::once("spend", 10), inner("old")];
    let mut bench = Bench::with(10, &tools, json!([{"loopId": "inner"}]));
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 500));
    bench.pause(run);
    for newer in 0..2 * limits::LOOP_REVISIONS {
        bench.world.apply(acme, &[inner(&format!("newer-{newer}"))]);
    }
    bench.restart(acme, 1_000);
    // Nothing of it has been looked up since, and it is spared all the same.
    for newer in 0..2 * limits::LOOP_REVISIONS {
        bench
            .world
            .apply(acme, &[inner(&format!("newest-{newer}"))]);
    }
    bench.restart(acme, 1_000);
    bench.resume(run);
    bench.world.run_for(20_000);
    let effects: Vec<&String> = bench.world.effects.keys().collect();
    assert_eq!(effects.len(), 1, "{:?}", bench.error(run));
    assert!(effects[0].contains("old"), "{effects:?}");
    bench.completes(run);
}

#[test]
fn another_realm_that_has_forgotten_a_call_meanwhile_is_not_asked_to_do_it_again() {
    let mut step = retried("spend@lab", "there", 4);
    step["timeout"] = json!("30s");
    let mut main = composite("main", json!([step]));
    main["limits"] = json!({"timeout": "10d"});
    let mut bench = Bench::new(11);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.apply(acme, &[main]);
    bench.world.apply(lab, &[Loops::once("spend", 3_000)]);
    let run = bench.begin(json!({"n": 1}), 1_000);
    bench.world.silence(acme, lab);
    bench.pause(run);
    bench.world.run_for(60_000);
    bench.world.heal(acme, lab);
    for _ in 0..8 {
        bench.world.run_for(24 * HOUR_MS);
    }
    bench.resume(run);
    bench.world.run_for(60_000);

    assert_eq!(bench.effects(), 1);
    assert_eq!(bench.status(run), Status::Paused, "{:?}", bench.error(run));
    let gave = Request::Resume(run, Some(Decision::Output(json!({"done": true}))));
    assert!(matches!(
        bench.world.ask_and_wait(acme, gave),
        Response::Done
    ));
    bench.world.run_for(1_000);
    assert_eq!(bench.effects(), 1);
    bench.completes(run);
}

#[test]
fn runs_that_stand_still_leave_their_callers_room_for_others() {
    let mut bench = Bench::new(12);
    let (acme, lab) = (bench.acme, bench.lab);
    let tools = [Loops::once("spend", 1_000), Loops::idempotent("again", 10)];
    bench.world.apply(lab, &tools);
    for n in 0..=limits::CALLS_PER_PEER {
        bench
            .world
            .ask(acme, World::invoke("spend@lab", json!({"n": n})));
        bench.world.run_for(500);
        bench.restart(lab, 100);
        bench.world.run_for(1_000);
    }
    let runs = bench.world.hosts[lab.0].disk.runs.values();
    let paused = runs.filter(|run| run.status == Status::Paused).count();
    assert_eq!(paused, limits::CALLS_PER_PEER + 1);

    let other = World::invoke("again@lab", json!({"n": 0}));
    let answer = bench.world.ask_and_wait(acme, other);
    assert!(
        matches!(&answer, Response::Invoked(ended) if ended.result.is_ok()),
        "{answer:?}"
    );
    assert_eq!(bench.world.resume_all(), limits::CALLS_PER_PEER + 1);
}

#[test]
fn a_paused_run_can_be_cancelled() {
    let mut bench = Bench::with(
        8,
        &[Loops::once("spend", 1_000)],
        json!([call("spend", "a")]),
    );
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 500));
    bench.restart(acme, 100);
    assert_eq!(bench.status(run), Status::Paused);
    bench.world.ask_and_wait(acme, Request::Cancel(run));
    bench.world.run_for(1_000);
    assert_eq!(bench.status(run), Status::Cancelled);
    assert_eq!(bench.effects(), 1);
    invariants::check(&mut bench.world);
}

#[test]
fn a_run_that_is_cancelled_in_a_pause_between_attempts_makes_no_other() {
    let steps = json!([retried("breaks", "a", 5)]);
    let mut breaks = Loops::failing("breaks");
    breaks["effects"] = json!("idempotent");
    let mut bench = Bench::with(9, &[breaks], steps);
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 300));
    assert_eq!(bench.count(run, "call.retried"), 1);
    bench.world.ask_and_wait(acme, Request::Cancel(run));
    bench.world.run_for(10_000);
    assert_eq!(bench.status(run), Status::Cancelled);
    assert_eq!(bench.effects(), 1);
    invariants::check(&mut bench.world);
}
