//! Broadcasts of this realm's own: announced, awarded, made one.

use std::collections::BTreeSet;

use realm_broadcast::{
    Citation, Pass, Side,
    announcer::{Input, Message, Output, Refusal as Why},
    log::{Conclusion, Ending},
};
use realm_protocol::{
    BroadcastId, Digest, FailureCode, Kind, LoopId, Place, RealmId, RealmName, RunId, Scope,
    broadcast::{Aggregation, Announce, Announcement, BidLimits, Deliver, Reach, Rule},
    budget::Budget,
    cbor::Blob,
    journal::{JournalSeq, Run, Status},
    json::{self, Object},
    limits,
    records::Signed,
};
use serde_json::Value;

use super::{Announced, Asker, BROADCASTS, asking::Begin};
use crate::{CallFailure, ControlId, Effect, Node, Refusal, Response, audit::Ended};

/// Refused bids that the trace of one broadcast has; of further ones it has the number.
const REFUSED: u64 = 64;

/// Work without an address.
#[derive(Clone, Debug)]
pub struct BroadcastAsked {
    /// The loop whose contract the work has; it is registered here.
    pub loop_id: LoopId,
    /// If any, loops that declare all of these may do it, whatever they are called.
    pub capabilities: BTreeSet<LoopId>,
    /// Input.
    pub input: Value,
    /// How far it goes.
    pub reach: Reach,
    /// If any, only realms at or below these are asked, and whoever the reach has besides.
    pub realms: Vec<RealmName>,
    /// A second round, where the first has too few bids.
    pub wider: Option<Wider>,
    /// What bids must keep to.
    pub limits: BidLimits,
    /// What all winners together may use.
    pub budget: Budget,
    /// How long bids are taken, milliseconds.
    pub window_ms: u64,
    /// How long after that awards are made, milliseconds.
    pub award_ms: u64,
    /// How long the work may take in all, milliseconds.
    pub execution_ms: u64,
    /// How long a person is waited for at most, milliseconds; none for as long as the work may take.
    pub person_ms: Option<u64>,
    /// Whether the work may call loops and announce work of its own.
    pub sub_loops: bool,
    /// How bids are chosen among.
    pub rule: Rule,
    /// How many winners work at a time; none for all of them.
    pub at_once: Option<u64>,
    /// How results are made one.
    pub aggregation: Aggregation,
    /// With [`realm_protocol::broadcast::Strategy::Loop`], and only there, the loop here that makes them one.
    pub aggregator: Option<LoopId>,
}

impl BroadcastAsked {
    /// Lets no bid cost more than there is.
    ///
    /// # Errors
    /// What lacks, where bids would be in another currency than the budget.
    pub(super) fn bound_prices(&mut self) -> Result<(), String> {
        let (Some(money), Some(currency)) = (self.budget.money, &self.limits.currency) else {
            return Ok(());
        };
        if currency != money.currency.as_str() {
            return Err(format!(
                "the work of `{}` is paid for in {currency}, and {money} is left of the run's budget",
                self.loop_id
            ));
        }
        let most = self.limits.price.unwrap_or(money.micros);
        self.limits.price = Some(most.min(money.micros));
        Ok(())
    }
}

/// How far the second round of a broadcast goes.
#[derive(Clone, Debug)]
pub struct Wider {
    /// How far.
    pub reach: Reach,
    /// If any, only realms at or below these are asked, and whoever the reach has besides.
    pub realms: Vec<RealmName>,
}

/// How a broadcast ended.
#[derive(Clone, Debug)]
pub struct Broadcasted {
    /// Its run here.
    pub run: RunId,
    /// The broadcast.
    pub broadcast: BroadcastId,
    /// Bids that counted.
    pub bids: usize,
    /// How it ended: `Output`, `TooFewBids`, ….
    pub ending: &'static str,
    /// Output, if there is one.
    pub output: Option<Value>,
    /// Why there is none.
    pub reason: Option<String>,
    /// Everybody who won a slot, by slot.
    pub slots: Vec<SlotView>,
    /// Milliseconds from announcement to outcome.
    pub duration_ms: u64,
}

