//! Chat: `POST /chat`, without a key.

use std::collections::BTreeMap;

use realm_executor::{BackendError, BackendOutput, ModelRequest, ToolCall};
use serde_json::{Map, Value, json};

use super::{Asked, Model, Said, Secret, text, unfinished};

pub(super) fn ask(model: &Model, request: &ModelRequest) -> Result<Asked, BackendError> {
    let mut messages = Vec::new();
    if let Some(system) = &request.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": request.prompt}));
    for turn in &request.turns {
        let calls = turn.calls.iter();
        let calls =
            calls.map(|call| json!({"function": {"name": call.name, "arguments": call.arguments}}));
        let calls: Vec<Value> = calls.collect();
        let said = turn.said.clone().unwrap_or_default();
        messages.push(json!({"role": "assistant", "content": said, "tool_calls": calls}));
        let results = turn.calls.iter().zip(&turn.results);
        messages.extend(results.map(|(call, result)| {
            let content = result.output.to_string();
            json!({"role": "tool", "tool_name": call.name, "content": content})
        }));
    }
    let mut options = Map::new();
    let tokens = request.max_tokens.unwrap_or(model.max_tokens);
    options.insert("num_predict".to_owned(), json!(tokens));
    if let Some(temperature) = &request.temperature {
        options.insert("temperature".to_owned(), json!(temperature));
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model.name(request)?));
    body.insert("messages".to_owned(), json!(messages));
    body.insert("options".to_owned(), Value::Object(options));
    body.insert("stream".to_owned(), json!(false));
    if let Some(schema) = &request.schema {
        body.insert("format".to_owned(), schema.clone());
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
        // With a form to keep to it would never call.
        body.remove("format");
    }
    let mut headers = BTreeMap::new();
    if let Some(Ok(key)) = &model.key {
        headers.insert(
            "authorization".to_owned(),
            format!("Bearer {}", Secret::expose(key)),
        );
    }
    Ok(Asked {
        path: "/chat",
        headers,
        body: Value::Object(body),
    })
}

/// The format names no calls: they are numbered.
fn called((number, call): (usize, &Value)) -> Option<ToolCall> {
    let function = call.get("function")?;
    Some(ToolCall {
        id: number.to_string(),
        name: function.get("name")?.as_str()?.to_owned(),
        arguments: function.get("arguments").cloned().unwrap_or_default(),
    })
}

pub(super) fn read(answer: &Value) -> Result<Said, BackendError> {
    if answer.get("done_reason").and_then(Value::as_str) == Some("length") {
        return Err(unfinished("it reached the most tokens that it may write"));
    }
    let message = answer.get("message");
    let content = message.and_then(|message| message.get("content"));
    let calls = message.and_then(|message| message.get("tool_calls")?.as_array());
    let calls = calls.into_iter().flatten().enumerate();
    let calls: Vec<ToolCall> = calls.filter_map(called).collect();
    let output = match calls.is_empty() {
        true => BackendOutput::Text(text(content)?),
        false => BackendOutput::Calls {
            said: text(content).ok().filter(|said| !said.is_empty()),
            calls,
        },
    };
    let count = |name| answer.get(name)?.as_u64();
    Ok(Said {
        output,
        input_tokens: count("prompt_eval_count"),
        output_tokens: count("eval_count"),
        model: answer
            .get("model")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}
