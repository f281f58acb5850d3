//! The audit log.

use super::{Client, ClientError, address::Address};
use crate::api::{
    AcknowledgeRequest, AuditEntry, AuditFile, AuditQuery, Page, WitnessFile, WitnessView, routes,
};

impl Client {
    /// Entries of the audit log, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn audit(&self, query: &AuditQuery) -> Result<Page<AuditEntry>, ClientError> {
        self.get(&address(routes::AUDIT, query)).await
    }

    /// A part of the audit log that proves itself.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn audit_export(&self, query: &AuditQuery) -> Result<AuditFile, ClientError> {
        self.get(&address(routes::AUDIT_EXPORT, query)).await
    }

    /// What this realm keeps of the audit logs of its children and peers.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn witnessed(&self) -> Result<Page<WitnessView>, ClientError> {
        self.get(routes::WITNESSED).await
    }

    /// What proves that the audit log of a realm is not what it was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn contradiction(&self, realm: &str) -> Result<WitnessFile, ClientError> {
        self.get(&routes::fill(routes::WITNESSED_REALM, &[realm]))
            .await
    }

    /// Says that what contradicts the audit log of a realm was seen.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn acknowledge(
        &self,
        realm: &str,
        request: &AcknowledgeRequest,
    ) -> Result<Page<WitnessView>, ClientError> {
        let address = routes::fill(routes::WITNESSED_ACKNOWLEDGE, &[realm]);
        self.post(&address, request).await
    }
}

fn address(route: &str, query: &AuditQuery) -> String {
    let AuditQuery {
        loop_id,
        person,
        caller,
        action,
        since,
        until,
        limit,
        cursor,
    } = query;
    let mut path = Address::new(route);
    path.add("loop", loop_id.as_ref());
    path.add("person", person.as_ref());
    path.add("caller", caller.as_ref());
    path.add("action", action.as_ref());
    path.add("since", *since);
    path.add("until", *until);
    path.add("limit", *limit);
    path.add("cursor", cursor.as_ref());
    path.into_text()
}
