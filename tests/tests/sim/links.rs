//! Links that break, go silent, are replaced, or carry too much.

use bytes::Bytes;
use realm_node::Refused;
use realm_protocol::{
    Digest, FailureCode, Kind,
    link::{Beat, Frame},
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

#[test]
fn two_realms_that_both_restart_find_each_other_again() {
    let mut world = World::new(100);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.run_for(1_000);
    for host in [acme, health, lab] {
        world.crash(host);
    }
    world.start(health);
    world.run_for(120_000);
    world.start(acme);
    world.start(lab);
    world.run_for(40_000);
    let up = world.call(health, "echo@acme", json!({}));
    assert_eq!(up.result, Ok(json!({})));
    assert!(world.hosts[acme.0].node().peers()[0].connected);
    invariants::check(&mut world);
}

#[test]
fn a_silent_link_is_noticed_and_replaced() {
    let mut world = World::new(101);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.silence(acme, health);
    world.run_for(11_000);
    assert!(!world.hosts[acme.0].node().children()[0].connected);
    world.heal(acme, health);
    world.run_for(40_000);
    let down = world.call(acme, "echo@acme/health", json!({}));
    assert_eq!(down.result, Ok(json!({})));
    assert_eq!(world.hosts[acme.0].node().links().len(), 1);
    invariants::check(&mut world);
}

#[test]
fn a_new_link_of_a_child_that_crashed_unnoticed_replaces_the_old_one() {
    let mut world = World::new(102);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.silence(acme, health);
    world.crash(health);
    world.heal(acme, health);
    world.start(health);
    world.run_for(2_000);
    let down = world.call(acme, "echo@acme/health", json!({}));
    assert_eq!(down.result, Ok(json!({})));
    assert_eq!(world.hosts[acme.0].node().links().len(), 1);
    invariants::check(&mut world);
}

#[test]
fn one_foreign_organisation_cannot_take_all_calls() {
    let mut world = World::new(103);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.hosts[lab.0].max_calls_per_peer = 4;
    world.crash(lab);
    world.start(lab);
    world.peer(lab, acme);
    world.allow(lab, "acme", "slow");
    world.apply(lab, &[Loops::once("slow", 15_000)]);
    world.run_for(5_000);
    let ask = |n| World::invoke_within("slow@lab", json!({"n": n}), 20_000);
    let controls: Vec<_> = (0..6).map(|n| world.ask(acme, ask(n))).collect();
    let mut done = 0;
    let mut overloaded = 0;
    for control in controls {
        match world.wait_for(acme, control) {
            realm_node::Response::Invoked(invocation) => match invocation.result {
                Ok(_) => done += 1,
                Err(failure) => {
                    assert_eq!(failure.code, FailureCode::Overloaded, "{failure:?}");
                    overloaded += 1;
                }
            },
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((done, overloaded), (4, 2));
    invariants::check(&mut world);
}

#[test]
fn one_child_cannot_take_all_calls() {
    let mut world = World::new(116);
    let acme = world.found("acme");
    let greedy = world.child(acme, "greedy");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::once("slow", 15_000)]);
    world.run_for(5_000);
    let ask = |n| World::invoke_within("slow@acme", json!({"n": n}), 20_000);
    let share = 1_024 / 2;
    for n in 0..=share {
        world.ask(greedy, ask(n));
    }
    world.run_for(2_000);

    let load = world.hosts[acme.0].node().load();
    let calls = load.iter().find(|load| load.what == "calls in").unwrap();
    assert_eq!(calls.held, share);
    let called = world.ask_and_wait(health, ask(2_000));
    let realm_node::Response::Invoked(invocation) = called else {
        panic!("{called:?}");
    };
    assert!(invocation.result.is_ok(), "{invocation:?}");
}

#[test]
fn a_peer_that_sends_too_much_is_slowed_down() {
    let mut world = World::new(104);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.allow(lab, "acme", "echo");
    world.run_for(5_000);
    let call = call_on_the_wire(&mut world, acme, lab, json!({}));
    let link = world.links_between(lab, acme)[0];
    for _ in 0..500 {
        world.inject(lab, link, call.clone());
    }
    let refused = &world.hosts[lab.0].node().counters().refused;
    assert!(refused[&Refused::Rate] >= 340, "{refused:?}");
    assert!(refused[&Refused::Replay] >= 140, "{refused:?}");
    invariants::check(&mut world);
}

#[test]
fn a_peer_that_sends_too_many_bytes_is_slowed_down_and_its_answers_still_come() {
    let mut world = World::new(117);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.hosts[lab.0].peer_bytes = 32 * 1_024;
    world.crash(lab);
    world.start(lab);
    world.peer(lab, acme);
    world.allow(lab, "acme", "echo");
    world.allow(acme, "lab", "echo");
    world.run_for(5_000);
    let long = json!({"text": "x".repeat(16 * 1_024)});
    let call = call_on_the_wire(&mut world, acme, lab, long);
    world.run_for(10_000);
    let link = world.links_between(lab, acme)[0];

    for _ in 0..100 {
        world.inject(lab, link, call.clone());
    }

    // Three quarters of 128 KiB are five such calls.
    let refused = &world.hosts[lab.0].node().counters().refused;
    assert_eq!(
        (refused[&Refused::Rate], refused[&Refused::Replay]),
        (95, 5)
    );
    let answered = world.call(lab, "echo@acme", json!({"n": 1}));
    assert_eq!(answered.result, Ok(json!({"n": 1})));
    invariants::check(&mut world);
}

#[test]
fn a_peer_gains_nothing_by_linking_anew() {
    let mut world = World::new(118);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.run_for(5_000);
    let refused = |world: &World| world.hosts[lab.0].node().counters().refused[&Refused::Rate];
    let flood = |world: &mut World| {
        let link = world.links_between(lab, acme)[0];
        let beat = Frame::Beat(Beat {
            clock: world.now(lab).wall,
            records: Digest::of(&[]),
            head: None,
            witnessed: None,
            proof: None,
        });
        for _ in 0..400 {
            world.inject(lab, link, beat.encode());
        }
    };
    flood(&mut world);
    let before = refused(&world);
    assert!((190..=210).contains(&before), "{before}");

    world.cut_once(lab, acme);
    world.run_for(10);
    while !world.hosts[lab.0].node().peers()[0].connected {
        world.run_for(10);
    }
    flood(&mut world);

    // A new link alone would have brought 200 more.
    let taken = 400 - (refused(&world) - before);
    assert!(taken < 150, "{taken} were taken over the new link");
}

/// The call that a host makes, as it reaches another.
fn call_on_the_wire(world: &mut World, from: HostId, to: HostId, input: Value) -> Bytes {
    let name = world.hosts[to.0].name.clone();
    world.tap = true;
    let called = world.call(from, &format!("echo@{name}"), input);
    assert!(called.result.is_ok(), "{called:?}");
    world.tap = false;
    let call = world.wire.iter().find_map(|(_, at, bytes)| {
        let Ok(Frame::Envelope(envelope)) = Frame::decode(bytes) else {
            return None;
        };
        (*at == to && envelope.peek().unwrap().kind == Kind::Call).then(|| bytes.clone())
    });
    call.unwrap()
}

#[test]
fn a_full_queue_fails_a_call_with_overloaded() {
    let mut world = World::new(105);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.call(health, "echo@acme", json!({}));
    world.faults.full = 1_000;
    let full = world.call(health, "echo@acme", json!({}));
    assert_eq!(full.result.unwrap_err().code, FailureCode::Overloaded);
    world.faults.full = 0;
    let again = world.call(health, "echo@acme", json!({}));
    assert_eq!(again.result, Ok(json!({})));
    invariants::check(&mut world);
}

#[test]
fn an_answer_held_for_its_way_waits_for_the_disk_as_well() {
    let mut world = World::new(106);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::once("pay", 500)]);
    world.run_for(1_000);
    for n in 0..20 {
        let control = world.ask(health, World::invoke("pay@acme", json!({"n": n})));
        world.run_for(480);
        world.faults.disk_ms = 3_000;
        world.cut_once(acme, health);
        let response = world.wait_for(health, control);
        assert!(matches!(response, realm_node::Response::Invoked(_)));
        world.faults.disk_ms = 2;
        world.run_for(5_000);
    }
    invariants::check(&mut world);
}
