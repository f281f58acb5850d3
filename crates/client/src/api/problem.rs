//! What the API answers instead of a result (RFC 9457, `application/problem+json`).

use crate::catalogue::Code;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Media type of a problem document.
pub const PROBLEM_TYPE: &str = "application/problem+json";

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The page about it: `urn:realm:error:` and the code's slug.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem it is; the same for each of its kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// Catalogue code, `RLM-0106`.
    pub code: String,
    /// What helps; a command where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The run it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// For `policy why`, after a denial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// When to try again, milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The single faults, where there are several or they have a place.
    #[serde(default)]
    pub errors: Vec<Fault>,
}

/// One fault, at its place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// JSON pointer into the request or document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// File, as named in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, from one, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The rule that was broken, by name or link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The line of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
}

impl Problem {
    /// Makes the problem of a catalogue entry with what happened this time.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:realm:error:{}", code.slug()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code: code.to_string(),
            hint: None,
            trace_id: None,
            reference: None,
            retry_after_ms: None,
            errors: Vec::new(),
        }
    }

    /// Adds what helps.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the single faults.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    /// The catalogue entry, if this version knows the code.
    pub fn entry(&self) -> Option<Code> {
        self.code.parse().ok()
    }
}

impl Fault {
    /// Makes a fault without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..Self::default()
        }
    }
}
