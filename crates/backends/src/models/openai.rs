//! Chat completions: `POST /chat/completions`, `Authorization: Bearer KEY`.

use std::collections::BTreeMap;

use realm_executor::{BackendError, BackendOutput, ModelRequest, ToolCall};
use realm_protocol::json;
use serde_json::{Map, Value, json};

use super::{Asked, Format, Model, Said, Secret, missing, text, unfinished};

pub(super) fn ask(model: &Model, request: &ModelRequest) -> Result<Asked, BackendError> {
    let mut messages = Vec::new();
    if let Some(system) = &request.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": request.prompt}));
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
        let tools = request.tools.iter().map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema,
            }})
        });
        body.insert("tools".to_owned(), tools.collect());
    }
    let mut headers = BTreeMap::new();
    if let Some(Ok(key)) = &model.key {
        headers.insert(
            "authorization".to_owned(),
            format!("Bearer {}", Secret::expose(key)),
        );
    }
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

/// What the message calls. Arguments that are no JSON stay text, which the loop's schema refuses.
fn calls(message: &Value) -> Vec<ToolCall> {
    let calls = message.get("tool_calls").and_then(Value::as_array);
    let calls = calls.into_iter().flatten().filter_map(|call| {
        let function = call.get("function")?;
        let text = function.get("arguments").and_then(Value::as_str);
        let text = text.unwrap_or("{}");
        Some(ToolCall {
            id: call.get("id")?.as_str()?.to_owned(),
            name: function.get("name")?.as_str()?.to_owned(),
            arguments: json::parse(text.as_bytes()).unwrap_or_else(|_| text.into()),
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
        model: answer
            .get("model")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}
