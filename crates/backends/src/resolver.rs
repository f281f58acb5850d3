//! Name resolution whose answers are checked, and are the ones that are connected to.

use std::net::SocketAddr;

use realm_executor::BackendError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::address;

/// Resolves names and lets through only the addresses that may be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedResolver {
    /// Whether addresses that are not public may be reached.
    pub(crate) private: bool,
}

/// A name whose addresses may not be reached; travels inside the client's error.
#[derive(Debug, Error)]
#[error(transparent)]
pub(crate) struct NotAllowed(pub(crate) BackendError);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private = self.private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = allowed(name.as_str(), found, private).map_err(NotAllowed)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Keeps the addresses that may be reached; if there is none, says why the last may not be.
fn allowed(
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
    private: bool,
) -> Result<Vec<SocketAddr>, BackendError> {
    let mut allowed = Vec::new();
    let mut refused = None;
    for candidate in found {
        match address::check(name, candidate.ip(), private) {
            Ok(()) => allowed.push(candidate),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if allowed.is_empty() => Err(error),
        _ => Ok(allowed),
    }
}
