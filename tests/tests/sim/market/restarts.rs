//! Broadcasts that a crash breaks off, at the realm that announced or at one that works.

use realm_executor::Decision;
use realm_protocol::{
    CallId,
    journal::{Direction, JournalSeq, Run, Status, Table},
};

use super::*;

/// A run of this realm's whose loop is `see`.
fn runs_of(world: &World, host: HostId, direction: Direction) -> Vec<&Run> {
    let runs = world.hosts[host.0].disk.runs.values();
    runs.filter(|run| run.direction == direction).collect()
}

fn work() -> BroadcastAsked {
    asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    )
}

/// Asks, and crashes a realm as soon as it has written so many entries more; false if it never does.
fn crash_after(world: &mut World, acme: HostId, host: HostId, entries: u64) -> bool {
    let before = world.hosts[host.0].disk.durable();
    world.ask(acme, Request::Broadcast(Box::new(work())));
    for _ in 0..6_000 {
        world.run_for(1);
        if world.hosts[host.0].disk.durable() >= JournalSeq(before.0 + entries) {
            world.crash_for(host, 500);
            return true;
        }
    }
    false
}

#[test]
fn an_announcer_that_crashes_at_any_entry_goes_on_and_ends_once() {
    for entries in 1..40 {
        let (mut world, acme, [left, right]) = family(10 + entries, ["EUR 0.03", "EUR 0.02"]);
        if !crash_after(&mut world, acme, acme, entries) {
            assert!(
                entries > 5,
                "a broadcast writes more than {entries} entries"
            );
            return;
        }
        world.run_for(40_000);
        let ended = runs_of(&world, acme, Direction::Local);
        let told: Vec<_> = ended.iter().map(|run| (run.status, &run.error)).collect();
        assert_eq!(ended.len(), 1, "after {entries} entries");
        assert_eq!(
            ended[0].status,
            Status::Completed,
            "after {entries}: {told:?}"
        );
        let done = [left, right].map(|host| runs_of(&world, host, Direction::In).len());
        assert_eq!(done.iter().sum::<usize>(), 1, "after {entries}: {done:?}");
        let disk = &world.hosts[acme.0].disk;
        assert_eq!(disk.count(Table::Broadcasts), 0, "nothing is left behind");
        invariants::check(&mut world);
    }
    panic!("a broadcast never ends");
}

#[test]
fn a_winner_that_crashes_at_any_entry_gives_up_and_the_work_is_done_all_the_same() {
    for entries in 1..40 {
        let (mut world, acme, [left, right]) = family(60 + entries, ["EUR 0.03", "EUR 0.02"]);
        if !crash_after(&mut world, acme, right, entries) {
            assert!(entries > 3, "a winner writes more than {entries} entries");
            return;
        }
        world.run_for(60_000);
        let ended = runs_of(&world, acme, Direction::Local);
        assert_eq!(
            ended[0].status,
            Status::Completed,
            "after {entries} entries"
        );
        for host in [left, right] {
            let all = runs_of(&world, host, Direction::In);
            assert!(all.len() <= 1, "after {entries} entries: {all:?}");
            assert_eq!(world.hosts[host.0].disk.count(Table::Slots), 0);
        }
        invariants::check(&mut world);
    }
    panic!("a winner never ends");
}

/// What an earlier build wrote down of leased work: its call was named otherwise.
#[test]
fn leased_work_of_an_earlier_build_ends_with_its_process_like_any_other() {
    let (mut world, acme, [left, right]) = family(96, ["EUR 0.03", "EUR 0.02"]);
    let mut see = Loops::composite("see", &["slow"]);
    see["effects"] = json!("idempotent");
    world.apply(
        right,
        &[Loops::idempotent("slow", 3_000), bids(see, "EUR 0.02")],
    );
    world.run_for(1_000);
    world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(1_500);
    let leased = runs_of(&world, right, Direction::In)[0].id;
    world.crash(right);
    let disk = &mut world.hosts[right.0].disk;
    disk.runs.get_mut(&leased).unwrap().call = CallId::new([7; 16]);
    world.run_for(500);
    world.start(right);
    world.run_for(20_000);

    let ended = world.hosts[right.0].disk.runs[&leased].clone();
    assert_eq!(ended.status, Status::Failed);
    let why = String::from_utf8(ended.output.unwrap().to_vec()).unwrap();
    assert!(why.contains("its lease ended with the process"), "{why}");
    assert_eq!(
        runs_of(&world, left, Direction::In).len(),
        1,
        "the next one takes over"
    );
    let asked = runs_of(&world, acme, Direction::Local);
    assert_eq!(asked[0].status, Status::Completed);
}

