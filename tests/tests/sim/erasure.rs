//! Content of runs that is erased, and what still stands afterwards.

use realm_evidence::{Finding, examine, examine_witnessed};
use realm_node::{
    EraseAsked, PromptAsked, PromptChange, Refusal, Request, Response, ScoreGiven, ScoreKind,
    answers_for,
};
use realm_protocol::{
    Digest, FailureCode, RunId,
    audit::AuditDetails,
    broadcast::{Selection, Strategy},
    cbor,
    journal::{Status, Table},
};
use realm_tests::{HostId, Loops, Tree, World, audit, invariants};
use serde_json::json;

use crate::market::{asked, reach, rule};

/// A root and its peer, which serves it.
fn cast(seed: u64) -> (World, HostId, HostId) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    world.apply(lab, &[Loops::once("pay", 1), Loops::once("slow", 60_000)]);
    world.run_for(1_000);
    (world, acme, lab)
}

/// What the daemon asks its node for.
fn erase(world: &mut World, host: HostId, id: RunId) -> Response {
    let disk = &world.hosts[host.0].disk;
    let keys = disk.keys(Table::Keys).map(<[u8]>::to_vec);
    let rows = keys.filter_map(|key| {
        let value = disk.look(Table::Keys, &key)?;
        answers_for(&value, id).then_some((key, value))
    });
    let asked = EraseAsked {
        keys: rows.collect(),
        run: disk.runs[&id].clone(),
        by: "ada".to_owned(),
        why: Some("the patient asked".to_owned()),
        dry_run: false,
    };
    world.ask_and_wait(host, Request::Erase(Box::new(asked)))
}

fn export(world: &World, host: HostId) -> Vec<u8> {
    let host = &world.hosts[host.0];
    audit::export(host.node(), &host.disk, (None, None), |_, _| true)
}

#[test]
fn erased_content_is_nowhere_on_the_disk_and_the_log_and_the_receipts_still_prove_what_was_done() {
    let (mut world, acme, lab) = cast(1);
    let canary = "canary-of-the-patient";
    let input = json!({"secret": canary});
    let mut invoke = match World::invoke("pay@lab", input.clone()) {
        Request::Invoke(invoke) => invoke,
        other => panic!("{other:?}"),
    };
    invoke.key = Some("once".to_owned());
    let call = world.ask_and_wait(acme, Request::Invoke(invoke.clone()));
    assert!(matches!(call, Response::Invoked(_)), "{call:?}");
    world.call(acme, "pay@lab", json!({"other": 1}));
    world.run_for(1_000);
    let holds = |world: &World| {
        let bytes = world.hosts[lab.0].disk.bytes();
        bytes
            .windows(canary.len())
            .any(|at| at == canary.as_bytes())
    };
    assert!(holds(&world));
    let before = export(&world, lab);
    let runs = world.hosts[lab.0].disk.runs.values();
    let ours = |run: &&realm_protocol::journal::Run| {
        run.input
            .as_ref()
            .is_some_and(|input| input.windows(6).any(|at| at == b"canary"))
    };
    let run = runs.clone().find(ours).expect("it was served").clone();

    let done = erase(&mut world, lab, run.id);
    assert!(matches!(done, Response::Done), "{done:?}");
    world.run_for(1_000);

    assert!(!holds(&world), "neither run, trace nor answer holds it");
    let left = &world.hosts[lab.0].disk.runs[&run.id];
    let erased = left.erased.as_ref().expect("it says so");
    assert_eq!(
        (erased.by.as_str(), left.status),
        ("ada", Status::Completed)
    );
    // The log says what went, and what was exported before is its beginning.
    let rows = &world.hosts[lab.0].disk.audit;
    let entries = audit::entries(&world.hosts[lab.0].disk);
    let at = entries
        .iter()
        .position(|entry| entry.action == "content.erased");
    let at = at.expect("it is in the log");
    let details: AuditDetails = cbor::decode(rows[at].details.as_ref().unwrap()).unwrap();
    assert_eq!(
        details.input,
        run.input.as_deref().map(|input| Digest::of(&[input]))
    );
    assert_eq!(details.person.as_deref(), Some("ada"));
    let after = export(&world, lab);
    assert!(matches!(examine(&after), Ok(Finding::Audit(_))));
    assert!(matches!(
        examine_witnessed(&after, &before),
        Ok(Finding::Audit(_))
    ));
    // The key stays used: nothing is done twice.
    world.crash_for(lab, 500);
    world.run_for(5_000);
    let again = world.ask_and_wait(acme, Request::Invoke(invoke));
    let Response::Invoked(again) = again else {
        panic!("{again:?}");
    };
    let code = again.result.map_err(|failure| failure.code);
    assert_eq!(code, Err(FailureCode::Expired));
    // Once more changes nothing.
    let done = erase(&mut world, lab, run.id);
    assert!(matches!(done, Response::Done), "{done:?}");
    let entries = audit::entries(&world.hosts[lab.0].disk);
    let erasures = entries
        .iter()
        .filter(|entry| entry.action == "content.erased");
    assert_eq!(erasures.count(), 1);
    invariants::check(&mut world);
}

