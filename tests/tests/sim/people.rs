//! What policy lets the people of a realm do, and its loops use.

use realm_executor::{Decision, SecretLoops};
use realm_node::{
    CallFailure, InvokeAsked, Person, PromptAsked, PromptChange, Refusal, Request, Response,
};
use realm_policy::Action;
use realm_protocol::{FailureCode, audit::AuditDetails, budget::Budget, cbor, records::Role};
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
fn a_secret_is_given_to_the_loops_that_it_is_for_and_as_policy_lets_them() {
    let mut world = World::new(705);
    let acme = world.found("acme");
    let named = |id: &str| {
        let mut loop_ = Loops::once(id, 1);
        loop_["tool"]["config"]["secrets"] = json!({"TOKEN": "desk"});
        loop_
    };
    world.apply(acme, &[named("pay"), named("peek")]);
    assert!(world.call(acme, "peek", json!({"n": 1})).result.is_ok());
    let pay = "pay".parse().expect("a loop id");
    let bound = [("desk".to_owned(), [pay].into())];
    world.hosts[acme.0].secrets = SecretLoops::new(bound);
    world.crash_for(acme, 100);
    world.run_for(1_000);

    let failure = world.call(acme, "peek", json!({})).result.expect_err("no");
    assert_eq!(failure.code, FailureCode::Denied);
    assert!(
        failure.message.contains("`secrets.desk.loops`"),
        "{failure}"
    );
    assert!(world.call(acme, "pay", json!({})).result.is_ok());
    let forbid = r#"forbid (principal, action == Action::"use", resource is Tool)
        when { resource.name == "secret:desk" };"#;
    world.set_policy(acme, "no-desk", forbid, false);
    let failure = world.call(acme, "pay", json!({})).result.expect_err("no");
    assert!(failure.message.contains("tool=secret:desk"), "{failure}");
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

/// Who did what in the audit log of a realm, and to what.
pub(super) fn told(world: &World, host: HostId, action: &str) -> Vec<(String, String)> {
    let rows = world.hosts[host.0].disk.audit.iter();
    let told = rows.filter_map(|row| {
        let entry = realm_node::read_entry(row).expect("an entry");
        let details: AuditDetails = cbor::decode(row.details.as_ref()?).expect("details");
        let told = (details.person?, entry.subject.unwrap_or_default());
        (entry.action == action).then_some(told)
    });
    told.collect()
}

#[test]
fn what_a_call_did_is_said_by_whom_policy_lets_call_and_the_log_tells_who_said_it() {
    let mut world = World::new(705);
    let acme = world.found("acme");
    world.apply(acme, &[Loops::once("pay", 1_000)]);
    let forbid = r#"forbid (principal is Person, action == Action::"invoke", resource)
        when { principal.name == "eve" };"#;
    world.set_policy(acme, "not-eve", forbid, false);
    let (ann, eve) = (person("ann", Role::Operator), person("eve", Role::Operator));
    let Request::Invoke(call) = World::invoke("pay", json!({})) else {
        unreachable!("a call")
    };
    world.ask(
        acme,
        Request::Invoke(InvokeAsked {
            detach: true,
            ..call
        }),
    );
    world.run_for(500);
    world.crash_for(acme, 500);
    world.run_for(1_000);
    let [run] = world.paused(acme)[..] else {
        panic!("no run waits")
    };

    let gave = || Request::Resume(run, Some(Decision::Output(json!({}))));
    assert_eq!(
        asked(&mut world, acme, &eve, gave()).unwrap_err(),
        "not-eve"
    );
    assert_eq!(world.paused(acme), [run]);
    assert_eq!(told(&world, acme, "run.decided"), []);
    assert!(asked(&mut world, acme, &eve, Request::Pause(run)).is_ok());
    assert!(asked(&mut world, acme, &ann, gave()).is_ok());
    world.run_for(5_000);

    let named = |name: &str, what: &str| (name.to_owned(), what.to_owned());
    assert_eq!(
        told(&world, acme, "run.decided"),
        [named("ann", "pay output")]
    );
    assert_eq!(told(&world, acme, "run.paused"), [named("eve", "pay")]);
    assert_eq!(told(&world, acme, "policy.denied")[0].0, "eve");
    invariants::check(&mut world);
}

#[test]
fn the_log_tells_which_owner_changed_what() {
    let mut world = World::new(706);
    let acme = world.found("acme");
    let olga = person("olga", Role::Owner);

    let forbid = Request::SetPolicy {
        id: "shut".to_owned(),
        cedar: "forbid (principal, action == Action::\"bid\", resource);".to_owned(),
        subtree: false,
    };
    assert!(asked(&mut world, acme, &olga, forbid).is_ok());
    assert!(
        asked(
            &mut world,
            acme,
            &olga,
            Request::Disallow("shut".to_owned())
        )
        .is_ok()
    );
    world.run_for(1_000);

    let named = ("olga".to_owned(), "shut".to_owned());
    assert_eq!(
        told(&world, acme, "policy.set").as_slice(),
        std::slice::from_ref(&named)
    );
    assert_eq!(told(&world, acme, "policy.disallowed"), [named]);
}

#[test]
fn whoever_asks_again_and_again_for_what_they_may_not_makes_no_denial_of_others_forgotten() {
    let mut world = World::new(707);
    let acme = world.found("acme");
    let forbid = r#"forbid (principal is Person, action == Action::"read-trace", resource);"#;
    world.set_policy(acme, "unseen", forbid, false);
    let look = || {
        let vera = person("vera", Role::Viewer);
        Request::By(vera, Box::new(Request::May(Action::ReadTrace)))
    };
    let mut reference = || match world.ask_and_wait(acme, look()) {
        Response::Refused(Refusal::Call(failure)) => failure.reference.expect("a reference"),
        other => panic!("{other:?}"),
    };

    let first = reference();

    assert_eq!(reference(), first);
    assert_eq!(reference(), first);
}

#[test]
fn what_an_earlier_version_generated_means_realms_alone_after_a_restart_and_nothing_else_changes() {
    let mut world = World::new(708);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(acme, lab);
    let texts = |world: &World| -> Vec<(String, String)> {
        let all = world.hosts[acme.0].node().policies();
        all.map(|(id, cedar, ..)| (id.to_owned(), cedar.to_owned()))
            .collect()
    };
    let today = texts(&world);
    let own = r#"permit (principal in Realm::"x", action == Action::"bid", resource);"#;
    world.set_policy(acme, "mine", own, false);
    for (id, cedar) in &today {
        let before = cedar.replace("principal is Realm in ", "principal in ");
        assert_ne!(before, *cedar, "{id}");
        world.set_policy(acme, id, &before, id.starts_with("subtree."));
    }

    world.crash_for(acme, 500);
    world.run_for(1_000);

    let mut expected = today;
    expected.push(("mine".to_owned(), own.to_owned()));
    expected.sort();
    assert_eq!(texts(&world), expected);
}
