//! Frames that ask somebody: a model, a tool, another realm, whoever bids.

use realm_protocol::{
    CallId, FailureCode, Now,
    json::{self as strict, Object},
    limits,
};
use serde_json::{Value, json};

use super::{Context, Run};
use crate::{
    BackendError, BackendOutput, BackendReply, BackendRequest, CallError, LoopError, ModelRequest,
    Prompt, Tool,
    executor::{
        Action, Announcing, RealmCall,
        frame::{Subject, Waiting, attempt_id, work_key},
    },
    template,
};

/// The backend that needs no model.
const MOCK: &str = "mock";

impl Run {
    pub(super) fn ask_model(&mut self, call: CallId, prompt: &Prompt, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let text = template::render(prompt, &frame.input);
        let key = work_key(self.id, call);
        let timeout_ms = frame.deadline.since(cx.now.tick);
        let manifest = frame.subject.manifest();
        let schema = manifest.and_then(|own| wanted(&own.output_schema)).cloned();
        let payload = Object::new()
            .with("backendId", &prompt.backend)
            .with_some("model", prompt.model.as_ref())
            .with("promptLength", &text.chars().count());
        self.event(call, "call.backend.requested", payload, cx);
        let request = if prompt.backend == MOCK {
            BackendRequest::Mock {
                prompt: text,
                system: prompt.system.clone(),
                model: prompt.model.clone(),
            }
        } else {
            BackendRequest::Model(Box::new(ModelRequest {
                backend: prompt.backend.clone(),
                model: prompt.model.clone(),
                system: prompt.system.clone(),
                prompt: text,
                max_tokens: prompt.max_tokens,
                temperature: prompt.temperature.clone(),
                schema,
                key,
                timeout_ms,
            }))
        };
        self.ask_backend(call, request, cx);
    }

    pub(super) fn use_tool(&mut self, call: CallId, tool: &Tool, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let input = frame.input.clone();
        let attempt = frame.attempt;
        let key = work_key(self.id, call);
        let timeout_ms = frame.deadline.since(cx.now.tick);
        let request = match tool {
            Tool::Echo => BackendRequest::Echo { input },
            Tool::Count => BackendRequest::Count { input },
            Tool::Http(http) => BackendRequest::Http {
                url: http.url.clone(),
                headers: http.headers.clone(),
                key,
                body: input,
                timeout_ms,
                allow_private: http.allow_private.clone(),
            },
            Tool::Process(process) => BackendRequest::Process {
                argv: process.argv.clone(),
                env: process.env.clone(),
                key,
                cwd: process.cwd.clone(),
                input,
                timeout_ms,
            },
        };
        let payload = Object::new()
            .with("implementation", tool.implementation())
            .with_some("attempt", (attempt > 1).then_some(attempt));
        self.event(call, "call.tool.invoked", payload, cx);
        self.ask_backend(call, request, cx);
    }

    /// Asks a backend. It is written down first that it was asked, and what asked it: a restarted run
    /// asks the same, or a person where asking twice would count twice.
    fn ask_backend(&mut self, call: CallId, request: BackendRequest, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let asked = attempt_id(self.id, call, frame.attempt);
        frame.waiting = Waiting::Backend {
            since: cx.now.tick,
            asked,
        };
        if !request.is_pure() {
            self.keep_asked(call, cx);
        }
        self.asked.insert(asked, call);
        cx.shared.wait(asked, self.id);
        cx.shared.push(Action::Backend {
            call: asked,
            request,
        });
    }

    pub(in crate::executor) fn backend_done(
        &mut self,
        asked: CallId,
        result: Result<BackendReply, BackendError>,
        cx: &mut Context<'_>,
    ) {
        let Some((call, since)) = self.answered(asked) else {
            return;
        };
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let prompt = frame.subject.manifest();
        let prompt = prompt.is_some_and(|own| matches!(own.body, crate::Body::Prompt(_)));
        let duration = cx.now.tick.since(since);
        match result {
            Ok(reply) => {
                let (kind, payload) = answered(prompt, &reply, duration);
                self.event(call, kind, payload, cx);
                self.complete(call, parsed(reply.output), cx);
            }
            Err(error) => self.fail(call, error.into(), cx),
        }
    }

