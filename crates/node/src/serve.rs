//! Calls that are run here: once for each idempotency key, with a permit, answered when durable.

mod authority;
mod bounds;
mod keys;
mod market;
mod patience;
mod serving;
mod turns;

use std::{collections::BTreeMap, sync::Arc};

use realm_crypto::Opened;
use realm_executor::{ApprovalRule, Effects, Manifest, Outcome, Start};
use realm_policy::{Action, Permit, Resource};
use realm_protocol::{
    FailureCode, Hop, LoopId, RunId, Scope, Timestamp,
    broadcast::MILLION,
    cbor::Blob,
    journal::{Change, Direction, Run, Status, Table},
    json::{self, Object},
    limits,
    message::{Call, Cancel, PolicyUse},
    trace::TraceRoot,
};

use crate::{
    CallFailure, ControlId, InvokeAsked, Node,
    answer::{Local, Remote, Responder, stored_answer},
    approvals::{StoredRule, demanded},
    people::{User, key_of},
    receipts::ordered,
    relay::Release,
    state::{self, AcceptedCaller, StoredGiven, StoredKey, StoredRun, key_row},
    timers::Timer,
    traces::Counted,
};
pub(crate) use authority::StoredAuthority;
pub(crate) use market::{Asked, Leased, Purpose, Question, leased_run};
use serving::{Incoming, KeyState};
pub(crate) use serving::{Served, Serving};

impl Node {
    pub(crate) fn serve_local(
        &mut self,
        control: ControlId,
        asker: Option<User>,
        asked: InvokeAsked,
    ) {
        let now = self.now;
        let timeout_ms = asked.timeout_ms.unwrap_or(if asked.detach {
            // Nobody waits: its own bounds are enough.
            limits::RUN_MS
        } else {
            self.config.call_timeout_ms
        });
        let key = asked
            .key
            .as_ref()
            .map(|key| (key_of(asker.as_ref(), key), now.wall));
        let incoming = Incoming {
            call: self.new_call(),
            caller: self.me.scope(),
            caller_realm: self.me.realm(),
            loop_id: asked.address.loop_id.clone(),
            version: asked.version,
            input: asked.input,
            key,
            timeout_ms,
            depth: 0,
            caller_name: asked.caller,
            asker,
            parent: None,
            direction: Direction::Local,
            part_of: None,
            detached: asked.detach,
            waited_ms: 0,
            work: None,
            budgets: vec![self.asker_budget(asked.budget)],
            approved_by: BTreeMap::new(),
            epoch: 0,
            backend: asked.backend,
            grants: None,
            responder: Responder::Local(Local {
                control,
                address: asked.address,
                started: now,
                until: now.tick.plus(timeout_ms),
                stream: asked.stream,
            }),
        };
        self.serve(incoming);
    }

    pub(crate) fn serve_remote(&mut self, opened: Opened, call: Call, hop: Hop) {
        let ordered = ordered(&opened, &call);
        let (header, digest, _, reply_key) = opened.into_parts();
        let (Some(reply_key), Some(caller_realm)) = (reply_key, header.source.realm) else {
            return;
        };
        let takes_accepted = call.timeout_ms > limits::CALL_MS;
        let remote = Remote {
            takes_accepted,
            source: header.source.clone(),
            call: header.call,
            digest,
            reply_key,
            max_reply: header.max_reply,
            hops: limits::HOPS.saturating_sub(hop.left).saturating_add(1),
            contract: call.contract,
            offer: call.session,
            stream: call.stream,
            ordered,
        };
        let Ok(input) = json::parse(&call.input) else {
            let failure = CallFailure::new(FailureCode::Malformed, "the input is not strict JSON");
            return self.answer_failure(
                &Responder::Remote(Box::new(remote)),
                &failure,
                Release::Now,
            );
        };
        let approved_by = self.approved_by(&header.source, &call, &input);
        let responder = Responder::Remote(Box::new(remote));
        let grants = match self.shown_grants(&header.source, &call) {
            Ok(grants) => grants,
            Err(failure) => return self.answer_failure(&responder, &failure, Release::Now),
        };
        let granted = grants.as_ref().and_then(|grants| grants.budget());
        let incoming = Incoming {
            approved_by,
            epoch: self.trust.epoch(),
            backend: None,
            grants,
            responder,
            call: header.call,
            caller: header.source.scope(),
            caller_realm,
            loop_id: call.loop_id,
            version: call.version,
            input,
            key: Some((call.key, call.key_created)),
            timeout_ms: call.timeout_ms.min(limits::RUN_MS),
            depth: call.depth,
            caller_name: call.caller,
            asker: None,
            parent: call.parent,
            direction: Direction::In,
            part_of: None,
            detached: false,
            waited_ms: 0,
            work: None,
            budgets: self.caller_budgets(call.budget, granted),
        };
        self.serve(incoming);
    }

