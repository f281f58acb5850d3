//! What a message of the market holds, if it is of the broadcast that its header names.

use realm_crypto::Opened;
use realm_protocol::{
    BroadcastId,
    broadcast::{
        Announce, Award, Close, CloseAsked, Confirm, Deliver, Lease, OutcomeAck, PlacedBid, Tally,
        Withdraw, WorkProgress,
    },
    cbor::{self, Wire},
    records::Signed,
};

use super::call_of;

/// Reads a message; none if it does not read, or is of another broadcast than its header says.
pub(super) fn read<T: Content>(opened: &Opened) -> Option<T> {
    let content: T = cbor::decode(opened.content()).ok()?;
    let broadcast = content.broadcast()?;
    (opened.header().call == call_of(broadcast)).then_some(content)
}

/// A message that says which broadcast it is of.
pub(super) trait Content: Wire {
    fn broadcast(&self) -> Option<BroadcastId>;
}

macro_rules! contents {
    ($($name:ty),*) => { $(
        impl Content for $name {
            fn broadcast(&self) -> Option<BroadcastId> {
                Some(self.broadcast)
            }
        }
    )* };
}

contents!(
    Tally,
    Award,
    Lease,
    WorkProgress,
    OutcomeAck,
    Withdraw,
    Close
);

macro_rules! signed_contents {
    ($($name:ty),*) => { $(
        impl Content for Signed<$name> {
            fn broadcast(&self) -> Option<BroadcastId> {
                self.peek().ok().map(|it| it.broadcast)
            }
        }
    )* };
}

signed_contents!(Confirm);

impl Content for PlacedBid {
    fn broadcast(&self) -> Option<BroadcastId> {
        self.bid.peek().ok().map(|it| it.broadcast)
    }
}

impl Content for CloseAsked {
    fn broadcast(&self) -> Option<BroadcastId> {
        self.bid.peek().ok().map(|it| it.broadcast)
    }
}

impl Content for Announce {
    fn broadcast(&self) -> Option<BroadcastId> {
        self.announcement.peek().ok().map(|it| it.broadcast)
    }
}

impl Content for Deliver {
    fn broadcast(&self) -> Option<BroadcastId> {
        self.outcome.peek().ok().map(|it| it.broadcast)
    }
}
