//! Runs and events by every index, and their removal.

use realm_protocol::{
    CallId, Timestamp,
    journal::{Change, Direction, Run, Status},
};
use realm_store::{EngineKind, RunQuery};
use tempfile::TempDir;

use crate::workload::{Journal, event, filled, run, runs};

pub(crate) fn runs_are_found_by_time_loop_peer_status_and_direction(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let journal = filled(dir.path(), engine);
    let every = || RunQuery {
        limit: 100,
        ..RunQuery::default()
    };
    let at = |second: u64| Some(Timestamp::from_millis(second * 1_000));
    let queries = [
        every(),
        RunQuery {
            since: at(5),
            until: at(9),
            ..every()
        },
        RunQuery {
            loop_id: Some("loop-1".into()),
            ..every()
        },
        RunQuery {
            loop_id: Some("loop-1".into()),
            since: at(6),
            until: at(20),
            ..every()
        },
        RunQuery {
            loop_id: Some("loop".into()),
            ..every()
        },
        RunQuery {
            peer: Some("acme/health".into()),
            ..every()
        },
        RunQuery {
            peer: Some("acme/health".into()),
            loop_id: Some("loop-0".into()),
            ..every()
        },
        RunQuery {
            status: Some(Status::Failed),
            ..every()
        },
        RunQuery {
            status: Some(Status::Running),
            since: at(3),
            ..every()
        },
        RunQuery {
            direction: Some(Direction::In),
            ..every()
        },
        RunQuery {
            since: at(9),
            until: at(5),
            ..every()
        },
        RunQuery {
            until: Some(Timestamp::from_millis(u64::MAX)),
            ..every()
        },
    ];

    for query in queries {
        let page = journal.store.runs(&query).unwrap();

        let mut expected: Vec<_> = runs().filter(|run| is_asked_for(run, &query)).collect();
        expected.reverse();
        assert_eq!(page.items, expected, "{query:?}");
        assert_eq!(page.next, None);
    }
}

pub(crate) fn pages_follow_each_other_without_gaps_or_repeats(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let journal = filled(dir.path(), engine);
    let by_loop = RunQuery {
        loop_id: Some("loop-1".into()),
        ..RunQuery::default()
    };
    let by_direction = RunQuery {
        direction: Some(Direction::In),
        ..RunQuery::default()
    };

    for query in [RunQuery::default(), by_loop, by_direction] {
        let mut paged = Vec::new();
        let mut before = None;
        loop {
            let page = RunQuery {
                limit: 2,
                before,
                ..query.clone()
            };
            let page = journal.store.runs(&page).unwrap();
            assert!(page.items.len() <= 2);
            paged.extend(page.items);
            before = page.next;
            if before.is_none() {
                break;
            }
        }

        assert_eq!(paged, journal.store.runs(&query).unwrap().items);
    }
}

pub(crate) fn both_halves_of_a_call_are_found_by_its_id(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    let caller = run(1, Status::Running);
    let callee = Run {
        call: caller.call,
        ..run(2, Status::Running)
    };
    let other = run(3, Status::Running);
    journal.write(
        [&caller, &callee, &other]
            .map(|run| Change::Run(run.clone()))
            .into(),
    );

    assert_eq!(
        journal.store.runs_by_call(caller.call).unwrap(),
        [caller, callee]
    );
    assert_eq!(
        journal.store.runs_by_call(CallId::new([99; 16])).unwrap(),
        []
    );
}

pub(crate) fn a_run_that_changes_leaves_no_old_index_rows(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    let earlier = run(4, Status::Running);
    let later = Run {
        peer: Some("lab".into()),
        loop_id: "other".into(),
        ..run(4, Status::Failed)
    };
    journal.write(vec![Change::Run(earlier.clone())]);
    journal.write(vec![Change::Run(later.clone())]);

    let runs = |query| journal.store.runs(&query).unwrap().items;
    let old_loop = RunQuery {
        loop_id: Some(earlier.loop_id),
        ..RunQuery::default()
    };
    let new_loop = RunQuery {
        loop_id: Some("other".into()),
        ..RunQuery::default()
    };
    let running = RunQuery {
        status: Some(Status::Running),
        ..RunQuery::default()
    };
    assert_eq!(runs(old_loop), []);
    assert_eq!(runs(running), []);
    assert_eq!(runs(new_loop), [later]);
    assert_eq!(journal.store.check().unwrap().problems, []);
}

pub(crate) fn events_are_read_from_any_position(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    let (one, two) = (run(1, Status::Running), run(2, Status::Running));
    let mut changes = vec![Change::Run(one.clone()), Change::Run(two.clone())];
    changes.extend((0..300).map(|index| Change::Event(event(&one, index))));
    changes.push(Change::Event(event(&two, 0)));
    journal.write(changes);

    let events = |from, limit| journal.store.events(one.id, from, limit).unwrap();
    let expected: Vec<_> = (250..300).map(|index| event(&one, index)).collect();
    assert_eq!(events(250, 1_000), expected);
    assert_eq!(events(254, 3), expected[4..7]);
    assert_eq!(events(300, 10), []);
}

pub(crate) fn events_of_one_run_follow_each_other_across_commits(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    let one = run(1, Status::Running);
    journal.write(vec![Change::Run(one.clone())]);
    let mut written = 0;
    for length in [1, 5, 2, 200] {
        let events = (written..written + length).map(|index| Change::Event(event(&one, index)));
        journal.write(events.collect());
        written += length;
    }

    let journal = journal.reopened();

    for from in 0..written {
        let events = journal.store.events(one.id, from, 3).unwrap();
        let expected: Vec<_> = (from..written.min(from + 3))
            .map(|index| event(&one, index))
            .collect();
        assert_eq!(events, expected, "from {from}");
    }
    let report = journal.store.check().unwrap();
    assert_eq!((report.problems, report.events), (vec![], written));
}

pub(crate) fn retention_removes_old_ended_runs_and_all_that_is_theirs(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = filled(dir.path(), engine);
    let before = Timestamp::from_millis(8_000);
    let long = Run {
        ended: Some(before),
        ..run(2, Status::Completed)
    };
    journal.write(vec![Change::Run(long.clone())]);
    let is_old =
        |run: &Run| run.id != long.id && run.status != Status::Running && run.started < before;
    let old: Vec<_> = runs().filter(is_old).collect();

    let first = journal.store.retain(before, 2).unwrap();
    let second = journal.store.retain(before, 100).unwrap();
    let third = journal.store.retain(before, 100).unwrap();

    assert_eq!((first, second, third), (2, old.len() - 2, 0));
    for run in old {
        assert_eq!(journal.store.run(run.id).unwrap(), None);
        assert_eq!(journal.store.events(run.id, 0, 10).unwrap(), []);
        assert_eq!(journal.store.runs_by_call(run.call).unwrap(), []);
    }
    assert_eq!(journal.store.run(long.id).unwrap(), Some(long));
    assert_eq!(journal.store.check().unwrap().problems, []);
}

fn is_asked_for(run: &Run, query: &RunQuery) -> bool {
    query.since.is_none_or(|since| run.started >= since)
        && query.until.is_none_or(|until| run.started < until)
        && query.loop_id.as_ref().is_none_or(|id| *id == run.loop_id)
        && (query.peer.is_none() || query.peer == run.peer)
        && query.status.is_none_or(|status| status == run.status)
        && query
            .direction
            .is_none_or(|direction| direction == run.direction)
}
