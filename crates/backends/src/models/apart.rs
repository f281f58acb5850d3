//! A model's answers without a model.

use realm_executor::{BackendError, BackendOutput, ModelRequest};

use super::{Format, writing::next_words};
use crate::pieces::Pieces;

/// What is made of an answer that comes while it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The words that are shown, one after the other.
    pub words: String,
    /// The answer, once it is whole.
    pub answer: Option<Result<BackendOutput, BackendError>>,
}

/// Reads an answer in a format, so many bytes at a time.
///
/// # Errors
/// [`BackendError`] where it would be hung up, or the backend says that it failed.
pub fn model(
    format: Format,
    bytes: &[u8],
    at_once: usize,
    request: &ModelRequest,
) -> Result<Shown, BackendError> {
    let (framing, mut writing) = format.writing(request);
    let mut pieces = Pieces::new(framing);
    let mut words = String::new();
    for chunk in bytes.chunks(at_once.max(1)) {
        pieces.add(chunk);
        while let Some(next) = next_words(&mut pieces, &mut *writing) {
            words.push_str(&next.map_err(|failure| failure.told(None))?);
        }
    }
    let answer = writing.is_whole().then(|| {
        let answer = writing.answer();
        format.read(&answer, request).map(|said| said.output)
    });
    Ok(Shown { words, answer })
}
