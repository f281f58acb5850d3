//! An announcer's log as one document that stands for itself.

use realm_protocol::{
    BroadcastId, Digest, RealmId, Timestamp,
    broadcast::{Transcript, TranscriptSeal},
    cbor::{self, Blob, CborError, Wire},
    limits::{TRANSCRIPT_ENTRIES, TRANSCRIPT_PAGES},
    records::Signed,
};
use thiserror::Error;

use crate::{log::Entry, view::Shown};

/// Why a document is no transcript.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TranscriptError {
    /// It has more pages than may be, or a page more entries.
    #[error("a transcript has at most {TRANSCRIPT_PAGES} pages of {TRANSCRIPT_ENTRIES} entries")]
    TooLong,
    /// The list of digests is not the one that was signed.
    #[error("the entries' digests are not those that were signed")]
    Digests,
    /// An entry is not the one that was signed.
    #[error("entry {entry} is not the one that was signed")]
    Changed {
        /// Its number, from 0.
        entry: u64,
    },
    /// An entry stands in another's place.
    #[error("in place of entry {entry} stands the one that was signed as entry {signed}")]
    Moved {
        /// Whose place it is, from 0.
        entry: u64,
        /// Which one stands there.
        signed: u64,
    },
    /// An entry that was signed is not there.
    #[error("entry {entry} is missing")]
    Missing {
        /// Its number, from 0.
        entry: u64,
    },
    /// There is an entry more than was signed.
    #[error("entry {entry} is one more than was signed")]
    Superfluous {
        /// Its number, from 0.
        entry: u64,
    },
    /// An entry that was signed does not read.
    #[error("entry {entry} does not read: {error}")]
    Entry {
        /// Its number, from 0.
        entry: u64,
        /// Why.
        #[source]
        error: CborError,
    },
    /// The seal or a page does not read.
    #[error("it does not read: {0}")]
    Unreadable(#[from] CborError),
    /// The seal of a transcript names a reader, or that of a view names none.
    #[error("a view is sealed for one reader, and a transcript for none")]
    Reader,
}

impl TranscriptError {
    /// The number, from 0, of the entry that is wrong, if it is one.
    pub fn entry(&self) -> Option<u64> {
        match self {
            Self::Changed { entry }
            | Self::Moved { entry, .. }
            | Self::Missing { entry }
            | Self::Superfluous { entry }
            | Self::Entry { entry, .. } => Some(*entry),
            Self::TooLong | Self::Digests | Self::Unreadable(_) | Self::Reader => None,
        }
    }
}

/// Entries in pages, with what the announcer is to sign of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsealed {
    /// What is to be signed.
    pub seal: TranscriptSeal,
    pages: Vec<Blob>,
    digests: Blob,
}

impl Unsealed {
    /// Makes pages of a broadcast's entries, to be signed at a time.
    ///
    /// # Errors
    /// [`TranscriptError::TooLong`] where there are more entries than a transcript holds.
    pub fn new(
        broadcast: BroadcastId,
        entries: &[Entry],
        at: Timestamp,
    ) -> Result<Self, TranscriptError> {
        Self::for_reader(broadcast, None, entries, at)
    }

    /// Makes pages of what one bidder may see of a broadcast, to be signed at a time.
    ///
    /// # Errors
    /// [`TranscriptError::TooLong`] as [`Unsealed::new`].
    pub fn view(
        broadcast: BroadcastId,
        reader: RealmId,
        entries: &[Shown],
        at: Timestamp,
    ) -> Result<Self, TranscriptError> {
        Self::for_reader(broadcast, Some(reader), entries, at)
    }

