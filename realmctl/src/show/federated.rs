//! Traces of several realms: one tree, and who showed what of it.

use std::collections::BTreeSet;

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
        let mut parts = Parts {
            of: self,
            expanded: BTreeSet::new(),
        };
        let own = self.own().nested().map(|own| parts.call(own, None));
        let own = own.map(|own| {
            Block::Text(tree(&own, &|call| call.line.clone(), &|call| {
                call.below.as_slice()
            }))
        });
        let mut header = vec![
            "REALM", "LOOP", "OUTCOME", "DIGESTS", "SHOWN", "HIDDEN", "LATER", "WHY", "CALL",
        ];
        let columns = if wide { 9 } else { 8 };
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

/// What other realms show, each part in one place: what they say of each other's calls may go in a circle.
struct Parts<'a> {
    of: &'a FederatedTrace,
    expanded: BTreeSet<usize>,
}

/// What one realm shows, while its frames are told.
struct Side<'a> {
    realm: &'a str,
    /// Calls of which something may have been added after what it has signed.
    later: BTreeSet<&'a str>,
}

impl<'a> Side<'a> {
    fn of(part: &'a FederatedPart) -> Self {
        let later = part.events.iter().filter(|event| part.is_later(event));
        Self {
            realm: &part.realm,
            later: later.map(|event| event.call_id.as_str()).collect(),
        }
    }
}

impl Parts<'_> {
    /// A frame of a realm with all that other realms show below it.
    fn call(&mut self, frame: FrameTree, side: Option<&Side<'_>>) -> Call {
        let realm = side.map(|side| side.realm);
        let mut parts = self.of.parts.iter().enumerate();
        let found = parts.find(|(_, part)| part.call_id == frame.frame.call_id);
        let found = found.filter(|(_, part)| realm != Some(part.realm.as_str()));
        let is_later = |side: &Side<'_>| side.later.contains(frame.frame.call_id.as_str());
        let later = side.is_some_and(is_later);
        let part = found.filter(|(at, _)| self.expanded.insert(*at));
        let part = part.map(|(_, part)| part);
        let mut shown = frame;
        let children = std::mem::take(&mut shown.children);
        // Names of realms are this one's own, also in what others show.
        let named = part.map(|part| part.realm.clone());
        shown.frame.realm = named.or(shown.frame.realm).or(realm.map(str::to_owned));
        let below = children.into_iter().map(|child| self.call(child, side));
        let mut found = Call {
            below: below.collect(),
            line: branch(&shown),
        };
        if later {
            found.line.push_str("  [not signed]");
        }
        if let Some(part) = part {
            found.line = format!("{}  {}", found.line, standing(part));
            let there = part.tree().as_ref().and_then(TraceTree::nested);
            let there = there.map(|there| self.call(there, Some(&Side::of(part))).below);
            found.below.extend(there.into_iter().flatten());
            found.below.extend((part.hidden > 0).then(|| Call {
                line: format!("-@{}  {} not shown", part.realm, events(part.hidden)),
                below: Vec::new(),
            }));
        }
        found
    }
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
        part.later()
            .map_or_else(|| "-".to_owned(), |later| later.to_string()),
        text(part.reason.as_ref()),
        part.call_id.clone(),
    ]
}
