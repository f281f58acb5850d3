//! Attempts of a call: each a new message under the same key, inside the call's deadline.

use rand_core::Rng;
use realm_crypto::{Ephemeral, Letter, Outgoing, ReplyKey, SealError, seal, seal_in_session};
use realm_protocol::{
    CallId, Digest, FailureCode, Kind, Place, Priority, RealmId, Timestamp,
    cbor::{self, Blob},
    flags,
    json::Object,
    limits,
    message::{Call, ContractsAsked, StatusAsked, TraceParent},
    receipt::Order,
    records::{KemPurpose, KemRecord},
};
use realm_router::{LinkId, Next};

use crate::{
    CallFailure, Node,
    deliver::Pending,
    market::Left,
    outbound::{Invoke, Origin, Task},
    people::Named,
    relay::Release,
    resolve::Asker,
    sessions::{InSession, Way},
    storing::{Storing, may_be_kept},
    timers::Timer,
};

/// Shortest wait for one attempt of a call, milliseconds; longer calls share their time out evenly.
pub(crate) const ATTEMPT_MS: u64 = 20_000;
/// How long an attempt waits on after its link was lost, milliseconds.
const LOST_MS: u64 = 1_000;

impl Node {
    /// Makes the next attempt of a call: resolves first where the chain is not known.
    pub(crate) fn try_call(&mut self, call: CallId) {
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        if out.sent.is_some() {
            return;
        }
        if out.deadline <= self.now.tick {
            return self.call_timed_out(call);
        }
        let scope = out.scope.clone();
        let deadline = out.deadline;
        self.timers.set(Timer::Attempt(call), deadline);
        if !self.may_leave(call) {
            return;
        }
        let now = self.wall();
        let chain = self.trust.chain(&scope, now).cloned();
        let out = self.calls.get(&call);
        if let (Some(out), Some(chain)) = (out, &chain)
            && !out.is_for(chain.realm())
        {
            let message = "another realm stands where the caller stood";
            let failure = CallFailure::new(FailureCode::BadCertificate, message);
            return self.attempt_failed(call, failure);
        }
        let key = out.and_then(|out| {
            let chain = chain?;
            let kem = out.key_of(&chain, now).cloned()?;
            Some((chain, kem))
        });
        match key {
            Some((chain, kem)) => self.send_attempt(call, chain.place().clone(), &kem),
            None => self.resolve(scope, Asker::Call(call)),
        }
    }

    /// The callee is resolved: sends, or counts a failure where it shows no key that is valid now.
    pub(crate) fn call_resolved(&mut self, call: CallId) {
        let now = self.wall();
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        let chain = self.trust.chain(&out.scope, now);
        if chain.is_some_and(|chain| out.key_of(chain, now).is_some()) {
            return self.try_call(call);
        }
        let failure = if chain.is_some_and(|chain| chain.stored_kem_at(now).is_some()) {
            let message = "the realm has been offline for longer than its keys last";
            CallFailure::new(FailureCode::Offline, message)
        } else {
            let message = "the realm shows no key that is valid by this clock";
            CallFailure::new(FailureCode::BadCertificate, message)
        };
        self.attempt_failed(call, failure);
    }

