//! JSON Schemas: compiled without files or network, with a linear regex engine, at bounded cost.

mod example;
mod weight;

use std::sync::OnceLock;

use jsonschema::{PatternOptions, Validator};
use realm_protocol::{json, limits};
use serde_json::Value;
use thiserror::Error;

pub use example::example;
use weight::Weight;

/// Bytes a compiled pattern may take; a larger one is refused with its schema.
const PATTERN_BYTES: usize = 1 << 20;
/// Faults listed for one instance; further ones are left out.
const FAULTS: usize = 32;
/// Visits that listing faults may take; past them only the fact is told.
const VISITS: u64 = 100_000;

/// Why a schema is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SchemaError {
    /// It is larger than allowed.
    #[error("the schema has more than {} bytes", limits::SCHEMA_BYTES)]
    TooLarge,
    /// It is not a JSON Schema, refers to another document, or costs too much.
    #[error("{message}")]
    Invalid {
        /// JSON Pointer to the fault.
        pointer: String,
        /// What is wrong.
        message: String,
    },
}

/// A compiled schema.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    validator: Validator,
    weight: Weight,
}

impl Compiled {
    /// Compiles a schema.
    ///
    /// # Errors
    /// [`SchemaError`] if it is too large, is not a schema, refers to another document, or costs
    /// too much.
    pub(crate) fn new(schema: &Value) -> Result<Self, SchemaError> {
        if schema.to_string().len() > limits::SCHEMA_BYTES {
            return Err(SchemaError::TooLarge);
        }
        let weight = weight::weigh(schema).map_err(|error| SchemaError::Invalid {
            pointer: String::new(),
            message: error.to_string(),
        })?;
        let options = jsonschema::options().offline();
        let options =
            options.with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES));
        let validator = options
            .build(schema)
            .map_err(|error| SchemaError::Invalid {
                pointer: error.instance_path().to_string(),
                message: error.to_string(),
            })?;
        Ok(Self { validator, weight })
    }

    /// Checks an instance, which no schema may nest deeper than what is written down is read back;
    /// gives each fault as `"<instance path or (root)>: <message>"`.
    pub(crate) fn check(&self, instance: &Value) -> Result<(), Vec<String>> {
        json::check(instance).map_err(|error| vec![fault(&error.pointer, &error.to_string())])?;
        let depth = depth(instance);
        if !self.weight.bears(depth) {
            let what = "nested too deep for a schema that refers to itself";
            return Err(vec![fault("", what)]);
        }
        if self.validator.is_valid(instance) {
            return Ok(());
        }
        if self.weight.visits(depth) > VISITS {
            return Err(vec![fault(
                "",
                "does not match the schema, which refers to itself",
            )]);
        }
        let mut faults: Vec<String> = Vec::new();
        for error in self.validator.iter_errors(instance) {
            let fault = fault(&error.instance_path().to_string(), &error.to_string());
            if faults.len() < FAULTS && !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        Err(faults)
    }
}

fn depth(instance: &Value) -> u32 {
    let below = match instance {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    below.unwrap_or(0).saturating_add(1)
}

fn fault(path: &str, message: &str) -> String {
    let place = if path.is_empty() { "(root)" } else { path };
    format!("{place}: {message}")
}

/// A schema that is compiled when it is first used, and once.
#[derive(Debug, Default)]
pub(crate) struct LazySchema(OnceLock<Result<Compiled, SchemaError>>);

impl LazySchema {
    /// The schema, compiled; it is the same one every time.
    pub(crate) fn compiled(&self, schema: &Value) -> Result<&Compiled, &SchemaError> {
        self.0.get_or_init(|| Compiled::new(schema)).as_ref()
    }

    /// As [`Compiled::check`]; one fault at `(root)` if the schema itself is refused.
    pub(crate) fn check(&self, schema: &Value, instance: &Value) -> Result<(), Vec<String>> {
        match self.compiled(schema) {
            Ok(compiled) => compiled.check(instance),
            Err(error) => Err(vec![fault("", &error.to_string())]),
        }
    }
}

/// A schema that somebody else told.
#[derive(Debug)]
pub struct ToldSchema {
    schema: Value,
    compiled: LazySchema,
}

impl ToldSchema {
    /// Keeps a schema; whether it is one shows when it is used.
    pub fn new(schema: Value) -> Self {
        Self {
            schema,
            compiled: LazySchema::default(),
        }
    }

    /// The schema as it was told.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Checks an instance, as the caller's end of a call does.
    ///
    /// # Errors
    /// The faults, each `"<instance path or (root)>: <message>"`; one fault at `(root)` if the
    /// schema itself is refused.
    pub fn check(&self, instance: &Value) -> Result<(), Vec<String>> {
        self.compiled.check(&self.schema, instance)
    }
}
