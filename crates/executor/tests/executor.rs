//! Runs, from start to finish, without any IO.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::collections::BTreeSet;

use realm_executor::{
    Action, BackendError, BackendOutput, BackendReply, BackendRequest, CallError, Executor, Limits,
    LoopError, Manifest, Outcome, RealmCall, Registry, Start, StartError, ToolCall,
};
use realm_protocol::{
    CallId, Digest, FailureCode, Now, RunId, Tick, Timestamp, journal::Event, json::Object, limits,
};
use serde_json::{Value, json};

struct Bench {
    executor: Executor,
    registry: Registry,
    now: Now,
    events: Vec<Event>,
}

impl Bench {
    fn new(loops: &[Value]) -> Self {
        let mut registry = Registry::default();
        for document in loops {
            registry
                .insert(Manifest::from_json(document).unwrap())
                .unwrap();
        }
        let now = Now {
            wall: Timestamp::from_millis(1_000_000),
            tick: Tick::from_millis(500),
        };
        Self {
            executor: Executor::new(Limits::default()),
            registry,
            now,
            events: Vec::new(),
        }
    }

    fn later(&mut self, millis: u64) {
        self.now = Now {
            wall: self.now.wall.plus(millis),
            tick: self.now.tick.plus(millis),
        };
    }

    fn start(&mut self, loop_id: &str, input: Value) -> Result<(), StartError> {
        self.executor
            .start(start(1, loop_id, input), &self.registry, self.now)
    }

    /// The next action that is not an event; events are kept.
    fn next(&mut self) -> Option<Action> {
        loop {
            match self.executor.poll()? {
                Action::Event(event) => self.events.push(event),
                Action::Keep { .. } | Action::Forget { .. } => {}
                Action::Step(asked) => {
                    let of = (asked.run, asked.call);
                    self.executor
                        .permit_step(of, Vec::new(), &self.registry, self.now);
                }
                other => return Some(other),
            }
        }
    }

    fn backend(&mut self) -> (CallId, BackendRequest) {
        match self.next() {
            Some(Action::Backend { call, request, .. }) => (call, request),
            other => panic!("expected work for a backend, found {other:?}"),
        }
    }

    fn answer(&mut self, call: CallId, output: Value) {
        self.executor.backend_done(
            call,
            Ok(BackendReply::json(output)),
            &self.registry,
            self.now,
        );
    }

    fn finished(&mut self) -> Outcome {
        match self.next() {
            Some(Action::Finished { outcome, .. }) => {
                assert_eq!(self.next(), None, "nothing follows the end");
                outcome
            }
            other => panic!("expected the end, found {other:?}"),
        }
    }

    fn error(&mut self) -> LoopError {
        self.finished().result.unwrap_err()
    }

    fn kinds(&self) -> Vec<&str> {
        self.events
            .iter()
            .map(|event| event.kind.as_str())
            .collect()
    }

    fn payload(&self, kind: &str) -> Value {
        let found = self.events.iter().find(|event| event.kind == kind).unwrap();
        serde_json::from_slice(&found.payload).unwrap()
    }
}

fn start(run: u8, loop_id: &str, input: Value) -> Start {
    Start {
        run: RunId::new([run; 16]),
        call: CallId::new([run; 16]),
        loop_id: loop_id.parse().unwrap(),
        version: None,
        input,
        timeout_ms: 60_000,
        depth: 0,
        caller: Some("acme/health".to_owned()),
        parent: None,
        durable: false,
        work: None,
        approvals: Vec::new(),
        stream: false,
        budgets: Vec::new(),
        backend: None,
    }
}

fn manifest(id: &str, kind: &str, body: Value) -> Value {
    let mut document = json!({
        "id": id, "version": "1.2.0", "kind": kind,
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
    });
    document
        .as_object_mut()
        .unwrap()
        .insert(kind.to_owned(), body);
    document
}

fn greet() -> Value {
    let mut document = manifest(
        "greet",
        "prompt",
        json!({"template": "Greet {{name}} and {{ others }}; leave {{this}}", "variables": ["name", "others"]}),
    );
    document["inputSchema"] = json!({"type": "object", "required": ["name"]});
    document
}

fn agent(id: &str) -> Value {
    manifest(
        id,
        "tool",
        json!({"implementation": "process", "config": {"argv": ["x"]}}),
    )
}

