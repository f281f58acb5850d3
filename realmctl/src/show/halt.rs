//! What stands still.

use realm_client::api::{BelowHalt, Halt, HaltState};

use super::moment;
use crate::output::{Block, Show};

/// Changes that are shown unless all are asked for.
const CHANGES: usize = 5;

impl Show for HaltState {
    fn names(&self) -> Vec<String> {
        let loops = self.loops.iter().map(|halted| halted.loop_id.clone());
        let all = self.all.iter().map(|_| "realm".to_owned());
        all.chain(loops).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let realm = match &self.all {
            Some(halt) => format!("halted {}", said(halt)),
            None => "goes on".to_owned(),
        };
        let mut fields = vec![("realm", realm), ("halted runs", self.runs.to_string())];
        if let Some(halt) = &self.all {
            let but = halt.loops.iter().chain(&halt.runs).cloned();
            let but: Vec<String> = but.collect();
            if !but.is_empty() {
                fields.push(("go on", but.join(" ")));
            }
        }
        for word in &self.above {
            let why = word.why.as_ref();
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let said = format!("by {} on {}{why}", word.by, moment(word.at));
            fields.push(("for others", format!("halted {said}")));
        }
        let loops = self.loops.iter();
        let loops = loops.map(|halted| vec![halted.loop_id.clone(), said(&halted.halt)]);
        let shown = if wide { self.changes.len() } else { CHANGES };
        let changes = self.changes.iter().take(shown).map(|change| {
            vec![
                moment(change.at),
                change.by.clone(),
                if change.halted { "halted" } else { "let go on" }.to_owned(),
                change.what.clone(),
                change.why.clone().unwrap_or_else(|| "-".to_owned()),
            ]
        });
        vec![
            Block::Fields(fields),
            Block::Table(
                vec!["REALM BELOW", "TOLD", "CONFIRMED", "RUNS", "OWN WORK"],
                self.below.iter().flat_map(below).collect(),
            ),
            Block::Table(vec!["HALTED LOOP", "BY"], loops.collect()),
            Block::Table(vec!["AT", "BY", "DID", "WHAT", "WHY"], changes.collect()),
        ]
    }
}

/// A realm below, and what it says of those below it.
fn below(told: &BelowHalt) -> Vec<Vec<String>> {
    let word = if told.halted { "halted" } else { "goes on" };
    let further = |name: &String, confirmed: &str| {
        let rest = [word, confirmed, "-", "-"].map(str::to_owned);
        std::iter::once(name.clone()).chain(rest).collect()
    };
    let confirmed = told.confirmed_at;
    let mut rows = vec![vec![
        told.realm.clone(),
        word.to_owned(),
        confirmed.map_or_else(|| "NO".to_owned(), moment),
        confirmed.map_or_else(|| "-".to_owned(), |_| told.runs.to_string()),
        match (confirmed, told.halted, told.own) {
            (Some(_), true, true) => "halted",
            (Some(_), true, false) => "goes on",
            _ => "-",
        }
        .to_owned(),
    ]];
    rows.extend(told.confirmed.iter().map(|name| further(name, "yes")));
    rows.extend(told.unconfirmed.iter().map(|name| further(name, "NO")));
    if told.unnamed > 0 {
        rows.push(further(&format!("{} more below it", told.unnamed), "?"));
    }
    rows
}

/// Who said it, when and why.
fn said(halt: &Halt) -> String {
    let why = halt.why.as_ref();
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    format!("by {} on {}{why}", halt.by, moment(halt.at))
}
