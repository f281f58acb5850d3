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
    /// How much of that holds no line's end.
    searched: usize,
    /// Data of the event under way, its lines.
    data: Vec<u8>,
    /// Whether the word has come that some end with.
    done: bool,
}

impl Pieces {
    pub(crate) const fn new(framing: Framing) -> Self {
        Self {
            framing,
            rest: Vec::new(),
            searched: 0,
            data: Vec::new(),
            done: false,
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
                Framing::Events if line.is_empty() => {
                    let mut data = std::mem::take(&mut self.data);
                    data.pop();
                    data
                }
                Framing::Events => {
                    if let Some(data) = line.strip_prefix(b"data:") {
                        let data = data.strip_prefix(b" ").unwrap_or(data);
                        self.data.extend_from_slice(data);
                        self.data.push(b'\n');
                    }
                    continue;
                }
            };
            // No JSON, and it says nothing else.
            self.done |= piece == b"[DONE]";
            if piece.is_empty() || piece == b"[DONE]" {
                continue;
            }
            let read = json::parse(&piece).map_err(|error| BackendError::BadOutput {
                reason: error.to_string(),
            });
            return Some(read);
        }
    }

    /// Whether the word has come after which nothing does.
    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let mut new = self.rest.iter().skip(self.searched);
        let Some(found) = new.position(|byte| *byte == b'\n') else {
            self.searched = self.rest.len();
            return None;
        };
        let end = self.searched.saturating_add(found);
        self.searched = 0;
        let mut line: Vec<u8> = self.rest.drain(..=end).collect();
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(line)
    }
}
