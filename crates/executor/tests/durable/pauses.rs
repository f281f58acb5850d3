//! Pauses by hand, and what else holds a run at the same time.

use realm_executor::{Decision, ResumeError, Start, StartError};
use realm_protocol::{CallId, RunId};
use serde_json::{Value, json};

use crate::world::{RUN, World, a_loop, tool};

/// A tool of which one run may be under way.
fn one_at_a_time(id: &str, effects: &str) -> Value {
    let mut one = tool(id, effects);
    one["limits"] = json!({"concurrency": 1});
    one
}

/// Starts another run of the same loop.
fn start_another(world: &mut World, number: u8) -> Result<(), StartError> {
    let another = Start {
        run: RunId::new([number; 16]),
        call: CallId::new([number; 16]),
        ..world.start.clone()
    };
    world.executor.start(another, &world.registry, world.now)
}

#[test]
fn a_run_that_waits_for_a_person_takes_no_place_of_its_loop_until_it_goes_on() {
    let steps = json!({"steps": [{"loopId": "charge"}, {"loopId": "look"}]});
    let mut pay = a_loop("pay", "composite", steps);
    pay["limits"] = json!({"concurrency": 1});
    let loops = [one_at_a_time("charge", "once"), tool("look", "none"), pay];
    let mut world = World::new(&loops, "pay", json!({"n": 1}));
    world.begin();
    world.turn(false);
    assert!(world.work().is_some());
    assert!(start_another(&mut world, 2).is_err(), "it is at work");
    world.restart();
    world.run();
    assert!(world.undecided);

    start_another(&mut world, 2).unwrap();
    assert!(start_another(&mut world, 3).is_err(), "and it is one");
    let gave = Decision::Output(json!({"n": 2}));
    world.resume(Some(gave)).unwrap();
    world
        .executor
        .cancel(RunId::new([2; 16]), "enough", world.now);
    assert!(start_another(&mut world, 3).is_err(), "the first goes on");
    world.executor.cancel(RUN, "enough", world.now);
    start_another(&mut world, 3).unwrap();
    assert!(start_another(&mut world, 4).is_err());
}

#[test]
fn a_run_that_is_held_keeps_its_place_while_its_tool_works() {
    let loops = [one_at_a_time("look", "idempotent")];
    let mut world = World::new(&loops, "look", json!({"n": 1}));
    world.begin();
    world.turn(false);
    assert!(world.executor.pause(RUN, "by hand", world.now));
    let busy = StartError::LoopBusy {
        loop_id: "look".parse().unwrap(),
        limit: 1,
    };
    assert_eq!(start_another(&mut world, 2), Err(busy));
    let answer = world.work().unwrap();
    world.hear(answer);
    assert_eq!(start_another(&mut world, 2), Ok(()));
}

#[test]
fn a_pause_by_hand_while_the_process_ends_is_remembered() {
    let mut world = World::new(&[tool("look", "idempotent")], "look", json!({"n": 1}));
    world.begin();
    world.turn(false);
    world.executor.stand_still(world.now);
    assert_eq!(world.resume(None), Err(ResumeError::NotPaused));
    assert!(world.executor.pause(RUN, "by hand", world.now));
    world.turn(false);
    assert!(world.paused, "it is told");

    world.restart();
    world.run();
    assert_eq!(world.asked.len(), 0, "nobody is asked again");
    world.resume(None).unwrap();
    world.run();
    assert_eq!(world.output(), &json!({"n": 2}));
}

#[test]
fn a_run_that_is_resumed_while_the_process_ends_goes_on_after_it() {
    let steps = json!({"steps": [{"loopId": "look"}, {"loopId": "look"}]});
    let loops = [
        tool("look", "idempotent"),
        a_loop("two", "composite", steps),
    ];
    let mut world = World::new(&loops, "two", json!({"n": 1}));
    world.begin();
    world.turn(false);
    world.executor.pause(RUN, "by hand", world.now);
    let answer = world.work().unwrap();
    world.hear(answer);
    world.turn(false);

    world.executor.stand_still(world.now);
    world.resume(None).unwrap();
    world.turn(false);
    assert_eq!(world.asked.len(), 0, "the second step has not begun");

    world.restart();
    world.run();
    assert_eq!(world.output(), &json!({"n": 2}));
}

#[test]
fn a_pause_by_hand_while_a_question_is_open_is_remembered() {
    let steps = json!({"steps": [{"loopId": "charge"}, {"loopId": "charge"}]});
    let loops = [tool("charge", "once"), a_loop("pay", "composite", steps)];
    let mut world = World::new(&loops, "pay", json!({"n": 1}));
    world.begin();
    world.turn(false);
    assert!(world.work().is_some());
    world.restart();
    world.run();
    assert!(world.undecided);
    assert!(world.executor.pause(RUN, "by hand", world.now));
    world.turn(false);
    assert!(world.undecided, "the question is still there");

    world.restart();
    world.run();
    assert!(world.paused, "a restart does not resume it");
    assert_eq!(world.count("call.outcome.unknown"), 1);
    world.resume(None).unwrap();
    world.run();
    assert!(world.undecided, "and it asks before it goes on");
    let gave = Decision::Output(json!({"n": 2}));
    world.resume(Some(gave)).unwrap();
    world.run();
    assert_eq!(world.output(), &json!({"n": 2}));
    assert_eq!(world.done.values().sum::<u64>(), 2);
}

#[test]
fn a_run_of_one_once_tool_that_was_paused_by_hand_still_asks_a_person() {
    let mut world = World::new(&[tool("charge", "once")], "charge", json!({"n": 1}));
    world.begin();
    world.turn(false);
    world.executor.pause(RUN, "by hand", world.now);
    world.turn(false);
    assert!(!world.undecided);
    assert!(world.work().is_some());

    world.restart();
    world.turn(false);

    assert!(world.undecided);
    let undecided = world.resume(None);
    assert!(matches!(undecided, Err(ResumeError::Undecided { .. })));
}
