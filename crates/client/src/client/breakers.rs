//! Whom nothing is asked of for a while, because too much has failed.

use super::{Client, ClientError};
use crate::api::{BreakerView, Page, ResetRequest, routes};

impl Client {
    /// The breakers of all that has failed lately.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn breakers(&self) -> Result<Page<BreakerView>, ClientError> {
        self.get(routes::BREAKERS).await
    }

    /// One breaker, by its name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn breaker(&self, name: &str) -> Result<BreakerView, ClientError> {
        self.get(&routes::fill(routes::BREAKER, &[name])).await
    }

    /// Closes a breaker.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reset_breaker(
        &self,
        name: &str,
        request: &ResetRequest,
    ) -> Result<BreakerView, ClientError> {
        self.post(&routes::fill(routes::BREAKER_RESET, &[name]), request)
            .await
    }
}
