//! Runs with budgets: stopped before the call that would break one, whatever is lost on the way.

use realm_executor::{
    BackendError, BackendReply, BackendRequest, Bounder, Given, Price, Prices, RealmCall, Tariff,
};
use realm_protocol::{
    CallId, FailureCode,
    budget::{Amount, Budget, Spend},
};
use serde_json::{Value, json};

use crate::world::{World, a_loop, tool};

/// What an answer of the model in these tests can cost, about: 1,000 tokens written at a millionth each,
/// and a few hundred read.
const ANSWER: u64 = 1_500;

fn prompt(id: &str) -> Value {
    let body = json!({"template": "?", "variables": [], "maxTokens": 1000});
    let mut document = a_loop(id, "prompt", body);
    document["backend"] = json!({"id": "office"});
    document
}

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

/// A run that may use so much, of loops among which `office` costs a euro for a million tokens.
fn given(loops: &[Value], loop_id: &str, budget: Budget) -> World {
    let mut world = World::new(loops, loop_id, json!({}));
    let price = Price {
        currency: eur(0).currency,
        input: 1_000_000,
        output: 1_000_000,
    };
    let tariff = Tariff {
        max_tokens: 4_096,
        model: Some("small".to_owned()),
        price: Some(price),
        prices: Prices::from([("listed".to_owned(), price)]),
    };
    world.tariffs.insert("office".to_owned(), tariff);
    let by = Bounder::Asker;
    world.start.budgets = vec![Given { budget, by }];
    world
}

fn begun(loops: &[Value], loop_id: &str, budget: Budget) -> World {
    let mut world = given(loops, loop_id, budget);
    world.begin();
    world.turn(false);
    world
}

/// Two prompts side by side.
fn both() -> Vec<Value> {
    let calls = json!([{"loopId": "left"}, {"loopId": "right"}]);
    vec![
        prompt("left"),
        prompt("right"),
        a_loop("both", "composite", json!({"steps": [{"parallel": calls}]})),
    ]
}

/// Two prompts, one after the other.
fn twice() -> Vec<Value> {
    let steps = json!({"steps": [{"loopId": "left"}, {"loopId": "left"}]});
    vec![prompt("left"), a_loop("twice", "composite", steps)]
}

fn answered(input: u64, output: u64) -> BackendReply {
    BackendReply {
        input_tokens: Some(input),
        output_tokens: Some(output),
        cost: Some(eur(input + output)),
        ..BackendReply::json(json!({}))
    }
}

impl World {
    /// The model answers the oldest question.
    fn answer(&mut self, answer: Result<BackendReply, BackendError>) {
        let (call, _) = self.asked.pop_front().unwrap();
        self.hear((call, answer));
        self.turn(false);
    }

    fn stopped_by_budget(&self) -> String {
        let error = self.outcome.as_ref().unwrap().result.as_ref().unwrap_err();
        assert_eq!(error.code, FailureCode::Budget, "{}", error.message);
        error.message.clone()
    }

    fn spent(&self) -> &Spend {
        &self.outcome.as_ref().unwrap().spent
    }
}

#[test]
fn a_model_is_not_asked_where_the_most_it_can_cost_is_more_than_is_left() {
    let world = begun(&[prompt("left")], "left", money(999));

    assert!(world.asked.is_empty());
    let message = world.stopped_by_budget();
    for said in [
        "`office`",
        "EUR 0.000999 of EUR 0.000999 is left",
        "--budget",
    ] {
        assert!(message.contains(said), "{said}: {message}");
    }
    assert!(world.spent().is_nothing());
}

#[test]
fn what_an_answer_did_not_cost_returns_and_pays_for_the_next() {
    let mut world = begun(&twice(), "twice", money(ANSWER + 400));

    world.answer(Ok(answered(10, 90)));
    world.answer(Ok(answered(20, 180)));

    assert!(world.outcome.as_ref().unwrap().result.is_ok());
    let spent = world.spent();
    assert_eq!(
        (spent.money.as_slice(), spent.tokens, spent.calls),
        ([eur(300)].as_slice(), 300, 2)
    );
}

#[test]
fn an_answer_that_cost_its_whole_share_leaves_nothing_for_the_next() {
    let mut world = begun(&twice(), "twice", money(ANSWER + 400));

    world.answer(Ok(answered(400, 1_000)));

    assert!(world.asked.is_empty());
    world.stopped_by_budget();
    assert_eq!(world.spent().money, [eur(1_400)]);
}

