//! What is taken from one link: so many messages a second, and of a peer's so many bytes.

use realm_protocol::{Kind, RealmId, Tick, limits};
use realm_router::{Relation, TokenBucket};

use crate::{Node, config::BURST};

const KIB: usize = 1_024;

/// How much a link may still send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intake {
    messages: TokenBucket,
    /// Of a peer, and what follows too.
    bytes: Option<TokenBucket>,
    /// KiB of parts of outputs, which take no room from other messages.
    shown: Option<TokenBucket>,
}

impl Intake {
    /// Of a neighbour that has yet to say who it is.
    pub(crate) fn of_stranger(now: Tick) -> Self {
        let (rate, burst) = limits::PEER_RATE;
        Self {
            messages: TokenBucket::new(u64::from(rate), u64::from(burst), now),
            bytes: None,
            shown: None,
        }
    }

    /// Takes so many messages a second from here on, and so many at once.
    pub(crate) fn set_messages(&mut self, rate: u64, burst: u64, now: Tick) {
        self.messages.set(rate, burst, now);
    }

    /// Bounds what a peer sends by its length as well, and parts of outputs for themselves.
    pub(crate) fn bound_bytes(&mut self, bytes: u64, shows: bool, now: Tick) {
        let fresh = || TokenBucket::new(bytes, bytes.saturating_mul(BURST), now);
        self.bytes.get_or_insert_with(fresh);
        let (kibs, at_once) = limits::STREAM_TAKEN;
        let fresh = || TokenBucket::new(kibs, at_once, now);
        self.shown = shows.then(|| self.shown.unwrap_or_else(fresh));
    }

    /// Whether a frame is taken: an envelope of a kind, or a link message. New work goes first, so that
    /// what ends work and answers get through.
    pub(crate) fn take(&mut self, kind: Option<Kind>, bytes: usize, now: Tick) -> bool {
        if let (Some(shown), Some(Kind::StreamItem)) = (&mut self.shown, kind) {
            return shown.take_many(kibs(bytes), now);
        }
        let early = kind.is_some_and(Kind::begins_work);
        let take = |bucket: &mut TokenBucket, count| match early {
            true => bucket.take_early(count, now),
            false => bucket.take_many(count, now),
        };
        let room = self.bytes.as_mut();
        take(&mut self.messages, 1) && room.is_none_or(|room| take(room, bytes as u64))
    }
}

impl Node {
    /// What is taken from a peer that has a new link: what its last one has left, so that nobody gains
    /// by linking anew.
    pub(crate) fn intake_of(&mut self, peer: RealmId) -> Option<Intake> {
        let link = self.routes.link_to(&Relation::Peer(peer));
        let link = link.and_then(|link| self.links.get(&link));
        let left = self.intakes.remove(&peer);
        link.map(|link| link.intake).or(left)
    }

    /// A peer's link is down: what it has left is kept for its next one.
    pub(crate) fn keep_intake(&mut self, peer: RealmId, intake: Intake) {
        self.intakes.insert(peer, intake);
        let peers = &self.kin.peers;
        self.intakes.retain(|peer, _| peers.contains_key(peer));
    }
}

/// What a message counts for among those that are bounded by KiB.
pub(crate) const fn kibs(bytes: usize) -> u64 {
    bytes.div_ceil(KIB) as u64
}
