//! Bytes that are not what they should be: refused, counted, and nothing else.

use realm_node::{Counters, LinkId};
use realm_protocol::{
    Envelope, Hop, Kind, Phase, Signature,
    cbor::{self, Blob},
    journal::Direction,
    limits,
    link::Frame,
};
use realm_tests::{HostId, Tree, World, invariants};
use serde_json::json;

/// A call that its parent has sealed for a child, and that has not arrived.
struct Intercepted {
    world: World,
    child: HostId,
    link: LinkId,
    envelope: Envelope,
}

fn intercept(seed: u64) -> Intercepted {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    let ping = realm_node::Request::Ping("acme/health".parse().unwrap());
    world.ask_and_wait(acme, ping);
    world.silence(acme, health);
    world.tap = true;
    world.ask(acme, World::invoke("echo@acme/health", json!({"n": 1})));
    let call = world.wire.iter().find_map(|(_, to, bytes)| {
        let Ok(Frame::Envelope(envelope)) = Frame::decode(bytes) else {
            return None;
        };
        let call = *to == health && envelope.peek().unwrap().kind == Kind::Call;
        call.then_some(envelope)
    });
    world.tap = false;
    let envelope = call.expect("a call is on its way");
    assert!(envelope.chain.is_some(), "the first call brings the chain");
    let link = world.links_between(health, acme)[0];
    world.heal(acme, health);
    Intercepted {
        world,
        child: health,
        link,
        envelope,
    }
}

impl Intercepted {
    fn inject(&mut self, envelope: Envelope) {
        let bytes = Frame::Envelope(envelope).encode();
        self.world.inject(self.child, self.link, bytes);
    }

    fn runs(&self) -> usize {
        let runs = self.world.hosts[self.child.0].disk.runs.values();
        runs.filter(|run| run.direction == Direction::In).count()
    }

    fn counters(&self) -> Counters {
        self.world.hosts[self.child.0].node().counters().clone()
    }

    fn refused(&self) -> u64 {
        self.counters().refused.values().sum()
    }

    /// Injects each of them; all are refused and counted, and the original still runs.
    fn all_are_refused(mut self, wrong: Vec<Envelope>) {
        let before = self.refused();
        let count = wrong.len() as u64;
        for envelope in wrong {
            self.inject(envelope);
        }
        self.world.run_for(1_500);
        assert_eq!(self.runs(), 0, "something was executed");
        assert!(self.refused() - before >= count, "{:?}", self.counters());
        let original = self.envelope.clone();
        self.inject(original);
        self.world.run_for(1_000);
        assert_eq!(self.runs(), 1, "the original is not executed");
        invariants::check(&mut self.world);
    }
}

/// The blob with each of its bytes flipped, one at a time.
fn flips(blob: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..blob.len()).flat_map(|at| {
        [0x01, 0x80].map(|bits| {
            let mut flipped = blob.to_vec();
            flipped[at] ^= bits;
            flipped
        })
    })
}

#[test]
fn every_flipped_byte_of_a_header_is_refused() {
    let call = intercept(40);
    let envelope = &call.envelope;
    let wrong = flips(&envelope.header).map(|header| Envelope {
        header: Blob::from(header),
        ..envelope.clone()
    });
    let wrong = wrong.collect();
    call.all_are_refused(wrong);
}

#[test]
fn every_flipped_byte_of_a_signature_is_refused() {
    let call = intercept(41);
    let envelope = &call.envelope;
    let Signature::Single(signature) = &envelope.signature else {
        panic!("senders sign alone");
    };
    let wrong = flips(signature).map(|signature| Envelope {
        signature: Signature::Single(signature.try_into().unwrap()),
        ..envelope.clone()
    });
    let wrong = wrong.collect();
    call.all_are_refused(wrong);
}

#[test]
fn every_flipped_byte_of_a_body_is_refused() {
    let call = intercept(42);
    let envelope = &call.envelope;
    let wrong = flips(&envelope.body).map(|body| Envelope {
        body: Blob::from(body),
        ..envelope.clone()
    });
    let wrong = wrong.collect();
    call.all_are_refused(wrong);
}

#[test]
fn every_flipped_byte_of_a_chain_is_refused() {
    let call = intercept(43);
    let envelope = &call.envelope;
    let chain = envelope.chain.clone().unwrap();
    let wrong = flips(&chain).map(|chain| Envelope {
        chain: Some(Blob::from(chain)),
        ..envelope.clone()
    });
    let wrong = wrong.collect();
    call.all_are_refused(wrong);
}

#[test]
fn an_envelope_is_delivered_at_most_once_whatever_its_hop_says() {
    let mut call = intercept(44);
    for hop in every_hop() {
        let envelope = Envelope {
            hop,
            ..call.envelope.clone()
        };
        call.inject(envelope);
    }
    call.world.run_for(1_000);
    assert_eq!(call.runs(), 1);
    assert_eq!(call.counters().served, 1);
    invariants::check(&mut call.world);
}

#[test]
fn an_envelope_with_a_young_hop_is_not_delivered_after_its_time() {
    let mut call = intercept(45);
    let header = call.envelope.peek().unwrap();
    call.world
        .leap(header.ttl_ms + limits::CLOCK_SKEW_MS + 1_000);
    for hop in every_hop() {
        let envelope = Envelope {
            hop,
            ..call.envelope.clone()
        };
        call.inject(envelope);
    }
    call.world.run_for(1_000);
    assert_eq!(call.runs(), 0);
    assert_eq!(call.counters().served, 0);
}

