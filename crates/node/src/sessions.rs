//! Sessions with other nodes: which stand, which are offered, which are forgotten.

use std::{collections::BTreeMap, sync::Arc};

use realm_crypto::{Ephemeral, Opened, Session, Verified, open_in_session};
use realm_protocol::{KeyId, NodeId, Scope, Tick, limits};
use realm_router::TokenBucket;

use crate::{Node, timers::Timer};

/// How long one offer goes with every sealed call to a node, milliseconds.
const OFFER_MS: u64 = 10_000;
/// How long a session that nobody has used yet stands in the way of another, milliseconds.
const UNUSED_MS: u64 = 30_000;
/// Sessions taken from one node that it has not used yet.
const UNUSED: usize = 2;
/// Requests a second that fell out of a session's window and are answered, and the burst.
const LATE_RATE: (u64, u64) = (64, 256);
/// How long a receiver knows a session: messages may be under way when its life is over.
const KNOWN_MS: u64 = limits::SESSION_MS + limits::TTL_MS;

/// The sessions of this node, at most [`limits::SESSIONS`]. They are never written down.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// Whether any are held at all.
    allowed: bool,
    held: BTreeMap<(NodeId, KeyId), Held>,
    offers: BTreeMap<NodeId, (Arc<Ephemeral>, Tick)>,
    uses: u64,
}

#[derive(Debug)]
struct Held {
    session: Session,
    scope: Scope,
    since: Tick,
    /// Whether the other side has shown that it holds the session too.
    confirmed: bool,
    used: u64,
    /// The highest counter that came.
    newest: u64,
    /// How often the other side may hear that a request fell out of the window.
    late: TokenBucket,
}

/// A request of this node's in a session: which node, which session, which counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InSession {
    pub(crate) node: NodeId,
    pub(crate) id: KeyId,
    pub(crate) counter: u64,
}

impl Held {
    fn age(&self, now: Tick) -> u64 {
        now.since(self.since)
    }

    /// Whether this side may seal under it.
    fn serves(&self, now: Tick) -> bool {
        self.confirmed
            && self.age(now) < limits::SESSION_MS
            && self.session.sealed() < limits::SESSION_MESSAGES
    }

    fn is_due(&self, now: Tick) -> bool {
        self.age(now) >= limits::SESSION_RENEW_MS
            || self.session.sealed() >= limits::SESSION_RENEW_MESSAGES
    }
}

/// How a request to a node is to be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Under this session.
    Session(KeyId),
    /// To the KEM key; a call offers a session.
    Sealed,
}

impl Sessions {
    /// None is held yet.
    pub(crate) const fn new(allowed: bool) -> Self {
        Self {
            allowed,
            held: BTreeMap::new(),
            offers: BTreeMap::new(),
            uses: 0,
        }
    }

    /// How the next request to a node is to be sealed. Once a session is due, one call in a while
    /// offers another, and the others go on under it.
    pub(crate) fn way(&self, node: NodeId, now: Tick) -> Way {
        let Some((id, held)) = self.newest(node, now) else {
            return Way::Sealed;
        };
        let offered = self.offers.get(&node);
        let offered = offered.is_some_and(|(_, since)| now.since(*since) < OFFER_MS);
        if held.is_due(now) && !offered {
            return Way::Sealed;
        }
        Way::Session(id)
    }

    fn newest(&self, node: NodeId, now: Tick) -> Option<(KeyId, &Held)> {
        let serving = self.of(node).filter(|(_, held)| held.serves(now));
        serving.max_by_key(|(_, held)| held.since)
    }

    fn of(&self, node: NodeId) -> impl Iterator<Item = (KeyId, &Held)> {
        let all = (node, KeyId::new([0; 8]))..=(node, KeyId::new([255; 8]));
        self.held.range(all).map(|((_, id), held)| (*id, held))
    }

    /// The session to seal under, as [`Sessions::way`] said.
    pub(crate) fn get_mut(&mut self, node: NodeId, id: KeyId) -> Option<&mut Session> {
        self.uses = self.uses.saturating_add(1);
        let held = self.held.get_mut(&(node, id))?;
        held.used = self.uses;
        Some(&mut held.session)
    }

    /// The key that sealed calls to a node offer now.
    fn offer(
        &mut self,
        node: NodeId,
        now: Tick,
        fresh: impl FnOnce() -> Ephemeral,
    ) -> Arc<Ephemeral> {
        if let Some((offer, since)) = self.offers.get(&node)
            && now.since(*since) < OFFER_MS
        {
            return Arc::clone(offer);
        }
        let offer = Arc::new(fresh());
        self.offers.insert(node, (Arc::clone(&offer), now));
        if self.offers.len() > limits::SESSIONS {
            let oldest = self.offers.iter().min_by_key(|(_, (_, since))| *since);
            if let Some(oldest) = oldest.map(|(node, _)| *node) {
                self.offers.remove(&oldest);
            }
        }
        offer
    }

    /// Whether an answer that takes the session offered would begin one that is wanted.
    pub(crate) fn wants(&self, node: NodeId, now: Tick) -> bool {
        let newest = self.newest(node, now);
        self.allowed && newest.is_none_or(|(_, held)| held.is_due(now))
    }

    /// Whether a session that a node offers is taken.
    pub(crate) fn may_take(&self, node: NodeId, now: Tick) -> bool {
        let unused = self
            .of(node)
            .filter(|(_, held)| !held.confirmed && held.age(now) < UNUSED_MS);
        self.allowed && unused.count() < UNUSED
    }

