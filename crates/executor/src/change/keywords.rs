//! What is known of the keywords of JSON Schema.

use std::fmt;

use serde_json::{Map, Value};

use super::{Verdict, bound::Bound};

/// Characters of a value that are told.
const TOLD: usize = 60;

/// A set of types of values; numbers are integers and fractions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NUMBER: Self = Self(0b11);
    pub(super) const STRING: Self = Self(0b100);
    pub(super) const ARRAY: Self = Self(0b1000);
    pub(super) const OBJECT: Self = Self(0b1_0000);
    pub(super) const ANY: Self = Self(0b111_1111);

    const NAMED: [(&'static str, Self); 7] = [
        ("number", Self::NUMBER),
        ("integer", Self(0b1)),
        ("string", Self::STRING),
        ("array", Self::ARRAY),
        ("object", Self::OBJECT),
        ("boolean", Self(0b10_0000)),
        ("null", Self(0b100_0000)),
    ];

    /// The types that a schema's `type` allows; none if it is not understood.
    pub(super) fn of(schema: &Map<String, Value>) -> Option<Self> {
        let named = |name: &Value| {
            let name = name.as_str()?;
            let known = Self::NAMED.iter().find(|(known, _)| *known == name);
            known.map(|(_, types)| *types)
        };
        match schema.get("type") {
            None => Some(Self::ANY),
            Some(Value::Array(names)) => names
                .iter()
                .try_fold(Self(0), |all, name| Some(Self(all.0 | named(name)?.0))),
            Some(name) => named(name),
        }
    }

    pub(super) fn contain(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    pub(super) fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("anything");
        }
        let mut left = *self;
        let mut names = Vec::new();
        for (name, types) in Self::NAMED {
            if left.contain(types) {
                left = Self(left.0 & !types.0);
                names.push(name);
            }
        }
        f.write_str(&names.join(" or "))
    }
}

/// How a keyword is compared.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// It says something, and restricts nothing.
    Says,
    /// It is compared as part of members, items or types.
    Structure,
    /// It bounds numbers, lengths or sizes.
    Bound(Bound),
    /// It names the values there may be.
    Chooses,
    /// It has to stay as it is; adding it is this.
    Same(Verdict),
    /// It means something together with these, and all of them have to stay as they are.
    Together(&'static [&'static str]),
    /// It depends on everything that stands beside it.
    Whole,
}

/// Keywords that decide which schema an item has.
pub(super) const ITEMS: &[&str] = &["prefixItems", "additionalItems", "items"];
const CONTAINED: &[&str] = &["contains", "minContains", "maxContains"];
const MEMBERS: &[&str] = &["properties", "patternProperties", "additionalProperties"];
const CONDITION: &[&str] = &["if", "then", "else"];

/// How a keyword is compared, and which types of values it is about.
pub(super) fn rule(name: &str) -> (Types, Rule) {
    use Verdict::{Breaking, Unknown};
    match name {
        "title" | "description" | "default" | "examples" | "deprecated" | "readOnly"
        | "writeOnly" | "$comment" | "$schema" | "$id" | "$defs" | "definitions" => {
            (Types::ANY, Rule::Says)
        }
        name if name.starts_with("x-") => (Types::ANY, Rule::Says),
        "type" => (Types::ANY, Rule::Structure),
        "enum" | "const" => (Types::ANY, Rule::Chooses),
        "minimum" | "exclusiveMinimum" => (Types::NUMBER, Rule::Bound(Bound::Minimum)),
        "maximum" | "exclusiveMaximum" => (Types::NUMBER, Rule::Bound(Bound::Maximum)),
        "multipleOf" => (Types::NUMBER, Rule::Same(Breaking)),
        "minLength" => (Types::STRING, Rule::Bound(Bound::AtLeast("minLength"))),
        "maxLength" => (Types::STRING, Rule::Bound(Bound::AtMost("maxLength"))),
        "pattern" => (Types::STRING, Rule::Same(Breaking)),
        "format" | "contentEncoding" | "contentMediaType" => (Types::STRING, Rule::Same(Unknown)),
        "minItems" => (Types::ARRAY, Rule::Bound(Bound::AtLeast("minItems"))),
        "maxItems" => (Types::ARRAY, Rule::Bound(Bound::AtMost("maxItems"))),
        "uniqueItems" => (Types::ARRAY, Rule::Same(Unknown)),
        "items" | "prefixItems" | "additionalItems" => (Types::ARRAY, Rule::Structure),
        "contains" | "minContains" | "maxContains" => (Types::ARRAY, Rule::Together(CONTAINED)),
        "unevaluatedItems" => (Types::ARRAY, Rule::Whole),
        "minProperties" => (Types::OBJECT, Rule::Bound(Bound::AtLeast("minProperties"))),
        "maxProperties" => (Types::OBJECT, Rule::Bound(Bound::AtMost("maxProperties"))),
        "properties" | "required" | "additionalProperties" => (Types::OBJECT, Rule::Structure),
        "patternProperties" => (Types::OBJECT, Rule::Together(MEMBERS)),
        "unevaluatedProperties" => (Types::OBJECT, Rule::Whole),
        "propertyNames" | "dependentRequired" | "dependentSchemas" | "dependencies" => {
            (Types::OBJECT, Rule::Same(Unknown))
        }
        "if" | "then" | "else" => (Types::ANY, Rule::Together(CONDITION)),
        "$dynamicRef" | "$recursiveRef" | "$anchor" | "$dynamicAnchor" | "$recursiveAnchor" => {
            (Types::ANY, Rule::Whole)
        }
        // `allOf`, `anyOf`, `oneOf`, `not`, and whatever is not known.
        _ => (Types::ANY, Rule::Same(Unknown)),
    }
}

/// A value, as far as it is told.
pub(super) fn told(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= TOLD {
        return text;
    }
    let start: String = text.chars().take(TOLD).collect();
    format!("{start}…")
}
