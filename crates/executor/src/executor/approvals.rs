//! What whoever keeps approvals says of calls that need one.

use realm_protocol::{CallId, Now, RunId, budget::Budget};
use serde_json::Value;

use super::Executor;
use crate::{LoopError, Registry, Said};

impl Executor {
    /// A call has no approval yet. What nobody waits for is ignored, here and below.
    pub fn hold(&mut self, run: RunId, call: CallId, registry: &Registry, now: Now) {
        self.with(run, registry, now, |run, _| run.hold(call));
    }

    /// People have said something of a call that was held: it asks again, by [`super::Action::Approve`].
    pub fn ask_again(&mut self, run: RunId, call: CallId, registry: &Registry, now: Now) {
        self.with(run, registry, now, |run, _| run.ask_again(call));
    }

    /// An approval that seemed to be there does not hold: the call asks again.
    pub fn approval_is_void(&mut self, run: RunId, call: CallId, registry: &Registry, now: Now) {
        self.with(run, registry, now, |run, _| {
            run.hold(call);
            run.ask_again(call);
        });
    }

    /// A call that has just asked is approved, and begins; or its question is answered, and it goes on.
    pub fn approve(&mut self, run: RunId, call: CallId, said: Said, registry: &Registry, now: Now) {
        self.with(run, registry, now, |run, context| {
            run.approve(call, said, context);
        });
    }

    /// A call is not approved, and ends; or its question is answered with no, by those who have said something.
    pub fn deny(
        &mut self,
        (run, call): (RunId, CallId),
        error: LoopError,
        said: Option<Said>,
        registry: &Registry,
        now: Now,
    ) {
        self.with(run, registry, now, |run, context| {
            run.deny(call, error, said, context);
        });
    }

    /// What an open frame and all below it may use at most, by what bounds it and all above.
    pub fn most(&self, run: RunId, call: CallId) -> Option<Budget> {
        self.runs.get(&run)?.most(call)
    }

    /// Whether an open frame has begun, and asks people a question in the midst of its work.
    pub fn has_question(&self, run: RunId, call: CallId) -> bool {
        let run = self.runs.get(&run);
        run.is_some_and(|run| run.has_question(call))
    }

    /// The input of a frame that is open, or the question that it asks, and the loops of the frames that led to it,
    /// the outermost first.
    pub fn frame(&self, run: RunId, call: CallId) -> Option<(Value, Vec<String>)> {
        self.runs.get(&run)?.frame(call)
    }
}
