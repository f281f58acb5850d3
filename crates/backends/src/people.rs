//! Somebody whom a directory or a provider knows, and why nothing is said of them.

use std::collections::BTreeSet;

use thiserror::Error;

/// Letters of a name that somebody signs in with.
pub(crate) const NAME: usize = 256;

/// Somebody whom a directory knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What they are called there, in the one form that it has.
    pub name: String,
    /// The groups of interest that they are in, as they were named.
    pub groups: BTreeSet<String>,
}

/// Why a directory says nothing of somebody.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DirectoryError {
    /// There is nobody of that name, or the password is wrong. Which of them is not told.
    #[error("the name or the password is wrong, or may not be used now")]
    Refused,
    /// It cannot be asked, or what it says is not right.
    #[error("who they are cannot be asked: {reason}")]
    Unavailable {
        /// What is wrong.
        reason: String,
    },
}

impl DirectoryError {
    /// It cannot be asked, for this reason.
    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
        }
    }
}

/// Whether a name can stand in traces, logs and policies as it is.
pub(crate) fn is_plain(name: &str) -> bool {
    // What is not seen, or turns the order of what is, could show a name as another's.
    let unseen = |c: char| {
        matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let wrong = |c: char| c.is_control() || c == ':' || unseen(c);
    !name.is_empty() && name.len() <= NAME && !name.contains(wrong)
}
