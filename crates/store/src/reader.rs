//! Typed reads of one snapshot.

use realm_protocol::{
    CallId, RunId, Timestamp,
    journal::{Event, Run, Table},
};

use crate::{
    ReadError, Tree,
    engine::{Row, Rows, Snapshot},
    layout::{self, KeyRange},
    sealer::{self, Sealer},
};

pub(crate) struct Reader<'a> {
    snapshot: Box<dyn Snapshot + 'a>,
    sealer: &'a Sealer,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(snapshot: Box<dyn Snapshot + 'a>, sealer: &'a Sealer) -> Self {
        Self { snapshot, sealer }
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

    pub(crate) fn open_run(&self, key: &[u8], stored: &[u8]) -> Result<Run, ReadError> {
        self.sealer.open_wire(Tree::Runs, key, stored)
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
        let mut range = KeyRange::under(run.as_bytes().to_vec());
        range.from = self.block_of(run, from)?;
        let mut events = Vec::new();
        for row in self.rows(Tree::Events, &range)? {
            if events.len() >= limit {
                break;
            }
            let (key, stored) = row?;
            let block = self.sealer.open_events(&key, &stored)?.into_iter();
            let room = limit - events.len();
            events.extend(block.filter(|event| event.index >= from).take(room));
        }
        Ok(events)
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
