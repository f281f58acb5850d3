//! Runs, traces, results.

use realm_client::api::{
    BroadcastResult, CallError, CancelResult, EraseResult, Frame, FrameTree, InvokeResult,
    RunDetail, RunExplanation, RunSummary, Spend, StreamPart, Trace, TraceEvent, Withdrawal,
};
use serde_json::Value;

use super::{Row, evidence::below, moment, moment_or, span, span_or, text, tree};
use crate::output::{Block, Show, json_line};

/// Characters of a failure's message in a tree.
const BRIEF: usize = 80;

impl Row for RunSummary {
    const HEADER: &'static [&'static str] = &[
        "RUN",
        "LOOP",
        "DIRECTION",
        "PEER",
        "STATUS",
        "STARTED",
        "TOOK",
        "ERROR",
        "VERSION",
        "CALL",
    ];
    const NARROW: usize = 8;

    fn name(&self) -> String {
        self.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.loop_id.clone(),
            self.direction.as_str().to_owned(),
            text(self.peer.as_ref()),
            standing(self),
            moment(self.started_at),
            span_or(self.duration_ms),
            text(self.error.as_ref()),
            text(self.version.as_ref()),
            self.call_id.clone(),
        ]
    }
}

impl Show for RunSummary {
    fn names(&self) -> Vec<String> {
        vec![self.id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Fields(summary(self))]
    }
}

impl Show for RunExplanation {
    fn names(&self) -> Vec<String> {
        vec![self.run.id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut text = self.text.clone();
        if let Some(help) = &self.help {
            text = format!("{text}\nhelp: {help}");
        }
        vec![Block::Text(text)]
    }
}

/// Where a run stands.
fn standing(run: &RunSummary) -> String {
    let standing = if run.halted {
        "halted"
    } else {
        run.status.as_str()
    };
    standing.to_owned()
}

fn summary(run: &RunSummary) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("run", run.id.clone()),
        ("call", run.call_id.clone()),
        (
            "loop",
            format!("{} {}", run.loop_id, run.version.as_deref().unwrap_or("")),
        ),
        ("direction", run.direction.as_str().to_owned()),
        ("peer", text(run.peer.as_ref())),
        ("status", standing(run)),
        ("started", moment(run.started_at)),
        ("took", span_or(run.duration_ms)),
    ];
    let erased = run.erased.as_ref();
    fields.extend(erased.map(|it| ("erased", format!("by {} at {}", it.by, moment(it.at)))));
    fields
}

impl Row for EraseResult {
    const HEADER: &'static [&'static str] = &[
        "RUN", "LOOP", "BYTES", "EVENTS", "ANSWERS", "ERASED", "INPUT", "OUTPUT",
    ];
    const NARROW: usize = 6;

    fn name(&self) -> String {
        self.run.id.clone()
    }

    fn cells(&self) -> Vec<String> {
        let erased = self.run.erased.as_ref().filter(|_| !self.dry_run);
        vec![
            self.run.id.clone(),
            self.run.loop_id.clone(),
            self.bytes.to_string(),
            self.events.to_string(),
            self.answers.to_string(),
            moment_or(erased.map(|it| it.at)),
            text(self.input_digest.as_ref()),
            text(self.output_digest.as_ref()),
        ]
    }
}

impl Show for CancelResult {
    fn names(&self) -> Vec<String> {
        vec![self.run.id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = summary(&self.run);
        for it in &self.withdrawn {
            let Withdrawal {
                run_id,
                loop_id,
                ending,
                confirmed,
                silent,
                confirmed_below,
                silent_below,
            } = it;
            fields.push(("announced", format!("{loop_id}: {ending}, run {run_id}")));
            for (said, winners) in [("confirmed", confirmed), ("silent", silent)] {
                if !winners.is_empty() {
                    fields.push((said, winners.join(", ")));
                }
            }
            fields.extend(below(*confirmed_below, *silent_below).map(|told| ("below", told)));
        }
        vec![Block::Fields(fields)]
    }
}

impl Show for RunDetail {
    fn names(&self) -> Vec<String> {
        vec![self.summary.id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        let mut fields = summary(&self.summary);
        if let Some(error) = &self.failure {
            fields.push(("error", failure(error)));
        }
        if !self.approvals.is_empty() {
            fields.push(("waits for", self.approvals.join(", ")));
        }
        let payload = [("input", &self.input), ("output", &self.output)];
        fields.extend(
            payload
                .into_iter()
                .filter_map(|(name, value)| value.as_ref().map(|value| (name, value.to_string()))),
        );
        vec![Block::Fields(fields)]
    }
}

fn failure(error: &CallError) -> String {
    let details = error.details.iter().map(|detail| format!("; {detail}"));
    format!(
        "{} {}: {}{}",
        error.code,
        error.name,
        error.message,
        details.collect::<String>()
    )
}

impl Show for Trace {
    fn names(&self) -> Vec<String> {
        self.run.names()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        let start = self.run.summary.started_at;
        let row = |event: &TraceEvent| {
            let mut row = vec![
                format!("+{}", span(event.ts.since(start))),
                event.kind.clone(),
                payload(&event.payload),
            ];
            row.push(event.call_id.clone());
            row.truncate(if wide { 4 } else { 3 });
            row
        };
        let mut header = vec!["AT", "EVENT", "WHAT", "CALL"];
        header.truncate(if wide { 4 } else { 3 });
        let events = Block::Table(header, self.events.iter().map(row).collect());
        vec![Block::Fields(summary(&self.run.summary)), events]
    }

