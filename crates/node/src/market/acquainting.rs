//! Sessions that begin in a broadcast: a bid offers one, and the close takes it.

use std::{collections::BTreeMap, sync::Arc};

use realm_crypto::{Ephemeral, Opened, ReplyKey, Session, Side};
use realm_protocol::{
    BroadcastId, Digest, NodeId, Suite, Tick,
    broadcast::{Close, PlacedBid},
    limits,
};

use super::BROADCASTS;
use crate::Node;

/// How long an offer is remembered, milliseconds.
const REMEMBERED_MS: u64 = 60_000;

/// A session that a bidder offers.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    /// The bidder's node.
    pub(crate) node: NodeId,
    /// What its bid was sealed with.
    pub(crate) reply_key: ReplyKey,
    /// Its key.
    pub(crate) theirs: [u8; 32],
}

/// A session that a bid of this realm's offers.
#[derive(Debug)]
pub(super) struct Offer {
    /// The announcer's node.
    pub(super) node: NodeId,
    /// What the bid was sealed with.
    pub(super) reply_key: ReplyKey,
    /// This realm's key.
    pub(super) mine: Arc<Ephemeral>,
    /// Since when.
    pub(super) since: Tick,
}

/// The sessions that this realm's bids offer, by broadcast.
#[derive(Debug, Default)]
pub(crate) struct Offers(BTreeMap<BroadcastId, Offer>);

impl Offers {
    /// Remembers one, unless as many are remembered as there may be broadcasts.
    pub(super) fn remember(&mut self, broadcast: BroadcastId, offer: Offer) {
        if self.0.len() < BROADCASTS || self.0.contains_key(&broadcast) {
            self.0.insert(broadcast, offer);
        }
    }

    fn take(&mut self, broadcast: BroadcastId, node: NodeId) -> Option<Offer> {
        let of_node = self.0.get(&broadcast).is_some_and(|it| it.node == node);
        of_node.then(|| self.0.remove(&broadcast)).flatten()
    }

    /// Erases every key that is offered.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// Erases the keys that have been offered for long enough.
    pub(crate) fn erase(&mut self, now: Tick) {
        self.0
            .retain(|_, offer| now.since(offer.since) < REMEMBERED_MS);
    }
}

impl Node {
    /// A bid came, and perhaps the offer of a session with it.
    pub(super) fn bid_placed(&mut self, opened: &Opened, placed: PlacedBid) {
        let (header, reply_key) = (opened.header(), opened.reply_key());
        let from = header.source.clone();
        let own = placed.bid.peek().ok();
        let own = own.and_then(|bid| self.market.announced.get_mut(&bid.broadcast));
        if let (Some(own), Some(theirs), Some(reply_key)) = (own, placed.session, reply_key)
            && let (Some(realm), Some(node)) = (from.realm, from.node)
            && own.offered.len() < limits::BIDS
            && header.suite == Suite::Sealed
        {
            let reply_key = reply_key.clone();
            own.offered.insert(
                realm,
                Offered {
                    node,
                    reply_key,
                    theirs,
                },
            );
        }
        self.bid_came(&from, placed.bid);
    }

    /// Begins the session that a close takes; gives the page without it, as it is kept.
    pub(super) fn begin_offered(
        &mut self,
        opened: &Opened,
        message: Digest,
        mut page: Close,
    ) -> Close {
        let header = opened.header();
        let theirs = page
            .session
            .take()
            .filter(|_| header.suite == Suite::Sealed);
        if let (Some(theirs), Some(node)) = (theirs, header.source.node)
            && let Some(offer) = self.market.offers.take(page.broadcast, node)
            && self.sessions.wants(node, self.now.tick)
        {
            let (reply_key, mine) = (&offer.reply_key, &offer.mine);
            let session = Session::derive(Side::Caller, reply_key, message, mine, &theirs);
            if let Some(session) = session {
                self.hold_session(node, header.source.scope(), session, true);
            }
        }
        page
    }
}
