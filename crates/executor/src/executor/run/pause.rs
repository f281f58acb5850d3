//! Runs that stand still: a wait, a pause between attempts, or until a person says otherwise.

use realm_protocol::{CallId, FailureCode, Now, RunId, Tick, Timestamp, json::Object};

use super::{Cause, Context, Pause, Run, Task};
use crate::{
    Decision, LoopError, ResumeError, WaitingFor, Waits,
    executor::{
        Action,
        frame::{Began, Frame, Progress, Subject, Waiting},
        shared::Shared,
    },
};

impl Run {
    /// Lets a frame go on at a time of the wall clock.
    pub(super) fn pause_until(&mut self, call: CallId, due: Timestamp, cx: &mut Context<'_>) {
        let until = cx.now.tick.plus(due.since(cx.now.wall));
        if let Some(frame) = self.frames.get_mut(&call) {
            frame.waiting = Waiting::Pause { until };
            cx.shared.set_timer(until, self.id, call);
        }
    }

    /// The time of a frame has come: a pause is over, or its time is.
    pub(in crate::executor) fn expire(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call).filter(|_| self.paused.is_none()) else {
            return;
        };
        match frame.waiting {
            Waiting::Pause { until } if until <= cx.now.tick => {
                self.ready.push_back(Task::Wake(call));
            }
            _ if frame.deadline <= cx.now.tick => self.time_out(call, cx),
            _ => {}
        }
    }

    pub(super) fn time_out(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let after = frame.timeout_ms;
        let since = frame.waiting.asked_since().unwrap_or(cx.now.tick);
        let message = format!(
            "`{}` gave no output within {after} ms",
            frame.subject.name()
        );
        self.ran_out(call, since, cx);
        self.fail(call, LoopError::new(FailureCode::Timeout, message), cx);
    }

    /// A pause is over: the step after a wait, or another attempt, of a model's latest turn alone where it had others.
    pub(super) fn wake(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        if !matches!(frame.waiting, Waiting::Pause { .. }) {
            return;
        }
        frame.waiting = Waiting::Nothing;
        if let Progress::Composite(composition) = &frame.progress
            && composition.waits
        {
            return self.waited(call, cx);
        }
        frame.due = None;
        frame.tried = cx.now.wall;
        let timeout = frame.timeout_ms;
        let turn = frame.turns_kept();
        self.set_deadline(call, cx.now.tick.plus(timeout), cx);
        match turn {
            Some(_) => self.advance(call, cx),
            None => self.start_body(call, cx),
        }
    }

    /// Gives a frame a deadline, its caller's at the latest.
    pub(super) fn set_deadline(&mut self, call: CallId, deadline: Tick, cx: &mut Context<'_>) {
        let place = self.frames.get(&call).and_then(|frame| frame.parent);
        let caller = place.and_then(|place| self.frames.get(&place.frame));
        let latest = caller.map_or(self.latest, |caller| caller.deadline);
        if let Some(frame) = self.frames.get_mut(&call) {
            cx.shared.clear_timer(frame.deadline, self.id, call);
            frame.deadline = deadline.min(latest);
            cx.shared.set_timer(frame.deadline, self.id, call);
        }
    }

    /// Holds the run where it stands. Answers under way are taken; nothing new is begun, and no
    /// time runs out.
    pub(in crate::executor) fn pause(&mut self, reason: &str, cause: Cause, cx: &mut Context<'_>) {
        let held = self.paused;
        if held.is_some_and(|held| held.cause >= cause) {
            return;
        }
        let held = held.filter(|held| held.cause != Cause::Stop);
        let since = held.map_or(Began::now(cx.now), |held| held.since);
        self.paused = Some(Pause { since, cause });
        for frame in self.frames.values() {
            clear_timers(frame, self.id, cx);
        }
        self.keep(self.root, cx);
        let payload = Object::new().with("reason", reason);
        self.event(self.root, "run.paused", payload, cx);
        self.tell_paused(cx);
    }

    /// Says that the run stands still.
    pub(super) fn tell_paused(&self, cx: &mut Context<'_>) {
        cx.shared.push(Action::Paused {
            run: self.id,
            undecided: self.asking().is_some(),
        });
    }

    /// Holds the run until the process ends, if it goes on after that.
    pub(in crate::executor) fn stand_still(&mut self, now: Now) {
        if self.durable && self.paused.is_none() {
            self.paused = Some(Pause {
                since: Began::now(now),
                cause: Cause::Stop,
            });
        }
    }

    /// Gives the places of its frames back while it stands still and nobody works for it. Once it goes on it takes them
    /// again, also where others have taken as many meanwhile as there are.
    pub(in crate::executor) fn settle_places(&mut self, shared: &mut Shared) {
        let placed = self.paused.is_none() || !self.asked.is_empty();
        if placed == self.placed {
            return;
        }
        self.placed = placed;
        let frames = self.frames.values();
        for manifest in frames.filter_map(|frame| frame.subject.manifest()) {
            match placed {
                true => shared.enter(&manifest.id),
                false => shared.leave(&manifest.id),
            }
        }
    }

    pub(in crate::executor) fn is_held(&self) -> bool {
        self.paused.is_some()
    }

    /// Lets the run go on. Where a call's outcome is unknown, `decision` says what becomes of it.
    pub(in crate::executor) fn resume(
        &mut self,
        decision: Option<Decision>,
        cx: &mut Context<'_>,
    ) -> Result<(), ResumeError> {
        let held = self.paused.filter(|held| held.cause != Cause::Stop);
        let Pause { since, cause } = held.ok_or(ResumeError::NotPaused)?;
        if self.halted {
            return Err(ResumeError::Halted);
        }
        let asking = self.asking();
        if let (Some(call), None) = (asking, &decision) {
            return Err(ResumeError::Undecided { call });
        }
        if asking.is_none() && decision.is_some() {
            return Err(ResumeError::NothingToDecide);
        }
        if cause == Cause::Approval {
            return Err(ResumeError::NeedsApproval);
        }
        if let (Some(call), Some(Decision::Output(output))) = (asking, &decision)
            && let Some(Subject::Local(entry)) = self.frames.get(&call).map(|frame| &frame.subject)
            && entry.check_output(output).is_err()
        {
            return Err(ResumeError::Output { call });
        }
        self.end_pause(since, decision.as_ref(), cx);
        if let (Some(call), Some(decision)) = (asking, decision) {
            if let Some(frame) = self.frames.get_mut(&call) {
                frame.waiting = Waiting::Nothing;
                frame.asked = None;
            }
            // While it stands still every end is written down at once, this one too.
            if self.asking().is_some() {
                let reason = "the outcome of another call is unknown as well";
                self.pause(reason, Cause::Question, cx);
            }
            self.decide(call, decision, cx);
        }
        Ok(())
    }

    /// It is known now whether the run may go on.
    pub(in crate::executor) fn let_go(&mut self, cx: &mut Context<'_>) {
        if let Some(Pause { since, cause }) = self.paused
            && cause == Cause::Permission
            && !self.halted
        {
            self.end_pause(since, None, cx);
        }
    }

    /// Goes on after a pause, with the time given back that it took.
    pub(super) fn end_pause(
        &mut self,
        since: Began,
        decision: Option<&Decision>,
        cx: &mut Context<'_>,
    ) {
        let still = self.give_time_back(since, cx);
        self.keep(self.root, cx);
        let payload = Object::new()
            .with("pausedMs", &still)
            .with_some("decision", decision.map(Decision::name));
        self.event(self.root, "run.resumed", payload, cx);
        cx.shared.push(Action::Resumed { run: self.id });
    }

    /// Ends a pause: what it lasted is none of the run's time. Gives that, milliseconds.
    pub(super) fn give_time_back(&mut self, since: Began, cx: &mut Context<'_>) -> u64 {
        let still = since.lasted_ms(cx.now);
        self.paused = None;
        self.paused_ms = self.paused_ms.saturating_add(still);
        self.latest = self.latest.plus(still);
        for frame in self.frames.values_mut() {
            frame.deadline = frame.deadline.plus(still);
            cx.shared.set_timer(frame.deadline, self.id, frame.call);
            if let Waiting::Pause { until } = frame.waiting {
                cx.shared.set_timer(until, self.id, frame.call);
            }
        }
        still
    }

    /// The frames that wait, at most so many.
    pub(in crate::executor) fn waits(&self, now: Now, most: usize) -> Vec<Waits> {
        let waits = self.frames.values().filter_map(|frame| {
            let (on, since) = match frame.waiting {
                Waiting::Nothing => match &frame.progress {
                    Progress::Machine { steps, .. } => (WaitingFor::Step(*steps), None),
                    _ => return None,
                },
                // It has its answer before anybody looks.
                Waiting::Policy { .. } => return None,
                Waiting::Backend { since, .. } => (WaitingFor::Backend, Some(since)),
                Waiting::Realm { since, .. } => (WaitingFor::Realm, Some(since)),
                Waiting::Bidders { since, .. } => (WaitingFor::Bidders, Some(since)),
                Waiting::Pause { until } => {
                    let due = frame.due().unwrap_or(now.wall.plus(until.since(now.tick)));
                    (WaitingFor::Time(due), None)
                }
                Waiting::Person => (WaitingFor::Person, None),
                Waiting::Approval { .. } => (WaitingFor::Approval, None),
            };
            let since = since.map(|tick| now.wall.minus(now.tick.since(tick)));
            Some(Waits {
                call: frame.call,
                name: frame.subject.name(),
                attempt: frame.attempt,
                on,
                since: frame.asked.or(since),
            })
        });
        waits.take(most).collect()
    }

    /// A call that waits for a person's word.
    fn asking(&self) -> Option<CallId> {
        let mut frames = self.frames.values();
        let asking = frames.find(|frame| frame.waiting == Waiting::Person);
        asking.map(|frame| frame.call)
    }

    fn decide(&mut self, call: CallId, decision: Decision, cx: &mut Context<'_>) {
        match decision {
            Decision::Again => self.start_body(call, cx),
            Decision::Output(output) => self.complete(call, output, cx),
            Decision::Fail(reason) => {
                let error = LoopError::new(FailureCode::LoopFailed, reason).after_work();
                self.fail_for_good(call, error, cx);
            }
        }
    }
}

pub(super) fn clear_timers(frame: &Frame, run: RunId, cx: &mut Context<'_>) {
    cx.shared.clear_timer(frame.deadline, run, frame.call);
    if let Waiting::Pause { until } = frame.waiting {
        cx.shared.clear_timer(until, run, frame.call);
    }
}
