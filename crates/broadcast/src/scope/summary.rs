//! What a subtree can do, in a size that does not grow with it.

use realm_protocol::{Digest, broadcast::Summary, cbor::Blob, limits::SUMMARY_BYTES};
use thiserror::Error;

/// Bits that each entry sets.
const HASHES: usize = 4;

/// A filter of another length than the protocol's.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a summary's filter has {SUMMARY_BYTES} bytes")]
pub struct SummaryError;

/// A set of capabilities that holds what was added, and now and then what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    filter: Box<[u8; SUMMARY_BYTES]>,
    realms: u64,
}

impl Capabilities {
    /// Those of one realm.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a str>) -> Self {
        let mut filter = Box::new([0_u8; SUMMARY_BYTES]);
        for entry in entries {
            for (byte, bit) in places(entry) {
                if let Some(byte) = filter.get_mut(byte) {
                    *byte |= bit;
                }
            }
        }
        Self { filter, realms: 1 }
    }

    /// Those of a realm that has not said what it can do, and may be able to do everything.
    pub fn everything() -> Self {
        Self {
            filter: Box::new([u8::MAX; SUMMARY_BYTES]),
            realms: 1,
        }
    }

    /// Reads a neighbour's summary.
    ///
    /// # Errors
    /// [`SummaryError`] for a filter of another length.
    pub fn read(summary: &Summary) -> Result<Self, SummaryError> {
        let filter: [u8; SUMMARY_BYTES] = (*summary.filter).try_into().map_err(|_| SummaryError)?;
        Ok(Self {
            filter: Box::new(filter),
            realms: summary.realms,
        })
    }

    /// Writes the summary for a neighbour.
    pub fn write(&self) -> Summary {
        Summary {
            filter: Blob::from(self.filter.to_vec()),
            realms: self.realms,
        }
    }

    /// Adds what the realms of another summary can do.
    pub fn join(&mut self, other: &Self) {
        for (byte, other) in self.filter.iter_mut().zip(other.filter.iter()) {
            *byte |= other;
        }
        self.realms = self.realms.saturating_add(other.realms);
    }

    /// Whether the entry was added, or seems so.
    pub fn hold(&self, entry: &str) -> bool {
        let is_set =
            |(byte, bit): (usize, u8)| self.filter.get(byte).is_some_and(|byte| byte & bit != 0);
        places(entry).all(is_set)
    }

    /// How many realms it speaks for.
    pub fn realms(&self) -> u64 {
        self.realms
    }
}

/// The bits of an entry, each as its byte and its mask.
fn places(entry: &str) -> impl Iterator<Item = (usize, u8)> {
    let digest = *Digest::of(&[entry.as_bytes()]).as_bytes();
    (0..HASHES).filter_map(move |hash| {
        let pair = digest.chunks_exact(2).nth(hash)?;
        let number = usize::from(u16::from_be_bytes(pair.try_into().ok()?));
        let bit = number & (SUMMARY_BYTES * 8 - 1);
        Some((bit >> 3, 1_u8 << (bit & 7)))
    })
}
