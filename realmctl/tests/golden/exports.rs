//! What exported traces look like to the programs that read them.

use realm_client::trace::TraceTree;
use realmctl::export;
use serde_json::{Value, json};

use crate::compare;

#[test]
fn spans_hold_no_content_unless_asked() {
    let tree = tree("local");

    let bare = export::otlp(&tree, false).unwrap();
    let full = export::otlp(&tree, true).unwrap();

    let document: Value = serde_json::from_str(&bare).unwrap();
    compare(
        "otlp.json",
        &serde_json::to_string_pretty(&document).unwrap(),
    );
    for secret in ["<patient>", "=no", "prompt words"] {
        let quoted = json!(secret).to_string();
        let quoted = quoted.trim_matches('"');
        assert!(!bare.contains(quoted), "{secret} in {bare}");
        assert!(full.contains(quoted), "no {secret} in {full}");
    }
}

#[test]
fn the_half_of_the_realm_that_serves_hangs_below_the_callers_span() {
    let ids = |direction| {
        let text = export::otlp(&tree(direction), false).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0].clone();
        let id = |key: &str| span[key].as_str().map(str::to_owned);
        (id("traceId"), id("spanId"), id("parentSpanId"))
    };

    let (caller, callee) = (ids("out"), ids("in"));

    assert_eq!(caller.0, callee.0);
    assert_eq!(caller.1, callee.2);
    assert_ne!(caller.1, callee.1);
    assert_eq!(caller.2, None);
}

#[test]
fn tables_and_documents_of_a_trace_look_as_agreed() {
    let tree = tree("local");

    compare("export.csv", &export::csv(&tree));
    let text = export::json(&tree).unwrap();
    compare("export.json", &text);
    let read: Value = serde_json::from_str(&text).unwrap();
    let again = TraceTree::new(serde_json::from_value(read).unwrap());
    assert!(realm_client::trace::diff(&tree, &again).equal);
}

#[test]
fn nothing_in_a_trace_ends_the_element_that_holds_it() {
    let mut tree = tree("local");
    let hostile = "</script><script>alert(1)</script><!-- {{script}} \u{2028} ]]> &lt;";
    tree.trace.run.summary.loop_id = hostile.to_owned();
    tree.nodes[0].frame.input = Some(json!({ hostile: hostile }));

    let page = export::html(&tree).unwrap();

    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("alert(1)</") && !page.contains('\u{2028}'));
    let data = page.split("id=\"trace\">").nth(1).unwrap();
    let data = data.split("</script>").next().unwrap();
    let read: Value = serde_json::from_str(data).unwrap();
    assert_eq!(read["frames"][0]["input"][hostile], hostile);
}

/// A prompt and a failed tool below a composite.
fn tree(direction: &str) -> TraceTree {
    let event = |index: u64, ms: u64, call: &str, kind: &str, payload: Value| {
        let ts = format!("2026-01-31T12:00:00.{ms:03}Z");
        json!({ "index": index, "callId": call, "ts": ts, "type": kind, "payload": payload })
    };
    let trace = json!({
        "run": {
            "id": "run-1", "callId": "r", "loop": "report", "direction": direction,
            "status": "failed", "startedAt": "2026-01-31T12:00:00.000Z", "durationMs": 90,
            "error": "LoopFailed", "input": { "who": "<patient>" },
        },
        "events": [
            event(0, 0, "r", "call.started", json!({ "loopId": "report", "loopVersion": "1.2.0" })),
            event(1, 1, "a", "call.started", json!({ "loopId": "ask", "parentCallId": "r" })),
            event(2, 1, "a", "call.backend.requested", json!({
                "backendId": "mock", "model": "m-1", "promptLength": 5, "prompt": "prompt words" })),
            event(3, 40, "a", "call.backend.responded", json!({
                "durationMs": 39, "inputTokens": 2, "outputTokens": 9 })),
            event(4, 40, "a", "call.completed", json!({ "output": "two,\nlines" })),
            event(5, 41, "b", "call.started", json!({ "loopId": "send", "parentCallId": "r" })),
            event(6, 41, "b", "call.tool.invoked", json!({ "implementation": "http" })),
            event(7, 90, "b", "call.errored", json!({
                "failure": "LoopFailed", "message": "=no", "category": "business" })),
        ],
    });
    TraceTree::new(serde_json::from_value(trace).unwrap())
}
