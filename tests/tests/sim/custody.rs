//! Calls that a parent keeps for a child that is offline.

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use realm_crypto::{Outgoing, write_clear};
use realm_node::{ControlId, Invocation, Refused, Request, Response};
use realm_protocol::{
    Envelope, Failure, FailureCode, Kind, Phase, Place, Priority, cbor, flags, journal::Table,
    limits, link::Frame, message::Custody,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

#[path = "custody/halted.rs"]
mod halted;
#[path = "custody/pace.rs"]
mod pace;
#[path = "custody/restarted.rs"]
mod restarted;
#[path = "custody/room.rs"]
mod room;
#[path = "custody/withdrawn.rs"]
mod withdrawn;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A root that keeps calls for its children, one of which asks for it and has the loop `work`.
struct Clinic {
    world: World,
    acme: HostId,
    /// Asks, and serves.
    health: HostId,
    /// Calls.
    billing: HostId,
}

fn clinic(seed: u64) -> Clinic {
    clinic_with(seed, true, true)
}

fn clinic_with(seed: u64, ask: bool, keep_for_children: bool) -> Clinic {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    world.crash(acme);
    world.hosts[acme.0].custody.keep_for_children = keep_for_children;
    world.start(acme);
    let health = world.child(acme, "health");
    world.crash(health);
    world.hosts[health.0].custody.ask = ask;
    world.start(health);
    let billing = world.child(acme, "billing");
    world.run_for(5_000);
    world.apply(health, &[Loops::once("work", 10)]);
    world.run_for(5_000);
    Clinic {
        world,
        acme,
        health,
        billing,
    }
}

impl Clinic {
    /// Asks for `work` with a call that may be kept.
    fn ask(&mut self, from: HostId, n: u64, timeout_ms: u64) -> ControlId {
        let asked = stored("work@acme/health", json!({"n": n}), timeout_ms);
        self.world.ask(from, asked)
    }

    fn take_down(&mut self) {
        self.world.crash(self.health);
        self.world.run_for(12_000);
    }

    fn kept(&self) -> usize {
        self.world.hosts[self.acme.0].disk.count(Table::Custody)
    }

    fn end(&mut self, from: HostId, control: ControlId) -> Invocation {
        match self.world.wait_for(from, control) {
            Response::Invoked(invocation) => *invocation,
            other => panic!("{other:?}"),
        }
    }

    fn events(&self, host: HostId, kind: &str) -> usize {
        let events = self.world.hosts[host.0].disk.events.values();
        events.filter(|event| event.kind == kind).count()
    }

    /// Whether a message of a kind has left a host.
    fn has_sent(&self, host: HostId, kind: Kind) -> bool {
        let wire = self.world.wire.iter();
        let mut envelopes = wire.filter_map(|(from, _, bytes)| match Frame::decode(bytes) {
            Ok(Frame::Envelope(envelope)) if *from == host => Some(envelope),
            _ => None,
        });
        envelopes.any(|envelope| envelope.peek().unwrap().kind == kind)
    }

    /// How often a host has dropped an answer that nobody asked it.
    fn refused(&self, host: HostId) -> u64 {
        let counters = self.world.hosts[host.0].node().counters();
        counters
            .refused
            .get(&Refused::Unasked)
            .copied()
            .unwrap_or(0)
    }

    /// The storable calls that have crossed a wire to a host.
    fn stored_calls_to(&self, host: HostId) -> Vec<(HostId, Bytes, Envelope)> {
        let wire = self.world.wire.iter().filter(|(_, to, _)| *to == host);
        let calls = wire.filter_map(|(from, _, bytes)| match Frame::decode(bytes) {
            Ok(Frame::Envelope(envelope)) => Some((*from, bytes.clone(), envelope)),
            _ => None,
        });
        let storable = calls.filter(|(_, _, envelope)| envelope.peek().unwrap().is_storable());
        storable.collect()
    }
}

fn stored(address: &str, input: Value, timeout_ms: u64) -> Request {
    match World::invoke_within(address, input, timeout_ms) {
        Request::Invoke(mut asked) => {
            asked.store = true;
            Request::Invoke(asked)
        }
        other => other,
    }
}

#[test]
fn an_offline_child_gets_every_kept_call_in_order_when_it_is_back() {
    let mut clinic = clinic(900);
    clinic.take_down();
    let mut asked = Vec::new();
    for n in 0..30 {
        asked.push(clinic.ask(clinic.billing, n, DAY_MS));
        clinic.world.run_for(1_000);
    }
    clinic.world.run_for(30_000);
    assert_eq!(clinic.kept(), 30);
    assert_eq!(clinic.events(clinic.billing, "call.stored"), 30);

    clinic.world.run_for(3 * HOUR_MS);
    clinic.world.tap = true;
    clinic.world.start(clinic.health);
    clinic.world.run_for(60_000);

    for (n, control) in (0..).zip(asked) {
        let ended = clinic.end(clinic.billing, control);
        assert_eq!(ended.result, Ok(json!({"done": {"n": n}})));
    }
    let given = clinic.stored_calls_to(clinic.health);
    let order: Vec<_> = given
        .iter()
        .map(|(_, _, call)| call.peek().unwrap().created)
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(clinic.kept(), 0);
    assert_eq!(clinic.events(clinic.billing, "call.taken"), 30);
    invariants::check(&mut clinic.world);
}

#[test]
fn what_is_promised_survives_the_crash_of_the_parent() {
    let mut clinic = clinic(901);
    clinic.take_down();
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    assert_eq!(clinic.events(clinic.billing, "call.stored"), 1);

    clinic.world.crash_for(clinic.acme, 60_000);
    clinic.world.run_for(5 * 60_000);
    clinic.world.start(clinic.health);

    let ended = clinic.end(clinic.billing, asked);
    assert_eq!(ended.result, Ok(json!({"done": {"n": 1}})));
    clinic.world.run_for(5_000);
    assert_eq!(clinic.kept(), 0);
    invariants::check(&mut clinic.world);
}

#[test]
fn a_receipt_never_leaves_before_the_call_is_on_the_disk() {
    let mut clinic = clinic(902);
    clinic.take_down();
    clinic.world.hosts[clinic.acme.0].slow_ms = 3_000;
    clinic.world.tap = true;
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    let mut steps = 0;
    while !clinic.has_sent(clinic.acme, Kind::Custody) {
        assert_eq!(clinic.events(clinic.billing, "call.stored"), 0);
        clinic.world.run_for(1);
        steps += 1;
        assert!(steps < 60_000, "never promised");
    }
    assert_eq!(clinic.kept(), 1);

    clinic.world.hosts[clinic.acme.0].slow_ms = 0;
    clinic.world.start(clinic.health);
    let ended = clinic.end(clinic.billing, asked);
    assert!(ended.result.is_ok(), "{ended:?}");
    clinic.world.run_for(10_000);
    invariants::check(&mut clinic.world);
}

#[test]
fn nothing_is_kept_unless_child_and_parent_both_agree() {
    for (seed, ask, keep) in [(903, false, true), (904, true, false)] {
        let mut clinic = clinic_with(seed, ask, keep);
        clinic.take_down();

        let asked = clinic.ask(clinic.billing, 1, DAY_MS);
        let ended = clinic.end(clinic.billing, asked);

        let failure = ended.result.unwrap_err();
        assert_eq!(failure.code, FailureCode::Offline, "{failure:?}");
        assert_eq!(clinic.kept(), 0);
        invariants::check(&mut clinic.world);
    }
}

#[test]
fn an_ordinary_call_is_never_kept() {
    let mut clinic = clinic(905);
    clinic.take_down();

    let failed = clinic
        .world
        .call(clinic.billing, "work@acme/health", json!({"n": 1}));

    assert_eq!(failed.result.unwrap_err().code, FailureCode::Offline);
    assert_eq!(clinic.kept(), 0);
    invariants::check(&mut clinic.world);
}

#[test]
fn one_neighbour_fills_only_its_share_of_a_mailbox() {
    let mut clinic = clinic(906);
    clinic.take_down();
    let asked: Vec<_> = (0..limits::CUSTODY_SHARE as u64)
        .map(|n| clinic.ask(clinic.billing, n, HOUR_MS))
        .collect();
    clinic.world.run_for(60_000);
    assert_eq!(clinic.kept(), limits::CUSTODY_SHARE);

    let over = clinic.ask(clinic.billing, 1_000, HOUR_MS);
    let over = clinic.end(clinic.billing, over);
    let own = clinic.ask(clinic.acme, 1_001, HOUR_MS);
    clinic.world.run_for(5_000);

    assert_eq!(over.result.unwrap_err().code, FailureCode::Overloaded);
    assert_eq!(
        clinic.kept(),
        limits::CUSTODY_SHARE + 1,
        "the parent has room of its own"
    );
    clinic.world.start(clinic.health);
    clinic.world.run_for(120_000);
    for control in asked {
        assert!(clinic.end(clinic.billing, control).result.is_ok());
    }
    assert!(clinic.end(clinic.acme, own).result.is_ok());
    assert_eq!(clinic.kept(), 0);
    invariants::check(&mut clinic.world);
}

#[test]
fn a_call_that_nobody_fetches_is_reported_as_expired() {
    let mut clinic = clinic(907);
    clinic.world.crash(clinic.acme);
    clinic.world.hosts[clinic.acme.0].custody.keep_ms = HOUR_MS;
    clinic.world.start(clinic.acme);
    clinic.world.run_for(20_000);
    clinic.take_down();
    let far = clinic.ask(clinic.billing, 1, DAY_MS);
    let own = clinic.ask(clinic.acme, 2, DAY_MS);
    clinic.world.run_for(30 * 60_000);
    assert_eq!(clinic.kept(), 2);

    clinic.world.run_for(31 * 60_000);

    for (from, control) in [(clinic.billing, far), (clinic.acme, own)] {
        let failure = clinic.end(from, control).result.unwrap_err();
        assert_eq!(failure.code, FailureCode::Expired, "{failure:?}");
    }
    assert_eq!(clinic.kept(), 0);
    clinic.world.start(clinic.health);
    clinic.world.run_for(30_000);
    assert!(
        clinic.world.effects.is_empty(),
        "{:?}",
        clinic.world.effects
    );
    invariants::check(&mut clinic.world);
}

#[test]
fn who_keeps_a_call_cannot_read_it() {
    let mut clinic = clinic(908);
    let canary = clinic.world.canary(&[clinic.billing, clinic.health]);
    clinic.take_down();
    let input = json!({"patient": canary});
    let asked = stored("echo@acme/health", input.clone(), DAY_MS);
    let control = clinic.world.ask(clinic.billing, asked);
    clinic.world.run_for(30_000);
    assert_eq!(clinic.kept(), 1);
    let disk = clinic.world.hosts[clinic.acme.0].disk.bytes();
    assert!(
        !disk
            .windows(canary.len())
            .any(|window| window == canary.as_bytes())
    );

    clinic.world.start(clinic.health);
    let ended = clinic.end(clinic.billing, control);

    assert_eq!(ended.result, Ok(input));
    invariants::check(&mut clinic.world);
}

#[test]
fn a_parent_that_gives_a_kept_call_twice_causes_one_effect() {
    let mut clinic = clinic(909);
    clinic.take_down();
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    clinic.world.tap = true;
    clinic.world.start(clinic.health);
    assert!(clinic.end(clinic.billing, asked).result.is_ok());
    let (_, given, _) = clinic.stored_calls_to(clinic.health).remove(0);

    for _ in 0..2 {
        clinic.world.run_for(HOUR_MS);
        let link = clinic.world.links_between(clinic.health, clinic.acme)[0];
        clinic.world.inject(clinic.health, link, given.clone());
        clinic.world.run_for(5_000);
        clinic.world.crash(clinic.health);
        clinic.world.start(clinic.health);
        clinic.world.run_for(10_000);
    }

    assert_eq!(clinic.world.effects.values().sum::<u64>(), 1);
    invariants::check(&mut clinic.world);
}

#[test]
fn what_is_kept_for_a_child_that_is_revoked_is_dropped() {
    let mut clinic = clinic(910);
    clinic.take_down();
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    assert_eq!(clinic.kept(), 1);

    let revoke = Request::Revoke("health".parse().unwrap());
    let done = clinic.world.ask_and_wait(clinic.acme, revoke);

    assert!(matches!(done, Response::Done), "{done:?}");
    let failure = clinic.end(clinic.billing, asked).result.unwrap_err();
    assert_eq!(failure.code, FailureCode::NoRoute, "{failure:?}");
    clinic.world.run_for(1_000);
    assert_eq!(clinic.kept(), 0);
    invariants::check(&mut clinic.world);
}

#[test]
fn a_kept_call_that_is_taken_back_is_never_given() {
    let mut clinic = clinic(911);
    clinic.take_down();
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    let runs = clinic.world.hosts[clinic.billing.0].disk.runs.keys();
    let run = *runs.last().unwrap();

    let done = clinic
        .world
        .ask_and_wait(clinic.billing, Request::Cancel(run));
    assert!(matches!(done, Response::Done), "{done:?}");
    clinic.world.run_for(5_000);

    let failure = clinic.end(clinic.billing, asked).result.unwrap_err();
    assert_eq!(failure.code, FailureCode::Cancelled);
    assert_eq!(clinic.kept(), 0);
    clinic.world.start(clinic.health);
    clinic.world.run_for(30_000);
    assert!(
        clinic.world.effects.is_empty(),
        "{:?}",
        clinic.world.effects
    );
    invariants::check(&mut clinic.world);
}

#[test]
fn a_child_that_crashes_while_it_takes_its_calls_has_each_effect_once() {
    for seed in 912..918 {
        let mut clinic = clinic(seed);
        clinic.take_down();
        let asked: Vec<_> = (0..8)
            .map(|n| clinic.ask(clinic.billing, n, DAY_MS))
            .collect();
        clinic.world.run_for(30_000);
        clinic.world.start(clinic.health);
        let pause = 2_000 + clinic.world.random(3_000);
        clinic.world.run_for(pause);
        clinic.world.crash_for(clinic.health, 5_000);
        clinic.world.run_for(2 * HOUR_MS);

        for control in asked {
            // Interrupted, a call without answer ends with what is known of it.
            let _ = clinic.end(clinic.billing, control);
        }
        assert_eq!(clinic.kept(), 0);
        invariants::check(&mut clinic.world);
    }
}

#[test]
fn a_caller_that_was_cut_off_asks_again_and_gets_its_answer() {
    let mut clinic = clinic(918);
    clinic.take_down();
    let asked = clinic.ask(clinic.billing, 1, DAY_MS);
    clinic.world.run_for(30_000);
    clinic.world.partition(clinic.billing, clinic.acme);
    clinic.world.start(clinic.health);
    clinic.world.run_for(60_000);
    assert_eq!(clinic.kept(), 0);

    clinic.world.heal(clinic.billing, clinic.acme);
    clinic.world.run_for(120_000);

    let ended = clinic.end(clinic.billing, asked);
    assert_eq!(ended.result, Ok(json!({"done": {"n": 1}})));
    invariants::check(&mut clinic.world);
}

#[test]
fn a_kept_call_reaches_a_child_that_was_away_for_days() {
    let mut clinic = clinic(919);
    clinic.take_down();
    for _ in 0..3 {
        clinic.world.leap(DAY_MS);
        clinic.world.run_for(30_000);
    }
    let asked = clinic.ask(clinic.billing, 1, 3 * DAY_MS);
    clinic.world.run_for(30_000);
    assert_eq!(
        clinic.kept(),
        1,
        "the live key is long over, the stored one is not"
    );

    clinic.world.leap(DAY_MS);
    clinic.world.run_for(30_000);
    clinic.world.start(clinic.health);

    let ended = clinic.end(clinic.billing, asked);
    assert_eq!(ended.result, Ok(json!({"done": {"n": 1}})));
    invariants::check(&mut clinic.world);
}

#[test]
fn a_message_is_kept_only_as_a_sealed_call() {
    let mut clinic = clinic(920);
    clinic.world.tap = true;
    let ordinary = clinic
        .world
        .call(clinic.billing, "work@acme/health", json!({"n": 1}));
    assert!(ordinary.result.is_ok());
    clinic.take_down();
    let asked = clinic.ask(clinic.billing, 2, HOUR_MS);
    clinic.world.run_for(30_000);

    let stored = clinic.stored_calls_to(clinic.acme);

    let header = stored[0].2.peek().unwrap();
    assert_eq!(header.kind, Kind::Call);
    assert!(header.has(flags::STORABLE) && header.ttl_ms > limits::TTL_MS);
    assert!(
        stored
            .iter()
            .all(|(_, _, envelope)| envelope.chain.is_some())
    );
    clinic.world.start(clinic.health);
    assert!(clinic.end(clinic.billing, asked).result.is_ok());
    invariants::check(&mut clinic.world);
}

#[test]
fn under_loss_and_duplication_and_crashes_every_kept_call_ends_and_has_its_effect_once() {
    for seed in 930..936 {
        let mut clinic = clinic(seed);
        clinic.take_down();
        clinic.world.faults.loss = 100;
        clinic.world.faults.duplication = 100;
        clinic.world.faults.reordering = 100;
        let asked: Vec<_> = (0..10)
            .map(|n| clinic.ask(clinic.billing, n, DAY_MS))
            .collect();
        for _ in 0..4 {
            let pause = clinic.world.random(HOUR_MS / 2);
            clinic.world.run_for(pause);
            clinic.world.crash_for(clinic.acme, 20_000);
            if clinic.world.is_up(clinic.health) {
                clinic.world.crash(clinic.health);
            } else {
                clinic.world.start(clinic.health);
            }
        }
        clinic.world.run_for(60_000);
        if !clinic.world.is_up(clinic.health) {
            clinic.world.start(clinic.health);
        }
        clinic.world.run_for(25 * HOUR_MS);

        clinic.world.faults.loss = 0;
        let billing = clinic.billing;
        let ends = asked.into_iter().map(|it| clinic.end(billing, it));
        let answered = ends.filter(|ended| ended.result.is_ok()).count();
        assert!(answered >= 5, "{answered} of 10");
        assert_eq!(clinic.kept(), 0);
        invariants::check(&mut clinic.world);
    }
}

#[test]
fn only_the_callee_s_parent_is_believed_about_what_is_kept() {
    let mut clinic = clinic(940);
    let desk = clinic.world.child(clinic.billing, "desk");
    clinic.world.run_for(5_000);
    clinic.take_down();
    clinic.world.tap = true;
    let asked = clinic.ask(desk, 1, DAY_MS);
    clinic.world.run_for(30_000);
    assert_eq!(clinic.events(desk, "call.stored"), 1);
    let (_, _, call) = clinic.stored_calls_to(clinic.acme).remove(0);
    let answers = call.digest();
    let taken = Custody {
        answers,
        until: clinic.world.now(desk).wall,
        taken: true,
    };
    let expired = Failure {
        code: FailureCode::Expired,
        answers,
        reference: None,
        retry_after_ms: None,
        detail: None,
        not_begun: None,
        spent: None,
        receipt: None,
    };

    let before = clinic.refused(desk);
    for (kind, content) in [
        (Kind::Custody, cbor::encode(&taken)),
        (Kind::Failure, cbor::encode(&expired)),
    ] {
        let said = said_by_billing(&clinic, &call, kind, &content);
        let link = clinic.world.links_between(desk, clinic.billing)[0];
        clinic.world.inject(desk, link, said);
    }
    clinic.world.run_for(1_000);

    assert_eq!(clinic.refused(desk), before + 2);
    assert_eq!(clinic.events(desk, "call.taken"), 0);
    clinic.world.start(clinic.health);
    let ended = clinic.end(desk, asked);
    assert_eq!(ended.result, Ok(json!({"done": {"n": 1}})));
    invariants::check(&mut clinic.world);
}

/// What a realm that only passed a call on says about it.
fn said_by_billing(clinic: &Clinic, call: &Envelope, kind: Kind, content: &[u8]) -> Bytes {
    let header = call.peek().unwrap();
    let billing = &clinic.world.hosts[clinic.billing.0];
    let place = Place {
        root: billing.scope.root,
        path: billing.scope.path.clone(),
        realm: Some(billing.realm),
        node: Some(billing.node_id),
    };
    let out = Outgoing {
        kind,
        source: &place,
        destination: &header.source,
        created: clinic.world.now(clinic.billing).wall,
        ttl_ms: 30_000,
        call: header.call,
        answers: Some(call.digest()),
        priority: Priority::Control,
        flags: None,
        max_reply: 0,
        receipt: None,
        content,
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut letter = write_clear(&mut rng, &billing.node_key(), &out).unwrap();
    letter.phase = Phase::Down;
    Frame::Envelope(letter.sign(&billing.node_key())).encode()
}
