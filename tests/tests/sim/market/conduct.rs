//! What an announcer makes of winners by what they did.

use realm_protocol::{
    RunId,
    journal::{Direction, Table},
    limits,
};

use super::*;

const UNKNOWN: u64 = 500_000;

/// A family whose right child bids less and works so long.
fn working(seed: u64, work_ms: u64) -> (World, HostId, [HostId; 2]) {
    let (mut world, acme, children) = family(seed, ["EUR 0.03", "EUR 0.02"]);
    let tool = bids(Loops::idempotent("see", work_ms), "EUR 0.02");
    world.apply(children[1], &[tool]);
    world.run_for(1_000);
    (world, acme, children)
}

fn work() -> BroadcastAsked {
    let rule = rule(Selection::Best, 1, 1);
    BroadcastAsked {
        award_ms: 60_000,
        ..asked("see", reach(1, 0, 0), rule, Strategy::Select)
    }
}

fn announced(world: &World, host: HostId) -> RunId {
    let mut runs = world.hosts[host.0].disk.runs.values();
    let run = runs.find(|run| run.direction == Direction::Local);
    run.expect("a broadcast").id
}

fn trust(world: &World, host: HostId, bidder: HostId) -> u64 {
    let bidders = world.hosts[host.0].node().bidders();
    let realm = world.hosts[bidder.0].realm;
    let known = bidders.iter().find(|it| it.realm == realm);
    known.map_or(UNKNOWN, |it| it.trust)
}

#[test]
fn whoever_stops_because_the_work_is_taken_back_is_trusted_as_before() {
    let (mut world, acme, [_, right]) = working(95, 20_000);
    let control = world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(2_000);
    let run = announced(&world, acme);

    world.ask_and_wait(acme, Request::Cancel(run));
    world.wait_for(acme, control);
    world.run_for(10_000);

    assert_eq!(world.hosts[right.0].disk.runs.len(), 1, "it was at work");
    assert_eq!(trust(&world, acme, right), UNKNOWN);
    invariants::check(&mut world);
}

#[test]
fn what_was_done_while_the_announcer_was_down_counts_and_is_not_done_again() {
    let (mut world, acme, [left, right]) = working(96, 5_000);
    world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(2_000);
    world.crash_for(acme, 25_000);
    world.run_for(60_000);

    let run = &world.hosts[acme.0].disk.runs[&announced(&world, acme)];
    assert_eq!(run.status, Status::Completed);
    let done = [left, right].map(|host| world.hosts[host.0].disk.runs.len());
    assert_eq!(done, [0, 1]);
    assert!(trust(&world, acme, right) > UNKNOWN);
    invariants::check(&mut world);
}

#[test]
fn a_lease_that_ran_out_while_the_announcer_was_down_says_nothing_of_its_holder() {
    let (mut world, acme, [left, right]) = working(97, 5_000);
    world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(2_000);
    world.crash(right);
    world.crash_for(acme, 25_000);
    world.run_for(60_000);
    let run = &world.hosts[acme.0].disk.runs[&announced(&world, acme)];

    assert_eq!(run.status, Status::Completed);
    assert_eq!(world.hosts[left.0].disk.runs.len(), 1);
    assert_eq!(trust(&world, acme, right), UNKNOWN);
    world.start(right);
    world.run_for(20_000);
    invariants::check(&mut world);
}

#[test]
fn work_that_takes_several_leases_outlives_a_restart_of_its_announcer_at_any_moment() {
    for begun_ms in (2_000..16_000).step_by(1_750) {
        let (mut world, acme, [left, right]) = working(98, 40_000);
        world.ask(acme, Request::Broadcast(Box::new(work())));
        world.run_for(begun_ms);
        world.crash_for(acme, 1_000);
        world.run_for(60_000);

        let run = &world.hosts[acme.0].disk.runs[&announced(&world, acme)];
        assert_eq!(run.status, Status::Completed, "down at {begun_ms} ms");
        let done = [left, right].map(|host| world.hosts[host.0].disk.runs.len());
        assert_eq!(done, [0, 1], "down at {begun_ms} ms");
        invariants::check(&mut world);
    }
}

/// What realms below one are trusted with of which an announcer knows nothing.
fn newcomers(world: &World, host: HostId, above: HostId) -> Option<u64> {
    let bidders = world.hosts[host.0].node().bidders();
    let realm = world.hosts[above.0].realm;
    let known = bidders.iter().find(|it| it.realm == realm);
    known.and_then(|it| it.newcomers)
}

#[test]
fn whoever_falls_silent_and_has_its_place_given_to_another_is_charged_to_its_family_all_the_same() {
    // With and without a restart of the announcer between.
    for restarts in [false, true] {
        let mut world = World::new(99);
        let acme = world.found("acme");
        let shop = world.child(acme, "shop");
        let silent = world.child(shop, "x");
        world.apply(acme, &[Loops::idempotent("see", 100)]);
        let see = bids(Loops::idempotent("see", 30_000), "EUR 0.02");
        world.apply(silent, std::slice::from_ref(&see));
        world.run_for(2_000);
        let mut work = work();
        work.reach = reach(2, 0, 0);
        world.ask(acme, Request::Broadcast(Box::new(work)));
        world.run_for(2_000);
        assert_eq!(world.hosts[silent.0].disk.runs.len(), 1, "it is at work");

        world.crash(silent);
        let revoked = world.ask_and_wait(shop, Request::Revoke("shop/x".parse().unwrap()));
        assert!(matches!(revoked, Response::Done), "{revoked:?}");
        let other = world.child(shop, "x");
        world.apply(other, &[see]);
        if restarts {
            world.crash_for(acme, 500);
        }
        world.run_for(60_000);

        // Both have faded a little since.
        let broken = UNKNOWN / 2..UNKNOWN / 2 + 1_000;
        let own = trust(&world, acme, silent);
        assert!(broken.contains(&own), "restarts: {restarts}, {own}");
        let below = newcomers(&world, acme, shop);
        assert!(
            below.is_some_and(|it| broken.contains(&it)),
            "restarts: {restarts}, {below:?}"
        );
    }
}

#[test]
fn as_many_bidders_are_written_down_as_are_remembered() {
    let (mut world, acme, [left, right]) = working(100, 100);
    let written = |world: &World| world.hosts[acme.0].disk.count(Table::Bidders);
    broadcast(&mut world, acme, work());
    world.run_for(1_000);
    let disk = &mut world.hosts[acme.0].disk;
    let row = disk.rows(Table::Bidders).next().unwrap().to_vec();
    for number in 0..limits::TRUSTED as u64 + 2 {
        let mut key = vec![0; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        disk.forge(Table::Bidders, key, row.clone());
    }
    world.crash_for(acme, 500);
    world.run_for(5_000);
    assert_eq!(written(&world), limits::TRUSTED);

    // Nothing is known of the left one yet.
    world.crash(right);
    broadcast(&mut world, acme, work());
    world.run_for(5_000);

    assert!(trust(&world, acme, left) > UNKNOWN);
    assert_eq!(written(&world), limits::TRUSTED);
}
