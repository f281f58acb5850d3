//! What random schedules once found, each told as a story of its own.

use realm_node::{InvokeAsked, Request, Response};
use realm_protocol::{FailureCode, link::Frame};
use realm_tests::{Loops, Tree, World, invariants};
use serde_json::json;

#[test]
fn a_composite_that_crashes_as_it_begins_causes_its_steps_once() {
    for after in (0..60).step_by(2) {
        let mut world = World::new(31);
        let acme = world.found("acme");
        let health = world.child(acme, "health");
        let billing = world.child(acme, "billing");
        world.apply(billing, &[Loops::once("pay", 10)]);
        world.apply(
            health,
            &[Loops::composite("both", &["echo", "pay@acme/billing"])],
        );
        world.run_for(1_000);
        world.call(health, "echo@acme/billing", json!({}));
        let control = world.ask(acme, World::invoke("both@acme/health", json!({"n": 1})));
        world.run_for(after);
        world.crash(health);
        world.start(health);
        world.wait_for(acme, control);
        assert!(world.effects.values().sum::<u64>() <= 1, "{after} ms");
        invariants::check(&mut world);
    }
}

#[test]
fn a_realm_that_restarted_with_its_clock_ahead_takes_calls_once_it_is_right() {
    let mut world = World::new(70);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.call(acme, "echo@acme/health", json!({}));
    world.hosts[health.0].clock_offset = 90 * 60_000;
    world.run_for(20_000);
    world.crash(health);
    world.start(health);
    world.run_for(20_000);
    world.hosts[health.0].clock_offset = 0;
    world.run_for(20_000);
    let down = world.call(acme, "echo@acme/health", json!({}));
    assert_eq!(down.result, Ok(json!({})));
    invariants::check(&mut world);
}

#[test]
fn a_realm_that_was_cut_off_dials_ever_more_rarely() {
    let mut world = World::new(140);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.run_for(5_000);
    world.ask_and_wait(acme, Request::Revoke("health".parse().unwrap()));
    world.ask_and_wait(lab, Request::RemovePeer("acme".parse().unwrap()));
    world.tap = true;
    world.run_for(120_000);
    let hellos = world.wire.iter().filter(|(from, _, bytes)| {
        let dials = [health, acme].contains(from);
        dials && matches!(Frame::decode(bytes), Ok(Frame::Hello(_)))
    });
    assert!(hellos.count() < 60);
    invariants::check(&mut world);
}

#[test]
fn a_caller_that_joins_a_run_waits_for_its_own_time() {
    let mut world = World::new(272);
    let acme = world.found("acme");
    let mut slow = Loops::once("slow", 60_000);
    slow["limits"] = json!({"timeout": "5m"});
    world.apply(acme, &[slow]);
    let under_key = |millis: u64| {
        let Request::Invoke(asked) = World::invoke_within("slow@acme", json!({"n": 1}), millis)
        else {
            unreachable!()
        };
        let key = Some("the same".to_owned());
        Request::Invoke(InvokeAsked { key, ..asked })
    };
    let first = world.ask(acme, under_key(120_000));
    world.run_for(1_000);
    let second = world.ask(acme, under_key(10_000));
    world.run_for(11_000);
    let Response::Invoked(ended) = &world.outcomes[&(acme, second)].response else {
        panic!("a call")
    };
    let failure = ended.result.as_ref().unwrap_err();
    assert_eq!(failure.code, FailureCode::Timeout);
    assert!(failure.message.contains("goes on"), "{failure}");
    let Response::Invoked(ended) = world.wait_for(acme, first) else {
        panic!("a call")
    };
    assert!(ended.result.is_ok());
    invariants::check(&mut world);
}
