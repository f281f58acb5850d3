//! Bids of this realm's agents, and the work that they win.

use realm_broadcast::{
    Bidder,
    bidder::{
        self, Admission, Agent, Assignment, DayBudget, Heard, Input, Output, Quote, Terms, Work,
    },
};
use realm_executor::{BidTerms, Figure, OfferTerms, Registered};
use realm_protocol::{
    BroadcastId, Digest, FailureCode, Kind, Place, RunId,
    broadcast::{
        Announcement, Award, Deliver, Lease, LeaseEnd, MILLION, OutcomeAck, Price, Tally, Withdraw,
        WorkProgress,
    },
    budget::Spend,
    cbor::Blob,
    json, limits,
    records::Signed,
};
use serde_json::Value;

use super::{CAPACITY, HOLDS_MS, planning::schemas};
use crate::{
    Node,
    answer::{Ending, Responder},
    serve::{Leased, Purpose, Question},
};

/// Agents of one realm that bid for one announcement.
const AGENTS: usize = 16;

impl Node {
    /// This realm's agents hear an announcement that is verified.
    pub(super) fn consider(&mut self, announcement: Signed<Announcement>, window_ms: u64) {
        let Ok(read) = announcement.peek() else {
            return;
        };
        let agents = self.agents_for(&read);
        if !agents.is_empty() {
            self.market.receipts.hear(&announcement);
        }
        let bids = |(_, terms): &(Agent, BidTerms)| terms.clone();
        let terms: Vec<BidTerms> = agents.iter().map(bids).collect();
        let agents = agents.into_iter().map(|(agent, _)| agent).collect();
        let heard = Heard {
            announcement,
            window_ms,
            agents,
        };
        let now = self.now;
        self.bidder().announced(
            heard,
            &|text, facts| terms.iter().find_map(|it| it.evaluate(text, facts)),
            now,
        );
        self.carry_out_bidder();
    }

    pub(super) fn bidder(&mut self) -> &mut Bidder {
        let place = self.me.place();
        let new = || {
            (
                place.clone(),
                Bidder::new(place.clone(), CAPACITY, HOLDS_MS),
            )
        };
        let (of, bidder) = self.market.bidder.get_or_insert_with(new);
        if of != place {
            *of = place.clone();
            bidder.move_to(place.clone());
        }
        bidder
    }

    /// The loops here that can do announced work, say how they bid, and that whoever announces may
    /// call.
    fn agents_for(&mut self, announcement: &Announcement) -> Vec<(Agent, BidTerms)> {
        // What is as deep as it may be is work for nobody.
        if announcement.depth >= limits::CALL_DEPTH {
            return Vec::new();
        }
        let announcer = announcement.announcer.scope();
        let able = self.registry.iter().filter(|it| can(it, announcement));
        let able: Vec<_> = able.filter_map(|it| agent(it)).collect();
        let permitted = able.into_iter().filter(|(agent, _)| {
            self.may_offer(&agent.agent) && self.may_bid(&announcer, &agent.agent)
        });
        permitted.take(AGENTS).collect()
    }

    pub(crate) fn tell_bidder(&mut self, input: Input) {
        let now = self.now;
        let load = self.load_of_calls();
        let bidder = self.bidder();
        bidder.set_realm_load(load);
        bidder.handle(input, now);
        self.carry_out_bidder();
    }

    pub(super) fn awarded(&mut self, from: &Place, award: Award) {
        self.keep_award(from, award.bid);
        let (from, agent) = (from.clone(), self.bidder().agent_of(award.bid).cloned());
        let halted = agent.as_ref().is_some_and(|agent| !self.may_offer(agent));
        let permitted = agent.is_none_or(|agent| self.may_bid(&from.scope(), &agent));
        let admission = match permitted {
            false => Admission::Denied,
            true if halted => Admission::Full,
            true if self.room_for_calls_of(&from.scope()).is_ok() => Admission::Granted,
            true => Admission::Full,
        };
        self.tell_bidder(Input::Award {
            from,
            award,
            admission,
        });
    }

    pub(super) fn leased(&mut self, from: &Place, lease: Lease) {
        let from = from.clone();
        self.tell_bidder(Input::Lease { from, lease });
    }

    pub(super) fn withdrawn(&mut self, from: &Place, withdraw: Withdraw) {
        let from = from.clone();
        self.tell_bidder(Input::Withdraw { from, withdraw });
    }

    pub(super) fn acknowledged(&mut self, from: &Place, ack: OutcomeAck) {
        let from = from.clone();
        self.tell_bidder(Input::Ack { from, ack });
    }

