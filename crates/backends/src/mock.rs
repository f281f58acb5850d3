//! A model without a model: answers by what the prompt contains.

use std::sync::LazyLock;

use realm_executor::{BackendOutput, BackendReply, ModelRequest, ToolCall, ToolResult, Turn};
use regex::Regex;
use serde_json::{Value, json};

/// Characters that count as one token.
const TOKEN_CHARS: usize = 4;
/// Characters of a prompt that an answer repeats.
const QUOTED_CHARS: usize = 200;

static GREET: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)greet\s+(?:someone\s+named\s+)?([0-9A-Za-z_]+)").ok());

static CALL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\bcall\s+([0-9A-Za-z_-]+)\s*(\{)").ok());

/// Answers a prompt by the first rule that fits: a greeting, a summary, a category, documents,
/// keywords, an answer, else the prompt as `{"text": …}`. Case does not matter.
pub fn complete(prompt: &str) -> Value {
    if let Some(name) = greeted(prompt) {
        return json!({"greeting": format!("Hello, {name}!")});
    }
    let lower = prompt.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let quoted: String = prompt.chars().take(QUOTED_CHARS).collect();
    if has(&["summarize", "summary"]) {
        json!({
            "summary": format!("A summary of: {quoted}"),
            "keyPoints": ["First key point", "Second key point", "Third key point"],
        })
    } else if has(&["classify", "category"]) {
        json!({"category": "general", "confidence": 0.87})
    } else if has(&["retrieve", "documents for"]) {
        json!({"documents": ["Document 1", "Document 2", "Document 3"]})
    } else if has(&["keyword", "extract"]) {
        json!({"keywords": ["alpha", "beta", "gamma"]})
    } else if has(&["answer", "synthesize"]) {
        json!({"answer": format!("An answer to: {quoted}")})
    } else {
        json!({"text": quoted})
    }
}

fn greeted(prompt: &str) -> Option<&str> {
    let captures = GREET.as_ref()?.captures(prompt)?;
    captures.get(1).map(|name| name.as_str())
}

/// The words of an answer, each with the space after it.
pub(crate) fn words(reply: &BackendReply) -> Vec<String> {
    let text = match &reply.output {
        BackendOutput::Text(text) => text.clone(),
        BackendOutput::Json(value) => value.to_string(),
        BackendOutput::Calls { said, .. } => said.clone().unwrap_or_default(),
    };
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// The answer as a backend gives it, with tokens counted as a quarter of the characters.
///
/// It does what it is told: `call NAME {…}` in what it reads last, be that the prompt or what its tools
/// gave, is a call of that tool, whoever wrote it there. Without such words it answers, from what its
/// tools gave if it has called any.
pub(crate) fn reply(request: ModelRequest) -> BackendReply {
    let read = match request.turns.last() {
        None => request.prompt.clone(),
        Some(turn) => gave(turn).to_string(),
    };
    let calls = match request.tools.is_empty() {
        true => Vec::new(),
        false => told_calls(&read, request.turns.len()),
    };
    let (output, written) = match (calls.is_empty(), request.turns.last()) {
        (false, _) => {
            let written = format!("{calls:?}");
            (BackendOutput::Calls { said: None, calls }, written)
        }
        (true, Some(turn)) => {
            let output = gave(turn);
            let written = output.to_string();
            (BackendOutput::Json(output), written)
        }
        (true, None) => {
            let output = complete(&request.prompt);
            let written = output.to_string();
            (BackendOutput::Json(output), written)
        }
    };
    BackendReply {
        output,
        input_tokens: Some(tokens(&read)),
        output_tokens: Some(tokens(&written)),
        model: request.model,
        cost: None,
    }
}

/// What the tools of a turn gave: of one its output, of several the list.
fn gave(turn: &Turn) -> Value {
    let bare = |result: &ToolResult| match result.output.get("output") {
        Some(inner) if result.output.get("realm").is_some() => inner.clone(),
        _ => result.output.clone(),
    };
    match turn.results.as_slice() {
        [one] => bare(one),
        several => json!({"results": several.iter().map(bare).collect::<Vec<_>>()}),
    }
}

/// The calls that a text tells it to make.
fn told_calls(text: &str, turn: usize) -> Vec<ToolCall> {
    let Some(calls) = CALL.as_ref() else {
        return Vec::new();
    };
    // What stands in a text that stands in JSON has its quotes escaped.
    let text = text.replace("\\\"", "\"");
    let found = calls.captures_iter(&text).enumerate();
    let found = found.filter_map(|(number, captures)| {
        let (name, rest) = (captures.get(1)?, captures.get(2)?);
        let mut values = serde_json::Deserializer::from_str(text.get(rest.start()..)?).into_iter();
        Some(ToolCall {
            id: format!("{turn}-{number}"),
            name: name.as_str().to_owned(),
            arguments: values.next()?.ok()?,
        })
    });
    found.collect()
}

fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(TOKEN_CHARS) as u64
}
