//! Objects made one: what is missing is added, lists are joined, the better rank wins.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Valid, agree::same};

/// Merges outputs in the order of their slots; gives also the slots that were overruled somewhere.
pub(super) fn merge(valid: &[Valid<'_>]) -> (Value, Vec<u64>) {
    let mut merged = Merging::Object(Vec::new(), BTreeMap::new());
    let mut overruled = Vec::new();
    for result in valid {
        if result.output.is_object() && !merged.add(result.output) {
            overruled.push(result.slot);
        }
    }
    (merged.finish(), overruled)
}

/// A value that others are merged into.
enum Merging {
    /// Members, and where each stands.
    Object(Vec<(String, Self)>, BTreeMap<String, usize>),
    /// With what tells its items from others.
    Array(Vec<Value>, BTreeSet<Key>),
    Other(Value),
}

/// What two values have in common if and only if they are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Null,
    Bool(bool),
    /// The bits of a double.
    Number(u64),
    Text(String),
    Array(Vec<Self>),
    /// By name.
    Object(Vec<(String, Self)>),
}

impl Merging {
    fn of(value: &Value) -> Self {
        match value {
            Value::Object(_) => {
                let mut merging = Self::Object(Vec::new(), BTreeMap::new());
                merging.add(value);
                merging
            }
            Value::Array(items) => Self::Array(items.clone(), items.iter().map(Key::of).collect()),
            other => Self::Other(other.clone()),
        }
    }

    /// Adds a value; tells whether nothing of it was overruled.
    fn add(&mut self, value: &Value) -> bool {
        match (self, value) {
            (Self::Object(members, places), Value::Object(added)) => {
                let mut agreed = true;
                for (name, value) in added {
                    let place = places.get(name).copied();
                    match place.and_then(|place| members.get_mut(place)) {
                        Some((_, member)) => agreed &= member.add(value),
                        None => {
                            places.insert(name.clone(), members.len());
                            members.push((name.clone(), Self::of(value)));
                        }
                    }
                }
                agreed
            }
            (Self::Array(items, keys), Value::Array(added)) => {
                for item in added {
                    if keys.insert(Key::of(item)) {
                        items.push(item.clone());
                    }
                }
                true
            }
            (Self::Other(held), value) => same(held, value),
            (Self::Object(..) | Self::Array(..), _) => false,
        }
    }

    fn finish(self) -> Value {
        match self {
            Self::Object(members, _) => {
                let members = members.into_iter();
                let members = members.map(|(name, member)| (name, member.finish()));
                Value::Object(members.collect())
            }
            Self::Array(items, _) => Value::Array(items),
            Self::Other(value) => value,
        }
    }
}

impl Key {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(held) => Self::Bool(*held),
            Value::Number(number) => {
                // Minus nought is nought.
                let number = number.as_f64().unwrap_or_default();
                Self::Number((number + 0.0).to_bits())
            }
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::Array(items.iter().map(Self::of).collect()),
            Value::Object(members) => {
                let named = members.iter();
                let named = named.map(|(name, value)| (name.clone(), Self::of(value)));
                let mut named: Vec<(String, Self)> = named.collect();
                named.sort();
                Self::Object(named)
            }
        }
    }
}
