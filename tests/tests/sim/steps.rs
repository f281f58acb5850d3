//! What runs call of their own realm: policy is asked about each call.

use realm_node::{CallFailure, InvokeAsked, Person, Request, Response};
use realm_protocol::{FailureCode, records::Role};
use realm_tests::{HostId, Loops, Tree as _, World, invariants};
use serde_json::{Value, json};

use super::durable::bench::{Bench, call, composite};

const ANN: (&str, Role) = ("ann", Role::Operator);

/// A prompt whose model may call `pay`, and does what it reads.
fn ask() -> Value {
    json!({
        "id": "ask", "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {
            "template": "{{say}}", "variables": ["say"],
            "tools": [{"name": "pay", "loopId": "pay"}],
        },
    })
}

/// The failure of a call of this loop by somebody, if it fails. What is paid is another thing each time.
fn called(world: &mut World, host: HostId, address: &str, by: Option<&str>) -> Option<CallFailure> {
    let Request::Invoke(asked) = World::invoke(address, json!({"n": paid(world)})) else {
        unreachable!("a call")
    };
    let caller = by.map(str::to_owned);
    let mut request = Request::Invoke(InvokeAsked { caller, ..asked });
    if let Some(name) = by {
        let person = Person {
            name: name.to_owned(),
            roles: [Role::Operator].into(),
        };
        request = Request::By(person, Box::new(request));
    }
    match world.ask_and_wait(host, request) {
        Response::Invoked(done) => done.result.err(),
        other => panic!("{address}: {other:?}"),
    }
}

/// The policies that a message which names a denial leads to.
fn denied_by(world: &World, host: HostId, message: &str) -> String {
    let (_, reference) = message.rsplit_once("reference ").expect("a reference");
    let denial = world.hosts[host.0].node().denial(reference);
    denial.expect("a denial").determining.join(" ")
}

fn paid(world: &World) -> u64 {
    world.effects.values().sum()
}

#[test]
fn a_model_calls_no_loop_of_its_own_realm_that_policy_keeps_from_models() {
    let mut world = World::new(900);
    let acme = world.found("acme");
    let main = Loops::composite("main", &["pay"]);
    world.apply(acme, &[Loops::once("pay", 50), ask(), main]);
    let forbid = r#"forbid (principal, action == Action::"step", resource is Loop)
        when { context.tool && context.by == "ask" && resource.name == "pay" };"#;
    world.set_policy(acme, "no-models", forbid, false);

    let input = json!({"say": r#"call pay {"n": 1}"#});
    let Response::Invoked(done) = world.ask_and_wait(acme, World::invoke("ask", input)) else {
        panic!("a call")
    };

    let told = done.result.expect("an answer");
    assert_eq!(told["error"]["code"], "Denied", "{told}");
    let message = told["error"]["message"].as_str().expect("a message");
    assert_eq!(denied_by(&world, acme, message), "no-models");
    assert_eq!(paid(&world), 0);
    assert_eq!(called(&mut world, acme, "main", None), None);
    assert_eq!(paid(&world), 1);
    invariants::check(&mut world);
}

#[test]
fn what_policy_keeps_from_somebody_no_loop_does_on_their_behalf() {
    let mut world = World::new(901);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    world.allow(acme, "lab", "*");
    world.apply(
        acme,
        &[Loops::once("pay", 50), Loops::composite("main", &["pay"])],
    );
    world.run_for(1_000);
    let others = format!(
        r#"forbid (principal is Realm, action == Action::"step", resource is Loop)
        unless {{ principal in Realm::"{}" }};"#,
        world.hosts[acme.0].scope.root
    );
    let eve = r#"forbid (principal is Person, action == Action::"step", resource is Loop)
        when { principal.name == "eve" && resource.name == "pay" };"#;
    world.set_policy(acme, "own-runs", &others, false);
    world.set_policy(acme, "not-eve", eve, false);

    for (host, address, by, policy) in [
        (lab, "main@acme", None, "own-runs"),
        (acme, "main", Some("eve"), "not-eve"),
    ] {
        let failure = called(&mut world, host, address, by).expect("a failure");
        assert_eq!(failure.code, FailureCode::Denied, "{failure:?}");
        assert_eq!(denied_by(&world, acme, &failure.message), policy);
    }
    assert_eq!(paid(&world), 0);
    assert_eq!(called(&mut world, acme, "main", Some("ann")), None);
    assert_eq!(called(&mut world, acme, "main", None), None);
    assert_eq!(paid(&world), 2);
    invariants::check(&mut world);
}

#[test]
fn a_restarted_run_is_still_that_of_whoever_began_it() {
    for restarts in [false, true] {
        let steps = json!([{"wait": "10s"}, call("spend", "a")]);
        let mut bench = Bench::with(902, &[Loops::once("spend", 50)], steps);
        let acme = bench.acme;
        let forbid = r#"forbid (principal in Group::"operator", action == Action::"step", resource)
            when { principal is Person && principal.name == "ann" };"#;
        bench.world.set_policy(acme, "not-ann", forbid, false);
        let run = bench.begin_as(ANN, json!({"n": 1}), 1_000);
        if restarts {
            bench.restart(acme, 1_000);
        }
        bench.world.run_for(60_000);
        assert_eq!(bench.effects(), 0, "{restarts}");
        bench.fails(run, "Denied", "`main` call `spend`");
    }
}

#[test]
fn a_step_begins_once_people_have_approved_it_as_policy_asks_and_only_if_it_still_may() {
    let demand = r#"@approval("approver")
        permit (principal, action == Action::"step", resource is Loop)
        when { resource.name == "spend" };"#;
    for forbidden in [false, true] {
        let steps = json!([call("spend", "a")]);
        let mut bench = Bench::with(903, &[Loops::once("spend", 50)], steps);
        let acme = bench.acme;
        bench.world.set_policy(acme, "asked", demand, false);
        let run = bench.begin(json!({"n": 1}), 1_000);
        let waiting = bench.world.approvals(acme);
        assert_eq!((waiting.len(), bench.effects()), (1, 0));
        if forbidden {
            let forbid = r#"forbid (principal, action == Action::"step", resource);"#;
            bench.world.set_policy(acme, "no-more", forbid, false);
        }

        bench
            .world
            .decide(acme, waiting[0].id, ("bob", Role::Approver), true);
        bench.world.run_for(1_000);

        assert_eq!(bench.effects(), u64::from(!forbidden));
        match forbidden {
            true => bench.fails(run, "Denied", "`main` call `spend`"),
            false => bench.completes(run),
        }
    }
}

#[test]
fn where_policy_keeps_a_step_from_its_loop_the_fallback_is_called() {
    let mut step = call("spend", "a");
    step["fallback"] = json!({"loopId": "later"});
    let tools = [Loops::once("spend", 50), Loops::once("later", 50)];
    let mut bench = Bench::new(904);
    bench.world.apply(bench.acme, &tools);
    bench
        .world
        .apply(bench.acme, &[composite("main", json!([step]))]);
    let forbid = r#"forbid (principal, action == Action::"step", resource is Loop)
        when { resource.name == "spend" };"#;
    bench
        .world
        .set_policy(bench.acme, "no-spending", forbid, false);

    let run = bench.begin(json!({"n": 1}), 2_000);

    assert_eq!(bench.effects(), 1);
    assert_eq!(bench.count(run, "call.errored"), 1);
    bench.completes(run);
}