    fn send_attempt(&mut self, call: CallId, destination: realm_protocol::Place, kem: &KemRecord) {
        let now = self.now;
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        out.attempts = out.attempts.saturating_add(1);
        out.heard = None;
        out.callee = destination.realm;
        let mut waits_until = out.deadline;
        if let Task::Invoke(invoke) = &mut out.task {
            invoke.named = self.known.get(&invoke.meant(&out.scope));
            waits_until = waits_until.max(invoke.until);
        }
        let waits = now.tick.until(waits_until).as_millis();
        let waits = u64::try_from(waits).unwrap_or(limits::RUN_MS);
        let left = now.tick.until(out.deadline).as_millis();
        let left = u64::try_from(left).unwrap_or(limits::CALL_MAX_MS);
        // What may be kept is always sealed to the key for it, and offers no session.
        let storable = kem.purpose == KemPurpose::Stored;
        let mut created = now.wall;
        if storable {
            out.set_storing(Storing::Due);
            if let Task::Invoke(invoke) = &mut out.task {
                // Who keeps an attempt keeps the latest, also where this clock was set back.
                created = created.max(invoke.sealed.plus(1));
                invoke.sealed = created;
            }
        }
        // What a run causes elsewhere must find the run's own beginning on the disk after a crash,
        // or the run would begin anew and cause it again under another key.
        let release = match &out.task {
            Task::Invoke(invoke) if invoke.origin == Origin::Frame => Release::Durable,
            Task::Deliver(_) | Task::Tell(_) => Release::Durable,
            _ => Release::Now,
        };
        let (attempts, share, deadline) = (out.attempts, out.share_ms(left), out.deadline);
        let way = match storable || out.no_session {
            true => Way::Sealed,
            false => self.sessions.way(kem.node, now.tick),
        };
        let offers = way == Way::Sealed && !storable && self.sessions.wants(kem.node, now.tick);
        let may_offer = match &out.task {
            Task::Invoke(_) => true,
            Task::Tell(tell) => tell.is_bid(),
            _ => false,
        };
        let takes = match &out.task {
            Task::Tell(tell) if way == Way::Sealed => tell.offered(kem.node).is_some(),
            _ => false,
        };
        let offer = (offers && may_offer).then(|| self.offer_session(kem.node));
        let takes = takes && self.sessions.may_take(kem.node, now.tick);
        let taking = takes.then(|| Ephemeral::generate(&mut self.rng));
        let named = self.caller_named(call, destination.root);
        let release = match &named {
            Some(named) => release.max(named.release),
            None => release,
        };
        self.look_for_grant(call, &destination);
        let Some(out) = self.calls.get(&call) else {
            return;
        };
        let mut about = (call, None);
        let mut receipt = None;
        let (kind, content) = match &out.task {
            Task::Invoke(invoke) => {
                let session = offer.as_ref().map(|offer| offer.public());
                let order = self.receipts.order(call, invoke);
                receipt = Some(Order::digest(&order));
                let caller = named.map(|named| named.text);
                let body = call_body((call, invoke, caller), waits, session, order);
                (Kind::Call, cbor::encode(&body))
            }
            Task::Status(asked) => {
                about.0 = asked.call;
                let body = StatusAsked { run: asked.run };
                (Kind::Status, cbor::encode(&body))
            }
            Task::Tell(tell) => {
                about.0 = tell.call;
                let session = offer.as_deref().or(taking.as_ref());
                (tell.kind, tell.content(session.map(Ephemeral::public)))
            }
            Task::Deliver(delivery) => {
                about = (delivery.to.call, Some(delivery.to.header));
                receipt = delivery.receipt;
                (delivery.kind(), delivery.content.to_vec())
            }
            Task::Cancel(cancel) => {
                about.0 = cancel.call;
                (Kind::Cancel, cancel.content())
            }
            Task::Halt(task) => match self.word_for(&task.to) {
                Some(word) => (Kind::Halt, cbor::encode(&word)),
                None => return self.drop_question(call),
            },
            Task::Contracts(task) => {
                let asked = ContractsAsked {
                    loop_id: task.loop_id.clone(),
                    after: task.after(),
                };
                (Kind::Contracts, cbor::encode(&asked))
            }
            Task::Trace(task) => (Kind::TraceAsked, cbor::encode(&task.content())),
        };
        let longest = if storable {
            limits::STORABLE_TTL_MS
        } else {
            limits::TTL_MS
        };
        let request = Request {
            kind,
            destination: &destination,
            created,
            ttl_ms: left.clamp(1, longest),
            call: about.0,
            answers: about.1,
            priority: match kind {
                Kind::Halt | Kind::Cancel => Priority::Control,
                _ => Priority::Normal,
            },
            max_reply: limits::BODY_BYTES as u64,
            receipt,
            content: &content,
        };
        let (mut letter, reply_key) = match self.seal_request(kem, way, &request) {
            Ok(sealed) => sealed,
            Err(error) => {
                let code = match error {
                    SealError::TooLarge => FailureCode::TooLarge,
                    _ => FailureCode::BadCertificate,
                };
                return self.not_sent(call, CallFailure::new(code, error.to_string()));
            }
        };
        let scope = destination.scope();
        // The first message to a destination carries the chain; so does each further attempt, and each
        // bid that is not in a session: an announcer may have thousands of bidders, and has no time to
        // ask who they are.
        let is_bid = self.calls.get(&call).is_some_and(|out| match &out.task {
            Task::Tell(tell) => tell.is_bid() && matches!(way, Way::Sealed),
            _ => false,
        });
        if self.introduce(scope.clone()) || attempts > 1 || storable || is_bid {
            letter.chain = self.me.chain().map(|chain| chain.bytes().clone());
        }
        let digest = letter.digest();
        let counter = letter.header().counter;
        let session = match way {
            Way::Session(id) => counter.map(|counter| InSession {
                node: kem.node,
                id,
                counter,
            }),
            Way::Sealed => None,
        };
        let task = self.calls.get(&call).map(|out| &out.task);
        if matches!(task, Some(Task::Tell(_))) {
            let left = Left {
                node: kem.node,
                reply_key,
                offer,
                taking,
                session,
            };
            return self.tell_left(call, letter, left);
        }
        if matches!(task, Some(Task::Cancel(_))) {
            // Its answer, if there is one, is a message of its own.
            self.launch_when(letter, release);
            return self.drop_question(call);
        }
        let pending = Pending::Call {
            call,
            reply_key,
            offer,
            to: scope,
        };
        if self.waiting.insert(digest, deadline, pending).is_err() {
            let failure = CallFailure::new(FailureCode::Overloaded, "too many calls wait");
            return self.not_sent(call, failure);
        }
        let via = match self.routes.next(&destination.scope(), None, None, now.tick) {
            Next::Forward { link, .. } => Some(link),
            _ => None,
        };
        if let Some(out) = self.calls.get_mut(&call) {
            out.sent = Some(digest);
            out.session = session;
            out.via = via;
        }
        let attempt = now.tick.plus(share).min(deadline);
        self.timers.set(Timer::Attempt(call), attempt);
        let payload = Object::new()
            .with("attempt", &attempts)
            .with_some("loopId", self.loop_of_call(call))
            .with("realm", &self.name_of(&destination.scope()))
            .with("header", &digest)
            .with_some("grant", self.grant_of(call));
        self.note_call(call, "call.sent", payload);
        self.launch_when(letter, release);
    }

