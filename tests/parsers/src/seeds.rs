//! Inputs to start from: the vectors, what stands inside them, and the examples.

mod answers;

use std::{collections::BTreeSet, fs, path::Path};

use ciborium::Value as Cbor;
use data_encoding::HEXLOWER;
use realm_protocol::cbor;
use serde_json::Value;

use crate::{
    Form, Parser,
    wire::{document, written},
};

/// Texts that no vector and no example holds.
const TEXTS: &[(&str, &str)] = &[
    (
        "schema",
        r##"[{"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string", "pattern": "^a+$"}}}, {"a": "aa"}]"##,
    ),
    (
        "schema",
        r#"[{"type": "array", "items": {"anyOf": [{"type": "integer", "minimum": 0}, {"const": null}]}}, [1, null]]"#,
    ),
    (
        "policy",
        r#"permit(principal in Realm::"x", action == Action::"invoke", resource is Loop) when { resource.name like "a*" };"#,
    ),
    ("policy", "forbid(principal, action, resource);"),
    (
        "request",
        r#"{"ticket": "realm-ticket-v1:AAAA", "petname": "acme", "allow": ["echo"]}"#,
    ),
    (
        "request",
        r#"{"address": "echo@acme/health", "input": {"a": 1}, "timeoutMs": 1000, "detach": true}"#,
    ),
    (
        "request",
        r#"{"kind": "child", "label": "health", "allow": ["echo"], "uses": 1, "ttlMs": 60000}"#,
    ),
    (
        "request",
        r#"{"files": [{"name": "loop.yaml", "text": "id: a"}], "dryRun": true}"#,
    ),
    (
        "request",
        r#"{"name": "own", "text": "permit(principal, action, resource);"}"#,
    ),
    (
        "request",
        r#"{"caller": "acme/health", "action": "invoke", "loopId": "echo", "forMs": 60000}"#,
    ),
    ("request", r#"{"policyId": "own", "dryRun": true}"#),
    (
        "request",
        r#"{"cases": [{"caller": "acme", "action": "invoke", "loopId": "echo", "expect": "permit"}]}"#,
    ),
    ("request", r#"{"path": "/var/backups/realm"}"#),
    ("request", r#"{"reason": "lost"}"#),
    ("request", "{}"),
    (
        "config",
        "name = \"acme\"\nlisten = [\"/ip4/127.0.0.1/tcp/4100\"]\n[store]\nretention = \"30d\"\ncache_bytes = \"64MiB\"\n[log]\nlevel = \"realm=debug,warn\"\n[limits]\nmax_calls = 64\n",
    ),
    ("name", "$.steps[0].output.a"),
    ("name", "literal:a"),
    ("name", "2027-01-15T08:00:00Z"),
    ("name", "idempotent"),
    ("name", "invoke"),
];

/// Gives a parser's seeds from the files below the repository's root.
///
/// # Panics
/// When the repository is not whole.
pub fn seeds(parser: &Parser, root: &Path) -> BTreeSet<Vec<u8>> {
    let mut seeds = BTreeSet::new();
    match parser.form {
        Form::Cbor => each_string(root, &mut |text| {
            if let Ok(bytes) = HEXLOWER.decode(text.as_bytes()) {
                add_with_inside(bytes, &mut seeds);
            }
        }),
        Form::Ticket => each_string(root, &mut |text| {
            if text.starts_with("realm-ticket") {
                seeds.insert(text.as_bytes().to_vec());
            }
        }),
        Form::Text => texts(parser.name, root, &mut seeds),
    }
    seeds
}

fn texts(name: &str, root: &Path, seeds: &mut BTreeSet<Vec<u8>>) {
    let own = TEXTS.iter().chain(answers::TEXTS);
    let own = own.filter(|(parser, _)| *parser == name);
    seeds.extend(own.map(|(_, text)| text.as_bytes().to_vec()));
    match name {
        "directory" => {
            let messages = answers::DIRECTORY.iter();
            seeds.extend(messages.map(|hex| HEXLOWER.decode(hex.as_bytes()).expect("bytes")));
        }
        "json" => each_string(root, &mut |text| {
            if let Ok(bytes) = HEXLOWER.decode(text.as_bytes())
                && std::str::from_utf8(&bytes).is_ok()
            {
                seeds.insert(bytes);
            }
        }),
        "name" => each_string(root, &mut |text| {
            if text.len() < 300 {
                seeds.insert(text.as_bytes().to_vec());
            }
        }),
        "manifest" => each_file(&root.join("examples"), &mut |path| {
            let extension = path.extension().and_then(|it| it.to_str());
            if matches!(extension, Some("yaml" | "json")) {
                seeds.insert(fs::read(path).expect("a file"));
            }
        }),
        _ => {}
    }
}

/// Adds a document and the documents that stand in its byte strings.
fn add_with_inside(bytes: Vec<u8>, seeds: &mut BTreeSet<Vec<u8>>) {
    let read = document(&bytes);
    if seeds.insert(bytes)
        && let Some(value) = read
    {
        add_inside(&value, seeds);
    }
}

fn add_inside(value: &Cbor, seeds: &mut BTreeSet<Vec<u8>>) {
    match value {
        Cbor::Bytes(bytes) if bytes.len() > 1 && cbor::check(bytes).is_ok() => {
            add_with_inside(bytes.clone(), seeds);
        }
        Cbor::Array(items) => items.iter().for_each(|item| add_inside(item, seeds)),
        Cbor::Map(entries) => {
            for (_, value) in entries {
                // A record, a hop, a place: what stands inside is read elsewhere on its own.
                if value.is_map() || value.is_array() {
                    seeds.insert(written(value));
                }
                add_inside(value, seeds);
            }
        }
        _ => {}
    }
}

/// Gives every string of every vector.
fn each_string(root: &Path, take: &mut dyn FnMut(&str)) {
    each_file(&root.join("protocol/vectors"), &mut |path| {
        if path.extension().is_none_or(|kind| kind != "json") {
            return;
        }
        let text = fs::read(path).expect("a file");
        let value: Value = serde_json::from_slice(&text).expect("JSON");
        strings(&value, take);
    });
}

fn strings(value: &Value, take: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => take(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, take)),
        Value::Object(members) => members.values().for_each(|member| strings(member, take)),
        _ => {}
    }
}

fn each_file(folder: &Path, take: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            each_file(&path, take);
        } else {
            take(&path);
        }
    }
}
