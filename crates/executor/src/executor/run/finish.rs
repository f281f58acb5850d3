//! How frames end, and what that means for the frames above and below.

use std::collections::BTreeMap;

use realm_protocol::{CallId, Digest, FailureCode, Tick, Timestamp, json::Object};
use serde_json::Value;

use super::{
    Context, Run, Task, checked_payload, pause::clear_timers, spend::spend_value, with_data,
};
use crate::{
    Effects, Fault, LoopError, Retry,
    executor::{
        Action,
        frame::{Frame, Place, Progress, Subject, Waiting},
    },
};

impl Run {
    /// Ends a frame with an output, if its schema agrees.
    pub(super) fn complete(&mut self, call: CallId, output: Value, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        if let Subject::Local(entry) = frame.subject.clone() {
            if let Err(details) = entry.check_output(&output) {
                let id = &entry.manifest.id;
                let message = format!("the output of `{id}` does not match its schema");
                let error = LoopError::new(FailureCode::SchemaOutput, message).after_work();
                self.heard(call, Some(Fault::Schema), cx);
                return self.fail(call, error.with_details(details), cx);
            }
            self.event(call, "call.output.validated", checked_payload(), cx);
        }
        self.heard(call, None, cx);
        let Some(mut frame) = self.close(call, cx) else {
            return;
        };
        self.change_state(&mut frame, cx);
        if let Subject::Local(_) = frame.subject {
            let total = frame.began.lasted_ms(cx.now);
            let payload = Object::new().with("totalDurationMs", &total);
            let payload = with_spend(payload, &frame);
            let payload = with_data(payload, &frame, ["output", "outputDigest"], &output);
            self.event(call, "call.completed", payload, cx);
        }
        self.report(&frame, Ok(output), cx);
    }

    /// Ends a frame's attempt with an error, and everything below it. If the failure is one that
    /// may be tried again, the frame pauses for its next attempt; else it ends.
    pub(super) fn fail(&mut self, call: CallId, error: LoopError, cx: &mut Context<'_>) {
        let doubtful = self.frames.get(&call).is_some_and(|frame| frame.doubtful);
        let begun = error.may_have_begun || doubtful || self.has_made_calls(call);
        let error = LoopError {
            may_have_begun: begun,
            ..error
        };
        match self.next_attempt(call, &error, cx) {
            Some(due) => self.try_again(call, &error, due, cx),
            None => self.fail_for_good(call, error, cx),
        }
    }

    /// Ends a frame with an error, and everything below it.
    pub(super) fn fail_for_good(&mut self, call: CallId, error: LoopError, cx: &mut Context<'_>) {
        self.abort_below(call, &error, cx);
        let Some(frame) = self.close(call, cx) else {
            return;
        };
        if let Subject::Local(_) = frame.subject {
            let payload = with_spend(error.to_object(), &frame);
            self.event(call, "call.errored", payload, cx);
        }
        self.report(&frame, Err(error), cx);
    }

    pub(in crate::executor) fn fail_root(&mut self, error: LoopError, cx: &mut Context<'_>) {
        (self.paused, self.halted) = (None, false);
        if self.result.is_some() {
            // It ended while it was halted, and nobody was told.
            self.result = Some(Err(error));
            return self.forget_all(cx);
        }
        self.fail_for_good(self.root, error, cx);
    }

    /// Whether a frame has made other calls than the one that it fails with, so that another attempt
    /// would make them again.
    fn has_made_calls(&self, call: CallId) -> bool {
        match self.frames.get(&call).map(|frame| &frame.progress) {
            Some(Progress::Composite(composition)) => {
                let begun = composition.current.iter().map(|branch| branch.next);
                composition.last.is_some() || begun.sum::<usize>() > 1
            }
            Some(Progress::Machine { steps, .. }) => *steps > 0,
            Some(Progress::Conversation(conversation)) => conversation.to_state().is_some(),
            Some(Progress::Routing(routing)) => routing.doubtful,
            Some(Progress::Leaf) | None => false,
        }
    }

