//! Work that its winner announces again, and so on down.

use realm_broadcast::log::{Ending, Entry};
use realm_protocol::{
    RunId,
    broadcast::{Announcement, Stopped},
    cbor::{self, Blob},
    journal::{Direction, Run},
};

use super::{evidence::account, *};

/// `acme`, `acme/law` and `acme/law/city`: `review` is announced by the first, won by the second, and
/// announced again as `check` for the third.
fn three_levels(seed: u64, work_ms: u64, within: &str) -> (World, [HostId; 3]) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let law = world.child(acme, "law");
    let city = world.child(law, "city");
    let down = json!({"scope": ["children"], "maxPrice": "EUR 1", "within": within});
    let mut review = Loops::broadcast("review", "check", down);
    review["effects"] = json!("idempotent");
    world.apply(acme, &[Loops::idempotent("review", 10)]);
    world.apply(law, &[bids(review, "EUR 0.05")]);
    world.apply(
        city,
        &[bids(Loops::idempotent("check", work_ms), "EUR 0.02")],
    );
    world.run_for(3_000);
    (world, [acme, law, city])
}

fn review() -> BroadcastAsked {
    asked(
        "review",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    )
}

pub(super) fn run_of<'w>(
    world: &'w World,
    host: HostId,
    loop_id: &str,
    direction: Direction,
) -> &'w Run {
    let mut runs = world.hosts[host.0].disk.runs.values();
    let found = runs.find(|run| run.loop_id == loop_id && run.direction == direction);
    found.unwrap_or_else(|| panic!("no run of {loop_id}"))
}

/// What an announcer has written down of a broadcast.
pub(super) fn entries(world: &World, host: HostId, run: &Run) -> Vec<Entry> {
    let events = world.hosts[host.0].disk.events.values();
    let of_run = events.filter(|event| event.run == run.id);
    let entries = of_run.filter_map(|event| {
        let payload: Value = serde_json::from_slice(&event.payload).unwrap();
        let entry = Blob::from_base64(payload["entry"].as_str()?).unwrap();
        Some(cbor::decode(&entry).unwrap())
    });
    entries.collect()
}

pub(super) fn announcement(world: &World, host: HostId, loop_id: &str) -> Announcement {
    let runs = world.hosts[host.0].disk.runs.values();
    let runs = runs.filter(|run| run.loop_id == loop_id && run.direction == Direction::Local);
    let planned = runs
        .flat_map(|run| entries(world, host, run))
        .find_map(|it| match it {
            Entry::Planned(planned) => Some(planned),
            _ => None,
        });
    planned.expect("a plan").rounds[0].peek().unwrap()
}

/// The slots whose holders said that they ended when a broadcast was cancelled, and those that did not.
fn cancelled(world: &World, host: HostId) -> (Vec<u64>, Vec<u64>) {
    let run = run_of(world, host, "review", Direction::Local);
    assert_eq!(run.status, Status::Cancelled);
    let entries = entries(world, host, run);
    let finished = entries.iter().find_map(|entry| match entry {
        Entry::Finished(it) => Some(&it.conclusion),
        _ => None,
    });
    let conclusion = finished.expect("it has ended");
    assert_eq!(conclusion.ending, Ending::Cancelled);
    (conclusion.confirmed.clone(), conclusion.silent.clone())
}

/// What the trace of a broadcast's run says of its end.
fn finished(world: &World, host: HostId, run: RunId) -> Value {
    let mut events = world.hosts[host.0].disk.events.values();
    let finished = events.find(|it| it.run == run && it.kind == "broadcast.finished");
    serde_json::from_slice(&finished.unwrap().payload).unwrap()
}

/// Who has confirmed each broadcast that was taken back, and who has not.
fn withdrawn(answer: Response) -> Vec<(Vec<String>, Vec<String>, Stopped)> {
    let Response::Withdrawn(withdrawn) = answer else {
        panic!("not taken back: {answer:?}")
    };
    let all = withdrawn.into_iter();
    all.map(|it| {
        assert_eq!(it.ending, "Cancelled");
        (it.confirmed, it.silent, it.below)
    })
    .collect()
}

#[test]
fn what_is_announced_again_is_deeper_and_has_no_more_time_than_is_left() {
    let (mut world, [acme, law, city]) = three_levels(31, 100, "10m");

    let ended = broadcast(&mut world, acme, review());

    output(&ended);
    let (first, second) = (
        announcement(&world, acme, "review"),
        announcement(&world, law, "review"),
    );
    assert!(
        first.depth < second.depth,
        "{} {}",
        first.depth,
        second.depth
    );
    assert!(second.execution_ms <= first.execution_ms);
    assert!(second.window_ms <= first.execution_ms);
    let work = run_of(&world, city, "check", Direction::In);
    assert_eq!(work.status, Status::Completed);
    invariants::check(&mut world);
}

#[test]
fn work_that_may_be_one_loop_alone_by_hand_too_is_none_for_who_would_announce_it_again() {
    let (mut world, [acme, law, city]) = three_levels(50, 100, "10m");
    let alone = BroadcastAsked {
        sub_loops: false,
        ..review()
    };

    let ended = broadcast(&mut world, acme, alone);

    assert_eq!(ended.ending, "TooFewResults");
    let refused = run_of(&world, law, "review", Direction::In);
    assert_eq!(refused.error.as_deref(), Some("TooFewBids"));
    assert!(world.hosts[city.0].disk.runs.is_empty(), "nobody was asked");
    invariants::check(&mut world);
}

/// What each lease of a realm's broadcast says that the work has announced in its turn.
fn offshoots(world: &World, host: HostId) -> Vec<Value> {
    let events = world.hosts[host.0].disk.events.values();
    let leased = events.filter(|it| it.kind == "broadcast.leased");
    let told = leased.map(|it| {
        let payload: Value = serde_json::from_slice(&it.payload).unwrap();
        payload["offshoots"].clone()
    });
    told.collect()
}

