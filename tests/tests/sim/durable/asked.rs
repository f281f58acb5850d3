//! Calls that ask people while they are at work, and go on with what those have said.

use realm_node::{ApprovalView, Decide, Person, Request, Response};
use realm_protocol::{
    RunId,
    journal::Status,
    limits,
    records::{ApprovalVerdict, Role},
};
use realm_tests::{CrashPoint, invariants};
use serde_json::{Value, json};

use super::bench::{Bench, call, composite, detached, program};

const ANN: (&str, Role) = ("ann", Role::Approver);
const DAY_MS: u64 = 86_400_000;

/// A tool that asks what its input lists: a program, or an attached agent.
fn asker(attached: bool) -> Value {
    let mut tool = program("consult", "ask", 100);
    tool["asks"] = json!({"expires": "7d"});
    if attached {
        tool["tool"] = json!({"implementation": "attached", "config": {"agent": "reader"}});
    }
    tool
}

fn consults() -> Value {
    json!([call("consult", "before"), {"loopId": "consult"}])
}

fn bench(seed: u64, attached: bool) -> Bench {
    Bench::with(seed, &[asker(attached)], consults())
}

impl Bench {
    /// The one question that waits.
    fn question(&self) -> ApprovalView {
        let mut waiting = self.world.approvals(self.acme);
        assert_eq!(waiting.len(), 1, "{waiting:?}");
        waiting.remove(0)
    }

    fn answer(&mut self, granted: bool) {
        let id = self.question().id;
        let said = self.world.decide(self.acme, id, ANN, granted);
        assert!(matches!(said, Response::Done), "{said:?}");
        self.world.run_for(2_000);
    }

    fn output(&self, run: RunId) -> Value {
        let output = self.run(run).output.as_deref().unwrap_or_default();
        serde_json::from_slice(output).unwrap()
    }
}

fn said(question: &str, answered: u64, granted: bool) -> Value {
    json!({
        "question": question, "about": {"answered": answered},
        "granted": granted, "people": ["ann"], "reason": "as agreed",
    })
}

#[test]
fn a_question_waits_for_people_over_restarts_and_the_step_goes_on_with_their_answer() {
    for attached in [false, true] {
        let mut bench = bench(31, attached);
        let acme = bench.acme;
        let run = bench.begin(json!({"n": 1, "ask": ["ship it?", "today?"]}), 3_000);
        for _ in 0..2 {
            assert_eq!(bench.status(run), Status::Paused);
            let shown = bench.question();
            let wanted = json!({"question": "ship it?", "about": {"answered": 0}, "number": 1});
            assert_eq!(shown.input, Some(wanted));
            assert_eq!(shown.frames, ["main"]);
            assert_eq!(shown.action.loop_id, "consult");
            bench.world.run_for(DAY_MS);
            bench.restart(acme, DAY_MS);
        }
        bench.answer(true);
        assert_eq!(bench.question().input.unwrap()["question"], "today?");
        bench.restart(acme, 1_000);
        // To a question no is an answer.
        bench.answer(false);
        let answers = [said("ship it?", 0, true), said("today?", 1, false)];
        assert_eq!(bench.output(run), json!({"answers": answers}));
        assert_eq!(bench.count(run, "approval.requested"), 2);
        bench.completes(run);
    }
}

#[test]
fn a_run_that_is_broken_off_at_any_entry_asks_on_and_is_done_once() {
    let entries = |bench: &Bench| bench.world.hosts[bench.acme.0].disk.durable().0;
    let mut whole = bench(32, false);
    let before = entries(&whole);
    let run = begin_and_answer(&mut whole);
    let after = entries(&whole);
    whole.completes(run);
    assert!(after - before > 5);
    for entry in 1..=after - before {
        for durable in [false, true] {
            let mut broken = bench(32, false);
            let point = CrashPoint {
                entries: entry,
                durable,
                down_ms: 1_000,
            };
            broken.world.crash_points.insert(broken.acme, point);
            let run = begin_and_answer(&mut broken);
            let at = format!("entry {entry}, durable {durable}");
            let what = invariants::broken(&mut broken.world);
            assert!(what.is_empty(), "{at}: {what:?}");
            assert!(broken.run(run).ended.is_some(), "{at}");
        }
    }
}

