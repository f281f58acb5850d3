//! What is written down of a run's frames, and how a restarted run takes them up again.

use realm_protocol::{
    CallId, FailureCode, Tick, Timestamp,
    cbor::Blob,
    journal::FrameRecord,
    json::{self, Object},
};
use serde_json::Value;

use super::{Context, Known, Run, Task};
use crate::{
    Body, Effects, LoopError,
    executor::{
        Action,
        frame::{Began, Composition, Frame, Progress, Subject, Waiting},
    },
};

impl Run {
    /// Writes down where a frame stands.
    pub(super) fn keep(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let caller = frame.parent.map_or(call, |place| place.frame);
        let record = self.record_of(frame);
        self.keep_record(caller, call, record, cx);
    }

    /// Somebody is being asked.
    pub(super) fn keep_asked(&mut self, call: CallId, cx: &mut Context<'_>) {
        if let Some(frame) = self.frames.get_mut(&call) {
            frame.asked.get_or_insert(cx.now.wall);
            self.keep(call, cx);
        }
    }

    /// A pause begins, of the step given, from 1; of none where the frame is to be tried again.
    pub(super) fn keep_pause(&mut self, call: CallId, due: (Timestamp, u64), cx: &mut Context<'_>) {
        if let Some(frame) = self.frames.get_mut(&call) {
            frame.due = Some(due);
            self.keep(call, cx);
        }
    }

    /// A child has ended. What can be worked out again, and what its caller writes down at once,
    /// needs no record.
    pub(super) fn keep_end(
        &mut self,
        frame: &Frame,
        result: &Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        let Some(place) = frame.parent else {
            return;
        };
        let caller = self.frames.get(&place.frame).map(|caller| &caller.progress);
        let stepping = matches!(caller, Some(Progress::Machine { .. }))
            && self.paused.is_none()
            && self.known.is_empty();
        if stepping || frame.is_pure() {
            return;
        }
        let mut record = self.record_of(frame);
        (record.asked, record.due) = (None, None);
        match result {
            Ok(output) => record.output = Some(Blob::from(json::to_bytes(output))),
            Err(error) => record.error = Some(error.to_record()),
        }
        self.keep_record(place.frame, frame.call, record, cx);
    }

    fn keep_record(
        &mut self,
        caller: CallId,
        call: CallId,
        record: FrameRecord,
        cx: &mut Context<'_>,
    ) {
        if !self.durable {
            return;
        }
        self.kept.entry(caller).or_default().insert(call);
        let run = self.id;
        let frame = Box::new(record);
        cx.shared.push(Action::Keep { run, call, frame });
    }

    fn record_of(&self, frame: &Frame) -> FrameRecord {
        let manifest = match &frame.subject {
            Subject::Local(entry) => Some(entry.digest),
            Subject::Remote { .. } => None,
        };
        let (state, steps) = match (&frame.progress, frame.due) {
            (Progress::Machine { state, steps }, _) if *steps > 0 => {
                (Some(Blob::from(json::to_bytes(state))), *steps)
            }
            (_, Some((_, step))) => (None, step),
            _ => (None, 0),
        };
        let root = frame.parent.is_none();
        let pause = self.paused.filter(|_| root);
        FrameRecord {
            began: frame.began.wall,
            manifest,
            attempt: frame.attempt,
            asked: frame.asked,
            due: frame.due.map(|(due, _)| due),
            output: None,
            error: None,
            state,
            steps,
            paused_ms: if root { self.paused_ms } else { 0 },
            paused: pause.map(|pause| pause.since.wall),
            by_hand: pause.is_some_and(|pause| pause.by_hand),
            tried: frame.tried,
        }
    }

    /// Forgets what was written down of the calls of a frame that has ended.
    pub(super) fn forget_below(&mut self, caller: CallId, cx: &mut Context<'_>) {
        let Some(calls) = self.kept.remove(&caller) else {
            return;
        };
        let calls: Vec<CallId> = calls.into_iter().filter(|call| *call != caller).collect();
        self.forget(calls, cx);
    }

