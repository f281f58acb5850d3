//! What is left of a run once its content is erased: who did what when, how it ended and at which cost.

use serde_json::{Map, Value};

use super::{Erased, Event, Run};
use crate::{Digest, cbor::Blob, json};

/// Members of events whose texts are names, ids, digests or codes. Any other text may be content.
const NAMES: &[&str] = &[
    "loopId",
    "loopVersion",
    "version",
    "realm",
    "parentCallId",
    "childCallId",
    "status",
    "contract",
    "promptVersion",
    "model",
    "caller",
    "backendId",
    "implementation",
    "failure",
    "category",
    "code",
    "currency",
    "inputDigest",
    "outputDigest",
    "promptDigest",
    "header",
    "request",
    "answers",
    "receipt",
    "revision",
    "run",
    "broadcast",
    "bid",
    "approval",
    "agent",
    "breaker",
    "stage",
    "action",
    "by",
    "person",
];
/// Members that hold nothing but numbers, and names from above.
const SUMS: &[&str] = &["budget", "spent", "used", "money", "cost"];
/// Content, and what its digest is called.
const CONTENT: [(&str, &str); 2] = [("input", "inputDigest"), ("output", "outputDigest")];

impl Run {
    /// The run without its content.
    #[must_use]
    pub fn erased(self, erased: Erased) -> Self {
        Self {
            input: None,
            output: None,
            resume: None,
            erased: Some(erased),
            ..self
        }
    }
}

impl Event {
    /// The event without content: numbers, names and digests stay.
    #[must_use]
    pub fn erased(self) -> Self {
        let kept = match json::parse(&self.payload) {
            Ok(Value::Object(members)) => without_content(members),
            _ => Map::new(),
        };
        Self {
            payload: Blob::from(json::to_bytes(&Value::Object(kept))),
            ..self
        }
    }
}

fn without_content(members: Map<String, Value>) -> Map<String, Value> {
    let mut kept = Map::new();
    for (name, value) in members {
        let content = CONTENT.iter().find(|(content, _)| *content == name);
        if let Some((_, digest)) = content {
            let of = Digest::of(&[&json::to_bytes(&value)]).to_string();
            kept.entry(*digest).or_insert(Value::String(of));
            continue;
        }
        match value {
            Value::Number(_) | Value::Bool(_) | Value::Null => drop(kept.insert(name, value)),
            Value::String(_) if NAMES.contains(&name.as_str()) => drop(kept.insert(name, value)),
            Value::Object(inner) if SUMS.contains(&name.as_str()) => {
                kept.insert(name, Value::Object(without_content(inner)));
            }
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests;
