//! How answers look in each format, as it was last agreed on.

use realm_client::{
    api::{
        BidSummary, BreakerView, CancelResult, Denial, Doctor, FederatedTrace, FrameTree, Page,
        RealmForest, RunSummary, Status, Trace,
    },
    trace::TraceTree,
};
use realmctl::{
    cli::Format,
    output::{Show, render},
    show::Verdict,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::compare;

const FORMATS: [Format; 6] = [
    Format::Table,
    Format::Wide,
    Format::Json,
    Format::Yaml,
    Format::Ndjson,
    Format::Name,
];

#[test]
fn a_list_of_runs_looks_as_agreed_in_every_format() {
    let page = json!({ "items": [run(), failed_run()], "next": "c1" });

    check::<Page<RunSummary>>("runs.txt", page, &FORMATS);
}

#[test]
fn a_run_that_was_cancelled_says_who_has_confirmed() {
    let mut cancelled = run();
    cancelled["withdrawn"] = json!([
        { "runId": "r8", "loop": "review", "ending": "Cancelled",
          "confirmed": ["acme/law", "lab"], "silent": ["acme/style"],
          "confirmedBelow": 3, "silentBelow": 1 },
        { "runId": "r9", "loop": "check", "ending": "TooFewBids" },
    ]);

    check::<CancelResult>("cancelled.txt", cancelled, &[Format::Table, Format::Name]);
}

#[test]
fn breakers_say_how_they_stand_and_why() {
    let open = json!({ "name": "backend/office", "state": "open",
        "reason": "of the last 10 calls: 9 failed, 1 broke the schema",
        "since": "2026-01-31T12:00:00.000Z", "until": "2026-01-31T12:00:30.000Z" });
    let closed = json!({ "name": "loop/greet", "state": "closed", "calls": 7, "failed": 2 });

    check::<BreakerView>("breaker.txt", open.clone(), &[Format::Table, Format::Json]);
    check::<Page<BreakerView>>(
        "breakers.txt",
        json!({ "items": [open, closed] }),
        &[Format::Table, Format::Wide, Format::Name],
    );
}

#[test]
fn a_list_of_bids_looks_as_agreed() {
    let bid = json!({ "bid": "b1", "broadcastId": "c1", "announcer": "shop", "loop": "quote",
        "agent": "quote", "currency": "EUR", "priceMicros": 20_500, "timeMs": 2_000,
        "confidence": 900_000, "createdAt": "2026-01-31T12:00:00.000Z", "awarded": true,
        "closed": false });

    check::<Page<BidSummary>>(
        "bids.txt",
        json!({ "items": [bid] }),
        &[Format::Table, Format::Wide, Format::Name],
    );
}

#[test]
fn a_verdict_looks_as_agreed() {
    let vectors = include_str!("../../../protocol/vectors/transcripts.json");
    let evidence = |kind: &str, name: &str| vector(vectors, kind, name);
    let right = Verdict::right(
        realm_evidence::examine(&evidence("valid", "winners that fall out are replaced")).unwrap(),
    );
    let wrong = realm_evidence::examine(&evidence("invalid", "an award too late")).unwrap_err();

    let mut text = render(&right, Format::Table).unwrap();
    text.push_str(&render(&Verdict::wrong(&wrong), Format::Table).unwrap());
    text.push_str(&render(&Verdict::wrong(&wrong), Format::Json).unwrap());

    compare("verdict.txt", &text);
}

#[test]
fn what_a_bidder_may_see_looks_as_agreed() {
    let vectors = include_str!("../../../protocol/vectors/views.json");
    let right = Verdict::right(
        realm_evidence::examine(&vector(vectors, "valid", "a bidder that won")).unwrap(),
    );
    let wrong = realm_evidence::examine(&vector(
        vectors,
        "invalid",
        "an award that passes over the reader's bid",
    ))
    .unwrap_err();

    let mut text = render(&right, Format::Table).unwrap();
    text.push_str(&render(&Verdict::wrong(&wrong), Format::Table).unwrap());

    compare("view.txt", &text);
}

/// The bytes of a vector.
fn vector(vectors: &str, kind: &str, name: &str) -> Vec<u8> {
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let mut of_kind = vectors[kind].as_array().unwrap().iter();
    let found = of_kind.find(|vector| vector["name"] == name).unwrap();
    let hex = found["hex"].as_str().unwrap();
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()
}

#[test]
fn status_and_doctor_look_as_agreed() {
    check::<Status>(
        "status.txt",
        status(),
        &[Format::Table, Format::Wide, Format::Name],
    );
    check::<Doctor>(
        "doctor.txt",
        doctor(),
        &[Format::Table, Format::Wide, Format::Name],
    );
}

#[test]
fn a_trace_of_several_realms_is_one_tree_and_names_who_shows_nothing() {
    check::<FederatedTrace>(
        "federated.txt",
        federated(),
        &[Format::Table, Format::Wide, Format::Name],
    );
}

#[test]
fn trees_and_traces_look_as_agreed() {
    let trace = json!({ "run": run(), "events": [
        { "index": 0, "callId": "c1", "ts": "2026-01-31T12:00:00.000Z", "type": "call.started",
          "payload": { "loopId": "greet", "loopVersion": "1.0.0" } },
        { "index": 1, "callId": "c1", "ts": "2026-01-31T12:00:00.042Z", "type": "log",
          "payload": { "text": "two\nlines \u{1b}[2J" } },
    ]});
    check::<Trace>(
        "trace.txt",
        trace,
        &[Format::Table, Format::Wide, Format::Ndjson],
    );
    check::<FrameTree>("frames.txt", frames(), &[Format::Table]);
    let tree = TraceTree::new(serde_json::from_value(retried()).unwrap());
    let shown = [
        render(&page(tree.history()), Format::Wide).unwrap(),
        render(&page(tree.attempts()), Format::Wide).unwrap(),
        render(&page(tree.tool_calls()), Format::Wide).unwrap(),
    ];
    compare("lists.txt", &shown.join("---\n"));
    check::<RealmForest>(
        "realms.txt",
        realms(),
        &[Format::Table, Format::Wide, Format::Name],
    );
}

#[test]
fn a_denial_is_explained_with_the_command_that_would_permit_it() {
    let denial = json!({
        "reference": "d-7", "at": "2026-01-31T12:00:00.000Z", "caller": "acme/health",
        "action": "invoke", "resource": "variant-call@lab/genomics", "level": "own",
        "determining": [], "errors": [],
        "suggestion": "realmctl allow acme/health invoke variant-call",
    });

    check::<Denial>("denial.txt", denial, &[Format::Table, Format::Yaml]);
}

#[test]
fn no_format_lets_control_characters_through() {
    let mut hostile = run();
    hostile["loop"] = json!("a\u{1b}]0;x\u{7}\u{9b}\u{202e}b");
    let page: Page<RunSummary> =
        serde_json::from_value(json!({ "items": [hostile], "next": null })).unwrap();

    for format in FORMATS {
        let text = render(&page, format).unwrap();

        let unsafe_char = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(unsafe_char), "{format:?}: {text:?}");
    }
}

