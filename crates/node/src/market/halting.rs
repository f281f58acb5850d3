//! Broadcasts of a realm that is halted.

use realm_broadcast::announcer::Input;
use realm_protocol::BroadcastId;

use crate::Node;

impl Node {
    /// Takes back everything that this realm has announced: winners are told to stop.
    pub(crate) fn stop_announced(&mut self) {
        let announced: Vec<BroadcastId> = self.market.announced.keys().copied().collect();
        for broadcast in announced {
            self.tell_announcer(broadcast, Input::Cancel);
        }
        self.set_market_timer();
    }
}
