//! Realms that mean harm to calls of others that were accepted.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use realm_crypto::{Outgoing, seal};
use realm_node::Request;
use realm_protocol::{
    CallId, Digest, Envelope, Failure, FailureCode, Header, Kind, Phase, Place, Priority,
    cbor::{self, Blob, Wire},
    journal::Status,
    link::Frame,
    message::{Cancel, Plaintext, Progress, Resolved, ResultAck, Stage, StatusAsked},
    records::{Chain, KemRecord},
};
use realm_tests::{HostId, Loops, Tree, World};

use super::{HOUR_MS, MINUTE_MS, Pair, detached, waits};

/// Everything that crossed a wire, as whoever stands on it reads it.
struct Overheard(Vec<(HostId, HostId, Envelope, Header)>, Vec<Chain>);

impl Overheard {
    fn by(world: &World) -> Self {
        let (mut envelopes, mut chains) = (Vec::new(), Vec::new());
        for (from, to, bytes) in &world.wire {
            match Frame::decode(bytes) {
                Ok(Frame::Envelope(envelope)) => {
                    let header = envelope.peek().unwrap();
                    chains.extend(resolved(&envelope, &header));
                    envelopes.push((*from, *to, envelope, header));
                }
                Ok(Frame::Hello(hello)) => chains.push(hello.chain),
                Ok(Frame::Records(records)) => chains.extend(records.chain),
                _ => {}
            }
        }
        Self(envelopes, chains)
    }

    fn last(&self, from: HostId, kind: Kind) -> Option<&(HostId, HostId, Envelope, Header)> {
        let mut all = self.0.iter().rev();
        all.find(|(sender, _, _, header)| *sender == from && header.kind == kind)
    }

    fn count(&self, from: HostId, kind: Kind) -> usize {
        let all = self.0.iter();
        all.filter(|(sender, _, _, header)| *sender == from && header.kind == kind)
            .count()
    }

    /// The key that is sealed to, of a realm that has shown its chain.
    fn kem(&self, of: &World, realm: HostId) -> KemRecord {
        let kems = self.1.iter().rev().flat_map(|chain| &chain.kem);
        let mut kems = kems.filter_map(|kem| kem.peek().ok());
        let kem = kems.find(|kem| kem.realm == of.hosts[realm.0].realm);
        kem.expect("it has shown its chain")
    }

    fn place(&self, of: HostId, realm: &World) -> Place {
        let realm = realm.hosts[of.0].realm;
        let mut places = self.0.iter().rev().map(|(_, _, _, header)| &header.source);
        let place = places.find(|place| place.realm == Some(realm));
        place.expect("it has sent something").clone()
    }

    fn chain(&self, of: &Place) -> Option<Blob> {
        let mut own = self.0.iter().rev();
        own.find_map(|(_, _, envelope, header)| {
            envelope.chain.clone().filter(|_| header.source == *of)
        })
    }
}

fn resolved(envelope: &Envelope, header: &Header) -> Option<Chain> {
    let clear = header.kind == Kind::Resolved;
    let plaintext: Plaintext = clear.then(|| cbor::decode(&envelope.body).ok())??;
    let resolved: Resolved = cbor::decode(&plaintext.content).ok()?;
    Some(resolved.chain)
}

/// A message that one realm makes up for another, with its own good certificate.
struct Forged<'a> {
    from: HostId,
    to: HostId,
    /// Over whose link it comes.
    over: HostId,
    call: CallId,
    answers: Option<Digest>,
    kind: Kind,
    content: &'a [u8],
}

impl Forged<'_> {
    fn send(&self, world: &mut World, heard: &Overheard, phase: Phase) {
        let (from, to) = (heard.place(self.from, world), heard.kem(world, self.to));
        let destination = Place {
            node: Some(to.node),
            realm: Some(to.realm),
            root: world.hosts[self.to.0].scope.root,
            path: world.hosts[self.to.0].scope.path.clone(),
        };
        let out = Outgoing {
            kind: self.kind,
            source: &from,
            destination: &destination,
            created: world.now(self.from).wall,
            ttl_ms: 30_000,
            call: self.call,
            answers: self.answers,
            priority: Priority::Normal,
            flags: None,
            max_reply: 4_096,
            receipt: None,
            content: self.content,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(world.random(1 << 40));
        let key = world.hosts[self.from.0].node_key();
        let (mut letter, _) = seal(&mut rng, &key, &to, &out).unwrap();
        letter.phase = phase;
        letter.chain = heard.chain(&from);
        let link = world.links_between(self.to, self.over)[0];
        let frame = Frame::Envelope(letter.sign(&key)).encode();
        world.inject(self.to, link, frame);
    }
}

fn encoded(body: &impl Wire) -> Vec<u8> {
    cbor::encode(body)
}

/// A third root that lab lets in, on every wire while acme's long call is accepted there.
fn listen_in(pair: &mut Pair) -> HostId {
    let eve = pair.world.found("eve");
    pair.world.tap = true;
    pair.world.peer(eve, pair.lab);
    pair.world.allow(pair.lab, "eve", "*");
    pair.world.run_for(1_000);
    pair.world.ask(pair.acme, detached("later@lab"));
    pair.world.call(eve, "echo@lab", serde_json::json!({}));
    pair.world.run_for(10_000);
    eve
}

