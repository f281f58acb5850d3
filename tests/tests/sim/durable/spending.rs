//! Calls that would use more than may be used before people are asked.

use realm_executor::Cost;
use realm_node::{ApprovalView, Response};
use realm_protocol::{RunId, budget::Budget, journal::Status, records::Role};
use realm_tests::Loops;
use serde_json::{Value, json};

use super::bench::{Bench, composite};

const ANN: (&str, Role) = ("ann", Role::Approver);

/// A prompt on a model that costs a millionth of a euro a token, of which it writes 1,000 at most.
fn think() -> Value {
    json!({
        "id": "think", "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {"template": "Say something.", "variables": [], "maxTokens": 1000},
        "backend": {"id": "office"},
    })
}

/// A run of so many steps, of which people are asked above this.
fn bench(seed: u64, steps: &[&str], above: Value) -> Bench {
    let mut bench = Bench::new(seed);
    let steps: Vec<Value> = steps.iter().map(|id| json!({"loopId": id})).collect();
    let mut main = composite("main", json!(steps));
    main["approval"] = json!({"above": above});
    bench.world.apply(bench.lab, &[think()]);
    bench.world.apply(bench.acme, &[think(), main]);
    bench
}

fn billed(bench: &Bench) -> u64 {
    bench.world.billed.values().sum()
}

fn waiting(bench: &Bench) -> ApprovalView {
    let mut waiting = bench.world.approvals(bench.acme);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    waiting.remove(0)
}

fn says(bench: &mut Bench, granted: bool) {
    let id = waiting(bench).id;
    let said = bench.world.decide(bench.acme, id, ANN, granted);
    assert!(matches!(said, Response::Done), "{said:?}");
    bench.world.run_for(5_000);
}

/// What the call that waits would cost, in millionths.
fn cost(bench: &Bench) -> u64 {
    let Some(Cost::Answer(most)) = waiting(bench).cost else {
        panic!("it is not asked because of what an answer costs")
    };
    most.micros_of("EUR".parse().unwrap())
}

fn stands_still(bench: &Bench, run: RunId) {
    assert_eq!(bench.status(run), Status::Paused);
}

#[test]
fn a_call_that_would_pass_the_bound_waits_for_people_who_see_what_it_costs() {
    let steps = ["think", "think", "think"];
    let mut bench = bench(400, &steps, json!({"money": "EUR 0.0015"}));
    let acme = bench.acme;
    let run = bench.begin(json!({}), 5_000);
    let first = billed(&bench);
    assert!(0 < first && first <= 1_050, "one answer: {first}");
    for _ in 0..2 {
        stands_still(&bench, run);
        assert!((1_000..1_400).contains(&cost(&bench)), "{}", cost(&bench));
        assert_eq!(waiting(&bench).frames, ["main"]);
        bench.restart(acme, 3_600_000);
    }
    assert_eq!(billed(&bench), first, "nothing is asked before that");

    says(&mut bench, true);

    let second = billed(&bench);
    assert!(second > first, "what was approved was asked");
    stands_still(&bench, run);
    says(&mut bench, false);
    assert_eq!(billed(&bench), second);
    assert_eq!(bench.count(run, "approval.used"), 1);
    bench.fails(run, "Denied", "");
}

#[test]
fn below_the_bound_nobody_is_asked_and_a_budget_that_is_used_up_asks_nobody() {
    let mut free = bench(
        401,
        &["think", "think"],
        json!({"money": "EUR 1", "tokens": 10_000}),
    );
    let run = free.begin(json!({}), 5_000);
    assert_eq!(free.count(run, "approval.requested"), 0);
    free.completes(run);

    let mut bound = bench(402, &["think", "think"], json!({"money": "EUR 0.0002"}));
    let mut think = think();
    think["budget"] = json!({"money": "EUR 0.0001"});
    bound.world.apply(bound.acme, &[think]);
    let run = bound.begin(json!({}), 5_000);
    assert_eq!(bound.count(run, "approval.requested"), 0);
    bound.fails(run, "Budget", "the budget of loop `think`");
}

