//! Clients that are written from contracts.

use realm_client::api::LoopDetail;
use realmctl::{cli::ClientLanguage, generate};
use serde_json::{Value, json};

use crate::compare;

#[test]
fn clients_have_a_method_for_each_loop_with_its_types() {
    let loops = loops();

    for (language, file) in [
        (ClientLanguage::Typescript, "client.ts.txt"),
        (ClientLanguage::Python, "client.py.txt"),
    ] {
        compare(file, &generate::client(language, "desk", &loops));
    }
}

/// Contracts with what languages have trouble with: names, references, unions, what may be left out.
fn loops() -> Vec<LoopDetail> {
    let detail = |id: &str, realm: Option<&str>, input: Value, output: Value| {
        let known = json!({
            "id": id, "realm": realm, "version": "1.2.0", "kind": "tool", "effects": "none",
            "description": "Counts */ words \"well\".", "digest": "d", "contract": "c",
            "inputSchema": input, "outputSchema": output,
        });
        serde_json::from_value(known).unwrap()
    };
    let text = json!({
        "type": "object", "required": ["text", "class"], "description": "What is counted.",
        "properties": {
            "text": {"type": "string", "description": "Any text."},
            "class": {"enum": ["prose", "verse", null]},
            "max-words": {"type": "integer"},
            "marks": {"type": ["array", "null"], "items": {"type": "string"}},
        },
    });
    let counted = json!({
        "type": "object", "required": ["total", "tree"],
        "properties": {
            "total": {"type": "number"},
            "by": {"type": "object", "additionalProperties": {"type": "integer"}},
            "tree": {"$ref": "#/$defs/node"},
            "note": {"oneOf": [{"type": "string"}, {"type": "object", "properties": {"text": {"type": "string"}}}]},
        },
        "$defs": {"node": {
            "type": "object", "required": ["word"],
            "properties": {
                "word": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
        }},
    });
    vec![
        detail("count-words", None, text.clone(), counted),
        detail(
            "count.words",
            Some("lab/desk"),
            text,
            json!({"type": "array", "items": {"type": "integer"}}),
        ),
        detail("7th", None, json!({}), json!(true)),
        detail(
            "constructor",
            None,
            json!({"type": "object", "properties": {"__init__": {"type": "string"}, "_a": {"type": "string"}}}),
            json!(true),
        ),
    ]
}