    /// Permission first, so that a loop that is hidden and one that is absent look alike.
    fn serve(&mut self, mut incoming: Incoming) {
        if let Err(failure) = self.may_serve(&incoming) {
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        }
        let permitted = match self.permit_aliased(&mut incoming) {
            Some(permitted) => permitted,
            None => self.permit(&incoming),
        };
        match permitted {
            Ok(permit) => self.look_up(incoming, &permit),
            Err(failure) => self.answer_failure(&incoming.responder, &failure, Release::Now),
        }
    }

    /// A call by an alias is a call of the loop, and policy decides about that one. Whoever may
    /// not make it learns what policy says of the name, as if nothing were called so.
    fn permit_aliased(
        &mut self,
        incoming: &mut Incoming,
    ) -> Option<Result<Arc<Permit>, CallFailure>> {
        let id = self.registry.resolve(&incoming.loop_id).clone();
        if id == incoming.loop_id {
            return None;
        }
        let alias = std::mem::replace(&mut incoming.loop_id, id);
        let permitted = self.permit(incoming);
        if permitted.is_ok() {
            return Some(permitted);
        }
        incoming.loop_id = alias;
        let hidden = self
            .permit(incoming)
            .and_then(|_| Err(keys::no_loop(incoming)));
        Some(hidden)
    }

    fn permit(&mut self, incoming: &Incoming) -> Result<Arc<Permit>, CallFailure> {
        let approved = incoming.approved_at(self.wall());
        let granted = incoming.grants.is_some();
        self.permit_caller(&incoming.caller, &incoming.loop_id, (approved, granted))
    }

    /// Asks policy about a call: how many people of the caller's realm have approved it, and whether it goes by a
    /// grant.
    fn permit_caller(
        &mut self,
        caller: &Scope,
        id: &LoopId,
        (approved, granted): (u64, bool),
    ) -> Result<Arc<Permit>, CallFailure> {
        let (owner, now) = (self.me.scope(), self.wall());
        let resource = Resource::Loop { owner: &owner, id };
        let request = realm_policy::Request {
            approved,
            granted,
            ..realm_policy::Request::new(Action::Invoke, caller.into(), resource, now)
        };
        self.rules.decide_request(&request).map_err(|denial| {
            self.counters.refuse(crate::Refused::Denied);
            let reference = self.remember_denial(denial);
            CallFailure::denied(reference).before_work()
        })
    }

    /// How busy this realm is with calls, in millionths.
    pub(crate) fn load_of_calls(&self) -> u64 {
        let calls = (self.serving.under_way() as u64).saturating_mul(MILLION);
        calls
            .checked_div(self.most_calls() as u64)
            .unwrap_or(MILLION)
    }

    /// Whether realms stand where another one does: on one child's side, under one foreign root, or in the rest of
    /// this realm's own tree.
    pub(crate) fn on_side_of(&self, caller: &Scope) -> impl Fn(&Scope) -> bool + use<> {
        let (me, side) = (self.me.scope(), self.trust.side_of(caller));
        let rest = side.root == me.root && side.path.is_root();
        move |scope: &Scope| match rest {
            true => scope.root == me.root && !me.contains(scope),
            false => side.contains(scope),
        }
    }

