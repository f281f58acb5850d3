//! The configuration's JSON Schema, for editors.

use serde_json::{Map, Value, json};

use super::{
    explain::default,
    keys::{KEYS, Key, Kind},
};

/// Writes the JSON Schema (draft 2020-12) of `realm.toml`.
pub(crate) fn schema() -> Value {
    let mut top = Map::new();
    let mut sections: Map<String, Value> = Map::new();
    let mut chosen: Map<String, Value> = Map::new();
    for key in KEYS {
        if let Some((section, name)) = key.name.split_once(".*.") {
            let members = chosen.entry(section).or_insert_with(|| {
                json!({
                    "type": "object", "additionalProperties": false,
                    "properties": {}, "required": [],
                })
            });
            members["properties"][name] = property(key);
            if let (None, Some(required)) = (key.default, members["required"].as_array_mut()) {
                required.push(json!(name));
            }
            continue;
        }
        match key.name.split_once('.') {
            None => {
                top.insert(key.name.to_owned(), property(key));
            }
            Some((section, name)) => {
                let members = sections.entry(section).or_insert_with(|| json!({}));
                if let Some(members) = members.as_object_mut() {
                    members.insert(name.to_owned(), property(key));
                }
            }
        }
    }
    for (section, properties) in sections {
        let object = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
        });
        top.insert(section, object);
    }
    for (section, members) in chosen {
        let object = json!({"type": "object", "additionalProperties": members});
        top.insert(section, object);
    }
    let required: Vec<&str> = KEYS
        .iter()
        .filter(|key| key.default.is_none() && key.chosen_in().is_none())
        .map(|key| key.name)
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "realm.toml",
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": top,
    })
}

fn property(key: &Key) -> Value {
    let mut schema = match key.kind {
        Kind::Label => json!({
            "type": "string",
            "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        }),
        Kind::Addresses
        | Kind::Hosts
        | Kind::OpenedHosts
        | Kind::Paths
        | Kind::Patterns
        | Kind::Arguments
        | Kind::Loops
        | Kind::Names
        | Kind::Roots
        | Kind::Scopes
        | Kind::RealmNames
        | Kind::Variables
        | Kind::SecretVariables => {
            json!({"type": "array", "items": {"type": "string"}})
        }
        Kind::Number(least, most) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        Kind::Bytes(least, most) => json!({"oneOf": [
            {"type": "integer", "minimum": least, "maximum": most},
            {"type": "string", "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB)?$"},
        ]}),
        Kind::Duration(..) => json!({"type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h|d)$"}),
        Kind::Choice(choices) => json!({"enum": choices}),
        Kind::User => json!({"oneOf": [
            {"type": "integer", "minimum": 0, "maximum": u32::MAX},
            {"const": ""},
        ]}),
        Kind::Roles => json!({
            "type": "array",
            "minItems": 1,
            "items": {"enum": ["viewer", "operator", "approver", "owner"]},
        }),
        Kind::Filter
        | Kind::Text
        | Kind::Url
        | Kind::Secret
        | Kind::Price
        | Kind::Amount
        | Kind::RealmName
        | Kind::Directory
        | Kind::Issuer
        | Kind::Loopback => {
            json!({"type": "string"})
        }
    };
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), json!(key.meaning));
        if key.default.is_some() {
            members.insert("default".to_owned(), default(key));
        }
    }
    schema
}
