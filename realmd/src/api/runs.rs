//! Runs and their traces.

use realm_client::{
    api::{
        CallError, Direction, Erasure, Page, Problem, RunDetail, RunQuery, RunStatus, RunSummary,
        Trace, TraceEvent, TraceQuery,
    },
    catalogue::Code,
    trace::TraceParts,
};
use realm_node::Node;
use realm_protocol::{
    FailureCode, RunId,
    journal::{self, Event, Run},
    json,
};
use realm_store::Store;
use serde_json::Value;

use super::{
    Answer, Shared,
    extract::{Params, Segment, invalid, page_size},
    problem::Fail,
    views::{journal_name, realm_name, short, time, timestamp},
};
use crate::daemon::Daemon;

/// Events read from the store at a time.
pub(super) const EVENTS: usize = 1_000;
/// The event that tells why a call failed.
const ERRORED: &str = "call.errored";
/// Bytes of events after which one answer gets no more of them.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of an event beside its payload, about.
const EVENT_BYTES: usize = 128;

pub(super) async fn list(
    daemon: Shared,
    Params(query): Params<RunQuery>,
) -> Answer<Page<RunSummary>> {
    let RunQuery {
        loop_id,
        peer,
        status,
        direction,
        parent,
        since,
        until,
        limit,
        cursor,
    } = query;
    let peer = match peer {
        Some(name) => Some(stored_peer(&daemon, &name).await?),
        None => None,
    };
    let query = realm_store::RunQuery {
        since: since.map(timestamp),
        until: until.map(timestamp),
        loop_id,
        peer,
        status: status.map(stored_status),
        direction: direction.map(stored_direction),
        parent: parent.map(|parent| run_id(&parent)).transpose()?,
        before: cursor.map(|cursor| run_id(&cursor)).transpose()?,
        limit: page_size(limit),
    };
    daemon.handle.settled().await?;
    let page = blocking(&daemon, move |store| store.runs(&query)).await?;
    let next = page.next.map(|run| run.to_string());
    let items = page.items;
    let items = daemon
        .handle
        .read(move |node| items.iter().map(|run| summary(node, run)).collect())
        .await?;
    Ok(axum::Json(Page { items, next }))
}

/// The text that the journal holds for a realm with this name.
async fn stored_peer(daemon: &Daemon, name: &str) -> Result<String, Fail> {
    let name = realm_name(name)?;
    let found = daemon
        .handle
        .read(move |node| node.resolve_name(&name).map(|scope| node.name_of(&scope)));
    Ok(found.await??)
}

pub(super) async fn show(daemon: Shared, Segment(id): Segment) -> Answer<RunDetail> {
    daemon.handle.settled().await?;
    let run = found(&daemon, run_id(&id)?).await?;
    let events = told_failure(&daemon, &run).await?;
    Ok(axum::Json(
        daemon
            .handle
            .read(move |node| detail(node, &run, &events))
            .await?,
    ))
}

pub(super) async fn trace(
    daemon: Shared,
    Segment(id): Segment,
    Params(query): Params<TraceQuery>,
) -> Answer<Trace> {
    let TraceQuery { cursor } = query;
    let from = match cursor {
        None => 0,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| invalid(&format!("`{}` is no cursor", short(&cursor))))?,
    };
    Ok(axum::Json(part(&daemon, run_id(&id)?, from).await?))
}

/// This realm's half of a run's trace, whole.
pub(super) async fn recorded(daemon: &Daemon, id: RunId) -> Result<Trace, Fail> {
    let mut parts = TraceParts::new(part(daemon, id, 0).await?);
    while parts.next().is_some() {
        let more = part(daemon, id, parts.read()).await?;
        parts.add(more).map_err(|error| {
            let problem = Problem::new(Code::TraceTooLong, error.to_string());
            Fail::from(problem.with_hint(error.hint())).about(id)
        })?;
    }
    Ok(parts.whole())
}

/// The events of a run from one on, as many as an answer should hold. What failed is told in
/// detail by the part that holds its event, which is the last.
async fn part(daemon: &Daemon, id: RunId, from: u64) -> Result<Trace, Fail> {
    daemon.handle.settled().await?;
    let run = found(daemon, id).await?;
    let (events, next) = blocking(daemon, move |store| {
        let (mut events, mut bytes): (Vec<Event>, usize) = (Vec::new(), 0);
        loop {
            let next = from.saturating_add(events.len() as u64);
            let read = store.events(id, next, EVENTS)?;
            let last = read.len() < EVENTS;
            bytes = bytes.saturating_add(read.iter().map(event_bytes).sum());
            events.extend(read);
            if last {
                return Ok((events, None));
            }
            if bytes >= PART_BYTES {
                let next = from.saturating_add(events.len() as u64);
                return Ok((events, Some(next)));
            }
        }
    })
    .await?;
    let trace = daemon.handle.read(move |node| Trace {
        run: detail(node, &run, &events),
        events: events.iter().map(event).collect(),
        next: next.map(|next| next.to_string()),
    });
    Ok(trace.await?)
}

/// How long an event is in an answer, about.
fn event_bytes(event: &Event) -> usize {
    event.payload.len().saturating_add(EVENT_BYTES)
}

/// Reads the store on a thread that may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    daemon: &Daemon,
    read: impl FnOnce(&Store) -> Result<T, realm_store::ReadError> + Send + 'static,
) -> Result<T, Fail> {
    let store = daemon.store.clone();
    let read = tokio::task::spawn_blocking(move || read(&store)).await?;
    Ok(read?)
}

