//! Which loops may use which of the owner's secrets.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::LoopId;

use crate::{BackendError, BackendRequest};

/// The loops that secrets are for, by the secrets' names; a secret that is not here is for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretLoops(BTreeMap<String, BTreeSet<LoopId>>);

impl SecretLoops {
    /// Takes the loops of each secret; one without any is for all.
    pub fn new(secrets: impl IntoIterator<Item = (String, BTreeSet<LoopId>)>) -> Self {
        let bound = secrets.into_iter().filter(|(_, loops)| !loops.is_empty());
        Self(bound.collect())
    }

    /// Lets a loop have a secret that it names.
    ///
    /// # Errors
    /// [`BackendError::NotForLoop`] where the secret is for others.
    pub fn check(&self, secret: &str, id: &LoopId) -> Result<(), BackendError> {
        match self.0.get(secret) {
            Some(loops) if !loops.contains(id) => Err(BackendError::NotForLoop {
                name: secret.to_owned(),
                id: id.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

impl BackendRequest {
    /// The names of the secrets that it is given.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let (key, named) = match self {
            Self::Http {
                bearer, secrets, ..
            } => (bearer.as_ref(), Some(secrets)),
            Self::Process { secrets, .. } | Self::Command { secrets, .. } => (None, Some(secrets)),
            Self::Echo { .. }
            | Self::Count { .. }
            | Self::Model(_)
            | Self::Container(_)
            | Self::Mcp { .. }
            | Self::Attached(_) => (None, None),
        };
        let named = named.into_iter().flat_map(BTreeMap::values);
        key.into_iter().chain(named).map(String::as_str)
    }
}
