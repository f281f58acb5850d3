//! Lists of a run: what happened, what was tried, which tools were called.

use serde::Serialize;
use serde_json::Value;

use super::{Node, TraceTree, number, text};
use crate::api::{RunStatus, Time, TraceEvent};

/// Events that tell how a frame works, not how the run goes.
const DETAILS: [&str; 7] = [
    "call.input.validated",
    "call.output.validated",
    "call.backend.requested",
    "call.backend.responded",
    "call.tool.invoked",
    "call.tool.returned",
    "log",
];

/// One turn that a run took.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When.
    pub ts: Time,
    /// Milliseconds since the run began.
    pub after_ms: u64,
    /// The frame, by the loops that lead to it.
    pub path: String,
    /// The frame's call.
    pub call_id: String,
    /// `child.started`, `call.retried`, `run.paused`, ….
    #[serde(rename = "type")]
    pub kind: String,
    /// What is known about it.
    pub payload: Value,
}

/// One attempt at a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The frame, by the loops that lead to it.
    pub path: String,
    /// The frame's call.
    pub call_id: String,
    /// From one.
    pub attempt: u64,
    /// How it ended, or that it has not.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Time,
    /// Milliseconds it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Name of the failure, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What happened, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What may be done about the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Milliseconds until the next attempt, where that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolCall {
    /// The frame, by the loops that lead to it.
    pub path: String,
    /// The frame's call.
    pub call_id: String,
    /// What was called: `builtin:echo`, `http`, `process`.
    pub tool: String,
    /// Whether a result is recorded; `running` where none is, so that the outcome is unknown.
    pub status: RunStatus,
    /// When it was called.
    pub started_at: Time,
    /// Milliseconds it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The key under which the tool never acts twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Name of the failure, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl TraceTree {
    /// The turns the run took, by time.
    pub fn history(&self) -> Vec<HistoryEntry> {
        let start = self.trace.run.summary.started_at;
        let mut entries = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let turns: Vec<&usize> = node
                .events
                .iter()
                .filter(|index| {
                    let event = self.trace.events.get(**index);
                    event.is_some_and(|event| is_turn(at, &event.kind))
                })
                .collect();
            if turns.is_empty() {
                continue;
            }
            let path = self.path(at);
            for index in turns {
                let Some(event) = self.trace.events.get(*index) else {
                    continue;
                };
                let entry = HistoryEntry {
                    ts: event.ts,
                    after_ms: event.ts.since(start),
                    path: path.clone(),
                    call_id: event.call_id.clone(),
                    kind: event.kind.clone(),
                    payload: event.payload.clone(),
                };
                entries.push((*index, entry));
            }
        }
        entries.sort_by_key(|(index, _)| *index);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Every attempt at every call, call by call.
    pub fn attempts(&self) -> Vec<Attempt> {
        let attempts = self.nodes.iter().enumerate();
        attempts
            .flat_map(|(at, node)| self.attempts_of(at, node))
            .collect()
    }

    /// Every call of a tool, frame by frame.
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        let mut calls: Vec<ToolCall> = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let first = calls.len();
            for event in self.events(node) {
                match event.kind.as_str() {
                    "call.tool.invoked" => calls.push(ToolCall {
                        path: self.path(at),
                        call_id: event.call_id.clone(),
                        tool: text(&event.payload, "implementation").unwrap_or_default(),
                        status: RunStatus::Running,
                        started_at: event.ts,
                        duration_ms: None,
                        idempotency_key: text(&event.payload, "idempotencyKey"),
                        error: None,
                    }),
                    "call.tool.returned" | "call.errored" | "call.retried" => {
                        let open = calls.get_mut(first..).and_then(<[_]>::last_mut);
                        if let Some(call) = open.filter(|call| call.status == RunStatus::Running) {
                            end_tool_call(call, event);
                        }
                    }
                    _ => {}
                }
            }
        }
        calls
    }

    fn attempts_of(&self, at: usize, node: &Node) -> Vec<Attempt> {
        let path = self.path(at);
        let begin = |attempt, started_at| Attempt {
            path: path.clone(),
            call_id: node.frame.call_id.clone(),
            attempt,
            status: RunStatus::Running,
            started_at,
            duration_ms: None,
            error: None,
            message: None,
            category: None,
            delay_ms: None,
        };
        let counts = |event: &TraceEvent| {
            event.kind == "call.retried" || number(&event.payload, "attempt").is_some()
        };
        // A frame that does not count may be an attempt itself, which its caller counted.
        let counted = self.events(node).any(counts);
        let first = node.frame.attempts.filter(|_| !counted).unwrap_or(1);
        let mut attempts = Vec::new();
        let mut open = begin(first, node.frame.started_at);
        let mut next = None;
        let own = self.events(node);
        for event in own.filter(|event| !event.kind.starts_with("child.")) {
            let told = number(&event.payload, "attempt").filter(|told| *told > open.attempt);
            if event.kind == "call.retried" && next.is_none() {
                fail(&mut open, event);
                next = Some(told.unwrap_or_else(|| open.attempt.saturating_add(1)));
            } else if let Some(attempt) = told.or(next) {
                if next.take().is_none() {
                    open.status = RunStatus::Failed;
                    open.duration_ms = Some(event.ts.since(open.started_at));
                }
                attempts.push(std::mem::replace(&mut open, begin(attempt, event.ts)));
            }
        }
        if next.is_none() {
            let frame = &node.frame;
            let before = open.started_at.since(frame.started_at);
            open.status = frame.status;
            open.duration_ms = frame.duration_ms.map(|took| took.saturating_sub(before));
            (open.error, open.message) = (frame.error.clone(), frame.message.clone());
            open.category = frame.category.clone();
        }
        attempts.push(open);
        attempts
    }
}

fn is_turn(node: usize, kind: &str) -> bool {
    // The beginning and the end of a step are told by its caller.
    let told = node > 0 && matches!(kind, "call.started" | "call.completed");
    !told && !DETAILS.contains(&kind)
}

fn fail(attempt: &mut Attempt, event: &TraceEvent) {
    attempt.status = RunStatus::Failed;
    attempt.duration_ms = Some(event.ts.since(attempt.started_at));
    attempt.error = text(&event.payload, "failure");
    attempt.message = text(&event.payload, "message");
    attempt.category = text(&event.payload, "category");
    attempt.delay_ms = number(&event.payload, "delayMs");
}

fn end_tool_call(call: &mut ToolCall, event: &TraceEvent) {
    call.error = text(&event.payload, "failure");
    call.status = match event.kind.as_str() {
        "call.tool.returned" if call.error.is_none() => RunStatus::Completed,
        _ => RunStatus::Failed,
    };
    let took = number(&event.payload, "durationMs");
    call.duration_ms = Some(took.unwrap_or_else(|| event.ts.since(call.started_at)));
}
