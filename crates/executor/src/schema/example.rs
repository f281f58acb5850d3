//! An instance to start from.

use serde_json::{Map, Value, json};

/// Nesting an example follows; deeper parts are `null`.
const DEPTH: usize = 16;
/// Members an example fills in one object; more are left out.
const MEMBERS: usize = 64;

/// Makes an instance to fill in: the schema's own example, default, constant or first choice
/// where it has one, else the simplest value of its type. It need not satisfy patterns.
pub fn example(schema: &Value) -> Value {
    Sketch { root: schema }.of(schema, 0)
}

struct Sketch<'a> {
    root: &'a Value,
}

impl Sketch<'_> {
    fn of(&self, schema: &Value, depth: usize) -> Value {
        if depth > DEPTH {
            return Value::Null;
        }
        if let Some(given) = given(schema) {
            return given;
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer));
            return target.map_or(Value::Null, |target| self.of(target, depth + 1));
        }
        match first_choice(schema) {
            Some(choice) if schema.get("properties").is_none() => self.of(choice, depth + 1),
            _ => self.by_type(schema, depth),
        }
    }

    fn by_type(&self, schema: &Value, depth: usize) -> Value {
        match type_name(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => string(schema),
            "integer" => number(schema, json!(0)),
            "number" => number(schema, json!(0.0)),
            "boolean" => json!(false),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let mut members = Map::new();
        let parts = schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        for part in parts {
            if let Value::Object(more) = self.of(part, depth + 1) {
                members.extend(more);
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten().take(MEMBERS) {
            members.insert(name.clone(), self.of(property, depth + 1));
        }
        Value::Object(members)
    }

    fn array(&self, schema: &Value, depth: usize) -> Value {
        let first = schema.get("prefixItems").and_then(Value::as_array);
        if let Some(items) = first {
            return items
                .iter()
                .take(MEMBERS)
                .map(|item| self.of(item, depth + 1))
                .collect();
        }
        match schema.get("items") {
            Some(items) if items.is_object() => Value::Array(vec![self.of(items, depth + 1)]),
            _ => json!([]),
        }
    }
}

fn given(schema: &Value) -> Option<Value> {
    let listed = |key| {
        schema
            .get(key)
            .and_then(Value::as_array)
            .and_then(|all| all.first())
    };
    let example = listed("examples").or_else(|| schema.get("default"));
    example
        .or_else(|| schema.get("const"))
        .or_else(|| listed("enum"))
        .cloned()
}

fn first_choice(schema: &Value) -> Option<&Value> {
    let choices = schema.get("oneOf").or_else(|| schema.get("anyOf"))?;
    choices.as_array()?.first()
}

fn type_name(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::Array(types)) => types
            .iter()
            .find_map(|name| name.as_str().filter(|name| *name != "null")),
        Some(name) => name.as_str(),
        None => None,
    };
    let implied = ["properties", "allOf"]
        .iter()
        .any(|key| schema.get(key).is_some());
    named.unwrap_or(if implied { "object" } else { "null" })
}

fn string(schema: &Value) -> Value {
    let format = schema
        .get("format")
        .and_then(Value::as_str)
        .unwrap_or_default();
    json!(match format {
        "date-time" => "2026-01-01T00:00:00Z",
        "date" => "2026-01-01",
        "time" => "00:00:00Z",
        "email" => "name@example.org",
        "uri" => "https://example.org/",
        "uuid" => "00000000-0000-0000-0000-000000000000",
        _ => return filler(schema),
    })
}

fn filler(schema: &Value) -> Value {
    let bound = |key| schema.get(key).and_then(Value::as_u64);
    let least = bound("minLength").unwrap_or(0);
    let length = bound("maxLength").map_or(least.max(3), |most| most.min(least.max(3)));
    json!(".".repeat(usize::try_from(length.min(1_024)).unwrap_or(0)))
}

fn number(schema: &Value, zero: Value) -> Value {
    let least = schema.get("minimum").or_else(|| {
        schema
            .get("maximum")
            .filter(|most| most.as_f64() < Some(0.0))
    });
    least.cloned().unwrap_or(zero)
}
