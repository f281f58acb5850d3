//! A row a frame, or an entry of the audit log, as RFC 4180 has it.

use realm_client::{
    api::AuditEntry,
    trace::{Node, TraceTree},
};

const HEADER: [&str; 30] = [
    "call",
    "parent",
    "depth",
    "step",
    "branch",
    "item",
    "fallback",
    "loop",
    "version",
    "contract",
    "realm",
    "caller",
    "status",
    "error",
    "message",
    "category",
    "attempts",
    "started",
    "durationMs",
    "critical",
    "backend",
    "model",
    "promptVersion",
    "inputTokens",
    "outputTokens",
    "costMicros",
    "tool",
    "toolCalls",
    "inputDigest",
    "outputDigest",
];

/// Writes the frames of a trace, depth first, under a header. Payloads stay out of it.
pub fn csv(tree: &TraceTree) -> String {
    let mut out = String::new();
    line(&mut out, HEADER.map(str::to_owned).into_iter());
    for node in &tree.nodes {
        let parent = node.parent.and_then(|parent| tree.nodes.get(parent));
        let parent = parent.map(|parent| parent.frame.call_id.clone());
        line(&mut out, row(node, parent));
    }
    out
}

fn row(node: &Node, parent: Option<String>) -> impl Iterator<Item = String> + use<> {
    let frame = &node.frame;
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let cells: [_; HEADER.len()] = [
        Some(frame.call_id.clone()),
        parent,
        Some(node.depth.to_string()),
        number(frame.step),
        number(frame.branch),
        number(frame.item),
        Some(frame.fallback.to_string()),
        Some(frame.loop_id.clone()),
        frame.version.clone(),
        frame.contract.clone(),
        frame.realm.clone(),
        frame.caller.clone(),
        Some(frame.status.as_str().to_owned()),
        frame.error.clone(),
        frame.message.clone(),
        frame.category.clone(),
        number(frame.attempts),
        Some(frame.started_at.to_string()),
        number(frame.duration_ms),
        Some(node.critical.to_string()),
        frame.backend.clone(),
        frame.model.clone(),
        frame.prompt_version.clone(),
        number(frame.input_tokens),
        number(frame.output_tokens),
        number(frame.cost_micros),
        frame.tool.clone(),
        number(frame.tool_calls),
        frame.input_digest.clone(),
        frame.output_digest.clone(),
    ];
    cells.into_iter().map(Option::unwrap_or_default)
}

const AUDIT_HEADER: [&str; 21] = [
    "entry",
    "at",
    "action",
    "outcome",
    "error",
    "subject",
    "realm",
    "person",
    "run",
    "call",
    "parentRun",
    "contract",
    "receipt",
    "inputDigest",
    "outputDigest",
    "currency",
    "costMicros",
    "times",
    "why",
    "digest",
    "erased",
];

/// Writes entries of the audit log under a header.
pub fn audit_csv(entries: &[AuditEntry]) -> String {
    let mut out = String::new();
    line(&mut out, AUDIT_HEADER.map(str::to_owned).into_iter());
    for entry in entries {
        let entry = entry.clone();
        let cells: [_; AUDIT_HEADER.len()] = [
            Some(entry.index.to_string()),
            Some(entry.at.to_string()),
            Some(entry.action),
            Some(entry.outcome.as_str().to_owned()),
            entry.error,
            entry.subject,
            entry.realm,
            entry.person,
            entry.run_id,
            entry.call_id,
            entry.parent_run_id,
            entry.contract,
            entry.receipt,
            entry.input_digest,
            entry.output_digest,
            entry.currency,
            entry.cost_micros.map(|cost| cost.to_string()),
            entry.times.map(|times| times.to_string()),
            entry.why,
            Some(entry.digest),
            Some(entry.erased.to_string()),
        ];
        line(&mut out, cells.into_iter().map(Option::unwrap_or_default));
    }
    out
}

fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    for (at, text) in cells.enumerate() {
        if at > 0 {
            out.push(',');
        }
        cell(out, &text);
    }
    out.push_str("\r\n");
}

/// Writes a cell. What a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(out: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    if text.contains([',', '"', '\r', '\n']) {
        out.push_str(&format!("\"{guard}{}\"", text.replace('"', "\"\"")));
    } else {
        out.push_str(guard);
        out.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        let mut out = String::new();

        let cells = [
            "=1+1",
            "@a,b",
            "-1",
            "\tx",
            "a\"b",
            "two\nlines",
            "plain",
            "",
        ];
        line(&mut out, cells.map(str::to_owned).into_iter());

        let expected = "'=1+1,\"'@a,b\",'-1,'\tx,\"a\"\"b\",\"two\nlines\",plain,\r\n";
        assert_eq!(out, expected);
    }
}
