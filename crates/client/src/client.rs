//! The typed client: HTTP/1.1 over the daemon's Unix socket, one connection a request.

mod address;
mod approvals;
mod audit;
mod backends;
mod bids;
mod breakers;
mod connection;
mod daemon;
mod error;
mod events;
mod grants;
mod halt;
mod loops;
mod policies;
mod prompts;
mod rates;
mod realms;
mod receipts;
mod runs;
mod states;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::Method;
use serde::{Serialize, de::DeserializeOwned};

pub use error::{ClientError, Unreachable};
pub use events::{RunEvents, StreamItem};

/// How long an answer may take unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A daemon, by its socket.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
    timeout: Duration,
}

impl Client {
    /// Takes the socket, and sees whether somebody listens there.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub async fn connect(socket: impl Into<PathBuf>) -> Result<Self, ClientError> {
        let client = Self {
            socket: socket.into(),
            timeout: TIMEOUT,
        };
        connection::open(&client.socket).await?;
        Ok(client)
    }

    /// Sets how long an answer may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.request(Method::GET, path, Vec::new(), self.timeout)
            .await
    }

    async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.request(Method::DELETE, path, Vec::new(), self.timeout)
            .await
    }

    async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.post_within(path, body, self.timeout).await
    }

    async fn post_within<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        timeout: Duration,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(ClientError::Request)?;
        self.request(Method::POST, path, body, timeout).await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<T, ClientError> {
        let exchange = connection::exchange(&self.socket, method, path, body);
        let answer = tokio::time::timeout(timeout, exchange)
            .await
            .map_err(|_| ClientError::Timeout { after: timeout })??;
        serde_json::from_slice(&answer).map_err(ClientError::Answer)
    }
}