/// Reads a run's id.
pub(super) fn run_id(text: &str) -> Result<RunId, Fail> {
    text.parse()
        .map_err(|_| invalid(&format!("`{}` is no run", short(text))))
}

/// The run of that id.
pub(super) async fn found(daemon: &Daemon, id: RunId) -> Result<Run, Fail> {
    let run = blocking(daemon, move |store| store.run(id)).await?;
    run.ok_or_else(|| Fail::new(Code::NotFound, format!("there is no run {id}")).about(id))
}

/// The last event that tells of a run's failure, if it failed. However long the trace is, only a
/// part of it is held.
pub(super) async fn told_failure(daemon: &Daemon, run: &Run) -> Result<Vec<Event>, Fail> {
    if run.error.is_none() {
        return Ok(Vec::new());
    }
    let run = run.id;
    blocking(daemon, move |store| {
        let (mut from, mut told) = (0_u64, Vec::new());
        loop {
            let read = store.events(run, from, EVENTS)?;
            let last = read.len() < EVENTS;
            from = from.saturating_add(read.len() as u64);
            let errored = read.into_iter().rfind(|event| event.kind == ERRORED);
            if let Some(event) = errored {
                told = vec![event];
            }
            if last {
                return Ok(told);
            }
        }
    })
    .await
}

/// A run without its payload.
pub(super) fn summary(node: &Node, run: &Run) -> RunSummary {
    RunSummary {
        id: run.id.to_string(),
        call_id: run.call.to_string(),
        loop_id: run.loop_id.clone(),
        version: run.version.clone(),
        direction: match run.direction {
            journal::Direction::Local => Direction::Local,
            journal::Direction::Out => Direction::Out,
            journal::Direction::In => Direction::In,
        },
        peer: run.peer.as_deref().map(|peer| journal_name(node, peer)),
        status: status(run.status),
        halted: node.is_run_halted(run.id),
        started_at: time(run.started),
        ended_at: run.ended.map(time),
        duration_ms: run.ended.map(|ended| ended.since(run.started)),
        error: run.error.clone(),
        parent: run.parent.map(|parent| parent.to_string()),
        erased: run.erased.as_ref().map(|erased| Erasure {
            at: time(erased.at),
            by: erased.by.clone(),
        }),
    }
}

/// A run with its payload.
pub(super) fn detail(node: &Node, run: &Run, events: &[Event]) -> RunDetail {
    let parse = |bytes: &[u8]| json::parse(bytes).ok();
    let completed = run.status == journal::Status::Completed;
    RunDetail {
        summary: summary(node, run),
        input: run.input.as_deref().and_then(parse),
        output: run.output.as_deref().filter(|_| completed).and_then(parse),
        failure: failure(node, run, events),
        approvals: node
            .approvals(Some(run.id), false)
            .iter()
            .map(|asked| asked.id.to_string())
            .collect(),
    }
}

/// Why a run failed: its own words, and the details of the trace.
pub(super) fn failure(node: &Node, run: &Run, events: &[Event]) -> Option<CallError> {
    let name = run.error.clone()?;
    let told = events.iter().rev().find(|event| event.kind == ERRORED);
    let told = told
        .and_then(|event| json::parse(&event.payload).ok())
        .unwrap_or(Value::Null);
    let message = run.output.as_deref().map(String::from_utf8_lossy);
    let details = told.get("details").and_then(Value::as_array);
    let details = details.map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned));
    let text = |key: &str| told.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(CallError {
        code: Code::of_failure_name(&name)
            .unwrap_or(Code::Internal)
            .to_string(),
        message: message.map_or_else(|| text("message").unwrap_or_default(), Into::into),
        details: details.map(Iterator::collect).unwrap_or_default(),
        realm: text("realm"),
        reference: text("reference"),
        retry_after_ms: told.get("retryAfterMs").and_then(Value::as_u64),
        help: (name == FailureCode::SchemaInput.name())
            .then(|| format!("realmctl loop show {} --example", address(node, run))),
        name,
    })
}

/// The loop of a run as it is addressed from here.
fn address(node: &Node, run: &Run) -> String {
    match (&run.peer, run.direction) {
        (Some(peer), journal::Direction::Out) => {
            format!("{}@{}", run.loop_id, journal_name(node, peer))
        }
        _ => run.loop_id.clone(),
    }
}

/// An event of a trace.
pub(super) fn event(event: &Event) -> TraceEvent {
    TraceEvent {
        index: event.index,
        call_id: event.call.to_string(),
        ts: time(event.at),
        kind: event.kind.clone(),
        payload: json::parse(&event.payload).unwrap_or(Value::Null),
    }
}

/// Where a run stands.
pub(super) const fn status(status: journal::Status) -> RunStatus {
    match status {
        journal::Status::Running => RunStatus::Running,
        journal::Status::Completed => RunStatus::Completed,
        journal::Status::Failed => RunStatus::Failed,
        journal::Status::Cancelled => RunStatus::Cancelled,
        journal::Status::Paused => RunStatus::Paused,
    }
}

const fn stored_status(status: RunStatus) -> journal::Status {
    match status {
        RunStatus::Running => journal::Status::Running,
        RunStatus::Completed => journal::Status::Completed,
        RunStatus::Failed => journal::Status::Failed,
        RunStatus::Cancelled => journal::Status::Cancelled,
        RunStatus::Paused => journal::Status::Paused,
    }
}

const fn stored_direction(direction: Direction) -> journal::Direction {
    match direction {
        Direction::Local => journal::Direction::Local,
        Direction::Out => journal::Direction::Out,
        Direction::In => journal::Direction::In,
    }
}
