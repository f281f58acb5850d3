//! Calls that do not begin before people have approved them.
//!
//! A request stands for exactly one action: run, frame, loop, revision and input, by digest. What people
//! say of it is a signed record. Right before the call begins the request is read from the store again,
//! and its records are examined as if nobody had seen them before.

mod deciding;
mod forwarding;
mod stored;
mod views;

use std::collections::BTreeMap;

use realm_executor::{ApprovalAsked, Cost, LoopError, Said};
use realm_protocol::{
    ApprovalId, CallId, Digest, FailureCode, RunId, Scope, Timestamp,
    audit::{AuditNote, AuditOutcome},
    journal::{Direction, Table},
    json::{self, Object},
    limits,
    records::{Approval, ApprovalAction, ApprovalVerdict, Role},
};

use crate::{Effect, LookId, Node, accept::stored_run, state, timers::Timer};
pub use deciding::{Decide, DecideError, Person};
pub(crate) use stored::{StoredRequest, StoredRule, demanded};
pub use views::{ApprovalState, ApprovalTerms, ApprovalView};

/// Requests for approvals, those that wait and those that were decided lately.
#[derive(Debug, Default)]
pub(crate) struct Approvals {
    requests: BTreeMap<ApprovalId, StoredRequest>,
    /// The latest request of each frame.
    latest: BTreeMap<(RunId, CallId), ApprovalId>,
    looks: BTreeMap<LookId, Looking>,
}

/// A request that is being read from the store, because its call is about to begin.
#[derive(Debug)]
struct Looking {
    id: ApprovalId,
    action: ApprovalAction,
    repeatable: bool,
}

impl Approvals {
    pub(crate) fn is_looking(&self, look: LookId) -> bool {
        self.looks.contains_key(&look)
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&ApprovalId, &StoredRequest)> {
        let requests = self.requests.iter();
        requests.filter(|(_, request)| request.state() == ApprovalState::Waiting)
    }
}

impl Node {
    /// A call asks whether it may begin.
    pub(crate) fn ask_approval(&mut self, asked: ApprovalAsked) {
        let (run, call) = (asked.run, asked.call);
        let action = ApprovalAction {
            realm: self.me.realm(),
            run,
            frame: call,
            loop_id: asked.loop_id.clone(),
            version: asked.version.clone(),
            revision: asked.revision,
            contract: asked.contract,
            input: Digest::of(&[&json::to_bytes(&asked.input)]),
            callee: self.callee_of(&asked),
        };
        let Some(id) = self.approvals.latest.get(&(run, call)).copied() else {
            return self.request_approval(action, &asked);
        };
        let Some(request) = self.approvals.requests.get(&id) else {
            return self.request_approval(action, &asked);
        };
        if !request.is_of(&action, &asked) {
            if request.used.is_none() {
                self.void(id, "the call is no longer the one that it was asked for");
            }
            return self.request_approval(action, &asked);
        }
        let over = request.expires <= self.now.wall;
        match request.state() {
            ApprovalState::Waiting if over => self.approval_expired(id),
            ApprovalState::Waiting => self.executor.hold(run, call, &self.registry, self.now),
            ApprovalState::Granted if over || request.used.is_some() && !asked.repeatable => {
                self.request_approval(action, &asked);
            }
            ApprovalState::Granted => {
                let looking = Looking {
                    id,
                    action,
                    repeatable: asked.repeatable,
                };
                self.look_at(looking);
            }
            ApprovalState::Denied | ApprovalState::Expired => self.refuse_call(id),
            ApprovalState::Void => self.request_approval(action, &asked),
        }
    }

    /// The loop of the call that a request is about, with its realm where that is another one.
    pub(crate) fn loop_of_approval(&self, id: ApprovalId) -> Option<&str> {
        let request = self.approvals.requests.get(&id)?;
        Some(&request.action.loop_id)
    }

    /// The place of the realm that a call would go to, where that is known.
    fn callee_of(&self, asked: &ApprovalAsked) -> Option<Scope> {
        self.resolve_name(asked.realm.as_ref()?).ok()
    }

    /// Requests that wait for runs which the same neighbour's side has asked for; none for this realm's own.
    fn approvals_of_side(&self, run: RunId) -> usize {
        let caller = |run| self.serving.get(run).map(|served| &served.caller);
        let Some(asks) = caller(run).filter(|caller| **caller != self.me.scope()) else {
            return 0;
        };
        let on_side = self.on_side_of(asks);
        let requests = self.approvals.waiting();
        let callers = requests.filter_map(|(_, request)| caller(request.action.run));
        callers.filter(|caller| on_side(caller)).count()
    }