#[test]
fn a_realm_s_own_bound_asks_at_every_run_whatever_its_loop_says_also_after_a_restart() {
    let mut bench = Bench::new(407);
    let acme = bench.acme;
    let steps = json!([{"loopId": "think"}, {"loopId": "think"}]);
    bench
        .world
        .apply(acme, &[think(), composite("main", steps)]);
    bench.world.hosts[acme.0].budgets.ask = Budget {
        money: Some("EUR 0.0015".parse().unwrap()),
        ..Budget::default()
    };
    bench.restart(acme, 1_000);
    let run = bench.begin(json!({}), 5_000);
    let first = billed(&bench);
    assert!(0 < first && first <= 1_050, "one answer: {first}");
    for _ in 0..2 {
        stands_still(&bench, run);
        assert!((1_000..1_400).contains(&cost(&bench)), "{}", cost(&bench));
        bench.restart(acme, 60_000);
    }
    assert_eq!(billed(&bench), first, "nothing is asked before that");

    says(&mut bench, true);

    assert!(billed(&bench) > first);
    bench.completes(run);
}

#[test]
fn what_was_approved_at_one_price_is_asked_about_again_at_another() {
    let mut bench = bench(403, &["think"], json!({"money": "EUR 0.0001"}));
    let acme = bench.acme;
    let run = bench.begin(json!({}), 5_000);
    let before = cost(&bench);
    bench.world.crash(acme);
    let office = bench.world.hosts[acme.0].tariffs.get_mut("office").unwrap();
    if let Some(price) = &mut office.price {
        price.output *= 10;
    }
    bench.world.start(acme);
    bench.world.run_for(5_000);

    let after = cost(&bench);

    assert!(after > 5 * before, "{after}, before {before}");
    assert_eq!(bench.count(run, "approval.void"), 1);
    assert_eq!(billed(&bench), 0);
    says(&mut bench, true);
    bench.completes(run);
}

#[test]
fn another_realm_is_given_what_may_be_used_unasked_and_more_only_after_people_agree() {
    let steps = ["think@lab", "think@lab"];
    let mut little = bench(404, &steps, json!({"tokens": 1_200}));
    let run = little.begin(json!({}), 5_000);
    // Each step has what the one before it has left.
    let (error, message) = little.error(run);
    assert_eq!(error, "Budget", "{message}");
    assert!(
        billed(&little) <= 1_050,
        "and that is too little there for a second answer"
    );

    let mut once = bench(405, &["think", "think@lab"], json!({"tokens": 1_000}));
    let mut main = composite(
        "main",
        json!([{"loopId": "think"}, {"loopId": "think"}, {"loopId": "think@lab"}]),
    );
    main["approval"] = json!({"above": {"tokens": 1_000}});
    once.world.apply(once.acme, &[main]);
    let run = once.begin(json!({}), 5_000);
    says(&mut once, true);
    says(&mut once, true);
    let before = billed(&once);
    stands_still(&once, run);
    let asked = waiting(&once);
    assert_eq!(asked.action.loop_id, "think@lab");
    // Nothing bounds what lab may use then.
    assert_eq!(asked.cost, Some(Cost::Share(Budget::default())));
    says(&mut once, true);
    assert!(billed(&once) > before);
    once.completes(run);
}

#[test]
fn a_conversation_that_waits_for_people_goes_on_where_it_stood() {
    let mut bench = Bench::new(406);
    let mut ask = json!({
        "id": "main", "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {
            "template": "{{say}}", "variables": ["say"], "maxTurns": 4, "maxTokens": 100,
            "tools": [{"name": "pay", "loopId": "pay"}],
        },
    });
    ask["approval"] = json!({"above": {"tokens": 700}});
    bench
        .world
        .apply(bench.acme, &[Loops::once("pay", 10), ask]);
    let acme = bench.acme;
    let input = json!({"say": r#"call pay {"x": 1} call pay {"y": 2}"#});
    let run = bench.begin(input, 5_000);
    stands_still(&bench, run);
    let paid = bench.effects();
    assert!(paid > 0, "it waits in the midst of it");
    bench.restart(acme, 3_600_000);
    bench.world.run_for(5_000);

    let mut asked = 0;
    while bench.run(run).ended.is_none() {
        says(&mut bench, true);
        asked += 1;
        assert!(asked < 5, "it goes on");
    }

    assert_eq!(bench.effects(), 2, "each call is made once");
    bench.completes(run);
}