    /// Holds a session with a node; forgets others where there are too many.
    pub(crate) fn hold(
        &mut self,
        (node, scope): (NodeId, Scope),
        session: Session,
        confirmed: bool,
        share: Option<&Scope>,
        now: Tick,
    ) {
        let key = (node, session.id());
        if self.held.contains_key(&key) {
            return;
        }
        if confirmed {
            self.offers.remove(&node);
        }
        self.uses = self.uses.saturating_add(1);
        let held = Held {
            session,
            scope,
            since: now,
            confirmed,
            used: self.uses,
            newest: 0,
            late: TokenBucket::new(LATE_RATE.0, LATE_RATE.1, now),
        };
        self.held.insert(key, held);
        if self.of(node).count() > limits::SESSIONS_PER_NODE {
            self.forget_oldest(|(of, _), _| *of == node);
        }
        if self.held.len() <= limits::SESSIONS_SHARE {
            return;
        }
        let within = |held: &Held| share.is_some_and(|share| share.contains(&held.scope));
        if self.held.values().filter(|held| within(held)).count() > limits::SESSIONS_SHARE {
            self.forget_oldest(|_, held| within(held));
        } else if self.held.len() > limits::SESSIONS {
            self.forget_oldest(|_, _| true);
        }
    }

    fn forget_oldest(&mut self, among: impl Fn(&(NodeId, KeyId), &Held) -> bool) {
        let some = self.held.iter().filter(|(key, held)| among(key, held));
        let oldest = some.min_by_key(|(_, held)| held.used);
        if let Some(key) = oldest.map(|(key, _)| *key) {
            self.held.remove(&key);
        }
    }

    /// Forgets the sessions with a node that no longer knows one of them: it has most likely
    /// started anew, and would know none. Where the request may have fallen out of the session's
    /// window they stay: then that says nothing of the session.
    pub(crate) fn unknown_to(&mut self, sent: InSession) {
        let held = self.held.get(&(sent.node, sent.id));
        let beyond = sent.counter.saturating_add(limits::SESSION_WINDOW);
        if held.is_none_or(|held| held.session.sealed() <= beyond) {
            self.held.retain(|(of, _), _| *of != sent.node);
        }
    }

    /// Forgets all of them, and what is offered.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
        self.offers.clear();
    }

    /// Forgets what is over.
    pub(crate) fn upkeep(&mut self, now: Tick) {
        self.held.retain(|_, held| held.age(now) < KNOWN_MS);
    }

    /// Erases the keys that are offered no more; gives when the next one is.
    fn erase_offers(&mut self, now: Tick) -> Option<Tick> {
        self.offers
            .retain(|_, (_, since)| now.since(*since) < OFFER_MS);
        let ends = self.offers.values();
        ends.map(|(_, since)| since.plus(OFFER_MS)).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// How many keys are offered.
    pub(crate) fn offered(&self) -> usize {
        self.offers.len()
    }
}

impl Node {
    /// The key that sealed calls to a node offer now; it is erased when its time is over.
    pub(crate) fn offer_session(&mut self, node: NodeId) -> Arc<Ephemeral> {
        let (rng, tick) = (&mut self.rng, self.now.tick);
        let offer = self.sessions.offer(node, tick, || Ephemeral::generate(rng));
        self.timers.set_earlier(Timer::Offers, tick.plus(OFFER_MS));
        offer
    }

    pub(crate) fn erase_offers(&mut self) {
        self.market.offers.erase(self.now.tick);
        if let Some(next) = self.sessions.erase_offers(self.now.tick) {
            self.timers.set(Timer::Offers, next);
        }
    }

    /// Opens a request in a session; none if there is no such session, or it came before.
    pub(crate) fn open_in_session(
        &mut self,
        verified: &Verified,
    ) -> Result<Opened, realm_crypto::OpenError> {
        let header = verified.header();
        let unknown = realm_crypto::OpenError::UnknownKey;
        let (Some(node), Some(id)) = (header.source.node, header.key) else {
            return Err(unknown);
        };
        let held = self.sessions.held.get_mut(&(node, id)).ok_or(unknown)?;
        let opened = open_in_session(verified, &mut held.session)?;
        held.confirmed = true;
        held.newest = held.newest.max(header.counter.unwrap_or(0));
        self.sessions.uses = self.sessions.uses.saturating_add(1);
        held.used = self.sessions.uses;
        Ok(opened)
    }

    /// Whether the source of a request that did not open is to hear that it fell out of its
    /// session's window. It hears nothing of a request that is being served: that one came again.
    pub(crate) fn is_late(&mut self, verified: &Verified) -> bool {
        let header = verified.header();
        let (Some(node), Some(id), Some(counter)) =
            (header.source.node, header.key, header.counter)
        else {
            return false;
        };
        let Some(held) = self.sessions.held.get_mut(&(node, id)) else {
            return false;
        };
        let too_old = counter.saturating_add(limits::SESSION_WINDOW) <= held.newest;
        too_old && !self.serving.is_serving(verified.digest()) && held.late.take(self.now.tick)
    }

    /// Holds a session with the node at a place.
    pub(crate) fn hold_session(
        &mut self,
        node: NodeId,
        scope: Scope,
        session: Session,
        confirmed: bool,
    ) {
        let share = self.trust.share_of(&scope);
        self.sessions.hold(
            (node, scope),
            session,
            confirmed,
            share.as_ref(),
            self.now.tick,
        );
    }
}

#[cfg(test)]
mod tests;
