//! What realms of other roots know of people: a pseudonym for each root, unless the owner says otherwise.

use std::collections::BTreeSet;

use realm_evidence::{Finding, examine};
use realm_node::{ForgetAsked, InvokeAsked, Pseudonym, Request};
use realm_protocol::{
    FailureCode, RunId,
    audit::AuditDetails,
    journal::{Direction, Status, Table},
    records::Role,
};
use realm_tests::{HostId, Loops, Tree as _, World, audit, invariants, receipts};
use serde_json::json;

use crate::{
    durable::bench::{Bench, call, composite},
    people::told,
};

/// A call that somebody makes by hand.
fn by(name: &str, address: &str, number: u64) -> Request {
    let Request::Invoke(asked) = World::invoke(address, json!({"n": number})) else {
        unreachable!("a call")
    };
    Request::Invoke(InvokeAsked {
        caller: Some(name.to_owned()),
        ..asked
    })
}

fn calls(world: &mut World, host: HostId, name: &str, address: &str) {
    let number = world.random(1 << 32);
    let answer = world.ask_and_wait(host, by(name, address, number));
    let realm_node::Response::Invoked(done) = answer else {
        panic!("{answer:?}")
    };
    assert!(done.result.is_ok(), "{:?}", done.result);
    // What the callee writes of it gets to its disk.
    world.run_for(1_000);
}

/// Who has called a realm, by what it knows, in order.
fn heard(world: &World, host: HostId) -> Vec<String> {
    let told = told(world, host, "call.served").into_iter();
    told.map(|(person, _)| person).collect()
}

fn all_of(world: &World, host: HostId, name: &str) -> Vec<Pseudonym> {
    world.hosts[host.0].node().pseudonyms().of(name)
}

fn approves(bench: &mut Bench, name: &str) {
    let waiting = bench.world.approvals(bench.acme);
    let id = waiting.first().expect("a call that waits").id;
    let said = bench
        .world
        .decide(bench.acme, id, (name, Role::Approver), true);
    assert!(matches!(said, realm_node::Response::Done), "{said:?}");
}

#[test]
fn two_partners_know_somebody_by_two_pseudonyms_and_each_always_by_the_same_one() {
    let mut world = World::new(5_800);
    let [acme, lab, clinic] = ["acme", "lab", "clinic"].map(|name| world.found(name));
    let genomics = world.child(lab, "genomics");
    let (ann, bob) = (world.canary(&[acme]), world.canary(&[acme]));
    for host in [lab, clinic] {
        world.peer(acme, host);
        world.allow(host, "acme", "*");
    }
    world.run_for(1_000);
    world.allow(genomics, "acme", "*");
    world.run_for(1_000);

    calls(&mut world, acme, &ann, "echo@lab");
    calls(&mut world, acme, &bob, "echo@lab");
    calls(&mut world, acme, &ann, "echo@clinic");
    calls(&mut world, acme, &ann, "echo@lab/genomics");
    world.crash(acme);
    world.start(acme);
    world.run_for(5_000);
    calls(&mut world, acme, &ann, "echo@lab");

    let [one, other, again] = heard(&world, lab).try_into().unwrap();
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert_eq!(heard(&world, genomics), [one.as_str()]);
    let [elsewhere] = heard(&world, clinic).try_into().unwrap();
    assert!(elsewhere != one && elsewhere != other);
    // Whose they are, their own realm alone can say.
    for (pseudonym, whose) in [(&one, &ann), (&other, &bob), (&elsewhere, &ann)] {
        assert!(pseudonym.starts_with("person-"), "{pseudonym}");
        let [found] = all_of(&world, acme, pseudonym).try_into().unwrap();
        assert_eq!(&found.name, whose);
        assert!(all_of(&world, lab, pseudonym).is_empty());
    }
    let known = all_of(&world, acme, &ann).into_iter();
    let known: BTreeSet<String> = known.map(|it| it.pseudonym).collect();
    assert_eq!(known, [one, elsewhere].into());
    invariants::check(&mut world);
}

#[test]
fn nobody_hears_a_pseudonym_before_its_row_is_on_the_disk_however_many_calls_name_it() {
    let mut world = World::new(5_807);
    let [acme, lab] = ["acme", "lab"].map(|name| world.found(name));
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    world.run_for(1_000);
    calls(&mut world, acme, "bob", "echo@lab");

    world.hosts[acme.0].slow_ms = 60_000;
    for number in [1, 2] {
        world.ask(acme, by("ann", "echo@lab", number));
    }
    world.run_for(500);
    world.crash(acme);
    world.hosts[acme.0].slow_ms = 0;
    world.start(acme);
    world.run_for(5_000);
    calls(&mut world, acme, "ann", "echo@lab");

    let heard: BTreeSet<String> = heard(&world, lab).into_iter().collect();
    assert_eq!(heard.len(), 2, "bob and ann: {heard:?}");
    for pseudonym in heard {
        assert_eq!(all_of(&world, acme, &pseudonym).len(), 1);
    }
    invariants::check(&mut world);
}

