//! A broadcast of this realm's before it begins: its announcements, and whom they are passed to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use realm_broadcast::{
    Announcer, FanOut, Left, Neighbour, Pass, Side,
    announcer::{Input, Plan, PlanError, Round},
    fan_out,
};
use realm_executor::{Effects, Registered};
use realm_policy::{Action, Resource};
use realm_protocol::{
    BroadcastId, Digest, Scope,
    broadcast::{self, Announcement},
    budget::Spend,
    cbor::Blob,
    journal::{Change, Direction, Run, Status},
    json, limits,
};

use super::{Announced, BroadcastAsked, asking::Begin, call_of};
use crate::Node;

/// How long an award waits to be confirmed, milliseconds.
const CONFIRM_MS: u64 = 5_000;
/// How long a lease is at least, milliseconds; a holder that works on renews it.
const LEASE_MS: u64 = 10_000;
/// Leases that all slots together may have if each lasts its time.
const LEASES: u64 = 4_096;

impl Node {
    pub(super) fn announce(
        &mut self,
        begin: Begin,
        asked: &BroadcastAsked,
        contract: Arc<Registered>,
    ) -> Result<BroadcastId, PlanError> {
        let Begin {
            asker,
            parent,
            person,
            depth,
            work,
        } = begin;
        let secret: [u8; 32] = self.random();
        let announced_depth = match asked.sub_loops {
            true => depth,
            false => depth.max(limits::CALL_DEPTH.saturating_sub(1)),
        };
        let announcement = Announcement {
            work,
            ..self.announcement(announced_depth, asked, &contract, &secret)
        };
        let broadcast = announcement.broadcast;
        let frame = asker.frame();
        let mut rounds = vec![Round {
            announcement: self.me.sign(&announcement),
            fan: self.fan_out_own(&announcement),
        }];
        if let Some(wider) = &asked.wider {
            let wider = Announcement {
                round: 2,
                reach: wider.reach.clone(),
                ..announcement
            };
            rounds.push(Round {
                announcement: self.me.sign(&wider),
                fan: FanOut::default(),
            });
        }
        let input = Blob::from(json::to_bytes(&asked.input));
        let plan = Plan {
            rounds,
            secret,
            input: input.clone(),
            confirm_ms: CONFIRM_MS,
            lease_ms: lease_ms(asked),
            at_once: asked
                .at_once
                .unwrap_or(u64::MAX)
                .min(asked.rule.awards)
                .max(1),
            person_ms: asked.person_ms.unwrap_or(u64::MAX).min(asked.execution_ms),
            budget: Some(asked.budget).filter(|budget| !budget.is_unbounded()),
        };
        let signed = plan.rounds.iter().map(|round| round.announcement.clone());
        let rounds = signed.collect();
        let announcer = Announcer::start(plan, self.now)?;
        let run = Run {
            id: self.new_run(),
            call: call_of(broadcast),
            loop_id: contract.manifest.id.to_string(),
            version: Some(contract.manifest.version.to_string()),
            direction: Direction::Local,
            peer: None,
            status: Status::Running,
            started: self.wall(),
            ended: None,
            error: None,
            input: Some(input),
            output: None,
            parent,
            resume: None,
            erased: None,
        };
        self.out.change(Change::Run(run.clone()));
        let own = Announced {
            announcer,
            asker: Some(asker),
            frame,
            rounds,
            contract,
            loop_id: asked.loop_id.clone(),
            holders: BTreeMap::new(),
            began: BTreeMap::new(),
            aggregator: asked.aggregator.clone(),
            aggregated: Spend::default(),
            depth,
            person,
            run,
            entries: 0,
            proven: BTreeSet::new(),
            families: BTreeMap::new(),
            offered: BTreeMap::new(),
            events: 0,
            leaving: None,
            close: Arc::default(),
            undecided: Vec::new(),
            refused: 0,
        };
        self.market.announced.insert(broadcast, own);
        self.keep_broadcast(broadcast);
        Ok(broadcast)
    }

