//! How frames end, and what that means for the frames above and below.

use realm_protocol::{CallId, FailureCode, json::Object};
use serde_json::Value;

use super::{Context, Run, checked_payload};
use crate::{
    Body, Category, LoopError,
    executor::{
        Action,
        frame::{Frame, Place, Waiting},
    },
};

impl Run {
    /// Ends a frame with an output, if its schema agrees.
    pub(super) fn complete(&mut self, call: CallId, output: Value, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let entry = frame.entry.clone();
        if let Err(details) = entry.check_output(&output) {
            let message = format!(
                "the output of `{}` does not match its schema",
                entry.manifest.id
            );
            return self.fail(
                call,
                LoopError {
                    code: FailureCode::SchemaOutput,
                    message,
                    details,
                },
                cx,
            );
        }
        self.event(call, "call.output.validated", checked_payload(), cx);
        let Some(frame) = self.close(call, cx) else {
            return;
        };
        let total = cx.now.tick.since(frame.started.tick);
        self.event(
            call,
            "call.completed",
            Object::new().with("totalDurationMs", &total),
            cx,
        );
        self.report(&frame, Ok(output), cx);
    }

    /// Ends a frame with an error, and everything below it.
    pub(super) fn fail(&mut self, call: CallId, error: LoopError, cx: &mut Context<'_>) {
        self.fail_as(call, error, None, cx);
    }

    /// As [`Run::fail`]; what a caller may do about it goes into the trace.
    pub(super) fn fail_as(
        &mut self,
        call: CallId,
        error: LoopError,
        category: Option<Category>,
        cx: &mut Context<'_>,
    ) {
        self.abort_below(call, &error, cx);
        let Some(frame) = self.close(call, cx) else {
            return;
        };
        let category = category.map(Category::name);
        let payload = error.to_object().with_some("category", category);
        self.event(call, "call.errored", payload, cx);
        self.report(&frame, Err(error), cx);
    }

    pub(in crate::executor) fn fail_root(&mut self, error: LoopError, cx: &mut Context<'_>) {
        self.fail(self.root, error, cx);
    }

    /// Ends a frame whose time is over.
    pub(in crate::executor) fn expire(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let after = frame.deadline.since(frame.started.tick);
        let message = format!(
            "`{}` gave no output within {after} ms",
            frame.entry.manifest.id
        );
        self.fail(call, LoopError::new(FailureCode::Timeout, message), cx);
    }

    /// Hands a frame's end to its caller, or to the run if it is the first frame.
    fn report(&mut self, frame: &Frame, result: Result<Value, LoopError>, cx: &mut Context<'_>) {
        match frame.parent {
            None => self.result = Some(result),
            Some(place) => self.child_done(place, frame.call, result, cx),
        }
    }

    pub(super) fn child_done(
        &mut self,
        place: Place,
        child: CallId,
        result: Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        let status = if result.is_ok() { "ok" } else { "error" };
        let payload = Object::new()
            .with("stepIndex", &place.step)
            .with("childCallId", &child)
            .with("status", status);
        self.event(place.frame, "child.completed", payload, cx);
        let Some(frame) = self.frames.get_mut(&place.frame) else {
            return;
        };
        frame.waiting = Waiting::Nothing;
        match result {
            Ok(output) => {
                bind(frame, place.step, output);
                self.advance(place.frame, cx);
            }
            Err(error) => {
                let message = format!("step {} failed: {}", place.step, error.message);
                self.fail(place.frame, LoopError { message, ..error }, cx);
            }
        }
    }

    /// Stops everything a frame waits for, the deepest frame first.
    fn abort_below(&mut self, call: CallId, error: &LoopError, cx: &mut Context<'_>) {
        let mut below = Vec::new();
        let mut next = Some(call);
        while let Some(frame) = next.and_then(|call| self.frames.get_mut(&call)) {
            let waiting = std::mem::replace(&mut frame.waiting, Waiting::Nothing);
            next = match waiting {
                Waiting::Child(child) => {
                    below.push(child);
                    Some(child)
                }
                other => {
                    let waiter = frame.call;
                    self.stop(waiter, other, cx);
                    None
                }
            };
        }
        for child in below.into_iter().rev() {
            if self.close(child, cx).is_some() {
                let stopped = LoopError::new(
                    FailureCode::Cancelled,
                    format!("stopped: {}", error.message),
                );
                self.event(child, "call.errored", stopped.to_object(), cx);
            }
        }
    }

    fn stop(&mut self, waiter: CallId, waiting: Waiting, cx: &mut Context<'_>) {
        match waiting {
            Waiting::Backend { .. } => {
                if cx.shared.take_backend(waiter).is_some() {
                    cx.shared.push(Action::CancelBackend(waiter));
                }
            }
            Waiting::Remote(child) => {
                self.remotes.remove(&child);
                if cx.shared.take_invoke(child).is_some() {
                    cx.shared.push(Action::CancelInvoke(child));
                }
            }
            Waiting::Nothing | Waiting::Child(_) => {}
        }
    }

    fn close(&mut self, call: CallId, cx: &mut Context<'_>) -> Option<Frame> {
        let frame = self.frames.remove(&call)?;
        cx.shared.leave(&frame.entry.manifest.id);
        cx.shared.clear_timer(frame.deadline, self.id, call);
        Some(frame)
    }
}

/// Keeps a step's output for the steps after it.
fn bind(frame: &mut Frame, step: usize, output: Value) {
    let entry = frame.entry.clone();
    if let Body::Composite(composite) = &entry.manifest.body {
        let name = composite
            .steps
            .get(step)
            .and_then(|step| step.output_binding.clone());
        frame.bindings.extend(name.map(|name| (name, step)));
    }
    frame.outputs.push(output);
}
