//! Answers that come in pieces, each a JSON document.

use realm_executor::BackendError;
use realm_protocol::json;
use serde_json::Value;

/// How one thing is told from the next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Framing {
    /// Server-sent events; what they are called stands in their data, too.
    Events,
    /// One JSON document a line.
    Lines,
}

/// Finds the pieces in what comes.
#[derive(Debug)]
pub(crate) struct Pieces {
    framing: Framing,
    /// What has come and ends in no line yet.
    rest: Vec<u8>,
    /// Data of the event under way.
    data: Vec<u8>,
}

impl Pieces {
    pub(crate) const fn new(framing: Framing) -> Self {
        Self {
            framing,
            rest: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Takes what has come.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// Whether nothing but white space is left.
    pub(crate) fn is_blank(&self) -> bool {
        self.rest.iter().all(u8::is_ascii_whitespace)
    }

    /// The next piece that is whole.
    pub(crate) fn next(&mut self) -> Option<Result<Value, BackendError>> {
        loop {
            let line = self.line()?;
            let piece = match self.framing {
                Framing::Lines => line,
                Framing::Events if line.is_empty() => std::mem::take(&mut self.data),
                Framing::Events => {
                    if let Some(data) = line.strip_prefix(b"data:") {
                        let data = data.strip_prefix(b" ").unwrap_or(data);
                        self.data.extend_from_slice(data);
                    }
                    continue;
                }
            };
            // The word that some end with is no JSON, and says nothing.
            if piece.is_empty() || piece == b"[DONE]" {
                continue;
            }
            let read = json::parse(&piece).map_err(|error| BackendError::BadOutput {
                reason: error.to_string(),
            });
            return Some(read);
        }
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let mut line: Vec<u8> = self.rest.drain(..=end).collect();
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(line)
    }
}
