//! Old values, kept for as long as a read of an older moment may ask for them.
//!
//! An engine that changes its rows in place has no moments to read from. What a batch is about to
//! overwrite is noted here under the number of that batch, and a read as of batch `n` takes the
//! note of the first later batch that touched a key, or else what the engine holds.

use std::{collections::BTreeMap, ops::Bound};

/// Bytes of old values kept; past the bound the oldest moments cannot be read any more.
const KEPT: usize = 64 * 1024 * 1024;

/// A key's value before a batch; none where there was no row.
type Old = Option<Vec<u8>>;

#[derive(Debug, Default)]
pub(super) struct Undo {
    /// Old values by key and by the batch that replaced them.
    old: BTreeMap<Vec<u8>, BTreeMap<u64, Old>>,
    /// Keys by the batch that changed them.
    touched: BTreeMap<u64, Vec<Vec<u8>>>,
    /// Moments that are being read, with how often.
    open: BTreeMap<u64, usize>,
    bytes: usize,
    /// The newest durable batch.
    durable: u64,
    /// The oldest moment that can still be read.
    oldest: u64,
}

impl Undo {
    /// The number of the batch that comes next.
    pub(super) fn next(&self) -> u64 {
        self.touched
            .last_key_value()
            .map_or(self.durable, |(batch, _)| *batch)
            .saturating_add(1)
    }

    /// Notes what a key held before a batch.
    pub(super) fn note(&mut self, batch: u64, key: Vec<u8>, old: Old) {
        self.bytes = self.bytes.saturating_add(weight(&key, &old));
        let notes = self.old.entry(key.clone()).or_default();
        notes.insert(batch, old);
        self.touched.entry(batch).or_default().push(key);
    }

    /// Makes a batch the newest that reads begin with, and forgets what nobody can ask for.
    pub(super) fn settle(&mut self, batch: u64) {
        self.durable = batch;
        let wanted = self.open.first_key_value().map(|(moment, _)| *moment);
        self.forget(wanted.unwrap_or(batch).min(batch));
        while self.bytes > KEPT
            && let Some((oldest, _)) = self.touched.first_key_value()
            && *oldest <= batch
        {
            self.forget(*oldest);
        }
    }

    /// Begins to read what is durable now; gives the moment.
    pub(super) fn begin(&mut self) -> u64 {
        let reads = self.open.entry(self.durable).or_default();
        *reads = reads.saturating_add(1);
        self.durable
    }

    /// Ends a read of a moment.
    pub(super) fn end(&mut self, moment: u64) {
        if let Some(reads) = self.open.get_mut(&moment) {
            *reads = reads.saturating_sub(1);
            if *reads == 0 {
                self.open.remove(&moment);
            }
        }
        let wanted = self.open.first_key_value().map(|(moment, _)| *moment);
        self.forget(wanted.unwrap_or(self.durable).min(self.durable));
    }

    /// Whether all that a moment needs is still here.
    pub(super) fn reaches(&self, moment: u64) -> bool {
        moment >= self.oldest
    }

    /// What a key held at a moment, where it has changed since.
    pub(super) fn at(&self, moment: u64, key: &[u8]) -> Option<&Old> {
        first_after(self.old.get(key)?, moment)
    }

    /// What the keys of a range held at a moment, where they have changed since.
    pub(super) fn range_at(
        &self,
        moment: u64,
        from: &[u8],
        until: Bound<&[u8]>,
    ) -> impl Iterator<Item = (&[u8], &Old)> {
        let range = self.old.range::<[u8], _>((Bound::Included(from), until));
        range.filter_map(move |(key, notes)| Some((key.as_slice(), first_after(notes, moment)?)))
    }

    /// Forgets the notes of every batch up to and including this one.
    fn forget(&mut self, batch: u64) {
        self.oldest = self.oldest.max(batch);
        while let Some(entry) = self.touched.first_entry()
            && *entry.key() <= batch
        {
            let (batch, keys) = entry.remove_entry();
            for key in keys {
                let Some(notes) = self.old.get_mut(&key) else {
                    continue;
                };
                if let Some(old) = notes.remove(&batch) {
                    self.bytes = self.bytes.saturating_sub(weight(&key, &old));
                }
                if notes.is_empty() {
                    self.old.remove(&key);
                }
            }
        }
    }
}

fn first_after(notes: &BTreeMap<u64, Old>, moment: u64) -> Option<&Old> {
    let mut later = notes.range((Bound::Excluded(moment), Bound::Unbounded));
    later.next().map(|(_, old)| old)
}

/// About how many bytes a note takes.
fn weight(key: &[u8], old: &Old) -> usize {
    128 + 2 * key.len() + old.as_ref().map_or(0, Vec::len)
}
