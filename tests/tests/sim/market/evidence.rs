//! What realms can show of a broadcast afterwards.

use realm_evidence::{Account, Fate, Finding, Standing, examine};
use realm_node::{BidView, NoTranscript};
use realm_protocol::{
    BroadcastId, Kind, Scope,
    cbor::Blob,
    journal::{Direction, JournalSeq, Table},
    json,
};

use super::*;

fn best() -> BroadcastAsked {
    asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    )
}

/// Where a realm's one bid stands, by its receipt.
pub(super) fn standing(world: &World, bidder: HostId) -> Standing {
    let host = &world.hosts[bidder.0];
    let row = host.disk.rows(Table::Bids).next().unwrap();
    let receipt = BidView::read(row).unwrap().receipt;
    match examine(&host.node().evidence_of(receipt)).unwrap() {
        Finding::Receipt(receipt) => receipt.standing.unwrap(),
        other => panic!("no receipt: {other:?}"),
    }
}

/// The one broadcast that a realm has announced, and what it wrote down of it in the trace of its run.
fn written(world: &World, announcer: HostId) -> (BroadcastId, Vec<Blob>) {
    let host = &world.hosts[announcer.0];
    let mut runs = host.disk.runs.values();
    let run = runs.find(|run| run.direction == Direction::Local).unwrap();
    let events = host.disk.events.values();
    let of_run = events.filter(|event| event.run == run.id && event.call == run.call);
    let entries = of_run.filter_map(|event| {
        let payload = json::parse(&event.payload).unwrap();
        Blob::from_base64(payload.get("entry")?.as_str()?)
    });
    (BroadcastId::new(*run.call.as_bytes()), entries.collect())
}

/// The one broadcast that a realm has announced, recomputed.
pub(super) fn account(world: &World, announcer: HostId) -> Account {
    let (broadcast, entries) = written(world, announcer);
    let node = world.hosts[announcer.0].node();
    let transcript = node.transcript(broadcast, &entries).unwrap();
    match examine(&transcript).unwrap() {
        Finding::Transcript(account) => account,
        other => panic!("no transcript: {other:?}"),
    }
}

#[test]
fn who_lost_shows_from_the_signed_close_that_its_bid_was_counted_also_after_a_restart() {
    let (mut world, acme, [left, right]) = family(60, ["EUR 0.03", "EUR 0.02"]);
    broadcast(&mut world, acme, best());
    world.run_for(1_000);
    world.crash_for(left, 500);
    world.run_for(2_000);

    let (lost, won) = (standing(&world, left), standing(&world, right));

    assert_eq!((lost.rank, lost.counted, lost.slot), (2, 2, None));
    assert_eq!((won.rank, won.counted, won.slot), (1, 2, Some(0)));
}

#[test]
fn an_announcer_that_crashed_on_the_way_has_a_transcript_that_adds_up() {
    for entries in [0, 4, 8] {
        let (mut world, acme, _) = family(70 + entries, ["EUR 0.03", "EUR 0.02"]);
        let before = world.hosts[acme.0].disk.durable();
        world.ask(acme, Request::Broadcast(Box::new(best())));
        while entries > 0 && world.hosts[acme.0].disk.durable() < JournalSeq(before.0 + entries) {
            world.run_for(1);
        }
        if entries > 0 {
            world.crash_for(acme, 500);
        }
        world.run_for(40_000);

        let account = account(&world, acme);

        assert_eq!(account.ending, Some("Output"), "after {entries} entries");
        assert_eq!(account.bids.len(), 2);
    }
}

#[test]
fn a_bidder_is_shown_its_own_bid_and_the_winners_and_of_others_the_digests() {
    let mut world = World::new(83);
    let acme = world.found("acme");
    let prices = [
        ("left", "EUR 0.04"),
        ("middle", "EUR 0.03"),
        ("right", "EUR 0.02"),
    ];
    let children = prices.map(|(name, _)| world.child(acme, name));
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    for (child, (_, price)) in children.into_iter().zip(prices) {
        world.apply(child, &[bids(Loops::idempotent("see", 100), price)]);
    }
    world.run_for(2_000);
    output(&broadcast(&mut world, acme, best()));
    world.run_for(1_000);

    let (cast, entries) = written(&world, acme);
    let node = world.hosts[acme.0].node();
    let place = |name: &str| Scope {
        path: name.parse().unwrap(),
        ..node.standing().scope
    };
    let seen = node.view(cast, &entries, &place("left")).unwrap();
    let Ok(Finding::View(seen)) = examine(&seen) else {
        panic!("no view: {:?}", examine(&seen))
    };

    let shown: Vec<_> = seen
        .bids
        .iter()
        .map(|bid| bid.said.as_ref().map(|it| it.price_micros))
        .collect();
    assert_eq!(shown, [Some(20_000), None, Some(40_000)]);
    let own: Vec<bool> = seen.bids.iter().map(|bid| bid.own).collect();
    assert_eq!(own, [false, false, true]);
    assert!(seen.unproven[0].contains("1 bids"), "{:?}", seen.unproven);
    let stranger = node.view(cast, &entries, &place("nobody"));
    assert_eq!(stranger, Err(NoTranscript::NoBidder));
    let early = node.view(cast, &entries[..entries.len() / 2], &place("left"));
    assert_eq!(early, Err(NoTranscript::UnderWay));
}

#[test]
fn who_bids_in_both_rounds_keeps_the_bid_that_counted_and_accuses_nobody_of_leaving_out_the_other()
{
    let (mut world, acme, [left, _]) = family(80, ["EUR 0.03", "EUR 0.02"]);
    let mut work = best();
    work.rule.min_bids = 3;
    work.wider = Some(Wider {
        reach: reach(2, 0, 0),
        realms: Vec::new(),
    });

    let ended = broadcast(&mut world, acme, work);
    world.run_for(1_000);

    assert_eq!((ended.ending, ended.bids), ("TooFewBids", 2));
    assert_eq!(world.hosts[left.0].disk.rows(Table::Bids).count(), 1);
    let stands = standing(&world, left);
    assert_eq!((stands.rank, stands.counted), (2, 2));
}

#[test]
fn of_an_award_that_was_lost_on_its_way_both_sides_say_so_and_nobody_is_accused() {
    for (seed, kind) in [(81, Kind::Award), (82, Kind::Confirm)] {
        let (mut world, acme, [left, right]) = family(seed, ["EUR 0.02", "EUR 0.03"]);
        let (from, to) = match kind {
            Kind::Award => (acme, left),
            _ => (left, acme),
        };
        world.mute(from, to, kind, u64::MAX);

        output(&broadcast(&mut world, acme, best()));
        world.run_for(1_000);

        let (lost, won) = (standing(&world, left), standing(&world, right));
        assert_eq!((lost.rank, lost.slot, lost.unconfirmed), (1, None, true));
        let came = !lost.why.contains("here no award did");
        assert_eq!(came, kind == Kind::Confirm, "{}", lost.why);
        assert_eq!((won.rank, won.slot, won.unconfirmed), (2, Some(0), false));
        let told = &account(&world, acme).bids[0];
        assert!(matches!(told.fate, Fate::Unconfirmed { slot: 0, .. }));
        assert!(told.why.contains("no answer came"), "{}", told.why);
    }
}