/// Every number of hops left that could pass, the bounds of every width beyond, each phase, and
/// ages around every bound.
fn every_hop() -> impl Iterator<Item = Hop> {
    let ages = [0, 1, 29_999, 30_000, 30_001, limits::TTL_MS, u64::MAX];
    let beyond = [65_536, u64::from(u32::MAX), u64::MAX];
    (0..=256).chain(beyond).flat_map(move |left| {
        [Phase::Up, Phase::Across, Phase::Down]
            .into_iter()
            .flat_map(move |phase| {
                ages.map(|age_ms| Hop {
                    left,
                    phase,
                    age_ms,
                })
            })
    })
}

#[test]
fn a_recorded_envelope_is_refused_after_a_restart() {
    let mut call = intercept(46);
    let envelope = call.envelope.clone();
    call.inject(envelope.clone());
    call.world.run_for(200);
    assert_eq!(call.runs(), 1);

    call.world.crash(call.child);
    call.world.start(call.child);
    call.world.run_for(5_000);
    call.link = call.world.links_between(call.child, HostId(0))[0];
    call.inject(envelope);
    call.world.run_for(1_000);
    assert_eq!(call.counters().served, 0, "{:?}", call.counters());
    assert_eq!(call.runs(), 1);
}

#[test]
fn a_recorded_envelope_is_refused_when_the_clock_is_set_back_after_a_restart() {
    let mut call = intercept(47);
    let envelope = call.envelope.clone();
    call.inject(envelope.clone());
    call.world.run_for(200);
    call.world.leap(30 * 60_000);
    call.world.run_for(20_000);
    call.world.crash(call.child);
    call.world.start(call.child);
    call.world.run_for(20_000);

    call.world.hosts[call.child.0].clock_offset = -30 * 60_000;
    call.world.crash(call.child);
    call.world.start(call.child);
    call.world.run_for(5_000);
    call.link = call.world.links_between(call.child, HostId(0))[0];
    call.inject(envelope);
    call.world.run_for(1_000);
    assert_eq!(call.counters().served, 0, "{:?}", call.counters());
}

#[test]
fn an_envelope_for_one_realm_is_of_no_use_at_another() {
    let mut world = World::new(48);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    let billing = world.child(acme, "billing");
    world.run_for(1_000);
    world.tap = true;
    world.call(acme, "echo@acme/health", json!({"n": 1}));
    world.tap = false;
    let link = world.links_between(billing, acme)[0];
    for (_, to, bytes) in std::mem::take(&mut world.wire) {
        if let (true, Ok(Frame::Envelope(envelope))) = (to == health, Frame::decode(&bytes)) {
            let mut header = envelope.peek().unwrap();
            world.inject(billing, link, bytes);
            header.destination = realm_protocol::Place {
                path: "billing".parse().unwrap(),
                ..header.destination
            };
            let header = Blob::from(cbor::encode(&header));
            let readdressed = Frame::Envelope(Envelope { header, ..envelope });
            world.inject(billing, link, readdressed.encode());
        }
    }
    world.run_for(2_000);
    let counters = world.hosts[billing.0].node().counters();
    assert_eq!(counters.served, 0);
    let refused: u64 = counters.refused.values().sum();
    assert!(refused >= 2, "{counters:?}");
    invariants::check(&mut world);
}

#[test]
fn frames_that_are_not_frames_are_counted_and_hurt_nobody() {
    let mut call = intercept(49);
    let good = Frame::Envelope(call.envelope.clone()).encode();
    let mut wrong: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    wrong.push([&*good, &[0]].concat());
    wrong.push(vec![0xff; 64]);
    wrong.push(vec![0x9b; limits::FRAME_BYTES + 1]);
    wrong.push([&[0x9f, 0x00], &good[2..], &[0xff]].concat());
    wrong.push([&[0x82, 0x18, 0x00], &good[2..]].concat());
    wrong.push([&[0x82, 0x18, 0x63], &good[2..]].concat());
    let before = call.refused();
    let count = wrong.len() as u64;
    for bytes in wrong {
        call.world.inject(call.child, call.link, bytes.into());
    }
    assert_eq!(call.refused() - before, count);
    let original = call.envelope.clone();
    call.inject(original);
    call.world.run_for(1_000);
    assert_eq!(call.runs(), 1);
    invariants::check(&mut call.world);
}

#[test]
fn a_stranger_with_wrong_bytes_is_cut_off() {
    let mut world = World::new(50);
    let acme = world.found("acme");
    let health = world.child(acme, "health");
    world.run_for(1_000);
    world.crash(health);
    world.start(health);
    world.run_for(4_000);
    let link = world.links_between(acme, health)[0];
    for bytes in [vec![], vec![0x00], vec![0x82, 0x01, 0xa0], vec![0xff; 100]] {
        world.inject(acme, link, bytes.into());
    }
    world.run_for(40_000);
    let up = world.call(health, "echo@acme", json!({}));
    assert_eq!(up.result, Ok(json!({})));
    invariants::check(&mut world);
}
