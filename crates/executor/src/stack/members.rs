//! What schemas say of the members of objects, as far as a stack is put together by that.

use std::collections::BTreeSet;

use realm_protocol::broadcast::{Aggregation, Strategy};
use serde_json::{Map, Value, json};

/// Types a value can have; an integer is a number too.
const TYPES: [&str; 7] = [
    "null", "boolean", "object", "array", "number", "string", "integer",
];

/// The members that a schema names, each with what it says of it, and whether it is required.
pub(super) fn members(schema: &Value) -> Vec<(String, Value, bool)> {
    let mut found: Vec<(String, Value, bool)> = Vec::new();
    for part in parts(schema) {
        let required = part.get("required").and_then(Value::as_array);
        let required: BTreeSet<&str> = required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let named = part.get("properties").and_then(Value::as_object);
        for (name, member) in named.into_iter().flatten() {
            if !found.iter().any(|(known, ..)| known == name) {
                found.push((name.clone(), inside(schema, member), false));
            }
        }
        for name in required {
            match found.iter_mut().find(|(known, ..)| known == name) {
                Some((_, _, needed)) => *needed = true,
                None => found.push((name.to_owned(), Value::Bool(true), true)),
            }
        }
    }
    found
}

/// A schema, and all that it says must hold as well.
fn parts(schema: &Value) -> Vec<&Value> {
    let mut parts = vec![schema];
    let mut at = 0_usize;
    while let Some(part) = parts.get(at).copied() {
        let all = part.get("allOf").and_then(Value::as_array);
        parts.extend(all.into_iter().flatten());
        at = at.saturating_add(1);
    }
    parts
}

/// A schema inside another one, as a document of its own.
fn inside(whole: &Value, part: &Value) -> Value {
    let mut document = part.clone();
    let has_reference = document.to_string().contains("\"$ref\"");
    if let (Some(document), Some(whole), true) =
        (document.as_object_mut(), whole.as_object(), has_reference)
    {
        for name in ["$schema", "$defs", "definitions"] {
            if let Some(shared) = whole.get(name) {
                document.entry(name).or_insert_with(|| shared.clone());
            }
        }
    }
    document
}

/// Whether nothing that one schema accepts is accepted by another: they have no type in common, or
/// name values of which none is the same. Where that is not certain, they may meet.
pub(super) fn never_meet(given: &Value, taken: &Value) -> bool {
    let apart = |a: Option<BTreeSet<&str>>, b: Option<BTreeSet<&str>>| match (a, b) {
        (Some(a), Some(b)) => a.is_disjoint(&b),
        _ => false,
    };
    let values = |schema: &Value| -> Option<Vec<Value>> {
        let listed = schema.get("enum").and_then(Value::as_array).cloned();
        listed.or_else(|| Some(vec![schema.get("const")?.clone()]))
    };
    let no_value = match (values(given), values(taken)) {
        (Some(a), Some(b)) => !a.iter().any(|value| b.contains(value)),
        _ => false,
    };
    no_value || apart(types(given), types(taken)) || no_member(given, taken)
}

/// Whether both accept objects alone, and one that has a member which either requires is accepted by one of
/// them at most.
fn no_member(given: &Value, taken: &Value) -> bool {
    let are_objects = |types: BTreeSet<&str>| types.iter().all(|name| *name == "object");
    let objects = match (types(given), types(taken)) {
        (Some(given), Some(taken)) => are_objects(&given & &taken),
        (one, other) => one.or(other).is_some_and(are_objects),
    };
    let taken = if objects { members(taken) } else { Vec::new() };
    let mut taken = taken.iter();
    taken.any(|(name, taken, needed)| {
        let given = members(given);
        let mut named = given.iter().filter(|(given, ..)| given == name);
        named.any(|(_, given, given_too)| (*needed || *given_too) && never_meet(given, taken))
    })
}

/// Why results that match a schema can never be made one; none where they may be.
pub(crate) fn never_one(aggregation: &Aggregation, output: &Value) -> Option<String> {
    let object = json!({"type": "object"});
    let mut value = output.clone();
    for name in &aggregation.field {
        if never_meet(&value, &object) {
            return Some(format!(
                "there is no `{name}` in what is {}",
                described(&value)
            ));
        }
        let named = members(&value)
            .into_iter()
            .find(|(known, ..)| known == name);
        value = named.map_or(Value::Bool(true), |(_, member, _)| member);
    }
    let (what, needed) = match aggregation.strategy {
        Strategy::Merge => ("is merged", object),
        Strategy::Average | Strategy::WeightedAverage | Strategy::Sum | Strategy::Rank => {
            ("is counted", json!({"type": "number"}))
        }
        _ => return None,
    };
    let result = match aggregation.strategy {
        Strategy::Merge => output,
        _ => &value,
    };
    let never = never_meet(result, &needed);
    never.then(|| {
        let needed = described(&needed);
        format!(
            "what {what} has to be {needed}, and is {}",
            described(result)
        )
    })
}

/// What a schema says that a value is, in short.
fn described(schema: &Value) -> String {
    let types = types(schema).unwrap_or_default();
    let types: Vec<&str> = types
        .into_iter()
        .filter(|name| *name != "integer")
        .collect();
    match types.as_slice() {
        [] => "something else".to_owned(),
        types => types.join(" or "),
    }
}

/// The types that a schema names; none where it leaves them open.
fn types(schema: &Value) -> Option<BTreeSet<&str>> {
    let mut named: BTreeSet<&str> = match schema.get("type") {
        Some(Value::String(name)) => [name.as_str()].into(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => {
            let values = schema.get("enum").and_then(Value::as_array)?;
            values.iter().map(type_of).collect()
        }
    };
    if named.contains("integer") {
        named.insert("number");
    } else if named.contains("number") {
        named.insert("integer");
    }
    named.retain(|name| TYPES.contains(name));
    Some(named)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// An object schema of these members.
pub(super) fn object_of(members: impl IntoIterator<Item = (String, Value, bool)>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, schema, needed) in members {
        if needed {
            required.push(Value::from(name.as_str()));
        }
        properties.insert(name, schema);
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    schema.into()
}
