//! Calls that the steps of a frame make: which frames they open, over which manifests.

use realm_protocol::{CallId, FailureCode, LoopAddress, json::Object, limits};
use serde_json::{Map, Value};

use super::{Context, Known, Run, Task};
use crate::{
    Call, LoopError, Pin,
    executor::frame::{At, Frame, Place, Progress, Subject, child_id},
    mapping::Scope,
};

impl Run {
    /// Makes one of the step's calls.
    pub(super) fn spawn_call(
        &mut self,
        call: CallId,
        at: At,
        called: &Call,
        cx: &mut Context<'_>,
    ) -> Result<(), LoopError> {
        let Some((frame, composition)) = self.composition(call) else {
            return Ok(());
        };
        let branch = composition.current.get(at.branch.unwrap_or(0));
        let items = branch.and_then(|branch| branch.items.as_ref());
        let item = at.item.and_then(|item| Some((item, items?.get(item)?)));
        let input = call_input(called, at, &frame.scope(item))?;
        self.spawn(call, at, called, input, cx)
    }

    /// Opens a frame for a call of another one, unless it is known how that ended.
    pub(super) fn spawn(
        &mut self,
        caller: CallId,
        at: At,
        called: &Call,
        input: Value,
        cx: &mut Context<'_>,
    ) -> Result<(), LoopError> {
        let Some(frame) = self.frames.get(&caller) else {
            return Ok(());
        };
        let child = child_id(self.id, (caller, frame.attempt), at);
        let place = Place { frame: caller, at };
        if let Some(result) = self.known_end(caller, child) {
            self.ready.push_back(Task::Known(place, result));
            return Ok(());
        }
        let Some(frame) = self.frames.get(&caller) else {
            return Ok(());
        };
        let (loop_id, version) = match &called.fallback {
            Some(fallback) if at.fallback => (&fallback.loop_id, &fallback.loop_version),
            _ => (&called.loop_id, &called.loop_version),
        };
        if frame.depth >= cx.limits.depth {
            let message = format!("step {} (`{loop_id}`) is nested too deep", at.step);
            return Err(LoopError::new(FailureCode::Budget, message));
        }
        let called_by = loop_id.loop_id.clone();
        let pin = called.digest.zip(frame.subject.manifest());
        let pin = pin.map(|(digest, caller)| Pin {
            digest,
            by: caller.id.clone(),
        });
        let subject = self.subject(child, at.step, (loop_id, version.as_deref(), pin), cx)?;
        let own = match &subject {
            Subject::Local(entry) => entry.manifest.limits.timeout_ms,
            Subject::Remote { .. } => limits::RUN_MS,
        };
        let timeout_ms = called.timeout_ms.unwrap_or(own).min(own);
        let manifest = subject.manifest();
        let of_loop = manifest.and_then(|manifest| manifest.approval.as_ref());
        let approvals = of_loop.into_iter().chain(&called.approval);
        let approvals = approvals.cloned().collect();
        let share_of = self.to_come(caller, at);
        let Some(frame) = self.frames.get(&caller) else {
            return Ok(());
        };
        let by = frame.subject.manifest().map(|manifest| &manifest.id);
        let budget = by.filter(|_| !called.budget.is_unbounded());
        let budget = budget.map(|by| Box::new((by.clone(), called.budget)));
        let opened = Frame {
            share_of,
            budget,
            parent: Some(place),
            retry: called.retry.clone(),
            approvals,
            ..Frame::new(
                child,
                (subject, called_by, input),
                (timeout_ms, frame.deadline),
                frame.depth.saturating_add(1),
                cx.now,
            )
        };
        if !self.known.contains_key(&child) {
            let payload = Object::new()
                .with("stepIndex", &at.step)
                .with("loopId", loop_id)
                .with_some("branch", at.branch)
                .with_some("item", at.item)
                .with_some("fallback", at.fallback.then_some(true));
            self.event(caller, "child.started", payload, cx);
        }
        self.ready.push_back(Task::Open(Box::new(opened)));
        Ok(())
    }

    /// How many of the calls that a frame makes side by side are still to be made, this one included.
    fn to_come(&self, caller: CallId, at: At) -> u64 {
        let to_come = match self.frames.get(&caller).map(|frame| &frame.progress) {
            Some(Progress::Composite(composition)) => {
                let branches = composition.current.iter();
                let left = branches.map(|branch| branch.outputs.len().saturating_sub(branch.next));
                left.sum::<usize>().saturating_add(1)
            }
            Some(Progress::Conversation(conversation)) => {
                let calls = conversation
                    .open
                    .as_ref()
                    .map_or(1, |open| open.calls.len());
                calls.saturating_sub(at.branch.unwrap_or(0))
            }
            _ => 1,
        };
        to_come.max(1) as u64
    }

    /// What a call runs: the very manifest that it ran before a restart, or the one of its version.
    fn subject(
        &self,
        child: CallId,
        step: u64,
        (loop_id, version, pin): (&LoopAddress, Option<&str>, Option<Pin>),
        cx: &Context<'_>,
    ) -> Result<Subject, LoopError> {
        if loop_id.realm.is_some() {
            return Ok(Subject::Remote {
                address: loop_id.clone(),
                version: version.map(str::to_owned),
                pin,
            });
        }
        let id = &loop_id.loop_id;
        let known = self.known.get(&child).and_then(Known::open);
        let pinned = known.and_then(|known| known.manifest);
        let found = cx.registry.revision(pinned.as_ref(), child, id, version);
        let Some(entry) = found else {
            let message = match pinned {
                Some(digest) => format!(
                    "step {step} ran revision {digest} of `{id}`, which this realm no longer keeps"
                ),
                None => format!(
                    "step {step} calls `{id}`, which this realm does not have in that version"
                ),
            };
            return Err(LoopError::new(FailureCode::LoopNotFound, message));
        };
        let under_way = self.known.contains_key(&child);
        if !under_way && cx.shared.is_full(entry) {
            let message = format!("step {step} calls `{id}`, which runs as often as it may");
            return Err(LoopError::new(FailureCode::Overloaded, message));
        }
        Ok(Subject::Local(entry.clone()))
    }
}

/// Builds a call's input.
fn call_input(called: &Call, at: At, scope: &Scope<'_>) -> Result<Value, LoopError> {
    let Some(mapping) = &called.input_mapping else {
        let whole = scope.item.map_or(scope.input, |(_, item)| item);
        return Ok(whole.clone());
    };
    let mut input = Map::new();
    let mut details = Vec::new();
    let step = at.step;
    for (field, reference) in mapping {
        match reference.select(scope) {
            Some(value) => drop(input.insert(field.clone(), value)),
            None if reference.is_optional() => {}
            None => details.push(format!(
                "/steps/{step}/inputMapping/{field}: `{reference}` finds nothing"
            )),
        }
    }
    if details.is_empty() {
        return Ok(Value::Object(input));
    }
    let message = format!(
        "the input of step {step} (`{}`) cannot be put together",
        called.loop_id
    );
    Err(LoopError::new(FailureCode::SchemaInput, message).with_details(details))
}
