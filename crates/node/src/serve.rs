//! Calls that are run here: once for each idempotency key, with a permit, answered when durable.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use realm_crypto::Opened;
use realm_executor::{Effects, Outcome, Start};
use realm_policy::{Action, Permit, Resource};
use realm_protocol::{
    CallId, Digest, FailureCode, Hop, LoopId, Now, RealmId, RunId, Scope, Timestamp,
    cbor::Blob,
    journal::{Change, Direction, JournalSeq, Run, Status, Table},
    json, limits,
    message::{Call, Cancel, PolicyUse, TraceParent},
};
use serde_json::Value;

use crate::{
    CallFailure, ControlId, Effect, InvokeAsked, LookId, Node,
    answer::{Remote, Responder},
    relay::Release,
    state::{self, StoredKey, key_row},
};

/// Answers kept in memory until the store is sure to have them.
const RECENT: usize = 1_024;
/// Bytes of answers kept beyond what is not durable yet.
const RECENT_BYTES: usize = 16 * 1024 * 1024;
/// Callers that wait for one run; one more is `Overloaded`.
const RESPONDERS: usize = 64;

/// Everything that is run here.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    runs: BTreeMap<RunId, Served>,
    /// Keys under way: looked up or running.
    keys: BTreeMap<Vec<u8>, KeyState>,
    looks: BTreeMap<LookId, Looking>,
    recent: BTreeMap<Vec<u8>, StoredKey>,
    /// In the order they came, each with the entry it is written in.
    recent_bytes: usize,
    recent_order: VecDeque<(JournalSeq, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug)]
enum KeyState {
    Looking(LookId),
    Running(RunId),
}

#[derive(Debug)]
struct Looking {
    incoming: Incoming,
    others: Vec<Incoming>,
}

/// A run under way, and who waits for it.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) call: CallId,
    pub(crate) caller: Scope,
    pub(crate) key: Option<(Vec<u8>, StoredKey)>,
    pub(crate) effects: Effects,
    pub(crate) responders: Vec<Responder>,
    pub(crate) started: Now,
    pub(crate) policies: Vec<PolicyUse>,
    pub(crate) record: Run,
    /// Events of the run's trace so far, the executor's and the node's own.
    pub(crate) events: u64,
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

impl Serving {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.looks.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len().saturating_add(self.looks.len())
    }

    fn of_root(&self, root: RealmId) -> usize {
        let runs = self.runs.values().map(|served| served.caller.root);
        let looks = self
            .looks
            .values()
            .map(|looking| looking.incoming.caller.root);
        runs.chain(looks).filter(|of| *of == root).count()
    }

    pub(crate) fn get_mut(&mut self, run: RunId) -> Option<&mut Served> {
        self.runs.get_mut(&run)
    }

    pub(crate) fn has(&self, run: RunId) -> bool {
        self.runs.contains_key(&run)
    }

    /// Keeps an answer that entry `seq` writes down. What is not durable yet is never forgotten:
    /// the store could not tell it.
    fn keep_recent(
        &mut self,
        row: Vec<u8>,
        key: StoredKey,
        (seq, durable): (JournalSeq, JournalSeq),
    ) {
        let bytes = |key: &StoredKey| key.answer.as_ref().map_or(0, |answer| answer.content.len());
        self.recent_bytes = self.recent_bytes.saturating_add(bytes(&key));
        if let Some(older) = self.recent.insert(row.clone(), key) {
            self.recent_bytes = self.recent_bytes.saturating_sub(bytes(&older));
            return;
        }
        self.recent_order.push_back((seq, row));
        while (self.recent_order.len() > RECENT || self.recent_bytes > RECENT_BYTES)
            && let Some((seq, _)) = self.recent_order.front()
            && *seq <= durable
            && let Some((_, oldest)) = self.recent_order.pop_front()
        {
            let gone = self.recent.remove(&oldest);
            let bytes = gone.as_ref().map_or(0, bytes);
            self.recent_bytes = self.recent_bytes.saturating_sub(bytes);
        }
    }
}

