//! Work without an address: announced, bid for, awarded, done, made one.

#[path = "market/acquainted.rs"]
mod acquainted;
#[path = "market/budgets.rs"]
mod budgets;
#[path = "market/conduct.rs"]
mod conduct;
#[path = "market/crowded.rs"]
mod crowded;
#[path = "market/denied.rs"]
mod denied;
#[path = "market/dropped.rs"]
mod dropped;
#[path = "market/evidence.rs"]
mod evidence;
#[path = "market/large.rs"]
mod large;
#[path = "market/loaded.rs"]
mod loaded;
#[path = "market/lossy.rs"]
mod lossy;
#[path = "market/moved.rs"]
mod moved;
#[path = "market/permissions.rs"]
mod permissions;
#[path = "market/recursion.rs"]
mod recursion;
#[path = "market/relayed.rs"]
mod relayed;
#[path = "market/renewals.rs"]
mod renewals;
#[path = "market/restarts.rs"]
mod restarts;
#[path = "market/rounds.rs"]
mod rounds;
#[path = "market/undecided.rs"]
mod undecided;
#[path = "market/unused.rs"]
mod unused;

use std::collections::BTreeSet;

use realm_node::{BroadcastAsked, Broadcasted, ControlId, Request, Response, Wider};
use realm_protocol::{
    broadcast::{
        Aggregation, BidLimits, EarlyClose, Reach, Rule, Selection, Strategy, Waiting, Weights,
    },
    budget::Budget,
    journal::Status,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

/// A loop whose agent bids so.
pub(super) fn bids(mut tool: Value, price: &str) -> Value {
    tool["bid"] = json!({"price": price, "time": "1s", "confidence": 0.9});
    tool
}

pub(super) fn rule(selection: Selection, awards: u64, standbys: u64) -> Rule {
    Rule {
        selection,
        weights: None,
        awards,
        standbys,
        min_bids: 1,
        max_bids: 100,
        early: None,
        per_realm: None,
    }
}

pub(super) fn asked(loop_id: &str, reach: Reach, rule: Rule, strategy: Strategy) -> BroadcastAsked {
    BroadcastAsked {
        loop_id: loop_id.parse().unwrap(),
        capabilities: BTreeSet::new(),
        input: json!({"n": 1}),
        reach,
        realms: Vec::new(),
        wider: None,
        limits: BidLimits {
            currency: Some("EUR".to_owned()),
            price: Some(1_000_000),
            time_ms: None,
            confidence: None,
        },
        budget: Budget::default(),
        window_ms: 5_000,
        award_ms: 30_000,
        execution_ms: 60_000,
        person_ms: None,
        sub_loops: true,
        rule,
        at_once: None,
        aggregation: Aggregation {
            strategy,
            waiting: Waiting::All,
            quorum: None,
            threshold: None,
            min_results: 1,
            confidence: None,
            field: Vec::new(),
        },
        aggregator: None,
    }
}

pub(super) fn reach(down: u64, up: u64, across: u64) -> Reach {
    Reach {
        down,
        up,
        across,
        realms: Vec::new(),
        besides: None,
    }
}

fn broadcast(world: &mut World, host: HostId, asked: BroadcastAsked) -> Broadcasted {
    let control = world.ask(host, Request::Broadcast(Box::new(asked)));
    end_of(world, host, control)
}

/// Lets time pass until a broadcast has ended that was asked for.
fn end_of(world: &mut World, host: HostId, control: ControlId) -> Broadcasted {
    match world.wait_for(host, control) {
        Response::Broadcasted(ended) => *ended,
        other => panic!("no broadcast: {other:?}"),
    }
}

fn output(ended: &Broadcasted) -> Value {
    let output = ended.output.clone();
    output.unwrap_or_else(|| panic!("no output: {:?}", ended.reason))
}

/// A root with two children that bid for `see` at these prices.
fn family(seed: u64, prices: [&str; 2]) -> (World, HostId, [HostId; 2]) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let children = ["left", "right"].map(|name| world.child(acme, name));
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    for (child, price) in children.into_iter().zip(prices) {
        world.apply(child, &[bids(Loops::idempotent("see", 100), price)]);
    }
    world.run_for(2_000);
    (world, acme, children)
}

