//! The audit logs of realms, as their disks have them.

use std::collections::BTreeMap;

use realm_node::{AuditPart, Node, export_audit};
use realm_protocol::{
    RunId, Timestamp,
    audit::{AuditDetails, AuditEntry},
    cbor,
    journal::{Direction, Table},
};

use crate::{HostId, World, disk::Disk};

/// The entries on a disk.
///
/// # Panics
/// If one does not read.
pub fn entries(disk: &Disk) -> Vec<AuditEntry> {
    let rows = disk.audit.iter();
    rows.map(|row| cbor::decode(&row.entry).expect("an entry"))
        .collect()
}

/// What a realm exports of its log, from a time to a time; of the entries that are not `shown` the
/// digests.
///
/// # Panics
/// If an entry does not read, or there are too many.
pub fn export(
    node: &Node,
    disk: &Disk,
    period: (Option<Timestamp>, Option<Timestamp>),
    shown: impl Fn(&AuditEntry, Option<&AuditDetails>) -> bool,
) -> Vec<u8> {
    let heads: Vec<Vec<u8>> = disk.rows(Table::AuditHeads).map(<[u8]>::to_vec).collect();
    let newest = node.audit_head().expect("a realm signs");
    let mut part = AuditPart::new(newest, &heads, 0, period);
    while let Some((from, limit)) = part.wants() {
        let from = usize::try_from(from).expect("in memory");
        let rows = disk
            .audit
            .iter()
            .cloned()
            .enumerate()
            .skip(from)
            .take(limit);
        let rows: Vec<_> = rows.map(|(at, row)| (at as u64, row)).collect();
        assert!(!rows.is_empty(), "the log ends before its head");
        part.take(rows);
    }
    let exported = export_audit(part, node.bare_chain(), shown);
    let exported = exported.expect("every entry reads").expect("not too long");
    exported.evidence.to_vec()
}

/// Every run that has ended is in the log once, and nothing in the log was told twice.
pub(crate) fn broken(world: &World, id: HostId, broken: &mut Vec<String>) {
    let host = &world.hosts[id.0];
    let mut ends: BTreeMap<RunId, usize> = BTreeMap::new();
    for entry in entries(&host.disk) {
        let run = entry.run.and_then(|run| host.disk.runs.get(&run));
        let own = run.is_some_and(|run| match run.direction {
            Direction::Local => entry.action == "run.ended",
            Direction::Out => entry.action == "call.made",
            Direction::In => entry.action == "call.served",
        });
        if let Some(run) = entry.run.filter(|_| own) {
            *ends.entry(run).or_default() += 1;
        }
    }
    for run in host.disk.runs.values() {
        let times = ends.remove(&run.id).unwrap_or_default();
        if times != usize::from(run.ended.is_some()) {
            broken.push(format!("{} has {times} entries of {run:?}", host.name));
        }
    }
    for (run, _) in ends {
        broken.push(format!("{} has the end of a run {run} it lost", host.name));
    }
}
