//! Results made one: AGG-1 to AGG-10 once more, from the specification and by other means than the
//! announcer's.

use std::collections::{BTreeMap, BTreeSet};

use realm_broadcast::{Part, log::Ending};
use realm_protocol::broadcast::{Aggregation, MILLION, Strategy, Waiting};
use serde_json::{Value, json};

/// Places after the point that count.
const PLACES: usize = 6;
/// As many places as the shortest text of the smallest double that is exact.
const EXACT: usize = 1_100;
/// 2^53 - 1 in millionths.
const MOST: i128 = 9_007_199_254_740_991_000_000;

/// What a slot came to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) slot: u64,
    /// Output, confidence in millionths, and the how-manieth result it was; none for a failure.
    pub(super) result: Option<(Value, u64, usize)>,
}

/// What outcomes make: how the broadcast ends, with which output, and what each was to it. The output
/// of a loop that aggregates is its input.
#[derive(Debug, PartialEq)]
pub(super) struct Made {
    pub(super) ending: Ending,
    pub(super) output: Option<Value>,
    pub(super) parts: BTreeMap<u64, Part>,
}

/// A result that counts.
#[derive(Clone, Copy, Debug)]
struct Valid<'a> {
    slot: u64,
    output: &'a Value,
    value: &'a Value,
    confidence: u64,
    arrival: usize,
}

/// Whether so many of the slots' outcomes are results that count that nobody else is waited for: AGG-11.
pub(super) fn suffice(rule: &Aggregation, outcomes: &[Outcome]) -> bool {
    let count = outcomes.iter().filter(|it| judge(rule, it).is_ok()).count() as u64;
    let all = rule.waiting == Waiting::All;
    count >= fewest(rule, outcomes.len() as u64) && (!all || count == outcomes.len() as u64)
}

/// The fewest results that are made one: AGG-2.
fn fewest(rule: &Aggregation, slots: u64) -> u64 {
    let waited = match rule.waiting {
        Waiting::Majority => slots / 2 + 1,
        Waiting::Quorum => (1..=slots)
            .find(|some| some * MILLION >= slots * rule.quorum.unwrap_or(MILLION))
            .unwrap_or(0),
        Waiting::All | Waiting::Any => 1,
    };
    waited.max(rule.min_results).max(1)
}

pub(super) fn make(rule: &Aggregation, outcomes: &[Outcome]) -> Made {
    let mut parts = BTreeMap::new();
    let mut valid: Vec<Valid<'_>> = Vec::new();
    let mut shape = None;
    for it in outcomes {
        match judge(rule, it) {
            Ok(result) => {
                parts.insert(it.slot, Part::Contributed);
                valid.push(result);
            }
            Err(part) => {
                parts.insert(it.slot, part);
                let ending = match part {
                    Part::NoValue => Some(Ending::NoValue),
                    Part::NotNumeric => Some(Ending::NotNumeric),
                    Part::NotAnObject => Some(Ending::NotAnObject),
                    _ => None,
                };
                shape = shape.or(ending);
            }
        }
    }
    valid.sort_by_key(|it| it.slot);
    if (valid.len() as u64) < fewest(rule, outcomes.len() as u64) {
        let ending = shape.unwrap_or(Ending::TooFewResults);
        return Made {
            ending,
            output: None,
            parts,
        };
    }
    let (result, dissenting) = one(rule, &valid, outcomes.len() as u64);
    for slot in dissenting {
        parts.insert(slot, Part::Dissented);
    }
    let (ending, output) = match result {
        Ok(output) => (Ending::Output, Some(output)),
        Err(ending) => (ending, None),
    };
    Made {
        ending,
        output,
        parts,
    }
}