    /// Who asks for a call, as the realms of a root know them.
    fn caller_named(&mut self, call: CallId, root: RealmId) -> Option<Named> {
        let Task::Invoke(invoke) = &self.calls.get(&call)?.task else {
            return None;
        };
        let name = invoke.caller.clone()?;
        self.named_to(root, &name)
    }

    /// An attempt could not be made. What can be told later is.
    fn not_sent(&mut self, call: CallId, failure: CallFailure) {
        let out = self.calls.get(&call);
        if out.is_some_and(|out| matches!(out.task, Task::Deliver(_) | Task::Halt(_))) {
            return self.deliver_again(call, failure);
        }
        self.end_call(call, Err(failure));
    }

    /// Seals a request of this realm's: under the session with the destination, or to its key.
    pub(crate) fn seal_request(
        &mut self,
        kem: &KemRecord,
        way: Way,
        request: &Request<'_>,
    ) -> Result<(Letter, ReplyKey), SealError> {
        let storable = kem.purpose == KemPurpose::Stored && request.kind == Kind::Call;
        let out = Outgoing {
            kind: request.kind,
            source: self.me.place(),
            destination: request.destination,
            created: request.created,
            ttl_ms: request.ttl_ms,
            call: request.call,
            answers: request.answers,
            priority: request.priority,
            flags: storable.then_some(flags::STORABLE),
            max_reply: request.max_reply,
            receipt: request.receipt,
            content: request.content,
        };
        let signer = self.me.signer();
        let session = match way {
            Way::Session(id) => self.sessions.get_mut(kem.node, id),
            Way::Sealed => None,
        };
        match session {
            Some(session) => seal_in_session(&mut self.rng, signer, session, &out),
            None => seal(&mut self.rng, signer, kem, &out),
        }
    }

    /// An attempt has had its time, or the time to wait before the next is over.
    pub(crate) fn attempt_is_over(&mut self, call: CallId) {
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        if out.deadline <= self.now.tick {
            return self.call_timed_out(call);
        }
        if let Some(digest) = out.sent.take() {
            out.doubtful = true;
            self.waiting.take(&digest);
            let failure = CallFailure::new(FailureCode::Timeout, "no answer to this attempt");
            return self.attempt_failed(call, failure);
        }
        match out.acceptance() {
            Some(_) => self.ask_status(call),
            None => self.try_call(call),
        }
    }

    fn call_timed_out(&mut self, call: CallId) {
        let last = self.calls.get(&call).and_then(|out| out.last.clone());
        let failure = last.map_or_else(
            || CallFailure::new(FailureCode::Timeout, "no answer inside the call's time"),
            |last| *last,
        );
        self.end_call(call, Err(failure));
    }