    fn announcement(
        &self,
        depth: u64,
        asked: &BroadcastAsked,
        contract: &Registered,
        secret: &[u8; 32],
    ) -> Announcement {
        let commitment = Digest::of(&[secret]);
        Announcement {
            broadcast: BroadcastId::of(self.me.realm(), commitment),
            round: 1,
            announcer: self.me.place().clone(),
            loop_id: asked.loop_id.clone(),
            contract: contract.contract,
            input_schema: schema_digest(&contract.manifest.input_schema),
            output_schema: schema_digest(&contract.manifest.result_schema()),
            effects: match contract.effects {
                Effects::None => broadcast::Effects::None,
                Effects::Idempotent => broadcast::Effects::Idempotent,
                Effects::Once => broadcast::Effects::Once,
            },
            capabilities: asked.capabilities.iter().cloned().collect(),
            limits: asked.limits.clone(),
            reach: asked.reach.clone(),
            window_ms: asked.window_ms,
            award_ms: asked.award_ms,
            execution_ms: asked.execution_ms,
            rule: asked.rule,
            aggregation: asked.aggregation.clone(),
            commitment,
            created: self.wall(),
            depth,
            work: None,
        }
    }

    /// Begins a further round of a broadcast with those who are linked now.
    pub(super) fn fan_out_round(&mut self, broadcast: BroadcastId, round: u64) {
        let own = self.market.announced.get(&broadcast);
        let announcement = own.and_then(|own| own.round(round)?.peek().ok());
        let Some(announcement) = announcement else {
            return;
        };
        let fan = self.fan_out_own(&announcement);
        let now = self.now;
        if let Some(own) = self.market.announced.get_mut(&broadcast) {
            own.announcer.handle(Input::FannedOut(fan), now);
        }
        self.keep_broadcast(broadcast);
    }

    /// Whom a round is passed to, this realm itself among them if it is asked.
    fn fan_out_own(&mut self, announcement: &Announcement) -> FanOut {
        let neighbours = self.neighbours(announcement);
        let left = Left {
            down: announcement.reach.down,
            up: announcement.reach.up,
        };
        let (me, window_ms) = (self.me.scope(), announcement.window_ms);
        let mut fan = fan_out(announcement, &me, &Side::Here, left, window_ms, &neighbours);
        if realm_broadcast::is_asked(announcement, &me) {
            fan.passes.push(Pass {
                to: Side::Here,
                left: Left { down: 0, up: 0 },
                window_ms,
            });
        }
        fan
    }

    /// Parent, children and peers, and whether this realm's policy lets the announcement go there.
    pub(super) fn neighbours(&mut self, announcement: &Announcement) -> Vec<Neighbour> {
        let children = self.kin.children.keys();
        let children = children.map(|label| Side::Child(label.clone()));
        let parent = self.kin.parent.iter().map(|_| Side::Parent);
        let peers = self.kin.peers.keys().map(|root| Side::Peer(*root));
        let sides: Vec<Side> = children.chain(parent).chain(peers).collect();
        let announcer = announcement.announcer.scope();
        let neighbours = sides.into_iter().filter_map(|side| {
            let scope = self.scope_of(&side)?;
            let reachable = self.is_linked(&side)
                && !self.halts.stops_below(&scope)
                && self.may_pass(&announcer, &scope);
            let can = match &side {
                Side::Child(label) => self.market.summaries.of_child(label).cloned(),
                _ => None,
            };
            Some(Neighbour {
                side,
                can,
                reachable,
            })
        });
        neighbours.collect()
    }

    fn may_pass(&mut self, from: &Scope, to: &Scope) -> bool {
        let (resource, now) = (Resource::Realm(to), self.now.wall);
        let decided = self.rules.decide(Action::Relay, from, resource, false, now);
        *from == self.me.scope() || decided.is_ok()
    }
}

/// How long a lease is: as long as it takes that all renewals fit into a transcript.
fn lease_ms(asked: &BroadcastAsked) -> u64 {
    let held = asked.execution_ms.saturating_mul(asked.rule.awards);
    LEASE_MS.max(held / LEASES)
}

/// Digests of a contract's input and output schema.
pub(super) fn schemas(contract: &Registered) -> (Digest, Digest) {
    let manifest = &contract.manifest;
    (
        schema_digest(&manifest.input_schema),
        schema_digest(&manifest.output_schema),
    )
}

fn schema_digest(schema: &serde_json::Value) -> Digest {
    Digest::of(&[realm_executor::canonical_json(schema).as_bytes()])
}