fn judge<'a>(rule: &Aggregation, it: &'a Outcome) -> Result<Valid<'a>, Part> {
    let (output, confidence, arrival) = it.result.as_ref().ok_or(Part::Failed)?;
    if *confidence > MILLION || *confidence < rule.confidence.unwrap_or(0) {
        return Err(Part::Unsure);
    }
    let mut value = output;
    for name in &rule.field {
        value = value.get(name).ok_or(Part::NoValue)?;
    }
    if rule.strategy == Strategy::Merge && !output.is_object() {
        return Err(Part::NotAnObject);
    }
    let numeric = [
        Strategy::Average,
        Strategy::WeightedAverage,
        Strategy::Sum,
        Strategy::Rank,
    ];
    if numeric.contains(&rule.strategy) && micros(value).is_none() {
        return Err(Part::NotNumeric);
    }
    Ok(Valid {
        slot: it.slot,
        output,
        value,
        confidence: *confidence,
        arrival: *arrival,
    })
}

/// The output, and who dissents.
fn one(rule: &Aggregation, valid: &[Valid<'_>], slots: u64) -> (Result<Value, Ending>, Vec<u64>) {
    let outputs = || valid.iter().map(|it| it.output.clone());
    let agreed = |whole: u64, share: Option<u64>, ending: Ending| {
        let need = (u128::from(whole) * u128::from(share.unwrap_or(MILLION)))
            .div_ceil(u128::from(MILLION));
        let sizes = sizes(valid);
        let most = sizes.iter().copied().max().unwrap_or(0);
        let best = valid.iter().zip(&sizes).find(|(_, size)| **size == most);
        let rivals = valid.iter().zip(&sizes).filter(|(it, size)| {
            **size == most && best.is_some_and(|(best, _)| !same(best.value, it.value))
        });
        match best {
            Some((best, _)) if rivals.count() == 0 && most as u128 >= need => by_one(best, valid),
            _ => (Err(ending), Vec::new()),
        }
    };
    let first = |chosen: Option<&Valid<'_>>| match chosen {
        Some(chosen) => by_one(chosen, valid),
        None => (Err(Ending::TooFewResults), Vec::new()),
    };
    match rule.strategy {
        Strategy::Select => first(valid.first()),
        Strategy::FirstValid => first(valid.iter().min_by_key(|it| it.arrival)),
        Strategy::HighestConfidence => {
            let most = valid.iter().map(|it| it.confidence).max();
            first(valid.iter().find(|it| Some(it.confidence) == most))
        }
        Strategy::Vote => {
            let sizes = sizes(valid);
            let most = sizes.iter().max();
            let chosen = valid
                .iter()
                .zip(&sizes)
                .find(|(_, size)| Some(*size) == most);
            first(chosen.map(|(it, _)| it))
        }
        Strategy::Consensus => agreed(valid.len() as u64, rule.threshold, Ending::NoConsensus),
        Strategy::Quorum => agreed(slots, rule.quorum, Ending::NoQuorum),
        Strategy::Sum | Strategy::Average | Strategy::WeightedAverage => {
            (counted(rule, valid), Vec::new())
        }
        Strategy::Rank => {
            let mut ranked: Vec<(i128, u64, &Value)> = valid
                .iter()
                .map(|it| (-micros(it.value).expect("a number"), it.slot, it.output))
                .collect();
            ranked.sort_by_key(|(number, slot, _)| (*number, *slot));
            let outputs = ranked.into_iter().map(|(_, _, output)| output.clone());
            (Ok(outputs.collect()), Vec::new())
        }
        Strategy::CollectAll => (Ok(outputs().collect()), Vec::new()),
        Strategy::Loop => {
            let list = valid.iter().map(|it| {
                let confidence = written(i128::from(it.confidence)).expect("below two");
                json!({"slot": it.slot, "confidence": confidence, "output": it.output})
            });
            (Ok(list.collect()), Vec::new())
        }
        Strategy::Merge => merged(valid),
    }
}

fn by_one(chosen: &Valid<'_>, valid: &[Valid<'_>]) -> (Result<Value, Ending>, Vec<u64>) {
    let others = valid.iter().filter(|it| !same(it.value, chosen.value));
    let dissenting = others.map(|it| it.slot).collect();
    (Ok(chosen.output.clone()), dissenting)
}

