//! Loops in their versions: which one runs, what is remembered of the others, and what needs them.

use realm_executor::{Manifest, Verdict};
use realm_node::{ApplyAsked, InvokeAsked, LoopAction, Refusal, RemoveAsked, Request, Response};
use realm_protocol::FailureCode;
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

fn version(document: &Value, version: &str) -> Value {
    let mut document = document.clone();
    document["version"] = version.into();
    document
}

fn asked(loops: &[Value]) -> ApplyAsked {
    let read = |document| Manifest::from_json(document).unwrap();
    ApplyAsked {
        manifests: loops.iter().map(read).collect(),
        dry_run: false,
        force: false,
        prune: false,
        stage: false,
        by: "ada".to_owned(),
        why: None,
    }
}

fn actions(response: &Response) -> Vec<(&str, LoopAction)> {
    match response {
        Response::Applied(reports) => reports
            .iter()
            .map(|report| (report.id.as_str(), report.action))
            .collect(),
        other => panic!("not applied: {other:?}"),
    }
}

#[test]
fn loops_that_would_call_each_other_in_a_circle_are_refused_here_too() {
    let mut world = World::new(70);
    let acme = world.found("acme");
    let circle = [
        Loops::composite("a", &["b"]),
        Loops::composite("b", &["c"]),
        Loops::composite("c", &["b"]),
    ];
    let mut forced = asked(&circle);
    forced.force = true;

    let response = world.ask_and_wait(acme, Request::Apply(forced));

    let Response::Refused(Refusal::Loops(problems)) = response else {
        panic!("not refused: {response:?}");
    };
    let said = "a: loops call each other in a circle: b → c → b";
    assert_eq!(problems, [said]);
    let known = world.hosts[acme.0]
        .node()
        .registry()
        .get(&"a".parse().unwrap());
    assert!(known.is_none(), "nothing of it is applied");
}

fn remove(id: &str, version: Option<&str>, force: bool) -> Request {
    Request::RemoveLoop(RemoveAsked {
        id: id.parse().unwrap(),
        version: version.map(|version| version.parse().unwrap()),
        force,
        by: "bob".to_owned(),
    })
}

/// The version that ran.
fn ran(world: &mut World, from: HostId, address: &str, version: Option<&str>) -> Option<String> {
    let Request::Invoke(invoke) = World::invoke(address, json!({"n": 1})) else {
        panic!("not an invocation");
    };
    let version = version.map(str::to_owned);
    let invoke = Request::Invoke(InvokeAsked { version, ..invoke });
    match world.ask_and_wait(from, invoke) {
        Response::Invoked(invocation) => invocation.result.ok().and(invocation.version),
        other => panic!("{other:?}"),
    }
}

fn history(world: &World, host: HostId, id: &str) -> Vec<(String, &'static str, String)> {
    let node = world.hosts[host.0].node();
    let changes = node.loop_history(&id.parse().unwrap());
    changes
        .map(|change| {
            let by = change.by.clone();
            (by, change.action.name(), change.version.to_string())
        })
        .collect()
}

#[test]
fn earlier_versions_serve_whoever_asks_for_them_also_after_a_restart() {
    let mut world = World::new(900);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let pay = Loops::idempotent("pay", 10);
    for number in ["1.0.0", "1.1.0", "2.0.0"] {
        world.apply(acme, &[version(&pay, number)]);
    }
    world.run_for(1_000);

    for restarted in [false, true] {
        if restarted {
            world.crash_for(acme, 1_000);
            world.run_for(10_000);
        }
        let mut ran = |from, wanted| ran(&mut world, from, "pay@acme", wanted);
        assert_eq!(ran(health, None).as_deref(), Some("2.0.0"));
        assert_eq!(ran(health, Some("^1")).as_deref(), Some("1.1.0"));
        assert_eq!(ran(acme, Some("1.0.0")).as_deref(), Some("1.0.0"));
        assert_eq!(ran(health, Some("^3")), None);
    }
    invariants::check(&mut world);
}

#[test]
fn what_was_changed_by_whom_is_remembered_with_every_revision() {
    let mut world = World::new(901);
    let acme = world.found("acme");
    let pay = Loops::once("pay", 10);
    let mut described = pay.clone();
    described["description"] = "Pays.".into();
    let first = Manifest::from_json(&pay).unwrap().digest();

    for document in [&pay, &pay, &described, &version(&pay, "2.0.0")] {
        let request = Request::Apply(asked(std::slice::from_ref(document)));
        world.ask_and_wait(acme, request);
    }
    world.ask_and_wait(acme, remove("pay", None, false));
    world.crash_for(acme, 1_000);
    world.run_for(5_000);

    let told = |by: &str, action, version: &str| (by.to_owned(), action, version.to_owned());
    let old = pay["version"].as_str().unwrap();
    assert_eq!(
        history(&world, acme, "pay"),
        [
            told("ada", "created", old),
            told("ada", "changed", old),
            told("ada", "updated", "2.0.0"),
            told("bob", "removed", "2.0.0"),
        ]
    );
    let node = world.hosts[acme.0].node();
    assert!(node.registry().get(&"pay".parse().unwrap()).is_none());
    let kept = node.registry().by_digest(&first).unwrap();
    assert_eq!(kept.manifest.to_json(), pay);
    assert_eq!(ran(&mut world, acme, "pay@acme", None), None);
}

