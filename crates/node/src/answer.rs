//! Answers: to callers on this machine and elsewhere, given once or again.

use realm_broadcast::bidder;
use realm_crypto::{Ephemeral, Letter, Outgoing, ReplyKey, Session, Side, seal_reply};
use realm_executor::{LoopError, Outcome};
use realm_protocol::{
    CallId, Digest, Failure, FailureCode, Kind, LoopAddress, Now, Place, Priority, RunId, Tick,
    budget::Spend,
    cbor::{self, Blob},
    flags, json, limits,
    message::CallResult,
    receipt::CallReceipt,
};
use serde_json::Value;

use crate::{
    CallFailure, ControlId, Effect, Invocation, Node, Response,
    receipts::Ordered,
    relay::Release,
    serve::{Purpose, Served},
    state::StoredAnswer,
};

/// Bytes of a Failure's detail.
const DETAIL_BYTES: usize = 4 * 1024;

/// Who waits for an answer.
#[derive(Debug)]
pub(crate) enum Responder {
    Local(Local),
    Remote(Box<Remote>),
    /// The bidder here, whose bid won the work.
    Leased(Digest),
    /// The market here, which asks a loop of this realm.
    Asked(Box<Purpose>),
}

/// How a caller on this machine is answered.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) control: ControlId,
    pub(crate) address: LoopAddress,
    pub(crate) started: Now,
    /// How long it waits.
    pub(crate) until: Tick,
    /// Whether it wants to see the output while it is being made.
    pub(crate) stream: bool,
}

/// What a caller on this machine is told.
struct Told {
    run: RunId,
    call: CallId,
    version: Option<String>,
    result: Result<Value, CallFailure>,
    replayed: bool,
    spent: Option<Spend>,
}

/// How a run ended, as its callers are told.
pub(crate) type Ending = Result<CallResult, CallFailure>;

/// How a remote caller is answered.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) source: Place,
    pub(crate) call: CallId,
    pub(crate) digest: Digest,
    pub(crate) reply_key: ReplyKey,
    pub(crate) max_reply: u64,
    pub(crate) hops: u64,
    /// The contract that the caller names.
    pub(crate) contract: Option<Digest>,
    /// The session that the caller offers.
    pub(crate) offer: Option<[u8; 32]>,
    /// Whether the caller takes an Accepted for an answer.
    pub(crate) takes_accepted: bool,
    /// Most bytes of text that the caller takes while the output is being made; none where it takes none.
    pub(crate) stream: Option<u64>,
    /// What the caller has signed of the call, for its receipt.
    pub(crate) ordered: Option<Box<Ordered>>,
}

impl Remote {
    /// A Result as this caller gets it: without the contract, if the caller named it.
    fn told(&self, result: CallResult) -> CallResult {
        if self.contract != Some(result.contract) {
            return result;
        }
        CallResult {
            output_schema: None,
            input_schema: None,
            effects: None,
            ..result
        }
    }
}

impl Responder {
    /// The message that a remote caller sent: digest of its header, and the links it crossed.
    pub(crate) fn received(&self) -> Option<(Digest, u64)> {
        match self {
            Self::Remote(remote) => Some((remote.digest, remote.hops)),
            Self::Local(_) | Self::Leased(_) | Self::Asked(_) => None,
        }
    }

    /// What a caller elsewhere has signed of the call.
    pub(crate) fn ordered(&self) -> Option<Box<Ordered>> {
        match self {
            Self::Remote(remote) => remote.ordered.clone(),
            Self::Local(_) | Self::Leased(_) | Self::Asked(_) => None,
        }
    }

    /// How long a caller on this machine waits.
    pub(crate) fn patience(&self) -> Option<Tick> {
        match self {
            Self::Local(local) => Some(local.until),
            Self::Remote(_) | Self::Leased(_) | Self::Asked(_) => None,
        }
    }

    /// Whether it is the request on this machine that is shown the output while that is made.
    pub(crate) fn is_streamed_to(&self, control: ControlId) -> bool {
        matches!(self, Self::Local(local) if local.stream && local.control == control)
    }

    /// Whether it is a caller elsewhere who may be told that its call is accepted.
    pub(crate) fn takes_accepted(&self) -> bool {
        matches!(self, Self::Remote(remote) if remote.takes_accepted)
    }

