//! What realms grant each other.

use super::{Client, ClientError};
use crate::api::{GrantRequest, GrantView, HoldRequest, Page, routes};

impl Client {
    /// The grants that the realm has given and those that it holds, the oldest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn grants(&self) -> Result<Page<GrantView>, ClientError> {
        self.get(routes::GRANTS).await
    }

    /// One grant, with the line for its holder.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn grant(&self, id: &str) -> Result<GrantView, ClientError> {
        self.get(&routes::fill(routes::GRANT, &[id])).await
    }

    /// Grants another realm something.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_grant(&self, request: &GrantRequest) -> Result<GrantView, ClientError> {
        self.post(routes::GRANTS, request).await
    }

    /// Takes what another realm has granted this one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn hold_grant(&self, request: &HoldRequest) -> Result<GrantView, ClientError> {
        self.post(routes::GRANTS_HELD, request).await
    }

    /// Takes back what was given, or lets go what is held.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_grant(&self, id: &str) -> Result<GrantView, ClientError> {
        self.delete(&routes::fill(routes::GRANT, &[id])).await
    }
}
