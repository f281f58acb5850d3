//! What agents keep between calls: given with the call, changed with its end, or not at all.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use realm_executor::{
    Action, BackendReply, BackendRequest, Category, Executor, Limits, LoopError, Manifest, Outcome,
    Registry, Start,
};
use realm_protocol::{CallId, FailureCode, LoopId, Now, RunId, Tick, Timestamp, limits};
use serde_json::{Value, json};

/// A realm with one agent, whose loop counts what it is told of.
struct Bench {
    executor: Executor,
    registry: Registry,
    runs: u8,
    kept: Vec<(String, Option<Value>)>,
}

fn now() -> Now {
    Now {
        wall: Timestamp::from_millis(1_000_000),
        tick: Tick::from_millis(500),
    }
}

impl Bench {
    fn new() -> Self {
        let tally = json!({
            "id": "tally", "version": "1.0.0", "kind": "tool", "effects": "idempotent",
            "inputSchema": {}, "outputSchema": {"type": "object"},
            "tool": {"implementation": "process", "config": {"argv": ["tally"]}},
            "state": {"agent": "counter", "keys": ["total", "of/{{name}}"]},
        });
        let mut registry = Registry::default();
        registry
            .insert(Manifest::from_json(&tally).unwrap())
            .unwrap();
        Self {
            executor: Executor::new(Limits::default()),
            registry,
            runs: 0,
            kept: Vec::new(),
        }
    }

    /// Calls the loop; gives what the program is asked.
    fn ask(&mut self, name: &str) -> (CallId, Value) {
        self.runs += 1;
        let start = Start {
            run: RunId::new([self.runs; 16]),
            call: CallId::new([self.runs; 16]),
            loop_id: "tally".parse().unwrap(),
            version: None,
            input: json!({"name": name}),
            timeout_ms: 60_000,
            depth: 0,
            caller: None,
            parent: None,
            durable: false,
            work: None,
            stream: false,
            approvals: Vec::new(),
            budgets: Vec::new(),
            backend: None,
        };
        self.executor.start(start, &self.registry, now()).unwrap();
        loop {
            match self.executor.poll().unwrap() {
                Action::Backend { call, request, .. } => match request {
                    BackendRequest::Process { input, .. } => return (call, input),
                    other => panic!("{other:?}"),
                },
                Action::Finished { outcome, .. } => panic!("{outcome:?}"),
                _ => {}
            }
        }
    }

    /// Lets the program answer; gives how the run ended.
    fn answer(&mut self, call: CallId, answer: Value) -> Result<Value, LoopError> {
        let reply = Ok(BackendReply::json(answer));
        self.executor
            .backend_done(call, reply, &self.registry, now());
        loop {
            match self.executor.poll().unwrap() {
                Action::State { key, value, .. } => {
                    self.kept.push((key, value.map(|value| value.value)));
                }
                Action::Finished {
                    outcome: Outcome { result, .. },
                    ..
                } => return result,
                _ => {}
            }
        }
    }

    fn value(&self, key: &str) -> Option<Value> {
        let agent: LoopId = "counter".parse().unwrap();
        let held = self.executor.states().of(&agent)?.get(key)?;
        Some(held.value.clone())
    }
}

#[test]
fn a_call_is_given_its_keys_and_changes_them_with_its_output() {
    let mut bench = Bench::new();

    let (call, asked) = bench.ask("ann");
    assert_eq!(
        asked,
        json!({"input": {"name": "ann"}, "state": {"total": null, "of/ann": null}})
    );
    let changes = json!({"total": {"value": 1}, "of/ann": {"value": ["tea"]}});
    let output = bench.answer(call, json!({"output": {"n": 1}, "state": changes}));
    assert_eq!(output.unwrap(), json!({"n": 1}));

    let (call, asked) = bench.ask("bob");
    let given = json!({"total": {"value": 1, "version": 1}, "of/bob": null});
    assert_eq!(asked["state"], given);
    let changes = json!({"total": {"value": 2, "version": 1}, "of/bob": null});
    bench
        .answer(call, json!({"output": {"n": 2}, "state": changes}))
        .unwrap();

    assert_eq!(bench.value("total"), Some(json!(2)));
    let (call, asked) = bench.ask("ann");
    assert_eq!(asked["state"]["total"]["version"], 2);
    bench
        .answer(call, json!({"output": {}, "state": {"of/ann": null}}))
        .unwrap();
    assert_eq!(bench.value("of/ann"), None);
    let last = bench.kept.last().unwrap();
    assert_eq!(last, &("of/ann".to_owned(), None));
}

