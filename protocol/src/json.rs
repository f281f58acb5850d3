//! Strict JSON at the edge: no duplicate keys, no unsafe integers, bounded depth.

use std::fmt;

use serde::{
    Serialize,
    de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use thiserror::Error;

use crate::limits;

/// Largest integer that every JSON reader keeps exactly: 2^53 - 1.
const SAFE_INTEGER: u64 = (1 << 53) - 1;
/// Digits of [`SAFE_INTEGER`].
const SAFE_DIGITS: usize = 16;
/// What is said of a larger one.
const PAST_SAFE: &str = "integer past 2^53 - 1; send it as a string";

/// Reads one JSON document.
///
/// # Errors
/// `serde_json`'s error with line and column; also for a duplicate key, an integer past 2^53 - 1,
/// and nesting past [`limits::JSON_DEPTH`].
pub fn parse(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    if has_long_integer(bytes) {
        return Err(de::Error::custom(PAST_SAFE));
    }
    Ok(value)
}

/// Writes one JSON document without spaces.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Why [`parse`] would not read a value back once it is written.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{fault}")]
pub struct Unreadable {
    /// JSON Pointer to the fault, the first 200 characters of it.
    pub pointer: String,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
enum Fault {
    #[error(
        "nested deeper than {}, the limit of a JSON document here",
        limits::JSON_DEPTH
    )]
    Depth,
    #[error("{PAST_SAFE}")]
    Integer,
}

impl Unreadable {
    /// Characters of a pointer.
    const POINTER: usize = 200;

    fn here(fault: Fault) -> Self {
        let pointer = String::new();
        Self { pointer, fault }
    }

    fn inside(self, key: &str) -> Self {
        let key = key.replace('~', "~0").replace('/', "~1");
        let pointer = format!("/{key}{}", self.pointer);
        let pointer = match pointer.char_indices().nth(Self::POINTER) {
            Some((end, _)) => format!("{}…", pointer.get(..end).unwrap_or_default()),
            None => pointer,
        };
        Self { pointer, ..self }
    }
}

/// Checks that [`parse`] would read a value back: what is written down must not be lost by it.
///
/// # Errors
/// [`Unreadable`] for the first fault.
pub fn check(value: &Value) -> Result<(), Unreadable> {
    check_inside(value, 0)
}

/// As [`check`], for a value that `depth` arrays and objects will stand around.
///
/// # Errors
/// [`Unreadable`] for the first fault.
pub fn check_inside(value: &Value, depth: usize) -> Result<(), Unreadable> {
    let (full, below) = (depth >= limits::JSON_DEPTH, depth.saturating_add(1));
    match value {
        Value::Array(_) | Value::Object(_) if full => Err(Unreadable::here(Fault::Depth)),
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            check_inside(item, below).map_err(|error| error.inside(&index.to_string()))
        }),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            check_inside(member, below).map_err(|error| error.inside(name))
        }),
        Value::Number(number) if !is_safe(number) => Err(Unreadable::here(Fault::Integer)),
        _ => Ok(()),
    }
}

fn is_safe(number: &Number) -> bool {
    let unsigned = number.as_u64();
    let magnitude = unsigned.or_else(|| number.as_i64().map(i64::unsigned_abs));
    magnitude.is_none_or(|magnitude| magnitude <= SAFE_INTEGER)
}

/// One JSON object, written member by member as the payload of a trace's event is: without a tree.
#[derive(Debug)]
pub struct Object {
    bytes: Vec<u8>,
}

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.push(b'{');
        Self { bytes }
    }

    /// Adds a member. The name must be one that needs no escape, and must not be there yet. A value
    /// that JSON cannot hold becomes `null`.
    #[must_use]
    pub fn with<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        if self.bytes.len() > 1 {
            self.bytes.push(b',');
        }
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b"\":");
        let start = self.bytes.len();
        if serde_json::to_writer(&mut self.bytes, value).is_err() {
            self.bytes.truncate(start);
            self.bytes.extend_from_slice(b"null");
        }
        self
    }

    /// Adds a member where there is a value for it.
    #[must_use]
    pub fn with_some<T: Serialize>(self, name: &str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.with(name, &value),
            None => self,
        }
    }

    /// The whole object.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.bytes.push(b'}');
        self.bytes
    }
}

impl Default for Object {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a document that parsed holds an integer of more digits than any safe one has.
///
/// Past 64 bits `serde_json` gives integers as floats, which no visitor can tell from `1e20`.
fn has_long_integer(bytes: &[u8]) -> bool {
    let (mut in_string, mut escaped) = (false, false);
    let mut number = Some(0_usize);
    for byte in bytes.iter().chain(b" ") {
        match (in_string, *byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (true, _) | (false, b'-' | b'+') => {}
            (false, b'0'..=b'9') => number = number.map(|digits| digits.saturating_add(1)),
            (false, b'.' | b'e' | b'E') => number = None,
            (false, _) if number.is_some_and(|digits| digits > SAFE_DIGITS) => return true,
            (false, _) => number = Some(0),
        }
    }
    false
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth < limits::JSON_DEPTH {
            Ok(Self {
                depth: self.depth.saturating_add(1),
            })
        } else {
            Err(E::custom(format_args!(
                "nested deeper than {}",
                limits::JSON_DEPTH
            )))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        if value > SAFE_INTEGER {
            return Err(E::custom(PAST_SAFE));
        }
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > SAFE_INTEGER {
            return Err(E::custom(PAST_SAFE));
        }
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if members.contains_key(&key) {
                return Err(de::Error::custom(format_args!("duplicate key `{key}`")));
            }
            members.insert(key, access.next_value_seed(inner)?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests;
