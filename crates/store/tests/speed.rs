//! How much the store takes, measured by hand:
//! `cargo test --release -p realm-store --test speed -- --ignored --nocapture`.
//!
//! Every writer waits for its entry's acknowledgement before it offers the next. In `/dev/shm` a
//! sync costs nothing, so that what is left is the store's own work.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a measurement fails where it stands, and prints what it saw"
)]

use std::{
    fs,
    path::Path,
    sync::mpsc,
    time::{Duration, Instant},
};

use realm_crypto::StoreKey;
use realm_protocol::{
    CallId, Digest, RealmId, RunId, Timestamp,
    cbor::Blob,
    journal::{Change, Direction, Entry, Event, JournalSeq, Run, Status, Table},
};
use realm_store::{Ack, EngineKind, Options, Store, Urgency};
use tempfile::TempDir;

/// How long one row of the table is measured.
const LASTS: Duration = Duration::from_secs(3);

#[test]
#[ignore = "a measurement, for a quiet machine and a release build"]
fn entries_a_second() {
    println!("engine  place  workload  writers   entries/s  changes/s  µs/group");
    for engine in EngineKind::ALL {
        for (place, dir) in [
            ("memory", "/dev/shm"),
            ("disk", env!("CARGO_TARGET_TMPDIR")),
        ] {
            for (workload, entry) in [("events", six_events as Workload), ("call", served_call)] {
                for writers in [1, 64, 256, 512] {
                    let measured = measure(*engine, Path::new(dir), entry, writers);
                    let (entries, changes, groups) = measured;
                    let seconds = LASTS.as_secs_f64();
                    println!(
                        "{engine:6}  {place:6} {workload:8} {writers:8} {:11.0} {:10.0} {:9.0}",
                        entries as f64 / seconds,
                        changes as f64 / seconds,
                        LASTS.as_micros() as f64 / groups as f64,
                    );
                }
            }
        }
    }
}

type Workload = fn(u64) -> Entry;

