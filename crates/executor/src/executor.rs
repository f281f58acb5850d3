//! Runs of loops as a state machine: starts, answers and time go in, [`Action`]s come out.

mod account;
mod action;
mod approvals;
mod frame;
mod halt;
mod permits;
mod run;
mod shared;
mod start;
mod waits;

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{
    CallId, Digest, FailureCode, LoopId, Now, RunId, Tick, budget::Spend, json::Object, limits,
};
use serde_json::Value;

use crate::{
    BackendError, BackendReply, Breakers, CallError, LoopError, Registry, StateValue, States,
    Tariff,
};
use run::{Cause, Context, Known, Run};
use shared::Shared;

pub use account::{Bounder, Given};
pub use action::{Action, Announcing, ApprovalAsked, Cost, Pin, RealmCall, StepAsked};
pub use halt::Halted;
pub use run::spend_value;
pub use start::{Restart, RestartError, Start, StartError};
pub use waits::{Decision, ResumeError, WaitingFor, Waits};

/// Frames of a run that are told to wait.
const WAITS: usize = 100;

/// Bounds of an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Runs at a time; one more is [`StartError::Overloaded`].
    pub runs: usize,
    /// Frames open in one run at a time; one more ends the run with `Budget`.
    pub frames: usize,
    /// Frames in one run, one after the other; one more ends the run with `Budget`.
    pub run_frames: u64,
    /// Calls that lead to a call, across realms; deeper is [`StartError::Budget`] for a run and
    /// `Budget` for a step.
    pub depth: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            runs: limits::CALLS,
            frames: limits::FRAMES,
            run_frames: limits::RUN_FRAMES,
            depth: limits::CALL_DEPTH,
        }
    }
}

/// All runs of one realm that are under way.
#[derive(Debug, Default)]
pub struct Executor {
    limits: Limits,
    runs: BTreeMap<RunId, Run>,
    shared: Shared,
    /// Whether the process ends: what is resumed then goes on after it.
    stopping: bool,
}

impl Executor {
    /// Makes an executor without runs.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Says what models cost, by backend: the mock costs nothing, and of all others nobody knows.
    pub fn set_tariffs(&mut self, tariffs: BTreeMap<String, Tariff>) {
        self.shared.tariffs = tariffs;
    }

    /// Who is left alone, because too much that was asked of them lately has failed.
    pub const fn breakers(&self) -> &Breakers {
        &self.shared.breakers
    }

    /// The same, to be changed by their owner.
    pub const fn breakers_mut(&mut self) -> &mut Breakers {
        &mut self.shared.breakers
    }

    /// Begins a run. An input that does not match the schema begins and ends it at once.
    ///
    /// # Errors
    /// [`StartError`]; then nothing has begun and nothing is recorded.
    pub fn start(&mut self, start: Start, registry: &Registry, now: Now) -> Result<(), StartError> {
        let found = registry.find_for(start.call, &start.loop_id, start.version.as_deref());
        let entry = found.ok_or(StartError::LoopNotFound)?.clone();
        if start.depth > self.limits.depth || start.timeout_ms == 0 {
            return Err(StartError::Budget);
        }
        if self.runs.contains_key(&start.run) || self.shared.is_waiting(start.call) {
            return Err(StartError::Busy);
        }
        if self.runs.len() >= self.limits.runs {
            let limit = self.limits.runs;
            return Err(StartError::Overloaded { limit });
        }
        if self.shared.is_full(&entry) {
            let limit = entry.manifest.limits.concurrency;
            let loop_id = start.loop_id;
            return Err(StartError::LoopBusy { loop_id, limit });
        }
        let id = start.run;
        let mut run = Run::new(&start, entry, now);
        run.begin(start, &mut self.shared.context(registry, now, self.limits));
        self.runs.insert(id, run);
        self.settle(id, now);
        Ok(())
    }

    /// Goes on with a run after a restart, with the very manifests that it began with.
    ///
    /// # Errors
    /// [`RestartError`]; nothing has begun then.
    pub fn restart(
        &mut self,
        from: Restart,
        registry: &Registry,
        now: Now,
    ) -> Result<(), RestartError> {
        let Restart {
            start,
            started,
            known,
        } = from;
        let (id, loop_id) = (start.run, &start.loop_id);
        let pinned = known.get(&start.call).and_then(|root| root.manifest);
        let version = start.version.as_deref();
        let entry = registry.revision(pinned.as_ref(), start.call, loop_id, version);
        let Some(entry) = entry.cloned() else {
            let loop_id = loop_id.clone();
            return Err(match pinned {
                Some(digest) => RestartError::RevisionGone { loop_id, digest },
                None => RestartError::LoopNotFound { loop_id },
            });
        };
        if self.runs.contains_key(&id) {
            return Err(RestartError::Busy);
        }
        let spent = known.get(&start.call).and_then(|root| root.spent.clone());
        let known = Known::read(known)?;
        let mut run = Run::new(&start, entry, now);
        run.had_spent(spent);
        let context = &mut self.shared.context(registry, now, self.limits);
        run.restart(start, (started, known), context);
        self.runs.insert(id, run);
        self.settle(id, now);
        Ok(())
    }