#[test]
fn the_best_bid_does_the_work_as_soon_as_all_have_answered() {
    let (mut world, acme, [left, right]) = family(1, ["EUR 0.03", "EUR 0.02"]);
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    );
    let before = world.elapsed_ms();
    let ended = broadcast(&mut world, acme, work);
    output(&ended);
    assert_eq!(ended.bids, 2);
    assert!(
        world.elapsed_ms() - before < 1_000,
        "nobody waits for the window"
    );
    let done = |host: HostId| world.hosts[host.0].disk.runs.len();
    assert_eq!((done(left), done(right)), (0, 1));
    invariants::check(&mut world);
}

#[test]
fn without_bids_a_broadcast_ends_when_every_tally_is_back() {
    let (mut world, acme, _) = family(2, ["EUR 3.00", "EUR 2.00"]);
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );
    let before = world.elapsed_ms();
    let ended = broadcast(&mut world, acme, work);
    assert_eq!(ended.ending, "TooFewBids");
    assert!(
        world.elapsed_ms() - before < 1_000,
        "nobody waits for the window"
    );
    let run = &world.hosts[acme.0].disk.runs[&ended.run];
    assert_eq!(run.status, Status::Failed);
    invariants::check(&mut world);
}

#[test]
fn of_several_winners_no_more_work_at_a_time_than_the_announcer_says() {
    for (at_once, most) in [(None, 3), (Some(2), 2), (Some(1), 1)] {
        let mut world = World::new(74);
        let acme = world.found("acme");
        let prices = [
            ("left", "EUR 0.04"),
            ("middle", "EUR 0.03"),
            ("right", "EUR 0.02"),
        ];
        let children = prices.map(|(name, _)| world.child(acme, name));
        world.apply(acme, &[Loops::idempotent("see", 1_000)]);
        for (child, (_, price)) in children.into_iter().zip(prices) {
            world.apply(child, &[bids(Loops::idempotent("see", 1_000), price)]);
        }
        world.run_for(2_000);
        let mut work = asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::All, 3, 0),
            Strategy::CollectAll,
        );
        work.at_once = at_once;

        let ended = broadcast(&mut world, acme, work);

        assert_eq!(output(&ended).as_array().unwrap().len(), 3);
        let events = world.hosts[acme.0].disk.events.values();
        let (mut at_work, mut highest) = (0, 0);
        for event in events {
            match event.kind.as_str() {
                "broadcast.leased" => at_work += 1,
                "broadcast.ended" => at_work -= 1,
                _ => {}
            }
            highest = highest.max(at_work);
        }
        assert_eq!(highest, most, "{at_once:?}");
        evidence::account(&world, acme);
        invariants::check(&mut world);
    }
}

