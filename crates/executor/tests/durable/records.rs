//! What is written down is read back as it was, or not at all.

use realm_executor::{BackendReply, RestartError};
use realm_protocol::{FailureCode, cbor::Blob, limits};
use serde_json::{Value, json};

use crate::world::{World, a_loop, tool};

fn two_looks() -> World {
    let steps = json!({"steps": [{"loopId": "look"}, {"loopId": "look"}]});
    let loops = [
        tool("look", "idempotent"),
        a_loop("two", "composite", steps),
    ];
    let mut world = World::new(&loops, "two", json!({"n": 1}));
    world.begin();
    world.turn(false);
    world
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(0), |inner, _| json!({"a": inner}))
}

#[test]
fn an_output_that_would_not_be_read_back_is_refused_when_it_comes() {
    for (depth, taken) in [(limits::JSON_DEPTH, true), (limits::JSON_DEPTH + 1, false)] {
        let mut world = two_looks();
        let (call, _) = world.asked.pop_front().unwrap();
        let reply = BackendReply::json(nested(depth));
        world.hear((call, Ok(reply)));
        world.turn(false);

        assert_eq!(world.asked.len(), usize::from(taken), "the second step");
        let Some(outcome) = world.outcome else {
            continue;
        };
        let error = outcome.result.unwrap_err();
        assert_eq!(error.code, FailureCode::SchemaOutput);
        let detail = error.details.first().unwrap();
        assert!(detail.starts_with("/a/a/"), "{detail}");
        assert!(detail.contains("deeper than 64"), "{detail}");
    }
}

#[test]
fn a_run_whose_records_do_not_read_does_not_go_on() {
    let mut world = two_looks();
    let answer = world.work().unwrap();
    world.hear(answer);
    world.turn(false);
    let known = world.disk.clone();
    let (call, mut ended) = known
        .into_iter()
        .find(|(_, frame)| frame.output.is_some())
        .unwrap();
    ended.output = Some(Blob::from(b"{".to_vec()));
    world.disk.insert(call, ended);

    let refused = world.try_restart();

    let what = "output";
    assert!(
        matches!(refused, Err(RestartError::Unreadable { call: of, what: read, .. }) if of == call && read == what),
        "{refused:?}"
    );
    assert!(world.executor.is_empty());
    assert_eq!(world.executor.poll(), None, "nothing was asked again");
}
