//! Calls that begin once people have approved them, and not before.

use realm_node::{ApprovalView, Decide, DecideError, Person, Rate, Refusal, Request, Response};
use realm_protocol::{
    FailureCode, RunId,
    broadcast::{Selection, Strategy},
    journal::{Status, Table},
    records::Role,
};
use realm_tests::{CrashPoint, Loops, Tree as _, audit, invariants};
use serde_json::{Value, json};

use crate::market::{asked, reach, rule};

use super::bench::{Bench, call, composite, detached, refusal};

const HOUR_MS: u64 = 3_600_000;
const ANN: (&str, Role) = ("ann", Role::Approver);
const BOB: (&str, Role) = ("bob", Role::Approver);

/// A call that people with these terms approve.
fn approved(tag: &str, terms: Value) -> Value {
    let mut call = call("spend", tag);
    call["approval"] = terms;
    call
}

fn bench(seed: u64, terms: Value) -> Bench {
    let steps = json!([call("spend", "a"), approved("b", terms), call("spend", "c")]);
    Bench::with(seed, &[Loops::once("spend", 500)], steps)
}

impl Bench {
    /// How often the tool was asked with this tag.
    fn done(&self, tag: &str) -> u64 {
        let word = format!("\"{tag}\"");
        let effects = self.world.effects.iter();
        let of_tag = effects.filter(|(effect, _)| effect.contains(&word));
        of_tag.map(|(_, times)| times).sum()
    }

    /// How many entries of the audit log tell of this.
    fn logged(&self, action: &str) -> usize {
        let entries = audit::entries(&self.world.hosts[self.acme.0].disk);
        entries.iter().filter(|it| it.action == action).count()
    }

    /// The one call that waits for an approval.
    fn waiting(&self) -> ApprovalView {
        let mut waiting = self.world.approvals(self.acme);
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        waiting.remove(0)
    }

    fn decide(&mut self, person: (&str, Role), granted: bool) -> Response {
        let id = self.waiting().id;
        self.world.decide(self.acme, id, person, granted)
    }

    fn grant(&mut self, person: (&str, Role)) {
        let granted = self.decide(person, true);
        assert!(matches!(granted, Response::Done), "{granted:?}");
    }

    fn is_refused(&mut self, person: (&str, Role), with: &DecideError) {
        let response = self.decide(person, true);
        let Refusal::Decide(error) = refusal(response) else {
            panic!("a refusal of what was said")
        };
        assert_eq!(error, *with);
    }
}

#[test]
fn an_approved_call_begins_once_after_the_approval_however_long_that_takes() {
    let mut bench = bench(1, json!({"expires": "10d"}));
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 5_000));
    for _ in 0..3 {
        assert_eq!((bench.done("a"), bench.done("b")), (1, 0));
        assert_eq!(bench.status(run), Status::Paused);
        assert_eq!(bench.count(run, "approval.requested"), 1);
        bench.world.run_for(24 * HOUR_MS);
        bench.restart(acme, 24 * HOUR_MS);
    }
    let shown = bench.waiting();
    assert_eq!(shown.input, Some(json!({"n": 1, "tag": "b"})));
    assert_eq!(shown.frames, ["main"]);
    assert_eq!(
        (shown.action.loop_id.as_str(), shown.action.run),
        ("spend", run)
    );
    bench.grant(ANN);
    bench.world.run_for(5_000);
    assert_eq!((bench.done("b"), bench.done("c")), (1, 1));
    for kind in ["requested", "granted", "used"] {
        assert_eq!(bench.count(run, &format!("approval.{kind}")), 1, "{kind}");
    }
    bench.completes(run);
}

#[test]
fn a_run_that_is_broken_off_at_any_entry_makes_an_approved_call_once_and_never_unasked() {
    let entries = |bench: &Bench| bench.world.hosts[bench.acme.0].disk.durable().0;
    let mut whole = bench(2, json!({}));
    let before = entries(&whole);
    let run = begin_and_decide(&mut whole);
    let after = entries(&whole);
    whole.completes(run);
    assert!(after - before > 5);
    for entry in 1..=after - before {
        for durable in [false, true] {
            let mut broken = bench(2, json!({}));
            let point = CrashPoint {
                entries: entry,
                durable,
                down_ms: 1_000,
            };
            broken.world.crash_points.insert(broken.acme, point);
            let run = begin_and_decide(&mut broken);
            let ended = broken.run(run).ended.is_some();
            assert!(ended, "entry {entry}, durable {durable}");
            let what = invariants::broken(&mut broken.world);
            assert!(
                what.is_empty(),
                "entry {entry}, durable {durable}: {what:?}"
            );
            assert_eq!(broken.done("b"), 1, "entry {entry}, durable {durable}");
        }
    }
}

