//! Bids of this realm's agents, and what it makes of those of others.

use super::{Client, ClientError, address::Address};
use crate::api::{BidQuery, BidSummary, BidderTrust, EvidenceFile, Page, routes};

impl Client {
    /// The bids that this realm has made.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bids(&self, query: &BidQuery) -> Result<Page<BidSummary>, ClientError> {
        let BidQuery { limit } = query;
        let mut path = Address::new(routes::BIDS);
        path.add("limit", *limit);
        self.get(&path.into_text()).await
    }

    /// What this realm makes of bidders, the least trusted first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bidders(&self) -> Result<Page<BidderTrust>, ClientError> {
        self.get(routes::BIDDERS).await
    }

    /// The receipt of a bid.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn receipt(&self, bid: &str) -> Result<EvidenceFile, ClientError> {
        self.get(&routes::fill(routes::BID, &[bid])).await
    }
}
