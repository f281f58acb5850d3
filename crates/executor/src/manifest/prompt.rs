//! Prompts: what a model is asked, and what it may call.

use std::{fmt, str::FromStr};

use serde_json::{Number, Value};
use thiserror::Error;

use super::Call;

/// A prompt for a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Text with `{{name}}` placeholders.
    pub template: String,
    /// System prompt.
    pub system: Option<String>,
    /// The placeholders that are filled, each from the input's member of that name.
    pub variables: Vec<String>,
    /// Most tokens the model may write.
    pub max_tokens: Option<u64>,
    /// How freely the model may choose.
    pub temperature: Option<Number>,
    /// The model backend's id.
    pub backend: String,
    /// The model; none for the backend's own choice.
    pub model: Option<String>,
    /// Loops that the model may call, by the names that it knows them by.
    pub tools: Vec<ModelTool>,
    /// How often the model may answer with calls.
    pub max_turns: u64,
}

/// A loop that a model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTool {
    /// What the model calls it.
    pub name: String,
    /// What the model is told of it; none for what the loop says of itself.
    pub description: Option<String>,
    /// JSON Schema of its input for the model; none for the loop's own, where it is one of this
    /// realm's.
    pub input_schema: Option<Value>,
    /// The call.
    pub call: Call,
}

/// A backend that the prompts of one run ask instead of their own, such as `office` or `office:small`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendChoice {
    /// The backend's id.
    pub id: String,
    /// The model; none for the backend's own choice.
    pub model: Option<String>,
}

/// The text names no backend.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a backend is named by its id and, after a colon, by a model: office or office:small")]
pub struct NotABackend;

impl FromStr for BackendChoice {
    type Err = NotABackend;

    fn from_str(text: &str) -> Result<Self, NotABackend> {
        let (id, model) = match text.split_once(':') {
            Some((id, model)) => (id, Some(model.to_owned())),
            None => (text, None),
        };
        let empty = id.is_empty() || model.as_ref().is_some_and(String::is_empty);
        let id = id.to_owned();
        (!empty).then_some(Self { id, model }).ok_or(NotABackend)
    }
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.model {
            Some(model) => write!(f, "{}:{model}", self.id),
            None => f.write_str(&self.id),
        }
    }
}
