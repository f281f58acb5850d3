//! Heads: the type of an item and its argument, in the shortest form.

use super::CborError;

/// Major types, the upper three bits of an item's first byte.
pub(super) mod major {
    pub(in crate::cbor) const UINT: u8 = 0;
    pub(in crate::cbor) const NEGATIVE: u8 = 1;
    pub(in crate::cbor) const BYTES: u8 = 2;
    pub(in crate::cbor) const TEXT: u8 = 3;
    pub(in crate::cbor) const ARRAY: u8 = 4;
    pub(in crate::cbor) const MAP: u8 = 5;
    pub(in crate::cbor) const SIMPLE: u8 = 7;
}

/// The simple values of this protocol.
pub(super) mod simple {
    pub(in crate::cbor) const FALSE: u64 = 20;
    pub(in crate::cbor) const TRUE: u64 = 21;
    pub(in crate::cbor) const NULL: u64 = 22;
}

/// What stands in front of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// One of [`major`].
    pub(super) major: u8,
    /// The integer itself, the length in bytes, the count of items or pairs, or the simple value.
    pub(super) argument: u64,
}

/// A place in a document.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes before this place.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Major type of the item that begins here.
    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).map(|initial| initial >> 5)
    }

    /// Reads a head; only types and forms of this protocol have one.
    #[inline]
    pub(super) fn head(&mut self) -> Result<Head, CborError> {
        let initial = *self.bytes.get(self.at).ok_or(CborError::Truncated)?;
        self.at = self.at.saturating_add(1);
        let (major, info) = (initial >> 5, initial & 0x1f);
        let argument = match (major, info) {
            (major::SIMPLE, 20..=22) | (0..=6, 0..=23) => u64::from(info),
            (_, 31) => return Err(CborError::Indefinite),
            (major::SIMPLE, _) | (_, 28..) => return Err(CborError::Unsupported),
            (_, info) => self.argument(info)?,
        };
        // Tags have a head like any other, and no place here.
        if major == 6 {
            return Err(CborError::Unsupported);
        }
        Ok(Head { major, argument })
    }

    fn argument(&mut self, info: u8) -> Result<u64, CborError> {
        let (width, least) = match info {
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            _ => (8, 1 << 32),
        };
        let value = self
            .take(width)?
            .iter()
            .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        if value < least {
            Err(CborError::NotShortest)
        } else {
            Ok(value)
        }
    }

    /// Reads the bytes of a string.
    #[inline]
    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::Truncated)?;
        let end = self.at.checked_add(length).ok_or(CborError::Truncated)?;
        let slice = self.bytes.get(self.at..end).ok_or(CborError::Truncated)?;
        self.at = end;
        Ok(slice)
    }

    /// The bytes from an earlier place to this one.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }
}
