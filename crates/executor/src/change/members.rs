//! Members of objects and items of arrays.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    inclusion::{ANYTHING, At, Inclusion},
    keywords,
};

impl<'a> Inclusion<'a> {
    /// Every object that `sub` accepts has, member by member, to be accepted by `sup`.
    pub(super) fn objects(
        &mut self,
        sub: &'a Map<String, Value>,
        sup: &'a Map<String, Value>,
        at: &At,
    ) {
        let required = names(sub);
        for name in names(sup).difference(&required) {
            self.differs(&at.below(&["properties", name]), "optional", "required");
        }
        if sup.contains_key("patternProperties") || sup.contains_key("unevaluatedProperties") {
            // They have been compared as a whole.
            return;
        }
        let (given, wanted) = (members(sub), members(sup));
        let others = |schema: &'a Map<String, Value>| {
            schema.get("additionalProperties").unwrap_or(&ANYTHING)
        };
        // A name that a pattern takes is none of the others.
        let given_others = if sub.contains_key("patternProperties") {
            &ANYTHING
        } else {
            others(sub)
        };
        let wanted_others = others(sup);
        let described = given.into_iter().chain(wanted);
        let known: BTreeSet<&String> = described.flat_map(Map::keys).collect();
        for name in known {
            let given = given.and_then(|given| given.get(name));
            let wanted = wanted.and_then(|wanted| wanted.get(name));
            let (given, wanted) = (
                given.unwrap_or(given_others),
                wanted.unwrap_or(wanted_others),
            );
            self.compare(given, wanted, &at.below(&["properties", name]));
        }
        self.compare(
            given_others,
            wanted_others,
            &at.below(&["additionalProperties"]),
        );
    }

    /// Every array that `sub` accepts has, item by item, to be accepted by `sup`.
    pub(super) fn arrays(
        &mut self,
        sub: &'a Map<String, Value>,
        sup: &'a Map<String, Value>,
        at: &At,
    ) {
        let below = at.below(&["items"]);
        let by_place = |schema: &Map<String, Value>| {
            let list = schema.get("items").is_some_and(Value::is_array);
            list || schema.contains_key("prefixItems")
        };
        if by_place(sub) || by_place(sup) {
            return self.together(keywords::ITEMS, sub, sup, &below);
        }
        let empty = sub.get("maxItems").and_then(Value::as_u64) == Some(0);
        if !empty {
            let items = |schema: &'a Map<String, Value>| schema.get("items").unwrap_or(&ANYTHING);
            self.compare(items(sub), items(sup), &below);
        }
    }
}

/// The members that have to be there.
fn names(schema: &Map<String, Value>) -> BTreeSet<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The members that are described.
fn members(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}
