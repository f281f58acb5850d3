//! A journal that writes an entry and waits until it is durable.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver},
};

use realm_crypto::StoreKey;
use realm_protocol::{
    CallId, RealmId, RunId, Timestamp,
    cbor::Blob,
    journal::{Change, Direction, Entry, Event, JournalSeq, Run, Status, Table},
};
use realm_store::{Ack, EngineKind, Options, Store, Urgency};

pub(crate) struct Journal {
    pub(crate) store: Store,
    pub(crate) acks: Receiver<Ack>,
    pub(crate) last: JournalSeq,
    dir: PathBuf,
    engine: EngineKind,
}

impl Journal {
    pub(crate) fn open(dir: &Path, engine: EngineKind) -> Self {
        let (acks, received) = mpsc::channel();
        let store = Store::open(dir, options(engine), move |ack| drop(acks.send(ack))).unwrap();
        Self {
            last: store.last_seq(),
            store,
            acks: received,
            dir: dir.to_owned(),
            engine,
        }
    }

    pub(crate) fn write(&mut self, changes: Vec<Change>) {
        self.last = JournalSeq(self.last.0 + 1);
        let entry = Entry { changes };
        self.store.append(self.last, entry, Urgency::Now).unwrap();
        assert_eq!(self.durable(), self.last);
    }

    pub(crate) fn durable(&self) -> JournalSeq {
        match self.acks.recv().unwrap() {
            Ack::Durable(seq) => seq,
            Ack::Failed(error) => panic!("{error}"),
        }
    }

    pub(crate) fn reopened(self) -> Self {
        self.store.stop();
        Self::open(&self.dir, self.engine)
    }
}

pub(crate) fn options(engine: EngineKind) -> Options {
    let key = StoreKey::from_bytes([7; 32]);
    Options {
        engine,
        ..Options::new(RealmId::new([1; 32]), key)
    }
}

pub(crate) fn put(table: Table, key: &[u8], value: &[u8]) -> Change {
    Change::Put(table, key.to_vec(), value.to_vec())
}

/// A record that expires at this second.
pub(crate) fn put_until(table: Table, key: &[u8], second: u64) -> Change {
    Change::PutUntil(table, key.to_vec(), payload(), at(second))
}

pub(crate) fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

/// A run that began at this second.
pub(crate) fn run(second: u64, status: Status) -> Run {
    let started = Timestamp::from_millis(second * 1_000);
    let id = RunId::at(started, [second as u8; 10]);
    Run {
        id,
        call: CallId::new(*id.as_bytes()),
        loop_id: "loop-1".into(),
        version: None,
        direction: Direction::Local,
        peer: None,
        status,
        started,
        ended: (status != Status::Running).then(|| started.plus(10)),
        error: None,
        input: None,
        output: None,
        parent: None,
        resume: None,
        erased: None,
    }
}

pub(crate) fn event(run: &Run, index: u64) -> Event {
    Event {
        run: run.id,
        index,
        call: run.call,
        at: run.started.plus(index),
        kind: "call.started".into(),
        payload: Blob::from(payload()),
    }
}

pub(crate) fn payload() -> Vec<u8> {
    b"the patient's record, which nobody may read ".repeat(8)
}

/// Runs one a second, of three loops, every state, with and without another realm.
pub(crate) fn runs() -> impl Iterator<Item = Run> {
    (1..=12_u64).map(|number| {
        let states = [
            Status::Running,
            Status::Completed,
            Status::Failed,
            Status::Cancelled,
        ];
        let directions = [Direction::Local, Direction::Out, Direction::In];
        Run {
            loop_id: format!("loop-{}", number % 3),
            direction: directions[(number / 2 % 3) as usize],
            peer: number.is_multiple_of(2).then(|| "acme/health".into()),
            input: Some(Blob::from(payload())),
            ..run(number, states[(number % 4) as usize])
        }
    })
}

pub(crate) fn filled(dir: &Path, engine: EngineKind) -> Journal {
    let mut journal = Journal::open(dir, engine);
    for run in runs() {
        let event = Change::Event(event(&run, 0));
        journal.write(vec![Change::Run(run), event]);
    }
    journal
}
