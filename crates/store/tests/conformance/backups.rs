//! Moving a store.

use std::fs;

use realm_protocol::journal::{Change, Entry, JournalSeq, Status, Table};
use realm_store::{EngineKind, RestoreError, RunQuery, Urgency, restore};
use tempfile::TempDir;

use crate::workload::{Journal, at, filled, options, payload, put, put_until, run, runs};

pub(crate) fn a_backup_taken_while_writing_restores_one_moment(engine: EngineKind) {
    let (dir, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let journal = filled(dir.path(), engine);
    let from = journal.last.0;
    for number in 1..=200 {
        let run = Change::Run(run(100 + number, Status::Running));
        let changes = vec![run, put(Table::Standing, b"counter", &number.to_be_bytes())];
        let seq = JournalSeq(from + number);
        journal
            .store
            .append(seq, Entry { changes }, Urgency::Now)
            .unwrap();
    }

    let mut backup = Vec::new();
    let report = journal.store.backup(&mut backup).unwrap();
    let restored = restore(target.path(), options(engine), &mut backup.as_slice()).unwrap();

    assert_eq!((restored.last, restored.rows), (report.last, report.rows));
    assert_eq!(report.bytes, backup.len() as u64);
    let copy = Journal::open(target.path(), engine);
    assert_eq!(copy.store.last_seq(), report.last);
    let counter = copy.store.record(Table::Standing, b"counter").unwrap();
    let written = report.last.0 - from;
    assert_eq!(
        counter,
        (written > 0).then(|| written.to_be_bytes().to_vec())
    );
    let query = RunQuery {
        limit: 1_000,
        ..RunQuery::default()
    };
    let copied = copy.store.runs(&query).unwrap().items;
    assert_eq!(copied.len(), runs().count() + written as usize);
    assert_eq!(copy.store.check().unwrap().problems, []);
}

pub(crate) fn a_backup_leaves_kem_keys_and_replay_memory_behind(engine: EngineKind) {
    let (dir, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut journal = Journal::open(dir.path(), engine);
    let tables = Table::ALL.iter();
    journal.write(
        tables
            .clone()
            .map(|table| put(*table, b"k", b"v"))
            .collect(),
    );
    let mut backup = Vec::new();
    journal.store.backup(&mut backup).unwrap();
    restore(target.path(), options(engine), &mut backup.as_slice()).unwrap();

    let mut copy = Journal::open(target.path(), engine);

    for table in tables {
        let left_out = matches!(table, Table::Kem | Table::Replay | Table::SignIns);
        let record = copy.store.record(*table, b"k").unwrap();
        assert_eq!(record.is_none(), left_out, "{table:?}");
    }
    assert!(!journal.store.restored().unwrap());
    assert!(copy.store.restored().unwrap());
    copy.last = copy.store.last_seq();
    copy.write(vec![put(Table::Kem, b"new", b"key")]);
    assert!(!copy.reopened().store.restored().unwrap());
}

pub(crate) fn a_restore_refuses_a_directory_that_is_in_use(engine: EngineKind) {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let journal = filled(dir.path(), engine);
    let mut backup = Vec::new();
    journal.store.backup(&mut backup).unwrap();
    fs::write(other.path().join("precious"), "mine").unwrap();

    for target in [dir.path(), other.path()] {
        let refused = restore(target, options(engine), &mut backup.as_slice());

        assert!(matches!(refused, Err(RestoreError::NotEmpty)));
    }
    assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
}

pub(crate) fn a_changed_or_cut_backup_leaves_no_store_behind(engine: EngineKind) {
    let (dir, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let journal = filled(dir.path(), engine);
    let mut backup = Vec::new();
    journal.store.backup(&mut backup).unwrap();
    let flipped = (0..backup.len()).step_by(211).map(|at| {
        let mut bytes = backup.clone();
        bytes[at] ^= 1;
        bytes
    });
    let cut = (0..backup.len())
        .step_by(499)
        .map(|at| backup[..at].to_vec());

    for bytes in flipped.chain(cut) {
        let refused = restore(target.path(), options(engine), &mut bytes.as_slice());

        assert!(refused.is_err());
        let names = fs::read_dir(target.path()).unwrap();
        let names: Vec<_> = names.map(|file| file.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "realm.lock"), "{names:?}");
    }
    restore(target.path(), options(engine), &mut backup.as_slice()).unwrap();
}

pub(crate) fn a_backup_holds_no_payload(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let journal = filled(dir.path(), engine);
    let mut backup = Vec::new();
    journal.store.backup(&mut backup).unwrap();

    let canary = &payload()[..16];
    assert!(!backup.windows(16).any(|window| window == canary));
}

pub(crate) fn a_backup_of_the_first_format_still_restores(engine: EngineKind) {
    let target = TempDir::new().unwrap();
    let backup = unhex(include_str!("../vectors/backup-1.hex"));

    let report = restore(target.path(), options(engine), &mut backup.as_slice()).unwrap();

    assert_eq!((report.last, report.rows), (JournalSeq(1), 2));
    let copy = Journal::open(target.path(), engine);
    let record = |key| copy.store.record(Table::Standing, key).unwrap();
    assert_eq!(record(b"one"), Some(b"first".to_vec()));
    assert_eq!(record(b"two"), Some(Vec::new()));
}

pub(crate) fn a_backup_with_a_record_that_expires_still_restores(engine: EngineKind) {
    let target = TempDir::new().unwrap();
    let backup = unhex(include_str!("../vectors/backup-1-expiring.hex"));

    let report = restore(target.path(), options(engine), &mut backup.as_slice()).unwrap();

    assert_eq!((report.last, report.rows), (JournalSeq(1), 1));
    let copy = Journal::open(target.path(), engine);
    let record = copy.store.record(Table::Keys, b"expiring").unwrap();
    assert_eq!(record, Some(b"value".to_vec()));
    assert_eq!(copy.store.sweep(at(10), 10).unwrap(), 0);
    assert_eq!(copy.store.sweep(at(10).plus(1), 10).unwrap(), 1);
}

pub(crate) fn a_restored_record_still_expires(engine: EngineKind) {
    let (dir, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut journal = Journal::open(dir.path(), engine);
    let tables = [Table::Keys, Table::Kem, Table::Replay];
    journal.write(tables.map(|table| put_until(table, b"k", 10)).to_vec());
    let mut backup = Vec::new();
    journal.store.backup(&mut backup).unwrap();
    restore(target.path(), options(engine), &mut backup.as_slice()).unwrap();

    let copy = Journal::open(target.path(), engine);

    let report = copy.store.check().unwrap();
    assert_eq!((report.records, report.index_rows), (1, 1));
    assert_eq!(report.problems, []);
    let kept = copy.store.record(Table::Keys, b"k").unwrap();
    assert_eq!(kept, Some(payload()));
    assert_eq!(copy.store.sweep(at(11), 10).unwrap(), 1);
    assert_eq!(copy.store.record(Table::Keys, b"k").unwrap(), None);
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.split_whitespace().flat_map(str::bytes).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
