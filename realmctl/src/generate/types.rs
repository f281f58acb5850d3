//! The shapes that languages share, read from JSON Schema.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::names::{Names, pascal};

/// Schemas in schemas; beyond, a value is anything.
const DEPTH: usize = 32;

/// A shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// Anything.
    Any,
    Null,
    Bool,
    Integer,
    Number,
    Text,
    /// One of these.
    Literals(Vec<Value>),
    List(Box<Type>),
    /// An object whose members have any name.
    Map(Box<Type>),
    /// The record of that name.
    Record(String),
    Union(Vec<Type>),
}

/// An object with known members.
pub(super) struct Record {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) fields: Vec<Field>,
}

/// A member.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) shape: Type,
    pub(super) description: Option<String>,
}

/// Reads one document.
pub(super) struct Reader<'a> {
    document: &'a Value,
    names: &'a mut Names,
    records: &'a mut Vec<Record>,
    /// What references were read as, and are being read as.
    known: BTreeMap<String, Type>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        document: &'a Value,
        names: &'a mut Names,
        records: &'a mut Vec<Record>,
    ) -> Self {
        let known = BTreeMap::new();
        Self {
            document,
            names,
            records,
            known,
        }
    }

    /// Reads the whole document; a record of it has this name, which is taken already.
    pub(super) fn root(&mut self, name: &str) -> Type {
        let document = self.document;
        self.known
            .insert("#".to_owned(), Type::Record(name.to_owned()));
        match document.as_object() {
            Some(schema) if is_record(schema) => {
                self.record(schema, name, DEPTH);
                Type::Record(name.to_owned())
            }
            _ => {
                self.known.insert("#".to_owned(), Type::Any);
                self.read(document, name, DEPTH)
            }
        }
    }

    fn read(&mut self, schema: &Value, hint: &str, left: usize) -> Type {
        let (Some(schema), Some(left)) = (schema.as_object(), left.checked_sub(1)) else {
            return Type::Any;
        };
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.reference(reference, left);
        }
        if let Some(value) = schema.get("const") {
            return literals(std::slice::from_ref(value));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return literals(values);
        }
        for word in ["oneOf", "anyOf"] {
            if let Some(ways) = schema.get(word).and_then(Value::as_array) {
                let ways = ways.iter().enumerate();
                let ways = ways.map(|(at, way)| self.read(way, &format!("{hint}{}", at + 1), left));
                return union(ways.collect());
            }
        }
        match schema.get("type") {
            Some(Value::String(word)) => self.word(word, schema, hint, left),
            Some(Value::Array(words)) => {
                let words = words.iter().filter_map(Value::as_str);
                union(
                    words
                        .map(|word| self.word(word, schema, hint, left))
                        .collect(),
                )
            }
            _ if is_record(schema) => self.word("object", schema, hint, left),
            _ => Type::Any,
        }
    }

    fn word(&mut self, word: &str, schema: &Map<String, Value>, hint: &str, left: usize) -> Type {
        match word {
            "null" => Type::Null,
            "boolean" => Type::Bool,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "string" => Type::Text,
            "array" => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                Type::List(Box::new(self.read(items, &format!("{hint}Item"), left)))
            }
            "object" if is_record(schema) => {
                let name = self.names.free(hint);
                self.record(schema, &name, left);
                Type::Record(name)
            }
            "object" => {
                let members = schema.get("additionalProperties").unwrap_or(&Value::Null);
                Type::Map(Box::new(self.read(members, &format!("{hint}Value"), left)))
            }
            _ => Type::Any,
        }
    }

    fn record(&mut self, schema: &Map<String, Value>, name: &str, left: usize) {
        let members = schema.get("properties").and_then(Value::as_object);
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |member: &str| required.is_some_and(|all| all.iter().any(|it| it == member));
        let mut fields: Vec<Field> = Vec::new();
        for (member, sub) in members.into_iter().flatten() {
            fields.push(Field {
                name: member.clone(),
                required: is_required(member),
                shape: self.read(sub, &format!("{name}{}", pascal(member)), left),
                description: described(sub.as_object()),
            });
        }
        self.records.push(Record {
            name: name.to_owned(),
            description: described(Some(schema)),
            fields,
        });
    }

    fn reference(&mut self, reference: &str, left: usize) -> Type {
        if let Some(known) = self.known.get(reference) {
            return known.clone();
        }
        let pointer = reference.strip_prefix('#').unwrap_or("/\0");
        let Some(found) = self.document.pointer(pointer) else {
            return Type::Any;
        };
        let last = pascal(pointer.rsplit('/').next().unwrap_or_default());
        let shape = match found.as_object() {
            Some(schema) if is_record(schema) => {
                let name = self.names.free(&last);
                let shape = Type::Record(name.clone());
                // It may refer to itself.
                self.known.insert(reference.to_owned(), shape.clone());
                self.record(schema, &name, left);
                shape
            }
            _ => {
                self.known.insert(reference.to_owned(), Type::Any);
                self.read(found, &last, left)
            }
        };
        self.known.insert(reference.to_owned(), shape.clone());
        shape
    }
}

/// Whether an object's members are known.
fn is_record(schema: &Map<String, Value>) -> bool {
    let members = schema.get("properties").and_then(Value::as_object);
    let plain = schema.get("type").is_none_or(|word| word == "object");
    plain && members.is_some_and(|members| !members.is_empty())
}

fn described(schema: Option<&Map<String, Value>>) -> Option<String> {
    let text = schema?.get("description")?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn literals(values: &[Value]) -> Type {
    let simple = values
        .iter()
        .all(|value| !value.is_object() && !value.is_array() && !value.is_f64());
    match simple && !values.is_empty() {
        true => Type::Literals(values.to_vec()),
        false => Type::Any,
    }
}

fn union(ways: Vec<Type>) -> Type {
    let mut distinct: Vec<Type> = Vec::new();
    for way in ways {
        if !distinct.contains(&way) {
            distinct.push(way);
        }
    }
    match distinct.len() {
        0 => Type::Any,
        1 => distinct.remove(0),
        _ if distinct.contains(&Type::Any) => Type::Any,
        _ => Type::Union(distinct),
    }
}
