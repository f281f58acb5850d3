//! One realm's half of a call: what it recorded, fetched and drawn.

use std::{collections::BTreeMap, time::Duration};

use realm_client::api::{Frame, RunQuery, RunStatus, Time, Trace, TraceEvent};
use serde::Serialize;
use serde_json::Value;
use tokio::time::interval;

use super::cast::Cast;
use crate::failure::Failure;

/// Looks for a record that may trail the answer by 50 ms.
const LOOKS: usize = 40;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// What one realm recorded of a call.
#[derive(Debug, Serialize)]
pub(super) struct Half {
    /// The realm.
    pub(super) realm: &'static str,
    /// The calls, nested.
    pub(super) tree: Frame,
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
            if let Some(run) = ended_run(cast, realm, call).await? {
                let client = cast.client(realm)?;
                return Ok(Some(Self {
                    realm,
                    tree: cast.ask(realm, client.tree(&run)).await?,
                    trace: cast.ask(realm, client.trace(&run)).await?,
                }));
            }
        }
        Ok(None)
    }

    /// The tree, one line a call and one an event, each no wider than `width`.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let mut events: BTreeMap<&str, Vec<&TraceEvent>> = BTreeMap::new();
        for event in &self.trace.events {
            events.entry(&event.call_id).or_default().push(event);
        }
        let mut lines = vec![title(&self.tree)];
        let start = self.trace.run.summary.started_at;
        draw(&self.tree, &events, start, "", &mut lines);
        lines.iter().map(|line| clip(line, width)).collect()
    }
}

/// The run of a call here, once it has ended.
async fn ended_run(cast: &Cast, realm: &str, call: &str) -> Result<Option<String>, Failure> {
    let query = RunQuery::default();
    let runs = cast.ask(realm, cast.client(realm)?.runs(&query)).await?;
    let mut ended = runs.items.into_iter().filter(|run| {
        let over = run.status != RunStatus::Running;
        over && run.call_id == call
    });
    Ok(ended.next().map(|run| run.id))
}

/// What stands below a call: its events and the calls it made, by time.
enum Below<'a> {
    Event(&'a TraceEvent),
    Call(&'a Frame),
}

fn draw(
    frame: &Frame,
    events: &BTreeMap<&str, Vec<&TraceEvent>>,
    start: Time,
    before: &str,
    lines: &mut Vec<String>,
) {
    let own = events.get(frame.call_id.as_str()).into_iter().flatten();
    // A child's beginning is told by the child itself.
    let own = own.filter(|event| !event.kind.starts_with("child."));
    let own = own.map(|event| (event.ts, Below::Event(event)));
    let children = frame.children.iter();
    let children = children.map(|child| (child.started_at, Below::Call(child)));
    let mut below: Vec<_> = own.chain(children).collect();
    below.sort_by_key(|(at, item)| (*at, is_end(item)));
    let last = below.len().saturating_sub(1);
    for (index, (at, item)) in below.iter().enumerate() {
        let (branch, space) = if index == last {
            ("└─", "   ")
        } else {
            ("├─", "│  ")
        };
        let after = format!("+{}", at.since(start));
        match item {
            Below::Event(event) => {
                let kind = event.kind.strip_prefix("call.").unwrap_or(&event.kind);
                let said = said(event);
                lines.push(format!("{before}{branch} {after:>5} {kind}{said}"));
            }
            Below::Call(child) => {
                lines.push(format!("{before}{branch} {after:>5} {}", title(child)));
                draw(child, events, start, &format!("{before}{space}"), lines);
            }
        }
    }
}

fn is_end(item: &Below<'_>) -> bool {
    let ends = ["call.output.validated", "call.completed", "call.errored"];
    matches!(item, Below::Event(event) if ends.contains(&event.kind.as_str()))
}

fn title(frame: &Frame) -> String {
    let at = frame.realm.as_ref().map(|realm| format!("@{realm}"));
    let version = frame.version.as_ref().map(|version| format!(" {version}"));
    let outcome = frame.error.as_deref().unwrap_or(frame.status.as_str());
    let took = frame.duration_ms.map(|took| format!(", {took} ms"));
    format!(
        "{}{}{}: {outcome}{}",
        frame.loop_id,
        at.unwrap_or_default(),
        version.unwrap_or_default(),
        took.unwrap_or_default()
    )
}

/// What is worth saying of an event.
fn said(event: &TraceEvent) -> String {
    let key = match event.kind.as_str() {
        "call.backend.requested" => "backendId",
        "call.tool.invoked" => "implementation",
        "call.errored" | "call.returned" => "failure",
        _ => return String::new(),
    };
    let text = event.payload.get(key).and_then(Value::as_str);
    text.map(|text| format!(" {text}")).unwrap_or_default()
}

/// Shortens a line to so many characters.
pub(super) fn clip(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}