    /// Whether both are messages of one call.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        match other {
            Self::Remote(remote) => self.is_remote(remote.call, &remote.source),
            Self::Local(_) | Self::Leased(_) | Self::Asked(_) => false,
        }
    }

    /// Whether it is a message of this call from there.
    pub(crate) fn is_remote(&self, call: CallId, source: &Place) -> bool {
        matches!(self, Self::Remote(remote) if remote.call == call && remote.source.realm == source.realm)
    }
}

impl Node {
    /// Gives a stored answer.
    pub(crate) fn give(&mut self, responder: &Responder, answer: StoredAnswer) {
        match responder {
            Responder::Remote(remote) => {
                if answer.failed {
                    if let Ok(failure) = cbor::decode::<Failure>(&answer.content) {
                        let failure = Failure {
                            answers: remote.digest,
                            ..failure
                        };
                        self.reply_with(remote, &failure, Release::Durable);
                    }
                } else if let Ok(result) = cbor::decode::<CallResult>(&answer.content) {
                    let result = CallResult {
                        replayed: true,
                        ..remote.told(result)
                    };
                    self.reply_result(remote, result, Release::Durable);
                }
            }
            Responder::Leased(bid) => {
                let (result, run, _) = read_answer(&answer);
                let result = result.map(|output| Blob::from(json::to_bytes(&output)));
                let result = result.map_err(|failure| failure.code);
                self.work_ended(*bid, run, result, None);
            }
            Responder::Asked(purpose) => {
                let (result, run, _) = read_answer(&answer);
                let result = result.map(|output| Blob::from(json::to_bytes(&output)));
                self.asked_before(purpose, run, result.map_err(|failure| failure.code));
            }
            Responder::Local(local) => {
                let (result, run, version) = read_answer(&answer);
                let told = Told {
                    run: run.unwrap_or_else(|| self.new_run()),
                    call: self.new_call(),
                    version,
                    result,
                    replayed: true,
                    spent: None,
                };
                self.tell(local, told, Release::Durable);
            }
        }
    }

    /// Answers a caller on this machine.
    fn tell(&mut self, local: &Local, told: Told, release: Release) {
        let invocation = Invocation {
            run: told.run,
            call: told.call,
            address: local.address.clone(),
            version: told.version,
            result: told.result,
            started: local.started.wall,
            ended: self.wall(),
            duration_ms: self.now.tick.since(local.started.tick),
            way: vec![self.me.scope()],
            replayed: told.replayed,
            spent: told.spent,
        };
        let response = Response::Invoked(Box::new(invocation));
        match release {
            Release::Now => self.out.emit(Effect::Respond(local.control, response)),
            Release::Durable => self.respond(local.control, response),
        }
    }

    /// How a run ended, as callers are told; the contract is added for those who need it.
    pub(crate) fn ending_of(&self, run: RunId, served: &Served, outcome: &Outcome) -> Ending {
        let output = outcome.result.as_ref().map_err(|error| CallFailure {
            spent: Some(outcome.spent.clone()),
            ..loop_failure(error)
        })?;
        Ok(CallResult {
            output: Blob::from(json::to_bytes(output)),
            run,
            contract: outcome.contract,
            version: outcome.version.clone(),
            output_schema: None,
            duration_ms: self.now.tick.since(served.started.tick),
            policies: served.policies.clone(),
            replayed: false,
            session: None,
            hops: 0,
            input_schema: None,
            effects: None,
            spent: Some(outcome.spent.clone()),
            receipt: None,
        })
    }

    /// Answers with how a run ended; gives the digest of the answer's header, if one was sent.
    pub(crate) fn answer(
        &mut self,
        responder: &Responder,
        run: RunId,
        call: CallId,
        (outcome, ending): (&Outcome, &Ending),
        release: Release,
    ) -> Option<Digest> {
        match responder {
            Responder::Remote(remote) => match ending {
                Ok(result) => {
                    let result = result_for(result, Some(outcome), remote.contract, remote.hops);
                    self.reply_result(remote, result, release)
                }
                Err(failure) => self.reply_failure(remote, failure, release),
            },
            Responder::Leased(bid) => {
                self.lease_served(*bid, run, ending);
                None
            }
            Responder::Asked(purpose) => {
                self.asked_served(purpose, run, ending);
                None
            }
            Responder::Local(local) => {
                let told = Told {
                    run,
                    call,
                    version: Some(outcome.version.clone()),
                    result: outcome.result.clone().map_err(|error| loop_failure(&error)),
                    replayed: false,
                    spent: Some(outcome.spent.clone()),
                };
                self.tell(local, told, release);
                None
            }
        }
    }

