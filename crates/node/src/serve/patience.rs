//! How long callers on this machine wait for a run.

use realm_protocol::{FailureCode, RunId};

use crate::{CallFailure, Node, answer::Responder, timers::Timer};

impl Node {
    /// Sees to it that callers on this machine wait no longer than they said for a run that may
    /// take longer: one that stands still, or that another call has begun.
    pub(crate) fn heed_patience(&mut self, run: RunId) {
        let Some(served) = self.serving.get(run) else {
            return;
        };
        let until = served.responders.iter().filter_map(Responder::patience);
        if let Some(until) = until.min() {
            self.timers.set(Timer::Patience(run), until);
        }
    }

    /// Callers on this machine have waited as long as they said.
    pub(crate) fn patience_is_over(&mut self, run: RunId) {
        let now = self.now.tick;
        let is_over = |held: &Responder| held.patience().is_some_and(|until| until <= now);
        let Some(served) = self.serving.get_mut(run) else {
            return;
        };
        let all = std::mem::take(&mut served.responders);
        let (over, waiting) = all.into_iter().partition::<Vec<_>, _>(is_over);
        served.responders = waiting;
        let call = served.call;
        let asked = self.approvals(Some(run), false).into_iter().next_back();
        let message = match asked {
            Some(asked) => format!(
                "no answer inside the call's time: run {run} waits for approval {} of `{}`",
                asked.id, asked.action.loop_id
            ),
            None => format!("no answer inside the call's time; run {run} goes on"),
        };
        let failure = CallFailure::new(FailureCode::Timeout, message);
        for responder in over {
            if let Responder::Local(local) = responder {
                self.tell_failure(&local, (run, call), &failure);
            }
        }
        self.heed_patience(run);
    }
}
