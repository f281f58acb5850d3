//! A disk that may lose what was not yet durable.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
};

use realm_node::{AuditTail, KeptOutline, LogGrowth, Recovered, ServedRun, UnderWay};
use realm_protocol::{
    CallId, RunId, Timestamp,
    audit::AuditRow,
    journal::{Change, Entry, Event, JournalSeq, Run, Status, Table},
};

/// What a realm has written, and what of it would survive a crash.
#[derive(Debug, Default)]
pub struct Disk {
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    /// When rows that expire may be forgotten.
    until: BTreeMap<(Table, Vec<u8>), Timestamp>,
    /// Runs by id.
    pub runs: BTreeMap<RunId, Run>,
    /// Events by run and index.
    pub events: BTreeMap<(RunId, u64), Event>,
    /// The audit log.
    pub audit: Vec<AuditRow>,
    durable: JournalSeq,
    queued: VecDeque<(JournalSeq, Entry)>,
    /// Full disks and failed writes: nothing becomes durable any more.
    pub broken: bool,
    /// Whether it was filled from a backup since the last start.
    restored: bool,
}

impl Disk {
    /// Takes an entry that is not durable yet.
    pub fn append(&mut self, seq: JournalSeq, entry: Entry) {
        let expected = self.queued.back().map_or(self.durable.0, |(seq, _)| seq.0) + 1;
        assert_eq!(seq.0, expected, "journal entries are numbered without gaps");
        self.queued.push_back((seq, entry));
    }

    /// Makes everything up to `seq` durable.
    pub fn sync(&mut self, seq: JournalSeq) -> Option<JournalSeq> {
        if self.broken {
            return None;
        }
        while self
            .queued
            .front()
            .is_some_and(|(queued, _)| *queued <= seq)
        {
            let (seq, entry) = self.queued.pop_front().expect("checked");
            for change in entry.changes {
                self.apply(change);
            }
            self.durable = seq;
        }
        Some(self.durable)
    }

