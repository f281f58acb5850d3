//! What the committer remembers of the store, so that it need not read it for every run.

use std::collections::BTreeMap;

use realm_protocol::{
    RunId,
    journal::{Run, Status},
};

use crate::{
    ReadError, Tree,
    layout::{self, KeyRange},
    pointer::RunPointer,
    reader::Reader,
};

/// Runs under way that are remembered; of further ones the store is read.
const OPEN: usize = 4_096;

/// What the store holds of a run that is written again.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Its index rows.
    pub(crate) rows: Vec<(Tree, Vec<u8>)>,
    /// Where it is; none where it is a row of its own.
    pub(crate) pointer: Option<RunPointer>,
}

/// The newest run and group, and the runs under way. Only the committer writes, so what is
/// remembered holds.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The greatest id a run has had: a greater one is new.
    newest: Option<RunId>,
    open: BTreeMap<RunId, Held>,
    next_group: u64,
}

impl Known {
    /// Reads what the store ends with.
    pub(crate) fn read(reader: &Reader<'_>) -> Result<Self, ReadError> {
        let last = |tree| {
            let row = reader.rows(tree, &KeyRange::all())?.next_back();
            Ok::<_, ReadError>(row.transpose()?.map(|(key, _)| key))
        };
        let newest = last(Tree::Runs)?.as_deref().and_then(layout::run_of);
        let group = last(Tree::Groups)?;
        let group = group.map(|key| layout::group_of(&key).ok_or(ReadError::Damaged(Tree::Groups)));
        Ok(Self {
            newest,
            open: BTreeMap::new(),
            next_group: group.transpose()?.map_or(1, |last| last.saturating_add(1)),
        })
    }

    /// Gives the number of a new group.
    pub(crate) fn group(&mut self) -> u64 {
        let group = self.next_group;
        self.next_group = group.saturating_add(1);
        group
    }

    /// What the store holds of a run.
    pub(crate) fn held(&self, reader: &Reader<'_>, id: RunId) -> Result<Option<Held>, ReadError> {
        if self.newest.is_none_or(|newest| newest < id) {
            return Ok(None);
        }
        if let Some(held) = self.open.get(&id) {
            return Ok(Some(held.clone()));
        }
        let Some(stored) = reader.snapshot().get(Tree::Runs, id.as_bytes())? else {
            return Ok(None);
        };
        let run = reader.open_run(id.as_bytes(), &stored)?;
        Ok(Some(Held {
            rows: layout::index_rows(&run),
            pointer: RunPointer::read(&stored),
        }))
    }

    /// Remembers a run that was written.
    pub(crate) fn note(&mut self, run: &Run, rows: &[(Tree, Vec<u8>)], pointer: RunPointer) {
        self.newest = self.newest.max(Some(run.id));
        if matches!(run.status, Status::Running | Status::Paused) {
            let held = Held {
                rows: rows.to_vec(),
                pointer: Some(pointer),
            };
            self.open.insert(run.id, held);
            if self.open.len() > OPEN {
                self.open.pop_first();
            }
        } else {
            self.open.remove(&run.id);
        }
    }
}