/// Begins the run until it is on the disk, and says yes to what it asks. What a program did whose answer was lost a
/// person says, too: it has asked, or it is done.
fn begin_and_answer(bench: &mut Bench) -> RunId {
    let acme = bench.acme;
    for _ in 0..30 {
        if bench.world.hosts[acme.0].disk.runs.is_empty() {
            let asked = detached("main@acme", json!({"n": 1, "ask": ["ship it?"]}));
            bench.world.ask(acme, asked);
        }
        bench.world.run_for(2_000);
        for waiting in bench.world.approvals(acme) {
            let said = Decide {
                approval: waiting.id,
                person: Person {
                    name: ANN.0.to_owned(),
                    roles: [ANN.1].into(),
                },
                granted: true,
                reason: None,
            };
            bench.world.ask(acme, Request::Decide(said));
        }
        bench.world.resume_all();
    }
    let runs = bench.world.hosts[acme.0].disk.runs.values();
    runs.max_by_key(|run| run.started).expect("a run").id
}

#[test]
fn a_question_that_nobody_answers_ends_the_call_once_its_time_is_over() {
    let mut bench = bench(33, true);
    let run = bench.begin(json!({"n": 1, "ask": ["ship it?"]}), 3_000);
    bench.world.run_for(7 * DAY_MS);
    bench.fails(run, "Denied", "was not approved within");
}

#[test]
fn the_same_question_twice_is_asked_twice_and_one_too_many_is_refused() {
    let mut bench = bench(34, true);
    let questions = vec!["more?"; limits::QUESTIONS + 1];
    let run = bench.begin(json!({"n": 1, "ask": questions}), 3_000);
    for _ in 0..limits::QUESTIONS {
        bench.answer(true);
    }
    assert_eq!(bench.count(run, "approval.granted"), limits::QUESTIONS);
    bench.fails(run, "Budget", "asks people again and again");
}

#[test]
fn who_cancels_the_run_takes_the_question_back() {
    let mut bench = bench(35, true);
    let run = bench.begin(json!({"n": 1, "ask": ["ship it?"]}), 3_000);
    let id = bench.question().id;
    bench.world.ask_and_wait(bench.acme, Request::Cancel(run));
    bench.world.run_for(1_000);
    assert_eq!(bench.status(run), Status::Cancelled);
    let view = bench.world.hosts[bench.acme.0].node().approval(id).unwrap();
    assert_eq!(view.state.name(), "void");
    invariants::check(&mut bench.world);
}

#[test]
fn what_is_said_is_signed_for_that_question_alone() {
    let mut bench = bench(36, true);
    bench.begin(json!({"n": 1, "ask": ["ship it?", "today?"]}), 3_000);
    let first = bench.question();
    bench.answer(true);
    let second = bench.question();
    assert_ne!(first.action.input, second.action.input);
    let node = bench.world.hosts[bench.acme.0].node();
    let decided = node.approval(first.id).unwrap();
    assert_eq!(decided.decisions.len(), 1);
    assert_eq!(decided.decisions[0].action, first.action);
    assert_eq!(decided.decisions[0].verdict, ApprovalVerdict::Granted);
    assert!(decided.used.is_some());
}

#[test]
fn a_composite_in_another_realm_that_asks_its_own_people_is_waited_for() {
    let mut bench = Bench::new(37);
    let lab = bench.lab;
    bench.world.apply(lab, &[asker(true)]);
    let steps = json!([{"loopId": "consult@lab"}]);
    bench.world.apply(bench.acme, &[composite("main", steps)]);
    let run = bench.begin(json!({"n": 1, "ask": ["ship it?"]}), 3_000);
    assert_eq!(bench.status(run), Status::Running);
    let waiting = bench.world.approvals(lab);
    assert_eq!(waiting.len(), 1);
    bench.world.decide(lab, waiting[0].id, ANN, true);
    bench.world.run_for(10_000);
    assert_eq!(bench.output(run)["answers"][0]["granted"], true);
    bench.completes(run);
}
