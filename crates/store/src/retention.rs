//! Removing old runs, a bounded number at a time.

use realm_protocol::{
    Timestamp,
    journal::{Run, Status},
};

use crate::{
    ReadError, Tree,
    engine::Batch,
    layout::{self, KeyRange},
    reader::Reader,
};

/// Rows after which no further run is begun in one call. A run is removed whole.
const ROWS: usize = 20_000;

const ENDED: [Status; 3] = [Status::Completed, Status::Failed, Status::Cancelled];

/// Plans the removal of up to `at_most` runs that ended before `before`; gives their number.
pub(crate) fn plan(
    reader: &Reader<'_>,
    before: Timestamp,
    at_most: usize,
) -> Result<(Batch, usize), ReadError> {
    let mut batch = Batch::default();
    let mut removed = 0;
    for status in ENDED {
        for row in reader.rows(Tree::ByStatus, &begun_before(status, before))? {
            if removed == at_most || batch.len() >= ROWS {
                return Ok((batch, removed));
            }
            let run = reader.indexed_run(Tree::ByStatus, &row?.0)?;
            if run.ended.is_some_and(|ended| ended < before) {
                remove(&mut batch, reader, &run)?;
                removed += 1;
            }
        }
    }
    Ok((batch, removed))
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

fn remove(batch: &mut Batch, reader: &Reader<'_>, run: &Run) -> Result<(), ReadError> {
    let events = KeyRange::under(run.id.as_bytes().to_vec());
    for row in reader.rows(Tree::Events, &events)? {
        batch.delete(Tree::Events, row?.0);
    }
    for (tree, key) in layout::index_rows(run) {
        batch.delete(tree, key);
    }
    batch.delete(Tree::Runs, run.id.as_bytes().to_vec());
    Ok(())
}
