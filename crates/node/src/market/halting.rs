//! Broadcasts of a realm that is halted.

use realm_broadcast::announcer::Input;
use realm_protocol::{BroadcastId, limits};

use crate::Node;

impl Node {
    /// Takes back everything that this realm has announced: winners are told to stop.
    pub(crate) fn stop_announced(&mut self) {
        let announced: Vec<BroadcastId> = self.market.announced.keys().copied().collect();
        for broadcast in announced {
            self.tell_announcer(
                broadcast,
                Input::Cancel {
                    waits_ms: limits::WITHDRAW_MS,
                },
            );
        }
        self.set_market_timer();
    }
}
