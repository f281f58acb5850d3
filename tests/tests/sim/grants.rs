//! Authority on request: what realms grant each other, and every way to make more of it.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use realm_crypto::{Outgoing, seal};
use realm_node::{GrantAsked, GrantView, InvokeAsked, Request, Response};
use realm_protocol::{
    CallId, Digest, FailureCode, GrantId, Kind, Phase, Priority, RunId,
    budget::Budget,
    cbor,
    journal::Table,
    limits,
    link::Frame,
    message::{Call, TraceParent},
    records::{Grant, GrantLink, KemRecord, Role, Signed},
};
use realm_tests::{HostId, Loops, Tree, World, audit, invariants};
use serde_json::json;

const HOUR_MS: u64 = 3_600_000;

/// Three roots that peer, and allow each other nothing.
fn cast(seed: u64) -> (World, [HostId; 3]) {
    let mut world = World::new(seed);
    world.tap = true;
    let acme = world.found("acme");
    let lab = world.found("lab");
    let eve = world.found("eve");
    for (one, other) in [(acme, lab), (eve, lab), (acme, eve)] {
        world.peer(one, other);
    }
    world.run_for(2_000);
    world.tap = false;
    (world, [acme, lab, eve])
}

fn review(id: &str) -> serde_json::Value {
    Loops::idempotent(id, 5)
}

fn asked(holder: &str, loops: &[&str]) -> GrantAsked {
    GrantAsked {
        holder: holder.parse().unwrap(),
        loops: loops.iter().map(|text| text.parse().unwrap()).collect(),
        uses: None,
        budget: Budget::default(),
        for_ms: HOUR_MS,
        from: None,
    }
}

/// One realm grants something, and its holder takes it.
fn grant(world: &mut World, by: HostId, to: HostId, asked: GrantAsked) -> GrantView {
    let given = match world.ask_and_wait(by, Request::Grant(asked)) {
        Response::Granted(view) => *view,
        other => panic!("nothing is granted: {other:?}"),
    };
    let hold = Request::HoldGrant(given.links.clone());
    match world.ask_and_wait(to, hold) {
        Response::Granted(held) => assert_eq!(held.grant, given.grant),
        other => panic!("the grant is not held: {other:?}"),
    }
    given
}

/// What a call comes to: nothing, or why not.
fn outcome(world: &mut World, from: HostId, address: &str) -> Result<(), (FailureCode, String)> {
    let ended = world.call(from, address, json!({}));
    let failed = ended.result.map(|_| ());
    failed.map_err(|failure| (failure.code, failure.message))
}

fn refused(world: &mut World, from: HostId, address: &str) -> String {
    match outcome(world, from, address) {
        Err((FailureCode::Denied, message)) => message,
        other => panic!("{address}: {other:?}"),
    }
}

fn entries(world: &World, host: HostId, action: &str) -> usize {
    let entries = audit::entries(&world.hosts[host.0].disk);
    entries.iter().filter(|it| it.action == action).count()
}

fn take_back(world: &mut World, by: HostId, id: GrantId) {
    let done = world.ask_and_wait(by, Request::RevokeGrant(id));
    assert!(matches!(done, Response::Done), "{done:?}");
}

#[test]
fn a_grant_lets_its_holder_call_what_it_is_for_and_nothing_else() {
    let (mut world, [acme, lab, eve]) = cast(1);
    world.apply(lab, &[review("review"), review("secret")]);
    refused(&mut world, acme, "review@lab");

    let given = grant(&mut world, lab, acme, asked("acme", &["review"]));

    assert_eq!(outcome(&mut world, acme, "review@lab"), Ok(()));
    refused(&mut world, acme, "secret@lab");
    refused(&mut world, eve, "review@lab");
    take_back(&mut world, lab, given.grant.id);
    let message = refused(&mut world, acme, "review@lab");
    assert!(message.contains("has been taken back"), "{message}");
    world.run_for(1_000);
    for (host, action, times) in [
        (lab, "grant.created", 1),
        (acme, "grant.held", 1),
        (lab, "grant.revoked", 1),
        (lab, "grant.refused", 1),
    ] {
        assert_eq!(entries(&world, host, action), times, "{action}");
    }
    invariants::check(&mut world);
}

