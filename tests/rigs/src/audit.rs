//! What must hold after any fault: nothing acknowledged is lost, nothing happened twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use realm_client::{
    Client,
    api::{Direction, RunQuery, RunStatus, RunSummary},
};
use serde_json::json;

use crate::{
    ledger::{Answer, Call, Effects},
    load::{persist, request},
    network::Place,
};

/// Runs on a page of the local API, the most there are.
const PAGE: u32 = 500;
/// How long asking again may take until there is an answer.
const PATIENCE: Duration = Duration::from_secs(40);
/// Complaints of a kind that are printed.
const SHOWN: usize = 10;

/// What was found wrong.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Acknowledged, and missing from a trace, answered otherwise, or without its effect.
    pub(crate) lost: Vec<String>,
    /// Happened twice under one key.
    pub(crate) doubled: Vec<String>,
    /// Stores that are damaged.
    pub(crate) corrupt: Vec<String>,
    /// Anything else that must not be.
    pub(crate) wrong: Vec<String>,
}

impl Verdict {
    /// Whether nothing was found.
    pub(crate) fn is_clean(&self) -> bool {
        [&self.lost, &self.doubled, &self.corrupt, &self.wrong]
            .iter()
            .all(|found| found.is_empty())
    }

    /// Adds what another look found.
    pub(crate) fn add(&mut self, other: Self) {
        self.lost.extend(other.lost);
        self.doubled.extend(other.doubled);
        self.corrupt.extend(other.corrupt);
        self.wrong.extend(other.wrong);
    }

    /// Prints what was found, so much of it as helps.
    pub(crate) fn print(&self) {
        for (name, found) in [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("corrupt", &self.corrupt),
            ("wrong", &self.wrong),
        ] {
            for what in found.iter().take(SHOWN) {
                eprintln!("{name}: {what}");
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lost, doubled) = (self.lost.len(), self.doubled.len());
        write!(
            f,
            "lost={lost} doubled={doubled} corrupt={}",
            self.corrupt.len()
        )
    }
}

/// One realm's halves of all calls.
#[derive(Debug, Default)]
pub(crate) struct Halves {
    runs: BTreeMap<String, RunSummary>,
    served: BTreeMap<String, Vec<String>>,
}

impl Halves {
    /// Reads every run that the realm remembers.
    pub(crate) async fn read(client: &Client) -> anyhow::Result<Self> {
        let mut halves = Self::default();
        let mut cursor = None;
        loop {
            let query = RunQuery {
                limit: Some(PAGE),
                cursor,
                ..RunQuery::default()
            };
            let page = client.runs(&query).await?;
            for run in page.items {
                if run.direction != Direction::Out && run.status == RunStatus::Completed {
                    let served = halves.served.entry(run.call_id.clone()).or_default();
                    served.push(run.id.clone());
                }
                halves.runs.insert(run.id.clone(), run);
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(halves);
            }
        }
    }

    fn asked(&self, call: &Call, answer: &Answer) -> bool {
        let run = self.runs.get(&answer.run_id);
        run.is_some_and(|run| {
            let direction = match call.caller == call.callee {
                true => Direction::Local,
                false => Direction::Out,
            };
            // An earlier answer of this realm comes with the run that gave it, not with its call.
            let is_replayed = answer.replayed && direction == Direction::Local;
            run.status == RunStatus::Completed
                && (run.call_id == answer.call_id || is_replayed)
                && run.direction == direction
        })
    }
}

/// An effect that an agent wrote down.
#[derive(Debug)]
pub(crate) struct Effect {
    /// Where that stands in the file, bytes.
    at: u64,
    /// The agent's name for it.
    name: String,
}

/// The effects that agents wrote down, by key.
pub(crate) fn effects(file: &Path) -> BTreeMap<String, Vec<Effect>> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut effects: BTreeMap<String, Vec<Effect>> = BTreeMap::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some((key, name)) = line.trim_end().split_once(' ') {
            let name = name.to_owned();
            let of_key = effects.entry(key.to_owned()).or_default();
            of_key.push(Effect { at, name });
        }
        at += line.len() as u64;
    }
    effects
}

/// Whether something happened again under one key: what never happens twice, or, where twice is as good as
/// once, anything after the call was acknowledged.
fn is_doubled(call: &Call, happened: &[Effect]) -> bool {
    match (call.effects, &call.answer) {
        (Effects::Once, _) => happened.len() > 1,
        (Effects::Idempotent, Some(answer)) => {
            happened.iter().any(|effect| effect.at >= answer.written)
        }
        (Effects::Idempotent, None) | (Effects::None, _) => false,
    }
}

