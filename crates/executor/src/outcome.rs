//! How a run ends.

use std::sync::Arc;

use realm_protocol::{
    Digest, FailureCode, LoopId, Timestamp, budget::Spend, journal::FrameError, json::Object,
};
use serde_json::Value;

use crate::{BackendError, Category, Effects, Manifest};

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
    /// What it and all that it called have used.
    pub spent: Spend,
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
    /// What a caller may do about it.
    pub category: Category,
    /// Whether the work may have begun, so that only what may be repeated is tried again.
    pub may_have_begun: bool,
    /// When it may be tried again at the earliest, milliseconds, if somebody said so.
    pub retry_after_ms: Option<u64>,
}

impl LoopError {
    /// Makes an error without details, of the category its code has. A time that ran out is one
    /// whose work may have begun.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            category: Category::of(code),
            may_have_begun: matches!(code, FailureCode::Timeout),
            retry_after_ms: None,
        }
    }

    /// Adds details.
    #[must_use]
    pub fn with_details(self, details: Vec<String>) -> Self {
        Self { details, ..self }
    }

    /// Says that the work may have begun.
    #[must_use]
    pub fn after_work(self) -> Self {
        Self {
            may_have_begun: true,
            ..self
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

    /// The error as traces carry it: `code`, `message`, `failure`, `category`, and `details` where
    /// there are any.
    pub fn to_object(&self) -> Object {
        let details = (!self.details.is_empty()).then_some(&self.details);
        Object::new()
            .with("code", self.lsem_code())
            .with("message", &self.message)
            .with("failure", self.code.name())
            .with("category", self.category.name())
            .with_some("details", details)
    }

    /// The error as a frame's record keeps it.
    pub(crate) fn to_record(&self) -> FrameError {
        FrameError {
            code: self.code,
            message: self.message.clone(),
            details: self.details.clone(),
            category: self.category.name().to_owned(),
            may_have_begun: self.may_have_begun,
        }
    }

    pub(crate) fn from_record(record: FrameError) -> Self {
        let FrameError {
            code,
            message,
            details,
            category,
            may_have_begun,
        } = record;
        Self {
            code,
            message,
            details,
            category: Category::named(&category).unwrap_or(Category::Unknown),
            retry_after_ms: None,
            may_have_begun,
        }
    }
}

impl From<BackendError> for LoopError {
    fn from(error: BackendError) -> Self {
        let code = match error {
            BackendError::Timeout { .. } => FailureCode::Timeout,
            BackendError::ToolInput { .. } => FailureCode::SchemaInput,
            BackendError::Denied { .. }
            | BackendError::Dismissed { .. }
            | BackendError::NotForLoop { .. } => FailureCode::Denied,
            _ => FailureCode::LoopFailed,
        };
        let details = match &error {
            BackendError::ToolInput { faults, .. } => faults.clone(),
            _ => Vec::new(),
        };
        Self {
            details,
            category: error.category(),
            may_have_begun: error.may_have_begun(),
            retry_after_ms: error.retry_after_ms(),
            ..Self::new(code, error.to_string())
        }
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
    /// Whether the callee may have begun.
    pub may_have_begun: bool,
}

impl From<CallError> for LoopError {
    fn from(error: CallError) -> Self {
        let CallError {
            code,
            message,
            details,
            may_have_begun,
        } = error;
        Self {
            may_have_begun,
            ..Self::new(code, message).with_details(details)
        }
    }
}
