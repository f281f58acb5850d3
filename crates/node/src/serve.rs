//! Calls that are run here: once for each idempotency key, with a permit, answered when durable.

use std::collections::{BTreeMap, VecDeque};

use realm_crypto::{Opened, Outgoing, ReplyKey, seal_reply};
use realm_executor::{Effects, LoopError, Outcome, Start};
use realm_policy::{Action, Permit, Resource};
use realm_protocol::{
    CallId, Digest, Failure, FailureCode, Hop, Kind, LoopAddress, LoopId, Now, Place, Priority,
    RealmId, RunId, Scope, Timestamp,
    cbor::{self, Blob},
    journal::{Change, Direction, Run, Status, Table},
    json, limits,
    message::{Call, CallResult, Cancel, PolicyUse, TraceParent},
};
use serde_json::Value;

use crate::{
    CallFailure, ControlId, Effect, Invocation, InvokeAsked, LookId, Node, Response,
    relay::Release,
    state::{self, StoredAnswer, StoredKey, key_row},
};

/// Answers kept in memory until the store is sure to have them.
const RECENT: usize = 1_024;
/// Bytes of a Failure's detail.
const DETAIL_BYTES: usize = 4 * 1024;

/// Everything that is run here.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    runs: BTreeMap<RunId, Served>,
    /// Keys under way: looked up or running.
    keys: BTreeMap<Vec<u8>, KeyState>,
    looks: BTreeMap<LookId, Looking>,
    recent: BTreeMap<Vec<u8>, StoredKey>,
    recent_order: VecDeque<Vec<u8>>,
    last_look: u64,
}

#[derive(Clone, Copy, Debug)]
enum KeyState {
    Looking(LookId),
    Running(RunId),
}

#[derive(Debug)]
struct Looking {
    incoming: Incoming,
    permit: Permit,
    others: Vec<(Digest, Responder)>,
}

/// A run under way, and who waits for it.
#[derive(Debug)]
struct Served {
    call: CallId,
    caller: Scope,
    caller_realm: RealmId,
    key: Option<(Vec<u8>, StoredKey)>,
    effects: Effects,
    responders: Vec<Responder>,
    started: Now,
    policies: Vec<PolicyUse>,
    record: Run,
}

/// A call to be run here.
#[derive(Debug)]
struct Incoming {
    responder: Responder,
    call: CallId,
    caller: Scope,
    caller_realm: RealmId,
    loop_id: LoopId,
    version: Option<String>,
    input: Value,
    key: Option<(Digest, Timestamp)>,
    timeout_ms: u64,
    depth: u64,
    caller_name: Option<String>,
    parent: Option<TraceParent>,
    direction: Direction,
}

/// Who waits for an answer.
#[derive(Debug)]
enum Responder {
    Local {
        control: ControlId,
        address: LoopAddress,
        started: Now,
    },
    Remote(Box<Remote>),
}

/// How a remote caller is answered.
#[derive(Debug)]
struct Remote {
    source: Place,
    call: CallId,
    digest: Digest,
    reply_key: ReplyKey,
    max_reply: u64,
    hops: u64,
}

impl Serving {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.looks.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len().saturating_add(self.looks.len())
    }

    fn of_root(&self, root: RealmId) -> usize {
        self.runs
            .values()
            .filter(|served| served.caller.root == root)
            .count()
    }

    pub(crate) fn has(&self, run: RunId) -> bool {
        self.runs.contains_key(&run)
    }

    fn keep_recent(&mut self, row: Vec<u8>, key: StoredKey) {
        self.recent.insert(row.clone(), key);
        self.recent_order.push_back(row);
        if self.recent_order.len() > RECENT
            && let Some(oldest) = self.recent_order.pop_front()
        {
            self.recent.remove(&oldest);
        }
    }
}

impl Incoming {
    /// What an idempotency key stands for: loop, version and input.
    fn request_digest(&self) -> Digest {
        let input = json::to_bytes(&self.input);
        let version = self.version.as_deref().unwrap_or_default();
        Digest::of(&[
            self.loop_id.as_str().as_bytes(),
            &[0],
            version.as_bytes(),
            &[0],
            &input,
        ])
    }
}

