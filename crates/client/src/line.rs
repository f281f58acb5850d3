//! What is handed over as one line of text: a prefix, then base64url without padding of CBOR and the first
//! four bytes of its SHA-256. The checksum finds slips of copying; it proves nothing.

use data_encoding::BASE64URL_NOPAD;
use realm_protocol::{
    Digest,
    cbor::{self, CborError, Wire},
};
use thiserror::Error;

const CHECKSUM_BYTES: usize = 4;

/// Why a text is no such line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LineError {
    /// It does not begin with the prefix, or is longer than any.
    #[error("it does not begin as it must, or is too long")]
    Prefix,
    /// A character is not base64url, or the text is cut.
    #[error("it is damaged or cut")]
    Damaged,
    /// The checksum does not fit.
    #[error("its checksum does not fit; a character was changed or lost")]
    Checksum,
    /// The bytes say something else.
    #[error("it does not say what it should")]
    Content(#[from] CborError),
}

/// Writes a value as one line.
pub(crate) fn write<T: Wire>(prefix: &str, value: &T) -> String {
    let mut bytes = cbor::encode(value);
    let checksum = Digest::of(&[&bytes]);
    bytes.extend(checksum.as_bytes().iter().take(CHECKSUM_BYTES));
    format!("{prefix}{}", BASE64URL_NOPAD.encode(&bytes))
}

/// Reads a line of `most` bytes at most; white space around it is ignored.
pub(crate) fn read<T: Wire>(prefix: &str, most: usize, text: &str) -> Result<T, LineError> {
    let text = text.trim();
    if text.len() > most {
        return Err(LineError::Prefix);
    }
    let encoded = text.strip_prefix(prefix).ok_or(LineError::Prefix)?;
    let bytes = BASE64URL_NOPAD
        .decode(encoded.as_bytes())
        .map_err(|_| LineError::Damaged)?;
    let (content, checksum) = bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or(LineError::Damaged)?;
    if !Digest::of(&[content]).as_bytes().starts_with(checksum) {
        return Err(LineError::Checksum);
    }
    Ok(cbor::decode(content)?)
}
