//! An announcer's log as one document that stands for itself.

use realm_protocol::{
    BroadcastId, Digest,
    broadcast::{Transcript, TranscriptSeal},
    cbor::{self, Blob, CborError},
    limits::{TRANSCRIPT_ENTRIES, TRANSCRIPT_PAGES},
};
use thiserror::Error;

use crate::log::Entry;

/// Why a document is no transcript.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TranscriptError {
    /// It has more pages than may be, or a page more entries.
    #[error("a transcript has at most {TRANSCRIPT_PAGES} pages of {TRANSCRIPT_ENTRIES} entries")]
    TooLong,
    /// The pages are not those that were signed.
    #[error("the pages do not have the digest that was signed")]
    Digest,
    /// There are more or fewer entries than were signed.
    #[error("there are not as many entries as were signed")]
    Count,
    /// The seal, a page or an entry does not read.
    #[error("it does not read: {0}")]
    Unreadable(#[from] CborError),
}

/// Makes pages of entries, and what the announcer signs of them.
///
/// # Errors
/// [`TranscriptError::TooLong`] where there are more entries than a transcript holds.
pub fn seal_transcript(
    broadcast: BroadcastId,
    entries: &[Entry],
) -> Result<(TranscriptSeal, Vec<Blob>), TranscriptError> {
    let pages = entries.chunks(TRANSCRIPT_ENTRIES).map(|page| {
        let page: Vec<Blob> = page.iter().map(|it| Blob::from(cbor::encode(it))).collect();
        Blob::from(cbor::encode(&page))
    });
    let pages: Vec<Blob> = pages.collect();
    if pages.len() > TRANSCRIPT_PAGES {
        return Err(TranscriptError::TooLong);
    }
    let seal = TranscriptSeal {
        broadcast,
        entries: entries.len() as u64,
        digest: digest(&pages),
    };
    Ok((seal, pages))
}

fn digest(pages: &[Blob]) -> Digest {
    let pages: Vec<&[u8]> = pages.iter().map(|page| &**page).collect();
    Digest::of(&pages)
}

/// Reads the entries of a transcript. The seal's signature is for the caller to check, and whether
/// the entries follow from the rule is [`crate::announcer::recompute`]'s to say.
///
/// # Errors
/// [`TranscriptError`] where the document is none, or not the one that was signed.
pub fn open_transcript(transcript: &Transcript) -> Result<Vec<Entry>, TranscriptError> {
    if transcript.pages.len() > TRANSCRIPT_PAGES {
        return Err(TranscriptError::TooLong);
    }
    let seal = transcript.seal.peek()?;
    if seal.digest != digest(&transcript.pages) {
        return Err(TranscriptError::Digest);
    }
    let mut entries = Vec::new();
    for page in &transcript.pages {
        let page: Vec<Blob> = cbor::decode(page)?;
        if page.len() > TRANSCRIPT_ENTRIES {
            return Err(TranscriptError::TooLong);
        }
        for entry in &page {
            entries.push(cbor::decode(entry)?);
        }
    }
    if seal.entries == entries.len() as u64 {
        Ok(entries)
    } else {
        Err(TranscriptError::Count)
    }
}