#[test]
fn a_winners_lease_tells_what_it_has_announced_at_all_levels_below() {
    let (mut world, [acme, law, city]) = three_levels(47, 40_000, "10m");
    let down = json!({"scope": ["children"], "maxPrice": "EUR 1", "within": "10m"});
    let mut check = Loops::broadcast("check", "look", down);
    check["effects"] = json!("idempotent");
    let street = world.child(city, "street");
    let mut look = bids(Loops::idempotent("look", 40_000), "EUR 0.01");
    look["limits"] = json!({"timeout": "5m"});
    world.apply(street, &[look]);
    world.apply(city, &[bids(check, "EUR 0.02")]);
    world.run_for(3_000);
    let mut long = review();
    long.execution_ms = 300_000;

    output(&broadcast(&mut world, acme, long));

    let under_way = |count: u64| json!({"underWay": count, "given": 0, "failed": 0});
    let (told, below) = (offshoots(&world, acme), offshoots(&world, law));
    assert_eq!(told[0], Value::Null, "{told:?}");
    assert!(told.contains(&under_way(2)), "{told:?}");
    assert!(below.contains(&under_way(1)), "{below:?}");
    assert!(offshoots(&world, city).iter().all(Value::is_null));
    invariants::check(&mut world);
}

#[test]
fn work_that_is_announced_again_ends_with_the_time_of_the_first_whatever_its_winner_grants() {
    let (mut world, [acme, law, city]) = three_levels(32, 600_000, "10m");
    let mut short = review();
    short.execution_ms = 8_000;

    let ended = broadcast(&mut world, acme, short);
    world.run_for(10_000);

    assert_eq!(ended.ending, "TooFewResults");
    for (host, loop_id) in [(law, "review"), (city, "check")] {
        let run = run_of(&world, host, loop_id, Direction::In);
        assert!(
            matches!(run.status, Status::Failed | Status::Cancelled),
            "{loop_id} is {:?}",
            run.status
        );
    }
    invariants::check(&mut world);
}

#[test]
fn a_cancel_goes_down_all_levels_and_each_says_who_confirmed_it() {
    let (mut world, [acme, law, city]) = three_levels(33, 40_000, "10m");
    let control = world.ask(acme, Request::Broadcast(Box::new(review())));
    world.run_for(3_000);
    let work = run_of(&world, city, "check", Direction::In);
    assert_eq!(work.status, Status::Running, "it has come down");
    let run = run_of(&world, acme, "review", Direction::Local).id;

    let answer = world.ask_and_wait(acme, Request::Cancel(run));
    world.wait_for(acme, control);
    world.run_for(2_000);

    let below = Stopped {
        confirmed: 1,
        silent: 0,
    };
    let who = (vec!["acme/law".to_owned()], Vec::new(), below);
    assert_eq!(withdrawn(answer), [who]);
    let below = run_of(&world, law, "review", Direction::Local).id;
    let told = |host: HostId, run| finished(&world, host, run);
    assert_eq!(told(acme, run)["confirmed"], json!(["acme/law"]));
    assert_eq!(told(law, below)["confirmed"], json!(["acme/law/city"]));
    let work = run_of(&world, city, "check", Direction::In);
    assert_eq!(work.status, Status::Cancelled);
    assert_eq!(cancelled(&world, acme), (vec![0], Vec::new()));
    assert_eq!(cancelled(&world, law), (vec![0], Vec::new()));
    invariants::check(&mut world);
}

#[test]
fn a_cancel_tells_whoever_took_the_work_back_how_many_at_the_lowest_level_are_silent() {
    let (mut world, [acme, law, city]) = three_levels(35, 40_000, "10m");
    let control = world.ask(acme, Request::Broadcast(Box::new(review())));
    world.run_for(3_000);
    let run = run_of(&world, acme, "review", Direction::Local).id;
    world.partition(law, city);

    let answer = world.ask_and_wait(acme, Request::Cancel(run));
    world.wait_for(acme, control);

    let below = Stopped {
        confirmed: 0,
        silent: 1,
    };
    let who = (vec!["acme/law".to_owned()], Vec::new(), below);
    assert_eq!(withdrawn(answer), [who]);
    assert_eq!(finished(&world, acme, run)["silentBelow"], json!(1));
    let account = account(&world, acme);
    assert_eq!((account.confirmed_below, account.silent_below), (0, 1));
    world.heal(law, city);
    world.run_for(40_000);
    invariants::check(&mut world);
}

#[test]
fn a_cancel_that_a_level_does_not_confirm_says_so_and_the_work_below_ends_all_the_same() {
    let (mut world, [acme, law, city]) = three_levels(34, 40_000, "10m");
    let control = world.ask(acme, Request::Broadcast(Box::new(review())));
    world.run_for(3_000);
    let run = run_of(&world, acme, "review", Direction::Local).id;
    world.partition(law, acme);

    let answer = world.ask_and_wait(acme, Request::Cancel(run));
    world.wait_for(acme, control);
    let who = (Vec::new(), vec!["acme/law".to_owned()], Stopped::default());
    assert_eq!(withdrawn(answer), [who]);
    assert_eq!(finished(&world, acme, run)["silent"], json!(["acme/law"]));
    world.heal(law, acme);
    world.run_for(40_000);

    assert_eq!(cancelled(&world, acme), (Vec::new(), vec![0]));
    let work = run_of(&world, city, "check", Direction::In);
    assert_ne!(
        work.status,
        Status::Running,
        "its lease ended with the one above"
    );
    invariants::check(&mut world);
}