#[test]
fn a_grant_that_is_taken_back_while_its_call_waits_for_people_lets_nothing_begin() {
    for (seed, taken_back) in [(20, true), (21, false)] {
        for restarts in [false, true] {
            let (mut world, [acme, lab, _]) = cast(seed);
            let mut careful = Loops::once("review", 5);
            careful["approval"] = json!({});
            world.apply(lab, &[careful]);
            let given = grant(&mut world, lab, acme, asked("acme", &["review"]));
            let called = World::invoke_within("review@lab", json!({}), HOUR_MS);
            world.ask(acme, called);
            world.run_for(60_000);
            if taken_back {
                take_back(&mut world, lab, given.grant.id);
            }
            if restarts {
                world.crash_for(lab, 1_000);
                world.run_for(60_000);
            }
            let waiting = world.approvals(lab).remove(0);
            world.decide(lab, waiting.id, ("ann", Role::Approver), true);
            world.run_for(60_000);
            let done: u64 = world.effects.values().sum();
            assert_eq!(done, u64::from(!taken_back), "{restarts}");
            invariants::check(&mut world);
        }
    }
}

#[test]
fn uses_are_counted_by_who_gave_them_also_over_a_crash_and_a_retry_is_no_other_use() {
    let (mut world, [acme, lab, _]) = cast(2);
    world.apply(lab, &[review("review")]);
    let counted = GrantAsked {
        uses: Some(3),
        ..asked("acme", &["review"])
    };
    let given = grant(&mut world, lab, acme, counted);
    let keyed = || match World::invoke("review@lab", json!({})) {
        Request::Invoke(asked) => Request::Invoke(InvokeAsked {
            key: Some("once".to_owned()),
            ..asked
        }),
        other => other,
    };

    for _ in 0..3 {
        let ended = world.ask_and_wait(acme, keyed());
        assert!(matches!(ended, Response::Invoked(it) if it.result.is_ok()));
    }
    world.run_for(1_000);
    world.crash_for(lab, 500);
    world.run_for(5_000);
    // The holder forgets what it has used; who gave it does not.
    world.crash_for(acme, 500);
    world.run_for(5_000);
    assert_eq!(outcome(&mut world, acme, "review@lab"), Ok(()));
    assert_eq!(outcome(&mut world, acme, "review@lab"), Ok(()));
    world.crash_for(acme, 500);
    world.run_for(5_000);
    let message = refused(&mut world, acme, "review@lab");

    assert!(message.contains("is used up: 3 calls"), "{message}");
    let known = world.hosts[lab.0].node().grants();
    let kept = known.iter().find(|view| view.grant.id == given.grant.id);
    assert_eq!(kept.unwrap().used, 3);
    invariants::check(&mut world);
}

/// A call under one idempotency key.
fn again(world: &mut World, from: HostId) -> bool {
    let Request::Invoke(asked) = World::invoke("review@lab", json!({})) else {
        panic!("a call is asked for by `invoke`");
    };
    let asked = InvokeAsked {
        key: Some("once".to_owned()),
        ..asked
    };
    let ended = world.ask_and_wait(from, Request::Invoke(asked));
    matches!(ended, Response::Invoked(it) if it.result.is_ok())
}

#[test]
fn a_call_that_comes_again_is_answered_though_its_grant_has_gone_since() {
    let (mut world, [acme, lab, _]) = cast(9);
    world.apply(lab, &[review("review")]);
    let single = GrantAsked {
        uses: Some(1),
        ..asked("acme", &["review"])
    };
    let given = grant(&mut world, lab, acme, single);
    assert!(again(&mut world, acme));

    for _ in 0..2 {
        // Its holder forgets that it has used it, and so shows it once more.
        world.crash_for(acme, 500);
        world.run_for(5_000);
        assert!(again(&mut world, acme));
        take_back(&mut world, lab, given.grant.id);
    }

    world.crash_for(acme, 500);
    world.run_for(5_000);
    let message = refused(&mut world, acme, "review@lab");
    assert!(message.contains("has been taken back"), "{message}");
    invariants::check(&mut world);
}

