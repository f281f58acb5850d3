//! Schemas of a manifest: inline, or in a file beside it.

use std::path::{Component, Path};

use serde_json::Value;

use super::{
    document::{Reader, Rule},
    json_text,
    node::{Data, Node},
    object::Object,
};
use crate::schema::{Compiled, SchemaError};

impl Reader<'_> {
    /// Reads and compiles a schema, so that its faults are found where they stand.
    pub(super) fn schema(
        &mut self,
        object: &mut Object<'_>,
        key: &'static str,
        rule: Rule,
    ) -> Option<Value> {
        let node = object.need(self, key, rule)?;
        self.schema_of(node, rule)
    }

    /// As [`Reader::schema`], of a node.
    pub(super) fn schema_of(&mut self, node: &Node, rule: Rule) -> Option<Value> {
        if !matches!(node.data, Data::Map(_) | Data::Scalar(Value::Bool(_))) {
            self.problem(
                node.at,
                rule,
                format!("a schema is an object, not {}", node.noun()),
            );
            return None;
        }
        let (schema, inline) = match node.get("$file").filter(|_| self.is_own()) {
            Some(file) => (self.schema_file(file, rule)?, false),
            None => (node.to_value(), true),
        };
        match Compiled::new(&schema) {
            Ok(_) => return Some(schema),
            Err(SchemaError::Invalid { pointer, message }) if inline => {
                self.problem(node.place_of(&pointer), rule, message);
            }
            Err(error) => self.problem(node.at, rule, error.to_string()),
        }
        None
    }

    fn schema_file(&mut self, node: &Node, rule: Rule) -> Option<Value> {
        let name = super::object::text(self, node, rule)?;
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !inside {
            let problem = self.new_problem(
                node.at,
                rule,
                format!("`{name}` is not beside or below this file"),
            );
            self.report(problem.hint("name a file in the same folder"));
            return None;
        }
        let Some(text) = (self.files)(name) else {
            self.problem(node.at, rule, format!("the file `{name}` cannot be read"));
            return None;
        };
        let parsed = json_text::parse(&name.into(), &text);
        parsed
            .map_err(|problem| self.report(problem))
            .ok()
            .map(|document| document.to_value())
    }
}
