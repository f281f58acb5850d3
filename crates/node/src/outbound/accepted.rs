//! Calls that another realm has accepted: nobody need stay until their end comes.

use std::collections::BTreeMap;

use realm_crypto::Opened;
use realm_protocol::{
    CallId, Digest, Failure, FailureCode, Kind, LoopAddress, RunId, Timestamp, cbor,
    journal::Table,
    json::Object,
    limits,
    message::{self, CallResult, Progress, ResultAck, Stage},
};
use realm_router::Backoff;

use super::{OutCall, Task};
use crate::{
    CallFailure, Node, Refused,
    deliver::Pending,
    relay::Release,
    state::{self, StoredAcceptance, standing},
    timers::Timer,
};

/// How long one question for a run may take, milliseconds.
const ASK_MS: u64 = 15_000;
/// How long the first question waits at most, and any, milliseconds.
const ASK_AGAIN: Backoff = Backoff::new(120_000, 1_200_000);
/// How long asking waits once a link is up.
const SOON: Backoff = Backoff::new(2_000, 2_000);
/// Changes of a run that its caller's trace takes; further ones are left out.
const CHANGES: u32 = 100;

/// The calls of this realm's that others have accepted.
#[derive(Debug, Default)]
pub(crate) struct AcceptedCalls {
    /// By the digest of the Call's header, which the end names.
    by_header: BTreeMap<Digest, CallId>,
    /// Those from before a restart that nobody has asked for again yet.
    earlier: BTreeMap<CallId, StoredAcceptance>,
}

/// What is known of a call that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Acceptance {
    run: RunId,
    header: Digest,
    since: Timestamp,
    stage: Stage,
    /// The number of the latest Progress.
    told: u64,
    /// How often the run has changed.
    changes: u32,
    again: Backoff,
    /// The question under way for how it stands.
    question: Option<CallId>,
}

/// A question for a run that was accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusTask {
    /// The call of this realm's that waits.
    pub(crate) call: CallId,
    /// The callee's run.
    pub(crate) run: RunId,
}

impl Acceptance {
    fn new(stored: &StoredAcceptance) -> Self {
        Self {
            run: stored.run,
            header: stored.header,
            since: stored.since,
            stage: stored.stage,
            told: 0,
            changes: 0,
            again: ASK_AGAIN,
            question: None,
        }
    }
}

impl AcceptedCalls {
    /// Takes up what was accepted before a restart.
    pub(crate) fn recover(&mut self, earlier: Vec<(CallId, StoredAcceptance)>) {
        self.earlier = earlier.into_iter().collect();
    }
}

/// A call of a run here that another realm has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedView {
    /// The loop as it was asked for.
    pub address: LoopAddress,
    /// The run there.
    pub run: RunId,
    /// When it was accepted.
    pub since: Timestamp,
    /// How it stood when last that was told.
    pub stage: Stage,
}

impl OutCall {
    /// What is known of the callee's run, once the call was accepted.
    pub(crate) fn acceptance(&self) -> Option<&Acceptance> {
        match &self.task {
            Task::Invoke(invoke) => invoke.accepted.as_ref(),
            _ => None,
        }
    }

    fn acceptance_mut(&mut self) -> Option<&mut Acceptance> {
        match &mut self.task {
            Task::Invoke(invoke) => invoke.accepted.as_mut(),
            _ => None,
        }
    }

    /// Whether it goes on after a restart, so that nobody need wait for it before one.
    pub(crate) fn outlives(&self) -> bool {
        match &self.task {
            Task::Invoke(invoke) => invoke.accepted.is_some() || invoke.detached,
            Task::Deliver(_) | Task::Status(_) => true,
            Task::Contracts(_) => false,
        }
    }
}

impl Node {
    /// The calls of a run here that other realms have accepted.
    pub fn accepted_elsewhere(&self, run: RunId) -> Vec<AcceptedView> {
        let calls = self.accepted.by_header.values();
        let views = calls.filter_map(|call| match &self.calls.get(call)?.task {
            Task::Invoke(invoke) if invoke.run == run => {
                let accepted = invoke.accepted.as_ref()?;
                Some(AcceptedView {
                    address: invoke.address.clone(),
                    run: accepted.run,
                    since: accepted.since,
                    stage: accepted.stage,
                })
            }
            _ => None,
        });
        views.collect()
    }

