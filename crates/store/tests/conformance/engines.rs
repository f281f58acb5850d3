//! Which engine keeps a store, and moving from one to another.

use std::fs;

use realm_protocol::journal::{Status, Table};
use realm_store::{EngineKind, MigrateError, OpenError, Store, check_files, migrate};
use tempfile::TempDir;

use crate::workload::{Journal, event, filled, options, put, run, runs};

pub(crate) fn a_store_moves_to_every_engine_and_back_whole(engine: EngineKind) {
    for to in EngineKind::ALL {
        let dir = TempDir::new().unwrap();
        let mut journal = filled(dir.path(), engine);
        journal.write(vec![put(Table::Loops, b"large", &[7; 300_000])]);
        let last = journal.last;
        journal.store.stop();

        let there = migrate(dir.path(), options(engine), *to).unwrap();
        let checked = check_files(dir.path(), options(*to)).unwrap();
        let moved = Journal::open(dir.path(), *to);

        assert_eq!((there.from, there.to), (engine, *to));
        assert!(checked.is_sound(), "{checked:?}");
        assert_eq!(moved.last, last);
        for run in runs() {
            let events = moved.store.events(run.id, 0, 10).unwrap();
            assert_eq!(events, [event(&run, 0)]);
            assert_eq!(moved.store.run(run.id).unwrap(), Some(run));
        }
        moved.store.stop();
        let back = migrate(dir.path(), options(*to), engine).unwrap();
        assert_eq!(back.rows, there.rows);
        assert_eq!(Journal::open(dir.path(), engine).last, last);
    }
}

pub(crate) fn another_engines_store_is_refused_untouched(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), engine).store.stop();

    for other in EngineKind::ALL.iter().filter(|other| **other != engine) {
        let opened = Store::open(dir.path(), options(*other), drop);
        let checked = check_files(dir.path(), options(*other));

        let refused = |error: OpenError| {
            matches!(error, OpenError::OtherEngine { found, asked }
                if (found, asked) == (engine, *other))
        };
        assert!(refused(opened.unwrap_err()) && refused(checked.unwrap_err()));
    }
    let store = Journal::open(dir.path(), engine).store;
    let first = run(1, Status::Running).id;
    assert!(store.run(first).unwrap().is_some());
}

pub(crate) fn files_that_vanished_are_not_made_anew(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    filled(dir.path(), engine).store.stop();
    let files = dir.path().join(format!("realm.{engine}"));
    fs::rename(&files, dir.path().join("elsewhere")).unwrap();

    let opened = Store::open(dir.path(), options(engine), drop);
    let moved = migrate(dir.path(), options(engine), EngineKind::Redb);

    assert!(matches!(opened, Err(OpenError::Missing(kind)) if kind == engine));
    assert!(matches!(
        moved,
        Err(MigrateError::Store(OpenError::Missing(_)))
    ));
}

pub(crate) fn a_move_cut_short_anywhere_leaves_the_store_that_the_mark_names(engine: EngineKind) {
    let other = EngineKind::ALL.iter().find(|other| **other != engine);
    let other = *other.unwrap();
    let dir = TempDir::new().unwrap();
    let last = filled(dir.path(), engine).reopened();
    let (last, store) = (last.last, last.store);
    store.stop();
    let place = |name: &str| dir.path().join(name);
    let copy = place(&format!("realm.{other}"));
    // Half a copy, then a whole one that the mark does not name, then one that it does name.
    fs::write(place(&format!("realm.{other}.partial")), b"half").unwrap();
    fs::write(&copy, b"installed").unwrap();

    let before = Journal::open(dir.path(), engine);

    assert_eq!(before.last, last);
    assert!(!copy.exists());
    before.store.stop();
    let kept = place("kept");
    let files = place(&format!("realm.{engine}"));
    migrate(dir.path(), options(engine), other).unwrap();
    fs::write(&kept, b"").unwrap();
    fs::rename(&kept, &files).unwrap();

    let after = Journal::open(dir.path(), other);

    assert_eq!(after.last, last);
    assert!(!files.exists());
}

pub(crate) fn an_open_store_does_not_move(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let _journal = filled(dir.path(), engine);

    let moved = migrate(dir.path(), options(engine), EngineKind::Sled);

    assert!(matches!(
        moved,
        Err(MigrateError::Store(OpenError::Locked { .. }))
    ));
}
