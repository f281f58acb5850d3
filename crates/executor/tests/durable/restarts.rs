//! Runs that are broken off at any point end as if they had not been.

use std::collections::{BTreeMap, BTreeSet};

use realm_executor::{Decision, ResumeError, WaitingFor};
use realm_protocol::FailureCode;
use serde_json::{Value, json};

use crate::world::{RUN, World, a_loop, tool};

fn everything() -> Vec<Value> {
    let steps = json!({"steps": [
        {"loopId": "charge", "inputMapping": {"n": "$.input.n"}, "outputBinding": "first"},
        {"loopId": "look", "inputMapping": {"n": "$.first.n"}, "when": "first.n > 0"},
        {"loopId": "look", "when": "first.n > 100"},
        {"parallel": [
            {"loopId": "charge", "inputMapping": {"n": "$.first.n"}, "outputBinding": "left"},
            {"loopId": "inner", "inputMapping": {"n": "$.first.n"}},
        ]},
        {"wait": "3d"},
        {"loopId": "charge", "forEach": {"items": "$.input.list", "concurrency": 2},
            "inputMapping": {"n": "$.item", "index": "$.index"}, "outputBinding": "all"},
        {"loopId": "count", "inputMapping": {"n": "$.left.n", "to": "$.input.to"}},
        {"loopId": "offer", "inputMapping": {"n": "$.left.n"}},
        {"loopId": "ask", "outputBinding": "asked"},
        {"loopId": "echo", "inputMapping": {
            "all": "$.all", "count": "$.steps[6].output", "asked": "$.asked",
        }},
    ]});
    let mut ask = a_loop(
        "ask",
        "prompt",
        json!({"template": "?", "variables": [], "tools": [
            {"name": "charge", "loopId": "charge"}, {"name": "look", "loopId": "look"},
        ]}),
    );
    ask["backend"] = json!({"id": "office"});
    vec![
        tool("charge", "once"),
        tool("look", "idempotent"),
        a_loop(
            "inner",
            "composite",
            json!({"steps": [
                {"loopId": "charge"}, {"loopId": "look"}, {"loopId": "echo"},
            ]}),
        ),
        ask,
        a_loop("offer", "broadcast", json!({"scope": "peers"})),
        a_loop("count", "machine", json!({"loopId": "charge"})),
        a_loop("everything", "composite", steps),
    ]
}

fn everything_starts() -> World {
    let input = json!({"n": 1, "list": [10, 20, 30], "to": 6});
    let mut world = World::new(&everything(), "everything", input);
    world.begin();
    world
}

#[test]
fn a_run_that_is_broken_off_at_any_action_ends_as_if_it_had_not_been() {
    let mut whole = everything_starts();
    whole.run();
    let expected = whole.output().clone();
    assert_eq!(
        expected,
        json!({"all": [{"n": 11}, {"n": 21}, {"n": 31}], "count": {"n": 6}, "asked": {"n": 10}})
    );
    assert_eq!(whole.disk, BTreeMap::new(), "nothing is left of its frames");

    for at in 0..whole.turns {
        for crash in [Crash::BeforeWriting, Crash::BeforeWork, Crash::AfterWork] {
            let mut world = everything_starts();
            while world.turns < at {
                world.turn(false);
                assert!(world.next(), "turn {at} is not the last");
            }
            world.turn(crash == Crash::BeforeWriting);
            if crash == Crash::AfterWork {
                while world.work().is_some() {}
            }
            if world.outcome.is_some() {
                continue;
            }
            world.restart();
            world.go_on_with_a_person();
            assert_eq!(world.output(), &expected, "{crash:?} in turn {at}");
            assert_eq!(world.disk, BTreeMap::new(), "{crash:?} in turn {at}");
            assert_eq!(world.broadcasts.len(), 1, "{crash:?} in turn {at}");
            let charged = world
                .done
                .iter()
                .filter(|(key, _)| world.charges.contains(key));
            for (key, times) in charged {
                assert_eq!(*times, 1, "{crash:?} in turn {at}: {key} was done twice");
            }
        }
    }
}