    fn items(&self) -> Option<Vec<Value>> {
        self.events
            .iter()
            .map(|event| serde_json::to_value(event).ok())
            .collect()
    }
}

/// A payload's members on one line: `name=value`.
pub(crate) fn payload(payload: &Value) -> String {
    let Value::Object(members) = payload else {
        return if payload.is_null() {
            String::new()
        } else {
            payload.to_string()
        };
    };
    let member = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    members.iter().map(member).collect::<Vec<_>>().join(" ")
}

impl Show for FrameTree {
    fn names(&self) -> Vec<String> {
        vec![self.frame.call_id.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Text(tree(self, &branch, &|frame| {
            frame.children.as_slice()
        }))]
    }
}

pub(super) fn branch(tree: &FrameTree) -> String {
    let children = tree.children.iter();
    let below = children.map(|child| &child.frame.error);
    // What failed below says why there.
    let told = below.flatten().next().is_some();
    let message = tree.frame.message.as_ref().filter(|_| !told);
    let message = message.map(|message| format!("  {}", brief(message)));
    let omitted = tree
        .omitted
        .map(|count| format!("  … {count} more calls below: realmctl trace export"));
    let line = [Some(frame(&tree.frame)), message, omitted];
    line.into_iter().flatten().collect()
}

/// The beginning of a text, on one line.
fn brief(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(BRIEF) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

fn frame(frame: &Frame) -> String {
    let part = |before: &str, text: Option<&String>| {
        text.map(|text| format!("{before}{text}"))
            .unwrap_or_default()
    };
    let item = frame.item.map(|item| format!("[{item}]"));
    let attempts = frame.attempts.filter(|attempts| *attempts > 1);
    let attempts = attempts.map(|attempts| format!("  {attempts} attempts"));
    let fallback = if frame.fallback { "  fallback" } else { "" };
    format!(
        "{}{}{}{}  {}{}  {}{}{fallback}{}",
        frame.loop_id,
        part("@", frame.realm.as_ref()),
        item.unwrap_or_default(),
        part(" ", frame.version.as_ref()),
        frame.status.as_str(),
        part(" ", frame.error.as_ref()),
        span_or(frame.duration_ms),
        attempts.unwrap_or_default(),
        spent(frame).unwrap_or_default(),
    )
}

/// What a frame and all below it have used, and of what, where it had a budget or used what costs.
fn spent(frame: &Frame) -> Option<String> {
    let costs =
        |spent: &&Spend| frame.budget.is_some() || !spent.money.is_empty() || spent.tokens > 0;
    let spent = frame.spent.as_ref().filter(costs)?;
    Some(match &frame.budget {
        Some(budget) => format!("  spent {spent} of {budget}"),
        None => format!("  spent {spent}"),
    })
}

impl Show for BroadcastResult {
    fn names(&self) -> Vec<String> {
        vec![self.run_id.clone()]
    }

    /// The output alone, so that it can be piped on.
    fn blocks(&self, _: bool) -> Vec<Block> {
        let output = self.output.as_ref();
        let output = output.and_then(|output| json_line(output).ok());
        vec![Block::Text(output.unwrap_or_default())]
    }
}

impl Show for StreamPart {
    fn names(&self) -> Vec<String> {
        vec![self.text.clone()]
    }

    fn blocks(&self, _: bool) -> Vec<Block> {
        vec![Block::Text(self.text.clone())]
    }
}

impl Show for InvokeResult {
    fn names(&self) -> Vec<String> {
        vec![self.run_id.clone()]
    }

    /// The output alone, so that it can be piped on.
    fn blocks(&self, _: bool) -> Vec<Block> {
        let output = self
            .output
            .as_ref()
            .and_then(|output| json_line(output).ok());
        vec![Block::Text(output.unwrap_or_default())]
    }
}
