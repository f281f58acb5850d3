//! Runs that their owner has halted: nothing is begun, and what comes back goes no further.

use realm_protocol::{CallId, budget::Spend};
use serde_json::Value;

use super::{Cause, Context, Pause, Run, Task, pause::clear_timers};
use crate::{
    Effects, Halted, LoopError,
    executor::{
        Action,
        frame::{Began, Frame, Progress, Subject, Waiting},
    },
};

impl Run {
    pub(in crate::executor) fn is_halted(&self) -> bool {
        self.halted
    }

    /// What it had used before a restart, should it have ended by then.
    pub(in crate::executor) fn had_spent(&mut self, spent: Option<Spend>) {
        self.spent = spent.unwrap_or_default();
    }

    /// Whether it is to stand still where this is halted.
    pub(in crate::executor) fn is_held_by(&self, halted: &Halted) -> bool {
        let opening = self.ready.iter().filter_map(|task| match task {
            Task::Open(frame) => Some(&frame.subject),
            _ => None,
        });
        let open = self.frames.values().map(|frame| &frame.subject);
        halted.runs.contains(&self.id)
            || open
                .chain(opening)
                .any(|subject| halted.stops(self.id, subject))
    }

    /// Stands still, or goes on, as what is halted now says.
    pub(in crate::executor) fn heed_halt(&mut self, cx: &mut Context<'_>) {
        match (self.is_held_by(&cx.shared.halted), self.halted) {
            (true, false) => self.halt(cx),
            (false, true) => self.unhalt(cx),
            _ => {}
        }
    }

    /// Stands still, and takes back what it has asked for and may ask for again.
    pub(super) fn halt(&mut self, cx: &mut Context<'_>) {
        if self.result.is_some() {
            return;
        }
        self.halted = true;
        let held = self.paused.filter(|held| held.cause != Cause::Stop);
        if held.is_none() {
            self.paused = Some(Pause {
                since: Began::now(cx.now),
                cause: Cause::Halt,
            });
            for frame in self.frames.values() {
                clear_timers(frame, self.id, cx);
            }
        }
        cx.shared.push(Action::Halted { run: self.id });
        let open: Vec<CallId> = self.frames.keys().copied().collect();
        for call in open {
            self.recall(call, cx);
        }
        self.keep(self.root, cx);
    }

    /// Takes back what one frame has asked of others.
    fn recall(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let (asked, cancel) = match frame.waiting {
            Waiting::Backend { asked, .. } => {
                return cx.shared.push(Action::Recall(asked));
            }
            Waiting::Realm { asked, .. } => (asked, Action::CancelInvoke(asked)),
            Waiting::Bidders { asked, .. } => (asked, Action::CancelAnnounce(asked)),
            Waiting::Nothing
            | Waiting::Pause { .. }
            | Waiting::Policy { .. }
            | Waiting::Person
            | Waiting::Approval { .. } => return,
        };
        self.settle(call, None, cx);
        self.never_heard(call, cx);
        self.asked.remove(&asked);
        if cx.shared.take(asked).is_some() {
            cx.shared.push(cancel);
        }
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        frame.waiting = Waiting::Nothing;
        frame.hear();
        frame.doubtful = true;
        // Another realm does nothing twice under one key; whoever bids next may be another, with tools of its own.
        let announced = matches!(frame.subject, Subject::Local(_));
        if announced && frame.subject.effects() == Effects::Once {
            let why = "was announced when it was halted, and what was done of it";
            return self.ask_person(call, why, cx);
        }
        frame.attempt = frame.attempt.saturating_add(1);
        self.keep(call, cx);
        self.ready.push_back(Task::Start(call));
    }

    /// What was asked of a backend had not left, and never does: it is asked again once the run goes on.
    pub(in crate::executor) fn not_asked(&mut self, asked: CallId, cx: &mut Context<'_>) {
        let Some(call) = self.asked.remove(&asked) else {
            return;
        };
        self.settle(call, Some(Spend::default()), cx);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        frame.waiting = Waiting::Nothing;
        frame.hear();
        let task = match frame.progress {
            Progress::Leaf => Task::Start(call),
            _ => Task::Advance(call),
        };
        self.keep(call, cx);
        self.ready.push_back(task);
    }

    /// Goes on, unless something else holds the run.
    fn unhalt(&mut self, cx: &mut Context<'_>) {
        self.halted = false;
        if let Some(Pause {
            since,
            cause: Cause::Halt,
        }) = self.paused
        {
            self.give_time_back(since, cx);
        }
        let held = self.paused.is_some();
        cx.shared.push(Action::Unhalted { run: self.id, held });
        if self.result.is_some() {
            self.forget_all(cx);
        } else {
            self.keep(self.root, cx);
        }
    }

    /// The run has ended while it stands still: its end is written down, and told once it goes on.
    pub(super) fn keep_result(
        &mut self,
        frame: &Frame,
        result: &Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        self.forget_below(frame.call, cx);
        self.keep_ended(frame.call, frame, result, cx);
    }
}
