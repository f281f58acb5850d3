//! Frames that ask somebody: a model, a tool, another realm, whoever bids.

use realm_protocol::{
    CallId, FailureCode, LoopAddress, LoopId, Now, budget::Spend, json::Object, limits,
};
use serde_json::{Map, Value, json};

use super::{Context, Run};
use crate::{
    AttachedRequest, BackendError, BackendOutput, BackendReply, BackendRequest, Body, CallError,
    ContainerRequest, Effects, LoopError, Tool,
    executor::{
        Action, Announcing, RealmCall,
        frame::{Subject, Waiting, attempt_id, work_key},
    },
    question::Reply,
};

impl Run {
    pub(super) fn use_tool(&mut self, call: CallId, tool: &Tool, cx: &mut Context<'_>) {
        let state = match self.give_state(call, cx) {
            Ok(state) => state,
            Err(error) => return self.fail(call, error, cx),
        };
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let answers = frame.answers();
        let input = match tool {
            // An attached agent is told of the rest beside the input.
            Tool::Attached(_) => frame.input.clone(),
            _ => beside(&frame.input, [("state", &state), ("answers", &answers)]),
        };
        let attempt = frame.attempt;
        let key = work_key(self.id, self.work, call);
        let timeout_ms = frame.deadline.since(cx.now.tick);
        let repeatable = frame.subject.effects() != Effects::Once;
        let stream = self.is_shown(frame);
        let Some(manifest) = frame.subject.manifest() else {
            return;
        };
        let request = match tool {
            Tool::Echo => BackendRequest::Echo { input },
            Tool::Count => BackendRequest::Count { input },
            Tool::Http(http) => BackendRequest::Http {
                url: http.url.clone(),
                headers: http.headers.clone(),
                bearer: http.key.clone(),
                secrets: http.secrets.clone(),
                key,
                body: input,
                stream,
                timeout_ms,
                allow_private: http.allow_private.clone(),
            },
            Tool::Process(process) => BackendRequest::Process {
                argv: process.argv.clone(),
                env: process.env.clone(),
                secrets: process.secrets.clone(),
                key,
                cwd: process.cwd.clone(),
                sandbox: Box::new(process.sandbox.clone()),
                input,
                lines: process.lines,
                stream,
                timeout_ms,
            },
            Tool::Commands(commands) => match commands.argv(&input) {
                Ok(argv) => BackendRequest::Command {
                    argv,
                    env: commands.env.clone(),
                    secrets: commands.secrets.clone(),
                    key,
                    cwd: commands.cwd.clone(),
                    sandbox: Box::new(commands.sandbox.clone()),
                    timeout_ms,
                },
                Err(faults) => {
                    let what = "the input is not what the command takes";
                    let error = LoopError::new(FailureCode::SchemaInput, what);
                    self.fail(call, error.with_details(faults), cx);
                    return;
                }
            },
            Tool::Container(container) => BackendRequest::Container(Box::new(ContainerRequest {
                container: container.clone(),
                key,
                input,
                stream,
                timeout_ms,
            })),
            Tool::Mcp(mcp) => BackendRequest::Mcp {
                server: mcp.server.clone(),
                tool: mcp.tool.clone(),
                digest: mcp.digest,
                input,
                timeout_ms,
            },
            Tool::Attached(_) => BackendRequest::Attached(Box::new(AttachedRequest {
                agent: manifest.agent().unwrap_or(&manifest.id).clone(),
                loop_id: manifest.id.clone(),
                version: manifest.version.to_string(),
                key,
                input,
                state,
                answers,
                stream,
                repeatable,
                timeout_ms,
            })),
        };
        let what = format!("the call of `{}`", manifest.id);
        if let Err(error) = self.may_ask(call, cx) {
            return self.fail(call, error, cx);
        }
        if let Err(error) = self.reserve_call(call, &what, !request.is_pure(), cx) {
            return self.fail(call, error, cx);
        }
        let payload = Object::new()
            .with("implementation", tool.implementation())
            .with_some("attempt", (attempt > 1).then_some(attempt));
        self.event(call, "call.tool.invoked", payload, cx);
        self.ask_backend(call, request, cx);
    }

