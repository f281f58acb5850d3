//! Content that is erased.

use std::{collections::BTreeSet, fs, path::Path};

use realm_protocol::{
    Timestamp,
    cbor::Blob,
    journal::{Change, Erased, Status},
};
use realm_store::{EngineKind, Store};
use tempfile::TempDir;

use crate::workload::{Journal, event, payload, run};

fn erased() -> Erased {
    Erased {
        at: Timestamp::from_millis(99_000),
        by: "ada".to_owned(),
    }
}

/// The sealed values of a store that are as long as content is, as a backup has them.
fn sealed(store: &Store) -> BTreeSet<Vec<u8>> {
    let mut backup = Vec::new();
    store.backup(&mut backup).unwrap();
    let magic = b"realm backup\n".len();
    let mut rest = &backup[magic + 4 + 32 + 8..];
    let block = |rest: &mut &[u8]| {
        let (length, after) = rest.split_first_chunk().unwrap();
        let (block, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        *rest = after;
        block.to_vec()
    };
    block(&mut rest);
    let mut values = BTreeSet::new();
    while rest[0] != u8::MAX {
        rest = &rest[1..];
        block(&mut rest);
        values.insert(block(&mut rest));
    }
    values.retain(|value| value.len() > payload().len());
    values
}

/// Whether one of these stands in a file of a folder.
fn stands(dir: &Path, values: &BTreeSet<Vec<u8>>) -> bool {
    let mut entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.any(|entry| match entry.file_type().unwrap().is_dir() {
        true => stands(&entry.path(), values),
        false => {
            let bytes = fs::read(entry.path()).unwrap();
            let holds = |value: &Vec<u8>| bytes.windows(value.len()).any(|window| window == value);
            values.iter().any(holds)
        }
    })
}

pub(crate) fn the_content_of_a_run_is_erased_and_the_rest_stays(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    let content = Some(Blob::from(payload()));
    let [target, other] = [1, 2].map(|second| {
        let run = run(second, Status::Completed);
        let (input, output) = (content.clone(), content.clone());
        realm_protocol::journal::Run {
            input,
            output,
            ..run
        }
    });
    // What both wrote at once lies together; more of the first lies elsewhere.
    let mut changes = Vec::new();
    for run in [&target, &other] {
        changes.push(Change::Run(run.clone()));
        changes.extend([event(run, 0), event(run, 1)].map(Change::Event));
    }
    journal.write(changes);
    journal.write(vec![Change::Event(event(&target, 2))]);
    let before = sealed(&journal.store);

    journal.write(vec![
        Change::Erase(target.id, erased()),
        Change::Erase(target.id, erased()),
    ]);

    let gone: BTreeSet<_> = &before - &sealed(&journal.store);
    assert_eq!(gone.len(), 2, "both groups were written anew");
    assert!(
        stands(dir.path(), &gone),
        "the files hold it until they are written anew"
    );
    for reopened in [false, true] {
        if reopened {
            journal = journal.reopened();
        }
        let store = &journal.store;
        let left = store.run(target.id).unwrap().unwrap();
        assert_eq!(left, target.clone().erased(erased()));
        let events = store.events(target.id, 0, 10).unwrap();
        let payloads: Vec<&[u8]> = events.iter().map(|event| &event.payload[..]).collect();
        assert_eq!(payloads, [b"{}"; 3]);
        assert_eq!(store.run(other.id).unwrap(), Some(other.clone()));
        let expected = [event(&other, 0), event(&other, 1)];
        assert_eq!(store.events(other.id, 0, 10).unwrap(), expected);
        assert_eq!(store.check().unwrap().problems, []);
    }
    if engine == EngineKind::Redb {
        assert!(!stands(dir.path(), &gone), "no file holds what was erased");
    }
    // And it goes as other runs do.
    assert_eq!(
        journal
            .store
            .retain(Timestamp::from_millis(u64::MAX), 10)
            .unwrap(),
        2
    );
    assert_eq!(journal.store.check().unwrap().problems, []);
}

pub(crate) fn runs_that_lie_together_are_erased_together(engine: EngineKind) {
    let dir = TempDir::new().unwrap();
    let mut journal = Journal::open(dir.path(), engine);
    let runs = [1, 2, 3].map(|second| run(second, Status::Completed));
    let changes = runs.iter().flat_map(|run| {
        let content = Some(Blob::from(payload()));
        let run = realm_protocol::journal::Run {
            input: content,
            ..run.clone()
        };
        [Change::Event(event(&run, 0)), Change::Run(run)]
    });
    journal.write(changes.collect());
    let before = sealed(&journal.store);

    let erase = runs.iter().map(|run| Change::Erase(run.id, erased()));
    journal.write(erase.collect());

    let gone: BTreeSet<_> = &before - &sealed(&journal.store);
    assert_eq!(gone, before, "nothing of what was is left");
    let journal = journal.reopened();
    for run in runs {
        let left = journal.store.run(run.id).unwrap().unwrap();
        assert_eq!((left.input, left.erased), (None, Some(erased())));
    }
    assert_eq!(journal.store.check().unwrap().problems, []);
}
