//! Deterministic CBOR (RFC 8949 §4.2.1): one strict checker, then a typed read.
//!
//! [`decode`] accepts exactly the bytes that [`encode`] gives back; everything else is refused.
//! Maps have integer keys. An unknown key below 64 is a version mismatch; from 64 on it is
//! ignored, and stays where it was because signed bytes are kept, never written anew.

mod blob;
mod check;
mod head;
mod reader;
mod wire;
mod writer;

use bytes::Bytes;
use thiserror::Error;

pub use blob::Blob;
pub use check::check;
pub use reader::{MapReader, Reader};
pub use wire::Wire;
pub(crate) use wire::numbered;
pub use writer::Writer;

/// Why bytes are not the CBOR this protocol speaks.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CborError {
    /// The bytes end inside an item.
    #[error("truncated")]
    Truncated,
    /// Bytes follow the item.
    #[error("trailing bytes")]
    Trailing,
    /// An integer or length is not in its shortest form.
    #[error("integer or length not in shortest form")]
    NotShortest,
    /// An item of indefinite length.
    #[error("indefinite length")]
    Indefinite,
    /// Map keys are duplicate or not in bytewise order.
    #[error("map keys duplicate or unsorted")]
    KeyOrder,
    /// Text is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
    /// A float, tag, or simple value other than false, true and null.
    #[error("a type this protocol does not use")]
    Unsupported,
    /// Nested too deep.
    #[error("nested too deep")]
    Depth,
    /// Too many items, or too many keys in one map.
    #[error("too many items")]
    Items,
    /// A required key is absent.
    #[error("key {0} is missing")]
    Missing(u64),
    /// A key this version does not know and may not ignore.
    #[error("key {0} is not known in this version")]
    Unknown(u64),
    /// A value has another type or lies outside its range.
    #[error("expected {0}")]
    Expected(&'static str),
}

/// Writes a value in the deterministic form.
pub fn encode<T: Wire>(value: &T) -> Vec<u8> {
    Writer::encode(value)
}

/// Tells how many bytes [`encode`] would give, without writing them.
pub fn encoded_length<T: Wire>(value: &T) -> usize {
    Writer::length(value)
}

/// Appends a value in the deterministic form; where there is room, without another allocation.
pub fn encode_onto<T: Wire>(value: &T, bytes: &mut Vec<u8>) {
    Writer::append(value, bytes);
}

/// Reads a value from bytes in the deterministic form.
///
/// # Errors
/// [`CborError`] says what is wrong; nothing is read before the whole document is checked.
pub fn decode<T: Wire>(bytes: &[u8]) -> Result<T, CborError> {
    check(bytes)?;
    T::read(&mut Reader::new(bytes))
}

/// Reads a value whose byte strings stay slices of the document, and keep it in memory.
///
/// # Errors
/// As [`decode`].
pub fn decode_shared<T: Wire>(bytes: &Bytes) -> Result<T, CborError> {
    check(bytes)?;
    T::read(&mut Reader::sharing(bytes))
}

#[cfg(test)]
mod tests;
