//! Many results made one, with a citation of everybody who was asked.

mod agree;
mod merge;

use std::{cmp::Reverse, sync::Arc};

use realm_protocol::{
    Digest, FailureCode, RealmId,
    broadcast::{Aggregation, MILLION, Strategy, Waiting},
    numbered, wire_map,
};
use serde_json::{Value, json};
use thiserror::Error;

use crate::number::{self, Micros};
use agree::{Group, groups, same};

/// What became of one slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// The slot; the smaller, the better the bid stood.
    pub slot: u64,
    /// Who held the slot last.
    pub bidder: RealmId,
    /// Digest of its bid.
    pub bid: Digest,
    /// Digest of its signed outcome, if it gave one.
    pub outcome: Option<Digest>,
    /// What it said.
    pub said: Said,
}

/// What a winner said.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// An output that matches the schema.
    Output {
        /// The output.
        output: Arc<Value>,
        /// How sure the winner is of it, in millionths.
        confidence: u64,
        /// The how-manieth outcome it was to arrive.
        arrival: u64,
    },
    /// Nothing that counts.
    Failed(FailureCode),
}

numbered! {
    /// What a contribution was to the aggregate.
    Part ("a known part in an aggregate") {
        /// Its output is in the aggregate, or says the same.
        Contributed = 1,
        /// Its output says something else.
        Dissented = 2,
        /// It has no output.
        Failed = 3,
        /// It is less sure of its output than asked.
        Unsure = 4,
        /// Its output lacks the value that is compared or counted.
        NoValue = 5,
        /// The value is no number, or one past 2^53 - 1.
        NotNumeric = 6,
        /// Its output is no object.
        NotAnObject = 7,
    }
}

wire_map! {
    /// One contribution as the aggregate cites it.
    #[derive(Copy)]
    pub struct Citation {
        /// The slot.
        0 => slot: u64,
        /// Who held it last.
        1 => bidder: RealmId,
        /// Digest of its bid.
        2 => bid: Digest,
        /// Digest of its signed outcome, if it gave one.
        3 => outcome: Option<Digest>,
        /// What it was to the aggregate.
        4 => part: Part,
        /// Why it has no output.
        5 => failure: Option<FailureCode>,
    }
}

/// Results made one.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The output; with [`Strategy::Loop`], the input of the loop that makes it.
    pub output: Value,
    /// Everybody who won a slot, by slot.
    pub citations: Vec<Citation>,
}

/// Why results cannot be made one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AggregateError {
    /// Fewer valid results than asked for.
    #[error("{have} results are valid, and {need} are asked for")]
    TooFewResults {
        /// How many are valid.
        have: u64,
        /// How many are asked for.
        need: u64,
    },
    /// Too few are left because an output lacks the value that is compared or counted.
    #[error("the result of slot {slot} lacks the value that is asked for")]
    NoValue {
        /// The first such slot.
        slot: u64,
    },
    /// Too few are left because a value is no number.
    #[error("the result of slot {slot} is not numeric")]
    NotNumeric {
        /// The first such slot.
        slot: u64,
    },
    /// Too few are left because an output is no object.
    #[error("the result of slot {slot} is no object, and only objects merge")]
    NotAnObject {
        /// The first such slot.
        slot: u64,
    },
    /// No share of the results that is large enough says the same.
    #[error("{agree} of {of} results agree, and {share} millionths are asked for")]
    NoConsensus {
        /// The most that agree.
        agree: u64,
        /// Out of so many valid results.
        of: u64,
        /// The share asked for.
        share: u64,
    },
    /// No share of the winners that is large enough says the same.
    #[error("{agree} of {of} winners agree, and {share} millionths are asked for")]
    NoQuorum {
        /// The most that agree.
        agree: u64,
        /// Out of so many winners.
        of: u64,
        /// The share asked for.
        share: u64,
    },
    /// All weights are zero.
    #[error("no result has any confidence to be weighted by")]
    NoWeight,
    /// The sum is past 2^53 - 1.
    #[error("the sum is past 2^53 - 1")]
    TooLarge,
}

/// A result that counts.
#[derive(Clone, Copy, Debug)]
struct Valid<'a> {
    slot: u64,
    output: &'a Value,
    /// What is compared: the output, or what stands in it under the field.
    value: &'a Value,
    confidence: u64,
    arrival: u64,
}

/// Tells whether enough of the winners have given valid results, so that nobody else is waited for.
pub fn is_enough(rule: &Aggregation, contributions: &[Contribution], winners: u64) -> bool {
    suffices(rule, valid(rule, contributions).len() as u64, winners)
}

