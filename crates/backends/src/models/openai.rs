//! Chat completions: `POST /chat/completions`, `Authorization: Bearer KEY`.

use std::collections::BTreeMap;

use realm_executor::{BackendError, BackendOutput, ModelRequest, ToolCall};
use serde_json::{Map, Value, json};

use super::{
    Asked, Asking, Format, Model, Said, Secret, arguments, bearer, functions, missing, named,
    opening, text, unfinished,
    writing::{Broken, Writing, at, push},
};

pub(super) fn ask(model: &Model, request: &ModelRequest, key: Option<&Secret>) -> Asking {
    let mut messages = opening(request);
    for turn in &request.turns {
        let calls: Vec<Value> = turn.calls.iter().map(asked_before).collect();
        messages.push(json!({"role": "assistant", "content": turn.said, "tool_calls": calls}));
        let results = turn.calls.iter().zip(&turn.results);
        messages.extend(results.map(|(call, result)| {
            let content = result.output.to_string();
            json!({"role": "tool", "tool_call_id": call.id, "content": content})
        }));
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model.name(request)?));
    body.insert("messages".to_owned(), json!(messages));
    // The maker of the format has renamed it, and others know the old name alone.
    let bound = match model.url == Format::OpenAi.url() {
        true => "max_completion_tokens",
        false => "max_tokens",
    };
    let tokens = request.max_tokens.unwrap_or(model.max_tokens);
    body.insert(bound.to_owned(), json!(tokens));
    if let Some(temperature) = &request.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(schema) = &request.schema {
        let format = json!({
            "type": "json_schema",
            "json_schema": {"name": "output", "schema": schema, "strict": false},
        });
        body.insert("response_format".to_owned(), format);
    }
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), functions(&request.tools));
    }
    let mut headers = bearer(key);
    // Those who know the header answer the same work once.
    headers.insert("idempotency-key".to_owned(), request.key.to_string());
    Ok(Asked {
        path: "/chat/completions",
        headers,
        body: Value::Object(body),
    })
}

fn asked_before(call: &ToolCall) -> Value {
    let arguments = call.arguments.to_string();
    json!({
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    })
}

/// What the message calls.
fn calls(message: &Value) -> Vec<ToolCall> {
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let calls = calls.into_iter().flatten().enumerate();
    let calls = calls.filter_map(|(place, call)| {
        let function = call.get("function")?;
        let id = call.get("id").and_then(Value::as_str);
        let id = id.filter(|id| !id.is_empty()).map(str::to_owned);
        Some(ToolCall {
            // Some servers give none, and know calls by their order.
            id: id.unwrap_or_else(|| format!("call-{place}")),
            name: function.get("name")?.as_str()?.to_owned(),
            arguments: arguments(function.get("arguments")),
        })
    });
    calls.collect()
}

pub(super) fn read(answer: &Value) -> Result<Said, BackendError> {
    let choice = answer.get("choices").and_then(|choices| choices.get(0));
    let choice = choice.ok_or_else(|| missing("choice"))?;
    let message = choice.get("message").ok_or_else(|| missing("message"))?;
    if let Some(refusal) = message.get("refusal").and_then(Value::as_str) {
        return Err(unfinished(&format!("it refuses: {refusal}")));
    }
    match choice.get("finish_reason").and_then(Value::as_str) {
        Some("length") => return Err(unfinished("it reached the most tokens that it may write")),
        Some("error") => return Err(unfinished("its backend failed midway")),
        Some("content_filter") => return Err(unfinished("its content filter stopped it")),
        _ => {}
    }
    let calls = calls(message);
    let output = match calls.is_empty() {
        true => BackendOutput::Text(text(message.get("content"))?),
        false => BackendOutput::Calls {
            said: text(message.get("content")).ok(),
            calls,
        },
    };
    let usage = |name| answer.get("usage")?.get(name)?.as_u64();
    Ok(Said {
        output,
        input_tokens: usage("prompt_tokens"),
        output_tokens: usage("completion_tokens"),
        model: named(answer),
    })
}

/// An answer that comes in chunks.
#[derive(Default)]
pub(super) struct Chunks {
    content: String,
    refusal: String,
    /// Id, name and arguments of each call, by its index, or as they came where they have none.
    calls: BTreeMap<u64, [String; 3]>,
    finish: Option<Value>,
    usage: Option<Value>,
    model: Option<Value>,
}

impl Chunks {
    /// The index of a call that has none: what names itself anew is the next, and the rest belongs to the latest.
    fn place(&self, call: &Value) -> u64 {
        let Some((latest, [id, name, _])) = self.calls.last_key_value() else {
            return 0;
        };
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let (new_id, new_name) = (text(call.get("id")), text(at(call, &["function", "name"])));
        let other = !new_id.is_empty() && new_id != *id;
        let unnamed = new_id.is_empty() && !new_name.is_empty() && !name.is_empty();
        latest.saturating_add(u64::from(other || unnamed))
    }
}

impl Writing for Chunks {
    fn ask_for(&self, body: &mut Map<String, Value>) {
        body.insert("stream".to_owned(), json!(true));
        let options = json!({"include_usage": true});
        body.insert("stream_options".to_owned(), options);
    }

    fn take(&mut self, event: &Value) -> Result<Option<String>, Broken> {
        if let Some(error) = event.get("error") {
            return Err(Broken(error.clone()));
        }
        let keep = |name: &str| event.get(name).filter(|it| !it.is_null()).cloned();
        self.usage = keep("usage").or(self.usage.take());
        self.model = keep("model").or(self.model.take());
        let Some(choice) = at(event, &["choices"]).and_then(|choices| choices.get(0)) else {
            return Ok(None);
        };
        let finish = choice.get("finish_reason").filter(|it| !it.is_null());
        self.finish = finish.cloned().or(self.finish.take());
        push(&mut self.refusal, at(choice, &["delta", "refusal"]));
        let calls = at(choice, &["delta", "tool_calls"]).and_then(Value::as_array);
        for call in calls.into_iter().flatten() {
            let index = call.get("index").and_then(Value::as_u64);
            let index = index.unwrap_or_else(|| self.place(call));
            let [id, name, arguments] = self.calls.entry(index).or_default();
            push(id, call.get("id"));
            push(name, at(call, &["function", "name"]));
            push(arguments, at(call, &["function", "arguments"]));
        }
        Ok(push(&mut self.content, at(choice, &["delta", "content"])))
    }

    fn is_whole(&self) -> bool {
        self.finish.is_some()
    }

    /// What was used comes after the end of what is said.
    fn is_over(&self) -> bool {
        false
    }

    fn answer(&mut self) -> Value {
        let calls = std::mem::take(&mut self.calls).into_values();
        let calls = calls.map(|[id, name, arguments]| {
            json!({"id": id, "function": {"name": name, "arguments": arguments}})
        });
        let calls: Vec<Value> = calls.collect();
        let refusal = (!self.refusal.is_empty()).then_some(&self.refusal);
        let message = json!({"content": self.content, "refusal": refusal, "tool_calls": calls});
        json!({
            "choices": [{"message": message, "finish_reason": self.finish}],
            "usage": self.usage,
            "model": self.model,
        })
    }
}