/// Begins the run until it is on the disk, and approves what waits, again where that was lost.
fn begin_and_decide(bench: &mut Bench) -> RunId {
    let acme = bench.acme;
    let mut granted = 0;
    for _ in 0..20 {
        if bench.world.hosts[acme.0].disk.runs.is_empty() {
            let asked = super::bench::detached("main@acme", json!({"n": 1}));
            bench.world.ask(acme, asked);
        }
        bench.world.run_for(3_000);
        for waiting in bench.world.approvals(acme) {
            let input = waiting.input.expect("the arguments are shown");
            assert_eq!((input["tag"].as_str(), bench.done("b")), (Some("b"), 0));
            let said = Decide {
                approval: waiting.id,
                person: Person {
                    name: "ann".to_owned(),
                    roles: [Role::Approver].into(),
                },
                granted: true,
                reason: None,
            };
            bench.world.ask(acme, Request::Decide(said));
            granted += 1;
            bench.world.run_for(3_000);
        }
        assert!(granted > 0 || bench.done("b") == 0);
        bench.world.resume_all();
    }
    let runs = bench.world.hosts[acme.0].disk.runs.keys();
    *runs.max().expect("a run")
}

#[test]
fn a_denied_call_ends_with_the_reason_and_is_never_made() {
    let mut bench = bench(3, json!({}));
    let run = bench.begin(json!({"n": 1}), 5_000);
    assert!(matches!(bench.decide(BOB, false), Response::Done));
    bench.world.run_for(HOUR_MS);
    assert_eq!((bench.done("b"), bench.done("c")), (0, 0));
    bench.fails(run, "Denied", "`spend` was denied by bob: as agreed");
}

#[test]
fn each_rule_of_a_request_asks_others_in_its_own_time() {
    let mut spend = Loops::once("spend", 500);
    spend["approval"] = json!({"escalate": {"after": "15m", "role": "operator"}});
    let terms = json!({"escalate": {"after": "30m", "role": "owner"}});
    let mut bench = Bench::with(17, &[spend], json!([approved("a", terms)]));
    let run = bench.begin(json!({"n": 1}), 5_000);
    let mut told = Vec::new();
    for _ in 0..4 {
        bench.world.run_for(HOUR_MS / 5);
        told.push(bench.count(run, "approval.escalated"));
    }
    assert_eq!(told, [0, 1, 2, 2]);
    bench.grant(("eve", Role::Operator));
    bench.grant(("olga", Role::Owner));
    bench.world.run_for(5_000);
    assert_eq!(bench.done("a"), 1);
}

#[test]
fn a_request_that_nobody_answers_escalates_and_then_expires_also_while_nobody_is_there() {
    for asleep in [false, true] {
        let escalate = json!({"after": "15m", "role": "operator"});
        let mut bench = bench(4, json!({"expires": "1h", "escalate": escalate}));
        let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 5_000));
        let eve = ("eve", Role::Operator);
        let roles = "approver".to_owned();
        let person = "eve".to_owned();
        bench.is_refused(eve, &DecideError::Role { person, roles });
        if asleep {
            bench.restart(acme, 2 * HOUR_MS);
            bench.world.run_for(1_000);
        } else {
            bench.world.run_for(HOUR_MS / 2);
            assert_eq!(bench.count(run, "approval.escalated"), 1);
            bench.world.run_for(HOUR_MS);
        }
        assert_eq!(bench.done("b"), 0);
        assert_eq!(bench.count(run, "approval.expired"), 1);
        assert_eq!(bench.logged("approval.expired"), 1);
        bench.fails(run, "Denied", "was not approved within 3600 s");
    }
}

#[test]
fn those_to_whom_a_request_escalates_may_approve_it() {
    let escalate = json!({"after": "15m", "role": "operator"});
    let mut bench = bench(5, json!({"expires": "1h", "escalate": escalate}));
    let run = bench.begin(json!({"n": 1}), HOUR_MS / 2);
    bench.grant(("eve", Role::Operator));
    bench.world.run_for(5_000);
    bench.completes(run);
}