/// Whether so many valid results are as many as are waited for.
pub(crate) fn suffices(rule: &Aggregation, have: u64, winners: u64) -> bool {
    let all = match rule.waiting {
        Waiting::All => winners,
        Waiting::Any | Waiting::Majority | Waiting::Quorum => 0,
    };
    have >= all.max(needed(rule, winners))
}

/// The fewest valid results that are made one: as many as are asked for, and where a majority or a quorum
/// is waited for no fewer than that.
fn needed(rule: &Aggregation, winners: u64) -> u64 {
    let waited = match rule.waiting {
        Waiting::All | Waiting::Any => 1,
        Waiting::Majority => (winners / 2).saturating_add(1),
        Waiting::Quorum => share_of(winners, rule.quorum.unwrap_or(MILLION)),
    };
    waited.max(rule.min_results).max(1)
}

/// The smallest number that is the share of `whole`.
fn share_of(whole: u64, share: u64) -> u64 {
    whole.saturating_mul(share).div_ceil(MILLION)
}

/// Makes results one. Contributions come by slot, one for each of the winners.
///
/// # Errors
/// [`AggregateError`] where they are too few, do not agree, or cannot be counted.
pub fn aggregate(
    rule: &Aggregation,
    contributions: &[Contribution],
) -> Result<Aggregate, AggregateError> {
    let valid = valid(rule, contributions);
    let need = needed(rule, contributions.len() as u64);
    let have = valid.len() as u64;
    if have < need {
        return Err(too_few(rule, contributions, have, need));
    }
    let made = make(rule, &valid, contributions.len() as u64)?;
    let citations = contributions.iter().map(|it| {
        let part = match check(rule, it) {
            Ok(valid) if made.dissent(&valid) => Part::Dissented,
            Ok(_) => Part::Contributed,
            Err(part) => part,
        };
        cite(it, part)
    });
    Ok(Aggregate {
        citations: citations.collect(),
        output: made.output,
    })
}

/// Cites everybody where no aggregate tells who agrees: whoever counts has contributed.
pub(crate) fn cite_all(rule: &Aggregation, contributions: &[Contribution]) -> Vec<Citation> {
    let part = |it: &Contribution| check(rule, it).err().unwrap_or(Part::Contributed);
    contributions.iter().map(|it| cite(it, part(it))).collect()
}

fn cite(it: &Contribution, part: Part) -> Citation {
    Citation {
        slot: it.slot,
        bidder: it.bidder,
        bid: it.bid,
        outcome: it.outcome,
        part,
        failure: match it.said {
            Said::Failed(why) => Some(why),
            Said::Output { .. } => None,
        },
    }
}

fn valid<'a>(rule: &Aggregation, contributions: &'a [Contribution]) -> Vec<Valid<'a>> {
    let valid = contributions.iter().filter_map(|it| check(rule, it).ok());
    valid.collect()
}

/// A contribution that counts, or what keeps it from counting.
fn check<'a>(rule: &Aggregation, it: &'a Contribution) -> Result<Valid<'a>, Part> {
    let (output, confidence, arrival) = match &it.said {
        Said::Failed(_) => return Err(Part::Failed),
        Said::Output {
            output,
            confidence,
            arrival,
        } => (output.as_ref(), *confidence, *arrival),
    };
    if confidence > MILLION || rule.confidence.is_some_and(|least| confidence < least) {
        return Err(Part::Unsure);
    }
    let mut way = rule.field.iter();
    let value = way.try_fold(output, |value, name| value.get(name));
    let value = value.ok_or(Part::NoValue)?;
    match rule.strategy {
        Strategy::Merge if !output.is_object() => return Err(Part::NotAnObject),
        strategy if counts(strategy) => {
            Micros::read(value).ok_or(Part::NotNumeric)?;
        }
        _ => {}
    }
    Ok(Valid {
        slot: it.slot,
        output,
        value,
        confidence,
        arrival,
    })
}

fn counts(strategy: Strategy) -> bool {
    matches!(
        strategy,
        Strategy::Average | Strategy::WeightedAverage | Strategy::Sum | Strategy::Rank
    )
}

/// Says by the first result that does not count what is wrong with it, or how few there are.
fn too_few(rule: &Aggregation, all: &[Contribution], have: u64, need: u64) -> AggregateError {
    let shape = all.iter().find_map(|it| {
        let slot = it.slot;
        match check(rule, it).err()? {
            Part::NoValue => Some(AggregateError::NoValue { slot }),
            Part::NotNumeric => Some(AggregateError::NotNumeric { slot }),
            Part::NotAnObject => Some(AggregateError::NotAnObject { slot }),
            _ => None,
        }
    });
    shape.unwrap_or(AggregateError::TooFewResults { have, need })
}

/// An output, and what tells contributors from dissenters.
struct Made {
    output: Value,
    against: Against,
}

