//! Every engine on a disk whose n-th write or sync fails, for every n, on one that fills up, and on
//! one whose power goes before the n-th.
//!
//! The engine runs in a process of its own, behind `tests/faults/faults.c`. That process says what
//! was acknowledged; what it leaves behind is opened here, where nothing fails.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails where it stands, and its process reports on standard output"
)]

use std::{
    env,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, mpsc},
};

use realm_crypto::StoreKey;
use realm_protocol::{
    RealmId,
    journal::{Change, Entry, JournalSeq, Table},
};
use realm_store::{Ack, EngineKind, Options, Store, Urgency, check_files, migrate};
use tempfile::TempDir;

const ENTRIES: u64 = 4;
const SYNCED: &[u8] = b"synced";
const DIR: &str = "REALM_TEST_DIR";
const ENGINE: &str = "REALM_TEST_ENGINE";
const TASK: &str = "REALM_TEST_TASK";

#[test]
fn redb_poisons_at_each_failed_write_or_sync_and_keeps_what_it_acknowledged() {
    fails_at_every_operation(EngineKind::Redb, "REALM_FAULT_NTH");
}

#[test]
fn redb_survives_a_disk_that_fails_from_any_operation_on() {
    fails_at_every_operation(EngineKind::Redb, "REALM_FAULT_FROM");
}

#[test]
fn redb_survives_a_disk_that_fills_up() {
    fills_up(EngineKind::Redb);
}

#[test]
fn redb_keeps_what_it_acknowledged_when_the_power_goes() {
    fails_at_every_operation(EngineKind::Redb, "REALM_FAULT_CUT");
}

#[test]
fn what_was_not_synced_is_gone_with_the_power() {
    let _alone = alone();
    let dir = TempDir::new().unwrap();

    process(
        dir.path(),
        EngineKind::Redb,
        "forget",
        ("REALM_FAULT_CUT", u64::MAX >> 1),
    );

    let left = fs::read(dir.path().join("file")).unwrap();
    assert_eq!(left, SYNCED);
}

#[cfg(feature = "sled")]
mod sled {
    use super::*;

    #[test]
    fn sled_keeps_what_it_acknowledged_when_the_power_goes() {
        fails_at_every_operation(EngineKind::Sled, "REALM_FAULT_CUT");
    }

    #[test]
    fn sled_poisons_at_each_failed_write_or_sync_and_keeps_what_it_acknowledged() {
        fails_at_every_operation(EngineKind::Sled, "REALM_FAULT_NTH");
    }

    #[test]
    fn sled_survives_a_disk_that_fails_from_any_operation_on() {
        fails_at_every_operation(EngineKind::Sled, "REALM_FAULT_FROM");
    }

    #[test]
    fn sled_survives_a_disk_that_fills_up() {
        fills_up(EngineKind::Sled);
    }

    #[test]
    fn a_move_that_fails_at_any_operation_leaves_one_good_store() {
        let _alone = alone();
        for at in 1.. {
            let dir = TempDir::new().unwrap();
            write(dir.path(), EngineKind::Redb);

            let told = process(
                dir.path(),
                EngineKind::Redb,
                "move",
                ("REALM_FAULT_NTH", at),
            );

            let kept = fs::read_to_string(dir.path().join("realm.engine")).unwrap();
            let kept = EngineKind::named(kept.trim()).unwrap();
            assert_holds(dir.path(), kept, ENTRIES);
            if told.operations < at {
                assert_eq!(kept, EngineKind::Sled);
                return;
            }
        }
    }
}

/// One test at a time: a process that is being made holds for a moment whatever lock is held here.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fails_at_every_operation(engine: EngineKind, fault: &str) {
    let _alone = alone();
    for at in 1.. {
        let dir = TempDir::new().unwrap();

        let told = process(dir.path(), engine, "write", (fault, at));

        let met = told.operations >= at;
        assert!(met || told.acknowledged == ENTRIES);
        assert_recovers(dir.path(), engine, told.acknowledged);
        if !met {
            assert!(at > 10, "the workload is too small to mean anything");
            return;
        }
    }
}

fn fills_up(engine: EngineKind) {
    let _alone = alone();
    let whole = process(
        &TempDir::new().unwrap().path().join("s"),
        engine,
        "write",
        ("_", 0),
    );
    let step = (whole.written / 40).max(1);
    for bytes in (0..whole.written).step_by(step as usize) {
        let dir = TempDir::new().unwrap();

        let fault = ("REALM_FAULT_ENOSPC_AFTER", bytes);
        let told = process(dir.path(), engine, "write", fault);

        assert_recovers(dir.path(), engine, told.acknowledged);
    }
}

