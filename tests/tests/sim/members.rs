//! People whom directories know: their runs go on while it is known that they may, and no longer.
//!
//! The daemon is played by a directory in virtual time, which says what somebody may do when it is asked.

use realm_node::{HaltOf, InvokeAsked, Member, Node, Person, Request, Response, UnhaltOf};
use realm_protocol::{
    RunId,
    broadcast::{Selection, Strategy},
    journal::{Direction, Status},
    limits::PERSON_READ_MS,
    records::Role,
};
use realm_tests::{Loops, Tree as _};
use serde_json::{Value, json};

use crate::{
    durable::bench::{Bench, call, detached, program},
    halt::{halt, unhalt},
    market::{asked, reach, rule},
    people::told,
};

const ANN: &str = "ann@ldap";

/// Steps with a pause between them that is longer than anything is believed.
fn steps(second: Value) -> Value {
    json!([call("spend", "a"), {"wait": "2m"}, second])
}

impl Bench {
    /// The directory says what Ann may do, if it knows her.
    fn directory_says(&mut self, roles: &[Role]) {
        let until = self.world.now(self.acme).tick.plus(PERSON_READ_MS);
        let person = Person {
            name: ANN.to_owned(),
            roles: roles.iter().copied().collect(),
        };
        let known = Request::Know(Member { person, until });
        let told = self.world.ask_and_wait(self.acme, known);
        assert!(matches!(told, Response::Done), "{told:?}");
        self.world.run_for(100);
    }

    /// Ann begins `main`, as an operator.
    fn ann_begins(&mut self) -> RunId {
        self.directory_says(&[Role::Operator]);
        let Request::Invoke(asked) = detached("main@acme", json!({"n": 1})) else {
            panic!("a call")
        };
        let asked = Request::Invoke(InvokeAsked {
            caller: Some(ANN.to_owned()),
            ..asked
        });
        let ann = Person {
            name: ANN.to_owned(),
            roles: [Role::Operator].into(),
        };
        self.world.ask(self.acme, Request::By(ann, Box::new(asked)));
        self.world.run_for(2_000);
        let runs = self.world.hosts[self.acme.0].disk.runs.values();
        let own = runs.filter(|run| run.direction == Direction::Local);
        own.max_by_key(|run| run.started).expect("a run").id
    }

    fn node(&self) -> &Node {
        self.world.hosts[self.acme.0].node()
    }
}

#[test]
fn a_run_goes_on_for_as_long_as_the_directory_says_so() {
    let tools = [Loops::once("spend", 500)];
    let mut bench = Bench::with(800, &tools, steps(call("spend", "b")));
    let run = bench.ann_begins();
    assert_eq!(bench.node().members_at_work(), [ANN.to_owned()].into());
    for _ in 0..5 {
        bench.world.run_for(PERSON_READ_MS / 2);
        bench.directory_says(&[Role::Operator]);
    }
    assert_eq!(bench.effects(), 2);
    assert_eq!(bench.count(run, "run.paused"), 0);
    assert_eq!(bench.node().members_at_work(), [].into());
    bench.completes(run);
}

#[test]
fn a_run_stands_still_while_the_directory_says_nothing_and_then_goes_on_by_itself() {
    for restarts in [false, true] {
        let tools = [Loops::once("spend", 500)];
        let mut bench = Bench::with(801, &tools, steps(call("spend", "b")));
        let (acme, run) = (bench.acme, bench.ann_begins());
        if restarts {
            bench.restart(acme, 1_000);
        }
        bench.world.run_for(10 * PERSON_READ_MS);
        assert_eq!(bench.status(run), Status::Paused, "{restarts}");
        assert_eq!(bench.effects(), 1);

        bench.directory_says(&[Role::Operator]);
        bench.world.run_for(2_000);
        assert_eq!(bench.effects(), 2, "{restarts}");
        bench.completes(run);
    }
}

/// A run of Ann's that stands still because the directory says nothing.
fn held(seed: u64) -> (Bench, RunId) {
    let tools = [Loops::once("spend", 500)];
    let mut bench = Bench::with(seed, &tools, steps(call("spend", "b")));
    let run = bench.ann_begins();
    bench.world.run_for(10 * PERSON_READ_MS);
    assert_eq!((bench.status(run), bench.effects()), (Status::Paused, 1));
    (bench, run)
}

#[test]
fn a_run_that_stands_still_for_the_directory_goes_on_by_its_word_also_after_a_restart() {
    let (mut bench, run) = held(805);
    let acme = bench.acme;
    bench.restart(acme, 1_000);
    bench.world.run_for(PERSON_READ_MS);
    assert_eq!((bench.status(run), bench.effects()), (Status::Paused, 1));

    bench.directory_says(&[Role::Operator]);
    bench.world.run_for(2_000);
    bench.completes(run);
}

#[test]
fn what_somebody_has_paused_is_not_let_go_on_by_a_directory() {
    let (mut bench, run) = held(806);
    bench.pause(run);
    bench.directory_says(&[Role::Operator]);
    bench.world.run_for(2_000);
    assert_eq!((bench.status(run), bench.effects()), (Status::Paused, 1));

    bench.directory_says(&[Role::Operator]);
    bench.resume(run);
    bench.world.run_for(2_000);
    bench.completes(run);
}