    /// An attempt came to nothing: tries again where that can help.
    pub(crate) fn attempt_failed(&mut self, call: CallId, failure: CallFailure) {
        let random = self.rng.next_u64();
        let stranded = self.stranded_until(call, &failure);
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        if let Some(digest) = out.sent.take() {
            self.waiting.take(&digest);
        }
        out.doubtful |= out.attempts > 0 && !failure.not_begun;
        // What the callee cannot open in a session is sealed; its chain may be as good as before.
        let session = out.session.take();
        let session = session.filter(|_| failure.code == FailureCode::UnknownKey);
        if let Some(sent) = session {
            out.no_session = true;
            self.sessions.unknown_to(sent);
        }
        let stale = session.is_none()
            && matches!(
                failure.code,
                FailureCode::UnknownKey | FailureCode::BadCertificate
            );
        let passing = match failure.code {
            FailureCode::Offline | FailureCode::NoRoute | FailureCode::Overloaded => true,
            // Said by the callee, it is how the loop ended.
            FailureCode::Timeout => failure.from.is_none(),
            _ => false,
        };
        if out.storing() != Storing::No && passing && may_be_kept(failure.code) {
            out.set_storing(Storing::Due);
        }
        if matches!(out.task, Task::Deliver(_) | Task::Cancel(_) | Task::Halt(_)) {
            return self.deliver_again(call, failure);
        }
        if let Some(until) = stranded {
            out.last = Some(Box::new(failure));
            return self.timers.set(Timer::Attempt(call), until);
        }
        // A resolution that comes to nothing counts too, or a silent realm would be asked forever.
        out.failures = out.failures.saturating_add(1);
        if !(stale || passing || session.is_some()) || out.failures >= limits::ATTEMPTS {
            return self.end_call(call, Err(failure));
        }
        let wait = failure
            .retry_after_ms
            .unwrap_or(0)
            .saturating_add(out.backoff.delay_ms(random));
        let again = self
            .now
            .tick
            .plus(if stale || session.is_some() { 0 } else { wait });
        if again >= out.deadline {
            return self.end_call(call, Err(failure));
        }
        out.last = Some(Box::new(failure));
        let scope = out.scope.clone();
        if stale {
            self.trust.forget(&scope);
        }
        self.timers.set(Timer::Attempt(call), again);
    }

    /// A link came up: calls that wait for a better time are tried at once.
    pub(crate) fn calls_gained_link(&mut self) {
        let waiting = self
            .calls
            .iter()
            .filter(|(_, out)| out.sent.is_none() && out.last.is_some());
        let waiting: Vec<CallId> = waiting.map(|(call, _)| *call).collect();
        for call in waiting {
            self.timers.set(Timer::Attempt(call), self.now.tick);
        }
        self.ask_again_for_kept();
        self.ask_for_accepted();
    }

    /// A link went down whose other end never let this realm in: what left over it went nowhere.
    pub(crate) fn calls_not_let_in(&mut self, link: LinkId) {
        let lost = self.calls.values();
        let lost = lost
            .filter(|out| out.via == Some(link))
            .filter_map(|out| out.sent);
        let lost: Vec<Digest> = lost.collect();
        for digest in lost {
            self.own_message_failed(digest, FailureCode::Offline);
        }
    }

    /// A link went down: attempts that left over it are soon made again under the same key. The
    /// last one waits on, because the answer may still find another way.
    pub(crate) fn calls_lost_link(&mut self, link: LinkId) {
        let soon = self.now.tick.plus(LOST_MS);
        for out in self.calls.values_mut() {
            let kept = matches!(out.storing(), Storing::Kept | Storing::Taken);
            if kept && out.via == Some(link) {
                out.via = None;
            }
        }
        let affected = self.calls.iter().filter(|(_, out)| {
            let again = out.failures.saturating_add(1) < limits::ATTEMPTS;
            out.sent.is_some() && out.via == Some(link) && again
        });
        let affected: Vec<CallId> = affected.map(|(call, _)| *call).collect();
        for call in affected {
            self.timers.set_earlier(Timer::Attempt(call), soon);
        }
    }
}

/// A request before it is sealed.
pub(crate) struct Request<'a> {
    pub(crate) kind: Kind,
    pub(crate) destination: &'a Place,
    pub(crate) created: Timestamp,
    pub(crate) ttl_ms: u64,
    pub(crate) call: CallId,
    /// Digest of the header of the call that it tells of.
    pub(crate) answers: Option<Digest>,
    pub(crate) priority: Priority,
    pub(crate) max_reply: u64,
    /// Digest of the order or receipt in the content.
    pub(crate) receipt: Option<Digest>,
    pub(crate) content: &'a [u8],
}

fn call_body(
    (call, invoke, caller): (CallId, &Invoke, Option<String>),
    timeout_ms: u64,
    session: Option<[u8; 32]>,
    order: Blob,
) -> Call {
    Call {
        loop_id: invoke.address.loop_id.clone(),
        version: invoke.version.clone(),
        contract: invoke.named.as_ref().map(|named| named.digest),
        input: invoke.input.clone(),
        key: invoke.key,
        key_created: invoke.key_created,
        timeout_ms,
        depth: invoke.depth,
        caller,
        parent: Some(TraceParent {
            run: invoke.run,
            frame: call,
        }),
        budget: invoke.bounds(),
        grants: invoke.grants(),
        session,
        approvals: (!invoke.approvals.is_empty()).then(|| invoke.approvals.clone()),
        stream: invoke.stream.map(|_| limits::STREAM_BYTES as u64),
        order: Some(order),
    }
}