/// Compares every acknowledged call with both traces, and every key with what agents did.
pub(crate) async fn compare(
    calls: &[Call],
    places: &[Place],
    effects: &BTreeMap<String, Vec<Effect>>,
) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut halves = Vec::new();
    for place in places {
        halves.push(Halves::read(&place.client).await?);
    }
    // A call that was answered again has its first run under another call's id.
    let mut answered_again: BTreeMap<usize, Vec<&Call>> = BTreeMap::new();
    let mut matched: BTreeSet<&str> = BTreeSet::new();
    for call in calls {
        let happened = effects.get(&call.key).map_or(&[][..], Vec::as_slice);
        if is_doubled(call, happened) {
            verdict.doubled.push(format!("{call:?}: {happened:?}"));
        }
        let Some(answer) = &call.answer else { continue };
        if !happened.iter().any(|effect| effect.name == answer.effect()) {
            let what = format!("{call:?}: its effect is not in {happened:?}");
            verdict.lost.push(what);
        }
        let caller = halves.get(call.caller).context("a caller in the network")?;
        if !caller.asked(call, answer) {
            let run = caller.runs.get(&answer.run_id);
            verdict
                .lost
                .push(format!("{call:?}: the caller has {run:?}"));
        }
        let callee = halves.get(call.callee).context("a callee in the network")?;
        match callee.served.get(&answer.call_id) {
            Some(runs) => matched.extend(runs.iter().map(String::as_str)),
            None => answered_again.entry(call.callee).or_default().push(call),
        }
    }
    for (callee, calls) in answered_again {
        let pair = places.get(callee).zip(halves.get(callee));
        let (place, halves) = pair.context("a callee in the network")?;
        let mut outputs = BTreeSet::new();
        for run in halves.served.values().flatten() {
            if !matched.contains(run.as_str()) {
                let output = place.client.run(run).await?.output.unwrap_or_default();
                outputs.insert(output["effect"].as_str().unwrap_or_default().to_owned());
            }
        }
        for call in calls {
            let effect = call.answer.as_ref().map_or("", Answer::effect);
            if !outputs.contains(effect) {
                verdict.lost.push(format!("{call:?}: not at the callee"));
            }
        }
    }
    Ok(verdict)
}

/// Looks for one acknowledged call where it was asked, and asks for it again under its key: the
/// answer must be the same.
pub(crate) async fn ask_again(call: &Call, places: &[Place]) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    let Some(answer) = &call.answer else {
        return Ok(verdict);
    };
    let pair = places.get(call.caller).zip(places.get(call.callee));
    let (from, to) = pair.context("a call inside the network")?;
    match from.client.run(&answer.run_id).await {
        Ok(run) if run.output.as_ref() == Some(&answer.output) => {}
        found => verdict
            .lost
            .push(format!("{call:?}: the caller has {found:?}")),
    }
    let loop_id = call.effects.loop_id();
    let address = match call.caller == call.callee {
        true => loop_id.to_owned(),
        false => format!("{loop_id}@{}", to.name),
    };
    let input = from.client.run(&answer.run_id).await?.input;
    let input = input.unwrap_or_else(|| json!({"key": call.key}));
    let again = request(address, input, Some(call.key.clone()));
    match persist(from, &again, PATIENCE).await {
        Ok(result) if result.output.as_ref() == Some(&answer.output) => {}
        Ok(result)
            if result
                .output
                .as_ref()
                .is_some_and(|it| it["key"] == *call.key) =>
        {
            verdict
                .doubled
                .push(format!("{call:?}: another answer under its key"));
        }
        other => verdict
            .lost
            .push(format!("{call:?}: asked again: {other:?}")),
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(effects: Effects, written: Option<u64>) -> Call {
        let answer = written.map(|written| Answer {
            run_id: String::new(),
            call_id: String::new(),
            output: json!({}),
            replayed: false,
            written,
        });
        Call {
            key: "k".to_owned(),
            effects,
            caller: 0,
            callee: 1,
            answer,
        }
    }

    #[test]
    fn a_second_effect_counts_after_the_acknowledgement_or_where_there_may_be_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "k first\nother it\nk second\n").unwrap();
        let effects = effects(file.path());
        let [happened, other] = ["k", "other"].map(|key| effects[key].as_slice());
        let before = "k first\nother it\n".len() as u64;
        let all = before + "k second\n".len() as u64;

        assert_eq!(other[0].name, "it");
        assert!(is_doubled(&call(Effects::Once, None), happened));
        assert!(!is_doubled(&call(Effects::Once, Some(before)), other));
        assert!(is_doubled(
            &call(Effects::Idempotent, Some(before)),
            happened
        ));
        assert!(!is_doubled(&call(Effects::Idempotent, Some(all)), happened));
        assert!(!is_doubled(&call(Effects::Idempotent, None), happened));
        assert!(!is_doubled(&call(Effects::None, Some(0)), happened));
    }
}