#[test]
fn people_have_their_names_below_their_own_root_and_where_the_owner_says_so() {
    let mut world = World::new(5_801);
    let [acme, lab, clinic] = ["acme", "lab", "clinic"].map(|name| world.found(name));
    let health = world.child(acme, "health");
    for host in [lab, clinic] {
        world.peer(acme, host);
        world.allow(host, "acme", "*");
    }
    world.run_for(1_000);
    world.allow(health, "acme", "*");
    world.run_for(1_000);
    let now = world.now(acme);
    let told = BTreeSet::from(["lab".parse().unwrap(), "nobody".parse().unwrap()]);
    let node = world.hosts[acme.0].node.as_mut().unwrap();
    node.handle(realm_node::Input::HearNames(told), now);

    for address in ["echo@lab", "echo@clinic", "echo@acme/health"] {
        calls(&mut world, acme, "ann@ldap", address);
    }

    assert_eq!(heard(&world, lab), ["ann@ldap"]);
    assert_eq!(heard(&world, health), ["ann@ldap"]);
    assert_ne!(heard(&world, clinic), ["ann@ldap"]);
    assert_eq!(all_of(&world, acme, "ann@ldap").len(), 1);
    invariants::check(&mut world);
}

#[test]
fn approvals_of_one_person_count_once_elsewhere_and_those_of_two_twice() {
    let mut bench = Bench::new(5_802);
    let (acme, lab) = (bench.acme, bench.lab);
    let names = [(); 3].map(|()| bench.world.canary(&[acme]));
    let [ann, bob, eve] = &names;
    bench.world.apply(lab, &[Loops::once("spend", 100)]);
    let cedar = r#"forbid (principal, action == Action::"invoke", resource)
        unless { context.approved >= 2 };"#;
    bench.world.set_policy(lab, "four-eyes", cedar, false);

    for (people, version, ends) in [
        (&[ann][..], "1.0.0", Status::Failed),
        (&[ann, bob][..], "2.0.0", Status::Completed),
    ] {
        let mut step = call("spend@lab", "there");
        step["approval"] = json!({"forward": true, "count": people.len()});
        let mut main = composite("main", json!([step]));
        main["version"] = json!(version);
        bench.world.apply(acme, &[main]);
        let run = bench.begin_as((eve, Role::Operator), json!({"n": version}), 5_000);
        for person in people {
            approves(&mut bench, person);
        }
        bench.world.run_for(5_000);
        assert_eq!(bench.status(run), ends, "{:?}", bench.error(run));
    }

    // It names who has asked and who has approved in one way, and so can tell them apart.
    let [asked] = heard(&bench.world, lab).try_into().unwrap();
    let events = bench.world.hosts[lab.0].disk.events.values();
    let told = events.filter(|event| event.kind == "approval.received");
    let told = told.map(|event| serde_json::from_slice(&event.payload).unwrap());
    let [told]: [serde_json::Value; 1] = told.collect::<Vec<_>>().try_into().unwrap();
    let approved: Vec<String> = serde_json::from_value(told["people"].clone()).unwrap();
    assert!(approved.len() == 2 && !approved.contains(&asked), "{told}");
    for (pseudonym, among) in approved.iter().zip([[ann, bob]; 2]) {
        let [found] = all_of(&bench.world, acme, pseudonym).try_into().unwrap();
        assert!(among.contains(&&found.name));
    }
    invariants::check(&mut bench.world);
}

#[test]
fn whoever_denies_a_call_of_another_realm_is_named_to_nobody_there() {
    let mut bench = Bench::new(5_803);
    let (acme, lab) = (bench.acme, bench.lab);
    let ann = bench.world.canary(&[lab]);
    let mut pay = Loops::once("pay", 100);
    pay["approval"] = json!({"role": "approver"});
    bench.world.apply(lab, &[pay]);
    bench.world.run_for(1_000);

    let asked = bench.world.ask(acme, World::invoke("pay@lab", json!({})));
    bench.world.run_for(1_000);
    let id = bench.world.approvals(lab)[0].id;
    bench.world.decide(lab, id, (&ann, Role::Approver), false);

    let realm_node::Response::Invoked(done) = bench.world.wait_for(acme, asked) else {
        panic!("no end")
    };
    let failure = done.result.unwrap_err();
    assert_eq!(failure.code, FailureCode::Denied);
    assert!(
        failure.message.contains("denied by a person: as agreed"),
        "{failure:?}"
    );
    // Its own realm knows.
    let denied = told(&bench.world, lab, "approval.denied");
    assert_eq!(denied, [(ann, "pay".to_owned())]);
    invariants::check(&mut bench.world);
}

