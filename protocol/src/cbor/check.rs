//! The strict checker: iterative, bounded, without any allocation.

use super::{
    CborError,
    head::{Cursor, Head, major},
};
use crate::limits;

/// Containers that may be open at once: the innermost item lies one deeper.
const OPEN: usize = limits::CBOR_DEPTH - 1;

/// Checks that `bytes` are exactly one item in the deterministic form, within the limits.
///
/// # Errors
/// The first violation found.
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    let mut cursor = Cursor::new(bytes);
    let mut open = Levels::default();
    let mut items = 0_usize;
    loop {
        items = items.saturating_add(1);
        if items > limits::CBOR_ITEMS {
            return Err(CborError::Items);
        }
        let key = open.is_at_key();
        if key && cursor.peek().is_some_and(|major| major != major::UINT) {
            return Err(CborError::Expected("an unsigned integer as map key"));
        }
        let head = cursor.head()?;
        if key {
            open.key(head.argument)?;
        }
        match level(&mut cursor, head)? {
            Some(level) if level.left > 0 => open.push(level)?,
            _ if open.close() => {}
            _ => break,
        }
    }
    if cursor.is_at_end() {
        Ok(())
    } else {
        Err(CborError::Trailing)
    }
}

/// Skips what a head announces; a container's items are still to come.
fn level(cursor: &mut Cursor<'_>, head: Head) -> Result<Option<Level>, CborError> {
    match head.major {
        major::BYTES => {
            cursor.take(head.argument)?;
        }
        major::TEXT => {
            let text = cursor.take(head.argument)?;
            std::str::from_utf8(text).map_err(|_| CborError::Utf8)?;
        }
        major::ARRAY => return Ok(Some(Level::of(head.argument, false))),
        major::MAP if head.argument > limits::CBOR_MAP_KEYS as u64 => {
            return Err(CborError::Items);
        }
        major::MAP => return Ok(Some(Level::of(head.argument.saturating_mul(2), true))),
        _ => {}
    }
    Ok(None)
}

/// A map or array whose items are still being read.
#[derive(Clone, Copy, Default)]
struct Level {
    /// Items left, a map's keys and values counted apart.
    left: u64,
    map: bool,
    last_key: Option<u64>,
}

impl Level {
    fn of(left: u64, map: bool) -> Self {
        Self {
            left,
            map,
            last_key: None,
        }
    }
}

/// The containers around the next item, the outermost first.
#[derive(Default)]
struct Levels {
    levels: [Level; OPEN],
    count: usize,
}

impl Levels {
    fn innermost(&mut self) -> Option<&mut Level> {
        self.levels.get_mut(self.count.checked_sub(1)?)
    }

    fn is_at_key(&mut self) -> bool {
        self.innermost()
            .is_some_and(|level| level.map && level.left.is_multiple_of(2))
    }

    /// Takes note of a key. The shortest forms of integers sort like the integers.
    fn key(&mut self, key: u64) -> Result<(), CborError> {
        let Some(level) = self.innermost() else {
            return Ok(());
        };
        if level.last_key.replace(key).is_some_and(|last| last >= key) {
            return Err(CborError::KeyOrder);
        }
        Ok(())
    }

    fn push(&mut self, level: Level) -> Result<(), CborError> {
        let place = self.levels.get_mut(self.count).ok_or(CborError::Depth)?;
        *place = level;
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Counts a finished item into what holds it; false once the whole document is read.
    fn close(&mut self) -> bool {
        while let Some(level) = self.innermost() {
            level.left = level.left.saturating_sub(1);
            if level.left > 0 {
                return true;
            }
            self.count = self.count.saturating_sub(1);
        }
        false
    }
}
