//! What policy lets the people of a realm do, and its loops use.

use realm_node::{
    CallFailure, InvokeAsked, Person, PromptAsked, PromptChange, Refusal, Request, Response,
};
use realm_policy::Action;
use realm_protocol::{FailureCode, budget::Budget, records::Role};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

fn person(name: &str, role: Role) -> Person {
    Person {
        name: name.to_owned(),
        roles: [role].into(),
    }
}

/// What becomes of a request of somebody's: whether policy denied it, and with which policy.
fn asked(
    world: &mut World,
    host: HostId,
    person: &Person,
    request: Request,
) -> Result<Response, String> {
    let request = Request::By(person.clone(), Box::new(request));
    match world.ask_and_wait(host, request) {
        Response::Refused(Refusal::Call(failure)) => Err(denied_by(world, host, &failure)),
        answer => Ok(answer),
    }
}

/// The policy that the reference of a denial leads to.
fn denied_by(world: &World, host: HostId, failure: &CallFailure) -> String {
    assert_eq!(failure.code, FailureCode::Denied);
    let reference = failure.reference.as_deref().expect("a reference");
    let denial = world.hosts[host.0].node().denial(reference);
    denial.expect("a denial").determining.join(" ")
}

fn within(address: &str, money: Option<&str>) -> Request {
    let Request::Invoke(asked) = World::invoke(address, json!({})) else {
        unreachable!("a call")
    };
    let money = money.map(|money| money.parse().expect("an amount"));
    let budget = Budget {
        money,
        ..Budget::default()
    };
    Request::Invoke(InvokeAsked { budget, ..asked })
}

#[test]
fn a_call_of_somebody_whom_policy_forbids_it_never_begins_here_or_elsewhere() {
    let mut world = World::new(700);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.apply(acme, &[Loops::once("pay", 1)]);
    world.apply(health, &[Loops::once("pay", 1)]);
    world.run_for(1_000);
    let forbid = r#"forbid (principal is Person, action == Action::"invoke", resource is Loop)
        when { principal.name == "eve" && resource.name == "pay" };"#;
    world.set_policy(acme, "not-eve", forbid, false);
    let (ann, eve) = (person("ann", Role::Operator), person("eve", Role::Operator));

    for address in ["pay", "pay@acme/health"] {
        let call = || within(address, None);
        let refused = asked(&mut world, acme, &eve, call());
        assert_eq!(refused.unwrap_err(), "not-eve", "{address}");
        let called = asked(&mut world, acme, &ann, call()).expect("a call");
        assert!(
            matches!(called, Response::Invoked(done) if done.result.is_ok()),
            "{address}"
        );
    }
    let viewer = person("vera", Role::Viewer);
    let refused = asked(&mut world, acme, &viewer, within("pay", None));
    assert_eq!(refused.unwrap_err(), "", "nothing permits it");
    assert_eq!(world.hosts[health.0].node().counters().served, 1);
    invariants::check(&mut world);
}

#[test]
fn whoever_may_spend_little_makes_no_call_that_may_cost_more_or_anything() {
    let mut world = World::new(701);
    let acme = world.found("acme");
    world.apply(acme, &[Loops::idempotent("pay", 1)]);
    let forbid = r#"forbid (principal in Group::"operator", action == Action::"spend", resource)
        when { context.amount > 500000 };"#;
    world.set_policy(acme, "small-change", forbid, false);
    let (ann, owner) = (person("ann", Role::Operator), person("owner", Role::Owner));

    assert!(asked(&mut world, acme, &ann, within("pay", Some("EUR 0.50"))).is_ok());
    for money in [Some("EUR 0.51"), None] {
        let refused = asked(&mut world, acme, &ann, within("pay", money));
        assert_eq!(refused.unwrap_err(), "small-change");
        assert!(asked(&mut world, acme, &owner, within("pay", money)).is_ok());
    }
    invariants::check(&mut world);
}

#[test]
fn policy_keeps_prompts_and_the_realm_from_people_and_its_owner_takes_that_back() {
    let mut world = World::new(702);
    let acme = world.found("acme");
    let owner = person("owner", Role::Owner);
    let ask = json!({
        "id": "ask", "version": "1.0.0", "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {"template": "say something", "variables": []},
    });
    world.apply(acme, &[ask]);
    let promote = || {
        Request::Prompt(PromptAsked {
            id: "ask".parse().expect("an id"),
            what: PromptChange::Promote("1.0.0".parse().expect("a version")),
            by: "owner".to_owned(),
            why: None,
        })
    };
    assert!(asked(&mut world, acme, &owner, promote()).is_ok());
    assert!(asked(&mut world, acme, &owner, Request::May(Action::Administer)).is_ok());

    world.set_policy(
        acme,
        "closed",
        "forbid (principal, action, resource);",
        false,
    );
    assert_eq!(
        asked(&mut world, acme, &owner, promote()).unwrap_err(),
        "closed"
    );
    for action in [Action::Administer, Action::ReadTrace] {
        let refused = asked(&mut world, acme, &owner, Request::May(action));
        assert_eq!(refused.unwrap_err(), "closed", "{action}");
    }

    let back = Request::Disallow("closed".to_owned());
    assert!(matches!(
        asked(&mut world, acme, &owner, back),
        Ok(Response::Done)
    ));
    assert!(asked(&mut world, acme, &owner, promote()).is_ok());
    invariants::check(&mut world);
}

#[test]
fn a_loop_does_not_use_what_policy_forbids_it() {
    let mut world = World::new(703);
    let acme = world.found("acme");
    world.apply(acme, &[Loops::once("pay", 1)]);
    let forbid = r#"forbid (principal, action == Action::"use", resource is Tool)
        when { resource.name like "process:*" };"#;
    world.set_policy(acme, "no-programs", forbid, false);

    let called = world.call(acme, "pay", json!({}));

    let failure = called.result.expect_err("used");
    assert_eq!(failure.code, FailureCode::Denied);
    let (_, reference) = failure
        .message
        .rsplit_once("reference ")
        .expect("a reference");
    let denial = world.hosts[acme.0]
        .node()
        .denial(reference)
        .expect("a denial");
    assert_eq!(denial.determining, ["no-programs"]);
    assert_eq!(
        denial.request.principal.to_string(),
        format!("loop=pay@{}", world.hosts[acme.0].scope)
    );
    assert_eq!(world.call(acme, "echo", json!({})).result, Ok(json!({})));
    invariants::check(&mut world);
}

#[test]
fn a_demand_for_approval_that_no_run_would_wait_for_is_refused_not_passed_over() {
    let mut world = World::new(704);
    let acme = world.found("acme");
    world.apply(acme, &[Loops::once("pay", 1)]);
    let demand = r#"@approval("approver")
        permit (principal is Person, action == Action::"invoke", resource);"#;
    world.set_policy(acme, "ask-ann", demand, false);
    let call = Request::By(
        person("olga", Role::Operator),
        Box::new(within("pay", None)),
    );

    let Response::Refused(Refusal::Call(failure)) = world.ask_and_wait(acme, call) else {
        panic!("not refused")
    };

    assert_eq!(failure.code, FailureCode::Denied);
    assert!(failure.message.contains("approve"), "{failure}");
    invariants::check(&mut world);
}