#[test]
fn prompts_side_by_side_cannot_overdraw_together() {
    let world = begun(&both(), "both", money(ANSWER + 400));

    world.stopped_by_budget();
    let used = world.spent().micros_of(eur(0).currency);
    assert!(
        (1_000..=ANSWER).contains(&used),
        "what it used is unknown: {used}"
    );
}

#[test]
fn a_price_is_that_of_one_model_and_another_behind_the_same_backend_has_none_unless_it_is_listed() {
    let ask = |model: &str| {
        let mut loop_ = prompt("left");
        loop_["backend"]["model"] = json!(model);
        let mut world = given(&[loop_], "left", money(1_000_000));
        world.begin();
        world.turn(false);
        world
    };

    assert_eq!(ask("small").asked.len(), 1);
    assert_eq!(ask("listed").asked.len(), 1);
    let other = ask("large");
    assert_eq!(other.asked.len(), 0);
    other.stopped_by_budget();
}

#[test]
fn a_price_that_nobody_knows_is_refused_by_a_budget_of_money_and_not_by_one_of_tokens() {
    let mut unpriced = given(&[prompt("left")], "left", money(1_000_000));
    unpriced.tariffs.clear();
    let mut counted = given(&[prompt("left")], "left", Budget::default());
    counted.tariffs.clear();
    let tokens = Some(2_000);
    let (budget, by) = (
        Budget {
            tokens,
            ..Budget::default()
        },
        Bounder::Asker,
    );
    counted.start.budgets = vec![Given { budget, by }];

    unpriced.begin();
    unpriced.turn(false);
    counted.begin();
    counted.turn(false);

    let message = unpriced.stopped_by_budget();
    assert!(
        message.contains("nobody knows") && message.contains("--budget-tokens"),
        "{message}"
    );
    assert_eq!(counted.asked.len(), 1);
}

#[test]
fn the_budget_of_a_loop_bounds_its_runs_inside_others_too() {
    let mut loops = twice();
    loops[0]["budget"] = json!({"money": "EUR 0.000500"});

    let world = begun(&loops, "twice", money(1_000_000));

    let message = world.stopped_by_budget();
    assert!(
        message.contains("loop `left`") && message.contains("`budget.money`"),
        "{message}"
    );
}

#[test]
fn what_a_step_says_that_its_call_may_use_bounds_that_call_alone() {
    let steps = json!({"steps": [
        {"loopId": "left"},
        {"loopId": "left", "budget": {"money": "EUR 0.000500"}},
    ]});
    let loops = [prompt("left"), a_loop("main", "composite", steps)];

    let mut world = begun(&loops, "main", Budget::default());
    world.answer(Ok(answered(10, 90)));

    let message = world.stopped_by_budget();
    assert!(
        message.contains("what loop `main` lets this call use")
            && message.contains("`budget.money`"),
        "{message}"
    );
    assert_eq!(world.spent().calls, 1);
}

#[test]
fn what_a_prompt_says_that_a_tool_may_use_bounds_each_call_of_it_with_its_attempts() {
    let mut flaky = tool("charge", "idempotent");
    flaky["retry"] = json!({"attempts": 9, "on": ["business"], "delay": "1ms"});
    let tools = json!([{"name": "charge", "loopId": "charge", "budget": {"calls": 2}}]);
    let mut ask = prompt("ask");
    ask["prompt"]["tools"] = tools;
    let mut world = given(&[flaky, ask], "ask", Budget::default());
    world.fails = true;

    world.begin();
    world.run();

    // The model charges once in each of two turns.
    assert_eq!(world.done.values().copied().collect::<Vec<_>>(), [2, 2]);
    assert!(world.outcome.is_some_and(|outcome| outcome.result.is_ok()));
}

#[test]
fn calls_are_bounded_and_attempts_are_calls() {
    let mut flaky = tool("look", "idempotent");
    flaky["retry"] = json!({"attempts": 9, "on": ["business"], "delay": "1ms"});
    let calls = Some(3);
    let budget = Budget {
        calls,
        ..Budget::default()
    };
    let mut world = given(&[flaky], "look", budget);
    world.start.input = json!({"fail": true});

    world.begin();
    world.run();

    let message = world.stopped_by_budget();
    assert!(
        message.contains("one call too many") && message.contains("--budget-calls"),
        "{message}"
    );
    assert_eq!(
        (world.spent().calls, world.done.values().sum::<u64>()),
        (3, 3)
    );
}

