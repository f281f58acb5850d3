//! Which messages have been here before.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{MessageId, Timestamp, limits};
use thiserror::Error;

/// Why a message is not admitted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Replay {
    /// Its id has been admitted before.
    #[error("the message has been received before")]
    Seen,
    /// It is past its time, or so old that its id may have been forgotten.
    #[error("the message is past its time")]
    Expired,
    /// Those of its share, or all together, have as many ids remembered as they may.
    #[error("too many messages are remembered")]
    Full,
}

/// The ids a destination has admitted, each until it expires.
///
/// Holds [`limits::REPLAY_IDS`] in all and [`limits::REPLAY_IDS_SHARE`] of one share `S`: whom a
/// message comes from.
/// It never un-expires: where the clock is set back, an id that may have been forgotten stays
/// refused.
#[derive(Clone, Debug)]
pub struct ReplayMemory<S> {
    capacity: usize,
    per_share: usize,
    /// Shares are interned: an entry holds eight bytes for its share.
    ids: BTreeMap<MessageId, u64>,
    expiries: BTreeSet<(Timestamp, MessageId)>,
    shares: BTreeMap<S, Share>,
    slots: BTreeMap<u64, S>,
    next_slot: u64,
    forgotten: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    slot: u64,
    held: usize,
}

impl<S: Ord + Clone> Default for ReplayMemory<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Ord + Clone> ReplayMemory<S> {
    /// Starts empty, with the bounds of [`limits`].
    pub const fn new() -> Self {
        Self::with_bounds(limits::REPLAY_IDS, limits::REPLAY_IDS_SHARE)
    }

    /// Starts empty, with bounds of its own: ids in all, and of one share.
    pub const fn with_bounds(capacity: usize, per_share: usize) -> Self {
        Self {
            capacity,
            per_share,
            ids: BTreeMap::new(),
            expiries: BTreeSet::new(),
            shares: BTreeMap::new(),
            slots: BTreeMap::new(),
            next_slot: 0,
            forgotten: Timestamp::from_millis(0),
        }
    }

    /// Takes back what was written down before a restart: [`ReplayMemory::forgotten_until`], and
    /// each admitted id with its share and expiry. The bounds apply to what is admitted later; a
    /// row is never left out, because its message could then come again.
    pub fn load(
        &mut self,
        forgotten_until: Timestamp,
        rows: impl IntoIterator<Item = (MessageId, S, Timestamp)>,
    ) {
        self.forgotten = self.forgotten.max(forgotten_until);
        for (id, share, expires) in rows {
            if !self.ids.contains_key(&id) {
                self.remember(id, share, expires);
            }
        }
    }

    /// Admits a message once, and remembers it until `expires`. To be called only when its
    /// signature is verified.
    ///
    /// # Errors
    /// [`Replay`]; nothing is remembered then.
    pub fn admit(
        &mut self,
        id: MessageId,
        share: S,
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<(), Replay> {
        self.purge(now);
        if self.ids.contains_key(&id) {
            return Err(Replay::Seen);
        }
        if expires <= now || expires <= self.forgotten {
            return Err(Replay::Expired);
        }
        if self.ids.len() >= self.capacity || self.held(&share) >= self.per_share {
            return Err(Replay::Full);
        }
        self.remember(id, share, expires);
        Ok(())
    }

    /// Forgets what has expired; gives how many.
    pub fn purge(&mut self, now: Timestamp) -> usize {
        let mut purged = 0;
        while let Some((expires, id)) = self.expiries.first().copied()
            && expires <= now
        {
            self.expiries.remove(&(expires, id));
            self.forget(id);
            self.forgotten = self.forgotten.max(expires);
            purged += 1;
        }
        purged
    }

    /// The latest expiry among the forgotten ids; what expires by then is refused unseen.
    pub const fn forgotten_until(&self) -> Timestamp {
        self.forgotten
    }

    /// Whether an id is remembered.
    pub fn holds(&self, id: MessageId) -> bool {
        self.ids.contains_key(&id)
    }

    /// How many ids of one share are remembered.
    pub fn held(&self, share: &S) -> usize {
        self.shares.get(share).map_or(0, |share| share.held)
    }

    /// How many ids are remembered.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no id is remembered.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn remember(&mut self, id: MessageId, of: S, expires: Timestamp) {
        let next = self.next_slot;
        let fresh = Share {
            slot: next,
            held: 0,
        };
        let share = self.shares.entry(of.clone()).or_insert(fresh);
        share.held += 1;
        if share.slot == next {
            self.slots.insert(next, of);
            self.next_slot += 1;
        }
        self.ids.insert(id, share.slot);
        self.expiries.insert((expires, id));
    }

    fn forget(&mut self, id: MessageId) {
        let Some(slot) = self.ids.remove(&id) else {
            return;
        };
        let Some(of) = self.slots.get(&slot) else {
            return;
        };
        if let Some(share) = self.shares.get_mut(of) {
            share.held -= 1;
            if share.held == 0 {
                self.shares.remove(of);
                self.slots.remove(&slot);
            }
        }
    }
}
