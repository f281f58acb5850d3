//! Damage is noticed, newer versions are refused, and neither is ever served.

use std::{fs, path::Path};

use realm_protocol::{
    RealmId, Timestamp,
    journal::{JournalSeq, Table},
};
use tempfile::TempDir;

use super::workload::{assert_holds, entry, event, key, options, payload, record_key, run, sealer};
use crate::{
    OpenError, Options, Problem, ReadError, Store, Tree, Urgency, check_files,
    engine::{self, Batch},
    files, layout, sealer as sealing,
};

const ENTRIES: u64 = 12;

#[test]
fn flipped_bytes_are_noticed_or_harmless() {
    let dir = filled();
    let file = files::store_path(dir.path(), options().engine);
    let whole = fs::read(&file).unwrap();
    let mut noticed = 0;

    for at in (0..whole.len()).step_by(1_531) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(&file, &bytes).unwrap();

        let sound = check_files(dir.path(), options()).is_ok_and(|report| report.is_sound());

        assert_eq!(fs::read(&file).unwrap(), bytes, "a check changed the file");
        if sound {
            let store = Store::open(dir.path(), options(), drop).unwrap();
            assert_holds(&store, JournalSeq(ENTRIES), 1);
            store.stop();
        }
        noticed += usize::from(!sound);
    }
    assert!(noticed > 5, "the sample missed the data");
}

#[test]
fn a_truncated_file_is_refused() {
    let dir = filled();
    let file = files::store_path(dir.path(), options().engine);
    let whole = fs::read(&file).unwrap();

    for length in [0, 1, 100, 5_000, whole.len() / 2] {
        fs::write(&file, &whole[..length]).unwrap();

        let opened = Store::open(dir.path(), options(), drop);
        let checked = check_files(dir.path(), options());

        assert!(opened.is_err(), "{length} bytes opened");
        assert!(!checked.is_ok_and(|report| report.is_sound()));
    }
}

#[test]
fn a_row_moved_to_another_key_does_not_open() {
    let dir = filled();
    let moved = layout::record_key(Table::Keys, &record_key(1));
    change(dir.path(), |engine, batch| {
        let from = layout::record_key(Table::Keys, &record_key(2));
        let snapshot = engine.snapshot().unwrap();
        let value = snapshot.get(Tree::Records, &from).unwrap().unwrap();
        batch.put(Tree::Records, moved.clone(), value);
    });

    let store = Store::open(dir.path(), options(), drop).unwrap();
    let read = store.record(Table::Keys, &record_key(1));

    assert!(matches!(read, Err(ReadError::Damaged(Tree::Records))));
    let (tree, key) = (Tree::Records, moved);
    assert_eq!(
        store.check().unwrap().problems,
        [Problem::Row { tree, key }]
    );
}

#[test]
fn a_check_compares_index_rows_both_ways_and_counts_events() {
    let dir = filled();
    let (lost, unindexed) = (run(1), run(2));
    let (index, index_key) = layout::index_rows(&unindexed).remove(0);
    change(dir.path(), |_, batch| {
        batch.delete(Tree::Runs, lost.id.as_bytes().to_vec());
        batch.delete(index, index_key.clone());
        // A row of one event, as the first format had them.
        let key = layout::event_key(unindexed.id, 3);
        let event = event(&unindexed, 3);
        let mut rng = sealing::generator().unwrap();
        let row = sealer().seal_wire(&mut rng, Tree::Events, &key, &event);
        batch.put(Tree::Events, key, row);
    });

    let report = check_files(dir.path(), options()).unwrap();

    let run = unindexed.id;
    let mut expected = vec![
        Problem::NotIndexed { run, index },
        Problem::Orphan(lost.id),
        Problem::Gap {
            run,
            expected: 2,
            found: 3,
        },
    ];
    let mut rows = layout::index_rows(&lost);
    rows.sort();
    expected.extend(
        rows.into_iter()
            .map(|(index, key)| Problem::Dangling { index, key }),
    );
    assert_eq!(report.problems, expected);
}

#[test]
fn a_check_compares_expiring_records_and_their_index_rows_both_ways() {
    let dir = filled();
    let record = |number| layout::record_key(Table::Replay, &record_key(number));
    let row = |number| layout::expiry_key(run(number).started, &record(number));
    let early = layout::expiry_key(Timestamp::from_millis(1), &record(3));
    change(dir.path(), |_, batch| {
        batch.delete(Tree::Records, record(1));
        batch.delete(Tree::ByExpiry, row(2));
        batch.put(Tree::ByExpiry, early.clone(), sealing::INDEX_VALUE);
    });

    let report = check_files(dir.path(), options()).unwrap();

    let index = Tree::ByExpiry;
    let expected = [
        Problem::NeverExpires { key: record(2) },
        Problem::Dangling { index, key: early },
        Problem::Dangling { index, key: row(1) },
    ];
    assert_eq!(report.problems, expected);
}

