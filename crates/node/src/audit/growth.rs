//! How the log went on from one count to another, read from the store for a witness.

use realm_protocol::audit::{AuditRow, Frontier, KeptHead, LeafRange, entry_digest};

use crate::state;

/// What shows that a log went on from a count to a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGrowth {
    /// The tree at the count.
    pub frontier: Frontier,
    /// The entries from there to the head.
    pub range: LeafRange,
}

impl LogGrowth {
    /// Gathers it from the kept heads, which `head` gives by their counts, and from the few entries around the
    /// count that lie between two of them: `entries` gives as many as asked from a place on. None where something
    /// of it is not there, or not yet.
    ///
    /// # Errors
    /// What the readers give.
    pub fn read<E>(
        (from, to): (u64, u64),
        head: impl Fn(u64) -> Result<Option<Vec<u8>>, E>,
        entries: impl Fn(u64, usize) -> Result<Vec<AuditRow>, E>,
    ) -> Result<Option<Self>, E> {
        let head = |count| Ok(head(count)?.and_then(|row| state::read::<KeptHead>(&row).ok()));
        let mut later = Vec::new();
        let mut at = to;
        while at > from {
            let Some((before, range)) = head(at)?.and_then(|kept| step(&kept, at)) else {
                return Ok(None);
            };
            later.push(range);
            at = before;
        }
        let frontier = match at {
            0 => Some(Frontier::default()),
            _ => head(at)?.and_then(|kept| Frontier::from_bytes(at, &kept.frontier).ok()),
        };
        let Some(mut frontier) = frontier else {
            return Ok(None);
        };
        let mut range = LeafRange::new(from);
        if at < from {
            // The count lies between two kept heads: the later one's range begins too early.
            let next = later.pop().map_or(at, |range| range.end());
            let count = usize::try_from(next.saturating_sub(at)).unwrap_or(usize::MAX);
            for (place, row) in (at..).zip(entries(at, count)?) {
                let digest = entry_digest(&row.entry);
                match place < from {
                    true => frontier.push(digest),
                    false => range.push(digest),
                }
            }
        }
        let joined = later.iter().rev().try_for_each(|next| range.join(next));
        let whole = joined.is_ok() && frontier.count() == from && range.end() == to;
        Ok(whole.then_some(Self { frontier, range }))
    }
}

/// The count of the kept head before one, and the entries from there.
fn step(kept: &KeptHead, at: u64) -> Option<(u64, LeafRange)> {
    let since = kept.since.filter(|since| *since < at)?;
    let range = LeafRange::from_bytes(since, at, kept.range.as_deref()?).ok()?;
    Some((since, range))
}
