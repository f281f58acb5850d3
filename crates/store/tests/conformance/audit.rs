//! The audit log, which is cut from its beginning.

use realm_protocol::{
    Digest, Timestamp,
    audit::{AuditNote, AuditRow, Frontier, entry_digest},
    journal::{Change, Table},
};
use realm_store::EngineKind;
use tempfile::TempDir;

use crate::workload::{Journal, put};

/// Entries, a few in each commit, and a head after every fourth.
fn write(journal: &mut Journal, entries: u64) -> Vec<AuditRow> {
    let (mut rows, mut frontier) = (Vec::new(), Frontier::default());
    let mut previous = Digest::new([0; 32]);
    let mut changes = Vec::new();
    for index in 0..entries {
        let note = AuditNote::new("run.ended").about(format!("work {index}"));
        let row = note.into_row(index, previous, Timestamp::from_millis(index), [1; 16]);
        previous = entry_digest(&row.entry);
        frontier.push(previous);
        changes.push(Change::Audit(index, row.clone()));
        rows.push(row);
        if frontier.count().is_multiple_of(4) {
            let count = frontier.count().to_be_bytes();
            changes.push(put(Table::AuditHeads, &count, &frontier.to_bytes()));
        }
        if index % 3 == 2 {
            journal.write(std::mem::take(&mut changes));
        }
    }
    if !changes.is_empty() {
        journal.write(changes);
    }
    rows
}

pub(crate) fn a_log_that_has_outgrown_its_bound_begins_at_a_head(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    let rows = write(&mut journal, 22);
    let heads = |journal: &Journal| {
        let heads = journal.store.records(Table::AuditHeads).unwrap();
        let counts = heads.into_iter().map(|(count, _)| count);
        counts
            .map(|count| u64::from_be_bytes(count.try_into().unwrap()))
            .collect::<Vec<_>>()
    };

    assert_eq!(journal.store.audit_cut(22).unwrap(), None, "all may stay");
    assert_eq!(journal.store.audit_cut(19).unwrap(), None, "no head there");
    let cut = journal.store.audit_cut(9).unwrap();
    assert_eq!(cut, Some(12), "nine stay at least, and a head");
    while journal.store.cut_audit(12).unwrap() > 0 {}
    let journal = journal.reopened();

    assert_eq!(heads(&journal), [12, 16, 20]);
    let begin = journal.store.audit_begin().unwrap();
    assert!(
        (10..=12).contains(&begin),
        "the row of entry 12 stays: {begin}"
    );
    assert_eq!(journal.store.audit_end().unwrap(), 22);
    let kept = journal.store.audit(12, 100).unwrap();
    let expected: Vec<_> = (12..).zip(rows[12..].to_vec()).collect();
    assert_eq!(kept, expected);
    assert_eq!(journal.store.check().unwrap().problems, []);
    assert_eq!(journal.store.audit_cut(9).unwrap(), Some(12));
    assert_eq!(journal.store.cut_audit(12).unwrap(), 0, "once is enough");
}
