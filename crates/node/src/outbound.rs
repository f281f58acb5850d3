//! Calls to other realms: permit, resolve, seal, send, try again, answer.

pub(crate) mod accepted;
mod cancel;
mod claims;
pub(crate) mod frame;
mod late;
mod trace;

use std::sync::Arc;

use realm_executor::{CallError, Effects, spend_value};
use realm_policy::{Action, Resource};
use realm_protocol::{
    CallId, Digest, FailureCode, LoopAddress, Now, RealmId, RunId, Scope, Tick, Timestamp,
    budget::{Budget, Spend},
    cbor::Blob,
    json::{self, Object},
    limits,
    message::CallResult,
    receipt::SignedHeader,
    records::{Approval, GrantLink, Role, Signed},
};
use realm_router::{Backoff, LinkId};
use serde_json::Value;

use accepted::{Acceptance, StatusTask};
use cancel::CancelTask;

use crate::{
    CallFailure, ControlId, Effect, Invocation, InvokeAsked, Node, Refusal, Response,
    contracts::ContractsTask,
    deliver::Pending,
    grants::{Bearer, Chosen},
    halt::HaltTask,
    known::{KnownContract, Meant},
    market::Tell,
    people::{User, key_of},
    pins::Pinned,
    receipts::Kept,
    sessions::InSession,
    state::Delivery,
    storing::Storing,
    streams::Shown,
    timers::Timer,
    traces::TraceTask,
};

/// A call to another realm, over all its attempts.
#[derive(Debug)]
pub(crate) struct OutCall {
    pub(crate) scope: Scope,
    pub(crate) deadline: Tick,
    /// Messages sent.
    pub(crate) attempts: u32,
    /// Tries that came to nothing, sent or not.
    pub(crate) failures: u32,
    pub(crate) backoff: Backoff,
    /// The attempt under way: digest of its header.
    pub(crate) sent: Option<Digest>,
    /// Where it was sealed in a session, if it was.
    pub(crate) session: Option<InSession>,
    /// Whether an attempt in a session came to nothing because of that: no other goes in one.
    pub(crate) no_session: bool,
    /// Digest of the header of the answer to the attempt, once there is one.
    pub(crate) heard: Option<Digest>,
    /// What parts of its output are opened with once it was accepted.
    pub(crate) accepted_as: Option<Box<Pending>>,
    /// Digest of the header of the accepted call that a late answer names.
    pub(crate) late: Option<Digest>,
    /// What the callee has signed of the answer.
    pub(crate) signed: Option<SignedHeader>,
    /// The receipt of its end.
    pub(crate) receipt: Option<Kept>,
    /// The realm that was asked.
    pub(crate) callee: Option<RealmId>,
    /// Whether a message of it came to an end that does not prove that nothing has begun.
    pub(crate) doubtful: bool,
    /// The link it left over, if one was up.
    pub(crate) via: Option<LinkId>,
    /// The failure of the last attempt, reported if no later one does better.
    pub(crate) last: Option<Box<CallFailure>>,
    pub(crate) task: Task,
}

