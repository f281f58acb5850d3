//! Parts of the log for others to examine.

use realm_protocol::{
    Digest, Timestamp,
    audit::{
        AuditDetails, AuditEntry, AuditExport, AuditHead, AuditItem, AuditRow, Frontier, KeptHead,
        entry_digest,
    },
    cbor::{self, Blob, CborError},
    limits::{AUDIT_HEADS, AUDIT_ITEMS, AUDIT_PAGES},
    records::Signed,
};

use crate::state;

/// A part of the log while it is gathered from the store: from a kept head on, or from the
/// beginning, to another head.
#[derive(Debug)]
pub struct AuditPart {
    start: Option<KeptHead>,
    first: u64,
    head: Signed<AuditHead>,
    count: u64,
    between: Vec<Signed<AuditHead>>,
    rows: Vec<AuditRow>,
}

/// An export and what is in it.
#[derive(Debug)]
pub struct Exported {
    /// The place of its first entry.
    pub first: u64,
    /// How many entries the log has where it ends.
    pub count: u64,
    /// How many it shows.
    pub shown: u64,
    /// The export, encoded as evidence.
    pub evidence: Blob,
}

impl AuditPart {
    /// Chooses heads, of those that were kept and the newest, between which lies all that was
    /// written at or after `since` and before `until`. What comes before entry `begin` is gone.
    pub fn new(
        newest: Signed<AuditHead>,
        kept: &[Vec<u8>],
        begin: u64,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
    ) -> Self {
        let mut read: Vec<(AuditHead, KeptHead)> = kept
            .iter()
            .filter_map(|row| {
                let kept: KeptHead = state::read(row).ok()?;
                Some((kept.head.peek().ok()?, kept))
            })
            .collect();
        read.sort_by_key(|(head, _)| head.count);
        let later = |time: Option<Timestamp>| {
            let time = time?;
            read.iter().position(|(head, _)| head.at >= time)
        };
        let least = read.iter().position(|(head, _)| head.count >= begin);
        let least = least.filter(|_| begin > 0);
        let wanted = since.map_or(0, |_| later(since).unwrap_or(read.len()));
        let start = wanted.checked_sub(1).max(least);
        let end = later(until).map(|at| at.max(start.map_or(0, |start| start.saturating_add(1))));
        let end = end
            .and_then(|at| read.get(at))
            .map(|(head, kept)| (head.count, kept.head.clone()));
        let newest_count = newest.peek().map(|head| head.count).unwrap_or_default();
        let (count, head) = end.unwrap_or((newest_count, newest));
        let start = start.and_then(|at| read.get(at)).cloned();
        let first = start.as_ref().map_or(0, |(head, _)| head.count);
        let inside = read.iter();
        let inside = inside.filter(|(head, _)| head.count >= first && head.count < count);
        let inside: Vec<Signed<AuditHead>> = inside.map(|(_, kept)| kept.head.clone()).collect();
        let over = inside.len().saturating_sub(AUDIT_HEADS);
        let (begins, rest) = inside.split_at(usize::from(start.is_some()).min(inside.len()));
        let between = begins.iter().chain(rest.iter().skip(over)).cloned();
        Self {
            between: between.collect(),
            start: start.map(|(_, kept)| kept),
            first,
            head,
            count,
            rows: Vec::new(),
        }
    }

    /// Which entries are to be read next: from where, and how many; none once all are there.
    pub fn wants(&self) -> Option<(u64, usize)> {
        let next = self.first.saturating_add(self.rows.len() as u64);
        let left = self.count.saturating_sub(next);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        (left > 0 && !self.is_full()).then(|| (next, left.min(AUDIT_ITEMS)))
    }

    /// Takes what was read.
    pub fn take(&mut self, rows: Vec<(u64, AuditRow)>) {
        self.rows.extend(rows.into_iter().map(|(_, row)| row));
    }

    fn is_full(&self) -> bool {
        self.rows.len() > AUDIT_ITEMS.saturating_mul(AUDIT_PAGES)
    }
}

/// Makes an export; none where it would be too long. Of entries that are not `shown` it has the
/// digests alone.
///
/// # Errors
/// [`CborError`] where an entry does not read.
pub fn export_audit(
    part: AuditPart,
    chain: Option<Blob>,
    shown: impl Fn(&AuditEntry, Option<&AuditDetails>) -> bool,
) -> Result<Option<Exported>, CborError> {
    if part.is_full() {
        return Ok(None);
    }
    let mut items = Vec::with_capacity(part.rows.len());
    let mut count = 0_u64;
    for row in &part.rows {
        let entry: AuditEntry = cbor::decode(&row.entry)?;
        let details = row.details.as_deref().map(cbor::decode).transpose()?;
        items.push(match shown(&entry, details.as_ref()) {
            true => {
                count = count.saturating_add(1);
                AuditItem {
                    entry: Some(row.entry.clone()),
                    details: row.details.clone(),
                    digest: None,
                }
            }
            false => AuditItem {
                entry: None,
                details: None,
                digest: Some(entry_digest(&row.entry)),
            },
        });
    }
    let pages = items.chunks(AUDIT_ITEMS);
    let pages = pages.map(|page| Blob::from(cbor::encode(&page.to_vec())));
    let zero = Digest::new([0; 32]);
    let export = AuditExport {
        head: part.head,
        first: part.first,
        frontier: match &part.start {
            Some(kept) => kept.frontier.clone(),
            None => Frontier::default().to_bytes(),
        },
        previous: part.start.as_ref().map_or(zero, |kept| kept.last),
        pages: pages.collect(),
        heads: part.between,
        chain,
    };
    Ok(Some(Exported {
        first: part.first,
        count: part.count,
        shown: count,
        evidence: cbor::encode(&realm_protocol::broadcast::Evidence::Audit(export)).into(),
    }))
}
