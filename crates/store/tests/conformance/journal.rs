//! Entries, their acknowledgements, and the files they end in.

use std::{fs, path::Path, sync::mpsc};

use realm_protocol::journal::{Change, Entry, JournalSeq, Status, Table};
use realm_store::{
    Ack, AppendError, EngineKind, OpenError, Store, StoreError, Urgency, check_files,
};
use tempfile::TempDir;

use crate::workload::{Journal, options, put, run};

pub(crate) fn records_are_kept_in_the_order_of_their_keys(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    journal.write(vec![
        put(Table::Loops, b"b", b"2"),
        put(Table::Loops, b"a", b"1"),
        put(Table::Loops, b"c", b"3"),
        put(Table::Keys, b"a", b"elsewhere"),
    ]);
    journal.write(vec![
        put(Table::Loops, b"a", b"new"),
        Change::Delete(Table::Loops, b"b".to_vec()),
    ]);

    let journal = journal.reopened();

    let records = journal.store.records(Table::Loops).unwrap();
    let expected = [
        (b"a".to_vec(), b"new".to_vec()),
        (b"c".to_vec(), b"3".to_vec()),
    ];
    assert_eq!(records, expected);
    assert_eq!(journal.store.record(Table::Loops, b"b").unwrap(), None);
    assert_eq!(journal.store.last_seq(), JournalSeq(2));
}

pub(crate) fn changes_of_one_entry_happen_in_order(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    let (running, ended) = (run(5, Status::Running), run(5, Status::Completed));

    journal.write(vec![
        put(Table::Keys, b"k", b"first"),
        Change::Delete(Table::Keys, b"k".to_vec()),
        put(Table::Keys, b"k", b"last"),
        Change::Run(running),
        Change::Run(ended.clone()),
    ]);

    let store = &journal.store;
    assert_eq!(
        store.record(Table::Keys, b"k").unwrap(),
        Some(b"last".to_vec())
    );
    assert_eq!(store.run(ended.id).unwrap(), Some(ended));
    assert_eq!(store.check().unwrap().problems, []);
}

pub(crate) fn entries_appended_together_are_acknowledged_in_order(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), engine);
    for number in 1..=500 {
        let entry = Entry {
            changes: vec![put(Table::Keys, &[number as u8], b"v")],
        };
        let urgency = if number % 3 == 0 {
            Urgency::Soon
        } else {
            Urgency::Now
        };
        journal
            .store
            .append(JournalSeq(number), entry, urgency)
            .unwrap();
    }

    let mut last = JournalSeq(0);
    while last < JournalSeq(500) {
        let durable = journal.durable();
        assert!(durable > last);
        last = durable;
    }
}

pub(crate) fn an_entry_nobody_waits_for_is_acknowledged_too(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), engine);
    let entry = Entry {
        changes: vec![put(Table::Keys, b"k", b"v")],
    };

    journal
        .store
        .append(JournalSeq(1), entry, Urgency::Soon)
        .unwrap();

    assert_eq!(journal.durable(), JournalSeq(1));
}

pub(crate) fn a_gap_in_the_numbers_poisons_the_store(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let journal = Journal::open(dir.path(), engine);

    journal
        .store
        .append(JournalSeq(2), Entry::default(), Urgency::Now)
        .unwrap();

    let ack = journal.acks.recv().unwrap();
    let found = JournalSeq(2);
    assert!(matches!(ack, Ack::Failed(StoreError::OutOfOrder { found: f, .. }) if f == found));
    let refused = journal
        .store
        .append(JournalSeq(1), Entry::default(), Urgency::Now);
    assert_eq!(refused.unwrap_err().error, AppendError::Poisoned);
}

pub(crate) fn a_full_queue_refuses_and_a_stopped_store_takes_nothing(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let (blocked, release) = mpsc::sync_channel::<()>(0);
    let (reached, at_ack) = mpsc::channel();
    let store = Store::open(dir.path(), options(engine), move |_| {
        reached.send(()).unwrap();
        let _ = blocked.send(());
    })
    .unwrap();
    let append = |number| {
        let taken = store.append(JournalSeq(number), Entry::default(), Urgency::Now);
        taken.map_err(|refused| refused.error)
    };
    append(1).unwrap();
    at_ack.recv().unwrap();

    let taken = (2..).take_while(|number| append(*number).is_ok()).count();
    let refused = append(2_000);
    drop(release);
    store.clone().stop();
    let stopped = append(2 + taken as u64);

    assert_eq!((taken, refused), (1_024, Err(AppendError::Full)));
    assert_eq!(stopped, Err(AppendError::Stopped));
    drop(store);
    let journal = Journal::open(dir.path(), engine);
    assert_eq!(journal.store.last_seq(), JournalSeq(1_025));
}

pub(crate) fn two_owners_of_one_directory_are_refused(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let _journal = Journal::open(dir.path(), engine);

    let second = Store::open(dir.path(), options(engine), drop);
    let checked = check_files(dir.path(), options(engine));

    let pid = Some(std::process::id());
    assert!(matches!(second, Err(OpenError::Locked { pid: owner }) if owner == pid));
    assert!(matches!(checked, Err(OpenError::Locked { .. })));
}

pub(crate) fn files_are_their_owners_alone(engine: EngineKind) {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let home = dir.path().join("store");
    let _journal = Journal::open(&home, engine);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

    assert_eq!(mode(&home), 0o700);
    for file in fs::read_dir(&home).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 });
    }
}