#[test]
fn what_another_loop_needs_goes_only_by_force() {
    let mut world = World::new(902);
    let acme = world.found("acme");
    let pay = Loops::idempotent("pay", 10);
    let mut shop = Loops::composite("shop", &["pay"]);
    shop["composite"]["steps"][0]["loopVersion"] = "^1".into();
    world.apply(acme, &[version(&pay, "1.0.0")]);
    world.apply(acme, &[version(&pay, "2.0.0"), shop]);

    for request in [
        remove("pay", None, false),
        remove("pay", Some("1.0.0"), false),
        Request::Apply(ApplyAsked {
            prune: true,
            ..asked(&[version(&Loops::composite("shop", &["echo"]), "2.0.0")])
        }),
    ] {
        let pruning = matches!(request, Request::Apply(_));
        let response = world.ask_and_wait(acme, request);
        match response {
            Response::Refused(Refusal::Needed(needs)) => {
                assert!(!pruning);
                assert_eq!(needs[0].caller.as_str(), "shop");
            }
            other => {
                assert!(pruning);
                let expected = [("shop", LoopAction::Updated), ("pay", LoopAction::Removed)];
                assert_eq!(actions(&other), expected);
            }
        }
    }
    let current = world.ask_and_wait(acme, remove("shop", Some("2.0.0"), false));
    assert!(matches!(
        current,
        Response::Refused(Refusal::CurrentVersion { .. })
    ));
    assert!(matches!(
        world.ask_and_wait(acme, remove("shop", None, true)),
        Response::Done
    ));
}

#[test]
fn a_version_breaks_its_own_contract_only_by_force() {
    let mut world = World::new(903);
    let acme = world.found("acme");
    let mut pay = Loops::idempotent("pay", 10);
    pay["version"] = "1.2.0".into();
    let mut strict = pay.clone();
    strict["inputSchema"] = json!({"type": "object", "required": ["n"]});
    world.apply(acme, &[pay]);

    let refused = world.ask_and_wait(acme, Request::Apply(asked(&[strict.clone()])));
    let Response::Refused(Refusal::Breaks(reports)) = refused else {
        panic!("{refused:?}");
    };
    let replaces = reports[0].replaces.clone().unwrap();
    assert_eq!(replaces.advised, Some("2.0.0".parse().unwrap()));
    assert_eq!(
        replaces.change.differences[0].to_string(),
        "/inputSchema/properties/n: was optional, is required"
    );

    let next = world.ask_and_wait(acme, Request::Apply(asked(&[version(&strict, "2.0.0")])));
    assert_eq!(actions(&next), [("pay", LoopAction::Updated)]);
    let forced = ApplyAsked {
        force: true,
        ..asked(&[strict])
    };
    let forced = world.ask_and_wait(acme, Request::Apply(forced));
    assert_eq!(actions(&forced), [("pay", LoopAction::Changed)]);

    let node = world.hosts[acme.0].node();
    let id = "pay".parse().unwrap();
    let verdicts: Vec<_> = node
        .loop_history(&id)
        .map(|change| change.verdict)
        .collect();
    let breaking = Some(Verdict::Breaking);
    assert_eq!(verdicts, [None, breaking, breaking]);
}

#[test]
fn a_break_is_measured_by_the_line_whose_callers_get_the_new_version() {
    let mut world = World::new(904);
    let acme = world.found("acme");
    let pay = Loops::idempotent("pay", 10);
    let mut strict = pay.clone();
    strict["inputSchema"] = json!({"type": "object", "required": ["n"]});
    world.apply(acme, &[version(&pay, "1.0.0")]);
    world.apply(acme, &[version(&strict, "2.0.0")]);

    let patch = |document| Request::Apply(asked(&[version(document, "1.0.1")]));
    let Response::Applied(reports) = world.ask_and_wait(acme, patch(&strict)) else {
        panic!("not applied");
    };
    let replaces = reports[0].replaces.clone().unwrap();
    assert!(replaces.change.is_compatible(), "with 2.0.0");
    assert_eq!(replaces.advised, Some("2.0.0".parse().unwrap()));
}

#[test]
fn an_alias_leads_to_the_loop_only_where_the_loop_may_be_called() {
    let mut world = World::new(905);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(lab, acme);
    let mut pay = Loops::once("pay", 10);
    pay["aliases"] = json!(["charge"]);
    world.apply(acme, &[pay]);
    world.allow(acme, "lab", "charge");
    world.run_for(5_000);

    let mut code = |address| world.call(lab, address, json!({})).result.unwrap_err().code;
    assert_eq!(code("charge@acme"), FailureCode::LoopNotFound);
    assert_eq!(code("pay@acme"), FailureCode::Denied);

    world.allow(acme, "lab", "pay");
    let done = world.call(lab, "charge@acme", json!({"n": 1}));
    assert_eq!(done.result, Ok(json!({"done": {"n": 1}})));
    let runs = world.hosts[acme.0].disk.runs.values();
    let served: Vec<&str> = runs.map(|run| run.loop_id.as_str()).collect();
    assert_eq!(served, ["pay"]);
    invariants::check(&mut world);
}
