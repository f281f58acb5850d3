//! Slots whose work must not be done twice and may have begun: a person decides about each.

use realm_broadcast::log::Entry;
use realm_executor::Decision;
use realm_node::Refusal;
use realm_protocol::RunId;

use super::{recursion::entries, *};

/// Two slots of work that is `once`, which takes the children so long.
fn twice(seed: u64, takes_ms: [u64; 2]) -> (World, HostId, [HostId; 2], ControlId) {
    twice_within(seed, takes_ms, None)
}

/// The same, with a person who is waited for so long.
fn twice_within(
    seed: u64,
    takes_ms: [u64; 2],
    person_ms: Option<u64>,
) -> (World, HostId, [HostId; 2], ControlId) {
    let (mut world, acme, children) = family(seed, ["EUR 0.02", "EUR 0.03"]);
    world.apply(acme, &[Loops::once("see", 100)]);
    for (child, (ms, price)) in children
        .into_iter()
        .zip(takes_ms.into_iter().zip(["EUR 0.02", "EUR 0.03"]))
    {
        world.apply(child, &[bids(Loops::once("see", ms), price)]);
    }
    world.run_for(1_000);
    let work = BroadcastAsked {
        person_ms,
        ..asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::Best, 2, 0),
            Strategy::CollectAll,
        )
    };
    let control = world.ask(acme, Request::Broadcast(Box::new(work)));
    world.run_for(1_500);
    (world, acme, children, control)
}

/// The one broadcast of a host, and where its run stands.
fn standing(world: &World, host: HostId) -> (RunId, Status) {
    let mut runs = world.hosts[host.0].disk.runs.values();
    let run = runs.next().expect("a broadcast");
    (run.id, run.status)
}

/// The slots that wait for a person, by name.
fn waiting(world: &World, host: HostId) -> Vec<String> {
    let (run, _) = standing(world, host);
    let waits = world.hosts[host.0].node().waits_of(run);
    waits.into_iter().map(|it| it.name).collect()
}

#[test]
fn a_persons_word_about_one_slot_decides_nothing_about_another() {
    let (mut world, acme, [left, right], control) = twice(31, [5_000, 5_000]);
    for child in [left, right] {
        world.crash_for(child, 500);
        world.run_for(2_000);
    }
    let (run, status) = standing(&world, acme);
    assert_eq!(status, Status::Paused);
    let both = ["slot 0 of see@acme/left", "slot 1 of see@acme/right"];
    assert_eq!(waiting(&world, acme), both);

    let fails = || Decision::Fail("it is lost".to_owned());
    world.ask_and_wait(acme, Request::Resume(run, Some(fails())));
    world.run_for(1_000);

    assert_eq!(standing(&world, acme), (run, Status::Paused));
    assert_eq!(waiting(&world, acme), both[1..]);
    world.ask_and_wait(acme, Request::Resume(run, Some(fails())));
    let ended = end_of(&mut world, acme, control);
    assert_eq!(ended.ending, "TooFewResults");
    let decisions = evidence::account(&world, acme).decisions;
    let decided: Vec<_> = decisions.iter().map(|it| (it.slot, it.again)).collect();
    assert_eq!(decided, [(0, false), (1, false)]);
    let realms = said(&world, acme, &ended, "broadcast.decided", "realm");
    assert_eq!(realms, ["acme/left", "acme/right"]);
    let more = world.ask_and_wait(acme, Request::Resume(run, Some(fails())));
    assert!(
        matches!(more, Response::Refused(Refusal::NotFound { .. })),
        "{more:?}"
    );
    invariants::check(&mut world);
}

#[test]
fn a_result_that_comes_after_all_leaves_nothing_to_decide() {
    let (mut world, acme, [_, right], control) = twice(32, [50_000, 3_000]);
    world.partition(acme, right);
    world.run_for(20_000);
    assert_eq!(standing(&world, acme).1, Status::Paused);

    world.heal(acme, right);
    world.run_for(25_000);

    assert_eq!(standing(&world, acme).1, Status::Running);
    assert!(waiting(&world, acme).is_empty());
    let ended = end_of(&mut world, acme, control);
    assert_eq!(output(&ended).as_array().map(Vec::len), Some(2));
    invariants::check(&mut world);
}

#[test]
fn a_slot_that_nobody_decides_about_stays_empty_and_the_record_says_so() {
    let (mut world, acme, children, control) = twice(33, [5_000, 5_000]);
    for child in children {
        world.crash_for(child, 500);
        world.run_for(2_000);
    }
    let (run, _) = standing(&world, acme);
    let fails = Decision::Fail("it is lost".to_owned());
    world.ask_and_wait(acme, Request::Resume(run, Some(fails)));
    world.run_for(70_000);
    let ended = end_of(&mut world, acme, control);

    assert_eq!(ended.ending, "TooFewResults");
    let run = &world.hosts[acme.0].disk.runs[&run];
    let decided = entries(&world, acme, run).into_iter();
    let decided = decided.filter_map(|entry| match entry {
        Entry::Decided(it) => Some((it.slot, it.again, it.unsaid)),
        _ => None,
    });
    assert!(decided.eq([(0, false, None), (1, false, Some(true))]));
    invariants::check(&mut world);
}

#[test]
fn a_person_is_waited_for_no_longer_than_whoever_asked_for_the_work_says() {
    let (mut world, acme, children, _) = twice_within(34, [5_000, 5_000], Some(6_000));
    for child in children {
        world.crash_for(child, 500);
        world.run_for(2_000);
    }
    assert_eq!(standing(&world, acme).1, Status::Paused);
    assert_eq!(waiting(&world, acme).len(), 2);

    world.run_for(8_000);

    assert_eq!(standing(&world, acme).1, Status::Failed);
    invariants::check(&mut world);
}
