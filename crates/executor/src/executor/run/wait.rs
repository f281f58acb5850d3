//! Waits of composites.

use realm_protocol::{CallId, json::Object};

use super::{Context, Run, Task, composite::step_at};
use crate::executor::frame::Wait;

impl Run {
    /// Begins a wait, or goes on with the one that a restart broke off; false if it is over.
    pub(super) fn begin_wait(
        &mut self,
        call: CallId,
        index: usize,
        for_ms: u64,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(composition) = self.composition_mut(call) else {
            return false;
        };
        let number = index as u64 + 1;
        let known = composition.wait;
        if known.step > number || known.step == number && known.due.is_none() {
            return false;
        }
        // A clock that was set back makes no wait longer.
        let latest = cx.now.wall.plus(for_ms);
        let due = known.due.filter(|_| known.step == number);
        let due = due.map_or(latest, |due| due.min(latest));
        composition.wait = Wait {
            step: number,
            due: Some(due),
        };
        if due <= cx.now.wall {
            self.end_wait(call, index, cx);
            return false;
        }
        composition.waits = true;
        if known.step != number {
            let payload = Object::new().with("stepIndex", &index).with("until", &due);
            self.event(call, "wait.started", payload, cx);
        }
        self.keep(call, cx);
        self.pause_until(call, due, cx);
        true
    }

    /// A wait is over.
    pub(super) fn waited(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some((_, composition)) = self.composition(call) else {
            return;
        };
        let index = composition.outputs.len();
        self.end_wait(call, index, cx);
        let manifest = self.manifest_of(call);
        if let Some(step) = manifest.as_ref().and_then(|own| step_at(own, index as u64)) {
            self.bind(call, step, None);
        }
        self.ready.push_back(Task::Advance(call));
    }

    /// Writes down that a wait is over: no clock that is set back begins it again.
    fn end_wait(&mut self, call: CallId, index: usize, cx: &mut Context<'_>) {
        let Some(composition) = self.composition_mut(call) else {
            return;
        };
        composition.waits = false;
        composition.wait.due = None;
        self.keep(call, cx);
        let payload = Object::new().with("stepIndex", &index);
        self.event(call, "wait.completed", payload, cx);
    }
}
