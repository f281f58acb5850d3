//! Prompts as sources: versions that are kept, promoted, rolled back, shared out and scored.

use std::str::FromStr;

use realm_node::{
    ApplyAsked, InvokeAsked, LoopAction, PromptAsked, PromptChange, PromptVersion, Refusal,
    Request, Response, ScoreGiven, ScoreKind,
};
use realm_protocol::LoopId;
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

/// A version of the prompt; its number stands in what it says.
fn ask(version: &str) -> Value {
    json!({
        "id": "ask", "version": version, "kind": "prompt",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "prompt": {"template": format!("version {version}"), "variables": []},
    })
}

fn id() -> LoopId {
    "ask".parse().expect("an id")
}

fn stage(world: &mut World, host: HostId, document: &Value) -> Vec<LoopAction> {
    let asked = ApplyAsked {
        manifests: vec![realm_executor::Manifest::from_json(document).expect("a manifest")],
        dry_run: false,
        force: false,
        prune: false,
        stage: true,
        by: "ann".to_owned(),
        why: Some("to try".to_owned()),
    };
    match world.ask_and_wait(host, Request::Apply(asked)) {
        Response::Applied(reports) => reports.iter().map(|report| report.action).collect(),
        other => panic!("{other:?}"),
    }
}

fn change(world: &mut World, host: HostId, what: PromptChange) -> Response {
    let asked = PromptAsked {
        id: id(),
        what,
        by: "ann".to_owned(),
        why: Some("it reads better".to_owned()),
    };
    world.ask_and_wait(host, Request::Prompt(asked))
}

/// What the version said that was called.
fn said(world: &mut World, host: HostId, address: &str) -> String {
    match world.ask_and_wait(host, World::invoke(address, json!({}))) {
        Response::Invoked(done) => {
            let output = done.result.unwrap_or_else(|error| panic!("{error:?}"));
            output["text"].as_str().expect("a text").to_owned()
        }
        other => panic!("{other:?}"),
    }
}

fn versions(world: &World, host: HostId) -> Vec<PromptVersion> {
    let node = world.hosts[host.0].node.as_ref().expect("it runs");
    node.prompt_versions(&id())
}

fn version<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a version")
}

#[test]
fn a_version_is_called_once_it_is_promoted_and_no_longer_once_that_is_rolled_back() {
    let mut world = World::new(1);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    world.apply(lab, &[ask("1.0.0")]);

    assert_eq!(stage(&mut world, lab, &ask("1.1.0")), [LoopAction::Staged]);
    assert_eq!(said(&mut world, acme, "ask@lab"), "version 1.0.0");

    // What runs keeps the version that it began with.
    let under_way = world.ask(lab, World::invoke("ask", json!({})));
    change(&mut world, lab, PromptChange::Promote(version("1.1.0")));
    match world.wait_for(lab, under_way) {
        Response::Invoked(done) => assert_eq!(done.version.as_deref(), Some("1.0.0")),
        other => panic!("{other:?}"),
    }
    assert_eq!(said(&mut world, acme, "ask@lab"), "version 1.1.0");

    world.crash_for(lab, 100);
    world.run_for(5_000);
    assert_eq!(said(&mut world, acme, "ask@lab"), "version 1.1.0");
    change(&mut world, lab, PromptChange::Rollback);
    assert_eq!(said(&mut world, acme, "ask@lab"), "version 1.0.0");

    let node = world.hosts[lab.0].node.as_ref().expect("it runs");
    let history: Vec<_> = node.loop_history(&id()).collect();
    let actions: Vec<LoopAction> = history.iter().map(|change| change.action).collect();
    let expected = [
        LoopAction::Created,
        LoopAction::Staged,
        LoopAction::Promoted,
        LoopAction::RolledBack,
    ];
    assert_eq!(actions, expected);
    assert_eq!(history[2].why.as_deref(), Some("it reads better"));
    invariants::check(&mut world);
}