    /// Forgets everything that was written down of the run's frames: it has ended.
    pub(super) fn forget_all(&mut self, cx: &mut Context<'_>) {
        let known = std::mem::take(&mut self.known).into_keys();
        let kept = std::mem::take(&mut self.kept).into_values().flatten();
        let calls: Vec<CallId> = known.chain(kept).collect();
        self.forget(calls, cx);
    }

    fn forget(&mut self, calls: Vec<CallId>, cx: &mut Context<'_>) {
        if !calls.is_empty() {
            let run = self.id;
            cx.shared.push(Action::Forget { run, calls });
        }
    }

    /// How a child ended before a restart, if it did.
    pub(super) fn known_end(
        &mut self,
        caller: CallId,
        call: CallId,
    ) -> Option<Result<Value, LoopError>> {
        let end = self.known.get_mut(&call)?.end.take()?;
        self.known.remove(&call);
        self.kept.entry(caller).or_default().insert(call);
        Some(end)
    }

    /// Takes a frame up where its record says that it stood.
    pub(super) fn take_up(&mut self, call: CallId, known: Known, cx: &mut Context<'_>) {
        let Known { record, state, .. } = known;
        let FrameRecord {
            began,
            manifest: _,
            attempt,
            asked,
            due,
            output: _,
            error: _,
            state: _,
            steps,
            paused_ms: _,
            paused: _,
            by_hand: _,
            tried,
        } = record;
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let caller = frame.parent.map_or(call, |place| place.frame);
        self.kept.entry(caller).or_default().insert(call);
        frame.attempt = attempt.max(1);
        frame.began = Began::before_restart(began);
        frame.tried = tried;
        if let Some(due) = due.filter(|_| steps == 0) {
            frame.due = Some((due, 0));
            self.set_deadline(call, Tick::MAX, cx);
            return self.pause_until(call, due, cx);
        }
        // Time went on while nothing ran, but for what the run was paused. Who calls others is not
        // charged for it: a wait may have ended meanwhile, and what follows takes its time.
        let composed = frame
            .subject
            .manifest()
            .is_some_and(|own| own.is_composed());
        let elapsed = cx.now.wall.since(tried);
        let used = elapsed.saturating_sub(self.paused_ms).min(frame.timeout_ms);
        let left = if composed {
            frame.timeout_ms
        } else {
            frame.timeout_ms - used
        };
        self.set_deadline(call, cx.now.tick.plus(left), cx);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let body = frame.subject.manifest().map(|own| &own.body);
        match body {
            Some(Body::Composite(_)) => {
                frame.due = due.map(|due| (due, steps));
                frame.progress = Progress::Composite(Composition {
                    waited: due.map(|due| (steps, due)),
                    ..Composition::default()
                });
                self.ready.push_back(Task::Advance(call));
            }
            Some(Body::Machine(_)) => {
                frame.progress = Progress::Machine {
                    state: state.unwrap_or_else(|| frame.input.clone()),
                    steps,
                };
                self.ready.push_back(Task::Advance(call));
            }
            _ => {
                frame.asked = asked;
                if asked.is_some() && frame.subject.effects() == Effects::Once {
                    self.ask_person(call, cx);
                } else {
                    self.ready.push_back(Task::Start(call));
                }
            }
        }
    }

    /// The outcome of a call is unknown and asking again could count twice: a person decides.
    fn ask_person(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        frame.waiting = Waiting::Person;
        let message = format!(
            "`{}` was asked before a restart and what it did is unknown; it is declared `once`, so \
             it is not asked again without a person's word",
            frame.subject.name()
        );
        let payload = Object::new()
            .with("failure", FailureCode::LoopFailed.name())
            .with("message", &message);
        self.event(call, "call.outcome.unknown", payload, cx);
        self.pause(&message, false, cx);
    }
}