#[test]
fn a_stranger_learns_nothing_of_a_run_and_changes_nothing() {
    let mut pair = Pair::new(30, &[Loops::once("spend", 10), waits("later", "10h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    let eve = listen_in(&mut pair);
    let heard = Overheard::by(&pair.world);
    let call = heard.last(acme, Kind::Call).unwrap().3.call;
    let run = pair.served().id;
    pair.world.wire.clear();

    let status = encoded(&StatusAsked { run });
    let cancel = encoded(&Cancel { reason: None });
    for (kind, content) in [(Kind::Status, &status), (Kind::Cancel, &cancel)] {
        let forged = Forged {
            from: eve,
            to: lab,
            over: eve,
            call,
            answers: None,
            kind,
            content,
        };
        forged.send(&mut pair.world, &heard, Phase::Across);
        pair.world.run_for(1_000);
    }
    let answers = Overheard::by(&pair.world);
    assert_eq!(answers.count(lab, Kind::Accepted), 0);
    let (_, to, ..) = answers.last(lab, Kind::Failure).expect("an answer");
    assert_eq!(*to, eve);
    pair.world.tap = false;
    pair.world.run_for(11 * HOUR_MS);
    assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
    pair.leaves_nothing();
}

#[test]
fn who_takes_the_place_of_a_callee_ends_nothing_for_it() {
    let mut world = World::new(31);
    let (acme, lab) = (world.found("acme"), world.found("lab"));
    world.peer(acme, lab);
    let ward = world.child(lab, "ward");
    world.allow(ward, "acme", "*");
    world.apply(ward, &[Loops::once("spend", 10), waits("later", "10h")]);
    world.run_for(1_000);
    world.tap = true;
    world.ask(acme, detached("later@lab/ward"));
    world.run_for(10_000);
    let before = Overheard::by(&world);
    let (_, _, envelope, header) = before.last(acme, Kind::Call).unwrap();
    let (call, answers) = (header.call, envelope.digest());

    world.ask_and_wait(lab, Request::Revoke("ward".parse().unwrap()));
    world.run_for(1_000);
    let usurper = world.child(lab, "ward");
    world.allow(usurper, "acme", "*");
    world.run_for(1_000);
    // It calls acme once, so that acme's key and its own chain are known to it.
    world.allow(acme, "lab/ward", "*");
    world.call(usurper, "echo@acme", serde_json::json!({}));
    let heard = Overheard::by(&world);
    let failure = Failure {
        code: FailureCode::LoopFailed,
        answers,
        reference: None,
        retry_after_ms: None,
        detail: Some("made up".to_owned()),
        not_begun: None,
        spent: None,
        receipt: None,
    };
    let forged = Forged {
        from: usurper,
        to: acme,
        over: lab,
        call,
        answers: Some(answers),
        kind: Kind::Failure,
        content: &encoded(&failure),
    };
    forged.send(&mut world, &heard, Phase::Across);
    world.run_for(1_000);
    let mut runs = world.hosts[acme.0].disk.runs.values();
    let out = runs.find(|run| run.call == call).unwrap();
    assert_eq!(out.status, Status::Running, "{out:?}");
}

#[test]
fn a_flood_of_progress_fills_no_trace() {
    let mut pair = Pair::new(32, &[Loops::once("spend", 10), waits("later", "10h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    pair.world.allow(acme, "lab", "*");
    pair.world.tap = true;
    pair.world.cut_once(acme, lab);
    pair.world.run_for(10_000);
    pair.world.ask(acme, detached("later@lab"));
    pair.world.run_for(10_000);
    pair.world.call(lab, "echo@acme", serde_json::json!({}));
    let heard = Overheard::by(&pair.world);
    let (_, _, envelope, header) = heard.last(acme, Kind::Call).unwrap();
    let (call, answers) = (header.call, envelope.digest());
    let run = pair.served().id;
    pair.world.tap = false;
    for number in 0..1_000_u64 {
        let stage = [Stage::Paused, Stage::Waiting][(number % 2) as usize];
        let number = number + (1 << 50);
        let progress = Progress { run, number, stage };
        let forged = Forged {
            from: lab,
            to: acme,
            over: lab,
            call,
            answers: Some(answers),
            kind: Kind::Progress,
            content: &encoded(&progress),
        };
        forged.send(&mut pair.world, &heard, Phase::Across);
        pair.world.run_for(10);
    }
    assert!(pair.count(acme, "call.progress") <= 100);
    let told = pair.world.hosts[acme.0]
        .node()
        .accepted_elsewhere(pair.out().id);
    assert_eq!(told[0].stage, Stage::Waiting, "the latest is told");
    pair.world.run_for(11 * HOUR_MS);
    assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
    pair.leaves_nothing();
}

#[test]
fn an_acknowledgement_by_another_ends_no_delivery() {
    let mut pair = Pair::new(33, &[Loops::once("spend", 10), waits("later", "1h")]);
    let (acme, lab) = (pair.acme, pair.lab);
    let eve = listen_in(&mut pair);
    pair.world.silence(acme, lab);
    pair.world.run_for(HOUR_MS);
    let heard = Overheard::by(&pair.world);
    let (_, _, end, header) = heard.last(lab, Kind::Result).unwrap();
    let call = header.call;
    let acknowledged = encoded(&ResultAck { awaited: true });
    let forged = Forged {
        from: eve,
        to: lab,
        over: eve,
        call,
        answers: Some(end.digest()),
        kind: Kind::ResultAck,
        content: &acknowledged,
    };
    forged.send(&mut pair.world, &heard, Phase::Across);
    pair.world.run_for(1_000);
    pair.world.tap = false;
    pair.world.heal(acme, lab);
    pair.world.run_for(10 * MINUTE_MS);
    assert_eq!(pair.out().status, Status::Completed, "{:?}", pair.out());
    pair.leaves_nothing();
}
