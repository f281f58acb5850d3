//! Write before promise: effects that rest on the journal wait until it is durable.

use std::collections::VecDeque;

use realm_protocol::{
    CallId,
    journal::{Change, Entry, JournalSeq},
};

use crate::{Effect, Refusal, Response, Urgency};

/// Collects one turn's changes and effects, and holds promises back until they are covered.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Effect>,
    /// Promises by the entry they rest on; at most what the bounded work in flight can make.
    held: VecDeque<(JournalSeq, Effect)>,
    changes: Vec<Change>,
    promises: Vec<Effect>,
    last: JournalSeq,
    durable: JournalSeq,
    failed: bool,
}

impl Outbox {
    pub(crate) fn new(last: JournalSeq) -> Self {
        Self {
            last,
            durable: last,
            ..Self::default()
        }
    }

    /// Adds a change to this turn's entry.
    pub(crate) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Releases an effect that promises nothing.
    pub(crate) fn emit(&mut self, effect: Effect) {
        self.ready.push_back(effect);
    }

    /// Releases an effect once everything recorded so far, this turn included, is durable.
    pub(crate) fn promise(&mut self, effect: Effect) {
        self.promises.push(effect);
    }

    /// Takes back a backend call that has not been released; false if it has been.
    pub(crate) fn withdraw(&mut self, call: CallId) -> bool {
        let is_it = |effect: &Effect| matches!(effect, Effect::CallBackend(of, _) if *of == call);
        let before = self.promises.len().saturating_add(self.held.len());
        self.promises.retain(|effect| !is_it(effect));
        self.held.retain(|(_, effect)| !is_it(effect));
        before > self.promises.len().saturating_add(self.held.len())
    }

    /// Ends the turn: its changes become one entry, its promises wait for it.
    pub(crate) fn end_turn(&mut self) {
        if !self.changes.is_empty() {
            self.last = JournalSeq(self.last.0.saturating_add(1));
            let entry = Entry {
                changes: std::mem::take(&mut self.changes),
            };
            let urgency = if self.promises.is_empty() {
                Urgency::Soon
            } else {
                Urgency::Now
            };
            self.ready
                .push_back(Effect::Record(self.last, entry, urgency));
        }
        for promise in std::mem::take(&mut self.promises) {
            if self.failed {
                self.ready.extend(broken(promise));
            } else if self.last <= self.durable {
                self.ready.push_back(promise);
            } else {
                self.held.push_back((self.last, promise));
            }
        }
    }

    /// Releases the promises that rest on nothing later than `seq`.
    pub(crate) fn persisted(&mut self, seq: JournalSeq) {
        self.durable = self.durable.max(seq);
        while self
            .held
            .front()
            .is_some_and(|(rests_on, _)| *rests_on <= self.durable)
        {
            self.ready
                .extend(self.held.pop_front().map(|(_, effect)| effect));
        }
    }

    /// Nothing will be durable any more: local requests hear so, other promises are dropped.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
        let held = std::mem::take(&mut self.held);
        self.ready
            .extend(held.into_iter().filter_map(|(_, effect)| broken(effect)));
    }

    /// The entry that this turn's changes go into, and the last durable one.
    pub(crate) fn position(&self) -> (JournalSeq, JournalSeq) {
        (JournalSeq(self.last.0.saturating_add(1)), self.durable)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.held.is_empty()
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn next(&mut self) -> Option<Effect> {
        self.ready.pop_front()
    }
}

/// What becomes of a promise that can no longer be kept.
fn broken(promise: Effect) -> Option<Effect> {
    match promise {
        Effect::Respond(id, _) => {
            Some(Effect::Respond(id, Response::Refused(Refusal::StoreFailed)))
        }
        _ => None,
    }
}
