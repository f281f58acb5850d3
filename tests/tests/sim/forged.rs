//! Messages that a hostile realm makes up, or sends again: halts of nobody above, and approvals of something else.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use realm_crypto::{Outgoing, Trust, VerifiedChain, seal, verify_chain};
use realm_node::{HaltAsked, HaltOf, Refused, Request, Response, UnhaltAsked, UnhaltOf};
use realm_protocol::{
    ApprovalId, CallId, Digest, Envelope, FailureCode, Kind, Phase, Priority, RealmId, RunId,
    audit::AuditEntry,
    cbor::{self, Blob},
    halt::Halt,
    journal::Table,
    json, limits,
    link::{Frame, read_chain},
    message::{Call, TraceParent},
    records::{Approval, ApprovalAction, ApprovalVerdict, Role, Signed},
};
use realm_tests::{HostId, Loops, Tree, World, audit, invariants};
use serde_json::{Value, json as value};

/// mercy with a child and a peer, who know each other's chains.
struct Ground {
    world: World,
    rng: ChaCha8Rng,
    mercy: HostId,
    ward: HostId,
    lab: HostId,
    /// What the realms have shown of themselves.
    chains: BTreeMap<RealmId, VerifiedChain>,
    number: u8,
}

impl Ground {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let (mercy, lab) = (world.found("mercy"), world.found("lab"));
        let ward = world.child(mercy, "ward");
        world.peer(mercy, lab);
        world.run_for(5_000);
        for host in [mercy, ward] {
            world.apply(host, &[Loops::once("pay", 1)]);
            world.allow(host, "lab", "*");
        }
        world.tap = true;
        for (from, to) in [(ward, "mercy"), (mercy, "mercy/ward"), (lab, "mercy/ward")] {
            let called = world.call(from, &format!("echo@{to}"), value!({}));
            assert_eq!(called.result, Ok(value!({})));
        }
        world.tap = false;
        let chains = shown(&mut world);
        Self {
            chains,
            world,
            rng: ChaCha8Rng::seed_from_u64(seed),
            mercy,
            ward,
            lab,
            number: 0,
        }
    }

    /// A message as its sender would seal it, whatever it says.
    fn message(&mut self, kind: Kind, (from, to): (HostId, HostId), content: &[u8]) -> Envelope {
        self.number += 1;
        let (source, destination) = (&self.world.hosts[from.0], &self.world.hosts[to.0]);
        let now = self.world.now(to).wall;
        let chain = &self.chains[&destination.realm];
        let (from_place, to_place) = (source.place(), destination.place());
        let out = Outgoing {
            kind,
            source: &from_place,
            destination: &to_place,
            created: self.world.now(from).wall,
            ttl_ms: limits::TTL_MS,
            call: CallId::new([self.number; 16]),
            answers: None,
            priority: Priority::Normal,
            flags: None,
            max_reply: limits::BODY_BYTES as u64,
            receipt: None,
            content,
        };
        let kem = chain.kem_at(now).expect("a key");
        let (mut letter, _) = seal(&mut self.rng, &source.signer(), kem, &out).expect("a letter");
        letter.phase = match source.scope.root == destination.scope.root {
            true => Phase::Up,
            false => Phase::Across,
        };
        letter.sign(&source.signer())
    }

    /// Lets a message come to somebody from a neighbour.
    fn send(&mut self, envelope: Envelope, [from, to]: [HostId; 2]) {
        let link = self.world.links_between(to, from)[0];
        let bytes = Frame::Envelope(envelope).encode();
        self.world.inject(to, link, bytes);
        self.world.run_for(200);
    }

    fn is_halted(&self, host: HostId) -> bool {
        !self.world.hosts[host.0].node().halts().above.is_empty()
    }

    fn told(&self, host: HostId, action: &str) -> Vec<AuditEntry> {
        let mut entries = audit::entries(&self.world.hosts[host.0].disk);
        entries.retain(|entry| entry.action == action);
        entries
    }
}

