//! How a broadcast ends: with enough results, with none, or because it is cancelled.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use realm_protocol::{
    Digest, FailureCode, Now, Place, Timestamp,
    broadcast::{Bid, Stopped, Strategy, Verdict, Winner},
    cbor::Blob,
    json, limits,
    records::Signed,
};

use super::{
    Announcer, Fate, Output, Phase,
    slot::{Slot, State},
};
use crate::{
    aggregate::{
        Aggregate, AggregateError, Citation, Contribution, Said, aggregate, cite_all, is_enough,
    },
    log::{Conclusion, End, Ending, Finished},
    select::{TooFewBids, select},
};

impl Announcer {
    /// Does whatever follows from where the slots stand.
    pub(super) fn go_on(&mut self, now: Now) {
        match self.phase {
            Phase::Working { .. } => {
                self.grant(now);
                self.settle(now);
            }
            Phase::Withdrawing { .. } => self.settle_withdrawal(now),
            Phase::Bidding { .. } | Phase::Aggregating | Phase::Finished(_) => {}
        }
    }

    fn settle(&mut self, now: Now) {
        if select(&self.ranking, &self.announcement().rule).is_err() {
            let conclusion = self.settled();
            self.conclude(conclusion, now);
            return;
        }
        let enough = self.has_enough();
        if !enough {
            self.fill(now);
        }
        if enough || self.slots.iter().all(Slot::is_final) {
            self.stop_all(now);
            self.make_one(now);
        }
    }

    /// Whether there are as many results as are waited for.
    pub(super) fn has_enough(&self) -> bool {
        let slots = self.slots.len() as u64;
        is_enough(
            &self.announcement().aggregation,
            &self.contributions(),
            slots,
        )
    }

    /// Ends whatever is still under way, since nothing of it is waited for.
    fn stop_all(&mut self, now: Now) {
        self.withdraw_all();
        for number in 0..self.slots.len() {
            let Some(slot) = self.slots.get(number) else {
                continue;
            };
            let epoch = slot.epoch;
            match slot.state {
                State::Awarded { .. } => self.unanswered(number as u64, epoch, now),
                State::Reserved => self.end(number, End::NotBegun, now),
                State::Leased { .. } => self.end(number, End::Withdrawn, now),
                State::Asking { .. } => self.give_up(number as u64, epoch, now),
                State::Open | State::Done(_) | State::Over => {}
            }
        }
    }

    /// Tells every holder that it holds its slot no more.
    pub(super) fn withdraw_all(&mut self) {
        for number in 0..self.slots.len() {
            let state = self.slots.get(number).map(|slot| &slot.state);
            let holds = matches!(
                state,
                Some(State::Awarded { .. } | State::Reserved | State::Leased { .. })
            );
            if holds {
                self.withdraw(number);
            }
        }
    }

    /// Waits, after a cancel, for nobody but the holders of leases.
    fn settle_withdrawal(&mut self, now: Now) {
        for number in 0..self.slots.len() {
            let Some(slot) = self.slots.get(number) else {
                continue;
            };
            let epoch = slot.epoch;
            match slot.state {
                State::Awarded { .. } => self.unanswered(number as u64, epoch, now),
                State::Reserved => self.end(number, End::NotBegun, now),
                State::Asking { .. } => self.give_up(number as u64, epoch, now),
                _ => {}
            }
        }
        if !self.slots.iter().any(Slot::is_leased) {
            let conclusion = self.cancelled();
            self.conclude(conclusion, now);
        }
    }

    fn cancelled(&self) -> Conclusion {
        let spoke = |slot: &u64| {
            let slot = usize::try_from(*slot)
                .ok()
                .and_then(|slot| self.slots.get(slot));
            let last = slot.and_then(|slot| slot.last);
            last.is_some_and(|last| last.outcome.is_some())
        };
        let (confirmed, silent) = self.withdrawn.iter().copied().partition(spoke);
        Conclusion {
            confirmed,
            silent,
            ..failed(Ending::Cancelled, "the broadcast was cancelled")
        }
    }

    /// After a cancel, what the holders of leases have heard from those that worked for them in turn.
    pub fn stopped_below(&self) -> Stopped {
        let withdrawn = self.withdrawn.iter().filter_map(|slot| {
            let slot = self.slots.get(usize::try_from(*slot).ok()?)?;
            Some(slot.last?.below)
        });
        withdrawn.fold(Stopped::default(), Stopped::plus)
    }

