//! Prompts and their versions.

use super::{Client, ClientError, address::Address};
use crate::api::{
    ApplyResult, Page, PromoteRequest, PromptDetail, PromptDiff, PromptDiffQuery, PromptSummary,
    RollbackRequest, ScoreRequest, ShareRequest, routes,
};

impl Client {
    /// The prompts of the realm.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn prompts(&self) -> Result<Page<PromptSummary>, ClientError> {
        self.get(routes::PROMPTS).await
    }

    /// One prompt.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn prompt(&self, id: &str) -> Result<PromptDetail, ClientError> {
        self.get(&routes::fill(routes::PROMPT, &[id])).await
    }

    /// In what two versions of a prompt differ.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn prompt_diff(
        &self,
        id: &str,
        query: &PromptDiffQuery,
    ) -> Result<PromptDiff, ClientError> {
        let PromptDiffQuery { from, to } = query;
        let mut path = Address::new(&routes::fill(routes::PROMPT_DIFF, &[id]));
        path.add("from", Some(from));
        path.add("to", to.as_ref());
        self.get(&path.into_text()).await
    }

    /// Lets a version of a prompt be called from now on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn promote(
        &self,
        id: &str,
        request: &PromoteRequest,
    ) -> Result<ApplyResult, ClientError> {
        self.post(&routes::fill(routes::PROMPT_PROMOTE, &[id]), request)
            .await
    }

    /// Lets the version of a prompt be called again that was before.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn rollback(
        &self,
        id: &str,
        request: &RollbackRequest,
    ) -> Result<ApplyResult, ClientError> {
        self.post(&routes::fill(routes::PROMPT_ROLLBACK, &[id]), request)
            .await
    }

    /// Lets versions of a prompt share its calls.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn share(
        &self,
        id: &str,
        request: &ShareRequest,
    ) -> Result<PromptDetail, ClientError> {
        self.post(&routes::fill(routes::PROMPT_SHARE, &[id]), request)
            .await
    }

    /// Says how good a version of a prompt was found.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn score(
        &self,
        id: &str,
        request: &ScoreRequest,
    ) -> Result<PromptDetail, ClientError> {
        self.post(&routes::fill(routes::PROMPT_SCORE, &[id]), request)
            .await
    }
}
