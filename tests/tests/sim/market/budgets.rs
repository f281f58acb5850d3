//! What announced work may cost: less on each level down, set aside before awards leave, and kept to by
//! those who win.

use realm_broadcast::log::{Awarded, Entry};
use realm_node::InvokeAsked;
use realm_protocol::{
    FailureCode,
    budget::{Amount, Budget, Spend},
    journal::Direction,
};

use super::{
    recursion::{announcement, entries, run_of},
    *,
};

fn eur(micros: u64) -> Amount {
    Amount {
        currency: "EUR".parse().unwrap(),
        micros,
    }
}

fn money(micros: u64) -> Budget {
    Budget {
        money: Some(eur(micros)),
        ..Budget::default()
    }
}

/// `acme`, `acme/law` and `acme/law/city`: `order` is announced as `review`, won by the second and
/// announced again as `check` for the third, each for as much as there is.
fn three_levels(seed: u64, prices: [&str; 2], check: Value) -> (World, [HostId; 3]) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let law = world.child(acme, "law");
    let city = world.child(law, "city");
    let down = || json!({"scope": ["children"], "maxPrice": "EUR 1"});
    let idempotent = |mut document: Value| {
        document["effects"] = json!("idempotent");
        document
    };
    let order = Loops::broadcast("order", "review", down());
    world.apply(acme, &[idempotent(order)]);
    let review = Loops::broadcast("review", "check", down());
    world.apply(law, &[bids(idempotent(review), prices[0])]);
    world.apply(city, &[bids(check, prices[1])]);
    world.run_for(3_000);
    (world, [acme, law, city])
}

fn order(budget: Budget) -> Request {
    match World::invoke("order", json!({"n": 1})) {
        Request::Invoke(asked) => Request::Invoke(InvokeAsked { budget, ..asked }),
        other => other,
    }
}

fn ordered(world: &mut World, host: HostId, budget: Budget) -> realm_node::Invocation {
    match world.ask_and_wait(host, order(budget)) {
        Response::Invoked(invocation) => *invocation,
        other => panic!("no invocation: {other:?}"),
    }
}

/// Every award that a host has made, in all its broadcasts.
fn awards(world: &World, host: HostId) -> Vec<Awarded> {
    let runs = world.hosts[host.0].disk.runs.values();
    let entries = runs.flat_map(|run| entries(world, host, run));
    let awards = entries.filter_map(|entry| match entry {
        Entry::Awarded(it) => Some(it),
        _ => None,
    });
    awards.collect()
}

/// A prompt on a model that is paid for: `tokens` of them are set aside.
fn prompt(id: &str, tokens: u64) -> Value {
    json!({
        "id": id, "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "prompt": {"template": "Say something.", "variables": [], "maxTokens": tokens},
        "backend": {"id": "office"},
    })
}

#[test]
fn each_level_asks_for_bids_of_at_most_what_the_one_above_has_given_it() {
    let check = Loops::idempotent("check", 100);
    let (mut world, [acme, law, _]) = three_levels(61, ["EUR 0.05", "EUR 0.02"], check);

    let done = ordered(&mut world, acme, money(80_000));

    assert!(done.result.is_ok(), "{:?}", done.result);
    let asked = |host, loop_id| announcement(&world, host, loop_id).limits.price;
    assert_eq!(asked(acme, "order"), Some(80_000));
    assert_eq!(asked(law, "review"), Some(50_000));
    let given = |host| awards(&world, host)[0].budget;
    assert_eq!(given(acme), Some(money(50_000)));
    assert_eq!(given(law), Some(money(20_000)));
    invariants::check(&mut world);
}

#[test]
fn work_below_that_costs_more_than_was_given_is_not_awarded() {
    let check = Loops::idempotent("check", 100);
    let (mut world, [acme, law, _]) = three_levels(62, ["EUR 0.05", "EUR 0.06"], check);

    let done = ordered(&mut world, acme, money(80_000));

    assert!(done.result.is_err());
    assert!(awards(&world, law).is_empty());
    invariants::check(&mut world);
}

#[test]
fn a_winner_stops_before_the_model_that_would_cost_more_than_it_was_given() {
    let (mut world, [acme, _, city]) =
        three_levels(63, ["EUR 0.05", "EUR 0.000100"], prompt("check", 300));

    let done = ordered(&mut world, acme, money(80_000));

    assert!(done.result.is_err());
    let work = run_of(&world, city, "check", Direction::In);
    assert_eq!(work.error.as_deref(), Some("Budget"));
    assert_eq!(world.billed.get(&city), None);
    invariants::check(&mut world);
}

#[test]
fn work_in_another_currency_than_the_budgets_is_not_announced() {
    let check = Loops::idempotent("check", 100);
    let (mut world, [acme, ..]) = three_levels(64, ["EUR 0.05", "EUR 0.02"], check);
    let dollars = Amount {
        currency: "USD".parse().unwrap(),
        micros: 80_000,
    };

    let done = ordered(
        &mut world,
        acme,
        Budget {
            money: Some(dollars),
            ..Budget::default()
        },
    );

    let failure = done.result.unwrap_err();
    assert_eq!(failure.code, FailureCode::Budget);
    assert!(failure.message.contains("USD 0.08"), "{failure}");
}