#[test]
fn a_realm_below_a_child_that_gives_no_summary_is_asked_all_the_same() {
    let mut world = World::new(73);
    let leaf = HostId(2);
    world.mute_summaries(leaf);
    let acme = world.found("acme");
    let left = world.child(acme, "left");
    assert_eq!(world.child(left, "leaf"), leaf);
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    world.apply(leaf, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
    world.run_for(2_000);
    let work = asked(
        "see",
        reach(2, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    );

    output(&broadcast(&mut world, acme, work));

    assert_eq!(world.hosts[leaf.0].disk.runs.len(), 1);
    invariants::check(&mut world);
}

#[test]
fn a_bidder_that_is_cut_off_before_it_has_answered_is_not_waited_for() {
    let (mut world, acme, [left, right]) = family(71, ["EUR 0.03", "EUR 0.02"]);
    let mut slow = Loops::idempotent("see", 100);
    slow["bid"] = json!({"ask": "offer", "within": "20s"});
    world.apply(right, &[Loops::idempotent("offer", 15_000), slow]);
    world.run_for(1_000);
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    );
    work.window_ms = 30_000;
    let before = world.elapsed_ms();
    let control = world.ask(acme, Request::Broadcast(Box::new(work)));
    world.run_for(500);
    world.partition(acme, right);

    let ended = end_of(&mut world, acme, control);

    output(&ended);
    assert!(
        world.elapsed_ms() - before < 5_000,
        "the window was waited for"
    );
    assert_eq!(world.hosts[left.0].disk.runs.len(), 1);
    world.heal(acme, right);
    world.run_for(40_000);
    invariants::check(&mut world);
}

#[test]
fn work_that_its_winner_refuses_before_it_begins_goes_to_the_next_one_also_if_it_is_once() {
    let (mut world, acme, [left, right]) = family(72, ["EUR 0.03", "EUR 0.02"]);
    let once = |price| {
        let mut agent = bids(Loops::once("see", 5_000), price);
        agent["limits"] = json!({"concurrency": 1, "timeout": "1m"});
        agent
    };
    world.apply(acme, &[Loops::once("see", 100)]);
    world.apply(left, &[once("EUR 0.03")]);
    world.apply(right, &[once("EUR 0.02")]);
    world.run_for(1_000);
    let work = || {
        let rule = rule(Selection::Best, 1, 1);
        let work = asked("see", reach(1, 0, 0), rule, Strategy::Select);
        Request::Broadcast(Box::new(work))
    };

    let both = [world.ask(acme, work()), world.ask(acme, work())];

    for control in both {
        let ended = end_of(&mut world, acme, control);
        output(&ended);
    }
    let done = |host: HostId| world.hosts[host.0].disk.runs.len();
    assert_eq!((done(left), done(right)), (1, 1));
    invariants::check(&mut world);
}

#[test]
fn results_that_made_one_are_not_what_the_contract_says_are_no_output() {
    let (mut world, acme, children) = family(73, ["EUR 0.03", "EUR 0.02"]);
    let contract = |mut agent: Value| {
        agent["outputSchema"] = json!({
            "type": "object",
            "properties": {"done": {"type": "object", "properties": {"n": {"const": 1}}}},
            "required": ["done"],
        });
        agent
    };
    world.apply(acme, &[contract(Loops::idempotent("see", 100))]);
    for child in children {
        let agent = contract(Loops::idempotent("see", 100));
        world.apply(child, &[bids(agent, "EUR 0.02")]);
    }
    world.run_for(1_000);
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 2, 0),
        Strategy::Sum,
    );
    work.aggregation.field = vec!["done".to_owned(), "n".to_owned()];

    let ended = broadcast(&mut world, acme, work);

    assert_eq!((ended.ending, &ended.output), ("Mismatched", &None));
    let reason = ended.reason.unwrap();
    assert!(
        reason.contains("do not match the output schema of `see`"),
        "{reason}"
    );
    let run = &world.hosts[acme.0].disk.runs[&ended.run];
    assert_eq!(run.status, Status::Failed);
}

#[test]
fn work_goes_across_organisations_and_down_their_trees() {
    let mut world = World::new(3);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    let health = world.child(acme, "health");
    let genomics = world.child(lab, "genomics");
    world.peer(acme, lab);
    world.allow(genomics, "acme/health", "*");
    world.permit(genomics, "acme/health", "bid", "see");
    world.permit(health, "lab", "award", "see");
    world.apply(health, &[Loops::idempotent("see", 100)]);
    world.apply(genomics, &[bids(Loops::idempotent("see", 100), "EUR 0.01")]);
    world.run_for(3_000);
    let work = asked(
        "see",
        reach(2, 1, 2),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );
    let ended = broadcast(&mut world, health, work);
    output(&ended);
    assert_eq!(world.hosts[genomics.0].disk.runs.len(), 1);
    invariants::check(&mut world);
}

