//! What all runs share: the queue of actions, the timers, and who waits for what.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use realm_protocol::{CallId, LoopId, Now, RunId, Tick};

use super::{Action, Halted, Limits, run::Context};
use crate::{Breakers, MOCK, Registered, Registry, States, Tariff};

#[derive(Debug, Default)]
pub(super) struct Shared {
    actions: VecDeque<Action>,
    timers: BTreeSet<(Tick, RunId, CallId)>,
    /// What was asked of backends and other realms, and the runs that wait for it.
    asked: BTreeMap<CallId, RunId>,
    running: BTreeMap<LoopId, u64>,
    /// What model backends cost.
    pub(super) tariffs: BTreeMap<String, Tariff>,
    /// What agents keep between calls.
    pub(super) states: States,
    pub(super) halted: Halted,
    pub(super) breakers: Breakers,
}

impl Shared {
    pub(super) fn context<'a>(
        &'a mut self,
        registry: &'a Registry,
        now: Now,
        limits: Limits,
    ) -> Context<'a> {
        Context {
            shared: self,
            registry,
            now,
            limits,
        }
    }

    pub(super) fn push(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(super) fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether somebody was asked under that id and has not answered.
    pub(super) fn is_waiting(&self, asked: CallId) -> bool {
        self.asked.contains_key(&asked)
    }

    /// The run that waits for what was asked under that id.
    pub(super) fn asked_by(&self, asked: CallId) -> Option<RunId> {
        self.asked.get(&asked).copied()
    }

    /// Whether nobody is being asked and there is nothing to carry out.
    pub(super) fn is_at_rest(&self) -> bool {
        self.asked.is_empty() && self.actions.is_empty()
    }

    pub(super) fn wait(&mut self, asked: CallId, run: RunId) {
        self.asked.insert(asked, run);
    }

    /// The run that waits for an answer, which has come.
    pub(super) fn take(&mut self, asked: CallId) -> Option<RunId> {
        self.asked.remove(&asked)
    }

    /// Whether as many frames of a loop run as it allows, without those of runs that stand still.
    pub(super) fn is_full(&self, entry: &Registered) -> bool {
        let running = self.running.get(&entry.manifest.id).copied().unwrap_or(0);
        running >= entry.manifest.limits.concurrency
    }

    pub(super) fn enter(&mut self, loop_id: &LoopId) {
        let running = self.running.entry(loop_id.clone()).or_default();
        *running = running.saturating_add(1);
    }

    pub(super) fn leave(&mut self, loop_id: &LoopId) {
        if let Some(running) = self.running.get_mut(loop_id) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(loop_id);
            }
        }
    }

    pub(super) fn set_timer(&mut self, deadline: Tick, run: RunId, call: CallId) {
        self.timers.insert((deadline, run, call));
    }

    pub(super) fn clear_timer(&mut self, deadline: Tick, run: RunId, call: CallId) {
        self.timers.remove(&(deadline, run, call));
    }

    pub(super) fn next_deadline(&self) -> Option<Tick> {
        self.timers.first().map(|(deadline, ..)| *deadline)
    }

    pub(super) fn next_expired(&mut self, now: Tick) -> Option<(RunId, CallId)> {
        let (deadline, ..) = self.timers.first()?;
        if *deadline > now {
            return None;
        }
        self.timers.pop_first().map(|(_, run, call)| (run, call))
    }
}

impl Context<'_> {
    /// What a model of a backend costs: the mock's nothing, unless somebody says otherwise.
    pub(super) fn tariff(&self, backend: &str, model: Option<&str>) -> Tariff {
        let found = self.shared.tariffs.get(backend);
        let found = found.map(|tariff| tariff.of_model(model));
        found.unwrap_or(match backend {
            MOCK => Tariff::FREE,
            _ => Tariff::UNKNOWN,
        })
    }
}