#[test]
fn versions_share_calls_by_weight_also_after_a_crash_until_one_is_applied() {
    let mut world = World::new(2);
    let acme = world.found("acme");
    world.apply(acme, &[ask("1.0.0")]);
    stage(&mut world, acme, &ask("1.1.0"));
    let weights = vec![(version("1.0.0"), 3), (version("1.1.0"), 1)];

    change(&mut world, acme, PromptChange::Share(weights));
    world.crash_for(acme, 100);
    world.run_for(1_000);
    let calls = 400;
    let newer = (0..calls).filter(|_| said(&mut world, acme, "ask") == "version 1.1.0");
    let newer = newer.count();

    assert!((60..=140).contains(&newer), "{newer} of {calls}");
    // Who names a version gets that one.
    let Request::Invoke(asked) = World::invoke("ask", json!({})) else {
        unreachable!("a call");
    };
    let named = InvokeAsked {
        version: Some("1.0.0".to_owned()),
        ..asked
    };
    match world.ask_and_wait(acme, Request::Invoke(named)) {
        Response::Invoked(done) => assert_eq!(done.version.as_deref(), Some("1.0.0")),
        other => panic!("{other:?}"),
    }
    world.apply(acme, &[ask("1.2.0")]);
    assert!((0..20).all(|_| said(&mut world, acme, "ask") == "version 1.2.0"));
    invariants::check(&mut world);
}

