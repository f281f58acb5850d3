//! What a frame does once its input is good, and what it does with answers.

use std::sync::Arc;

use realm_protocol::{
    CallId, FailureCode,
    json::{self as strict, Object},
};
use serde_json::{Map, Value, json};

use super::{Context, Run};
use crate::{
    BackendError, BackendOutput, BackendReply, BackendRequest, Body, CallError, LoopError, Prompt,
    Registered, Step, Tool,
    executor::{
        Action,
        frame::{Frame, Place, Waiting, child_id},
    },
    template,
};

impl Run {
    pub(super) fn run_body(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let entry = frame.entry.clone();
        match &entry.manifest.body {
            Body::Prompt(prompt) => self.ask_model(call, prompt, cx),
            Body::Tool(tool) => self.use_tool(call, tool, cx),
            Body::Composite(_) => self.advance(call, cx),
        }
    }

    fn ask_model(&mut self, call: CallId, prompt: &Prompt, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let text = template::render(prompt, &frame.input);
        if prompt.backend != "mock" {
            let error = BackendError::Unconfigured {
                id: prompt.backend.clone(),
            };
            return self.fail(call, error.into(), cx);
        }
        let payload = Object::new()
            .with("backendId", &prompt.backend)
            .with_some("model", prompt.model.as_ref())
            .with("promptLength", &text.chars().count());
        self.event(call, "call.backend.requested", payload, cx);
        let request = BackendRequest::Mock {
            prompt: text,
            system: prompt.system.clone(),
            model: prompt.model.clone(),
        };
        self.ask_backend(call, request, cx);
    }

    fn use_tool(&mut self, call: CallId, tool: &Tool, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let input = frame.input.clone();
        let timeout_ms = frame.deadline.since(cx.now.tick);
        let request = match tool {
            Tool::Echo => BackendRequest::Echo { input },
            Tool::Http(http) => BackendRequest::Http {
                url: http.url.clone(),
                headers: http.headers.clone(),
                body: input,
                timeout_ms,
                allow_private: http.allow_private.clone(),
            },
            Tool::Process(process) => BackendRequest::Process {
                argv: process.argv.clone(),
                env: process.env.clone(),
                cwd: process.cwd.clone(),
                input,
                timeout_ms,
            },
        };
        self.event(
            call,
            "call.tool.invoked",
            Object::new().with("implementation", tool.implementation()),
            cx,
        );
        self.ask_backend(call, request, cx);
    }

    fn ask_backend(&mut self, call: CallId, request: BackendRequest, cx: &mut Context<'_>) {
        if let Some(frame) = self.frames.get_mut(&call) {
            frame.waiting = Waiting::Backend { since: cx.now.tick };
            cx.shared.wait_backend(call, self.id);
            cx.shared.push(Action::Backend { call, request });
        }
    }

