//! Groups beside rows of the formats before, what is changed in them, and what leaves them.

use std::sync::mpsc;

use realm_protocol::{
    Timestamp,
    cbor::Blob,
    journal::{Change, Entry, Event, JournalSeq, Run, Status},
};
use tempfile::TempDir;

use super::workload::{event, options, run, sealer};
use crate::{
    Ack, Problem, ReadError, RunQuery, Store, Tree, Urgency, block,
    engine::{self, Batch},
    files,
    group::{Group, Writer},
    layout, meta,
    pointer::RunPointer,
    restore, sealer as sealing,
};

/// A store, and what it acknowledges.
struct Journal {
    dir: TempDir,
    store: Store,
    acks: mpsc::Receiver<Ack>,
}

impl Journal {
    fn new() -> Self {
        Self::open(TempDir::new().unwrap())
    }

    fn open(dir: TempDir) -> Self {
        let (acks, received) = mpsc::channel();
        let store = Store::open(dir.path(), options(), move |ack| drop(acks.send(ack))).unwrap();
        Self {
            dir,
            store,
            acks: received,
        }
    }

    /// Writes changes in one commit.
    fn write(&self, number: u64, changes: Vec<Change>) {
        let entry = Entry { changes };
        self.store
            .append(JournalSeq(number), entry, Urgency::Now)
            .unwrap();
        assert!(matches!(self.acks.recv(), Ok(Ack::Durable(_))));
    }

    /// Opens it again after a change behind its back.
    fn changed(self, change: impl FnOnce(&dyn engine::Engine, &mut Batch)) -> Self {
        self.store.stop();
        let kind = options().engine;
        let path = files::store_path(self.dir.path(), kind);
        let engine = engine::open(kind, &path, 1 << 20).unwrap();
        let mut batch = Batch::default();
        change(engine.as_ref(), &mut batch);
        engine.write(batch.into()).unwrap();
        drop(engine);
        Self::open(self.dir)
    }

    /// The numbers of the groups that are there.
    fn groups(self) -> (Vec<u64>, Self) {
        let mut groups = Vec::new();
        let reopened = self.changed(|engine, _| {
            let snapshot = engine.snapshot().unwrap();
            let rows = snapshot.range(Tree::Groups, &layout::KeyRange::all());
            groups.extend(
                rows.unwrap()
                    .map(|row| layout::group_of(&row.unwrap().0).unwrap()),
            );
        });
        (groups, reopened)
    }
}

fn begun(number: u64) -> Run {
    Run {
        status: Status::Running,
        ended: None,
        output: None,
        ..run(number)
    }
}

fn events(run: &Run, indexes: std::ops::Range<u64>) -> Vec<Event> {
    indexes.map(|index| event(run, index)).collect()
}

fn written(run: &Run, indexes: std::ops::Range<u64>) -> Vec<Change> {
    let events = events(run, indexes).into_iter().map(Change::Event);
    std::iter::once(Change::Run(run.clone()))
        .chain(events)
        .collect()
}

/// Writes a run and its first events as the second format had them.
fn write_as_before(batch: &mut Batch, run: &Run, count: u64) {
    let mut rng = sealing::generator().unwrap();
    let key = run.id.as_bytes();
    let row = sealer().seal_wire(&mut rng, Tree::Runs, key, run);
    batch.put(Tree::Runs, key.to_vec(), row);
    for (tree, key) in layout::index_rows(run) {
        batch.put(tree, key, sealing::INDEX_VALUE);
    }
    let mut block = Vec::new();
    for event in events(run, 0..count) {
        block::push(&mut block, &event);
    }
    let key = layout::event_key(run.id, 0);
    let row = sealer().seal_block(&mut rng, &key, &block);
    batch.put(Tree::Events, key, row);
}

/// A store that the second format wrote four runs into, one of them under way, and that went on.
fn of_both_forms() -> Journal {
    let journal = Journal::new().changed(|_, batch| {
        for number in 1..=3 {
            write_as_before(batch, &run(number), 2);
        }
        write_as_before(batch, &begun(4), 2);
        meta::set_format(batch, 2);
    });
    let mut changes = written(&run(5), 0..3);
    changes.extend(written(&begun(6), 0..2));
    journal.write(1, changes);
    let mut changes = written(&run(4), 2..4);
    changes.extend(written(&run(6), 2..4));
    journal.write(2, changes);
    journal
}

