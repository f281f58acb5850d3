//! From what the executor wants to what the node does.

use realm_executor::{Action, BackendError};
use realm_protocol::{
    CallId, Digest, LoopId, RunId, Timestamp,
    cbor::Blob,
    journal::{Change, Event},
    json::Object,
};

use crate::{
    CallFailure, ControlId, Effect, Node, Response, durable::no_run, outbound::Task, serve::Served,
    traces::Counted,
};

impl Served {
    fn next_event(&mut self) -> u64 {
        let index = self.events;
        self.events = index.saturating_add(1);
        index
    }

    /// An event of the node's own in the run's trace.
    fn event(&mut self, kind: &str, payload: Object, at: Timestamp) -> Event {
        Event {
            run: self.record.id,
            index: self.next_event(),
            call: self.call,
            at,
            kind: kind.to_owned(),
            payload: Blob::from(payload.into_bytes()),
        }
    }
}

impl Node {
    /// Carries out everything the executor wants, and what that leads to.
    pub(crate) fn drain_executor(&mut self) {
        while let Some(action) = self.executor.poll() {
            match action {
                Action::Backend {
                    run,
                    call,
                    by,
                    request,
                    intent,
                } => {
                    let Some(may) = self.let_step(run, call) else {
                        continue;
                    };
                    let may = may.map_err(|failure| BackendError::Dismissed {
                        why: failure.message,
                    });
                    if let Err(error) = may.and_then(|()| self.permit_use(&by, &request)) {
                        self.executor
                            .backend_done(call, Err(error), &self.registry, self.now);
                        continue;
                    }
                    let effect = Effect::CallBackend(call, request);
                    if intent {
                        self.out.promise(effect);
                    } else {
                        self.out.emit(effect);
                    }
                }
                // What still waits for the disk has not begun, and never does.
                Action::CancelBackend(call) if self.out.withdraw(call) => {}
                Action::CancelBackend(call) => self.out.emit(Effect::CancelBackend(call)),
                Action::Recall(call) if self.out.withdraw(call) => {
                    self.executor.not_asked(call, self.now);
                }
                Action::Recall(_) => {}
                Action::Invoke(asked) => {
                    if self.lets_call(asked.run, asked.call) {
                        self.invoke_from_frame(asked);
                    }
                }
                Action::CancelInvoke(call) => self.cancel_call(call, "the run no longer waits"),
                Action::Announce(asked) => {
                    if self.lets_call(asked.run, asked.call) {
                        self.announce_from_frame(asked);
                    }
                }
                Action::CancelAnnounce(call) => self.cancel_announced(call),
                Action::Part { run, number, text } => self.run_shows(run, number, &text),
                Action::Breaker(change) => self.breaker_changed(&change),
                Action::Event(event) => self.record_event(event),
                Action::Keep { run, call, frame } => self.keep_frame(run, call, &frame),
                Action::State { agent, key, value } => self.keep_state(&agent, &key, value),
                Action::Forget { run, calls } => self.forget_frames(run, calls),
                Action::Step(asked) => self.decide_step(&asked),
                Action::Approve(asked) => self.ask_approval(*asked),
                Action::CancelApproval { run, call } => self.withdraw_approval(run, call),
                Action::Paused { run, undecided } => self.run_paused(run, undecided),
                Action::Resumed { run } => self.run_resumed(run),
                Action::Halted { run } => self.run_halted(run),
                Action::Unhalted { run, held } => self.run_unhalted(run, held),
                Action::Finished { run, outcome, .. } => self.run_finished(run, outcome),
            }
        }
    }

    /// Whether a step may ask somebody, by who began its run and by what; nothing where the run stands still instead.
    fn let_step(&mut self, run: RunId, call: CallId) -> Option<Result<(), CallFailure>> {
        let may = self.let_member(run, call)?;
        Some(may.and_then(|()| self.still_granted(run)))
    }

    /// Whether a step may ask other realms; it has its answer, or is held, where it may not.
    fn lets_call(&mut self, run: RunId, call: CallId) -> bool {
        match self.let_step(run, call) {
            None => false,
            Some(Ok(())) => true,
            Some(Err(failure)) => {
                self.frame_call_failed(call, failure.code, &failure.message);
                false
            }
        }
    }

    /// Writes down an event of a run here. The node's own stand among the executor's, so all are
    /// numbered here.
    fn record_event(&mut self, event: Event) {
        if let Some(served) = self.serving.get_mut(event.run) {
            let index = served.next_event();
            self.write_event(Event { index, ..event });
        }
    }

    /// Writes down an event of a run under way here, and counts it for the run's receipt.
    fn write_event(&mut self, event: Event) {
        let event = self.out.as_written(event);
        let run = event.run;
        let served = self.serving.get(run);
        if served.is_some_and(|it| it.trace != Counted::Not) {
            let digest = self.digest_event(&event);
            if let Some(served) = self.serving.get_mut(run) {
                served.trace.push(digest);
            }
        }
        self.out.event(event);
    }

    /// An event of the node's own in the trace of a run here.
    pub(crate) fn note_in_run(&mut self, run: RunId, kind: &str, payload: Object) {
        let at = self.wall();
        if let Some(served) = self.serving.get_mut(run) {
            let event = served.event(kind, payload, at);
            self.write_event(event);
        }
    }

    /// The message that brought a call, in the trace of the run that it started or joined.
    pub(crate) fn note_received(&mut self, run: RunId, received: Option<(Digest, u64)>) {
        if let Some((header, hops)) = received {
            let payload = Object::new().with("header", &header).with("hops", &hops);
            self.note_in_run(run, "call.received", payload);
        }
    }

    /// What answered a caller, at the end of its run's trace: a message by its header, or a late one
    /// by what it answers.
    pub(crate) fn note_answered(&mut self, served: &mut Served, by: &str, digest: Digest) {
        let payload = Object::new().with(by, &digest);
        let event = served.event("call.answered", payload, self.wall());
        self.out.change(Change::Event(event));
    }

    /// The loop that a run under way is a call of, or announces.
    pub(crate) fn loop_of_run(&self, run: RunId) -> Option<String> {
        if let Some(served) = self.serving.get(run) {
            return Some(served.record.loop_id.clone());
        }
        if let Some(loop_id) = self.announced_by(run) {
            return Some(loop_id.to_string());
        }
        self.calls.values().find_map(|out| match &out.task {
            Task::Invoke(invoke) if invoke.run == run => Some(invoke.address.to_string()),
            _ => None,
        })
    }

    /// The loop of another realm that a call is of.
    pub(crate) fn loop_of_call(&self, call: CallId) -> Option<&LoopId> {
        match &self.calls.get(&call)?.task {
            Task::Invoke(invoke) => Some(&invoke.address.loop_id),
            _ => None,
        }
    }

    /// Stops a run here; false if there is none.
    pub(crate) fn cancel_served_run(&mut self, run: RunId) -> bool {
        let here = self.serving.has(run);
        if here {
            self.executor.cancel(run, "by the owner", self.now);
        }
        here
    }

    /// Stops a run, here or wherever it was sent.
    pub(crate) fn cancel_run(&mut self, control: ControlId, run: RunId) {
        if self.cancel_served_run(run) {
            return self.respond(control, Response::Done);
        }
        let out = self
            .calls
            .iter()
            .find(|(_, out)| matches!(&out.task, Task::Invoke(invoke) if invoke.run == run));
        match out.map(|(call, _)| *call) {
            Some(call) => {
                self.cancel_call(call, "cancelled by the owner");
                self.respond(control, Response::Done);
            }
            None => self.refuse(control, no_run(run)),
        }
    }
}
