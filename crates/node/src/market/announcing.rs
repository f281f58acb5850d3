//! Broadcasts of this realm's own: announced, awarded, made one.

use std::{collections::BTreeMap, sync::Arc};

use realm_broadcast::{
    Announcer, FanOut, Left, Neighbour, Pass, Side,
    announcer::{Input, Message, Output, Plan, PlanError, Round},
    close_pages, fan_out,
    log::{Conclusion, Ending, Entry},
};
use realm_executor::{Effects, Registered};
use realm_policy::{Action, Resource};
use realm_protocol::{
    BroadcastId, CallId, Digest, FailureCode, Kind, Place, Scope,
    broadcast::{
        self, Aggregation, Announce, Announcement, Bid, BidLimits, Close, Confirm, Deliver,
        OutcomeAck, Reach, Rule, Tally, Verdict, WorkProgress,
    },
    cbor::{self, Blob},
    journal::{Change, Direction, Event, Run, Status},
    json::{self, Object},
    records::Signed,
};
use serde_json::Value;

use super::{Announced, BROADCASTS, call_of};
use crate::{CallFailure, ControlId, Effect, Node, Refusal, Response};

/// How long an award waits to be confirmed, milliseconds.
const CONFIRM_MS: u64 = 5_000;
/// How long a lease is, milliseconds; a holder that works on renews it.
const LEASE_MS: u64 = 10_000;
/// What a bidder is trusted with that nothing is known of, in millionths.
const TRUST: u64 = 500_000;

/// Work without an address.
#[derive(Clone, Debug)]
pub struct BroadcastAsked {
    /// The loop whose contract the work has; it is registered here.
    pub loop_id: realm_protocol::LoopId,
    /// Input.
    pub input: Value,
    /// Who is asked.
    pub reach: Reach,
    /// What bids must keep to.
    pub limits: BidLimits,
    /// How long bids are taken, milliseconds.
    pub window_ms: u64,
    /// How long after that awards are made, milliseconds.
    pub award_ms: u64,
    /// How long the work may take in all, milliseconds.
    pub execution_ms: u64,
    /// How bids are chosen among.
    pub rule: Rule,
    /// How results are made one.
    pub aggregation: Aggregation,
}

/// How a broadcast ended.
#[derive(Clone, Debug)]
pub struct Broadcasted {
    /// Its run here.
    pub run: realm_protocol::RunId,
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Bids that counted.
    pub bids: usize,
    /// Its one outcome.
    pub conclusion: Conclusion,
    /// Milliseconds from announcement to outcome.
    pub duration_ms: u64,
}

impl Node {
    pub(crate) fn broadcast(&mut self, control: ControlId, asked: BroadcastAsked) {
        if self.stopping {
            return self.refuse(control, Refusal::Stopping);
        }
        if self.market.announced() >= BROADCASTS {
            let (what, limit) = ("broadcasts under way", BROADCASTS);
            return self.refuse(control, Refusal::Full { what, limit });
        }
        let Some(contract) = self.registry.find(&asked.loop_id, None).cloned() else {
            let name = asked.loop_id.to_string();
            return self.refuse(control, Refusal::NotFound { what: "loop", name });
        };
        if let Err(details) = contract.check_input(&asked.input) {
            let message = format!("the input of `{}` does not match its schema", asked.loop_id);
            let failure = CallFailure {
                details,
                ..CallFailure::new(FailureCode::SchemaInput, message)
            };
            return self.refuse(control, Refusal::Call(failure));
        }
        match self.announce(control, &asked, contract) {
            Ok(broadcast) => self.carry_out_announcer(broadcast),
            Err(error) => {
                let failure = CallFailure::new(FailureCode::Malformed, error.to_string());
                self.refuse(control, Refusal::Call(failure));
            }
        }
        self.set_market_timer();
    }