#[test]
fn two_people_have_to_approve_and_neither_is_the_one_who_asked() {
    let terms = json!({"count": 2, "distinctFromRequester": true});
    let mut bench = bench(6, terms);
    let Request::Invoke(asked) = super::bench::detached("main@acme", json!({"n": 1})) else {
        unreachable!()
    };
    let caller = Some("ann".to_owned());
    let asked = realm_node::InvokeAsked { caller, ..asked };
    bench.world.ask(bench.acme, Request::Invoke(asked));
    bench.world.run_for(5_000);
    let person = "ann".to_owned();
    bench.is_refused(ANN, &DecideError::OwnRequest { person });
    let person = "ann".to_owned();
    let owner = ("ann", Role::Owner);
    bench.is_refused(owner, &DecideError::OwnRequest { person });
    bench.grant(BOB);
    let acme = bench.acme;
    bench.restart(acme, 1_000);
    assert_eq!(bench.done("b"), 0);
    let person = "bob".to_owned();
    bench.is_refused(BOB, &DecideError::Twice { person });
    bench.grant(("carol", Role::Owner));
    bench.world.run_for(5_000);
    assert_eq!(bench.done("b"), 1);
    invariants::check(&mut bench.world);
}

#[test]
fn an_approval_is_read_again_before_the_call_and_is_good_for_no_other() {
    for forged in ["another call's", "another person's", "cut off", "lost"] {
        let mut bench = bench(7, json!({}));
        let acme = bench.acme;
        let first = bench.begin(json!({"n": 1}), 5_000);
        bench.grant(ANN);
        bench.world.run_for(5_000);
        assert_eq!(bench.done("b"), 1);
        let second = bench.begin(json!({"n": 2}), 5_000);
        assert_ne!(first, second);
        // It is held before the approval is looked at.
        bench.pause(second);
        let asked = bench.waiting();
        bench.grant(BOB);
        bench.world.run_for(1_000);
        let key = asked.id.as_bytes().to_vec();
        let disk = &mut bench.world.hosts[acme.0].disk;
        let row = disk.look(Table::Approvals, &key).expect("the request");
        match forged {
            "another call's" => {
                let keys = disk.keys(Table::Approvals);
                let other = keys
                    .filter(|other| *other != key)
                    .map(<[u8]>::to_vec)
                    .next();
                let other = other.expect("another");
                let other = disk.look(Table::Approvals, &other).expect("a row");
                disk.forge(Table::Approvals, key, other);
            }
            "another person's" => {
                let at = row.windows(3).position(|part| part == b"bob");
                let mut row = row.clone();
                row[at.expect("a name")..][..3].copy_from_slice(b"eve");
                disk.forge(Table::Approvals, key, row);
            }
            "cut off" => disk.forge(Table::Approvals, key, row[..row.len() - 1].to_vec()),
            _ => disk.lose(Table::Approvals),
        }
        bench.resume(second);
        bench.world.run_for(10_000);
        assert_eq!(bench.done("b"), 1, "{forged}");
        assert_eq!(bench.count(second, "approval.void"), 1, "{forged}");
        assert_eq!(bench.logged("approval.void"), 1, "{forged}");
        assert_ne!(bench.waiting().id, asked.id, "it is asked for anew");
        bench.grant(ANN);
        bench.world.run_for(5_000);
        assert_eq!(bench.done("b"), 2, "{forged}");
        bench.completes(second);
    }
}

#[test]
fn a_call_whose_outcome_is_unknown_is_not_made_again_on_the_same_approval() {
    let mut bench = bench(8, json!({}));
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 5_000));
    bench.grant(ANN);
    bench.world.run_for(100);
    assert_eq!(bench.done("b"), 1);
    bench.restart(acme, 1_000);
    let again = Request::Resume(run, Some(realm_executor::Decision::Again));
    assert!(matches!(
        bench.world.ask_and_wait(acme, again),
        Response::Done
    ));
    bench.world.run_for(10_000);
    assert_eq!(bench.done("b"), 1);
    bench.waiting();
    bench.decide(ANN, false);
    bench.world.run_for(1_000);
    bench.fails(run, "Denied", "denied by ann");
}

