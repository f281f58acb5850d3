//! A span a frame: an `ExportTraceServiceRequest` in OTLP's JSON form.
//!
//! Names follow OpenTelemetry's semantic conventions for generative AI at [`SCHEMA_URL`]; what
//! these have no name for stands under `realm.`.

use realm_client::{
    api::{Direction, Frame, RunStatus, Time},
    trace::{Node, TraceTree},
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The version of the semantic conventions that the spans follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";

const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// Writes a trace's frames as spans. `content` puts inputs, outputs and messages in.
///
/// # Errors
/// `serde_json`'s.
pub fn otlp(tree: &TraceTree, content: bool) -> Result<String, serde_json::Error> {
    let version = env!("CARGO_PKG_VERSION");
    let service = attributes([
        ("service.name", Some(json!("realm"))),
        ("service.version", Some(json!(version))),
    ]);
    crate::output::json_line(&Request {
        resource_spans: [ResourceSpans {
            resource: json!({ "attributes": service }),
            schema_url: SCHEMA_URL,
            scope_spans: [ScopeSpans {
                scope: json!({ "name": "realmctl", "version": version }),
                schema_url: SCHEMA_URL,
                spans: Spans { tree, content },
            }],
        }],
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Value,
    schema_url: &'static str,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeSpans<'a> {
    scope: Value,
    schema_url: &'static str,
    spans: Spans<'a>,
}

/// Made one by one as they are written: a trace may have many.
struct Spans<'a> {
    tree: &'a TraceTree,
    content: bool,
}

impl Serialize for Spans<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { tree, content } = *self;
        let summary = &tree.trace.run.summary;
        let trace_id = id(&["trace", &summary.call_id], 16);
        let last = tree.trace.events.iter().map(|event| event.ts).max();
        let last = last.unwrap_or(summary.started_at);
        serializer.collect_seq(tree.nodes.iter().map(|node| {
            let parent = node.parent.and_then(|parent| tree.nodes.get(parent));
            let served = parent.is_none() && summary.direction == Direction::In;
            let parent = match parent {
                Some(parent) => span_id(tree, parent),
                // The caller's half has a span of the same call.
                None if served => id(&["span", &summary.call_id], 8),
                None => String::new(),
            };
            span(tree, node, &trace_id, parent, last, content)
        }))
    }
}

fn span(
    tree: &TraceTree,
    node: &Node,
    trace_id: &str,
    parent: String,
    last: Time,
    content: bool,
) -> Value {
    let frame = &node.frame;
    let operation = Operation::of(tree, node);
    let end = frame.duration_ms.map_or(last, |took| {
        Time::from_millis(frame.started_at.as_millis().saturating_add(took))
    });
    let subject = match operation {
        Operation::Chat => frame.model.as_deref().unwrap_or(&frame.loop_id),
        _ => &frame.loop_id,
    };
    let mut all = operation.attributes(frame);
    all.extend(own_attributes(frame));
    if content {
        all.extend(operation.content(frame));
    }
    let events: Vec<Value> = tree
        .events(node)
        .map(|event| {
            let payload = content.then(|| json!(event.payload.to_string()));
            json!({
                "timeUnixNano": nanos(event.ts),
                "name": event.kind,
                "attributes": attributes([("realm.event.payload", payload)]),
            })
        })
        .collect();
    let status = match frame.status {
        RunStatus::Failed | RunStatus::Cancelled => {
            let message = frame.message.as_ref().filter(|_| content);
            json!({ "code": 2, "message": message.or(frame.error.as_ref()) })
        }
        // Whoever only reports what happened leaves it unset.
        _ => json!({}),
    };
    let mut span = json!({
        "traceId": trace_id,
        "spanId": span_id(tree, node),
        "name": format!("{} {subject}", operation.name()),
        "kind": operation.kind(tree, node),
        "startTimeUnixNano": nanos(frame.started_at),
        "endTimeUnixNano": nanos(end),
        "attributes": attributes(all),
        "events": events,
        "status": status,
    });
    if let (false, Some(members)) = (parent.is_empty(), span.as_object_mut()) {
        members.insert("parentSpanId".to_owned(), json!(parent));
    }
    span
}

/// What a frame is in the words of the conventions.
#[derive(Clone, Copy)]
enum Operation {
    Chat,
    Tool,
    Remote,
    Composite,
}

impl Operation {
    fn of(tree: &TraceTree, node: &Node) -> Self {
        let frame = &node.frame;
        let sent = || tree.events(node).any(|event| event.kind == "call.sent");
        if frame.backend.is_some() {
            Self::Chat
        } else if frame.tool.is_some() {
            Self::Tool
        } else if frame.realm.is_some() || sent() {
            Self::Remote
        } else {
            Self::Composite
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Tool => "execute_tool",
            Self::Remote => "invoke_agent",
            Self::Composite => "invoke_workflow",
        }
    }

    fn kind(self, tree: &TraceTree, node: &Node) -> u8 {
        let served = tree.trace.run.summary.direction == Direction::In;
        match self {
            _ if node.parent.is_none() && served => SERVER,
            Self::Chat | Self::Remote => CLIENT,
            Self::Tool | Self::Composite => INTERNAL,
        }
    }

    fn attributes(self, frame: &Frame) -> Vec<(&'static str, Option<Value>)> {
        let loop_id = Some(json!(frame.loop_id));
        let mut all = vec![("gen_ai.operation.name", Some(json!(self.name())))];
        match self {
            Self::Chat => all.extend([
                ("gen_ai.provider.name", value(frame.backend.as_ref())),
                ("gen_ai.request.model", value(frame.model.as_ref())),
                ("gen_ai.usage.input_tokens", integer(frame.input_tokens)),
                ("gen_ai.usage.output_tokens", integer(frame.output_tokens)),
            ]),
            Self::Tool => all.extend([
                ("gen_ai.tool.name", loop_id),
                ("gen_ai.tool.call.id", Some(json!(frame.call_id))),
            ]),
            Self::Remote => all.extend([
                ("gen_ai.agent.name", loop_id),
                ("gen_ai.agent.version", value(frame.version.as_ref())),
                ("gen_ai.provider.name", Some(json!("realm"))),
            ]),
            Self::Composite => all.push(("gen_ai.workflow.name", loop_id)),
        }
        all
    }

    fn content(self, frame: &Frame) -> Vec<(&'static str, Option<Value>)> {
        let text = |value: &Value| json!(value.to_string());
        if let Self::Tool = self {
            return vec![
                ("gen_ai.tool.call.arguments", frame.input.as_ref().map(text)),
                ("gen_ai.tool.call.result", frame.output.as_ref().map(text)),
            ];
        }
        let part = |value: &Value| json!({ "type": "text", "content": value.to_string() });
        let input = |value| json!([{ "role": "user", "parts": [part(value)] }]);
        let output = |value| json!([{ "role": "assistant", "parts": [part(value)], "finish_reason": "stop" }]);
        let input = frame.input.as_ref().map(input);
        let output = frame.output.as_ref().map(output);
        vec![
            ("gen_ai.input.messages", input.as_ref().map(text)),
            ("gen_ai.output.messages", output.as_ref().map(text)),
        ]
    }
}

fn own_attributes(frame: &Frame) -> [(&'static str, Option<Value>); 18] {
    [
        ("error.type", value(frame.error.as_ref())),
        ("realm.call.id", Some(json!(frame.call_id))),
        ("realm.loop.id", Some(json!(frame.loop_id))),
        ("realm.loop.version", value(frame.version.as_ref())),
        ("realm.loop.contract", value(frame.contract.as_ref())),
        ("realm.prompt.version", value(frame.prompt_version.as_ref())),
        ("realm.name", value(frame.realm.as_ref())),
        ("realm.caller", value(frame.caller.as_ref())),
        ("realm.status", Some(json!(frame.status.as_str()))),
        ("realm.error.category", value(frame.category.as_ref())),
        ("realm.attempts", integer(frame.attempts)),
        ("realm.step", integer(frame.step)),
        ("realm.branch", integer(frame.branch)),
        ("realm.item", integer(frame.item)),
        ("realm.fallback", frame.fallback.then(|| json!(true))),
        ("realm.cost.micros", integer(frame.cost_micros)),
        ("realm.input.digest", value(frame.input_digest.as_ref())),
        ("realm.output.digest", value(frame.output_digest.as_ref())),
    ]
}

fn value(text: Option<&String>) -> Option<Value> {
    text.map(|text| json!(text))
}

fn integer(number: Option<u64>) -> Option<Value> {
    number.map(|number| json!(number))
}

/// Attributes as OTLP has them; 64-bit integers are text there.
fn attributes(all: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Vec<Value> {
    let present = all.into_iter().filter_map(|(key, value)| {
        let value = match value? {
            Value::Number(number) => json!({ "intValue": number.to_string() }),
            Value::String(text) => json!({ "stringValue": text }),
            Value::Bool(truth) => json!({ "boolValue": truth }),
            other => json!({ "stringValue": other.to_string() }),
        };
        Some(json!({ "key": key, "value": value }))
    });
    present.collect()
}

fn nanos(time: Time) -> String {
    (u128::from(time.as_millis()) * 1_000_000).to_string()
}

/// The realm that serves a call has a span of its own, below the caller's.
fn span_id(tree: &TraceTree, node: &Node) -> String {
    let served = tree.trace.run.summary.direction == Direction::In;
    let domain = if node.parent.is_none() && served {
        "served"
    } else {
        "span"
    };
    id(&[domain, &node.frame.call_id], 8)
}

/// The first bytes of a digest, as hexadecimal digits: the same call has the same id in every export.
fn id(parts: &[&str], bytes: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    data_encoding::HEXLOWER.encode(digest.get(..bytes).unwrap_or(&digest))
}
