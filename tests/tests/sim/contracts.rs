//! Contracts at both ends of a call: remembered, named, asked for again, and found out if forged.

use realm_executor::contract_digest;
use realm_node::{CallFailure, ContractsOf, Invocation, InvokeAsked, Request, Response};
use realm_protocol::{
    Digest, FailureCode, Kind, RunId, Timestamp,
    cbor::{self, Blob},
    journal::{Event, Table},
    link::Frame,
    message::CallResult,
    wire_map,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

/// A callee, its loop `pay` that takes an object with `n`, and a caller.
fn pay(seed: u64) -> (World, HostId, HostId) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[taking(&["n"])]);
    world.run_for(1_000);
    (world, acme, health)
}

fn taking(required: &[&str]) -> Value {
    let mut pay = Loops::once("pay", 10);
    pay["inputSchema"] = json!({"type": "object", "required": required});
    pay
}

fn keyed(world: &mut World, from: HostId, key: &str) -> Invocation {
    let Request::Invoke(asked) = World::invoke("pay@acme", json!({"n": 1})) else {
        panic!("not an invocation");
    };
    let key = Some(key.to_owned());
    match world.ask_and_wait(from, Request::Invoke(InvokeAsked { key, ..asked })) {
        Response::Invoked(invocation) => *invocation,
        other => panic!("{other:?}"),
    }
}

/// Messages of a kind that a host has sent since the tap was opened.
fn sent(world: &World, from: HostId, kind: Kind) -> usize {
    let frames = world.wire.iter().filter(|(sender, ..)| *sender == from);
    let frames = frames.filter_map(|(.., bytes)| Frame::decode(bytes).ok());
    let kinds = frames.filter_map(|frame| match frame {
        Frame::Envelope(envelope) => Some(envelope.peek().unwrap().kind),
        _ => None,
    });
    kinds.filter(|of| *of == kind).count()
}

fn events<'a>(world: &'a World, host: HostId, kind: &'a str) -> impl Iterator<Item = &'a Event> {
    let events = world.hosts[host.0].disk.events.values();
    events.filter(move |event| event.kind == kind)
}

fn payload(event: &Event) -> Value {
    serde_json::from_slice(&event.payload).unwrap()
}

#[test]
fn bad_input_leaves_only_until_the_contract_is_known() {
    let (mut world, acme, health) = pay(80);
    world.tap = true;

    let first = world.call(health, "pay@acme", json!({}));
    let failure = first.result.unwrap_err();
    assert_eq!(failure.code, FailureCode::SchemaInput);
    assert!(failure.from.is_some(), "the callee says so: {failure:?}");
    assert_eq!(sent(&world, health, Kind::Contracts), 0);
    world
        .call(health, "pay@acme", json!({"n": 1}))
        .result
        .unwrap();
    let calls = sent(&world, health, Kind::Call);

    let second = world.call(health, "pay@acme", json!({}));
    let failure = second.result.unwrap_err();
    assert_eq!(failure.code, FailureCode::SchemaInput);
    assert_eq!(failure.from, None, "{failure:?}");
    assert!(failure.details[0].contains("\"n\""), "{failure:?}");
    assert_eq!(sent(&world, health, Kind::Call), calls);
    assert_eq!(sent(&world, health, Kind::Contracts), 1);
    invariants::check(&mut world);
    let errored: Vec<_> = events(&world, health, "call.errored")
        .map(payload)
        .collect();
    assert_eq!(errored.last().unwrap()["code"], "INPUT_VALIDATION_FAILED");
    assert_eq!(events(&world, acme, "call.received").count(), 2);
}

#[test]
fn bad_input_stays_here_once_the_loop_has_been_shown() {
    let (mut world, _, health) = pay(81);
    let asked = ContractsOf {
        realm: "acme".parse().unwrap(),
        loop_id: Some("pay".parse().unwrap()),
    };
    world.ask_and_wait(health, Request::Contracts(asked));
    world.tap = true;

    let wrong = world.call(health, "pay@acme", json!({}));
    assert_eq!(wrong.result.unwrap_err().code, FailureCode::SchemaInput);
    assert_eq!(sent(&world, health, Kind::Call), 0);
    invariants::check(&mut world);
}

#[test]
fn a_changed_contract_is_noticed() {
    let (mut world, acme, health) = pay(82);
    world
        .call(health, "pay@acme", json!({"n": 1}))
        .result
        .unwrap();
    world.apply(acme, &[taking(&["m"])]);

    let now_right = world.call(health, "pay@acme", json!({"m": 1}));
    assert_eq!(now_right.result, Ok(json!({"done": {"m": 1}})));
    world.tap = true;
    let now_wrong = world.call(health, "pay@acme", json!({"n": 1}));
    assert_eq!(now_wrong.result.unwrap_err().code, FailureCode::SchemaInput);
    assert_eq!(sent(&world, health, Kind::Call), 0);
    world.apply(acme, &[taking(&[])]);
    let right_again = world.call(health, "pay@acme", json!({"n": 2}));
    assert_eq!(right_again.result, Ok(json!({"done": {"n": 2}})));
    invariants::check(&mut world);
}