#[test]
fn loops_tools_of_models_and_conditions_ask_for_approvals_as_steps_do() {
    let mut careful = super::bench::program("careful", "work", 100);
    careful["approval"] = json!({"when": "input.n > 10"});
    let steps = json!([{"loopId": "careful", "inputMapping": {"n": "$.input.n"}}]);
    for (n, waits) in [(11, true), (3, false)] {
        let mut bench = Bench::with(9, &[careful.clone()], steps.clone());
        let run = bench.begin(json!({"n": n}), 5_000);
        assert_eq!(bench.effects(), u64::from(!waits), "{n}");
        if waits {
            bench.grant(ANN);
            bench.world.run_for(1_000);
        }
        bench.completes(run);
    }
    // What the condition cannot tell is asked for.
    let mut bench = Bench::with(10, &[careful], json!([{"loopId": "careful"}]));
    bench.begin(json!({"m": 1}), 5_000);
    assert_eq!(bench.effects(), 0);
    bench.waiting();
}

#[test]
fn an_agent_that_people_approve_does_announced_work_of_its_own_realm() {
    let mut bench = Bench::new(44);
    let mut see = Loops::once("see", 10);
    see["bid"] = json!({"price": "EUR 0.01", "time": "1s", "confidence": 0.9});
    see["approval"] = json!({});
    bench.world.apply(bench.acme, &[see]);
    let best = rule(Selection::Best, 1, 1);
    let work = asked("see", reach(1, 0, 0), best, Strategy::Select);
    let asked = Request::Broadcast(Box::new(work));
    let control = bench.world.ask(bench.acme, asked);
    bench.world.run_for(10_000);
    assert_eq!(bench.effects(), 0);
    bench.grant(ANN);
    let Response::Broadcasted(ended) = bench.world.wait_for(bench.acme, control) else {
        panic!("no broadcast")
    };
    assert_eq!((ended.ending, bench.effects()), ("Output", 1));
    bench.world.run_for(60_000);
    invariants::check(&mut bench.world);
}

#[test]
fn whoever_approves_sees_what_the_call_may_cost_at_most() {
    let steps = json!([call("spend", "a"), approved("b", json!({}))]);
    let mut bench = Bench::new(43);
    let mut main = composite("main", steps);
    main["budget"] = json!({"money": "EUR 0.50", "calls": 5});
    bench
        .world
        .apply(bench.acme, &[Loops::once("spend", 500), main]);
    let run = bench.begin(json!({"n": 1}), 5_000);
    let most = bench.waiting().budget.expect("a bound");
    assert_eq!(most.money.expect("money").to_string(), "EUR 0.50");
    assert_eq!(most.calls, Some(4), "one is made");
    bench.grant(ANN);
    bench.world.run_for(5_000);
    bench.completes(run);
}

#[test]
fn branches_wait_for_their_own_approvals_and_the_others_go_on() {
    let branches = json!([
        approved("left", json!({})),
        approved("right", json!({})),
        call("spend", "free"),
    ]);
    let steps = json!([{"parallel": branches}]);
    let mut bench = Bench::with(11, &[Loops::once("spend", 500)], steps);
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), HOUR_MS));
    assert_eq!((bench.done("free"), bench.effects()), (1, 1));
    let [left, right] = bench.world.approvals(acme).try_into().expect("two");
    bench.world.decide(acme, right.id, ANN, true);
    bench.world.run_for(HOUR_MS);
    assert_eq!((bench.done("left"), bench.done("right")), (0, 1));
    bench.world.decide(acme, left.id, ANN, true);
    bench.world.run_for(5_000);
    assert_eq!(bench.done("left"), 1);
    bench.completes(run);
}

#[test]
fn a_run_that_is_cancelled_takes_its_requests_back() {
    let mut bench = bench(12, json!({}));
    let (acme, run) = (bench.acme, bench.begin(json!({"n": 1}), 5_000));
    let asked = bench.waiting();
    bench.world.ask_and_wait(acme, Request::Cancel(run));
    bench.world.run_for(1_000);
    assert!(bench.world.approvals(acme).is_empty());
    let late = refusal(bench.world.decide(acme, asked.id, ANN, true));
    let void = DecideError::Decided { state: "void" };
    assert!(matches!(late, Refusal::Decide(error) if error == void));
    assert_eq!(bench.status(run), Status::Cancelled);
    invariants::check(&mut bench.world);
}