    /// Holds a run where it stands until [`Executor::resume`]. An answer that is under way is
    /// taken; nothing new is begun, and no time runs out. Gives whether the run is under way.
    pub fn pause(&mut self, run: RunId, reason: &str, now: Now) -> bool {
        self.with(run, &Registry::empty(), now, |run, context| {
            run.pause(reason, Cause::Hand, context);
        })
        .is_some()
    }

    /// Holds a run where it stands until [`Executor::let_go`], because it is not known whether it may go on. What
    /// somebody does with it meanwhile by [`Executor::pause`] outlasts that.
    pub fn hold_back(&mut self, run: RunId, reason: &str, now: Now) {
        self.with(run, &Registry::empty(), now, |run, context| {
            run.pause(reason, Cause::Permission, context);
        });
    }

    /// Lets a run go on that was held back, if nothing else holds it.
    pub fn let_go(&mut self, run: RunId, registry: &Registry, now: Now) {
        self.with(run, registry, now, run::Run::let_go);
    }

    /// Lets a paused run go on; `decision` says what becomes of a call whose outcome is unknown.
    ///
    /// # Errors
    /// [`ResumeError`]; the run is then as before.
    pub fn resume(
        &mut self,
        run: RunId,
        decision: Option<Decision>,
        registry: &Registry,
        now: Now,
    ) -> Result<(), ResumeError> {
        let stopping = self.stopping;
        let resumed = self.with(run, registry, now, |run, context| {
            let resumed = run.resume(decision, context);
            if stopping {
                run.stand_still(now);
            }
            resumed
        });
        resumed.ok_or(ResumeError::NotFound)?
    }

    /// What was to be asked, or to be taken back by [`Action::Recall`], has not left and never does: it is asked
    /// again once the run goes on.
    pub fn not_asked(&mut self, call: CallId, now: Now) {
        if let Some(id) = self.shared.take(call) {
            self.with(id, &Registry::empty(), now, |run, context| {
                run.not_asked(call, context);
            });
        }
    }

    /// Takes a backend's answer. An answer nobody waits for is ignored.
    pub fn backend_done(
        &mut self,
        call: CallId,
        result: Result<BackendReply, BackendError>,
        registry: &Registry,
        now: Now,
    ) {
        let Some(id) = self.shared.take(call) else {
            return;
        };
        self.with(id, registry, now, |run, context| {
            run.backend_done(call, result, context);
        });
    }

    /// Takes what a backend says of work that it has not ended, and gives the run if that is all its work.
    /// What nobody waits for is ignored.
    pub fn backend_said(
        &mut self,
        call: CallId,
        progress: &Value,
        registry: &Registry,
        now: Now,
    ) -> Option<RunId> {
        let id = self.shared.asked_by(call)?;
        let whole = self.with(id, registry, now, |run, context| {
            run.backend_said(call, progress, context)
        });
        whole.unwrap_or(false).then_some(id)
    }

    /// Takes some of the text that an answer under way is being made of; `of` numbers the texts of whoever
    /// was asked, and another one begins anew. Text nobody wants is ignored.
    pub fn part(&mut self, asked: CallId, of: u64, text: String, registry: &Registry, now: Now) {
        if let Some(run) = self.shared.asked_by(asked) {
            self.with(run, registry, now, |run, context| {
                run.part(asked, of, text, context);
            });
        }
    }

    /// Shows from now on what a run's output is being made of; what is asked of whoever writes it already
    /// is not. An unknown run is ignored.
    pub fn show(&mut self, run: RunId) {
        if let Some(run) = self.runs.get_mut(&run) {
            run.show();
        }
    }

