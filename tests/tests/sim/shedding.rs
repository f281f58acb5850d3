//! Under too much, what begins work goes first: what ends work and tells of it gets through.

use bytes::Bytes;
use realm_node::{Refused, Request, Response};
use realm_protocol::{FailureCode, Kind, journal::Status, link::Frame};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

/// The roots acme and lab, with a slow loop at lab.
fn cast(seed: u64) -> (World, HostId, HostId) {
    let mut world = World::new(seed);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(lab, acme);
    world.allow(lab, "acme", "*");
    world.apply(lab, &[Loops::once("slow", 60_000)]);
    world.run_for(5_000);
    (world, acme, lab)
}

/// A call of acme's as it came to lab.
fn recorded(world: &mut World, acme: HostId, lab: HostId) -> Bytes {
    world.tap = true;
    world.call(acme, "echo@lab", json!({}));
    world.tap = false;
    let mut calls = world.wire.iter().filter_map(|(_, to, bytes)| {
        let Ok(Frame::Envelope(envelope)) = Frame::decode(bytes) else {
            return None;
        };
        let is_call = envelope.peek().unwrap().kind == Kind::Call;
        (*to == lab && is_call).then(|| bytes.clone())
    });
    calls.next().unwrap()
}

#[test]
fn a_flood_of_calls_over_a_link_keeps_no_cancel_from_its_work() {
    let (mut world, acme, lab) = cast(5_100);
    let call = recorded(&mut world, acme, lab);
    let control = world.ask(
        acme,
        World::invoke_within("slow@lab", json!({"n": 1}), 50_000),
    );
    world.run_for(1_000);
    let run = *world.hosts[acme.0].disk.runs.keys().last().unwrap();
    let link = world.links_between(lab, acme)[0];
    for _ in 0..500 {
        world.inject(lab, link, call.clone());
    }
    assert!(world.hosts[lab.0].node().counters().refused[&Refused::Rate] >= 340);

    world.ask_and_wait(acme, Request::Cancel(run));
    world.wait_for(acme, control);
    world.run_for(500);

    let runs = world.hosts[lab.0].disk.runs.values();
    let slow = runs.filter(|run| run.loop_id == "slow");
    let stands: Vec<Status> = slow.map(|run| run.status).collect();
    assert_eq!(stands, [Status::Cancelled]);
    invariants::check(&mut world);
}

#[test]
fn a_realm_that_takes_no_more_calls_still_cancels_and_gives_results() {
    let (mut world, acme, lab) = cast(5_101);
    world.run_for(100);
    world.crash(lab);
    world.hosts[lab.0].max_calls_per_peer = 2;
    world.start(lab);
    world.run_for(5_000);
    world.apply(
        lab,
        &[Loops::once("slow", 60_000), Loops::once("brief", 3_000)],
    );
    let ask = |name: &str| World::invoke_within(name, json!({"of": name}), 50_000);
    let slow = world.ask(acme, ask("slow@lab"));
    let brief = world.ask(acme, ask("brief@lab"));
    world.run_for(1_000);
    let runs = world.hosts[acme.0].disk.runs.values();
    let run = runs.filter(|run| run.loop_id.starts_with("slow"));
    let run = run.map(|run| run.id).next().unwrap();
    let more = World::invoke_within("echo@lab", json!({}), 1_000);
    let more = world.ask(acme, more);
    let Response::Invoked(refused) = world.wait_for(acme, more) else {
        panic!("the call has ended");
    };
    assert_eq!(refused.result.unwrap_err().code, FailureCode::Overloaded);

    world.ask_and_wait(acme, Request::Cancel(run));
    world.wait_for(acme, slow);
    let Response::Invoked(done) = world.wait_for(acme, brief) else {
        panic!("the call has ended");
    };
    assert!(done.result.is_ok(), "{:?}", done.result);
    world.run_for(1_000);
    let after = world.call(acme, "echo@lab", json!({}));
    assert!(after.result.is_ok(), "there is room again");
    invariants::check(&mut world);
}

#[test]
fn answers_that_find_a_queue_full_go_again_when_there_is_room() {
    let (mut world, acme, lab) = cast(5_102);
    world.apply(lab, &[Loops::once("brief", 3_000)]);
    let calls: Vec<_> = (0..8)
        .map(|n| {
            let call = World::invoke_within("brief@lab", json!({"n": n}), 15_000);
            world.ask(acme, call)
        })
        .collect();
    world.run_for(1_000);
    let began = world.now(acme).tick.as_millis();
    world.queues.outbox_frames = 2;
    for call in calls {
        let Response::Invoked(ended) = world.wait_for(acme, call) else {
            panic!("the call has ended");
        };
        assert!(ended.result.is_ok(), "{:?}", ended.result);
    }
    assert!(
        world.now(acme).tick.as_millis() - began < 3_000,
        "no answer was lost"
    );
    invariants::check(&mut world);
}

#[test]
fn answers_that_wait_for_room_keep_a_realm_from_ending_and_are_counted_when_their_link_goes() {
    let (mut world, acme, lab) = cast(5_103);
    world.apply(lab, &[Loops::once("brief", 3_000)]);
    let calls = (0..8).map(|n| World::invoke_within("brief@lab", json!({"n": n}), 15_000));
    for call in calls.collect::<Vec<_>>() {
        world.ask(acme, call);
    }
    world.run_for(1_000);
    world.queues.outbox_frames = 2;
    let wait = |world: &World| {
        let load = world.hosts[lab.0].node().load();
        load.iter()
            .any(|load| load.what == "bytes of answers that wait for room" && load.held > 0)
    };
    while !wait(&world) {
        world.run_for(1);
        assert!(world.now(lab).tick.as_millis() < 20_000, "none waits");
    }

    assert!(!world.hosts[lab.0].node().is_idle());
    let refused = |world: &World| {
        let refused = &world.hosts[lab.0].node().counters().refused;
        refused.get(&Refused::Overloaded).copied().unwrap_or(0)
    };
    let before = refused(&world);
    world.cut_once(acme, lab);
    world.run_for(1);
    assert!(refused(&world) > before);
    assert!(!wait(&world));
    world.run_for(30_000);
    assert!(world.hosts[lab.0].node().is_idle());
    invariants::check(&mut world);
}
