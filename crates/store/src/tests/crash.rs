//! Acknowledged means durable, whatever the disk does.

use std::sync::mpsc::{self, Receiver};

use realm_protocol::{Timestamp, journal::JournalSeq};

use super::{
    disk::{Disk, Fault},
    workload::{assert_holds, entry, sealer},
};
use crate::{
    Ack, AppendError, RetainError, Store, StoreError, Urgency, engine::RedbEngine, shared::Shared,
    store::begin,
};

const CACHE: usize = 1024 * 1024;
const ENTRIES: u64 = 4;

#[test]
fn acknowledged_entries_survive_a_power_loss() {
    for seed in 0..20 {
        let disk = fresh_disk();
        let (store, acks) = start(&disk);

        let acked = append_all(&store, &acks);
        let image = disk.after_power_loss(seed);

        assert_eq!(acked, JournalSeq(ENTRIES));
        assert_recovers(image, acked);
    }
}

#[test]
fn each_failed_write_or_sync_poisons_and_loses_nothing_acknowledged() {
    assert_survives_every(Fault::Once);
}

#[test]
fn power_lost_at_each_write_loses_nothing_acknowledged() {
    assert_survives_every(Fault::From);
}

#[test]
fn a_failed_retention_poisons_and_removes_nothing() {
    let disk = fresh_disk();
    let (store, acks) = start(&disk);
    let acked = append_all(&store, &acks);
    disk.set_fault(Fault::From(1));

    let refused = store.retain(Timestamp::from_millis(1_000_000), 10);

    assert!(matches!(refused, Err(RetainError::Poisoned)));
    assert!(matches!(acks.recv(), Ok(Ack::Failed(StoreError::Write(_)))));
    assert_recovers(disk.after_power_loss(1), acked);
}

#[test]
fn a_failed_sweep_poisons_and_removes_nothing() {
    let disk = fresh_disk();
    let (store, acks) = start(&disk);
    let acked = append_all(&store, &acks);
    disk.set_fault(Fault::From(1));

    let refused = store.sweep(Timestamp::from_millis(1_000_000), 10);

    assert!(matches!(refused, Err(RetainError::Poisoned)));
    assert!(matches!(acks.recv(), Ok(Ack::Failed(StoreError::Write(_)))));
    assert_recovers(disk.after_power_loss(1), acked);
}

/// Runs the workload with a fault at its first operation, its second, and so on to its last.
fn assert_survives_every(fault: impl Fn(usize) -> Fault) {
    for at in 1.. {
        let disk = fresh_disk();
        let (store, acks) = start(&disk);
        disk.set_fault(fault(at));

        let acked = append_all(&store, &acks);
        let image = disk.after_power_loss(at as u64);

        if !disk.has_met_a_fault() {
            assert_eq!(acked, JournalSeq(ENTRIES));
            assert!(at > 20, "the workload is too small to mean anything");
            return;
        }
        if acked.0 < ENTRIES {
            let next = JournalSeq(acked.0 + 1);
            let refused = store.append(next, entry(next.0), Urgency::Now);
            assert_eq!(refused.unwrap_err().error, AppendError::Poisoned);
        }
        assert_recovers(image, acked);
    }
}

/// Appends entry by entry; gives the last that was acknowledged before a failure.
fn append_all(store: &Store, acks: &Receiver<Ack>) -> JournalSeq {
    let mut acked = store.last_seq();
    for number in 1..=ENTRIES {
        let seq = JournalSeq(number);
        store.append(seq, entry(number), Urgency::Now).unwrap();
        match acks.recv().unwrap() {
            Ack::Durable(durable) => {
                assert_eq!(durable, seq);
                acked = durable;
            }
            Ack::Failed(_) => return acked,
        }
    }
    acked
}

fn assert_recovers(image: Vec<u8>, acked: JournalSeq) {
    let (store, _acks) = start(&Disk::holding(image));
    assert!(store.last_seq() >= acked, "acknowledged entries were lost");
    assert_holds(&store, store.last_seq(), 2);
}

fn fresh_disk() -> Disk {
    let disk = Disk::default();
    let engine = RedbEngine::with_backend(disk.clone(), CACHE).unwrap();
    begin(&engine, &sealer()).unwrap();
    disk
}

fn start(disk: &Disk) -> (Store, Receiver<Ack>) {
    let engine = RedbEngine::with_backend(disk.clone(), CACHE).unwrap();
    let shared = Shared::new(Box::new(engine), None, sealer());
    let (acks, received) = mpsc::channel();
    let store = Store::start(shared, move |ack| drop(acks.send(ack))).unwrap();
    (store, received)
}
