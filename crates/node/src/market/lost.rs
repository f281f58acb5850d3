//! Neighbours that are lost while their tallies are due.

use realm_broadcast::{Side, announcer::Input};
use realm_protocol::BroadcastId;
use realm_router::Relation;

use crate::Node;

/// How long a neighbour whose link broke has to come back before no broadcast waits for it, milliseconds.
const BACK_MS: u64 = 1_000;

impl Node {
    /// The link with a neighbour broke: what it had to say of bids may be lost with it.
    pub(crate) fn market_lost_link(&mut self, relation: &Relation) {
        let waits = !self.market.announced.is_empty() || !self.market.passed.is_empty();
        let side = match relation {
            Relation::Parent => Side::Parent,
            Relation::Child(label) => Side::Child(label.clone()),
            Relation::Peer(root) => Side::Peer(*root),
            Relation::Direct(_) => return,
        };
        if waits {
            let until = self.now.tick.plus(BACK_MS);
            self.market.lost.insert(side, until);
            self.set_market_timer();
        }
    }

    /// Waits no longer for the tallies of neighbours that have not come back.
    pub(super) fn give_up_lost(&mut self) {
        let now = self.now.tick;
        let due = self.market.lost.extract_if(.., |_, until| *until <= now);
        let mut due: Vec<Side> = due.map(|(side, _)| side).collect();
        due.retain(|side| !self.is_linked(side));
        for side in due {
            for passed in self.market.passed.values_mut() {
                passed.tallying.lose(&side);
            }
            let own: Vec<BroadcastId> = self.market.announced.keys().copied().collect();
            for broadcast in own {
                self.tell_announcer(broadcast, Input::Unreached(side.clone()));
            }
        }
    }

    /// Whether there is a link with a neighbour now.
    pub(super) fn is_linked(&self, side: &Side) -> bool {
        let relation = match side {
            Side::Here => return true,
            Side::Parent => Relation::Parent,
            Side::Child(label) => Relation::Child(label.clone()),
            Side::Peer(root) => Relation::Peer(*root),
        };
        self.routes.link_to(&relation).is_some()
    }
}
