use serde_json::{Value, json};

use super::*;
use crate::api::{RunStatus, Time};

#[test]
fn frames_of_parallel_steps_find_their_callers_steps_and_items() {
    let tree = tree_of(
        run("completed"),
        &[
            event(
                0,
                "r",
                "call.started",
                json!({"loopId": "report", "loopVersion": "1.0.0"}),
            ),
            event(
                1,
                "r",
                "child.started",
                json!({"stepIndex": 0, "loopId": "fetch", "item": 0}),
            ),
            event(
                2,
                "r",
                "child.started",
                json!({"stepIndex": 1, "loopId": "ask@lab", "attempt": 1}),
            ),
            event(3, "c", "call.sent", json!({"realm": "lab", "attempt": 1})),
            event(
                4,
                "b",
                "call.started",
                json!({"loopId": "fetch", "parentCallId": "r"}),
            ),
            event(
                5,
                "b",
                "call.errored",
                json!({"failure": "LoopFailed", "message": "no"}),
            ),
            event(
                6,
                "r",
                "child.completed",
                json!({"stepIndex": 0, "childCallId": "b", "status": "error"}),
            ),
            event(7, "c", "call.sent", json!({"realm": "lab", "attempt": 2})),
            event(
                9,
                "c",
                "call.returned",
                json!({"version": "2.0.0", "contract": "d"}),
            ),
            event(9, "r", "call.completed", json!({})),
        ],
    );

    let seen: Vec<_> = (0..tree.nodes.len())
        .map(|index| tree.path(index))
        .collect();
    assert_eq!(seen, ["report", "report/1.ask", "report/0.fetch[0]"]);
    let [_, ask, fetch] = &tree.nodes[..] else {
        panic!("{:?}", tree.nodes);
    };
    assert_eq!(ask.frame.realm.as_deref(), Some("lab"));
    assert_eq!(
        (ask.frame.attempts, ask.frame.duration_ms),
        (Some(2), Some(6))
    );
    assert_eq!(ask.frame.status, RunStatus::Completed);
    assert_eq!(fetch.frame.error.as_deref(), Some("LoopFailed"));
    let critical: Vec<_> = tree.nodes.iter().map(|node| node.critical).collect();
    assert_eq!(
        critical,
        [true, true, false],
        "fetch ended while ask still ran"
    );
}

#[test]
fn a_chain_of_thousands_of_calls_becomes_a_tree_that_strict_parsers_read() {
    let events: Vec<_> = (0..3_000)
        .map(|at| {
            let caller = if at == 0 {
                "r".to_owned()
            } else {
                format!("c{}", at - 1)
            };
            let payload = json!({"loopId": "deep", "parentCallId": caller});
            event(at, &format!("c{at}"), "call.started", payload)
        })
        .collect();

    let tree = tree_of(run("running"), &events);

    assert_eq!(tree.nodes.last().map(|node| node.depth), Some(3_000));
    assert!(tree.nodes.iter().all(|node| node.critical));
    let nested = serde_json::to_string(&tree.nested().unwrap()).unwrap();
    let read: FrameTree = serde_json::from_str(&nested).unwrap();
    let deepest = std::iter::successors(Some(&read), |frame| frame.children.first()).last();
    assert_eq!(deepest.unwrap().omitted, Some(3_001 - 61));
}

#[test]
fn a_trace_that_names_nobody_it_knows_still_hangs_below_the_run() {
    let tree = tree_of(
        run("completed"),
        &[
            event(
                0,
                "x",
                "call.started",
                json!({"loopId": "x", "parentCallId": "x"}),
            ),
            event(
                1,
                "r",
                "child.completed",
                json!({"childCallId": "y", "stepIndex": 7}),
            ),
            event(1, "r", "child.completed", json!({"childCallId": "r"})),
            event(2, "z", "log", json!(null)),
        ],
    );

    let parents: Vec<_> = tree.nodes.iter().map(|node| node.parent).collect();
    assert_eq!(parents, [None, Some(0), Some(0), Some(0)]);
}

#[test]
fn attempts_and_tool_calls_tell_what_was_tried_and_what_is_unknown() {
    let tree = tree_of(
        run("running"),
        &[
            event(0, "r", "call.started", json!({"loopId": "pay"})),
            event(
                1,
                "r",
                "call.tool.invoked",
                json!({"implementation": "http", "idempotencyKey": "k"}),
            ),
            event(
                4,
                "r",
                "call.retried",
                json!({"failure": "Timeout", "category": "transient", "delayMs": 10}),
            ),
            event(
                14,
                "r",
                "call.tool.invoked",
                json!({"implementation": "http", "idempotencyKey": "k"}),
            ),
        ],
    );

    let attempts = tree.attempts();
    let shape: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            (
                attempt.attempt,
                attempt.status,
                attempt.duration_ms,
                attempt.delay_ms,
            )
        })
        .collect();
    assert_eq!(
        shape,
        [
            (1, RunStatus::Failed, Some(4), Some(10)),
            (2, RunStatus::Running, None, None)
        ]
    );
    let calls = tree.tool_calls();
    let shape: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                call.status,
                call.error.as_deref(),
                call.idempotency_key.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        shape,
        [
            (RunStatus::Failed, Some("Timeout"), Some("k")),
            (RunStatus::Running, None, Some("k"))
        ]
    );
    let turns: Vec<_> = tree.history().into_iter().map(|entry| entry.kind).collect();
    assert_eq!(turns, ["call.started", "call.retried"]);
}

