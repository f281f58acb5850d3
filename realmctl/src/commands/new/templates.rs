//! What a new loop's folder holds.

use crate::cli::Language;

/// The definition.
pub(super) fn definition(id: &str, language: Language) -> String {
    let (program, _) = program(language);
    let (interpreter, description) = match language {
        Language::Python => ("python3", "Greets a person by name."),
        Language::Typescript => ("node", "Greets a person by name."),
        Language::Sh => ("sh", "Counts the bytes of its input."),
    };
    format!(
        "# A loop: what is called, and how it runs. `realmctl explain loop` has every field.\n\
         id: \"{id}\"\n\
         version: 0.1.0\n\
         kind: tool\n\
         description: {description}\n\
         inputSchema: {{$file: in.json}}\n\
         outputSchema: {{$file: out.json}}\n\
         effects: idempotent   # none | idempotent | once\n\
         tool:\n  \
           implementation: process\n  \
           config: {{argv: [{interpreter}, {program}]}}\n\
         limits: {{timeout: 30s, concurrency: 4}}\n"
    )
}

/// Members of an input, as `invoke` takes them.
pub(super) fn example(language: Language) -> &'static str {
    match language {
        Language::Python | Language::Typescript => "name=Ada",
        Language::Sh => "text=hello",
    }
}

/// The input's schema.
pub(super) fn input(language: Language) -> &'static str {
    match language {
        Language::Python | Language::Typescript => NAME,
        Language::Sh => TEXT,
    }
}

/// The output's schema.
pub(super) fn output(language: Language) -> &'static str {
    match language {
        Language::Python | Language::Typescript => GREETING,
        Language::Sh => BYTES,
    }
}

/// The program's file name and source.
pub(super) fn program(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Python => ("main.py", PYTHON),
        Language::Typescript => ("main.mjs", TYPESCRIPT),
        Language::Sh => ("main.sh", SH),
    }
}

const NAME: &str = r#"{
  "type": "object",
  "properties": {
    "name": {"type": "string", "minLength": 1, "examples": ["Ada"]}
  },
  "required": ["name"],
  "additionalProperties": false
}
"#;

const TEXT: &str = r#"{
  "type": "object",
  "properties": {
    "text": {"type": "string", "examples": ["hello"]}
  },
  "required": ["text"],
  "additionalProperties": false
}
"#;

const GREETING: &str = r#"{
  "type": "object",
  "properties": {
    "greeting": {"type": "string"}
  },
  "required": ["greeting"],
  "additionalProperties": false
}
"#;

const BYTES: &str = r#"{
  "type": "object",
  "properties": {
    "bytes": {"type": "integer", "minimum": 0}
  },
  "required": ["bytes"],
  "additionalProperties": false
}
"#;

const PYTHON: &str = r#"import json
import sys

# Input comes as JSON on stdin, checked against in.json.
call = json.load(sys.stdin)

# Output goes as JSON to stdout, and is checked against out.json. Whatever goes to stderr is
# shown when the program fails with an exit code other than zero.
json.dump({"greeting": f"Hello, {call['name']}!"}, sys.stdout)
"#;

const TYPESCRIPT: &str = r#"// @ts-check
import { readFileSync } from "node:fs";

// Input comes as JSON on stdin, checked against in.json.
/** @type {{ name: string }} */
const call = JSON.parse(readFileSync(0, "utf8"));

// Output goes as JSON to stdout, and is checked against out.json. Whatever goes to stderr is
// shown when the program fails with an exit code other than zero.
process.stdout.write(JSON.stringify({ greeting: `Hello, ${call.name}!` }));
"#;

const SH: &str = r#"# Input comes as JSON on stdin, checked against in.json.
bytes=$(wc -c | tr -d ' ')

# Output goes as JSON to stdout, and is checked against out.json. Whatever goes to stderr is
# shown when the program fails with an exit code other than zero.
printf '{"bytes": %s}\n' "$bytes"
"#;
