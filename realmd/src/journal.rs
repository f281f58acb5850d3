//! Between the node's journal and the store: entries down, durability up.

use std::{collections::VecDeque, sync::Arc};

use realm_node::Urgency;
use realm_protocol::journal::{Entry, JournalSeq, Table};
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

/// Hands the node's entries to the store, in order.
#[derive(Debug)]
pub(crate) struct Journal {
    store: Store,
    /// Entries that the store had no room for. While there are any, the loop takes no new work,
    /// so there are never more than one turn makes.
    backlog: VecDeque<(JournalSeq, Entry, Urgency)>,
}

impl Journal {
    /// Writes to this store.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            backlog: VecDeque::new(),
        }
    }

    /// Whether the store keeps up.
    pub(crate) fn keeps_up(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Reads a record: one key of one table, so there is no waiting worth a task.
    pub(crate) fn look(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.store.record(table, key)
    }

    /// Takes an entry.
    pub(crate) fn record(&mut self, seq: JournalSeq, entry: Entry, urgency: Urgency) {
        self.backlog.push_back((seq, entry, urgency));
        self.flush();
    }

    /// Hands over what waits, as far as there is room.
    pub(crate) fn flush(&mut self) {
        while let Some((seq, entry, urgency)) = self.backlog.pop_front() {
            let Err(refused) = self.store.append(seq, entry, stored(urgency)) else {
                continue;
            };
            match refused.error {
                AppendError::Full => {
                    self.backlog.push_front((seq, refused.entry, urgency));
                    return;
                }
                // The failure itself comes as an acknowledgement.
                AppendError::Stopped | AppendError::Poisoned => self.backlog.clear(),
            }
        }
    }
}

const fn stored(urgency: Urgency) -> realm_store::Urgency {
    match urgency {
        Urgency::Now => realm_store::Urgency::Now,
        Urgency::Soon => realm_store::Urgency::Soon,
    }
}
