//! Loops as tools: their names, words, schemas and hints.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use realm_client::api::LoopDetail;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::show::Row as _;

/// Letters of a tool's name at most, as most hosts take them.
const NAME: usize = 64;
/// The member that holds an input or output that is no object.
pub(super) const WRAPPED: &str = "value";

/// A loop that is offered as a tool.
#[derive(Clone)]
pub(super) struct Offered {
    pub(super) address: String,
    /// Whether the input is no object, and stands in a member of one.
    pub(super) wraps_input: bool,
    /// As with the input.
    pub(super) wraps_output: bool,
    pub(super) tool: Tool,
}

/// A name that hosts take, and no other tool has.
pub(super) fn free_name(address: &str, taken: &BTreeMap<String, Offered>) -> String {
    let letters = address.chars().map(|letter| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => letter,
        _ => '_',
    });
    let name: String = letters.take(NAME).collect();
    let mut free = name.clone();
    let mut number = 2_u32;
    while taken.contains_key(&free) {
        let end = format!("_{number}");
        free = name.chars().take(NAME - end.len()).collect::<String>() + &end;
        number = number.saturating_add(1);
    }
    free
}

pub(super) fn offer(name: String, detail: &LoopDetail) -> Offered {
    let summary = &detail.summary;
    let address = summary.name();
    let (input, wraps_input) = object(&detail.input_schema);
    let (output, wraps_output) = object(&detail.output_schema);
    let mut description = match &summary.description {
        Some(description) => description.clone(),
        None => format!("The loop `{address}`."),
    };
    if let Some(realm) = &summary.realm {
        description.push_str(&format!(" Runs in the realm `{realm}`."));
    }
    let hints = ToolAnnotations::with_title(address.clone())
        .read_only(summary.effects == "none")
        .destructive(summary.effects == "once")
        .idempotent(summary.effects != "once")
        .open_world(summary.realm.is_some());
    let tool = Tool::new(name, Cow::Owned(description), Arc::new(input))
        .with_raw_output_schema(Arc::new(output))
        .with_annotations(hints);
    Offered {
        address,
        wraps_input,
        wraps_output,
        tool,
    }
}

/// A schema of an object: the schema itself, or one of an object with a member that it is for.
fn object(schema: &Value) -> (JsonObject, bool) {
    match schema {
        Value::Object(members) if members.get("type") == Some(&json!("object")) => {
            (members.clone(), false)
        }
        _ => {
            let wrapping = json!({
                "type": "object",
                "properties": {WRAPPED: schema},
                "required": [WRAPPED],
            });
            let members = wrapping.as_object().cloned().unwrap_or_default();
            (members, true)
        }
    }
}