fn assert_holds_both_forms(store: &Store) {
    let counts = [2, 2, 2, 4, 3, 4];
    for (number, count) in (1..).zip(counts) {
        let run = run(number);
        assert_eq!(store.run(run.id).unwrap().as_ref(), Some(&run));
        let by_call = store.runs_by_call(run.call).unwrap();
        assert_eq!(by_call, std::slice::from_ref(&run));
        for from in 0..=count {
            let found = store.events(run.id, from, 10).unwrap();
            assert_eq!(found, events(&run, from..count), "run {number} from {from}");
        }
        assert_eq!(store.events(run.id, 1, 1).unwrap(), events(&run, 1..2));
    }
    let all: Vec<_> = (1..=6).rev().map(run).collect();
    let queries = [
        RunQuery::default(),
        RunQuery {
            status: Some(Status::Completed),
            ..RunQuery::default()
        },
        RunQuery {
            loop_id: Some(run(1).loop_id),
            ..RunQuery::default()
        },
        RunQuery {
            peer: run(2).peer,
            ..RunQuery::default()
        },
        RunQuery {
            parent: Some(run(1).id),
            ..RunQuery::default()
        },
    ];
    for query in queries {
        let matches = |run: &&Run| {
            query.loop_id.as_ref().is_none_or(|id| *id == run.loop_id)
                && (query.peer.is_none() || query.peer == run.peer)
                && (query.parent.is_none() || query.parent == run.parent)
        };
        let expected: Vec<_> = all.iter().filter(matches).cloned().collect();
        assert_eq!(store.runs(&query).unwrap().items, expected);
    }
    let report = store.check().unwrap();
    assert_eq!((report.runs, report.events), (6, 17));
    assert_eq!(report.problems, []);
}

#[test]
fn rows_of_the_second_format_are_read_and_written_beside_groups() {
    let journal = of_both_forms();
    assert_holds_both_forms(&journal.store);

    let journal = journal.changed(|_, _| {});

    assert_holds_both_forms(&journal.store);
}

#[test]
fn a_store_of_both_forms_is_backed_up_restored_and_forgotten_whole() {
    let journal = of_both_forms();
    let mut backup = Vec::new();
    journal.store.backup(&mut backup).unwrap();
    let target = TempDir::new().unwrap();

    restore(target.path(), options(), &mut backup.as_slice()).unwrap();

    let copy = Journal::open(target);
    assert_holds_both_forms(&copy.store);
    let late = Timestamp::from_millis(100_000);
    let removed: Vec<_> = (0..4)
        .map(|_| copy.store.retain(late, 2).unwrap())
        .collect();
    assert_eq!(removed, [2, 2, 2, 0]);
    let report = copy.store.check().unwrap();
    assert_eq!((report.runs, report.events, report.index_rows), (0, 0, 0));
    assert_eq!(report.problems, []);
    assert!(copy.groups().0.is_empty());
}

#[test]
fn retention_takes_a_run_out_of_groups_and_a_run_that_never_ends_stays() {
    let journal = Journal::new();
    let endless = begun(1);
    let mut changes = written(&endless, 0..2);
    changes.extend(written(&begun(2), 0..2));
    changes.extend(written(&run(3), 0..2));
    journal.write(1, changes);
    // A state without events, which nothing but the row of its run leads back to.
    let paused = Run {
        status: Status::Paused,
        ..begun(2)
    };
    journal.write(2, vec![Change::Run(paused)]);
    journal.write(3, written(&run(2), 2..4));
    let (before, journal) = journal.groups();

    let removed = journal
        .store
        .retain(Timestamp::from_millis(100_000), 10)
        .unwrap();

    assert_eq!((before, removed), (vec![1, 2, 3], 2));
    for number in [2, 3] {
        assert_eq!(journal.store.run(run(number).id).unwrap(), None);
        assert_eq!(journal.store.events(run(number).id, 0, 10).unwrap(), []);
    }
    let (groups, journal) = journal.groups();
    assert_eq!(groups, [1]);
    assert_eq!(
        journal.store.run(endless.id).unwrap().as_ref(),
        Some(&endless)
    );
    let found = journal.store.events(endless.id, 0, 10).unwrap();
    assert_eq!(found, events(&endless, 0..2));
    assert_eq!(journal.store.check().unwrap().problems, []);
    // It ends after all, and what it began with goes with it.
    journal.write(4, written(&run(1), 2..3));
    let late = Timestamp::from_millis(100_000);
    assert_eq!(journal.store.retain(late, 10).unwrap(), 1);
    assert!(journal.groups().0.is_empty());
}

