//! One realm's half of a call: what it recorded, fetched and drawn.

use std::{collections::BTreeMap, time::Duration};

use realm_client::api::{
    Frame, FrameTree, RunQuery, RunStatus, RunSummary, Time, Trace, TraceEvent,
};
use serde::Serialize;
use serde_json::Value;
use tokio::time::interval;

use super::cast::Cast;
use crate::failure::Failure;

/// Looks for a record that may trail the answer by 50 ms.
const LOOKS: usize = 200;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// What one realm recorded of a call.
#[derive(Debug, Serialize)]
pub(super) struct Half {
    /// The realm.
    pub(super) realm: &'static str,
    /// The calls, nested.
    pub(super) tree: FrameTree,
    /// What happened, in order.
    pub(super) trace: Trace,
}

impl Half {
    /// Asks a realm for its half; none if it recorded nothing of the call.
    pub(super) async fn of(
        cast: &Cast,
        realm: &'static str,
        call: &str,
    ) -> Result<Option<Self>, Failure> {
        let mut looks = interval(LOOK);
        for _ in 0..LOOKS {
            looks.tick().await;
            let run = run_of(cast, realm, call).await?;
            if let Some(run) = run.filter(|run| run.status != RunStatus::Running) {
                let client = cast.client(realm)?;
                return Ok(Some(Self {
                    realm,
                    tree: cast.ask(realm, client.tree(&run.id)).await?,
                    trace: cast.ask(realm, client.trace(&run.id)).await?,
                }));
            }
        }
        Ok(None)
    }

    /// Whether a realm ran nothing for a call.
    pub(super) async fn is_absent(cast: &Cast, realm: &str, call: &str) -> Result<bool, Failure> {
        Ok(run_of(cast, realm, call).await?.is_none())
    }

    /// The tree, one line a call and one an event.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut events: BTreeMap<&str, Vec<&TraceEvent>> = BTreeMap::new();
        for event in &self.trace.events {
            events.entry(&event.call_id).or_default().push(event);
        }
        let mut lines = vec![format!("{} recorded", self.realm), title(&self.tree.frame)];
        let start = self.trace.run.summary.started_at;
        draw(&self.tree, &events, start, "", &mut lines);
        lines
    }
}

/// The run of a call here.
async fn run_of(cast: &Cast, realm: &str, call: &str) -> Result<Option<RunSummary>, Failure> {
    let query = RunQuery::default();
    let runs = cast.ask(realm, cast.client(realm)?.runs(&query)).await?;
    Ok(runs.items.into_iter().find(|run| run.call_id == call))
}

/// What stands below a call: its events and the calls it made, by time.
enum Below<'a> {
    Event(&'a TraceEvent),
    Call(&'a FrameTree),
}

fn draw(
    tree: &FrameTree,
    events: &BTreeMap<&str, Vec<&TraceEvent>>,
    start: Time,
    before: &str,
    lines: &mut Vec<String>,
) {
    let own = events
        .get(tree.frame.call_id.as_str())
        .into_iter()
        .flatten();
    // A child's beginning is told by the child itself.
    let own = own.filter(|event| !event.kind.starts_with("child."));
    let own = own.map(|event| (event.ts, Below::Event(event)));
    let children = tree.children.iter();
    let children = children.map(|child| (child.frame.started_at, Below::Call(child)));
    let mut below: Vec<_> = own.chain(children).collect();
    below.sort_by_key(|(at, item)| (*at, is_end(item)));
    let last = below.len().saturating_sub(1);
    for (index, (at, item)) in below.iter().enumerate() {
        let (branch, space) = if index == last {
            ("└─", "   ")
        } else {
            ("├─", "│  ")
        };
        let after = format!("+{} ms", at.since(start));
        match item {
            Below::Event(event) => {
                let kind = event.kind.strip_prefix("call.").unwrap_or(&event.kind);
                let said = said(event);
                lines.push(format!("{before}{branch} {after:>8} {kind}{said}"));
            }
            Below::Call(child) => {
                lines.push(format!(
                    "{before}{branch} {after:>8} {}",
                    title(&child.frame)
                ));
                draw(child, events, start, &format!("{before}{space}"), lines);
            }
        }
    }
}

fn is_end(item: &Below<'_>) -> bool {
    let ends = [
        "call.output.validated",
        "call.completed",
        "call.errored",
        "call.answered",
    ];
    matches!(item, Below::Event(event) if ends.contains(&event.kind.as_str()))
}

/// A call on one line: what, how long, and how it ended if not well.
fn title(frame: &Frame) -> String {
    let at = frame.realm.as_ref().map(|realm| format!("@{realm}"));
    let version = frame.version.as_ref().map(|version| format!(" {version}"));
    let mut title = frame.loop_id.clone();
    title.extend(at.into_iter().chain(version));
    let ended = match (&frame.error, frame.status) {
        (Some(error), _) => Some(error.clone()),
        (None, RunStatus::Completed) => None,
        (None, status) => Some(status.as_str().to_owned()),
    };
    let took = frame.duration_ms.map(|took| format!("{took} ms"));
    for said in ended.into_iter().chain(took) {
        title.push_str(&format!(", {said}"));
    }
    title
}

/// What is worth saying of an event.
fn said(event: &TraceEvent) -> String {
    let text = |key| event.payload.get(key).and_then(Value::as_str);
    let said = match event.kind.as_str() {
        "call.backend.requested" => text("backendId").map(str::to_owned),
        "call.tool.invoked" => text("implementation").map(str::to_owned),
        "call.errored" | "call.returned" => text("failure").map(str::to_owned),
        "call.sent" => {
            let attempt = event.payload.get("attempt").and_then(Value::as_u64);
            let again = attempt.filter(|attempt| *attempt > 1);
            again.map(|attempt| format!("again, attempt {attempt}"))
        }
        _ => None,
    };
    said.map(|said| format!(" {said}")).unwrap_or_default()
}
