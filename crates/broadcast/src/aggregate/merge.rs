//! Objects made one: what is missing is added, lists are joined, the better rank wins.

use serde_json::{Map, Value};

use super::{Valid, agree::same};

/// Merges outputs in the order of their slots; gives also the slots that were overruled somewhere.
pub(super) fn merge(valid: &[Valid<'_>]) -> (Value, Vec<u64>) {
    let mut merged = Map::new();
    let mut overruled = Vec::new();
    for result in valid {
        if let Value::Object(members) = result.output
            && !add_members(&mut merged, members)
        {
            overruled.push(result.slot);
        }
    }
    (Value::Object(merged), overruled)
}

/// Adds members; tells whether none was overruled.
fn add_members(into: &mut Map<String, Value>, members: &Map<String, Value>) -> bool {
    let mut agreed = true;
    for (name, value) in members {
        match into.get_mut(name) {
            None => {
                into.insert(name.clone(), value.clone());
            }
            Some(held) => agreed &= add(held, value),
        }
    }
    agreed
}

fn add(held: &mut Value, value: &Value) -> bool {
    match (held, value) {
        (Value::Object(held), Value::Object(members)) => add_members(held, members),
        (Value::Array(held), Value::Array(items)) => {
            for item in items {
                if !held.iter().any(|known| same(known, item)) {
                    held.push(item.clone());
                }
            }
            true
        }
        (held, value) => same(held, value),
    }
}