    pub(in crate::executor) fn backend_done(
        &mut self,
        call: CallId,
        result: Result<BackendReply, BackendError>,
        cx: &mut Context<'_>,
    ) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let Waiting::Backend { since } = frame.waiting else {
            return;
        };
        frame.waiting = Waiting::Nothing;
        let prompt = matches!(frame.entry.manifest.body, Body::Prompt(_));
        let duration = cx.now.tick.since(since);
        match result {
            Ok(reply) => {
                let (kind, payload) = answered(prompt, &reply, duration);
                self.event(call, kind, payload, cx);
                self.complete(call, parsed(reply.output), cx);
            }
            Err(error) => {
                let category = error.category();
                self.fail_as(call, error.into(), Some(category), cx);
            }
        }
    }

    /// Takes a composite to its next step, or to its end.
    pub(super) fn advance(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let entry = frame.entry.clone();
        let Body::Composite(composite) = &entry.manifest.body else {
            return;
        };
        let index = frame.outputs.len();
        let Some(step) = composite.steps.get(index) else {
            let output = frame.outputs.last().cloned().unwrap_or(Value::Null);
            return self.complete(call, output, cx);
        };
        let prepared = self.step_input(frame, index, step, cx);
        match prepared {
            Err(error) => self.fail(call, error, cx),
            Ok(input) if step.loop_id.realm.is_some() => {
                self.call_remote(call, index, step, input, cx);
            }
            Ok(input) => self.call_local(call, index, step, input, cx),
        }
    }

    /// Builds a step's input, if the run may have another frame.
    fn step_input(
        &self,
        frame: &Frame,
        index: usize,
        step: &Step,
        cx: &Context<'_>,
    ) -> Result<Value, LoopError> {
        if self.opened >= cx.limits.frames || frame.depth >= cx.limits.depth {
            let message = format!(
                "step {index} (`{}`) is one call too many or too deep",
                step.loop_id
            );
            return Err(LoopError::new(FailureCode::Budget, message));
        }
        let Some(mapping) = &step.input_mapping else {
            return Ok(frame.input.clone());
        };
        let scope = frame.scope();
        let mut input = Map::new();
        let mut details = Vec::new();
        for (field, reference) in mapping {
            match reference.select(&scope) {
                Some(value) => drop(input.insert(field.clone(), value)),
                None => details.push(format!(
                    "/steps/{index}/inputMapping/{field}: `{reference}` finds nothing"
                )),
            }
        }
        if details.is_empty() {
            return Ok(Value::Object(input));
        }
        let message = format!(
            "the input of step {index} (`{}`) cannot be put together",
            step.loop_id
        );
        Err(LoopError {
            code: FailureCode::SchemaInput,
            message,
            details,
        })
    }

    fn call_remote(
        &mut self,
        call: CallId,
        index: usize,
        step: &Step,
        input: Value,
        cx: &mut Context<'_>,
    ) {
        let child = self.free_id(call, index, cx);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        frame.waiting = Waiting::Remote(child);
        let action = Action::Invoke {
            call: child,
            run: self.id,
            address: step.loop_id.clone(),
            version: step.loop_version.clone(),
            input,
            timeout_ms: frame.deadline.since(cx.now.tick),
            depth: frame.depth.saturating_add(1),
        };
        self.opened = self.opened.saturating_add(1);
        self.remotes.insert(
            child,
            Place {
                frame: call,
                step: index,
            },
        );
        cx.shared.wait_invoke(child, self.id);
        self.event(call, "child.started", step_payload(index, step), cx);
        cx.shared.push(action);
    }

    fn call_local(
        &mut self,
        call: CallId,
        index: usize,
        step: &Step,
        input: Value,
        cx: &mut Context<'_>,
    ) {
        let entry = match self.step_entry(index, step, cx) {
            Ok(entry) => entry,
            Err(error) => return self.fail(call, error, cx),
        };
        let child = self.free_id(call, index, cx);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        frame.waiting = Waiting::Child(child);
        let deadline = cx.now.tick.plus(entry.manifest.limits.timeout_ms);
        let opened = Frame {
            call: child,
            parent: Some(Place {
                frame: call,
                step: index,
            }),
            entry,
            input,
            started: cx.now,
            deadline: deadline.min(frame.deadline),
            depth: frame.depth.saturating_add(1),
            waiting: Waiting::Nothing,
            outputs: Vec::new(),
            bindings: Vec::new(),
        };
        self.event(call, "child.started", step_payload(index, step), cx);
        self.open(opened, Some(call), None, cx);
    }

    fn step_entry(
        &self,
        index: usize,
        step: &Step,
        cx: &Context<'_>,
    ) -> Result<Arc<Registered>, LoopError> {
        let id = &step.loop_id.loop_id;
        let Some(entry) = cx.registry.find(id, step.loop_version.as_deref()) else {
            let message = format!(
                "step {index} calls `{id}`, which this realm does not have in that version"
            );
            return Err(LoopError::new(FailureCode::LoopNotFound, message));
        };
        if cx.shared.is_full(entry) {
            let message = format!("step {index} calls `{id}`, which runs as often as it may");
            return Err(LoopError::new(FailureCode::Overloaded, message));
        }
        Ok(entry.clone())
    }

    /// A frame id that nobody waits under: a caller may have chosen the one that comes first.
    fn free_id(&self, parent: CallId, step: usize, cx: &Context<'_>) -> CallId {
        let mut attempt = 0;
        loop {
            let id = child_id(parent, step, attempt);
            if !cx.shared.is_waiting(id) && !self.frames.contains_key(&id) {
                return id;
            }
            attempt += 1;
        }
    }

    pub(in crate::executor) fn invoke_done(
        &mut self,
        call: CallId,
        result: Result<Value, CallError>,
        cx: &mut Context<'_>,
    ) {
        let Some(place) = self.remotes.remove(&call) else {
            return;
        };
        let result = result.map_err(LoopError::from);
        self.child_done(place, call, result, cx);
    }
}

fn answered(prompt: bool, reply: &BackendReply, duration: u64) -> (&'static str, Object) {
    let payload = Object::new().with("durationMs", &duration);
    if prompt {
        let payload = payload
            .with("inputTokens", &reply.input_tokens)
            .with("outputTokens", &reply.output_tokens);
        ("call.backend.responded", payload)
    } else {
        ("call.tool.returned", payload)
    }
}

fn step_payload(index: usize, step: &Step) -> Object {
    Object::new()
        .with("stepIndex", &index)
        .with("loopId", &step.loop_id)
}

fn parsed(output: BackendOutput) -> Value {
    match output {
        BackendOutput::Json(value) => value,
        BackendOutput::Text(text) => {
            strict::parse(text.as_bytes()).unwrap_or_else(|_| json!({"text": text}))
        }
    }
}
