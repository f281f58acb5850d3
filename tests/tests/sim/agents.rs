//! Agents that call loops by themselves, with tokens of their own.

use realm_node::{
    AllowAsked, CallFailure, CallerName, InvokeAsked, Person, Refusal, Request, Response,
};
use realm_protocol::{FailureCode, records::Role};
use realm_tests::{HostId, Loops, Tree as _, World, invariants};
use serde_json::json;

/// A call of the agent `reader` under a key.
fn called(
    world: &mut World,
    host: HostId,
    address: &str,
    key: &str,
) -> Result<String, CallFailure> {
    let asked = Box::new(asked(address, key));
    let agent = "reader".parse().unwrap();
    match world.ask_and_wait(host, Request::InvokeAs(agent, asked)) {
        Response::Invoked(done) => done.result.map(|_| done.run.to_string()),
        Response::Refused(Refusal::Call(failure)) => Err(failure),
        other => panic!("{address}: {other:?}"),
    }
}

fn asked(address: &str, key: &str) -> InvokeAsked {
    let Request::Invoke(asked) = World::invoke(address, json!({})) else {
        unreachable!("a call")
    };
    InvokeAsked {
        key: Some(key.to_owned()),
        ..asked
    }
}

fn allow(world: &mut World, host: HostId, pattern: &str, owner: Option<&str>) -> Response {
    let asked = AllowAsked {
        caller: CallerName::Agent("reader".parse().unwrap()),
        action: "invoke".to_owned(),
        pattern: pattern.to_owned(),
        owner: owner.map(|owner| owner.parse().unwrap()),
        for_ms: None,
        subtree: false,
        dry_run: false,
    };
    world.ask_and_wait(host, Request::Allow(asked))
}

fn paid(world: &World) -> u64 {
    world.effects.values().sum()
}

#[test]
fn an_agent_calls_what_it_is_allowed_here_and_elsewhere_and_nothing_else() {
    let mut world = World::new(960);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::once("pay", 1), Loops::once("fire", 1)]);
    world.apply(health, &[Loops::once("pay", 1), Loops::once("fire", 1)]);
    world.run_for(1_000);
    let all = ["pay", "fire", "pay@acme/health", "fire@acme/health"];
    for address in all {
        let denied = called(&mut world, acme, address, "a").unwrap_err();
        assert_eq!(denied.code, FailureCode::Denied, "{address}");
        let denial = world.hosts[acme.0].node();
        let denial = denial.denial(denied.reference.as_deref().unwrap()).unwrap();
        let suggested = realm_policy::suggest(denial).unwrap().caller;
        assert_eq!(
            suggested.as_principal(),
            denial.request.principal.as_principal()
        );
    }
    assert_eq!(paid(&world), 0);

    for owner in [None, Some("acme/health")] {
        let allowed = allow(&mut world, acme, "pay", owner);
        assert!(matches!(allowed, Response::Allowed(_)), "{allowed:?}");
    }

    let may = all.map(|address| called(&mut world, acme, address, "b").is_ok());
    assert_eq!(may, [true, false, true, false]);
    assert_eq!(paid(&world), 2);
    invariants::check(&mut world);
}

#[test]
fn an_agent_may_be_kept_from_what_its_calls_call_in_turn() {
    let mut world = World::new(961);
    let acme = world.found("acme");
    let main = Loops::composite("main", &["pay"]);
    world.apply(acme, &[Loops::once("pay", 50), main]);
    allow(&mut world, acme, "*", None);
    let forbid = r#"forbid (principal is Agent, action == Action::"step", resource is Loop);"#;
    world.set_policy(acme, "no-steps", forbid, false);

    let denied = called(&mut world, acme, "main", "a").unwrap_err();

    assert_eq!(denied.code, FailureCode::Denied, "{denied:?}");
    assert_eq!(paid(&world), 0);
    called(&mut world, acme, "pay", "b").unwrap();
    invariants::check(&mut world);
}

#[test]
fn an_agents_keys_are_its_own() {
    let mut world = World::new(962);
    let acme = world.found("acme");
    world.apply(acme, &[Loops::idempotent("look", 1)]);
    allow(&mut world, acme, "look", None);
    let ann = Person {
        name: "ann".to_owned(),
        roles: [Role::Operator].into(),
    };
    let first = Request::By(ann, Box::new(Request::Invoke(asked("look", "monday"))));
    let Response::Invoked(first) = world.ask_and_wait(acme, first) else {
        panic!("a call")
    };

    let run = called(&mut world, acme, "look", "monday").unwrap();
    let again = called(&mut world, acme, "look", "monday").unwrap();

    assert_ne!(run, first.run.to_string());
    assert_eq!(run, again);
    invariants::check(&mut world);
}

#[test]
fn an_agent_is_allowed_calls_alone_and_chooses_no_backend() {
    let mut world = World::new(963);
    let acme = world.found("acme");
    world.apply(acme, &[Loops::once("pay", 1)]);
    allow(&mut world, acme, "pay", None);
    let relay = AllowAsked {
        caller: CallerName::Agent("reader".parse().unwrap()),
        action: "relay".to_owned(),
        pattern: "*".to_owned(),
        owner: None,
        for_ms: None,
        subtree: false,
        dry_run: false,
    };
    let refused = world.ask_and_wait(acme, Request::Allow(relay));
    assert!(
        matches!(refused, Response::Refused(Refusal::Range { .. })),
        "{refused:?}"
    );
    let other = InvokeAsked {
        backend: Some("mock".parse().unwrap()),
        ..asked("pay", "a")
    };
    let agent = "reader".parse().unwrap();
    let refused = world.ask_and_wait(acme, Request::InvokeAs(agent, Box::new(other)));
    assert!(
        matches!(&refused, Response::Refused(Refusal::Call(failure)) if failure.code == FailureCode::Malformed),
        "{refused:?}"
    );
}
