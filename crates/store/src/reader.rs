//! Typed reads of one snapshot.

use std::{cell::RefCell, rc::Rc};

use realm_protocol::{
    CallId, RunId, Timestamp,
    journal::{Event, Run, Table},
};

use crate::{
    ReadError, Tree,
    engine::{Row, Rows, Snapshot},
    group::{Group, Remembered},
    layout::{self, KeyRange},
    pointer::{EventsPointer, GROUPED, RunPointer},
    sealer::{self, Sealer},
};

pub(crate) struct Reader<'a> {
    snapshot: Box<dyn Snapshot + 'a>,
    sealer: &'a Sealer,
    groups: RefCell<Remembered>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(snapshot: Box<dyn Snapshot + 'a>, sealer: &'a Sealer) -> Self {
        Self {
            snapshot,
            sealer,
            groups: RefCell::default(),
        }
    }

    pub(crate) fn snapshot(&self) -> &dyn Snapshot {
        self.snapshot.as_ref()
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        self.sealer
    }

    pub(crate) fn rows(&self, tree: Tree, range: &KeyRange) -> Result<Rows<'_>, ReadError> {
        Ok(self.snapshot.range(tree, range)?)
    }

    pub(crate) fn record(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let key = layout::record_key(table, key);
        let stored = self.snapshot.get(Tree::Records, &key)?;
        let opened = stored.map(|stored| self.sealer.open(Tree::Records, &key, &stored));
        opened.transpose()
    }

    /// When the record at a key of its tree expires, if it does.
    pub(crate) fn expiry(&self, key: &[u8]) -> Result<Option<Timestamp>, ReadError> {
        let stored = self.snapshot.get(Tree::Records, key)?;
        Ok(stored.as_deref().and_then(sealer::expiry))
    }

    /// A table's records by key, without the table's own prefix.
    pub(crate) fn records(&self, table: Table) -> Result<Vec<Row>, ReadError> {
        let mut records = Vec::new();
        self.each_record(table, |key, value| records.push((key.to_vec(), value)))?;
        Ok(records)
    }

    /// Gives a table's records one after the other, as [`Reader::records`] gives them together.
    pub(crate) fn each_record(
        &self,
        table: Table,
        mut take: impl FnMut(&[u8], Vec<u8>),
    ) -> Result<(), ReadError> {
        let range = KeyRange::under(layout::record_key(table, &[]));
        for row in self.rows(Tree::Records, &range)? {
            let (key, stored) = row?;
            let value = self.sealer.open(Tree::Records, &key, &stored)?;
            let (_, key) = key.split_first().ok_or(ReadError::Damaged(Tree::Records))?;
            take(key, value);
        }
        Ok(())
    }

    pub(crate) fn run(&self, id: RunId) -> Result<Option<Run>, ReadError> {
        let stored = self.snapshot.get(Tree::Runs, id.as_bytes())?;
        let run = stored.map(|stored| self.open_run(id.as_bytes(), &stored));
        run.transpose()
    }

    /// A run that an index row points at, so that its absence is damage.
    pub(crate) fn indexed_run(&self, index: Tree, key: &[u8]) -> Result<Run, ReadError> {
        let id = layout::run_of(key).ok_or(ReadError::Damaged(index))?;
        self.run(id)?.ok_or(ReadError::Damaged(index))
    }

    /// Opens a row of the runs, and the group it points into.
    pub(crate) fn open_run(&self, key: &[u8], stored: &[u8]) -> Result<Run, ReadError> {
        let damaged = || ReadError::Damaged(Tree::Runs);
        if stored.first() != Some(&GROUPED) {
            return self.sealer.open_wire(Tree::Runs, key, stored);
        }
        let id = RunId::try_from(key).map_err(|_| damaged())?;
        let pointer = RunPointer::read(stored).ok_or_else(damaged)?;
        let group = self.group(pointer.group)?;
        group.run(pointer.slot, id).ok_or_else(damaged)
    }

    /// Opens a row of the events, and the group it points into.
    pub(crate) fn open_events(&self, key: &[u8], stored: &[u8]) -> Result<Vec<Event>, ReadError> {
        let damaged = || ReadError::Damaged(Tree::Events);
        if stored.first() != Some(&GROUPED) {
            return self.sealer.open_events(key, stored);
        }
        let (run, first) = layout::event_of(key).ok_or_else(damaged)?;
        let pointer = EventsPointer::read(stored).ok_or_else(damaged)?;
        self.pointed(run, first, pointer)
    }

    /// The first events of a run that have no row of their own, because they lie beside its state.
    pub(crate) fn first_events(&self, run: RunId, stored: &[u8]) -> Result<Vec<Event>, ReadError> {
        let pointer = RunPointer::read(stored).and_then(|pointer| pointer.first_events());
        pointer.map_or(Ok(Vec::new()), |pointer| self.pointed(run, 0, pointer))
    }

    /// Opens a value of any tree but the indexes, and all that it points at.
    pub(crate) fn prove(&self, tree: Tree, key: &[u8], stored: &[u8]) -> Result<(), ReadError> {
        match tree {
            Tree::Runs => {
                let run = self.open_run(key, stored)?;
                self.first_events(run.id, stored)?;
            }
            Tree::Events => drop(self.open_events(key, stored)?),
            Tree::Groups => drop(self.sealer.open_group(key, stored)?),
            _ => drop(self.sealer.open(tree, key, stored)?),
        }
        Ok(())
    }

    /// A group that a row points into, so that its absence is damage.
    pub(crate) fn group(&self, number: u64) -> Result<Rc<Group>, ReadError> {
        if let Some(group) = self.groups.borrow_mut().get(number) {
            return Ok(group);
        }
        let key = layout::group_key(number);
        let stored = self.snapshot.get(Tree::Groups, &key)?;
        let stored = stored.ok_or(ReadError::Damaged(Tree::Groups))?;
        let group = Rc::new(self.sealer.open_group(&key, &stored)?);
        self.groups.borrow_mut().add(number, &group);
        Ok(group)
    }

    fn pointed(
        &self,
        run: RunId,
        first: u64,
        pointer: EventsPointer,
    ) -> Result<Vec<Event>, ReadError> {
        let events = self.group(pointer.group)?.events(pointer.slot, run, first);
        let events = events.filter(|events| events.len() as u64 == u64::from(pointer.count));
        events.ok_or(ReadError::Damaged(Tree::Events))
    }

    pub(crate) fn runs_by_call(&self, call: CallId) -> Result<Vec<Run>, ReadError> {
        let range = KeyRange::under(layout::call_prefix(call));
        let rows = self.rows(Tree::ByCall, &range)?;
        rows.map(|row| self.indexed_run(Tree::ByCall, &row?.0))
            .collect()
    }

    pub(crate) fn events(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Event>, ReadError> {
        let mut events = Vec::new();
        let state = self.snapshot.get(Tree::Runs, run.as_bytes())?;
        let pointer = state.as_deref().and_then(RunPointer::read);
        let beside = pointer.map_or(0, |pointer| u64::from(pointer.events));
        if from < beside {
            events = self.first_events(run, state.as_deref().unwrap_or_default())?;
            events.retain(|event| event.index >= from);
            events.truncate(limit);
        }
        let from = from.max(beside);
        let mut range = KeyRange::under(run.as_bytes().to_vec());
        range.from = self.block_of(run, from)?;
        for row in self.rows(Tree::Events, &range)? {
            if events.len() >= limit {
                break;
            }
            let (key, stored) = row?;
            let block = self.open_events(&key, &stored)?.into_iter();
            let room = limit - events.len();
            events.extend(block.filter(|event| event.index >= from).take(room));
        }
        Ok(events)
    }

    /// The index that the next event of a run has.
    pub(crate) fn next_event(&self, run: RunId) -> Result<u64, ReadError> {
        let range = KeyRange::under(run.as_bytes().to_vec());
        if let Some(row) = self.rows(Tree::Events, &range)?.next_back() {
            let (key, stored) = row?;
            let last = self.open_events(&key, &stored)?.pop();
            return Ok(last.map_or(0, |event| event.index.saturating_add(1)));
        }
        let state = self.snapshot.get(Tree::Runs, run.as_bytes())?;
        let pointer = state.as_deref().and_then(RunPointer::read);
        Ok(pointer.map_or(0, |pointer| u64::from(pointer.events)))
    }

    /// The key of the row that holds an event of a run, or would if it were there.
    fn block_of(&self, run: RunId, index: u64) -> Result<Vec<u8>, ReadError> {
        let key = layout::event_key(run, index);
        let mut range = KeyRange::under(run.as_bytes().to_vec());
        range.until = Some([key.as_slice(), &[0]].concat());
        let row = self.rows(Tree::Events, &range)?.next_back();
        Ok(row.transpose()?.map_or(key, |(key, _)| key))
    }
}