/// When the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    BeforeWriting,
    BeforeWork,
    AfterWork,
}

#[test]
fn what_a_once_tool_did_before_a_restart_is_never_guessed() {
    let loops = [
        tool("charge", "once"),
        a_loop("pay", "composite", json!({"steps": [{"loopId": "charge"}]})),
    ];
    let mut world = World::new(&loops, "pay", json!({"n": 1}));
    world.begin();
    world.turn(false);
    assert!(world.work().is_some());
    world.restart();
    world.run();

    assert!(world.paused, "a person is asked");
    assert_eq!(world.done.values().sum::<u64>(), 1, "and the tool is not");
    assert_eq!(world.count("call.outcome.unknown"), 1);
    let undecided = world.resume(None);
    assert!(matches!(undecided, Err(ResumeError::Undecided { .. })));

    let gave = Decision::Output(json!({"n": 2}));
    world.resume(Some(gave)).unwrap();
    world.run();
    assert_eq!(world.output(), &json!({"n": 2}));
    assert_eq!(world.done.values().sum::<u64>(), 1);
}

#[test]
fn what_a_call_cannot_have_given_is_refused_and_asked_for_again() {
    let mut charge = tool("charge", "once");
    charge["outputSchema"] = json!({"type": "object", "required": ["n"]});
    let mut world = World::new(&[charge], "charge", json!({"n": 1}));
    world.begin();
    world.turn(false);
    assert!(world.work().is_some());
    world.restart();
    world.run();

    let wrong = world.resume(Some(Decision::Output(json!({"m": 2}))));
    assert!(
        matches!(wrong, Err(ResumeError::Output { .. })),
        "{wrong:?}"
    );
    world
        .resume(Some(Decision::Output(json!({"n": 2}))))
        .unwrap();
    world.run();
    assert_eq!(world.output(), &json!({"n": 2}));
}

#[test]
fn a_question_is_asked_again_after_every_restart() {
    let mut world = World::new(&[tool("charge", "once")], "charge", json!({"n": 1}));
    world.begin();
    world.turn(false);
    assert!(world.work().is_some());
    for _ in 0..3 {
        world.restart();
        world.run();
        assert!(world.paused, "a person is asked");
    }
    assert_eq!(world.done.values().sum::<u64>(), 1);
}

#[test]
fn an_idempotent_tool_is_asked_again_under_the_same_key() {
    let loops = [
        tool("look", "idempotent"),
        a_loop("see", "composite", json!({"steps": [{"loopId": "look"}]})),
    ];
    let mut world = World::new(&loops, "see", json!({"n": 1}));
    world.begin();
    world.turn(false);
    assert!(world.work().is_some());
    world.restart();
    world.run();

    assert_eq!(world.output(), &json!({"n": 2}));
    assert_eq!(
        world.done.values().copied().collect::<Vec<_>>(),
        [2],
        "one key, two attempts"
    );
}

#[test]
fn a_wait_ends_on_its_day_though_nobody_was_there() {
    let day = 24 * 60 * 60 * 1_000;
    let loops = [a_loop(
        "later",
        "composite",
        json!({"steps": [{"wait": "3d"}, {"loopId": "echo"}]}),
    )];
    let mut world = World::new(&loops, "later", json!({"n": 1}));
    world.begin();
    world.turn(false);
    world.later(day);
    world.restart();
    world.turn(false);
    assert_eq!(
        world.executor.poll_timeout(),
        Some(world.now.tick.plus(2 * day))
    );
    world.now.wall = world.now.wall.plus(5 * day);
    world.restart();
    world.run();
    assert_eq!(world.output(), &json!({"n": 1}));
}