    /// Whether another call of a realm's may run here: one neighbour's side takes no more than its
    /// share, this realm itself what there is. Work that was confirmed has its place already.
    ///
    /// # Errors
    /// What there is too much of.
    pub(crate) fn room_for_calls_of(&self, caller: &Scope) -> Result<(), CallFailure> {
        let me = self.me.scope();
        let on_side = self.on_side_of(caller);
        let (reserved, reserved_of_side) = self.market.reserved(&on_side);
        let taken = self.serving.taken(&on_side);
        let all = taken.under_way.saturating_add(reserved);
        let of_side = taken.of_side.saturating_add(reserved_of_side);
        let share = match caller.root == me.root {
            true => {
                let sides = self.kin.children.len() + usize::from(!me.path.is_root());
                self.config
                    .max_calls
                    .div_ceil(sides.clamp(1, limits::CALLS_SHARES))
            }
            false => self.config.max_calls_per_peer,
        };
        let mine = *caller == me;
        if all >= self.most_calls() || !mine && of_side >= share {
            return Err(overloaded());
        }
        let share_is_full = taken.paused_of_side >= limits::PAUSED_SHARE;
        if taken.paused >= limits::PAUSED || !mine && share_is_full {
            let message =
                "too many runs of earlier calls stand still there, until a person decides";
            return Err(CallFailure::new(FailureCode::Overloaded, message));
        }
        Ok(())
    }

