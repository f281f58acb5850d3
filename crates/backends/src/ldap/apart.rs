//! A directory's answers without a directory.

use super::{
    ber, dn,
    message::{self, Said},
};

/// Reads messages as they come from a directory, one after the other; gives the texts that would be taken
/// of them, names in the form that they are compared in as well. None where it would be hung up.
pub fn directory(mut bytes: &[u8], attribute: &str) -> Option<Vec<String>> {
    let mut texts = Vec::new();
    while !bytes.is_empty() {
        let size = ber::size(bytes).ok()??;
        let (message, rest) = bytes.split_at_checked(size)?;
        let (_, said) = message::read(message, attribute).ok()?;
        if let Said::Entry(entry) = said {
            texts.push(dn::canonical(&entry.dn));
            texts.push(entry.dn);
            texts.extend(entry.values);
        }
        bytes = rest;
    }
    Some(texts)
}