    /// Makes results one; or has the loop do it that aggregates.
    fn make_one(&mut self, now: Now) {
        let contributions = self.contributions();
        match aggregate(&self.announcement().aggregation, &contributions) {
            Ok(made) if self.aggregates_by_loop() => {
                self.phase = Phase::Aggregating;
                self.outputs.push_back(Output::Aggregate(made.output));
            }
            Ok(made) if self.makes_anew() => {
                self.phase = Phase::Aggregating;
                self.outputs.push_back(Output::Check(made.output));
            }
            made => {
                let conclusion = self.concluded(made, &contributions);
                self.conclude(conclusion, now);
            }
        }
    }

    pub(super) fn aggregates_by_loop(&self) -> bool {
        self.announcement().aggregation.strategy == Strategy::Loop
    }

    /// Whether the output is one value in which nobody may have given it.
    pub(super) fn makes_anew(&self) -> bool {
        matches!(
            self.announcement().aggregation.strategy,
            Strategy::Merge | Strategy::Average | Strategy::WeightedAverage | Strategy::Sum
        )
    }

    /// What a broadcast comes to that nobody waits for any more.
    pub(super) fn settled(&self) -> Conclusion {
        if let Phase::Withdrawing { .. } = self.phase {
            return self.cancelled();
        }
        if let Err(few) = select(&self.ranking, &self.announcement().rule) {
            return too_few_bids(few);
        }
        let contributions = self.contributions();
        let made = aggregate(&self.announcement().aggregation, &contributions);
        self.concluded(made, &contributions)
    }

    fn concluded(
        &self,
        made: Result<Aggregate, AggregateError>,
        contributions: &[Contribution],
    ) -> Conclusion {
        match made {
            Ok(made) => {
                let output = Blob::from(json::to_bytes(&made.output));
                given(output, made.citations)
            }
            Err(error) => Conclusion {
                citations: cite_all(&self.announcement().aggregation, contributions),
                ..failed(ending(error), &error.to_string())
            },
        }
    }

    pub(super) fn aggregated(&mut self, result: Result<Blob, FailureCode>, now: Now) {
        if !matches!(self.phase, Phase::Aggregating) {
            return;
        }
        let citations = cite_all(&self.announcement().aggregation, &self.contributions());
        let conclusion = match result {
            Ok(output) => given(output, citations),
            Err(code) => Conclusion {
                citations,
                ..failed(Ending::AggregatorFailed, code.name())
            },
        };
        self.conclude(conclusion, now);
    }

    pub(super) fn checked(&mut self, why: Option<String>, now: Now) {
        if !matches!(self.phase, Phase::Aggregating) {
            return;
        }
        let made = self.settled();
        let conclusion = match why {
            None => made,
            Some(why) => Conclusion {
                citations: made.citations,
                ..failed(Ending::Mismatched, &why)
            },
        };
        self.conclude(conclusion, now);
    }

    /// What every slot has given by now.
    fn contributions(&self) -> Vec<Contribution> {
        let ranked = self.ranking.ranked.iter().map(|it| it.candidate.bid);
        let slots = (0_u64..).zip(&self.slots).zip(ranked);
        let contributions = slots.filter_map(|((number, slot), ranked)| {
            let bid = slot.holder.unwrap_or(ranked);
            let bidder = self.intake.get(&bid)?.bid.bidder.realm?;
            let (outcome, said) = match &slot.state {
                State::Done(given) => {
                    let said = Said::Output {
                        output: Arc::clone(&given.output),
                        confidence: given.confidence,
                        arrival: given.arrival,
                    };
                    (Some(given.outcome), said)
                }
                _ => {
                    let last = slot.last;
                    let code = last.map_or_else(|| self.unleased(), |last| last.code);
                    (last.and_then(|last| last.outcome), Said::Failed(code))
                }
            };
            Some(Contribution {
                slot: number,
                bidder,
                bid,
                outcome,
                said,
            })
        });
        contributions.collect()
    }

    fn conclude(&mut self, conclusion: Conclusion, now: Now) {
        let finished = Finished {
            conclusion,
            at: now.wall,
        };
        self.record(finished, now);
        self.say_finished();
    }