#[test]
fn huge_events_and_large_commits_are_read_from_any_position() {
    let journal = Journal::new();
    let run = run(1);
    let mut all = events(&run, 0..200);
    all[70].payload = Blob::from(vec![7; 3_000_000]);
    all[199].payload = Blob::from(vec![8; 500_000]);
    let changes = all.iter().cloned().map(Change::Event);
    journal.write(
        1,
        std::iter::once(Change::Run(run.clone()))
            .chain(changes)
            .collect(),
    );

    let journal = journal.changed(|_, _| {});

    for from in [0, 63, 64, 69, 70, 71, 150, 199, 200] {
        let found = journal.store.events(run.id, from as u64, 40).unwrap();
        assert_eq!(found, all[from..all.len().min(from + 40)], "from {from}");
    }
    let report = journal.store.check().unwrap();
    assert_eq!((report.events, report.problems), (200, vec![]));
}

#[test]
fn a_pointer_that_was_changed_finds_nothing_and_a_check_finds_it() {
    type Changed = fn(&mut RunPointer);
    let changes: [(Changed, bool); 4] = [
        // Another run's state, a group that is not there, events for a state.
        (|pointer| pointer.slot += 2, false),
        (|pointer| pointer.group += 7, false),
        (|pointer| pointer.slot += 1, false),
        // An earlier state, which does open.
        (|pointer| (pointer.group, pointer.slot) = (1, 2), true),
    ];
    for (change, opens) in changes {
        let journal = Journal::new();
        let mut begun_both = written(&begun(1), 0..1);
        begun_both.extend(written(&begun(2), 0..1));
        journal.write(1, begun_both);
        let mut ended_both = written(&run(2), 1..2);
        ended_both.extend(written(&run(3), 0..1));
        journal.write(2, ended_both);
        let id = run(2).id;

        let journal = journal.changed(|engine, batch| {
            let snapshot = engine.snapshot().unwrap();
            let row = snapshot.get(Tree::Runs, id.as_bytes()).unwrap().unwrap();
            let mut pointer = RunPointer::read(&row).unwrap();
            change(&mut pointer);
            batch.put(Tree::Runs, id.as_bytes().to_vec(), pointer.to_bytes());
        });

        let read = journal.store.run(id);
        assert_eq!(read.is_ok(), opens);
        let (tree, key) = (Tree::Runs, id.as_bytes().to_vec());
        let problems = journal.store.check().unwrap().problems;
        assert!(
            problems.contains(&Problem::Row { tree, key }),
            "{problems:?}"
        );
    }
}

#[test]
fn events_that_a_row_no_longer_points_at_are_found_missing() {
    let journal = Journal::new();
    journal.write(1, written(&begun(1), 0..2));
    journal.write(2, written(&run(1), 2..4));
    let (tree, key) = (Tree::Events, layout::event_key(run(1).id, 2));

    let journal = journal.changed(|_, batch| batch.delete(tree, key.clone()));

    let problems = journal.store.check().unwrap().problems;
    assert_eq!(problems, [Problem::Row { tree, key }]);
}

#[test]
fn a_group_moved_to_another_number_does_not_open() {
    let journal = Journal::new();
    journal.write(1, written(&run(1), 0..1));
    journal.write(2, written(&run(2), 0..1));

    let journal = journal.changed(|engine, batch| {
        let snapshot = engine.snapshot().unwrap();
        let group = snapshot.get(Tree::Groups, &layout::group_key(1)).unwrap();
        batch.put(Tree::Groups, layout::group_key(2).to_vec(), group.unwrap());
    });

    let read = journal.store.run(run(2).id);
    assert!(matches!(read, Err(ReadError::Damaged(Tree::Groups))));
    assert_eq!(journal.store.run(run(1).id).unwrap(), Some(run(1)));
}

#[test]
fn nothing_inside_a_payload_is_taken_for_an_item() {
    let mut forged = Writer::default();
    forged.run(&run(1));
    let (_, items) = forged.groups().next().unwrap();
    let honest = Run {
        input: Some(Blob::from(items.repeat(4))),
        ..run(1)
    };
    let mut writer = Writer::default();
    writer.run(&honest);
    let (_, bytes) = writer.groups().next().unwrap();

    let group = Group::read(bytes.to_vec()).unwrap();

    assert_eq!(group.run(0, honest.id), Some(honest.clone()));
    assert!((1..500).all(|slot| group.run(slot, honest.id).is_none()));
}

#[test]
fn groups_are_numbered_on_after_a_restart_and_runs_before_it_are_found_again() {
    let journal = Journal::new();
    journal.write(1, written(&begun(1), 0..2));

    let journal = journal.changed(|_, _| {});
    journal.write(2, written(&run(1), 2..4));

    let (groups, journal) = journal.groups();
    assert_eq!(groups, [1, 2]);
    let running = RunQuery {
        status: Some(Status::Running),
        ..RunQuery::default()
    };
    assert_eq!(journal.store.runs(&running).unwrap().items, []);
    assert_eq!(journal.store.check().unwrap().problems, []);
}
