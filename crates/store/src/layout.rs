//! Where things stand: trees, their keys, and the index rows of a run.

use std::fmt;

use realm_protocol::{
    CallId, RunId, Timestamp,
    journal::{Run, Status, Table},
};

/// An ordered map of keys to values. The numbers are on the disk and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tree {
    /// What the store knows about itself.
    Meta = 0,
    /// Records by table and key.
    Records = 1,
    /// Runs by id, which is by time.
    Runs = 2,
    /// Events by run and position.
    Events = 3,
    /// Runs by loop.
    ByLoop = 4,
    /// Runs by the other realm.
    ByPeer = 5,
    /// Runs by call.
    ByCall = 6,
    /// Runs by status.
    ByStatus = 7,
    /// Records that expire, by that time.
    ByExpiry = 8,
    /// What each commit wrote of runs and events, sealed together, in their order.
    Groups = 9,
}

impl Tree {
    /// Every tree, in the order of their numbers.
    pub const ALL: &[Self] = &[
        Self::Meta,
        Self::Records,
        Self::Runs,
        Self::Events,
        Self::ByLoop,
        Self::ByPeer,
        Self::ByCall,
        Self::ByStatus,
        Self::ByExpiry,
        Self::Groups,
    ];

    /// The trees that only point at runs.
    pub(crate) const INDEXES: &[Self] = &[Self::ByLoop, Self::ByPeer, Self::ByCall, Self::ByStatus];

    /// The tree's number on the disk.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The tree's name on the disk.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Records => "records",
            Self::Runs => "runs",
            Self::Events => "events",
            Self::ByLoop => "runs by loop",
            Self::ByPeer => "runs by peer",
            Self::ByCall => "runs by call",
            Self::ByStatus => "runs by status",
            Self::ByExpiry => "records by expiry",
            Self::Groups => "groups",
        }
    }

    pub(crate) fn numbered(number: u8) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|tree| tree.number() == number)
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Keys from `from` up to, but not including, `until`; without `until` up to the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    pub(crate) from: Vec<u8>,
    pub(crate) until: Option<Vec<u8>>,
}

impl KeyRange {
    pub(crate) fn all() -> Self {
        Self::under(Vec::new())
    }

    /// Every key that begins with `prefix`.
    pub(crate) fn under(prefix: Vec<u8>) -> Self {
        let until = successor(&prefix);
        Self {
            from: prefix,
            until,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.until.as_ref().is_some_and(|until| *until <= self.from)
    }
}

/// The first key after all that begin with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix.get(..=last)?.to_vec();
    if let Some(byte) = after.last_mut() {
        *byte = byte.saturating_add(1);
    }
    Some(after)
}

/// The prefix of a table's keys.
pub(crate) fn table_prefix(table: Table) -> u8 {
    // `Table` has fewer than 256 variants by its definition; were there more, keys would meet.
    u8::try_from(table.number()).unwrap_or(u8::MAX)
}

pub(crate) fn record_key(table: Table, key: &[u8]) -> Vec<u8> {
    [&[table_prefix(table)], key].concat()
}

/// The key of the index row of a record that expires, from the record's own key.
pub(crate) fn expiry_key(until: Timestamp, record: &[u8]) -> Vec<u8> {
    [until.as_millis().to_be_bytes().as_slice(), record].concat()
}

/// Takes the key of such an index row apart.
pub(crate) fn expiry_of(key: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (until, record) = key.split_first_chunk()?;
    let until = Timestamp::from_millis(u64::from_be_bytes(*until));
    Some((until, record))
}

pub(crate) fn event_key(run: RunId, index: u64) -> Vec<u8> {
    [run.as_bytes().as_slice(), &index.to_be_bytes()].concat()
}

/// Takes an event's key apart.
pub(crate) fn event_of(key: &[u8]) -> Option<(RunId, u64)> {
    let (run, index) = key.split_at_checked(16)?;
    let index = u64::from_be_bytes(index.try_into().ok()?);
    Some((RunId::try_from(run).ok()?, index))
}

pub(crate) fn group_key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// Takes a group's key apart.
pub(crate) fn group_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// The prefix of a text's index rows: its length first, so that no text is another's prefix.
pub(crate) fn text_prefix(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

pub(crate) fn call_prefix(call: CallId) -> Vec<u8> {
    call.as_bytes().to_vec()
}

pub(crate) fn status_prefix(status: Status) -> Vec<u8> {
    vec![u8::try_from(status.number()).unwrap_or(u8::MAX)]
}

/// The index rows that point at a run.
pub(crate) fn index_rows(run: &Run) -> Vec<(Tree, Vec<u8>)> {
    let mut rows = vec![
        (Tree::ByLoop, text_prefix(&run.loop_id)),
        (Tree::ByCall, call_prefix(run.call)),
        (Tree::ByStatus, status_prefix(run.status)),
    ];
    rows.extend(
        run.peer
            .iter()
            .map(|peer| (Tree::ByPeer, text_prefix(peer))),
    );
    for (_, key) in &mut rows {
        key.extend_from_slice(run.id.as_bytes());
    }
    rows
}

/// The run that an index row, or a row of the runs themselves, points at.
pub(crate) fn run_of(key: &[u8]) -> Option<RunId> {
    let start = key.len().checked_sub(16)?;
    RunId::try_from(key.get(start..)?).ok()
}

/// The smallest id a run that began at `time` can have.
pub(crate) fn first_run_at(time: Timestamp) -> RunId {
    const LAST: u64 = (1 << 48) - 1;
    RunId::at(Timestamp::from_millis(time.as_millis().min(LAST)), [0; 10])
}