impl OutCall {
    /// A call of which nothing has been tried.
    pub(crate) fn new(scope: Scope, deadline: Tick, task: Task) -> Self {
        Self {
            scope,
            deadline,
            attempts: 0,
            failures: 0,
            backoff: Backoff::RETRY,
            sent: None,
            session: None,
            no_session: false,
            heard: None,
            accepted_as: None,
            late: None,
            signed: None,
            receipt: None,
            callee: None,
            doubtful: false,
            via: None,
            last: None,
            task,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Task {
    Invoke(Box<Invoke>),
    Contracts(ContractsTask),
    /// Asks what a realm shows of a run.
    Trace(Box<TraceTask>),
    Status(StatusTask),
    Cancel(CancelTask),
    /// Tells a realm below what stands still.
    Halt(HaltTask),
    /// Tells a caller elsewhere the end of a call that was accepted here.
    Deliver(Box<Delivery>),
    /// Carries one message of the market.
    Tell(Box<Tell>),
}

/// What a call asks for, and for whom.
#[derive(Debug)]
pub(crate) struct Invoke {
    pub(crate) run: RunId,
    pub(crate) origin: Origin,
    pub(crate) address: LoopAddress,
    pub(crate) version: Option<String>,
    /// Input, JSON.
    pub(crate) input: Blob,
    pub(crate) key: Digest,
    pub(crate) key_created: Timestamp,
    pub(crate) caller: Option<String>,
    pub(crate) depth: u64,
    pub(crate) started: Now,
    /// Until when it waits once it was accepted.
    pub(crate) until: Tick,
    /// Whether nobody waits for it on this machine, and it goes on after a restart from the start.
    pub(crate) detached: bool,
    /// What is known of the callee's run, once it was accepted.
    pub(crate) accepted: Option<Acceptance>,
    /// Events written so far, where no run of the executor counts them.
    pub(crate) events: u64,
    pub(crate) check: Check,
    /// What its loop must still be, where a model calls it.
    pub(crate) pinned: Option<Pinned>,
    /// The contract that the attempt under way names.
    pub(crate) named: Option<Arc<KnownContract>>,
    /// Whether it may be kept for the callee.
    pub(crate) storing: Storing,
    /// When its latest attempt that may be kept was made: the next one is later, by any clock.
    pub(crate) sealed: Timestamp,
    /// What it has been shown of its output, where it wants to see it while it is being made.
    pub(crate) stream: Option<Shown>,
    /// What it may use.
    pub(crate) budget: Budget,
    /// What people here have said of exactly this call, where the callee is told.
    pub(crate) approvals: Vec<Signed<Approval>>,
    /// The roles in which people here have approved exactly this call.
    pub(crate) approved: Vec<Role>,
    /// The run with which everything began that led to it.
    pub(crate) root: RunId,
    /// The loop and run that it is made for, where a run makes it: a grant is for them alone.
    pub(crate) bearer: Option<Bearer>,
    /// The grant that it goes by, once it was looked for.
    pub(crate) grant: Option<Option<Chosen>>,
}

impl Invoke {
    /// What it may use, where that is bounded.
    pub(crate) fn bounds(&self) -> Option<Budget> {
        (!self.budget.is_unbounded()).then_some(self.budget)
    }

    /// The grants that it goes by.
    pub(crate) fn grants(&self) -> Option<Vec<GrantLink>> {
        let chosen = self.grant.as_ref()?.as_ref()?;
        Some(chosen.links.clone())
    }

    /// What its contract is remembered by.
    pub(crate) fn meant(&self, scope: &Scope) -> Meant {
        let loop_id = self.address.loop_id.clone();
        (scope.clone(), loop_id, self.version.clone())
    }
}

/// How far an input has been held against the callee's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Not yet.
    Open,
    /// It does not match the contract that is remembered; this question asks for the current one.
    Asking(CallId),
    /// It may leave.
    Done,
}

/// Who waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A request of the local API.
    Control(ControlId),
    /// A frame of a run here.
    Frame,
    /// Nobody any more: whoever asked did so before a restart.
    Restart,
}

impl Node {
    /// A call from this machine: run here, or sent to where the loop lives.
    pub(crate) fn invoke(&mut self, control: ControlId, asker: Option<User>, asked: InvokeAsked) {
        if self.stopping {
            return self.refuse(control, Refusal::Stopping);
        }
        let named = || asker.as_ref().map(User::name);
        let asked = InvokeAsked {
            caller: asked.caller.or_else(named),
            ..asked
        };
        let scope = match &asked.address.realm {
            None => Ok(self.me.scope()),
            Some(name) => self.resolve_name(name),
        };
        match scope {
            Err(refusal) => self.refuse(control, refusal),
            Ok(scope) if scope == self.me.scope() => {
                self.serve_local(control, asker, asked);
            }
            Ok(_) if asked.backend.is_some() => {
                let message = "which backend another realm asks is its owner's to say";
                let failure = CallFailure::new(FailureCode::Malformed, message);
                self.refuse(control, failure.into());
            }
            Ok(scope) => self.invoke_remote((control, asker.as_ref()), asked, scope),
        }
    }