    /// When a frame may be tried again after a failure, if it may.
    fn next_attempt(&self, call: CallId, error: &LoopError, cx: &Context<'_>) -> Option<Timestamp> {
        let frame = self.frames.get(&call)?;
        let retry = frame.retry()?;
        // Of a model's turn nothing is done twice: what it called before stays as it is.
        let repeatable = frame.subject.effects() != Effects::Once
            || !error.may_have_begun
            || frame.turns_kept().is_some();
        let worth = retry.on.contains(&error.category) && frame.attempt < retry.attempts;
        let pause = pause_ms(retry, frame).max(error.retry_after_ms.unwrap_or(0));
        let limit = frame.parent.and_then(|place| self.frames.get(&place.frame));
        let limit = limit.map_or(self.latest, |caller| caller.deadline);
        let in_time = cx.now.tick.plus(pause) < limit;
        (repeatable && worth && in_time).then(|| cx.now.wall.plus(pause))
    }

    fn try_again(&mut self, call: CallId, error: &LoopError, due: Timestamp, cx: &mut Context<'_>) {
        self.abort_below(call, error, cx);
        self.forget_below(call, cx);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let attempt = frame.attempt.saturating_add(1);
        frame.attempt = attempt;
        frame.due = Some(due);
        frame.spending = None;
        let turn = frame.turns_kept();
        if turn.is_none() {
            frame.doubtful |= error.may_have_begun;
            frame.consent = None;
            frame.progress = Progress::Leaf;
        }
        let payload = error
            .to_object()
            .with("attempt", &attempt)
            .with_some("turn", turn)
            .with("delayMs", &due.since(cx.now.wall));
        self.event(call, "call.retried", payload, cx);
        // The pause is not the attempt's time.
        self.set_deadline(call, Tick::MAX, cx);
        self.keep(call, cx);
        self.pause_until(call, due, cx);
    }

    /// Hands a frame's end to its caller, or to the run if it is the first frame.
    fn report(&mut self, frame: &Frame, result: Result<Value, LoopError>, cx: &mut Context<'_>) {
        match frame.parent {
            None => {
                let spent = frame
                    .account
                    .as_ref()
                    .map(|account| account.spent().clone());
                self.spent = spent.unwrap_or_default();
                self.ready.clear();
                match self.halted {
                    true => self.keep_result(frame, &result, cx),
                    false => self.forget_all(cx),
                }
                self.result = Some(result);
            }
            Some(place) => {
                self.forget_below(frame.call, cx);
                self.keep_end(frame, &result, cx);
                self.ready.push_back(Task::Done(place, frame.call, result));
            }
        }
    }

    /// The run had ended before a restart, and was halted before anybody was told.
    pub(super) fn end_again(&mut self, end: Result<Value, LoopError>, cx: &mut Context<'_>) {
        self.kept.entry(self.root).or_default().insert(self.root);
        self.close(self.root, cx);
        self.result = Some(end);
        self.ready.clear();
        if !self.halted {
            self.forget_all(cx);
        }
    }

    /// A frame that was never opened has failed.
    pub(super) fn refuse(&mut self, frame: &Frame, error: LoopError) {
        if let Some(place) = frame.parent {
            self.ready
                .push_back(Task::Done(place, frame.call, Err(error)));
        }
    }

    pub(super) fn child_done(
        &mut self,
        place: Place,
        child: CallId,
        result: Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        if !self.frames.contains_key(&place.frame) {
            return;
        }
        let status = if result.is_ok() { "ok" } else { "error" };
        let payload = Object::new()
            .with("stepIndex", &place.at.step)
            .with_some("branch", place.at.branch)
            .with_some("item", place.at.item)
            .with("childCallId", &child)
            .with("status", status);
        self.event(place.frame, "child.completed", payload, cx);
        self.child_ended(place, result, cx);
    }

    /// Hands a child's end to its caller.
    pub(super) fn child_ended(
        &mut self,
        place: Place,
        result: Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        let caller = self.frames.get(&place.frame).map(|caller| &caller.progress);
        match caller {
            Some(Progress::Machine { .. }) => self.state_done(place.frame, result, cx),
            Some(Progress::Composite(_)) => self.call_done(place, result, cx),
            Some(Progress::Conversation(_)) => self.tool_done(place, result, cx),
            Some(Progress::Routing(_)) => self.target_done(place.frame, result, cx),
            Some(Progress::Leaf) | None => {}
        }
    }

