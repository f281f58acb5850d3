//! Other realms: peers, children, tickets.

use super::{Client, ClientError};
use crate::api::{
    JoinRequest, Joined, Page, PeerDetail, PeerSummary, Pong, RealmDetail, RealmForest,
    RevokeRequest, Revoked, TicketIssued, TicketRequest, routes,
};

impl Client {
    /// The realms next to this one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn peers(&self) -> Result<Page<PeerSummary>, ClientError> {
        self.get(routes::PEERS).await
    }

    /// A realm next to this one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn peer(&self, name: &str) -> Result<PeerDetail, ClientError> {
        self.get(&routes::fill(routes::PEER, &[name])).await
    }

    /// Sends a message to a realm and waits for it to come back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ping(&self, name: &str) -> Result<Pong, ClientError> {
        self.post(
            &routes::fill(routes::PEER_PING, &[name]),
            &serde_json::json!({}),
        )
        .await
    }

    /// Ends a peering, or cuts off a child.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_peer(&self, name: &str) -> Result<Revoked, ClientError> {
        self.delete(&routes::fill(routes::PEER, &[name])).await
    }

    /// The trees known here.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn realms(&self) -> Result<RealmForest, ClientError> {
        self.get(routes::REALMS).await
    }

    /// A realm, as far as known here.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn realm(&self, name: &str) -> Result<RealmDetail, ClientError> {
        self.get(&routes::fill(routes::REALM, &[name])).await
    }

    /// Opens an invitation.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn invite(&self, request: &TicketRequest) -> Result<TicketIssued, ClientError> {
        self.post(routes::TICKETS, request).await
    }

    /// Redeems a ticket.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn join(&self, request: &JoinRequest) -> Result<Joined, ClientError> {
        self.post(routes::JOIN, request).await
    }

    /// Cuts off a child for good.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke(
        &self,
        name: &str,
        request: &RevokeRequest,
    ) -> Result<Revoked, ClientError> {
        self.post(&routes::fill(routes::REALM_REVOKE, &[name]), request)
            .await
    }
}