    /// Says how the broadcast ended: to everybody who bid, and to whoever asked for it.
    pub(super) fn say_finished(&mut self) {
        let Phase::Finished(conclusion) = &self.phase else {
            return;
        };
        let conclusion = conclusion.clone();
        let (verdict, winners) = self.told();
        let bidders: BTreeSet<&Place> = self.intake.entrants().map(|it| &it.bid.bidder).collect();
        let to = bidders.into_iter().cloned().collect();
        self.outputs.push_back(Output::Close {
            verdict: Box::new(verdict),
            winners,
            to,
        });
        self.outputs.push_back(Output::Finished(conclusion));
    }

    /// What bidders are told of the end, and the winners' bids, by slot.
    pub(super) fn told(&self) -> (Verdict, Vec<Signed<Bid>>) {
        let winners = self.winners();
        let bids = winners.iter().filter_map(|won| self.intake.get(&won.bid));
        let bids = bids.map(|entrant| entrant.signed.clone()).collect();
        (self.verdict(winners), bids)
    }

    /// The last award of each slot.
    fn winners(&self) -> Vec<Winner> {
        let slots = self.slots.iter();
        last_awards(slots.map(|slot| (slot.epoch, slot.holder, Some(slot.awarded))))
    }

    fn verdict(&self, winners: Vec<Winner>) -> Verdict {
        let last = self.plan.rounds.get(self.last_round);
        let announcement = last.or(self.plan.rounds.first());
        Verdict {
            broadcast: self.broadcast(),
            announcement: announcement.map_or(self.announcement().commitment, |it| {
                it.announcement.digest()
            }),
            secret: self.plan.secret,
            counted: self.ranking.ranked.len() as u64,
            root: self.ranking.root,
            order: self.ranking.order(),
            unconfirmed: unconfirmed(
                self.ranking.ranked.iter().map(|it| it.candidate.bid),
                &self.fates,
            ),
            winners,
            closed: self.finished,
        }
    }
}

/// The last award of each slot that had one, of the epochs, bids and times that slots have, in order.
pub(crate) fn last_awards(
    slots: impl Iterator<Item = (u64, Option<Digest>, Option<Timestamp>)>,
) -> Vec<Winner> {
    let awards = (0_u64..).zip(slots).filter_map(|(slot, last)| {
        let (epoch, bid, awarded) = last;
        Some(Winner {
            slot,
            epoch,
            bid: bid?,
            awarded,
        })
    });
    awards.collect()
}

/// Of bids in rank order those that were awarded a slot last and not confirmed, as CLOSE-7 has them named: an
/// award, or what answers it, may have been lost.
pub(crate) fn unconfirmed(
    ranked: impl Iterator<Item = Digest>,
    fates: &BTreeMap<Digest, Fate>,
) -> Option<Vec<Digest>> {
    let unconfirmed = ranked.filter(|bid| matches!(fates.get(bid), Some(Fate::Declined { .. })));
    let most = usize::try_from(limits::AWARDS).unwrap_or(usize::MAX);
    let unconfirmed: Vec<Digest> = unconfirmed.take(most).collect();
    Some(unconfirmed).filter(|it| !it.is_empty())
}

fn given(output: Blob, citations: Vec<Citation>) -> Conclusion {
    Conclusion {
        ending: Ending::Output,
        output: Some(output),
        reason: None,
        citations,
        confirmed: Vec::new(),
        silent: Vec::new(),
    }
}

fn failed(ending: Ending, reason: &str) -> Conclusion {
    Conclusion {
        ending,
        output: None,
        reason: Some(reason.to_owned()),
        citations: Vec::new(),
        confirmed: Vec::new(),
        silent: Vec::new(),
    }
}

fn too_few_bids(few: TooFewBids) -> Conclusion {
    failed(Ending::TooFewBids, &few.to_string())
}

fn ending(error: AggregateError) -> Ending {
    match error {
        AggregateError::TooFewResults { .. } => Ending::TooFewResults,
        AggregateError::NoValue { .. } => Ending::NoValue,
        AggregateError::NotNumeric { .. } => Ending::NotNumeric,
        AggregateError::NotAnObject { .. } => Ending::NotAnObject,
        AggregateError::NoConsensus { .. } => Ending::NoConsensus,
        AggregateError::NoQuorum { .. } => Ending::NoQuorum,
        AggregateError::NoWeight => Ending::NoWeight,
        AggregateError::TooLarge => Ending::TooLarge,
    }
}
