//! A document whose every part knows where it stands.

use realm_protocol::limits;
use serde_json::{Map, Value};

/// A place in a text: line and column from 1, column in characters; zero if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) data: Data,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Member>),
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) at: Place,
    pub(super) value: Node,
}

impl Node {
    /// A document without places. Its depth is bounded by whoever parsed it; what is deeper than
    /// [`limits::JSON_DEPTH`] becomes `null`.
    pub(super) fn from_value(value: &Value) -> Self {
        Self::from_nested(value, 0)
    }

    fn from_nested(value: &Value, depth: usize) -> Self {
        let data = match value {
            Value::Array(_) | Value::Object(_) if depth > limits::JSON_DEPTH => {
                Data::Scalar(Value::Null)
            }
            Value::Array(items) => Data::List(
                items
                    .iter()
                    .map(|item| Self::from_nested(item, depth + 1))
                    .collect(),
            ),
            Value::Object(members) => Data::Map(
                members
                    .iter()
                    .map(|member| Member::from_nested(member, depth))
                    .collect(),
            ),
            scalar => Data::Scalar(scalar.clone()),
        };
        Self {
            at: Place::default(),
            data,
        }
    }

    pub(super) fn to_value(&self) -> Value {
        match &self.data {
            Data::Scalar(value) => value.clone(),
            Data::List(items) => items.iter().map(Self::to_value).collect(),
            Data::Map(members) => {
                let members = members
                    .iter()
                    .map(|member| (member.key.clone(), member.value.to_value()));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Data::Map(members) = &self.data else {
            return None;
        };
        members
            .iter()
            .find(|member| member.key == key)
            .map(|member| &member.value)
    }

    /// The place of the deepest part that a JSON Pointer reaches.
    pub(super) fn place_of(&self, pointer: &str) -> Place {
        let mut node = self;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let below = match &node.data {
                Data::Map(_) => node.get(&token),
                Data::List(items) => token.parse().ok().and_then(|index: usize| items.get(index)),
                Data::Scalar(_) => None,
            };
            match below {
                Some(below) => node = below,
                None => break,
            }
        }
        node.at
    }

    /// What it is, for messages.
    pub(super) const fn noun(&self) -> &'static str {
        match &self.data {
            Data::Scalar(Value::Null) => "null",
            Data::Scalar(Value::Bool(_)) => "a boolean",
            Data::Scalar(Value::Number(_)) => "a number",
            Data::Scalar(_) => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "an object",
        }
    }
}

impl Member {
    fn from_nested((key, value): (&String, &Value), depth: usize) -> Self {
        Self {
            key: key.clone(),
            at: Place::default(),
            value: Node::from_nested(value, depth + 1),
        }
    }
}
