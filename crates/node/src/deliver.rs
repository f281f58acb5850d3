//! What is addressed to this realm: verified, checked against time and replay, opened, handed on.

use std::sync::Arc;

use realm_crypto::{
    Ephemeral, OpenError, Opened, ReplyKey, Session, Side, Verified, open_clear, open_reply,
    open_sealed,
};
use realm_protocol::{
    CallId, Digest, Envelope, Failure, FailureCode, Header, Kind, ReadHeader, Scope, Suite,
    budget::Spend,
    cbor, flags,
    halt::HaltAck,
    journal::Table,
    limits,
    message::{
        Accepted, Call, CallResult, Cancel, ContractsAsked, ContractsGiven, Resolve, ResultAck,
        StatusAsked,
    },
    records::KemPurpose,
    trace::TraceShown,
};
use realm_router::{LinkId, Replay};

use crate::{CallFailure, Node, Refused, relay::Unverified, seen::SeenId};

/// Who waits for an answer.
#[derive(Debug)]
pub(crate) enum Pending {
    /// A call or question of this realm's.
    Call {
        call: CallId,
        reply_key: ReplyKey,
        /// The session that it offers.
        offer: Option<Arc<Ephemeral>>,
        /// Who was asked.
        to: Scope,
    },
    /// The resolution of a place.
    Resolve(Scope),
}

/// A message is not taken: there is no room to remember that it came.
struct NoRoom;

impl Pending {
    pub(crate) fn asked(&self) -> &Scope {
        match self {
            Self::Call { to, .. } | Self::Resolve(to) => to,
        }
    }

    pub(crate) fn call(&self) -> Option<CallId> {
        match self {
            Self::Call { call, .. } => Some(*call),
            Self::Resolve(_) => None,
        }
    }
}

impl Node {
    pub(crate) fn deliver(&mut self, link: LinkId, envelope: Envelope, header: ReadHeader) {
        self.counters.delivered = self.counters.delivered.saturating_add(1);
        if let Some(answers) = header.answers
            && !header.is_late()
            && self.waiting.get(&answers).is_none()
            && self.unheard.get(&answers).is_none()
            && self.accepted_as(&header).is_none()
        {
            return self.counters.refuse(Refused::Unasked);
        }
        let storable = header.is_storable().then(|| envelope.digest());
        let taken = match self.verify(envelope, &header) {
            Ok(verified) => self.take(verified),
            Err(Unverified::Unknown(envelope)) => {
                return self.await_chain(link, *envelope, header);
            }
            Err(Unverified::Wrong(reason)) => {
                tracing::debug!(reason = reason.name(), "an envelope is not verified");
                self.counters.refuse(reason);
                Ok(())
            }
        };
        // What there is no room to remember stays with who keeps it, and comes again.
        if let (Some(digest), Ok(())) = (storable, taken) {
            self.acknowledge(link, digest);
        }
    }

    /// Judges a verified envelope by time and audience, and gives it to its kind's code.
    fn take(&mut self, verified: Verified) -> Result<(), NoRoom> {
        let header = verified.header().clone();
        if let Err((reason, code)) = self.check_delivery(&header) {
            self.counters.refuse(reason);
            self.fail_request(None, verified.digest(), &header, code);
            return Ok(());
        }
        if header.is_late() {
            return self.take_sealed(&verified);
        }
        if header.is_answer() {
            self.take_answer(&verified);
            return Ok(());
        }
        match header.kind {
            Kind::Resolve => self.take_resolve(&verified),
            Kind::Resolved
            | Kind::Accepted
            | Kind::StreamItem
            | Kind::TraceShown
            | Kind::Custody => {
                self.counters.refuse(Refused::Unasked);
            }
            _ => return self.take_sealed(&verified),
        }
        Ok(())
    }

    fn check_delivery(&self, header: &Header) -> Result<(), (Refused, FailureCode)> {
        let now = self.wall();
        let too_late = header.expires().plus(limits::CLOCK_SKEW_MS) < now;
        let too_early = header.created > now.plus(limits::CLOCK_SKEW_MS);
        if too_late || too_early {
            return Err((Refused::Expired, FailureCode::Expired));
        }
        let me = self.me.place();
        let resolving = header.kind == Kind::Resolve && header.destination.realm.is_none();
        let mine = header.destination.realm == me.realm && header.destination.node == me.node;
        if resolving || mine {
            Ok(())
        } else {
            Err((Refused::Audience, FailureCode::UnknownKey))
        }
    }