    /// Nobody has been asked yet, or what they said is good no more.
    fn request_approval(&mut self, action: ApprovalAction, asked: &ApprovalAsked) {
        let (run, call) = (asked.run, asked.call);
        let waiting = self.approvals.waiting().count();
        let of_side = self.approvals_of_side(run);
        if waiting >= limits::APPROVALS || of_side >= limits::APPROVALS_SHARE {
            let message = format!(
                "`{}` needs an approval, and {} requests wait already",
                asked.loop_id, waiting
            );
            let error = LoopError::new(FailureCode::Overloaded, message);
            return self
                .executor
                .deny((run, call), error, None, &self.registry, self.now);
        }
        let id = ApprovalId::at(self.now.wall, self.random());
        let now = self.now.wall;
        let expires_ms = asked.rules.iter().map(|rule| rule.expires_ms).min();
        let served = self.serving.get(run);
        let stored = served.and_then(stored_run);
        let frames = self.executor.frame(run, call);
        let (cost, share) = match asked.cost.clone() {
            Some(Cost::Answer(most)) => (Some(most), None),
            Some(Cost::Share(given)) => (None, Some(given)),
            None => (None, None),
        };
        let request = StoredRequest {
            rules: asked.rules.iter().map(StoredRule::from).collect(),
            requested: now,
            expires: now.plus(expires_ms.unwrap_or(limits::APPROVAL_MS)),
            state: ApprovalState::Waiting.number(),
            decisions: Vec::new(),
            used: None,
            escalated: None,
            requester: stored.as_ref().and_then(|stored| stored.person.clone()),
            caller: stored.and_then(|stored| stored.caller),
            frames: frames.map_or_else(Vec::new, |(_, frames)| frames),
            decided: None,
            cost,
            share,
            action,
        };
        let roles = request.rules.iter().map(|rule| rule.role.as_str());
        let payload = request
            .told(id)
            .with("roles", &roles.collect::<Vec<_>>())
            .with("expires", &request.expires);
        self.note_in_frame(run, call, "approval.requested", payload);
        self.forget_decided();
        self.approvals.latest.insert((run, call), id);
        self.approvals.requests.insert(id, request);
        self.keep_request(id);
        self.set_approval_timer();
        self.executor.hold(run, call, &self.registry, self.now);
    }

    /// An event of the node's own that belongs to a frame.
    fn note_in_frame(&mut self, run: RunId, call: CallId, kind: &str, payload: Object) {
        self.executor.record(run, call, kind, payload, self.now);
    }

    fn keep_request(&mut self, id: ApprovalId) {
        let Some(request) = self.approvals.requests.get(&id) else {
            return;
        };
        let bytes = state::write(request);
        match request.decided {
            None => self.put(Table::Approvals, id.as_bytes(), bytes),
            Some(decided) => {
                let until = decided.plus(limits::RUN_MS);
                self.put_until(Table::Approvals, id.as_bytes(), bytes, until);
            }
        }
    }

    /// Reads a request again once it is durable, right before its call begins.
    fn look_at(&mut self, looking: Looking) {
        let look = self.next_look();
        let row = looking.id.as_bytes().to_vec();
        self.approvals.looks.insert(look, looking);
        self.out.promise(Effect::Look(look, Table::Approvals, row));
    }

    /// A request has been read: its call begins if what people have said holds.
    pub(crate) fn approval_read(&mut self, look: LookId, value: Option<&[u8]>) {
        let Some(looking) = self.approvals.looks.remove(&look) else {
            return;
        };
        let (run, call) = (looking.action.run, looking.action.frame);
        let read = value.and_then(|value| state::read::<StoredRequest>(value).ok());
        let examined = match &read {
            Some(request) => self.examine(request, &looking).map(|()| request.answer()),
            None => Err("what is written down of it does not read"),
        };
        let said = match examined {
            Ok(said) => said,
            Err(why) => {
                tracing::warn!(approval = %looking.id, why, "an approval does not hold");
                self.void(looking.id, why);
                self.audit_lost_approval(looking.id, "approval.void", why);
                return self
                    .executor
                    .approval_is_void(run, call, &self.registry, self.now);
            }
        };
        if let Err(failure) = self.still_authorized(run, call) {
            let why = failure.message.clone();
            self.void(looking.id, &why);
            self.audit_lost_approval(looking.id, "approval.void", &why);
            let error = LoopError::new(failure.code, why);
            return self
                .executor
                .deny((run, call), error, None, &self.registry, self.now);
        }
        if let Some(request) = self.approvals.requests.get_mut(&looking.id)
            && request.used.is_none()
        {
            request.used = Some(self.now.wall);
            let payload = request.told(looking.id);
            self.note_in_frame(run, call, "approval.used", payload);
            self.keep_request(looking.id);
        }
        self.executor
            .approve(run, call, said, &self.registry, self.now);
    }