/// What a process said of itself, and its faults of it.
#[derive(Debug, Default)]
struct Told {
    acknowledged: u64,
    operations: u64,
    written: u64,
}

/// Runs [`in_a_process_of_its_own`] with a fault.
fn process(dir: &Path, engine: EngineKind, task: &str, fault: (&str, u64)) -> Told {
    let logs = TempDir::new().unwrap();
    let log = logs.path().join("log");
    let output = Command::new(env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "in_a_process_of_its_own",
            "--nocapture",
        ])
        .env(DIR, dir)
        .env(ENGINE, engine.name())
        .env(TASK, task)
        .env("LD_PRELOAD", faults())
        .env("REALM_FAULT_PATH", dir)
        .env("REALM_FAULT_LOG", &log)
        .env(fault.0, fault.1.to_string())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let mut told = Told::default();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        if let Some((_, number)) = line.split_once("acknowledged ") {
            told.acknowledged = number.parse().unwrap();
        }
    }
    for line in fs::read_to_string(log).unwrap_or_default().lines() {
        if let Some(rest) = line.strip_prefix("operations=") {
            let (operations, written) = rest.split_once(" written=").unwrap();
            told.operations = operations.parse().unwrap();
            told.written = written.parse().unwrap();
        }
    }
    told
}

#[test]
#[ignore = "the other tests run it, with what it needs in the environment"]
fn in_a_process_of_its_own() {
    let Some(dir) = env::var_os(DIR).map(PathBuf::from) else {
        return;
    };
    let engine = env::var_os(ENGINE).unwrap();
    let engine = EngineKind::named(engine.to_str().unwrap()).unwrap();
    match env::var_os(TASK).unwrap().to_str().unwrap() {
        "write" => write(&dir, engine),
        "forget" => forget(&dir.join("file")),
        _ => drop(migrate(&dir, options(engine), EngineKind::Sled)),
    }
}

/// Syncs a file and then overwrites, lengthens and cuts it.
fn forget(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(SYNCED).unwrap();
    file.sync_data().unwrap();
    file.write_all(b"more").unwrap();
    file.write_all_at(b"other", 1).unwrap();
    file.set_len(2).unwrap();
    file.set_len(20).unwrap();
}

/// Writes entry by entry until one fails.
fn write(dir: &Path, engine: EngineKind) {
    let (acks, acked) = mpsc::channel();
    let Ok(store) = Store::open(dir, options(engine), move |ack| drop(acks.send(ack))) else {
        return;
    };
    for number in 1..=ENTRIES {
        let put = Change::Put(Table::Keys, key(number), value(number));
        let entry = Entry { changes: vec![put] };
        let appended = store.append(JournalSeq(number), entry, Urgency::Now);
        match appended.map(|()| acked.recv().unwrap()) {
            Ok(Ack::Durable(seq)) => println!("acknowledged {}", seq.0),
            Ok(Ack::Failed(_)) | Err(_) => break,
        }
    }
    store.stop();
}

/// What was acknowledged is there; without an acknowledgement there may be no store yet.
fn assert_recovers(dir: &Path, engine: EngineKind, acknowledged: u64) {
    let store = Store::open(dir, options(engine), drop).unwrap();
    let last = store.last_seq().0;
    store.stop();
    assert!(
        last >= acknowledged,
        "{acknowledged} acknowledged, {last} found"
    );
    assert_holds(dir, engine, last);
}

fn assert_holds(dir: &Path, engine: EngineKind, last: u64) {
    let report = check_files(dir, options(engine)).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let store = Store::open(dir, options(engine), drop).unwrap();
    assert_eq!(store.last_seq(), JournalSeq(last));
    for number in 1..=ENTRIES {
        let found = store.record(Table::Keys, &key(number)).unwrap();
        assert_eq!(found, (number <= last).then(|| value(number)));
    }
    store.stop();
}

fn options(engine: EngineKind) -> Options {
    Options {
        engine,
        ..Options::new(RealmId::new([1; 32]), StoreKey::from_bytes([7; 32]))
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

fn value(number: u64) -> Vec<u8> {
    format!("value {number} ").repeat(300).into_bytes()
}

/// The faults, built anew for this run.
fn faults() -> PathBuf {
    static BUILT: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let build = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/faults/build");
        let out = concat!(env!("CARGO_TARGET_TMPDIR"), "/faults.so");
        let status = Command::new(build).arg(out).stdout(Stdio::null()).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "faults do not build"
        );
        PathBuf::from(out)
    });
    built.clone()
}