#[test]
fn grants_that_a_restored_realm_gave_before_are_gone_for_good() {
    let (mut world, [acme, lab, _]) = cast(10);
    world.apply(lab, &[review("review")]);
    let given = grant(&mut world, lab, acme, asked("acme", &["review"]));
    let backup = world.hosts[lab.0].disk.copy();
    take_back(&mut world, lab, given.grant.id);

    world.crash(lab);
    world.hosts[lab.0].disk = backup.restored();
    world.start(lab);
    for _ in 0..2 {
        world.run_for(60_000);
        let message = refused(&mut world, acme, "review@lab");
        assert!(message.contains("has been taken back"), "{message}");
        world.crash_for(lab, 500);
    }
    world.run_for(60_000);
    grant(&mut world, lab, acme, asked("acme", &["review"]));
    assert_eq!(outcome(&mut world, acme, "review@lab"), Ok(()));
}

#[test]
fn a_grant_ends_when_it_says() {
    let (mut world, [acme, lab, _]) = cast(3);
    world.apply(lab, &[review("review")]);
    let short = GrantAsked {
        for_ms: 60_000,
        ..asked("acme", &["review"])
    };
    grant(&mut world, lab, acme, short);
    assert_eq!(outcome(&mut world, acme, "review@lab"), Ok(()));

    world.run_for(61_000);

    refused(&mut world, acme, "review@lab");
    assert!(world.hosts[acme.0].node().grants().is_empty());
    invariants::check(&mut world);
}

#[test]
fn a_run_is_given_a_grant_of_its_own_where_its_loop_says_that_it_needs_one() {
    let (mut world, [acme, lab, _]) = cast(4);
    world.apply(lab, &[review("review")]);
    let mut needy = Loops::composite("needy", &["review@lab"]);
    needy["needs"] = json!(["review@lab"]);
    let silent = Loops::composite("silent", &["review@lab"]);
    world.apply(acme, &[needy, silent]);
    let given = grant(&mut world, lab, acme, asked("acme", &["review"]));

    assert_eq!(outcome(&mut world, acme, "needy"), Ok(()));
    refused(&mut world, acme, "silent");

    world.run_for(1_000);
    let events = world.hosts[lab.0].disk.events.values();
    let mut used = events.filter(|event| event.kind == "grant.used");
    let used = used.next().expect("a use");
    let used: serde_json::Value = serde_json::from_slice(&used.payload).unwrap();
    let links = used["grants"].as_array().unwrap();
    assert_eq!(links[0]["id"], given.grant.id.to_string());
    assert_eq!(links[1]["agent"], "needy");
    assert!(links[1]["run"].is_string());
    invariants::check(&mut world);
}

#[test]
fn what_is_handed_on_is_good_for_who_got_it_and_never_for_more() {
    let (mut world, [acme, lab, eve]) = cast(5);
    world.apply(lab, &[review("review"), review("read")]);
    let first = GrantAsked {
        uses: Some(2),
        ..asked("acme", &["re*"])
    };
    let first = grant(&mut world, lab, acme, first);
    let handed = GrantAsked {
        from: Some(first.grant.id),
        ..asked("eve", &["review"])
    };
    let handed = grant(&mut world, acme, eve, handed);

    assert_eq!(handed.grant.uses, Some(2), "no more than there is");
    assert_eq!(outcome(&mut world, eve, "review@lab"), Ok(()));
    refused(&mut world, eve, "read@lab");
    assert_eq!(outcome(&mut world, acme, "read@lab"), Ok(()));
    let message = refused(&mut world, eve, "review@lab");
    assert!(message.contains("is used up: 2 calls"), "{message}");

    let wider = GrantAsked {
        from: Some(first.grant.id),
        ..asked("eve", &["*"])
    };
    let refused = world.ask_and_wait(acme, Request::Grant(wider));
    assert!(
        matches!(&refused, Response::Refused(why) if why.to_string().contains("more loops")),
        "{refused:?}"
    );
    invariants::check(&mut world);
}

