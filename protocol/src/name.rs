//! Labels and realm paths.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

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
        check_label(text)?;
        Ok(Self(text.to_owned()))
    }
}

fn check_label(text: &str) -> Result<(), NameError> {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let inner = text.bytes().all(|b| alphanumeric(b) || b == b'-');
    let ends = [text.as_bytes().first(), text.as_bytes().last()];
    let edges = ends
        .into_iter()
        .all(|end| end.is_some_and(|b| alphanumeric(*b)));
    if inner && edges && text.len() <= limits::LABEL_BYTES {
        Ok(())
    } else {
        Err(NameError::Label(text.chars().take(80).collect()))
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
///
/// Clones share the text. Paths sort label by label.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RealmPath(Option<Arc<str>>);

impl RealmPath {
    /// The path of a root.
    pub const ROOT: Self = Self(None);

    /// Joins labels, the root's side first.
    ///
    /// # Errors
    /// [`NameError::Depth`] and [`NameError::Length`] past the limits.
    pub fn new(labels: &[Label]) -> Result<Self, NameError> {
        let labels: Vec<&str> = labels.iter().map(Label::as_str).collect();
        labels.join("/").parse()
    }

    /// The path's text.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The labels from the root down.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().flat_map(|text| text.split('/'))
    }

    /// The label that its parent gave the realm; none for a root.
    pub fn last_label(&self) -> Option<Label> {
        let last = self.labels().next_back()?;
        Some(Label(last.to_owned()))
    }

    /// Number of labels; zero for a root.
    pub fn depth(&self) -> usize {
        self.labels().count()
    }

    /// Whether this is a root's path.
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// The path one level up; none for a root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let text = self.0.as_deref()?;
        let above = text.rsplit_once('/').map(|(above, _)| Arc::from(above));
        Some(Self(above))
    }

    /// The path of a child.
    ///
    /// # Errors
    /// As [`RealmPath::new`].
    pub fn child(&self, label: &Label) -> Result<Self, NameError> {
        match &self.0 {
            None => label.as_str().parse(),
            Some(text) => format!("{text}/{label}").parse(),
        }
    }

    /// Whether `other` is this path or below it.
    pub fn contains(&self, other: &Self) -> bool {
        self.rest_of(other).is_some()
    }

    /// The label right below this path on the way to `other`, if `other` is below.
    pub fn next_label(&self, other: &Self) -> Option<Label> {
        let next = self.rest_of(other)?.split('/').next()?;
        (!next.is_empty()).then(|| Label(next.to_owned()))
    }

    /// What stands in `other` below this path; none if it is elsewhere.
    fn rest_of<'a>(&self, other: &'a Self) -> Option<&'a str> {
        let Some(text) = &self.0 else {
            return Some(other.as_str());
        };
        let rest = other.as_str().strip_prefix(&**text)?;
        if rest.is_empty() {
            Some(rest)
        } else {
            rest.strip_prefix('/')
        }
    }

    /// All paths from the root to this one, both included.
    pub fn lineage(&self) -> impl Iterator<Item = Self> + '_ {
        let text = self.as_str();
        let above = text
            .match_indices('/')
            .filter_map(|(end, _)| text.get(..end));
        let below_root = above.chain((!self.is_root()).then_some(text));
        std::iter::once(Self::ROOT).chain(below_root.map(|text| Self(Some(text.into()))))
    }
}

impl Ord for RealmPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.labels().cmp(other.labels())
    }
}

impl PartialOrd for RealmPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for RealmPath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Ok(Self::ROOT);
        }
        let mut depth = 0_usize;
        for label in text.split('/') {
            check_label(label)?;
            depth = depth.saturating_add(1);
        }
        if depth > limits::PATH_DEPTH {
            Err(NameError::Depth)
        } else if text.len() > limits::PATH_BYTES {
            Err(NameError::Length)
        } else {
            Ok(Self(Some(text.into())))
        }
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
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RealmPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RealmPath({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests;