#[test]
fn versions_of_other_contracts_share_nothing_and_unknown_ones_are_not_promoted() {
    let mut world = World::new(3);
    let acme = world.found("acme");
    world.apply(acme, &[ask("1.0.0")]);
    let mut other = ask("2.0.0");
    other["outputSchema"] = json!({"type": "object"});
    stage(&mut world, acme, &other);

    for (what, expected) in [
        (
            PromptChange::Share(vec![(version("1.0.0"), 1), (version("2.0.0"), 1)]),
            "contract",
        ),
        (PromptChange::Share(Vec::new()), "1 to 8"),
        (PromptChange::Promote(version("3.0.0")), "there is no"),
        (PromptChange::Rollback, "there is no"),
    ] {
        match change(&mut world, acme, what) {
            Response::Refused(refusal @ (Refusal::Shares(_) | Refusal::NotFound { .. })) => {
                let told = refusal.to_string();
                assert!(told.contains(expected), "{told}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(said(&mut world, acme, "ask"), "version 1.0.0");
    invariants::check(&mut world);
}

#[test]
fn scores_are_kept_with_the_version_and_their_means_by_kind_with_them() {
    let mut world = World::new(4);
    let acme = world.found("acme");
    world.apply(acme, &[ask("1.0.0")]);
    stage(&mut world, acme, &ask("1.1.0"));
    for (of, value) in [("1.0.0", 500), ("1.0.0", 1_000), ("1.1.0", 250)] {
        let given = ScoreGiven {
            version: Some(version(of)),
            value,
            kind: ScoreKind::Evaluation,
            run: None,
        };
        change(&mut world, acme, PromptChange::Score(given));
    }
    for value in 0..100 {
        let given = ScoreGiven {
            version: Some(version("1.1.0")),
            value: value % 2 * 1_000,
            kind: ScoreKind::Person,
            run: None,
        };
        change(&mut world, acme, PromptChange::Score(given));
    }

    world.crash_for(acme, 100);
    world.run_for(1_000);

    let versions = versions(&world, acme);
    let (person, evaluation) = (ScoreKind::Person, ScoreKind::Evaluation);
    let means = |at: usize| -> Vec<_> {
        let means = versions[at].means.iter();
        means.map(|it| (it.kind, it.count, it.mean)).collect()
    };
    assert_eq!(means(0), [(person, 100, 500), (evaluation, 1, 250)]);
    assert_eq!(means(1), [(evaluation, 2, 750)]);
    assert_eq!(versions[0].scores.len(), 16);
    invariants::check(&mut world);
}

#[test]
fn the_best_by_one_kind_of_scores_is_promoted_whatever_others_say() {
    let mut world = World::new(5);
    let acme = world.found("acme");
    world.apply(acme, &[ask("1.0.0")]);
    stage(&mut world, acme, &ask("1.1.0"));
    stage(&mut world, acme, &ask("1.2.0"));
    for (of, kind, value) in [
        ("1.0.0", ScoreKind::Person, 1_000),
        ("1.0.0", ScoreKind::Evaluation, 100),
        ("1.1.0", ScoreKind::Person, 0),
        ("1.1.0", ScoreKind::Evaluation, 900),
        ("1.2.0", ScoreKind::Evaluation, 900),
    ] {
        let given = ScoreGiven {
            version: Some(version(of)),
            value,
            kind,
            run: None,
        };
        change(&mut world, acme, PromptChange::Score(given));
    }

    for (kind, best) in [
        (ScoreKind::Evaluation, "version 1.2.0"),
        (ScoreKind::Person, "version 1.0.0"),
    ] {
        change(&mut world, acme, PromptChange::PromoteBest(kind));
        assert_eq!(said(&mut world, acme, "ask"), best);
    }
    change(&mut world, acme, PromptChange::Promote(version("1.1.0")));
    // Of equals the current one stays.
    change(
        &mut world,
        acme,
        PromptChange::PromoteBest(ScoreKind::Evaluation),
    );
    assert_eq!(said(&mut world, acme, "ask"), "version 1.1.0");
    let none = change(
        &mut world,
        acme,
        PromptChange::PromoteBest(ScoreKind::Outcome),
    );
    let Response::Refused(refusal) = none else {
        panic!("{none:?}")
    };
    let text = refusal.to_string();
    assert!(
        text.contains("ask that has a score of kind outcome"),
        "{text}"
    );
    invariants::check(&mut world);
}

/// A call whose prompts ask the office.
fn at_the_office(address: &str) -> Request {
    let Request::Invoke(asked) = World::invoke_within(address, json!({"n": 1}), 60_000) else {
        unreachable!("a call");
    };
    Request::Invoke(InvokeAsked {
        backend: "office:small".parse().ok(),
        detach: true,
        ..asked
    })
}

#[test]
fn every_prompt_of_a_run_asks_the_backend_that_its_caller_names_also_after_a_crash() {
    let mut world = World::new(5);
    let acme = world.found("acme");
    let mut both = Loops::composite("both", &[]);
    both["outputSchema"] = json!({});
    both["composite"] = json!({"steps": [
        {"loopId": "ask"}, {"loopId": "look", "inputMapping": {"n": "$.input.n"}}, {"loopId": "ask", "inputMapping": {"n": "$.input.n"}},
    ]});
    world.apply(
        acme,
        &[ask("1.0.0"), Loops::idempotent("look", 5_000), both],
    );
    world.ask(acme, at_the_office("both"));
    world.run_for(2_000);
    world.crash_for(acme, 1_000);
    world.run_for(20_000);

    let runs = world.hosts[acme.0].disk.runs.values();
    let run = runs.max_by_key(|run| run.started).unwrap();
    let output: Value = serde_json::from_slice(run.output.as_deref().unwrap()).unwrap();
    assert_eq!(output, json!({"text": "so"}), "what the office says");
    let events = world.hosts[acme.0].disk.events.values();
    let requested = events.filter(|event| event.kind == "call.backend.requested");
    let asked = requested.map(|event| serde_json::from_slice::<Value>(&event.payload).unwrap());
    for payload in asked {
        assert_eq!(payload["backendId"], "office");
        assert_eq!(payload["model"], "small");
    }
    assert_ne!(
        said(&mut world, acme, "ask"),
        "so",
        "other runs ask their own"
    );
    invariants::check(&mut world);
}

#[test]
fn nobody_says_what_backend_another_realm_asks() {
    let mut world = World::new(6);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    world.apply(lab, &[ask("1.0.0")]);
    world.run_for(1_000);
    match world.ask_and_wait(acme, at_the_office("ask@lab")) {
        Response::Refused(refusal) => assert!(refusal.to_string().contains("owner's to say")),
        other => panic!("{other:?}"),
    }
}
