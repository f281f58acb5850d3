//! Between the node's journal and the store: entries down, durability up.

use std::{collections::VecDeque, sync::Arc};

use realm_node::{LogGrowth, ServedRun, Urgency};
use realm_protocol::{
    CallId, Tick,
    journal::{Entry, JournalSeq, Table},
};
use realm_store::{Ack, AppendError, ReadError, Store};
use tokio::sync::watch;

/// How far the journal is durable, and whether it failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durability {
    /// Every entry up to this one is durable.
    pub(crate) durable: JournalSeq,
    /// What failed; nothing becomes durable any more.
    pub(crate) failed: Option<Arc<str>>,
}

/// Takes the store's acknowledgements: never blocks, and keeps only the latest.
pub(crate) fn acknowledge(ack: Ack, durability: &watch::Sender<Durability>) {
    durability.send_modify(|state| match ack {
        Ack::Durable(seq) => state.durable = state.durable.max(seq),
        Ack::Failed(error) => state.failed = Some(with_causes(&error).into()),
    });
}

pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

/// Milliseconds that an entry which nobody waits for is kept back: to hand over one wakes the store's
/// thread. The rest of its 50 ms is for the store.
const KEPT_BACK_MS: u64 = 25;
/// Events of a run that are read at a time.
const EVENTS: usize = 512;
/// Entries kept back; one more hands all of them over.
const KEPT_BACK: usize = 256;

/// Hands the node's entries to the store, in order.
#[derive(Debug)]
pub(crate) struct Journal {
    store: Store,
    /// Entries kept back for company, or because the store had no room for them. Then the loop
    /// takes no new work, so there are never more than one turn makes beyond [`KEPT_BACK`].
    entries: VecDeque<(JournalSeq, Entry, Urgency)>,
    /// When those kept back for company are handed over.
    due: Option<Tick>,
    full: bool,
}

impl Journal {
    /// Writes to this store.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            entries: VecDeque::new(),
            due: None,
            full: false,
        }
    }

    /// Whether the store keeps up.
    pub(crate) fn keeps_up(&self) -> bool {
        !self.full
    }

    /// Whether the store has been given everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When [`Journal::flush_due`] has something to do.
    pub(crate) fn due(&self) -> Option<Tick> {
        self.due
    }

    /// Reads a record: one key of one table, so there is no waiting worth a task.
    pub(crate) fn look(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.store.record(table, key)
    }

    /// Reads how the audit log grew: some kept heads, and entries between two of them.
    pub(crate) fn growth(&self, from: u64, to: u64) -> Result<Option<LogGrowth>, ReadError> {
        let head = |count: u64| self.look(Table::AuditHeads, &count.to_be_bytes());
        let entries = |from, limit| {
            let read = self.store.audit(from, limit)?;
            Ok(read.into_iter().map(|(_, row)| row).collect())
        };
        LogGrowth::read((from, to), head, entries)
    }

    /// Reads the run that served a call of a peer's, as far as it is shown to others.
    pub(crate) fn served_run(
        &self,
        call: CallId,
        peer: &str,
    ) -> Result<Option<ServedRun>, ReadError> {
        let runs = self.store.runs_by_call(call)?;
        ServedRun::read(runs, peer, |run, from| self.store.events(run, from, EVENTS))
    }

    /// Takes an entry; hands it over at once if somebody waits for it.
    pub(crate) fn record(&mut self, seq: JournalSeq, entry: Entry, urgency: Urgency, now: Tick) {
        self.entries.push_back((seq, entry, urgency));
        if urgency == Urgency::Now || self.full || self.entries.len() > KEPT_BACK {
            self.flush();
        } else if self.due.is_none() {
            self.due = Some(now.plus(KEPT_BACK_MS));
        }
    }

    /// Hands over what has been kept back for long enough.
    pub(crate) fn flush_due(&mut self, now: Tick) {
        if self.due.is_some_and(|due| due <= now) {
            self.flush();
        }
    }

    /// Hands over what waits, as far as there is room.
    pub(crate) fn flush(&mut self) {
        self.due = None;
        self.full = false;
        while let Some((seq, entry, urgency)) = self.entries.pop_front() {
            let Err(refused) = self.store.append(seq, entry, stored(urgency)) else {
                continue;
            };
            match refused.error {
                AppendError::Full => {
                    self.entries.push_front((seq, refused.entry, urgency));
                    self.full = true;
                    return;
                }
                // The failure itself comes as an acknowledgement.
                AppendError::Stopped | AppendError::Poisoned => self.entries.clear(),
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.flush();
    }
}

const fn stored(urgency: Urgency) -> realm_store::Urgency {
    match urgency {
        Urgency::Now => realm_store::Urgency::Now,
        Urgency::Soon => realm_store::Urgency::Soon,
    }
}
