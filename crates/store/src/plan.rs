//! From journal entries to one batch of writes, index rows included.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use realm_protocol::{
    RunId, Timestamp,
    audit::AuditRow,
    journal::{Change, Entry, Erased, Event, JournalSeq, Run, Table},
};

use crate::{
    ReadError, Tree, audit,
    engine::Batch,
    group::{Item, Kind, Writer},
    known::{Held, Known},
    layout, meta,
    pointer::{EventsPointer, RunPointer},
    reader::Reader,
    retention, sealer,
};

/// About how many bytes a run, or an event, takes in a group beside its payload.
const BESIDE: usize = 160;

pub(crate) struct Plan<'a> {
    reader: &'a Reader<'a>,
    known: &'a mut Known,
    rng: ChaCha20Rng,
    batch: Batch,
    runs: BTreeMap<RunId, Written>,
    /// Entries of the audit log, by number.
    audit: BTreeMap<u64, AuditRow>,
    /// Runs whose content is erased, as the store holds them.
    erased: BTreeMap<RunId, Run>,
    /// About how many bytes the runs and events are.
    bytes: usize,
}

/// What the batch writes of a run.
#[derive(Default)]
struct Written {
    /// What the store holds of it, and what it has become.
    state: Option<(Option<Held>, Run)>,
    events: Vec<Event>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(reader: &'a Reader<'a>, known: &'a mut Known, rng: ChaCha20Rng) -> Self {
        Self {
            reader,
            known,
            rng,
            batch: Batch::default(),
            runs: BTreeMap::new(),
            audit: BTreeMap::new(),
            erased: BTreeMap::new(),
            bytes: 0,
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
                Change::Erase(run, erased) => self.erase(run, erased)?,
                Change::Event(event) => {
                    self.bytes += event.payload.len() + BESIDE;
                    self.runs.entry(event.run).or_default().events.push(event);
                }
                Change::Audit(index, row) => {
                    self.audit.insert(index, row);
                }
            }
        }
        Ok(())
    }

    /// Closes the batch with the number of the last entry in it.
    pub(crate) fn finish(mut self, last: JournalSeq) -> Result<Batch, ReadError> {
        self.take_out_erased()?;
        self.write_groups();
        self.write_audit();
        meta::advance(&mut self.batch, self.reader.sealer(), &mut self.rng, last);
        Ok(self.batch)
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
        if table == Table::Pseudonyms {
            // Whom it led to is to be found nowhere any more.
            meta::mark_erased(&mut self.batch, self.reader.sealer(), &mut self.rng);
        }
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
        let blobs = run.input.iter().chain(&run.output);
        self.bytes += blobs.map(|blob| blob.len()).sum::<usize>() + BESIDE;
        let written = self.runs.entry(run.id).or_default();
        if let Some((_, state)) = &mut written.state {
            *state = run;
            return Ok(());
        }
        let held = self.known.held(self.reader, run.id)?;
        written.state = Some((held, run));
        Ok(())
    }

    /// Writes anew what is left of a run and its events without their content.
    fn erase(&mut self, id: RunId, erased: Erased) -> Result<(), ReadError> {
        let mut written = self.runs.remove(&id).unwrap_or_default();
        let mut events = Vec::new();
        if let Some(stored) = self.reader.run(id)? {
            // What was erased in this batch before has its events with it.
            if self.erased.insert(id, stored.clone()).is_none() {
                events = self.reader.events(id, 0, usize::MAX)?;
            }
            written.state.get_or_insert((None, stored));
        }
        let Some((_, run)) = written.state else {
            return Ok(());
        };
        events.append(&mut written.events);
        self.bytes += BESIDE.saturating_mul(events.len().saturating_add(1));
        let left = Written {
            state: Some((None, run.erased(erased))),
            events: events.into_iter().map(Event::erased).collect(),
        };
        self.runs.insert(id, left);
        Ok(())
    }

    /// Takes what was erased out of all groups that hold something of it. What the files still hold of that goes when
    /// the store opens next.
    fn take_out_erased(&mut self) -> Result<(), ReadError> {
        if self.erased.is_empty() {
            return Ok(());
        }
        let rng = ChaCha20Rng::from_rng(&mut self.rng);
        let removed = retention::take_out(self.reader, rng, self.erased.values())?;
        self.batch.append(removed);
        meta::mark_erased(&mut self.batch, self.reader.sealer(), &mut self.rng);
        Ok(())
    }

    /// Writes the entries of the audit log, in as few rows as hold them.
    fn write_audit(&mut self) {
        for (key, value) in audit::rows(std::mem::take(&mut self.audit)) {
            let sealer = self.reader.sealer();
            let sealed = sealer.seal(&mut self.rng, Tree::Records, &key, &value);
            put_record(&mut self.batch, key, sealed);
        }
    }

    /// Writes what each run has become, once, and its events, in as few groups as hold them.
    fn write_groups(&mut self) {
        let mut runs = std::mem::take(&mut self.runs);
        let mut writer = Writer::with_capacity(self.bytes);
        for written in runs.values_mut() {
            if let Some((_, run)) = &written.state {
                writer.run(run);
            }
            written.events.sort_by_key(|event| event.index);
            let mut rest = written.events.as_slice();
            while !rest.is_empty() {
                rest = writer.events(rest);
            }
        }
        for (items, bytes) in writer.groups() {
            let group = self.known.group();
            let key = layout::group_key(group);
            let sealer = self.reader.sealer();
            let sealed = sealer.seal(&mut self.rng, Tree::Groups, &key, bytes);
            self.batch.put(Tree::Groups, key.to_vec(), sealed);
            self.point(group, items, &mut runs);
        }
    }

    /// Writes the rows that point at what is in a group.
    fn point(&mut self, group: u64, items: &[Item], runs: &mut BTreeMap<RunId, Written>) {
        let mut items = (0_u32..).zip(items).peekable();
        while let Some((slot, item)) = items.next() {
            match item.kind {
                Kind::Events(first, count) => {
                    let pointer = EventsPointer { group, slot, count };
                    self.point_at_events(item.run, first, pointer);
                }
                Kind::Run => {
                    let written = runs.get_mut(&item.run);
                    let Some((held, run)) = written.and_then(|written| written.state.take()) else {
                        continue;
                    };
                    // The first events of a new run that lie beside it need no row.
                    let beside = items.next_if(|(_, next)| {
                        let is_first = matches!(next.kind, Kind::Events(0, _));
                        held.is_none() && next.run == run.id && is_first
                    });
                    let events = beside.map_or(0, |(_, next)| match next.kind {
                        Kind::Events(_, count) => count,
                        Kind::Run => 0,
                    });
                    self.point_at_run(held, &run, (group, slot, events));
                }
            }
        }
    }

    fn point_at_run(&mut self, held: Option<Held>, run: &Run, place: (u64, u32, u32)) {
        let (group, slot, events) = place;
        let rows = layout::index_rows(run);
        let (earlier_rows, earlier) = held.map_or_else(Default::default, |held| {
            let groups = held
                .pointer
                .as_ref()
                .map(|pointer| pointer.as_earlier(group));
            let events = held.pointer.and_then(|pointer| pointer.first_events());
            if let Some(pointer) = events {
                self.point_at_events(run.id, 0, pointer);
            }
            (held.rows, groups.unwrap_or_default())
        });
        let pointer = RunPointer {
            group,
            slot,
            events,
            earlier,
        };
        let key = run.id.as_bytes().to_vec();
        self.batch.put(Tree::Runs, key, pointer.to_bytes());
        self.known.note(run, &rows, pointer);
        for (tree, key) in &earlier_rows {
            if !rows.iter().any(|row| (&row.0, &row.1) == (tree, key)) {
                self.batch.delete(*tree, key.clone());
            }
        }
        for row in rows {
            if !earlier_rows.contains(&row) {
                self.batch.put(row.0, row.1, sealer::INDEX_VALUE);
            }
        }
    }

    fn point_at_events(&mut self, run: RunId, first: u64, pointer: EventsPointer) {
        let key = layout::event_key(run, first);
        self.batch.put(Tree::Events, key, pointer.to_bytes());
    }
}

/// Writes a record, and if it expires the row that points at it.
pub(crate) fn put_record(batch: &mut Batch, key: Vec<u8>, stored: Vec<u8>) {
    if let Some(until) = sealer::expiry(&stored) {
        let row = layout::expiry_key(until, &key);
        batch.put(Tree::ByExpiry, row, sealer::INDEX_VALUE);
    }
    batch.put(Tree::Records, key, stored);
}

/// Writes a run and the rows that point at it.
pub(crate) fn put_run(batch: &mut Batch, run: &Run, stored: Vec<u8>) {
    batch.put(Tree::Runs, run.id.as_bytes().to_vec(), stored);
    for (tree, key) in layout::index_rows(run) {
        batch.put(tree, key, sealer::INDEX_VALUE);
    }
}