impl Node {
    pub(crate) fn serve_local(&mut self, control: ControlId, asked: InvokeAsked) {
        let now = self.now;
        let key = asked.key.as_ref().map(|key| {
            (
                Digest::of(&[b"realm/1/key", &[0], key.as_bytes()]),
                now.wall,
            )
        });
        let incoming = Incoming {
            call: CallId::new(self.random()),
            caller: self.me.scope(),
            caller_realm: self.me.realm(),
            loop_id: asked.address.loop_id.clone(),
            version: asked.version,
            input: asked.input,
            key,
            timeout_ms: asked.timeout_ms.unwrap_or(self.config.call_timeout_ms),
            depth: 0,
            caller_name: asked.caller,
            parent: None,
            direction: Direction::Local,
            responder: Responder::Local {
                control,
                address: asked.address,
                started: now,
            },
        };
        self.serve(incoming);
    }

    pub(crate) fn serve_remote(&mut self, opened: Opened, call: Call, hop: Hop) {
        let (header, digest, _, reply_key) = opened.into_parts();
        let (Some(reply_key), Some(caller_realm)) = (reply_key, header.source.realm) else {
            return;
        };
        let remote = Remote {
            source: header.source.clone(),
            call: header.call,
            digest,
            reply_key,
            max_reply: header.max_reply,
            hops: limits::HOPS.saturating_sub(hop.left).saturating_add(1),
        };
        let Ok(input) = json::parse(&call.input) else {
            let failure = CallFailure::new(FailureCode::Malformed, "the input is not strict JSON");
            return self.answer_failure(
                &Responder::Remote(Box::new(remote)),
                &failure,
                Release::Now,
            );
        };
        let incoming = Incoming {
            responder: Responder::Remote(Box::new(remote)),
            call: header.call,
            caller: header.source.scope(),
            caller_realm,
            loop_id: call.loop_id,
            version: call.version,
            input,
            key: Some((call.key, call.key_created)),
            timeout_ms: call.timeout_ms.min(limits::CALL_MAX_MS),
            depth: call.depth,
            caller_name: call.caller,
            parent: call.parent,
            direction: Direction::In,
        };
        self.serve(incoming);
    }

    /// Permission first, so that a loop that is hidden and one that is absent look alike.
    fn serve(&mut self, incoming: Incoming) {
        if let Err(failure) = self.may_serve(&incoming) {
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        }
        let owner = self.me.scope();
        let resource = Resource::Loop {
            owner: &owner,
            id: &incoming.loop_id,
        };
        let now = self.wall();
        match self
            .rules
            .decide(Action::Invoke, &incoming.caller, resource, false, now)
        {
            Ok(permit) => self.look_up(incoming, permit),
            Err(denial) => {
                self.counters.refuse(crate::Refused::Denied);
                let reference = self.remember_denial(denial);
                let message = format!("denied by policy; reference {reference}");
                let mut failure = CallFailure::new(FailureCode::Denied, message);
                failure.reference = Some(reference);
                self.answer_failure(&incoming.responder, &failure, Release::Now);
            }
        }
    }

    fn may_serve(&self, incoming: &Incoming) -> Result<(), CallFailure> {
        let foreign = incoming.caller.root != self.me.root();
        let busy = self.serving.len() >= self.config.max_calls;
        let greedy =
            foreign && self.serving.of_root(incoming.caller.root) >= self.config.max_calls_per_peer;
        if self.stopping || busy || greedy {
            let mut failure = CallFailure::new(FailureCode::Overloaded, "busy; try again");
            failure.retry_after_ms = Some(500);
            return Err(failure);
        }
        if self.out.has_failed() {
            return Err(CallFailure::new(
                FailureCode::StoreFailed,
                "nothing can be made durable",
            ));
        }
        let created = incoming.key.map(|(_, created)| created);
        if created.is_some_and(|created| self.wall().since(created) > limits::KEY_KEPT_MS) {
            return Err(CallFailure::new(
                FailureCode::Expired,
                "the idempotency key is too old",
            ));
        }
        Ok(())
    }