#[test]
fn when_the_winner_falls_silent_the_next_one_takes_over_under_the_same_key() {
    let (mut world, acme, [left, right]) = family(4, ["EUR 0.03", "EUR 0.02"]);
    for child in [left, right] {
        world.apply(child, &[bids(Loops::idempotent("see", 3_000), "EUR 0.02")]);
    }
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    );
    let control = world.ask(acme, Request::Broadcast(Box::new(work)));
    world.run_for(1_500);
    let at_work = |world: &World, host: HostId| !world.hosts[host.0].disk.runs.is_empty();
    let winner = [left, right]
        .into_iter()
        .find(|host| at_work(&world, *host));
    let winner = winner.expect("somebody at work");
    world.crash(winner);
    let ended = end_of(&mut world, acme, control);
    output(&ended);
    let other = if winner == left { right } else { left };
    assert!(at_work(&world, other));
    world.start(winner);
    world.run_for(60_000);
    invariants::check(&mut world);
}

#[test]
fn all_bidders_work_and_what_they_give_is_collected() {
    let (mut world, acme, _) = family(5, ["EUR 0.03", "EUR 0.02"]);
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::All, 2, 0),
        Strategy::CollectAll,
    );
    let ended = broadcast(&mut world, acme, work);
    assert_eq!(output(&ended).as_array().map(Vec::len), Some(2));
    invariants::check(&mut world);
}

#[test]
fn loops_that_declare_the_capability_bid_whatever_they_are_called() {
    let (mut world, acme, [left, right]) = family(6, ["EUR 0.03", "EUR 0.02"]);
    let mut able = bids(Loops::idempotent("look", 100), "EUR 0.09");
    able["capabilities"] = json!(["image.label", "image.read"]);
    world.apply(left, &[able]);
    world.run_for(1_000);
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    );
    work.capabilities.insert("image.label".parse().unwrap());

    let ended = broadcast(&mut world, acme, work);

    output(&ended);
    assert_eq!(ended.bids, 1);
    let runs = world.hosts[left.0].disk.runs.values();
    let loops: Vec<&str> = runs.map(|run| run.loop_id.as_str()).collect();
    assert_eq!(loops, ["look"]);
    assert!(world.hosts[right.0].disk.runs.is_empty());
    invariants::check(&mut world);
}

#[test]
fn work_that_is_awarded_is_bounded_by_what_calls_of_others_may_cost() {
    let (mut world, acme, [left, right]) = family(7, ["EUR 0.01", "EUR 0.02"]);
    let paid = json!({
        "id": "see", "version": "2.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {"template": "What is it?", "variables": [], "maxTokens": 300},
        "backend": {"id": "office"},
    });
    world.apply(acme, std::slice::from_ref(&paid));
    world.apply(left, &[bids(paid.clone(), "EUR 0.01")]);
    world.apply(right, &[bids(paid, "EUR 0.02")]);
    world.hosts[left.0].budgets.served.money = "EUR 0.0001".parse().ok();
    world.crash_for(left, 10);
    world.run_for(2_000);

    let ended = broadcast(
        &mut world,
        acme,
        asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::Best, 1, 1),
            Strategy::Select,
        ),
    );

    output(&ended);
    assert_eq!(world.billed.get(&left), None);
    assert!(world.billed.contains_key(&right));
    invariants::check(&mut world);
}

#[test]
fn an_agent_bids_by_expressions_until_its_budget_of_the_day_is_reserved() {
    let (mut world, acme, [left, _]) = family(7, ["EUR 0.03", "EUR 3.00"]);
    let mut agent = Loops::idempotent("see", 100);
    agent["bid"] = json!({
        "price": "EUR highestPrice * 0.5", "time": "execution / 2",
        "confidence": "load < 0.5 ? 0.9 : 0.1", "when": "budget > 0.1", "budget": "EUR 1.20",
    });
    world.apply(left, &[agent]);
    let work = || {
        asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::Best, 1, 0),
            Strategy::Select,
        )
    };

    let bids: Vec<usize> = (0..3)
        .map(|_| broadcast(&mut world, acme, work()).bids)
        .collect();

    // Half a euro each: two have room, and then twenty cents are left.
    assert_eq!(bids, [1, 1, 0]);
    invariants::check(&mut world);
}