fn chain(id: &str, steps: Value) -> Value {
    manifest(id, "composite", json!({ "steps": steps }))
}

#[test]
fn a_prompt_runs_and_leaves_the_whole_trace() {
    let mut bench = Bench::new(&[greet()]);

    bench
        .start("greet", json!({"name": "{{others}}", "others": ["a", 1]}))
        .unwrap();
    let (call, request) = bench.backend();
    bench.later(7);
    let reply = BackendReply {
        output: BackendOutput::Text("hello".to_owned()),
        input_tokens: Some(3),
        output_tokens: Some(2),
        model: None,
        cost: None,
    };
    bench
        .executor
        .backend_done(call, Ok(reply), &bench.registry, bench.now);
    let outcome = bench.finished();

    let BackendRequest::Model(request) = request else {
        panic!("a model")
    };
    assert_eq!(request.backend, "mock");
    assert_eq!(request.prompt, "Greet {{others}} and a, 1; leave {{this}}");
    assert_eq!(outcome.result, Ok(json!({"text": "hello"})));
    assert_eq!(outcome.version, "1.2.0");
    assert_eq!(outcome.ended.since(outcome.started), 7);
    let kinds = [
        "call.started",
        "call.input.validated",
        "call.backend.requested",
        "call.backend.responded",
        "call.output.validated",
        "call.completed",
    ];
    assert_eq!(bench.kinds(), kinds);
    let current = bench.registry.get(&"greet".parse().unwrap()).unwrap();
    let started = json!({
        "loopId": "greet", "loopVersion": "1.2.0", "revision": current.digest,
        "caller": "acme/health",
    });
    assert_eq!(bench.payload("call.started"), started);
    let mut requested = bench.payload("call.backend.requested");
    let told = requested.as_object_mut().unwrap().remove("promptDigest");
    assert!(told.is_some_and(|digest| digest.is_string()));
    assert_eq!(requested, json!({"backendId": "mock", "promptLength": 41}));
    let responded = json!({"durationMs": 7, "inputTokens": 3, "outputTokens": 2});
    assert_eq!(bench.payload("call.backend.responded"), responded);
    let spent = json!({"money": [], "tokens": 5, "calls": 1});
    assert_eq!(
        bench.payload("call.completed"),
        json!({"totalDurationMs": 7, "spent": spent})
    );
    let numbers: Vec<u64> = bench.events.iter().map(|event| event.index).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_text_that_is_json_becomes_the_output_itself() {
    let mut bench = Bench::new(&[greet()]);
    bench.start("greet", json!({"name": "x"})).unwrap();
    let (call, _) = bench.backend();
    let reply = BackendReply {
        output: BackendOutput::Text("{\"greeting\": \"hi\"}".to_owned()),
        input_tokens: None,
        output_tokens: None,
        model: None,
        cost: None,
    };

    bench
        .executor
        .backend_done(call, Ok(reply), &bench.registry, bench.now);

    assert_eq!(bench.finished().result, Ok(json!({"greeting": "hi"})));
}

#[test]
fn input_and_output_that_break_their_schemas_end_the_run_with_places() {
    let mut bench = Bench::new(&[greet(), agent("agent")]);

    bench.start("greet", json!({})).unwrap();
    let input = bench.error();
    bench.start("agent", json!({})).unwrap();
    let (call, _) = bench.backend();
    bench.answer(call, json!([]));
    let output = bench.error();

    assert_eq!(
        (input.code, input.lsem_code()),
        (FailureCode::SchemaInput, "INPUT_VALIDATION_FAILED")
    );
    assert!(input.details[0].starts_with("(root): "), "{input:?}");
    assert_eq!(
        (output.code, output.lsem_code()),
        (FailureCode::SchemaOutput, "OUTPUT_VALIDATION_FAILED")
    );
    assert_eq!(
        bench.payload("call.errored")["code"],
        "INPUT_VALIDATION_FAILED"
    );
}

#[test]
fn steps_take_their_input_from_where_the_mapping_says() {
    let steps = json!([
        {"loopId": "echo", "inputMapping": {"a": "$.input.list[1].x", "b": "literal:$.input"}, "outputBinding": "first"},
        {"loopId": "echo", "inputMapping": {"again": "$.first.a", "all": "$.steps[0].output"}},
        {"loopId": "echo"},
    ]);
    let mut bench = Bench::new(&[chain("c", steps)]);

    bench.start("c", json!({"list": [0, {"x": [1]}]})).unwrap();
    let mut inputs = Vec::new();
    for _ in 0..3 {
        let (call, BackendRequest::Echo { input }) = bench.backend() else {
            panic!("echo")
        };
        bench.answer(call, input.clone());
        inputs.push(input);
    }

    assert_eq!(inputs[0], json!({"a": [1], "b": "$.input"}));
    assert_eq!(
        inputs[1],
        json!({"again": [1], "all": {"a": [1], "b": "$.input"}})
    );
    assert_eq!(
        bench.finished().result,
        Ok(json!({"list": [0, {"x": [1]}]}))
    );
    let first_child = bench.payload("child.completed");
    assert_eq!(
        (&first_child["stepIndex"], &first_child["status"]),
        (&json!(0), &json!("ok"))
    );
    assert_eq!(bench.executor.poll_timeout(), None);
}

#[test]
fn a_mapping_that_finds_nothing_is_named() {
    let steps = json!([{"loopId": "echo", "inputMapping": {"a": "$.input.absent.x", "b": "$.input.list[9]"}}]);
    let mut bench = Bench::new(&[chain("c", steps)]);

    bench.start("c", json!({"list": []})).unwrap();
    let error = bench.error();

    assert_eq!(error.code, FailureCode::SchemaInput);
    let expected = [
        "/steps/0/inputMapping/a: `$.input.absent.x` finds nothing",
        "/steps/0/inputMapping/b: `$.input.list[9]` finds nothing",
    ];
    assert_eq!(error.details, expected);
}

#[test]
fn a_step_in_another_realm_is_an_invocation() {
    let steps = json!([
        {"loopId": "variant@lab/genomics", "loopVersion": "^1", "inputMapping": {"r": "$.input.r"}, "outputBinding": "v"},
        {"loopId": "echo", "inputMapping": {"v": "$.v"}},
    ]);
    let mut bench = Bench::new(&[chain("c", steps)]);

    bench.start("c", json!({"r": 1})).unwrap();
    let Some(Action::Invoke(RealmCall {
        call,
        address,
        version,
        input,
        timeout_ms,
        depth,
        run,
        ..
    })) = bench.next()
    else {
        panic!("an invocation")
    };
    bench.executor.record(
        run,
        call,
        "call.sent",
        Object::new().with("hops", &2),
        bench.now,
    );
    bench.executor.invoke_done(
        call,
        Ok(json!({"found": 3})),
        None,
        &bench.registry,
        bench.now,
    );
    let (echo, _) = bench.backend();
    bench.answer(echo, json!({"v": {"found": 3}}));

    assert_eq!(address.to_string(), "variant@lab/genomics");
    assert_eq!(
        (version.as_deref(), input, timeout_ms, depth),
        (Some("^1"), json!({"r": 1}), 60_000, 1)
    );
    assert_eq!(bench.finished().result, Ok(json!({"v": {"found": 3}})));
    let sent = bench
        .events
        .iter()
        .position(|event| event.kind == "call.sent")
        .unwrap();
    assert_eq!(bench.events[sent].index, sent as u64);
}

#[test]
fn a_run_fails_with_what_its_child_failed_with() {
    let steps = json!([{"loopId": "far@lab"}]);
    let mut bench = Bench::new(&[
        chain("inner", steps),
        chain("outer", json!([{"loopId": "inner"}])),
    ]);

    bench.start("outer", json!({})).unwrap();
    let Some(Action::Invoke(RealmCall { call, depth, .. })) = bench.next() else {
        panic!("an invocation")
    };
    let denied = CallError {
        code: FailureCode::Denied,
        message: "denied: ref-1".to_owned(),
        details: Vec::new(),
        may_have_begun: false,
    };
    bench
        .executor
        .invoke_done(call, Err(denied), None, &bench.registry, bench.now);
    let error = bench.error();

    assert_eq!(depth, 2);
    assert_eq!(error.code, FailureCode::Denied);
    assert_eq!(error.message, "step 0 failed: step 0 failed: denied: ref-1");
    assert!(bench.executor.is_empty());
}

#[test]
fn the_smaller_of_both_timeouts_ends_the_run_and_stops_its_work() {
    let mut slow = agent("slow");
    slow["limits"] = json!({"timeout": "2s"});
    let mut bench = Bench::new(&[slow, chain("c", json!([{"loopId": "slow"}]))]);

    bench.start("c", json!({})).unwrap();
    let (call, BackendRequest::Process { timeout_ms, .. }) = bench.backend() else {
        panic!("a process")
    };
    assert_eq!(timeout_ms, 2_000);
    assert_eq!(
        bench.executor.poll_timeout(),
        Some(bench.now.tick.plus(2_000))
    );
    bench.later(1_999);
    bench.executor.handle_timeout(&bench.registry, bench.now);
    assert_eq!(bench.next(), None);
    bench.later(1);
    bench.executor.handle_timeout(&bench.registry, bench.now);

    assert_eq!(bench.next(), Some(Action::CancelBackend(call)));
    assert_eq!(bench.error().code, FailureCode::Timeout);
    bench.answer(call, json!({}));
    assert_eq!(bench.next(), None, "late answers are ignored");
    assert_eq!(
        (bench.executor.poll_timeout(), bench.executor.len()),
        (None, 0)
    );
}

#[test]
fn cancelling_stops_backends_and_calls_to_other_realms() {
    let mut bench = Bench::new(&[
        chain("c", json!([{"loopId": "far@lab"}])),
        chain("d", json!([{"loopId": "echo"}])),
    ]);

    bench.start("c", json!({})).unwrap();
    let Some(Action::Invoke(RealmCall { call: far, run, .. })) = bench.next() else {
        panic!("an invocation")
    };
    bench.executor.cancel(run, "no longer needed", bench.now);
    assert_eq!(bench.next(), Some(Action::CancelInvoke(far)));
    let error = bench.error();
    bench
        .executor
        .invoke_done(far, Ok(json!({})), None, &bench.registry, bench.now);
    assert_eq!(bench.next(), None);

    bench.start("d", json!({})).unwrap();
    let (echo, _) = bench.backend();
    bench.executor.cancel(run, "again", bench.now);
    assert_eq!(bench.next(), Some(Action::CancelBackend(echo)));

    assert_eq!(
        (error.code, error.message.as_str()),
        (FailureCode::Cancelled, "cancelled: no longer needed")
    );
    assert_eq!(bench.error().code, FailureCode::Cancelled);
}

#[test]
fn loops_that_call_themselves_end_with_budget() {
    let mut bench = Bench::new(&[
        chain("a", json!([{"loopId": "b"}])),
        chain("b", json!([{"loopId": "a"}])),
    ]);

    bench.start("a", json!({})).unwrap();

    assert_eq!(bench.error().code, FailureCode::Budget);
    assert!(bench.executor.is_empty());
    assert_eq!(bench.executor.poll_timeout(), None);
}

#[test]
fn a_run_may_not_have_more_frames_than_allowed() {
    let mut bench = Bench::new(&[chain(
        "c",
        json!([{"loopId": "echo"}, {"loopId": "echo"}, {"loopId": "echo"}]),
    )]);
    bench.executor = Executor::new(Limits {
        run_frames: 3,
        ..Limits::default()
    });

    bench.start("c", json!({})).unwrap();
    for _ in 0..2 {
        let (call, _) = bench.backend();
        bench.answer(call, json!({}));
    }

    let error = bench.error();
    assert_eq!(error.code, FailureCode::Budget);
}

#[test]
fn starts_that_cannot_be_served_are_refused_and_leave_nothing() {
    let mut one = agent("one");
    one["limits"] = json!({"concurrency": 1});
    let mut bench = Bench::new(&[one]);
    bench.start("one", json!({})).unwrap();
    bench.backend();

    let mut try_start = |start: Start| bench.executor.start(start, &bench.registry, bench.now);
    let unknown = try_start(start(2, "nobody", json!({})));
    let version = try_start(Start {
        version: Some("^2".to_owned()),
        ..start(2, "echo", json!({}))
    });
    let deep = try_start(Start {
        depth: limits::CALL_DEPTH + 1,
        ..start(2, "echo", json!({}))
    });
    let late = try_start(Start {
        timeout_ms: 0,
        ..start(2, "echo", json!({}))
    });
    let again = try_start(start(1, "echo", json!({})));
    let full = try_start(start(2, "one", json!({})));
    let same_call = try_start(Start {
        run: RunId::new([9; 16]),
        ..start(1, "echo", json!({}))
    });

    assert_eq!(unknown, Err(StartError::LoopNotFound));
    assert_eq!(version, Err(StartError::LoopNotFound));
    assert_eq!(
        (deep, late),
        (Err(StartError::Budget), Err(StartError::Budget))
    );
    assert_eq!(
        (again, same_call),
        (Err(StartError::Busy), Err(StartError::Busy))
    );
    let loop_id = "one".parse().unwrap();
    assert_eq!(full, Err(StartError::LoopBusy { loop_id, limit: 1 }));
    assert_eq!(bench.next(), None);
}

#[test]
fn a_step_whose_loop_is_busy_or_gone_fails_alone() {
    let mut one = agent("one");
    one["limits"] = json!({"concurrency": 1});
    let steps = json!([{"loopId": "echo"}, {"loopId": "one"}]);
    let mut bench = Bench::new(&[one, chain("c", steps)]);

    bench
        .executor
        .start(start(2, "one", json!({})), &bench.registry, bench.now)
        .unwrap();
    let (held, _) = bench.backend();
    bench.start("c", json!({})).unwrap();
    let (echo, _) = bench.backend();
    bench.answer(echo, json!({}));
    let busy = bench.error();
    bench.answer(held, json!({}));
    let held = bench.finished();
    bench.start("c", json!({})).unwrap();
    let (echo, _) = bench.backend();
    bench.registry.remove(&"one".parse().unwrap());
    bench.answer(echo, json!({}));

    assert_eq!(busy.code, FailureCode::Overloaded);
    assert!(held.result.is_ok());
    assert_eq!(bench.error().code, FailureCode::LoopNotFound);
}

#[test]
fn a_backend_that_fails_says_how_and_whether_to_try_again() {
    let mut bench = Bench::new(&[agent("agent")]);
    bench.start("agent", json!({})).unwrap();
    let (call, _) = bench.backend();

    let failed = BackendError::Exit {
        code: Some(2),
        stderr: "no reads".to_owned(),
    };
    bench
        .executor
        .backend_done(call, Err(failed), &bench.registry, bench.now);

    let error = bench.error();
    assert_eq!(error.code, FailureCode::LoopFailed);
    assert_eq!(
        error.message,
        "the process ended with exit code 2: no reads"
    );
    assert!(error.details.is_empty());
    assert_eq!(bench.payload("call.errored")["category"], "business");
}

#[test]
fn only_what_has_effects_or_is_paid_for_waits_for_its_intent_to_be_on_the_disk() {
    let tool = |id, effects: &str| {
        let mut agent = agent(id);
        agent["effects"] = json!(effects);
        agent
    };
    let mut asking = greet();
    asking["id"] = json!("asking");
    asking["backend"] = json!({"id": "office", "model": "any"});
    let free = manifest("echoed", "tool", json!({"implementation": "builtin:echo"}));
    let cases = [
        (free, false),
        (tool("harmless", "none"), false),
        (tool("repeatable", "idempotent"), true),
        (tool("counted", "once"), true),
        (asking, true),
    ];
    for (document, expected) in cases {
        let id = document["id"].as_str().unwrap().to_owned();
        let mut bench = Bench::new(&[document]);

        bench.start(&id, json!({"name": "Ada"})).unwrap();

        let Some(Action::Backend { intent, .. }) = bench.next() else {
            panic!("`{id}` asks nobody");
        };
        assert_eq!(intent, expected, "{id}");
    }
}

#[test]
fn what_a_run_did_is_on_the_disk_before_anybody_else_is_asked() {
    let tool = |id, effects: &str| {
        let mut agent = agent(id);
        agent["effects"] = json!(effects);
        agent
    };
    let steps = json!([{"loopId": "look"}, {"loopId": "pay"}, {"loopId": "look"}]);
    let (look, pay) = (tool("look", "none"), tool("pay", "once"));
    let mut bench = Bench::new(&[look, pay, chain("c", steps)]);

    bench.start("c", json!({})).unwrap();

    for expected in [false, true, true] {
        let asked = std::iter::from_fn(|| bench.next()).find_map(|action| match action {
            Action::Backend { call, intent, .. } => Some((call, intent)),
            _ => None,
        });
        let (call, intent) = asked.unwrap();
        assert_eq!(intent, expected);
        bench.answer(call, json!({}));
    }
}

#[test]
fn the_same_start_gives_the_same_ids() {
    let steps = json!([{"loopId": "echo"}, {"loopId": "far@lab"}]);
    let ids = || {
        let mut bench = Bench::new(&[chain("c", steps.clone())]);
        bench.start("c", json!({})).unwrap();
        let (call, _) = bench.backend();
        bench.answer(call, json!({}));
        let Some(Action::Invoke(RealmCall { call: far, .. })) = bench.next() else {
            panic!("an invocation")
        };
        (call, far)
    };

    assert_eq!(ids(), ids());
    assert_ne!(ids().0, ids().1);
}

#[test]
fn nothing_is_recorded_for_a_run_that_is_not_there() {
    let mut bench = Bench::new(&[]);

    let recorded = bench.executor.record(
        RunId::new([1; 16]),
        CallId::new([1; 16]),
        "log",
        Object::new(),
        bench.now,
    );

    assert!(!recorded);
    assert_eq!(bench.next(), None);
}

#[test]
fn two_callers_that_chose_the_same_call_id_do_not_get_each_others_answers() {
    let mut bench = Bench::new(&[chain("c", json!([{"loopId": "echo"}]))]);
    bench.start("c", json!({"of": 1})).unwrap();
    let (first, _) = bench.backend();
    let same = Start {
        run: RunId::new([2; 16]),
        ..start(1, "c", json!({"of": 2}))
    };
    bench
        .executor
        .start(same, &bench.registry, bench.now)
        .unwrap();
    let (second, _) = bench.backend();

    bench.answer(second, json!({"of": 2}));
    let ended = bench.next();
    bench.answer(first, json!({"of": 1}));

    assert_ne!(first, second);
    assert!(matches!(ended, Some(Action::Finished { run, .. }) if run == RunId::new([2; 16])));
    assert_eq!(bench.finished().result, Ok(json!({"of": 1})));
}

#[test]
fn a_model_that_calls_what_it_was_not_offered_or_without_end_gets_nowhere() {
    let asks = |tools: Value, turns: u64| {
        let mut ask = manifest(
            "ask",
            "prompt",
            json!({"template": "?", "variables": [], "tools": tools, "maxTurns": turns}),
        );
        ask["backend"] = json!({"id": "office"});
        Bench::new(&[ask, agent("look")])
    };
    let calls = |names: &[&str]| BackendReply {
        output: BackendOutput::Calls {
            said: None,
            calls: names
                .iter()
                .map(|name| ToolCall {
                    id: (*name).to_owned(),
                    name: (*name).to_owned(),
                    arguments: json!({}),
                })
                .collect(),
        },
        ..BackendReply::json(Value::Null)
    };
    let say = |bench: &mut Bench, reply: BackendReply| {
        let (call, _) = bench.backend();
        let (registry, now) = (bench.registry.clone(), bench.now);
        bench.executor.backend_done(call, Ok(reply), &registry, now);
    };

    // Without any tools.
    let mut bench = asks(json!([]), 1);
    bench.start("ask", json!({})).unwrap();
    say(&mut bench, calls(&["look"]));
    assert_eq!(bench.error().code, FailureCode::LoopFailed);

    // Another tool than those it was offered: it is told, and may answer.
    let offered = json!([{"name": "look", "loopId": "look"}]);
    let mut bench = asks(offered.clone(), 1);
    bench.start("ask", json!({})).unwrap();
    say(&mut bench, calls(&["charge"]));
    let (call, request) = bench.backend();
    let BackendRequest::Model(request) = request else {
        panic!("a model")
    };
    assert!(request.turns[0].results[0].failed);
    assert_eq!(
        request.turns[0].results[0].output["error"]["code"],
        "LoopNotFound"
    );
    bench.answer(call, json!({"text": "so be it"}));
    assert!(bench.finished().result.is_ok());

    // An input that the schema it was shown refuses, though the loop would take it: as before.
    let shown = json!({"type": "object", "required": ["of"]});
    let held = json!([{"name": "look", "loopId": "look", "inputSchema": shown}]);
    let mut bench = asks(held, 1);
    bench.start("ask", json!({})).unwrap();
    say(&mut bench, calls(&["look"]));
    let (_, request) = bench.backend();
    let BackendRequest::Model(request) = request else {
        panic!("a model")
    };
    let told = &request.turns[0].results[0].output["error"];
    assert_eq!(told["code"], "SchemaInput");
    assert!(told["details"][0].as_str().unwrap().contains("of"));

    // More turns than it may take.
    let mut bench = asks(offered.clone(), 1);
    bench.start("ask", json!({})).unwrap();
    say(&mut bench, calls(&["charge"]));
    say(&mut bench, calls(&["charge"]));
    assert_eq!(bench.error().code, FailureCode::Budget);

    // More calls than may be at once.
    let mut bench = asks(offered, 1);
    bench.start("ask", json!({})).unwrap();
    say(&mut bench, calls(&["look"; limits::MODEL_CALLS + 1]));
    assert_eq!(bench.error().code, FailureCode::Budget);
}

#[test]
fn a_turn_of_a_model_that_fails_is_tried_again_alone_and_under_a_key_of_its_own() {
    let mut ask = manifest(
        "ask",
        "prompt",
        json!({"template": "?", "variables": [], "tools": [{"name": "look", "loopId": "look"}]}),
    );
    ask["backend"] = json!({"id": "office"});
    ask["retry"] = json!({"attempts": 3, "on": ["transient"], "delay": "1s", "backoff": "fixed"});
    // What is done once is not done again, and so the prompt is no other.
    let mut bench = Bench::new(&[ask, agent("look")]);
    bench.start("ask", json!({})).unwrap();
    let calls = vec![ToolCall {
        id: "a".to_owned(),
        name: "look".to_owned(),
        arguments: json!({}),
    }];
    let asked = |bench: &mut Bench| match bench.backend() {
        (call, BackendRequest::Model(request)) => (call, *request),
        other => panic!("a model, and not {other:?}"),
    };

    let (call, first) = asked(&mut bench);
    let reply = BackendReply {
        output: BackendOutput::Calls { said: None, calls },
        ..BackendReply::json(Value::Null)
    };
    let (registry, now) = (bench.registry.clone(), bench.now);
    bench.executor.backend_done(call, Ok(reply), &registry, now);
    let (tool, _) = bench.backend();
    bench.answer(tool, json!({"n": 1}));
    let (call, second) = asked(&mut bench);
    let error = BackendError::Status {
        code: 500,
        said: "a bad day".to_owned(),
        retry_after_ms: None,
    };
    bench
        .executor
        .backend_done(call, Err(error), &registry, now);
    assert_eq!(bench.next(), None, "it waits before it asks again");
    bench.later(1_000);
    bench.executor.handle_timeout(&registry, bench.now);
    let (call, third) = asked(&mut bench);
    bench.answer(call, json!({"text": "seen"}));

    assert!(bench.finished().result.is_ok());
    assert_eq!((first.turns.len(), second.turns.len()), (0, 1));
    assert_eq!(third.turns, second.turns);
    let keys = BTreeSet::from([first.key, second.key, third.key]);
    assert_eq!(keys.len(), 3);
    let retried = bench.payload("call.retried");
    assert_eq!(
        (&retried["turn"], &retried["attempt"]),
        (&json!(1), &json!(2))
    );
}

#[test]
fn the_same_work_is_asked_for_under_one_key_in_every_run_and_other_work_under_another() {
    let asked = |run: u8, work: Option<Digest>| {
        let tool = json!({"implementation": "process", "config": {"argv": ["/bin/true"]}});
        let mut bench = Bench::new(&[manifest("a", "tool", tool)]);
        let start = Start {
            run: RunId::new([run; 16]),
            work,
            ..start(9, "a", json!({}))
        };
        let started = bench.executor.start(start, &bench.registry, bench.now);
        started.unwrap();
        let (_, BackendRequest::Process { key, .. }) = bench.backend() else {
            panic!("expected a process");
        };
        key
    };
    let (slot, other) = (Digest::of(&[b"slot"]), Digest::of(&[b"other"]));

    assert_eq!(asked(1, Some(slot)), asked(2, Some(slot)));
    assert_ne!(asked(1, Some(slot)), asked(1, Some(other)));
    assert_ne!(asked(1, None), asked(2, None));
}