    /// Carries out what this realm's bids want.
    pub(super) fn carry_out_bidder(&mut self) {
        while let Some(output) = self.bidder_output() {
            match output {
                Output::Write(held) => self.keep_slot(&held),
                Output::Reserve(day) => self.keep_day(&day),
                Output::Ask {
                    broadcast,
                    round,
                    agent,
                    facts,
                    limit_ms,
                    depth,
                } => {
                    let question = Question {
                        broadcast,
                        round,
                        agent,
                    };
                    self.ask_agent(question, *facts, (limit_ms, depth));
                }
                Output::Bid { to, bid } => {
                    let signed = self.me.sign(&*bid);
                    self.keep_bid(&bid, &signed);
                    match self.is_me(&to) {
                        true => self.bid_came(&to, signed),
                        false => self.send_bid(bid.broadcast, &to, signed),
                    }
                }
                Output::NoBid { agent, why, .. } => {
                    tracing::debug!(?agent, %why, "no bid");
                }
                Output::Decided {
                    broadcast,
                    round,
                    bids,
                } => {
                    let tally = Tally {
                        broadcast,
                        round,
                        asked: 1,
                        bids,
                        unreached: 0,
                        suppressed: None,
                    };
                    if self.market.announced.contains_key(&broadcast) {
                        let me = self.me.place().clone();
                        self.tallied(&me, &tally);
                    } else {
                        self.count_own((broadcast, round), bids);
                    }
                }
                Output::Confirm { to, confirm } => {
                    let signed = self.me.sign(&confirm);
                    match self.is_me(&to) {
                        true => self.confirmed(&to, signed),
                        false => self.send_to(confirm.broadcast, &to, Kind::Confirm, &signed),
                    }
                }
                Output::Work(assigned) => self.begin_work(*assigned),
                Output::Stop { bid, waits_ms } => self.stop_work(bid, waits_ms),
                Output::Progress { to, bid, progress } => {
                    let progress = WorkProgress {
                        offshoots: self.offshoots_of(bid).any(),
                        ..progress
                    };
                    match self.is_me(&to) {
                        true => self.progressed(&to, progress),
                        false => self.send_to(progress.broadcast, &to, Kind::Progress, &progress),
                    }
                }
                Output::Deliver {
                    to,
                    outcome,
                    output,
                } => {
                    let kind = match outcome.end {
                        LeaseEnd::Done => Kind::Result,
                        _ => Kind::Failure,
                    };
                    let broadcast = outcome.broadcast;
                    let outcome = self.me.sign(&*outcome);
                    let deliver = Deliver { outcome, output };
                    match self.is_me(&to) {
                        true => self.gave(&to, deliver),
                        false => self.send_to(broadcast, &to, kind, &deliver),
                    }
                }
            }
        }
    }

    fn bidder_output(&mut self) -> Option<Output> {
        let (_, bidder) = self.market.bidder.as_mut()?;
        bidder.poll_output()
    }

    pub(super) fn is_me(&self, place: &Place) -> bool {
        place.realm == self.me.place().realm
    }

    /// Runs an agent for whoever has leased its work.
    fn begin_work(&mut self, assigned: Assignment) {
        let Ok(input) = json::parse(&assigned.input) else {
            let nothing = Some(Spend::default());
            return self.work_ended(assigned.bid, None, Err(FailureCode::Malformed), nothing);
        };
        let lease_ms = self.now.tick.until(assigned.until).as_millis();
        let lease_ms = u64::try_from(lease_ms).unwrap_or(u64::MAX);
        self.serve_leased(Leased {
            broadcast: assigned.broadcast,
            bid: assigned.bid,
            agent: assigned.agent,
            key: assigned.key,
            input,
            announcer: assigned.announcer,
            depth: assigned.depth.saturating_add(1),
            // The work has all its time, as long as its lease is renewed: its end stops it.
            timeout_ms: assigned.execution_ms.max(lease_ms),
            budget: assigned.budget,
        });
    }

    fn stop_work(&mut self, bid: Digest, waits_ms: u64) {
        let runs = self.serving.runs_that(|it| it.bid() == Some(bid));
        for run in runs {
            if waits_ms > 0 {
                self.begin_stopping(run, bid, waits_ms);
            }
            self.executor.cancel(run, "its lease has ended", self.now);
        }
    }

    /// A run's agent says how far it is: where that is leased work, the lease says so when it is renewed.
    pub(crate) fn work_progressed(&mut self, run: RunId, progress: &Value) {
        let Some(done) = progress.get("done").and_then(share) else {
            return;
        };
        let bids: Vec<Digest> = match self.serving.get(run) {
            Some(served) => served
                .responders
                .iter()
                .filter_map(Responder::bid)
                .collect(),
            None => return,
        };
        for bid in bids {
            self.tell_bidder(Input::Progressed { bid, done });
        }
    }

