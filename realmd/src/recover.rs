//! From the store to what a node starts with.

use realm_node::{AuditTail, KeptOutline, Recovered, UnderWay};
use realm_protocol::journal::{Status, Table};
use realm_store::{ReadError, RunQuery, Store};

/// Runs read at a time.
const PAGE: usize = 1_000;

/// Reads every record and every run that had not ended. Idempotency keys stay where they are:
/// the node looks them up one by one. So do kept calls, but for what they are.
///
/// # Errors
/// [`ReadError`] when the store cannot be read.
pub(crate) fn recover(store: &Store) -> Result<Recovered, ReadError> {
    let mut records = Vec::new();
    let whole = |table: &&Table| {
        !matches!(
            table,
            Table::Keys | Table::Custody | Table::Audit | Table::AuditHeads | Table::SignIns
        )
    };
    for table in Table::ALL.iter().filter(whole) {
        let rows = store.records(*table)?;
        records.extend(rows.into_iter().map(|(key, value)| (*table, key, value)));
    }
    let mut kept = Vec::new();
    store.each_record(Table::Custody, |key, value| {
        kept.extend(KeptOutline::read(key, value));
    })?;
    Ok(Recovered {
        last: store.last_seq(),
        records,
        kept,
        under_way: under_way(store)?,
        audit: audit_tail(store)?,
        restored: store.restored()?,
    })
}

/// The newest head of the audit log, and the entries after it.
fn audit_tail(store: &Store) -> Result<AuditTail, ReadError> {
    let head = store.last_record(Table::AuditHeads, &u64::MAX.to_be_bytes())?;
    let count = head.as_ref().and_then(|(count, _)| {
        let count = count.as_slice().try_into().ok()?;
        Some(u64::from_be_bytes(count))
    });
    let mut next = count.unwrap_or_default();
    let mut rows = Vec::new();
    loop {
        let read = store.audit(next, PAGE)?;
        let Some((last, _)) = read.last() else {
            break;
        };
        next = last.saturating_add(1);
        rows.extend(read.into_iter().map(|(_, row)| row));
    }
    Ok(AuditTail {
        head: head.map(|(_, head)| head),
        rows,
    })
}

fn under_way(store: &Store) -> Result<Vec<UnderWay>, ReadError> {
    let mut found = Vec::new();
    for status in [Status::Running, Status::Paused] {
        let mut query = RunQuery {
            status: Some(status),
            limit: PAGE,
            ..RunQuery::default()
        };
        loop {
            let page = store.runs(&query)?;
            for run in page.items {
                let events = store.next_event(run.id)?;
                found.push(UnderWay { run, events });
            }
            match page.next {
                Some(next) => query.before = Some(next),
                None => break,
            }
        }
    }
    Ok(found)
}