#[test]
fn a_run_whose_grant_is_taken_back_begins_no_other_step_also_after_a_restart() {
    for (seed, handed_on) in [(32, false), (33, true)] {
        for restarts in [false, true] {
            let (mut world, [acme, lab, eve]) = cast(seed);
            let mut two = Loops::composite("two", &["first", "second"]);
            two["effects"] = json!("once");
            world.apply(
                lab,
                &[
                    Loops::idempotent("first", 5_000),
                    Loops::once("second", 5),
                    two,
                ],
            );
            let given = grant(&mut world, lab, acme, asked("acme", &["two"]));
            let mut caller = acme;
            if handed_on {
                let handed = GrantAsked {
                    from: Some(given.grant.id),
                    ..asked("eve", &["two"])
                };
                grant(&mut world, acme, eve, handed);
                caller = eve;
            }
            let called = world.ask(caller, World::invoke("two@lab", json!({})));
            world.run_for(2_000);
            let runs = world.hosts[lab.0].disk.runs.values();
            assert!(runs.count() > 0, "the first step is under way");

            take_back(&mut world, lab, given.grant.id);
            if restarts {
                world.crash_for(lab, 500);
            }

            let Response::Invoked(ended) = world.wait_for(caller, called) else {
                panic!("not invoked");
            };
            let failure = ended.result.expect_err("its grant was taken back");
            assert_eq!(failure.code, FailureCode::Denied, "{failure:?}");
            assert!(
                failure.message.contains("has been taken back"),
                "{failure:?}"
            );
            assert!(world.effects.is_empty(), "{:?}", world.effects);
            invariants::check(&mut world);
        }
    }
}

#[test]
fn a_grant_that_was_taken_back_is_not_forgotten_when_it_ends_while_a_run_goes_by_it() {
    for restarts in [false, true] {
        let (mut world, [acme, lab, _]) = cast(34);
        let mut two = Loops::composite("two", &["first", "second"]);
        two["effects"] = json!("once");
        let steps = [
            Loops::idempotent("first", 12_000),
            Loops::once("second", 5),
            two,
        ];
        world.apply(lab, &steps);
        let short = GrantAsked {
            for_ms: 8_000,
            ..asked("acme", &["two"])
        };
        let given = grant(&mut world, lab, acme, short.clone());
        let called = world.ask(acme, World::invoke("two@lab", json!({})));
        world.run_for(2_000);
        take_back(&mut world, lab, given.grant.id);
        world.run_for(7_000);
        // It is over, and what is over is forgotten with the next one that is given.
        grant(&mut world, lab, acme, short);
        if restarts {
            world.crash_for(lab, 500);
        }

        let Response::Invoked(ended) = world.wait_for(acme, called) else {
            panic!("not invoked");
        };
        let failure = ended.result.expect_err("its grant was taken back");
        assert_eq!(failure.code, FailureCode::Denied, "{failure:?}");
        assert!(world.effects.is_empty(), "{:?}", world.effects);
        // With the run it is forgotten after all.
        world.run_for(10_000);
        grant(&mut world, lab, acme, asked("acme", &["two"]));
        assert_eq!(world.hosts[lab.0].node().grants().len(), 1);
        invariants::check(&mut world);
    }
}

#[test]
fn a_grant_that_was_taken_back_is_not_forgotten_while_a_run_by_it_stands_still() {
    let (mut world, [acme, lab, _]) = cast(35);
    let mut two = Loops::composite("two", &["first", "second"]);
    two["effects"] = json!("once");
    let steps = [
        Loops::idempotent("first", 5_000),
        Loops::once("second", 5),
        two,
    ];
    world.apply(lab, &steps);
    let given = grant(&mut world, lab, acme, asked("acme", &["two"]));
    world.ask(acme, World::invoke("two@lab", json!({})));
    world.run_for(2_000);
    let run = *world.hosts[lab.0].disk.runs.keys().next().unwrap();
    let paused = world.ask_and_wait(lab, Request::Pause(run));
    assert!(matches!(paused, Response::Done), "{paused:?}");
    take_back(&mut world, lab, given.grant.id);

    // Whatever ends on the disk by then has ended.
    world.crash(lab);
    world.hosts[lab.0].disk.end(Table::Grants);
    world.start(lab);
    world.run_for(1_000);
    let resumed = world.ask_and_wait(lab, Request::Resume(run, None));
    assert!(matches!(resumed, Response::Done), "{resumed:?}");
    world.run_for(20_000);
    assert!(world.effects.is_empty(), "{:?}", world.effects);
    let row = given.grant.id;
    assert!(world.hosts[lab.0].disk.holds(Table::Grants, row.as_bytes()));

    // With the run it is forgotten after all, once it is over.
    world.run_for(2 * HOUR_MS);
    grant(&mut world, lab, acme, asked("acme", &["two"]));
    world.run_for(1_000);
    assert!(!world.hosts[lab.0].disk.holds(Table::Grants, row.as_bytes()));
}