    fn may_serve(&self, incoming: &Incoming) -> Result<(), CallFailure> {
        self.may_begin(&incoming.caller, &incoming.loop_id, incoming.direction)?;
        if self.stopping {
            return Err(overloaded().before_work());
        }
        self.room_for_calls_of(&incoming.caller)
            .map_err(CallFailure::before_work)?;
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

    fn start_run(&mut self, mut incoming: Incoming, permit: &Permit, effects: Effects) {
        // Its key may have been looked up while the word came.
        let may_begin = self.may_begin(&incoming.caller, &incoming.loop_id, incoming.direction);
        if let Err(failure) = may_begin.and_then(|()| self.may_run(&incoming.loop_id)) {
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        }
        let counted = incoming.grants.as_deref();
        let counted = counted.map(|it| self.count_grants(it, &incoming.caller, &incoming.loop_id));
        if let Some(Err(failure)) = counted {
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        }
        let run = self.new_run();
        let approvals = permit.approvals().iter().map(demanded);
        let approvals: Vec<ApprovalRule> = approvals.chain(self.asks_above()).collect();
        let input = Blob::from(json::to_bytes(&incoming.input));
        let request = incoming.request_digest_with(&input);
        let start = Start {
            run,
            call: incoming.call,
            loop_id: incoming.loop_id.clone(),
            version: incoming.version.clone(),
            input: std::mem::take(&mut incoming.input),
            timeout_ms: incoming.timeout_ms.max(1),
            depth: incoming.depth,
            caller: Some(caller_text(&incoming, &self.name_of(&incoming.caller))),
            parent: incoming.parent.clone(),
            durable: incoming.detached
                || effects != Effects::None
                || !approvals.is_empty()
                || self.waits(&incoming),
            work: incoming.work.map(|(_, work)| work),
            stream: incoming.responder.wants_stream(),
            approvals: approvals.clone(),
            budgets: incoming.budgets.clone(),
            backend: incoming.backend.clone(),
        };
        let resumable = start.durable.then(|| start.caller.clone());
        if let Err(error) = self.executor.start(start, &self.registry, self.now) {
            let failure = CallFailure::new(error.code(), error.to_string()).before_work();
            return self.answer_failure(&incoming.responder, &failure, Release::Now);
        }
        self.counters.served = self.counters.served.saturating_add(1);
        let peer = (incoming.direction == Direction::In).then(|| self.name_of(&incoming.caller));
        let policies = permit.policies().iter();
        let policies = policies.map(|used| PolicyUse {
            realm: used.realm,
            number: used.number,
        });
        let policies: Vec<PolicyUse> = policies.collect();
        let key = incoming.key.map(|(key, created)| {
            let forgotten = created.max(self.now.wall).plus(limits::KEY_KEPT_MS);
            (key_row(incoming.caller_realm, &key), forgotten)
        });
        let ordered = incoming.responder.ordered();
        if ordered.is_some() {
            self.keep_signer(&incoming.caller, self.now.wall);
        }
        let own = self.manifest_of(&incoming);
        let asks = !approvals.is_empty() || own.is_some_and(|own| own.approval.is_some());
        let grants = incoming.grants.as_ref();
        let grants = grants.map_or_else(Vec::new, |grants| grants.rows(self.me.realm()));
        let kept = asks || !grants.is_empty();
        let authority = kept.then(|| self.authority_of(&incoming)).flatten();
        let resume = resumable.map(|caller| StoredRun {
            authority,
            until: self.now.wall.plus(incoming.timeout_ms.min(limits::RUN_MS)),
            depth: incoming.depth,
            caller,
            scope: incoming.caller.clone(),
            key: key.as_ref().map(|(row, _)| Blob::from(row.clone())),
            request,
            forgotten: key.as_ref().map_or(Timestamp::default(), |(_, at)| *at),
            policies: policies.clone(),
            input: self.out.redacts().then(|| input.clone()),
            parent: incoming.parent.clone(),
            accepted: Vec::new(),
            person: match &incoming.asker {
                Some(asker) => Some(asker.name()),
                None if incoming.direction == Direction::Local => incoming.caller_name.clone(),
                None => None,
            },
            roles: incoming
                .asker
                .as_ref()
                .map(|asker| asker.roles().iter().copied().collect()),
            approvals: (!approvals.is_empty())
                .then(|| approvals.iter().map(StoredRule::from).collect()),
            budgets: Some(incoming.budgets.iter().map(StoredGiven::of).collect()),
            ordered: ordered.as_deref().cloned(),
            backend: incoming.backend.as_ref().map(ToString::to_string),
        });
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
            input: Some(input),
            output: None,
            parent: incoming.part_of,
            resume: resume.map(|resume| Blob::from(state::write(&resume))),
            erased: None,
        };
        self.out.change(Change::Run(record.clone()));
        let key = key.map(|(row, forgotten)| {
            let stored = StoredKey::under_way(run, request, forgotten, effects);
            if effects != Effects::None {
                self.put_until(Table::Keys, &row, state::write(&stored), stored.forgotten);
            }
            self.serving
                .keys
                .insert(row.clone(), KeyState::Running(run));
            (row, stored)
        });
        let received = incoming.responder.received();
        let watcher = incoming.responder.watcher();
        let leased = incoming.work.map(|(broadcast, _)| broadcast);
        let told = incoming.detached && incoming.waited_ms > 0;
        let responders = self.who_waits(incoming.responder, told.then_some(&record));
        let served = Served {
            call: incoming.call,
            caller: incoming.caller,
            key,
            effects,
            responders,
            accepted: Vec::new(),
            told: 0,
            started: self.now,
            policies,
            record,
            events: 0,
            trace: match ordered {
                Some(_) => Counted::All(TraceRoot::empty()),
                None => Counted::Not,
            },
            undecided: false,
            stream: None,
            counted: incoming.grants.as_ref().is_some_and(|it| it.is_counted()),
            grants,
            person: incoming.caller_name,
            asker: incoming.asker,
            parent: incoming.parent.map(|parent| parent.run),
            ordered,
        };
        self.serving.runs.insert(run, served);
        self.watch(run, watcher);
        self.note_received(run, received);
        if let Some(broadcast) = leased {
            let payload = Object::new().with("broadcast", &broadcast);
            self.note_in_run(run, "call.leased", payload);
        }
        if incoming.waited_ms > 0 {
            let payload = Object::new().with("waitedMs", &incoming.waited_ms);
            self.note_in_run(run, "call.queued", payload);
        }
        if !incoming.approved_by.is_empty() {
            let people: Vec<&String> = incoming.approved_by.keys().collect();
            let payload = Object::new().with("people", &people);
            self.note_in_run(run, "approval.received", payload);
        }
        if let Some(grants) = &incoming.grants {
            self.note_in_run(run, "grant.used", grants.trace());
        }
        self.accept_later(run);
    }

    /// Whether the loop calls others or waits for an approval, so that its run has more to go on with than
    /// its input.
    fn waits(&self, incoming: &Incoming) -> bool {
        let manifest = self.manifest_of(incoming);
        manifest.is_some_and(|own| own.is_composed() || own.approval.is_some())
    }

    fn manifest_of(&self, incoming: &Incoming) -> Option<&Manifest> {
        let version = incoming.version.as_deref();
        let found = self.registry.find(&incoming.loop_id, version)?;
        Some(&found.manifest)
    }

