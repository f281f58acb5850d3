//! What an agent says while it works, in the words of agents that are attached: events over HTTP, or lines
//! that a program prints.

use std::fmt::Display;

use realm_executor::{BackendError, BackendReply, Category};
use realm_protocol::{json, limits};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Parts, Progress,
    pieces::{Framing, Pieces},
    progress::Noted,
};

/// Letters that are kept of what an agent says about a failure.
const MESSAGE: usize = 2_000;

/// One word.
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

/// Takes an agent's words as they come, until the last.
#[derive(Debug)]
pub(crate) struct Words<'a> {
    pieces: Pieces,
    parts: Option<&'a Parts>,
    noted: Noted,
}

impl<'a> Words<'a> {
    /// Words of which nothing has come yet.
    pub(crate) const fn new(
        framing: Framing,
        parts: Option<&'a Parts>,
        progress: Progress,
    ) -> Self {
        Self {
            pieces: Pieces::new(framing),
            parts,
            noted: Noted::new(progress),
        }
    }

    /// Takes what has come; gives the output if that was the last word.
    pub(crate) async fn take(
        &mut self,
        bytes: &[u8],
    ) -> Result<Option<BackendReply>, BackendError> {
        self.pieces.add(bytes);
        while let Some(piece) = self.pieces.next() {
            match serde_json::from_value(piece?).map_err(|error| bad(&error))? {
                Word::Part { text } if text.len() > limits::STREAM_BYTES => {
                    return Err(bad(&"a part is longer than a text may be"));
                }
                Word::Part { text } => {
                    if let Some(parts) = self.parts {
                        parts.write(text).await;
                    }
                }
                Word::Progress { progress } => self.noted.tell(progress),
                Word::Output { output } => return Ok(Some(BackendReply::json(output))),
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
        Ok(None)
    }
}

fn named(category: Option<&str>) -> Result<Category, BackendError> {
    let Some(name) = category else {
        return Ok(Category::Unknown);
    };
    Category::named(name).ok_or_else(|| bad(&format!("`{name}` is no category of failures")))
}

fn bad(what: &impl Display) -> BackendError {
    BackendError::BadOutput {
        reason: format!("what it says while it works: {what}"),
    }
}

/// What a program prints, as it comes: one answer, or words and the answer last.
#[derive(Debug)]
pub(crate) enum Printed<'a> {
    /// All of it is the answer.
    Whole(Vec<u8>),
    /// Words, one a line.
    Lines(Box<Lines<'a>>),
}

/// The words of a program, and its answer once that is there.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    words: Words<'a>,
    reply: Option<BackendReply>,
}

impl<'a> Printed<'a> {
    /// Nothing yet, of a program that answers in lines or at once.
    pub(crate) fn new(lines: bool, parts: Option<&'a Parts>, progress: Progress) -> Self {
        if !lines {
            return Self::Whole(Vec::new());
        }
        Self::Lines(Box::new(Lines {
            words: Words::new(Framing::Lines, parts, progress),
            reply: None,
        }))
    }

    /// Takes what has come.
    pub(crate) async fn take(&mut self, bytes: &[u8]) -> Result<(), BackendError> {
        match self {
            Self::Whole(all) => all.extend_from_slice(bytes),
            Self::Lines(lines) => lines.take(bytes).await?,
        }
        Ok(())
    }

    /// The answer of a program that has ended well.
    pub(crate) async fn reply(self) -> Result<BackendReply, BackendError> {
        match self {
            Self::Whole(all) => {
                let output = json::parse(&all).map_err(|error| BackendError::BadOutput {
                    reason: error.to_string(),
                })?;
                Ok(BackendReply::json(output))
            }
            Self::Lines(mut lines) => {
                // The last line may have no end.
                lines.take(b"\n").await?;
                let none = || bad(&"it ended without a line of type `output`");
                lines.reply.ok_or_else(none)
            }
        }
    }
}

impl Lines<'_> {
    async fn take(&mut self, bytes: &[u8]) -> Result<(), BackendError> {
        let is_last = match self.reply {
            Some(_) => bytes.iter().all(u8::is_ascii_whitespace),
            None => {
                self.reply = self.words.take(bytes).await?;
                self.reply.is_none() || self.words.pieces.is_blank()
            }
        };
        match is_last {
            true => Ok(()),
            false => Err(bad(&"there is more after its output")),
        }
    }
}
