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
    /// What has come.
    bytes: Vec<u8>,
    /// How much of that was taken already. It goes when more comes, and not by the line: whoever sends lines of no
    /// length would have all the others moved for each.
    taken: usize,
    /// How much of it is taken or holds no line's end.
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
            bytes: Vec::new(),
            taken: 0,
            searched: 0,
            data: Vec::new(),
            done: false,
        }
    }

    /// Takes what has come.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.taken);
        self.searched = self.searched.saturating_sub(self.taken);
        self.taken = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing but white space is left.
    pub(crate) fn is_blank(&self) -> bool {
        let mut left = self.bytes.iter().skip(self.taken);
        left.all(u8::is_ascii_whitespace)
    }

    /// The next piece that is whole; none behind the word that some end with.
    pub(crate) fn next(&mut self) -> Option<Result<Value, BackendError>> {
        while !self.done {
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
        None
    }

    /// Whether the word has come after which nothing does.
    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let mut new = self.bytes.iter().skip(self.searched);
        let Some(found) = new.position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched.saturating_add(found);
        let line = self.bytes.get(self.taken..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
        self.taken = end.saturating_add(1);
        self.searched = self.taken;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all(pieces: &mut Pieces) -> Vec<Value> {
        let next = || pieces.next().map(Result::unwrap);
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn the_same_pieces_are_found_wherever_what_comes_is_cut() {
        let text = b"\r\n\n{\"a\":1}\r\n\n{\"b\":2}\n {\"c\":";
        for cut in 0..=text.len() {
            let mut pieces = Pieces::new(Framing::Lines);
            let (first, second) = text.split_at(cut);
            pieces.add(first);
            let mut found = all(&mut pieces);
            pieces.add(second);
            found.extend(all(&mut pieces));

            assert_eq!(found, [json!({"a": 1}), json!({"b": 2})], "{cut}");
            assert!(!pieces.is_blank(), "{cut}");
        }
    }

    /// Once each blank line moved all that had come after it: these would have taken half a minute.
    #[test]
    fn eight_mebibytes_of_blank_lines_are_moved_once_and_not_by_the_line() {
        let mut pieces = Pieces::new(Framing::Events);
        pieces.add(&vec![b'\n'; 8 * 1024 * 1024]);
        let held = pieces.bytes.len();

        assert!(pieces.next().is_none());
        assert_eq!(pieces.bytes.len(), held);
        assert!(pieces.is_blank());

        pieces.add(b"data: 7\n\n");
        assert_eq!(pieces.bytes.len(), 9);
        assert_eq!(all(&mut pieces), [7]);
    }
}
