//! State machines: one loop, again and again.

use realm_protocol::{CallId, FailureCode};
use serde_json::Value;

use super::{Context, Run, Task};
use crate::{
    LoopError, Machine,
    executor::frame::{At, Progress},
};

impl Run {
    /// Calls the machine's loop with the state it has come to.
    pub(super) fn next_state(&mut self, call: CallId, machine: &Machine, cx: &mut Context<'_>) {
        let Some(Progress::Machine { state, steps }) =
            self.frames.get(&call).map(|frame| &frame.progress)
        else {
            return;
        };
        if *steps >= machine.max_steps {
            let message = format!(
                "the machine has not completed after {} steps; `maxSteps` allows no more",
                machine.max_steps
            );
            return self.fail(call, LoopError::new(FailureCode::Budget, message), cx);
        }
        let at = At {
            step: *steps,
            ..At::default()
        };
        let input = state.clone();
        if let Err(error) = self.spawn(call, at, &machine.step, input, cx) {
            self.fail(call, error, cx);
        }
    }

    /// Takes what a step answered: another state, or the machine's output.
    pub(super) fn state_done(
        &mut self,
        call: CallId,
        result: Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        let Some(Progress::Machine { state, steps }) =
            self.frames.get_mut(&call).map(|frame| &mut frame.progress)
        else {
            return;
        };
        let at = *steps;
        match result.and_then(|answer| verdict(answer, at)) {
            Ok(Verdict::Continue(next)) => {
                *state = next;
                *steps = at.saturating_add(1);
                self.forget_below(call, cx);
                self.keep(call, cx);
                self.ready.push_back(Task::Advance(call));
            }
            Ok(Verdict::Complete(output)) => self.complete(call, output, cx),
            Err(error) => {
                let message = format!("step {at} failed: {}", error.message);
                self.fail(call, LoopError { message, ..error }, cx);
            }
        }
    }
}

enum Verdict {
    Continue(Value),
    Complete(Value),
}

fn verdict(answer: Value, step: u64) -> Result<Verdict, LoopError> {
    if let Value::Object(members) = answer
        && members.len() == 1
        && let Some((name, value)) = members.into_iter().next()
    {
        match name.as_str() {
            "continue" => return Ok(Verdict::Continue(value)),
            "complete" => return Ok(Verdict::Complete(value)),
            _ => {}
        }
    }
    let message = format!(
        "step {step} of a machine answers {{\"continue\": state}} or {{\"complete\": output}}, and \
         nothing beside it"
    );
    Err(LoopError::new(FailureCode::SchemaOutput, message).after_work())
}