    fn announce(
        &mut self,
        control: ControlId,
        asked: &BroadcastAsked,
        contract: Arc<Registered>,
    ) -> Result<BroadcastId, PlanError> {
        let secret: [u8; 32] = self.random();
        let broadcast = BroadcastId::new(self.random());
        let announcement = self.announcement(broadcast, asked, &contract, &secret);
        let mut signed = Signed::unsigned(&announcement);
        self.me.signer().sign(&mut signed);
        let mut fan = self.fan_out_own(&announcement);
        if realm_broadcast::is_asked(&announcement, &self.me.scope()) {
            fan.passes.push(Pass {
                to: Side::Here,
                left: Left { down: 0, up: 0 },
                window_ms: asked.window_ms,
            });
        }
        let input = Blob::from(json::to_bytes(&asked.input));
        let plan = Plan {
            rounds: vec![Round {
                announcement: signed.clone(),
                fan,
            }],
            secret,
            input: input.clone(),
            confirm_ms: CONFIRM_MS,
            lease_ms: LEASE_MS,
            at_once: asked.rule.awards.max(1),
            person_ms: asked.execution_ms,
        };
        let announcer = Announcer::start(plan, self.now)?;
        let (run, call) = (self.new_run(), self.new_call());
        let run = Run {
            id: run,
            call,
            loop_id: asked.loop_id.to_string(),
            version: Some(contract.manifest.version.to_string()),
            direction: Direction::Local,
            peer: None,
            status: Status::Running,
            started: self.wall(),
            ended: None,
            error: None,
            input: Some(input),
            output: None,
            parent: None,
            resume: None,
        };
        self.out.change(Change::Run(run.clone()));
        let own = Announced {
            announcer,
            control,
            rounds: vec![signed],
            contract,
            run,
            call,
            awarded: BTreeMap::new(),
            events: 0,
            started: self.now.tick,
        };
        self.market.announced.insert(broadcast, own);
        Ok(broadcast)
    }

    fn announcement(
        &self,
        broadcast: BroadcastId,
        asked: &BroadcastAsked,
        contract: &Registered,
        secret: &[u8; 32],
    ) -> Announcement {
        let (input_schema, output_schema) = schemas(contract);
        Announcement {
            broadcast,
            round: 1,
            announcer: self.me.place().clone(),
            loop_id: asked.loop_id.clone(),
            contract: contract.contract,
            input_schema,
            output_schema,
            effects: match contract.effects {
                Effects::None => broadcast::Effects::None,
                Effects::Idempotent => broadcast::Effects::Idempotent,
                Effects::Once => broadcast::Effects::Once,
            },
            capabilities: Vec::new(),
            limits: asked.limits.clone(),
            reach: asked.reach.clone(),
            window_ms: asked.window_ms,
            award_ms: asked.award_ms,
            execution_ms: asked.execution_ms,
            rule: asked.rule,
            aggregation: asked.aggregation.clone(),
            commitment: Digest::of(&[secret]),
            created: self.wall(),
            depth: 0,
        }
    }

    fn fan_out_own(&mut self, announcement: &Announcement) -> FanOut {
        let neighbours = self.neighbours(announcement);
        let left = Left {
            down: announcement.reach.down,
            up: announcement.reach.up,
        };
        let (me, window_ms) = (self.me.scope(), announcement.window_ms);
        fan_out(announcement, &me, &Side::Here, left, window_ms, &neighbours)
    }

