//! Receipts of calls, as a file that proves itself.

use realm_client::{
    api::{Problem, ReceiptFile, ReceiptQuery},
    catalogue::Code,
};
use realm_protocol::{
    CallId, Scope, Timestamp,
    audit::AuditEntry,
    cbor::{self, Blob},
    journal::Table,
    limits::{CLOCK_SKEW_MS, RECEIPT_ITEMS, RECEIPT_PAGES},
    receipt::{CallReceipt, KeptReceipt, Statement},
};
use realm_store::{ReadError, Store};

use super::{
    Answer, Shared,
    extract::{Params, invalid},
    problem::Fail,
    realms::place,
    runs::blocking,
    views::{short, timestamp},
};
use crate::daemon::Daemon;

/// Entries of the audit log that are read from the store at a time.
const READ: u64 = 512;
/// Receipts in one file at most.
const MOST: usize = RECEIPT_ITEMS * RECEIPT_PAGES;

/// Which receipts are meant.
struct Filter {
    peer: Option<Scope>,
    loop_id: Option<String>,
    call: Option<CallId>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// The newest so many.
    limit: usize,
    /// Whether none may be missing.
    whole: bool,
}

impl Filter {
    async fn of(daemon: &Daemon, query: ReceiptQuery) -> Result<(Self, bool), Fail> {
        let ReceiptQuery {
            peer,
            loop_id,
            call,
            since,
            until,
            limit,
            statement,
            open,
        } = query;
        let peer = place(daemon, peer).await?;
        let call = call.map(|text| {
            let wrong = |_| invalid(&format!("`{}` is no call", short(&text)));
            text.parse::<CallId>().map_err(wrong)
        });
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(MOST));
        let filter = Self {
            peer,
            loop_id,
            call: call.transpose()?,
            since: since.map(timestamp),
            until: until.map(timestamp),
            limit: limit.unwrap_or(MOST.saturating_add(1)),
            whole: statement.unwrap_or(false),
        };
        Ok((filter, open.unwrap_or(false)))
    }

    /// What the receipts are all of, where the list says so.
    fn statement(&self) -> Result<Option<Statement>, Fail> {
        if !self.whole {
            return Ok(None);
        }
        let narrowed = self.loop_id.is_some() || self.call.is_some() || self.limit <= MOST;
        match (&self.peer, self.since, self.until) {
            (Some(peer), Some(since), Some(until)) if !narrowed => Ok(Some(Statement {
                peer: peer.clone(),
                since,
                until,
            })),
            _ => Err(invalid(
                "a statement is of one peer between `since` and `until`, and of nothing less",
            )),
        }
    }

    fn takes(&self, receipt: &CallReceipt, other: &Scope) -> bool {
        let within = |peer: &Scope| peer.contains(other);
        let named = |id: &String| receipt.loop_id.as_str() == id;
        self.peer.as_ref().is_none_or(within)
            && self.loop_id.as_ref().is_none_or(named)
            && self.call.is_none_or(|call| call == receipt.call)
            && self.since.is_none_or(|since| since <= receipt.ended)
            && self.until.is_none_or(|until| receipt.ended < until)
    }

    /// Whether an entry was written before all that is meant had ended.
    fn is_before(&self, entry: &AuditEntry) -> bool {
        let since = self.since;
        since.is_some_and(|since| entry.at.plus(CLOCK_SKEW_MS) < since)
    }
}

pub(super) async fn export(
    daemon: Shared,
    Params(query): Params<ReceiptQuery>,
) -> Answer<ReceiptFile> {
    let (filter, open) = Filter::of(&daemon, query).await?;
    let statement = filter.statement()?;
    daemon.handle.settled().await?;
    let (found, signers) = blocking(&daemon, move |store| {
        let mut signers: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        store.each_record(Table::Signers, |row, chain| {
            signers.push((row.to_vec(), chain.to_vec()));
        })?;
        Ok((newest(store, &filter)?, signers))
    })
    .await?;
    let receipts = found.ok_or_else(gone)?;
    let count = receipts.len() as u64;
    let made = daemon
        .handle
        .read(move |node| node.export_receipts(&receipts, &signers, statement, open));
    let made = made.await?.map_err(|error| {
        let problem = Problem::new(Code::StoreCorrupt, error.to_string());
        Fail::from(problem.with_hint("realmd store check"))
    })?;
    let evidence = made.ok_or_else(too_long)?;
    Ok(axum::Json(ReceiptFile {
        count,
        evidence: evidence.to_base64(),
    }))
}

/// The receipts that are meant, by the order in which they were kept; none where a statement would
/// have to begin before the audit log does.
fn newest(store: &Store, filter: &Filter) -> Result<Option<Vec<Blob>>, ReadError> {
    let begin = store.audit_begin()?;
    let mut high = store.audit_end()?;
    let mut found = Vec::new();
    // Whether the log goes back to before all that is meant. Its entries follow each other in the order in
    // which they were written, whatever a clock that was set back says: a statement reads all of them.
    let mut reaches = begin == 0;
    while high > begin && found.len() < filter.limit {
        let low = high.saturating_sub(READ).max(begin);
        let read = store.audit(low, usize::try_from(high - low).unwrap_or(usize::MAX))?;
        for (_, row) in read.into_iter().rev() {
            let Ok(entry) = cbor::decode::<AuditEntry>(&row.entry) else {
                continue;
            };
            if filter.is_before(&entry) && !filter.whole {
                return Ok(Some(oldest_first(found, filter)));
            }
            reaches = begin == 0 || filter.is_before(&entry);
            let meant = row.receipt.filter(|kept| is_meant(kept, &entry, filter));
            found.extend(meant);
        }
        high = low;
    }
    let whole = reaches || !filter.whole;
    Ok(whole.then(|| oldest_first(found, filter)))
}

fn oldest_first(mut found: Vec<Blob>, filter: &Filter) -> Vec<Blob> {
    found.truncate(filter.limit);
    found.reverse();
    found
}

fn is_meant(kept: &Blob, entry: &AuditEntry, filter: &Filter) -> bool {
    let receipt = cbor::decode::<KeptReceipt>(kept);
    let receipt = receipt.and_then(|kept| cbor::decode::<CallReceipt>(&kept.receipt));
    let other = entry.realm.as_ref();
    receipt.is_ok_and(|receipt| other.is_some_and(|other| filter.takes(&receipt, other)))
}

fn gone() -> Fail {
    let detail = "the audit log does not go back to the beginning of the statement";
    let problem = Problem::new(Code::TraceTooLong, detail);
    problem.with_hint("realmctl receipt ls --limit 1").into()
}

fn too_long() -> Fail {
    let detail = format!("one file holds at most {MOST} receipts");
    let problem = Problem::new(Code::TraceTooLong, detail);
    let hint = "realmctl receipt export --since TIME --until TIME --out FILE";
    problem.with_hint(hint).into()
}
