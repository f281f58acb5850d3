//! Outcomes that nobody needs any more, and bidders that nobody calls.

use realm_protocol::{
    FailureCode, Timestamp,
    broadcast::{LeaseEnd, Outcome},
    journal::{Direction, Run, Status, Table},
};

use super::{evidence::account, *};

/// Both work; the first result is enough.
fn race() -> BroadcastAsked {
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::All, 2, 0),
        Strategy::FirstValid,
    );
    work.aggregation.waiting = Waiting::Any;
    work
}

/// A family whose right child works for a tenth of a second, and whose left one for five.
fn uneven_family(seed: u64) -> (World, HostId, [HostId; 2]) {
    let (mut world, acme, children) = family(seed, ["EUR 0.03", "EUR 0.02"]);
    world.apply(
        children[0],
        &[bids(Loops::idempotent("see", 5_000), "EUR 0.03")],
    );
    world.run_for(1_000);
    (world, acme, children)
}

fn work_of(world: &World, host: HostId) -> Option<&Run> {
    let mut runs = world.hosts[host.0].disk.runs.values();
    runs.find(|run| run.direction == Direction::In)
}

/// Nothing is kept of a broadcast but traces, bids and receipts.
fn nothing_is_left(world: &World, hosts: &[HostId]) {
    for host in hosts {
        let host = &world.hosts[host.0];
        let held = [Table::Broadcasts, Table::Slots].map(|table| host.disk.count(table));
        assert_eq!(held, [0, 0], "{}", host.name);
        assert!(host.node().is_idle(), "{}", host.name);
        let mut runs = host.disk.runs.values();
        assert!(
            runs.all(|run| run.ended.is_some()),
            "{}: a run is under way",
            host.name
        );
    }
}

#[test]
fn work_that_is_not_waited_for_any_more_is_taken_back_and_cited() {
    let (mut world, acme, [left, right]) = uneven_family(650);

    let ended = broadcast(&mut world, acme, race());
    world.run_for(30_000);

    output(&ended);
    let parts: Vec<_> = ended.slots.iter().map(|it| (it.realm, it.part)).collect();
    let realm = |host: HostId| world.hosts[host.0].realm;
    assert_eq!(
        parts,
        [(realm(right), "Contributed"), (realm(left), "Failed")]
    );
    assert_eq!(
        work_of(&world, left).map(|run| run.status),
        Some(Status::Cancelled)
    );
    nothing_is_left(&world, &[acme, left, right]);
    account(&world, acme);
    invariants::check(&mut world);
}

/// A race that is over while its slower holder, the left one, has done the work and cannot be heard.
fn unheard(seed: u64) -> (World, HostId, [HostId; 2], Broadcasted) {
    let (mut world, acme, children) = uneven_family(seed);
    let ended = race_unheard(&mut world, acme, children);
    (world, acme, children, ended)
}

fn race_unheard(world: &mut World, acme: HostId, [left, right]: [HostId; 2]) -> Broadcasted {
    world.apply(right, &[bids(Loops::idempotent("see", 1_000), "EUR 0.02")]);
    world.run_for(1_000);
    let control = world.ask(acme, Request::Broadcast(Box::new(race())));
    world.run_for(700);
    world.partition(left, acme);
    let ended = end_of(world, acme, control);
    world.run_for(6_000);
    let done = work_of(world, left).map(|run| run.status);
    assert_eq!(done, Some(Status::Completed), "nobody could take it back");
    ended
}

/// What the announcer holds of broadcasts that have ended.
fn kept(world: &World, host: HostId) -> usize {
    world.hosts[host.0].disk.count(Table::Broadcasts)
}

/// What came late, with its epoch and what it charges.
fn late(told: &realm_evidence::Account) -> Vec<(u64, &'static str, u64)> {
    let late = told.late.iter();
    late.map(|it| (it.epoch, it.end, it.charged_micros))
        .collect()
}

#[test]
fn a_result_that_comes_after_the_outcome_is_counted_and_changes_nothing_of_it() {
    let (mut world, acme, [left, right], ended) = unheard(651);
    assert!(kept(&world, acme) > 0);

    world.heal(left, acme);
    world.run_for(60_000);

    assert_eq!(
        ended.slots[1].failure.map(FailureCode::name),
        Some("Cancelled")
    );
    nothing_is_left(&world, &[acme, left, right]);
    let told = account(&world, acme);
    assert_eq!(told.output, ended.output);
    assert_eq!(late(&told), [(1, "Done", 30_000)]);
    let bidders = world.hosts[acme.0].node().bidders();
    let of_left = bidders
        .iter()
        .find(|it| it.realm == world.hosts[left.0].realm);
    let conduct = of_left.map(|it| it.events.iter().map(|(what, ..)| *what).collect());
    assert_eq!(conduct, Some(vec!["Delivered"]));
    invariants::check(&mut world);
}