impl Served {
    /// Lets another caller wait for the answer. A call that asks again waits once, under its
    /// newest message; what does not fit is given back.
    fn join(&mut self, responder: Responder) -> Result<(), Responder> {
        let full = self.responders.len() >= RESPONDERS;
        let mut held = self.responders.iter_mut();
        match held.find(|held| held.is_of(&responder)) {
            Some(held) => *held = responder,
            None if full => return Err(responder),
            None => self.responders.push(responder),
        }
        Ok(())
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
            contract: call.contract,
            offer: call.session,
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
        match self.permit(&incoming) {
            Ok(permit) => self.look_up(incoming, &permit),
            Err(failure) => self.answer_failure(&incoming.responder, &failure, Release::Now),
        }
    }

    fn permit(&mut self, incoming: &Incoming) -> Result<Arc<Permit>, CallFailure> {
        let owner = self.me.scope();
        let resource = Resource::Loop {
            owner: &owner,
            id: &incoming.loop_id,
        };
        let now = self.wall();
        self.rules
            .decide(Action::Invoke, &incoming.caller, resource, false, now)
            .map_err(|denial| {
                self.counters.refuse(crate::Refused::Denied);
                let reference = self.remember_denial(denial);
                let message = format!("denied by policy; reference {reference}");
                let mut failure = CallFailure::new(FailureCode::Denied, message);
                failure.reference = Some(reference);
                failure
            })
    }

    fn may_serve(&self, incoming: &Incoming) -> Result<(), CallFailure> {
        let foreign = incoming.caller.root != self.me.root();
        let busy = self.serving.len() >= self.config.max_calls;
        let greedy =
            foreign && self.serving.of_root(incoming.caller.root) >= self.config.max_calls_per_peer;
        if self.stopping || busy || greedy {
            return Err(overloaded());
        }
        if self.out.has_failed() {
            return Err(CallFailure::new(
                FailureCode::StoreFailed,
                "nothing can be made durable",
            ));
        }
        let now = self.wall();
        // A key from the future would be forgotten before it is too old.
        let known = |created: Timestamp| {
            now.since(created) <= limits::KEY_KEPT_MS && created.since(now) <= limits::CLOCK_SKEW_MS
        };
        if incoming.key.is_some_and(|(_, created)| !known(created)) {
            return Err(CallFailure::new(
                FailureCode::Expired,
                "the idempotency key is too old, or from the future",
            ));
        }
        Ok(())
    }

