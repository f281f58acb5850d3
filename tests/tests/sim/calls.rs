//! Calls up, down and across, answered or failed with a reason, in time.

use realm_node::{ContractsOf, Request, Response};
use realm_protocol::{FailureCode, Kind, journal::Status};
use realm_tests::{Loops, Tree, World, invariants};
use serde_json::json;

#[test]
fn a_child_calls_its_parent_and_the_parent_its_child() {
    let mut world = World::new(1);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);

    let up = world.call(health, "echo@acme", json!({"say": "up"}));
    assert_eq!(up.result, Ok(json!({"say": "up"})));
    let down = world.call(acme, "echo@acme/health", json!({"say": "down"}));
    assert_eq!(down.result, Ok(json!({"say": "down"})));
    invariants::check(&mut world);
}

#[test]
fn a_grandchild_calls_across_organisations_once_it_is_allowed() {
    let mut world = World::new(2);
    let mercy = world.found("mercy");
    let cardiology = world.child(mercy, "cardiology");
    let imaging = world.child(cardiology, "imaging");
    let lab = world.found("lab");
    let genomics = world.child(lab, "genomics");
    world.peer(lab, mercy);
    world.run_for(5_000);

    let denied = world.call(imaging, "echo@lab/genomics", json!({}));
    let failure = denied.result.expect_err("not allowed yet");
    assert_eq!(failure.code, FailureCode::Denied, "{failure:?}");
    world.allow(genomics, "mercy", "echo");

    let canary = world.canary(&[imaging, genomics]);
    let permitted = world.call(imaging, "echo@lab/genomics", json!({"patient": canary}));
    assert_eq!(permitted.result, Ok(json!({"patient": canary})));
    assert_eq!(permitted.way.len(), 5);
    invariants::check(&mut world);
}

#[test]
fn the_same_seed_twice_gives_the_same_log() {
    let run = |seed| {
        let mut world = World::new(seed);
        world.faults.loss = 50;
        let acme = world.found("acme");
        let health = world.child(acme, "health");
        for n in 0..5 {
            world.call(health, "echo@acme", json!({"n": n}));
        }
        world.crash(acme);
        world.start(acme);
        world.run_for(20_000);
        world.log()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_realm_that_is_down_fails_a_call_at_once_with_offline() {
    let mut world = World::new(3);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let billing = world.child(acme, "billing");
    world.run_for(1_000);
    world.crash(billing);
    world.run_for(10_000);

    let asked = world.elapsed_ms();
    let offline = world.call(health, "echo@acme/billing", json!({}));
    assert_eq!(offline.result.unwrap_err().code, FailureCode::Offline);
    assert!(
        world.elapsed_ms() - asked < 5_000,
        "long before the deadline"
    );
    invariants::check(&mut world);
}

#[test]
fn a_realm_whose_parent_is_down_fails_a_call_with_offline() {
    let mut world = World::new(4);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.crash(acme);
    world.run_for(10_000);

    let offline = world.call(health, "echo@acme", json!({}));
    assert_eq!(offline.result.unwrap_err().code, FailureCode::Offline);
    invariants::check(&mut world);
}

#[test]
fn a_realm_that_nobody_certified_has_no_route() {
    let mut world = World::new(5);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);

    let nowhere = world.call(health, "echo@acme/nowhere", json!({}));
    assert_eq!(nowhere.result.unwrap_err().code, FailureCode::NoRoute);
    invariants::check(&mut world);
}

#[test]
fn a_call_outlives_a_short_break_of_its_way() {
    let mut world = World::new(6);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let billing = world.child(acme, "billing");
    world.apply(billing, &[Loops::once("pay", 4_000)]);
    world.run_for(1_000);

    let control = world.ask(health, World::invoke("pay@acme/billing", json!({"n": 1})));
    world.run_for(1_000);
    world.cut_once(acme, billing);
    world.run_for(1_000);
    world.cut_once(acme, health);
    let Response::Invoked(paid) = world.wait_for(health, control) else {
        panic!("not invoked");
    };
    assert_eq!(paid.result, Ok(json!({"done": {"n": 1}})));
    assert_eq!(world.effects.len(), 1);
    invariants::check(&mut world);
}

#[test]
fn a_question_who_is_at_a_place_goes_again_if_it_or_its_answer_gets_lost() {
    let mut world = World::new(61);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.child(acme, "billing");
    world.run_for(1_000);

    world.mute(health, acme, Kind::Resolve, 1);
    world.mute(acme, health, Kind::Resolved, 1);
    let asked = world.elapsed_ms();
    let call = world.call(health, "echo@acme/billing", json!({}));
    assert_eq!(call.result, Ok(json!({})));
    let took = world.elapsed_ms() - asked;
    assert!((4_000..5_000).contains(&took), "{took} ms");
    invariants::check(&mut world);
}

#[test]
fn a_call_that_takes_minutes_is_waited_for() {
    let mut world = World::new(7);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let mut slow = Loops::once("slow", 150_000);
    slow["limits"] = json!({"timeout": "300s"});
    world.apply(acme, &[slow]);
    world.run_for(1_000);

    let control = world.ask(
        health,
        World::invoke_within("slow@acme", json!({}), 300_000),
    );
    world.run_for(200_000);
    let Response::Invoked(done) = world.wait_for(health, control) else {
        panic!("not invoked");
    };
    assert_eq!(done.result, Ok(json!({"done": {}})));
    invariants::check(&mut world);
}

#[test]
fn a_call_nobody_answers_ends_at_its_deadline_whatever_happens_to_links() {
    let mut world = World::new(8);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::once("slow", 20_000)]);
    world.run_for(1_000);

    let control = world.ask(health, World::invoke_within("slow@acme", json!({}), 5_000));
    world.run_for(4_800);
    world.cut_once(acme, health);
    world.run_for(1_000);
    let Response::Invoked(late) = world.wait_for(health, control) else {
        panic!("not invoked");
    };
    assert!(late.result.is_err());
    assert!(late.duration_ms <= 5_050, "{} ms", late.duration_ms);
    world.run_for(30_000);
    invariants::check(&mut world);
}

