//! Leases that are held for long, and holders that ask for more time without pause.

use realm_protocol::{BroadcastId, broadcast::WorkProgress, json};

use super::{evidence::account, *};

/// How long a lease is, and a renewal lasts at least an eighth of it, milliseconds.
const LEASE_MS: u64 = 10_000;

/// Leases of the one broadcast that a realm has announced, and the broadcast.
fn leases(world: &World, announcer: HostId) -> (usize, BroadcastId) {
    let disk = &world.hosts[announcer.0].disk;
    let leased = disk
        .events
        .values()
        .filter(|it| it.kind == "broadcast.leased");
    let run = disk.runs.values().find(|run| run.loop_id == "see").unwrap();
    (leased.count(), BroadcastId::new(*run.call.as_bytes()))
}

/// How much of the work is done, as each lease says.
fn told_done(world: &World, announcer: HostId) -> Vec<Option<f64>> {
    let events = world.hosts[announcer.0].disk.events.values();
    let leased = events.filter(|it| it.kind == "broadcast.leased");
    let told = leased.map(|it| json::parse(&it.payload).unwrap()["done"].as_f64());
    told.collect()
}

/// A bidder's work takes so many milliseconds from now on.
fn work_for(world: &mut World, bidder: HostId, ms: u64) {
    let mut agent = bids(Loops::idempotent("see", ms), "EUR 0.02");
    agent["limits"] = json!({"timeout": "5m"});
    world.apply(bidder, &[agent]);
    world.run_for(1_000);
}

fn long_work() -> BroadcastAsked {
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );
    work.execution_ms = 300_000;
    work
}

#[test]
fn work_of_many_leases_is_renewed_as_often_as_it_needs_and_ends_well() {
    let (mut world, acme, [_, right]) = family(640, ["EUR 0.03", "EUR 0.02"]);
    work_for(&mut world, right, 100_000);

    let ended = broadcast(&mut world, acme, long_work());

    output(&ended);
    let (leases, _) = leases(&world, acme);
    let needed = 100_000 / LEASE_MS as usize;
    assert!((needed..=2 * needed + 2).contains(&leases), "{leases}");
    let done = told_done(&world, acme);
    assert_eq!((done[0], done[leases - 1]), (None, Some(0.5)), "{done:?}");
    account(&world, acme);
    let trusted = world.hosts[acme.0].node().bidders();
    assert_eq!(trusted[0].events[0].0, "Late", "its bid says a second");
    invariants::check(&mut world);
}

#[test]
fn a_holder_that_reports_progress_without_pause_is_granted_eight_renewals_a_lease() {
    let (mut world, acme, [_, right]) = family(641, ["EUR 0.03", "EUR 0.02"]);
    work_for(&mut world, right, 9_000);
    world.overhear();
    world.run_for(4_000);
    let control = world.ask(acme, Request::Broadcast(Box::new(long_work())));
    world.run_for(500);
    let (_, broadcast) = leases(&world, acme);

    for number in 1..=400 {
        let progress = WorkProgress {
            broadcast,
            slot: 0,
            epoch: 1,
            number,
            done: 0,
            offshoots: None,
        };
        world.report_progress(right, acme, &progress);
        world.run_for(20);
    }
    let ended = end_of(&mut world, acme, control);

    output(&ended);
    let (leases, _) = leases(&world, acme);
    assert!((5..=9).contains(&leases), "{leases}");
    account(&world, acme);
    invariants::check(&mut world);
}