    /// A request is good for nothing any more.
    fn void(&mut self, id: ApprovalId, why: &str) {
        let now = self.now.wall;
        let Some(request) = self.approvals.requests.get_mut(&id) else {
            return;
        };
        request.state = ApprovalState::Void.number();
        request.decided = Some(now);
        let (run, call) = (request.action.run, request.action.frame);
        let payload = request.told(id).with("reason", why);
        self.note_in_frame(run, call, "approval.void", payload);
        self.keep_request(id);
    }

    /// Writes down that a request came to nothing, and why.
    fn audit_lost_approval(&mut self, id: ApprovalId, action: &'static str, why: &str) {
        let Some(request) = self.approvals.requests.get(&id) else {
            return;
        };
        let asked = &request.action;
        let note = AuditNote {
            outcome: AuditOutcome::Refusal,
            error: Some(why.to_owned()),
            run: Some(asked.run),
            call: Some(asked.frame),
            input: Some(asked.input),
            ..AuditNote::new(action).about(asked.loop_id.clone())
        };
        self.audit(note);
    }

    /// Nothing waits for an approval any more.
    pub(crate) fn withdraw_approval(&mut self, run: RunId, call: CallId) {
        let Some(id) = self.approvals.latest.get(&(run, call)).copied() else {
            return;
        };
        self.approvals.looks.retain(|_, looking| looking.id != id);
        let request = self.approvals.requests.get(&id);
        if request.is_some_and(|request| request.state() == ApprovalState::Waiting) {
            self.void(id, "the call is not made any more");
        }
    }

    /// Ends the call of a request that was denied, or that nobody answered.
    fn refuse_call(&mut self, id: ApprovalId) {
        let Some(request) = self.approvals.requests.get(&id) else {
            return;
        };
        let (run, call) = (request.action.run, request.action.frame);
        // What other realms are told of it holds nobody's name.
        let run_here = self.serving.get(run);
        let stays = run_here.is_some_and(|run| run.record.direction == Direction::Local);
        let error = LoopError::new(FailureCode::Denied, request.refusal(stays));
        let denied = request.state() == ApprovalState::Denied;
        let said = denied.then(|| request.answer());
        self.executor
            .deny((run, call), error, said, &self.registry, self.now);
    }

    fn approval_expired(&mut self, id: ApprovalId) {
        let now = self.now.wall;
        let Some(request) = self.approvals.requests.get_mut(&id) else {
            return;
        };
        request.state = ApprovalState::Expired.number();
        request.decided = Some(now);
        let (run, call) = (request.action.run, request.action.frame);
        let payload = request.told(id);
        self.note_in_frame(run, call, "approval.expired", payload);
        self.keep_request(id);
        self.audit_lost_approval(id, "approval.expired", "nobody said anything in time");
        self.refuse_call(id);
    }

    /// Wakes at the earliest end, or the earliest time at which others are asked as well.
    fn set_approval_timer(&mut self) {
        let due = self.approvals.waiting().flat_map(|(_, request)| {
            let escalates = request.escalates().into_iter();
            escalates.chain([request.expires])
        });
        match due.min() {
            Some(due) => {
                let at = self.now.tick.plus(due.since(self.now.wall));
                self.timers.set(Timer::Approvals, at);
            }
            None => self.timers.cancel(&Timer::Approvals),
        }
    }

