//! Rows of the audit log: the entries that one commit writes lie together.

use std::collections::BTreeMap;

use realm_protocol::{
    audit::AuditRow,
    cbor::{self, Blob, CborError},
    journal::Table,
};

use crate::{
    ReadError, Tree,
    engine::{Batch, Row},
    layout::{self, KeyRange},
    reader::Reader,
};

/// Entries in one row.
const ENTRIES: usize = 128;
/// Rows removed in one commit.
const ROWS: usize = 1_024;

/// Keys and values of the rows that hold these entries.
pub(crate) fn rows(entries: BTreeMap<u64, AuditRow>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    let mut first = 0;
    let mut row: Vec<AuditRow> = Vec::new();
    for (index, entry) in entries {
        let next = first + row.len() as u64;
        if !row.is_empty() && (index != next || row.len() == ENTRIES) {
            rows.push(encoded(first, &std::mem::take(&mut row)));
        }
        if row.is_empty() {
            first = index;
        }
        row.push(entry);
    }
    if !row.is_empty() {
        rows.push(encoded(first, &row));
    }
    rows
}

fn encoded(first: u64, row: &[AuditRow]) -> (Vec<u8>, Vec<u8>) {
    let entries: Vec<Blob> = row.iter().map(|it| cbor::encode(it).into()).collect();
    let key = layout::record_key(Table::Audit, &first.to_be_bytes());
    (key, cbor::encode(&entries))
}

/// Reads the entries of a row.
pub(crate) fn read(value: &[u8]) -> Result<Vec<AuditRow>, CborError> {
    let entries: Vec<Blob> = cbor::decode(value)?;
    entries.iter().map(|entry| cbor::decode(entry)).collect()
}

/// Entries from a number on.
pub(crate) fn entries(
    reader: &Reader<'_>,
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, AuditRow)>, ReadError> {
    let damaged = || ReadError::Damaged(Tree::Records);
    let before = last_key(reader, Table::Audit, &from.to_be_bytes())?;
    let first = layout::record_key(Table::Audit, &from.to_be_bytes());
    let range = KeyRange {
        from: before.unwrap_or(first),
        ..KeyRange::under(layout::record_key(Table::Audit, &[]))
    };
    let mut found: Vec<(u64, AuditRow)> = Vec::new();
    for stored in reader.rows(Tree::Records, &range)? {
        if found.len() >= limit {
            break;
        }
        let (key, stored) = stored?;
        let first = number(&key).ok_or_else(damaged)?;
        let value = reader.sealer().open(Tree::Records, &key, &stored)?;
        let row = read(&value).map_err(|_| damaged())?;
        for (index, entry) in (first..).zip(row) {
            let expected = found.last().map(|(last, _)| last.saturating_add(1));
            if expected.is_some_and(|expected| expected != index) {
                return Err(damaged());
            }
            if index >= from && found.len() < limit {
                found.push((index, entry));
            }
        }
    }
    Ok(found)
}

/// The number of the first entry that is there.
pub(crate) fn begin(reader: &Reader<'_>) -> Result<u64, ReadError> {
    let range = KeyRange::under(layout::record_key(Table::Audit, &[]));
    let first = reader.rows(Tree::Records, &range)?.next().transpose()?;
    Ok(first.and_then(|(key, _)| number(&key)).unwrap_or_default())
}

/// The number that the next entry has.
pub(crate) fn end(reader: &Reader<'_>) -> Result<u64, ReadError> {
    let Some((key, value)) = last_record(reader, Table::Audit, &u64::MAX.to_be_bytes())? else {
        return Ok(0);
    };
    let damaged = || ReadError::Damaged(Tree::Records);
    let key = key.as_slice().try_into().map_err(|_| damaged())?;
    let row = read(&value).map_err(|_| damaged())?;
    Ok(u64::from_be_bytes(key).saturating_add(row.len() as u64))
}

/// The head that the log is to begin with to keep so many entries.
pub(crate) fn cut(reader: &Reader<'_>, keep: u64) -> Result<Option<u64>, ReadError> {
    let most = end(reader)?.saturating_sub(keep);
    let head = last_record(reader, Table::AuditHeads, &most.to_be_bytes())?;
    let count = head.and_then(|(count, _)| count.as_slice().try_into().ok());
    Ok(count.map(u64::from_be_bytes))
}

/// The record of a table with the greatest key that is not above `most`.
pub(crate) fn last_record(
    reader: &Reader<'_>,
    table: Table,
    most: &[u8],
) -> Result<Option<Row>, ReadError> {
    let Some(key) = last_key(reader, table, most)? else {
        return Ok(None);
    };
    let Some((_, short)) = key.split_first() else {
        return Err(ReadError::Damaged(Tree::Records));
    };
    let value = reader.record(table, short)?;
    Ok(value.map(|value| (short.to_vec(), value)))
}

/// The greatest key of a table that is not above `most`, as its tree has it.
fn last_key(reader: &Reader<'_>, table: Table, most: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
    let mut range = KeyRange::under(layout::record_key(table, &[]));
    range.until = Some(layout::record_key(table, &[most, &[0]].concat()));
    let row = reader.rows(Tree::Records, &range)?.next_back();
    Ok(row.transpose()?.map(|(key, _)| key))
}

fn number(key: &[u8]) -> Option<u64> {
    let (_, number) = key.split_first()?;
    Some(u64::from_be_bytes(number.try_into().ok()?))
}

/// Plans the removal of entries before `cut`, and of heads before it; gives the number of rows.
pub(crate) fn plan_cut(reader: &Reader<'_>, cut: u64) -> Result<(Batch, usize), ReadError> {
    let mut batch = Batch::default();
    // The row that holds the first entry which stays, stays.
    let kept = last_key(reader, Table::Audit, &cut.to_be_bytes())?;
    let ends = [
        (Table::Audit, kept),
        (
            Table::AuditHeads,
            Some(layout::record_key(Table::AuditHeads, &cut.to_be_bytes())),
        ),
    ];
    for (table, until) in ends {
        let range = KeyRange {
            until,
            ..KeyRange::under(layout::record_key(table, &[]))
        };
        if range.until.is_none() || range.is_empty() {
            continue;
        }
        for row in reader.rows(Tree::Records, &range)?.take(ROWS) {
            batch.delete(Tree::Records, row?.0);
        }
    }
    let removed = batch.len();
    Ok((batch, removed))
}