    /// Finds out whether the key was used before. Loops without effects need not know.
    fn look_up(&mut self, incoming: Incoming, permit: Permit) {
        let loop_id = &incoming.loop_id;
        let registered = self.registry.find(loop_id, incoming.version.as_deref());
        let Some(effects) = registered.map(|registered| registered.effects) else {
            let version = incoming
                .version
                .as_ref()
                .map(|v| format!(" in version {v}"));
            let message = format!(
                "there is no loop `{loop_id}`{}",
                version.unwrap_or_default()
            );
            let failure = CallFailure::new(FailureCode::LoopNotFound, message);
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        };
        let Some((key, _)) = incoming.key else {
            return self.start_run(incoming, &permit, effects);
        };
        let row = key_row(incoming.caller_realm, &key);
        if let Some(state) = self.serving.keys.get(&row).copied() {
            return self.join_run(state, incoming);
        }
        if let Some(known) = self.serving.recent.get(&row).cloned() {
            return self.answer_again(incoming, &permit, &known);
        }
        if effects == Effects::None {
            return self.start_run(incoming, &permit, effects);
        }
        self.serving.last_look = self.serving.last_look.saturating_add(1);
        let look = LookId(self.serving.last_look);
        self.serving
            .keys
            .insert(row.clone(), KeyState::Looking(look));
        self.serving.looks.insert(
            look,
            Looking {
                incoming,
                permit,
                others: Vec::new(),
            },
        );
        self.out.emit(Effect::Look(look, Table::Keys, row));
    }

    /// A key that is under way: the caller joins the running call and gets its answer.
    fn join_run(&mut self, state: KeyState, incoming: Incoming) {
        let digest = incoming.request_digest();
        let same = match state {
            KeyState::Looking(look) => match self.serving.looks.get_mut(&look) {
                Some(looking) => {
                    looking.others.push((digest, incoming.responder));
                    return;
                }
                None => false,
            },
            KeyState::Running(run) => match self.serving.runs.get_mut(&run) {
                Some(served)
                    if served
                        .key
                        .as_ref()
                        .is_some_and(|(_, key)| key.request == digest) =>
                {
                    served.responders.push(incoming.responder);
                    return;
                }
                _ => false,
            },
        };
        if !same {
            self.answer_failure(&incoming.responder, &key_reused(), Release::Now);
        }
    }

    pub(crate) fn handle_looked(&mut self, look: LookId, value: Option<&[u8]>) {
        let Some(Looking {
            incoming,
            permit,
            others,
        }) = self.serving.looks.remove(&look)
        else {
            return;
        };
        let Some((key, _)) = incoming.key else { return };
        let row = key_row(incoming.caller_realm, &key);
        self.serving.keys.remove(&row);
        let known = value.and_then(|bytes| state::read::<StoredKey>(bytes).ok());
        let digest = incoming.request_digest();
        match known.filter(|known| self.now.wall < known.forgotten) {
            Some(known) => self.answer_again(incoming, &permit, &known),
            None => {
                let found = self
                    .registry
                    .find(&incoming.loop_id, incoming.version.as_deref());
                let effects = found.map_or(Effects::Once, |registered| registered.effects);
                self.start_run(incoming, &permit, effects);
            }
        }
        for (other, responder) in others {
            let state = self.serving.keys.get(&row).copied();
            match state {
                Some(KeyState::Running(run)) if other == digest => {
                    if let Some(served) = self.serving.runs.get_mut(&run) {
                        served.responders.push(responder);
                    }
                }
                _ => match self
                    .serving
                    .recent
                    .get(&row)
                    .and_then(|known| known.answer.clone())
                {
                    Some(answer) if other == digest => self.give(&responder, answer),
                    _ => self.answer_failure(&responder, &key_reused(), Release::Now),
                },
            }
        }
    }

    /// A key that was used before: its answer, unless it stood for something else.
    fn answer_again(&mut self, incoming: Incoming, permit: &Permit, known: &StoredKey) {
        if known.request != incoming.request_digest() {
            return self.answer_failure(&incoming.responder, &key_reused(), Release::Now);
        }
        match &known.answer {
            Some(answer) => {
                if let Some((key, _)) = incoming.key {
                    let row = key_row(incoming.caller_realm, &key);
                    self.serving.keep_recent(row, known.clone());
                }
                self.give(&incoming.responder, answer.clone());
            }
            None if known.repeatable => self.start_run(incoming, permit, Effects::Idempotent),
            None => {
                let message = "an earlier attempt under this key was interrupted; whether it had \
                               its effect is not known";
                let failure = CallFailure::new(FailureCode::LoopFailed, message);
                self.answer_failure(&incoming.responder, &failure, Release::Now);
            }
        }
    }

