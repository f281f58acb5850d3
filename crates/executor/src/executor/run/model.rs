//! Prompts: a model is asked, calls loops as its tools, is told what came of them, and answers.

use realm_protocol::{
    CallId, Digest, FailureCode,
    json::{self as strict, Object},
    limits,
};
use serde_json::{Value, json};

use super::{Context, Run, Task};
use crate::{
    BackendOutput, BackendReply, BackendRequest, Body, LoopError, ModelRequest, ModelTool, Prompt,
    ToolCall, ToolResult, ToolSpec, Turn,
    executor::frame::{At, Conversation, Place, Progress, turn_key},
    schema::LazySchema,
    template,
};

impl Run {
    /// Asks a prompt's model, with what it has called and been answered so far.
    pub(super) fn ask_model(&mut self, call: CallId, prompt: &Prompt, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let turns = match &frame.progress {
            Progress::Conversation(conversation) => conversation.turns.clone(),
            _ => Vec::new(),
        };
        let text = template::render(prompt, &frame.input);
        let manifest = frame.subject.manifest();
        let schema = manifest.and_then(|own| wanted(&own.output_schema)).cloned();
        let (backend, model) = self.backend_of(prompt);
        let payload = Object::new()
            .with("backendId", backend)
            .with_some("model", model)
            .with("promptLength", &text.chars().count())
            .with("promptDigest", &rendered_digest(prompt, &text))
            .with_some("turn", (!turns.is_empty()).then_some(turns.len()))
            .with_some("attempt", (frame.attempt > 1).then_some(frame.attempt));
        let request = ModelRequest {
            backend: backend.to_owned(),
            model: model.map(str::to_owned),
            system: prompt.system.clone(),
            prompt: text,
            max_tokens: prompt.max_tokens,
            temperature: prompt.temperature.clone(),
            schema,
            tools: prompt.tools.iter().map(|tool| spec(tool, cx)).collect(),
            key: turn_key(
                self.id,
                self.work,
                call,
                (turns.len() as u64, frame.attempt),
            ),
            timeout_ms: frame.deadline.since(cx.now.tick),
            stream: self.is_shown(frame),
            turns,
        };
        if let Err(error) = self.may_ask(call, cx) {
            return self.fail(call, error, cx);
        }
        match self.reserve_answer(call, &request, cx) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return self.fail(call, error, cx),
        }
        self.event(call, "call.backend.requested", payload, cx);
        self.ask_backend(call, BackendRequest::Model(Box::new(request)), cx);
    }

    /// Takes a model's answer: the prompt's output, or calls that it wants made first.
    pub(super) fn model_answered(
        &mut self,
        call: CallId,
        reply: BackendReply,
        duration: u64,
        cx: &mut Context<'_>,
    ) {
        let wants = match &reply.output {
            BackendOutput::Calls { calls, .. } => Some(calls.len()),
            _ => None,
        };
        let asked = self.prompt_of(call).map(|prompt| self.backend_of(prompt));
        let used = asked.and_then(|(backend, model)| cx.tariff(backend, model).used(&reply));
        self.settle(call, used, cx);
        let cost = reply.cost.as_ref();
        let payload = Object::new()
            .with("durationMs", &duration)
            .with("inputTokens", &reply.input_tokens)
            .with("outputTokens", &reply.output_tokens)
            .with_some("model", reply.model.as_ref())
            .with_some("costMicros", cost.map(|cost| cost.micros))
            .with_some("currency", cost.map(|cost| cost.currency.as_str()))
            .with_some("calls", wants);
        self.event(call, "call.backend.responded", payload, cx);
        match reply.output {
            BackendOutput::Json(output) => self.complete(call, output, cx),
            BackendOutput::Text(text) => {
                let read = strict::parse(text.as_bytes());
                self.complete(call, read.unwrap_or_else(|_| json!({"text": text})), cx);
            }
            BackendOutput::Calls { said, calls } => {
                self.heard(call, None, cx);
                self.begin_turn(call, said, calls, cx);
            }
        }
    }

    /// A model has answered with calls: they are written down, then made.
    fn begin_turn(
        &mut self,
        call: CallId,
        said: Option<String>,
        calls: Vec<ToolCall>,
        cx: &mut Context<'_>,
    ) {
        let most = self.prompt_of(call).map_or(0, |prompt| prompt.max_turns);
        let Some(conversation) = self.conversation_mut(call) else {
            let message = "the model calls tools, and it was offered none";
            let error = LoopError::new(FailureCode::LoopFailed, message).after_work();
            return self.fail(call, error, cx);
        };
        if calls.is_empty() || calls.len() > limits::MODEL_CALLS {
            let (count, limit) = (calls.len(), limits::MODEL_CALLS);
            let message = format!("the model makes {count} calls at once, and 1 to {limit} may be");
            return self.fail(call, LoopError::new(FailureCode::Budget, message), cx);
        }
        if conversation.turns.len() as u64 >= most {
            let message =
                format!("the model has not answered after {most} turns; `maxTurns` allows no more");
            return self.fail(call, LoopError::new(FailureCode::Budget, message), cx);
        }
        conversation.open = Some(Turn {
            said,
            results: Vec::new(),
            calls,
        });
        self.make_calls(call, cx);
    }

    /// Makes the calls of the turn under way.
    pub(super) fn make_calls(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(conversation) = self.conversation_mut(call) else {
            return;
        };
        let step = conversation.turns.len() as u64;
        let Some(open) = conversation.open.clone() else {
            return;
        };
        conversation.results = vec![None; open.calls.len()];
        self.keep(call, cx);
        let by = self.frames.get(&call).map(|frame| frame.subject.name());
        let by = by.unwrap_or_default();
        for (number, wanted) in open.calls.into_iter().enumerate() {
            let at = At {
                step,
                branch: Some(number),
                ..At::default()
            };
            let prompt = self.prompt_of(call);
            let tool = prompt.and_then(|prompt| {
                let mut tools = prompt.tools.iter();
                tools.find(|tool| tool.name == wanted.name).cloned()
            });
            let spawned = match tool {
                Some(tool) => approved(&tool, &by)
                    .and_then(|()| fits(&tool, &wanted.arguments))
                    .and_then(|()| self.spawn(call, at, &tool.call, wanted.arguments, cx)),
                None => {
                    let message = format!("there is no tool `{}`", wanted.name);
                    Err(LoopError::new(FailureCode::LoopNotFound, message))
                }
            };
            if let Err(error) = spawned {
                self.tool_done(Place { frame: call, at }, Err(error), cx);
            }
        }
    }

    /// Takes what came of one of a model's calls. An error ends nothing: the model is told.
    pub(super) fn tool_done(
        &mut self,
        place: Place,
        result: Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        let Place { frame: call, at } = place;
        let realm = self.realm_of(call, at);
        let Some(conversation) = self.conversation_mut(call) else {
            return;
        };
        let number = at.branch.unwrap_or(0);
        if let Some(slot) = conversation.results.get_mut(number) {
            *slot = Some(told(result, realm));
        }
        if conversation.results.iter().any(Option::is_none) {
            return;
        }
        let results = std::mem::take(&mut conversation.results);
        if let Some(open) = conversation.open.take() {
            conversation.turns.push(Turn {
                results: results.into_iter().flatten().collect(),
                ..open
            });
        }
        if conversation.bytes() > limits::CONVERSATION_BYTES {
            let message = format!(
                "what the model's tools gave has more than {} bytes",
                limits::CONVERSATION_BYTES
            );
            return self.fail(call, LoopError::new(FailureCode::Budget, message), cx);
        }
        self.forget_below(call, cx);
        self.keep(call, cx);
        self.ready.push_back(Task::Advance(call));
    }

    /// The realm that a call of a model's went to; none for this one.
    fn realm_of(&self, call: CallId, at: At) -> Option<String> {
        let Progress::Conversation(conversation) = &self.frames.get(&call)?.progress else {
            return None;
        };
        let wanted = conversation.open.as_ref()?.calls.get(at.branch?)?;
        let manifest = self.frames.get(&call)?.subject.manifest()?;
        let Body::Prompt(prompt) = &manifest.body else {
            return None;
        };
        let tool = prompt.tools.iter().find(|tool| tool.name == wanted.name)?;
        tool.call.loop_id.realm.as_ref().map(ToString::to_string)
    }

    /// Whom a prompt asks in this run, and for which model.
    pub(super) fn backend_of<'a>(&'a self, prompt: &'a Prompt) -> (&'a str, Option<&'a str>) {
        match &self.backend {
            Some(choice) => (&choice.id, choice.model.as_deref()),
            None => (&prompt.backend, prompt.model.as_deref()),
        }
    }

    fn prompt_of(&self, call: CallId) -> Option<&Prompt> {
        match &self.frames.get(&call)?.subject.manifest()?.body {
            Body::Prompt(prompt) => Some(prompt),
            _ => None,
        }
    }

    fn conversation_mut(&mut self, call: CallId) -> Option<&mut Conversation> {
        match &mut self.frames.get_mut(&call)?.progress {
            Progress::Conversation(conversation) => Some(conversation),
            _ => None,
        }
    }
}