    fn take_resolve(&mut self, verified: &Verified) {
        let asked = open_clear(verified).ok();
        let asked = asked.and_then(|opened| cbor::decode::<Resolve>(opened.content()).ok());
        match asked {
            Some(_) => self.answer_for_me(verified.digest(), verified.header()),
            None => self.counters.refuse(Refused::Malformed),
        }
    }

    fn take_sealed(&mut self, verified: &Verified) -> Result<(), NoRoom> {
        let header = verified.header();
        if header.suite != Suite::Session && self.seen.holds(header.id) {
            // To open it would cost a key exchange for each time that it comes.
            self.counters.refuse(Refused::Replay);
            return Ok(());
        }
        let opened = match header.suite {
            Suite::Session => self.open_in_session(verified),
            _ => {
                let purpose = if header.is_storable() {
                    KemPurpose::Stored
                } else {
                    KemPurpose::Live
                };
                open_sealed(verified, |id| self.me.kem_key(id, purpose))
            }
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(OpenError::Replayed) => {
                self.counters.refuse(Refused::Replay);
                if self.is_late(verified) {
                    let code = FailureCode::UnknownKey;
                    self.fail_request(None, verified.digest(), header, code);
                }
                return Ok(());
            }
            Err(_) => {
                self.counters.refuse(Refused::Sealed);
                let code = FailureCode::UnknownKey;
                self.fail_request(None, verified.digest(), header, code);
                return Ok(());
            }
        };
        // In a session the window of counters has let it in once.
        if header.suite != Suite::Session {
            match self.remember_message(header) {
                Ok(()) => {}
                Err(Replay::Full) if header.is_storable() => return Err(NoRoom),
                Err(Replay::Full) => {
                    let code = FailureCode::Overloaded;
                    self.fail_request(None, verified.digest(), header, code);
                    return Ok(());
                }
                Err(Replay::Seen | Replay::Expired) => return Ok(()),
            }
        }
        self.take_request(verified, opened);
        Ok(())
    }