fn page<T>(items: Vec<T>) -> Page<T> {
    Page { items, next: None }
}

fn check<T: Show + DeserializeOwned>(name: &str, value: Value, formats: &[Format]) {
    let value: T = serde_json::from_value(value).unwrap();
    let parts = formats.iter().map(|format| {
        let text = render(&value, *format).unwrap();
        format!("--- {format:?}\n{text}")
    });
    compare(name, &parts.collect::<String>());
}

fn run() -> Value {
    json!({
        "id": "run-1", "callId": "call-1", "loop": "greet", "version": "1.0.0",
        "direction": "out", "peer": "lab/genomics", "status": "completed",
        "startedAt": "2026-01-31T12:00:00.000Z", "endedAt": "2026-01-31T12:00:01.250Z",
        "durationMs": 1250,
    })
}

fn failed_run() -> Value {
    json!({
        "id": "run-2", "callId": "call-2", "loop": "true", "direction": "local",
        "status": "failed", "startedAt": "2026-01-31T12:00:02.000Z", "error": "SchemaInput",
    })
}

fn status() -> Value {
    json!({
        "realm": { "name": "acme/health", "id": "h1", "root": "r1", "petname": "acme", "path": "health" },
        "node": "n1", "version": "0.1.0", "pid": 7, "startedAt": "2026-01-31T12:00:00.000Z",
        "uptimeMs": 90_061_000, "listen": ["/ip4/0.0.0.0/tcp/4001"], "dataDir": "/r/data",
        "socket": "/r/realmd.sock", "halted": false,
        "parent": { "name": "acme", "state": "connecting", "error": "connection refused" },
        "children": { "certified": 2, "connected": 1 },
        "peers": [], "loops": 3, "calls": { "local": 0, "outgoing": 1, "incoming": 2 },
        "certificates": [
            { "name": "child certificate", "notAfter": "2026-02-14T12:00:00.000Z" },
            { "name": "node certificate", "notAfter": "2026-05-01T12:00:00.000Z" },
        ],
        "store": { "engine": "redb", "state": "ok", "bytes": 1_572_864, "lastSeq": 9, "restored": false },
        "counters": { "badSignature": 2, "malformed": 0 },
    })
}

