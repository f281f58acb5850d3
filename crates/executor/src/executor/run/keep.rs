//! What is written down of a run's frames, and how a restarted run takes them up again.

use realm_protocol::{
    CallId, FailureCode, Now, Tick,
    cbor::Blob,
    journal::{Consent, FrameRecord},
    json::{self, Object},
};
use serde_json::Value;

use super::{Cause, Context, Known, Run, Task};
use crate::{
    Body, Effects, LoopError,
    executor::{
        Action,
        account::Account,
        frame::{
            Began, Composition, Conversation, Frame, Progress, Routing, Subject, Wait, Waiting,
        },
    },
    question::Interview,
};

impl Run {
    /// Writes down where a frame stands.
    pub(super) fn keep(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let caller = frame.parent.map_or(call, |place| place.frame);
        let record = self.record_of(frame, cx.now);
        self.keep_record(caller, call, record, cx);
    }

    /// Somebody is being asked.
    pub(super) fn keep_asked(&mut self, call: CallId, cx: &mut Context<'_>) {
        if let Some(frame) = self.frames.get_mut(&call) {
            frame.asked.get_or_insert(cx.now.wall);
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
        // What another backend was asked for cannot be worked out again.
        if stepping || frame.is_pure() && self.backend.is_none() {
            return;
        }
        self.keep_ended(place.frame, frame, result, cx);
    }

    /// Writes down how a frame has ended.
    pub(super) fn keep_ended(
        &mut self,
        caller: CallId,
        frame: &Frame,
        result: &Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        let mut record = self.record_of(frame, cx.now);
        (record.asked, record.due) = (None, None);
        match result {
            Ok(output) => record.output = Some(Blob::from(json::to_bytes(output))),
            Err(error) => record.error = Some(error.to_record()),
        }
        self.keep_record(caller, frame.call, record, cx);
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

    fn record_of(&self, frame: &Frame, now: Now) -> FrameRecord {
        let manifest = match &frame.subject {
            Subject::Local(entry) => Some(entry.digest),
            Subject::Remote { .. } => None,
        };
        let (state, steps) = match &frame.progress {
            Progress::Machine { state, steps } if *steps > 0 => {
                (Some(Blob::from(json::to_bytes(state))), *steps)
            }
            Progress::Composite(composition) => (None, composition.wait.step),
            Progress::Conversation(conversation) => {
                let state = conversation.to_state();
                let state = state.map(|state| Blob::from(json::to_bytes(&state)));
                (state, conversation.turns.len() as u64)
            }
            Progress::Routing(routing) => {
                let state = serde_json::to_vec(routing).ok().map(Blob::from);
                (state, routing.refused as u64)
            }
            Progress::Machine { .. } | Progress::Leaf => {
                let state = frame.interview.as_ref().and_then(|it| it.to_state());
                (state.map(|state| Blob::from(json::to_bytes(&state))), 0)
            }
        };
        let pause = self.paused.filter(|_| frame.parent.is_none());
        let pause = pause.filter(|pause| pause.cause != Cause::Stop);
        let ends = (frame.deadline != Tick::MAX).then(|| frame.deadline.since(now.tick));
        FrameRecord {
            began: frame.began.wall,
            manifest,
            attempt: frame.attempt,
            asked: frame.asked,
            due: frame.due(),
            output: None,
            error: None,
            state,
            steps,
            paused_ms: self.paused_ms,
            paused: pause.map(|pause| pause.since.wall),
            by_hand: pause.is_some_and(|pause| pause.cause == Cause::Hand),
            tried: frame.tried,
            deadline: ends.map(|left| now.wall.plus(left)),
            approval: frame.consent,
            given: frame.given,
            spent: frame.account.as_deref().and_then(Account::to_record),
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
        match self.known.remove(&call)? {
            Known::Ended(end) => {
                self.kept.entry(caller).or_default().insert(call);
                Some(end)
            }
            open => {
                self.known.insert(call, open);
                None
            }
        }
    }

    /// Takes a frame up where its record says that it stood.
    pub(super) fn take_up(
        &mut self,
        call: CallId,
        record: FrameRecord,
        state: Option<Value>,
        cx: &mut Context<'_>,
    ) {
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
            paused_ms,
            paused: _,
            by_hand: _,
            tried,
            deadline,
            approval,
            given,
            spent,
        } = record;
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let caller = frame.parent.map_or(call, |place| place.frame);
        self.kept.entry(caller).or_default().insert(call);
        frame.attempt = attempt.max(1);
        frame.began = Began::before_restart(began);
        frame.tried = tried;
        frame.consent = approval;
        frame.given = given;
        if let (Some(account), Some(spent)) = (&mut frame.account, spent) {
            account.take_up(spent);
        }
        if frame
            .subject
            .manifest()
            .is_some_and(|own| own.asks.is_some())
        {
            let interview = state.as_ref().and_then(Interview::from_state);
            frame.interview = interview.map(Box::new);
        }
        // Announced work is found again with its outcome; of all else an earlier attempt may have begun.
        let body = frame.subject.manifest().map(|own| &own.body);
        frame.doubtful = asked.is_some() && !matches!(body, Some(Body::Broadcast(_)));
        if let Some(Body::Prompt(prompt)) = body
            && !prompt.tools.is_empty()
        {
            let conversation = state.as_ref().and_then(Conversation::from_state);
            frame.progress = Progress::Conversation(conversation.unwrap_or_default());
        }
        if let Some(due) = due.filter(|_| steps == 0 || frame.turns_kept().is_some()) {
            let longest = frame.retry().map_or(0, |retry| retry.pause_ms(attempt));
            let due = due.min(cx.now.wall.plus(longest));
            (frame.asked, frame.due) = (asked, Some(due));
            self.set_deadline(call, Tick::MAX, cx);
            return self.pause_until(call, due, cx);
        }
        // Time went on while nothing ran, but for what the run was paused since.
        let paused = self.paused_ms.saturating_sub(paused_ms);
        let left = deadline.map(|deadline| deadline.plus(paused).since(cx.now.wall));
        let left = left.map_or(frame.timeout_ms, |left| left.min(frame.timeout_ms));
        self.set_deadline(call, cx.now.tick.plus(left), cx);
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        if approval == Some(Consent::Asked) {
            frame.asked = asked;
            let again = frame.asks_again();
            self.set_deadline(call, Tick::MAX, cx);
            return self.ready.push_back(again);
        }
        let body = frame.subject.manifest().map(|own| &own.body);
        match body {
            Some(Body::Composite(_)) => {
                frame.progress = Progress::Composite(Composition {
                    wait: Wait { step: steps, due },
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
            Some(Body::Route(route)) => {
                let stood = state.and_then(|state| serde_json::from_value(state).ok());
                let own = frame.subject.manifest().map(|own| &own.id);
                let names = (own.unwrap_or(&frame.called), &frame.called);
                let stood = stood.unwrap_or_else(|| Routing::new(route, names, self.id, call));
                frame.progress = Progress::Routing(stood);
                self.ready.push_back(Task::Advance(call));
            }
            Some(Body::Prompt(prompt)) if !prompt.tools.is_empty() => match &frame.progress {
                Progress::Conversation(it) if it.open.is_some() => self.make_calls(call, cx),
                _ => self.ready.push_back(Task::Advance(call)),
            },
            _ => {
                let announces = matches!(body, Some(Body::Broadcast(_)));
                frame.asked = asked;
                // Work that was announced is found again, whatever came of it.
                if asked.is_some() && !announces && frame.subject.effects() == Effects::Once {
                    let why = "is declared `once` and was asked before a restart, and what it did";
                    self.ask_person(call, why, cx);
                } else {
                    self.ready.push_back(Task::Start(call));
                }
            }
        }
    }

    /// The outcome of a call is unknown and asking again could count twice: a person decides.
    pub(super) fn ask_person(&mut self, call: CallId, why: &str, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        frame.waiting = Waiting::Person;
        let message = format!(
            "`{}` {why} is unknown; it is not asked again without a person's word",
            frame.subject.name()
        );
        let payload = Object::new()
            .with("failure", FailureCode::LoopFailed.name())
            .with("message", &message);
        self.event(call, "call.outcome.unknown", payload, cx);
        self.pause(&message, Cause::Question, cx);
    }
}