    /// Stops everything below a frame, the deepest first, and what it waits for itself.
    fn abort_below(&mut self, call: CallId, error: &LoopError, cx: &mut Context<'_>) {
        let below = self.below(call);
        for child in below.into_iter().rev() {
            self.stop_waiting(child, cx);
            self.forget_below(child, cx);
            if let Some(frame) = self.close(child, cx)
                && let Subject::Local(_) = frame.subject
            {
                let message = format!("stopped: {}", error.message);
                let stopped = LoopError::new(FailureCode::Cancelled, message);
                self.event(child, "call.errored", stopped.to_object(), cx);
            }
        }
        self.ready.retain(|task| match task {
            Task::Done(place, ..) | Task::Known(place, _) => place.frame != call,
            Task::Open(frame) => frame.parent.is_none_or(|place| place.frame != call),
            Task::Start(of) | Task::Advance(of) | Task::Wake(of) => *of != call,
        });
        self.stop_waiting(call, cx);
    }

    /// The open frames below one, each after its caller.
    fn below(&self, call: CallId) -> Vec<CallId> {
        let frame = self.frames.get(&call);
        if frame.is_none_or(|frame| matches!(frame.progress, Progress::Leaf)) {
            return Vec::new();
        }
        let mut children: BTreeMap<CallId, Vec<CallId>> = BTreeMap::new();
        for child in self.frames.values() {
            if let Some(place) = child.parent {
                children.entry(place.frame).or_default().push(child.call);
            }
        }
        let mut below = children.remove(&call).unwrap_or_default();
        let mut at = 0;
        while let Some(caller) = below.get(at) {
            below.extend(children.remove(caller).unwrap_or_default());
            at += 1;
        }
        below
    }

    /// Nobody waits any more for what a frame asked, and nobody knows what that used.
    fn stop_waiting(&mut self, call: CallId, cx: &mut Context<'_>) {
        self.settle(call, None, cx);
        self.never_heard(call, cx);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let waiting = std::mem::replace(&mut frame.waiting, Waiting::Nothing);
        let (asked, cancel) = match waiting {
            Waiting::Backend { asked, .. } => (asked, Action::CancelBackend(asked)),
            Waiting::Realm { asked, .. } => (asked, Action::CancelInvoke(asked)),
            Waiting::Bidders { asked, .. } => (asked, Action::CancelAnnounce(asked)),
            Waiting::Pause { until } => {
                return cx.shared.clear_timer(until, self.id, call);
            }
            Waiting::Approval { .. } => {
                let run = self.id;
                return cx.shared.push(Action::CancelApproval { run, call });
            }
            Waiting::Nothing | Waiting::Policy { .. } | Waiting::Person => return,
        };
        frame.hear();
        self.asked.remove(&asked);
        if cx.shared.take(asked).is_some() {
            cx.shared.push(cancel);
        }
    }

    fn close(&mut self, call: CallId, cx: &mut Context<'_>) -> Option<Frame> {
        let frame = self.frames.remove(&call)?;
        if let Some(manifest) = frame.subject.manifest().filter(|_| self.placed) {
            cx.shared.leave(&manifest.id);
        }
        clear_timers(&frame, self.id, cx);
        Some(frame)
    }
}

/// Adds what a frame and all below it have used, where that is accounted for.
fn with_spend(payload: Object, frame: &Frame) -> Object {
    let spent = frame.account.as_ref().map(|account| account.spent());
    let spent = spent.filter(|spent| !spent.is_nothing());
    payload.with_some("spent", spent.map(spend_value))
}

/// The pause before a frame's next attempt: between half of what is asked for and all of it, the
/// same each time it is worked out.
fn pause_ms(retry: &Retry, frame: &Frame) -> u64 {
    let full = retry.pause_ms(frame.attempt.saturating_add(1));
    let digest = Digest::of(&[frame.call.as_bytes(), &frame.attempt.to_be_bytes()]);
    let [first, second, ..] = *digest.as_bytes();
    let share = u64::from(u16::from_be_bytes([first, second]));
    full - (full / 2).saturating_mul(share) / u64::from(u16::MAX)
}