fn doctor() -> Value {
    json!({ "status": "fail", "groups": [
        { "name": "clock", "checks": [
            { "code": "clock.skew", "status": "ok", "title": "clock", "evidence": "3 ms from acme" } ] },
        { "name": "ports", "checks": [
            { "code": "ports.listen", "status": "fail", "title": "port 4001", "evidence": "in use",
              "fix": "realmd run --listen /ip4/0.0.0.0/tcp/4002" } ] },
    ]})
}

fn frames() -> Value {
    let started = "2026-01-31T12:00:00.000Z";
    json!({
        "callId": "c1", "loop": "report", "version": "1.0.0", "status": "failed",
        "startedAt": started, "durationMs": 61_000, "error": "LoopFailed",
        "children": [
            { "callId": "c2", "loop": "fetch", "realm": "lab", "status": "completed",
              "startedAt": started, "durationMs": 12,
              "children": [ { "callId": "c3", "loop": "echo", "status": "completed",
                              "startedAt": started, "durationMs": 1 } ] },
            { "callId": "c4", "loop": "sum", "item": 7, "status": "failed", "startedAt": started,
              "error": "LoopFailed", "message": "no sum of nothing\nat all", "attempts": 3 },
        ],
        "omitted": 12,
    })
}

/// A run that called two realms, of which one led on to others.
fn federated() -> Value {
    let event = |index: u64, call: &str, kind: &str, payload: Value| {
        let ts = format!("2026-01-31T12:00:00.{:03}Z", index * 10);
        json!({ "index": index, "callId": call, "ts": ts, "type": kind, "payload": payload })
    };
    let child = |step: u64, address: &str| json!({ "stepIndex": step, "loopId": address });
    let sent = |id: &str, realm: &str| json!({ "attempt": 1, "loopId": id, "realm": realm });
    let ended =
        |step: u64, call: &str| json!({ "stepIndex": step, "childCallId": call, "status": "ok" });
    let own = [
        event(0, "call-1", "call.started", json!({ "loopId": "greet" })),
        event(1, "call-1", "child.started", child(0, "study@lab")),
        event(2, "c2", "call.sent", sent("study", "lab")),
        event(3, "c2", "call.returned", json!({ "version": "1.0.0" })),
        event(4, "call-1", "child.completed", ended(0, "c2")),
        event(5, "call-1", "child.started", child(1, "review@law")),
        event(6, "c5", "call.sent", sent("review", "law")),
        event(7, "c5", "call.returned", json!({})),
        event(8, "call-1", "child.completed", ended(1, "c5")),
        event(9, "call-1", "call.completed", json!({})),
    ];
    // As lab calls them, which is not as this realm does.
    let lab = [
        event(
            0,
            "c2",
            "call.started",
            json!({ "loopId": "study", "loopVersion": "1.0.0" }),
        ),
        event(1, "c2", "child.started", child(0, "weigh")),
        event(
            2,
            "c3",
            "call.started",
            json!({ "loopId": "weigh", "parentCallId": "c2" }),
        ),
        event(3, "c3", "call.completed", json!({})),
        event(4, "c2", "child.completed", ended(0, "c3")),
        event(5, "c2", "child.started", child(1, "read@home/genomics")),
        event(6, "c4", "call.sent", sent("read", "home/genomics")),
        event(7, "c4", "call.returned", json!({})),
        event(8, "c2", "child.completed", ended(1, "c4")),
        event(9, "c2", "call.completed", json!({})),
        event(11, "c2", "child.started", child(2, "count")),
        event(
            12,
            "c6",
            "call.started",
            json!({ "loopId": "count", "parentCallId": "c2" }),
        ),
    ];
    let genomics = [
        event(0, "c4", "call.started", json!({ "loopId": "read" })),
        event(1, "c4", "call.completed", json!({})),
    ];
    let refused = "denied by policy; reference 7f";
    let mut here = run();
    here["direction"] = "local".into();
    here["peer"] = Value::Null;
    json!({ "run": here, "events": own, "parts": [
        { "realm": "lab", "callId": "c2", "loop": "study", "outcome": "shown", "digests": "signed",
          "signedEvents": 11, "runId": "r2", "hidden": 3, "events": lab },
        { "realm": "law", "callId": "c5", "loop": "review", "outcome": "refused", "reason": refused },
        { "realm": "lab/genomics", "callId": "c4", "loop": "read", "from": 0, "outcome": "shown",
          "digests": "differ", "runId": "r4", "hidden": 1, "events": genomics },
        { "realm": "clinic", "callId": "c9", "loop": "see", "from": 2, "outcome": "unreachable",
          "reason": "this realm has no link that leads there" },
    ]})
}

