//! More bidders than an announcer remembers, and more broadcasts than a bidder has room for at a time.

use realm_broadcast::log::{CloseCause, Entry};
use realm_protocol::{Kind, link::Frame};

use super::{recursion::entries, *};

/// Realms that bid, all below one child of the announcer's.
const BIDDERS: usize = 12;
/// Chains that the announcer remembers; of those below one child a quarter.
const CHAINS: usize = 16;

/// Who has sent what since the wire was cleared.
fn sent(world: &World) -> Vec<(HostId, Kind)> {
    let frames = world.wire.iter();
    let kinds = frames.filter_map(|(from, _, bytes)| match Frame::decode(bytes) {
        Ok(Frame::Envelope(envelope)) => envelope.peek().ok().map(|header| (*from, header.kind)),
        _ => None,
    });
    kinds.collect()
}

#[test]
fn bids_of_realms_that_the_announcer_has_forgotten_count_and_it_asks_nobody_who_they_are() {
    let mut world = World::new(51);
    world.sessions = false;
    world.tap = true;
    let acme = world.found("acme");
    world.hosts[acme.0].chains = CHAINS;
    world.crash(acme);
    world.start(acme);
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    let mid = world.child(acme, "mid");
    for number in 0..BIDDERS {
        let leaf = world.child(mid, &format!("c{number}"));
        world.apply(leaf, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
    }
    world.run_for(3_000);
    let work = || {
        asked(
            "see",
            reach(2, 0, 0),
            rule(Selection::All, 2, 0),
            Strategy::CollectAll,
        )
    };
    // Everybody has shown its chain, and most are forgotten.
    broadcast(&mut world, acme, work());
    world.run_for(5_000);
    world.wire.clear();
    let before = world.elapsed_ms();

    let ended = broadcast(&mut world, acme, work());

    assert_eq!(ended.bids, BIDDERS);
    assert!(
        world.elapsed_ms() - before < 2_000,
        "nobody waits for the window"
    );
    output(&ended);
    let sent = sent(&world);
    let last = sent.iter().rposition(|(_, kind)| *kind == Kind::Bid);
    let asked = sent.iter().take(last.expect("a bid"));
    let asked = asked.filter(|it| **it == (acme, Kind::Resolve)).count();
    assert!(asked <= 1, "but for whom it announces to: {asked}");
    invariants::check(&mut world);
}

#[test]
fn bidders_bid_for_every_one_of_many_broadcasts_one_after_the_other() {
    let (mut world, acme, _) = family(52, ["EUR 0.02", "EUR 0.03"]);
    let before = world.elapsed_ms();

    for number in 0..300 {
        let one = rule(Selection::Best, 1, 0);
        let ended = broadcast(
            &mut world,
            acme,
            asked("see", reach(1, 0, 0), one, Strategy::Select),
        );
        assert_eq!(ended.bids, 2, "broadcast {number}");
    }

    assert!(
        world.elapsed_ms() - before < 60_000,
        "no bid had time to run out"
    );
}

/// Why the bidding of a host's last broadcast ended.
fn cause(world: &World, host: HostId, ended: &Broadcasted) -> CloseCause {
    let mut runs = world.hosts[host.0].disk.runs.values();
    let run = runs.find(|run| run.id == ended.run).expect("a run");
    let closed = entries(world, host, run).into_iter();
    let mut closed = closed.filter_map(|entry| match entry {
        Entry::BidsClosed(closed) => Some(closed.cause),
        _ => None,
    });
    closed.next().expect("an end of the bidding")
}

#[test]
fn bids_beyond_what_counts_of_one_child_are_not_waited_for() {
    let mut world = World::new(53);
    let acme = world.found("acme");
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    let mid = world.child(acme, "mid");
    for number in 0..3 {
        let leaf = world.child(mid, &format!("c{number}"));
        world.apply(leaf, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
    }
    world.run_for(3_000);
    let mut work = asked(
        "see",
        reach(2, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );
    work.rule.per_realm = Some(1);

    let ended = broadcast(&mut world, acme, work);

    assert_eq!(ended.bids, 1);
    assert_eq!(cause(&world, acme, &ended), CloseCause::Tallied);
    invariants::check(&mut world);
}

#[test]
fn a_partner_fills_half_of_the_places_and_its_further_bids_are_not_waited_for() {
    let mut world = World::new(54);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    world.permit(acme, "lab", "award", "see");
    let able = |id: &str| {
        let mut able = Loops::idempotent(id, 100);
        able["capabilities"] = json!(["sight"]);
        able
    };
    world.apply(acme, &[able("see")]);
    for number in 0..12 {
        let id = format!("see-{number}");
        world.permit(lab, "acme", "bid", &id);
        world.apply(lab, &[bids(able(&id), "EUR 0.02")]);
    }
    world.run_for(3_000);
    let mut work = asked(
        "see",
        reach(0, 0, 1),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );
    work.capabilities = BTreeSet::from(["sight".parse().unwrap()]);
    work.rule.max_bids = 10;

    let ended = broadcast(&mut world, acme, work);

    assert_eq!(ended.bids, 5);
    assert_eq!(cause(&world, acme, &ended), CloseCause::Tallied);
    invariants::check(&mut world);
}