    /// Gives a stored answer.
    fn give(&mut self, responder: &Responder, answer: StoredAnswer) {
        match responder {
            Responder::Remote(remote) => {
                let content = match cbor::decode::<CallResult>(&answer.content) {
                    Ok(result) if !answer.failed => cbor::encode(&CallResult {
                        replayed: true,
                        ..result
                    }),
                    _ => match cbor::decode::<Failure>(&answer.content) {
                        Ok(failure) => cbor::encode(&Failure {
                            answers: remote.digest,
                            ..failure
                        }),
                        Err(_) => return,
                    },
                };
                let kind = if answer.failed {
                    Kind::Failure
                } else {
                    Kind::Result
                };
                self.reply(remote, kind, &content, Release::Durable);
            }
            Responder::Local {
                control,
                address,
                started,
            } => {
                let (result, run, version) = read_answer(&answer);
                let invocation = Invocation {
                    run: run.unwrap_or_else(|| self.new_run()),
                    call: CallId::new(self.random()),
                    address: address.clone(),
                    version,
                    result,
                    started: started.wall,
                    ended: self.wall(),
                    duration_ms: self.now.tick.since(started.tick),
                    way: vec![self.me.scope()],
                    replayed: true,
                };
                self.respond(*control, Response::Invoked(Box::new(invocation)));
            }
        }
    }

    fn start_run(&mut self, incoming: Incoming, permit: &Permit, effects: Effects) {
        let run = self.new_run();
        let request = incoming.request_digest();
        let start = Start {
            run,
            call: incoming.call,
            loop_id: incoming.loop_id.clone(),
            version: incoming.version.clone(),
            input: incoming.input.clone(),
            timeout_ms: incoming.timeout_ms.max(1),
            depth: incoming.depth,
            caller: Some(caller_text(&incoming, &self.name_of(&incoming.caller))),
            parent: incoming.parent.clone(),
        };
        if let Err(error) = self.executor.start(start, &self.registry, self.now) {
            let failure = CallFailure::new(error.code(), error.to_string());
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        }
        self.counters.served = self.counters.served.saturating_add(1);
        let peer = (incoming.direction == Direction::In).then(|| self.name_of(&incoming.caller));
        let record = Run {
            id: run,
            call: incoming.call,
            loop_id: incoming.loop_id.to_string(),
            version: incoming.version.clone(),
            direction: incoming.direction,
            peer,
            status: Status::Running,
            started: self.wall(),
            ended: None,
            error: None,
            input: Some(Blob(json::to_bytes(&incoming.input))),
            output: None,
            parent: None,
        };
        self.out.change(Change::Run(record.clone()));
        let key = incoming.key.map(|(key, created)| {
            let row = key_row(incoming.caller_realm, &key);
            let stored = StoredKey {
                request,
                run,
                forgotten: created.max(self.now.wall).plus(limits::KEY_KEPT_MS),
                answer: None,
                repeatable: effects != Effects::Once,
            };
            if effects != Effects::None {
                self.put_until(Table::Keys, &row, state::write(&stored), stored.forgotten);
            }
            self.serving
                .keys
                .insert(row.clone(), KeyState::Running(run));
            (row, stored)
        });
        let policies = permit.policies().iter();
        let policies = policies.map(|used| PolicyUse {
            realm: used.realm,
            number: used.number,
        });
        let served = Served {
            call: incoming.call,
            caller: incoming.caller,
            caller_realm: incoming.caller_realm,
            key,
            effects,
            responders: vec![incoming.responder],
            started: self.now,
            policies: policies.collect(),
            record,
        };
        self.serving.runs.insert(run, served);
    }

    /// A run has ended: written down, then answered.
    pub(crate) fn run_finished(&mut self, run: RunId, outcome: Outcome) {
        let Some(mut served) = self.serving.runs.remove(&run) else {
            return;
        };
        let none = served.effects == Effects::None;
        let release = if none { Release::Now } else { Release::Durable };
        let answer = self.answer_of(run, &served, &outcome);
        served.record.version = Some(outcome.version.clone());
        served.record.ended = Some(outcome.ended);
        match &outcome.result {
            Ok(output) => {
                served.record.status = Status::Completed;
                served.record.output = Some(Blob(json::to_bytes(output)));
            }
            Err(error) => {
                served.record.status = match error.code {
                    FailureCode::Cancelled => Status::Cancelled,
                    _ => Status::Failed,
                };
                served.record.error = Some(error.code.name().to_owned());
                served.record.output = Some(Blob(error.message.clone().into_bytes()));
            }
        }
        self.out.change(Change::Run(served.record));
        if let Some((row, stored)) = served.key {
            self.serving.keys.remove(&row);
            if !none {
                let stored = StoredKey {
                    answer: Some(answer.clone()),
                    ..stored
                };
                self.put_until(Table::Keys, &row, state::write(&stored), stored.forgotten);
                self.serving.keep_recent(row, stored);
            }
        }
        for responder in served.responders {
            self.answer(&responder, run, served.call, &outcome, &answer, release);
        }
    }