    /// Loses what was not durable, and gives it.
    pub fn crash(&mut self) -> Vec<Entry> {
        let lost = std::mem::take(&mut self.queued);
        lost.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Entries that are not durable yet.
    pub fn queued(&self) -> impl Iterator<Item = &Entry> {
        self.queued.iter().map(|(_, entry)| entry)
    }

    /// Whether a record stands, durable or not.
    pub fn holds(&self, table: Table, key: &[u8]) -> bool {
        let puts = |change: &Change| match change {
            Change::Put(of, at, _) | Change::PutUntil(of, at, _, _) => *of == table && at == key,
            _ => false,
        };
        self.rows.contains_key(&(table, key.to_vec()))
            || self.queued().any(|entry| entry.changes.iter().any(puts))
    }

    /// How many durable records a table has.
    pub fn count(&self, table: Table) -> usize {
        self.all(table).count()
    }

    /// The keys of a table's durable records.
    pub fn keys(&self, of: Table) -> impl Iterator<Item = &[u8]> {
        self.all(of).map(|(key, _)| key)
    }

    /// The durable records of a table, in the order of their keys.
    pub fn rows(&self, of: Table) -> impl Iterator<Item = &[u8]> {
        self.all(of).map(|(_, row)| row)
    }

    /// The durable records of a table, and their keys.
    fn all(&self, of: Table) -> impl Iterator<Item = (&[u8], &[u8])> {
        let rows = self.rows.range((of, Vec::new())..);
        let rows = rows.take_while(move |((table, _), _)| *table == of);
        rows.map(|((_, key), row)| (key.as_slice(), row.as_slice()))
    }

    /// The sequence of the last durable entry.
    pub fn durable(&self) -> JournalSeq {
        self.durable
    }

    /// Reads a record.
    pub fn look(&self, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        self.rows.get(&(table, key.to_vec())).cloned()
    }

    /// Reads how the audit log grew.
    pub fn growth(&self, from: u64, to: u64) -> Option<LogGrowth> {
        let head = |count: u64| Ok(self.look(Table::AuditHeads, &count.to_be_bytes()));
        let entries = |from, limit| {
            let rows = self
                .audit
                .iter()
                .skip(usize::try_from(from).expect("in memory"));
            Ok(rows.take(limit).cloned().collect())
        };
        let read: Result<_, Infallible> = LogGrowth::read((from, to), head, entries);
        read.expect("a disk in memory reads")
    }

    /// Reads the run that served a call of a peer's.
    pub fn served_run(&self, call: CallId, peer: &str) -> Option<ServedRun> {
        let runs = self.runs.values().filter(|run| run.call == call);
        let events = |run, from| {
            let range = self.events.range((run, from)..(run, u64::MAX));
            Ok(range.map(|(_, event)| event.clone()).collect())
        };
        let read: Result<_, Infallible> = ServedRun::read(runs.cloned().collect(), peer, events);
        read.expect("a disk in memory reads")
    }

    /// The durable records of a table, to read or to forge.
    pub fn rows_mut(&mut self, of: Table) -> impl Iterator<Item = &mut Vec<u8>> {
        let rows = self.rows.iter_mut();
        rows.filter(move |((table, _), _)| *table == of)
            .map(|(_, value)| value)
    }

    /// Puts a durable record there that no node wrote.
    pub fn forge(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.rows.insert((table, key), value);
    }

    /// Loses the durable records of a table.
    pub fn lose(&mut self, of: Table) {
        self.rows.retain(|(table, _), _| *table != of);
    }

    /// Loses the durable records of a table that have an end, as if it had come.
    pub fn end(&mut self, of: Table) {
        let has_end = |key: &(Table, Vec<u8>)| key.0 == of && self.until.contains_key(key);
        self.rows.retain(|key, _| !has_end(key));
        self.until.retain(|(table, _), _| *table != of);
    }

    /// Has a durable record under another key as well.
    pub fn double(&mut self, table: Table, key: &[u8], other: &[u8]) {
        let row = self.rows[&(table, key.to_vec())].clone();
        self.rows.insert((table, other.to_vec()), row);
    }

    /// Every durable byte, for a search.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for ((_, key), value) in &self.rows {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(value);
        }
        for run in self.runs.values() {
            for blob in run.input.iter().chain(&run.output) {
                bytes.extend_from_slice(blob);
            }
        }
        for event in self.events.values() {
            bytes.extend_from_slice(&event.payload);
        }
        bytes
    }

    /// What a restarted node finds.
    pub fn recovered(&mut self, now: Timestamp) -> Recovered {
        let over = self.until.iter().filter(|(_, until)| **until < now);
        let over: Vec<_> = over.map(|(key, _)| key.clone()).collect();
        for key in over {
            self.rows.remove(&key);
            self.until.remove(&key);
        }
        let rows = self.rows.iter().filter(|((table, _), _)| {
            !matches!(table, Table::Keys | Table::Custody | Table::AuditHeads)
        });
        let kept = self.rows.iter();
        let kept = kept.filter(|((table, _), _)| *table == Table::Custody);
        let under_way = self
            .runs
            .values()
            .filter(|run| matches!(run.status, Status::Running | Status::Paused));
        let under_way = under_way.map(|run| UnderWay {
            run: run.clone(),
            events: self.next_event(run.id),
        });
        Recovered {
            last: self.durable,
            records: rows
                .map(|((table, key), value)| (*table, key.clone(), value.clone()))
                .collect(),
            kept: kept
                .filter_map(|((_, key), value)| KeptOutline::read(key, value))
                .collect(),
            under_way: under_way.collect(),
            audit: self.audit_tail(),
            restored: std::mem::take(&mut self.restored),
        }
    }

    fn audit_tail(&self) -> AuditTail {
        let mut rows = self.rows.iter();
        let head = rows.rfind(|((table, _), _)| *table == Table::AuditHeads);
        let count = head.map_or(0, |((_, count), _)| {
            let count = count.as_slice().try_into().expect("eight bytes");
            usize::try_from(u64::from_be_bytes(count)).expect("in memory")
        });
        AuditTail {
            head: head.map(|(_, head)| head.clone()),
            rows: self.audit[count..].to_vec(),
        }
    }

    fn next_event(&self, run: RunId) -> u64 {
        let events = self.events.keys();
        let of_run = events.filter(|(of, _)| *of == run);
        of_run.map(|(_, index)| index + 1).max().unwrap_or(0)
    }

    /// A copy of what is durable, as another disk that a machine can be given.
    pub fn copy(&self) -> Self {
        Self {
            rows: self.rows.clone(),
            until: self.until.clone(),
            runs: self.runs.clone(),
            events: self.events.clone(),
            audit: self.audit.clone(),
            durable: self.durable,
            ..Self::default()
        }
    }

    /// Lets the next start know that a backup was put here.
    #[must_use]
    pub fn restored(self) -> Self {
        let restored = true;
        Self { restored, ..self }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(table, key, value) => {
                self.until.remove(&(table, key.clone()));
                self.rows.insert((table, key), value);
            }
            Change::PutUntil(table, key, value, until) => {
                self.until.insert((table, key.clone()), until);
                self.rows.insert((table, key), value);
            }
            Change::Delete(table, key) => {
                self.until.remove(&(table, key.clone()));
                self.rows.remove(&(table, key));
            }
            Change::Run(run) => {
                self.runs.insert(run.id, run);
            }
            Change::Audit(index, row) => {
                assert_eq!(index, self.audit.len() as u64, "the audit log has no gaps");
                self.audit.push(row);
            }
            Change::Erase(id, erased) => {
                if let Some(run) = self.runs.remove(&id) {
                    self.runs.insert(id, run.erased(erased));
                }
                for ((_, _), event) in self.events.iter_mut().filter(|((of, _), _)| *of == id) {
                    *event = event.clone().erased();
                }
            }
            Change::Event(event) => {
                let known = self.events.insert((event.run, event.index), event.clone());
                assert!(
                    known.is_none(),
                    "event {} of {} written twice",
                    event.index,
                    event.run
                );
            }
        }
    }
}