#[test]
fn receipts_and_logs_of_both_sides_verify_and_match_whatever_people_are_called() {
    let mut world = World::new(5_804);
    let [acme, lab] = ["acme", "lab"].map(|name| world.found(name));
    let ann = world.canary(&[acme]);
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    world.run_for(1_000);
    world.apply(lab, &[Loops::once("pay", 10)]);
    calls(&mut world, acme, &ann, "pay@lab");
    calls(&mut world, acme, &ann, "pay@lab");
    world.run_for(1_000);

    let kept = |host: HostId| receipts::kept(&world.hosts[host.0].disk);
    assert_eq!(kept(acme).len(), 2);
    assert_eq!(kept(acme), kept(lab));
    let pseudonym = heard(&world, lab).remove(0);
    for (host, name) in [(acme, &ann), (lab, &pseudonym)] {
        let host = &world.hosts[host.0];
        let theirs = |details: Option<&AuditDetails>| {
            details.is_some_and(|it| it.person.as_ref() == Some(name))
        };
        let file = audit::export(host.node(), &host.disk, (None, None), |_, it| theirs(it));
        let Ok(Finding::Audit(part)) = examine(&file) else {
            panic!("the part of the log does not verify")
        };
        assert_eq!(part.shown, 2, "{}", host.name);
    }
    invariants::check(&mut world);
}

#[test]
fn what_is_erased_leads_back_to_nobody_and_whoever_comes_again_is_somebody_else() {
    let mut world = World::new(5_805);
    let [acme, lab] = ["acme", "lab"].map(|name| world.found(name));
    world.peer(acme, lab);
    world.allow(lab, "acme", "*");
    world.run_for(1_000);
    calls(&mut world, acme, "ann", "echo@lab");
    calls(&mut world, acme, "bob", "echo@lab");
    let [ann, bob] = heard(&world, lab).try_into().unwrap();

    let asked = ForgetAsked {
        name: "ann".to_owned(),
        by: "ada".to_owned(),
        why: Some("she asked".to_owned()),
    };
    for _ in 0..2 {
        world.ask_and_wait(acme, Request::ForgetPseudonyms(asked.clone()));
    }

    assert!(all_of(&world, acme, &ann).is_empty());
    assert_eq!(all_of(&world, acme, &bob).len(), 1);
    world.crash(acme);
    world.start(acme);
    world.run_for(5_000);
    assert!(all_of(&world, acme, &ann).is_empty());
    assert_eq!(world.hosts[acme.0].disk.rows(Table::Pseudonyms).count(), 1);
    calls(&mut world, acme, "ann", "echo@lab");
    calls(&mut world, acme, "bob", "echo@lab");
    let [_, _, other, same] = heard(&world, lab).try_into().unwrap();
    assert_ne!(other, ann);
    assert_eq!(same, bob);
    let logged = audit::entries(&world.hosts[acme.0].disk);
    let logged = logged
        .iter()
        .filter(|it| it.action == "pseudonyms.forgotten");
    assert_eq!(logged.count(), 1);
    invariants::check(&mut world);
}

#[test]
fn steps_of_a_run_name_whoever_began_it_and_no_realm_names_people_of_others() {
    let mut bench = Bench::new(5_806);
    let (acme, lab) = (bench.acme, bench.lab);
    let clinic = bench.world.found("clinic");
    bench.world.peer(lab, clinic);
    bench.world.allow(clinic, "lab", "*");
    bench.world.run_for(1_000);
    bench.world.apply(clinic, &[Loops::once("spend", 10)]);
    let mut ask = composite("ask", json!([call("spend@clinic", "there")]));
    ask["id"] = json!("ask");
    bench.world.apply(lab, &[ask]);
    let main = composite("main", json!([call("ask@lab", "first")]));
    bench.world.apply(acme, &[main]);

    let run = bench.begin_as(("ann", Role::Operator), json!({"n": 1}), 5_000);

    assert_eq!(
        bench.status(run),
        Status::Completed,
        "{:?}",
        bench.error(run)
    );
    let [pseudonym] = heard(&bench.world, lab).try_into().unwrap();
    assert_eq!(all_of(&bench.world, acme, &pseudonym)[0].name, "ann");
    assert!(heard(&bench.world, clinic).is_empty());
    let out = bench.world.hosts[acme.0].disk.runs.values();
    let made: Vec<RunId> = out
        .filter(|it| it.direction == Direction::Local)
        .map(|it| it.id)
        .collect();
    assert_eq!(made, [run]);
    assert_eq!(told(&bench.world, acme, "call.made").len(), 1);
    invariants::check(&mut bench.world);
}
