//! Sessions: when calls go in one, when it ends, and what that costs nobody.

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use realm_crypto::{Outgoing, write_clear};
use realm_node::{ControlId, Invocation, Refused, Request, Response};
use realm_protocol::{
    Envelope, Failure, FailureCode, Header, KeyId, Kind, Phase, Place, Priority, RealmPath,
    Signature, Suite, cbor, limits, link::Frame,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

#[path = "sessions/beyond.rs"]
mod beyond;

/// Two children of one root.
struct Realms {
    world: World,
    acme: HostId,
    health: HostId,
    billing: HostId,
}

impl Realms {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let acme = world.found("acme");
        let health = world.child(acme, "health");
        let billing = world.child(acme, "billing");
        world.apply(billing, &[Loops::once("pay", 10)]);
        world.run_for(1_000);
        world.tap = true;
        Self {
            world,
            acme,
            health,
            billing,
        }
    }

    /// With a session that `health` has made with `billing`.
    fn in_session(seed: u64) -> Self {
        let mut realms = Self::new(seed);
        realms.pay(0);
        realms.world.wire.clear();
        realms
    }

    fn pay(&mut self, number: u64) {
        let input = json!({"n": number});
        let done = self
            .world
            .call(self.health, "pay@acme/billing", input.clone());
        assert_eq!(done.result, Ok(json!({"done": input})));
    }

    fn ask_to_pay(&mut self, number: u64) -> ControlId {
        let request = World::invoke("pay@acme/billing", json!({"n": number}));
        self.world.ask(self.health, request)
    }

    fn paid(&mut self, control: ControlId) {
        let done = ended(self.world.wait_for(self.health, control));
        assert!(done.result.is_ok(), "{done:?}");
    }

    /// The calls that `health` has sent since the wire was cleared.
    fn calls(&self) -> Vec<Header> {
        calls(&self.world, self.health)
    }

    fn suites(&self) -> Vec<Suite> {
        self.calls().iter().map(|header| header.suite).collect()
    }

    /// The frames with calls that went from `acme` to `billing`.
    fn frames_to_billing(&self) -> Vec<Bytes> {
        let wire = self.world.wire.iter();
        let passed = wire.filter(|(from, to, bytes)| {
            let call = envelope(bytes).is_some_and(|envelope| kind(&envelope) == Kind::Call);
            *from == self.acme && *to == self.billing && call
        });
        passed.map(|(_, _, bytes)| bytes.clone()).collect()
    }

    /// Gives a frame to `billing` once more, and tells how often that refused what for `why`.
    fn refused_by_billing(&mut self, frame: &Bytes, why: Refused) -> u64 {
        let before = self.refused(self.billing, why);
        let link = self.world.links_between(self.billing, self.acme)[0];
        self.world.inject(self.billing, link, frame.clone());
        self.world.run_for(200);
        self.refused(self.billing, why) - before
    }

    fn refused(&self, host: HostId, why: Refused) -> u64 {
        let counters = self.world.hosts[host.0].node().counters();
        counters.refused.get(&why).copied().unwrap_or(0)
    }

    fn effects(&self) -> u64 {
        self.world.effects.values().sum()
    }

    fn sessions(&self, host: HostId) -> usize {
        let load = self.world.hosts[host.0].node().load();
        let sessions = load.iter().find(|load| load.what == "sessions");
        sessions.unwrap().held
    }
}

fn ended(response: Response) -> Invocation {
    match response {
        Response::Invoked(invocation) => *invocation,
        other => panic!("{other:?}"),
    }
}

fn envelope(bytes: &Bytes) -> Option<Envelope> {
    match Frame::decode(bytes) {
        Ok(Frame::Envelope(envelope)) => Some(envelope),
        _ => None,
    }
}

fn kind(envelope: &Envelope) -> Kind {
    envelope.peek().unwrap().kind
}

/// The messages of a kind that a host has sent itself.
fn sent(world: &World, host: HostId, of: Kind) -> Vec<Envelope> {
    let node = Some(world.hosts[host.0].node_id);
    let wire = world.wire.iter().filter(|(from, ..)| *from == host);
    let sent = wire.filter_map(|(_, _, bytes)| envelope(bytes));
    sent.filter(|envelope| envelope.peek().unwrap().source.node == node && kind(envelope) == of)
        .collect()
}

