//! What whoever keeps policy says of calls between loops of this realm.

use realm_protocol::{CallId, Now, RunId};

use super::Executor;
use crate::{ApprovalRule, LoopError, Registry};

impl Executor {
    /// A call that has just asked by [`super::Action::Step`] may begin, once people have approved it as `rules` say.
    /// What nobody waits for is ignored, here and below.
    pub fn permit_step(
        &mut self,
        (run, call): (RunId, CallId),
        rules: Vec<ApprovalRule>,
        registry: &Registry,
        now: Now,
    ) {
        self.within_turn(run, registry, now, |run, context| {
            run.permit(call, rules, context);
        });
    }

    /// A call that has just asked may not begin, and fails.
    pub fn refuse_step(
        &mut self,
        (run, call): (RunId, CallId),
        error: LoopError,
        registry: &Registry,
        now: Now,
    ) {
        self.within_turn(run, registry, now, |run, context| {
            run.forbid(call, error, context);
        });
    }
}
