//! How a run ends.

use std::sync::Arc;

use realm_protocol::{Digest, FailureCode, LoopId, Timestamp, json::Object};
use serde_json::Value;

use crate::{BackendError, Effects, Manifest};

/// How a run ended, with what its receipt needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The output, or why there is none.
    pub result: Result<Value, LoopError>,
    /// The loop.
    pub loop_id: LoopId,
    /// The version that ran.
    pub version: String,
    /// The contract it ran under.
    pub contract: Digest,
    /// What ran, with the contract's schemas.
    pub manifest: Arc<Manifest>,
    /// The contract's effects.
    pub effects: Effects,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

/// Why a loop gave no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopError {
    /// What went wrong, as the wire says it.
    pub code: FailureCode,
    /// What went wrong, for a person.
    pub message: String,
    /// One line a fault: `"<instance path or (root)>: <message>"`.
    pub details: Vec<String>,
}

impl LoopError {
    /// Makes an error without details.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The code that LSEM's result object carries.
    pub const fn lsem_code(&self) -> &'static str {
        match self.code {
            FailureCode::SchemaInput => "INPUT_VALIDATION_FAILED",
            FailureCode::SchemaOutput => "OUTPUT_VALIDATION_FAILED",
            _ => "EXECUTION_FAILED",
        }
    }

    /// The error as traces carry it: `code`, `message`, `failure`, and `details` where there are any.
    pub fn to_object(&self) -> Object {
        let details = (!self.details.is_empty()).then_some(&self.details);
        Object::new()
            .with("code", self.lsem_code())
            .with("message", &self.message)
            .with("failure", self.code.name())
            .with_some("details", details)
    }
}

impl From<BackendError> for LoopError {
    fn from(error: BackendError) -> Self {
        let code = match error {
            BackendError::Timeout { .. } => FailureCode::Timeout,
            _ => FailureCode::LoopFailed,
        };
        Self::new(code, error.to_string())
    }
}

/// Why a call to another realm gave no output; the node fills it from the failure it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// What went wrong.
    pub code: FailureCode,
    /// What went wrong, for a person.
    pub message: String,
    /// The callee's details, if it gave any.
    pub details: Vec<String>,
}

impl From<CallError> for LoopError {
    fn from(error: CallError) -> Self {
        let CallError {
            code,
            message,
            details,
        } = error;
        Self {
            code,
            message,
            details,
        }
    }
}
