//! Schemas that name their values.

use serde_json::{Map, Value};

use super::{
    Verdict,
    inclusion::{At, Inclusion, Side},
    keywords,
    reference::References,
};
use crate::schema::Compiled;

/// The values that a schema names, if it does.
pub(super) fn values(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(Value::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}

impl Inclusion<'_> {
    /// Every value that `sub` names and accepts has to be accepted by `sup`.
    pub(super) fn all_accepted(
        &mut self,
        values: &[&Value],
        sub: &Map<String, Value>,
        sup: &Map<String, Value>,
        at: &At,
    ) {
        let dialect = self.sup.dialect();
        let (Some(sub), Some(sup)) = (compiled(sub, dialect), compiled(sup, dialect)) else {
            return self.unknown(
                at,
                "has a $ref beside the values it names, or in their place",
            );
        };
        let accepted = values.iter().filter(|value| sub.check(value).is_ok());
        let refused: Vec<String> = accepted
            .filter(|value| sup.check(value).is_err())
            .map(|value| keywords::told(value))
            .collect();
        for value in refused {
            let what = match self.side {
                Side::Input => format!("{value} was accepted, is refused"),
                Side::Output => format!("{value} was never given, can be"),
            };
            self.note(at, what, Verdict::Breaking);
        }
    }
}

/// A part of a document as a document of its own; none if it refers to other parts.
fn compiled(schema: &Map<String, Value>, dialect: Option<&Value>) -> Option<Compiled> {
    let mut schema = schema.clone();
    for definitions in ["$defs", "definitions", "$id"] {
        schema.shift_remove(definitions);
    }
    let mut schema = Value::Object(schema);
    if References::of(&schema) != References::None {
        return None;
    }
    if let (Some(dialect), Value::Object(members)) = (dialect, &mut schema) {
        members.insert("$schema".to_owned(), dialect.clone());
    }
    Compiled::new(&schema).ok()
}
