//! Which messages have come before: live ones, and those that may have been kept for a week.

use realm_protocol::{Header, MessageId, RealmId, Timestamp, limits};
use realm_router::{Replay, ReplayMemory};

/// Marks, behind its root, the row of a message that may have been kept.
const STORABLE: u8 = 1;

/// Two memories, so that calls that were kept take no room from live ones.
#[derive(Debug)]
pub(crate) struct Seen {
    live: ReplayMemory,
    stored: ReplayMemory,
}

impl Default for Seen {
    fn default() -> Self {
        let (all, share) = (
            limits::STORED_REPLAY_IDS,
            limits::STORED_REPLAY_IDS_PER_ROOT,
        );
        Self {
            live: ReplayMemory::new(),
            stored: ReplayMemory::with_bounds(all, share),
        }
    }
}

/// An id as it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenId {
    pub(crate) id: MessageId,
    pub(crate) root: RealmId,
    pub(crate) expires: Timestamp,
    pub(crate) storable: bool,
}

impl SeenId {
    /// The id of a message, for as long as that can come again.
    pub(crate) fn of(header: &Header) -> Self {
        Self {
            id: header.id,
            root: header.source.root,
            expires: header.expires().plus(limits::CLOCK_SKEW_MS),
            storable: header.is_storable(),
        }
    }

    /// The record's key: expiry first, so that old ones are found together.
    pub(crate) fn key(&self) -> Vec<u8> {
        let expires = self.expires.as_millis().to_be_bytes();
        [expires.as_slice(), self.id.as_bytes()].concat()
    }

    /// The record's value.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mark: &[u8] = if self.storable { &[STORABLE] } else { &[] };
        [self.root.as_bytes().as_slice(), mark].concat()
    }

    /// Reads a record.
    pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let (expires, id) = key.split_at_checked(8)?;
        let expires = u64::from_be_bytes(expires.try_into().ok()?);
        let (root, mark) = value.split_at_checked(32)?;
        let storable = match mark {
            [] => false,
            [STORABLE] => true,
            _ => return None,
        };
        Some(Self {
            id: id.try_into().ok()?,
            root: RealmId::try_from(root).ok()?,
            expires: Timestamp::from_millis(expires),
            storable,
        })
    }
}

impl Seen {
    /// Admits a message once, and remembers it until it expires.
    pub(crate) fn admit(&mut self, seen: SeenId, now: Timestamp) -> Result<(), Replay> {
        let (memory, other) = if seen.storable {
            (&mut self.stored, &self.live)
        } else {
            (&mut self.live, &self.stored)
        };
        if other.holds(seen.id) {
            return Err(Replay::Seen);
        }
        memory.admit(seen.id, seen.root, seen.expires, now)
    }

    /// Whether a storable message's id is remembered.
    pub(crate) fn holds_stored(&self, id: MessageId) -> bool {
        self.stored.holds(id)
    }

    /// Takes back what was written down before a restart.
    pub(crate) fn load(&mut self, forgotten_until: Timestamp, rows: Vec<SeenId>) {
        let (stored, live): (Vec<_>, Vec<_>) = rows.into_iter().partition(|seen| seen.storable);
        let rows = |of: Vec<SeenId>| {
            of.into_iter()
                .map(|seen| (seen.id, seen.root, seen.expires))
        };
        self.live.load(forgotten_until, rows(live));
        self.stored.load(forgotten_until, rows(stored));
    }

    /// Forgets what has expired; gives how many.
    pub(crate) fn purge(&mut self, now: Timestamp) -> usize {
        self.live.purge(now).saturating_add(self.stored.purge(now))
    }

    /// The latest expiry among the forgotten ids.
    pub(crate) fn forgotten_until(&self) -> Timestamp {
        let (live, stored) = (&self.live, &self.stored);
        live.forgotten_until().max(stored.forgotten_until())
    }

    /// How many live and how many storable messages are remembered.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.live.len(), self.stored.len())
    }
}