    fn invoke_remote(
        &mut self,
        (control, asker): (ControlId, Option<&User>),
        asked: InvokeAsked,
        scope: Scope,
    ) {
        let call = self.new_call();
        let run = self.new_run();
        let (storing, default_ms) = if asked.store {
            (Storing::Untried, limits::STORABLE_TTL_MS)
        } else if asked.detach {
            (Storing::No, limits::RUN_MS)
        } else {
            (Storing::No, self.config.call_timeout_ms)
        };
        let timeout_ms = asked.timeout_ms.unwrap_or(default_ms);
        let key = match &asked.key {
            Some(key) => key_of(asker, key),
            None => Digest::of(&[b"realm/1/key", &[1], run.as_bytes(), call.as_bytes()]),
        };
        let invoke = Invoke {
            run,
            origin: Origin::Control(control),
            address: asked.address,
            version: asked.version,
            input: json::to_bytes(&asked.input).into(),
            key,
            key_created: self.wall(),
            caller: asked.caller,
            depth: 1,
            started: self.now,
            until: self.now.tick,
            detached: asked.detach,
            accepted: None,
            events: 0,
            check: Check::Open,
            pinned: None,
            named: None,
            storing,
            sealed: Timestamp::default(),
            stream: asked.stream.then(Shown::default),
            budget: self.asker_budget(asked.budget).budget,
            approvals: Vec::new(),
            approved: Vec::new(),
            root: run,
            bearer: None,
            grant: None,
        };
        self.start_call(call, scope, invoke, timeout_ms);
    }

    fn start_call(&mut self, call: CallId, scope: Scope, mut invoke: Invoke, timeout_ms: u64) {
        let longest = match invoke.storing {
            Storing::No => limits::CALL_MAX_MS,
            _ => limits::STORABLE_TTL_MS,
        };
        let timeout_ms = timeout_ms.clamp(1, limits::RUN_MS);
        invoke.until = self.now.tick.plus(timeout_ms);
        let origin = invoke.origin;
        let most = self.most_calls().saturating_add(self.halts.told());
        let over = self.calls.len() >= most;
        let too_large = invoke.input.len() > limits::BODY_BYTES;
        let deadline = self.now.tick.plus(timeout_ms.min(longest));
        let out = OutCall::new(scope, deadline, Task::Invoke(Box::new(invoke)));
        self.calls.insert(call, Box::new(out));
        self.record_started(call);
        // It is under way whatever has become of policy and room since.
        if self.is_accepted_already(call) {
            return;
        }
        let allowed = match origin {
            Origin::Frame => self.may_ask(true),
            Origin::Control(_) | Origin::Restart => self.may_ask(false),
        };
        if let Err(failure) = allowed.and_then(|()| self.permit_call(call)) {
            return self.end_call(call, Err(failure));
        }
        if over {
            let failure = CallFailure::new(FailureCode::Overloaded, "too many calls under way");
            return self.end_call(call, Err(failure));
        }
        if too_large {
            let message = format!("the input is larger than {} bytes", limits::BODY_BYTES);
            return self.end_call(call, Err(CallFailure::new(FailureCode::TooLarge, message)));
        }
        match self.ask_peer(call) {
            Ok(()) => self.try_call(call),
            Err(failure) => self.end_call(call, Err(failure)),
        }
    }

