//! The audit log: its entries, and parts of it that prove themselves.

use realm_client::{
    api::{self, AuditFile, AuditQuery, Page},
    catalogue::Code,
};
use realm_node::{AuditPart, Node, export_audit};
use realm_protocol::{
    Scope, Timestamp,
    audit::{AuditDetails, AuditEntry, AuditOutcome, AuditRow, entry_digest},
    cbor,
    journal::Table,
    limits,
};
use realm_store::{ReadError, Store};

use super::{
    Answer, Shared,
    extract::{Params, invalid, page_size},
    problem::Fail,
    realms::place,
    runs::blocking,
    views::{short, time, timestamp},
};
use crate::daemon::Daemon;

/// Entries read from the store at a time.
const READ: u64 = 512;
/// Entries that are looked at for one page.
const LOOKED_AT: u64 = 65_536;

/// Which entries are meant.
struct Filter {
    loop_id: Option<String>,
    person: Option<String>,
    caller: Option<Scope>,
    action: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Filter {
    async fn of(daemon: &Daemon, query: AuditQuery) -> Result<Self, Fail> {
        Ok(Self {
            loop_id: query.loop_id,
            person: query.person,
            caller: place(daemon, query.caller).await?,
            action: query.action,
            since: query.since.map(timestamp),
            until: query.until.map(timestamp),
        })
    }

    fn takes(&self, entry: &AuditEntry, details: Option<&AuditDetails>) -> bool {
        let loop_id = entry.subject.as_deref().map(loop_of);
        let person = details.and_then(|details| details.person.as_ref());
        let within = |scope: &Scope| {
            let realm = entry.realm.as_ref();
            realm.is_some_and(|realm| scope.contains(realm))
        };
        let named = |action: &String| {
            entry.action == *action || action.ends_with('.') && entry.action.starts_with(action)
        };
        self.since.is_none_or(|since| since <= entry.at)
            && self.until.is_none_or(|until| entry.at < until)
            && self.action.as_ref().is_none_or(named)
            && self.caller.as_ref().is_none_or(within)
            && (self.loop_id.is_none() || self.loop_id.as_deref() == loop_id)
            && (self.person.is_none() || self.person.as_ref() == person)
    }
}

/// The loop in a subject, which may say a version.
fn loop_of(subject: &str) -> &str {
    subject
        .rsplit_once(':')
        .map_or(subject, |(loop_id, _)| loop_id)
}

/// An entry as it was read.
struct Found {
    row: AuditRow,
    entry: AuditEntry,
    details: Option<AuditDetails>,
}

impl Found {
    fn read(row: AuditRow) -> Option<Self> {
        let details = row.details.as_deref().map(cbor::decode);
        Some(Self {
            entry: cbor::decode(&row.entry).ok()?,
            details: details.transpose().ok()?,
            row,
        })
    }
}

pub(super) async fn list(
    daemon: Shared,
    Params(query): Params<AuditQuery>,
) -> Answer<Page<api::AuditEntry>> {
    let limit = page_size(query.limit);
    let before: u64 = match &query.cursor {
        None => u64::MAX,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| invalid(&format!("`{}` is no cursor", short(cursor))))?,
    };
    let filter = Filter::of(&daemon, query).await?;
    daemon.handle.settled().await?;
    let (found, next) =
        blocking(&daemon, move |store| newest(store, &filter, before, limit)).await?;
    let items = daemon
        .handle
        .read(move |node| found.iter().map(|found| view(node, found)).collect())
        .await?;
    let next = next.map(|next| next.to_string());
    Ok(axum::Json(Page { items, next }))
}

/// The newest entries before one that are meant, and before which to go on.
fn newest(
    store: &Store,
    filter: &Filter,
    before: u64,
    limit: usize,
) -> Result<(Vec<Found>, Option<u64>), ReadError> {
    let end = store.audit_end()?.min(before);
    let least = end.saturating_sub(LOOKED_AT);
    let mut high = end;
    let mut found = Vec::new();
    while high > least {
        let low = high.saturating_sub(READ).max(least);
        let read = store.audit(low, usize::try_from(high - low).unwrap_or(usize::MAX))?;
        let Some((first, _)) = read.first().cloned() else {
            return Ok((found, None));
        };
        for (index, row) in read.into_iter().rev() {
            let read = Found::read(row);
            found.extend(read.filter(|it| filter.takes(&it.entry, it.details.as_ref())));
            if found.len() == limit {
                return Ok((found, Some(index).filter(|index| *index > 0)));
            }
        }
        if first > low {
            // What comes before has been cut off.
            return Ok((found, None));
        }
        high = low;
    }
    Ok((found, Some(least).filter(|least| *least > 0)))
}

