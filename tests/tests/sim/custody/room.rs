//! How much room kept calls have: at the parent by bytes, at the child in its memory of ids.

use realm_protocol::Timestamp;

use super::*;

/// Bytes of an input that fills a message.
const LARGE: usize = 60_000;

fn large(from: HostId, clinic: &mut Clinic, n: u64) -> ControlId {
    let input = json!({"n": n, "filling": "x".repeat(LARGE)});
    let asked = stored("work@acme/health", input, HOUR_MS);
    clinic.world.ask(from, asked)
}

#[test]
fn one_neighbour_fills_only_its_share_of_a_mailbox_s_bytes() {
    let mut clinic = clinic(960);
    clinic.take_down();
    let fits = limits::CUSTODY_BYTES / 4 / LARGE;

    for n in 0..fits as u64 {
        large(clinic.billing, &mut clinic, n);
    }
    clinic.world.run_for(60_000);
    let over = large(clinic.billing, &mut clinic, 900);
    let over = clinic.end(clinic.billing, over);

    let kept = clinic.kept();
    assert!(kept > fits / 2 && kept <= fits, "{kept} of {fits}");
    assert_eq!(over.result.unwrap_err().code, FailureCode::Overloaded);
    large(clinic.acme, &mut clinic, 1_000);
    clinic.world.run_for(5_000);
    assert_eq!(clinic.kept(), kept + 1, "the parent has room of its own");
}

/// Lets a child that is down remember as many ids of kept calls of its root as it may.
fn fill_memory(clinic: &mut Clinic, for_ms: u64) {
    let now = clinic.world.now(clinic.acme).wall;
    let root = clinic.world.hosts[clinic.acme.0].realm;
    let disk = &mut clinic.world.hosts[clinic.health.0].disk;
    for number in 0..limits::STORED_REPLAY_IDS_SHARE as u64 {
        let until: Timestamp = now.plus(for_ms);
        let id = [[7; 8], number.to_be_bytes()].concat();
        let key = [until.as_millis().to_be_bytes().as_slice(), &id].concat();
        let value = [root.as_bytes().as_slice(), &[1]].concat();
        disk.forge(Table::Replay, key, value);
    }
}

#[test]
fn a_child_without_room_for_a_kept_call_leaves_it_with_its_parent() {
    let mut clinic = clinic(961);
    clinic.take_down();
    fill_memory(&mut clinic, HOUR_MS);
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);

    clinic.world.start(clinic.health);
    clinic.world.run_for(30 * 60_000);
    assert_eq!(clinic.kept(), 1, "nobody has taken it");
    assert!(clinic.world.effects.is_empty());
    clinic.world.run_for(40 * 60_000);

    assert_eq!(clinic.kept(), 0);
    let ended = clinic.end(clinic.billing, asked);
    assert_eq!(ended.result, Ok(json!({"done": {"n": 1}})));
    invariants::check(&mut clinic.world);
}

#[test]
fn kept_calls_take_no_room_from_live_ones() {
    let mut clinic = clinic(962);
    clinic.take_down();
    fill_memory(&mut clinic, DAY_MS);
    clinic.world.start(clinic.health);
    clinic.world.run_for(30_000);

    let live = clinic
        .world
        .call(clinic.billing, "work@acme/health", json!({"n": 1}));

    assert_eq!(live.result, Ok(json!({"done": {"n": 1}})));
    invariants::check(&mut clinic.world);
}