#[test]
fn a_call_that_fails_changes_nothing() {
    let answers = [
        (
            json!({"output": 7, "state": {"total": {"value": 1}}}),
            "does not match its schema",
        ),
        (
            json!({"state": {"total": {"value": 1}}}),
            "not that of a loop with state",
        ),
        (
            json!({"output": {}, "state": {"of/bob": {"value": 1}}}),
            "not that of a loop with state",
        ),
        (
            json!({"output": {}, "state": {"total": 1}}),
            "not that of a loop with state",
        ),
        (
            json!({"output": {}, "state": {"total": {"value": 1, "version": 3}}}),
            "not that of a loop with state",
        ),
        (
            json!({"output": {}, "state": {"total": {"value": "x".repeat(limits::STATE_VALUE_BYTES)}}}),
            "not that of a loop with state",
        ),
        (
            json!({"output": {}, "more": 1}),
            "not that of a loop with state",
        ),
        (json!([]), "not that of a loop with state"),
    ];
    for (answer, what) in answers {
        let mut bench = Bench::new();
        let (call, _) = bench.ask("ann");

        let error = bench.answer(call, answer).unwrap_err();

        assert_eq!(error.code, FailureCode::SchemaOutput);
        assert!(error.message.contains(what), "{error:?}");
        assert!(error.may_have_begun);
        assert_eq!((bench.value("total"), bench.kept.len()), (None, 0));
    }
}

#[test]
fn of_two_calls_that_were_given_the_same_the_second_changes_nothing() {
    let mut bench = Bench::new();
    let (first, _) = bench.ask("ann");
    let (second, _) = bench.ask("bob");
    bench
        .answer(
            first,
            json!({"output": {}, "state": {"total": {"value": 1}}}),
        )
        .unwrap();

    let error = bench
        .answer(
            second,
            json!({"output": {}, "state": {"total": {"value": 1}, "of/bob": {"value": 1}}}),
        )
        .unwrap_err();

    assert_eq!(error.category, Category::Transient);
    assert!(
        error.message.contains("`total` of agent `counter`"),
        "{}",
        error.message
    );
    assert_eq!(bench.value("of/bob"), None);
    // What was removed and written again is another value, though its version is the same.
    let (late, _) = bench.ask("cid");
    let agent: LoopId = "counter".parse().unwrap();
    bench.executor.forget_state(&agent, None);
    let (again, _) = bench.ask("dan");
    bench
        .answer(
            again,
            json!({"output": {}, "state": {"total": {"value": 5}}}),
        )
        .unwrap();
    let changes = json!({"output": {}, "state": {"total": {"value": 2}}});
    assert!(bench.answer(late, changes).is_err());
    assert_eq!(bench.value("total"), Some(json!(5)));
}

#[test]
fn an_input_names_only_keys_below_the_owners() {
    for name in ["../total", "a/b", "", "x\0", "a b", &"x".repeat(200)] {
        let mut bench = Bench::new();
        let start = Start {
            run: RunId::new([1; 16]),
            call: CallId::new([1; 16]),
            loop_id: "tally".parse().unwrap(),
            version: None,
            input: json!({"name": name}),
            timeout_ms: 60_000,
            depth: 0,
            caller: None,
            parent: None,
            durable: false,
            work: None,
            stream: false,
            approvals: Vec::new(),
            budgets: Vec::new(),
            backend: None,
        };

        bench.executor.start(start, &bench.registry, now()).unwrap();

        let ended = std::iter::from_fn(|| bench.executor.poll()).find_map(|action| match action {
            Action::Finished { outcome, .. } => Some(outcome),
            _ => None,
        });
        assert_eq!(
            ended.unwrap().result.unwrap_err().code,
            FailureCode::SchemaInput
        );
    }
}

#[test]
fn a_full_state_takes_no_more_until_some_is_removed() {
    let mut bench = Bench::new();
    let value = "x".repeat(limits::STATE_VALUE_BYTES - 2);
    let fits = limits::STATE_BYTES / limits::STATE_VALUE_BYTES;
    let put = |bench: &mut Bench, name: &str| {
        let (call, _) = bench.ask(name);
        bench.runs = 0;
        let changes = json!({format!("of/{name}"): {"value": value}});
        bench.answer(call, json!({"output": {}, "state": changes}))
    };
    for number in 0..fits {
        put(&mut bench, &number.to_string()).unwrap();
    }

    let error = put(&mut bench, "more").unwrap_err();

    assert_eq!(error.code, FailureCode::Budget);
    assert!(
        error.message.contains("realmctl agent state rm counter"),
        "{}",
        error.message
    );
    let agent: LoopId = "counter".parse().unwrap();
    assert_eq!(bench.executor.forget_state(&agent, Some("of/0")), ["of/0"]);
    put(&mut bench, "more").unwrap();
}

#[test]
fn state_is_given_to_tools_with_effects_alone() {
    let with = |effects: &str, kind: Value| {
        let mut document = json!({
            "id": "tally", "version": "1.0.0", "kind": "tool", "effects": effects,
            "inputSchema": {}, "outputSchema": {}, "tool": kind,
            "state": {"keys": ["total"]},
        });
        document.sort_all_objects();
        Manifest::from_json(&document)
    };
    let process = json!({"implementation": "process", "config": {"argv": ["x"]}});

    let right = with("once", process.clone()).unwrap();
    assert_eq!(Manifest::from_json(&right.to_json()).unwrap(), right);
    assert_eq!(right.state_agent(), Some(&right.id));
    assert!(with("none", process).is_err());
    assert!(with("once", json!({"implementation": "builtin:echo"})).is_err());
}
