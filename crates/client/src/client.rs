//! The typed client: HTTP/1.1 over the daemon's Unix socket or a port of this machine, one connection a request.

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
mod people;
mod place;
mod policies;
mod prompts;
mod rates;
mod realms;
mod receipts;
mod runs;
mod states;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use http::Method;
use serde::{Serialize, de::DeserializeOwned};

pub use error::{ClientError, Unreachable};
pub use events::{RunEvents, StreamItem};
use place::{Place, Token};

/// How long an answer may take unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A daemon, by where it is reached.
#[derive(Clone, Debug)]
pub struct Client {
    place: Place,
    timeout: Duration,
}

impl Client {
    /// Takes the socket, and sees whether somebody listens there.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub async fn connect(socket: impl Into<PathBuf>) -> Result<Self, ClientError> {
        Self::at(Place::Socket(socket.into())).await
    }

    /// Takes a port of this machine and what is shown there, and sees whether somebody listens.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub async fn over_tcp(address: SocketAddr, token: Option<String>) -> Result<Self, ClientError> {
        Self::at(Place::Port(address, token.map(Token))).await
    }

    async fn at(place: Place) -> Result<Self, ClientError> {
        place.open().await?;
        Ok(Self {
            place,
            timeout: TIMEOUT,
        })
    }

    /// Sets how long an answer may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The socket, if it is reached there.
    pub fn socket(&self) -> Option<&Path> {
        self.place.socket()
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
        let exchange = connection::exchange(&self.place, method, path, body);
        let answer = tokio::time::timeout(timeout, exchange)
            .await
            .map_err(|_| ClientError::Timeout { after: timeout })??;
        serde_json::from_slice(&answer).map_err(ClientError::Answer)
    }
}