/// A trace with a tool call that was tried twice.
fn retried() -> Value {
    let event = |ts: &str, call: &str, kind: &str, payload: Value| {
        let ts = format!("2026-01-31T12:00:{ts}Z");
        json!({ "index": 0, "callId": call, "ts": ts, "type": kind, "payload": payload })
    };
    let tool = json!({ "implementation": "http", "idempotencyKey": "k-1" });
    json!({ "run": run(), "events": [
        event("00.000", "call-1", "call.started", json!({ "loopId": "greet" })),
        event("00.000", "call-1", "child.started", json!({ "stepIndex": 0, "loopId": "fetch" })),
        event("00.001", "c2", "call.started",
            json!({ "loopId": "fetch", "parentCallId": "call-1" })),
        event("00.002", "c2", "call.tool.invoked", tool.clone()),
        event("00.100", "c2", "call.retried", json!({
            "failure": "Timeout", "category": "transient", "message": "no answer", "delayMs": 400 })),
        event("00.500", "c2", "call.tool.invoked", tool),
        event("00.530", "c2", "call.tool.returned", json!({ "durationMs": 30 })),
        event("00.531", "c2", "call.completed", json!({ "totalDurationMs": 530 })),
        event("00.531", "call-1", "child.completed",
            json!({ "stepIndex": 0, "childCallId": "c2", "status": "ok" })),
        event("01.250", "call-1", "call.completed", json!({})),
    ]})
}

fn realms() -> Value {
    json!({ "trees": [
        { "name": "mercy", "label": "mercy", "id": "m", "self": true, "children": [
            { "name": "mercy/cardiology", "label": "cardiology", "id": "mc", "self": false,
              "state": "connected", "children": [
                { "name": "mercy/cardiology/imaging", "label": "imaging", "self": false } ] },
            { "name": "mercy/billing", "label": "billing", "self": false, "state": "offline" } ] },
        { "name": "lab", "label": "lab", "id": "l", "self": false, "state": "connected" },
    ]})
}