    /// The run of leased work has ended.
    pub(crate) fn lease_served(&mut self, bid: Digest, run: RunId, ending: &Ending) {
        let (result, spent) = match ending {
            Ok(result) => (Ok(result.output.clone()), &result.spent),
            Err(failure) => (Err(failure.code), &failure.spent),
        };
        if self.has_stopped(run, spent) {
            return;
        }
        self.work_ended(bid, Some(run), result, spent.clone());
    }

    pub(crate) fn work_ended(
        &mut self,
        bid: Digest,
        run: Option<RunId>,
        result: Result<Blob, FailureCode>,
        spent: Option<Spend>,
    ) {
        let run = run.unwrap_or_else(|| self.new_run());
        let price = self.bidder().price_of(bid).cloned();
        let result = result.and_then(|output| match output.len() > limits::WORK_BYTES {
            true => Err(FailureCode::TooLarge),
            false => Ok(output),
        });
        let result = result.map(|output| Work {
            confidence: confidence_in(&output),
            charged: price.map(|price| charge(price, spent.as_ref())),
            output,
            run,
        });
        self.tell_bidder(Input::Worked {
            bid,
            result,
            spent,
            below: None,
        });
        self.set_market_timer();
    }
}

impl Responder {
    /// The bid whose work it waits for.
    pub(crate) fn bid(&self) -> Option<Digest> {
        match self {
            Self::Leased(bid) => Some(*bid),
            _ => None,
        }
    }

    /// Whether it waits for the results of this broadcast made one.
    pub(crate) fn aggregates(&self, broadcast: BroadcastId) -> bool {
        let Self::Asked(purpose) = self else {
            return false;
        };
        matches!(&**purpose, Purpose::Aggregate(of) if *of == broadcast)
    }
}

/// What is charged for work that was won at a price: what models and realms cost that it asked, at most
/// the price; and the price where nothing was asked that has one, or nobody knows what it cost.
fn charge(price: Price, spent: Option<&Spend>) -> Price {
    let known = spent.filter(|spent| spent.unpriced == 0 && !spent.money.is_empty());
    let currency = price.currency.parse().ok();
    let cost = known.zip(currency);
    let cost = cost.map_or(price.micros, |(spent, currency)| spent.micros_of(currency));
    Price {
        micros: price.micros.min(cost),
        ..price
    }
}

/// How sure an output says that it is, in millionths: its `confidence`, where that is a share of one.
fn confidence_in(output: &Blob) -> Option<u64> {
    let output = json::parse(output).ok()?;
    share(output.get("confidence")?)
}

/// A share of one, in millionths.
fn share(value: &Value) -> Option<u64> {
    let share = value.as_f64()?;
    let whole = (0.0..=1.0).contains(&share);
    whole.then(|| (share * MILLION as f64).round() as u64)
}

/// Whether a loop can do announced work: it has the schemas, and the capabilities that are asked for
/// or, where none are, the name.
fn can(registered: &Registered, announcement: &Announcement) -> bool {
    let (manifest, asked) = (&registered.manifest, &announcement.capabilities);
    let named = match asked.is_empty() {
        true => {
            let mut names = std::iter::once(&manifest.id).chain(&manifest.aliases);
            names.any(|name| *name == announcement.loop_id)
        }
        false => asked.iter().all(|it| manifest.capabilities.contains(it)),
    };
    let announced = (announcement.input_schema, announcement.output_schema);
    named && manifest.bid.is_some() && schemas(registered) == announced
}

/// A loop as an agent, if it says how it bids.
fn agent(registered: &Registered) -> Option<(Agent, BidTerms)> {
    let manifest = &registered.manifest;
    let bid = manifest.bid.clone()?;
    let budget = bid.budget.clone();
    let agent = Agent {
        agent: manifest.id.clone(),
        contract: registered.contract,
        terms: terms(&bid),
        budget: budget.map(|(currency, most)| DayBudget { currency, most }),
    };
    Some((agent, bid))
}

/// How a loop bids, its expressions by their texts.
fn terms(bid: &BidTerms) -> Terms {
    let figure = |figure: &Figure| match figure {
        Figure::Fixed(figure) => bidder::Figure::Fixed(*figure),
        Figure::Expression(expression) => bidder::Figure::Expression(expression.to_string()),
    };
    let when = bid.when.as_ref().map(ToString::to_string);
    match &bid.offer {
        OfferTerms::Ask { limit_ms, .. } => Terms::Ask {
            when,
            limit_ms: *limit_ms,
        },
        OfferTerms::Quote {
            price,
            time,
            confidence,
        } => {
            let price = price.as_ref();
            Terms::Quote(Quote {
                when,
                price: price.map(|(currency, price)| (currency.clone(), figure(price))),
                time: figure(time),
                confidence: figure(confidence),
            })
        }
    }
}
