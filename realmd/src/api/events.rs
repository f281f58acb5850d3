//! A run's events as they become durable: server-sent events.
//!
//! The store is the only source; a commit only wakes. So nothing is lost between what is read and
//! what is heard, nothing comes twice, and nothing is told before it is durable.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::{self, KeepAlive, Sse};
use futures::{FutureExt as _, Stream, stream};
use http::HeaderMap;
use realm_client::api::{InvokeResult, InvokeStatus};
use realm_protocol::{
    RunId,
    journal::{Event, Run, Status},
    json,
};
use tokio::sync::watch;

use super::{
    Shared,
    extract::{Segment, invalid},
    invoke::unfinished,
    listener::Listener,
    problem::Fail,
    runs::{blocking, event, failure, found, run_id, summary, told_failure},
    views::time,
};
use crate::{daemon::Daemon, journal::Durability};

/// Events read at once: what somebody who reads slowly holds in memory.
const AT_ONCE: usize = 32;
/// Time between signs of life.
const PING: Duration = Duration::from_secs(20);

pub(super) async fn events(
    daemon: Shared,
    listener: Listener,
    headers: HeaderMap,
    Segment(id): Segment,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Fail> {
    let run = found(&daemon, run_id(&id)?).await?;
    let run_of = run.id;
    let next = match headers.get("last-event-id") {
        None => 0,
        Some(last) => last
            .to_str()
            .ok()
            .and_then(|last| last.parse::<u64>().ok())
            .and_then(|last| last.checked_add(1))
            .ok_or_else(|| invalid("Last-Event-ID is no index of an event"))?,
    };
    // Whoever names an index that there is not yet wants what comes from now on.
    let look = move |node: &realm_node::Node| node.events_of(run_of);
    let so_far = daemon.handle.read(look).await?;
    let next = so_far.map_or(next, |so_far| next.min(so_far));
    let following = Following {
        wakes: daemon.durability.clone(),
        daemon: Arc::clone(&daemon.0),
        listener,
        run: run.id,
        next,
        read: VecDeque::new(),
        over: false,
    };
    let stream = stream::unfold(following, |mut following| async {
        following.step().await.map(|event| (Ok(event), following))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(PING)))
}

/// Somebody who listens to a run.
struct Following {
    daemon: Arc<Daemon>,
    listener: Listener,
    wakes: watch::Receiver<Durability>,
    run: RunId,
    /// Index of the next event to read.
    next: u64,
    /// Events read and not yet told.
    read: VecDeque<Event>,
    over: bool,
}

impl Following {
    /// The next thing to tell; none when the stream is over, or whoever listens may no longer.
    async fn step(&mut self) -> Option<sse::Event> {
        loop {
            if self.listener.doubt().now_or_never().is_some() {
                self.listener.check(&self.daemon).await.ok()?;
            }
            if let Some(next) = self.read.pop_front() {
                return encode("trace", &event(&next)).map(|told| told.id(next.index.to_string()));
            }
            if self.over {
                return None;
            }
            self.wakes.mark_unchanged();
            // The run is read first: once it has ended, every event of it is there.
            let run = found(&self.daemon, self.run).await.ok()?;
            let (id, from) = (self.run, self.next);
            let events = blocking(&self.daemon, move |store| store.events(id, from, AT_ONCE));
            self.read.extend(events.await.ok()?);
            if let Some(last) = self.read.back() {
                self.next = last.index.saturating_add(1);
            } else if !matches!(run.status, Status::Running | Status::Paused) {
                self.over = true;
                let result = ended(&self.daemon, run).await?;
                return encode("end", &result);
            } else {
                tokio::select! {
                    biased;
                    () = self.daemon.stop.cancelled() => return None,
                    () = self.listener.doubt() => {
                        self.listener.check(&self.daemon).await.ok()?;
                    }
                    changed = self.wakes.changed() => changed.ok()?,
                }
            }
        }
    }
}

/// The result of a run that has ended.
async fn ended(daemon: &Daemon, run: Run) -> Option<InvokeResult> {
    let events = told_failure(daemon, &run).await.ok()?;
    let look = move |node: &realm_node::Node| {
        let error = failure(node, &run, &events);
        let realm = summary(node, &run).peer;
        InvokeResult {
            realm: realm.filter(|_| run.direction == realm_protocol::journal::Direction::Out),
            status: if error.is_none() {
                InvokeStatus::Ok
            } else {
                InvokeStatus::Error
            },
            output: match error {
                None => run
                    .output
                    .as_deref()
                    .and_then(|output| json::parse(output).ok()),
                Some(_) => None,
            },
            error,
            ended_at: run.ended.map(time),
            duration_ms: run.ended.map(|ended| ended.since(run.started)),
            ..unfinished(&run)
        }
    };
    daemon.handle.read(look).await.ok()
}

/// One event of the stream. JSON on one line always fits; none only where it cannot be written.
pub(super) fn encode(kind: &str, content: &impl serde::Serialize) -> Option<sse::Event> {
    sse::Event::default().event(kind).json_data(content).ok()
}
