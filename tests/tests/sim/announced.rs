//! Loops that are work without an address, and composites with such steps.

use realm_node::{Request, Response};
use realm_protocol::{
    CallId, FailureCode,
    journal::{JournalSeq, Status},
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

/// A loop whose agent bids so.
fn bids(mut tool: Value, price: &str) -> Value {
    tool["bid"] = json!({"price": price, "time": "1s", "confidence": 0.9});
    tool
}

/// `acme`, whose `order` asks its child and its peer for `see` and then notes what it got.
struct Market {
    world: World,
    acme: HostId,
    child: HostId,
    lab: HostId,
}

fn market(seed: u64, work_ms: u64, broadcast: Value) -> Market {
    let mut world = World::new(seed);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    let child = world.child(acme, "health");
    world.peer(acme, lab);
    world.allow(lab, "acme", "see");
    world.permit(lab, "acme", "bid", "see");
    world.permit(acme, "lab", "award", "see");
    let see = Loops::idempotent("see", work_ms);
    world.apply(child, &[bids(see.clone(), "EUR 0.03")]);
    world.apply(lab, &[bids(see, "EUR 0.02")]);
    world.apply(
        acme,
        &[
            Loops::broadcast("ask", "see", broadcast),
            Loops::idempotent("note", 10),
            Loops::composite("order", &["ask", "note"]),
        ],
    );
    world.run_for(3_000);
    Market {
        world,
        acme,
        child,
        lab,
    }
}

fn peers_and_children(more: Value) -> Value {
    let mut broadcast = json!({"scope": ["children", "peers"], "maxPrice": "EUR 1"});
    for (name, value) in more.as_object().unwrap() {
        broadcast[name] = value.clone();
    }
    broadcast
}

#[test]
fn a_step_that_is_announced_is_done_by_the_best_bidder_of_three_realms() {
    let mut market = market(1, 100, peers_and_children(json!({})));
    let ended = market.world.call(market.acme, "order", json!({"n": 1}));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    let runs = |host: HostId| market.world.hosts[host.0].disk.runs.len();
    assert_eq!((runs(market.child), runs(market.lab)), (0, 1));
    let disk = &market.world.hosts[market.acme.0].disk;
    let broadcast = disk.runs.values().find(|run| run.parent == Some(ended.run));
    assert_eq!(broadcast.map(|run| run.loop_id.as_str()), Some("ask"));
    invariants::check(&mut market.world);
}

#[test]
fn a_scope_of_children_and_a_realm_asks_all_of_them() {
    let both = json!({"scope": ["children", "lab"], "minBids": 2});
    let mut market = market(31, 100, peers_and_children(both));

    let ended = market.world.call(market.acme, "order", json!({"n": 1}));

    assert!(ended.result.is_ok(), "{:?}", ended.result);
    invariants::check(&mut market.world);
}

#[test]
fn a_step_that_too_few_bid_for_ends_with_a_failure_of_its_own_and_nothing_after_it_runs() {
    let mut market = market(2, 100, peers_and_children(json!({"minBids": 3})));
    let ended = market.world.call(market.acme, "order", json!({"n": 1}));
    let failure = ended.result.unwrap_err();
    assert_eq!(failure.code, FailureCode::TooFewBids, "{failure:?}");
    let disk = &market.world.hosts[market.acme.0].disk;
    let noted = disk.runs.values().filter(|run| run.loop_id == "note");
    assert_eq!(noted.count(), 0);
    invariants::check(&mut market.world);
}

#[test]
fn a_step_that_too_few_bid_for_is_announced_once_more_to_more_realms() {
    let wider = json!({
        "scope": "children", "minBids": 2, "wider": {"scope": ["children", "peers"]},
    });
    let mut market = market(4, 100, peers_and_children(wider));
    let ended = market.world.call(market.acme, "order", json!({"n": 1}));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    let done = market.world.hosts[market.lab.0].disk.runs.len();
    assert_eq!(
        done, 1,
        "the peer, asked in the second round, asks for less"
    );
    invariants::check(&mut market.world);
}

#[test]
fn work_that_may_be_one_loop_alone_is_no_work_for_an_agent_that_calls_others() {
    let mut market = market(5, 100, peers_and_children(json!({"subLoops": false})));
    let mut ask = Loops::broadcast("ask", "see", peers_and_children(json!({"subLoops": false})));
    ask["effects"] = json!("idempotent");
    market.world.apply(market.acme, &[ask]);
    let sees = bids(Loops::composite("see", &["look"]), "EUR 0.02");
    let look = Loops::idempotent("look", 10);
    market.world.apply(market.lab, &[sees, look]);
    let ended = market.world.call(market.acme, "order", json!({"n": 1}));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    let lab = &market.world.hosts[market.lab.0].disk;
    let refused: Vec<_> = lab.runs.values().map(|run| run.error.as_deref()).collect();
    assert_eq!(refused, [Some("Budget")]);
    assert_eq!(market.world.hosts[market.child.0].disk.runs.len(), 1);
    invariants::check(&mut market.world);
}

#[test]
fn a_loop_that_makes_results_one_may_call_loops_though_the_work_may_not() {
    let by_loop = json!({"subLoops": false, "aggregate": "loop", "aggregator": "sum-up"});
    let mut market = market(6, 100, peers_and_children(json!({})));
    let given = json!({
        "id": "give", "version": "1.0.0", "kind": "tool",
        "inputSchema": {}, "outputSchema": {},
        "tool": {"implementation": "process", "config": {"argv": ["say", "{\"sum\": 1}"]}},
    });
    let mut sum_up = Loops::composite("sum-up", &["give"]);
    sum_up["inputSchema"] = json!({});
    sum_up["outputSchema"] = json!({});
    let ask = Loops::broadcast("ask", "see", peers_and_children(by_loop));
    market.world.apply(market.acme, &[given, sum_up, ask]);

    let ended = market.world.call(market.acme, "order", json!({"n": 1}));

    assert!(ended.result.is_ok(), "{:?}", ended.result);
    let runs = market.world.hosts[market.acme.0].disk.runs.values();
    let made: Vec<Status> = runs
        .filter(|run| run.loop_id == "sum-up")
        .map(|run| run.status)
        .collect();
    assert_eq!(made, [Status::Completed]);
}

#[test]
fn work_that_is_announced_once_more_is_done_under_the_key_that_it_had() {
    let alone = peers_and_children(json!({"standbys": 0}));
    let mut market = market(9, 100, alone.clone());
    let mut sees = bids(Loops::idempotent("see", 100), "EUR 0.02");
    sees["tool"]["config"]["argv"] = json!(["balk"]);
    market.world.apply(market.lab, &[sees]);
    let mut ask = Loops::broadcast("ask", "see", alone);
    ask["effects"] = json!("idempotent");
    let mut order = Loops::composite("order", &["ask"]);
    let categories = [
        "transient",
        "validation",
        "business",
        "permission",
        "unknown",
    ];
    order["composite"]["steps"][0]["retry"] =
        json!({"attempts": 2, "delay": "1s", "backoff": "fixed", "on": categories});
    market.world.apply(market.acme, &[ask, order]);
    market.world.run_for(1_000);

    let ended = market.world.call(market.acme, "order", json!({"n": 1}));

    assert!(ended.result.is_err());
    let calls = |host: HostId, id: &str| -> Vec<CallId> {
        let runs = market.world.hosts[host.0].disk.runs.values();
        let of_loop = runs.filter(|run| run.loop_id == id);
        of_loop.map(|run| run.call).collect()
    };
    let (announced, done) = (calls(market.acme, "ask"), calls(market.lab, "see"));
    assert_eq!((announced.len(), done.len()), (2, 2));
    assert_ne!(announced[0], announced[1], "two broadcasts");
    assert_eq!(done[0], done[1], "which the keys of its tools come from");
    invariants::check(&mut market.world);
}

#[test]
fn cancelling_a_run_takes_the_work_back_that_it_has_announced() {
    let mut market = market(3, 20_000, peers_and_children(json!({})));
    let order = World::invoke_within("order", json!({"n": 1}), 60_000);
    let control = market.world.ask(market.acme, order);
    market.world.run_for(2_000);
    let at_work = |world: &World| {
        let runs = world.hosts[market.lab.0].disk.runs.values();
        runs.filter(|run| run.status == Status::Running).count()
    };
    assert_eq!(at_work(&market.world), 1);
    let runs = &market.world.hosts[market.acme.0].disk.runs;
    let order = runs.values().find(|run| run.loop_id == "order").unwrap().id;
    let answer = market
        .world
        .ask_and_wait(market.acme, Request::Cancel(order));
    market.world.wait_for(market.acme, control);
    market.world.run_for(2_000);
    assert_eq!(at_work(&market.world), 0);
    let Response::Withdrawn(withdrawn) = answer else {
        panic!("not taken back: {answer:?}")
    };
    let confirmed: Vec<_> = withdrawn.iter().map(|it| it.confirmed.as_slice()).collect();
    assert_eq!(confirmed, [["lab"]]);
    invariants::check(&mut market.world);
}

#[test]
fn a_run_that_a_restart_breaks_off_goes_on_with_the_work_that_it_has_announced() {
    for entries in 1..40 {
        let mut market = market(10 + entries, 500, peers_and_children(json!({})));
        let before = market.world.hosts[market.acme.0].disk.durable();
        market
            .world
            .ask(market.acme, World::invoke("order", json!({"n": 1})));
        let mut crashed = false;
        for _ in 0..4_000 {
            market.world.run_for(1);
            if market.world.hosts[market.acme.0].disk.durable() >= JournalSeq(before.0 + entries) {
                market.world.crash_for(market.acme, 300);
                crashed = true;
                break;
            }
        }
        market.world.run_for(40_000);
        let disk = &market.world.hosts[market.acme.0].disk;
        let mine = |id: &str| {
            disk.runs
                .values()
                .filter(|run| run.loop_id == id)
                .collect::<Vec<_>>()
        };
        let (orders, announced) = (mine("order"), mine("ask"));
        assert_eq!(orders.len(), 1, "after {entries} entries");
        assert_eq!(orders[0].status, Status::Completed, "after {entries}");
        assert_eq!(announced.len(), 1, "one broadcast, after {entries}");
        let done =
            [market.child, market.lab].map(|host| market.world.hosts[host.0].disk.runs.len());
        assert_eq!(done.iter().sum::<usize>(), 1, "after {entries}: {done:?}");
        invariants::check(&mut market.world);
        if !crashed {
            assert!(entries > 5, "a run writes more than {entries} entries");
            return;
        }
    }
}

#[test]
fn a_realm_whose_own_agents_win_what_a_run_of_its_announces_does_the_work_itself() {
    let fixed = json!({"price": "EUR 0.01", "time": "1s", "confidence": 0.9});
    let said = fixed.to_string();
    for bid in [fixed, json!({"ask": "offer"})] {
        let mut market = market(7, 100, peers_and_children(json!({"scope": "subtree"})));
        let mut see = Loops::idempotent("see", 100);
        see["bid"] = bid.clone();
        let offer = json!({
            "id": "offer", "version": "1.0.0", "kind": "tool",
            "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
            "tool": {"implementation": "process", "config": {"argv": ["say", said]}},
        });
        market.world.apply(market.acme, &[see, offer]);
        market.world.run_for(1_000);

        let ended = market.world.call(market.acme, "order", json!({"n": 1}));

        assert!(ended.result.is_ok(), "{bid}: {:?}", ended.result);
        assert!(market.world.hosts[market.child.0].disk.runs.is_empty());
        let runs = market.world.hosts[market.acme.0].disk.runs.values();
        assert_eq!(runs.filter(|run| run.loop_id == "see").count(), 1, "{bid}");
        invariants::check(&mut market.world);
    }
}

#[test]
fn what_a_restart_ends_of_the_work_that_a_run_has_announced_is_not_announced_once_more() {
    let mut market = market(8, 100, peers_and_children(json!({"scope": "subtree"})));
    let see = bids(Loops::idempotent("see", 5_000), "EUR 0.01");
    market.world.apply(market.acme, &[see]);
    let mut only = Loops::broadcast(
        "ask",
        "see",
        json!({"scope": "subtree", "standbys": 0, "maxPrice": "EUR 0.02"}),
    );
    only["effects"] = json!("idempotent");
    market.world.apply(market.acme, &[only]);
    market.world.run_for(1_000);
    let order = World::invoke("order", json!({"n": 1}));
    market.world.ask(market.acme, order);
    market.world.run_for(2_000);

    market.world.crash_for(market.acme, 300);
    market.world.run_for(40_000);

    let runs = market.world.hosts[market.acme.0].disk.runs.values();
    let ended = |id: &str| -> Vec<Option<&str>> {
        let of_loop = runs.clone().filter(|run| run.loop_id == id);
        of_loop.map(|run| run.error.as_deref()).collect()
    };
    assert_eq!(ended("see"), [Some("Interrupted")]);
    assert_eq!(ended("ask"), [Some("TooFewResults")]);
    assert_eq!(ended("order"), [Some("TooFewResults")]);
    invariants::check(&mut market.world);
}
