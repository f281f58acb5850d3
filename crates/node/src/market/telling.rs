//! Messages of the market on their way: for one realm, sent once, answered by messages of their own.

use std::sync::Arc;

use realm_crypto::{Ephemeral, Letter, ReplyKey, Session, Side, Verified, open_clear};
use realm_protocol::{
    BroadcastId, CallId, Digest, Failure, FailureCode, Kind, NodeId, Place, RealmId, Scope, Tick,
    broadcast::{Announce, Bid, Close, PlacedBid},
    cbor::{self, Blob, Wire, encode},
    limits,
    records::Signed,
};

use super::{
    acquainting::{Offer, Offered},
    call_of,
};
use crate::{
    Node, Refused,
    outbound::{OutCall, Task},
    relay::Release,
    sessions::InSession,
    timers::Timer,
};

/// How long it is remembered what a message in a session said, milliseconds.
const UNHEARD_MS: u64 = 5_000;

/// A message that waits until it is known who is at its place.
#[derive(Debug)]
pub(crate) struct Tell {
    /// The call that its header names.
    pub(crate) call: CallId,
    pub(crate) kind: Kind,
    pub(crate) said: Said,
    /// The realm that it is for, where that is known.
    pub(crate) realm: Option<RealmId>,
}

/// What a message says: all of it, or all but the session that it may begin.
#[derive(Debug)]
pub(crate) enum Said {
    All(Blob),
    Bid(Signed<Bid>),
    /// The first page of a close, for a bidder that offers a session.
    Close(Box<(Close, Offered)>),
}

/// What is left of a message once it has left.
pub(crate) struct Left {
    /// The node that it is for.
    pub(crate) node: NodeId,
    pub(crate) reply_key: ReplyKey,
    /// The session that it offers.
    pub(crate) offer: Option<Arc<Ephemeral>>,
    /// This realm's key of the session that it takes.
    pub(crate) taking: Option<Ephemeral>,
    /// Where it was sealed in a session, if it was.
    pub(crate) session: Option<InSession>,
}

/// A message in a session whose receiver may say that it knows no such session.
#[derive(Debug)]
pub(crate) struct Unheard {
    tell: Box<Tell>,
    scope: Scope,
    sent: InSession,
    until: Tick,
}

impl Tell {
    /// The content, with the key of the session that it offers or takes.
    pub(crate) fn content(&self, session: Option<[u8; 32]>) -> Vec<u8> {
        match &self.said {
            Said::All(content) => content.to_vec(),
            Said::Bid(bid) => encode(&PlacedBid {
                bid: bid.clone(),
                session,
            }),
            Said::Close(close) => encode(&Close {
                session,
                ..close.0.clone()
            }),
        }
    }

    /// The session that it could take, of the bidder on this node.
    pub(crate) fn offered(&self, node: NodeId) -> Option<&Offered> {
        match &self.said {
            Said::Close(close) => Some(&close.1).filter(|offered| offered.node == node),
            Said::All(_) | Said::Bid(_) => None,
        }
    }

