//! What steps refer to: conditions, mappings, and the lists they go over.

use std::collections::BTreeMap;

use super::{
    document::{Reader, Rule, rule},
    node::{Data, Node},
    object,
};
use crate::{Condition, Reference};

/// What a step can refer to.
pub(super) struct Before<'a> {
    /// How many steps are behind it.
    pub(super) steps: usize,
    pub(super) bindings: &'a [String],
    /// Whether it is called once for each item.
    pub(super) items: bool,
}

impl Reader<'_> {
    pub(super) fn condition(
        &mut self,
        node: &Node,
        index: usize,
        bindings: &[String],
    ) -> Option<Condition> {
        const RULE: Rule = rule!("composite.when");
        let condition: Condition = self.parsed(node, RULE)?;
        for name in condition.bindings() {
            if !bindings.contains(&name) {
                let what = format!(
                    "`{name}` is not known: a condition sees `input`, `steps`, and what steps before \
                     step {index} bind"
                );
                self.problem(node.at, RULE, what);
            }
        }
        Some(condition)
    }

    pub(super) fn mapping(
        &mut self,
        node: &Node,
        before: &Before<'_>,
    ) -> BTreeMap<String, Reference> {
        const RULE: Rule = rule!("composite.inputMapping");
        let mut mapping = BTreeMap::new();
        let Data::Map(members) = &node.data else {
            let what = format!("expected an object, found {}", node.noun());
            self.problem(node.at, RULE, what);
            return mapping;
        };
        for member in members {
            if let Some(reference) = self.reference(&member.value, RULE, before) {
                mapping.insert(member.key.clone(), reference);
            }
        }
        mapping
    }

    pub(super) fn reference(
        &mut self,
        node: &Node,
        rule: Rule,
        before: &Before<'_>,
    ) -> Option<Reference> {
        let text = object::text(self, node, rule)?;
        match text.parse::<Reference>() {
            Ok(reference) => {
                if let Some(what) = too_early(&reference, before) {
                    self.problem(node.at, rule, what);
                }
                Some(reference)
            }
            Err(error) => {
                self.problem(node.at, rule, format!("`{text}`: {error}"));
                None
            }
        }
    }
}

/// Why a reference cannot find anything in the step that makes it.
fn too_early(reference: &Reference, before: &Before<'_>) -> Option<String> {
    let index = before.steps;
    match (reference.step(), reference.binding()) {
        (Some(step), _) if step >= index => Some(format!(
            "`{reference}`: step {step} has not run before step {index}"
        )),
        (_, Some("item" | "index")) if before.items => None,
        (_, Some(name)) if !before.bindings.iter().any(|known| known == name) => Some(format!(
            "`{reference}`: no step before step {index} binds `{name}`"
        )),
        _ => None,
    }
}