/// The chains that went over the wire.
fn shown(world: &mut World) -> BTreeMap<RealmId, VerifiedChain> {
    let now = world.now(HostId(0)).wall;
    let wire = std::mem::take(&mut world.wire).into_iter();
    let chains = wire.filter_map(|(_, _, bytes)| {
        let Ok(Frame::Envelope(envelope)) = Frame::decode(&bytes) else {
            return None;
        };
        let trust = Trust {
            root: envelope.peek().ok()?.source.root,
            shared: None,
            revoked: &|_, _| false,
            now,
        };
        let chain = read_chain(envelope.chain.as_ref()?).ok()?;
        let chain = verify_chain(&chain, &trust).ok()?;
        Some((chain.realm(), chain))
    });
    chains.collect()
}

fn word(ground: &Ground, by: HostId, number: u64) -> Vec<u8> {
    cbor::encode(&Halt {
        number,
        halted: true,
        subtree: true,
        by: ground.world.hosts[by.0].scope.clone(),
        why: None,
    })
}

#[test]
fn a_halt_of_somebody_who_is_not_above_is_refused_and_the_log_names_them() {
    let mut ground = Ground::new(760);
    let (mercy, ward, lab) = (ground.mercy, ground.ward, ground.lab);
    // One says that it speaks for the realm above, the other is below.
    let claimed = word(&ground, mercy, u64::MAX);
    let from_lab = ground.message(Kind::Halt, (lab, ward), &claimed);
    ground.send(from_lab, [lab, mercy]);
    let from_ward = ground.message(Kind::Halt, (ward, mercy), &claimed);
    ground.send(from_ward, [ward, mercy]);
    ground.world.run_for(2_000);

    for (told, by) in [(ward, lab), (mercy, ward)] {
        assert!(!ground.is_halted(told));
        let entries = ground.told(told, "halt.refused");
        let by = ground.world.hosts[by.0].scope.clone();
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(entries[0].realm, Some(by));
    }
    let called = ground.world.call(lab, "echo@mercy/ward", value!({}));
    assert_eq!(called.result, Ok(value!({})));
}

#[test]
fn a_flood_of_halts_that_nobody_may_say_stops_nothing_and_fills_no_log() {
    let mut ground = Ground::new(761);
    let (mercy, ward, lab) = (ground.mercy, ground.ward, ground.lab);
    let before = ground.world.hosts[ward.0].disk.audit.len();
    for number in 1..=200 {
        let content = word(&ground, mercy, number);
        let envelope = ground.message(Kind::Halt, (lab, ward), &content);
        let link = ground.world.links_between(mercy, lab)[0];
        let bytes = Frame::Envelope(envelope).encode();
        ground.world.inject(mercy, link, bytes);
    }
    ground.world.run_for(2_000);

    assert!(!ground.is_halted(ward));
    let entries = ground.world.hosts[ward.0].disk.audit.len() - before;
    let most = usize::try_from(limits::AUDIT_REFUSALS).unwrap() + 1;
    assert!((1..=most).contains(&entries), "{entries}");
    let called = ground.world.call(ward, "echo", value!({}));
    assert_eq!(called.result, Ok(value!({})));
}

#[test]
fn a_halt_that_is_sent_again_after_it_was_lifted_halts_nothing() {
    let mut ground = Ground::new(762);
    let (mercy, ward) = (ground.mercy, ground.ward);
    ground.world.tap = true;
    let halt = Request::Halt(HaltAsked {
        of: HaltOf::Realm("mercy/ward".parse().unwrap()),
        by: "owner".to_owned(),
        why: None,
    });
    assert!(matches!(
        ground.world.ask_and_wait(mercy, halt),
        Response::Done
    ));
    ground.world.run_for(1_000);
    ground.world.tap = false;
    assert!(ground.is_halted(ward));
    let wire = std::mem::take(&mut ground.world.wire);
    let word = wire.iter().find_map(|(_, to, bytes)| {
        let Ok(Frame::Envelope(envelope)) = Frame::decode(bytes) else {
            return None;
        };
        let halt = *to == ward && envelope.peek().ok()?.kind == Kind::Halt;
        halt.then_some(envelope)
    });
    let word = word.expect("a word to the ward");
    let unhalt = Request::Unhalt(UnhaltAsked {
        of: UnhaltOf::All,
        by: "owner".to_owned(),
        why: None,
    });
    ground.world.ask_and_wait(mercy, unhalt);
    ground.world.run_for(1_000);
    assert!(!ground.is_halted(ward));

    for down_ms in [0, 500] {
        if down_ms > 0 {
            ground.world.crash_for(ward, down_ms);
            ground.world.run_for(2_000);
        }
        let refused = |ground: &Ground| -> u64 {
            let counters = ground.world.hosts[ward.0].node().counters();
            counters.refused.values().sum()
        };
        let before = refused(&ground);
        ground.send(word.clone(), [mercy, ward]);
        assert!(!ground.is_halted(ward));
        assert!(refused(&ground) > before, "it is told from a new one");
    }
    invariants::check(&mut ground.world);
}

