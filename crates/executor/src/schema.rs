//! JSON Schemas: compiled without files or network, with a linear regex engine.

mod example;

use jsonschema::{PatternOptions, Validator};
use realm_protocol::limits;
use serde_json::Value;
use thiserror::Error;

pub use example::example;

/// Bytes a compiled pattern may take; a larger one is refused with its schema.
const PATTERN_BYTES: usize = 1 << 20;
/// Faults listed for one instance; further ones are counted only.
const FAULTS: usize = 32;

/// Why a schema is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SchemaError {
    /// It is larger than allowed.
    #[error("the schema has more than {} bytes", limits::SCHEMA_BYTES)]
    TooLarge,
    /// It is not a JSON Schema, or refers to another document.
    #[error("{message}")]
    Invalid {
        /// JSON Pointer to the fault.
        pointer: String,
        /// What is wrong.
        message: String,
    },
}

/// Compiles a schema.
///
/// # Errors
/// [`SchemaError`] if it is too large, is not a schema, or refers to another document.
pub(crate) fn compile(schema: &Value) -> Result<Validator, SchemaError> {
    if schema.to_string().len() > limits::SCHEMA_BYTES {
        return Err(SchemaError::TooLarge);
    }
    let options = jsonschema::options().offline();
    let options = options.with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES));
    options.build(schema).map_err(|error| SchemaError::Invalid {
        pointer: error.instance_path().to_string(),
        message: error.to_string(),
    })
}

/// Checks an instance with a compiled schema; gives each fault as
/// `"<instance path or (root)>: <message>"`.
pub(crate) fn check(validator: &Validator, instance: &Value) -> Result<(), Vec<String>> {
    if validator.is_valid(instance) {
        return Ok(());
    }
    let faults = validator.iter_errors(instance).take(FAULTS);
    Err(faults
        .map(|error| fault(&error.instance_path().to_string(), &error.to_string()))
        .collect())
}

fn fault(path: &str, message: &str) -> String {
    let place = if path.is_empty() { "(root)" } else { path };
    format!("{place}: {message}")
}

/// Checks an instance against a schema that came with it, as the caller's end of a call does.
///
/// # Errors
/// The faults, each `"<instance path or (root)>: <message>"`; one fault at `(root)` if the schema
/// itself is refused.
pub fn validate_json(schema: &Value, instance: &Value) -> Result<(), Vec<String>> {
    let validator = compile(schema).map_err(|error| vec![fault("", &error.to_string())])?;
    check(&validator, instance)
}
