//! Second rounds.

use realm_broadcast::log::Entry;
use realm_protocol::journal::Run;

use super::{recursion::entries, *};

/// An agent that is asked for its bid, and says it after eight seconds; and the loop that says it.
fn asked_slowly() -> [Value; 2] {
    let offer = json!({"price": "EUR 0.02", "time": "1s", "confidence": 0.9}).to_string();
    let quote = json!({
        "id": "quote", "version": "1.0.0", "kind": "tool",
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "tool": {"implementation": "process", "config": {"argv": ["say", "8000", offer]}},
    });
    let mut slow = Loops::idempotent("see", 100);
    slow["bid"] = json!({"ask": "quote", "within": "20s"});
    [quote, slow]
}

/// Work for two children, which are asked once more where fewer bid.
fn twice() -> BroadcastAsked {
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::All, 2, 0),
        Strategy::CollectAll,
    );
    work.window_ms = 30_000;
    work.rule.min_bids = 2;
    work.wider = Some(Wider {
        reach: reach(1, 0, 0),
        realms: Vec::new(),
    });
    work
}

#[test]
fn the_second_round_asks_who_is_linked_by_then() {
    let (mut world, acme, [left, right]) = family(75, ["EUR 0.03", "EUR 0.02"]);
    world.apply(left, &asked_slowly());
    world.partition(acme, right);
    world.run_for(10_000);

    let control = world.ask(acme, Request::Broadcast(Box::new(twice())));
    world.run_for(500);
    world.heal(acme, right);
    let ended = end_of(&mut world, acme, control);

    assert_eq!(output(&ended).as_array().map(Vec::len), Some(2));
    invariants::check(&mut world);
}

#[test]
fn what_an_asked_agent_says_of_the_first_round_is_no_bid_in_the_second() {
    let (mut world, acme, [_, right]) = family(74, ["EUR 0.03", "EUR 0.02"]);
    let third = world.child(acme, "third");
    for child in [right, third] {
        world.apply(child, &asked_slowly());
    }
    world.run_for(1_000);

    let control = world.ask(acme, Request::Broadcast(Box::new(twice())));
    world.run_for(500);
    world.partition(acme, right);
    world.run_for(1_500);
    world.heal(acme, right);
    world.run_for(2_000);
    world.partition(acme, third);
    let ended = end_of(&mut world, acme, control);

    output(&ended);
    let runs = world.hosts[right.0].disk.runs.values();
    let quotes: Vec<&Run> = runs.filter(|run| run.loop_id == "quote").collect();
    assert_eq!(quotes.len(), 2, "it is asked in each round");
    let answered = quotes.iter().filter_map(|run| run.ended).max();
    let events = world.hosts[acme.0].disk.events.values();
    let last = events
        .filter(|it| it.kind == "broadcast.bid")
        .map(|it| it.at);
    assert!(last.max() >= answered, "it bids what it said of the second");
    world.run_for(30_000);
    invariants::check(&mut world);
}

#[test]
fn the_wider_round_of_a_loop_asks_again_whom_the_first_one_asked() {
    let (mut world, acme, _) = family(75, ["EUR 0.03", "EUR 0.02"]);
    let order = json!({
        "scope": ["children"], "wider": {"scope": ["peers"], "depth": 2}, "minBids": 3,
        "maxPrice": "EUR 1", "window": "500ms",
    });
    world.apply(acme, &[Loops::broadcast("order", "see", order)]);

    let control = world.ask(acme, World::invoke("order", json!({"n": 1})));
    world.wait_for(acme, control);

    let runs = world.hosts[acme.0].disk.runs.values();
    let planned = runs
        .flat_map(|run| entries(&world, acme, run))
        .find_map(|entry| match entry {
            Entry::Planned(planned) => Some(planned.rounds),
            _ => None,
        });
    let rounds = planned.expect("a plan").into_iter();
    let reaches = rounds.map(|round| round.peek().unwrap().reach);
    assert!(reaches.eq([reach(1, 0, 0), reach(1, 8, 2)]));
}