    /// Parent, children and peers, and whether this realm's policy lets the announcement go there.
    pub(super) fn neighbours(&mut self, announcement: &Announcement) -> Vec<Neighbour> {
        let connected = self.routes.children().map(|(label, _)| label.clone());
        let connected: Vec<_> = connected.collect();
        let mut sides: Vec<(Side, bool)> = Vec::new();
        for label in self.kin.children.keys() {
            sides.push((Side::Child(label.clone()), connected.contains(label)));
        }
        if self.kin.parent.is_some() {
            sides.push((Side::Parent, self.parent_connected()));
        }
        let links: Vec<_> = self.routes.peers().map(|(root, _)| root).collect();
        for root in self.kin.peers.keys() {
            sides.push((Side::Peer(*root), links.contains(root)));
        }
        let announcer = announcement.announcer.scope();
        let neighbours = sides.into_iter().filter_map(|(side, linked)| {
            let scope = self.scope_of(&side)?;
            let reachable = linked && self.may_pass(&announcer, &scope);
            Some(Neighbour {
                side,
                can: None,
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

    /// Carries out what a broadcast of this realm's wants.
    pub(super) fn carry_out_announcer(&mut self, broadcast: BroadcastId) {
        while let Some(output) = self.announcer_output(broadcast) {
            match output {
                Output::Write(entry) => self.write_down(broadcast, &entry),
                Output::Announce { round, pass } => self.announce_to(broadcast, round, &pass),
                Output::Refuse { to, why, .. } => {
                    let payload = Object::new()
                        .with("realm", &self.name_of(&to.scope()))
                        .with("why", &why.to_string());
                    self.note_broadcast(broadcast, None, "broadcast.refused", payload);
                }
                Output::Send { to, message } => self.send_as_announcer(&to, message),
                Output::Ask { slot, holder, .. } => {
                    let payload = Object::new()
                        .with("slot", &slot)
                        .with("realm", &self.name_of(&holder.scope()));
                    self.note_broadcast(broadcast, None, "broadcast.undecided", payload);
                }
                Output::Aggregate(_) => {
                    let none = Input::Aggregated(Err(FailureCode::LoopNotFound));
                    self.tell_announcer(broadcast, none);
                }
                Output::Close {
                    verdict,
                    winners,
                    to,
                } => self.send_close(broadcast, &verdict, &winners, &to),
                Output::Finished(conclusion) => self.finish_broadcast(broadcast, *conclusion),
            }
        }
    }

    fn announcer_output(&mut self, broadcast: BroadcastId) -> Option<Output> {
        let own = self.market.announced.get_mut(&broadcast)?;
        own.announcer.poll_output()
    }

    fn tell_announcer(&mut self, broadcast: BroadcastId, input: Input) {
        let now = self.now;
        if let Some(own) = self.market.announced.get_mut(&broadcast) {
            own.announcer.handle(input, now);
        }
    }

    fn announce_to(&mut self, broadcast: BroadcastId, round: u64, pass: &Pass) {
        let own = self.market.announced.get(&broadcast);
        let index = usize::try_from(round.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(signed) = own.and_then(|own| own.rounds.get(index)).cloned() else {
            return;
        };
        if pass.to == Side::Here {
            return self.consider(signed, pass.window_ms);
        }
        let chain = self.me.chain().map(|chain| chain.bytes().clone());
        self.pass_to(signed, pass, chain);
    }

    /// Sends an announcement to a neighbour.
    pub(super) fn pass_to(
        &mut self,
        announcement: Signed<Announcement>,
        pass: &Pass,
        chain: Option<Blob>,
    ) {
        let Some(scope) = self.scope_of(&pass.to) else {
            return;
        };
        let message = Announce {
            announcement,
            window_ms: pass.window_ms,
            down: pass.left.down,
            up: pass.left.up,
            chain,
        };
        self.send_at(scope, Kind::Announce, &message);
    }

    fn send_as_announcer(&mut self, to: &Place, message: Message) {
        let me = self.me.place().clone();
        let here = to.realm == me.realm;
        match message {
            Message::Award(award) if here => self.awarded(&me, award),
            Message::Lease(lease) if here => self.leased(&me, lease),
            Message::Withdraw(withdraw) if here => self.withdrawn(&me, withdraw),
            Message::Ack(ack) if here => self.acknowledged(&me, ack),
            Message::Award(award) => self.send_to(to, Kind::Award, &award),
            Message::Lease(lease) => {
                // The work is one call, in both halves of its trace.
                let own = self.market.announced.get(&lease.broadcast);
                let bid = own.and_then(|own| own.awarded.get(&(lease.slot, lease.epoch)));
                let call = bid.map(call_of);
                let call = call.unwrap_or_else(|| self.new_call());
                self.send_as(call, to, Kind::Lease, &lease);
            }
            Message::Withdraw(withdraw) => self.send_to(to, Kind::Cancel, &withdraw),
            Message::Ack(ack) => self.send_to(to, Kind::ResultAck, &ack),
        }
    }

    fn send_close(
        &mut self,
        broadcast: BroadcastId,
        verdict: &Verdict,
        winners: &[Signed<Bid>],
        to: &[Place],
    ) {
        let mut signed = Signed::unsigned(verdict);
        self.me.signer().sign(&mut signed);
        let Some(own) = self.market.announced.get(&broadcast) else {
            return;
        };
        let pages: Vec<Close> = close_pages(&signed, verdict, own.announcer.ranking(), winners);
        let me = self.me.place().realm;
        for place in to.iter().filter(|place| place.realm != me) {
            for page in &pages {
                self.send_to(place, Kind::Close, page);
            }
        }
    }

    /// A broadcast has its one outcome: written down, then said.
    fn finish_broadcast(&mut self, broadcast: BroadcastId, conclusion: Conclusion) {
        let Some(own) = self.market.announced.remove(&broadcast) else {
            return;
        };
        let completed = conclusion.ending == Ending::Output;
        let (status, error) = match conclusion.ending {
            Ending::Output => (Status::Completed, None),
            Ending::Cancelled => (Status::Cancelled, Some("Cancelled".to_owned())),
            other => (Status::Failed, Some(other.name().to_owned())),
        };
        let told = conclusion.reason.clone().unwrap_or_default();
        let output = match completed {
            true => conclusion.output.clone(),
            false => Some(Blob::from(told.into_bytes())),
        };
        let run = own.run.id;
        self.out.change(Change::Run(Run {
            status,
            ended: Some(self.wall()),
            error,
            output,
            ..own.run
        }));
        let response = Response::Broadcasted(Box::new(Broadcasted {
            run,
            broadcast,
            bids: own.announcer.ranking().ranked.len(),
            conclusion,
            duration_ms: self.now.tick.since(own.started),
        }));
        self.out.promise(Effect::Respond(own.control, response));
    }

    /// What a broadcast wrote down, in the trace of its run.
    fn write_down(&mut self, broadcast: BroadcastId, entry: &Entry) {
        let (kind, payload) = self.told(entry);
        let payload = payload.with("entry", &Digest::of(&[&cbor::encode(entry)]));
        let call = match entry {
            Entry::Awarded(it) => {
                if let Some(own) = self.market.announced.get_mut(&broadcast) {
                    own.awarded.insert((it.slot, it.epoch), it.bid);
                }
                Some(call_of(&it.bid))
            }
            _ => None,
        };
        self.note_broadcast(broadcast, call, kind, payload);
    }

    fn told(&self, entry: &Entry) -> (&'static str, Object) {
        let told = Object::new();
        match entry {
            Entry::Planned(_) => ("broadcast.planned", told),
            Entry::Announced(it) => ("broadcast.announced", told.with("round", &it.round)),
            Entry::Counted(it) => {
                let bid = it.bid.peek().ok();
                let realm = bid.as_ref().map(|bid| self.name_of(&bid.bidder.scope()));
                let agent = bid.as_ref().map(|bid| bid.agent.clone());
                let time = bid.as_ref().map(|bid| bid.time_ms);
                let told = told.with("bid", &it.bid.digest()).with_some("realm", realm);
                let told = told.with_some("agent", agent).with_some("timeMs", time);
                ("broadcast.bid", told)
            }
            Entry::BidsClosed(it) => {
                let told = told.with("cause", it.cause.name());
                let told = told
                    .with("asked", &it.tally.asked)
                    .with("bids", &it.tally.bids);
                (
                    "broadcast.closed",
                    told.with("unreached", &it.tally.unreached),
                )
            }
            Entry::Awarded(it) => {
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                ("broadcast.awarded", told.with("bid", &it.bid))
            }
            Entry::Answered(it) => {
                let answer = it.confirm.as_ref().and_then(|it| it.peek().ok());
                let answer = answer.map(|it| it.answer.name());
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                ("broadcast.answered", told.with_some("answer", answer))
            }
            Entry::Leased(it) => {
                let realm = self.name_of(&it.holder.scope());
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                ("broadcast.leased", told.with("realm", &realm))
            }
            Entry::Ended(it) => {
                let told = told.with("slot", &it.slot).with("epoch", &it.epoch);
                ("broadcast.ended", told.with("end", it.end.name()))
            }
            Entry::Decided(it) => ("broadcast.decided", told.with("slot", &it.slot)),
            Entry::Unused(_) => ("broadcast.unused", told),
            Entry::Cancelled(_) => ("broadcast.cancelled", told),
            Entry::Finished(it) => {
                let told = told.with("ending", it.conclusion.ending.name());
                ("broadcast.finished", told)
            }
        }
    }

    fn note_broadcast(
        &mut self,
        broadcast: BroadcastId,
        call: Option<CallId>,
        kind: &str,
        payload: Object,
    ) {
        let at = self.wall();
        let Some(own) = self.market.announced.get_mut(&broadcast) else {
            return;
        };
        let event = Event {
            run: own.run.id,
            index: own.events,
            call: call.unwrap_or(own.call),
            at,
            kind: kind.to_owned(),
            payload: Blob::from(payload.into_bytes()),
        };
        own.events = own.events.saturating_add(1);
        self.out.change(Change::Event(event));
    }

    // What bidders say.

    pub(super) fn tallied(&mut self, from: &Place, tally: &Tally) {
        let Some(side) = self.side_of(&from.scope()) else {
            return;
        };
        if self.market.announced.contains_key(&tally.broadcast) {
            let (broadcast, tally) = (tally.broadcast, *tally);
            self.tell_announcer(broadcast, Input::Tally { from: side, tally });
            return self.carry_out_announcer(broadcast);
        }
        self.tally_of_passed(&side, tally);
    }

    pub(super) fn bid_came(&mut self, from: &Place, bid: Signed<Bid>) {
        let Ok(read) = bid.peek() else { return };
        if !self.has_signed(from, &bid) {
            return;
        }
        let from = from.clone();
        let trust = TRUST;
        self.tell_announcer(read.broadcast, Input::Bid { from, bid, trust });
        self.carry_out_announcer(read.broadcast);
    }

    pub(super) fn confirmed(&mut self, from: &Place, confirm: Signed<Confirm>) {
        let Ok(read) = confirm.peek() else { return };
        if !self.has_signed(from, &confirm) {
            return;
        }
        let from = from.clone();
        self.tell_announcer(read.broadcast, Input::Confirm { from, confirm });
        self.carry_out_announcer(read.broadcast);
    }

    pub(super) fn progressed(&mut self, from: &Place, progress: WorkProgress) {
        let from = from.clone();
        let broadcast = progress.broadcast;
        self.tell_announcer(broadcast, Input::Progress { from, progress });
        self.carry_out_announcer(broadcast);
    }

    pub(super) fn gave(&mut self, from: &Place, delivered: Deliver) {
        let Ok(outcome) = delivered.outcome.peek() else {
            return;
        };
        if !self.has_signed(from, &delivered.outcome) {
            return;
        }
        let broadcast = outcome.broadcast;
        let Some(own) = self.market.announced.get(&broadcast) else {
            // It is over, and nothing is to be done about it: whoever sends it may stop.
            let ack = OutcomeAck {
                broadcast,
                slot: outcome.slot,
                epoch: outcome.epoch,
            };
            return self.send_as_announcer(from, Message::Ack(ack));
        };
        let output = delivered.output.as_deref().map(json::parse);
        let matches = match output {
            Some(Ok(output)) => own.contract.check_output(&output).is_ok(),
            Some(Err(_)) => false,
            None => true,
        };
        let input = Input::Delivered {
            from: from.clone(),
            delivered,
            matches,
        };
        self.tell_announcer(broadcast, input);
        self.carry_out_announcer(broadcast);
    }

    /// Takes back a broadcast of this realm's; false if none has that run.
    pub(crate) fn cancel_broadcast(&mut self, run: realm_protocol::RunId) -> bool {
        let mut own = self.market.announced.iter();
        let Some((broadcast, _)) = own.find(|(_, own)| own.run.id == run) else {
            return false;
        };
        let broadcast = *broadcast;
        self.tell_announcer(broadcast, Input::Cancel);
        self.carry_out_announcer(broadcast);
        self.set_market_timer();
        true
    }
}

/// Digests of a contract's input and output schema.
pub(super) fn schemas(contract: &Registered) -> (Digest, Digest) {
    let digest = |schema| Digest::of(&[realm_executor::canonical_json(schema).as_bytes()]);
    let manifest = &contract.manifest;
    (
        digest(&manifest.input_schema),
        digest(&manifest.output_schema),
    )
}
