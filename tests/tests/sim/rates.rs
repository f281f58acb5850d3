//! How often calls begin, by who calls.

use realm_node::{InvokeAsked, Rate, Refusal, Refused, Request, Response};
use realm_protocol::{FailureCode, journal::Status, limits};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::json;

/// Six a minute, two at once.
fn six_a_minute() -> Rate {
    Rate {
        name: "six".to_owned(),
        callers: None,
        loops: ["note".parse().unwrap()].into(),
        per_minute: 6,
        burst: 2,
        shared: false,
        queue: 0,
    }
}

/// A laboratory with these rates, which two organisations may call, one of them with a department.
fn world(seed: u64, rates: Vec<Rate>) -> (World, [HostId; 4]) {
    let mut world = World::new(seed);
    let lab = world.found("lab");
    let mercy = world.found("mercy");
    let grace = world.found("grace");
    let ward = world.child(mercy, "ward");
    world.hosts[lab.0].rates = rates;
    world.crash(lab);
    world.start(lab);
    for caller in [mercy, grace] {
        world.peer(lab, caller);
    }
    world.run_for(5_000);
    world.apply(lab, &[Loops::once("note", 10)]);
    for caller in ["mercy", "grace"] {
        world.allow(lab, caller, "note");
        world.allow(lab, caller, "echo");
    }
    (world, [lab, mercy, grace, ward])
}

/// Calls at once, each with so much time; gives how many came to what.
fn call(world: &mut World, from: HostId, count: u64, timeout_ms: u64) -> (usize, Vec<u64>) {
    let begun = world.elapsed_ms();
    let input = |n: u64| json!({"from": from.0, "at": begun, "n": n});
    let ask = |n: u64| World::invoke_within("note@lab", input(n), timeout_ms);
    let asked: Vec<_> = (0..count).map(|n| world.ask(from, ask(n))).collect();
    let mut refused = Vec::new();
    for control in asked {
        match world.wait_for(from, control) {
            Response::Invoked(ended) => match ended.result {
                Ok(_) => {}
                Err(failure) => {
                    assert_eq!(failure.code, FailureCode::Overloaded, "{failure:?}");
                    assert!(failure.not_begun, "{failure:?}");
                    refused.push(failure.retry_after_ms.unwrap());
                }
            },
            other => panic!("{other:?}"),
        }
    }
    (count as usize - refused.len(), refused)
}

fn did(world: &World, lab: HostId) -> (u64, u64) {
    let views = world.hosts[lab.0].node().rates();
    let refused = views.iter().map(|view| view.refused).sum();
    (refused, views.iter().map(|view| view.waited).sum())
}

#[test]
fn a_caller_beyond_its_rate_is_refused_with_when_to_come_again_and_others_are_not() {
    let (mut world, [lab, mercy, grace, _]) = world(4_700, vec![six_a_minute()]);
    let (done, refused) = call(&mut world, mercy, 5, 4_000);
    assert_eq!((done, refused.len()), (2, 3));
    assert!(
        refused.iter().all(|again| (9_000..=10_000).contains(again)),
        "{refused:?}"
    );
    assert_eq!(call(&mut world, grace, 2, 4_000).0, 2);
    let echo = world.call(mercy, "echo@lab", json!({}));
    assert_eq!(echo.result, Ok(json!({})), "another loop");
    let own: Vec<_> = (0..4)
        .map(|n| world.call(lab, "note", json!({"own": n})))
        .collect();
    assert!(
        own.iter().all(|call| call.result.is_ok()),
        "its own calls are free"
    );
    assert!(did(&world, lab).0 >= 3);
    assert!(world.hosts[lab.0].node().counters().refused[&Refused::CallRate] >= 3);
    world.run_for(10_000);
    assert_eq!(
        call(&mut world, mercy, 2, 4_000).0,
        1,
        "one more every ten seconds"
    );
    invariants::check(&mut world);
}

#[test]
fn a_caller_that_has_time_comes_again_by_itself() {
    let (mut world, [_, mercy, ..]) = world(4_701, vec![six_a_minute()]);
    let (done, refused) = call(&mut world, mercy, 3, 60_000);
    assert_eq!((done, refused.len()), (3, 0));
    invariants::check(&mut world);
}

