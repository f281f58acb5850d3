//! Output that is shown while it is being made. The model of this world writes a word at a time.

use realm_node::{ControlId, HaltOf, InvokeAsked, Refused, Request, Response, UnhaltOf};
use realm_protocol::{
    FailureCode, Kind,
    journal::{Direction, Status},
    link::Frame,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

use crate::halt::{halt, unhalt};

fn tell() -> Value {
    json!({
        "id": "tell", "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {"template": "{{say}}", "variables": ["say"]},
    })
}

/// A composite of calls, one after the other.
fn then(id: &str, steps: &[&str]) -> Value {
    let steps: Vec<Value> = steps.iter().map(|step| json!({"loopId": step})).collect();
    json!({
        "id": id, "version": "1.0.0", "kind": "composite",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "composite": {"steps": steps},
    })
}

/// The roots acme, which asks, and lab, which tells.
fn cast(seed: u64) -> (World, HostId, HostId) {
    let mut world = World::new(seed);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    world.apply(lab, &[tell()]);
    world.apply(acme, &[tell(), Loops::idempotent("look", 50)]);
    world.run_for(1_000);
    (world, acme, lab)
}

/// So many words, and what a model makes of them.
fn words(count: usize) -> (Value, Value) {
    let text = vec!["w"; count].join(" ");
    (json!({"say": text}), json!({"text": text}))
}

fn begin(world: &mut World, host: HostId, address: &str, input: Value) -> ControlId {
    let Request::Invoke(asked) = World::invoke(address, input) else {
        unreachable!("a call");
    };
    let stream = true;
    world.ask(host, Request::Invoke(InvokeAsked { stream, ..asked }))
}

/// The latest text that a call was shown.
fn shown(world: &World, host: HostId, control: ControlId) -> String {
    let parts = world.shown.get(&(host, control)).map_or(&[][..], |it| it);
    let last = parts.last().map_or(0, |part| part.number);
    let of_last = parts.iter().filter(|part| part.number == last);
    of_last.map(|part| part.text.as_str()).collect()
}

fn output(response: Response) -> Value {
    match response {
        Response::Invoked(done) => done.result.unwrap_or_else(|error| panic!("{error:?}")),
        other => panic!("no output: {other:?}"),
    }
}

/// As `tell`, of an agent.
fn read() -> Value {
    json!({
        "id": "read", "version": "1.0.0", "kind": "tool", "effects": "idempotent",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "tool": {"implementation": "attached", "config": {"agent": "reader"}},
    })
}

#[test]
fn what_an_agent_writes_is_shown_while_it_works_here_and_in_other_realms() {
    for address in ["read", "read@lab", "reads"] {
        let (mut world, acme, lab) = cast(14);
        world.apply(lab, &[read()]);
        world.apply(acme, &[read(), then("reads", &["look", "read@lab"])]);
        world.run_for(1_000);
        let (input, told) = words(10);
        // The last step is given what the run was.
        let control = begin(&mut world, acme, address, input.clone());
        world.run_for(500);
        let midway = shown(&world, acme, control);
        let output = output(world.wait_for(acme, control));

        assert!(
            !midway.is_empty() && midway.len() < 19,
            "{address}: {midway}"
        );
        assert_eq!(output, told, "{address}");
        assert_eq!(shown(&world, acme, control), input["say"], "{address}");
        invariants::check(&mut world);
    }
}

#[test]
fn what_a_model_writes_is_shown_while_it_writes_and_is_what_the_output_is_made_of() {
    for address in ["tell", "tell@lab"] {
        let (mut world, acme, _) = cast(1);
        let (input, told) = words(10);

        let control = begin(&mut world, acme, address, input);
        world.run_for(400);
        let midway = shown(&world, acme, control);
        let output = output(world.wait_for(acme, control));

        assert_eq!(output, told);
        let whole = told.to_string();
        assert_eq!(shown(&world, acme, control), whole, "{address}");
        let begun = !midway.is_empty() && midway.len() < whole.len();
        assert!(begun && whole.starts_with(&midway), "{address}: {midway}");
        invariants::check(&mut world);
    }
}

#[test]
fn inside_a_tree_each_word_is_shown_at_once_and_other_roots_see_some_together() {
    let (mut world, acme, _) = cast(6);
    let ward = world.child(acme, "ward");
    world.apply(ward, &[tell()]);
    world.run_for(1_000);
    world.word_ms = 5;
    let (input, said) = words(80);

    let near = begin(&mut world, acme, "tell@acme/ward", input.clone());
    let far = begin(&mut world, acme, "tell@lab", input);

    assert_eq!(output(world.wait_for(acme, near)), said);
    assert_eq!(output(world.wait_for(acme, far)), said);
    let parts = |control| world.shown.get(&(acme, control)).map_or(0, Vec::len);
    assert!(parts(near) >= 60, "{} parts", parts(near));
    assert!(parts(far) <= 20, "{} parts", parts(far));
}

#[test]
fn a_call_that_was_accepted_goes_on_being_shown() {
    let (mut world, acme, _) = cast(2);
    let (input, told) = words(100);
    let Request::Invoke(asked) = World::invoke_within("tell@lab", input, 120_000) else {
        unreachable!("a call");
    };
    let stream = true;

    let control = world.ask(acme, Request::Invoke(InvokeAsked { stream, ..asked }));
    world.run_for(5_500);
    let midway = shown(&world, acme, control).len();
    world.wait_for(acme, control);

    assert!(midway > 160 && midway < told.to_string().len(), "{midway}");
    assert_eq!(shown(&world, acme, control), told.to_string());
    invariants::check(&mut world);
}

#[test]
fn nothing_is_shown_of_a_halted_run_until_it_goes_on() {
    let (mut world, acme, lab) = cast(15);
    let (input, told) = words(100);
    let Request::Invoke(asked) = World::invoke_within("tell@lab", input, 600_000) else {
        unreachable!("a call");
    };
    let stream = true;
    let control = world.ask(acme, Request::Invoke(InvokeAsked { stream, ..asked }));
    world.run_for(1_000);
    halt(&mut world, lab, HaltOf::All);
    world.run_for(100);
    let midway = shown(&world, acme, control);

    world.run_for(60_000);

    assert!(!midway.is_empty() && midway.len() < told.to_string().len());
    assert_eq!(shown(&world, acme, control), midway);
    unhalt(&mut world, lab, UnhaltOf::All);
    assert_eq!(output(world.wait_for(acme, control)), told);
    invariants::check(&mut world);
}

#[test]
fn whoever_was_told_that_a_run_is_halted_is_shown_no_more_of_it() {
    for address in ["tell", "tell@lab"] {
        let (mut world, acme, lab) = cast(16);
        let at = if address == "tell" { acme } else { lab };
        let control = begin(&mut world, acme, address, words(100).0);
        world.run_for(1_000);
        halt(&mut world, at, HaltOf::All);
        let Response::Invoked(told) = world.wait_for(acme, control) else {
            panic!("an invocation");
        };
        assert_eq!(told.result.unwrap_err().code, FailureCode::Halted);
        world.tap = true;
        unhalt(&mut world, at, UnhaltOf::All);
        world.run_for(60_000);
        let parts = world
            .wire
            .iter()
            .filter_map(|(_, _, bytes)| match Frame::decode(bytes) {
                Ok(Frame::Envelope(envelope)) => Some(envelope.peek().unwrap().kind),
                _ => None,
            });
        assert_eq!(parts.filter(|kind| *kind == Kind::StreamItem).count(), 0);
        invariants::check(&mut world);
    }
}

#[test]
fn a_composite_shows_its_last_step_alone() {
    let (mut world, acme, _) = cast(3);
    let last = then("last", &["look", "tell@lab"]);
    let first = then("first", &["tell@lab", "look"]);
    let nested = then("nested", &["look", "last"]);
    world.apply(acme, &[last, first, nested]);
    let (input, told) = words(5);
    // What `look` gives is what the next step is asked.
    let steps = json!({"say": input["say"], "n": 1});

    let control = begin(&mut world, acme, "first", steps.clone());
    output(world.wait_for(acme, control));
    assert_eq!(shown(&world, acme, control), "");

    for address in ["last", "nested"] {
        let control = begin(&mut world, acme, address, steps.clone());
        output(world.wait_for(acme, control));
        assert_eq!(shown(&world, acme, control), told.to_string(), "{address}");
    }
    invariants::check(&mut world);
}

#[test]
fn who_hangs_up_takes_the_call_back_here_and_there() {
    for (address, direction) in [("tell", Direction::Local), ("tell@lab", Direction::In)] {
        let (mut world, acme, lab) = cast(4);
        let control = begin(&mut world, acme, address, words(50).0);
        world.run_for(500);

        world.hang_up(acme, control);
        world.run_for(5_000);

        let at = if address == "tell" { acme } else { lab };
        let mut runs = world.hosts[at.0].disk.runs.values();
        let run = runs.find(|run| run.direction == direction).unwrap();
        assert_eq!(run.status, Status::Cancelled, "{address}");
        invariants::check(&mut world);
    }
}

#[test]
fn what_is_lost_on_the_way_or_with_a_process_changes_no_answer() {
    for seed in 0..20 {
        let (mut world, acme, lab) = cast(100 + seed);
        let (input, told) = words(60);
        let Request::Invoke(asked) = World::invoke_within("tell@lab", input, 120_000) else {
            unreachable!("a call");
        };
        let stream = true;
        let control = world.ask(acme, Request::Invoke(InvokeAsked { stream, ..asked }));
        world.run_for(300 + 150 * seed);

        match seed % 3 {
            0 => world.crash_for(lab, 500),
            1 => world.cut_once(acme, lab),
            _ => world.partition(acme, lab),
        }
        world.run_for(4_000);
        world.heal(acme, lab);

        let Response::Invoked(done) = world.wait_for(acme, control) else {
            panic!("a call");
        };
        match done.result {
            Ok(output) => assert_eq!(output, told, "seed {seed}"),
            Err(failure) => assert_eq!(failure.code, FailureCode::Offline, "seed {seed}"),
        }
        // The world checks on the way that all comes in its place.
        let shown = shown(&world, acme, control);
        assert!(told.to_string().starts_with(&shown), "seed {seed}: {shown}");
        invariants::check(&mut world);
    }
}

#[test]
fn fifty_calls_of_another_root_are_shown_side_by_side() {
    let (mut world, acme, _) = cast(20);
    let (input, said) = words(60);

    let controls: Vec<ControlId> = (0..50)
        .map(|_| begin(&mut world, acme, "tell@lab", input.clone()))
        .collect();

    for control in &controls {
        assert_eq!(output(world.wait_for(acme, *control)), said);
    }
    for control in controls {
        let parts = world.shown.get(&(acme, control)).map_or(0, Vec::len);
        assert!(parts >= 20, "{parts} parts");
    }
    invariants::check(&mut world);
}

#[test]
fn a_flood_of_what_nobody_wants_to_see_is_dropped_and_takes_no_room_from_calls() {
    let (mut world, acme, lab) = cast(21);
    let (input, _) = words(10);
    world.tap = true;
    let control = begin(&mut world, acme, "tell@lab", input.clone());
    world.wait_for(acme, control);
    world.tap = false;
    let part = world.wire.iter().find_map(|(_, to, bytes)| {
        let Ok(Frame::Envelope(envelope)) = Frame::decode(bytes) else {
            return None;
        };
        let part = envelope.peek().unwrap().kind == Kind::StreamItem;
        (*to == acme && part).then(|| bytes.clone())
    });
    let (part, link) = (part.unwrap(), world.links_between(acme, lab)[0]);

    for _ in 0..5_000 {
        world.inject(acme, link, part.clone());
    }

    let refused = &world.hosts[acme.0].node().counters().refused;
    assert!(refused[&Refused::Rate] >= 2_900, "{refused:?}");
    let done = world.call(acme, "tell@lab", input);
    assert!(done.result.is_ok(), "{done:?}");
    invariants::check(&mut world);
}
