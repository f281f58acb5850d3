//! A grant's text form: what its giver is shown and its holder takes.

use realm_protocol::records::GrantLink;

use crate::line::{self, LineError};

/// What every grant of this version begins with.
pub const PREFIX: &str = "realm-grant-v1:";

/// Longest text that is read, bytes.
pub const TEXT_BYTES: usize = 256 * 1024;

/// Writes a chain of grants as one line. It is worth nothing but to its holder.
pub fn encode(links: &Vec<GrantLink>) -> String {
    line::write(PREFIX, links)
}

/// Reads a chain of grants; white space around it is ignored.
///
/// # Errors
/// [`LineError`] says whether the text is no grant, or damaged.
pub fn decode(text: &str) -> Result<Vec<GrantLink>, LineError> {
    line::read(PREFIX, TEXT_BYTES, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_or_changed_is_told_from_one_that_is_none() {
        let line = encode(&Vec::new());

        assert_eq!(decode(&format!(" {line}\n")), Ok(Vec::new()));
        assert_eq!(decode("realm-ticket-v1:AAAA"), Err(LineError::Prefix));
        assert_eq!(decode(&line[..line.len() - 1]), Err(LineError::Damaged));
        let changed = line.replacen(":g", ":h", 1);
        assert_ne!(changed, line);
        assert_eq!(decode(&changed), Err(LineError::Checksum));
        assert_eq!(decode(PREFIX), Err(LineError::Damaged));
    }
}
