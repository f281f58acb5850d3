//! Receipts of calls.

use super::{Client, ClientError, address::Address};
use crate::api::{ReceiptFile, ReceiptQuery, routes};

impl Client {
    /// Receipts of calls that prove themselves.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn receipts(&self, query: &ReceiptQuery) -> Result<ReceiptFile, ClientError> {
        let ReceiptQuery {
            peer,
            loop_id,
            call,
            since,
            until,
            limit,
            statement,
            open,
        } = query;
        let mut path = Address::new(routes::RECEIPTS);
        path.add("peer", peer.as_ref());
        path.add("loop", loop_id.as_ref());
        path.add("call", call.as_ref());
        path.add("since", *since);
        path.add("until", *until);
        path.add("limit", *limit);
        path.add("statement", *statement);
        path.add("open", *open);
        self.get(&path.into_text()).await
    }
}
