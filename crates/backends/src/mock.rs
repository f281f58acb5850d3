//! A model without a model: answers by what the prompt contains.

use std::sync::LazyLock;

use realm_executor::{BackendOutput, BackendReply};
use regex::Regex;
use serde_json::{Value, json};

/// Characters that count as one token.
const TOKEN_CHARS: usize = 4;
/// Characters of a prompt that an answer repeats.
const QUOTED_CHARS: usize = 200;

static GREET: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)greet\s+(?:someone\s+named\s+)?([0-9A-Za-z_]+)").ok());

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

/// The answer as a backend gives it, with tokens counted as a quarter of the characters.
pub(crate) fn reply(prompt: &str, model: Option<String>) -> BackendReply {
    let output = complete(prompt);
    let output_tokens = tokens(&output.to_string());
    BackendReply {
        output: BackendOutput::Json(output),
        input_tokens: Some(tokens(prompt)),
        output_tokens: Some(output_tokens),
        model,
        cost: None,
    }
}

fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(TOKEN_CHARS) as u64
}