/// What names the very words that a model was told first.
fn rendered_digest(prompt: &Prompt, text: &str) -> Digest {
    let system = prompt.system.as_deref().unwrap_or_default();
    Digest::of(&[system.as_bytes(), &[0], text.as_bytes()])
}

/// What a model is told of a call's end. What another realm gave is marked as its words.
fn told(result: Result<Value, LoopError>, realm: Option<String>) -> ToolResult {
    let failed = result.is_err();
    let (name, value) = match result {
        Ok(output) if realm.is_none() => {
            return ToolResult { output, failed };
        }
        Ok(output) => ("output", output),
        Err(error) => {
            let told = json!({
                "code": error.code.name(),
                "message": error.message,
                "details": error.details,
            });
            ("error", told)
        }
    };
    let output = match realm {
        Some(realm) => json!({"realm": realm, name: value}),
        None => json!({name: value}),
    };
    ToolResult { output, failed }
}

/// Lets a model call a loop of another realm only as somebody has approved it.
fn approved(tool: &ModelTool, by: &str) -> Result<(), LoopError> {
    let address = &tool.call.loop_id;
    if address.realm.is_none() || tool.call.digest.is_some() {
        return Ok(());
    }
    let message = format!(
        "the tool `{}` calls `{address}`, which nobody has approved: `realmctl tool ls {by}` shows it, `realmctl tool approve {by}` approves it",
        tool.name
    );
    Err(LoopError::new(FailureCode::Denied, message))
}

