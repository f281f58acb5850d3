//! Removing old runs, a bounded number at a time.
//!
//! What a run has in a group that holds other things too is taken out of it, and a group goes with
//! the last that is in it: so a run that never ends keeps its own, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use realm_protocol::{
    RunId, Timestamp,
    journal::{Run, Status},
};

use crate::{
    ReadError, Tree,
    engine::Batch,
    layout::{self, KeyRange},
    pointer::{EventsPointer, RunPointer},
    reader::Reader,
};

/// Rows after which no further run is begun in one call. A run is removed whole.
const ROWS: usize = 20_000;
/// Groups after which no further run is begun.
const GROUPS: usize = 128;

const ENDED: [Status; 3] = [Status::Completed, Status::Failed, Status::Cancelled];

/// Plans the removal of up to `at_most` runs that ended before `before`; gives their number.
pub(crate) fn plan(
    reader: &Reader<'_>,
    rng: ChaCha20Rng,
    before: Timestamp,
    at_most: usize,
) -> Result<(Batch, usize), ReadError> {
    let mut removal = Removal {
        reader,
        batch: Batch::default(),
        groups: BTreeMap::new(),
    };
    let removed = removal.runs(before, at_most)?;
    removal.groups(rng)?;
    Ok((removal.batch, removed))
}

/// Plans the removal of these runs.
pub(crate) fn take_out<'r>(
    reader: &Reader<'_>,
    rng: ChaCha20Rng,
    runs: impl Iterator<Item = &'r Run>,
) -> Result<Batch, ReadError> {
    let mut removal = Removal {
        reader,
        batch: Batch::default(),
        groups: BTreeMap::new(),
    };
    for run in runs {
        removal.run(run)?;
    }
    removal.groups(rng)?;
    Ok(removal.batch)
}

struct Removal<'a> {
    reader: &'a Reader<'a>,
    batch: Batch,
    /// The groups that hold something of what is removed, and whose.
    groups: BTreeMap<u64, BTreeSet<RunId>>,
}

impl Removal<'_> {
    /// Removes runs, with their rows and what points at them.
    fn runs(&mut self, before: Timestamp, at_most: usize) -> Result<usize, ReadError> {
        let mut removed = 0;
        for status in ENDED {
            let ended = begun_before(status, before);
            for row in self.reader.rows(Tree::ByStatus, &ended)? {
                let is_full = self.batch.len() >= ROWS || self.groups.len() >= GROUPS;
                if removed == at_most || is_full {
                    return Ok(removed);
                }
                let run = self.reader.indexed_run(Tree::ByStatus, &row?.0)?;
                if run.ended.is_some_and(|ended| ended < before) {
                    self.run(&run)?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn run(&mut self, run: &Run) -> Result<(), ReadError> {
        let key = run.id.as_bytes();
        let state = self.reader.snapshot().get(Tree::Runs, key)?;
        if let Some(pointer) = state.as_deref().and_then(RunPointer::read) {
            for group in pointer.groups() {
                self.groups.entry(group).or_default().insert(run.id);
            }
        }
        for row in self
            .reader
            .rows(Tree::Events, &KeyRange::under(key.to_vec()))?
        {
            let (key, events) = row?;
            if let Some(pointer) = EventsPointer::read(&events) {
                let group = self.groups.entry(pointer.group).or_default();
                group.insert(run.id);
            }
            self.batch.delete(Tree::Events, key);
        }
        for (tree, key) in layout::index_rows(run) {
            self.batch.delete(tree, key);
        }
        self.batch.delete(Tree::Runs, key.to_vec());
        Ok(())
    }

    /// Takes what is removed out of the groups.
    fn groups(&mut self, mut rng: ChaCha20Rng) -> Result<(), ReadError> {
        for (number, runs) in std::mem::take(&mut self.groups) {
            let key = layout::group_key(number);
            // A group that is missing holds nothing to take out.
            if self.reader.snapshot().get(Tree::Groups, &key)?.is_none() {
                continue;
            }
            match self.reader.group(number)?.without(&runs) {
                None => self.batch.delete(Tree::Groups, key.to_vec()),
                Some(left) => {
                    let sealer = self.reader.sealer();
                    let sealed = sealer.seal(&mut rng, Tree::Groups, &key, &left);
                    self.batch.put(Tree::Groups, key.to_vec(), sealed);
                }
            }
        }
        Ok(())
    }
}

/// A run that ended before a time began before it too.
fn begun_before(status: Status, before: Timestamp) -> KeyRange {
    let prefix = layout::status_prefix(status);
    let end = layout::first_run_at(before);
    KeyRange {
        until: Some([prefix.as_slice(), end.as_bytes()].concat()),
        from: prefix,
    }
}
