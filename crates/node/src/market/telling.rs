//! Messages of the market on their way: sealed for one realm, sent once, answered by messages of
//! their own.

use realm_protocol::{
    BroadcastId, CallId, Kind, Place, RealmId, Scope,
    broadcast::Announce,
    cbor::{Blob, Wire, encode},
    limits,
};

use super::call_of;
use crate::{
    Node, Refused,
    outbound::{OutCall, Task},
};

/// A message that waits until it is known who is at its place.
#[derive(Debug)]
pub(crate) struct Tell {
    /// The call that its header names.
    pub(crate) call: CallId,
    pub(crate) kind: Kind,
    pub(crate) content: Blob,
    /// The realm that it is for, where that is known.
    pub(crate) realm: Option<RealmId>,
}

impl Tell {
    /// Whether it waits for a link: all but what others make up for, or can do without.
    pub(crate) const fn is_patient(&self) -> bool {
        !matches!(self.kind, Kind::Progress | Kind::Tally | Kind::Close)
    }
}

impl Node {
    /// Sends a message of a broadcast to a realm that is known.
    pub(super) fn send_to<T: Wire>(
        &mut self,
        broadcast: BroadcastId,
        to: &Place,
        kind: Kind,
        message: &T,
    ) {
        self.send_within(limits::CALL_MS, broadcast, to, (kind, message));
    }

    /// As [`Node::send_to`], for what means nothing any more after so many milliseconds.
    pub(super) fn send_within<T: Wire>(
        &mut self,
        waits_ms: u64,
        broadcast: BroadcastId,
        to: &Place,
        (kind, message): (Kind, &T),
    ) {
        let tell = Tell {
            call: call_of(broadcast),
            kind,
            content: encode(message).into(),
            realm: to.realm,
        };
        self.dispatch(to.scope(), tell, waits_ms);
    }

    /// Sends an announcement to whoever is at a place.
    pub(super) fn send_at(&mut self, broadcast: BroadcastId, scope: Scope, message: &Announce) {
        let tell = Tell {
            call: call_of(broadcast),
            kind: Kind::Announce,
            content: encode(message).into(),
            realm: None,
        };
        self.dispatch(scope, tell, limits::CALL_MS);
    }

    fn dispatch(&mut self, scope: Scope, tell: Tell, waits_ms: u64) {
        if self.calls.len() >= self.config.max_calls {
            // Times run out by themselves: who is not told has not answered.
            return self.counters.refuse(Refused::Overloaded);
        }
        let deadline = self.now.tick.plus(waits_ms.min(limits::CALL_MS));
        let out = OutCall {
            // Nobody would say that a session is unknown: what is sent once is sealed anew.
            no_session: true,
            ..OutCall::new(scope, deadline, Task::Tell(Box::new(tell)))
        };
        let id = self.new_call();
        self.calls.insert(id, out);
        self.try_call(id);
    }
}