    pub(crate) fn answer_failure(
        &mut self,
        responder: &Responder,
        failure: &CallFailure,
        release: Release,
    ) {
        match responder {
            Responder::Remote(remote) => {
                let receipt = self.receipt_of_refusal(remote, failure);
                let failure = CallFailure {
                    receipt: receipt.or_else(|| failure.receipt.clone()),
                    ..failure.clone()
                };
                self.reply_failure(remote, &failure, release);
            }
            Responder::Leased(bid) if failure.not_begun => {
                self.tell_bidder(bidder::Input::Refused {
                    bid: *bid,
                    why: failure.code,
                });
                self.set_market_timer();
            }
            Responder::Leased(bid) => {
                self.work_ended(*bid, None, Err(failure.code), failure.spent.clone());
            }
            Responder::Asked(purpose) => self.asked_in_vain(purpose, failure.code),
            Responder::Local(local) => {
                let (run, call) = (self.new_run(), self.new_call());
                self.tell_failure(local, (run, call), failure);
            }
        }
    }

    /// Tells a caller on this machine why there is no output of this run.
    pub(crate) fn tell_failure(
        &mut self,
        local: &Local,
        (run, call): (RunId, CallId),
        failure: &CallFailure,
    ) {
        let told = Told {
            run,
            call,
            version: None,
            result: Err(failure.clone()),
            replayed: false,
            spent: failure.spent.clone(),
        };
        self.tell(local, told, Release::Now);
    }

    fn reply_failure(
        &mut self,
        remote: &Remote,
        failure: &CallFailure,
        release: Release,
    ) -> Option<Digest> {
        self.reply_with(remote, &failure_body(failure, remote.digest), release)
    }

    fn reply_with(
        &mut self,
        remote: &Remote,
        failure: &Failure,
        release: Release,
    ) -> Option<Digest> {
        let (content, receipt) = (cbor::encode(failure), failure.receipt.as_ref());
        let letter = self.seal_answer(remote, Kind::Failure, (&content, receipt))?;
        let digest = letter.digest();
        self.launch_when(letter, release);
        Some(digest)
    }

    /// Answers with a result, and takes the session that the call offered.
    fn reply_result(
        &mut self,
        remote: &Remote,
        mut result: CallResult,
        release: Release,
    ) -> Option<Digest> {
        let taking = self.take_session(remote, &mut result);
        let letter = match taking {
            Some(letter) => letter,
            None => {
                result.session = None;
                let content = cbor::encode(&result);
                self.seal_answer(remote, Kind::Result, (&content, result.receipt.as_ref()))?
            }
        };
        let digest = letter.digest();
        self.launch_when(letter, release);
        Some(digest)
    }

    /// Seals a result that takes the session offered; none where no session would come of it.
    fn take_session(&mut self, remote: &Remote, result: &mut CallResult) -> Option<Letter> {
        let (node, theirs) = (remote.source.node?, remote.offer?);
        if !self.sessions.may_take(node, self.now.tick) {
            return None;
        }
        let mine = Ephemeral::generate(&mut self.rng);
        result.session = Some(mine.public());
        let content = cbor::encode(result);
        let letter = self.seal_answer(remote, Kind::Result, (&content, result.receipt.as_ref()))?;
        if letter.header().kind != Kind::Result {
            return None;
        }
        let (answer, reply_key) = (letter.message_digest(), &remote.reply_key);
        let session = Session::derive(Side::Callee, reply_key, answer, &mine, &theirs)?;
        self.hold_session(node, remote.source.scope(), session, false);
        Some(letter)
    }

    /// Seals an answer under the caller's reply key and sends it.
    pub(crate) fn reply(
        &mut self,
        remote: &Remote,
        kind: Kind,
        content: &[u8],
        release: Release,
    ) -> Option<Digest> {
        let letter = self.seal_answer(remote, kind, (content, None))?;
        let digest = letter.digest();
        self.launch_when(letter, release);
        Some(digest)
    }

    fn seal_answer(
        &mut self,
        remote: &Remote,
        kind: Kind,
        (content, receipt): (&[u8], Option<&Blob>),
    ) -> Option<Letter> {
        self.seal_receipted(
            (&remote.source, remote.call, remote.digest),
            &remote.reply_key,
            kind,
            (content, remote.max_reply),
            receipt,
        )
    }