#[test]
fn a_caller_elsewhere_waits_for_the_approval_that_the_callee_asks_for() {
    let mut careful = super::bench::program("careful", "work", 100);
    careful["approval"] = json!({});
    let mut bench = Bench::new(13);
    let (acme, lab) = (bench.acme, bench.lab);
    let mut main = composite("main", json!([{"loopId": "careful@lab"}]));
    main["limits"] = json!({"timeout": "10d"});
    bench.world.apply(acme, &[main]);
    bench.world.apply(lab, &[careful]);
    let run = bench.begin(json!({"n": 1}), HOUR_MS);
    assert_eq!(bench.effects(), 0);
    assert_eq!(bench.status(run), Status::Running);
    bench.restart(lab, HOUR_MS);
    bench.restart(acme, HOUR_MS);
    bench.world.run_for(HOUR_MS);
    let asked = bench.world.approvals(lab).remove(0);
    assert_eq!(asked.caller.as_deref(), Some("acme"));
    bench.world.decide(lab, asked.id, ANN, true);
    bench.world.run_for(HOUR_MS);
    assert_eq!(bench.effects(), 1);
    bench.completes(run);
}

/// What somebody does while a call of acme's waits for people at the lab.
type Meanwhile = fn(&mut Bench);

#[test]
fn a_call_whose_caller_may_no_longer_make_it_does_not_begin_by_an_approval() {
    let forbidden: Meanwhile = |bench| {
        let cedar = r#"forbid (principal, action == Action::"invoke", resource)
            when { resource.name == "careful" };"#;
        bench.world.set_policy(bench.lab, "no-more", cedar, false);
    };
    let parted: Meanwhile = |bench| {
        let gone = Request::RemovePeer("acme".parse().unwrap());
        let answer = bench.world.ask_and_wait(bench.lab, gone);
        assert!(matches!(answer, Response::Done), "{answer:?}");
    };
    let nothing: Meanwhile = |_| {};
    for (seed, meanwhile, begins, told) in [
        (40, forbidden, 0, true),
        // Whom nothing connects any more is told nothing.
        (41, parted, 0, false),
        (42, nothing, 1, true),
    ] {
        for restarts in [false, true] {
            let mut careful = super::bench::program("careful", "work", 100);
            careful["approval"] = json!({});
            let mut bench = Bench::new(seed);
            let lab = bench.lab;
            bench.world.apply(lab, &[careful]);
            let asked = detached("careful@lab", json!({"n": 1}));
            bench.world.ask(bench.acme, asked);
            bench.world.run_for(HOUR_MS);
            meanwhile(&mut bench);
            if restarts {
                bench.restart(lab, HOUR_MS);
            }
            let asked = bench.world.approvals(lab).remove(0);
            bench.world.decide(lab, asked.id, ANN, true);
            bench.world.run_for(HOUR_MS);
            assert_eq!(bench.effects(), begins, "{seed}, {restarts}");
            let entries = audit::entries(&bench.world.hosts[lab.0].disk);
            let void = entries.iter().filter(|it| it.action == "approval.void");
            assert_eq!(void.count() as u64, 1 - begins, "{seed}, {restarts}");
            if told {
                invariants::check(&mut bench.world);
            }
        }
    }
}

#[test]
fn a_policy_may_ask_for_a_person_before_a_call_that_it_permits() {
    let mut bench = Bench::new(14);
    let acme = bench.acme;
    bench
        .world
        .apply(acme, &[Loops::once("spend", 100), Loops::prompt("ask")]);
    let cedar = r#"@approval("approver") permit (principal, action == Action::"invoke", resource)
        when { ["spend", "ask"].contains(resource.name) };"#;
    policy(&mut bench, acme, cedar);
    for (loop_id, input) in [
        ("spend", json!({"n": 1})),
        ("ask", json!({"question": "x"})),
    ] {
        let asked = super::bench::detached(&format!("{loop_id}@acme"), input);
        bench.world.ask(acme, asked);
        bench.world.run_for(1_000);
        bench.restart(acme, HOUR_MS);
        assert!(
            bench.world.paused(acme).len() == 1,
            "{loop_id} begins unasked"
        );
        bench.grant(ANN);
        bench.world.run_for(5_000);
    }
    assert_eq!(bench.effects(), 1);
    assert!(bench.world.paused(acme).is_empty());
    invariants::check(&mut bench.world);
}