    /// Asks this realm's own policy for a call.
    pub(crate) fn permit_call(&mut self, call: CallId) -> Result<(), CallFailure> {
        let Some(out) = self.calls.get(&call) else {
            return Ok(());
        };
        let Task::Invoke(invoke) = &out.task else {
            return Ok(());
        };
        let (me, now) = (self.me.scope(), self.now.wall);
        let resource = Resource::Loop {
            owner: &out.scope,
            id: &invoke.address.loop_id,
        };
        let mut failure = match self.rules.decide(Action::Invoke, &me, resource, false, now) {
            Ok(permit) => {
                let mut missing = permit.approvals().iter();
                let Some(role) = missing.find(|role| !invoke.approved.contains(role)) else {
                    return Ok(());
                };
                let message = format!(
                    "a policy wants people to approve this call: call it from a step that says \
                     `approval: {{role: {role}}}`"
                );
                CallFailure::new(FailureCode::Denied, message)
            }
            Err(denial) => {
                let message = "this realm's own policy denies the call";
                let mut failure = CallFailure::new(FailureCode::Denied, message);
                failure.reference = Some(self.remember_denial(denial));
                failure
            }
        };
        failure.from = Some(me);
        Err(failure)
    }

    /// The callee has answered: the output is checked here too.
    pub(crate) fn call_answered(&mut self, call: CallId, result: CallResult) {
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        let Task::Invoke(invoke) = &out.task else {
            let message = "a question for contracts was answered with a result";
            return self.attempt_failed(call, CallFailure::new(FailureCode::Malformed, message));
        };
        let (meant, header, late) = (invoke.meant(&out.scope), out.heard, out.late);
        let contract = KnownContract::of_result(&result, invoke.named.as_ref());
        self.take_receipt(call, result.receipt.as_ref(), Ok(&result));
        let spent = self.counted(call, result.spent.clone());
        let has_effects = contract
            .as_ref()
            .is_ok_and(|contract| contract.effects != Effects::None);
        let checked = match contract {
            Ok(contract) => {
                self.known.remember(meant, contract.clone());
                output_under(&contract, &result.output)
            }
            Err(error) => Err(CallFailure::new(
                FailureCode::SchemaOutput,
                error.to_string(),
            )),
        };
        let checked = match self.answered_as_approved(call, result.contract) {
            Ok(()) => checked,
            Err(failure) => Err(failure),
        };
        self.note_call(
            call,
            "call.returned",
            Object::new()
                .with("header", &header)
                .with_some("answers", late)
                .with("run", &result.run)
                .with("contract", &result.contract)
                .with("version", &result.version)
                .with("durationMs", &result.duration_ms)
                .with("hops", &result.hops)
                .with("replayed", &result.replayed)
                .with_some("spent", spent.as_ref().map(spend_value))
                .with_some("traceRoot", self.trace_root_of(call)),
        );
        let answered = Answered {
            spent,
            version: Some(result.version),
            contract: Some(result.contract),
            replayed: result.replayed,
            has_effects,
        };
        self.finish_call(call, checked, answered);
    }

    pub(crate) fn end_call(&mut self, call: CallId, result: Result<Value, CallFailure>) {
        let claimed = result
            .as_ref()
            .err()
            .and_then(|failure| failure.spent.clone());
        let spent = claimed.and_then(|claimed| self.counted(call, Some(claimed)));
        if let Err(failure) = &result {
            self.take_receipt(call, failure.receipt.as_ref(), Err(failure));
            let out = self.calls.get(&call);
            let (header, late) = out.map_or((None, None), |out| (out.heard, out.late));
            let payload = Object::new()
                .with("failure", failure.code.name())
                .with("message", &failure.message)
                .with_some("header", header)
                .with_some("answers", late)
                .with_some("spent", spent.as_ref().map(spend_value))
                .with_some("traceRoot", self.trace_root_of(call));
            self.note_call(call, "call.returned", payload);
        }
        let answered = Answered {
            spent,
            ..Answered::default()
        };
        self.finish_call(call, result, answered);
    }