    /// Seals an answer; one that is too large becomes a Failure that says so.
    pub(crate) fn seal_reply(
        &mut self,
        about: (&Place, CallId, Digest),
        reply_key: &ReplyKey,
        kind: Kind,
        content: (&[u8], u64),
    ) -> Option<Letter> {
        self.seal_receipted(about, reply_key, kind, content, None)
    }

    /// Seals an answer as [`Node::seal_reply`] does, with the digest of the receipt in it.
    fn seal_receipted(
        &mut self,
        (to, call, digest): (&Place, CallId, Digest),
        reply_key: &ReplyKey,
        kind: Kind,
        (content, max_reply): (&[u8], u64),
        receipt: Option<&Blob>,
    ) -> Option<Letter> {
        let whole = Outgoing {
            kind,
            source: self.me.place(),
            destination: to,
            created: self.now.wall,
            ttl_ms: limits::CALL_MS,
            call,
            answers: Some(digest),
            priority: Priority::Normal,
            flags: (kind == Kind::Contracts).then_some(flags::ANSWER),
            max_reply: 0,
            receipt: receipt.map(|receipt| CallReceipt::digest(receipt)),
            content,
        };
        let signer = self.me.signer();
        let fits = u64::try_from(content.len()).is_ok_and(|length| length <= max_reply);
        let sealed = if fits {
            seal_reply(&mut self.rng, signer, reply_key, &whole).ok()
        } else {
            None
        };
        let sealed = sealed.or_else(|| {
            let too_large = CallFailure {
                receipt: receipt.cloned(),
                ..too_large(content.len())
            };
            let instead = cbor::encode(&failure_body(&too_large, digest));
            let instead = Outgoing {
                kind: Kind::Failure,
                flags: None,
                content: &instead,
                ..whole
            };
            seal_reply(&mut self.rng, signer, reply_key, &instead).ok()
        });
        let Some(mut letter) = sealed else {
            tracing::warn!(%call, "an answer cannot be sealed");
            return None;
        };
        if self.introduce(to.scope()) {
            letter.chain = self.me.chain().map(|chain| chain.bytes().clone());
        }
        Some(letter)
    }
}

/// The form of an answer that is kept, for callers that may not know the contract.
pub(crate) fn stored_answer(outcome: &Outcome, ending: &Ending) -> StoredAnswer {
    let content = match ending {
        Ok(result) => cbor::encode(&with_contract(result.clone(), outcome)),
        Err(failure) => cbor::encode(&failure_body(failure, Digest::of(&[]))),
    };
    StoredAnswer {
        failed: ending.is_err(),
        content: Blob::from(content),
    }
}

/// A Result as one caller is told it: with the contract, unless the caller named it.
pub(crate) fn result_for(
    result: &CallResult,
    outcome: Option<&Outcome>,
    named: Option<Digest>,
    hops: u64,
) -> CallResult {
    let result = CallResult {
        hops,
        ..result.clone()
    };
    match outcome {
        Some(outcome) if named != Some(result.contract) => with_contract(result, outcome),
        _ => result,
    }
}

/// A Result that shows the contract it rests on.
fn with_contract(result: CallResult, outcome: &Outcome) -> CallResult {
    let schema = |schema| Some(Blob::from(json::to_bytes(schema)));
    CallResult {
        input_schema: schema(&outcome.manifest.input_schema),
        output_schema: schema(&outcome.manifest.output_schema),
        effects: Some(outcome.effects.name().to_owned()),
        ..result
    }
}

pub(crate) fn too_large(bytes: usize) -> CallFailure {
    let carries = limits::BODY_BYTES;
    let message = format!("the answer has {bytes} bytes; a message carries {carries}");
    CallFailure::new(FailureCode::TooLarge, message)
}

fn loop_failure(error: &LoopError) -> CallFailure {
    CallFailure {
        details: error.details.clone(),
        ..CallFailure::new(error.code, error.message.clone())
    }
}

/// A failure as it crosses the wire: the message, then a line for each detail.
pub(crate) fn failure_body(failure: &CallFailure, answers: Digest) -> Failure {
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
        not_begun: failure.not_begun.then_some(true),
        spent: failure.spent.clone(),
        receipt: failure.receipt.clone(),
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
