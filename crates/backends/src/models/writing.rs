//! Answers that are shown while they are being written.

use realm_executor::BackendError;
use serde_json::{Map, Value};

use super::{Secret, refused, status};
use crate::{
    Parts,
    http::{Answer, HttpAgents, Post, within},
    pieces::{Framing, Pieces},
};

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

    /// Whether nothing comes any more, though the connection may stay open.
    fn is_over(&self) -> bool {
        self.is_whole()
    }

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
        while !is_over(&pieces, writing) {
            let Some(chunk) = begun.chunk().await? else {
                break;
            };
            pieces.add(&chunk);
            while let Some(words) = next_words(&mut pieces, writing) {
                parts.write(words?).await;
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

/// Whether nothing more is read, whatever comes.
pub(super) fn is_over(pieces: &Pieces, writing: &dyn Writing) -> bool {
    pieces.is_done() || writing.is_over()
}

/// The next words of what has come; none until more comes.
pub(super) fn next_words(
    pieces: &mut Pieces,
    writing: &mut dyn Writing,
) -> Option<Result<String, Failure>> {
    while !is_over(pieces, writing) {
        let taken = pieces.next()?.map_err(Failure::from);
        let taken = taken.and_then(|piece| writing.take(&piece).map_err(Failure::from));
        if let Some(words) = taken.transpose() {
            return Some(words);
        }
    }
    None
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
