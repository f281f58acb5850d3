//! Places on the wire and addresses in text.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Label, NameError, NodeId, RealmId, RealmPath, limits, wire_map};

wire_map! {
    /// A realm on the wire: where it stands and, as far as the sender knows, who it is.
    #[derive(PartialOrd, Ord, Hash)]
    pub struct Place {
        /// The root of its tree.
        0 => root: RealmId,
        /// Its path below the root.
        1 => path: RealmPath,
        /// The realm itself; absent only where it is being resolved.
        2 => realm: Option<RealmId>,
        /// The node that serves it; absent only where it is being resolved.
        3 => node: Option<NodeId>,
    }
}

impl Place {
    /// Whether both name the same position in the same tree.
    pub fn is_at(&self, other: &Self) -> bool {
        self.root == other.root && self.path == other.path
    }

    /// The position alone, as a scope of one subtree.
    pub fn scope(&self) -> Scope {
        Scope {
            root: self.root,
            path: self.path.clone(),
        }
    }
}

wire_map! {
    /// A position in a tree and, by prefix, everything below it.
    #[derive(PartialOrd, Ord, Hash)]
    pub struct Scope {
        /// The root of the tree.
        0 => root: RealmId,
        /// The path below the root.
        1 => path: RealmPath,
    }
}

impl Scope {
    /// Whether `other` is this position or below it.
    pub fn contains(&self, other: &Self) -> bool {
        self.root == other.root && self.path.contains(&other.path)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.root)?;
        if self.path.is_root() {
            Ok(())
        } else {
            write!(f, "/{}", self.path)
        }
    }
}

/// A loop's name inside one realm: 1 to 128 of `A-Z a-z 0-9 . _ : / -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoopId(String);

impl LoopId {
    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LoopId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
        let sized = !text.is_empty() && text.len() <= limits::LOOP_ID_BYTES;
        if sized && text.bytes().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError::LoopId(text.chars().take(140).collect()))
        }
    }
}

impl TryFrom<String> for LoopId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<LoopId> for String {
    fn from(id: LoopId) -> Self {
        id.0
    }
}

impl fmt::Display for LoopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A realm as a person writes it: a root's petname on this machine, then labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RealmName {
    /// Petname of the root on this machine.
    pub petname: Label,
    /// Path below that root.
    pub path: RealmPath,
}

impl FromStr for RealmName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (petname, path) = text.split_once('/').unwrap_or((text, ""));
        if text.ends_with('/') {
            return Err(NameError::Label(String::new()));
        }
        Ok(Self {
            petname: petname.parse()?,
            path: path.parse()?,
        })
    }
}

impl TryFrom<String> for RealmName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<RealmName> for String {
    fn from(name: RealmName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for RealmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.petname)?;
        if self.path.is_root() {
            Ok(())
        } else {
            write!(f, "/{}", self.path)
        }
    }
}

/// A loop as a person writes it: `risk-classify@acme/health`, or `hello` in one's own realm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoopAddress {
    /// The loop.
    pub loop_id: LoopId,
    /// The realm that owns it; none for this realm.
    pub realm: Option<RealmName>,
}

impl FromStr for LoopAddress {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('@') {
            None => Ok(Self {
                loop_id: text.parse()?,
                realm: None,
            }),
            Some((id, realm)) => Ok(Self {
                loop_id: id.parse()?,
                realm: Some(realm.parse()?),
            }),
        }
    }
}

impl TryFrom<String> for LoopAddress {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<LoopAddress> for String {
    fn from(address: LoopAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for LoopAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.realm {
            None => self.loop_id.fmt(f),
            Some(realm) => write!(f, "{}@{realm}", self.loop_id),
        }
    }
}

#[cfg(test)]
mod tests;