    /// A request that was opened, by its kind.
    fn take_request(&mut self, verified: &Verified, opened: Opened) {
        let header = verified.header();
        let reports = header.is_late();
        if !reports && self.take_market(&opened, verified.message_digest()) {
            return;
        }
        match header.kind {
            Kind::Call => match cbor::decode::<Call>(opened.content()) {
                Ok(call) => self.serve_remote(opened, call, verified.hop()),
                Err(_) => self.fail_request(
                    None,
                    verified.digest(),
                    header,
                    FailureCode::VersionMismatch,
                ),
            },
            Kind::Cancel => {
                if let Ok(cancel) = cbor::decode::<Cancel>(opened.content()) {
                    self.cancel_served(&opened, cancel);
                }
            }
            Kind::Contracts => match cbor::decode::<ContractsAsked>(opened.content()) {
                Ok(asked) => self.answer_contracts(&opened, &asked),
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            Kind::TraceAsked => self.take_trace_asked(&opened),
            Kind::Halt => self.take_halt(&opened),
            Kind::Status => match cbor::decode::<StatusAsked>(opened.content()) {
                Ok(asked) => self.answer_status(&opened, asked),
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            _ => self.take_late(&opened),
        }
    }

    /// Remembers a message's id, once; the record goes into the entry that accepts the work.
    fn remember_message(&mut self, header: &Header) -> Result<(), Replay> {
        let seen = SeenId::of(header, self.trust.side_of(&header.source.scope()));
        let (key, value, until) = (seen.key(), seen.value(), seen.expires);
        let remembered = self.seen.admit(seen, self.wall());
        match remembered {
            Ok(()) => self.put_until(Table::Replay, &key, value, until),
            Err(Replay::Full) => self.counters.refuse(Refused::Overloaded),
            Err(Replay::Seen | Replay::Expired) => self.counters.refuse(Refused::Replay),
        }
        remembered
    }

    fn take_answer(&mut self, verified: &Verified) {
        let header = verified.header();
        let Some(answers) = header.answers else {
            return;
        };
        if header.kind == Kind::StreamItem {
            return self.take_stream_item(verified, answers);
        }
        if self.unheard.get(&answers).is_some() {
            return self.tell_answered(verified, answers);
        }
        let Some(pending) = self.waiting.get(&answers) else {
            return self.counters.refuse(Refused::Unasked);
        };
        let Some(opened) = open_answer(verified, pending) else {
            return self.counters.refuse(Refused::Sealed);
        };
        match header.kind {
            Kind::Failure => return self.take_failure(verified, &opened),
            Kind::Custody => return self.take_custody(&opened, answers),
            _ => {}
        }
        let from_asked = header.source.scope() == *pending.asked();
        match (pending, header.kind) {
            (Pending::Resolve(_), Kind::Resolved) => match cbor::decode(opened.content()) {
                Ok(resolved) => {
                    let asked = pending.asked().clone();
                    self.waiting.take(&answers);
                    self.take_resolved(&asked, resolved);
                }
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            (Pending::Call { call, .. }, kind) if from_asked && self.awaits(*call, kind) => {
                let call = *call;
                let pending = self.waiting.take(&answers);
                self.hear(call, &opened);
                self.take_reply(call, verified, pending, opened.content());
            }
            _ => self.counters.refuse(Refused::Unasked),
        }
    }

    /// Believes a failure only from who may raise it.
    fn take_failure(&mut self, verified: &Verified, opened: &Opened) {
        let header = verified.header();
        let Ok(failure) = cbor::decode::<Failure>(opened.content()) else {
            return self.counters.refuse(Refused::Malformed);
        };
        let Some(answers) = header.answers.filter(|answers| *answers == failure.answers) else {
            return self.counters.refuse(Refused::Malformed);
        };
        let Some(pending) = self.waiting.get(&answers) else {
            return;
        };
        let (from, asked) = (header.source.scope(), pending.asked());
        let on_path = self.is_on_path(&from, asked) && failure.code.from_path();
        let expired = failure.code == FailureCode::Expired && self.is_custodian(&from, pending);
        if from != *asked && !on_path && !expired {
            return self.counters.refuse(Refused::Unasked);
        }
        let pending_call = pending.call();
        let elsewhere = from != *asked;
        let mut failure = self.told_failure(failure, from);
        // Who did not pass a message on proves it; what the destination says counts if it is sealed.
        failure.not_begun = match elsewhere {
            true => on_path,
            false => failure.not_begun && header.suite == Suite::Reply,
        };
        if elsewhere || header.suite != Suite::Reply {
            failure.spent = None;
            failure.receipt = None;
        }
        if header.suite == Suite::Clear {
            self.not_of_a_run(pending_call, &mut failure);
        }
        if let Some(pending) = self.waiting.take(&answers) {
            if let Pending::Call { call, .. } = pending {
                self.hear(call, opened);
            }
            self.pending_failed(pending, failure);
        }
    }

    /// A Failure as a realm tells it.
    pub(crate) fn told_failure(&self, failure: Failure, from: Scope) -> CallFailure {
        CallFailure {
            message: describe(&failure, &self.name_of(&from)),
            code: failure.code,
            details: details(&failure),
            reference: failure.reference,
            retry_after_ms: failure.retry_after_ms,
            from: Some(from),
            not_begun: failure.not_begun == Some(true),
            spent: failure.spent.filter(Spend::is_well_formed),
            receipt: failure.receipt,
        }
    }

    /// Notes which message answered a call, for its trace.
    fn hear(&mut self, call: CallId, opened: &Opened) {
        if let Some(out) = self.calls.get_mut(&call) {
            out.heard = Some(opened.digest());
            out.signed = Some(opened.signed());
        }
    }

    /// Whether a realm lies between this one and another, ends included.
    fn is_on_path(&self, realm: &Scope, to: &Scope) -> bool {
        self.way_to(to).contains(realm)
    }

    /// The realms a message to `to` passes, this one first.
    pub(crate) fn way_to(&self, to: &Scope) -> Vec<Scope> {
        let me = self.me.scope();
        let up = |from: &Scope, least: usize| {
            let depths = (least..=from.path.depth()).rev();
            let paths: Vec<_> = from.path.lineage().collect();
            let root = from.root;
            depths
                .filter_map(|depth| paths.get(depth).cloned())
                .map(|path| Scope { root, path })
                .collect::<Vec<_>>()
        };
        let shared = if me.root == to.root {
            let pairs = me.path.labels().zip(to.path.labels());
            pairs.take_while(|(mine, theirs)| mine == theirs).count()
        } else {
            0
        };
        let mut way = up(&me, shared);
        let below = if me.root == to.root {
            shared.saturating_add(1)
        } else {
            0
        };
        let mut down = if to.path.depth() >= below {
            up(to, below)
        } else {
            Vec::new()
        };
        down.reverse();
        way.append(&mut down);
        way
    }

    /// A message of this realm's got no further.
    pub(crate) fn own_message_failed(&mut self, digest: Digest, code: FailureCode) {
        if let Some(pending) = self.waiting.take(&digest) {
            let message = match code {
                FailureCode::Offline | FailureCode::NoRoute => {
                    let asked = self.turned_away_from(pending.asked());
                    match asked {
                        Some(detail) => format!("turned away: {detail}"),
                        None => "this realm has no link that leads there".to_owned(),
                    }
                }
                _ => format!("{code} in this realm"),
            };
            let failure = CallFailure::new(code, message).before_work();
            self.pending_failed(pending, failure);
        }
    }

    /// Nobody answered a request in its time.
    pub(crate) fn nobody_answered(&mut self, pending: Pending) {
        let failure = CallFailure::new(FailureCode::Timeout, "no answer in time");
        self.pending_failed(pending, failure);
    }

    fn pending_failed(&mut self, pending: Pending, failure: CallFailure) {
        match pending {
            Pending::Call { call, .. } => self.attempt_failed(call, failure),
            Pending::Resolve(scope) => self.resolve_failed(&scope, &failure),
        }
    }

    /// A reply of the kind asked for, under the reply key.
    fn take_reply(
        &mut self,
        call: CallId,
        verified: &Verified,
        pending: Option<Pending>,
        content: &[u8],
    ) {
        match verified.header().kind {
            Kind::Result => match cbor::decode::<CallResult>(content) {
                Ok(result) => {
                    self.begin_session(verified, pending, result.session.as_ref());
                    self.call_answered(call, result);
                }
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            Kind::Contracts => match cbor::decode::<ContractsGiven>(content) {
                Ok(given) => self.contracts_given(call, given),
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            Kind::TraceShown => match cbor::decode::<TraceShown>(content) {
                Ok(page) => self.trace_shown(call, page),
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            Kind::Accepted => match cbor::decode::<Accepted>(content) {
                Ok(accepted) => self.call_accepted(call, &accepted, pending),
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            Kind::HaltAck => match cbor::decode::<HaltAck>(content) {
                Ok(said) => self.halt_confirmed(call, said),
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            Kind::ResultAck => match cbor::decode::<ResultAck>(content) {
                Ok(_) => self.delivered(call),
                Err(_) => self.counters.refuse(Refused::Malformed),
            },
            _ => self.counters.refuse(Refused::Unasked),
        }
    }

    /// The callee has taken the session that a call offered.
    fn begin_session(
        &mut self,
        verified: &Verified,
        pending: Option<Pending>,
        theirs: Option<&[u8; 32]>,
    ) {
        let Some(Pending::Call {
            reply_key,
            offer: Some(offer),
            to,
            ..
        }) = pending
        else {
            return;
        };
        let (Some(theirs), Some(node)) = (theirs, verified.header().source.node) else {
            return;
        };
        if !self.sessions.wants(node, self.now.tick) {
            return;
        }
        let answer = verified.message_digest();
        if let Some(session) = Session::derive(Side::Caller, &reply_key, answer, &offer, theirs) {
            self.hold_session(node, to, session, true);
        }
    }
}

/// Opens an answer by the suite it came in; Contracts answers carry their flag.
pub(crate) fn open_answer(verified: &Verified, pending: &Pending) -> Option<Opened> {
    let header = verified.header();
    if header.kind == Kind::Contracts && !header.has(flags::ANSWER) {
        return None;
    }
    match (header.suite, pending) {
        (Suite::Reply, Pending::Call { reply_key, .. }) => open_reply(verified, reply_key).ok(),
        (Suite::Clear, _) => open_clear(verified).ok(),
        _ => None,
    }
}

fn describe(failure: &Failure, from: &str) -> String {
    let first = failure
        .detail
        .as_deref()
        .and_then(|detail| detail.lines().next());
    match first {
        Some(line) => line.to_owned(),
        None => format!("{} at {from}", failure.code),
    }
}

fn details(failure: &Failure) -> Vec<String> {
    let lines = failure
        .detail
        .as_deref()
        .unwrap_or_default()
        .lines()
        .skip(1);
    lines.map(str::to_owned).collect()
}
