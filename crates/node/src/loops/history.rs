//! Who changed which loop when, as far back as is remembered.

use std::collections::{BTreeMap, VecDeque};

use realm_protocol::{LoopId, limits};

use crate::{LoopChange, state::StoredLoopChange};

/// The changes of all loops, each under its number.
#[derive(Debug, Default)]
pub(crate) struct LoopHistories {
    changes: BTreeMap<LoopId, VecDeque<(u64, LoopChange)>>,
}

impl LoopHistories {
    /// Changes of a loop, the oldest first.
    pub(super) fn of<'a>(
        &'a self,
        id: &LoopId,
    ) -> impl DoubleEndedIterator<Item = &'a LoopChange> + use<'a> {
        let changes = self.changes.get(id).into_iter().flatten();
        changes.map(|(_, change)| change)
    }

    /// Adds a change; gives its key, and the keys of those that are forgotten for it: not of the spared ones.
    pub(super) fn note(
        &mut self,
        id: &LoopId,
        change: LoopChange,
        spared: impl Fn(&LoopChange) -> bool,
    ) -> (Vec<u8>, Vec<Vec<u8>>) {
        let changes = self.changes.entry(id.clone()).or_default();
        let number = changes.back().map_or(0, |(last, _)| last.saturating_add(1));
        changes.push_back((number, change));
        let surplus = changes.len().saturating_sub(limits::LOOP_CHANGES);
        let mut forgotten = Vec::new();
        changes.retain(|(of, change)| {
            let goes = forgotten.len() < surplus && *of != number && !spared(change);
            if goes {
                forgotten.push(key(id, *of));
            }
            !goes
        });
        (key(id, number), forgotten)
    }

    /// Forgets a loop; gives the keys of its changes.
    pub(super) fn forget(&mut self, id: &LoopId) -> Vec<Vec<u8>> {
        let changes = self.changes.remove(id).into_iter().flatten();
        changes.map(|(number, _)| key(id, number)).collect()
    }

    /// Takes up a change as it was written down. They come in the order of their keys.
    pub(super) fn recover(&mut self, row: &[u8], stored: StoredLoopChange) {
        let change = LoopChange::try_from(stored).ok();
        match parts(row).zip(change) {
            Some(((id, number), change)) => {
                self.changes
                    .entry(id)
                    .or_default()
                    .push_back((number, change));
            }
            None => tracing::error!("a stored change of a loop does not read"),
        }
    }
}

/// Key of a change: the loop, a zero, the change's number.
fn key(id: &LoopId, number: u64) -> Vec<u8> {
    [id.as_str().as_bytes(), &[0], &number.to_be_bytes()].concat()
}

fn parts(row: &[u8]) -> Option<(LoopId, u64)> {
    let (rest, number) = row.split_last_chunk::<8>()?;
    let id = std::str::from_utf8(rest.strip_suffix(&[0])?).ok()?;
    Some((id.parse().ok()?, u64::from_be_bytes(*number)))
}
