//! Which messages have come before: live ones, and those that may have been kept for a week.

use realm_protocol::{Header, MessageId, RealmId, RealmPath, Scope, Timestamp, limits};
use realm_router::{Replay, ReplayMemory};

/// Marks, behind its root, the row of a message that was live.
const LIVE: u8 = 0;
/// Marks the row of one that may have been kept.
const STORABLE: u8 = 1;

/// Two memories, so that calls that were kept take no room from live ones.
#[derive(Debug)]
pub(crate) struct Seen {
    live: ReplayMemory<Scope>,
    stored: ReplayMemory<Scope>,
}

impl Default for Seen {
    fn default() -> Self {
        let (all, share) = (limits::STORED_REPLAY_IDS, limits::STORED_REPLAY_IDS_SHARE);
        Self {
            live: ReplayMemory::new(),
            stored: ReplayMemory::with_bounds(all, share),
        }
    }
}

/// An id as it is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenId {
    pub(crate) id: MessageId,
    /// The neighbour on whose side its source stands.
    pub(crate) share: Scope,
    pub(crate) expires: Timestamp,
    pub(crate) storable: bool,
}

impl SeenId {
    /// The id of a message, for as long as that can come again.
    pub(crate) fn of(header: &Header, share: Scope) -> Self {
        Self {
            id: header.id,
            share,
            expires: header.expires().plus(limits::CLOCK_SKEW_MS),
            storable: header.is_storable(),
        }
    }

    /// The record's key: expiry first, so that old ones are found together.
    pub(crate) fn key(&self) -> Vec<u8> {
        let expires = self.expires.as_millis().to_be_bytes();
        [expires.as_slice(), self.id.as_bytes()].concat()
    }

    /// The record's value: the share's root, what message it was, and the share's path.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mark = if self.storable { STORABLE } else { LIVE };
        let path = self.share.path.as_str().as_bytes();
        [self.share.root.as_bytes().as_slice(), &[mark], path].concat()
    }

    /// Reads a record, also one that ends behind its root: then it was live.
    pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let (expires, id) = key.split_at_checked(8)?;
        let expires = u64::from_be_bytes(expires.try_into().ok()?);
        let (root, rest) = value.split_at_checked(32)?;
        let (storable, path) = match rest {
            [] => (false, rest),
            [LIVE, path @ ..] => (false, path),
            [STORABLE, path @ ..] => (true, path),
            _ => return None,
        };
        let root = RealmId::try_from(root).ok()?;
        let path: RealmPath = std::str::from_utf8(path).ok()?.parse().ok()?;
        Some(Self {
            id: id.try_into().ok()?,
            share: Scope { root, path },
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
        memory.admit(seen.id, seen.share, seen.expires, now)
    }

    /// Whether a message's id is remembered.
    pub(crate) fn holds(&self, id: MessageId) -> bool {
        self.live.holds(id) || self.stored.holds(id)
    }

    /// Takes back what was written down before a restart.
    pub(crate) fn load(&mut self, forgotten_until: Timestamp, rows: Vec<SeenId>) {
        let (stored, live): (Vec<_>, Vec<_>) = rows.into_iter().partition(|seen| seen.storable);
        let rows = |of: Vec<SeenId>| {
            of.into_iter()
                .map(|seen| (seen.id, seen.share, seen.expires))
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