/// How many say what each says.
fn sizes(valid: &[Valid<'_>]) -> Vec<usize> {
    let like = |one: &Valid<'_>| valid.iter().filter(|it| same(it.value, one.value)).count();
    valid.iter().map(like).collect()
}

fn counted(rule: &Aggregation, valid: &[Valid<'_>]) -> Result<Value, Ending> {
    let numbers = valid.iter().map(|it| {
        let weight = match rule.strategy {
            Strategy::WeightedAverage => i128::from(it.confidence),
            _ => 1,
        };
        (micros(it.value).expect("a number"), weight)
    });
    let (sum, weights) = numbers.fold((0, 0), |(sum, weights), (number, weight)| {
        (sum + number * weight, weights + weight)
    });
    let number = match rule.strategy {
        Strategy::Sum => sum,
        _ if weights == 0 => return Err(Ending::NoWeight),
        _ => half_even(sum, weights),
    };
    let number = written(number).ok_or(Ending::TooLarge)?;
    let mut output = valid[0].output.clone();
    let mut place = &mut output;
    for name in &rule.field {
        place = &mut place[name.as_str()];
    }
    *place = number;
    Ok(output)
}

fn half_even(number: i128, by: i128) -> i128 {
    let (down, rest) = (number.div_euclid(by), number.rem_euclid(by));
    match (2 * rest).cmp(&by) {
        std::cmp::Ordering::Less => down,
        std::cmp::Ordering::Equal => down + down.rem_euclid(2),
        std::cmp::Ordering::Greater => down + 1,
    }
}

/// A JSON number in millionths, by its exact decimal text.
fn micros(value: &Value) -> Option<i128> {
    let number = value.as_f64()?;
    let text = format!("{:.EXACT$}", number.abs());
    let (whole, places) = text.split_once('.').expect("a point");
    let (kept, rest) = places.split_at(PLACES);
    let kept: i128 = format!("{whole}{kept}").parse().ok()?;
    let half = format!("5{}", "0".repeat(EXACT - PLACES - 1));
    let up = match rest.cmp(half.as_str()) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => kept % 2,
        std::cmp::Ordering::Greater => 1,
    };
    let rounded = kept + up;
    let signed = if number < 0.0 { -rounded } else { rounded };
    (rounded <= MOST).then_some(signed)
}

fn written(micros: i128) -> Option<Value> {
    let million = i128::from(MILLION);
    if micros.abs() > MOST {
        return None;
    }
    if micros % million == 0 {
        return Some(json!(i64::try_from(micros / million).ok()?));
    }
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, rest) = (micros.abs() / million, micros.abs() % million);
    let nearest: f64 = format!("{sign}{whole}.{rest:06}").parse().ok()?;
    Some(json!(nearest))
}

/// AGG-3.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            let pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs.fold(true, |all, (one, other)| all && same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let names = |of: &serde_json::Map<String, Value>| -> BTreeSet<String> {
                of.keys().cloned().collect()
            };
            names(one) == names(other) && one.iter().all(|(name, it)| same(it, &other[name]))
        }
        _ => one == other,
    }
}

/// AGG-10.
fn merged(valid: &[Valid<'_>]) -> (Result<Value, Ending>, Vec<u64>) {
    let mut whole = json!({});
    let mut dissenting = Vec::new();
    for it in valid {
        if !merge(&mut whole, it.output) {
            dissenting.push(it.slot);
        }
    }
    (Ok(whole), dissenting)
}

/// Merges a later value into an earlier one; tells whether nothing was kept out.
fn merge(earlier: &mut Value, later: &Value) -> bool {
    match (earlier, later) {
        (Value::Object(earlier), Value::Object(later)) => {
            let mut all = true;
            for (name, it) in later {
                match earlier.get_mut(name) {
                    Some(held) => all &= merge(held, it),
                    None => drop(earlier.insert(name.clone(), it.clone())),
                }
            }
            all
        }
        (Value::Array(earlier), Value::Array(later)) => {
            for it in later {
                if !earlier.iter().any(|held| same(held, it)) {
                    earlier.push(it.clone());
                }
            }
            true
        }
        (earlier, later) => same(earlier, later),
    }
}