#[test]
fn an_input_that_the_known_contract_refuses_is_sent_if_the_callee_hides_the_contract() {
    let (mut world, acme, health) = pay(83);
    world
        .call(health, "pay@acme", json!({"n": 1}))
        .result
        .unwrap();
    world.apply(acme, &[taking(&["m"])]);
    let hidden = r#"forbid(principal, action == Action::"discover", resource);"#;
    world.set_policy(acme, "hidden", hidden, false);

    let sent_anyway = world.call(health, "pay@acme", json!({"m": 1}));
    assert_eq!(sent_anyway.result, Ok(json!({"done": {"m": 1}})));
    invariants::check(&mut world);
}

#[test]
fn a_contract_that_the_caller_names_does_not_come_again() {
    let (mut world, _, health) = pay(84);
    let size = |world: &mut World, n: u64| {
        world.tap = true;
        world.wire.clear();
        world
            .call(health, "pay@acme", json!({"n": n}))
            .result
            .unwrap();
        let results = world.wire.iter().filter(|(from, ..)| *from != health);
        results.map(|(.., bytes)| bytes.len()).max().unwrap()
    };
    let mut long = taking(&["n"]);
    long["outputSchema"] = json!({"type": "object", "description": "long ".repeat(4_000)});
    world.apply(HostId(0), &[long]);

    let (first, second) = (size(&mut world, 1), size(&mut world, 2));
    assert!(first > 20_000 && second < 10_000, "{first} {second}");
    invariants::check(&mut world);
}

wire_map! {
    /// A stored key, as the node writes it.
    pub struct StoredKey {
        /// What the key stands for.
        0 => request: Digest,
        /// The run.
        1 => run: RunId,
        /// When it is forgotten.
        2 => forgotten: Timestamp,
        /// The answer.
        3 => answer: Option<StoredAnswer>,
        /// Whether it may run again.
        4 => repeatable: bool,
    }
}

wire_map! {
    /// A stored answer, as the node writes it.
    pub struct StoredAnswer {
        /// Whether it is a Failure.
        0 => failed: bool,
        /// The encoded body.
        1 => content: Blob,
    }
}

/// Makes a callee answer a key again with something else than it answered first: it lies, under
/// its own good name.
fn lie(world: &mut World, liar: HostId, forge: impl Fn(&mut CallResult)) {
    world.run_for(1_000);
    world.crash(liar);
    for row in world.hosts[liar.0].disk.rows_mut(Table::Keys) {
        let mut parts: Vec<Blob> = cbor::decode(row).unwrap();
        let mut key: StoredKey = cbor::decode(&parts[1]).unwrap();
        let answer = key.answer.as_mut().unwrap();
        let mut result: CallResult = cbor::decode(&answer.content).unwrap();
        forge(&mut result);
        answer.content = Blob::from(cbor::encode(&result));
        parts[1] = Blob::from(cbor::encode(&key));
        *row = cbor::encode(&parts);
    }
    world.start(liar);
    world.run_for(10_000);
}

fn lies_about_output(failure: &CallFailure, why: &str) {
    assert_eq!(failure.code, FailureCode::SchemaOutput, "{failure:?}");
    assert!(failure.message.contains(why), "{failure:?}");
}

#[test]
fn a_callee_that_forges_schemas_is_found() {
    let (mut world, acme, health) = pay(85);
    keyed(&mut world, health, "a").result.unwrap();
    lie(&mut world, acme, |result| {
        result.output = Blob::from(b"\"anything\"".to_vec());
        result.output_schema = Some(Blob::from(b"true".to_vec()));
    });
    // A caller that remembers nothing is told all.
    world.crash(health);
    world.start(health);
    world.run_for(10_000);

    let forged = keyed(&mut world, health, "a");
    lies_about_output(&forged.result.unwrap_err(), "digest");
}

#[test]
fn a_callee_that_forges_a_contract_is_found() {
    let (mut world, acme, health) = pay(86);
    keyed(&mut world, health, "a").result.unwrap();
    lie(&mut world, acme, |result| {
        result.contract = Digest::of(&[b"forged"]);
    });
    let forged = keyed(&mut world, health, "a");
    lies_about_output(&forged.result.unwrap_err(), "digest");

    lie(&mut world, acme, |result| {
        (result.input_schema, result.output_schema) = (None, None);
        result.effects = None;
    });
    let untold = keyed(&mut world, health, "a");
    lies_about_output(&untold.result.unwrap_err(), "named");
}

#[test]
fn an_output_that_breaks_the_contract_that_was_named_is_found() {
    let (mut world, acme, health) = pay(87);
    keyed(&mut world, health, "a").result.unwrap();
    lie(&mut world, acme, |result| {
        result.output = Blob::from(b"[]".to_vec());
    });
    let broken = keyed(&mut world, health, "a");
    lies_about_output(&broken.result.unwrap_err(), "schema");
}

#[test]
fn an_answer_given_again_tells_the_contract_to_who_does_not_name_it() {
    let (mut world, _, health) = pay(88);
    let first = keyed(&mut world, health, "a");
    world.crash(health);
    world.start(health);
    world.run_for(10_000);
    for _ in 0..2 {
        let again = keyed(&mut world, health, "a");
        assert!(again.replayed);
        assert_eq!(again.result, first.result);
    }
    let contract = contract_digest(
        "once",
        &json!({"type": "object", "required": ["n"]}),
        &json!({"type": "object"}),
    );
    invariants::check(&mut world);
    let mut returned = events(&world, health, "call.returned").map(payload);
    assert!(returned.all(|returned| returned["contract"] == json!(contract)));
}