    /// Whether it may offer a session.
    pub(crate) const fn is_bid(&self) -> bool {
        matches!(self.said, Said::Bid(_))
    }

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
            said: Said::All(encode(message).into()),
            realm: to.realm,
        };
        self.dispatch(to.scope(), tell, waits_ms);
    }

    /// Sends a bid to who has announced the work.
    pub(super) fn send_bid(&mut self, broadcast: BroadcastId, to: &Place, bid: Signed<Bid>) {
        let tell = Tell {
            call: call_of(broadcast),
            kind: Kind::Bid,
            said: Said::Bid(bid),
            realm: to.realm,
        };
        self.dispatch(to.scope(), tell, limits::CALL_MS);
    }

    /// Sends a page of a close, which takes the session that the bidder offers.
    pub(super) fn send_page(&mut self, to: &Place, page: &Close, offered: Option<Offered>) {
        let broadcast = page.broadcast;
        let Some(offered) = offered else {
            return self.send_to(broadcast, to, Kind::Close, page);
        };
        let tell = Tell {
            call: call_of(broadcast),
            kind: Kind::Close,
            said: Said::Close(Box::new((page.clone(), offered))),
            realm: to.realm,
        };
        self.dispatch(to.scope(), tell, limits::CALL_MS);
    }

    /// Sends an announcement to whoever is at a place.
    pub(super) fn send_at(&mut self, broadcast: BroadcastId, scope: Scope, message: &Announce) {
        let tell = Tell {
            call: call_of(broadcast),
            kind: Kind::Announce,
            said: Said::All(encode(message).into()),
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
        let out = OutCall::new(scope, deadline, Task::Tell(Box::new(tell)));
        let id = self.new_call();
        self.calls.insert(id, Box::new(out));
        self.try_call(id);
    }

    /// What promises something waits until it is durable. Bids, tallies and what is passed on of others'
    /// announcements promise nothing, and have a window to come in.
    fn release_of(&self, kind: Kind, call: CallId) -> Release {
        let broadcast = BroadcastId::new(*call.as_bytes());
        match kind {
            Kind::Bid | Kind::Tally => Release::Now,
            Kind::Announce if !self.market.announced.contains_key(&broadcast) => Release::Now,
            _ => Release::Durable,
        }
    }

    /// A message of the market leaves. Its answer, if there is one, is a message of its own; but who does
    /// not know the session that it is sealed in says so.
    pub(crate) fn tell_left(&mut self, id: CallId, letter: Letter, left: Left) {
        let (digest, message) = (letter.digest(), letter.message_digest());
        let release = self.release_of(letter.header().kind, letter.header().call);
        self.launch_when(letter, release);
        self.timers.cancel(&Timer::Attempt(id));
        let Some(out) = self.calls.remove(&id) else {
            return;
        };
        let (scope, until, Task::Tell(tell)) = (out.scope, out.deadline, out.task) else {
            return;
        };
        let Left {
            node,
            reply_key,
            offer,
            taking,
            session,
        } = left;
        if let Some(mine) = offer {
            let broadcast = BroadcastId::new(*tell.call.as_bytes());
            let since = self.now.tick;
            let offer = Offer {
                node,
                reply_key,
                mine,
                since,
            };
            self.market.offers.remember(broadcast, offer);
        }
        if let (Some(mine), Some(of)) = (taking, tell.offered(node)) {
            let began = Session::derive(Side::Callee, &of.reply_key, message, &mine, &of.theirs);
            if let Some(session) = began {
                self.hold_session(node, scope.clone(), session, false);
            }
        }
        if let Some(sent) = session {
            let deadline = self.now.tick.plus(UNHEARD_MS).min(until);
            let unheard = Unheard {
                tell,
                scope,
                sent,
                until,
            };
            self.unheard.expired(self.now.tick);
            // Where no more are remembered, a session that is unknown costs the message.
            let _ = self.unheard.insert(digest, deadline, unheard);
        }
    }

    /// What a message in a session said is answered: by who does not know the session, in the clear. It
    /// is said anew.
    pub(crate) fn tell_answered(&mut self, verified: &Verified, answers: Digest) {
        let opened = open_clear(verified).ok();
        let failure = opened.and_then(|it| cbor::decode::<Failure>(it.content()).ok());
        let unknown = failure.is_some_and(|failure| {
            failure.code == FailureCode::UnknownKey && failure.answers == answers
        });
        let from = verified.header().source.scope();
        let meant = self.unheard.get(&answers);
        if !unknown || meant.is_none_or(|unheard| unheard.scope != from) {
            return self.counters.refuse(Refused::Unasked);
        }
        let Some(Unheard {
            tell,
            scope,
            sent,
            until,
        }) = self.unheard.take(&answers)
        else {
            return;
        };
        self.sessions.unknown_to(sent);
        let out = OutCall {
            no_session: true,
            ..OutCall::new(scope, until, Task::Tell(tell))
        };
        let id = self.new_call();
        self.calls.insert(id, Box::new(out));
        self.try_call(id);
    }
}
