//! From what the executor wants to what the node does.

use realm_executor::{Action, BackendRequest};
use realm_protocol::{RunId, journal::Change};

use crate::{ControlId, Effect, Node, Refusal, Response, outbound::Task};

impl Node {
    /// Carries out everything the executor wants, and what that leads to.
    pub(crate) fn drain_executor(&mut self) {
        while let Some(action) = self.executor.poll() {
            match action {
                Action::Backend { call, request } => {
                    // Pure work has no effect that would need the intent on the disk first.
                    let pure = matches!(
                        request,
                        BackendRequest::Echo { .. } | BackendRequest::Mock { .. }
                    );
                    let effect = Effect::CallBackend(call, request);
                    if pure {
                        self.out.emit(effect);
                    } else {
                        self.out.promise(effect);
                    }
                }
                Action::CancelBackend(call) => self.out.emit(Effect::CancelBackend(call)),
                Action::Invoke {
                    call,
                    run,
                    address,
                    version,
                    input,
                    timeout_ms,
                    depth,
                } => {
                    self.invoke_from_frame(
                        (run, call),
                        address,
                        version,
                        &input,
                        (timeout_ms, depth),
                    );
                }
                Action::CancelInvoke(call) => self.cancel_call(call, "the run no longer waits"),
                Action::Event(event) => self.out.change(Change::Event(event)),
                Action::Finished { run, outcome, .. } => self.run_finished(run, outcome),
            }
        }
    }

    /// Stops a run, here or wherever it was sent.
    pub(crate) fn cancel_run(&mut self, control: ControlId, run: RunId) {
        if self.serving.has(run) {
            self.executor.cancel(run, "by the owner", self.now);
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
            None => {
                let refusal = Refusal::NotFound {
                    what: "run under way",
                    name: run.to_string(),
                };
                self.refuse(control, refusal);
            }
        }
    }
}