#[test]
fn a_policy_that_asks_for_a_person_lets_no_step_call_another_realm_without_one() {
    let mut bench = Bench::new(16);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.apply(lab, &[Loops::once("spend", 100)]);
    let cedar = r#"@approval("approver") permit (principal, action == Action::"invoke", resource)
        when { resource.name == "spend" };"#;
    policy(&mut bench, acme, cedar);
    for (asks, ends) in [(false, Status::Failed), (true, Status::Completed)] {
        let mut step = call("spend@lab", "there");
        let mut main = composite("main", json!([step]));
        if asks {
            step["approval"] = json!({"role": "approver"});
            main = composite("main", json!([step]));
        }
        main["version"] = json!(if asks { "2.0.0" } else { "1.0.0" });
        bench.world.apply(acme, &[main]);
        let run = bench.begin(json!({"n": 1}), 5_000);
        if asks {
            bench.grant(ANN);
        }
        bench.world.run_for(5_000);
        assert_eq!(bench.status(run), ends);
        assert_eq!(bench.effects(), u64::from(asks));
    }
    let by_hand = bench.world.call(acme, "spend@lab", json!({"n": 1}));
    let failure = by_hand.result.unwrap_err();
    assert_eq!(failure.code, FailureCode::Denied);
    assert!(failure.message.contains("approval: {role: approver}"));
    assert_eq!(bench.effects(), 1);
    invariants::check(&mut bench.world);
}

#[test]
fn a_callee_may_ask_for_the_approval_of_the_callers_people() {
    let mut bench = Bench::new(15);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.apply(lab, &[Loops::once("spend", 100)]);
    let cedar = r#"forbid (principal, action == Action::"invoke", resource)
        unless { context.approved >= 1 };"#;
    policy(&mut bench, lab, cedar);
    for (forward, ends) in [(true, Status::Completed), (false, Status::Failed)] {
        let mut step = call("spend@lab", "there");
        step["approval"] = json!({"forward": forward});
        let mut main = composite("main", json!([step]));
        main["version"] = json!(if forward { "1.0.0" } else { "2.0.0" });
        bench.world.apply(acme, &[main]);
        let run = bench.begin(json!({"n": 1}), 5_000);
        bench.grant(ANN);
        bench.world.run_for(5_000);
        assert_eq!(bench.status(run), ends, "{:?}", bench.error(run));
    }
    assert_eq!(bench.effects(), 1);
    let mut told = bench.world.hosts[lab.0].disk.events.values();
    assert!(told.any(|event| event.kind == "approval.received"));
    invariants::check(&mut bench.world);
}

#[test]
fn what_people_approved_is_not_enough_at_a_turn_that_comes_after_it_has_expired() {
    let mut bench = Bench::new(16);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.hosts[lab.0].rates = vec![Rate {
        name: "slow".to_owned(),
        callers: None,
        loops: ["spend".parse().unwrap()].into(),
        per_minute: 3,
        burst: 1,
        shared: false,
        queue: 4,
    }];
    bench.restart(lab, 100);
    bench.world.run_for(5_000);
    bench.world.apply(lab, &[Loops::once("spend", 100)]);
    let cedar = r#"forbid (principal, action == Action::"invoke", resource)
        unless { context.approved >= 1 };"#;
    policy(&mut bench, lab, cedar);
    let mut step = call("spend@lab", "there");
    step["approval"] = json!({"forward": true, "expires": "10s"});
    bench.world.apply(acme, &[composite("main", json!([step]))]);

    for ends in [Status::Completed, Status::Failed] {
        let run = bench.begin(json!({"n": format!("{ends:?}")}), 1_000);
        bench.grant(ANN);
        bench.world.run_for(3_000);
        let late = ends == Status::Failed;
        assert_eq!(
            bench.world.hosts[lab.0].node().standing().calls_in,
            usize::from(late)
        );
        bench.world.run_for(if late { 30_000 } else { 0 });
        assert_eq!(bench.status(run), ends, "{:?}", bench.error(run));
    }
    assert_eq!(bench.effects(), 1);
    invariants::check(&mut bench.world);
}

/// Adds a policy of a realm's own.
fn policy(bench: &mut Bench, host: realm_tests::HostId, cedar: &str) {
    let request = Request::SetPolicy {
        id: "asked".to_owned(),
        cedar: cedar.to_owned(),
        subtree: false,
    };
    let set = bench.world.ask_and_wait(host, request);
    assert!(matches!(set, Response::Done), "{set:?}");
}