    /// The answer in the form that is kept and sent.
    fn answer_of(&self, run: RunId, served: &Served, outcome: &Outcome) -> StoredAnswer {
        let duration_ms = self.now.tick.since(served.started.tick);
        match &outcome.result {
            Ok(output) => {
                let result = CallResult {
                    output: Blob(json::to_bytes(output)),
                    run,
                    contract: outcome.contract,
                    version: outcome.version.clone(),
                    output_schema: Blob(json::to_bytes(&outcome.output_schema)),
                    duration_ms,
                    policies: served.policies.clone(),
                    replayed: false,
                    hops: 0,
                };
                StoredAnswer {
                    failed: false,
                    content: Blob(cbor::encode(&result)),
                }
            }
            Err(error) => StoredAnswer {
                failed: true,
                content: Blob(cbor::encode(&failure_body(
                    &loop_failure(error),
                    Digest::of(&[]),
                ))),
            },
        }
    }

    fn answer(
        &mut self,
        responder: &Responder,
        run: RunId,
        call: CallId,
        outcome: &Outcome,
        answer: &StoredAnswer,
        release: Release,
    ) {
        match responder {
            Responder::Remote(remote) => match (&outcome.result, cbor::decode(&answer.content)) {
                (Ok(_), Ok(result)) => {
                    let result = CallResult {
                        hops: remote.hops,
                        ..result
                    };
                    let content = cbor::encode(&result);
                    self.reply(remote, Kind::Result, &content, release);
                }
                (Err(error), _) => self.answer_failure(responder, &loop_failure(error), release),
                (Ok(_), Err(_)) => {}
            },
            Responder::Local {
                control,
                address,
                started,
            } => {
                let invocation = Invocation {
                    run,
                    call,
                    address: address.clone(),
                    version: Some(outcome.version.clone()),
                    result: outcome.result.clone().map_err(|error| loop_failure(&error)),
                    started: started.wall,
                    ended: self.wall(),
                    duration_ms: self.now.tick.since(started.tick),
                    way: vec![self.me.scope()],
                    replayed: false,
                };
                let response = Effect::Respond(*control, Response::Invoked(Box::new(invocation)));
                match release {
                    Release::Now => self.out.emit(response),
                    Release::Durable => self.out.promise(response),
                }
            }
        }
    }

    fn answer_failure(&mut self, responder: &Responder, failure: &CallFailure, release: Release) {
        match responder {
            Responder::Remote(remote) => {
                let content = cbor::encode(&failure_body(failure, remote.digest));
                self.reply(remote, Kind::Failure, &content, release);
            }
            Responder::Local {
                control,
                address,
                started,
            } => {
                let invocation = Invocation {
                    run: self.new_run(),
                    call: CallId::new(self.random()),
                    address: address.clone(),
                    version: None,
                    result: Err(failure.clone()),
                    started: started.wall,
                    ended: self.wall(),
                    duration_ms: self.now.tick.since(started.tick),
                    way: vec![self.me.scope()],
                    replayed: false,
                };
                self.out.emit(Effect::Respond(
                    *control,
                    Response::Invoked(Box::new(invocation)),
                ));
            }
        }
    }

    /// Seals an answer under the caller's reply key and sends it.
    fn reply(&mut self, remote: &Remote, kind: Kind, content: &[u8], release: Release) {
        let flags = (kind == Kind::Contracts).then_some(realm_protocol::flags::ANSWER);
        self.send_reply(
            (&remote.source, remote.call, remote.digest),
            &remote.reply_key,
            (kind, flags),
            (content, remote.max_reply),
            release,
        );
    }