/// Gives entries, changes and commits.
fn measure(engine: EngineKind, dir: &Path, entry: Workload, writers: u64) -> (u64, u64, u64) {
    let dir = TempDir::new_in(dir).unwrap();
    let options = Options {
        engine,
        ..Options::new(RealmId::new([1; 32]), StoreKey::from_bytes([7; 32]))
    };
    let (acks, acked) = mpsc::channel();
    let store = Store::open(dir.path(), options, move |ack| drop(acks.send(ack))).unwrap();
    let (mut offered, mut durable, mut groups, mut changes) = (0, 0, 0, 0);
    let began = now();
    while began.elapsed() < LASTS {
        while offered < durable + writers {
            offered += 1;
            let entry = entry(offered);
            changes += entry.changes.len() as u64;
            store
                .append(JournalSeq(offered), entry, Urgency::Now)
                .unwrap();
        }
        match acked.recv().unwrap() {
            Ack::Durable(seq) => durable = seq.0,
            Ack::Failed(error) => panic!("{error:?}"),
        }
        groups += 1;
    }
    let done = (durable, changes * durable / offered, groups);
    store.stop();
    done
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Six small events of a run that is not summarised: the journal's work alone.
fn six_events(number: u64) -> Entry {
    let run = run(number, Status::Running);
    let changes = (0..6).map(|index| Change::Event(event(&run, index)));
    Entry {
        changes: changes.collect(),
    }
}

/// What a call leaves at the realm that serves it: its id, its run, six events, its end.
fn served_call(number: u64) -> Entry {
    let run = run(number, Status::Completed);
    let expires = run.started.plus(300_000);
    let time = expires.as_millis().to_be_bytes();
    let key = [time.as_slice(), run.call.as_bytes()];
    let mut changes = vec![
        Change::PutUntil(Table::Replay, key.concat(), Vec::new(), expires),
        Change::Run(Run {
            status: Status::Running,
            ended: None,
            ..run.clone()
        }),
    ];
    changes.extend((0..6).map(|index| Change::Event(event(&run, index))));
    changes.push(Change::Run(run));
    Entry { changes }
}

fn run(number: u64, status: Status) -> Run {
    let started = Timestamp::from_millis(1_800_000_000_000 + number / 30);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let id = RunId::at(started, random);
    Run {
        id,
        call: CallId::new(*id.as_bytes()),
        loop_id: "variant-call".into(),
        version: Some("1.2.0".into()),
        direction: Direction::In,
        peer: Some("mercy/cardiology".into()),
        status,
        started,
        ended: Some(started.plus(2)),
        error: None,
        input: None,
        output: None,
        parent: None,
        resume: None,
        erased: None,
    }
}

fn event(run: &Run, index: u64) -> Event {
    Event {
        run: run.id,
        index,
        call: run.call,
        at: run.started,
        kind: "call.input.validated".into(),
        payload: Blob::from(br#"{"durationMs":1}"#.to_vec()),
    }
}

/// Runs in one commit of [`processor_time_of_a_run`].
const RUNS: u64 = 100;
/// Its commits.
const COMMITS: u64 = 300;

/// How a run of [`processor_time_of_a_run`] comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Its call's id is random, as another realm may choose it.
    RandomCall,
    /// Its call's id begins with the time.
    TimedCall,
    /// It brings the row that remembers its message.
    WithReplay,
    /// It begins in one commit and ends in the next.
    InTwoCommits,
}

#[test]
#[ignore = "a measurement, for a release build"]
fn processor_time_of_a_run_in_redb() {
    processor_time_of_a_run(EngineKind::Redb);
}

#[test]
#[ignore = "a measurement, for a release build"]
fn processor_time_of_a_run_in_sled() {
    processor_time_of_a_run(EngineKind::Sled);
}

/// What a run costs the thread that writes: its states, six events, input and output of 1 KiB.
fn processor_time_of_a_run(engine: EngineKind) {
    for shape in [
        Shape::RandomCall,
        Shape::TimedCall,
        Shape::WithReplay,
        Shape::InTwoCommits,
    ] {
        let dir = TempDir::new_in("/dev/shm").unwrap();
        let options = Options {
            engine,
            ..Options::new(RealmId::new([1; 32]), StoreKey::from_bytes([7; 32]))
        };
        let (acks, acked) = mpsc::channel();
        let store = Store::open(dir.path(), options, move |ack| drop(acks.send(ack))).unwrap();
        let mut left = Vec::new();
        let mut spent = Vec::new();
        for commit in 0..COMMITS {
            let mut changes = std::mem::take(&mut left);
            for number in commit * RUNS..(commit + 1) * RUNS {
                let mut run = whole_run(number, shape);
                if shape == Shape::InTwoCommits {
                    left.extend(run.split_off(4));
                }
                changes.extend(run);
            }
            let before = processor_time();
            store
                .append(JournalSeq(commit + 1), Entry { changes }, Urgency::Now)
                .unwrap();
            assert!(matches!(acked.recv(), Ok(Ack::Durable(_))));
            spent.push(processor_time() - before);
        }
        spent.sort_unstable();
        let median = spent[spent.len() / 2];
        store.stop();
        let files = fs::read_dir(dir.path()).unwrap();
        let bytes: u64 = files.map(|file| size(&file.unwrap().path())).sum();
        let runs = COMMITS * RUNS;
        println!(
            "{engine}: {:.1} µs and {} bytes a run, {shape:?}",
            median as f64 / 1_000.0 / RUNS as f64,
            bytes / runs
        );
    }
}

/// Bytes of a file, or of all in a folder.
fn size(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(files) => files.map(|file| size(&file.unwrap().path())).sum(),
        Err(_) => fs::metadata(path).unwrap().len(),
    }
}

/// Nanoseconds that the stores' threads have run.
fn processor_time() -> u64 {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let spent = threads.filter_map(|thread| {
        let path = thread.unwrap().path();
        let name = fs::read_to_string(path.join("comm")).ok()?;
        let spent = fs::read_to_string(path.join("schedstat")).ok()?;
        let spent = spent.split_whitespace().next()?.parse::<u64>().ok()?;
        (name.trim() == "store").then_some(spent)
    });
    spent.sum()
}

fn whole_run(number: u64, shape: Shape) -> Vec<Change> {
    let mut run = run(number, Status::Completed);
    if shape == Shape::RandomCall {
        let random = Digest::of(&[&number.to_be_bytes()]);
        run.call = CallId::new(*random.as_bytes().first_chunk().unwrap());
    }
    run.input = Some(Blob::from(vec![b'i'; 1_024]));
    let begun = Run {
        status: Status::Running,
        ended: None,
        ..run.clone()
    };
    let mut changes = vec![Change::Run(begun)];
    if shape == Shape::WithReplay {
        let expires = run.started.plus(300_000);
        let time = expires.as_millis().to_be_bytes();
        let key = [time.as_slice(), run.call.as_bytes()].concat();
        changes.push(Change::PutUntil(Table::Replay, key, Vec::new(), expires));
    }
    changes.extend((0..6).map(|index| Change::Event(event(&run, index))));
    run.output = Some(Blob::from(vec![b'o'; 1_024]));
    changes.push(Change::Run(run));
    changes
}
