//! From journal entries to one batch of writes, index rows included.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use realm_protocol::{
    RunId, Timestamp,
    journal::{Change, Entry, Event, JournalSeq, Run, Table},
};

use crate::{ReadError, Tree, block, engine::Batch, layout, meta, reader::Reader, sealer};

pub(crate) struct Plan<'a> {
    reader: &'a Reader<'a>,
    rng: ChaCha20Rng,
    batch: Batch,
    /// Runs that the batch writes: what the store holds of each, and what it will hold.
    runs: BTreeMap<RunId, (Option<Run>, Run)>,
    events: Vec<Event>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(reader: &'a Reader<'a>, rng: ChaCha20Rng) -> Self {
        Self {
            reader,
            rng,
            batch: Batch::default(),
            runs: BTreeMap::new(),
            events: Vec::new(),
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
                Change::Event(event) => self.events.push(event),
            }
        }
        Ok(())
    }

    /// Closes the batch with the number of the last entry in it.
    pub(crate) fn finish(mut self, last: JournalSeq) -> Batch {
        self.write_runs();
        self.write_events();
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
        if let Some((_, later)) = self.runs.get_mut(&run.id) {
            *later = run;
            return Ok(());
        }
        let earlier = self.reader.run(run.id)?;
        self.runs.insert(run.id, (earlier, run));
        Ok(())
    }

    /// Writes what each run has become, once, and the index rows that this changes.
    fn write_runs(&mut self) {
        let sealer = self.reader.sealer();
        for (id, (earlier, run)) in std::mem::take(&mut self.runs) {
            let rows = layout::index_rows(&run);
            let earlier = earlier.as_ref().map(layout::index_rows).unwrap_or_default();
            for (tree, key) in &earlier {
                if !rows.iter().any(|row| (&row.0, &row.1) == (tree, key)) {
                    self.batch.delete(*tree, key.clone());
                }
            }
            for row in rows {
                if !earlier.contains(&row) {
                    self.batch.put(row.0, row.1, sealer::index_value());
                }
            }
            let key = id.as_bytes();
            let stored = sealer.seal_wire(&mut self.rng, Tree::Runs, key, &run);
            self.batch.put(Tree::Runs, key.to_vec(), stored);
        }
    }

    /// Writes the events, those of one run that follow each other as one row.
    fn write_events(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        events.sort_by_key(|event| (event.run, event.index));
        let mut rest = events.as_slice();
        while let Some(first) = rest.first() {
            let mut block = Vec::new();
            let mut length = 0;
            for event in rest.iter().take(block::EVENTS) {
                let follows = Some(event.index) == first.index.checked_add(length as u64);
                if event.run != first.run || !follows || block.len() >= block::BYTES {
                    break;
                }
                block::push(&mut block, event);
                length += 1;
            }
            let key = layout::event_key(first.run, first.index);
            let sealer = self.reader.sealer();
            let stored = sealer.seal_block(&mut self.rng, &key, &block);
            self.batch.put(Tree::Events, key, stored);
            rest = rest.get(length..).unwrap_or_default();
        }
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
