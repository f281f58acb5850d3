//! Chat: `POST /chat`, without a key.

use std::collections::BTreeMap;

use realm_executor::{BackendError, BackendOutput, ModelRequest};
use serde_json::{Map, Value, json};

use super::{Asked, Model, Said, Secret, text, unfinished};

pub(super) fn ask(model: &Model, request: &ModelRequest) -> Result<Asked, BackendError> {
    let mut messages = Vec::new();
    if let Some(system) = &request.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": request.prompt}));
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

pub(super) fn read(answer: &Value) -> Result<Said, BackendError> {
    if answer.get("done_reason").and_then(Value::as_str) == Some("length") {
        return Err(unfinished("it reached the most tokens that it may write"));
    }
    let message = answer.get("message");
    let content = message.and_then(|message| message.get("content"));
    let count = |name| answer.get(name)?.as_u64();
    Ok(Said {
        output: BackendOutput::Text(text(content)?),
        input_tokens: count("prompt_eval_count"),
        output_tokens: count("eval_count"),
        model: answer
            .get("model")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}
