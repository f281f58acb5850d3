//! Realms that change in the middle of a broadcast: their keys, their machines, their places.

use realm_evidence::Standing;
use realm_node::Request;
use realm_protocol::{journal::Table, records::SuccessionReason};

use super::{
    evidence::{account, standing},
    *,
};

fn work() -> BroadcastAsked {
    asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    )
}

/// A family whose left agent takes two seconds to bid, and whose agents both work for three.
fn busy_family(seed: u64) -> (World, HostId, [HostId; 2]) {
    let (mut world, acme, children) = family(seed, ["EUR 0.03", "EUR 0.02"]);
    let offer = r#"{"price": "EUR 0.05", "time": "4s"}"#;
    let quote = json!({
        "id": "quote", "version": "1.0.0", "kind": "tool", "effects": "idempotent",
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "tool": {"implementation": "process", "config": {"argv": ["say", "2000", offer]}},
    });
    let mut slow = Loops::idempotent("see", 3_000);
    slow["bid"] = json!({"ask": "quote", "within": "3s"});
    world.apply(children[0], &[quote, slow]);
    let quick = bids(Loops::idempotent("see", 3_000), "EUR 0.02");
    world.apply(children[1], &[quick]);
    world.run_for(1_000);
    (world, acme, children)
}

#[test]
fn an_announcer_whose_key_is_handed_on_meanwhile_ends_well_and_everything_of_it_verifies() {
    // While bids are taken, while the award is under way, while the work is done.
    for after in [300, 1_500, 2_100, 3_500] {
        let (mut world, acme, [left, right]) = busy_family(600 + after);
        world.ask(acme, Request::Broadcast(Box::new(work())));
        world.run_for(after);

        world.hand_over(acme, SuccessionReason::Routine);
        world.run_for(60_000);

        let account = account(&world, acme);
        assert_eq!(account.ending, Some("Output"), "after {after} ms");
        assert_eq!(account.bids.len(), 2, "after {after} ms");
        let counted = [left, right].map(|bidder| standing(&world, bidder).counted);
        assert_eq!(counted, [2, 2], "after {after} ms");
        invariants::check(&mut world);
    }
}

#[test]
fn a_bidder_whose_key_is_handed_on_meanwhile_has_declined_or_failed_and_its_record_verifies() {
    for (after, fate) in [(1_000, "Declined"), (3_500, "Failed")] {
        let (mut world, acme, [left, right]) = busy_family(610 + after);
        let control = world.ask(acme, Request::Broadcast(Box::new(work())));
        world.run_for(after);

        world.hand_over(right, SuccessionReason::Routine);
        let ended = end_of(&mut world, acme, control);
        world.run_for(10_000);

        output(&ended);
        assert_eq!(ended.slots[0].realm, world.hosts[left.0].realm);
        let account = account(&world, acme);
        let told = format!("{:?}", account.bids[0].fate);
        assert!(told.contains(fate), "after {after} ms: {told}");
        let Standing { rank, counted, .. } = standing(&world, right);
        assert_eq!((rank, counted), (1, 2), "after {after} ms");
        invariants::check(&mut world);
    }
}

#[test]
fn a_bidder_that_has_moved_to_another_machine_by_its_award_declines_it() {
    let (mut world, acme, [left, right]) = busy_family(620);
    let control = world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(1_000);

    let (keys, disk) = {
        let host = &world.hosts[right.0];
        (host.keys.clone(), host.disk.copy())
    };
    world.crash(right);
    let moved = world.twin(right, keys, disk);
    let ended = end_of(&mut world, acme, control);

    output(&ended);
    let answers = said(&world, acme, &ended, "broadcast.answered", "answer");
    assert_eq!(answers, ["Unknown", "Reserved"]);
    assert_eq!(ended.slots[0].realm, world.hosts[left.0].realm);
    assert_eq!(world.hosts[moved.0].disk.count(Table::Slots), 0);
    account(&world, acme);
    invariants::check(&mut world);
}

#[test]
fn a_bidder_that_has_lost_its_place_by_its_award_gets_none_and_whoever_has_the_place_neither() {
    let (mut world, acme, [left, right]) = busy_family(630);
    let control = world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(1_000);

    world.ask_and_wait(acme, Request::Revoke("right".parse().unwrap()));
    let heir = world.child(acme, "right");
    let ended = end_of(&mut world, acme, control);

    output(&ended);
    assert_eq!(ended.bids, 2);
    assert_eq!(ended.slots[0].realm, world.hosts[left.0].realm);
    for host in [right, heir] {
        assert!(world.hosts[host.0].disk.runs.is_empty());
        assert_eq!(world.hosts[host.0].disk.count(Table::Slots), 0);
    }
    let account = account(&world, acme);
    assert_eq!(account.informed.len(), 1);
    invariants::check(&mut world);
}

#[test]
fn a_bidder_that_is_cut_off_by_its_award_is_passed_over_and_has_nothing_to_give_back() {
    let (mut world, acme, [left, right]) = busy_family(640);
    let control = world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(1_000);

    world.partition(right, acme);
    let ended = end_of(&mut world, acme, control);
    world.heal(right, acme);
    world.run_for(60_000);

    output(&ended);
    assert_eq!(ended.slots[0].realm, world.hosts[left.0].realm);
    let answers = said(&world, acme, &ended, "broadcast.answered", "answer");
    assert_eq!(answers, ["Reserved"], "only one has answered");
    let host = &world.hosts[right.0];
    assert!(host.disk.runs.is_empty());
    assert_eq!(host.disk.count(Table::Slots), 0);
    assert!(host.node().is_idle());
    account(&world, acme);
    invariants::check(&mut world);
}