    fn finish_call(
        &mut self,
        call: CallId,
        result: Result<Value, CallFailure>,
        answered: Answered,
    ) {
        self.forget_accepted(call);
        let failure = result.as_ref().err().map(|failure| failure.code);
        self.heard_of_peer(call, answered.spent.as_ref(), failure);
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        if let Some(digest) = out.sent.take() {
            out.doubtful = true;
            self.waiting.take(&digest);
        }
        self.timers.cancel(&Timer::Attempt(call));
        if matches!(&out.task, Task::Invoke(invoke) if invoke.origin != Origin::Frame) {
            self.record_ended(call, &result, &answered);
            self.forget_storable(call);
        } else {
            self.audit_frame_call(call, &result, answered.contract);
        }
        let Some(out) = self.calls.remove(&call) else {
            return;
        };
        match out.task {
            Task::Contracts(task) => {
                if let Err(failure) = result {
                    self.contracts_failed(&task, failure);
                }
            }
            Task::Trace(task) => {
                if let Err(failure) = result {
                    self.trace_failed(&task, failure);
                }
            }
            Task::Status(asked) => {
                if let Err(failure) = result {
                    self.status_failed(asked, failure);
                }
            }
            Task::Deliver(delivery) => self.end_delivery(&delivery, result.err()),
            // Times run out by themselves: who is not told has not answered.
            Task::Cancel(_) | Task::Tell(_) | Task::Halt(_) => {}
            Task::Invoke(invoke) => {
                if let Check::Asking(question) = invoke.check {
                    self.drop_question(question);
                }
                let begun = out.doubtful || invoke.accepted.is_some();
                self.report_call(call, (&out.scope, begun), *invoke, result, answered);
            }
        }
    }

    /// Gives whoever made a call its end.
    fn report_call(
        &mut self,
        call: CallId,
        (scope, may_have_begun): (&Scope, bool),
        invoke: Invoke,
        result: Result<Value, CallFailure>,
        answered: Answered,
    ) {
        match invoke.origin {
            Origin::Frame => {
                let spent = answered.spent;
                let result = result.map_err(|failure| CallError {
                    code: failure.code,
                    message: failure.message,
                    details: failure.details,
                    may_have_begun,
                });
                self.executor
                    .invoke_done(call, result, spent, &self.registry, self.now);
            }
            Origin::Restart => {}
            Origin::Control(control) => {
                let invocation = Invocation {
                    run: invoke.run,
                    call,
                    address: invoke.address,
                    version: answered.version,
                    result,
                    started: invoke.started.wall,
                    ended: self.wall(),
                    duration_ms: self.now.tick.since(invoke.started.tick),
                    way: self.way_to(scope),
                    replayed: answered.replayed,
                    spent: answered.spent,
                };
                let response = Effect::Respond(control, Response::Invoked(Box::new(invocation)));
                // What was done elsewhere can be asked for here after a crash. An answer alone is
                // no promise of this realm's: its trace may trail.
                if answered.has_effects {
                    self.out.promise(response);
                } else {
                    self.out.emit(response);
                }
            }
        }
    }
}

/// What is known of an answer besides its output.
#[derive(Debug, Default)]
struct Answered {
    version: Option<String>,
    contract: Option<Digest>,
    /// What it used, as far as it counts; none where nobody knows.
    spent: Option<Spend>,
    replayed: bool,
    has_effects: bool,
}

/// An output that its contract permits.
fn output_under(contract: &KnownContract, output: &[u8]) -> Result<Value, CallFailure> {
    let output = json::parse(output).map_err(|error| schema_failure(vec![error.to_string()]))?;
    contract.check_output(&output).map_err(schema_failure)?;
    Ok(output)
}

fn schema_failure(details: Vec<String>) -> CallFailure {
    let message = "the output does not match the contract's output schema".to_owned();
    CallFailure {
        details,
        ..CallFailure::new(FailureCode::SchemaOutput, message)
    }
}