#[test]
fn a_call_that_its_owner_cancels_is_cancelled_where_it_runs() {
    let mut world = World::new(9);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::once("slow", 20_000)]);
    world.run_for(1_000);

    let control = world.ask(health, World::invoke("slow@acme", json!({})));
    world.run_for(1_000);
    let run = *world.hosts[health.0].disk.runs.keys().last().unwrap();
    let done = world.ask_and_wait(health, Request::Cancel(run));
    assert!(matches!(done, Response::Done), "{done:?}");
    let Response::Invoked(cancelled) = world.wait_for(health, control) else {
        panic!("not invoked");
    };
    assert_eq!(cancelled.result.unwrap_err().code, FailureCode::Cancelled);
    world.run_for(1_000);
    let statuses = world.hosts[acme.0].disk.runs.values().map(|run| run.status);
    assert_eq!(statuses.collect::<Vec<_>>(), [Status::Cancelled]);
    invariants::check(&mut world);
}

#[test]
fn a_composite_calls_another_realm_in_a_step() {
    let mut world = World::new(10);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let billing = world.child(acme, "billing");
    world.apply(billing, &[Loops::once("pay", 100)]);
    world.apply(
        health,
        &[Loops::composite("both", &["echo", "pay@acme/billing"])],
    );
    world.run_for(1_000);

    let both = world.call(acme, "both@acme/health", json!({"n": 3}));
    assert_eq!(both.result, Ok(json!({"done": {"n": 3}})));
    invariants::check(&mut world);
}

#[test]
fn a_loop_that_fails_says_so_to_the_caller() {
    let mut world = World::new(11);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::failing("fails")]);
    world.run_for(1_000);

    let failed = world.call(health, "fails@acme", json!({}));
    assert_eq!(failed.result.unwrap_err().code, FailureCode::LoopFailed);
    let wrong = world.call(health, "fails@acme", json!(["not an object"]));
    assert_eq!(wrong.result.unwrap_err().code, FailureCode::SchemaInput);
    invariants::check(&mut world);
}

#[test]
fn contracts_show_only_what_policy_lets_the_asker_discover() {
    let mut world = World::new(12);
    let acme = world.found("acme");
    let lab = world.found("lab");
    let genomics = world.child(lab, "genomics");
    world.peer(lab, acme);
    world.run_for(1_000);
    world.apply(
        genomics,
        &[Loops::once("open", 1), Loops::once("hidden", 1)],
    );
    world.allow(genomics, "acme", "open");
    world.run_for(5_000);

    let asked = ContractsOf {
        realm: "lab/genomics".parse().unwrap(),
        loop_id: None,
    };
    match world.ask_and_wait(acme, Request::Contracts(asked)) {
        Response::Contracts(contracts) => {
            let ids: Vec<_> = contracts.iter().map(|c| c.loop_id.as_str()).collect();
            assert_eq!(ids, ["open"]);
        }
        other => panic!("{other:?}"),
    }
    invariants::check(&mut world);
}

#[test]
fn a_ping_measures_the_way_to_another_organisation() {
    let mut world = World::new(13);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.run_for(5_000);

    match world.ask_and_wait(health, Request::Ping("lab".parse().unwrap())) {
        Response::Pong { way, .. } => assert_eq!(way.len(), 3),
        other => panic!("{other:?}"),
    }
    invariants::check(&mut world);
}

#[test]
fn a_callee_that_restarted_still_takes_calls_from_a_deep_foreign_realm() {
    let mut world = World::new(14);
    let mercy = world.found("mercy");
    let cardiology = world.child(mercy, "cardiology");
    let imaging = world.child(cardiology, "imaging");
    let lab = world.found("lab");
    world.peer(lab, mercy);
    world.allow(lab, "mercy", "echo");
    world.run_for(5_000);
    let before = world.call(imaging, "echo@lab", json!({}));
    assert_eq!(before.result, Ok(json!({})));

    world.crash(lab);
    world.start(lab);
    world.run_for(40_000);
    let after = world.call(imaging, "echo@lab", json!({}));
    assert_eq!(after.result, Ok(json!({})));
    assert!(after.duration_ms < 1_000, "{} ms", after.duration_ms);
    invariants::check(&mut world);
}