#[test]
fn who_may_wait_takes_turns_and_one_too_many_is_refused() {
    let rate = Rate {
        queue: 2,
        ..six_a_minute()
    };
    let (mut world, [lab, mercy, ..]) = world(4_702, vec![rate]);
    let asked = world.elapsed_ms();
    let (done, refused) = call(&mut world, mercy, 5, 25_000);
    let took = world.elapsed_ms() - asked;
    assert_eq!((done, refused.len()), (4, 1));
    assert!((20_000..26_000).contains(&took), "{took}");
    assert_eq!(did(&world, lab).1, 2);
    invariants::check(&mut world);
}

#[test]
fn nobody_waits_for_a_turn_that_comes_too_late() {
    let rate = Rate {
        queue: 9,
        ..six_a_minute()
    };
    let (mut world, [_, mercy, ..]) = world(4_703, vec![rate]);
    let (done, refused) = call(&mut world, mercy, 4, 15_000);
    assert_eq!((done, refused.len()), (3, 1));
    invariants::check(&mut world);
}

#[test]
fn a_subtree_shares_what_it_is_given_together() {
    let together = Rate {
        name: "mercy".to_owned(),
        callers: Some("mercy".parse().unwrap()),
        shared: true,
        ..six_a_minute()
    };
    let (mut world, [lab, mercy, grace, ward]) = world(4_704, vec![together]);
    assert_eq!(call(&mut world, ward, 2, 4_000).0, 2);
    assert_eq!(
        call(&mut world, mercy, 1, 4_000).0,
        0,
        "its department had it all"
    );
    assert_eq!(
        call(&mut world, grace, 3, 4_000).0,
        3,
        "another organisation"
    );
    assert!(did(&world, lab).0 > 0);
    invariants::check(&mut world);
}

/// One at once, and four who wait.
fn in_line() -> Rate {
    Rate {
        burst: 1,
        queue: 4,
        ..six_a_minute()
    }
}

/// Lets somebody use up the rate, so that the next call of the same caller waits.
fn use_up(world: &mut World, from: HostId) {
    assert_eq!(call(world, from, 1, 4_000).0, 1);
}

fn served(world: &World, lab: HostId) -> u64 {
    world.hosts[lab.0].node().counters().served
}

fn waiting(world: &World, lab: HostId) -> usize {
    world.hosts[lab.0].node().standing().calls_in
}

fn late(change: impl Fn(&mut InvokeAsked)) -> Request {
    let mut ask = World::invoke_within("note@lab", json!({"late": true}), 30_000);
    if let Request::Invoke(asked) = &mut ask {
        change(asked);
    }
    ask
}

#[test]
fn what_is_taken_back_before_its_turn_never_begins_however_often_it_was_sent() {
    for waited in [1_000, 8_000] {
        let (mut world, [lab, mercy, ..]) = world(4_705, vec![in_line()]);
        use_up(&mut world, mercy);
        let before = served(&world, lab);
        let control = world.ask(mercy, late(|asked| asked.stream = true));
        world.run_for(waited);
        assert_eq!(waiting(&world, lab), 1, "it waits");
        world.hang_up(mercy, control);
        world.run_for(1_000);
        assert_eq!(waiting(&world, lab), 0, "the line is empty");
        world.run_for(20_000);
        assert_eq!(served(&world, lab), before, "after {waited} ms");
        invariants::check(&mut world);
    }
}

