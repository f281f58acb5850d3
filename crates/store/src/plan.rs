//! From journal entries to one batch of writes, index rows included.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use realm_protocol::{
    RunId, Timestamp,
    journal::{Change, Entry, Event, JournalSeq, Run, Table},
};

use crate::{ReadError, Tree, engine::Batch, layout, meta, reader::Reader, sealer};

pub(crate) struct Plan<'a> {
    reader: &'a Reader<'a>,
    rng: ChaCha20Rng,
    batch: Batch,
    /// Runs this batch has written: later changes build on these, not on the snapshot.
    written: BTreeMap<RunId, Run>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(reader: &'a Reader<'a>, rng: ChaCha20Rng) -> Self {
        Self {
            reader,
            rng,
            batch: Batch::default(),
            written: BTreeMap::new(),
        }
    }

    pub(crate) fn apply(&mut self, entry: Entry) -> Result<(), ReadError> {
        for change in entry.changes {
            match change {
                Change::Put(table, key, value) => self.put(table, &key, &value, None)?,
                Change::PutUntil(table, key, value, until) => {
                    self.put(table, &key, &value, Some(until))?;
                }
                Change::Delete(table, key) => self.delete(table, &key)?,
                Change::Run(run) => self.run(run)?,
                Change::Event(event) => self.event(&event),
            }
        }
        Ok(())
    }

    /// Closes the batch with the number of the last entry in it.
    pub(crate) fn finish(mut self, last: JournalSeq) -> Batch {
        meta::advance(&mut self.batch, self.reader.sealer(), &mut self.rng, last);
        self.batch
    }

    fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
        until: Option<Timestamp>,
    ) -> Result<(), ReadError> {
        if table == Table::Kem {
            // New KEM keys are what the mark of a restored store asks for.
            meta::unmark_restored(&mut self.batch);
        }
        let key = layout::record_key(table, key);
        self.delete_expiry(&key)?;
        let sealer = self.reader.sealer();
        let stored = match until {
            None => sealer.seal(&mut self.rng, Tree::Records, &key, value),
            Some(until) => sealer.seal_until(&mut self.rng, &key, until, value),
        };
        put_record(&mut self.batch, key, stored);
        Ok(())
    }

    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), ReadError> {
        let key = layout::record_key(table, key);
        self.delete_expiry(&key)?;
        self.batch.delete(Tree::Records, key);
        Ok(())
    }

    /// Removes the index row of what a key of the records holds.
    fn delete_expiry(&mut self, key: &[u8]) -> Result<(), ReadError> {
        let until = match self.batch.pending(Tree::Records, key) {
            Some(pending) => pending.and_then(sealer::expiry),
            None => self.reader.expiry(key)?,
        };
        if let Some(until) = until {
            let row = layout::expiry_key(until, key);
            self.batch.delete(Tree::ByExpiry, row);
        }
        Ok(())
    }

    fn run(&mut self, run: Run) -> Result<(), ReadError> {
        let earlier = match self.written.remove(&run.id) {
            Some(earlier) => Some(earlier),
            None => self.reader.run(run.id)?,
        };
        for (tree, key) in earlier.iter().flat_map(layout::index_rows) {
            self.batch.delete(tree, key);
        }
        let sealer = self.reader.sealer();
        put_run(&mut self.batch, &run, |key| {
            sealer.seal_wire(&mut self.rng, Tree::Runs, key, &run)
        });
        self.written.insert(run.id, run);
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        let key = layout::event_key(event.run, event.index);
        let sealer = self.reader.sealer();
        let stored = sealer.seal_wire(&mut self.rng, Tree::Events, &key, event);
        self.batch.put(Tree::Events, key, stored);
    }
}

/// Writes a record, and if it expires the row that points at it.
pub(crate) fn put_record(batch: &mut Batch, key: Vec<u8>, stored: Vec<u8>) {
    if let Some(until) = sealer::expiry(&stored) {
        let row = layout::expiry_key(until, &key);
        batch.put(Tree::ByExpiry, row, sealer::index_value());
    }
    batch.put(Tree::Records, key, stored);
}

/// Writes a run and the rows that point at it.
pub(crate) fn put_run(batch: &mut Batch, run: &Run, stored: impl FnOnce(&[u8]) -> Vec<u8>) {
    let key = run.id.as_bytes();
    batch.put(Tree::Runs, key.to_vec(), stored(key));
    for (tree, key) in layout::index_rows(run) {
        batch.put(tree, key, sealer::index_value());
    }
}
