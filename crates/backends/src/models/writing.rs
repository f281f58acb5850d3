//! Answers that are shown while they are being written.

use realm_executor::BackendError;
use realm_protocol::json;
use serde_json::{Map, Value};

use super::{Secret, refused, status};
use crate::{
    Parts,
    http::{Answer, HttpAgents, Post, within},
};

/// How one thing is told from the next.
#[derive(Clone, Copy)]
pub(super) enum Framing {
    /// Server-sent events; what they are called stands in their data, too.
    Events,
    /// One JSON document a line.
    Lines,
}

/// Puts an answer together from what comes of it, by a format.
pub(super) trait Writing: Send {
    /// Asks for an answer that comes in pieces.
    fn ask_for(&self, body: &mut Map<String, Value>) {
        body.insert("stream".to_owned(), true.into());
    }

    /// Takes the next piece; gives what of it is text of the answer.
    fn take(&mut self, piece: &Value) -> Result<Option<String>, Broken>;

    /// Whether the end has come.
    fn is_whole(&self) -> bool;

    /// The answer as it would have come in one piece.
    fn answer(&mut self) -> Value;
}

/// What the backend says of why it goes no further.
pub(super) struct Broken(pub(super) Value);

/// Why there is no answer.
pub(super) enum Failure {
    /// It ended for another reason than the backend's.
    Own(BackendError),
    /// The backend answered with a failure.
    Refused(Answer),
    /// It failed midway.
    Broken(Value),
}

impl From<BackendError> for Failure {
    fn from(error: BackendError) -> Self {
        Self::Own(error)
    }
}

impl From<Broken> for Failure {
    fn from(Broken(said): Broken) -> Self {
        Self::Broken(said)
    }
}

impl Failure {
    /// The failure as it is told; the key is not repeated. One midway is one of the backend's own.
    pub(super) fn told(self, key: Option<&Secret>) -> BackendError {
        match self {
            Self::Own(error) => error,
            Self::Refused(answer) => refused(answer, key),
            Self::Broken(said) => status(500, (&said, key), None),
        }
    }
}

/// Sends a POST, shows the text of its answer while it comes, and gives the whole.
pub(super) async fn follow(
    http: &HttpAgents,
    post: &Post<'_>,
    (framing, writing): (Framing, &mut dyn Writing),
    parts: &Parts,
) -> Result<Value, Failure> {
    let exchange = async {
        let mut begun = http.begin(post).await?;
        if !begun.is_success() {
            return Err(Failure::Refused(begun.read().await?));
        }
        let mut pieces = Pieces::new(framing);
        while let Some(chunk) = begun.chunk().await? {
            pieces.rest.extend_from_slice(&chunk);
            while let Some(piece) = pieces.next() {
                if let Some(text) = writing.take(&piece?)? {
                    parts.write(text).await;
                }
            }
        }
        if writing.is_whole() {
            Ok(writing.answer())
        } else {
            Err(begun.broke_off().into())
        }
    };
    within(post.timeout_ms, exchange).await
}

/// Finds the pieces in what comes.
struct Pieces {
    framing: Framing,
    /// What has come and ends in no line yet.
    rest: Vec<u8>,
    /// Data of the event under way.
    data: Vec<u8>,
}

impl Pieces {
    const fn new(framing: Framing) -> Self {
        Self {
            framing,
            rest: Vec::new(),
            data: Vec::new(),
        }
    }

    /// The next piece that is whole.
    fn next(&mut self) -> Option<Result<Value, BackendError>> {
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

/// Adds text to text, if there is some; gives what was added.
pub(super) fn push(whole: &mut String, text: Option<&Value>) -> Option<String> {
    let text = text?.as_str().filter(|text| !text.is_empty())?;
    whole.push_str(text);
    Some(text.to_owned())
}

/// What stands inside a value.
pub(super) fn at<'a>(value: &'a Value, names: &[&str]) -> Option<&'a Value> {
    names.iter().try_fold(value, |value, name| value.get(name))
}