#[test]
fn a_result_that_comes_after_the_outcome_is_counted_by_an_announcer_that_was_restarted_since() {
    let (mut world, acme, [left, right], ended) = unheard(654);
    world.crash_for(acme, 500);
    world.run_for(2_000);

    world.heal(left, acme);
    world.run_for(60_000);

    nothing_is_left(&world, &[acme, left, right]);
    let told = account(&world, acme);
    assert_eq!(told.output, ended.output);
    assert_eq!(late(&told), [(1, "Done", 30_000)]);
    invariants::check(&mut world);
}

#[test]
fn who_says_nothing_for_a_quarter_of_an_hour_after_the_outcome_is_waited_for_no_longer() {
    let (mut world, acme, _, _) = unheard(655);

    world.run_for(14 * 60_000);
    assert!(kept(&world, acme) > 0);
    world.run_for(60_000);

    assert_eq!(kept(&world, acme), 0);
    assert!(late(&account(&world, acme)).is_empty());
    invariants::check(&mut world);
}

#[test]
fn of_one_award_one_outcome_is_written_down_however_many_come_while_another_is_waited_for() {
    let (mut world, acme, [left, right]) = uneven_family(656);
    world.overhear();
    world.run_for(4_000);
    let ended = race_unheard(&mut world, acme, [left, right]);
    let give = |world: &mut World, number: u64| {
        let outcome = Outcome {
            broadcast: ended.broadcast,
            slot: 0,
            epoch: 1,
            bid: ended.slots[0].bid,
            end: LeaseEnd::Failed,
            output: None,
            failure: None,
            confidence: None,
            charged: None,
            run: None,
            created: Timestamp::from_millis(number),
            spent: None,
            below: None,
        };
        world.give_outcome(right, acme, &outcome);
        world.run_for(20);
    };
    let unused = |world: &World| {
        let events = world.hosts[acme.0].disk.events.values();
        events.filter(|it| it.kind == "broadcast.unused").count()
    };
    give(&mut world, 0);
    world.run_for(1_000);
    assert_eq!(unused(&world), 1);
    assert!(kept(&world, acme) > 0, "the left one is waited for");
    world.hosts[acme.0].disk.lose(Table::Broadcasts);

    (1..100).for_each(|number| give(&mut world, number));

    assert_eq!(unused(&world), 1);
    assert_eq!(kept(&world, acme), 0, "nothing is written anew");
}

#[test]
fn a_result_of_an_earlier_epoch_is_written_down_as_unused() {
    let (mut world, acme, [left, right]) = family(652, ["EUR 0.03", "EUR 0.02"]);
    world.apply(left, &[bids(Loops::idempotent("see", 28_000), "EUR 0.03")]);
    world.apply(right, &[bids(Loops::idempotent("see", 9_000), "EUR 0.02")]);
    world.run_for(1_000);
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    );
    let control = world.ask(acme, Request::Broadcast(Box::new(work)));
    world.run_for(1_000);
    world.partition(right, acme);
    world.run_for(20_000);
    world.heal(right, acme);
    let ended = end_of(&mut world, acme, control);
    world.run_for(60_000);

    assert_eq!(ended.slots[0].realm, world.hosts[left.0].realm);
    let events = world.hosts[acme.0].disk.events.values();
    let unused = events.filter(|it| it.kind == "broadcast.unused").count();
    assert_eq!(unused, 1);
    nothing_is_left(&world, &[acme, left, right]);
    let told = account(&world, acme);
    assert_eq!(late(&told), [(1, "Done", 20_000)]);
    invariants::check(&mut world);
}

#[test]
fn a_standby_that_is_never_called_has_reserved_nothing_and_learns_that_it_was_ranked() {
    let (mut world, acme, [left, right]) = family(653, ["EUR 0.03", "EUR 0.02"]);
    let mut standby = bids(Loops::idempotent("see", 100), "EUR 0.03");
    standby["bid"]["budget"] = json!("EUR 0.03");
    world.apply(left, &[standby]);
    world.run_for(1_000);
    let work = || {
        asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::Best, 1, 1),
            Strategy::Select,
        )
    };

    // A budget for one piece of work: nothing of it is used by standing by.
    for _ in 0..3 {
        let ended = broadcast(&mut world, acme, work());
        world.run_for(2_000);
        output(&ended);
        assert_eq!(ended.bids, 2);
    }

    assert!(work_of(&world, left).is_none());
    let told = evidence::standing(&world, left);
    assert_eq!((told.rank, told.slot), (2, None));
    nothing_is_left(&world, &[acme, left, right]);
    invariants::check(&mut world);
}