fn calls(world: &World, host: HostId) -> Vec<Header> {
    let calls = sent(world, host, Kind::Call);
    calls.iter().map(|call| call.peek().unwrap()).collect()
}

fn keys(calls: &[Header]) -> Vec<KeyId> {
    calls.iter().filter_map(|call| call.key).collect()
}

fn echoes(address: &str, count: u64) -> Vec<Request> {
    let echo = |number: u64| World::invoke(address, json!({"n": number}));
    (0..count).map(echo).collect()
}

#[test]
fn the_first_call_is_sealed_and_those_after_it_go_in_the_session_it_began() {
    let mut realms = Realms::new(400);
    for number in 0..4 {
        realms.pay(number);
    }

    let calls = realms.calls();
    assert_eq!(
        realms.suites(),
        [
            Suite::Sealed,
            Suite::Session,
            Suite::Session,
            Suite::Session
        ]
    );
    let counters: Vec<Option<u64>> = calls.iter().map(|call| call.counter).collect();
    assert_eq!(counters, [None, Some(0), Some(1), Some(2)]);
    assert_eq!(calls[1].key, calls[3].key);
    let answers = sent(&realms.world, realms.billing, Kind::Result);
    let reply = |answer: &Envelope| answer.peek().unwrap().suite == Suite::Reply;
    assert_eq!(answers.len(), 4);
    assert!(answers.iter().all(reply), "answers go under reply keys");
    invariants::check(&mut realms.world);
}

#[test]
fn a_callee_that_has_restarted_says_so_and_the_call_is_sealed_again() {
    let mut realms = Realms::in_session(401);
    realms.world.crash(realms.billing);
    realms.world.start(realms.billing);
    realms.world.run_for(5_000);

    realms.pay(1);

    let calls = realms.calls();
    assert_eq!(realms.suites(), [Suite::Session, Suite::Sealed]);
    assert_eq!(calls[0].call, calls[1].call);
    let failures = sent(&realms.world, realms.billing, Kind::Failure);
    assert_eq!(failures.len(), 1, "the callee itself says it");
    assert_eq!(realms.effects(), 2);
    realms.world.wire.clear();
    realms.pay(2);
    assert_eq!(realms.suites(), [Suite::Session]);
    invariants::check(&mut realms.world);
}

#[test]
fn a_caller_that_has_restarted_seals_and_begins_another_session() {
    let mut realms = Realms::in_session(402);
    realms.world.crash(realms.health);
    realms.world.start(realms.health);
    realms.world.run_for(5_000);

    realms.pay(1);
    realms.pay(2);

    assert_eq!(realms.suites(), [Suite::Sealed, Suite::Session]);
    assert_eq!(realms.sessions(realms.billing), 2);
    invariants::check(&mut realms.world);
}

#[test]
fn a_relay_cannot_end_a_session_that_is_not_its_own() {
    let mut realms = Realms::in_session(403);
    realms.world.silence(realms.acme, realms.billing);
    let control = realms.ask_to_pay(1);
    realms.world.run_for(50);
    let call = sent(&realms.world, realms.health, Kind::Call).remove(0);
    let before = realms.refused(realms.health, Refused::Unasked);

    let forged = unknown_key(&realms, &call);
    let link = realms.world.links_between(realms.health, realms.acme)[0];
    realms.world.inject(realms.health, link, forged);
    realms.world.run_for(50);
    realms.world.heal(realms.acme, realms.billing);
    realms.paid(control);

    assert_eq!(realms.refused(realms.health, Refused::Unasked), before + 1);
    let calls = realms.calls();
    let first = calls[0].key;
    assert_eq!(first, call.peek().unwrap().key);
    assert!(calls.len() > 1 && calls.iter().all(|call| call.key == first));
    invariants::check(&mut realms.world);
}

