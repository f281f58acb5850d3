//! Who there is, and what happens.

/// One realm.
#[derive(Debug)]
pub(super) struct Role {
    /// Its name: the root's petname and the path.
    pub(super) name: &'static str,
    /// Its definition files: name and text.
    pub(super) loops: &'static [(&'static str, &'static str)],
}

/// Everybody; parents before their children.
pub(super) const ROLES: &[Role] = &[
    Role {
        name: "mercy",
        loops: &[("summarise.json", SUMMARISE)],
    },
    Role {
        name: "mercy/cardiology",
        loops: &[],
    },
    Role {
        name: "mercy/cardiology/imaging",
        loops: &[],
    },
    Role {
        name: "mercy/billing",
        loops: &[("invoice.yaml", INVOICE)],
    },
    Role {
        name: "lab",
        loops: &[],
    },
    Role {
        name: "lab/genomics",
        loops: &[("variant-call.yaml", VARIANT_CALL)],
    },
    Role {
        name: "lab/pathology",
        loops: &[],
    },
];

/// What a call should come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// An output.
    Output,
    /// A failure with this name.
    Failure(&'static str),
}

/// What happens before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// The realm that denied the call before does what its denial suggests.
    AllowAsSuggested,
    /// This realm goes down.
    Stop(&'static str),
}

/// One call.
#[derive(Debug)]
pub(super) struct Scene {
    /// What it shows.
    pub(super) title: &'static str,
    /// What happens before.
    pub(super) before: Before,
    /// Who calls.
    pub(super) caller: &'static str,
    /// What is called.
    pub(super) address: &'static str,
    /// With what, JSON.
    pub(super) input: &'static str,
    /// What it should come to.
    pub(super) expected: Expected,
}

/// The story.
pub(super) const SCENES: &[Scene] = &[
    Scene {
        title: "a sibling, through the parent",
        before: Before::Nothing,
        caller: "mercy/cardiology",
        address: "invoice@mercy/billing",
        input: r#"{"text": "echocardiogram"}"#,
        expected: Expected::Output,
    },
    Scene {
        title: "a child calls its root",
        before: Before::Nothing,
        caller: "mercy/cardiology/imaging",
        address: "summarise@mercy",
        input: r#"{"text": "Ejection fraction 55 percent, no effusion."}"#,
        expected: Expected::Output,
    },
    Scene {
        title: "across organisations, not yet permitted",
        before: Before::Nothing,
        caller: "mercy/cardiology",
        address: "variant-call@lab/genomics",
        input: READS,
        expected: Expected::Failure("Denied"),
    },
    Scene {
        title: "across organisations, after the `allow` that the denial suggested",
        before: Before::AllowAsSuggested,
        caller: "mercy/cardiology",
        address: "variant-call@lab/genomics",
        input: READS,
        expected: Expected::Output,
    },
    Scene {
        title: "bad input",
        before: Before::Nothing,
        caller: "mercy/cardiology",
        address: "variant-call@lab/genomics",
        input: r#"{"reads": 7}"#,
        expected: Expected::Failure("SchemaInput"),
    },
    Scene {
        title: "a realm that is down",
        before: Before::Stop("mercy/billing"),
        caller: "mercy/cardiology",
        address: "invoice@mercy/billing",
        input: r#"{"text": "echocardiogram"}"#,
        expected: Expected::Failure("Offline"),
    },
];

/// A patient's record; the canary in it must never be found on a relay's disk.
const READS: &str = r#"{"reads": "ACGTACGTTAGCACGT", "patient": "canary-6f1b2a9c-patient-record"}"#;

const SUMMARISE: &str = r#"{
  "id": "summarise", "name": "Summarise", "version": "1.0.0", "kind": "prompt",
  "description": "Summarises a finding.",
  "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
  "outputSchema": {"type": "object"},
  "prompt": {"template": "summarize: {{text}}", "variables": ["text"]},
  "backend": {"id": "mock"}
}
"#;

const INVOICE: &str = r#"id: invoice
version: 1.0.0
kind: tool
description: Prices a service by the length of its name.
inputSchema: {type: object, properties: {text: {type: string}}, required: [text]}
outputSchema: {type: object, properties: {cents: {type: integer}}, required: [cents]}
effects: idempotent
tool:
  implementation: process
  config: {argv: [sh, -c, 'n=$(wc -c); printf "{\"cents\": %d}" $((n * 100))']}
"#;

const VARIANT_CALL: &str = r#"id: variant-call
version: 1.0.0
kind: tool
description: Counts the bases of a read.
inputSchema:
  type: object
  properties: {reads: {type: string, pattern: "^[ACGT]+$"}, patient: {type: string}}
  required: [reads]
outputSchema: {type: object, properties: {guanine: {type: integer}}, required: [guanine]}
effects: idempotent
tool:
  implementation: process
  config: {argv: [sh, -c, 'n=$(sed "s/.*\"reads\":\"//; s/\".*//" | tr -cd G | wc -c); printf "{\"guanine\": %d}" $n']}
"#;