    /// A run has ended: written down, then answered.
    pub(crate) fn run_finished(&mut self, run: RunId, outcome: Outcome) {
        self.show_rest(run);
        let Some(mut served) = self.serving.runs.remove(&run) else {
            return;
        };
        self.timers.cancel(&Timer::Accept(run));
        self.timers.cancel(&Timer::Patience(run));
        self.forget_earlier(run);
        let forgettable = served.effects == Effects::None && !served.counted;
        let release = if forgettable {
            Release::Now
        } else {
            Release::Durable
        };
        let mut ending = self.ending_of(run, &served, &outcome);
        let receipt = self.receipt_for(run, &served, &outcome, &mut ending);
        served.record.version = Some(outcome.version.clone());
        served.record.ended = Some(outcome.ended);
        served.record.resume = None;
        match &ending {
            Ok(result) => {
                served.record.status = Status::Completed;
                served.record.output = Some(result.output.clone());
            }
            Err(failure) => {
                served.record.status = match failure.code {
                    FailureCode::Cancelled => Status::Cancelled,
                    _ => Status::Failed,
                };
                served.record.error = Some(failure.code.name().to_owned());
                served.record.output = Some(Blob::from(failure.message.clone().into_bytes()));
            }
        }
        let ended = self.ended_run(&served, outcome.contract, receipt);
        self.out.run(served.record.clone(), ended);
        if let Some((row, stored)) = served.key.take() {
            self.serving.keys.remove(&row);
            if served.effects != Effects::None {
                // A run may have taken longer than a key is kept.
                let kept = self.now.wall.plus(limits::KEY_KEPT_MS);
                // Who took back what may be repeated, and asks again, wants it done after all.
                let over = matches!(&ending, Err(it) if it.code == FailureCode::Cancelled);
                let again = over && stored.repeatable;
                let stored = StoredKey {
                    answer: (!again).then(|| stored_answer(&outcome, &ending)),
                    forgotten: stored.forgotten.max(kept),
                    ..stored
                };
                self.put_until(Table::Keys, &row, state::write(&stored), stored.forgotten);
                self.serving.keep_recent(row, stored, self.out.position());
            }
        }
        for responder in std::mem::take(&mut served.responders) {
            let sent = self.answer(&responder, run, served.call, (&outcome, &ending), release);
            if let Some(header) = sent {
                self.note_answered(&mut served, "header", header);
            }
        }
        for caller in std::mem::take(&mut served.accepted) {
            self.note_answered(&mut served, "answers", caller.header);
            self.deliver_end(run, caller, (Some(&outcome), &ending));
        }
    }

    /// A caller takes its call back. Only who made it can, and only for itself: the run goes on
    /// while somebody else waits for it.
    pub(crate) fn cancel_served(&mut self, opened: &Opened, cancel: Cancel) {
        let (call, source) = (opened.header().call, &opened.header().source);
        let waits = |held: &Responder| held.is_remote(call, source);
        let accepted = |held: &AcceptedCaller| held.is_of(call, source.realm);
        let mut runs = self.serving.runs.iter_mut();
        let found = runs.find(|(_, served)| {
            served.responders.iter().any(waits) || served.accepted.iter().any(accepted)
        });
        let Some((run, served)) = found else {
            self.leave_line(waits);
            return;
        };
        let run = *run;
        let others = served.responders.iter().any(|held| !waits(held))
            || served.accepted.iter().any(|held| !accepted(held));
        served.responders.retain(|held| !waits(held) || !others);
        if let (true, Some(stream)) = (others, &mut served.stream) {
            stream.leave(call, source.realm);
        }
        if others {
            return self.drop_accepted(run, call, source.realm);
        }
        let reason = cancel.reason.unwrap_or_default();
        let reason: String = reason.chars().take(200).collect();
        self.executor
            .cancel(run, &format!("by the caller: {reason}"), self.now);
    }
}

/// As many calls are served as may be, or nothing can be promised of one more.
fn overloaded() -> CallFailure {
    let mut failure = CallFailure::new(FailureCode::Overloaded, "busy; try again");
    failure.retry_after_ms = Some(500);
    failure
}

fn caller_text(incoming: &Incoming, realm: &str) -> String {
    match &incoming.caller_name {
        Some(name) => format!("{realm} ({})", name.chars().take(64).collect::<String>()),
        None => realm.to_owned(),
    }
}
