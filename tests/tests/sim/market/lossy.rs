//! Links that lose what a winner and an announcer say to each other.

use realm_protocol::{Kind, limits};

use super::*;

/// A root whose child alone bids, and what is asked of it.
fn pair(seed: u64) -> (World, HostId, HostId, BroadcastAsked) {
    let (world, acme, [left, _]) = family(seed, ["EUR 0.02", "EUR 2.00"]);
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );
    (world, acme, left, work)
}

#[test]
fn an_award_a_confirmation_and_a_lease_that_are_lost_are_sent_again() {
    let lost = u64::from(limits::AWARD_SENDS) - 1;
    for (seed, down, kind) in [
        (71, true, Kind::Award),
        (72, false, Kind::Confirm),
        (73, true, Kind::Lease),
    ] {
        let (mut world, acme, left, work) = pair(seed);
        let (from, to) = if down { (acme, left) } else { (left, acme) };
        world.mute(from, to, kind, lost);

        let ended = broadcast(&mut world, acme, work);

        output(&ended);
        assert_eq!(world.hosts[left.0].disk.runs.len(), 1, "{kind:?}");
        invariants::check(&mut world);
    }
}

#[test]
fn what_is_lost_again_and_again_is_given_up_in_its_time() {
    for (seed, down, kind) in [
        (74, true, Kind::Award),
        (75, false, Kind::Confirm),
        (76, true, Kind::Lease),
    ] {
        let (mut world, acme, left, work) = pair(seed);
        let (from, to) = if down { (acme, left) } else { (left, acme) };
        world.mute(from, to, kind, u64::MAX);

        let ended = broadcast(&mut world, acme, work);

        assert_eq!(ended.ending, "TooFewResults", "{kind:?}");
        assert_eq!(world.hosts[left.0].disk.runs.len(), 0, "{kind:?}");
        world.run_for(30_000);
        invariants::check(&mut world);
    }
}
