//! The receipts that realms keep, as their disks have them.

use std::collections::BTreeMap;

use realm_node::Node;
use realm_protocol::{
    Digest, RealmId, RunId, Scope, Timestamp,
    budget::Spend,
    cbor::{self, Blob},
    journal::Table,
    receipt::{CallReceipt, KeptReceipt, Statement},
};

use crate::{World, disk::Disk};

/// The receipts on a disk, by their digests.
///
/// # Panics
/// If one does not read.
pub fn kept(disk: &Disk) -> BTreeMap<Digest, CallReceipt> {
    let kept = encoded(disk).into_iter().map(|kept| {
        let kept: KeptReceipt = cbor::decode(&kept).expect("a receipt that is kept");
        let receipt = cbor::decode(&kept.receipt).expect("a receipt");
        (CallReceipt::digest(&kept.receipt), receipt)
    });
    kept.collect()
}

fn encoded(disk: &Disk) -> Vec<Blob> {
    let rows = disk.audit.iter();
    rows.filter_map(|row| row.receipt.clone()).collect()
}

/// What a realm shows of its receipts.
///
/// # Panics
/// If one does not read, or there are too many.
pub fn export(
    node: &Node,
    disk: &Disk,
    statement: Option<Statement>,
    shown: impl Fn(&CallReceipt) -> bool,
) -> Vec<u8> {
    let signers = disk.keys(Table::Signers).zip(disk.rows(Table::Signers));
    let signers: Vec<_> = signers
        .map(|(key, value)| (key.to_vec(), value.to_vec()))
        .collect();
    let mut receipts = encoded(disk);
    receipts.retain(|kept| {
        let kept: KeptReceipt = cbor::decode(kept).expect("a receipt that is kept");
        shown(&cbor::decode(&kept.receipt).expect("a receipt"))
    });
    let exported = node.export_receipts(&receipts, &signers, statement, false);
    let exported = exported.expect("every receipt reads");
    exported.expect("not too many").to_vec()
}

/// A statement about a realm alone, over all time.
pub fn all_with(peer: Scope) -> Statement {
    Statement {
        peer,
        since: Timestamp::default(),
        until: Timestamp::from_millis(u64::MAX),
    }
}

/// What a run has caused elsewhere, by the receipts of that, is within what its own receipt says and
/// within its budget.
pub(crate) fn broken(world: &World, broken: &mut Vec<String>) {
    let mut all: BTreeMap<Digest, CallReceipt> = BTreeMap::new();
    for host in &world.hosts {
        all.extend(kept(&host.disk));
    }
    let mut made: BTreeMap<(RealmId, RunId), Spend> = BTreeMap::new();
    for receipt in all.values() {
        let caller = receipt.caller.realm.expect("a caller");
        let sum = made.entry((caller, receipt.parent)).or_default();
        sum.add(&receipt.answered_for());
    }
    for receipt in all.values() {
        let callee = receipt.callee.realm.expect("a callee");
        let Some(sum) = made.get(&(callee, receipt.run)) else {
            continue;
        };
        let within = receipt
            .budget
            .is_none_or(|budget| budget.clamped(sum) == *sum);
        if !within || sum.exceeds(&receipt.spent) {
            broken.push(format!("{sum:?} of what {receipt:?} says"));
        }
    }
}
