//! The calls of a run, nested as they called each other.

use std::collections::BTreeMap;

use realm_client::api::{Frame, RunStatus};
use realm_protocol::{
    CallId,
    journal::{Event, Run},
    json,
};
use serde_json::Value;

use super::{
    Answer, Shared,
    extract::Segment,
    runs::{all_events, found, run_id, summary},
    views::time,
};

/// Calls nested in one tree; deeper ones are left out.
const DEPTH: usize = 64;

pub(super) async fn tree(daemon: Shared, Segment(id): Segment) -> Answer<Frame> {
    daemon.handle.settled().await?;
    let run = found(&daemon, run_id(&id)?).await?;
    let events = all_events(&daemon, run.id).await?;
    let frame = daemon.handle.read(move |node| {
        let mut root = build(&run, &events);
        let run = summary(node, &run);
        root.realm = run
            .peer
            .filter(|_| run.direction == realm_client::api::Direction::Out);
        root.version = root.version.or(run.version);
        root.status = run.status;
        root.duration_ms = run.duration_ms.or(root.duration_ms);
        root.error = run.error.or(root.error);
        root
    });
    Ok(axum::Json(frame.await?))
}

/// The frames of a run's trace below its first call.
fn build(run: &Run, events: &[Event]) -> Frame {
    let mut frames = BTreeMap::from([(run.call, Open::new(run.call, &run.loop_id, run.started))]);
    let mut step: Option<(CallId, String)> = None;
    for event in events {
        let payload = json::parse(&event.payload).unwrap_or(Value::Null);
        if event.kind == "child.started" {
            step = Some((event.call, text(&payload, "loopId").unwrap_or_default()));
        }
        let begins = !frames.contains_key(&event.call);
        let open = frames.entry(event.call).or_insert_with(|| {
            let (_, loop_id) = step.clone().unwrap_or((run.call, String::new()));
            Open::new(event.call, &loop_id, event.at)
        });
        open.note(&event.kind, &payload, event);
        if begins {
            let parent = text(&payload, "parentCallId").and_then(|parent| parent.parse().ok());
            let parent = parent.or_else(|| step.as_ref().map(|(frame, _)| *frame));
            let parent = parent
                .filter(|parent| *parent != event.call)
                .unwrap_or(run.call);
            if let Some(parent) = frames.get_mut(&parent) {
                parent.children.push(event.call);
            }
        }
    }
    nest(run.call, &mut frames, 0)
        .unwrap_or_else(|| Open::new(run.call, &run.loop_id, run.started).frame)
}

/// A frame whose children are still listed by their calls.
struct Open {
    frame: Frame,
    children: Vec<CallId>,
}

impl Open {
    /// `loop_id` may carry a realm after `@`.
    fn new(call: CallId, loop_id: &str, started: realm_protocol::Timestamp) -> Self {
        let (loop_id, realm) = match loop_id.split_once('@') {
            Some((loop_id, realm)) => (loop_id, Some(realm.to_owned())),
            None => (loop_id, None),
        };
        Self {
            frame: Frame {
                call_id: call.to_string(),
                loop_id: loop_id.to_owned(),
                version: None,
                realm,
                status: RunStatus::Running,
                started_at: time(started),
                duration_ms: None,
                error: None,
                children: Vec::new(),
            },
            children: Vec::new(),
        }
    }

    fn note(&mut self, kind: &str, payload: &Value, event: &Event) {
        let frame = &mut self.frame;
        match kind {
            "call.started" => {
                if let Some(loop_id) = text(payload, "loopId") {
                    frame.loop_id = loop_id;
                }
                frame.version = text(payload, "loopVersion").or(frame.version.take());
            }
            "call.sent" => frame.realm = text(payload, "realm").or(frame.realm.take()),
            "call.returned" => {
                frame.version = text(payload, "version").or(frame.version.take());
                frame.error = text(payload, "failure");
                frame.status = ended(frame.error.as_deref());
            }
            "call.completed" => frame.status = RunStatus::Completed,
            "call.errored" => {
                frame.error = text(payload, "failure");
                frame.status = ended(frame.error.as_deref());
            }
            _ => return,
        }
        if frame.status != RunStatus::Running {
            frame.duration_ms = Some(time(event.at).since(frame.started_at));
        }
    }
}

fn ended(failure: Option<&str>) -> RunStatus {
    match failure {
        None => RunStatus::Completed,
        Some("Cancelled") => RunStatus::Cancelled,
        Some(_) => RunStatus::Failed,
    }
}

fn nest(call: CallId, frames: &mut BTreeMap<CallId, Open>, depth: usize) -> Option<Frame> {
    let Open {
        mut frame,
        children,
    } = frames.remove(&call)?;
    if depth < DEPTH {
        let nested = children
            .into_iter()
            .filter_map(|child| nest(child, frames, depth + 1));
        frame.children = nested.collect();
    }
    Some(frame)
}

fn text(payload: &Value, key: &str) -> Option<String> {
    payload.get(key).and_then(Value::as_str).map(str::to_owned)
}
