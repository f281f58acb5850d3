//! Messages: `POST /messages`, `x-api-key: KEY`. An answer of a given form is asked for as the
//! input of a tool that the model has to use.

use std::collections::BTreeMap;

use realm_executor::{BackendError, BackendOutput, ModelRequest, ToolCall};
use serde_json::{Map, Value, json};

use super::{
    Asked, Asking, Model, Said, Secret, missing, named, unfinished,
    writing::{Broken, Writing, at, push},
};

/// The version of the API.
const VERSION: &str = "2023-06-01";
/// The tool whose input is the answer, where one of a given form is asked for.
const TOOL: &str = "realm-output";

pub(super) fn ask(model: &Model, request: &ModelRequest, key: Option<&Secret>) -> Asking {
    let answers = request.schema.is_some();
    if answers && request.tools.iter().any(|tool| tool.name == TOOL) {
        return Err(BackendError::Refused {
            reason: "the model gives its answer as the input of a tool `realm-output`, so no other has that name",
        });
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model.name(request)?));
    let tokens = request.max_tokens.unwrap_or(model.max_tokens);
    body.insert("max_tokens".to_owned(), json!(tokens));
    let mut messages = vec![json!({"role": "user", "content": request.prompt})];
    for turn in &request.turns {
        let said = turn.said.iter();
        let said = said.map(|text| json!({"type": "text", "text": text}));
        let calls = turn.calls.iter().map(|call| {
            json!({"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments})
        });
        let content: Vec<Value> = said.chain(calls).collect();
        messages.push(json!({"role": "assistant", "content": content}));
        let results = turn.calls.iter().zip(&turn.results).map(|(call, result)| {
            json!({
                "type": "tool_result",
                "tool_use_id": call.id,
                "content": result.output.to_string(),
                "is_error": result.failed,
            })
        });
        let results: Vec<Value> = results.collect();
        messages.push(json!({"role": "user", "content": results}));
    }
    body.insert("messages".to_owned(), Value::Array(messages));
    if let Some(system) = &request.system {
        body.insert("system".to_owned(), json!(system));
    }
    if let Some(temperature) = &request.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    let tool = |name: &str, description: &str, schema: &Value| json!({"name": name, "description": description, "input_schema": schema});
    let offered = request.tools.iter();
    let offered = offered.map(|it| tool(&it.name, &it.description, &it.schema));
    let answers = request.schema.iter();
    let answers = answers.map(|schema| tool(TOOL, "Takes the answer.", schema));
    let tools: Vec<Value> = offered.chain(answers).collect();
    if !tools.is_empty() {
        body.insert("tools".to_owned(), tools.into());
    }
    if request.schema.is_some() {
        // With others to choose from, it is the one that it ends with.
        let choice = match request.tools.is_empty() {
            true => json!({"type": "tool", "name": TOOL}),
            false => json!({"type": "any"}),
        };
        body.insert("tool_choice".to_owned(), choice);
    }
    let mut headers = BTreeMap::new();
    headers.insert("anthropic-version".to_owned(), VERSION.to_owned());
    if let Some(key) = key {
        headers.insert("x-api-key".to_owned(), Secret::expose(key).to_owned());
    }
    Ok(Asked {
        path: "/messages",
        headers,
        body: Value::Object(body),
    })
}

fn called(block: &Value) -> Option<ToolCall> {
    Some(ToolCall {
        id: block.get("id")?.as_str()?.to_owned(),
        name: block.get("name")?.as_str()?.to_owned(),
        arguments: block.get("input").cloned().unwrap_or_default(),
    })
}

pub(super) fn read(answer: &Value, request: &ModelRequest) -> Result<Said, BackendError> {
    match answer.get("stop_reason").and_then(Value::as_str) {
        Some("max_tokens") => {
            return Err(unfinished("it reached the most tokens that it may write"));
        }
        Some("refusal") => return Err(unfinished("it refuses")),
        Some("model_context_window_exceeded") => {
            return Err(unfinished("it reached the end of its context"));
        }
        Some("pause_turn") => {
            return Err(unfinished("it paused amid tools of its provider"));
        }
        _ => {}
    }
    let blocks = answer.get("content").and_then(Value::as_array);
    let blocks = blocks.ok_or_else(|| missing("content"))?;
    let of = |kind: &str| {
        let kind = kind.to_owned();
        blocks
            .iter()
            .filter(move |block| block.get("type").and_then(Value::as_str) == Some(&kind))
    };
    let texts = of("text").filter_map(|block| block.get("text")?.as_str());
    let texts: Vec<&str> = texts.collect();
    let said = (!texts.is_empty()).then(|| texts.concat());
    let calls: Vec<ToolCall> = of("tool_use").filter_map(called).collect();
    let mut answers = calls.iter().filter(|_| request.schema.is_some());
    let answer_given = answers.find(|call| call.name == TOOL);
    let output = match (answer_given, said) {
        (Some(given), _) => BackendOutput::Json(given.arguments.clone()),
        (None, said) if !calls.is_empty() => BackendOutput::Calls { said, calls },
        (None, Some(said)) => BackendOutput::Text(said),
        (None, None) => return Err(missing("text")),
    };
    let usage = |name| answer.get("usage")?.get(name)?.as_u64();
    Ok(Said {
        output,
        input_tokens: usage("input_tokens"),
        output_tokens: usage("output_tokens"),
        model: named(answer),
    })
}

/// An answer that comes in events.
#[derive(Default)]
pub(super) struct Events {
    /// Whether the input of its tool is the answer.
    answers: bool,
    model: Option<Value>,
    /// Blocks of the answer by their index, and what has come of their text or a tool's input.
    blocks: BTreeMap<u64, (Value, String)>,
    stop: Option<Value>,
    read: Option<u64>,
    written: Option<u64>,
    ended: bool,
}

impl Events {
    /// Events of an answer to this.
    pub(super) fn of(request: &ModelRequest) -> Self {
        Self {
            answers: request.schema.is_some(),
            ..Self::default()
        }
    }

    fn count(&mut self, usage: Option<&Value>) {
        let count = |name| usage?.get(name)?.as_u64();
        self.read = count("input_tokens").or(self.read);
        self.written = count("output_tokens").or(self.written);
    }

    /// Adds to a block; gives what of it is the answer's text.
    fn add(&mut self, event: &Value) -> Option<String> {
        let index = event.get("index").and_then(Value::as_u64)?;
        let (block, written) = self.blocks.get_mut(&index)?;
        let delta = event.get("delta")?;
        if block.get("text").is_some() {
            return push(written, delta.get("text"));
        }
        let new = push(written, delta.get("partial_json"))?;
        let answer = block.get("name").and_then(Value::as_str) == Some(TOOL);
        (self.answers && answer).then_some(new)
    }
}

impl Writing for Events {
    fn take(&mut self, event: &Value) -> Result<Option<String>, Broken> {
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                self.model = at(event, &["message", "model"]).cloned();
                self.count(at(event, &["message", "usage"]));
            }
            Some("content_block_start") => {
                let index = event.get("index").and_then(Value::as_u64);
                let block = event.get("content_block").cloned();
                if let Some((index, block)) = index.zip(block) {
                    self.blocks.insert(index, (block, String::new()));
                }
            }
            Some("content_block_delta") => return Ok(self.add(event)),
            Some("message_delta") => {
                self.stop = at(event, &["delta", "stop_reason"]).cloned();
                self.count(event.get("usage"));
            }
            Some("message_stop") => self.ended = true,
            Some("error") => {
                let error = event.get("error").cloned();
                return Err(Broken(error.unwrap_or_default()));
            }
            _ => {}
        }
        Ok(None)
    }

    fn is_whole(&self) -> bool {
        self.ended
    }

    fn answer(&mut self) -> Value {
        let blocks = std::mem::take(&mut self.blocks).into_values();
        let blocks = blocks.map(|(mut block, written)| {
            if let Some(text) = block.get_mut("text") {
                let begun = text.as_str().unwrap_or_default();
                *text = (begun.to_owned() + &written).into();
            } else if let Some(input) = block.get_mut("input")
                && !written.is_empty()
            {
                *input = super::arguments(Some(&written.into()));
            }
            block
        });
        let blocks: Vec<Value> = blocks.collect();
        json!({
            "content": blocks,
            "stop_reason": self.stop,
            "usage": {"input_tokens": self.read, "output_tokens": self.written},
            "model": self.model,
        })
    }
}