#[test]
fn a_failure_is_tried_again_as_often_and_as_late_as_asked() {
    let mut failing = tool("flaky", "idempotent");
    failing["retry"] =
        json!({"attempts": 3, "delay": "10s", "backoff": "exponential", "on": ["business"]});
    let mut world = World::new(&[failing], "flaky", json!({"fail": true}));
    world.begin();
    let before = world.now.wall;
    world.run();

    let outcome = world.outcome.as_ref().unwrap();
    assert_eq!(
        outcome.result.as_ref().unwrap_err().code,
        FailureCode::LoopFailed
    );
    assert_eq!(world.done.values().copied().collect::<Vec<_>>(), [3]);
    assert_eq!(world.count("call.retried"), 2);
    let lasted = world.now.wall.since(before);
    assert!(
        (15_000..=30_000).contains(&lasted),
        "10 s and 20 s, each at least half: {lasted}"
    );
}

#[test]
fn what_may_have_happened_once_is_not_tried_again() {
    let mut failing = tool("pay", "once");
    failing["retry"] = json!({"attempts": 3, "on": ["business", "transient", "unknown"]});
    let mut world = World::new(&[failing], "pay", json!({"fail": true}));
    world.begin();
    world.run();
    assert_eq!(world.done.values().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_failed_step_falls_back_and_a_failed_item_is_kept_where_asked() {
    let steps = json!({"steps": [
        {"loopId": "look", "inputMapping": {"fail": "literal:yes"}, "fallback": {"loopId": "echo"},
            "outputBinding": "kept"},
        {"loopId": "look", "forEach": {"items": "$.input.list", "onFailure": "keep"}},
    ]});
    let loops = [
        tool("look", "idempotent"),
        a_loop("both", "composite", steps),
    ];
    let mut world = World::new(
        &loops,
        "both",
        json!({"list": [{"n": 1}, {"fail": 1}, {"n": 3}]}),
    );
    world.begin();
    world.run();
    let output = world.output().as_array().unwrap();
    assert_eq!(output.first(), Some(&json!({"n": 2})));
    assert_eq!(output.get(1).unwrap()["error"]["code"], "LoopFailed");
    assert_eq!(output.get(2), Some(&json!({"n": 4})));
}

#[test]
fn a_paused_run_begins_nothing_and_loses_no_time() {
    let loops = [
        tool("look", "idempotent"),
        a_loop(
            "two",
            "composite",
            json!({"steps": [{"loopId": "look"}, {"loopId": "look"}]}),
        ),
    ];
    let mut world = World::new(&loops, "two", json!({"n": 1}));
    world.begin();
    world.turn(false);
    assert!(world.executor.pause(RUN, "by hand", world.now));
    let answer = world.work().unwrap();
    world.hear(answer);
    world.turn(false);
    assert_eq!(world.asked.len(), 0, "the second step has not begun");
    assert_eq!(world.executor.poll_timeout(), None, "no time runs out");

    world.later(10 * 24 * 60 * 60 * 1_000);
    world.restart();
    world.turn(false);
    assert_eq!(world.asked.len(), 0, "a restart does not resume it");
    world.resume(None).unwrap();
    world.run();
    assert_eq!(world.output(), &json!({"n": 2}));
    let keys: BTreeSet<_> = world.done.keys().collect();
    assert_eq!(
        (world.done.values().sum::<u64>(), keys.len()),
        (2, 2),
        "the first answer was kept"
    );
}

#[test]
fn a_machine_of_many_steps_holds_one_state() {
    let loops = [
        tool("charge", "idempotent"),
        a_loop("count", "machine", json!({"loopId": "charge"})),
    ];
    let mut world = World::new(&loops, "count", json!({"n": 0, "to": 5_000}));
    world.begin();
    let mut most = 0;
    while world.outcome.is_none() {
        world.turn(false);
        most = most.max(world.disk.len());
        if let Some(answer) = world.work() {
            world.hear(answer);
        }
    }
    assert_eq!(world.output(), &json!({"n": 5_000}));
    assert!(most <= 2, "{most} frames are written down at a time");
}

#[test]
fn a_machine_says_how_many_steps_it_has_taken() {
    let loops = [
        tool("charge", "idempotent"),
        a_loop("count", "machine", json!({"loopId": "charge"})),
    ];
    let mut world = World::new(&loops, "count", json!({"n": 0, "to": 10}));
    world.begin();
    for _ in 0..7 {
        world.turn(false);
        let answer = world.work().unwrap();
        world.hear(answer);
    }
    world.turn(false);
    world.restart();
    world.turn(false);

    let waits = world.executor.waits_of(RUN, world.now);
    let machine = waits.iter().find(|waits| waits.name == "count").unwrap();
    assert_eq!(machine.on, WaitingFor::Step(7));
}

#[test]
fn a_machine_whose_step_answers_nonsense_is_not_tried_again() {
    let mut machine = a_loop("count", "machine", json!({"loopId": "charge"}));
    machine["retry"] = json!({"attempts": 3, "on": ["validation", "business", "transient"]});
    let mut world = World::new(&[tool("charge", "once"), machine], "count", json!({"n": 1}));
    world.begin();
    world.run();
    assert!(world.outcome.as_ref().unwrap().result.is_err());
    assert_eq!(world.done.values().sum::<u64>(), 1, "{:?}", world.done);
}

#[test]
fn items_wait_for_room_where_their_loop_takes_fewer_at_a_time() {
    let mut narrow = tool("charge", "once");
    narrow["limits"] = json!({"concurrency": 2});
    let steps = json!({"steps": [{"loopId": "charge", "forEach": {"items": "$.input.list", "concurrency": 8}}]});
    let input = json!({"list": (0..20).map(|n| json!({"n": n})).collect::<Vec<_>>()});
    let mut world = World::new(&[narrow, a_loop("all", "composite", steps)], "all", input);
    world.begin();
    world.run();
    let expected: Vec<Value> = (1..=20).map(|n| json!({"n": n})).collect();
    assert_eq!(world.output(), &json!(expected));
}

#[test]
fn steps_that_wait_for_nobody_leave_room_for_others() {
    let steps: Vec<Value> = (0..10)
        .map(|_| json!({"loopId": "echo", "when": "false"}))
        .collect();
    let inner = a_loop("inner", "composite", json!({"steps": steps}));
    let each = json!({"steps": [{"loopId": "inner", "forEach": "$.input.list"}]});
    let input = json!({"list": vec![json!({}); 400]});
    let mut world = World::new(&[inner, a_loop("all", "composite", each)], "all", input);
    world.begin();
    let begun = world.now.tick;
    world.run();
    assert_eq!(world.output(), &json!(vec![Value::Null; 400]));
    assert!(world.now.tick > begun, "it was not done in one turn");
}

#[test]
fn ten_thousand_known_ends_are_taken_up_in_one_turn() {
    let steps = json!({"steps": [
        {"loopId": "look", "forEach": {"items": "$.input.list", "concurrency": 256}},
        {"wait": "1h"},
    ]});
    let loops = [
        tool("look", "idempotent"),
        a_loop("all", "composite", steps),
    ];
    let input = json!({"list": (0..10_000).map(|n| json!({"n": n})).collect::<Vec<_>>()});
    let mut world = World::new(&loops, "all", input);
    world.begin();
    world.turn(false);
    while let Some(answer) = world.work() {
        world.hear(answer);
        if world.asked.is_empty() {
            world.turn(false);
        }
    }

    world.restart();

    let waits = world.executor.waits_of(RUN, world.now);
    let waits: Vec<WaitingFor> = waits.into_iter().map(|waits| waits.on).collect();
    let until = world.now.wall.plus(3_600_000);
    assert_eq!(waits, [WaitingFor::Time(until)]);
}
