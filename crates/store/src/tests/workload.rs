//! Entries whose every part must be there or none.

use realm_crypto::StoreKey;
use realm_protocol::{
    CallId, RealmId, RunId, Timestamp,
    cbor::Blob,
    journal::{Change, Direction, Entry, Event, JournalSeq, Run, Status, Table},
};

use crate::{Options, Store, sealer::Sealer};

pub(super) const REALM: RealmId = RealmId::new([1; 32]);

pub(super) fn key() -> StoreKey {
    StoreKey::from_bytes([7; 32])
}

pub(super) fn options() -> Options {
    Options::new(REALM, key())
}

pub(super) fn sealer() -> Sealer {
    Sealer::new(REALM, key())
}

/// The entry with this number: a record, one that expires, a run, two events.
pub(super) fn entry(number: u64) -> Entry {
    let run = run(number);
    let events = [0, 1].map(|index| Change::Event(event(&run, index)));
    let record = Change::Put(Table::Keys, record_key(number), payload(number));
    let seen = Change::PutUntil(
        Table::Replay,
        record_key(number),
        payload(number),
        run.started,
    );
    let mut changes = vec![record, seen, Change::Run(run)];
    changes.extend(events);
    Entry { changes }
}

pub(super) fn event(run: &Run, index: u64) -> Event {
    Event {
        run: run.id,
        index,
        call: run.call,
        at: run.started,
        kind: "call.started".into(),
        payload: Blob::from(payload(run.started.as_millis() / 1_000)),
    }
}

pub(super) fn run(number: u64) -> Run {
    let started = Timestamp::from_millis(number * 1_000);
    Run {
        id: RunId::at(started, [0; 10]),
        call: CallId::new([number as u8; 16]),
        loop_id: format!("loop-{}", number % 3),
        version: None,
        direction: Direction::Local,
        peer: number.is_multiple_of(2).then(|| "acme/health".into()),
        status: Status::Completed,
        started,
        ended: Some(started.plus(10)),
        error: None,
        input: Some(Blob::from(payload(number))),
        output: Some(Blob::from(payload(number))),
        parent: (number % 3 == 2).then(|| RunId::at(Timestamp::from_millis(1_000), [0; 10])),
        resume: None,
        erased: None,
    }
}

pub(super) fn record_key(number: u64) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

pub(super) fn payload(number: u64) -> Vec<u8> {
    format!("payload {number} ").repeat(40).into_bytes()
}

/// Asserts that entries 1 to `last` are there whole, and nothing of the next `beyond`.
pub(super) fn assert_holds(store: &Store, last: JournalSeq, beyond: u64) {
    for number in 1..=last.0 + beyond {
        let there = number <= last.0;
        let run = run(number);
        let record = store.record(Table::Keys, &record_key(number)).unwrap();
        let seen = store.record(Table::Replay, &record_key(number)).unwrap();
        let events = store.events(run.id, 0, 10).unwrap();
        assert_eq!(record, there.then(|| payload(number)), "record {number}");
        assert_eq!(seen, there.then(|| payload(number)), "expiring {number}");
        assert_eq!(events.len(), if there { 2 } else { 0 }, "events {number}");
        let by_call = store.runs_by_call(run.call).unwrap();
        assert_eq!(by_call.len(), usize::from(there), "index row {number}");
        assert_eq!(store.run(run.id).unwrap(), there.then_some(run));
    }
    assert_eq!(store.check().unwrap().problems, []);
}
