//! Labels and realm paths.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::limits;

/// Why a name does not parse.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// An id is not lower-case base 32 of the right length.
    #[error("not a valid id: expected lower-case base 32 of the right length")]
    Id,
    /// A label breaks the grammar.
    #[error(
        "not a valid label: `{0}` (lower-case letters, digits and inner hyphens, 1 to 63 characters)"
    )]
    Label(String),
    /// A path has too many labels.
    #[error(
        "a realm path has at most {} labels below its root",
        limits::PATH_DEPTH
    )]
    Depth,
    /// A path is too long.
    #[error("a realm path has at most {} bytes", limits::PATH_BYTES)]
    Length,
    /// A loop id breaks the grammar.
    #[error("not a valid loop id: `{0}` (1 to 128 letters, digits and `. _ : / -`)")]
    LoopId(String),
}

/// One step of a realm's name: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let inner = text.bytes().all(|b| alphanumeric(b) || b == b'-');
        let ends = [text.bytes().next(), text.bytes().last()];
        let edges = ends.into_iter().all(|end| end.is_some_and(alphanumeric));
        if inner && edges && text.len() <= limits::LABEL_BYTES {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::Label(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Label {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a realm stands below its root: `health/cardiology`; empty for the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RealmPath(Vec<Label>);

impl RealmPath {
    /// The path of a root.
    pub const ROOT: Self = Self(Vec::new());

    /// Checks depth and length.
    ///
    /// # Errors
    /// [`NameError::Depth`] and [`NameError::Length`] past the limits.
    pub fn new(labels: Vec<Label>) -> Result<Self, NameError> {
        let bytes = labels.iter().fold(0_usize, |bytes, label| {
            bytes.saturating_add(label.0.len()).saturating_add(1)
        });
        if labels.len() > limits::PATH_DEPTH {
            Err(NameError::Depth)
        } else if bytes > limits::PATH_BYTES + 1 {
            Err(NameError::Length)
        } else {
            Ok(Self(labels))
        }
    }

    /// The labels from the root down.
    pub fn labels(&self) -> &[Label] {
        &self.0
    }

    /// Number of labels; zero for a root.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// Whether this is a root's path.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path one level up; none for a root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// The path of a child.
    ///
    /// # Errors
    /// As [`RealmPath::new`].
    pub fn child(&self, label: Label) -> Result<Self, NameError> {
        let mut labels = self.0.clone();
        labels.push(label);
        Self::new(labels)
    }

    /// Whether `other` is this path or below it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The label right below this path on the way to `other`, if `other` is below.
    pub fn next_label<'a>(&self, other: &'a Self) -> Option<&'a Label> {
        self.contains(other).then(|| other.0.get(self.0.len()))?
    }

    /// All paths from the root to this one, both included.
    pub fn lineage(&self) -> impl Iterator<Item = Self> + '_ {
        (0..=self.0.len()).map(|depth| Self(self.0.iter().take(depth).cloned().collect()))
    }
}

impl FromStr for RealmPath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Ok(Self::ROOT);
        }
        Self::new(text.split('/').map(str::parse).collect::<Result<_, _>>()?)
    }
}

impl TryFrom<String> for RealmPath {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<RealmPath> for String {
    fn from(path: RealmPath) -> Self {
        path.to_string()
    }
}

impl fmt::Display for RealmPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, label) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            f.write_str(label.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
