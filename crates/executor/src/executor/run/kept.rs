//! What calls are given of what their agent keeps, and what they change of it.

use realm_protocol::{CallId, FailureCode, json::Object};
use serde_json::{Map, Value};

use super::{Context, Run};
use crate::{
    LoopError,
    executor::{Action, frame::Frame},
};

impl Run {
    /// Gives a frame what its loop names of its agent's state, as it is now; none where it names none.
    ///
    /// # Errors
    /// What of the input cannot stand in a key.
    pub(super) fn give_state(
        &mut self,
        call: CallId,
        cx: &Context<'_>,
    ) -> Result<Option<Value>, LoopError> {
        let Some(frame) = self.frames.get_mut(&call) else {
            return Ok(None);
        };
        let manifest = frame.subject.manifest();
        let named = manifest.and_then(|own| own.state.as_ref().zip(own.state_agent()));
        let Some((named, agent)) = named else {
            return Ok(None);
        };
        let keys = named.keys_for(&frame.input).map_err(|faults| {
            let what = "the input names no key of a state";
            LoopError::new(FailureCode::SchemaInput, what).with_details(faults)
        })?;
        let (held, given) = cx.shared.states.give(agent, keys);
        frame.held = Some(Box::new(held));
        Ok(Some(given))
    }

    /// Parts an answer into the output and what it changes of the state that its frame was given. That is
    /// changed once the output has been found right.
    ///
    /// # Errors
    /// Why it cannot be changed so.
    pub(super) fn take_state(
        &mut self,
        call: CallId,
        answer: Value,
        cx: &Context<'_>,
    ) -> Result<Value, LoopError> {
        let Some(frame) = self.frames.get_mut(&call) else {
            return Ok(answer);
        };
        let Some(held) = &frame.held else {
            return Ok(answer);
        };
        let (output, changes) = held.part(answer).map_err(|faults| {
            let what = "the answer is not that of a loop with state";
            let error = LoopError::new(FailureCode::SchemaOutput, what).after_work();
            error.with_details(faults)
        })?;
        cx.shared.states.check(held, &changes)?;
        frame.changes = changes;
        Ok(output)
    }

    /// Changes the state as a frame has left it that ends well: with the end, or not at all.
    pub(super) fn change_state(&mut self, frame: &mut Frame, cx: &mut Context<'_>) {
        let changes = std::mem::take(&mut frame.changes);
        let Some(held) = frame.held.take().filter(|_| !changes.is_empty()) else {
            return;
        };
        let agent = held.agent;
        let stamp = (frame.call, cx.now.wall);
        let mut versions = Map::new();
        for (key, value) in cx.shared.states.make(&agent, changes, stamp) {
            let version = value.as_ref().map(|value| value.version);
            versions.insert(key.clone(), version.into());
            let agent = agent.clone();
            cx.shared.push(Action::State { agent, key, value });
        }
        let payload = Object::new()
            .with("agent", agent.as_str())
            .with("versions", &Value::Object(versions));
        self.event(frame.call, "call.state.changed", payload, cx);
    }
}
