//! Traces of several realms: one tree, and who showed what of it.

use realm_client::{
    api::{FederatedPart, FederatedTrace, FrameTree, PartDigests},
    trace::TraceTree,
};

use super::{calls::branch, text, tree};
use crate::output::{Block, Show};

/// A call, and those below it, in whatever realm.
struct Call {
    line: String,
    below: Vec<Call>,
}

impl Show for FederatedTrace {
    fn names(&self) -> Vec<String> {
        self.parts.iter().map(|part| part.realm.clone()).collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let own = self.own().nested().map(|own| call(own, None, self));
        let own = own.map(|own| {
            Block::Text(tree(&own, &|call| call.line.clone(), &|call| {
                call.below.as_slice()
            }))
        });
        let mut header = vec![
            "REALM", "LOOP", "OUTCOME", "DIGESTS", "SHOWN", "HIDDEN", "WHY", "CALL",
        ];
        let columns = if wide { 8 } else { 7 };
        header.truncate(columns);
        let rows = self.parts.iter().map(|part| {
            let mut row = row(part);
            row.truncate(columns);
            row
        });
        let rows: Vec<_> = rows.collect();
        let asked = (!rows.is_empty()).then_some(Block::Table(header, rows));
        own.into_iter().chain(asked).collect()
    }
}

/// A frame of a realm with all that other realms show below it.
fn call(frame: FrameTree, realm: Option<&str>, of: &FederatedTrace) -> Call {
    let part = of
        .parts
        .iter()
        .find(|part| part.call_id == frame.frame.call_id);
    let part = part.filter(|part| realm != Some(part.realm.as_str()));
    let children = frame.children.clone();
    let mut shown = frame;
    // Names of realms are this one's own, also in what others show.
    let named = part.map(|part| part.realm.clone());
    shown.frame.realm = named.or(shown.frame.realm).or(realm.map(str::to_owned));
    let below = children.into_iter().map(|child| call(child, realm, of));
    let mut found = Call {
        line: branch(&shown),
        below: below.collect(),
    };
    if let Some(part) = part {
        found.line = format!("{}  {}", found.line, standing(part));
        let there = part.tree().as_ref().and_then(TraceTree::nested);
        let there = there.map(|there| call(there, Some(&part.realm), of).below);
        found.below.extend(there.into_iter().flatten());
        found.below.extend((part.hidden > 0).then(|| Call {
            line: format!("-@{}  {} not shown", part.realm, events(part.hidden)),
            below: Vec::new(),
        }));
    }
    found
}

/// What came of the question for a call's trace, beside the call.
fn standing(part: &FederatedPart) -> String {
    let said = part.digests.map(PartDigests::as_str);
    format!("[{}]", said.unwrap_or(part.outcome.as_str()))
}

fn events(count: u64) -> String {
    match count {
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    }
}

fn row(part: &FederatedPart) -> Vec<String> {
    let shown = part.digests.is_some();
    let count = |count: u64| {
        if shown {
            count.to_string()
        } else {
            "-".to_owned()
        }
    };
    vec![
        part.realm.clone(),
        part.loop_id.clone(),
        part.outcome.as_str().to_owned(),
        part.digests.map_or("-", PartDigests::as_str).to_owned(),
        count(part.events.len() as u64),
        count(part.hidden),
        text(part.reason.as_ref()),
        part.call_id.clone(),
    ]
}