enum Against {
    Nobody,
    /// Everybody whose value is another.
    Value(Value),
    /// These slots.
    Slots(Vec<u64>),
}

impl Made {
    fn by_all(output: Value) -> Self {
        Self {
            output,
            against: Against::Nobody,
        }
    }

    /// One winner's output, which others may agree with.
    fn by_one(chosen: &Valid<'_>) -> Self {
        Self {
            output: chosen.output.clone(),
            against: Against::Value(chosen.value.clone()),
        }
    }

    fn dissent(&self, valid: &Valid<'_>) -> bool {
        match &self.against {
            Against::Nobody => false,
            Against::Value(value) => !same(value, valid.value),
            Against::Slots(slots) => slots.contains(&valid.slot),
        }
    }
}

fn make(rule: &Aggregation, valid: &[Valid<'_>], winners: u64) -> Result<Made, AggregateError> {
    let results = valid.len() as u64;
    let none = AggregateError::TooFewResults { have: 0, need: 1 };
    let one = |chosen: Option<&Valid<'_>>| chosen.map(Made::by_one).ok_or(none);
    match rule.strategy {
        Strategy::Merge => {
            let (output, slots) = merge::merge(valid);
            let against = Against::Slots(slots);
            Ok(Made { output, against })
        }
        Strategy::Select => one(valid.first()),
        Strategy::FirstValid => one(valid.iter().min_by_key(|it| it.arrival)),
        Strategy::HighestConfidence => one(valid
            .iter()
            .min_by_key(|it| (Reverse(it.confidence), it.slot))),
        Strategy::Vote => one(largest(&groups(valid)).map(|group| group.first)),
        Strategy::Consensus => {
            let share = rule.threshold.unwrap_or(MILLION);
            agreed(valid, results, share).map_err(|agree| AggregateError::NoConsensus {
                agree,
                of: results,
                share,
            })
        }
        Strategy::Quorum => {
            let share = rule.quorum.unwrap_or(MILLION);
            agreed(valid, winners, share).map_err(|agree| AggregateError::NoQuorum {
                agree,
                of: winners,
                share,
            })
        }
        Strategy::Average | Strategy::WeightedAverage | Strategy::Sum => count(rule, valid),
        Strategy::Rank => {
            let mut ordered: Vec<&Valid<'_>> = valid.iter().collect();
            ordered.sort_by_key(|it| (Reverse(Micros::read(it.value)), it.slot));
            Ok(Made::by_all(
                ordered.iter().map(|it| it.output.clone()).collect(),
            ))
        }
        Strategy::CollectAll => Ok(Made::by_all(
            valid.iter().map(|it| it.output.clone()).collect(),
        )),
        Strategy::Loop => Ok(Made::by_all(valid.iter().map(for_loop).collect())),
    }
}

/// The largest group; of equally large ones, the one with the best-ranked result.
fn largest<'a>(groups: &[Group<'a>]) -> Option<Group<'a>> {
    let best = groups
        .iter()
        .min_by_key(|it| (Reverse(it.size), it.first.slot));
    best.copied()
}

/// What one group alone, of a large enough share of `whole`, agrees on; or how large the largest is.
fn agreed(valid: &[Valid<'_>], whole: u64, share: u64) -> Result<Made, u64> {
    let groups = groups(valid);
    let best = largest(&groups).ok_or(0_u64)?;
    let alone = groups.iter().filter(|it| it.size == best.size).count() == 1;
    if alone && best.size >= share_of(whole, share) {
        Ok(Made::by_one(best.first))
    } else {
        Err(best.size)
    }
}

/// A number made of all; in the place of the field in the best-ranked output, if there is one.
fn count(rule: &Aggregation, valid: &[Valid<'_>]) -> Result<Made, AggregateError> {
    let weighted = rule.strategy == Strategy::WeightedAverage;
    let numbers = valid.iter().filter_map(|it| {
        let weight = if weighted { it.confidence } else { 1 };
        Micros::read(it.value).map(|micros| (micros, weight))
    });
    let number = match rule.strategy {
        Strategy::Sum => number::sum(numbers),
        _ => number::mean(numbers).ok_or(AggregateError::NoWeight)?,
    };
    let number = number.write().ok_or(AggregateError::TooLarge)?;
    let mut output = valid.first().map_or(Value::Null, |it| it.output.clone());
    let mut way = rule.field.iter();
    if let Some(place) = way.try_fold(&mut output, |value, name| value.get_mut(name)) {
        *place = number;
    }
    Ok(Made::by_all(output))
}

fn for_loop(it: &Valid<'_>) -> Value {
    let confidence = Micros::of_millionths(it.confidence).write();
    json!({"slot": it.slot, "confidence": confidence, "output": it.output})
}

#[cfg(test)]
mod tests;
