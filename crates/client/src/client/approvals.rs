//! Calls that wait for people to approve them.

use super::{Client, ClientError, address::Address};
use crate::api::{ApprovalQuery, ApprovalView, ApproveCallRequest, DenyRequest, Page, routes};

impl Client {
    /// Requests for approvals, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approvals(
        &self,
        query: &ApprovalQuery,
    ) -> Result<Page<ApprovalView>, ClientError> {
        let ApprovalQuery { run, all } = query;
        let mut path = Address::new(routes::APPROVALS);
        path.add("run", run.as_ref());
        path.add("all", all.then_some(true));
        self.get(&path.into_text()).await
    }

    /// One request for an approval.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approval(&self, id: &str) -> Result<ApprovalView, ClientError> {
        self.get(&routes::fill(routes::APPROVAL, &[id])).await
    }

    /// Lets a call begin that waits for an approval.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn approve_call(
        &self,
        id: &str,
        request: &ApproveCallRequest,
    ) -> Result<ApprovalView, ClientError> {
        self.post(&routes::fill(routes::APPROVAL_APPROVE, &[id]), request)
            .await
    }

    /// Ends a call that waits for an approval.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn deny(&self, id: &str, request: &DenyRequest) -> Result<ApprovalView, ClientError> {
        self.post(&routes::fill(routes::APPROVAL_DENY, &[id]), request)
            .await
    }
}
