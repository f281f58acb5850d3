//! Calls that another realm has accepted: nobody need stay until their end comes.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    CallId, FailureCode, LoopAddress, Place, RunId, Tick, Timestamp,
    journal::Table,
    json::Object,
    limits,
    message::{self, Stage},
};
use realm_router::Backoff;

use super::{OutCall, Task};
use crate::{
    CallFailure, Node,
    deliver::Pending,
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
    /// Those that are waited for.
    pub(super) calls: BTreeSet<CallId>,
    /// Those from before a restart that nobody has asked for again yet.
    pub(super) earlier: BTreeMap<CallId, StoredAcceptance>,
}

/// What is known of a call that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Acceptance {
    pub(super) run: RunId,
    since: Timestamp,
    stage: Stage,
    /// The number of the latest Progress.
    pub(super) told: u64,
    /// How often the run has changed.
    changes: u32,
    again: Backoff,
    /// When it was asked last how it stands.
    asked: Option<Tick>,
    /// The question under way for how it stands.
    pub(super) question: Option<CallId>,
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
            since: stored.since,
            stage: stored.stage,
            told: 0,
            changes: 0,
            again: ASK_AGAIN,
            asked: None,
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

    pub(super) fn acceptance_mut(&mut self) -> Option<&mut Acceptance> {
        match &mut self.task {
            Task::Invoke(invoke) => invoke.accepted.as_mut(),
            _ => None,
        }
    }

    /// Whether its attempts went to this place.
    pub(super) fn was_asked_of(&self, place: &Place) -> bool {
        self.scope == place.scope() && self.callee == place.realm
    }

    /// Whether it goes on after a restart, so that nobody need wait for it before one.
    pub(crate) fn outlives(&self) -> bool {
        match &self.task {
            Task::Invoke(invoke) => invoke.accepted.is_some() || invoke.detached,
            Task::Deliver(_) | Task::Status(_) | Task::Cancel(_) | Task::Halt(_) => true,
            Task::Contracts(_) | Task::Trace(_) | Task::Tell(_) => false,
        }
    }
}

impl Node {
    /// The calls of a run here that other realms have accepted.
    pub fn accepted_elsewhere(&self, run: RunId) -> Vec<AcceptedView> {
        let calls = self.accepted.calls.iter();
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
    pub(crate) fn call_accepted(
        &mut self,
        call: CallId,
        accepted: &message::Accepted,
        pending: Option<Pending>,
    ) {
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        match &out.task {
            Task::Status(asked) => {
                let asked = *asked;
                self.drop_question(call);
                self.question_is_over(asked.call);
                if asked.run == accepted.run {
                    self.stage_told(asked.call, accepted.stage);
                }
            }
            Task::Invoke(invoke) => {
                if out.sent.take().is_none() {
                    return;
                }
                out.heard = None;
                out.accepted_as = invoke.stream.and(pending).map(Box::new);
                let stored = StoredAcceptance {
                    run: accepted.run,
                    since: self.now.wall,
                    stage: accepted.stage,
                    caller: invoke.run,
                    scope: out.scope.clone(),
                    realm: out.callee,
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
        out.callee = stored.realm;
        self.accepted.calls.insert(call);
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
        acceptance.asked = Some(self.now.tick);
        let run = acceptance.run;
        let deadline = self.now.tick.plus(ASK_MS);
        let task = Task::Status(StatusTask { call, run });
        self.calls
            .insert(question, Box::new(OutCall::new(scope, deadline, task)));
        self.try_call(question);
    }

    /// A question for a run came to nothing. That the callee does not know the run is the end.
    pub(crate) fn status_failed(&mut self, asked: StatusTask, failure: CallFailure) {
        self.question_is_over(asked.call);
        let Some(out) = self.calls.get(&asked.call) else {
            return;
        };
        let said_there = failure.from.as_ref() == Some(&out.scope);
        if said_there && failure.code == FailureCode::Expired {
            let message = format!(
                "the realm no longer knows run {}, which it had accepted",
                asked.run
            );
            let failure = CallFailure { message, ..failure };
            self.end_call(asked.call, Err(failure));
        }
    }

    fn acceptance_of(&mut self, call: CallId) -> Option<&mut Acceptance> {
        self.calls.get_mut(&call)?.acceptance_mut()
    }

    fn question_is_over(&mut self, call: CallId) {
        if let Some(acceptance) = self.acceptance_of(call) {
            acceptance.question = None;
        }
    }

    /// A link came up: an end may have been sent while there was none, and a callee may have come
    /// back without its memory.
    pub(crate) fn ask_for_accepted(&mut self) {
        let accepted: Vec<CallId> = self.accepted.calls.iter().copied().collect();
        for call in accepted {
            let (mut soon, random) = (SOON, self.random_word());
            let soon = self.now.tick.plus(soon.delay_ms(random));
            // Links that come and go make nobody ask more often than this.
            let asked = self
                .calls
                .get(&call)
                .and_then(|out| out.acceptance()?.asked);
            let at = asked.map_or(soon, |asked| soon.max(asked.plus(ASK_MS)));
            self.timers.set_earlier(Timer::Attempt(call), at);
        }
    }

    pub(super) fn stage_told(&mut self, call: CallId, stage: Stage) {
        let Some(acceptance) = self.acceptance_of(call) else {
            return;
        };
        if acceptance.stage == stage || stage == Stage::Ended {
            return;
        }
        acceptance.stage = stage;
        if acceptance.changes >= CHANGES {
            return;
        }
        acceptance.changes = acceptance.changes.saturating_add(1);
        let payload = Object::new().with("stage", stage_name(stage));
        self.note_call(call, "call.progress", payload);
    }

    /// A call has ended: its end is not waited for any more.
    pub(crate) fn forget_accepted(&mut self, call: CallId) {
        let question = self.acceptance_of(call).map(|it| it.question);
        if let Some(question) = question {
            self.accepted.calls.remove(&call);
            self.delete(Table::Standing, &standing::accepted(call));
            if let Some(question) = question {
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
