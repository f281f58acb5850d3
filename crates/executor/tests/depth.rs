//! Loops nested thousands deep.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use realm_executor::{Action, BackendReply, Executor, Limits, Manifest, Outcome, Registry, Start};
use realm_protocol::{CallId, FailureCode, Now, RunId, Tick, Timestamp};
use serde_json::{Value, json};

const LEVELS: u64 = 3_000;

/// Composites of which each calls the next one, the outermost first, and what the last one calls.
fn nested() -> Registry {
    let level = |level: u64| {
        let called = match level + 1 {
            LEVELS => "echo".to_owned(),
            next => format!("level-{next}"),
        };
        json!({
            "id": format!("level-{level}"), "version": "1.0.0", "kind": "composite",
            "inputSchema": {}, "outputSchema": {}, "composite": {"steps": [{"loopId": called}]},
        })
    };
    let manifests = (0..LEVELS).map(|number| Manifest::from_json(&level(number)).unwrap());
    let manifests: Vec<Manifest> = manifests.collect();
    let mut registry = Registry::default();
    assert_eq!(registry.validate_set(&manifests), Ok(()));
    registry.insert_all(manifests).unwrap();
    registry
}

/// Runs the outermost one where calls may be nested `depth` deep; gives its end and the most frames
/// that were open at a time.
fn run(depth: u64) -> (Outcome, usize) {
    let registry = nested();
    let mut now = Now {
        wall: Timestamp::from_millis(1_000),
        tick: Tick::from_millis(1),
    };
    let mut executor = Executor::new(Limits {
        depth,
        ..Limits::default()
    });
    let start = Start {
        run: RunId::new([1; 16]),
        call: CallId::new([1; 16]),
        loop_id: "level-0".parse().unwrap(),
        version: None,
        input: json!({"n": 1}),
        timeout_ms: 60_000,
        depth: 0,
        caller: None,
        parent: None,
        durable: true,
        work: None,
        approvals: Vec::new(),
        stream: false,
        budgets: Vec::new(),
        backend: None,
    };
    executor.start(start, &registry, now).unwrap();
    let (mut open, mut most) = (0_usize, 0);
    loop {
        while let Some(action) = executor.poll() {
            match action {
                Action::Event(event) if event.kind == "call.started" => open += 1,
                Action::Event(event) => {
                    let ends = ["call.completed", "call.errored"].contains(&event.kind.as_str());
                    open -= usize::from(ends);
                }
                Action::Backend { call, .. } => {
                    let reply = BackendReply::json(json!({"n": 1}));
                    executor.backend_done(call, Ok(reply), &registry, now);
                }
                Action::Step(asked) => {
                    let of = (asked.run, asked.call);
                    executor.permit_step(of, Vec::new(), &registry, now);
                }
                Action::Finished { outcome, .. } => return (outcome, most),
                _ => {}
            }
            most = most.max(open);
        }
        now.tick = executor.poll_timeout().unwrap();
        executor.handle_timeout(&registry, now);
    }
}

#[test]
fn nesting_past_the_limit_ends_with_the_depth_error_and_nothing_below_is_opened() {
    let limit = Limits::default().depth;
    let (outcome, most) = run(limit);
    let error = outcome.result.unwrap_err();
    assert_eq!(error.code, FailureCode::Budget);
    assert!(error.message.contains("nested too deep"), "{error:?}");
    assert!(most as u64 <= limit + 1, "{most} frames");
}

#[test]
fn nesting_runs_as_deep_as_it_may() {
    let (outcome, most) = run(LEVELS);
    let output: &Value = outcome.result.as_ref().unwrap();
    assert_eq!(output, &json!({"n": 1}));
    assert_eq!(most as u64, LEVELS + 1);
}
