//! What realms remember of each other: bounded, in order, and not forgotten by a restore.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use realm_crypto::{Outgoing, write_clear};
use realm_node::{Request, Response};
use realm_protocol::{
    CallId, Envelope, FailureCode, Kind, Label, Place, Priority, RealmId, Scope,
    cbor::{self, Blob},
    journal::Table,
    limits,
    link::{Frame, Renew},
    records::{Chain, RevocationList, Signed},
    wire_map,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

const DAY_MS: u64 = 24 * 3_600_000;

fn days(world: &mut World, days: u64) {
    for _ in 0..days {
        world.leap(DAY_MS);
        world.run_for(30_000);
    }
}

fn revoke(world: &mut World, host: HostId, path: &str) {
    let done = world.ask_and_wait(host, Request::Revoke(path.parse().unwrap()));
    assert!(matches!(done, Response::Done), "{done:?}");
}

/// The revocation list of a realm, as written down at a host.
fn list(world: &World, at: HostId, of: HostId) -> Option<Vec<u8>> {
    let realm = world.hosts[of.0].realm;
    let disk = &world.hosts[at.0].disk;
    disk.look(Table::Revocations, realm.as_bytes())
}

wire_map! {
    /// A stored list, as the node writes it.
    pub struct StoredList {
        /// The list.
        0 => list: Signed<RevocationList>,
        /// The issuer's chain.
        1 => issuer: Chain,
    }
}

/// What a realm has revoked, as written down at a host.
pub(super) fn revoked(world: &World, at: HostId, of: HostId) -> BTreeSet<u64> {
    let stored = list(world, at, of).map(|row| stored_list(&row).1);
    let serials = stored.map(|stored| stored.list.peek().unwrap().serials);
    serials.into_iter().flatten().collect()
}

/// The version of a stored list, and the list.
fn stored_list(row: &[u8]) -> (Blob, StoredList) {
    let [version, stored] = cbor::decode::<Vec<Blob>>(row).unwrap().try_into().unwrap();
    (version, cbor::decode(&stored).unwrap())
}

/// Fills a realm's store with lists like one that it holds, of realms that nobody has heard of.
fn add_lists(world: &mut World, at: HostId, like: HostId, count: u32) {
    let row = list(world, at, like).unwrap();
    let (version, stored) = stored_list(&row);
    for number in 0..count {
        let mut realm = [0; 32];
        realm[..4].copy_from_slice(&number.to_be_bytes());
        let realm = RealmId::new(realm);
        let serials = (0..limits::REVOCATIONS as u64).map(|serial| serial + (1 << 40));
        let list = Signed::unsigned(&RevocationList {
            realm,
            serials: serials.collect(),
            ..stored.list.peek().unwrap()
        });
        let issuer = stored.issuer.clone();
        let stored = Blob::from(cbor::encode(&StoredList { list, issuer }));
        let row = cbor::encode(&vec![version.clone(), stored]);
        let disk = &mut world.hosts[at.0].disk;
        disk.forge(Table::Revocations, realm.as_bytes().to_vec(), row);
    }
}

/// Records that one host has sent another, with this realm's chain or without.
fn records_sent(world: &World, from: HostId, to: HostId) -> (usize, usize) {
    let sent = world.wire.iter().filter(|(a, b, _)| (*a, *b) == (from, to));
    let records = sent.filter_map(|(_, _, bytes)| match Frame::decode(bytes) {
        Ok(Frame::Records(records)) => Some(records),
        _ => None,
    });
    let (with, without): (Vec<_>, Vec<_>) = records.partition(|records| records.chain.is_some());
    (with.len(), without.len())
}

#[test]
fn a_realm_that_holds_more_lists_than_a_link_takes_at_once_keeps_its_children() {
    let mut world = World::new(306);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.child(health, "imaging");
    world.run_for(5_000);
    revoke(&mut world, health, "health/imaging");
    world.run_for(10_000);
    world.crash(acme);
    add_lists(&mut world, acme, health, 600);

    world.start(acme);
    let billing = world.child(acme, "billing");
    world.run_for(30_000);

    let called = world.call(billing, "echo@acme/health", json!({"n": 1}));
    assert_eq!(called.result, Ok(json!({"n": 1})));
    assert!(list(&world, billing, health).is_some());
    let children = world.hosts[acme.0].node().children();
    assert!(children.iter().all(|child| child.connected), "{children:?}");
}

#[test]
fn a_realm_goes_on_revoking_where_its_share_is_full() {
    let mut world = World::new(308);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    for name in ["imaging", "ward"] {
        world.child(health, name);
    }
    world.run_for(5_000);
    revoke(&mut world, health, "health/imaging");
    world.run_for(10_000);
    let before = list(&world, acme, health);
    world.crash(acme);
    add_lists(&mut world, acme, health, 600);
    world.start(acme);
    world.run_for(10_000);

    revoke(&mut world, health, "health/ward");
    world.run_for(10_000);

    let after = list(&world, acme, health);
    assert!(before.is_some() && after.is_some());
    assert_ne!(before, after, "the second revocation is not kept");
}

#[test]
fn the_first_revocations_of_a_realm_take_the_room_of_those_below_it_and_of_no_others() {
    let mut world = World::new(309);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let imaging = world.child(health, "imaging");
    let ward = world.child(health, "ward");
    world.child(imaging, "scanner");
    world.child(ward, "bed");
    world.run_for(5_000);
    revoke(&mut world, imaging, "health/imaging/scanner");
    world.run_for(10_000);
    world.crash(acme);
    add_lists(&mut world, acme, imaging, 600);
    world.start(acme);
    world.run_for(10_000);
    let lists = |world: &World| world.hosts[acme.0].disk.count(Table::Revocations);
    assert_eq!(lists(&world), 601);

    revoke(&mut world, ward, "health/ward/bed");
    world.run_for(10_000);
    assert_eq!(list(&world, acme, ward), None, "a sibling took the room");
    assert_eq!(lists(&world), 601);

    revoke(&mut world, health, "health/ward");
    world.run_for(10_000);
    assert!(list(&world, acme, health).is_some());
    let left = lists(&world);
    assert!(
        (2..=limits::REVOCATION_LISTS_SHARE).contains(&left),
        "{left}"
    );
    let children = world.hosts[acme.0].node().children();
    assert!(children.iter().all(|child| child.connected), "{children:?}");
}

#[test]
fn a_neighbour_that_asks_for_records_without_end_is_answered_once_a_beat() {
    let mut world = World::new(307);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(10_000);
    let link = world.links_between(acme, health)[0];

    world.tap = true;
    for _ in 0..500 {
        let asked = Frame::Renew(Renew { held: None });
        world.inject(acme, link, asked.encode());
    }
    world.run_for(200);

    assert_eq!(records_sent(&world, acme, health), (1, 0));
    invariants::check(&mut world);
}

#[test]
fn a_root_with_forty_peers_still_says_what_its_tree_may_do() {
    let mut world = World::new(300);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let mut last = acme;
    for number in 0..40 {
        last = world.found(&format!("lab-{number}"));
        world.peer(acme, last);
    }
    world.run_for(5_000);
    world.allow(health, "lab-39", "echo");

    let up = world.call(health, "echo@acme", json!({"n": 1}));
    let across = world.call(last, "echo@acme/health", json!({"n": 2}));

    assert_eq!(up.result, Ok(json!({"n": 1})));
    assert_eq!(across.result, Ok(json!({"n": 2})));
    invariants::check(&mut world);
}

#[test]
fn what_a_restored_realm_signs_is_newer_than_what_it_signed_before() {
    let mut world = World::new(301);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let billing = world.child(acme, "billing");
    let sales = world.child(acme, "sales");
    world.apply(health, &[Loops::once("scan", 1)]);
    world.run_for(5_000);
    revoke(&mut world, acme, "sales");
    world.run_for(5_000);
    let backup = world.hosts[acme.0].disk.copy();
    for round in 0..5 {
        world.set_policy(acme, &format!("subtree.{round}"), "// nothing", true);
        let spare = world.child(acme, "spare");
        world.run_for(1_000);
        revoke(&mut world, acme, "spare");
        world.crash(spare);
    }
    world.run_for(5_000);

    world.crash(acme);
    world.hosts[acme.0].disk = backup.restored();
    world.start(acme);
    world.run_for(60_000);
    let forbid = r#"forbid (principal, action == Action::"invoke", resource) when { resource.name == "scan" };"#;
    world.set_policy(acme, "subtree.no-scans", forbid, true);
    let before = list(&world, health, acme);
    revoke(&mut world, acme, "billing");
    world.run_for(10_000);

    let denied = world.call(health, "scan@acme/health", json!({}));
    assert_eq!(denied.result.unwrap_err().code, FailureCode::Denied);
    assert!(before.is_some());
    assert_ne!(list(&world, health, acme), before);
    assert_eq!(list(&world, health, acme), list(&world, acme, acme));
    let cut = world.call(billing, "echo@acme/health", json!({}));
    assert!(cut.result.is_err());
    let _ = sales;
}

#[test]
fn the_machine_that_a_realm_has_moved_from_is_not_let_in_again() {
    let mut world = World::new(302);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(5_000);
    let old = world.hosts[health.0].disk.copy();
    world.crash(health);
    world.hosts[health.0].disk = old.copy().restored();
    world.start(health);
    world.run_for(60_000);
    let moved = world.call(acme, "echo@acme/health", json!({}));
    assert!(moved.result.is_ok(), "{moved:?}");

    world.crash(health);
    world.hosts[health.0].disk = old;
    world.start(health);
    world.run_for(60_000);

    assert!(!world.hosts[acme.0].node().children()[0].connected);
}

#[test]
fn a_list_is_taken_from_a_realm_whose_certificate_was_renewed_since() {
    let mut world = World::new(303);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let imaging = world.child(health, "imaging");
    world.run_for(5_000);
    days(&mut world, 6);
    revoke(&mut world, health, "health/imaging");
    world.crash(imaging);
    days(&mut world, 9);

    let billing = world.child(acme, "billing");
    world.run_for(10_000);

    let taken = list(&world, billing, health);
    assert!(taken.is_some());
    days(&mut world, 6);
    let later = list(&world, billing, health);
    let signed = |list: Option<Vec<u8>>| list.unwrap().into_iter().take(160).collect::<Vec<u8>>();
    assert_eq!(signed(later.clone()), signed(list(&world, health, health)));
    assert_ne!(
        signed(later),
        signed(taken),
        "a serial that has run out is left out"
    );
    invariants::check(&mut world);
}

#[test]
fn the_list_of_a_realm_that_is_gone_is_forgotten() {
    let mut world = World::new(304);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let imaging = world.child(health, "imaging");
    world.run_for(5_000);
    revoke(&mut world, health, "health/imaging");
    world.run_for(10_000);
    assert!(list(&world, acme, health).is_some());

    world.crash(health);
    world.crash(imaging);
    days(&mut world, 15);

    assert!(list(&world, acme, health).is_none());
    invariants::check(&mut world);
}

#[test]
fn a_name_from_above_that_means_another_root_here_is_not_shown() {
    let mut world = World::new(305);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let lab = world.found("lab");
    let other = world.found("other");
    world.peer(acme, lab);
    let pin = Request::Pin {
        petname: "lab".parse().unwrap(),
        root: world.hosts[other.0].realm,
    };
    world.ask_and_wait(health, pin);
    world.run_for(5_000);

    let of = |host: HostId| Scope::clone(&world.hosts[host.0].scope);
    let node = world.hosts[health.0].node();

    assert_eq!(node.name_of(&of(other)), "lab");
    assert_eq!(node.name_of(&of(lab)), of(lab).to_string());
}

fn held(world: &World, host: HostId, what: &str) -> usize {
    let load = world.hosts[host.0].node().load();
    let found = load.iter().find(|load| load.what == what);
    found.unwrap().held
}

/// A clear message of somebody below a host, of whom nobody has heard.
fn from_nobody(world: &World, below: HostId, to: HostId, number: u8) -> Envelope {
    let (child, parent) = (&world.hosts[below.0], &world.hosts[to.0]);
    let label: Label = format!("x{number}").parse().unwrap();
    let source = Place {
        path: child.scope.path.child(&label).unwrap(),
        ..child.place()
    };
    let out = Outgoing {
        kind: Kind::Resolve,
        source: &source,
        destination: &parent.place(),
        created: world.now(below).wall,
        ttl_ms: limits::CALL_MS,
        call: CallId::new([number; 16]),
        answers: None,
        priority: Priority::Normal,
        flags: None,
        max_reply: 0,
        receipt: None,
        content: &[],
    };
    let mut rng = ChaCha8Rng::seed_from_u64(number.into());
    let letter = write_clear(&mut rng, &child.signer(), &out).unwrap();
    letter.sign(&child.signer())
}

#[test]
fn messages_of_sources_that_nobody_knows_hold_no_more_than_their_link_s_share() {
    let mut world = World::new(308);
    let acme = world.found("acme");
    let noisy = world.child(acme, "noisy");
    world.run_for(5_000);
    world.mute(noisy, acme, Kind::Failure, u64::MAX);
    let link = world.links_between(acme, noisy)[0];

    for number in 0..u8::MAX {
        let envelope = from_nobody(&world, noisy, acme, number);
        world.inject(acme, link, Frame::Envelope(envelope).encode());
    }
    world.run_for(200);
    let during = held(&world, acme, "messages held back");
    let asked = held(&world, acme, "resolutions");
    world.run_for(limits::CHAIN_WAIT_MS);

    assert_eq!(during, limits::CHAIN_WAITERS_SHARE);
    assert_eq!(asked, limits::CHAIN_WAITERS_SHARE);
    assert_eq!(held(&world, acme, "messages held back"), 0);
    assert_eq!(held(&world, acme, "resolutions"), 0);
    invariants::check(&mut world);
}

#[test]
fn a_child_fills_the_memory_of_messages_for_itself_alone() {
    let mut world = World::new(309);
    world.sessions = false;
    let acme = world.found("acme");
    let noisy = world.child(acme, "noisy");
    let health = world.child(acme, "health");
    world.run_for(5_000);
    world.crash(acme);
    let until = world.now(acme).wall.plus(DAY_MS).as_millis();
    let root = world.hosts[acme.0].realm;
    for number in 0..limits::REPLAY_IDS_SHARE as u64 {
        let key = [
            until.to_be_bytes().as_slice(),
            &[7; 8],
            &number.to_be_bytes(),
        ]
        .concat();
        let value = [root.as_bytes().as_slice(), &[0], b"noisy"].concat();
        world.hosts[acme.0].disk.forge(Table::Replay, key, value);
    }
    world.start(acme);
    world.run_for(30_000);

    let refused = world.call(noisy, "echo@acme", json!({}));
    let called = world.call(health, "echo@acme", json!({}));

    assert_eq!(refused.result.unwrap_err().code, FailureCode::Overloaded);
    assert_eq!(called.result, Ok(json!({})));
    invariants::check(&mut world);
}