    /// The callee has accepted a call, or says how the run stands that it accepted.
    pub(crate) fn call_accepted(&mut self, call: CallId, accepted: &message::Accepted) {
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        match &out.task {
            Task::Status(asked) => {
                let asked = *asked;
                self.drop_question(call);
                if asked.run == accepted.run {
                    self.stage_told(asked.call, accepted.stage);
                }
            }
            Task::Invoke(_) => {
                let Some(header) = out.sent.take() else {
                    return;
                };
                out.heard = None;
                let stored = StoredAcceptance {
                    run: accepted.run,
                    header,
                    since: self.now.wall,
                    stage: accepted.stage,
                };
                self.take_up(call, &stored);
                let row = standing::accepted(call);
                // Frames that never ask again leave theirs behind.
                let forgotten = self.now.wall.plus(limits::RUN_MS);
                self.put_until(Table::Standing, &row, state::write(&stored), forgotten);
                let payload = Object::new()
                    .with("run", &accepted.run)
                    .with("until", &accepted.until)
                    .with("stage", stage_name(accepted.stage));
                self.note_call(call, "call.accepted", payload);
            }
            _ => {}
        }
    }

    /// Waits for the end of a call that was accepted: there are no more attempts.
    fn take_up(&mut self, call: CallId, stored: &StoredAcceptance) {
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        let Task::Invoke(invoke) = &mut out.task else {
            return;
        };
        invoke.accepted = Some(Acceptance::new(stored));
        out.deadline = out.deadline.max(invoke.until);
        out.last = None;
        out.failures = 0;
        self.accepted.by_header.insert(stored.header, call);
        self.ask_later(call);
    }

    /// Goes on waiting for a call that was accepted before a restart, and asks how it stands; false
    /// if it was not.
    pub(crate) fn is_accepted_already(&mut self, call: CallId) -> bool {
        let Some(stored) = self.accepted.earlier.remove(&call) else {
            return false;
        };
        self.take_up(call, &stored);
        self.timers.set(Timer::Attempt(call), self.now.tick);
        true
    }

    fn ask_later(&mut self, call: CallId) {
        let random = self.random_word();
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        let deadline = out.deadline;
        let Some(acceptance) = out.acceptance_mut() else {
            return;
        };
        let wait = acceptance.again.delay_ms(random);
        let at = self.now.tick.plus(wait).min(deadline);
        self.timers.set(Timer::Attempt(call), at);
    }

    /// Asks how a run stands that was accepted, unless that is being asked.
    pub(crate) fn ask_status(&mut self, call: CallId) {
        self.ask_later(call);
        let full = self.calls.len() >= self.config.max_calls;
        let question = self.new_call();
        let Some(out) = self.calls.get_mut(&call).filter(|_| !full) else {
            return;
        };
        let scope = out.scope.clone();
        let Some(acceptance) = out.acceptance_mut() else {
            return;
        };
        if acceptance.question.is_some() {
            return;
        }
        acceptance.question = Some(question);
        let run = acceptance.run;
        let deadline = self.now.tick.plus(ASK_MS);
        let task = Task::Status(StatusTask { call, run });
        self.calls
            .insert(question, OutCall::new(scope, deadline, task));
        self.try_call(question);
    }

    /// A question for a run came to nothing. That the callee does not know the run is the end.
    pub(crate) fn status_failed(&mut self, asked: StatusTask, failure: CallFailure) {
        let Some(out) = self.calls.get_mut(&asked.call) else {
            return;
        };
        let said_there = failure.from.as_ref() == Some(&out.scope);
        if let Some(acceptance) = out.acceptance_mut() {
            acceptance.question = None;
        }
        if said_there && failure.code == FailureCode::Expired {
            let message = format!(
                "the realm no longer knows run {}, which it had accepted",
                asked.run
            );
            let failure = CallFailure { message, ..failure };
            self.end_call(asked.call, Err(failure));
        }
    }

    /// A link came up: an end may have been sent while there was none, and a callee may have come
    /// back without its memory.
    pub(crate) fn ask_for_accepted(&mut self) {
        let accepted: Vec<CallId> = self.accepted.by_header.values().copied().collect();
        for call in accepted {
            let (mut soon, random) = (SOON, self.random_word());
            let wait = soon.delay_ms(random);
            self.timers
                .set_earlier(Timer::Attempt(call), self.now.tick.plus(wait));
        }
    }