#[test]
fn a_restarted_run_counts_what_it_had_asked_as_spent() {
    let mut world = begun(&twice(), "twice", money(2 * ANSWER + 400));
    world.answer(Ok(answered(10, 90)));
    assert_eq!(world.asked.len(), 1, "the second one is under way");

    world.restart();
    world.turn(false);

    assert_eq!(world.asked.len(), 1, "there is enough to ask it again");
    world.restart();
    world.turn(false);
    world.stopped_by_budget();
    let used = world.spent().micros_of(eur(0).currency);
    assert!(
        (2_100..=2 * ANSWER + 400).contains(&used),
        "100, and two of unknown outcome: {used}"
    );
}

#[test]
fn a_failure_that_proves_that_nothing_began_gives_everything_back() {
    let mut world = begun(&[prompt("left")], "left", money(ANSWER));

    let nothing = BackendError::Status {
        code: 401,
        said: String::new(),
        retry_after_ms: None,
    };
    world.answer(Err(nothing));

    assert_eq!((world.spent().money.len(), world.spent().calls), (0, 1));
}

/// Three calls of another realm side by side.
fn abroad() -> Vec<Value> {
    let call = json!({"loopId": "work@lab"});
    let steps = json!({"steps": [{"parallel": [call, call, call]}]});
    vec![a_loop("abroad", "composite", steps)]
}

#[test]
fn calls_of_other_realms_get_equal_shares_and_what_they_leave_returns() {
    let mut world = begun(&abroad(), "abroad", money(900));

    let given: Vec<Option<Amount>> = world.called.iter().map(|call| call.budget.money).collect();
    assert_eq!(given, [Some(eur(300)); 3]);
    let calls: Vec<RealmCall> = world.called.drain(..).collect();
    for (call, used) in calls.iter().zip([None, Some(100), Some(0)]) {
        let used = used.map(|micros| Spend {
            money: vec![eur(micros)],
            ..Spend::default()
        });
        let (registry, now) = (&world.registry, world.now);
        world
            .executor
            .invoke_done(call.call, Ok(json!({})), used, registry, now);
    }
    world.turn(false);

    assert_eq!(
        world.spent().money,
        [eur(400)],
        "of which nobody says what it used counts as used"
    );
}

#[test]
fn a_call_of_another_realm_goes_on_after_a_restart_with_what_it_was_given() {
    let mut world = begun(&abroad(), "abroad", money(900));
    let before: Vec<(CallId, Budget)> = world
        .called
        .iter()
        .map(|call| (call.call, call.budget))
        .collect();

    world.restart();
    world.turn(false);

    let after: Vec<(CallId, Budget)> = world
        .called
        .iter()
        .map(|call| (call.call, call.budget))
        .collect();
    assert_eq!(before, after);
    let calls: Vec<CallId> = world.called.drain(..).map(|call| call.call).collect();
    for call in calls {
        let used = Some(Spend {
            money: vec![eur(1)],
            ..Spend::default()
        });
        let (registry, now) = (&world.registry, world.now);
        world
            .executor
            .invoke_done(call, Ok(json!({})), used, registry, now);
    }
    world.turn(false);
    assert_eq!(world.spent().money, [eur(3)]);
}

#[test]
fn a_run_that_is_broken_off_at_any_turn_never_spends_more_than_its_budget() {
    let budget = 3 * ANSWER;
    let mut turns = begun(&twice(), "twice", money(budget));
    while let Some((call, request)) = turns.asked.pop_front() {
        assert!(matches!(request, BackendRequest::Model(_)));
        turns.hear((call, Ok(answered(100, 900))));
        turns.turn(false);
    }
    for at in 0..=turns.turns {
        for lost in [false, true] {
            let mut world = given(&twice(), "twice", money(budget));
            let mut charged = 0;
            world.begin();
            let mut breaks = 2;
            while world.outcome.is_none() {
                world.turn(lost && world.turns == at);
                // Whatever was asked is charged, heard or not.
                charged += 1_000 * world.asked.len() as u64;
                if world.turns > at && breaks > 0 && world.outcome.is_none() {
                    breaks -= 1;
                    world.restart();
                    continue;
                }
                let asked: Vec<_> = world.asked.drain(..).collect();
                for (call, _) in asked {
                    world.hear((call, Ok(answered(100, 900))));
                }
            }
            let counted = world.spent().micros_of(eur(0).currency);
            assert!(
                charged <= counted && counted <= budget,
                "{at} {lost}: {charged} {counted}"
            );
        }
    }
}
