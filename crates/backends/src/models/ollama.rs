//! Chat: `POST /chat`, without a key unless a gateway before it wants one.

use realm_executor::{BackendError, BackendOutput, ModelRequest, ToolCall};
use serde_json::{Map, Value, json};

use super::{
    Asked, Asking, Model, Said, Secret, bearer, functions, named, opening, text, unfinished,
    writing::{Broken, Writing, at, push},
};

pub(super) fn ask(model: &Model, request: &ModelRequest, key: Option<&Secret>) -> Asking {
    let mut messages = opening(request);
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
    if !request.tools.is_empty() {
        // With a form to keep to it would never call.
        body.insert("tools".to_owned(), functions(&request.tools));
    } else if let Some(schema) = &request.schema {
        body.insert("format".to_owned(), schema.clone());
    }
    Ok(Asked {
        path: "/chat",
        headers: bearer(key),
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
        model: named(answer),
    })
}

/// An answer that comes in lines.
#[derive(Default)]
pub(super) struct Lines {
    content: String,
    calls: Vec<Value>,
    /// The line that ends it.
    last: Option<Value>,
}

impl Writing for Lines {
    fn take(&mut self, line: &Value) -> Result<Option<String>, Broken> {
        if let Some(error) = line.get("error") {
            return Err(Broken(error.clone()));
        }
        let calls = at(line, &["message", "tool_calls"]).and_then(Value::as_array);
        self.calls.extend(calls.into_iter().flatten().cloned());
        if line.get("done").and_then(Value::as_bool) == Some(true) {
            self.last = Some(line.clone());
        }
        Ok(push(&mut self.content, at(line, &["message", "content"])))
    }

    fn is_whole(&self) -> bool {
        self.last.is_some()
    }

    fn answer(&mut self) -> Value {
        let message = json!({"content": self.content, "tool_calls": self.calls});
        let mut answer = self.last.take().unwrap_or_default();
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("message".to_owned(), message);
        }
        answer
    }
}