#[test]
fn what_the_directory_says_of_a_halted_run_counts_once_the_halt_is_lifted() {
    for late in [false, true] {
        let (mut bench, run) = held(807);
        let acme = bench.acme;
        halt(&mut bench.world, acme, HaltOf::All);
        if !late {
            bench.directory_says(&[Role::Operator]);
        }
        bench.world.run_for(1_000);
        assert_eq!((bench.status(run), bench.effects()), (Status::Paused, 1));
        unhalt(&mut bench.world, acme, UnhaltOf::All);
        if late {
            bench.world.run_for(1_000);
            assert_eq!((bench.status(run), bench.effects()), (Status::Paused, 1));
            bench.directory_says(&[Role::Operator]);
        }
        bench.world.run_for(2_000);
        bench.completes(run);
    }
}

#[test]
fn whoever_leaves_a_group_while_a_run_is_paused_stops_it_at_its_next_step_here_or_elsewhere() {
    for (second, roles) in [
        (call("spend", "b"), &[][..]),
        (call("spend@lab", "b"), &[]),
        (call("spend", "b"), &[Role::Viewer, Role::Approver]),
    ] {
        let tools = [Loops::once("spend", 500)];
        let mut bench = Bench::with(802, &tools, steps(second));
        bench.world.apply(bench.lab, &tools);
        let run = bench.ann_begins();
        bench.pause(run);
        bench.world.run_for(5 * PERSON_READ_MS);
        bench.directory_says(roles);
        bench.resume(run);
        bench.world.run_for(PERSON_READ_MS / 2);
        bench.directory_says(roles);
        bench.world.run_for(5 * PERSON_READ_MS);
        bench.directory_says(roles);
        bench.world.run_for(5_000);
        assert_eq!(bench.effects(), 1);
        bench.fails(
            run,
            "Denied",
            "no group of ann@ldap lets them run loops any more",
        );
    }
}

#[test]
fn what_is_forgotten_when_groups_change_is_asked_for_again_before_anything_goes_on() {
    let tools = [Loops::once("spend", 500)];
    let steps = json!([call("spend", "a"), {"wait": "5s"}, call("spend", "b")]);
    let mut bench = Bench::with(803, &tools, steps);
    let run = bench.ann_begins();
    let forgotten = bench.world.ask_and_wait(bench.acme, Request::ForgetMembers);
    assert!(matches!(forgotten, Response::Done), "{forgotten:?}");
    bench.world.run_for(10_000);
    assert_eq!((bench.status(run), bench.effects()), (Status::Paused, 1));

    bench.directory_says(&[]);
    bench.world.run_for(1_000);
    assert_eq!(bench.effects(), 1);
    bench.fails(run, "Denied", ANN);
}

/// Ann has work announced by hand, which the lab bids for; what comes of it, and what the audit log calls her.
fn ann_announces(seed: u64, then: Option<&[Role]>) -> (&'static str, Vec<String>) {
    let mut bench = Bench::new(seed);
    let (acme, lab) = (bench.acme, bench.lab);
    bench.world.permit(lab, "acme", "bid", "see");
    bench.world.permit(acme, "lab", "award", "see");
    // An agent at acme takes two seconds to say that it offers nothing.
    let quote = program("quote", "work", 2_000);
    let mut slow = Loops::idempotent("see", 10);
    slow["bid"] = json!({"ask": "quote", "within": "5s"});
    bench.world.apply(acme, &[quote, slow]);
    let mut see = Loops::idempotent("see", 10);
    see["bid"] = json!({"price": "EUR 0.01", "time": "1s", "confidence": 0.9});
    bench.world.apply(lab, &[see]);
    bench.world.run_for(1_000);
    bench.directory_says(&[Role::Operator]);
    let ann = Person {
        name: ANN.to_owned(),
        roles: [Role::Operator].into(),
    };
    let best = rule(Selection::Best, 1, 1);
    let work = asked("see", reach(1, 1, 2), best, Strategy::Select);
    let asked = Request::Broadcast(Box::new(work));
    let control = bench.world.ask(acme, Request::By(ann, Box::new(asked)));
    bench.world.run_for(500);
    assert_eq!(bench.node().members_at_work(), [ANN.to_owned()].into());
    match then {
        Some(roles) => bench.directory_says(roles),
        None => {
            let forgotten = bench.world.ask_and_wait(acme, Request::ForgetMembers);
            assert!(matches!(forgotten, Response::Done), "{forgotten:?}");
        }
    }
    let Response::Broadcasted(ended) = bench.world.wait_for(acme, control) else {
        panic!("no broadcast")
    };
    bench.world.run_for(60_000);
    let people = told(&bench.world, acme, "run.ended").into_iter();
    (ended.ending, people.map(|(person, _)| person).collect())
}

#[test]
fn work_that_somebody_has_announced_is_theirs_and_is_awarded_only_while_they_may_have_it_done() {
    let ann = vec![ANN.to_owned()];
    let operator = Some(&[Role::Operator][..]);
    assert_eq!(ann_announces(808, operator), ("Output", ann.clone()));
    for roles in [Some(&[][..]), Some(&[Role::Viewer]), None] {
        assert_eq!(ann_announces(809, roles), ("TooFewResults", ann.clone()));
    }
}

#[test]
fn another_realms_word_about_who_called_holds_nothing_up() {
    let mut bench = Bench::new(804);
    bench.world.apply(bench.lab, &[Loops::once("spend", 500)]);
    let Request::Invoke(asked) = detached("spend@lab", json!({"n": 1, "tag": "a"})) else {
        panic!("a call")
    };
    let asked = InvokeAsked {
        caller: Some(ANN.to_owned()),
        detach: false,
        ..asked
    };
    let called = bench.world.ask_and_wait(bench.acme, Request::Invoke(asked));
    assert!(matches!(called, Response::Invoked(done) if done.result.is_ok()));
    assert_eq!(bench.effects(), 1);
}
