//! One file of vectors.

use std::{fs, path::PathBuf};

use data_encoding::HEXLOWER;
use serde_json::{Map, Value, json};

/// Runs of one byte longer than this are written as a count.
const RUN: usize = 64;

/// One subject: its file, how it is made, and how a case is judged.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) make: fn(&mut Book),
    /// What a reader makes of the case: nothing if it accepts it and it means what it says, why
    /// if it refuses it. Panics where an accepted case means something else.
    pub(super) judge: fn(&Case) -> Result<(), String>,
}

/// A file being made.
pub(super) struct Book {
    judge: fn(&Case) -> Result<(), String>,
    about: String,
    valid: Vec<Value>,
    invalid: Vec<Value>,
}

impl Book {
    pub(super) fn make(subject: &Subject) -> String {
        let mut book = Self {
            judge: subject.judge,
            about: String::new(),
            valid: Vec::new(),
            invalid: Vec::new(),
        };
        (subject.make)(&mut book);
        let book = json!({"about": book.about, "valid": book.valid, "invalid": book.invalid});
        serde_json::to_string_pretty(&book).unwrap() + "\n"
    }

    pub(super) fn about(&mut self, about: &str) {
        self.about = about.to_owned();
    }

    pub(super) fn valid(&mut self, name: &str, rules: &str, fields: Value) {
        self.valid.push(case(name, rules, fields));
    }

    pub(super) fn invalid(&mut self, name: &str, rules: &str, fields: Value) {
        let mut case = case(name, rules, fields);
        let verdict = (self.judge)(&Case(case.as_object().unwrap().clone()));
        let Err(error) = verdict else {
            panic!("{name} is accepted");
        };
        case["error"] = Value::from(error);
        self.invalid.push(case);
    }
}

fn case(name: &str, rules: &str, fields: Value) -> Value {
    let rules: Vec<&str> = rules.split(' ').collect();
    let mut case = json!({"name": name, "rules": rules});
    let Value::Object(fields) = fields else {
        panic!("fields are an object");
    };
    case.as_object_mut().unwrap().extend(fields);
    case
}

/// One vector.
pub(super) struct Case(pub(super) Map<String, Value>);

impl Case {
    pub(super) fn name(&self) -> &str {
        self.text("name")
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn value(&self, key: &str) -> &Value {
        let value = self.0.get(key);
        value.unwrap_or_else(|| panic!("{:?} has no `{key}`", self.0.get("name")))
    }

    pub(super) fn text(&self, key: &str) -> &str {
        self.value(key).as_str().unwrap()
    }

    pub(super) fn number(&self, key: &str) -> u64 {
        self.value(key).as_u64().unwrap()
    }

    pub(super) fn bytes(&self, key: &str) -> Vec<u8> {
        bytes(self.value(key))
    }

    pub(super) fn array<const N: usize>(&self, key: &str) -> [u8; N] {
        self.bytes(key).try_into().unwrap()
    }

    pub(super) fn list(&self, key: &str) -> &[Value] {
        self.value(key).as_array().unwrap()
    }

    /// The objects in a list.
    pub(super) fn cases(&self, key: &str) -> Vec<Self> {
        let items = self.list(key).iter();
        items
            .map(|item| Self(item.as_object().unwrap().clone()))
            .collect()
    }
}

pub(super) fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

/// Hexadecimal, with long runs of one byte as `[byte, count]`.
pub(super) fn long(bytes: impl AsRef<[u8]>) -> Value {
    let mut parts = vec![];
    let mut plain = Vec::new();
    for run in bytes.as_ref().chunk_by(|a, b| a == b) {
        if run.len() > RUN {
            parts.push(Value::from(hex(std::mem::take(&mut plain))));
            parts.push(json!([hex(&run[..1]), run.len()]));
        } else {
            plain.extend(run);
        }
    }
    parts.push(Value::from(hex(plain)));
    if parts.len() == 1 {
        return parts.remove(0);
    }
    Value::from(parts)
}

/// Reads what [`hex`] or [`long`] wrote.
pub(super) fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => HEXLOWER.decode(text.as_bytes()).unwrap(),
        Value::Array(parts) => parts.iter().flat_map(part).collect(),
        other => panic!("{other} is not hexadecimal"),
    }
}

fn part(part: &Value) -> Vec<u8> {
    let Some([byte, count]) = part.as_array().map(Vec::as_slice) else {
        return bytes(part);
    };
    bytes(byte).repeat(usize::try_from(count.as_u64().unwrap()).unwrap())
}

/// The cases of a file under `valid` or `invalid`.
pub(super) fn read(name: &str, part: &str) -> Vec<Case> {
    let text = fs::read(path(name)).unwrap();
    let file = realm_protocol::json::parse(&text).unwrap();
    let cases = file[part].as_array().unwrap().iter();
    cases
        .map(|case| Case(case.as_object().unwrap().clone()))
        .collect()
}

pub(super) fn path(name: &str) -> PathBuf {
    protocol().join("vectors").join(format!("{name}.json"))
}

/// The folder `protocol/`.
pub(super) fn protocol() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol")
}