#[test]
fn an_agent_that_is_asked_bids_what_a_loop_of_its_realm_says_and_leaves_a_trace_of_it() {
    let (mut world, acme, [left, _]) = family(8, ["EUR 0.03", "EUR 3.00"]);
    let mut agent = Loops::idempotent("see", 100);
    agent["bid"] = json!({"ask": "quote", "within": "1s"});
    let quote = json!({
        "id": "quote", "version": "1.0.0", "kind": "tool",
        "inputSchema": {"type": "object", "required": ["loop", "highestPrice", "load"]},
        "outputSchema": {"type": "object"},
        "tool": {"implementation": "process",
                 "config": {"argv": ["say", "{\"price\": \"EUR 0.05\", \"time\": \"2s\"}"]}},
    });
    world.apply(left, &[quote, agent]);
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );

    let ended = broadcast(&mut world, acme, work);

    output(&ended);
    assert_eq!(ended.bids, 1);
    let runs = world.hosts[left.0].disk.runs.values();
    let mut loops: Vec<&str> = runs.map(|run| run.loop_id.as_str()).collect();
    loops.sort_unstable();
    assert_eq!(loops, ["quote", "see"]);
    invariants::check(&mut world);
}

#[test]
fn announcements_stay_away_from_subtrees_that_cannot_help_until_they_can() {
    let mut world = World::new(9);
    let acme = world.found("acme");
    let north = world.child(acme, "north");
    let city = world.child(north, "city");
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    world.run_for(2_000);
    let work = || {
        asked(
            "see",
            reach(2, 0, 0),
            rule(Selection::Best, 1, 0),
            Strategy::Select,
        )
    };

    let before = broadcast(&mut world, acme, work());
    world.apply(city, &[bids(Loops::idempotent("see", 100), "EUR 0.01")]);
    world.run_for(1_000);
    let after = broadcast(&mut world, acme, work());

    assert_eq!(
        (before.ending, realms_asked(&world, acme, &before)),
        ("TooFewBids", 1)
    );
    assert_eq!((after.bids, realms_asked(&world, acme, &after)), (1, 3));
    output(&after);
    invariants::check(&mut world);
}

#[test]
fn too_few_bids_lead_to_a_second_wider_round() {
    let mut world = World::new(10);
    let acme = world.found("acme");
    let north = world.child(acme, "north");
    let city = world.child(north, "city");
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    world.apply(north, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
    world.apply(city, &[bids(Loops::idempotent("see", 100), "EUR 0.01")]);
    world.run_for(2_000);
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::All, 2, 0),
        Strategy::CollectAll,
    );
    work.rule.min_bids = 2;
    work.wider = Some(Wider {
        reach: reach(2, 0, 0),
        realms: Vec::new(),
    });

    let ended = broadcast(&mut world, acme, work);

    assert_eq!(output(&ended).as_array().map(Vec::len), Some(2));
    invariants::check(&mut world);
}

#[test]
fn enough_good_bids_end_the_bidding_though_others_are_still_asked() {
    let (mut world, acme, [left, _]) = family(11, ["EUR 0.03", "EUR 0.02"]);
    let quote = Loops::once("quote", 4_000);
    let mut slow = Loops::idempotent("see", 100);
    slow["bid"] = json!({"ask": "quote", "within": "4s"});
    world.apply(left, &[quote, slow]);
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 1, 0),
        Strategy::Select,
    );
    work.rule.early = Some(EarlyClose {
        enough: 1,
        price: Some(20_000),
        time_ms: None,
        confidence: None,
    });
    let before = world.elapsed_ms();

    let ended = broadcast(&mut world, acme, work);

    output(&ended);
    assert!(
        world.elapsed_ms() - before < 2_000,
        "nobody waits for the slow agent"
    );
    world.run_for(10_000);
    invariants::check(&mut world);
}

