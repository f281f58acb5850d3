//! Requests that come too late for their session's window, or that offer what is no session.

use realm_crypto::{
    RootMemo, Trust, VerifiedChain, open_reply, seal, verify_chain, verify_envelope,
};
use realm_node::{InviteKind, JoinAsked};
use realm_protocol::{
    CallId, Digest,
    cbor::Blob,
    link::read_chain,
    message::{Call, CallResult},
};

use super::*;

impl Realms {
    /// Lets more calls pass in the session than its window remembers.
    fn outrun_the_window(&mut self) {
        for _ in 0..=limits::SESSION_WINDOW / 64 {
            let asked = echoes("echo@acme/billing", 64);
            let asked = self.world.ask_together(self.health, asked);
            for control in asked {
                let done = ended(self.world.wait_for(self.health, control));
                assert!(done.result.is_ok(), "{done:?}");
            }
        }
    }

    fn failures(&self) -> usize {
        sent(&self.world, self.billing, Kind::Failure).len()
    }
}

#[test]
fn a_call_that_fell_out_of_the_window_is_sealed_at_once_and_its_session_goes_on() {
    let mut realms = Realms::in_session(420);
    realms.world.silence(realms.acme, realms.billing);
    let held_up = realms.ask_to_pay(1);
    realms.world.run_for(50);
    realms.world.heal(realms.acme, realms.billing);
    let frame = realms.frames_to_billing().remove(0);
    let session = keys(&realms.calls());
    realms.outrun_the_window();
    realms.world.wire.clear();
    let (served, asked_at) = (realms.effects(), realms.world.elapsed_ms());

    assert_eq!(realms.refused_by_billing(&frame, Refused::Replay), 1);
    realms.paid(held_up);

    let took = realms.world.elapsed_ms() - asked_at;
    assert!(took < 2_000, "{took} ms: it waited for its time to be over");
    assert_eq!(realms.suites(), [Suite::Sealed]);
    assert_eq!(realms.effects(), served + 1);
    realms.refused_by_billing(&frame, Refused::Replay);
    realms.world.wire.clear();
    realms.pay(2);
    assert_eq!(keys(&realms.calls()), session, "nobody has ended it");
    invariants::check(&mut realms.world);
}

#[test]
fn a_replay_of_a_call_that_is_being_served_harms_neither_it_nor_its_session() {
    let mut realms = Realms::in_session(421);
    realms
        .world
        .apply(realms.billing, &[Loops::once("slow", 15_000)]);
    let request = World::invoke("slow@acme/billing", json!({"n": 1}));
    let slow = realms.world.ask(realms.health, request);
    realms.world.run_for(50);
    let frame = realms.frames_to_billing().remove(0);
    realms.outrun_the_window();

    for _ in 0..3 {
        assert_eq!(realms.refused_by_billing(&frame, Refused::Replay), 1);
    }
    realms.paid(slow);

    assert_eq!(realms.failures(), 0);
    assert!(realms.suites().iter().all(|suite| *suite == Suite::Session));
    invariants::check(&mut realms.world);
}

#[test]
fn nobody_gets_more_words_about_late_calls_than_a_session_s_rate() {
    let mut realms = Realms::in_session(422);
    realms.pay(1);
    let frame = realms.frames_to_billing().remove(0);
    realms.outrun_the_window();
    realms.world.wire.clear();
    let link = realms.world.links_between(realms.billing, realms.acme)[0];

    for _ in 0..2_000 {
        realms.world.inject(realms.billing, link, frame.clone());
    }
    realms.world.run_for(100);

    let failures = realms.failures();
    assert!(failures > 0 && failures < 300, "{failures}");
    realms.pay(2);
    assert_eq!(realms.suites(), [Suite::Session]);
    invariants::check(&mut realms.world);
}

/// The chain of a host, as it showed it on the wire.
fn chain(world: &World, host: HostId) -> VerifiedChain {
    let of = [Kind::Call, Kind::Result, Kind::Resolved, Kind::Failure];
    let shown = of.into_iter().flat_map(|kind| sent(world, host, kind));
    let shown = shown.filter_map(|envelope| envelope.chain).next().unwrap();
    let trust = Trust {
        root: world.hosts[host.0].scope.root,
        shared: None,
        revoked: &|_, _| false,
        now: world.now(host).wall,
    };
    verify_chain(&read_chain(&shown).unwrap(), &trust).unwrap()
}