#[test]
fn the_content_of_a_run_under_way_is_not_erased() {
    let (mut world, acme, lab) = cast(2);
    world.ask(acme, World::invoke("slow@lab", json!({})));
    world.run_for(2_000);
    let mut runs = world.hosts[lab.0].disk.runs.values();
    let run = runs
        .find(|run| run.status == Status::Running)
        .expect("it is under way")
        .id;

    let done = erase(&mut world, lab, run);

    let refused = matches!(done, Response::Refused(Refusal::UnderWay { .. }));
    assert!(refused, "{done:?}");
    assert_eq!(world.hosts[lab.0].disk.runs[&run].erased, None);
}

#[test]
fn why_somebody_scored_a_run_goes_with_its_content_and_the_score_stays() {
    let (mut world, acme, _) = cast(6);
    world.apply(acme, &[Loops::prompt("ask")]);
    let called = world.call(acme, "ask", json!({"question": "x"}));
    let canary = "it tells of the patient";
    let score = |run, why: &str| {
        Request::Prompt(PromptAsked {
            id: "ask".parse().unwrap(),
            what: PromptChange::Score(ScoreGiven {
                version: None,
                value: 500,
                kind: ScoreKind::Person,
                run: Some(run),
            }),
            by: "ada".to_owned(),
            why: Some(why.to_owned()),
        })
    };
    world.ask_and_wait(acme, score(called.run, canary));
    world.run_for(1_000);
    let holds = |world: &World| {
        let rows = world.hosts[acme.0].disk.rows(Table::Prompts);
        let mut holds = rows.map(|row| String::from_utf8_lossy(row).contains(canary));
        holds.any(|it| it)
    };
    assert!(holds(&world));

    let done = erase(&mut world, acme, called.run);

    assert!(matches!(done, Response::Done), "{done:?}");
    world.run_for(1_000);
    assert!(!holds(&world));
    let id = "ask".parse().unwrap();
    let versions = world.hosts[acme.0].node().prompt_versions(&id);
    assert_eq!(versions[0].means[0].count, 1);
}

#[test]
fn runs_that_are_parts_of_announced_work_say_of_which_run() {
    let mut world = World::new(7);
    let acme = world.found("acme");
    world.apply(
        acme,
        &["quote", "merge"].map(|id| Loops::idempotent(id, 10)),
    );
    let asks = json!({"ask": "quote", "within": "5s"});
    let offers = json!({"price": "EUR 0.01", "time": "1s", "confidence": 0.9});
    for (version, bid, expected) in [
        ("1.0.0", asks, &["quote:1.0.0"][..]),
        ("2.0.0", offers, &["see:2.0.0", "merge:1.0.0"]),
    ] {
        let mut see = Loops::idempotent("see", 10);
        (see["version"], see["bid"]) = (json!(version), bid);
        world.apply(acme, &[see]);
        let one = rule(Selection::Best, 1, 1);
        let mut work = asked("see", reach(1, 0, 0), one, Strategy::Loop);
        work.aggregator = Some("merge".parse().unwrap());
        let answer = world.ask_and_wait(acme, Request::Broadcast(Box::new(work)));
        let Response::Broadcasted(ended) = answer else {
            panic!("no broadcast: {answer:?}")
        };
        world.run_for(60_000);

        let entries = audit::entries(&world.hosts[acme.0].disk);
        let parts = entries.iter().filter(|it| it.parent == Some(ended.run));
        let parts: Vec<&str> = parts.filter_map(|it| it.subject.as_deref()).collect();
        assert_eq!(parts, expected);
    }
}
