//! Authority that one realm gives another for a purpose and a time.

use std::{fmt, str::FromStr};

use thiserror::Error;

use super::{Record, Signed};
use crate::{
    Digest, GrantId, LoopId, NameError, NodeId, RealmId, RunId, Timestamp,
    budget::Budget,
    cbor::{Blob, CborError, Reader, Wire, Writer},
    wire_map,
};

/// The loops that a grant is for: one, those whose ids begin alike, or all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoopPattern(String);

impl LoopPattern {
    /// What ids must begin with, where more than one is meant.
    fn prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Whether a loop is among them.
    pub fn takes(&self, id: &LoopId) -> bool {
        match self.prefix() {
            Some(prefix) => id.as_str().starts_with(prefix),
            None => id.as_str() == self.0,
        }
    }

    /// Whether every loop of the other is among them.
    pub fn covers(&self, other: &Self) -> bool {
        match (self.prefix(), other.prefix()) {
            (Some(own), other_prefix) => other_prefix.unwrap_or(&other.0).starts_with(own),
            (None, _) => self == other,
        }
    }
}

impl FromStr for LoopPattern {
    type Err = NameError;

    /// Reads `review`, `billing/*` and `*`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let id = text.strip_suffix('*').unwrap_or(text);
        if text != "*" {
            id.parse::<LoopId>()?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<&LoopId> for LoopPattern {
    fn from(id: &LoopId) -> Self {
        Self(id.as_str().to_owned())
    }
}

impl fmt::Display for LoopPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Wire for LoopPattern {
    fn write(&self, out: &mut Writer) {
        out.text(&self.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        let read = from.text()?.parse();
        read.map_err(|_| CborError::Expected("a pattern of loops"))
    }
}

wire_map! {
    /// What a realm lets another one do at the realm that the first grant of the chain is by.
    pub struct Grant {
        /// What it is taken back by.
        0 => id: GrantId,
        /// Who gives it: of the first grant the realm whose loops they are, of every other the holder of
        /// the one before.
        1 => issuer: RealmId,
        /// The issuer's node that signs.
        2 => node: NodeId,
        /// Who may use it, and hand on some of it.
        3 => holder: RealmId,
        /// The loops, of the realm that the first grant is by.
        4 => loops: Vec<LoopPattern>,
        /// How many calls may begin by it, and by all that is handed on of it; none for any number.
        5 => uses: Option<u64>,
        /// What each of them may use; none for no bound.
        6 => budget: Option<Budget>,
        /// Not good before.
        7 => not_before: Timestamp,
        /// Not good from then on.
        8 => not_after: Timestamp,
        /// [`Signed::digest`] of the grant that this one hands on; none in the first.
        9 => from: Option<Digest>,
        /// The only loop of the holder's that may use it.
        10 => agent: Option<LoopId>,
        /// The only run of the holder's that may use it.
        11 => run: Option<RunId>,
    }
}

impl Record for Grant {
    const TAGS: &'static [&'static str] = &["realm/1/grant"];
}

wire_map! {
    /// One grant of a chain.
    pub struct GrantLink {
        /// The grant.
        0 => grant: Signed<Grant>,
        /// The issuer's certificates ([`super::Chain`]), where the reader may not know them: of every
        /// grant between the first one and the one whose holder calls.
        1 => chain: Option<Blob>,
    }
}

/// Why a grant does not hand on another one.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Widened {
    /// It names no grant that it hands on, or another one.
    #[error("it does not name the grant before it")]
    From,
    /// It is not by the holder of that one.
    #[error("it is not by the holder of the grant before it")]
    Issuer,
    /// It is for loops that the other is not for.
    #[error("it is for more loops than the grant before it")]
    Loops,
    /// It is for more calls.
    #[error("it is for more uses than the grant before it")]
    Uses,
    /// Its calls may use more.
    #[error("it has a larger budget than the grant before it")]
    Budget,
    /// It is good for longer.
    #[error("it is good at times when the grant before it is not")]
    Time,
    /// The other is for one loop or one run of its holder's, and this one is not, or is for another realm.
    #[error("the grant before it is for one agent or one run of its holder's alone")]
    Agent,
}

impl Grant {
    /// Whether it only hands on some of what another one gives, whose digest is given.
    ///
    /// # Errors
    /// The first thing in which it does not.
    pub fn narrows(&self, before: &Self, digest: &Digest) -> Result<(), Widened> {
        let covered = |pattern: &LoopPattern| before.loops.iter().any(|all| all.covers(pattern));
        let bound = before.agent.is_some() || before.run.is_some();
        let kept = |before: bool, same: bool| !before || same;
        let agent = kept(before.agent.is_some(), self.agent == before.agent)
            && kept(before.run.is_some(), self.run == before.run)
            && kept(bound, self.holder == before.holder);
        let uses = before
            .uses
            .is_none_or(|most| self.uses.is_some_and(|uses| uses <= most));
        let given = before.budget.unwrap_or_default();
        let own = self.budget.unwrap_or_default();
        if self.from.as_ref() != Some(digest) {
            Err(Widened::From)
        } else if self.issuer != before.holder {
            Err(Widened::Issuer)
        } else if !self.loops.iter().all(covered) {
            Err(Widened::Loops)
        } else if !uses {
            Err(Widened::Uses)
        } else if own.narrowed(given) != own {
            Err(Widened::Budget)
        } else if self.not_before < before.not_before || self.not_after > before.not_after {
            Err(Widened::Time)
        } else if !agent {
            Err(Widened::Agent)
        } else {
            Ok(())
        }
    }

    /// Whether a loop is among those that it is for.
    pub fn takes(&self, id: &LoopId) -> bool {
        self.loops.iter().any(|pattern| pattern.takes(id))
    }

    /// Whether it is good at a time.
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }
}

#[cfg(test)]
mod tests;