#[test]
fn calls_that_wait_for_the_same_count_each_and_one_that_is_taken_back_takes_no_other_along() {
    let (mut world, [lab, mercy, ..]) = world(4_709, vec![in_line()]);
    use_up(&mut world, mercy);
    let before = served(&world, lab);
    let same = || {
        late(|asked| {
            asked.stream = true;
            asked.key = Some("same".to_owned());
        })
    };
    let first = world.ask(mercy, same());
    world.run_for(500);
    let second = world.ask(mercy, same());
    world.run_for(500);
    assert_eq!(waiting(&world, lab), 2);
    world.hang_up(mercy, first);
    world.run_for(500);
    assert_eq!(waiting(&world, lab), 1);
    match world.wait_for(mercy, second) {
        Response::Invoked(ended) => assert!(ended.result.is_ok(), "{ended:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(served(&world, lab), before + 1);
    invariants::check(&mut world);
}

#[test]
fn whoever_is_revoked_or_no_peer_any_more_has_no_turn() {
    for part in [
        Request::Revoke("annex".parse().unwrap()),
        Request::RemovePeer("mercy".parse().unwrap()),
    ] {
        let (mut world, [lab, mercy, ..]) = world(4_710, vec![in_line()]);
        let annex = world.child(lab, "annex");
        world.run_for(5_000);
        let from = match part {
            Request::Revoke(_) => annex,
            _ => mercy,
        };
        use_up(&mut world, from);
        let before = served(&world, lab);
        world.ask(from, late(|_| {}));
        world.run_for(1_000);
        assert_eq!(waiting(&world, lab), 1, "{part:?}");
        let parted = world.ask_and_wait(lab, part);
        assert!(matches!(parted, Response::Done), "{parted:?}");
        world.run_for(30_000);
        assert_eq!(served(&world, lab), before);
        assert_eq!(waiting(&world, lab), 0);
    }
}

#[test]
fn whoever_detaches_a_call_is_told_its_run_when_its_turn_has_come() {
    let own = Rate {
        callers: Some("lab".parse().unwrap()),
        ..in_line()
    };
    let (mut world, [lab, ..]) = world(4_711, vec![own]);
    world.apply(lab, &[Loops::once("note", 600_000)]);
    let asked = |n: u64| {
        let Request::Invoke(asked) = World::invoke("note", json!({"n": n})) else {
            unreachable!("a call")
        };
        Request::Invoke(InvokeAsked {
            detach: true,
            ..asked
        })
    };
    world.ask(lab, asked(1));
    world.run_for(1_000);
    let began = world.elapsed_ms();

    let second = world.ask(lab, asked(2));

    match world.wait_for(lab, second) {
        Response::Begun(run) => {
            assert_eq!(
                world.hosts[lab.0].disk.runs[&run.id].status,
                Status::Running
            );
        }
        other => panic!("{other:?}"),
    }
    let took = world.elapsed_ms() - began;
    assert!((8_000..11_000).contains(&took), "{took}");
}

#[test]
fn an_organisation_has_no_more_by_splitting_into_realms() {
    let (mut world, [lab, mercy, grace, ward]) = world(4_712, vec![six_a_minute()]);
    assert_eq!(call(&mut world, ward, 2, 4_000).0, 1, "half of mercy's");
    assert_eq!(call(&mut world, mercy, 2, 4_000).0, 1, "the other half");
    assert_eq!(call(&mut world, grace, 2, 4_000).0, 2);
    assert!(did(&world, lab).0 > 0);
    invariants::check(&mut world);
}

#[test]
fn a_key_begins_once_however_often_it_is_asked_while_it_waits() {
    let (mut world, [lab, mercy, ..]) = world(4_706, vec![in_line()]);
    use_up(&mut world, mercy);
    let before = served(&world, lab);
    world.faults.loss = 200;
    let late = world.call(mercy, "note@lab", json!({"late": true}));
    world.faults.loss = 0;
    assert!(late.result.is_ok(), "{late:?}");
    assert_eq!(served(&world, lab), before + 1);
    invariants::check(&mut world);
}

#[test]
fn a_realm_that_stops_refuses_who_waits_and_stops_at_once() {
    let (mut world, [lab, mercy, ..]) = world(4_707, vec![in_line()]);
    use_up(&mut world, mercy);
    world.ask(
        mercy,
        World::invoke_within("note@lab", json!({"late": true}), 30_000),
    );
    world.run_for(1_000);
    let now = world.now(lab);
    let node = world.hosts[lab.0].node.as_mut().unwrap();
    node.shut_down(now);
    while node.poll_effect().is_some() {}
    assert_eq!(node.standing().calls_in, 0);
}

#[test]
fn other_rates_take_effect_at_once() {
    let (mut world, [lab, mercy, ..]) = world(4_708, vec![six_a_minute()]);
    assert_eq!(call(&mut world, mercy, 3, 4_000).0, 2);
    let now = world.now(lab);
    let node = world.hosts[lab.0].node.as_mut().unwrap();
    node.handle(realm_node::Input::Rates(Vec::new()), now);
    assert_eq!(call(&mut world, mercy, 9, 4_000).0, 9);
    invariants::check(&mut world);
}

/// Applies a rate, or says why it is not taken.
fn apply(world: &mut World, lab: HostId, rate: Rate) -> Result<(), Refusal> {
    let control = world.ask(lab, Request::ApplyRate(rate));
    match world.wait_for(lab, control) {
        Response::Refused(refusal) => Err(refusal),
        other => {
            assert!(matches!(other, Response::Done), "{other:?}");
            Ok(())
        }
    }
}

fn remove(world: &mut World, lab: HostId, name: &str) -> Response {
    let control = world.ask(lab, Request::RemoveRate(name.to_owned()));
    world.wait_for(lab, control)
}

#[test]
fn a_rate_that_is_applied_holds_over_restarts_until_it_is_removed() {
    let (mut world, [lab, mercy, ..]) = world(4_709, Vec::new());
    assert_eq!(call(&mut world, mercy, 5, 4_000).0, 5);
    apply(&mut world, lab, six_a_minute()).unwrap();
    assert_eq!(call(&mut world, mercy, 5, 4_000).0, 2);

    world.crash(lab);
    world.start(lab);
    world.run_for(5_000);
    assert_eq!(call(&mut world, mercy, 5, 4_000).0, 2);
    // What is applied under its name takes its place.
    let many = Rate {
        per_minute: 600,
        burst: 20,
        ..six_a_minute()
    };
    apply(&mut world, lab, many).unwrap();
    assert_eq!(call(&mut world, mercy, 5, 4_000).0, 5);
    apply(&mut world, lab, six_a_minute()).unwrap();
    assert_eq!(call(&mut world, mercy, 5, 4_000).0, 2);

    assert!(matches!(remove(&mut world, lab, "six"), Response::Done));
    assert_eq!(call(&mut world, mercy, 5, 4_000).0, 5);
    let again = remove(&mut world, lab, "six");
    assert!(
        matches!(
            again,
            Response::Refused(Refusal::NotFound { what: "rate", .. })
        ),
        "{again:?}"
    );
    invariants::check(&mut world);
}

#[test]
fn a_rate_that_cannot_hold_is_not_taken_and_one_of_the_configuration_stays() {
    let (mut world, [lab, mercy, ..]) = world(4_710, vec![six_a_minute()]);
    let configured = apply(&mut world, lab, six_a_minute()).unwrap_err();
    assert!(
        matches!(configured, Refusal::ConfiguredRate { .. }),
        "{configured:?}"
    );
    let removed = remove(&mut world, lab, "six");
    assert!(
        matches!(removed, Response::Refused(Refusal::ConfiguredRate { .. })),
        "{removed:?}"
    );
    let other = || Rate {
        name: "other".to_owned(),
        ..six_a_minute()
    };
    let nobody = Rate {
        callers: Some("nobody".parse().unwrap()),
        ..other()
    };
    let refused = apply(&mut world, lab, nobody).unwrap_err();
    assert!(
        matches!(refused, Refusal::UnknownPetname { .. }),
        "{refused:?}"
    );
    for wrong in [
        Rate {
            per_minute: 0,
            ..other()
        },
        Rate {
            burst: 0,
            ..other()
        },
        Rate {
            queue: limits::RATE_QUEUE + 1,
            ..other()
        },
        Rate {
            name: "no name".to_owned(),
            ..other()
        },
        Rate {
            name: String::new(),
            ..other()
        },
    ] {
        let refused = apply(&mut world, lab, wrong).unwrap_err();
        assert!(matches!(refused, Refusal::Range { .. }), "{refused:?}");
    }
    assert_eq!(call(&mut world, mercy, 5, 4_000).0, 2);
    assert_eq!(world.hosts[lab.0].node().rates().len(), 1);
}