#[test]
fn a_false_index_row_is_swept_without_the_record() {
    let dir = filled();
    let expiring = layout::record_key(Table::Replay, &record_key(3));
    let lasting = layout::record_key(Table::Keys, &record_key(3));
    let early = Timestamp::from_millis(1);
    change(dir.path(), |_, batch| {
        let rows = [&expiring, &lasting].map(|key| layout::expiry_key(early, key));
        for row in rows.into_iter().chain([vec![0]]) {
            batch.put(Tree::ByExpiry, row, sealing::INDEX_VALUE);
        }
    });
    let store = Store::open(dir.path(), options(), drop).unwrap();

    let swept = store.sweep(early.plus(1), 10).unwrap();

    assert_eq!(swept, 3);
    assert_holds(&store, JournalSeq(ENTRIES), 0);
}

#[test]
fn a_record_whose_expiry_was_changed_does_not_open() {
    let dir = filled();
    let key = layout::record_key(Table::Replay, &record_key(1));
    let changed = Timestamp::from_millis(u64::MAX);
    change(dir.path(), |engine, batch| {
        let snapshot = engine.snapshot().unwrap();
        let mut value = snapshot.get(Tree::Records, &key).unwrap().unwrap();
        value[1..9].fill(u8::MAX);
        assert_eq!(sealing::expiry(&value), Some(changed));
        batch.put(Tree::Records, key.clone(), value);
    });

    let store = Store::open(dir.path(), options(), drop).unwrap();
    let read = store.record(Table::Replay, &record_key(1));

    assert!(matches!(read, Err(ReadError::Damaged(Tree::Records))));
}

#[test]
fn newer_formats_and_newer_rows_are_refused() {
    let dir = filled();
    let row = layout::record_key(Table::Keys, &record_key(1));
    change(dir.path(), |_, batch| {
        batch.put(Tree::Records, row.clone(), vec![9; 64]);
    });
    let store = Store::open(dir.path(), options(), drop).unwrap();
    let read = store.record(Table::Keys, &record_key(1));
    store.stop();
    change(dir.path(), |_, batch| {
        let format = 5_u32.to_be_bytes().to_vec();
        batch.put(Tree::Meta, b"format".to_vec(), format);
    });

    let opened = Store::open(dir.path(), options(), drop);

    assert!(matches!(
        read,
        Err(ReadError::Newer {
            found: 9,
            known: 2,
            ..
        })
    ));
    assert!(matches!(
        opened,
        Err(OpenError::Newer { found: 5, known: 4 })
    ));
}

#[test]
fn another_key_and_another_realm_are_refused() {
    let dir = filled();
    let other_key = Options::new(options().realm, realm_crypto::StoreKey::from_bytes([8; 32]));
    let other_realm = Options::new(RealmId::new([2; 32]), key());

    for other in [other_key, other_realm] {
        let opened = Store::open(dir.path(), other, drop);

        assert!(matches!(opened, Err(OpenError::WrongKey)));
    }
}

#[test]
fn no_payload_stands_in_the_files() {
    let dir = filled();

    for file in fs::read_dir(dir.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for number in 1..=ENTRIES {
            let canary = &payload(number)[..16];
            assert!(!bytes.windows(16).any(|window| window == canary));
        }
    }
}

#[test]
fn equal_values_are_sealed_apart() {
    let sealer = sealer();
    let mut rng = sealing::generator().unwrap();

    let one = sealer.seal(&mut rng, Tree::Records, b"key", b"value");
    let two = sealer.seal(&mut rng, Tree::Records, b"key", b"value");

    assert_ne!(one, two);
}

/// A directory with a stopped store of some entries.
fn filled() -> TempDir {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), options(), drop).unwrap();
    for number in 1..=ENTRIES {
        let entry = entry(number);
        store
            .append(JournalSeq(number), entry, Urgency::Now)
            .unwrap();
    }
    store.stop();
    dir
}

/// Changes a stopped store behind its back.
fn change(dir: &Path, change: impl FnOnce(&dyn engine::Engine, &mut Batch)) {
    let kind = options().engine;
    let engine = engine::open(kind, &files::store_path(dir, kind), 1 << 20).unwrap();
    let mut batch = Batch::default();
    change(engine.as_ref(), &mut batch);
    engine.write(batch.into()).unwrap();
}
