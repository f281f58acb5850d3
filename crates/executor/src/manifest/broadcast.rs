//! Loops that are work without an address.

use std::{fmt, str::FromStr};

use realm_protocol::{
    LoopAddress, LoopId, NameError, RealmName,
    broadcast::{Aggregation, BidLimits, Rule, Selection, Strategy, Waiting},
};
use serde_json::{Map, Value};

/// Announces the loop's own contract to realms in reach, awards by the rule, and makes the results one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// The name under which the work is announced; none for the loop's own id.
    pub loop_id: Option<LoopId>,
    /// What an agent must be able to do, ascending; then it may have any name.
    pub capabilities: Vec<LoopId>,
    /// Who is asked.
    pub scope: Vec<Audience>,
    /// Levels of the subtree and of each peer's tree that are asked.
    pub depth: u64,
    /// Who is asked where there are too few bids.
    pub wider: Option<Wider>,
    /// How long bids are taken at most, milliseconds.
    pub window_ms: u64,
    /// How long the work may take in all, milliseconds.
    pub within_ms: u64,
    /// What bids must keep to.
    pub limits: BidLimits,
    /// How bids are chosen among.
    pub rule: Rule,
    /// How many winners work at a time; none for all of them.
    pub at_once: Option<u64>,
    /// How results are made one.
    pub aggregation: Aggregation,
    /// The loop of this realm that makes the results one; with [`Strategy::Loop`], and only there.
    pub aggregator: Option<LoopAddress>,
    /// Whether the work may call loops and announce work of its own.
    pub sub_loops: bool,
}

impl Broadcast {
    /// Levels that a scope without a depth reaches.
    pub const DEPTH: u64 = 8;
    /// How long bids are taken unless told, milliseconds.
    pub const WINDOW_MS: u64 = 2_000;
    /// How long the work may take unless told, milliseconds.
    pub const WITHIN_MS: u64 = 60_000;

    /// Whether the output is a list of results, so that the work announced gives what one of its
    /// items is.
    pub const fn gives_list(&self) -> bool {
        matches!(
            self.aggregation.strategy,
            Strategy::CollectAll | Strategy::Rank
        )
    }

    /// The name in text of the way bids are chosen among.
    pub fn selects(&self) -> &'static str {
        named(&SELECTIONS, self.rule.selection)
    }

    /// The name in text of the way results are made one.
    pub fn aggregates(&self) -> &'static str {
        named(&STRATEGIES, self.aggregation.strategy)
    }

    /// Milliseconds that it may take from the announcement to the outcome.
    pub const fn lasts_ms(&self) -> u64 {
        self.window_ms.saturating_add(self.within_ms)
    }
}

/// Who is asked in the second round of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wider {
    /// Who is asked.
    pub scope: Vec<Audience>,
    /// Levels of the subtree and of each peer's tree that are asked.
    pub depth: u64,
}

/// Some of those who are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The children.
    Children,
    /// Everybody below, as deep as it goes.
    Subtree,
    /// The peers of the root and their trees, as deep as it goes.
    Peers,
    /// A realm and all below it.
    Realm(RealmName),
}

impl Audience {
    /// The realm that is named.
    pub const fn realm(&self) -> Option<&RealmName> {
        match self {
            Self::Realm(name) => Some(name),
            Self::Children | Self::Subtree | Self::Peers => None,
        }
    }
}

impl FromStr for Audience {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Ok(match text {
            "children" => Self::Children,
            "subtree" => Self::Subtree,
            "peers" => Self::Peers,
            realm => Self::Realm(realm.strip_prefix('@').unwrap_or(realm).parse()?),
        })
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Children => f.write_str("children"),
            Self::Subtree => f.write_str("subtree"),
            Self::Peers => f.write_str("peers"),
            Self::Realm(realm) => realm.fmt(f),
        }
    }
}

/// What stands at the top of a schema for all of it.
pub(super) const SHARED: [&str; 3] = ["$schema", "$defs", "definitions"];

/// JSON Schema of a list of what a schema describes; [`crate::Manifest::result_schema`] gives the schema
/// back.
pub(crate) fn list_of(items: &Value) -> Value {
    let mut items = items.clone();
    let mut list = Map::new();
    if let Some(items) = items.as_object_mut() {
        let shared = SHARED.into_iter();
        list.extend(shared.filter_map(|name| Some((name.to_owned(), items.remove(name)?))));
    }
    list.insert("type".to_owned(), "array".into());
    list.insert("items".to_owned(), items);
    list.into()
}

/// JSON Schema of what two schemas both accept.
///
/// # Errors
/// What both define, and in two ways.
pub(crate) fn both_of(one: &Value, other: &Value) -> Result<Value, String> {
    let mut parts = [one.clone(), other.clone()];
    let mut both = Map::new();
    // References go by the top of a document.
    for name in SHARED {
        for part in &mut parts {
            let shared = part.as_object_mut().and_then(|part| part.remove(name));
            let Some(shared) = shared else {
                continue;
            };
            match both.get_mut(name) {
                Some(kept) => join(kept, shared).map_err(|what| format!("{name}{what}"))?,
                None => drop(both.insert(name.to_owned(), shared)),
            }
        }
    }
    both.insert("allOf".to_owned(), Value::from(parts.to_vec()));
    Ok(both.into())
}

/// Adds members to those that are there; what is there already must be the same.
fn join(kept: &mut Value, more: Value) -> Result<(), String> {
    match (kept, more) {
        (Value::Object(kept), Value::Object(more)) => {
            for (name, value) in more {
                if kept.get(&name).is_some_and(|known| *known != value) {
                    return Err(format!("/{name}"));
                }
                kept.insert(name, value);
            }
            Ok(())
        }
        (kept, more) if *kept == more => Ok(()),
        _ => Err(String::new()),
    }
}

/// Ways to choose among bids, by their names in text.
pub(crate) const SELECTIONS: [(&str, Selection); 5] = [
    ("first", Selection::First),
    ("best", Selection::Best),
    ("random", Selection::Random),
    ("all", Selection::All),
    ("weighted", Selection::Weighted),
];

/// Ways to make results one, by their names in text.
pub(crate) const STRATEGIES: [(&str, Strategy); 13] = [
    ("select", Strategy::Select),
    ("merge", Strategy::Merge),
    ("consensus", Strategy::Consensus),
    ("quorum", Strategy::Quorum),
    ("vote", Strategy::Vote),
    ("average", Strategy::Average),
    ("weighted-average", Strategy::WeightedAverage),
    ("sum", Strategy::Sum),
    ("rank", Strategy::Rank),
    ("first-valid", Strategy::FirstValid),
    ("highest-confidence", Strategy::HighestConfidence),
    ("collect-all", Strategy::CollectAll),
    ("loop", Strategy::Loop),
];

/// How many results are waited for, by their names in text.
pub(crate) const WAITS: [(&str, Waiting); 4] = [
    ("all", Waiting::All),
    ("quorum", Waiting::Quorum),
    ("majority", Waiting::Majority),
    ("any", Waiting::Any),
];

fn named<T: Copy + PartialEq>(names: &[(&'static str, T)], meant: T) -> &'static str {
    let found = names.iter().find(|(_, known)| *known == meant);
    found.map_or("loop", |(name, _)| name)
}
