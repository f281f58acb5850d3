//! What loops are computed by.

use super::{Client, ClientError};
use crate::api::{
    ApplyResult, ApproveRequest, BackendView, ImportResult, ModelToolView, Page, routes,
};

impl Client {
    /// The model backends of the realm.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backends(&self) -> Result<Page<BackendView>, ClientError> {
        self.get(routes::BACKENDS).await
    }

    /// One model backend.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backend(&self, id: &str) -> Result<BackendView, ClientError> {
        self.get(&routes::fill(routes::BACKEND, &[id])).await
    }

    /// Approves tools of an MCP server for the loops that call them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approve(
        &self,
        id: &str,
        request: &ApproveRequest,
    ) -> Result<ApplyResult, ClientError> {
        self.post(&routes::fill(routes::BACKEND_APPROVE, &[id]), request)
            .await
    }

    /// The loops that a prompt's model may call.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn model_tools(&self, id: &str) -> Result<Page<ModelToolView>, ClientError> {
        self.get(&routes::fill(routes::LOOP_TOOLS, &[id])).await
    }

    /// Approves loops of other realms for the prompt whose model calls them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approve_model_tools(
        &self,
        id: &str,
        request: &ApproveRequest,
    ) -> Result<ApplyResult, ClientError> {
        self.post(&routes::fill(routes::LOOP_TOOLS_APPROVE, &[id]), request)
            .await
    }

    /// Loops for the tools of an MCP server.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn backend_loops(&self, id: &str) -> Result<ImportResult, ClientError> {
        self.get(&routes::fill(routes::BACKEND_LOOPS, &[id])).await
    }
}