fn view(node: &Node, found: &Found) -> api::AuditEntry {
    let Found {
        row,
        entry,
        details,
    } = found;
    let details = details.as_ref();
    api::AuditEntry {
        index: entry.index,
        at: time(entry.at),
        action: entry.action.clone(),
        outcome: match entry.outcome {
            AuditOutcome::Success => api::AuditOutcome::Success,
            AuditOutcome::Failure => api::AuditOutcome::Failure,
            AuditOutcome::Refusal => api::AuditOutcome::Refusal,
            AuditOutcome::Cancelled => api::AuditOutcome::Cancelled,
        },
        error: entry.error.clone(),
        subject: entry.subject.clone(),
        realm: entry.realm.as_ref().map(|scope| node.name_of(scope)),
        person: details.and_then(|details| details.person.clone()),
        run_id: entry.run.map(|it| it.to_string()),
        call_id: entry.call.map(|it| it.to_string()),
        parent_run_id: entry.parent.map(|it| it.to_string()),
        contract: entry.contract.map(|it| it.to_string()),
        receipt: entry.receipt.map(|it| it.to_string()),
        input_digest: details.and_then(|it| Some(it.input?.to_string())),
        output_digest: details.and_then(|it| Some(it.output?.to_string())),
        currency: entry.cost.as_ref().map(|cost| cost.currency.clone()),
        cost_micros: entry.cost.as_ref().map(|cost| cost.micros),
        times: entry.times,
        why: details.and_then(|details| details.why.clone()),
        previous: entry.previous.to_string(),
        digest: entry_digest(&row.entry).to_string(),
        erased: row.details.is_none(),
    }
}

pub(super) async fn export(daemon: Shared, Params(query): Params<AuditQuery>) -> Answer<AuditFile> {
    let filter = Filter::of(&daemon, query).await?;
    let signed = daemon
        .handle
        .read(|node| (node.audit_head(), node.bare_chain()));
    let (head, chain) = signed.await?;
    // What the head rests on is durable before anybody sees it.
    daemon.handle.settled().await?;
    let Some(head) = head else {
        return Err(too_long());
    };
    let (since, until) = (filter.since, filter.until);
    let part = blocking(&daemon, move |store| {
        let mut heads: Vec<Vec<u8>> = Vec::new();
        store.each_record(Table::AuditHeads, |_, value| heads.push(value.to_vec()))?;
        let begin = store.audit_begin()?;
        let mut part = AuditPart::new(head, &heads, begin, (since, until));
        while let Some((from, limit)) = part.wants() {
            let read = store.audit(from, limit)?;
            if read.is_empty() {
                break;
            }
            part.take(read);
        }
        Ok(part)
    })
    .await?;
    let takes = |entry: &AuditEntry, details: Option<&AuditDetails>| filter.takes(entry, details);
    let made = export_audit(part, chain, takes).map_err(|error| {
        let problem = realm_client::api::Problem::new(Code::StoreCorrupt, error.to_string());
        Fail::from(problem.with_hint("realmd store check"))
    })?;
    let Some(made) = made else {
        return Err(too_long());
    };
    Ok(axum::Json(AuditFile {
        first: made.first,
        count: made.count,
        shown: made.shown,
        evidence: made.evidence.to_base64(),
    }))
}

fn too_long() -> Fail {
    let most = limits::AUDIT_PAGES * limits::AUDIT_ITEMS;
    let detail = format!("one export holds at most {most} entries");
    let problem = realm_client::api::Problem::new(Code::TraceTooLong, detail);
    let hint = "realmctl audit export --since TIME --until TIME";
    problem.with_hint(hint).into()
}