    /// Seals an answer and sends it; one that is too large becomes a Failure that says so.
    pub(crate) fn send_reply(
        &mut self,
        (to, call, digest): (&Place, CallId, Digest),
        reply_key: &ReplyKey,
        (kind, flags): (Kind, Option<u64>),
        (content, max_reply): (&[u8], u64),
        release: Release,
    ) {
        let source = self.me.place().clone();
        let outgoing = |kind, flags, content| Outgoing {
            kind,
            source: &source,
            destination: to,
            created: self.now.wall,
            ttl_ms: limits::CALL_MS,
            call,
            answers: Some(digest),
            priority: Priority::Normal,
            flags,
            max_reply: 0,
            content,
        };
        let fits = u64::try_from(content.len()).is_ok_and(|length| length <= max_reply);
        let too_large = CallFailure::new(
            FailureCode::TooLarge,
            format!(
                "the answer has {} bytes; a message carries {}",
                content.len(),
                limits::BODY_BYTES
            ),
        );
        let too_large = cbor::encode(&failure_body(&too_large, digest));
        let whole = outgoing(kind, flags, content);
        let instead = outgoing(Kind::Failure, None, &too_large);
        let signer = self.me.signer();
        let sealed = if fits {
            seal_reply(&mut self.rng, signer, reply_key, &whole).ok()
        } else {
            None
        };
        let sealed = match sealed {
            Some(sealed) => Some(sealed),
            None => seal_reply(&mut self.rng, signer, reply_key, &instead).ok(),
        };
        let Some(mut sealed) = sealed else {
            tracing::warn!(%call, "an answer cannot be sealed");
            return;
        };
        let scope = to.scope();
        if self.introduced.insert(scope) {
            sealed.envelope.chain = self.me.chain().map(|chain| chain.bytes().clone());
        }
        if let Ok(header) = sealed.envelope.peek() {
            self.launch_when(sealed.envelope, header, release);
        }
    }

    /// A caller takes its call back. Only who made it can.
    pub(crate) fn cancel_served(&mut self, opened: &Opened, cancel: Cancel) {
        let header = opened.header();
        let run = self.serving.runs.iter().find(|(_, served)| {
            served.call == header.call && Some(served.caller_realm) == header.source.realm
        });
        if let Some(run) = run.map(|(run, _)| *run) {
            let reason = cancel.reason.unwrap_or_default();
            let reason: String = reason.chars().take(200).collect();
            self.executor
                .cancel(run, &format!("by the caller: {reason}"), self.now);
        }
    }
}

fn key_reused() -> CallFailure {
    let message = "this idempotency key was used for another loop, version or input";
    CallFailure::new(FailureCode::KeyReused, message)
}

fn caller_text(incoming: &Incoming, realm: &str) -> String {
    match &incoming.caller_name {
        Some(name) => format!("{realm} ({})", name.chars().take(64).collect::<String>()),
        None => realm.to_owned(),
    }
}

fn loop_failure(error: &LoopError) -> CallFailure {
    CallFailure {
        details: error.details.clone(),
        ..CallFailure::new(error.code, error.message.clone())
    }
}

/// A failure as it crosses the wire: the message, then a line for each detail.
fn failure_body(failure: &CallFailure, answers: Digest) -> Failure {
    let mut detail = failure.message.replace('\n', " ");
    for line in &failure.details {
        if detail.len().saturating_add(line.len()) < DETAIL_BYTES {
            detail.push('\n');
            detail.push_str(&line.replace('\n', " "));
        }
    }
    let end = detail
        .char_indices()
        .map(|(at, _)| at)
        .take_while(|at| *at <= DETAIL_BYTES)
        .last();
    detail.truncate(
        end.filter(|_| detail.len() > DETAIL_BYTES)
            .unwrap_or(detail.len()),
    );
    Failure {
        code: failure.code,
        answers,
        reference: failure.reference.clone(),
        retry_after_ms: failure.retry_after_ms,
        detail: Some(detail),
    }
}

/// Reads a stored answer for a caller on this machine.
fn read_answer(
    answer: &StoredAnswer,
) -> (Result<Value, CallFailure>, Option<RunId>, Option<String>) {
    if answer.failed {
        let failure = cbor::decode::<Failure>(&answer.content).map_or_else(
            |_| CallFailure::new(FailureCode::LoopFailed, "the stored answer does not read"),
            |failure| {
                let mut lines = failure.detail.as_deref().unwrap_or_default().lines();
                let message = lines.next().unwrap_or_default().to_owned();
                CallFailure {
                    details: lines.map(str::to_owned).collect(),
                    ..CallFailure::new(failure.code, message)
                }
            },
        );
        return (Err(failure), None, None);
    }
    let unread = || CallFailure::new(FailureCode::LoopFailed, "the stored answer does not read");
    match cbor::decode::<CallResult>(&answer.content) {
        Ok(result) => {
            let output = json::parse(&result.output).map_err(|_| unread());
            (output, Some(result.run), Some(result.version))
        }
        Err(_) => (Err(unread()), None, None),
    }
}