/// What the root would say if a call to `billing` had been a call to itself.
fn unknown_key(realms: &Realms, call: &Envelope) -> Bytes {
    let header = call.peek().unwrap();
    let root = &realms.world.hosts[realms.acme.0];
    let place = Place {
        root: root.realm,
        path: RealmPath::ROOT,
        realm: Some(root.realm),
        node: Some(root.node_id),
    };
    let failure = Failure {
        code: FailureCode::UnknownKey,
        answers: call.digest(),
        reference: None,
        retry_after_ms: None,
        detail: None,
        not_begun: None,
        spent: None,
        receipt: None,
    };
    let out = Outgoing {
        kind: Kind::Failure,
        source: &place,
        destination: &header.source,
        created: realms.world.now(realms.acme).wall,
        ttl_ms: 30_000,
        call: header.call,
        answers: Some(call.digest()),
        priority: Priority::Control,
        flags: None,
        max_reply: 0,
        receipt: None,
        content: &cbor::encode(&failure),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut letter = write_clear(&mut rng, &root.node_key(), &out).unwrap();
    letter.phase = Phase::Down;
    Frame::Envelope(letter.sign(&root.node_key())).encode()
}

#[test]
fn a_recorded_call_of_a_session_is_refused_now_and_after_a_restart() {
    let mut realms = Realms::in_session(404);
    realms.pay(1);
    let frame = realms.frames_to_billing().remove(0);
    let served = realms.effects();

    assert_eq!(realms.refused_by_billing(&frame, Refused::Replay), 1);
    realms.world.crash(realms.billing);
    realms.world.start(realms.billing);
    realms.world.run_for(5_000);
    assert_eq!(realms.refused_by_billing(&frame, Refused::Sealed), 1);

    assert_eq!(realms.effects(), served);
    invariants::check(&mut realms.world);
}

#[test]
fn a_late_call_is_taken_while_the_window_reaches_back_to_it() {
    let mut realms = Realms::in_session(405);
    realms.world.silence(realms.acme, realms.billing);
    let first = realms.ask_to_pay(1);
    let second = realms.ask_to_pay(2);
    realms.world.run_for(50);
    realms.world.heal(realms.acme, realms.billing);
    let frames = realms.frames_to_billing();
    let served = realms.effects();

    let link = realms.world.links_between(realms.billing, realms.acme)[0];
    realms.world.inject(realms.billing, link, frames[1].clone());
    realms.world.run_for(200);
    assert_eq!(realms.effects(), served + 1, "within the window");
    realms.paid(second);
    realms.paid(first);
    invariants::check(&mut realms.world);
}

#[test]
fn a_call_of_a_session_that_is_held_back_is_not_taken_after_its_time() {
    let mut realms = Realms::in_session(412);
    realms.world.silence(realms.acme, realms.billing);
    let held_back = realms.ask_to_pay(1);
    let ended = ended(realms.world.wait_for(realms.health, held_back));
    assert!(ended.result.is_err(), "{ended:?}");
    let frame = realms.frames_to_billing().remove(0);
    let header = envelope(&frame).unwrap().peek().unwrap();
    assert_eq!(header.suite, Suite::Session);
    realms.world.heal(realms.acme, realms.billing);
    realms
        .world
        .run_for(header.ttl_ms + limits::CLOCK_SKEW_MS + 1_000);
    let before = realms.effects();

    assert_eq!(realms.refused_by_billing(&frame, Refused::Expired), 1);

    assert_eq!(realms.effects(), before);
    invariants::check(&mut realms.world);
}

#[test]
fn after_half_an_hour_one_call_begins_another_session_while_the_others_go_on() {
    let mut realms = Realms::in_session(406);
    realms.pay(1);
    let old = keys(&realms.calls())[0];
    realms.world.run_for(limits::SESSION_RENEW_MS);
    realms.world.wire.clear();

    let asked = realms
        .world
        .ask_together(realms.health, echoes("echo@acme/billing", 5));
    for control in asked {
        let done = ended(realms.world.wait_for(realms.health, control));
        assert!(done.result.is_ok(), "{done:?}");
    }
    let calls = realms.calls();
    let sealed = calls.iter().filter(|call| call.suite == Suite::Sealed);
    assert_eq!(sealed.count(), 1);
    assert_eq!(keys(&calls).iter().filter(|key| **key == old).count(), 4);

    realms.world.wire.clear();
    realms.pay(2);
    assert_eq!(realms.suites(), [Suite::Session]);
    assert_ne!(keys(&realms.calls()), [old]);
    invariants::check(&mut realms.world);
}

#[test]
fn after_an_hour_nobody_seals_under_a_session_and_soon_nobody_knows_it() {
    let mut realms = Realms::in_session(407);
    realms.world.run_for(limits::SESSION_MS);
    assert!(realms.sessions(realms.billing) > 0, "for what is under way");
    realms.world.run_for(limits::TTL_MS + 120_000);
    assert_eq!(realms.sessions(realms.health), 0);
    assert_eq!(realms.sessions(realms.billing), 0);

    realms.pay(1);

    assert_eq!(realms.suites(), [Suite::Sealed]);
    invariants::check(&mut realms.world);
}

#[test]
fn a_machine_that_was_suspended_keeps_no_session_of_before() {
    let mut realms = Realms::in_session(420);

    realms.world.leap(3 * 60_000);
    realms.world.run_for(5_000);
    assert_eq!(realms.sessions(realms.health), 0);
    assert_eq!(realms.sessions(realms.billing), 0);
    realms.pay(1);

    assert_eq!(realms.suites(), [Suite::Sealed]);
    invariants::check(&mut realms.world);
}

#[test]
fn whoever_took_a_session_calls_back_in_it_only_after_a_call_came_in_it() {
    let mut realms = Realms::in_session(408);
    let back = |realms: &mut Realms| {
        realms.world.wire.clear();
        realms
            .world
            .call(realms.billing, "echo@acme/health", Value::Null);
        calls(&realms.world, realms.billing).remove(0)
    };
    assert_eq!(back(&mut realms).suite, Suite::Sealed);

    let mut realms = Realms::in_session(409);
    realms.pay(1);
    let session = keys(&realms.calls());
    let call = back(&mut realms);
    assert_eq!((call.suite, call.counter), (Suite::Session, Some(0)));
    assert_eq!(keys(&[call]), session);
    invariants::check(&mut realms.world);
}

#[test]
fn a_lost_answer_costs_a_session_and_nothing_else() {
    let mut realms = Realms::new(410);
    let control = realms.ask_to_pay(1);
    while realms.effects() == 0 {
        realms.world.run_for(1);
    }
    realms.world.silence(realms.acme, realms.billing);
    realms.world.run_for(500);
    realms.world.heal(realms.acme, realms.billing);
    realms.paid(control);
    realms.pay(2);

    assert_eq!(
        realms.suites(),
        [Suite::Sealed, Suite::Sealed, Suite::Session]
    );
    assert_eq!(realms.effects(), 2);
    invariants::check(&mut realms.world);
}

#[test]
fn two_realms_that_call_each_other_at_once_both_end_up_in_sessions() {
    let mut realms = Realms::new(411);
    let (health, billing) = (realms.health, realms.billing);
    for suite in [Suite::Sealed, Suite::Session, Suite::Session] {
        realms.world.wire.clear();
        let there = realms.ask_to_pay(1);
        let request = World::invoke("echo@acme/health", json!({"n": 1}));
        let back = realms.world.ask(billing, request);
        realms.paid(there);
        let back = ended(realms.world.wait_for(billing, back));
        assert_eq!(back.result, Ok(json!({"n": 1})));
        for host in [health, billing] {
            assert_eq!(calls(&realms.world, host)[0].suite, suite, "{host:?}");
        }
    }
}

#[test]
fn calls_made_together_share_a_signature_that_each_verifier_verifies_once() {
    let mut world = World::new(412);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let lab = world.found("lab");
    let genomics = world.child(lab, "genomics");
    world.peer(acme, lab);
    world.run_for(5_000);
    world.allow(genomics, "acme", "echo");
    let address = "echo@lab/genomics";
    world.call(health, address, Value::Null);
    world.tap = true;
    world.call(health, address, Value::Null);
    let alone = sent(&world, health, Kind::Call).remove(0);
    world.wire.clear();
    let verified = |world: &World| {
        [acme, lab, genomics].map(|host| world.hosts[host.0].node().roots_verified())
    };
    let before = verified(&world);

    for control in world.ask_together(health, echoes(address, 8)) {
        let done = ended(world.wait_for(health, control));
        assert!(done.result.is_ok(), "{done:?}");
    }

    assert!(matches!(alone.signature, Signature::Single(_)));
    let together = sent(&world, health, Kind::Call);
    let mut signatures = together.iter().map(|call| match &call.signature {
        Signature::Root { signature, .. } => signature,
        Signature::Single(_) => panic!("eight calls have a signature each"),
    });
    let first = signatures.next().unwrap();
    assert_eq!(together.len(), 8);
    assert!(signatures.all(|signature| signature == first));
    let after = verified(&world);
    assert_eq!(after[2] - before[2], 1, "at the destination");
    assert_eq!(after[1] - before[1], 1, "at the border");
    invariants::check(&mut world);
}
