//! Loops as tools: their names, words, schemas and hints.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use realm_client::api::LoopDetail;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::show::Row as _;

/// Letters of a tool's name at most, as most hosts take them.
const NAME: usize = 64;
/// Letters of an address's digest in a name.
const DIGEST: usize = 8;
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

/// A name that hosts take for each of these addresses, in their order, whichever that is: two that would have the same
/// one both end in a digest of the address, so that none ever gets the name of the other.
pub(super) fn names(addresses: &[String]) -> Vec<String> {
    let plain: Vec<String> = addresses.iter().map(|address| plain(address)).collect();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &plain {
        let times = times.entry(name).or_default();
        *times = times.saturating_add(1);
    }
    let named = addresses.iter().zip(&plain).map(|(address, name)| {
        let unique = times.get(name.as_str()) == Some(&1) && !ends_in_digest(name);
        match unique {
            true => name.clone(),
            false => {
                let left: String = name.chars().take(NAME - DIGEST - 1).collect();
                format!("{left}_{}", digest(address))
            }
        }
    });
    named.collect()
}

/// An address in the letters that hosts take.
fn plain(address: &str) -> String {
    let letters = address.chars().map(|letter| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' => letter,
        _ => '_',
    });
    letters.take(NAME).collect()
}

/// The first letters of an address's digest.
fn digest(address: &str) -> String {
    let bytes = Sha256::digest(address.as_bytes());
    let letters = bytes.iter().map(|byte| format!("{byte:02x}"));
    letters.collect::<String>().chars().take(DIGEST).collect()
}

/// Whether a name could be taken for one with a digest.
fn ends_in_digest(name: &str) -> bool {
    let end = name.rsplit_once('_').map_or("", |(_, end)| end);
    end.len() == DIGEST && end.bytes().all(|byte| byte.is_ascii_hexdigit())
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
    let tool = Tool::new(name, Cow::Owned(description), Arc::new(input))
        .with_raw_output_schema(Arc::new(output))
        .with_annotations(hints(detail));
    Offered {
        address,
        wraps_input,
        wraps_output,
        tool,
    }
}

/// What a host may go by when it asks a person. Of another realm's loop nobody here knows whether its effects are what
/// that realm says: nothing is said of them, which hosts take for the worst.
fn hints(detail: &LoopDetail) -> ToolAnnotations {
    let summary = &detail.summary;
    let hints = ToolAnnotations::with_title(summary.name()).open_world(summary.realm.is_some());
    if summary.realm.is_some() {
        return hints;
    }
    let without_effects = summary.effects == "none";
    hints
        .read_only(without_effects)
        .destructive(!without_effects)
        .idempotent(summary.effects != "once")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(effects: &str, realm: Option<&str>) -> LoopDetail {
        let known = json!({
            "id": "greet", "realm": realm, "version": "1.0.0", "kind": "tool", "effects": effects,
            "digest": "d", "inputSchema": {}, "outputSchema": {},
        });
        serde_json::from_value(known).unwrap()
    }

    fn named(addresses: &[&str]) -> BTreeMap<String, String> {
        let addresses: Vec<String> = addresses.iter().map(|it| (*it).to_owned()).collect();
        let names = names(&addresses);
        addresses.into_iter().zip(names).collect()
    }

    #[test]
    fn whatever_has_effects_may_destroy_and_nothing_is_said_of_what_others_run() {
        let hints = |effects: &str, realm: Option<&str>| {
            let detail = detail(effects, realm);
            let told = hints(&detail);
            (
                told.read_only_hint,
                told.destructive_hint,
                told.idempotent_hint,
            )
        };

        assert_eq!(hints("none", None), (Some(true), Some(false), Some(true)));
        assert_eq!(
            hints("idempotent", None),
            (Some(false), Some(true), Some(true))
        );
        assert_eq!(hints("once", None), (Some(false), Some(true), Some(false)));
        assert_eq!(hints("none", Some("lab")), (None, None, None));
    }

    #[test]
    fn addresses_that_look_alike_have_names_that_do_not_depend_on_their_order() {
        let forth = named(&["greet@lab", "greet.lab", "count@lab"]);
        let back = named(&["count@lab", "greet.lab", "greet@lab"]);

        assert_eq!(forth, back);
        assert_eq!(forth["count@lab"], "count_lab");
        assert_ne!(forth["greet@lab"], forth["greet.lab"]);
        assert!(forth.values().all(|name| name.len() <= NAME), "{forth:?}");
    }

    #[test]
    fn no_loop_takes_the_name_of_another_by_being_called_like_its_digest() {
        let two = named(&["greet@lab", "greet.lab"]);
        let forged = two["greet@lab"].clone();

        let three = named(&["greet@lab", "greet.lab", &forged]);

        assert_eq!(three["greet@lab"], forged);
        assert_ne!(three[&forged], forged);
    }
}