#[test]
fn work_of_effect_that_a_crash_broke_off_waits_for_a_person_over_the_announcers_restart() {
    let (mut world, acme, [left, right]) = family(7, ["EUR 0.03", "EUR 0.02"]);
    world.apply(acme, &[Loops::once("see", 100)]);
    for (child, price) in [(left, "EUR 0.03"), (right, "EUR 0.02")] {
        world.apply(child, &[bids(Loops::once("see", 3_000), price)]);
    }
    world.run_for(1_000);
    world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(1_500);
    world.crash_for(right, 500);
    world.run_for(10_000);
    world.crash_for(acme, 500);
    world.run_for(5_000);
    let waiting = runs_of(&world, acme, Direction::Local)[0].clone();
    assert_eq!(waiting.status, Status::Paused);
    assert_eq!(runs_of(&world, left, Direction::In).len(), 0);
    let again = Request::Resume(waiting.id, Some(Decision::Again));
    let answer = world.ask_and_wait(acme, again);
    assert!(matches!(answer, Response::Done), "{answer:?}");
    world.run_for(20_000);
    let ended = &world.hosts[acme.0].disk.runs[&waiting.id];
    assert_eq!(ended.status, Status::Completed);
    assert_eq!(runs_of(&world, left, Direction::In).len(), 1);
    invariants::check(&mut world);
}

#[test]
fn what_an_announcers_own_agent_has_done_is_not_lost_with_the_process() {
    for entries in 1..40 {
        let mut world = World::new(90 + entries);
        let acme = world.found("acme");
        world.apply(acme, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
        world.run_for(1_000);
        if !crash_after(&mut world, acme, acme, entries) {
            assert!(entries > 2, "it writes more than {entries} entries");
            return;
        }
        world.run_for(60_000);
        let asked = runs_of(&world, acme, Direction::Local);
        let worked = runs_of(&world, acme, Direction::In);
        assert_eq!(asked.len(), 1, "after {entries} entries");
        let is_done = |run: &&Run| run.status == Status::Completed;
        assert_ne!(asked[0].status, Status::Running, "after {entries} entries");
        let (asked, worked) = (is_done(&asked[0]), worked.iter().any(is_done));
        assert_eq!(asked, worked, "after {entries} entries");
        invariants::check(&mut world);
    }
    panic!("a broadcast never ends");
}

#[test]
fn a_loop_that_makes_results_one_runs_once_though_the_announcer_is_restarted() {
    for entries in 1..60 {
        let (mut world, acme, _) = family(140 + entries, ["EUR 0.03", "EUR 0.02"]);
        let mut sum = Loops::idempotent("sum-up", 200);
        sum["inputSchema"] = json!({"type": "array"});
        sum["outputSchema"] = json!({});
        world.apply(acme, &[sum]);
        let mut work = asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::All, 2, 0),
            Strategy::Loop,
        );
        work.aggregator = Some("sum-up".parse().unwrap());
        let before = world.hosts[acme.0].disk.durable();
        world.ask(acme, Request::Broadcast(Box::new(work)));
        let mut crashed = false;
        for _ in 0..3_000 {
            world.run_for(1);
            if world.hosts[acme.0].disk.durable() >= JournalSeq(before.0 + entries) {
                world.crash_for(acme, 500);
                crashed = true;
                break;
            }
        }
        if !crashed {
            return;
        }
        world.run_for(40_000);
        let runs = world.hosts[acme.0].disk.runs.values();
        let made: Vec<Status> = runs
            .filter(|run| run.loop_id == "sum-up")
            .map(|run| run.status)
            .collect();
        assert!(made.len() <= 1, "after {entries} entries: {made:?}");
        let ended = runs_of(&world, acme, Direction::Local)[0].status;
        assert_ne!(ended, Status::Running, "after {entries} entries");
        invariants::check(&mut world);
    }
}

#[test]
fn a_loop_of_effect_that_makes_results_one_and_was_broken_off_waits_for_a_person() {
    let (mut world, acme, _) = family(200, ["EUR 0.03", "EUR 0.02"]);
    let mut sum = Loops::once("sum-up", 3_000);
    sum["inputSchema"] = json!({"type": "array"});
    world.apply(acme, &[sum]);
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::All, 2, 0),
        Strategy::Loop,
    );
    work.aggregator = Some("sum-up".parse().unwrap());
    world.ask(acme, Request::Broadcast(Box::new(work)));
    world.run_for(1_500);
    let made = |world: &World| {
        let mut runs = world.hosts[acme.0].disk.runs.values();
        runs.find(|run| run.loop_id == "sum-up").cloned().unwrap()
    };
    assert_eq!(made(&world).status, Status::Running);

    world.crash_for(acme, 500);
    world.run_for(10_000);

    let waiting = made(&world);
    assert_eq!(waiting.status, Status::Paused);
    let asked = runs_of(&world, acme, Direction::Local);
    let asked = asked.iter().find(|run| run.loop_id == "see").unwrap();
    assert_eq!(asked.status, Status::Running);
    let asked = asked.id;
    let gave = Request::Resume(waiting.id, Some(Decision::Output(json!({"sum": 2}))));
    world.ask_and_wait(acme, gave);
    world.run_for(2_000);
    let ended = &world.hosts[acme.0].disk.runs[&asked];
    assert_eq!(ended.status, Status::Completed);
    assert_eq!(ended.output.as_deref(), Some(br#"{"sum":2}"#.as_slice()));
    invariants::check(&mut world);
}