#[test]
fn a_chain_that_has_been_proven_is_refused_once_a_realm_on_it_is_revoked() {
    let (mut world, [acme, lab, eve]) = cast(30);
    let desk = world.child(acme, "desk");
    world.apply(lab, &[review("review")]);
    world.run_for(5_000);
    let first = grant(&mut world, lab, desk, asked("acme/desk", &["review"]));
    let handed = GrantAsked {
        from: Some(first.grant.id),
        ..asked("eve", &["review"])
    };
    grant(&mut world, desk, eve, handed);
    for _ in 0..3 {
        assert_eq!(outcome(&mut world, eve, "review@lab"), Ok(()));
    }

    world.ask_and_wait(acme, Request::Revoke("desk".parse().unwrap()));
    world.run_for(2 * limits::BEAT_MS);

    let message = refused(&mut world, eve, "review@lab");
    assert!(message.contains("grant 2: certificate"), "{message}");
    assert!(message.contains("is revoked"), "{message}");
    invariants::check(&mut world);
}

#[test]
fn a_chain_that_has_been_proven_is_refused_with_one_byte_changed() {
    let (mut world, [acme, lab, eve]) = cast(31);
    world.apply(lab, &[review("review")]);
    let first = grant(&mut world, lab, acme, asked("acme", &["review"]));
    let handed = GrantAsked {
        from: Some(first.grant.id),
        ..asked("eve", &["review"])
    };
    let handed = grant(&mut world, acme, eve, handed);
    for _ in 0..2 {
        assert_eq!(outcome(&mut world, eve, "review@lab"), Ok(()));
    }

    for place in 0..2 {
        let mut links = handed.links.clone();
        links[place].grant.signatures[0][10] ^= 1;
        let message = present(&mut world, eve, lab, links);
        let says = format!("grant {}: a signature", place + 1);
        assert!(message.contains(&says), "{message}");
    }
    let mut links = handed.links.clone();
    let mut chain = links[1].chain.as_ref().unwrap().to_vec();
    *chain.last_mut().unwrap() ^= 1;
    links[1].chain = Some(chain.into());
    let message = present(&mut world, eve, lab, links);
    assert!(message.contains("grant 2: "), "{message}");
    invariants::check(&mut world);
}

/// The key that bodies for a host are sealed to, as it showed it on a link.
fn kem_of(world: &World, host: HostId) -> KemRecord {
    let frames = world.wire.iter().filter(|(from, _, _)| *from == host);
    let chains = frames.filter_map(
        |(_, _, bytes)| match Frame::decode(&bytes.to_vec().into()) {
            Ok(Frame::Hello(hello)) => Some(hello.chain),
            _ => None,
        },
    );
    let kem = chains.flat_map(|chain| chain.kem).last();
    kem.expect("it has greeted").peek().unwrap()
}