    pub(super) fn ask_realm(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let Subject::Remote { address, version } = frame.subject.clone() else {
            return;
        };
        let asked = attempt_id(self.id, call, frame.attempt);
        frame.waiting = Waiting::Realm {
            since: cx.now.tick,
            asked,
        };
        let action = Action::Invoke(RealmCall {
            call: asked,
            run: self.id,
            frame: call,
            asked: frame.asked.unwrap_or(cx.now.wall),
            tried: frame.tried,
            address,
            version,
            input: frame.input.clone(),
            timeout_ms: frame.deadline.since(cx.now.tick),
            depth: frame.depth,
        });
        self.keep_asked(call, cx);
        self.asked.insert(asked, call);
        cx.shared.wait(asked, self.id);
        cx.shared.push(action);
    }

    /// Announces a frame's work. As with another realm's answer it is written down first that it was
    /// asked for: the broadcast has the attempt's id, and a restarted run finds it again.
    pub(super) fn ask_bidders(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let Subject::Local(contract) = frame.subject.clone() else {
            return;
        };
        let asked = attempt_id(self.id, call, frame.attempt);
        frame.waiting = Waiting::Bidders {
            since: cx.now.tick,
            asked,
        };
        let action = Action::Announce(Announcing {
            call: asked,
            run: self.id,
            contract,
            input: frame.input.clone(),
            timeout_ms: frame.deadline.since(cx.now.tick),
            depth: frame.depth,
        });
        self.keep_asked(call, cx);
        let payload = Object::new().with("broadcast", &asked);
        self.event(call, "call.announced", payload, cx);
        self.asked.insert(asked, call);
        cx.shared.wait(asked, self.id);
        cx.shared.push(action);
    }

    pub(in crate::executor) fn invoke_done(
        &mut self,
        asked: CallId,
        result: Result<Value, CallError>,
        cx: &mut Context<'_>,
    ) {
        let Some((call, _)) = self.answered(asked) else {
            return;
        };
        match result {
            Ok(output) => self.complete(call, output, cx),
            Err(error) if error.code == FailureCode::Expired && self.is_forgotten(call, cx.now) => {
                let why = "was asked so long ago that it no longer knows, and what it did";
                self.ask_person(call, why, cx);
            }
            Err(error) => self.fail(call, LoopError::from(error), cx),
        }
    }

    /// Whether another realm was first asked longer ago than it remembers, give or take its clock.
    fn is_forgotten(&self, call: CallId, now: Now) -> bool {
        let remembered = limits::KEY_KEPT_MS.saturating_sub(limits::CLOCK_SKEW_MS);
        let asked = self.frames.get(&call).and_then(|frame| frame.asked);
        asked.is_some_and(|asked| now.wall.since(asked) > remembered)
    }

    /// The frame that asked under this id and waits for the answer, and since when.
    fn answered(&mut self, asked: CallId) -> Option<(CallId, realm_protocol::Tick)> {
        let call = self.asked.remove(&asked)?;
        let frame = self.frames.get_mut(&call)?;
        let since = match frame.waiting {
            Waiting::Backend { since, asked: id }
            | Waiting::Realm { since, asked: id }
            | Waiting::Bidders { since, asked: id }
                if id == asked =>
            {
                since
            }
            _ => return None,
        };
        frame.waiting = Waiting::Nothing;
        frame.hear();
        Some((call, since))
    }
}

/// The schema that a model's answer is to match; none where text will do, which becomes
/// `{"text": …}`.
fn wanted(output: &Value) -> Option<&Value> {
    let properties = output.get("properties").and_then(Value::as_object)?;
    let text_alone = properties.keys().all(|name| name == "text");
    (!text_alone).then_some(output)
}

fn answered(prompt: bool, reply: &BackendReply, duration: u64) -> (&'static str, Object) {
    let payload = Object::new().with("durationMs", &duration);
    if prompt {
        let cost = reply.cost.as_ref();
        let payload = payload
            .with("inputTokens", &reply.input_tokens)
            .with("outputTokens", &reply.output_tokens)
            .with_some("model", reply.model.as_ref())
            .with_some("costMicros", cost.map(|cost| cost.micros))
            .with_some("currency", cost.map(|cost| &cost.currency));
        ("call.backend.responded", payload)
    } else {
        ("call.tool.returned", payload)
    }
}

fn parsed(output: BackendOutput) -> Value {
    match output {
        BackendOutput::Json(value) => value,
        BackendOutput::Text(text) => {
            strict::parse(text.as_bytes()).unwrap_or_else(|_| json!({"text": text}))
        }
    }
}
