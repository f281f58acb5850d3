//! Who fails too often is left alone for a while.

use realm_executor::{BreakerBounds, Standing};
use realm_node::{CallFailure, Request, ResetAsked, Response};
use realm_protocol::{FailureCode, audit::AuditOutcome, limits};
use realm_tests::{HostId, Loops, Tree, World, audit, invariants};
use serde_json::{Value, json};

/// A realm whose agent is down, and has failed so often that its breaker is open.
fn broken(seed: u64) -> (World, HostId) {
    let mut world = World::new(seed);
    let lab = world.found("lab");
    world.apply(lab, &[Loops::once("note", 2_000)]);
    world.hosts[lab.0].agents_down = true;
    for n in 0..10 {
        let failure = fails(&mut world, lab, "note", json!({"n": n}));
        assert!(!failure.message.contains("breaker"), "{failure:?}");
    }
    (world, lab)
}

fn fails(world: &mut World, id: HostId, address: &str, input: Value) -> CallFailure {
    world.call(id, address, input).result.unwrap_err()
}

/// The breakers that are open, each with its reason.
fn opened(world: &World, id: HostId) -> Vec<String> {
    let views = world.hosts[id.0].node().breakers();
    let told = views.iter().filter_map(|view| {
        let opened = view.standing.opened()?;
        Some(format!("{}: {}", view.of, opened.reason))
    });
    told.collect()
}

