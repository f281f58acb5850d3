//! What a realm on the way can make of announcements that it passes on.

use realm_protocol::broadcast::Announcement;

use super::*;

/// `acme`, `acme/mid` and `acme/mid/leaf`, whose agent is reached by the second alone.
fn line(seed: u64) -> (World, [HostId; 3]) {
    let mut world = World::new(seed);
    world.overhear();
    world.faults.latency_ms = 40;
    let acme = world.found("acme");
    let mid = world.child(acme, "mid");
    let leaf = world.child(mid, "leaf");
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    world.apply(leaf, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
    world.run_for(3_000);
    (world, [acme, mid, leaf])
}

#[test]
fn a_realm_on_the_way_keeps_no_bid_from_a_broadcast_by_announcing_its_own_under_the_id_first() {
    let (mut world, [acme, mid, leaf]) = line(41);
    let work = asked(
        "see",
        reach(2, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );
    let control = world.ask(acme, Request::Broadcast(Box::new(work)));
    let heard = (0..200).find_map(|_| {
        world.run_for(1);
        world.announced_to(mid)
    });
    let own = Announcement {
        announcer: world.hosts[mid.0].place(),
        window_ms: 60_000,
        ..heard.expect("an announcement")
    };

    world.announce_first(mid, leaf, &own);
    let ended = end_of(&mut world, acme, control);

    assert_eq!(ended.bids, 1, "the agent has bid for what it was asked");
    output(&ended);
    invariants::check(&mut world);
}
