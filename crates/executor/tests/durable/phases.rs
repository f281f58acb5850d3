//! The phases of a stack that lie beside its parts end when their time is over.

use realm_executor::{BackendRequest, Manifest, Registry, load};
use realm_protocol::FailureCode;
use serde_json::json;

use crate::world::World;

const STACK: &str = "
apiVersion: loopstacks.io/v1
kind: Agent
metadata: {name: mood}
spec:
  runtime: {image: example/mood, language: python}
  capabilities: [text.mood]
  schema: {input: {type: object}, output: {type: object, required: [mood], properties: {mood: {}}}}
---
apiVersion: loopstacks.io/v1
kind: Agent
metadata: {name: topic}
spec:
  runtime: {image: example/topic, language: python}
  capabilities: [text.topic]
  schema: {input: {type: object}, output: {type: object, required: [topic], properties: {topic: {}}}}
---
apiVersion: loopstacks.io/v1
kind: LoopStack
metadata: {name: desk}
spec:
  description: Answers.
  schema: {input: {type: object}, output: {type: object, required: [mood, topic]}}
  capabilities: [text.mood, text.topic]
  phases: {intake: {timeout: 90s}, bidding: {timeout: 2s}, execution: {timeout: 10s}, output: {timeout: 5s}}
";

/// A run of the stack that has begun with its input.
fn desk() -> World {
    let loaded = load("desk.yaml", STACK, &|_| None).unwrap();
    let mut loops = loaded.loops;
    let stacks = Registry::default().plan_stacks(&loaded.stacks, &loops);
    loops.extend(stacks.unwrap());
    let documents: Vec<_> = loops.iter().map(Manifest::to_json).collect();
    let mut world = World::new(&documents, "desk", json!({"text": "good"}));
    world.begin();
    world.turn(false);
    world
}

/// The one thing that is waited for gives its input back.
fn echoes(world: &mut World) {
    let answer = world.work().unwrap();
    world.hear(answer);
    world.turn(false);
}

/// Gives the output of all work that was announced.
fn parts_end(world: &mut World) {
    while let Some(work) = world.announced.pop_front() {
        let output = json!({"mood": "good", "topic": "none"});
        world
            .executor
            .invoke_done(work.call, Ok(output), None, &world.registry, world.now);
    }
    world.turn(false);
}

/// Why the run failed, if it did.
fn failure(world: &World) -> Option<(FailureCode, &str)> {
    let outcome = world.outcome.as_ref()?;
    let error = outcome.result.as_ref().err()?;
    Some((error.code, error.message.as_str()))
}

#[test]
fn a_stack_whose_phases_end_in_time_joins_what_its_parts_gave() {
    let mut world = desk();
    world.later(89_000);
    echoes(&mut world);
    parts_end(&mut world);
    world.later(4_000);
    echoes(&mut world);

    assert_eq!(*world.output(), json!({"mood": "good", "topic": "none"}));
}

#[test]
fn an_intake_that_takes_too_long_ends_the_stack_before_anything_is_announced() {
    let mut world = desk();
    assert!(matches!(world.asked[0].1, BackendRequest::Echo { .. }));

    world.later(90_000);
    world.turn(false);

    let message = "step 0 (`IN`) failed: `echo` gave no output within 90000 ms";
    assert_eq!(failure(&world), Some((FailureCode::Timeout, message)));
    assert!(world.broadcasts.is_empty());
}

#[test]
fn an_output_that_takes_too_long_to_join_ends_the_stack() {
    let mut world = desk();
    echoes(&mut world);
    parts_end(&mut world);

    world.later(5_000);
    world.turn(false);

    let message = "step 2 (`OUT`) failed: `echo` gave no output within 5000 ms";
    assert_eq!(failure(&world), Some((FailureCode::Timeout, message)));
}