/// A call of lab's with what somebody there has approved, which may be another one.
fn call_with(ground: &Ground, (input, approved): (&Value, &Value)) -> Vec<u8> {
    let (ward, lab) = (
        &ground.world.hosts[ground.ward.0],
        &ground.world.hosts[ground.lab.0],
    );
    let now = ground.world.now(ground.lab).wall;
    let run = RunId::new([9; 16]);
    let approval = Approval {
        id: ApprovalId::new([8; 16]),
        action: ApprovalAction {
            realm: lab.realm,
            run,
            frame: CallId::new([7; 16]),
            loop_id: "pay@mercy/ward".to_owned(),
            version: None,
            revision: None,
            contract: None,
            input: Digest::of(&[&json::to_bytes(approved)]),
            callee: Some(ward.scope.clone()),
        },
        verdict: ApprovalVerdict::Granted,
        person: "ann".to_owned(),
        roles: vec![Role::Approver],
        reason: None,
        decided: now,
        expires: now.plus(60_000),
        node: lab.node_id,
    };
    let mut signed = Signed::unsigned(&approval);
    lab.signer().sign(&mut signed);
    cbor::encode(&Call {
        loop_id: "pay".parse().unwrap(),
        version: None,
        contract: None,
        input: Blob::from(json::to_bytes(input)),
        key: Digest::of(&[input.to_string().as_bytes()]),
        key_created: now,
        timeout_ms: 5_000,
        depth: 0,
        caller: None,
        parent: Some(TraceParent {
            run,
            frame: CallId::new([7; 16]),
        }),
        budget: None,
        grants: None,
        session: None,
        approvals: Some(vec![signed]),
        stream: None,
        order: None,
    })
}

#[test]
fn an_approval_that_is_shown_with_another_argument_approves_nothing_and_the_log_tells() {
    let mut ground = Ground::new(763);
    let (mercy, ward, lab) = (ground.mercy, ground.ward, ground.lab);
    let cedar = r#"forbid (principal, action == Action::"invoke", resource)
        when { resource.name == "pay" } unless { context.approved >= 1 };"#;
    ground.world.set_policy(ward, "asked", cedar, false);
    let (approved, other) = (value!({"euros": 1}), value!({"euros": 1_000}));

    for (input, runs) in [(&other, 0), (&approved, 1), (&other, 1)] {
        let content = call_with(&ground, (input, &approved));
        let envelope = ground.message(Kind::Call, (lab, ward), &content);
        ground.send(envelope, [lab, mercy]);
        ground.world.run_for(2_000);
        assert_eq!(ground.world.effects.values().sum::<u64>(), runs, "{input}");
    }

    let denied = ground.told(ward, "policy.denied");
    assert_eq!(denied.len(), 2, "{denied:?}");
    let lab = ground.world.hosts[lab.0].scope.clone();
    assert!(
        denied
            .iter()
            .all(|entry| entry.realm.as_ref() == Some(&lab))
    );
    let (code, said) = (FailureCode::Denied.name(), denied[0].error.clone());
    assert!(said.is_some_and(|said| said.starts_with(code)));
}

#[test]
fn a_message_whose_id_was_here_before_is_not_opened() {
    let mut ground = Ground::new(765);
    let (mercy, ward) = (ground.mercy, ground.ward);
    let envelope = ground.message(Kind::Call, (ward, mercy), b"nothing");
    ground.send(envelope.clone(), [ward, mercy]);
    ground.world.run_for(1_000);
    ground.world.crash(mercy);
    // Without its key nothing that was sealed to it opens any more.
    ground.world.hosts[mercy.0].disk.lose(Table::Kem);
    ground.world.start(mercy);
    ground.world.run_for(30_000);

    ground.send(envelope, [ward, mercy]);

    let counters = ground.world.hosts[mercy.0].node().counters();
    assert_eq!(counters.refused.get(&Refused::Replay), Some(&1));
    assert_eq!(counters.refused.get(&Refused::Sealed), None);
}
