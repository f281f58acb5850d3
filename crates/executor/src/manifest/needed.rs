//! What a loop needs another realm's grant for.

use std::{fmt, str::FromStr};

use realm_protocol::{LoopAddress, RealmName, records::LoopPattern};

/// Loops of another realm that a loop calls by a grant: `billing/*@lab`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    loops: LoopPattern,
    realm: RealmName,
}

/// The text names no loops of another realm.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` names no loops of another realm: review@lab, or billing/*@lab/health")]
pub struct NotNeeded(String);

impl Needed {
    /// Whether a call is of these.
    pub fn covers(&self, address: &LoopAddress) -> bool {
        address.realm.as_ref() == Some(&self.realm) && self.loops.takes(&address.loop_id)
    }
}

impl FromStr for Needed {
    type Err = NotNeeded;

    fn from_str(text: &str) -> Result<Self, NotNeeded> {
        let read = text.split_once('@').and_then(|(loops, realm)| {
            let (loops, realm) = (loops.parse().ok()?, realm.parse().ok()?);
            Some(Self { loops, realm })
        });
        read.ok_or_else(|| NotNeeded(text.chars().take(140).collect()))
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.loops, self.realm)
    }
}
