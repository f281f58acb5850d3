//! What only the parts together show.

mod keys;

use std::{
    fs,
    path::{Path, PathBuf},
};

use realm_crypto::StoreKey;
use realm_protocol::{
    CallId, RunId, Timestamp,
    cbor::Blob,
    journal::{Change, Direction, Entry, JournalSeq, Run, Status},
};
use realm_store::{EngineKind, Options, Store, Urgency};
use tempfile::TempDir;

use crate::{
    api::openapi,
    archive::ArchiveError,
    backup,
    home::{
        Home, HomeError, HomeLock,
        keys::HomeKeys,
        passphrase::{Passphrase, Unlock},
    },
    init::{Founding, init},
    restore::{RestoreError, restore},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

#[test]
fn a_backup_restores_the_keys_the_configuration_and_the_runs() {
    let place = TempDir::new().unwrap();
    let home = founded(place.path(), "lab");
    let file = place.path().join("lab.backup");
    let run = run();
    let store = open(&home);
    record(&store, &run);
    backup::write(&home, &store, &file).unwrap();
    let there = Home::new(place.path().join("there"));

    let restored = restore(&file, &there, &Unlock::default()).unwrap();

    there.verify().unwrap();
    assert_eq!(restored.last, JournalSeq(1));
    assert_eq!(
        fs::read(there.config()).unwrap(),
        fs::read(home.config()).unwrap()
    );
    assert_eq!(
        HomeKeys::read(&there, &Unlock::default())
            .unwrap()
            .node
            .node_id(),
        HomeKeys::read(&home, &Unlock::default())
            .unwrap()
            .node
            .node_id()
    );
    assert_eq!(open(&there).run(run.id).unwrap(), Some(run));
}

#[test]
fn a_backup_with_any_byte_changed_restores_nothing() {
    let place = TempDir::new().unwrap();
    let home = founded(place.path(), "lab");
    let file = place.path().join("lab.backup");
    backup::write(&home, &open(&home), &file).unwrap();
    let good = fs::read(&file).unwrap();
    let there = Home::new(place.path().join("there"));

    for at in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, bad).unwrap();

        let refused = restore(&file, &there, &Unlock::default()).unwrap_err();

        assert!(
            matches!(refused, RestoreError::Archive(ArchiveError::Damaged(_))),
            "{refused:?}"
        );
        assert!(!there.dir().exists());
    }
}

#[test]
fn a_restore_leaves_an_existing_home_as_it_is() {
    let place = TempDir::new().unwrap();
    let home = founded(place.path(), "lab");
    let file = place.path().join("lab.backup");
    backup::write(&home, &open(&home), &file).unwrap();

    assert!(matches!(
        restore(&file, &home, &Unlock::default()),
        Err(RestoreError::Exists(_))
    ));
}

#[test]
fn a_backup_is_never_written_over_a_file() {
    let place = TempDir::new().unwrap();
    let home = founded(place.path(), "lab");
    let file = place.path().join("lab.backup");
    fs::write(&file, "mine").unwrap();

    let refused = backup::write(&home, &open(&home), &file);

    assert!(matches!(
        refused,
        Err(backup::BackupError::Archive(ArchiveError::Exists(_)))
    ));
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_second_daemon_on_one_home_is_refused_and_told_of_the_first() {
    let place = TempDir::new().unwrap();
    let home = founded(place.path(), "lab");
    let _first = HomeLock::acquire(&home).unwrap();

    let second = HomeLock::acquire(&home);

    let pid = Some(std::process::id());
    assert!(matches!(second, Err(HomeError::Locked { pid: found, .. }) if found == pid));
}

#[test]
fn a_key_behind_a_link_is_refused() {
    let place = TempDir::new().unwrap();
    let home = founded(place.path(), "lab");
    let key = home.keys().join("node.key");
    let elsewhere = place.path().join("node.key");
    fs::rename(&key, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &key).unwrap();

    assert!(matches!(home.verify(), Err(HomeError::Link { path }) if path == key));
    assert!(HomeKeys::read(&home, &Unlock::default()).is_err());
}

/// `UPDATE_SNAPSHOTS=1 cargo test -p realmd` writes the document anew.
#[test]
fn the_openapi_document_is_the_one_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let document = format!("{:#}\n", openapi::document());
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &document).unwrap();
    }

    let checked_in = fs::read_to_string(&path).unwrap_or_default();

    assert!(
        checked_in == document,
        "docs/openapi.json differs: UPDATE_SNAPSHOTS=1 writes it anew"
    );
}

#[test]
fn every_reference_in_the_openapi_document_leads_somewhere() {
    let document = openapi::document();
    let text = document.to_string();
    let names = text.split("#/components/schemas/").skip(1);

    for name in names.filter_map(|rest| rest.split('"').next()) {
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name}"
        );
    }
}

fn founded(place: &Path, name: &str) -> Home {
    founded_with(place, name, None, None)
}

fn founded_with(
    place: &Path,
    name: &str,
    recovery: Option<PathBuf>,
    passphrase: Option<Passphrase>,
) -> Home {
    let founding = Founding {
        name: name.parse().unwrap(),
        home: place.join(name),
        listen: vec!["/ip4/127.0.0.1/tcp/7420".parse().unwrap()],
        recovery,
        engine: EngineKind::Redb,
        passphrase,
    };
    init(&founding, NOW).unwrap();
    Home::new(founding.home)
}

fn open(home: &Home) -> Store {
    let keys = HomeKeys::read(home, &Unlock::default()).unwrap();
    let options = Options::new(keys.realm_id(), StoreKey::from_bytes(*keys.store));
    Store::open(&home.data(), options, |_| {}).unwrap()
}

/// Writes one run and waits until it is readable: a removal waits for its turn behind it.
fn record(store: &Store, run: &Run) {
    let entry = Entry {
        changes: vec![Change::Run(run.clone())],
    };
    store.append(JournalSeq(1), entry, Urgency::Now).unwrap();
    assert_eq!(store.retain(Timestamp::from_millis(0), 1).unwrap(), 0);
}

fn run() -> Run {
    Run {
        id: RunId::at(NOW, [7; 10]),
        call: CallId::new([3; 16]),
        loop_id: "echo".to_owned(),
        version: None,
        direction: Direction::Local,
        peer: None,
        status: Status::Completed,
        started: NOW,
        ended: Some(NOW),
        error: None,
        input: Some(Blob::from(b"{}".to_vec())),
        output: Some(Blob::from(b"{}".to_vec())),
        parent: None,
        resume: None,
        erased: None,
    }
}
