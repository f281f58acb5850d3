//! Awards that policy forbids once bids have come.

use realm_protocol::json;

use super::*;

#[test]
fn awards_that_all_fail_one_after_the_other_need_no_more_of_the_stack_than_one() {
    let mut world = World::new(75);
    let acme = world.found("acme");
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    let agents: Vec<Value> = (0..16)
        .map(|number| {
            let agent = Loops::idempotent(&format!("see-{number}"), 100);
            let mut agent = bids(agent, "EUR 0.02");
            agent["capabilities"] = json!(["image.label"]);
            agent
        })
        .collect();
    let mut slow = Loops::idempotent("slow", 100);
    slow["bid"] = json!({"ask": "quote", "within": "2s"});
    slow["capabilities"] = json!(["image.label"]);
    let crowd: Vec<HostId> = (0..16)
        .map(|number| world.child(acme, &format!("c{number}")))
        .collect();
    for child in &crowd[1..] {
        world.apply(*child, &agents);
    }
    world.apply(crowd[0], &[Loops::idempotent("quote", 2_000), slow]);
    world.run_for(1_000);
    let mut work = asked(
        "see",
        reach(1, 0, 0),
        rule(Selection::All, 240, 0),
        Strategy::CollectAll,
    );
    work.capabilities.insert("image.label".parse().unwrap());
    work.rule.max_bids = 1_000;

    let control = world.ask(acme, Request::Broadcast(Box::new(work)));
    world.run_for(1_000);
    let forbid = r#"forbid (principal, action == Action::"award", resource);"#;
    world.set_policy(acme, "no-awards", forbid, false);
    let ended = end_of(&mut world, acme, control);

    assert_eq!((ended.ending, ended.bids), ("TooFewResults", 240));
    assert!(said(&world, acme, &ended, "broadcast.answered", "answer").is_empty());
    let events = world.hosts[acme.0].disk.events.values();
    let denied = events.filter(|it| it.kind == "broadcast.denied");
    let payloads = denied.filter_map(|it| json::parse(&it.payload).ok());
    let slots: BTreeSet<Option<u64>> = payloads.map(|it| it["slot"].as_u64()).collect();
    assert_eq!(slots.len(), 240);
    let references = said(&world, acme, &ended, "broadcast.denied", "reference");
    let node = world.hosts[acme.0].node();
    assert!(references.iter().all(|it| node.denial(it).is_some()));
    invariants::check(&mut world);
}
