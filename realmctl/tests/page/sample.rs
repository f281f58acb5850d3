//! A trace of many frames: batches of calls, one of a hundred failed.

use realm_client::{api::Time, trace::TraceTree};
use serde_json::{Value, json};

const BATCH: usize = 100;

/// A run with so many frames: its own call, and batches of 99 calls each.
pub(crate) fn tree(frames: usize) -> TraceTree {
    let mut events = vec![event(
        0,
        "root",
        "call.started",
        json!({ "loopId": "survey" }),
    )];
    let mut batch = "root".to_owned();
    for at in 1..frames {
        let (call, when) = (format!("c{at}"), at as u64);
        let begins = at % BATCH == 0 || at == 1;
        let caller = if begins { "root" } else { batch.as_str() };
        let name = match at {
            _ if begins => "batch".to_owned(),
            7_777 => "needle-7777".to_owned(),
            _ => "measure".to_owned(),
        };
        let input = match at {
            7_777 => json!("</script><script>stolen = 1</script>"),
            _ => json!({ "text": format!("reading of patient {at}") }),
        };
        let item = if begins { at / BATCH } else { at % BATCH };
        let step = json!({ "stepIndex": 0, "item": item, "loopId": name });
        events.push(event(when, caller, "child.started", step));
        let started = json!({ "loopId": name, "parentCallId": caller, "input": input });
        events.push(event(when, &call, "call.started", started));
        let invoked = json!({ "implementation": "http" });
        events.push(event(when, &call, "call.tool.invoked", invoked));
        let (kind, ended) = if at % BATCH == 50 {
            let ended = json!({ "failure": "LoopFailed", "message": "no reading" });
            ("call.errored", ended)
        } else {
            ("call.completed", json!({ "output": at }))
        };
        events.push(event(when + 40, &call, kind, ended));
        if begins {
            batch = call;
        }
    }
    for (index, event) in events.iter_mut().enumerate() {
        event["index"] = json!(index);
    }
    let trace = json!({
        "run": {
            "id": "run-1", "callId": "root", "loop": "survey", "version": "1.0.0",
            "direction": "local", "status": "completed", "startedAt": at(0),
            "durationMs": frames + 40,
        },
        "events": events,
    });
    TraceTree::new(serde_json::from_value(trace).unwrap())
}

fn event(after: u64, call: &str, kind: &str, payload: Value) -> Value {
    json!({ "index": 0, "callId": call, "ts": at(after), "type": kind, "payload": payload })
}

fn at(after: u64) -> Time {
    Time::from_millis(1_770_000_000_000 + after)
}