#[test]
fn a_realm_that_is_asked_again_answers_in_the_same_frame() {
    let tree = tree_of(
        run("completed"),
        &[
            event(0, "r", "call.started", json!({"loopId": "report"})),
            event(
                0,
                "r",
                "child.started",
                json!({"stepIndex": 2, "branch": 1, "loopId": "ask@lab"}),
            ),
            event(1, "c", "call.sent", json!({"realm": "lab", "attempt": 1})),
            event(5, "c", "call.returned", json!({"failure": "Timeout"})),
            event(
                5,
                "c",
                "call.retried",
                json!({"failure": "Timeout", "attempt": 2, "delayMs": 10}),
            ),
            event(15, "d", "call.sent", json!({"realm": "lab", "attempt": 1})),
            event(19, "d", "call.returned", json!({"version": "2.0.0"})),
            event(
                19,
                "r",
                "child.completed",
                json!({"stepIndex": 2, "branch": 1, "childCallId": "c", "status": "ok"}),
            ),
            event(
                19,
                "r",
                "child.started",
                json!({"stepIndex": 3, "loopId": "b", "fallback": true}),
            ),
            event(
                20,
                "b",
                "call.started",
                json!({"loopId": "b", "parentCallId": "r"}),
            ),
            event(
                21,
                "b",
                "call.outcome.unknown",
                json!({"message": "who knows"}),
            ),
        ],
    );

    let paths: Vec<_> = (0..tree.nodes.len())
        .map(|index| tree.path(index))
        .collect();
    assert_eq!(paths, ["report", "report/2.1.ask", "report/3.b"]);
    let [_, ask, fallback] = &tree.nodes[..] else {
        panic!("{:?}", tree.nodes);
    };
    assert_eq!(
        (ask.frame.status, ask.frame.duration_ms),
        (RunStatus::Completed, Some(18))
    );
    assert_eq!(ask.frame.version.as_deref(), Some("2.0.0"));
    let attempts = tree.attempts();
    let shape: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt.call_id == "c")
        .map(|attempt| (attempt.attempt, attempt.status, attempt.duration_ms))
        .collect();
    assert_eq!(
        shape,
        [
            (1, RunStatus::Failed, Some(4)),
            (2, RunStatus::Completed, Some(4))
        ]
    );
    assert!(fallback.frame.fallback);
    assert_eq!(fallback.frame.status, RunStatus::Paused);
}

#[test]
fn runs_that_did_the_same_at_another_pace_are_equal() {
    let events = |pace: u64| {
        vec![
            event(0, "r", "call.started", json!({"loopId": "report"})),
            event(
                pace,
                "r",
                "child.started",
                json!({"stepIndex": 0, "loopId": "fetch"}),
            ),
            event(
                pace,
                "b",
                "call.started",
                json!({"loopId": "fetch", "parentCallId": "r"}),
            ),
            event(
                pace * 2,
                "b",
                "call.completed",
                json!({"output": {"b": 1, "a": 2}}),
            ),
            event(pace * 2, "r", "call.completed", json!({})),
        ]
    };

    let compared = diff(
        &tree_of(run("completed"), &events(1)),
        &tree_of(run("completed"), &events(50)),
    );

    assert!(compared.equal, "{compared:?}");
    assert_eq!(compared.frames, 2);
}

#[test]
fn a_diff_names_the_frame_and_what_differs_there() {
    let left = tree_of(
        run("completed"),
        &[
            event(
                0,
                "a",
                "call.started",
                json!({"loopId": "fetch", "parentCallId": "r", "inputDigest": "1"}),
            ),
            event(
                1,
                "a",
                "call.tool.invoked",
                json!({"implementation": "http"}),
            ),
            event(2, "a", "call.completed", json!({"output": 1})),
            event(
                2,
                "b",
                "call.started",
                json!({"loopId": "extra", "parentCallId": "r"}),
            ),
        ],
    );
    let right = tree_of(
        run("completed"),
        &[
            event(
                0,
                "z",
                "call.started",
                json!({"loopId": "fetch", "parentCallId": "r", "inputDigest": "2"}),
            ),
            event(
                2,
                "z",
                "call.errored",
                json!({"failure": "Timeout", "message": "late"}),
            ),
        ],
    );

    let compared = diff(&left, &right);

    let found: Vec<_> = compared
        .differences
        .iter()
        .map(|difference| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let said = format!("{} | {}", text(&difference.left), text(&difference.right));
            (difference.path.as_str(), difference.aspect.as_str(), said)
        })
        .collect();
    let expected = [
        ("report/fetch", "status", "completed | failed"),
        ("report/fetch", "error", " | Timeout: late"),
        ("report/fetch", "toolCalls", "1 | 0"),
        ("report/fetch", "input", "1 | 2"),
        ("report/extra", "frame", "extra | "),
    ];
    let expected: Vec<_> = expected
        .map(|(path, aspect, said)| (path, aspect, said.to_owned()))
        .into();
    assert_eq!(found, expected);
    assert!(!compared.equal);
}

fn tree_of(run: Value, events: &[Value]) -> TraceTree {
    let mut events = events.to_vec();
    for (index, event) in events.iter_mut().enumerate() {
        event["index"] = json!(index);
    }
    TraceTree::new(serde_json::from_value(json!({"run": run, "events": events})).unwrap())
}

fn run(status: &str) -> Value {
    json!({
        "id": "run", "callId": "r", "loop": "report", "direction": "local", "status": status,
        "startedAt": "2026-01-31T12:00:00.000Z",
    })
}

fn event(after: u64, call: &str, kind: &str, payload: Value) -> Value {
    let start: Time = "2026-01-31T12:00:00.000Z".parse().unwrap();
    let ts = Time::from_millis(start.as_millis() + after);
    json!({"index": 0, "callId": call, "ts": ts, "type": kind, "payload": payload})
}
