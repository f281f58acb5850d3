//! Budgets that hold across realms, whoever crashes, forgets or overstates.

use realm_node::{Budgets, ControlId, Invocation, InvokeAsked, Request, Response};
use realm_protocol::{
    FailureCode,
    budget::{Amount, Budget, Spend},
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

/// A prompt on a model that is paid for, of at most so many tokens.
fn prompt(id: &str, tokens: u64) -> Value {
    json!({
        "id": id, "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {"template": "Say something.", "variables": [], "maxTokens": tokens},
        "backend": {"id": "office"},
    })
}

/// Two calls side by side, then one more.
fn three(id: &str, steps: [&str; 3]) -> Value {
    let [left, right, last] = steps;
    let mut document = Loops::composite(id, &[]);
    document["composite"] = json!({"steps": [
        {"parallel": [{"loopId": left}, {"loopId": right}]}, {"loopId": last},
    ]});
    document["outputSchema"] = json!({});
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

fn ask(address: &str, budget: Budget) -> Request {
    match World::invoke(address, json!({})) {
        Request::Invoke(asked) => Request::Invoke(InvokeAsked { budget, ..asked }),
        other => other,
    }
}

fn invoked(response: Response) -> Invocation {
    match response {
        Response::Invoked(invocation) => *invocation,
        other => panic!("no invocation: {other:?}"),
    }
}

fn response_to(world: &mut World, host: HostId, control: ControlId) -> Option<Response> {
    let outcome = world.outcomes.remove(&(host, control))?;
    Some(outcome.response)
}

fn micros(spent: Option<&Spend>) -> u64 {
    spent.map_or(0, |spent| spent.micros_of(eur(0).currency))
}

fn billed(world: &World) -> u64 {
    world.billed.values().sum()
}

/// acme asks lab, which asks its child genomics: each has a model that is paid for.
fn cast(seed: u64) -> (World, [HostId; 3]) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(acme, lab);
    let genomics = world.child(lab, "genomics");
    world.allow(lab, "acme", "*");
    world.allow(genomics, "lab", "*");
    world.apply(genomics, &[prompt("read", 300)]);
    let far = "read@lab/genomics";
    world.apply(
        lab,
        &[prompt("think", 300), three("study", ["think", far, far])],
    );
    world.apply(
        acme,
        &[three("review", ["study@lab", "think@lab", "study@lab"])],
    );
    world.run_for(1_000);
    (world, [acme, lab, genomics])
}

#[test]
fn what_a_tree_of_calls_has_used_comes_back_signed_and_adds_up() {
    let (mut world, [acme, ..]) = cast(1);

    let done = invoked(world.ask_and_wait(acme, ask("review", money(50_000))));

    assert!(done.result.is_ok(), "{:?}", done.result);
    assert_eq!(
        micros(done.spent.as_ref()),
        billed(&world),
        "to the micro-unit"
    );
    assert_eq!(world.billed.len(), 2);
    invariants::check(&mut world);
}

#[test]
fn a_callee_stops_before_the_call_that_would_break_what_its_caller_gave() {
    let (mut world, [acme, lab, _]) = cast(2);

    let done = invoked(world.ask_and_wait(acme, ask("think@lab", money(299))));

    let failure = done.result.unwrap_err();
    assert_eq!(failure.code, FailureCode::Budget);
    assert!(
        failure.message.contains("the budget that the caller gave"),
        "{failure}"
    );
    assert!(failure.message.contains("--budget"), "{failure}");
    assert_eq!(world.billed.get(&lab), None);
    assert_eq!(micros(done.spent.as_ref()), 0);
}

#[test]
fn a_realm_bounds_what_calls_of_others_cost_it_whatever_they_bring() {
    let (mut world, [acme, lab, _]) = cast(3);
    world.hosts[lab.0].budgets = Budgets {
        served: money(100),
        ..Budgets::default()
    };
    world.crash_for(lab, 10);
    world.run_for(2_000);

    let done = invoked(world.ask_and_wait(acme, ask("think@lab", money(50_000))));

    let failure = done.result.unwrap_err();
    assert!(failure.message.contains("`budget.served`"), "{failure}");
    assert_eq!(world.billed.get(&lab), None);
}

#[test]
fn a_callee_that_says_it_used_more_than_it_was_given_is_counted_for_that_and_noted() {
    let (mut world, [acme, lab, _]) = cast(4);
    world.hosts[lab.0].overcharged = 100;

    let done = invoked(world.ask_and_wait(acme, ask("think@lab", money(1_000))));

    assert!(billed(&world) > 1_000);
    assert_eq!(micros(done.spent.as_ref()), 1_000);
    let events = &world.hosts[acme.0].disk.events;
    let kinds: Vec<&str> = events.values().map(|event| event.kind.as_str()).collect();
    assert!(kinds.contains(&"call.overclaimed"), "{kinds:?}");
    let node = world.hosts[acme.0].node.as_ref().unwrap();
    assert_eq!(node.counters().overclaimed, 1);
}

#[test]
fn nobody_says_what_a_call_has_used_that_was_never_answered() {
    let (mut world, [acme, lab, _]) = cast(5);
    let asked = ask("think@lab", money(1_000));
    let asked = match asked {
        Request::Invoke(asked) => Request::Invoke(InvokeAsked {
            timeout_ms: Some(5_000),
            ..asked
        }),
        other => other,
    };

    let control = world.ask(acme, asked);
    world.run_for(15);
    world.crash(lab);
    world.run_for(20_000);

    let outcome = response_to(&mut world, acme, control).unwrap();
    let done = invoked(outcome);
    assert!(done.result.is_err());
    assert_eq!(done.spent, None, "nobody knows");
}

#[test]
fn a_tree_that_is_broken_off_anywhere_never_costs_more_than_its_budget() {
    let budget = 12_000;
    for at in (0..400).step_by(50) {
        for down in 0..3 {
            let (mut world, hosts) = cast(100 + at);
            let [acme, ..] = hosts;
            let control = world.ask(acme, ask("review", money(budget)));
            world.run_for(at);
            world.crash_for(hosts[down], 300);
            world.run_for(200_000);
            let billed = billed(&world);
            assert!(billed <= budget, "{at} ms, host {down}: {billed}");
            if let Some(response) = response_to(&mut world, acme, control) {
                let counted = micros(invoked(response).spent.as_ref());
                assert!(
                    billed <= counted && counted <= budget,
                    "{at} ms, host {down}: {billed} {counted}"
                );
            }
        }
    }
}
