//! Messages: `POST /messages`, `x-api-key: KEY`. An answer of a given form is asked for as the
//! input of a tool that the model has to use.

use std::collections::BTreeMap;

use realm_executor::{BackendError, BackendOutput, ModelRequest};
use serde_json::{Map, Value, json};

use super::{Asked, Model, Said, Secret, missing, unfinished};

/// The version of the API.
const VERSION: &str = "2023-06-01";
/// The tool whose input is the answer.
const TOOL: &str = "output";

pub(super) fn ask(model: &Model, request: &ModelRequest) -> Result<Asked, BackendError> {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(model.name(request)?));
    let tokens = request.max_tokens.unwrap_or(model.max_tokens);
    body.insert("max_tokens".to_owned(), json!(tokens));
    let messages = json!([{"role": "user", "content": request.prompt}]);
    body.insert("messages".to_owned(), messages);
    if let Some(system) = &request.system {
        body.insert("system".to_owned(), json!(system));
    }
    if let Some(temperature) = &request.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    if let Some(schema) = &request.schema {
        let tool = json!({
            "name": TOOL,
            "description": "Takes the answer.",
            "input_schema": schema,
        });
        body.insert("tools".to_owned(), json!([tool]));
        let choice = json!({"type": "tool", "name": TOOL});
        body.insert("tool_choice".to_owned(), choice);
    }
    let mut headers = BTreeMap::new();
    headers.insert("anthropic-version".to_owned(), VERSION.to_owned());
    if let Some(Ok(key)) = &model.key {
        headers.insert("x-api-key".to_owned(), Secret::expose(key).to_owned());
    }
    Ok(Asked {
        path: "/messages",
        headers,
        body: Value::Object(body),
    })
}

pub(super) fn read(answer: &Value) -> Result<Said, BackendError> {
    match answer.get("stop_reason").and_then(Value::as_str) {
        Some("max_tokens") => {
            return Err(unfinished("it reached the most tokens that it may write"));
        }
        Some("refusal") => return Err(unfinished("it refuses")),
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
    let used = of("tool_use").find_map(|block| block.get("input"));
    let output = match used {
        Some(input) => BackendOutput::Json(input.clone()),
        None => {
            let texts = of("text").filter_map(|block| block.get("text")?.as_str());
            let texts: Vec<&str> = texts.collect();
            if texts.is_empty() {
                return Err(missing("text"));
            }
            BackendOutput::Text(texts.concat())
        }
    };
    let usage = |name| answer.get("usage")?.get(name)?.as_u64();
    Ok(Said {
        output,
        input_tokens: usage("input_tokens"),
        output_tokens: usage("output_tokens"),
        model: answer
            .get("model")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}
