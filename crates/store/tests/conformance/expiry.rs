//! Records that are forgotten.

use realm_protocol::journal::{Change, Table};
use realm_store::EngineKind;
use tempfile::TempDir;

use crate::workload::{Journal, at, payload, put, put_until};

pub(crate) fn a_record_outlives_its_expiry_until_it_is_swept(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    journal.write(vec![
        put_until(Table::Replay, b"due", 10),
        put_until(Table::Replay, b"later", 11),
        put(Table::Replay, b"lasting", b"v"),
    ]);
    let journal = journal.reopened();
    let record = |key| journal.store.record(Table::Replay, key).unwrap();

    let early = journal.store.sweep(at(10), 100).unwrap();
    let kept = record(b"due");
    let swept = journal.store.sweep(at(10).plus(1), 100).unwrap();

    assert_eq!((early, kept), (0, Some(payload())));
    assert_eq!((swept, record(b"due")), (1, None));
    let records = journal.store.records(Table::Replay).unwrap();
    let keys: Vec<_> = records.iter().map(|(key, _)| key.as_slice()).collect();
    assert_eq!(keys, [b"lasting".as_slice(), b"later"]);
    assert_eq!(journal.store.check().unwrap().problems, []);
}

pub(crate) fn a_sweep_is_bounded_and_takes_the_earliest_first(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    // The keys fall as the times rise, in two tables.
    let changes = (1..=1_100_u64).map(|second| {
        let table = [Table::Keys, Table::Replay][(second % 2) as usize];
        put_until(table, &(10_000 - second).to_be_bytes(), second)
    });
    journal.write(changes.collect());
    let left = || {
        let tables = [Table::Keys, Table::Replay];
        tables.map(|table| journal.store.records(table).unwrap().len())
    };
    let sweep = |at_most| journal.store.sweep(at(2_000), at_most).unwrap();

    assert_eq!((sweep(0), left()), (0, [550, 550]));
    assert_eq!((sweep(4), left()), (4, [548, 548]));
    let earliest_left = 9_995_u64.to_be_bytes();
    let kept = journal.store.record(Table::Replay, &earliest_left).unwrap();
    assert!(kept.is_some());
    assert_eq!((sweep(usize::MAX), left()), (1_024, [36, 36]));
    assert_eq!((sweep(usize::MAX), left()), (72, [0, 0]));
    assert_eq!(sweep(usize::MAX), 0);
    assert_eq!(journal.store.check().unwrap().index_rows, 0);
}

pub(crate) fn only_the_last_expiry_of_a_record_counts(engine: EngineKind) {
    let (table, key) = (Table::Keys, b"k".as_slice());
    let until = |second| put_until(table, key, second);
    let histories = [
        (vec![until(5), until(20)], 1),
        (vec![until(20), until(5), until(20)], 1),
        (vec![until(5), put(table, key, &payload())], 0),
        (
            vec![until(5), Change::Delete(table, key.into()), until(20)],
            1,
        ),
        (
            vec![
                until(5),
                Change::Delete(table, key.into()),
                put(table, key, &payload()),
            ],
            0,
        ),
        (vec![put(table, key, b"v"), until(20)], 1),
    ];

    for (changes, expiries) in histories {
        // All in one entry, and each in its own.
        for size in [changes.len(), 1] {
            let dir = TempDir::new().unwrap();
            let mut journal = Journal::open(dir.path(), engine);
            for part in changes.chunks(size) {
                journal.write(part.to_vec());
            }
            let store = &journal.store;
            let report = store.check().unwrap();

            let swept = store.sweep(at(10), 100).unwrap();

            assert_eq!(swept, 0, "{changes:?}");
            assert_eq!(store.record(table, key).unwrap(), Some(payload()));
            assert_eq!((report.index_rows, report.problems), (expiries, vec![]));
            assert_eq!(store.sweep(at(30), 100).unwrap() as u64, expiries);
        }
    }
}
