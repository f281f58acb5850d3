//! Bidders and announcers that have met before share a session, and lose nothing by losing it.

use realm_protocol::{Kind, Suite, link::Frame};
use realm_tests::{HostId, World, invariants};

use super::{asked, broadcast, family, output, reach, rule};
use realm_protocol::broadcast::{Selection, Strategy};

/// How the messages of these kinds were sealed that left a host since the wire was cleared.
fn suites(world: &World, from: HostId, kinds: &[Kind]) -> Vec<(Kind, Suite)> {
    let sent = world.wire.iter().filter(|(of, _, _)| *of == from);
    let headers = sent.filter_map(|(_, _, bytes)| match Frame::decode(bytes) {
        Ok(Frame::Envelope(envelope)) => envelope.peek().ok(),
        _ => None,
    });
    let own = world.hosts[from.0].realm;
    headers
        .filter(|header| header.source.realm == Some(own) && kinds.contains(&header.kind))
        .map(|header| (header.kind, header.suite))
        .collect()
}

fn see(world: &mut World, acme: HostId) -> usize {
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    );
    let ended = broadcast(world, acme, work);
    output(&ended);
    // Closes follow the outcome.
    world.run_for(1_000);
    ended.bids
}

#[test]
fn whoever_has_bid_before_bids_in_a_session_and_is_answered_in_it() {
    let (mut world, acme, [left, right]) = family(31, ["EUR 0.03", "EUR 0.02"]);
    world.tap = true;
    see(&mut world, acme);
    let first = suites(&world, right, &[Kind::Bid]);
    assert_eq!(first, [(Kind::Bid, Suite::Sealed)]);

    world.wire.clear();
    assert_eq!(see(&mut world, acme), 2);

    for child in [left, right] {
        let bid = suites(&world, child, &[Kind::Bid]);
        assert_eq!(bid, [(Kind::Bid, Suite::Session)]);
    }
    let answers = suites(&world, acme, &[Kind::Award, Kind::Lease, Kind::Close]);
    assert_eq!(
        answers.len(),
        4,
        "an award, a lease, two closes: {answers:?}"
    );
    assert!(
        answers.iter().all(|(_, suite)| *suite == Suite::Session),
        "{answers:?}"
    );
    invariants::check(&mut world);
}

#[test]
fn a_bid_in_a_session_that_the_announcer_has_lost_is_sent_anew() {
    let (mut world, acme, [_, right]) = family(32, ["EUR 0.03", "EUR 0.02"]);
    see(&mut world, acme);
    world.crash_for(acme, 500);
    world.run_for(5_000);
    world.tap = true;

    assert_eq!(see(&mut world, acme), 2);

    let bids = suites(&world, right, &[Kind::Bid]);
    assert_eq!(
        bids,
        [(Kind::Bid, Suite::Session), (Kind::Bid, Suite::Sealed)]
    );
    invariants::check(&mut world);
}

#[test]
fn an_award_in_a_session_that_the_bidder_has_lost_is_sent_anew() {
    let (mut world, acme, [_, right]) = family(33, ["EUR 0.03", "EUR 0.02"]);
    see(&mut world, acme);
    see(&mut world, acme);
    world.crash_for(right, 500);
    world.run_for(5_000);

    assert_eq!(see(&mut world, acme), 2);
    invariants::check(&mut world);
}
