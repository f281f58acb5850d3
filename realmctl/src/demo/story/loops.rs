//! The loops of the story, as their owners would write them.

use std::path::PathBuf;

use serde_json::json;

/// Where the agents are.
#[derive(Debug)]
pub(in crate::demo) struct Places {
    /// This program, which is the laboratory's child process too.
    pub(in crate::demo) program: String,
    /// Host and port of billing's HTTP agent.
    pub(in crate::demo) prices: String,
    /// File that readers note the keys of their work in.
    pub(in crate::demo) keys: PathBuf,
}

/// A prompt, as LSEM writes it, on the mock backend.
pub(super) fn summarise(_: &Places) -> String {
    r#"{
  "id": "summarise", "name": "Summarise", "version": "1.0.0", "kind": "prompt",
  "description": "Summarises a finding.",
  "inputSchema": {
    "type": "object", "properties": {"finding": {"type": "string"}}, "required": ["finding"]
  },
  "outputSchema": {
    "type": "object", "properties": {"summary": {"type": "string"}}, "required": ["summary"]
  },
  "prompt": {"template": "summarize: {{finding}}", "variables": ["finding"]},
  "backend": {"id": "mock"}
}
"#
    .to_owned()
}

/// A composite: two steps, each in another realm.
pub(super) fn work_up(_: &Places) -> String {
    r#"{
  "id": "work-up", "name": "Work-up", "version": "1.0.0", "kind": "composite",
  "description": "Has a finding summarised at the root, and the procedures priced by billing.",
  "inputSchema": {
    "type": "object",
    "properties": {"finding": {"type": "string"}, "procedures": {"type": "array"}},
    "required": ["finding", "procedures"]
  },
  "outputSchema": {"type": "object"},
  "composite": {"steps": [
    {"loopId": "summarise@mercy", "inputMapping": {"finding": "$.input.finding"}},
    {"loopId": "price@mercy/billing", "inputMapping": {"procedures": "$.input.procedures"}}
  ]}
}
"#
    .to_owned()
}

/// An HTTP agent.
pub(super) fn price(places: &Places) -> String {
    let at = &places.prices;
    format!(
        r#"id: price
version: 1.0.0
kind: tool
description: Prices procedures by the group's tariff.
inputSchema:
  type: object
  properties:
    procedures: {{type: array, items: {{type: string}}, minItems: 1, maxItems: 100}}
  required: [procedures]
outputSchema:
  type: object
  properties: {{procedures: {{type: integer}}, total: {{type: string}}}}
  required: [total]
effects: idempotent
tool:
  implementation: http
  config: {{url: "http://{at}/", allowPrivate: ["{at}"]}}
"#
    )
}

/// A child process.
pub(super) fn variant_call(places: &Places) -> String {
    let argv = json!([places.program, "demo-agent", "variants"]);
    format!(
        r#"id: variant-call
version: 1.2.0
kind: tool
description: Calls variants in a patient's reads.
inputSchema:
  type: object
  properties:
    patient: {{type: object}}
    reference: {{type: string, pattern: "^[ACGT]+$", maxLength: 2000}}
    reads: {{type: array, maxItems: 200, items: {{type: string, pattern: "^[ACGT]+$", maxLength: 200}}}}
  required: [patient, reference, reads]
outputSchema:
  type: object
  properties:
    variants: {{type: array}}
    placed: {{type: integer}}
    rejected: {{type: integer}}
  required: [variants]
effects: idempotent
tool:
  implementation: process
  config: {{argv: {argv}}}
limits: {{timeout: 10s, concurrency: 4}}
"#
    )
}

/// What nobody will answer.
pub(super) fn grade_slide(_: &Places) -> String {
    r#"id: grade-slide
version: 1.0.0
kind: tool
description: Gives a slide back.
inputSchema: {type: object, properties: {slide: {type: string}}, required: [slide]}
outputSchema: {type: object}
tool: {implementation: "builtin:echo"}
"#
    .to_owned()
}

/// Work that is announced: whoever does it keeps to this contract.
pub(super) fn second_read(_: &Places) -> String {
    reading("tool: {implementation: \"builtin:echo\"}\n")
}

/// Who asks for less, and never comes to an end.
pub(super) fn second_read_cheap(places: &Places) -> String {
    bidding(places, "genomics", &["--endless"], "EUR 0.02")
}

/// Who asks for more.
pub(super) fn second_read_dear(places: &Places) -> String {
    bidding(places, "lab", &[], "EUR 0.03")
}

fn bidding(places: &Places, by: &str, more: &[&str], price: &str) -> String {
    let keys = places.keys.to_string_lossy();
    let mut argv = vec![
        places.program.as_str(),
        "demo-agent",
        "second-read",
        &keys,
        by,
    ];
    argv.extend(more);
    let argv = json!(argv);
    reading(&format!(
        r"tool:
  implementation: process
  config: {{argv: {argv}}}
bid: {{price: {price}, time: 1s, confidence: 0.9}}
limits: {{timeout: 60s}}
"
    ))
}

fn reading(work: &str) -> String {
    format!(
        r"id: second-read
version: 1.0.0
kind: tool
description: Gives a second opinion on an electrocardiogram.
inputSchema: {{type: object, properties: {{lead: {{type: string}}}}, required: [lead]}}
outputSchema:
  type: object
  properties: {{opinion: {{type: string}}, by: {{type: string}}}}
  required: [opinion, by]
effects: idempotent
{work}"
    )
}
