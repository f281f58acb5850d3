//! Stores of older and newer formats.

use realm_protocol::journal::JournalSeq;

use super::{
    disk::{Disk, Fault},
    workload::{assert_holds, entry, sealer},
};
use crate::{
    OpenError, Store, Tree, Urgency,
    engine::{Batch, Engine, RedbEngine},
    meta::{self, FORMAT},
    shared::Shared,
    store::begin,
    upgrade::{STEPS, Step, bring},
};

const CACHE: usize = 1024 * 1024;
const KEY: &[u8] = b"made by a step";

/// Steps beyond this program's format: the first writes a row on its way, the second another one
/// together with its format's number.
const BEYOND: &[Step] = &[
    Step {
        from: FORMAT,
        apply: |engine, sealer| {
            let mut batch = Batch::default();
            let sealed = seal(sealer, b"first");
            batch.put(Tree::Meta, KEY.to_vec(), sealed);
            engine.write(batch.into())?;
            Ok(Batch::default())
        },
    },
    Step {
        from: FORMAT + 1,
        apply: |_, sealer| {
            let mut batch = Batch::default();
            batch.put(Tree::Meta, KEY.to_vec(), seal(sealer, b"second"));
            Ok(batch)
        },
    },
];

#[test]
fn steps_lead_from_each_format_to_the_newest_one() {
    let engine = fresh(&Disk::default());

    bring(&engine, &sealer(), BEYOND, FORMAT + 2).unwrap();

    let snapshot = engine.snapshot().unwrap();
    let row = snapshot.get(Tree::Meta, KEY).unwrap().unwrap();
    let opened = sealer().open(Tree::Meta, KEY, &row).unwrap();
    assert_eq!(opened, b"second");
    assert_eq!(meta::format(snapshot.as_ref()).unwrap(), FORMAT + 2);
}

#[test]
fn a_step_that_fails_anywhere_is_taken_again() {
    for at in 1.. {
        let disk = Disk::default();
        let engine = fresh(&disk);
        disk.set_fault(Fault::From(at));

        let brought = bring(&engine, &sealer(), BEYOND, FORMAT + 2);

        let met_a_fault = disk.has_met_a_fault();
        assert_eq!(brought.is_err(), met_a_fault);
        let image = disk.after_power_loss(at as u64);
        let engine = RedbEngine::with_backend(Disk::holding(image), CACHE).unwrap();
        bring(&engine, &sealer(), BEYOND, FORMAT + 2).unwrap();
        let snapshot = engine.snapshot().unwrap();
        assert_eq!(meta::format(snapshot.as_ref()).unwrap(), FORMAT + 2);
        if !met_a_fault {
            return;
        }
    }
}

#[test]
fn a_store_of_the_first_format_opens_and_goes_on() {
    let disk = Disk::default();
    let engine = fresh(&disk);
    let mut batch = Batch::default();
    meta::set_format(&mut batch, 1);
    engine.write(batch.into()).unwrap();
    let shared = Shared::new(Box::new(engine), None, sealer());
    let (acks, acked) = std::sync::mpsc::channel();

    let store = Store::start(shared, move |ack| drop(acks.send(ack))).unwrap();
    store.append(JournalSeq(1), entry(1), Urgency::Now).unwrap();
    acked.recv().unwrap();

    assert_holds(&store, JournalSeq(1), 1);
}

#[test]
fn a_newer_store_and_one_that_no_step_leads_from_are_refused_untouched() {
    let engine = fresh(&Disk::default());

    let newer = bring(&engine, &sealer(), STEPS, FORMAT - 1);
    let older = bring(&engine, &sealer(), &[], FORMAT + 1);

    let (found, known) = (FORMAT, FORMAT - 1);
    assert!(
        matches!(newer, Err(OpenError::Newer { found: f, known: k }) if (f, k) == (found, known))
    );
    assert!(matches!(older, Err(OpenError::Older { found: f, .. }) if f == found));
    let snapshot = engine.snapshot().unwrap();
    assert_eq!(meta::format(snapshot.as_ref()).unwrap(), FORMAT);
}

fn fresh(disk: &Disk) -> RedbEngine {
    let engine = RedbEngine::with_backend(disk.clone(), CACHE).unwrap();
    begin(&engine, &sealer()).unwrap();
    engine
}

fn seal(sealer: &crate::sealer::Sealer, value: &[u8]) -> Vec<u8> {
    let mut rng = crate::sealer::generator().unwrap();
    sealer.seal(&mut rng, Tree::Meta, KEY, value)
}
