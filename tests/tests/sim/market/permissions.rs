//! Who may announce, bid for, and be awarded work.

use realm_node::{Person, Refusal};
use realm_protocol::{FailureCode, records::Role};

use super::*;

fn work() -> BroadcastAsked {
    asked(
        "see",
        reach(1, 1, 2),
        rule(Selection::Best, 1, 1),
        Strategy::Select,
    )
}

/// Two organisations, peered; one announces `see`, which the other's agent may be called for.
fn strangers(seed: u64) -> (World, HostId, HostId) {
    let mut world = World::new(seed);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    world.allow(lab, "acme", "see");
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    world.apply(lab, &[bids(Loops::idempotent("see", 100), "EUR 0.02")]);
    world.run_for(2_000);
    (world, acme, lab)
}

#[test]
fn who_may_call_a_loop_gets_its_bids_and_its_work_once_both_sides_permit_it() {
    let (mut world, acme, lab) = strangers(21);

    let unasked = broadcast(&mut world, acme, work());
    world.permit(lab, "acme", "bid", "see");
    let unawarded = broadcast(&mut world, acme, work());
    world.permit(acme, "lab", "award", "see");
    let done = broadcast(&mut world, acme, work());

    assert_eq!((unasked.ending, unasked.bids), ("TooFewBids", 0));
    assert!(said(&world, acme, &unasked, "broadcast.refused", "why").is_empty());
    assert_eq!((unawarded.ending, unawarded.bids), ("TooFewBids", 0));
    let why = said(&world, acme, &unawarded, "broadcast.refused", "why");
    assert_eq!(
        why,
        ["policy does not let the work be awarded to the bidder"]
    );
    let reference = said(&world, acme, &unawarded, "broadcast.refused", "reference");
    assert!(world.hosts[acme.0].node().denial(&reference[0]).is_some());
    output(&done);
    assert!(
        unawarded.duration_ms < 1_000,
        "nobody waits for the window because of a bid that does not count"
    );
    invariants::check(&mut world);
}

#[test]
fn a_realm_whose_policy_forbids_it_announces_nothing() {
    let (mut world, acme, _) = family(22, ["EUR 0.03", "EUR 0.02"]);
    let forbid = r#"forbid (principal, action == Action::"announce", resource);"#;
    world.set_policy(acme, "quiet", forbid, false);

    let answer = world.ask_and_wait(acme, Request::Broadcast(Box::new(work())));

    let Response::Refused(Refusal::Call(failure)) = answer else {
        panic!("announced: {answer:?}")
    };
    assert_eq!(failure.code, FailureCode::Denied);
    let reference = failure.reference.expect("a reference");
    assert!(world.hosts[acme.0].node().denial(&reference).is_some());
    invariants::check(&mut world);
}

/// A family whose slow left agent keeps the bidding open for some time.
fn slow_family(seed: u64) -> (World, HostId, [HostId; 2]) {
    let (mut world, acme, children) = family(seed, ["EUR 0.03", "EUR 0.02"]);
    let quote = json!({
        "id": "quote", "version": "1.0.0", "kind": "tool", "effects": "idempotent",
        "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
        "tool": {"implementation": "process", "config": {"argv": ["work", "2000"]}},
    });
    let mut slow = Loops::idempotent("see", 100);
    slow["bid"] = json!({"ask": "quote", "within": "2s"});
    world.apply(children[0], &[quote, slow]);
    world.run_for(1_000);
    (world, acme, children)
}

#[test]
fn a_permission_that_is_taken_back_before_the_award_is_not_awarded_by_either_side() {
    let forbid = |action: &str| {
        format!(
            r#"forbid (principal, action == Action::"{action}", resource) when {{ resource.name == "see" }};"#
        )
    };
    let (mut world, acme, [_, right]) = slow_family(23);
    let control = world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(1_000);
    world.set_policy(right, "no-bids", &forbid("bid"), false);
    let ended = end_of(&mut world, acme, control);
    let answers = said(&world, acme, &ended, "broadcast.answered", "answer");
    assert_eq!(answers, ["Refused"]);

    let (mut world, acme, [_, right]) = slow_family(24);
    let control = world.ask(acme, Request::Broadcast(Box::new(work())));
    world.run_for(1_000);
    world.set_policy(acme, "no-awards", &forbid("award"), false);
    let ended = end_of(&mut world, acme, control);
    assert_eq!(ended.ending, "TooFewResults");
    assert!(world.hosts[right.0].disk.runs.is_empty());
    invariants::check(&mut world);
}