    fn for_reader(
        broadcast: BroadcastId,
        reader: Option<RealmId>,
        entries: &[impl Wire],
        at: Timestamp,
    ) -> Result<Self, TranscriptError> {
        let encoded: Vec<Blob> = entries.iter().map(|it| cbor::encode(it).into()).collect();
        let pages = encoded.chunks(TRANSCRIPT_ENTRIES);
        let pages: Vec<Blob> = pages
            .map(|page| cbor::encode(&page.to_vec()).into())
            .collect();
        if pages.len() > TRANSCRIPT_PAGES {
            return Err(TranscriptError::TooLong);
        }
        let digests: Vec<u8> = encoded.iter().flat_map(digest).collect();
        let seal = TranscriptSeal {
            broadcast,
            entries: entries.len() as u64,
            digest: Digest::of(&[&digests]),
            at,
            reader,
        };
        Ok(Self {
            seal,
            pages,
            digests: digests.into(),
        })
    }

    /// Makes a transcript of it with the signed seal and the announcer's encoded chain.
    pub fn sealed(self, seal: Signed<TranscriptSeal>, chain: Option<Blob>) -> Transcript {
        Transcript {
            seal,
            chain,
            pages: self.pages,
            digests: self.digests,
        }
    }
}

fn digest(entry: &Blob) -> [u8; 32] {
    *Digest::of(&[entry]).as_bytes()
}

/// Reads the entries of a transcript. The seal's signature is for the caller to check, and whether
/// the entries follow from the rule is [`crate::announcer::recompute`]'s to say.
///
/// # Errors
/// [`TranscriptError`] where the document is none, or not the one that was signed.
pub fn open_transcript(transcript: &Transcript) -> Result<Vec<Entry>, TranscriptError> {
    let seal = transcript.seal.peek()?;
    match seal.reader {
        None => open(transcript, &seal),
        Some(_) => Err(TranscriptError::Reader),
    }
}

/// Reads the entries of a view, and whose it is. The seal's signature is for the caller to check, and
/// whether the entries follow from the rule is [`crate::view::recompute`]'s to say.
///
/// # Errors
/// [`TranscriptError`] where the document is none, or not the one that was signed.
pub fn open_view(view: &Transcript) -> Result<(RealmId, Vec<Shown>), TranscriptError> {
    let seal = view.seal.peek()?;
    let reader = seal.reader.ok_or(TranscriptError::Reader)?;
    Ok((reader, open(view, &seal)?))
}

fn open<T: Wire>(
    transcript: &Transcript,
    seal: &TranscriptSeal,
) -> Result<Vec<T>, TranscriptError> {
    if transcript.pages.len() > TRANSCRIPT_PAGES {
        return Err(TranscriptError::TooLong);
    }
    let digests: Vec<&[u8]> = transcript.digests.chunks(32).collect();
    if seal.digest != Digest::of(&[&transcript.digests]) || seal.entries != digests.len() as u64 {
        return Err(TranscriptError::Digests);
    }
    let mut entries = Vec::new();
    let mut signed = (0_u64..).zip(&digests);
    for page in &transcript.pages {
        let page: Vec<Blob> = cbor::decode(page)?;
        if page.len() > TRANSCRIPT_ENTRIES {
            return Err(TranscriptError::TooLong);
        }
        for encoded in &page {
            let number = entries.len() as u64;
            let (entry, expected) = signed
                .next()
                .ok_or(TranscriptError::Superfluous { entry: number })?;
            check_entry(entry, encoded, expected, &digests)?;
            let read = cbor::decode(encoded);
            entries.push(read.map_err(|error| TranscriptError::Entry { entry, error })?);
        }
    }
    match signed.next() {
        Some((entry, _)) => Err(TranscriptError::Missing { entry }),
        None => Ok(entries),
    }
}

fn check_entry(
    entry: u64,
    encoded: &Blob,
    expected: &[u8],
    digests: &[&[u8]],
) -> Result<(), TranscriptError> {
    let digest = digest(encoded);
    if digest == expected {
        return Ok(());
    }
    let mut signed = (0_u64..).zip(digests);
    match signed.find(|(_, other)| **other == digest) {
        Some((signed, _)) => Err(TranscriptError::Moved { entry, signed }),
        None => Err(TranscriptError::Changed { entry }),
    }
}
