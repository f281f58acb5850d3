//! What is wrong with a file.

use std::fmt;

use crate::Origin;

/// One thing that is wrong with a file, where, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's name; empty for what was not read from a file.
    pub file: String,
    /// Line, from 1; zero if unknown.
    pub line: usize,
    /// Column in characters, from 1; zero if unknown.
    pub column: usize,
    /// Stable id of the rule that is broken, such as `lsem.kind`.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
    /// What helps.
    pub hint: Option<String>,
}

impl Problem {
    /// Makes a problem at a place.
    pub fn at(origin: &Origin, rule: &'static str, what: impl Into<String>) -> Self {
        Self {
            file: origin.file.to_string(),
            line: origin.line,
            column: origin.column,
            rule,
            what: what.into(),
            hint: None,
        }
    }

    /// Adds what helps.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            rule,
            what,
            hint,
        } = self;
        write!(f, "{file}:{line}:{column}: {what} [{rule}]")?;
        hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}
