//! Who waits for which reply.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{Digest, Tick};
use thiserror::Error;

/// As many wait as may.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("too many are waiting for replies")]
pub struct Full;

/// What waits for a reply, by the digest of the request's header, each until its deadline.
#[derive(Clone, Debug)]
pub struct Waiting<T> {
    capacity: usize,
    entries: BTreeMap<Digest, (Tick, T)>,
    deadlines: BTreeSet<(Tick, Digest)>,
}

impl<T> Waiting<T> {
    /// Takes how many may wait at once.
    pub const fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: BTreeMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Waits for the reply that names `answers`. A digest names one request, so waiting for it
    /// again replaces the value and the deadline.
    ///
    /// # Errors
    /// [`Full`] at the capacity; the value is dropped.
    pub fn insert(&mut self, answers: Digest, deadline: Tick, value: T) -> Result<(), Full> {
        if self.entries.len() >= self.capacity && !self.entries.contains_key(&answers) {
            return Err(Full);
        }
        if let Some((before, _)) = self.entries.insert(answers, (deadline, value)) {
            self.deadlines.remove(&(before, answers));
        }
        self.deadlines.insert((deadline, answers));
        Ok(())
    }

    /// Looks at what waits for this reply.
    pub fn get(&self, answers: &Digest) -> Option<&T> {
        self.entries.get(answers).map(|(_, value)| value)
    }

    /// Ends the wait for this reply, because it is here or nobody wants it any more.
    pub fn take(&mut self, answers: &Digest) -> Option<T> {
        let (deadline, value) = self.entries.remove(answers)?;
        self.deadlines.remove(&(deadline, *answers));
        Some(value)
    }

    /// Ends every wait whose deadline is `now` or earlier; the earliest first.
    pub fn expired(&mut self, now: Tick) -> Vec<(Digest, T)> {
        let mut expired = Vec::new();
        while let Some((deadline, answers)) = self.deadlines.first().copied()
            && deadline <= now
        {
            self.deadlines.remove(&(deadline, answers));
            let entry = self.entries.remove(&answers);
            expired.extend(entry.map(|(_, value)| (answers, value)));
        }
        expired
    }

    /// The next deadline.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
