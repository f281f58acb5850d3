//! Forgetting records that expired, a bounded number at a time.

use realm_protocol::Timestamp;

use crate::{
    ReadError, Tree,
    engine::Batch,
    layout::{self, KeyRange},
    reader::Reader,
};

/// Records removed in one commit; a larger number is cut to it.
const RECORDS: usize = 1_024;

/// Plans the removal of up to `at_most` records that expired before `now`; gives their number.
pub(crate) fn plan(
    reader: &Reader<'_>,
    now: Timestamp,
    at_most: usize,
) -> Result<(Batch, usize), ReadError> {
    let mut batch = Batch::default();
    let mut removed = 0;
    let due = reader.rows(Tree::ByExpiry, &expired_before(now))?;
    for row in due.take(at_most.min(RECORDS)) {
        let (key, _) = row?;
        // A damaged row must neither take a record with it that expires later or never, nor
        // stand in the way of the rest.
        if let Some((until, record)) = layout::expiry_of(&key)
            && reader.expiry(record)? == Some(until)
        {
            batch.delete(Tree::Records, record.to_vec());
        }
        batch.delete(Tree::ByExpiry, key);
        removed += 1;
    }
    Ok((batch, removed))
}

fn expired_before(now: Timestamp) -> KeyRange {
    KeyRange {
        from: Vec::new(),
        until: Some(layout::expiry_key(now, &[])),
    }
}