    /// Asks a backend. It is written down first that it was asked, and what asked it: a restarted run
    /// asks the same, or a person where asking twice would count twice. What has no effects waits for
    /// the disk only in a run that has acted before: what it was answered then must not be lost while
    /// this goes on.
    pub(super) fn ask_backend(
        &mut self,
        call: CallId,
        request: BackendRequest,
        cx: &mut Context<'_>,
    ) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let Some(manifest) = frame.subject.manifest() else {
            return;
        };
        let by = manifest.id.clone();
        let asked = attempt_id(self.id, call, frame.attempt);
        frame.waiting = Waiting::Backend {
            since: cx.now.tick,
            asked,
        };
        let harmless = request.is_tool() && frame.subject.effects() == Effects::None;
        let acts = !request.is_pure() && !harmless;
        let intent = !request.is_pure() && (acts || self.acted || self.bounds_calls(call));
        self.acted |= acts;
        if !request.is_pure() {
            self.keep_asked(call, cx);
        }
        self.asked.insert(asked, call);
        cx.shared.wait(asked, self.id);
        cx.shared.push(Action::Backend {
            run: self.id,
            call: asked,
            by,
            request,
            intent,
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
        let manifest = frame.subject.manifest();
        let prompt = manifest.is_some_and(|own| matches!(own.body, Body::Prompt(_)));
        let duration = cx.now.tick.since(since);
        if let Err(error) = &result {
            self.heard_failure(call, (error, since), cx);
        }
        match result {
            Ok(reply) if prompt => self.model_answered(call, reply, duration, cx),
            Ok(reply) => {
                self.settle(call, Some(Spend::one_call()), cx);
                let payload = Object::new().with("durationMs", &duration);
                self.event(call, "call.tool.returned", payload, cx);
                let output = match reply.output {
                    BackendOutput::Json(output) => output,
                    BackendOutput::Text(text) => json!({"text": text}),
                    BackendOutput::Calls { .. } => Value::Null,
                };
                match self.take_reply(call, output) {
                    Ok(Reply::Output(answer)) => match self.take_state(call, answer, cx) {
                        Ok(output) => self.complete(call, output, cx),
                        Err(error) => self.fail(call, error, cx),
                    },
                    Ok(Reply::Question(question)) => self.ask_people(call, question, cx),
                    Err(error) => self.fail(call, error, cx),
                }
            }
            Err(BackendError::Vanished { agent }) if self.is_unrepeatable(call) => {
                self.settle(call, None, cx);
                let why = format!("was asked of agent `{agent}`, which went away, and what it did");
                self.ask_person(call, &why, cx);
            }
            Err(error) => {
                let used = (!error.may_have_begun()).then(Spend::one_call);
                self.settle(call, used, cx);
                self.fail(call, error.into(), cx);
            }
        }
    }

    /// Whether only a person can say what becomes of work whose outcome is unknown.
    fn is_unrepeatable(&self, call: CallId) -> bool {
        let frame = self.frames.get(&call);
        self.durable && frame.is_some_and(|frame| frame.subject.effects() == Effects::Once)
    }

    /// Notes what a backend says of work that it has not ended.
    pub(in crate::executor) fn backend_said(
        &mut self,
        asked: CallId,
        progress: &Value,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(call) = self.asked.get(&asked).copied() else {
            return false;
        };
        let payload = Object::new().with("progress", progress);
        self.event(call, "log", payload, cx);
        call == self.root
    }

    pub(super) fn ask_realm(&mut self, call: CallId, cx: &mut Context<'_>) {
        let shown = self.frames.get(&call).map(|frame| self.is_shown(frame));
        let stream = shown.unwrap_or(false);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let Subject::Remote {
            address,
            version,
            pin,
        } = frame.subject.clone()
        else {
            return;
        };
        if let Err(error) = self.may_ask(call, cx) {
            return self.fail(call, error, cx);
        }
        let budget = match self.reserve_share(call, &format!("the call of `{address}`"), cx) {
            Ok(Some(budget)) => budget,
            Ok(None) => return,
            Err(error) => return self.fail(call, error, cx),
        };
        let needs = self.needing(call, &address);
        let Some(frame) = self.frames.get_mut(&call) else {
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
            pin,
            input: frame.input.clone(),
            timeout_ms: frame.deadline.since(cx.now.tick),
            depth: frame.depth,
            stream,
            budget,
            needs,
        });
        self.acted = true;
        self.keep_asked(call, cx);
        self.asked.insert(asked, call);
        cx.shared.wait(asked, self.id);
        cx.shared.push(action);
    }

    /// The loop that makes a call, where its definition says that it needs a grant for it.
    fn needing(&self, call: CallId, address: &LoopAddress) -> Option<LoopId> {
        let parent = self.frames.get(&call)?.parent.as_ref()?.frame;
        let manifest = self.frames.get(&parent)?.subject.manifest()?;
        let needed = manifest.needs.iter().any(|need| need.covers(address));
        needed.then(|| manifest.id.clone())
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
        let what = format!("the work of `{}`", contract.manifest.id);
        let budget = match self.reserve_share(call, &what, cx) {
            Ok(Some(budget)) => budget,
            Ok(None) => return,
            Err(error) => return self.fail(call, error, cx),
        };
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let asked = attempt_id(self.id, call, frame.attempt);
        frame.waiting = Waiting::Bidders {
            since: cx.now.tick,
            asked,
        };
        let action = Action::Announce(Announcing {
            call: asked,
            work: work_key(self.id, self.work, call),
            run: self.id,
            contract,
            input: frame.input.clone(),
            timeout_ms: frame.deadline.since(cx.now.tick),
            depth: frame.depth,
            budget,
        });
        self.acted = true;
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
        (result, spent): (Result<Value, CallError>, Option<Spend>),
        cx: &mut Context<'_>,
    ) {
        let Some((call, _)) = self.answered(asked) else {
            return;
        };
        let not_begun = matches!(&result, Err(error) if !error.may_have_begun);
        let spent = spent.or(not_begun.then(Spend::default));
        let one = Spend::one_call();
        self.settle(call, spent.map(|spent| spent.plus(&one)), cx);
        if let Err(error) = &result {
            self.heard_of_peer(call, Some(error.code), cx);
        }
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

/// An input with what a program is given beside it, if it is given anything.
fn beside(input: &Value, given: [(&str, &Option<Value>); 2]) -> Value {
    let given = given.into_iter();
    let given = given.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let mut all: Map<String, Value> = given.collect();
    if all.is_empty() {
        return input.clone();
    }
    all.insert("input".to_owned(), input.clone());
    Value::Object(all)
}
