//! How often calls of others begin.

use super::{Client, ClientError};
use crate::api::{Page, RateRequest, RateView, routes};

impl Client {
    /// The rates in force.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rates(&self) -> Result<Page<RateView>, ClientError> {
        self.get(routes::RATES).await
    }

    /// One rate, by its name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rate(&self, name: &str) -> Result<RateView, ClientError> {
        self.get(&routes::fill(routes::RATE, &[name])).await
    }

    /// Puts a rate in force.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn apply_rate(&self, request: &RateRequest) -> Result<RateView, ClientError> {
        self.post(routes::RATES, request).await
    }

    /// Lets a rate go that was applied; gives it as it was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_rate(&self, name: &str) -> Result<RateView, ClientError> {
        self.delete(&routes::fill(routes::RATE, &[name])).await
    }
}