/// A call that a realm makes by hand, by grants that no honest node would send.
fn present(world: &mut World, from: HostId, to: HostId, links: Vec<GrantLink>) -> String {
    let before = entries(world, to, "grant.refused");
    let runs = world.hosts[to.0].disk.runs.len();
    let now = world.now(from).wall;
    let call = Call {
        loop_id: "review".parse().unwrap(),
        version: None,
        contract: None,
        input: b"{}".to_vec().into(),
        key: Digest::of(&[b"by hand", &before.to_be_bytes()]),
        key_created: now,
        timeout_ms: 5_000,
        depth: 1,
        caller: None,
        parent: Some(TraceParent {
            run: RunId::at(now, [1; 10]),
            frame: CallId::at(now, [1; 10]),
        }),
        budget: None,
        grants: Some(links),
        session: None,
        approvals: None,
        stream: None,
        order: None,
    };
    let kem = kem_of(world, to);
    let (source, destination) = (&world.hosts[from.0], &world.hosts[to.0]);
    let content = cbor::encode(&call);
    let out = Outgoing {
        kind: Kind::Call,
        source: &source.place(),
        destination: &destination.place(),
        created: now,
        ttl_ms: limits::TTL_MS,
        call: CallId::at(now, [2; 10]),
        answers: None,
        priority: Priority::Normal,
        flags: None,
        max_reply: limits::BODY_BYTES as u64,
        receipt: None,
        content: &content,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(before as u64);
    let (mut letter, _) = seal(&mut rng, &source.node_key(), &kem, &out).expect("a letter");
    letter.phase = Phase::Across;
    let envelope = letter.sign(&source.node_key());
    let link = world.links_between(to, from)[0];
    world.inject(to, link, Frame::Envelope(envelope).encode());
    world.run_for(1_000);
    assert_eq!(world.hosts[to.0].disk.runs.len(), runs, "it was run");
    let log = audit::entries(&world.hosts[to.0].disk);
    let refusals = log.into_iter().filter(|it| it.action == "grant.refused");
    let mut news: Vec<_> = refusals.skip(before).collect();
    assert_eq!(news.len(), 1, "{news:?}");
    news.pop().unwrap().error.expect("it says why")
}

/// The same link with another grant in it, signed by whom the grant names.
fn forged(world: &World, by: HostId, link: &GrantLink, change: impl Fn(&mut Grant)) -> GrantLink {
    let mut grant = link.grant.peek().unwrap();
    change(&mut grant);
    let mut signed = Signed::unsigned(&grant);
    world.hosts[by.0].node_key().sign(&mut signed);
    GrantLink {
        grant: signed,
        chain: link.chain.clone(),
    }
}

#[test]
fn a_grant_in_other_hands_in_another_place_or_made_more_is_refused_and_named() {
    let (mut world, [acme, lab, eve]) = cast(6);
    for host in [lab, eve] {
        world.apply(host, &[review("review")]);
    }
    let first = GrantAsked {
        uses: Some(5),
        ..asked("acme", &["review"])
    };
    let first = grant(&mut world, lab, acme, first);
    let handed = GrantAsked {
        from: Some(first.grant.id),
        ..asked("eve", &["review"])
    };
    let handed = grant(&mut world, acme, eve, handed);
    // Chains are known on all sides.
    let _ = world.call(acme, "review@lab", json!({}));
    let _ = world.call(eve, "review@lab", json!({}));
    let _ = world.call(acme, "review@eve", json!({}));

    let other = present(&mut world, eve, lab, first.links.clone());
    assert!(other.contains("given to another realm"), "{other}");

    let elsewhere = present(&mut world, acme, eve, first.links.clone());
    assert!(elsewhere.contains("has not given"), "{elsewhere}");

    let last = &handed.links[1];
    let more = forged(&world, acme, last, |grant| grant.uses = None);
    let wider = present(&mut world, eve, lab, vec![handed.links[0].clone(), more]);
    assert!(wider.contains("grant 2: it is for more uses"), "{wider}");

    let stolen = forged(&world, eve, last, |grant| grant.holder = grant.issuer);
    let stolen = present(&mut world, eve, lab, vec![handed.links[0].clone(), stolen]);
    assert!(stolen.contains("grant 2: a signature"), "{stolen}");

    let mut edited = first.links[0].clone();
    edited.grant = Signed::unsigned(&Grant {
        uses: Some(500),
        ..first.grant.clone()
    });
    edited.grant.signatures = first.links[0].grant.signatures.clone();
    let edited = present(&mut world, acme, lab, vec![edited]);
    assert!(edited.contains("has not given"), "{edited}");

    let headless = present(&mut world, eve, lab, vec![last.clone()]);
    assert!(headless.contains("has not given"), "{headless}");

    take_back(&mut world, lab, first.grant.id);
    let gone = present(&mut world, eve, lab, handed.links.clone());
    assert!(gone.contains("has been taken back"), "{gone}");
    invariants::check(&mut world);
}
