//! Certificates and keys that run out, are renewed, or are revoked.

use realm_node::{Request, Response};
use realm_protocol::{FailureCode, limits};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

const DAY_MS: u64 = 24 * 3_600_000;

fn days(world: &mut World, days: u64) {
    for _ in 0..days {
        world.leap(DAY_MS);
        world.run_for(30_000);
    }
}

fn expires(world: &World, host: HostId) -> u64 {
    let standing = world.hosts[host.0].node().standing();
    standing
        .chain_expires
        .expect("the chain stands")
        .as_millis()
}

#[test]
fn a_child_certificate_is_renewed_in_band_from_day_seven() {
    let mut world = World::new(60);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let imaging = world.child(health, "imaging");
    world.run_for(1_000);
    let first = world.hosts[acme.0].node().children()[0].expires.unwrap();

    days(&mut world, 6);
    let before = world.hosts[acme.0].node().children()[0].expires.unwrap();
    assert_eq!(first, before);
    days(&mut world, 2);
    let renewed = world.hosts[acme.0].node().children()[0].expires.unwrap();
    assert!(renewed.since(first) >= 6 * DAY_MS);
    days(&mut world, 10);
    let across = world.call(imaging, "echo@acme", json!({"day": 18}));
    assert_eq!(across.result, Ok(json!({"day": 18})));
    let down = world.call(acme, "echo@acme/health/imaging", json!({"day": 18}));
    assert_eq!(down.result, Ok(json!({"day": 18})));
    invariants::check(&mut world);
}

#[test]
fn an_owner_who_removed_the_default_policy_does_not_get_it_back() {
    let mut world = World::new(61);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    let done = world.ask_and_wait(health, Request::Disallow("own-tree".into()));
    assert!(matches!(done, Response::Done), "{done:?}");
    let subtree = Request::Disallow("subtree.own-tree".into());
    world.ask_and_wait(health, subtree);

    days(&mut world, 9);
    world.crash(health);
    world.start(health);
    world.run_for(40_000);
    assert_eq!(world.hosts[health.0].node().policies().count(), 0);
    let denied = world.call(acme, "echo@acme/health", json!({}));
    assert_eq!(denied.result.unwrap_err().code, FailureCode::Denied);
    invariants::check(&mut world);
}

#[test]
fn kem_keys_rotate_every_day_and_calls_go_on() {
    let mut world = World::new(62);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.allow(lab, "acme", "echo");
    world.run_for(5_000);
    for step in 0..60 {
        world.leap(3_600_000);
        world.run_for(20_000);
        let across = world.call(health, "echo@lab", json!({"n": step}));
        assert_eq!(across.result, Ok(json!({"n": step})), "hour {step}");
        assert!(across.duration_ms < 1_000, "{} ms", across.duration_ms);
    }
    invariants::check(&mut world);
}

#[test]
fn a_call_just_after_a_jump_over_a_key_s_life_still_arrives() {
    let mut world = World::new(63);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.call(health, "echo@acme", json!({}));
    world.leap(3 * DAY_MS);
    let call = world.call(health, "echo@acme", json!({}));
    let up = call.result.is_ok();
    assert!(up || call.duration_ms < 2_000, "{call:?}");
    world.run_for(60_000);
    let later = world.call(health, "echo@acme", json!({}));
    assert_eq!(later.result, Ok(json!({})));
    invariants::check(&mut world);
}

#[test]
fn a_realm_whose_clock_was_a_day_ahead_is_reached_once_it_is_right() {
    let mut world = World::new(64);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.hosts[health.0].clock_offset = DAY_MS as i64 * 2;
    world.run_for(30_000);
    world.hosts[health.0].clock_offset = 0;
    world.run_for(60_000);
    let down = world.call(acme, "echo@acme/health", json!({}));
    assert_eq!(down.result, Ok(json!({})));
    let up = world.call(health, "echo@acme", json!({}));
    assert_eq!(up.result, Ok(json!({})));
    invariants::check(&mut world);
}