    /// Requests have expired, or others are asked as well.
    pub(crate) fn approvals_are_due(&mut self) {
        let now = self.now.wall;
        let waiting = self.approvals.waiting();
        let over = waiting.filter(|(_, request)| request.expires <= now);
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.approval_expired(id);
        }
        let waiting = self.approvals.waiting();
        let late = waiting.filter(|(_, request)| request.escalates().is_some_and(|at| at <= now));
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.escalate(id, now);
        }
        self.forget_decided();
        self.set_approval_timer();
    }

    fn escalate(&mut self, id: ApprovalId, now: Timestamp) {
        let Some(request) = self.approvals.requests.get_mut(&id) else {
            return;
        };
        let due = request.escalations().filter(|(at, _)| *at <= now);
        let roles: Vec<&str> = due.map(|(_, role)| role.as_str()).collect();
        let (run, call) = (request.action.run, request.action.frame);
        let payload = request.told(id).with("roles", &roles);
        request.escalated = Some(now);
        self.note_in_frame(run, call, "approval.escalated", payload);
        self.keep_request(id);
    }

    /// Takes up what is written down, before runs go on that ask about it.
    pub(crate) fn recover_approvals(&mut self, rows: Vec<(Vec<u8>, StoredRequest)>) {
        for (key, request) in rows {
            let Ok(bytes) = <[u8; 16]>::try_from(key.as_slice()) else {
                continue;
            };
            let id = ApprovalId::new(bytes);
            // Ids sort by time: the last one stays.
            let frame = (request.action.run, request.action.frame);
            self.approvals.latest.insert(frame, id);
            self.approvals.requests.insert(id, request);
        }
        self.forget_decided();
    }

    /// Withdraws the requests of runs that did not go on.
    pub(crate) fn withdraw_orphaned_approvals(&mut self) {
        let waiting = self.approvals.waiting();
        let gone = waiting.filter(|(_, request)| !self.serving.has(request.run()));
        for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.void(id, "its run has ended");
        }
        self.set_approval_timer();
    }

    /// Forgets the oldest of those that were decided, but for what runs under way rest on.
    fn forget_decided(&mut self) {
        let decided = self.approvals.requests.iter();
        let decided = decided.filter(|(_, request)| {
            request.state() != ApprovalState::Waiting && !self.serving.has(request.run())
        });
        let decided: Vec<ApprovalId> = decided.map(|(id, _)| *id).collect();
        let surplus = decided.len().saturating_sub(limits::APPROVALS_DECIDED);
        for id in decided.into_iter().take(surplus) {
            if let Some(request) = self.approvals.requests.remove(&id) {
                let frame = (request.action.run, request.action.frame);
                self.approvals.latest.remove(&frame);
            }
        }
    }
}

impl StoredRequest {
    /// What every event about it says.
    fn told(&self, id: ApprovalId) -> Object {
        Object::new()
            .with("approval", &id)
            .with("action", &self.action.digest())
            .with("loopId", &self.action.loop_id)
    }

    /// When others have to be asked as well, and in which role: of each rule by itself, and once.
    fn escalations(&self) -> impl Iterator<Item = (Timestamp, Role)> {
        let rules = self.rules.iter();
        let all = rules.filter_map(|rule| rule.escalate_ms.zip(rule.escalate_role));
        let all = all.map(|(after, role)| (self.requested.plus(after), role));
        all.filter(|(at, _)| self.escalated.is_none_or(|told| told < *at))
    }

    /// When others are asked as well next.
    fn escalates(&self) -> Option<Timestamp> {
        self.escalations().map(|(at, _)| at).min()
    }

    /// What people have said, for a call that has asked them.
    fn answer(&self) -> Said {
        let said = self.decisions.iter().filter_map(|said| said.peek().ok());
        let said: Vec<Approval> = said.collect();
        Said {
            granted: self.state() == ApprovalState::Granted,
            people: said.iter().map(|said| said.person.clone()).collect(),
            reason: said.into_iter().rev().find_map(|said| said.reason),
        }
    }

    /// Why the call was not made; by whom, where that stays here.
    fn refusal(&self, stays: bool) -> String {
        let name = &self.action.loop_id;
        let said = self.decisions.iter().filter_map(|said| said.peek().ok());
        let denied = said
            .into_iter()
            .find(|said| said.verdict == ApprovalVerdict::Denied);
        match denied {
            Some(said) => {
                let reason = said.reason.map(|reason| format!(": {reason}"));
                let person = if stays { &said.person } else { "a person" };
                let reason = reason.unwrap_or_default();
                format!("`{name}` was denied by {person}{reason}")
            }
            None => {
                let waited = self.expires.since(self.requested);
                format!("`{name}` was not approved within {} s", waited / 1_000)
            }
        }
    }
}
