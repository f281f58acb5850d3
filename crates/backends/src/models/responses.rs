//! Responses: `POST /responses`, `Authorization: Bearer KEY`. Nothing is kept at the backend.

use realm_executor::{BackendError, BackendOutput, ModelRequest, ToolCall};
use serde_json::{Map, Value, json};

use super::{
    Asked, Asking, Model, Said, Secret, arguments, bearer, missing, named, unfinished,
    writing::{Broken, Writing, at},
};

pub(super) fn ask(model: &Model, request: &ModelRequest, key: Option<&Secret>) -> Asking {
    let mut input = vec![json!({"role": "user", "content": request.prompt})];
    for turn in &request.turns {
        let said = turn.said.iter();
        input.extend(said.map(|text| json!({"role": "assistant", "content": text})));
        input.extend(turn.calls.iter().map(|call| {
            let arguments = call.arguments.to_string();
            json!({
                "type": "function_call",
                "call_id": call.id,
                "name": call.name,
                "arguments": arguments,
            })
        }));
        let results = turn.calls.iter().zip(&turn.results);
        input.extend(results.map(|(call, result)| {
            let output = result.output.to_string();
            json!({"type": "function_call_output", "call_id": call.id, "output": output})
        }));
    }
    let mut body = Map::new();
    let mut add = |name: &str, value: Value| {
        body.insert(name.to_owned(), value);
    };
    add("model", json!(model.name(request)?));
    add("input", input.into());
    add("store", json!(false));
    let tokens = request.max_tokens.unwrap_or(model.max_tokens);
    add("max_output_tokens", json!(tokens));
    if let Some(system) = &request.system {
        add("instructions", json!(system));
    }
    if let Some(temperature) = &request.temperature {
        add("temperature", json!(temperature));
    }
    if let Some(schema) = &request.schema {
        let format =
            json!({"type": "json_schema", "name": "output", "schema": schema, "strict": false});
        add("text", json!({"format": format}));
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.schema,
                "strict": false,
            })
        });
        add("tools", tools.collect());
    }
    let mut headers = bearer(key);
    // Those who know the header answer the same work once.
    headers.insert("idempotency-key".to_owned(), request.key.to_string());
    Ok(Asked {
        path: "/responses",
        headers,
        body: Value::Object(body),
    })
}

fn called(item: &Value) -> Option<ToolCall> {
    Some(ToolCall {
        id: item.get("call_id")?.as_str()?.to_owned(),
        name: item.get("name")?.as_str()?.to_owned(),
        arguments: arguments(item.get("arguments")),
    })
}

/// Why the backend went no further, though it has answered.
pub(super) fn broken(answer: &Value) -> Option<Value> {
    let failed = answer.get("status").and_then(Value::as_str) == Some("failed");
    failed.then(|| answer.get("error").cloned().unwrap_or_default())
}

pub(super) fn read(answer: &Value) -> Result<Said, BackendError> {
    match at(answer, &["incomplete_details", "reason"]).and_then(Value::as_str) {
        Some("max_output_tokens") => {
            return Err(unfinished("it reached the most tokens that it may write"));
        }
        Some("content_filter") => return Err(unfinished("its content filter stopped it")),
        Some(reason) => return Err(unfinished(reason)),
        None => {}
    }
    let items = answer.get("output").and_then(Value::as_array);
    let items = items.ok_or_else(|| missing("output"))?;
    let is = |item: &&Value, kind: &str| item.get("type").and_then(Value::as_str) == Some(kind);
    let messages = items.iter().filter(|item| is(item, "message"));
    let contents = messages.filter_map(|message| message.get("content")?.as_array());
    let contents: Vec<&Value> = contents.flatten().collect();
    let refusals = contents.iter().find_map(|it| it.get("refusal")?.as_str());
    if let Some(refusal) = refusals {
        return Err(unfinished(&format!("it refuses: {refusal}")));
    }
    let texts: Vec<&str> = contents
        .iter()
        .filter(|it| is(it, "output_text"))
        .filter_map(|it| it.get("text")?.as_str())
        .collect();
    let said = (!texts.is_empty()).then(|| texts.concat());
    let calls = items.iter().filter(|item| is(item, "function_call"));
    let calls: Vec<ToolCall> = calls.filter_map(called).collect();
    let output = match said {
        said if !calls.is_empty() => BackendOutput::Calls { said, calls },
        Some(text) => BackendOutput::Text(text),
        None => return Err(missing("text")),
    };
    let usage = |name| answer.get("usage")?.get(name)?.as_u64();
    Ok(Said {
        output,
        input_tokens: usage("input_tokens"),
        output_tokens: usage("output_tokens"),
        model: named(answer),
    })
}

/// An answer that comes in events. The last one holds all of it.
#[derive(Default)]
pub(super) struct Events {
    answer: Option<Value>,
}

impl Writing for Events {
    fn take(&mut self, event: &Value) -> Result<Option<String>, Broken> {
        match event.get("type").and_then(Value::as_str) {
            Some("response.output_text.delta") => {
                let text = event.get("delta").and_then(Value::as_str);
                return Ok(text.map(str::to_owned));
            }
            Some("response.completed" | "response.incomplete") => {
                self.answer = event.get("response").cloned();
            }
            Some("response.failed") => {
                let error = at(event, &["response", "error"]).cloned();
                return Err(Broken(error.unwrap_or_default()));
            }
            Some("error") => return Err(Broken(event.clone())),
            _ => {}
        }
        Ok(None)
    }

    fn is_whole(&self) -> bool {
        self.answer.is_some()
    }

    fn answer(&mut self) -> Value {
        self.answer.take().unwrap_or_default()
    }
}
