//! What a file of another system lets nobody do in a realm, whatever the realm's own policies permit.

use std::collections::BTreeMap;

use realm_protocol::{RealmName, records::Role};

use crate::Origin;

/// Bytes in the name of a document or of one of its restrictions.
pub(crate) const NAME_BYTES: usize = 40;

/// What one document restricts in one realm.
#[derive(Clone, Debug, PartialEq)]
pub struct Restrictions {
    /// The document, by its format and its name: `mesh.care`. All that was applied under this name before
    /// gives way.
    pub document: String,
    /// Each by itself; all hold.
    pub all: Vec<Restriction>,
}

/// One thing that is restricted.
#[derive(Clone, Debug, PartialEq)]
pub struct Restriction {
    /// Its name in the document.
    pub name: String,
    /// What it lets be.
    pub what: Restricted,
    /// Whether the realms below are held to it as well.
    pub below: bool,
    /// Those of them that are not.
    pub spared: Vec<RealmName>,
    /// Where it was written.
    pub origin: Origin,
}

/// What is let be.
#[derive(Clone, Debug, PartialEq)]
pub enum Restricted {
    /// Loops by their names.
    Loops(LoopsLet),
    /// Of people, those with these roles, each the loops of its patterns.
    Roles(BTreeMap<Role, Vec<String>>),
    /// Calls as far as this, from where they come and where they go.
    Within(Extent),
    /// Nothing: it is a rule that nobody here knows.
    Nothing,
    /// So many calls of others.
    Rate(RateLet),
    /// So much of something, in the whole realm.
    Limit(Limit, u64),
}

/// What there is so much of in a whole realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Runs under way: one more is `Overloaded`.
    Runs,
    /// Agents that are attached: one more is refused.
    Agents,
    /// Milliseconds for which a run is kept after its end.
    Kept,
}

/// Loops that may be called, each pattern a name in which `*` stands for anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoopsLet {
    /// By everybody; none for any.
    pub everybody: Option<Vec<String>>,
    /// By realms and all below them.
    pub by_realm: Vec<(RealmName, Vec<String>)>,
    /// By nobody, whatever else says.
    pub nobody: Vec<String>,
}

/// How far calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Not out of this realm.
    Alone,
    /// Not out of this realm and those below.
    Subtree,
    /// Not out of this realm's tree.
    Tree,
}

/// How often calls of others begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLet {
    /// How many in a minute.
    pub per_minute: u64,
    /// How many at once.
    pub burst: u64,
    /// Whether all callers share it.
    pub shared: bool,
    /// How many wait for their turn.
    pub queue: u64,
}