#[test]
fn a_loop_makes_the_results_one_and_what_it_gives_must_match_the_contract() {
    let (mut world, acme, _) = family(12, ["EUR 0.03", "EUR 0.02"]);
    let mut maker = |id: &str, says: &str| {
        let tool = json!({
            "id": id, "version": "1.0.0", "kind": "tool",
            "inputSchema": {"type": "array", "minItems": 2}, "outputSchema": {},
            "tool": {"implementation": "process", "config": {"argv": ["say", says]}},
        });
        world.apply(acme, &[tool]);
    };
    maker("sum-up", "{\"sum\": 2}");
    maker("babble", "\"no object\"");
    let mut by = |maker: &str| {
        let mut work = asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::All, 2, 0),
            Strategy::Loop,
        );
        work.aggregator = Some(maker.parse().unwrap());
        broadcast(&mut world, acme, work)
    };

    let (good, bad) = (by("sum-up"), by("babble"));

    assert_eq!(output(&good), json!({"sum": 2}));
    assert_eq!(bad.ending, "AggregatorFailed");
    assert_eq!(bad.reason.as_deref(), Some("SchemaOutput"));
    invariants::check(&mut world);
}

#[test]
fn a_bidder_that_breaks_its_word_is_trusted_less_also_after_a_restart_and_ranks_behind() {
    let (mut world, acme, [left, right]) = family(13, ["EUR 0.02", "EUR 0.02"]);
    let mut failing = Loops::failing("see");
    failing["effects"] = json!("idempotent");
    failing["tool"]["config"]["argv"] = json!(["balk"]);
    world.apply(left, &[bids(failing, "EUR 0.02")]);
    world.run_for(1_000);
    let by = |selection, weights| {
        let mut work = asked(
            "see",
            reach(1, 0, 0),
            rule(selection, 2, 0),
            Strategy::FirstValid,
        );
        work.rule.weights = weights;
        work
    };
    broadcast(&mut world, acme, by(Selection::All, None));

    world.crash(acme);
    world.start(acme);
    world.run_for(5_000);
    let bidders = world.hosts[acme.0].node().bidders();
    let weights = Weights {
        price: 0,
        time: 0,
        confidence: 0,
        trust: 1_000,
    };
    let ended = broadcast(&mut world, acme, by(Selection::Weighted, Some(weights)));

    let realm = |host: HostId| world.hosts[host.0].realm;
    let trusted: Vec<_> = bidders
        .iter()
        .map(|it| (it.realm, it.trust > 500_000))
        .collect();
    assert_eq!(trusted, [(realm(left), false), (realm(right), true)]);
    assert_eq!(ended.slots[0].realm, realm(right));
    invariants::check(&mut world);
}

/// How many realms were asked, as the announcer's trace has it.
fn realms_asked(world: &World, host: HostId, ended: &Broadcasted) -> u64 {
    let mut events = world.hosts[host.0].disk.events.values();
    let closed = events.find(|it| it.run == ended.run && it.kind == "broadcast.closed");
    let payload: Value = serde_json::from_slice(&closed.unwrap().payload).unwrap();
    payload["asked"].as_u64().unwrap()
}

/// What the run of a broadcast says that these events say.
fn said(world: &World, host: HostId, ended: &Broadcasted, kind: &str, name: &str) -> Vec<String> {
    let events = world.hosts[host.0].disk.events.values();
    let events = events.filter(|it| it.run == ended.run && it.kind == kind);
    let said = events.filter_map(|event| {
        let payload: Value = serde_json::from_slice(&event.payload).unwrap();
        Some(payload[name].as_str()?.to_owned())
    });
    said.collect()
}
