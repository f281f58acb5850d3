//! The daemon itself: where it stands, its configuration, its home.

use serde_json::Value;

use super::{Client, ClientError};
use crate::api::{
    BackupReport, BackupRequest, ConfigEntry, ConfigView, Doctor, Health, Info, Ready, Status,
    routes,
};

impl Client {
    /// Where the realm stands now.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get(routes::STATUS).await
    }

    /// What the daemon is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn info(&self) -> Result<Info, ClientError> {
        self.get(routes::INFO).await
    }

    /// Whether the process answers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.get(routes::HEALTH).await
    }

    /// Whether the realm can serve calls.
    ///
    /// # Errors
    /// [`ClientError`]; a problem `NotReady` while it cannot.
    pub async fn ready(&self) -> Result<Ready, ClientError> {
        self.get(routes::READY).await
    }

    /// What `doctor` finds.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn doctor(&self) -> Result<Doctor, ClientError> {
        self.get(routes::DOCTOR).await
    }

    /// The configuration in force.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn config(&self) -> Result<ConfigView, ClientError> {
        self.get(routes::CONFIG).await
    }

    /// One key of the configuration.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn config_key(&self, key: &str) -> Result<ConfigEntry, ClientError> {
        self.get(&routes::fill(routes::CONFIG_KEY, &[key])).await
    }

    /// The OpenAPI document.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn openapi(&self) -> Result<Value, ClientError> {
        self.get(routes::OPENAPI).await
    }

    /// Writes a backup while the daemon runs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backup(&self, request: &BackupRequest) -> Result<BackupReport, ClientError> {
        self.post(routes::BACKUP, request).await
    }
}
