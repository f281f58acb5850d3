//! Which messages have been here before.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{MessageId, RealmId, Timestamp, limits};
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
    /// Its root, or all together, have as many ids remembered as they may.
    #[error("too many messages are remembered")]
    Full,
}

/// The ids a destination has admitted, each until it expires.
///
/// Holds [`limits::REPLAY_IDS`] in all and [`limits::REPLAY_IDS_PER_ROOT`] of one source root.
/// It never un-expires: where the clock is set back, an id that may have been forgotten stays
/// refused.
#[derive(Clone, Debug)]
pub struct ReplayMemory {
    capacity: usize,
    per_root: usize,
    /// Roots are interned: an entry holds eight bytes for its root, not 32.
    ids: BTreeMap<MessageId, u64>,
    expiries: BTreeSet<(Timestamp, MessageId)>,
    shares: BTreeMap<RealmId, Share>,
    slots: BTreeMap<u64, RealmId>,
    next_slot: u64,
    forgotten: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    slot: u64,
    held: usize,
}

impl Default for ReplayMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayMemory {
    /// Starts empty, with the bounds of [`limits`].
    pub const fn new() -> Self {
        Self::with_bounds(limits::REPLAY_IDS, limits::REPLAY_IDS_PER_ROOT)
    }

    /// Starts empty, with bounds of its own: ids in all, and of one root.
    pub const fn with_bounds(capacity: usize, per_root: usize) -> Self {
        Self {
            capacity,
            per_root,
            ids: BTreeMap::new(),
            expiries: BTreeSet::new(),
            shares: BTreeMap::new(),
            slots: BTreeMap::new(),
            next_slot: 0,
            forgotten: Timestamp::from_millis(0),
        }
    }

    /// Takes back what was written down before a restart: [`ReplayMemory::forgotten_until`], and
    /// each admitted id with its root and expiry. The bounds apply to what is admitted later; a
    /// row is never left out, because its message could then come again.
    pub fn load(
        &mut self,
        forgotten_until: Timestamp,
        rows: impl IntoIterator<Item = (MessageId, RealmId, Timestamp)>,
    ) {
        self.forgotten = self.forgotten.max(forgotten_until);
        for (id, root, expires) in rows {
            if !self.ids.contains_key(&id) {
                self.remember(id, root, expires);
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
        root: RealmId,
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
        if self.ids.len() >= self.capacity || self.held(root) >= self.per_root {
            return Err(Replay::Full);
        }
        self.remember(id, root, expires);
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

    /// How many ids of one root are remembered.
    pub fn held(&self, root: RealmId) -> usize {
        self.shares.get(&root).map_or(0, |share| share.held)
    }

    /// How many ids are remembered.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether no id is remembered.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn remember(&mut self, id: MessageId, root: RealmId, expires: Timestamp) {
        let next = self.next_slot;
        let fresh = Share {
            slot: next,
            held: 0,
        };
        let share = self.shares.entry(root).or_insert(fresh);
        share.held += 1;
        if share.slot == next {
            self.slots.insert(next, root);
            self.next_slot += 1;
        }
        self.ids.insert(id, share.slot);
        self.expiries.insert((expires, id));
    }

    fn forget(&mut self, id: MessageId) {
        let Some(slot) = self.ids.remove(&id) else {
            return;
        };
        let Some(root) = self.slots.get(&slot).copied() else {
            return;
        };
        if let Some(share) = self.shares.get_mut(&root) {
            share.held -= 1;
            if share.held == 0 {
                self.shares.remove(&root);
                self.slots.remove(&slot);
            }
        }
    }
}