/// Who held a slot last, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotView {
    /// The slot.
    pub slot: u64,
    /// Its holder.
    pub realm: RealmId,
    /// Digest of the holder's bid.
    pub bid: Digest,
    /// Digest of its signed outcome, if it gave one.
    pub outcome: Option<Digest>,
    /// What it was to the output: `Contributor`, `Dissenter`, ….
    pub part: &'static str,
    /// Why it has no output.
    pub failure: Option<FailureCode>,
}

impl Node {
    pub(crate) fn broadcast(
        &mut self,
        control: ControlId,
        by: Option<&str>,
        mut asked: BroadcastAsked,
    ) {
        if self.stopping {
            return self.refuse(control, Refusal::Stopping);
        }
        let halted = self
            .may_ask(false)
            .and_then(|()| self.may_run(&asked.loop_id));
        if let Err(failure) = halted {
            return self.refuse(control, Refusal::Call(failure));
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
        if let Err(refusal) = self.resolve_scopes(&mut asked) {
            return self.refuse(control, refusal);
        }
        asked.budget = self.asker_budget(asked.budget).budget;
        if let Err(lacks) = asked.bound_prices() {
            let failure = CallFailure::new(FailureCode::Budget, lacks);
            return self.refuse(control, Refusal::Call(failure));
        }
        if let Err(failure) = self.may_announce(&asked.loop_id) {
            return self.refuse(control, Refusal::Call(failure));
        }
        let begin = Begin {
            asker: Asker::Control(control),
            parent: None,
            person: by.map(ToOwned::to_owned),
            depth: 0,
            work: None,
        };
        match self.announce(begin, &asked, contract) {
            Ok(broadcast) => self.carry_out_announcer(broadcast),
            Err(error) => {
                let failure = CallFailure::new(error.failure(), error.to_string());
                self.refuse(control, Refusal::Call(failure));
            }
        }
        self.set_market_timer();
    }

    fn resolve_scopes(&self, asked: &mut BroadcastAsked) -> Result<(), Refusal> {
        let resolve = |names: &[RealmName]| -> Result<Vec<Scope>, Refusal> {
            names.iter().map(|name| self.resolve_name(name)).collect()
        };
        asked.reach.realms = resolve(&asked.realms)?;
        if let Some(wider) = &mut asked.wider {
            wider.reach.realms = resolve(&wider.realms)?;
        }
        match &asked.aggregator {
            Some(id) if self.registry.find(id, None).is_none() => Err(Refusal::NotFound {
                what: "loop",
                name: id.to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Carries out what a broadcast of this realm's wants. What that makes it or another one want in
    /// turn is carried out after it, and not within it: awards that fail one after the other need no
    /// more of the stack than one.
    pub(super) fn carry_out_announcer(&mut self, broadcast: BroadcastId) {
        let begins = self.market.wanting.is_empty();
        if !self.market.wanting.contains(&broadcast) {
            self.market.wanting.push_back(broadcast);
        }
        if !begins {
            return;
        }
        while let Some(broadcast) = self.market.wanting.front().copied() {
            match self.announcer_output(broadcast) {
                Some(output) => self.carry_out_wanted(broadcast, output),
                None => drop(self.market.wanting.pop_front()),
            }
        }
    }

    fn carry_out_wanted(&mut self, broadcast: BroadcastId, output: Output) {
        match output {
            Output::Write(entry) => self.write_down(broadcast, &entry),
            Output::FanOut { round } => self.fan_out_round(broadcast, round),
            Output::Announce { round, pass } => self.announce_to(broadcast, round, &pass),
            Output::Refuse { to, bid, why } if self.may_note_refused(broadcast) => {
                let denied = (why == Why::Denied)
                    .then(|| self.may_award(broadcast, &to).err())
                    .flatten();
                let payload = Object::new()
                    .with("bid", &bid)
                    .with("realm", &self.name_of(&to.scope()))
                    .with("why", &why.to_string())
                    .with_some("reference", denied);
                self.note_broadcast(broadcast, "broadcast.refused", payload);
            }
            Output::Refuse { .. } => {}
            Output::Send { to, message } => self.send_as_announcer(&to, message),
            Output::Ask {
                slot,
                epoch,
                holder,
            } => self.ask_owner(broadcast, (slot, epoch), &holder),
            Output::Aggregate(results) => self.aggregate_by_loop(broadcast, results),
            Output::Check(output) => self.check_made(broadcast, &output),
            Output::Close {
                verdict,
                winners,
                to,
            } => self.begin_close(broadcast, &verdict, &winners, to),
            Output::Finished(conclusion) => self.finish_broadcast(broadcast, *conclusion),
        }
    }

    /// Counts a bid that is refused; tells whether the trace has room for it.
    fn may_note_refused(&mut self, broadcast: BroadcastId) -> bool {
        let Some(own) = self.market.announced.get_mut(&broadcast) else {
            return false;
        };
        own.refused = own.refused.saturating_add(1);
        own.refused <= REFUSED
    }

    fn announcer_output(&mut self, broadcast: BroadcastId) -> Option<Output> {
        let own = self.market.own_mut(broadcast)?;
        own.announcer.poll_output()
    }

    /// Tells a broadcast of this realm's what happened, and carries out what it wants then.
    pub(super) fn tell_announcer(&mut self, broadcast: BroadcastId, input: Input) {
        let now = self.now;
        if let Some(own) = self.market.own_mut(broadcast) {
            own.announcer.handle(input, now);
        }
        self.carry_out_announcer(broadcast);
    }

    fn announce_to(&mut self, broadcast: BroadcastId, round: u64, pass: &Pass) {
        let Some(own) = self.market.announced.get_mut(&broadcast) else {
            return;
        };
        let Some(signed) = own.round(round).cloned() else {
            return;
        };
        if pass.to == Side::Here {
            return self.consider(signed, pass.window_ms);
        }
        let until = self.now.tick.plus(limits::WINDOW_MAX_MS);
        own.leaving = Some((self.out.next_entry(), until));
        let chain = self.me.chain().map(|chain| chain.bytes().clone());
        self.pass_to(signed, pass, chain);
    }

    /// What was recorded up to `durable` is: announcements that waited for it leave, and their bids
    /// are taken from now on.
    pub(crate) fn announcements_left(&mut self, durable: JournalSeq) {
        let now = self.now;
        let mut left = false;
        for own in self.market.announced.values_mut() {
            if own.leaving.take_if(|(seq, _)| *seq <= durable).is_some() {
                own.announcer.handle(Input::Left, now);
                left = true;
            }
        }
        if left {
            self.set_market_timer();
        }
    }

    /// Sends an announcement to a neighbour.
    pub(super) fn pass_to(
        &mut self,
        announcement: Signed<Announcement>,
        pass: &Pass,
        chain: Option<Blob>,
    ) {
        let Ok(broadcast) = announcement.peek().map(|it| it.broadcast) else {
            return;
        };
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
        self.send_at(broadcast, scope, &message);
    }

    pub(super) fn send_as_announcer(&mut self, to: &Place, message: Message) {
        let me = self.me.place().clone();
        let here = to.realm == me.realm;
        match message {
            // Whoever lost the permission since it bid has not answered.
            Message::Award(award) if self.denies(&award, to) => {
                let (slot, epoch) = (award.slot, award.epoch);
                self.tell_announcer(award.broadcast, Input::Undelivered { slot, epoch });
            }
            // Where that is not known the award is said again (AWARD-10), until it is or the bidder has had its time.
            Message::Award(award) if !self.may_still_award(award.broadcast) => {}
            Message::Award(award) if here => self.awarded(&me, award),
            Message::Lease(lease) if here => self.leased(&me, lease),
            Message::Withdraw(withdraw) if here => self.withdrawn(&me, withdraw),
            Message::Ack(ack) if here => self.acknowledged(&me, ack),
            // Sent later, they would cross the next ones.
            Message::Award(award) => {
                let waits_ms = award.confirm_ms;
                self.send_within(waits_ms, award.broadcast, to, (Kind::Award, &award));
            }
            Message::Lease(lease) => {
                let waits_ms = lease.lease_ms;
                self.send_within(waits_ms, lease.broadcast, to, (Kind::Lease, &lease));
            }
            Message::Withdraw(withdraw) => {
                self.send_to(withdraw.broadcast, to, Kind::Cancel, &withdraw);
            }
            Message::Ack(ack) => self.send_to(ack.broadcast, to, Kind::ResultAck, &ack),
        }
    }

    /// A broadcast has its one outcome: written down, then said.
    fn finish_broadcast(&mut self, broadcast: BroadcastId, conclusion: Conclusion) {
        let making_one = self.stop_aggregating(broadcast);
        let Some(mut own) = self.market.announced.remove(&broadcast) else {
            return;
        };
        if making_one {
            own.aggregated = own.announcer.left().whole();
        }
        self.tell_withdrawn(broadcast, &own, &conclusion);
        self.remember_ended(broadcast, &own);
        let (ending, reason) = (conclusion.ending.name(), conclusion.reason.clone());
        let (status, error) = match conclusion.ending {
            Ending::Output => (Status::Completed, None),
            Ending::Cancelled => (Status::Cancelled, Some("Cancelled".to_owned())),
            _ => (Status::Failed, Some(ending.to_owned())),
        };
        let output = conclusion.output.clone();
        let told = reason.clone().map(|told| Blob::from(told.into_bytes()));
        self.count_stopped(&own, &conclusion);
        self.count_offshoot(&own, conclusion.ending);
        let run = own.run.id;
        let spent = own.announcer.spent().plus(&own.aggregated);
        let ended = Run {
            status,
            ended: Some(self.wall()),
            error,
            output: output.clone().or(told),
            ..own.run.clone()
        };
        let more = Ended {
            person: own.person.clone(),
            ..Ended::default()
        };
        self.out.run(ended, more);
        match own.asker {
            Some(Asker::Control(control)) => {
                let response = Response::Broadcasted(Box::new(Broadcasted {
                    run,
                    broadcast,
                    bids: own.announcer.ranking().ranked.len(),
                    ending,
                    output: output
                        .as_deref()
                        .and_then(|output| json::parse(output).ok()),
                    reason,
                    slots: conclusion.citations.iter().map(slot_view).collect(),
                    duration_ms: self.wall().since(own.run.started),
                }));
                self.out.promise(Effect::Respond(control, response));
            }
            Some(Asker::Frame(call)) => self.tell_frame(call, (run, spent), &conclusion),
            None => {}
        }
        self.hear_on(broadcast, own);
    }

    /// Takes back a broadcast of this realm's; false if none has that run.
    pub(crate) fn cancel_broadcast(&mut self, run: RunId) -> bool {
        let mut own = self.market.announced.iter();
        let Some((broadcast, _)) = own.find(|(_, own)| own.run.id == run) else {
            return false;
        };
        let broadcast = *broadcast;
        let waits_ms = limits::WITHDRAW_MS;
        self.tell_announcer(broadcast, Input::Cancel { waits_ms });
        self.set_market_timer();
        true
    }
}

impl Announced {
    /// The announcement of a round, from 1.
    pub(super) fn round(&self, round: u64) -> Option<&Signed<Announcement>> {
        self.rounds
            .get(usize::try_from(round.checked_sub(1)?).ok()?)
    }

    /// Whether the output of one winner, if there is one, is what the contract says.
    pub(super) fn matches(&self, delivered: &Deliver) -> bool {
        match delivered.output.as_deref().map(json::parse) {
            Some(Ok(output)) => self.contract.check_result(&output).is_ok(),
            Some(Err(_)) => false,
            None => true,
        }
    }
}

fn slot_view(citation: &Citation) -> SlotView {
    SlotView {
        slot: citation.slot,
        realm: citation.bidder,
        bid: citation.bid,
        outcome: citation.outcome,
        part: citation.part.name(),
        failure: citation.failure,
    }
}