#[test]
fn no_more_work_is_confirmed_than_its_announcers_tree_may_have_called() {
    let mut world = World::new(25);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    world.hosts[lab.0].max_calls_per_peer = 2;
    world.crash(lab);
    world.start(lab);
    world.run_for(3_000);
    let mut agents = Vec::new();
    for name in ["see", "look", "watch", "view"] {
        world.permit(lab, "acme", "invoke", name);
        world.permit(lab, "acme", "bid", name);
        let mut agent = bids(Loops::idempotent(name, 1_000), "EUR 0.02");
        agent["capabilities"] = json!(["sight"]);
        agents.push(agent);
    }
    world.apply(lab, &agents);
    world.apply(acme, &[Loops::idempotent("see", 100)]);
    world.permit(acme, "lab", "award", "see");
    let mut four = work();
    four.capabilities.insert("sight".parse().unwrap());
    four.rule = rule(Selection::All, 4, 0);
    four.aggregation.strategy = Strategy::CollectAll;

    let ended = broadcast(&mut world, acme, four);

    let mut answers = said(&world, acme, &ended, "broadcast.answered", "answer");
    answers.sort_unstable();
    assert_eq!(answers, ["Busy", "Busy", "Reserved", "Reserved"]);
    let ends = said(&world, acme, &ended, "broadcast.ended", "end");
    assert_eq!(ends, ["Result", "Result"]);
    invariants::check(&mut world);
}

#[test]
fn announcements_beyond_a_roots_rate_are_suppressed_and_nobody_waits_for_their_tallies() {
    let (mut world, acme, lab) = strangers(26);
    world.permit(lab, "acme", "bid", "see");
    world.permit(acme, "lab", "award", "see");
    world.hosts[lab.0].announce_rate = 1;
    world.crash(lab);
    world.start(lab);
    world.run_for(3_000);

    let all: Vec<Broadcasted> = (0..8)
        .map(|_| broadcast(&mut world, acme, work()))
        .collect();

    let done = all
        .iter()
        .take_while(|ended| ended.output.is_some())
        .count();
    assert!((4..8).contains(&done), "{done} of 8 came through");
    for ended in &all[done..] {
        assert_eq!(ended.ending, "TooFewBids");
        assert!(ended.duration_ms < 500, "{} ms", ended.duration_ms);
        let events = world.hosts[acme.0].disk.events.values();
        let mut closed = events.filter(|it| it.run == ended.run && it.kind == "broadcast.closed");
        let payload = &closed.next().unwrap().payload;
        let payload: Value = serde_json::from_slice(payload).unwrap();
        assert_eq!(payload["suppressed"], json!(1));
    }
    world.run_for(4_000);
    output(&broadcast(&mut world, acme, work()));
    invariants::check(&mut world);
}

#[test]
fn who_may_not_call_a_loop_does_not_have_it_make_results_one() {
    let (mut world, acme, _) = family(93, ["EUR 0.03", "EUR 0.02"]);
    world.apply(acme, &[Loops::once("pay", 1)]);
    let forbid = r#"forbid (principal is Person, action == Action::"invoke", resource is Loop)
        when { principal.name == "eve" && resource.name == "pay" };"#;
    world.set_policy(acme, "not-eve", forbid, false);
    let announced = |aggregator: Option<&str>| {
        let mut work = asked(
            "see",
            reach(1, 0, 0),
            rule(Selection::Best, 1, 1),
            aggregator.map_or(Strategy::Select, |_| Strategy::Loop),
        );
        work.aggregator = aggregator.map(|id| id.parse().unwrap());
        let eve = Person {
            name: "eve".to_owned(),
            roles: [Role::Operator].into(),
        };
        Request::By(eve, Box::new(Request::Broadcast(Box::new(work))))
    };

    let refused = world.ask_and_wait(acme, announced(Some("pay")));
    let done = world.ask_and_wait(acme, announced(None));

    let denied = |it: &Response| matches!(it, Response::Refused(Refusal::Call(failure)) if failure.code == FailureCode::Denied);
    assert!(denied(&refused), "{refused:?}");
    assert!(matches!(done, Response::Broadcasted(ended) if ended.output.is_some()));
    invariants::check(&mut world);
}
