//! What an agent says over HTTP while it works: events, in the words of agents that are attached.

use std::fmt::Display;

use realm_executor::{BackendError, BackendReply, Category};
use realm_protocol::limits;
use serde::Deserialize;
use serde_json::Value;

use super::Beginning;
use crate::{
    Parts, Progress,
    pieces::{Framing, Pieces},
    progress::Noted,
};

/// Letters that are kept of what an agent says about a failure.
const MESSAGE: usize = 2_000;

/// One event.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Word {
    /// Text that the output is being made of.
    Part { text: String },
    /// How it goes.
    Progress { progress: Value },
    /// The output, which is the last word.
    Output { output: Value },
    /// Why there is none, which is the last word, too.
    Failure {
        message: String,
        #[serde(default)]
        category: Option<String>,
        #[serde(rename = "retryAfterMs", default)]
        retry_after_ms: Option<u64>,
    },
}

/// Takes an answer's events until the last word.
pub(super) async fn follow(
    mut begun: Beginning,
    parts: Option<&Parts>,
    progress: Progress,
) -> Result<BackendReply, BackendError> {
    let mut pieces = Pieces::new(Framing::Events);
    let mut noted = Noted::new(progress);
    while let Some(chunk) = begun.chunk().await? {
        pieces.add(&chunk);
        while let Some(piece) = pieces.next() {
            match serde_json::from_value(piece?).map_err(|error| bad(&error))? {
                Word::Part { text } if text.len() > limits::STREAM_BYTES => {
                    return Err(bad(&"a part is longer than a text may be"));
                }
                Word::Part { text } => {
                    if let Some(parts) = parts {
                        parts.write(text).await;
                    }
                }
                Word::Progress { progress } => noted.tell(progress),
                Word::Output { output } => return Ok(BackendReply::json(output)),
                Word::Failure {
                    message,
                    category,
                    retry_after_ms,
                } => {
                    return Err(BackendError::Reported {
                        message: message.chars().take(MESSAGE).collect(),
                        category: named(category.as_deref())?,
                        retry_after_ms,
                    });
                }
            }
        }
    }
    Err(begun.broke_off())
}

fn named(category: Option<&str>) -> Result<Category, BackendError> {
    let Some(name) = category else {
        return Ok(Category::Unknown);
    };
    Category::named(name).ok_or_else(|| bad(&format!("`{name}` is no category of failures")))
}

fn bad(what: &impl Display) -> BackendError {
    BackendError::BadOutput {
        reason: format!("an event: {what}"),
    }
}