#[test]
fn a_node_certificate_is_renewed_from_day_sixty() {
    let mut world = World::new(65);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    for _ in 0..20 {
        world.leap(5 * DAY_MS);
        world.run_for(60_000);
    }
    let node = world.hosts[acme.0].node().standing();
    let left = node.node_cert_expires.unwrap().since(world.now(acme).wall);
    assert!(left > 20 * DAY_MS);
    assert!(expires(&world, health) > world.now(health).wall.as_millis());
    let up = world.call(health, "echo@acme", json!({}));
    assert_eq!(up.result, Ok(json!({})));
    invariants::check(&mut world);
}

#[test]
fn an_expired_child_certificate_closes_a_live_link() {
    let mut world = World::new(66);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.leap(limits::CHILD_CERT_MS + DAY_MS);
    world.run_for(4_000);
    assert!(!world.hosts[acme.0].node().children()[0].connected);
    world.run_for(30_000);
    assert!(!world.hosts[acme.0].node().children()[0].connected);
    let up = world.call(health, "echo@acme", json!({}));
    assert!(up.result.is_err());
    invariants::check(&mut world);
}

#[test]
fn a_revoked_child_is_cut_off_and_everybody_knows_within_two_beats() {
    let mut world = World::new(67);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let imaging = world.child(health, "imaging");
    let billing = world.child(acme, "billing");
    let lab = world.found("lab");
    world.peer(lab, acme);
    world.allow(lab, "acme", "echo");
    world.run_for(5_000);
    let before = world.call(imaging, "echo@lab", json!({}));
    assert_eq!(before.result, Ok(json!({})));

    let revoke = Request::Revoke("health".parse().unwrap());
    let done = world.ask_and_wait(acme, revoke);
    assert!(matches!(done, Response::Done), "{done:?}");
    world.run_for(2 * limits::BEAT_MS);
    for (caller, address) in [
        (imaging, "echo@lab"),
        (health, "echo@acme"),
        (billing, "echo@acme/health"),
        (lab, "echo@acme/health"),
    ] {
        let cut = world.call(caller, address, json!({}));
        assert!(cut.result.is_err(), "{address}: {cut:?}");
    }
    assert!(world.links_between(acme, health).is_empty());
    let inside = world.call(imaging, "echo@acme/health", json!({"inside": true}));
    assert_eq!(inside.result, Ok(json!({"inside": true})));
    let others = world.call(billing, "echo@lab", json!({}));
    assert_eq!(others.result, Ok(json!({})));
    invariants::check(&mut world);
}

#[test]
fn a_revocation_in_the_middle_of_a_call_ends_it_in_time() {
    let mut world = World::new(68);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::once("slow", 5_000)]);
    world.run_for(1_000);
    let control = world.ask(health, World::invoke("slow@acme", json!({})));
    world.run_for(1_000);
    world.ask_and_wait(acme, Request::Revoke("health".parse().unwrap()));
    let Response::Invoked(cut) = world.wait_for(health, control) else {
        panic!("not invoked");
    };
    assert!(cut.result.is_err());
    world.run_for(10_000);
    invariants::check(&mut world);
}

#[test]
fn a_revoked_label_can_be_given_to_another_realm() {
    let mut world = World::new(69);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let billing = world.child(acme, "billing");
    world.run_for(1_000);
    let old = world.call(billing, "echo@acme/health", json!({}));
    assert!(old.result.is_ok());
    world.ask_and_wait(acme, Request::Revoke("health".parse().unwrap()));
    let again = world.child(acme, "health");
    world.run_for(10_000);
    assert_ne!(world.hosts[health.0].realm, world.hosts[again.0].realm);
    let new = world.call(billing, "echo@acme/health", json!({"new": 1}));
    assert_eq!(new.result, Ok(json!({"new": 1})));
    let node = world.hosts[again.0].node();
    assert_eq!(node.counters().served, 1);
    invariants::check(&mut world);
}