    /// Takes another realm's answer, or the end of announced work, and what it used; all it was given, where
    /// nobody knows. An answer nobody waits for is ignored.
    pub fn invoke_done(
        &mut self,
        call: CallId,
        result: Result<Value, CallError>,
        spent: Option<Spend>,
        registry: &Registry,
        now: Now,
    ) {
        let Some(id) = self.shared.take(call) else {
            return;
        };
        self.with(id, registry, now, |run, context| {
            run.invoke_done(call, (result, spent), context);
        });
    }

    /// Ends a run with `Cancelled` and stops all its work. An unknown run is ignored.
    pub fn cancel(&mut self, run: RunId, reason: &str, now: Now) {
        let error = LoopError::new(FailureCode::Cancelled, format!("cancelled: {reason}"));
        self.with(run, &Registry::empty(), now, |run, context| {
            run.fail_root(error, context);
        });
    }

    /// Ends every frame whose time is over, and wakes every one whose pause is.
    pub fn handle_timeout(&mut self, registry: &Registry, now: Now) {
        while let Some((run, call)) = self.shared.next_expired(now.tick) {
            self.with(run, registry, now, |run, context| {
                run.expire(call, context);
            });
        }
    }

    /// When [`Executor::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Tick> {
        self.shared.next_deadline()
    }

    /// The next thing to do, in the order it came up.
    pub fn poll(&mut self) -> Option<Action> {
        self.shared.poll()
    }

    /// Adds an event of the owner's to a run's trace, numbered in its place. Gives whether the
    /// run is under way; if not, nothing is added.
    pub fn record(
        &mut self,
        run: RunId,
        call: CallId,
        kind: &str,
        payload: Object,
        now: Now,
    ) -> bool {
        let found = self.runs.get_mut(&run);
        let recorded = found.map(|run| run.record(call, kind, payload, &mut self.shared, now));
        recorded.is_some()
    }

    /// Holds every run that goes on after a restart, because the process ends: nothing new is begun,
    /// what is answered until then is written down, and nobody is told of a pause.
    pub fn stand_still(&mut self, now: Now) {
        self.stopping = true;
        for run in self.runs.values_mut() {
            run.stand_still(now);
        }
    }

    /// Whether no run waits for anybody's answer or has anything to do: those that stand still may
    /// be left as they are.
    pub fn is_at_rest(&self) -> bool {
        self.shared.is_at_rest() && self.runs.values().all(Run::is_held)
    }

    /// What a run waits for, at most 100 frames of it; nothing if it is not under way.
    pub fn waits_of(&self, run: RunId, now: Now) -> Vec<Waits> {
        let found = self.runs.get(&run);
        found.map_or_else(Vec::new, |run| run.waits(now, WAITS))
    }

    /// The revisions of loops that runs under way use, and would go on with after a restart.
    pub fn revisions(&self) -> BTreeSet<Digest> {
        self.runs.values().flat_map(Run::revisions).collect()
    }

    /// Number of runs under way.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether no run is under way.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// What agents keep between calls.
    pub const fn states(&self) -> &States {
        &self.shared.states
    }

    /// Takes up a value of an agent's state that was written down.
    pub fn take_up_state(&mut self, agent: LoopId, key: String, value: StateValue) {
        self.shared.states.take_up(agent, key, value);
    }

    /// Forgets one value of an agent's state, or all; gives the keys that are gone.
    pub fn forget_state(&mut self, agent: &LoopId, key: Option<&str>) -> Vec<String> {
        self.shared.states.forget(agent, key)
    }

    fn with<T>(
        &mut self,
        id: RunId,
        registry: &Registry,
        now: Now,
        step: impl FnOnce(&mut Run, &mut Context<'_>) -> T,
    ) -> Option<T> {
        self.runs.get_mut(&id)?.take_turn();
        self.within_turn(id, registry, now, step)
    }

    /// Does something that is part of the turn that the run has.
    fn within_turn<T>(
        &mut self,
        id: RunId,
        registry: &Registry,
        now: Now,
        step: impl FnOnce(&mut Run, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let run = self.runs.get_mut(&id)?;
        let context = &mut self.shared.context(registry, now, self.limits);
        let given = step(run, context);
        run.go_on_if_approved(context);
        run.go_on(context);
        run.stand_still_for_approval(context);
        self.settle(id, now);
        Some(given)
    }

    /// What a step has come to: its places are given back while the run stands still, and a run that has ended is
    /// reported and forgotten.
    fn settle(&mut self, id: RunId, now: Now) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        run.settle_places(&mut self.shared);
        if let Some((call, outcome)) = run.take_outcome(now) {
            self.runs.remove(&id);
            self.shared.push(Action::Finished {
                run: id,
                call,
                outcome,
            });
        }
    }
}
