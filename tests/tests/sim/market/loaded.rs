//! Broadcasts on machines whose disks take long.

use super::*;

fn see() -> BroadcastAsked {
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    );
    work.window_ms = 2_000;
    work
}

#[test]
fn an_announcement_that_waits_for_the_disk_is_bid_for_as_long_as_it_says_once_it_leaves() {
    let (mut world, acme, _) = family(61, ["EUR 0.03", "EUR 0.02"]);
    world.hosts[acme.0].slow_ms = 2_500;

    let ended = broadcast(&mut world, acme, see());

    assert_eq!(ended.bids, 2);
    output(&ended);
    world.run_for(5_000);
    invariants::check(&mut world);
}

#[test]
fn a_bid_waits_for_no_disk() {
    let (mut world, acme, children) = family(62, ["EUR 0.03", "EUR 0.02"]);
    for child in children {
        world.hosts[child.0].slow_ms = 2_500;
    }
    let before = world.elapsed_ms();

    let ended = broadcast(&mut world, acme, see());

    assert_eq!(ended.bids, 2);
    assert!(
        world.elapsed_ms() - before > 2_500,
        "a confirmation does wait"
    );
    output(&ended);
    invariants::check(&mut world);
}
