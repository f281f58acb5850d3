//! What traces give: histories, attempts, calls of tools, differences.

use realm_client::trace::{Attempt, Difference, HistoryEntry, ToolCall, TraceDiff};
use serde_json::Value;

use super::{Row, moment, payload, span, span_or, text};
use crate::output::{Block, Show};

impl Row for HistoryEntry {
    const HEADER: &'static [&'static str] = &["AT", "FRAME", "EVENT", "WHAT", "CALL"];
    const NARROW: usize = 4;

    fn name(&self) -> String {
        self.kind.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            format!("+{}", span(self.after_ms)),
            self.path.clone(),
            self.kind.clone(),
            payload(&self.payload),
            self.call_id.clone(),
        ]
    }
}

impl Row for Attempt {
    const HEADER: &'static [&'static str] = &[
        "FRAME",
        "ATTEMPT",
        "STATUS",
        "STARTED",
        "TOOK",
        "ERROR",
        "CATEGORY",
        "NEXT AFTER",
        "MESSAGE",
        "CALL",
    ];
    const NARROW: usize = 8;

    fn name(&self) -> String {
        format!("{}/{}", self.call_id, self.attempt)
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.path.clone(),
            self.attempt.to_string(),
            self.status.as_str().to_owned(),
            moment(self.started_at),
            span_or(self.duration_ms),
            text(self.error.as_ref()),
            text(self.category.as_ref()),
            span_or(self.delay_ms),
            text(self.message.as_ref()),
            self.call_id.clone(),
        ]
    }
}

impl Row for ToolCall {
    const HEADER: &'static [&'static str] = &[
        "FRAME", "TOOL", "STATUS", "STARTED", "TOOK", "ERROR", "KEY", "CALL",
    ];
    const NARROW: usize = 6;

    fn name(&self) -> String {
        self.call_id.clone()
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.path.clone(),
            self.tool.clone(),
            self.status.as_str().to_owned(),
            moment(self.started_at),
            span_or(self.duration_ms),
            text(self.error.as_ref()),
            text(self.idempotency_key.as_ref()),
            self.call_id.clone(),
        ]
    }
}

impl Show for TraceDiff {
    fn names(&self) -> Vec<String> {
        let differences = self.differences.iter();
        differences
            .map(|difference| difference.path.clone())
            .collect()
    }

    fn blocks(&self, wide: bool) -> Vec<Block> {
        if self.equal {
            let frames = self.frames;
            let plural = if frames == 1 { "" } else { "s" };
            return vec![Block::Text(format!("equal, {frames} frame{plural}"))];
        }
        let row = |difference: &Difference| {
            let mut row = vec![
                difference.path.clone(),
                difference.aspect.as_str().to_owned(),
                text(difference.left.as_ref()),
                text(difference.right.as_ref()),
                text(difference.left_call.as_ref()),
                text(difference.right_call.as_ref()),
            ];
            row.truncate(if wide { 6 } else { 4 });
            row
        };
        let mut header = vec!["FRAME", "WHAT", "LEFT", "RIGHT", "LEFT CALL", "RIGHT CALL"];
        header.truncate(if wide { 6 } else { 4 });
        vec![Block::Table(
            header,
            self.differences.iter().map(row).collect(),
        )]
    }

    fn items(&self) -> Option<Vec<Value>> {
        self.differences
            .iter()
            .map(|difference| serde_json::to_value(difference).ok())
            .collect()
    }
}
