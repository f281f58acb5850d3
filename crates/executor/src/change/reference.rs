//! A schema document, and what its parts refer to.

use serde_json::{Map, Value};

use super::keywords::{self, Rule};

/// References followed one after the other without a schema between them.
const CHAIN: usize = 16;
/// Dialects whose keywords mean what is taken for granted here; a document without a name has the
/// last one.
const DIALECTS: [&str; 4] = [
    "json-schema.org/draft-06/schema",
    "json-schema.org/draft-07/schema",
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft/2020-12/schema",
];

/// Where references of a schema lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum References {
    /// There are none.
    None,
    /// To `$defs` and `definitions` of the document.
    Definitions,
    /// Elsewhere.
    Other,
}

impl References {
    /// Where the references of a value lead, be it a schema or not.
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::furthest(items),
            Value::Object(members) => {
                let own = members.iter().map(|(name, value)| Self::named(name, value));
                let own = own.max().unwrap_or(Self::None);
                own.max(Self::furthest(members.values()))
            }
            _ => Self::None,
        }
    }

    fn furthest<'a>(values: impl IntoIterator<Item = &'a Value>) -> Self {
        let all = values.into_iter().map(Self::of);
        all.max().unwrap_or(Self::None)
    }

    fn named(name: &str, value: &Value) -> Self {
        let inside =
            |target: &str| target.starts_with("#/$defs/") || target.starts_with("#/definitions/");
        match (name, value.as_str()) {
            ("$ref", Some(target)) if inside(target) => Self::Definitions,
            ("$ref" | "$dynamicRef" | "$recursiveRef" | "$id" | "id", Some(_)) => Self::Other,
            _ => Self::None,
        }
    }
}

/// A schema document.
pub(super) struct Document<'a> {
    pub(super) root: &'a Value,
    /// Whether a part of it says that it is a document of its own.
    embeds: bool,
}

impl<'a> Document<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        let parts = root.as_object().into_iter().flatten();
        let embeds = parts.clone().any(|(_, part)| embeds(part));
        Self { root, embeds }
    }

    /// The dialect it names.
    pub(super) fn dialect(&self) -> Option<&Value> {
        self.root.get("$schema")
    }

    pub(super) fn is_of_known_dialect(&self) -> bool {
        let Some(name) = self.dialect() else {
            return true;
        };
        let name = name.as_str().unwrap_or_default().trim_end_matches('#');
        let name = name.split_once("://").map_or(name, |(_, rest)| rest);
        DIALECTS.contains(&name)
    }

    /// Whether both have the same definitions, which refer to nothing but each other.
    pub(super) fn shares_definitions(&self, other: &Self) -> bool {
        let same = |name: &str| {
            let definitions = self.root.get(name);
            let alone =
                definitions.is_none_or(|all| References::of(all) <= References::Definitions);
            definitions == other.root.get(name) && alone
        };
        !self.embeds && same("$defs") && same("definitions")
    }

    /// The schema that is meant, through references inside the document.
    pub(super) fn resolve(&self, schema: &'a Value) -> Option<&'a Value> {
        let mut schema = schema;
        for _ in 0..CHAIN {
            let Some(members) = schema.as_object() else {
                return Some(schema);
            };
            let Some(target) = members.get("$ref") else {
                return Some(schema);
            };
            if self.embeds || !stands_alone(members) {
                return None;
            }
            let pointer = target.as_str()?.strip_prefix('#')?;
            if pointer.contains('%') {
                return None;
            }
            schema = self.root.pointer(pointer)?;
        }
        None
    }
}

/// Whether nothing beside a reference says anything: dialects differ in what that would mean.
fn stands_alone(members: &Map<String, Value>) -> bool {
    let mut others = members.keys().filter(|name| *name != "$ref");
    others.all(|name| matches!(keywords::rule(name), (_, Rule::Says)))
}

fn embeds(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(embeds),
        Value::Object(members) => members.iter().any(|(name, value)| {
            let named = matches!(
                name.as_str(),
                "$id" | "$schema" | "$anchor" | "$dynamicAnchor"
            );
            named && value.is_string() || embeds(value)
        }),
        _ => false,
    }
}
