//! The trace of calls that no run of the executor holds.

use realm_executor::LoopError;
use realm_protocol::{
    CallId, FailureCode,
    cbor::Blob,
    journal::{Change, Direction, Event, Run, Status},
    json::{self, Object},
};
use serde_json::Value;

use super::{Answered, Origin, Task};
use crate::{CallFailure, Node};

impl Node {
    pub(super) fn record_started(&mut self, call: CallId) {
        let Some(run) = self.outgoing_run(call, Status::Running) else {
            return;
        };
        let payload = Object::new()
            .with("loopId", &run.loop_id)
            .with("realm", &run.peer);
        self.out.change(Change::Run(run));
        self.note_call(call, "call.started", payload);
    }

    pub(super) fn record_ended(
        &mut self,
        call: CallId,
        result: &Result<Value, CallFailure>,
        answered: &Answered,
    ) {
        let (status, kind, payload) = match result {
            Ok(_) => (Status::Completed, "call.completed", Object::new()),
            Err(failure) => {
                let status = match failure.code {
                    FailureCode::Cancelled => Status::Cancelled,
                    _ => Status::Failed,
                };
                let error = LoopError::new(failure.code, failure.message.clone())
                    .with_details(failure.details.clone());
                (status, "call.errored", error.to_object())
            }
        };
        self.note_call(call, kind, payload);
        let ended = self.ended_call(call, answered.contract);
        let Some(mut run) = self.outgoing_run(call, status) else {
            return;
        };
        run.ended = Some(self.wall());
        run.version.clone_from(&answered.version);
        match result {
            Ok(output) => run.output = Some(Blob::from(json::to_bytes(output))),
            Err(failure) => {
                run.error = Some(failure.code.name().to_owned());
                run.output = Some(Blob::from(failure.message.clone().into_bytes()));
            }
        }
        self.out.run(run, ended);
    }

    fn outgoing_run(&self, call: CallId, status: Status) -> Option<Run> {
        let out = self.calls.get(&call)?;
        let Task::Invoke(invoke) = &out.task else {
            return None;
        };
        if invoke.origin == Origin::Frame {
            return None;
        }
        Some(Run {
            id: invoke.run,
            call,
            loop_id: invoke.address.loop_id.to_string(),
            version: invoke.version.clone(),
            direction: Direction::Out,
            peer: Some(self.name_of(&out.scope)),
            status,
            started: invoke.started.wall,
            ended: None,
            error: None,
            input: Some(invoke.input.clone()),
            output: None,
            parent: None,
            resume: None,
            erased: None,
        })
    }

    /// Adds an event to the trace of the run that a call belongs to.
    pub(crate) fn note_call(&mut self, call: CallId, kind: &str, payload: Object) {
        let at = self.now.wall;
        let Some(out) = self.calls.get_mut(&call) else {
            return;
        };
        let Task::Invoke(invoke) = &mut out.task else {
            return;
        };
        if invoke.origin == Origin::Frame {
            let run = invoke.run;
            self.executor.record(run, call, kind, payload, self.now);
            return;
        }
        let event = Event {
            run: invoke.run,
            index: invoke.events,
            call,
            at,
            kind: kind.to_owned(),
            payload: Blob::from(payload.into_bytes()),
        };
        invoke.events = invoke.events.saturating_add(1);
        self.out.change(Change::Event(event));
        self.note_storable(call);
    }
}
