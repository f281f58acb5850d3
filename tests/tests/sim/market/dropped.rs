//! A realm on the way that drops bids or closes: what the bidder can tell of it.

use realm_evidence::{EvidenceError, Finding, examine};
use realm_node::BidView;
use realm_protocol::{Kind, journal::Table, limits};

use super::{evidence::account, *};

/// `acme`, `acme/mid` and `acme/mid/leaf`, whose agent is reached by the second alone.
fn line(seed: u64) -> (World, [HostId; 3]) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let mid = world.child(acme, "mid");
    let leaf = world.child(mid, "leaf");
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    world.apply(leaf, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
    world.run_for(3_000);
    (world, [acme, mid, leaf])
}

fn work() -> BroadcastAsked {
    asked(
        "see",
        reach(2, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    )
}

/// The one bid that a host has made.
fn bid(world: &World, host: HostId) -> BidView {
    let rows = world.hosts[host.0].disk.rows(Table::Bids);
    let bids: Vec<BidView> = rows.filter_map(BidView::read).collect();
    let [bid] = bids.as_slice() else {
        panic!("{} bids", bids.len())
    };
    bid.clone()
}

/// What the bidder can prove of it.
fn verdict(world: &World, host: HostId) -> Result<Finding, EvidenceError> {
    let node = world.hosts[host.0].node.as_ref().unwrap();
    examine(&node.evidence_of(bid(world, host).receipt))
}

/// Long enough for all that a bidder asks.
const LONG_MS: u64 = 900_000;

#[test]
fn a_bidder_whose_bid_was_dropped_on_the_way_gets_the_close_that_it_is_missing_in() {
    let (mut world, [acme, mid, leaf]) = line(81);
    world.mute(mid, acme, Kind::Bid, u64::MAX);

    let ended = broadcast(&mut world, acme, work());
    assert_eq!(ended.ending, "TooFewBids");
    assert!(!bid(&world, leaf).closed, "nobody has told it");
    world.run_for(LONG_MS);

    assert!(bid(&world, leaf).closed);
    let error = verdict(&world, leaf).unwrap_err().to_string();
    assert!(error.contains("dropped on the way"), "{error}");
    invariants::check(&mut world);
}

#[test]
fn the_side_that_told_of_more_bids_than_came_is_named() {
    let (mut world, [acme, mid, _]) = line(86);
    let right = world.child(acme, "right");
    world.apply(right, &[bids(Loops::idempotent("see", 100), "EUR 0.03")]);
    world.run_for(2_000);
    world.mute(mid, acme, Kind::Bid, u64::MAX);

    let ended = broadcast(&mut world, acme, work());
    world.run_for(1_000);

    output(&ended);
    let told = account(&world, acme);
    let short = told.sides.iter().filter(|it| it.short);
    let short: Vec<_> = short
        .map(|it| (it.realm.clone(), it.told, it.came))
        .collect();
    let name = world.hosts[mid.0].place().scope().to_string();
    assert_eq!(short, [(name, Some(1), 0)], "{:?}", told.sides);
    assert!(
        told.sides
            .iter()
            .any(|it| (it.told, it.came) == (Some(1), 1))
    );
    invariants::check(&mut world);
}

#[test]
fn a_bidder_whose_close_was_lost_on_the_way_asks_and_finds_that_it_was_counted() {
    let (mut world, [acme, mid, leaf]) = line(82);
    world.mute(acme, mid, Kind::Close, 2);

    output(&broadcast(&mut world, acme, work()));
    world.run_for(10_000);
    assert!(!bid(&world, leaf).closed);
    world.run_for(LONG_MS);

    let Ok(Finding::Receipt(receipt)) = verdict(&world, leaf) else {
        panic!("no receipt")
    };
    assert_eq!(receipt.standing.unwrap().rank, 1);
    invariants::check(&mut world);
}

#[test]
fn a_bidder_gets_the_close_that_was_lost_from_an_announcer_that_was_restarted_since() {
    let (mut world, [acme, mid, leaf]) = line(84);
    world.mute(acme, mid, Kind::Close, 1);

    output(&broadcast(&mut world, acme, work()));
    world.crash_for(acme, 2_000);
    world.run_for(10_000);
    assert!(!bid(&world, leaf).closed, "the one that was sent is lost");
    world.run_for(LONG_MS);

    let Ok(Finding::Receipt(receipt)) = verdict(&world, leaf) else {
        panic!("no receipt")
    };
    assert_eq!(receipt.standing.unwrap().rank, 1);
    invariants::check(&mut world);
}

#[test]
fn an_announcer_forgets_the_close_of_the_oldest_broadcast_on_its_disk_too() {
    let (mut world, [acme, ..]) = line(85);
    let kept = |world: &World| world.hosts[acme.0].disk.rows(Table::Standing).count();
    let before = kept(&world);

    for _ in 0..limits::CLOSES + 3 {
        output(&broadcast(&mut world, acme, work()));
    }

    assert_eq!(kept(&world), before + limits::CLOSES);
    invariants::check(&mut world);
}

#[test]
fn a_bidder_that_never_gets_a_close_asks_so_often_and_says_that_it_has_none() {
    let (mut world, [acme, mid, leaf]) = line(83);
    world.mute(acme, mid, Kind::Close, u64::MAX);

    output(&broadcast(&mut world, acme, work()));
    world.run_for(2 * LONG_MS);

    let left = u64::MAX - world.muted(acme, mid, Kind::Close);
    assert_eq!(left, 1 + u64::from(limits::CLOSE_ASKS));
    assert!(!bid(&world, leaf).closed);
    let Ok(Finding::Receipt(receipt)) = verdict(&world, leaf) else {
        panic!("no receipt")
    };
    assert_eq!(receipt.standing, None);
    invariants::check(&mut world);
}
