//! The log in front of an engine: what it holds counts, what a crash cut short never was.

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    EngineError, EngineKind, Tree,
    engine::{self, Batch, Engine, log},
    files,
    layout::KeyRange,
};

const CACHE: usize = 1024 * 1024;
const TREE: Tree = Tree::Records;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A number from another, with all its bits mixed.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
}

/// The writes of one step over 40 keys: mostly puts, some deletes.
fn step(number: u64) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let write = |part: u64| {
        let random = mix(number * 16 + part);
        let key = vec![u8::try_from(random % 40).unwrap()];
        let value = vec![u8::try_from(number % 251).unwrap(); 1 + (random % 300) as usize];
        (key, (!random.is_multiple_of(5)).then_some(value))
    };
    (0..1 + mix(number) % 9).map(write).collect()
}

fn write(engine: &dyn Engine, model: &mut Rows, number: u64) {
    let mut batch = Batch::default();
    for (key, value) in step(number) {
        match value {
            Some(value) => {
                batch.put(TREE, key.clone(), value.clone());
                model.insert(key, value);
            }
            None => {
                batch.delete(TREE, key.clone());
                model.remove(&key);
            }
        }
    }
    engine.write(batch.into()).unwrap();
}

fn assert_reads(engine: &dyn Engine, model: &Rows) {
    let snapshot = engine.snapshot().unwrap();
    let expected: Vec<_> = model.clone().into_iter().collect();
    let range = || snapshot.range(TREE, &KeyRange::all()).unwrap();
    let forth: Vec<_> = range().map(Result::unwrap).collect();
    let mut back: Vec<_> = range().rev().map(Result::unwrap).collect();
    back.reverse();
    let mut both = range();
    let mut ends = (Vec::new(), Vec::new());
    while let Some(row) = both.next() {
        ends.0.push(row.unwrap());
        ends.1.extend(both.next_back().map(Result::unwrap));
    }
    ends.1.reverse();
    assert_eq!(forth, expected);
    assert_eq!(back, expected);
    assert_eq!([ends.0, ends.1].concat(), expected);
    for key in 0..40 {
        let found = snapshot.get(TREE, &[key]).unwrap();
        assert_eq!(found.as_ref(), model.get([key].as_slice()));
    }
    let some = KeyRange {
        from: vec![7],
        until: Some(vec![23]),
    };
    let found = snapshot.range(TREE, &some).unwrap();
    let keys: Vec<_> = found.map(|row| row.unwrap().0).collect();
    let inside = model.range(vec![7]..vec![23]).map(|(key, _)| key.clone());
    assert_eq!(keys, inside.collect::<Vec<_>>());
}

fn fresh(dir: &Path, kind: EngineKind) -> Box<dyn Engine> {
    drop(engine::create(kind, &files::store_path(dir, kind), CACHE).unwrap());
    open(dir, kind).unwrap()
}

fn open(dir: &Path, kind: EngineKind) -> Result<Box<dyn Engine>, EngineError> {
    engine::open(kind, &files::store_path(dir, kind), CACHE)
}

/// An engine that these steps were written to, and the rows that it holds.
fn written(steps: Range<u64>) -> (TempDir, Box<dyn Engine>, Rows) {
    let dir = TempDir::new().unwrap();
    let engine = fresh(dir.path(), EngineKind::Redb);
    let mut model = Rows::new();
    for number in steps {
        write(engine.as_ref(), &mut model, number);
    }
    (dir, engine, model)
}

/// Where the log of an engine in a directory is.
fn log_in(dir: &Path) -> PathBuf {
    log::path(&files::store_path(dir, EngineKind::Redb))
}

/// The files as a kill at this moment would leave them.
fn killed(dir: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    files::copy(dir, &copy.path().join("data")).unwrap();
    copy
}

/// A log up to the end of its last record.
fn records(log: &[u8]) -> &[u8] {
    let mark = &log[16..24];
    let mut end = 32;
    while log.get(end..end + 8) == Some(mark) {
        let length = log[end + 8..end + 12].try_into().unwrap();
        end += 16 + u32::from_be_bytes(length) as usize;
    }
    &log[..end]
}

#[test]
fn a_kill_at_any_moment_leaves_what_was_written() {
    for kind in EngineKind::ALL {
        let dir = TempDir::new().unwrap();
        let engine = fresh(dir.path(), *kind);
        let mut model = Rows::new();

        for number in 0..12 {
            write(engine.as_ref(), &mut model, number);
            assert_reads(engine.as_ref(), &model);
            let copy = killed(dir.path());
            let again = open(&copy.path().join("data"), *kind).unwrap();

            assert_reads(again.as_ref(), &model);
        }
    }
}