    /// Finds out whether the key was used before. Loops without effects need not know.
    fn look_up(&mut self, incoming: Incoming, permit: &Permit) {
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
            return self.start_run(incoming, permit, effects);
        };
        let row = key_row(incoming.caller_realm, &key);
        if let Some(state) = self.serving.keys.get(&row).copied() {
            return self.join_run(state, incoming);
        }
        let recent = self.serving.recent.get(&row).cloned();
        if let Some(known) = recent.filter(|known| self.now.wall < known.forgotten) {
            return self.answer_again(incoming, permit, &known);
        }
        if effects == Effects::None {
            return self.start_run(incoming, permit, effects);
        }
        let look = self.next_look();
        self.serving
            .keys
            .insert(row.clone(), KeyState::Looking(look));
        self.serving.looks.insert(
            look,
            Looking {
                incoming,
                others: Vec::new(),
            },
        );
        self.out.emit(Effect::Look(look, Table::Keys, row));
    }

    /// A key that is under way: the caller joins the running call and gets its answer.
    fn join_run(&mut self, state: KeyState, incoming: Incoming) {
        let digest = incoming.request_digest();
        match state {
            KeyState::Looking(look) => {
                if let Some(looking) = self.serving.looks.get_mut(&look)
                    && looking.others.len() < RESPONDERS
                {
                    looking.others.push(incoming);
                    return;
                }
                self.answer_failure(&incoming.responder, &overloaded(), Release::Now);
            }
            KeyState::Running(run) => {
                let served = self.serving.runs.get_mut(&run);
                let received = incoming.responder.received();
                let same = |served: &&mut Served| {
                    let key = served.key.as_ref();
                    key.is_some_and(|(_, key)| key.request == digest)
                };
                match served.filter(same) {
                    Some(served) => match served.join(incoming.responder) {
                        Ok(()) => self.note_received(run, received),
                        Err(left_out) => {
                            self.answer_failure(&left_out, &overloaded(), Release::Now);
                        }
                    },
                    None => self.answer_failure(&incoming.responder, &key_reused(), Release::Now),
                }
            }
        }
    }

    pub(crate) fn handle_looked(&mut self, look: LookId, value: Option<&[u8]>) {
        let Some(Looking { incoming, others }) = self.serving.looks.remove(&look) else {
            return;
        };
        let Some((key, _)) = incoming.key else { return };
        let row = key_row(incoming.caller_realm, &key);
        self.serving.keys.remove(&row);
        let known = value.and_then(|bytes| state::read::<StoredKey>(bytes).ok());
        let known = known.filter(|known| self.now.wall < known.forgotten);
        for incoming in std::iter::once(incoming).chain(others) {
            // Policy may have changed meanwhile.
            match self.permit(&incoming) {
                Ok(permit) => self.serve_key(&row, incoming, &permit, known.as_ref()),
                Err(failure) => self.answer_failure(&incoming.responder, &failure, Release::Now),
            }
        }
    }

    /// Serves a call whose key has been looked up: as the one under way, as before, or anew.
    fn serve_key(
        &mut self,
        row: &[u8],
        incoming: Incoming,
        permit: &Permit,
        known: Option<&StoredKey>,
    ) {
        if let Some(state) = self.serving.keys.get(row).copied() {
            return self.join_run(state, incoming);
        }
        if let Some(known) = known {
            return self.answer_again(incoming, permit, known);
        }
        let found = self
            .registry
            .find(&incoming.loop_id, incoming.version.as_deref());
        let effects = found.map_or(Effects::Once, |registered| registered.effects);
        self.start_run(incoming, permit, effects);
    }

    /// A key that was used before: its answer, unless it stood for something else.
    fn answer_again(&mut self, incoming: Incoming, permit: &Permit, known: &StoredKey) {
        if known.request != incoming.request_digest() {
            return self.answer_failure(&incoming.responder, &key_reused(), Release::Now);
        }
        match &known.answer {
            Some(answer) => {
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
            input: Some(Blob::from(json::to_bytes(&incoming.input))),
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
        let received = incoming.responder.received();
        let served = Served {
            call: incoming.call,
            caller: incoming.caller,
            key,
            effects,
            responders: vec![incoming.responder],
            started: self.now,
            policies: policies.collect(),
            record,
            events: 0,
        };
        self.serving.runs.insert(run, served);
        self.note_received(run, received);
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
                served.record.output = Some(Blob::from(json::to_bytes(output)));
            }
            Err(error) => {
                served.record.status = match error.code {
                    FailureCode::Cancelled => Status::Cancelled,
                    _ => Status::Failed,
                };
                served.record.error = Some(error.code.name().to_owned());
                served.record.output = Some(Blob::from(error.message.clone().into_bytes()));
            }
        }
        self.out.change(Change::Run(served.record.clone()));
        if let Some((row, stored)) = served.key.take() {
            self.serving.keys.remove(&row);
            if !none {
                let stored = StoredKey {
                    answer: Some(answer.clone()),
                    ..stored
                };
                self.put_until(Table::Keys, &row, state::write(&stored), stored.forgotten);
                self.serving.keep_recent(row, stored, self.out.position());
            }
        }
        for responder in std::mem::take(&mut served.responders) {
            let sent = self.answer(&responder, run, served.call, &outcome, &answer, release);
            if let Some(header) = sent {
                self.note_answered(&mut served, header);
            }
        }
    }

    /// A caller takes its call back. Only who made it can, and only for itself: the run goes on
    /// while somebody else waits for it.
    pub(crate) fn cancel_served(&mut self, opened: &Opened, cancel: Cancel) {
        let (call, source) = (opened.header().call, &opened.header().source);
        let waits = |held: &Responder| held.is_remote(call, source);
        let mut runs = self.serving.runs.iter_mut();
        let Some((run, served)) = runs.find(|(_, served)| served.responders.iter().any(waits))
        else {
            return;
        };
        if served.responders.len() > 1 {
            served.responders.retain(|held| !waits(held));
            return;
        }
        let run = *run;
        let reason = cancel.reason.unwrap_or_default();
        let reason: String = reason.chars().take(200).collect();
        self.executor
            .cancel(run, &format!("by the caller: {reason}"), self.now);
    }
}

fn overloaded() -> CallFailure {
    let mut failure = CallFailure::new(FailureCode::Overloaded, "busy; try again");
    failure.retry_after_ms = Some(500);
    failure
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
