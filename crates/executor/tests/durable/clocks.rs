//! The time that runs and their frames have, over restarts and clocks that jump.

use realm_executor::Decision;
use realm_protocol::{FailureCode, Timestamp};
use serde_json::{Value, json};

use crate::world::{RUN, World, a_loop, tool};

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// A composite inside another one, with ten seconds for a tool that does not answer.
fn ten_seconds() -> World {
    let mut inner = a_loop("inner", "composite", json!({"steps": [{"loopId": "look"}]}));
    inner["limits"] = json!({"timeout": "10s"});
    let outer = a_loop(
        "outer",
        "composite",
        json!({"steps": [{"loopId": "inner"}]}),
    );
    let loops = [tool("look", "idempotent"), inner, outer];
    let mut world = World::new(&loops, "outer", json!({"n": 1}));
    world.begin();
    world.turn(false);
    world
}

fn passes(world: &mut World, millis: u64) {
    world.now.wall = world.now.wall.plus(millis);
}

fn code(world: &World) -> Option<FailureCode> {
    let outcome = world.outcome.as_ref()?;
    outcome.result.as_ref().err().map(|error| error.code)
}

#[test]
fn a_composite_keeps_its_deadline_over_restarts() {
    let mut world = ten_seconds();
    for _ in 0..2 {
        passes(&mut world, 4 * SECOND);
        world.restart();
        world.turn(false);
        assert!(world.outcome.is_none());
    }
    world.later(2 * SECOND);
    world.turn(false);
    assert_eq!(code(&world), Some(FailureCode::Timeout));
}

#[test]
fn a_composite_is_given_back_what_its_run_was_paused_and_no_more() {
    let mut world = ten_seconds();
    passes(&mut world, 4 * SECOND);
    world.executor.pause(RUN, "by hand", world.now);
    world.turn(false);
    passes(&mut world, HOUR);
    world.restart();
    world.turn(false);
    world.resume(None).unwrap();
    world.turn(false);
    for _ in 0..2 {
        assert!(world.outcome.is_none());
        world.later(3 * SECOND);
        world.turn(false);
    }
    assert_eq!(code(&world), Some(FailureCode::Timeout));
}

fn waiting(step: Value) -> World {
    let steps = json!({"steps": [step, {"loopId": "look"}]});
    let loops = [
        tool("look", "idempotent"),
        a_loop("later", "composite", steps),
    ];
    let mut world = World::new(&loops, "later", json!({"n": 1}));
    world.begin();
    world.turn(false);
    world
}

fn set_back(world: &mut World, millis: u64) {
    let wall = world.now.wall.as_millis();
    world.now.wall = Timestamp::from_millis(wall - millis);
}

#[test]
fn a_wait_that_is_over_stays_over_when_the_clock_is_set_back() {
    for restarted_at_its_end in [false, true] {
        let mut world = waiting(json!({"wait": "1h"}));
        passes(&mut world, DAY);
        if restarted_at_its_end {
            world.restart();
        } else {
            world.later(HOUR);
        }
        world.turn(false);
        assert_eq!(world.asked.len(), 1, "the step after it");

        set_back(&mut world, DAY);
        world.restart();
        world.turn(false);

        assert_eq!(world.asked.len(), 1, "the step after it again");
        assert_eq!(world.count("wait.completed"), 1);
    }
}

#[test]
fn a_wait_that_ended_while_nobody_was_there_takes_no_time_of_what_follows() {
    let steps = json!({"steps": [{"wait": "1h"}, {"loopId": "look"}]});
    let mut inner = a_loop("inner", "composite", steps);
    inner["limits"] = json!({"timeout": "2h"});
    let mut outer = a_loop(
        "outer",
        "composite",
        json!({"steps": [{"loopId": "inner"}]}),
    );
    outer["limits"] = json!({"timeout": "2h"});
    let mut look = tool("look", "idempotent");
    look["limits"] = json!({"timeout": "2h"});
    let mut world = World::new(&[look, inner, outer], "outer", json!({"n": 1}));
    world.begin();
    world.turn(false);

    for down in [DAY, 59 * 60 * SECOND] {
        passes(&mut world, down);
        world.restart();
        world.turn(false);
        assert!(world.outcome.is_none(), "{:?}", code(&world));
        assert_eq!(world.asked.len(), 1);
    }
    world.later(60 * SECOND);
    world.turn(false);
    assert_eq!(
        code(&world),
        Some(FailureCode::Timeout),
        "two hours are over"
    );
}

#[test]
fn a_clock_that_is_set_back_makes_no_wait_longer() {
    let mut world = waiting(json!({"wait": "1h"}));
    passes(&mut world, DAY);
    set_back(&mut world, DAY + 900 * SECOND);
    world.restart();
    world.turn(false);
    let until = world.executor.poll_timeout().unwrap();
    assert_eq!(until, world.now.tick.plus(HOUR));
}

#[test]
fn another_realm_is_asked_under_a_key_as_old_as_the_first_attempt() {
    let retry = json!({"attempts": 9, "delay": "1s", "on": ["transient", "unknown"]});
    let steps = json!({"steps": [{"loopId": "pay@lab", "retry": retry}]});
    let loops = [a_loop("main", "composite", steps)];
    let mut world = World::new(&loops, "main", json!({"n": 1}));
    world.begin();
    world.turn(false);
    let first = world.called.pop_front().unwrap();
    assert_eq!((first.asked, first.tried), (world.now.wall, world.now.wall));

    world.refuse(first.call, FailureCode::Timeout);
    world.executor.pause(RUN, "by hand", world.now);
    world.turn(false);
    world.later(4 * DAY);
    world.restart();
    world.later(4 * DAY);
    world.resume(None).unwrap();
    world.later(SECOND);
    world.turn(false);
    let second = world.called.pop_front().unwrap();
    assert_eq!((second.asked, second.tried), (first.asked, world.now.wall));

    world.refuse(second.call, FailureCode::Expired);
    world.turn(false);
    assert!(world.undecided, "it no longer knows, so a person is asked");
    world.resume(Some(Decision::Again)).unwrap();
    world.turn(false);
    let third = world.called.pop_front().unwrap();
    assert_eq!(
        third.asked, world.now.wall,
        "a person's word is another first attempt"
    );
}