#[test]
fn what_is_set_aside_for_an_award_is_set_aside_once_wherever_its_announcer_dies() {
    for at in (0..300).step_by(20) {
        let check = Loops::idempotent("check", 100);
        let (mut world, [acme, law, _]) = three_levels(65 + at, ["EUR 0.05", "EUR 0.02"], check);
        let control = world.ask(acme, order(money(50_000)));
        world.run_for(at);
        world.crash_for(acme, 300);
        world.run_for(90_000);

        world.outcomes.remove(&(acme, control));
        for (host, given) in [(acme, 50_000), (law, 20_000)] {
            let all = awards(&world, host);
            assert!(all.len() <= 1, "{at} ms: {all:?}");
            let right = all.iter().all(|it| it.budget == Some(money(given)));
            assert!(right, "{at} ms: {all:?}");
        }
        invariants::check(&mut world);
    }
}

fn micros(spent: Option<&Spend>) -> u64 {
    spent.map_or(0, |spent| spent.micros_of(eur(0).currency))
}

#[test]
fn what_a_model_cost_three_levels_down_is_what_the_first_one_pays() {
    let (mut world, [acme, _, city]) =
        three_levels(401, ["EUR 0.05", "EUR 0.02"], prompt("check", 300));

    let done = ordered(&mut world, acme, money(80_000));

    assert!(done.result.is_ok(), "{:?}", done.result);
    assert!(world.billed[&city] > 0);
    assert_eq!(micros(done.spent.as_ref()), world.billed[&city]);
    invariants::check(&mut world);
}

#[test]
fn work_whose_cost_nobody_meters_costs_what_was_bid() {
    let check = Loops::idempotent("check", 100);
    let (mut world, [acme, ..]) = three_levels(402, ["EUR 0.05", "EUR 0.02"], check);

    let done = ordered(&mut world, acme, money(80_000));

    assert_eq!(micros(done.spent.as_ref()), 20_000);
    invariants::check(&mut world);
}

#[test]
fn a_model_that_bills_more_than_it_may_costs_the_winner_and_not_who_announced() {
    let (mut world, [acme, _, city]) =
        three_levels(403, ["EUR 0.05", "EUR 0.001"], prompt("check", 300));
    world.hosts[city.0].overcharged = 100;

    let done = ordered(&mut world, acme, money(80_000));

    assert!(world.billed[&city] > 1_000);
    assert!(micros(done.spent.as_ref()) <= 1_000, "{:?}", done.spent);
    invariants::check(&mut world);
}

#[test]
fn a_tree_of_broadcasts_that_is_broken_off_anywhere_never_costs_more_than_its_budget() {
    let most = 30_000;
    for at in (0..240).step_by(40) {
        for down in 0..3 {
            let (mut world, hosts) =
                three_levels(404 + at, ["EUR 0.03", "EUR 0.02"], prompt("check", 300));
            let control = world.ask(hosts[0], order(money(most)));
            world.run_for(at);
            world.crash_for(hosts[down], 300);
            world.run_for(120_000);

            let billed: u64 = world.billed.values().sum();
            assert!(billed <= most, "{at} ms, host {down}: {billed}");
            if let Some(outcome) = world.outcomes.remove(&(hosts[0], control))
                && let Response::Invoked(done) = outcome.response
            {
                assert!(micros(done.spent.as_ref()) <= most, "{at} ms, host {down}");
            }
            invariants::check(&mut world);
        }
    }
}

#[test]
fn a_bidders_budget_of_a_day_outlives_its_process() {
    let (mut world, acme, [left, _]) = family(440, ["EUR 0.02", "EUR 2.00"]);
    let mut see = bids(Loops::idempotent("see", 100), "EUR 0.02");
    see["bid"]["budget"] = json!("EUR 0.03");
    world.apply(left, &[see]);
    let work = || {
        asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::Best, 1, 0),
            Strategy::Select,
        )
    };
    output(&broadcast(&mut world, acme, work()));
    world.run_for(10_000);
    world.crash_for(left, 100);
    world.run_for(5_000);

    let ended = broadcast(&mut world, acme, work());

    assert_eq!(ended.ending, "TooFewBids", "EUR 0.01 is left of the day");
    invariants::check(&mut world);
}

#[test]
fn how_sure_an_output_says_that_it_is_counts_instead_of_its_bid() {
    let (mut world, acme, children) = family(441, ["EUR 0.02", "EUR 0.02"]);
    for (child, sure) in children.into_iter().zip([0.4, 0.8]) {
        let mut see = bids(Loops::idempotent("see", 100), "EUR 0.02");
        let said = json!({"sure": sure, "confidence": sure}).to_string();
        see["tool"]["config"]["argv"] = json!(["say", said]);
        world.apply(child, &[see]);
    }
    let work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::Best, 2, 0),
        Strategy::HighestConfidence,
    );

    let ended = broadcast(&mut world, acme, work);

    assert_eq!(output(&ended)["sure"], 0.8);
    invariants::check(&mut world);
}