#[test]
fn a_log_that_is_missing_is_damage() {
    let (dir, engine, model) = written(1..2);
    drop(engine);
    assert_reads(open(dir.path(), EngineKind::Redb).unwrap().as_ref(), &model);

    fs::remove_file(log_in(dir.path())).unwrap();
    let refused = open(dir.path(), EngineKind::Redb);

    assert!(matches!(refused, Err(EngineError::Corrupt(_))));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let (_dir, engine, mut model) = written(0..5);
    let snapshot = engine.snapshot().unwrap();
    let before: Vec<_> = model.clone().into_iter().collect();
    for number in 5..40 {
        write(engine.as_ref(), &mut model, number);
    }
    let mut large = Batch::default();
    large.put(Tree::Groups, vec![1], vec![0; 9 * 1024 * 1024]);
    engine.write(large.into()).unwrap(); // carried into the engine

    let rows = snapshot.range(TREE, &KeyRange::all()).unwrap();

    assert_eq!(rows.map(Result::unwrap).collect::<Vec<_>>(), before);
    assert_reads(engine.as_ref(), &model);
}

#[test]
fn what_the_engine_has_is_not_read_from_an_old_log_again() {
    let (dir, engine, mut model) = written(1..3);
    let old = fs::read(log_in(dir.path())).unwrap();
    assert!(records(&old).len() > 32, "a log that holds something");
    for number in 3..9 {
        write(engine.as_ref(), &mut model, number);
    }
    drop(engine);

    fs::write(log_in(dir.path()), old).unwrap();
    let again = open(dir.path(), EngineKind::Redb).unwrap();

    assert_reads(again.as_ref(), &model);
}

#[test]
fn a_record_cut_short_never_was_and_damage_before_it_is_refused() {
    let (dir, engine, model) = written(0..6);
    let whole = killed(dir.path());
    let mut after = model.clone();
    write(engine.as_ref(), &mut after, 6);
    let longer = killed(dir.path());
    let log_of = |dir: &TempDir| log_in(&dir.path().join("data"));
    let kept = records(&fs::read(log_of(&whole)).unwrap()).to_vec();
    let file = fs::read(log_of(&longer)).unwrap();
    let bytes = records(&file).to_vec();
    let reopened = |bytes: &[u8]| {
        fs::write(log_of(&longer), bytes).unwrap();
        let copy = TempDir::new().unwrap();
        files::copy(&longer.path().join("data"), &copy.path().join("data")).unwrap();
        open(&copy.path().join("data"), EngineKind::Redb).map(|engine| (engine, copy))
    };

    for end in (kept.len()..bytes.len()).step_by(37) {
        let mut short = bytes.clone();
        short.truncate(end);
        assert_reads(reopened(&short).unwrap().0.as_ref(), &model);
        // The file was as long already, but what was to be in it is not.
        short.resize(bytes.len(), 0);
        assert_reads(reopened(&short).unwrap().0.as_ref(), &model);
        short.resize(file.len(), 0);
        assert_reads(reopened(&short).unwrap().0.as_ref(), &model);
        let mut late = bytes.clone();
        late[kept.len()..=end].fill(0);
        assert_reads(reopened(&late).unwrap().0.as_ref(), &model);
    }
    for at in (0..kept.len()).step_by(53) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let refused = matches!(reopened(&damaged), Err(EngineError::Corrupt(_)));
        assert!(refused, "byte {at}");
    }
    assert_reads(reopened(&bytes).unwrap().0.as_ref(), &after);
    assert_reads(reopened(&file).unwrap().0.as_ref(), &after);
}

#[test]
fn a_file_that_a_crash_left_without_a_header_is_no_log_yet() {
    let (dir, engine, model) = written(0..1);
    drop(engine);
    for bytes in [0, 31, 32, 4096, 4 * 1024 * 1024] {
        fs::write(log_in(dir.path()), vec![0; bytes]).unwrap();
        let again = open(dir.path(), EngineKind::Redb).unwrap();
        assert_reads(again.as_ref(), &model);
    }
}

#[test]
fn the_first_write_after_opening_goes_into_the_engine_itself() {
    let (dir, engine, mut model) = written(1..2);
    let log = log_in(dir.path());

    let begun = fs::read(&log).unwrap();
    write(engine.as_ref(), &mut model, 2);
    let after = fs::read(&log).unwrap();

    assert_eq!(records(&begun).len(), 32, "a log that holds nothing");
    assert!(records(&after).len() > 32);
    assert_eq!(after.len(), begun.len(), "a length that stays");
    assert_reads(engine.as_ref(), &model);
}

#[test]
fn an_engine_at_rest_has_all_that_the_log_held() {
    let (dir, engine, mut model) = written(0..5);
    let log = log_in(dir.path());

    engine.rest().unwrap();
    let rested = fs::read(&log).unwrap();

    assert_eq!(records(&rested).len(), 32, "a log that holds nothing");
    assert_reads(engine.as_ref(), &model);
    write(engine.as_ref(), &mut model, 5);
    let copy = killed(dir.path());
    let again = open(&copy.path().join("data"), EngineKind::Redb).unwrap();
    assert_reads(again.as_ref(), &model);
}
