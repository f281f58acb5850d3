//! What a schema can cost: a few references that each double the work make a short schema endless.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

/// Parts a schema may have with its references written out; more is refused.
const PARTS: u64 = 20_000;
/// Parts that one regular expression counts as, for what it takes when compiled.
const PATTERN: u64 = 200;
/// References that may lead to references; deeper is refused.
const CHAIN: usize = 32;
/// Levels a schema may nest with its references written out; more is refused, for checking takes
/// stack for every level.
const LEVELS: usize = 256;
/// Levels that an instance's and a self-referring schema's nesting may multiply to.
const RECURSION: usize = 1_024;
/// Keywords whose value refers to another schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];
/// Keywords that hold schemas for others to refer to.
const DEFINITIONS: [&str; 2] = ["$defs", "definitions"];
/// Keywords that give a schema a name.
const ANCHORS: [&str; 2] = ["$anchor", "$dynamicAnchor"];

/// How much a schema asks of whoever checks an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    parts: u64,
    levels: usize,
    recursive: bool,
}

impl Weight {
    /// Whether an instance of that depth can be checked on a small stack.
    pub(super) fn bears(self, depth: u32) -> bool {
        let depth = usize::try_from(depth).unwrap_or(usize::MAX);
        !self.recursive || depth.saturating_mul(self.levels) <= RECURSION
    }

    /// The most visits that listing all faults of an instance can take, if the schema refers to
    /// itself; without that, its parts bound them.
    pub(super) fn visits(self, depth: u32) -> u64 {
        if self.recursive {
            self.parts.saturating_pow(depth.saturating_add(1))
        } else {
            0
        }
    }
}

/// Why a schema is not weighed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(super) enum TooHeavy {
    #[error("the schema has more than {PARTS} parts once its references are written out")]
    Parts,
    #[error("the schema nests deeper than {LEVELS} once its references are written out")]
    Levels,
    #[error("more than {CHAIN} references lead from one to the next")]
    Chain,
    #[error("`{0}` is not found in this document")]
    Absent(String),
    #[error("an id stands only at the top of a schema")]
    Id,
}

/// Weighs a schema.
pub(super) fn weigh(schema: &Value) -> Result<Weight, TooHeavy> {
    let mut anchors = BTreeMap::new();
    let id = id_keyword(schema);
    children(schema).try_for_each(|child| gather(child, id, &mut anchors))?;
    anchors.extend(names(schema).map(|name| (name, schema)));
    let mut scale = Scale {
        root: schema,
        anchors,
        known: BTreeMap::new(),
        open: Vec::new(),
        recursive: false,
    };
    let size = scale.target("#", 0)?;
    Ok(Weight {
        parts: size.parts,
        levels: size.levels,
        recursive: scale.recursive,
    })
}

/// The keyword that would give a part of the schema an address of its own.
fn id_keyword(schema: &Value) -> &'static str {
    let draft = schema
        .get("$schema")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let old = ["draft-03", "draft-04"]
        .iter()
        .any(|old| draft.contains(old));
    if old { "id" } else { "$id" }
}

/// Finds the named parts, and the ids that would make references mean something else.
fn gather<'a>(
    value: &'a Value,
    id: &str,
    anchors: &mut BTreeMap<&'a str, &'a Value>,
) -> Result<(), TooHeavy> {
    if value.get(id).is_some_and(Value::is_string) {
        return Err(TooHeavy::Id);
    }
    anchors.extend(names(value).map(|name| (name, value)));
    children(value).try_for_each(|child| gather(child, id, anchors))
}

fn names(value: &Value) -> impl Iterator<Item = &str> {
    ANCHORS
        .iter()
        .filter_map(|key| value.get(key).and_then(Value::as_str))
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(members) => Box::new(members.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Regular expressions that stand in this part itself.
fn patterns(value: &Value) -> u64 {
    let named = value.get("patternProperties").and_then(Value::as_object);
    let own = value.get("pattern").is_some_and(Value::is_string);
    named
        .map_or(0, |named| named.len() as u64)
        .saturating_add(u64::from(own))
}

/// The parts that ask something of an instance where they stand; definitions do so only where
/// something refers to them.
fn applied(value: &Value) -> impl Iterator<Item = &Value> {
    let definitions = DEFINITIONS.iter().filter_map(|key| value.get(key));
    let definitions: Vec<&Value> = definitions.collect();
    children(value)
        .filter(move |child| !definitions.iter().any(|apart| std::ptr::eq(*apart, *child)))
}

/// A part of a schema with its references written out.
#[derive(Clone, Copy)]
struct Size {
    parts: u64,
    levels: usize,
}

impl Size {
    const ONE: Self = Self {
        parts: 1,
        levels: 1,
    };

    fn add(&mut self, below: Self) {
        self.parts = self.parts.saturating_add(below.parts);
        self.levels = self.levels.max(below.levels.saturating_add(1));
    }
}

struct Scale<'a> {
    root: &'a Value,
    anchors: BTreeMap<&'a str, &'a Value>,
    known: BTreeMap<&'a str, Size>,
    open: Vec<&'a str>,
    recursive: bool,
}

impl<'a> Scale<'a> {
    fn target(&mut self, reference: &'a str, level: usize) -> Result<Size, TooHeavy> {
        if let Some(size) = self.known.get(reference) {
            return Ok(*size);
        }
        if self.open.contains(&reference) {
            self.recursive = true;
            return Ok(Size::ONE);
        }
        if self.open.len() >= CHAIN {
            return Err(TooHeavy::Chain);
        }
        let target = self
            .find(reference)
            .ok_or_else(|| TooHeavy::Absent(reference.to_owned()))?;
        self.open.push(reference);
        let size = self.size(target, level)?;
        self.open.pop();
        self.known.insert(reference, size);
        Ok(size)
    }

    fn find(&self, reference: &str) -> Option<&'a Value> {
        let name = reference.strip_prefix('#')?;
        if name.is_empty() || name.starts_with('/') {
            self.root.pointer(name)
        } else {
            self.anchors.get(name).copied()
        }
    }

    fn size(&mut self, value: &'a Value, level: usize) -> Result<Size, TooHeavy> {
        let mut size = Size {
            parts: patterns(value).saturating_mul(PATTERN).saturating_add(1),
            ..Size::ONE
        };
        if level > LEVELS {
            return Err(TooHeavy::Levels);
        }
        for key in REFERENCES {
            if let Some(reference) = value.get(key).and_then(Value::as_str) {
                size.add(self.target(reference, level.saturating_add(1))?);
            }
        }
        for child in applied(value) {
            size.add(self.size(child, level.saturating_add(1))?);
        }
        if size.parts > PARTS {
            Err(TooHeavy::Parts)
        } else if size.levels > LEVELS {
            Err(TooHeavy::Levels)
        } else {
            Ok(size)
        }
    }
}