/// Holds a call to the schema that the model was shown; the called loop has its own beside.
fn fits(tool: &ModelTool, arguments: &Value) -> Result<(), LoopError> {
    let Some(schema) = &tool.input_schema else {
        return Ok(());
    };
    let checked = LazySchema::default().check(schema, arguments);
    checked.map_err(|faults| {
        let message = format!(
            "the input does not match the schema of the tool `{}`",
            tool.name
        );
        LoopError::new(FailureCode::SchemaInput, message).with_details(faults)
    })
}

/// What a model is told of a tool.
fn spec(tool: &ModelTool, cx: &Context<'_>) -> ToolSpec {
    let address = &tool.call.loop_id;
    let version = tool.call.loop_version.as_deref();
    let own = || match &address.realm {
        None => cx.registry.find(&address.loop_id, version),
        Some(_) => None,
    };
    let described = own().and_then(|own| own.manifest.description.clone());
    let schema = own().map(|own| own.manifest.input_schema.clone());
    let description = tool.description.clone().or(described);
    ToolSpec {
        name: tool.name.clone(),
        description: description.unwrap_or_else(|| format!("Calls the loop {address}.")),
        schema: tool
            .input_schema
            .clone()
            .or(schema)
            .unwrap_or_else(|| json!({"type": "object"})),
    }
}

/// The schema that a model's answer is to match; none where text will do, which becomes
/// `{"text": …}`.
fn wanted(output: &Value) -> Option<&Value> {
    let properties = output.get("properties").and_then(Value::as_object)?;
    let text_alone = properties.keys().all(|name| name == "text");
    (!text_alone).then_some(output)
}
