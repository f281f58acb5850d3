//! What stands still, and what goes on again.

use std::time::Duration;

use super::{Client, ClientError};
use crate::api::{HaltRequest, HaltState, UnhaltRequest, routes};

/// How long the daemon may take besides what it is told to wait.
const ANSWER: Duration = Duration::from_secs(30);

impl Client {
    /// What stands still.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn halts(&self) -> Result<HaltState, ClientError> {
        self.get(routes::HALT).await
    }

    /// Lets something stand still.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn halt(&self, request: &HaltRequest) -> Result<HaltState, ClientError> {
        self.post_within(routes::HALT, request, patience(request.wait_ms))
            .await
    }

    /// Lets something go on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unhalt(&self, request: &UnhaltRequest) -> Result<HaltState, ClientError> {
        self.post_within(routes::UNHALT, request, patience(request.wait_ms))
            .await
    }
}

/// How long an answer is waited for.
fn patience(wait_ms: Option<u64>) -> Duration {
    Duration::from_millis(wait_ms.unwrap_or(0)).saturating_add(ANSWER)
}