    fn stage_told(&mut self, call: CallId, stage: Stage) {
        let Some(acceptance) = self.calls.get_mut(&call).and_then(OutCall::acceptance_mut) else {
            return;
        };
        acceptance.question = None;
        let news = acceptance.stage != stage && stage != Stage::Ended;
        if !news || acceptance.changes >= CHANGES {
            return;
        }
        acceptance.stage = stage;
        acceptance.changes = acceptance.changes.saturating_add(1);
        let payload = Object::new().with("stage", stage_name(stage));
        self.note_call(call, "call.progress", payload);
    }

    /// Takes what a callee tells of a call that it accepted, in a message of its own.
    pub(crate) fn take_late(&mut self, opened: &Opened) {
        let header = opened.header();
        let Some(answers) = header.answers else {
            return;
        };
        let call = self.awaited(answers);
        let call = call.filter(|call| {
            let out = self.calls.get(call);
            out.is_some_and(|out| out.scope == header.source.scope())
        });
        let taken = match header.kind {
            Kind::Progress => self.take_progress(call, opened),
            Kind::Result => self.take_late_result(call, opened, answers),
            _ => self.take_late_failure(call, opened, answers),
        };
        if taken.is_none() {
            self.counters.refuse(Refused::Malformed);
        }
        if header.kind != Kind::Progress {
            self.acknowledge_end(opened, taken.is_some() && call.is_some());
        }
    }

    /// The call that waits for an answer to the message with this header. An end may overtake the
    /// Accepted.
    fn awaited(&self, answers: Digest) -> Option<CallId> {
        let accepted = self.accepted.by_header.get(&answers).copied();
        accepted.or_else(|| match self.waiting.get(&answers) {
            Some(Pending::Call { call, .. }) if self.awaits(*call, Kind::Accepted) => Some(*call),
            _ => None,
        })
    }

    fn take_progress(&mut self, call: Option<CallId>, opened: &Opened) -> Option<()> {
        let progress: Progress = cbor::decode(opened.content()).ok()?;
        let call = call?;
        let acceptance = self.calls.get_mut(&call)?.acceptance_mut()?;
        if acceptance.run == progress.run && acceptance.told < progress.number {
            acceptance.told = progress.number;
            let question = acceptance.question;
            self.stage_told(call, progress.stage);
            let acceptance = self.calls.get_mut(&call)?.acceptance_mut()?;
            acceptance.question = question;
        }
        Some(())
    }

    fn take_late_result(
        &mut self,
        call: Option<CallId>,
        opened: &Opened,
        answers: Digest,
    ) -> Option<()> {
        let result: CallResult = cbor::decode(opened.content()).ok()?;
        if let Some(call) = call {
            self.hear_late(call, opened, answers);
            self.call_answered(call, result);
        }
        Some(())
    }

    fn take_late_failure(
        &mut self,
        call: Option<CallId>,
        opened: &Opened,
        answers: Digest,
    ) -> Option<()> {
        let failure: Failure = cbor::decode(opened.content()).ok()?;
        if failure.answers != answers {
            return None;
        }
        if let Some(call) = call {
            let failure = self.told_failure(failure, opened.header().source.scope());
            self.hear_late(call, opened, answers);
            self.end_call(call, Err(failure));
        }
        Some(())
    }

    fn hear_late(&mut self, call: CallId, opened: &Opened, answers: Digest) {
        if let Some(out) = self.calls.get_mut(&call) {
            out.heard = Some(opened.digest());
            out.late = Some(answers);
        }
    }

    fn acknowledge_end(&mut self, opened: &Opened, awaited: bool) {
        let (header, Some(reply_key)) = (opened.header(), opened.reply_key()) else {
            return;
        };
        let content = cbor::encode(&ResultAck { awaited });
        let letter = self.seal_reply(
            (&header.source, header.call, opened.digest()),
            reply_key,
            Kind::ResultAck,
            (&content, limits::BODY_BYTES as u64),
        );
        if let Some(letter) = letter {
            self.launch_when(letter, Release::Durable);
        }
    }

    /// A call has ended: its end is not waited for any more.
    pub(crate) fn forget_accepted(&mut self, call: CallId) {
        let acceptance = self.calls.get(&call).and_then(OutCall::acceptance).cloned();
        if let Some(acceptance) = acceptance {
            self.accepted.by_header.remove(&acceptance.header);
            self.delete(Table::Standing, &standing::accepted(call));
            if let Some(question) = acceptance.question {
                self.drop_question(question);
            }
        }
    }
}

/// A stage as traces write it.
pub(crate) fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Running => "running",
        Stage::Waiting => "waiting",
        Stage::Paused => "paused",
        Stage::Ended => "ended",
    }
}