#[test]
fn a_loop_that_keeps_failing_is_refused_with_the_reason_until_one_probe_went_well() {
    let (mut world, lab) = broken(4_800);
    assert_eq!(
        opened(&world, lab),
        ["loop/note: of the last 10 calls: 10 failed"]
    );
    let refused = fails(&mut world, lab, "note", json!({"n": 10}));
    assert_eq!(refused.code, FailureCode::Overloaded);
    assert!(refused.message.contains("loop/note is open"), "{refused:?}");
    assert!(
        refused.message.contains("tried again in 30000 ms"),
        "{refused:?}"
    );
    let echo = world.call(lab, "echo", json!({}));
    assert_eq!(echo.result, Ok(json!({})), "others are as they were");

    world.hosts[lab.0].agents_down = false;
    world.run_for(limits::BREAKER_MS);
    let ask = |n: u64| World::invoke_within("note", json!({"late": n}), 10_000);
    let asked: Vec<_> = (0..8).map(|n| world.ask(lab, ask(n))).collect();
    let mut probes = 0;
    for control in asked {
        match world.wait_for(lab, control) {
            Response::Invoked(ended) => probes += usize::from(ended.result.is_ok()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(probes, 1, "all at once, and one was asked");
    assert_eq!(opened(&world, lab), Vec::<String>::new());
    assert!(world.call(lab, "note", json!({"n": 11})).result.is_ok());
    invariants::check(&mut world);
}

#[test]
fn a_restart_leaves_alone_whom_it_left_alone_before() {
    let (mut world, lab) = broken(4_801);
    world.run_for(100);
    world.crash(lab);
    world.start(lab);
    assert_eq!(
        opened(&world, lab),
        ["loop/note: of the last 10 calls: 10 failed"]
    );
    assert_eq!(
        fails(&mut world, lab, "note", json!({"n": 10})).code,
        FailureCode::Overloaded
    );

    world.run_for(limits::BREAKER_MS);
    let probe = fails(&mut world, lab, "note", json!({"n": 11}));
    assert!(!probe.message.contains("breaker"), "{probe:?}");
    assert_eq!(opened(&world, lab), ["loop/note: the probe failed"]);
    world.hosts[lab.0].agents_down = false;
    world.run_for(2 * limits::BREAKER_MS);
    assert!(world.call(lab, "note", json!({"n": 12})).result.is_ok());
    world.run_for(100);
    world.crash(lab);
    world.start(lab);
    assert_eq!(opened(&world, lab), Vec::<String>::new());
    invariants::check(&mut world);
}

#[test]
fn a_probe_that_is_cancelled_leaves_its_place_to_the_next() {
    let (mut world, lab) = broken(4_802);
    world.hosts[lab.0].agents_down = false;
    world.run_for(limits::BREAKER_MS);
    let asked = world.ask(
        lab,
        World::invoke_within("note", json!({"probe": 1}), 1_000),
    );
    match world.wait_for(lab, asked) {
        Response::Invoked(ended) => {
            assert_eq!(ended.result.unwrap_err().code, FailureCode::Timeout);
        }
        other => panic!("{other:?}"),
    }
    let (reason, why) = (
        "loop/note: of the last 10 calls: 10 failed",
        "it had too little time to say anything of the loop",
    );
    assert_eq!(opened(&world, lab), [reason], "{why}");
    let asked = world.ask(
        lab,
        World::invoke_within("note", json!({"probe": 2}), 10_000),
    );
    world.run_for(500);
    let node = world.hosts[lab.0].node();
    let standing = &node.breakers()[0].standing;
    assert!(matches!(standing, Standing::HalfOpen(_)), "{standing:?}");
    let run = *world.hosts[lab.0].disk.runs.keys().last().unwrap();
    world.ask_and_wait(lab, Request::Cancel(run));
    world.wait_for(lab, asked);
    assert!(world.call(lab, "note", json!({"probe": 3})).result.is_ok());
    assert_eq!(opened(&world, lab), Vec::<String>::new());
}

#[test]
fn one_that_is_closed_by_hand_lets_everybody_through_and_the_audit_log_names_who_did_it() {
    let (mut world, lab) = broken(4_805);
    world.hosts[lab.0].agents_down = false;
    let reset = || {
        Request::ResetBreaker(ResetAsked {
            of: "loop/note".parse().unwrap(),
            by: "ada".to_owned(),
            why: Some("it was restarted".to_owned()),
        })
    };
    let done = world.ask_and_wait(lab, reset());
    assert!(matches!(done, Response::Done), "{done:?}");
    assert_eq!(opened(&world, lab), Vec::<String>::new());
    assert!(world.call(lab, "note", json!({"n": 10})).result.is_ok());
    let again = world.ask_and_wait(lab, reset());
    let Response::Refused(refusal) = again else {
        panic!("{again:?}");
    };
    assert_eq!(refusal.to_string(), "there is no breaker `loop/note`");
    world.run_for(100);
    world.crash(lab);
    world.start(lab);
    assert_eq!(opened(&world, lab), Vec::<String>::new());
    let entries = audit::entries(&world.hosts[lab.0].disk).into_iter();
    let resets = entries.filter(|entry| entry.action == "breaker.reset");
    let outcomes: Vec<_> = resets.map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [AuditOutcome::Success, AuditOutcome::Refusal]);
    invariants::check(&mut world);
}

#[test]
fn outputs_that_break_the_schema_open_it_and_what_callers_do_wrong_does_not() {
    let mut world = World::new(4_803);
    let lab = world.found("lab");
    let mut promises = Loops::idempotent("promises", 10);
    promises["outputSchema"] = json!({"type": "string"});
    let mut strict = Loops::idempotent("strict", 10);
    strict["inputSchema"] = json!({"type": "object", "required": ["name"]});
    world.apply(lab, &[promises, strict, Loops::failing("refuses")]);
    for n in 0..11 {
        fails(&mut world, lab, "promises", json!({"n": n}));
        fails(&mut world, lab, "strict", json!({"n": n}));
        fails(&mut world, lab, "refuses", json!({"n": n}));
    }
    assert_eq!(
        opened(&world, lab),
        ["loop/promises: of the last 10 calls: 10 broke the schema"]
    );
    invariants::check(&mut world);
}

#[test]
fn callers_that_give_too_little_time_shut_a_loop_for_nobody() {
    let mut world = World::new(4_809);
    let lab = world.found("lab");
    world.apply(lab, &[Loops::idempotent("note", 2_000)]);
    for n in 0..20 {
        let asked = world.ask(lab, World::invoke_within("note", json!({"n": n}), 100));
        match world.wait_for(lab, asked) {
            Response::Invoked(ended) => {
                assert_eq!(ended.result.unwrap_err().code, FailureCode::Timeout);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(opened(&world, lab), Vec::<String>::new());
    assert!(world.call(lab, "note", json!({"n": 20})).result.is_ok());

    let mut never = Loops::idempotent("never", 2_000);
    never["limits"] = json!({"timeout": "1s"});
    world.apply(lab, &[never]);
    for n in 0..10 {
        fails(&mut world, lab, "never", json!({"n": n}));
    }
    assert_eq!(
        opened(&world, lab),
        ["loop/never: of the last 10 calls: 10 failed"],
        "its own time was too little"
    );
    invariants::check(&mut world);
}

#[test]
fn an_organisation_that_does_not_answer_is_left_alone_by_runs_until_it_is_back() {
    let mut world = World::new(4_804);
    let lab = world.found("lab");
    let mercy = world.found("mercy");
    world.peer(lab, mercy);
    world.run_for(5_000);
    world.apply(lab, &[Loops::idempotent("note", 10)]);
    world.allow(lab, "mercy", "note");
    world.apply(mercy, &[Loops::composite("ask", &["note@lab"])]);
    assert!(world.call(mercy, "ask", json!({"n": 0})).result.is_ok());
    world.partition(lab, mercy);
    world.run_for(20_000);
    for n in 1..11 {
        fails(&mut world, mercy, "ask", json!({"n": n}));
    }
    assert_eq!(
        opened(&world, mercy),
        ["peer/lab: of the last 10 calls: 10 failed"]
    );
    let asked = world.elapsed_ms();
    let refused = fails(&mut world, mercy, "ask", json!({"n": 11}));
    assert!(refused.message.contains("peer/lab is open"), "{refused:?}");
    assert!(world.elapsed_ms() - asked < 100, "nobody was asked");
    world.heal(lab, mercy);
    world.run_for(limits::BREAKER_MS);
    assert!(world.call(mercy, "ask", json!({"n": 12})).result.is_ok());
    assert_eq!(opened(&world, mercy), Vec::<String>::new());
    invariants::check(&mut world);
}

#[test]
fn a_person_is_let_through_where_runs_are_refused_and_lets_them_through_again() {
    let mut world = World::new(4_806);
    let lab = world.found("lab");
    let mercy = world.found("mercy");
    world.peer(lab, mercy);
    world.run_for(5_000);
    world.apply(lab, &[Loops::idempotent("note", 10)]);
    for n in 0..10 {
        let denied = fails(&mut world, mercy, "note@lab", json!({"n": n}));
        assert_eq!(denied.code, FailureCode::Denied);
    }
    assert_eq!(
        opened(&world, mercy),
        ["loop/note@lab: of the last 10 calls: 10 had no permission"]
    );
    let denied = fails(&mut world, mercy, "note@lab", json!({"n": 10}));
    assert_eq!(denied.code, FailureCode::Denied, "whoever asks is told");
    world.apply(mercy, &[Loops::composite("ask", &["note@lab"])]);
    let refused = fails(&mut world, mercy, "ask", json!({"n": 11}));
    assert!(
        refused.message.contains("loop/note@lab is open"),
        "{refused:?}"
    );
    world.allow(lab, "mercy", "count");
    world.apply(lab, &[Loops::idempotent("count", 10)]);
    world.apply(mercy, &[Loops::composite("number", &["count@lab"])]);
    let other = world.call(mercy, "number", json!({"n": 11}));
    assert!(
        other.result.is_ok(),
        "others of that organisation: {other:?}"
    );

    world.allow(lab, "mercy", "note");
    let probe = world.call(mercy, "note@lab", json!({"n": 12}));
    assert!(probe.result.is_ok());
    assert_eq!(opened(&world, mercy), Vec::<String>::new());
    assert!(world.call(mercy, "ask", json!({"n": 13})).result.is_ok());
    invariants::check(&mut world);
}

/// A realm whose breakers open by these bounds.
fn bounded(seed: u64, bounds: BreakerBounds) -> (World, HostId) {
    let mut world = World::new(seed);
    let lab = world.found("lab");
    world.run_for(100);
    world.crash(lab);
    world.hosts[lab.0].breakers = bounds;
    world.start(lab);
    (world, lab)
}

#[test]
fn a_model_that_costs_more_within_a_minute_than_it_may_is_left_alone() {
    let paid = "EUR 0.000001".parse().ok();
    let (mut world, lab) = bounded(
        4_807,
        BreakerBounds {
            paid,
            ..BreakerBounds::default()
        },
    );
    let mut prompt = Loops::prompt("say");
    prompt["backend"] = json!({"id": "office"});
    world.apply(lab, &[prompt]);
    let first = world.call(lab, "say", json!({"question": "how much?"}));
    assert!(first.result.is_ok(), "what was paid for is given");
    let reasons = opened(&world, lab);
    for (of, reason) in ["backend/office: EUR", "loop/say: EUR"]
        .iter()
        .zip(&reasons)
    {
        assert!(reason.starts_with(of), "{reasons:?}");
        assert!(reason.ends_with("and EUR 0.000001 may be"), "{reasons:?}");
    }
    let refused = fails(&mut world, lab, "say", json!({"question": "and now?"}));
    assert_eq!(refused.code, FailureCode::Overloaded);
    invariants::check(&mut world);
}

#[test]
fn answers_that_are_right_and_slow_open_it_where_the_owner_says_so() {
    let (mut world, lab) = bounded(
        4_808,
        BreakerBounds {
            slow_ms: Some(500),
            ..BreakerBounds::default()
        },
    );
    world.apply(
        lab,
        &[Loops::once("slow", 600), Loops::idempotent("quick", 200)],
    );
    for n in 0..10 {
        assert!(world.call(lab, "slow", json!({"n": n})).result.is_ok());
        assert!(world.call(lab, "quick", json!({"n": n})).result.is_ok());
    }
    assert_eq!(
        opened(&world, lab),
        ["loop/slow: of the last 10 calls: 10 took too long"]
    );
    invariants::check(&mut world);
}
