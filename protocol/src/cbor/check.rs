//! The strict checker: iterative, bounded, before any allocation.

use super::CborError;
use crate::limits;

/// Checks that `bytes` are exactly one item in the deterministic form, within the limits.
///
/// # Errors
/// The first violation found.
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    let mut reader = Reader { bytes, at: 0 };
    let mut open: Vec<Open> = Vec::new();
    let mut items = 0_usize;
    loop {
        items = items.saturating_add(1);
        if items > limits::CBOR_ITEMS {
            return Err(CborError::Items);
        }
        let start = reader.at;
        let at_key = open
            .last()
            .is_some_and(|level| level.map && level.left.is_multiple_of(2));
        if at_key && bytes.get(start).is_some_and(|initial| initial >> 5 != 0) {
            return Err(CborError::Expected("an unsigned integer as map key"));
        }
        let opened = reader.item()?;
        if let Some(level) = opened.filter(|level| level.left > 0) {
            if open.len().saturating_add(1) >= limits::CBOR_DEPTH {
                return Err(CborError::Depth);
            }
            open.push(level);
            continue;
        }
        if !close(bytes, start, reader.at, &mut open)? {
            break;
        }
    }
    if reader.at == bytes.len() {
        Ok(())
    } else {
        Err(CborError::Trailing)
    }
}

/// A map or array whose items are still being read.
struct Open {
    /// Items left, a map's keys and values counted apart.
    left: u64,
    map: bool,
    /// Start and end of a map's last key.
    last_key: Option<(usize, usize)>,
}

/// Counts a finished item into what holds it; false once the whole document is read.
fn close(bytes: &[u8], start: usize, end: usize, open: &mut Vec<Open>) -> Result<bool, CborError> {
    let mut start = start;
    while let Some(level) = open.last_mut() {
        if level.map && level.left.is_multiple_of(2) {
            let key = bytes.get(start..end).ok_or(CborError::Truncated)?;
            let last = level.last_key.and_then(|(from, to)| bytes.get(from..to));
            if last.is_some_and(|last| last >= key) {
                return Err(CborError::KeyOrder);
            }
            level.last_key = Some((start, end));
        }
        level.left = level.left.saturating_sub(1);
        if level.left > 0 {
            return Ok(true);
        }
        open.pop();
        // What closes next is a container, which is never a key.
        start = end;
    }
    Ok(false)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Reads one item's head, and its content if it has no items of its own.
    fn item(&mut self) -> Result<Option<Open>, CborError> {
        let initial = self.byte()?;
        let (major, info) = (initial >> 5, initial & 0x1f);
        if major == 7 {
            return match info {
                20..=22 => Ok(None),
                31 => Err(CborError::Indefinite),
                _ => Err(CborError::Unsupported),
            };
        }
        let argument = self.argument(info)?;
        match major {
            0 | 1 => Ok(None),
            2 => self.skip(argument).map(|_| None),
            3 => {
                let text = self.skip(argument)?;
                std::str::from_utf8(text).map_err(|_| CborError::Utf8)?;
                Ok(None)
            }
            4 => Ok(Some(Open {
                left: argument,
                map: false,
                last_key: None,
            })),
            5 if argument > limits::CBOR_MAP_KEYS as u64 => Err(CborError::Items),
            5 => Ok(Some(Open {
                left: argument.saturating_mul(2),
                map: true,
                last_key: None,
            })),
            _ => Err(CborError::Unsupported),
        }
    }

    fn argument(&mut self, info: u8) -> Result<u64, CborError> {
        let (width, least) = match info {
            0..=23 => return Ok(u64::from(info)),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            31 => return Err(CborError::Indefinite),
            _ => return Err(CborError::Unsupported),
        };
        let bytes = self.skip(width)?;
        let value = bytes
            .iter()
            .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        if value < least {
            Err(CborError::NotShortest)
        } else {
            Ok(value)
        }
    }

    fn byte(&mut self) -> Result<u8, CborError> {
        let byte = self.bytes.get(self.at).ok_or(CborError::Truncated)?;
        self.at = self.at.saturating_add(1);
        Ok(*byte)
    }

    fn skip(&mut self, length: u64) -> Result<&[u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::Truncated)?;
        let end = self.at.checked_add(length).ok_or(CborError::Truncated)?;
        let slice = self.bytes.get(self.at..end).ok_or(CborError::Truncated)?;
        self.at = end;
        Ok(slice)
    }
}
