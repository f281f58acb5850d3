//! Reading a checked document, item by item and without copies.

use bytes::Bytes;

use super::{
    Blob, CborError, Wire,
    head::{Cursor, major, simple},
};

/// First map key that a reader may ignore when it does not know it.
const IGNORABLE: u64 = 64;

/// Reads the items of a document one after the other.
#[derive(Debug)]
pub struct Reader<'a> {
    cursor: Cursor<'a>,
    /// The document, if byte strings may stay slices of it.
    shared: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            shared: None,
        }
    }

    pub(super) fn sharing(bytes: &'a Bytes) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            shared: Some(bytes),
        }
    }

    /// Reads the argument of an item of one type.
    #[inline]
    fn argument(&mut self, major: u8, expected: &'static str) -> Result<u64, CborError> {
        let head = self.cursor.head()?;
        if head.major == major {
            Ok(head.argument)
        } else {
            Err(CborError::Expected(expected))
        }
    }

    /// Reads an unsigned integer.
    ///
    /// # Errors
    /// [`CborError::Expected`] before anything else.
    pub fn uint(&mut self) -> Result<u64, CborError> {
        let head = self.cursor.head()?;
        match head.major {
            major::UINT => Ok(head.argument),
            major::NEGATIVE => Err(CborError::Expected("an unsigned integer")),
            _ => Err(CborError::Expected("an integer")),
        }
    }

    /// Reads a byte string, without a copy.
    ///
    /// # Errors
    /// [`CborError::Expected`] before anything else.
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let length = self.argument(major::BYTES, "a byte string")?;
        self.cursor.take(length)
    }

    /// Reads a byte string to keep: a slice of the document where it is shared, otherwise a copy.
    ///
    /// # Errors
    /// [`CborError::Expected`] before anything else.
    pub fn blob(&mut self) -> Result<Blob, CborError> {
        let bytes = self.bytes()?;
        let end = self.cursor.position();
        let start = end.saturating_sub(bytes.len());
        Ok(match self.shared {
            Some(document) => document.slice(start..end).into(),
            None => Bytes::copy_from_slice(bytes).into(),
        })
    }

    /// Reads a text, without a copy.
    ///
    /// # Errors
    /// [`CborError::Expected`] before anything else.
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let length = self.argument(major::TEXT, "text")?;
        std::str::from_utf8(self.cursor.take(length)?).map_err(|_| CborError::Utf8)
    }

    /// Reads true or false.
    ///
    /// # Errors
    /// [`CborError::Expected`] before anything else.
    pub fn bool(&mut self) -> Result<bool, CborError> {
        match self.argument(major::SIMPLE, "true or false")? {
            simple::TRUE => Ok(true),
            simple::FALSE => Ok(false),
            _ => Err(CborError::Expected("true or false")),
        }
    }

    /// Begins an array and gives the number of its items, which are read next.
    ///
    /// # Errors
    /// [`CborError::Expected`] before anything else.
    pub fn array(&mut self, expected: &'static str) -> Result<u64, CborError> {
        self.argument(major::ARRAY, expected)
    }

    /// Begins an array of exactly so many items, which are read next.
    ///
    /// # Errors
    /// [`CborError::Expected`] before anything else, and before another number of items.
    pub fn array_of(&mut self, items: u64, expected: &'static str) -> Result<(), CborError> {
        if self.array(expected)? == items {
            Ok(())
        } else {
            Err(CborError::Expected(expected))
        }
    }

    /// Begins a map, whose fields are read next.
    ///
    /// # Errors
    /// [`CborError::Expected`] before anything else.
    pub fn map(&mut self) -> Result<MapReader<'_, 'a>, CborError> {
        let left = self.argument(major::MAP, "a map")?;
        Ok(MapReader {
            reader: self,
            left,
            key: None,
        })
    }

    /// Whether a byte string comes next.
    pub fn is_at_bytes(&self) -> bool {
        self.cursor.peek() == Some(major::BYTES)
    }

    /// Reads any item and gives its bytes.
    ///
    /// # Errors
    /// [`CborError::Truncated`] at the end of the document.
    pub fn item(&mut self) -> Result<&'a [u8], CborError> {
        let start = self.cursor.position();
        let mut left = 1_u64;
        while left > 0 {
            let head = self.cursor.head()?;
            left = left.saturating_sub(1);
            match head.major {
                major::BYTES | major::TEXT => {
                    self.cursor.take(head.argument)?;
                }
                major::ARRAY => left = left.saturating_add(head.argument),
                major::MAP => left = left.saturating_add(head.argument.saturating_mul(2)),
                _ => {}
            }
        }
        Ok(self.cursor.since(start))
    }
}

/// Reads the fields of a map with integer keys, in ascending order.
#[derive(Debug)]
pub struct MapReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// Pairs whose key has not been read.
    left: u64,
    /// A key that has been read, and its value not.
    key: Option<u64>,
}

impl MapReader<'_, '_> {
    /// Reads the value of `key`. Fields are asked for in ascending order.
    ///
    /// # Errors
    /// [`CborError::Missing`] where the key is required, [`CborError::Unknown`] for a key before
    /// it that may not be ignored, and what reading the value gives.
    pub fn take<T: Wire>(&mut self, key: u64) -> Result<T, CborError> {
        while let Some(next) = self.next_key()? {
            if next == key {
                self.key = None;
                return T::read(self.reader);
            }
            if next > key {
                break;
            }
            self.ignore(next)?;
        }
        T::absent(key)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`CborError::Unknown`] for a key left over that may not be ignored.
    pub fn finish(mut self) -> Result<(), CborError> {
        while let Some(next) = self.next_key()? {
            self.ignore(next)?;
        }
        Ok(())
    }

    fn next_key(&mut self) -> Result<Option<u64>, CborError> {
        if self.key.is_none() && self.left > 0 {
            self.left = self.left.saturating_sub(1);
            self.key = Some(self.reader.uint()?);
        }
        Ok(self.key)
    }

    fn ignore(&mut self, key: u64) -> Result<(), CborError> {
        if key < IGNORABLE {
            return Err(CborError::Unknown(key));
        }
        self.key = None;
        self.reader.item().map(|_| ())
    }
}