#[test]
fn an_offer_that_no_session_can_come_of_is_not_taken() {
    let mut realms = Realms::new(423);
    realms.pay(0);
    let (health, billing) = (realms.health, realms.billing);
    let (mine, theirs) = (chain(&realms.world, health), chain(&realms.world, billing));
    let now = realms.world.now(health).wall;
    let call = Call {
        loop_id: "echo".parse().unwrap(),
        version: None,
        contract: None,
        input: Blob::from(b"{}".to_vec()),
        key: Digest::of(&[b"key"]),
        key_created: now,
        timeout_ms: 10_000,
        depth: 1,
        caller: None,
        parent: None,
        budget: None,
        session: Some([0; 32]),
        grants: None,
        approvals: None,
        stream: None,
        order: None,
    };
    let out = Outgoing {
        kind: Kind::Call,
        source: mine.place(),
        destination: theirs.place(),
        created: now,
        ttl_ms: 10_000,
        call: CallId::new([9; 16]),
        answers: None,
        priority: Priority::Normal,
        flags: None,
        max_reply: limits::BODY_BYTES as u64,
        receipt: None,
        content: &cbor::encode(&call),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let signer = realms.world.hosts[health.0].node_key();
    let kem = theirs.kem_at(now).unwrap();
    let (mut letter, reply_key) = seal(&mut rng, &signer, kem, &out).unwrap();
    letter.phase = Phase::Down;
    let frame = Frame::Envelope(letter.sign(&signer)).encode();
    let before = realms.sessions(billing);
    realms.world.wire.clear();

    let link = realms.world.links_between(billing, realms.acme)[0];
    realms.world.inject(billing, link, frame);
    realms.world.run_for(200);

    let answer = sent(&realms.world, billing, Kind::Result).remove(0);
    let header = answer.read_header().unwrap();
    let verified = verify_envelope(answer, header, &theirs, 0, &mut RootMemo::default());
    let opened = open_reply(&verified.unwrap(), &reply_key).unwrap();
    let result: CallResult = cbor::decode(opened.content()).unwrap();
    assert_eq!(result.session, None);
    assert_eq!(realms.sessions(billing), before);
}

#[test]
fn a_key_is_erased_as_soon_as_it_is_offered_no_more() {
    for phase in 0..4 {
        let mut realms = Realms::new(424);
        realms.world.run_for(phase * 2_500);
        realms.world.silence(realms.acme, realms.billing);
        realms.ask_to_pay(1);
        realms.world.run_for(1_000);
        let offered = |realms: &Realms| {
            let load = realms.world.hosts[realms.health.0].node().load();
            let offers = load.iter().find(|load| load.what == "session offers");
            offers.unwrap().held
        };
        assert_eq!(offered(&realms), 1);

        realms.world.run_for(9_500);

        assert_eq!(offered(&realms), 0, "phase {phase}");
    }
}

#[test]
fn a_root_is_verified_anew_once_its_signer_s_chain_was_revoked() {
    let mut realms = Realms::in_session(425);
    let asked = realms
        .world
        .ask_together(realms.health, echoes("echo@acme/billing", 8));
    for control in asked {
        ended(realms.world.wait_for(realms.health, control));
    }
    let frame = realms.frames_to_billing().remove(0);
    let verified = |realms: &Realms| realms.world.hosts[realms.billing.0].node().roots_verified();
    let known = verified(&realms);
    assert_eq!(realms.refused_by_billing(&frame, Refused::Replay), 1);
    assert_eq!(verified(&realms), known, "remembered");

    let revoke = Request::Revoke("health".parse().unwrap());
    realms.world.ask_and_wait(realms.acme, revoke);
    realms.world.run_for(10_000);
    let kind = InviteKind::Child("health".parse().unwrap());
    let asked = JoinAsked {
        ticket: realms.world.ticket(realms.acme, kind, &[]),
        petname: None,
        allow: vec![],
    };
    let joined = realms
        .world
        .ask_and_wait(realms.health, Request::Join(asked));
    assert!(matches!(joined, Response::Joined(_)), "{joined:?}");
    realms.world.run_for(10_000);
    realms.pay(1);
    let known = verified(&realms);

    assert_eq!(realms.refused_by_billing(&frame, Refused::Replay), 1);
    assert_eq!(verified(&realms), known + 1);
}
