//! Composites: step by step, each a call, calls side by side, or a wait.

use std::sync::Arc;

use realm_protocol::{CallId, FailureCode, json::Object, limits};
use serde_json::{Value, json};

use super::{Context, Run, Task};
use crate::{
    Body, Call, Composite, LoopError, Manifest, Step, Work,
    executor::frame::{At, Branch, Composition, Frame, Place, Progress, child_id},
    mapping::{Binding, Scope},
};

impl Run {
    /// Takes a composite to its next step that has something to wait for, or to its end.
    pub(super) fn next_step(&mut self, call: CallId, composite: &Composite, cx: &mut Context<'_>) {
        loop {
            let Some((frame, composition)) = self.composition(call) else {
                return;
            };
            let index = composition.outputs.len();
            let Some(step) = composite.steps.get(index) else {
                let last = composition.last;
                let output = last.and_then(|last| composition.outputs.get(last)).cloned();
                return self.complete(call, output.unwrap_or(Value::Null), cx);
            };
            let runs = holds(step, &frame.scope(None), index);
            let begun = runs.and_then(|runs| match (runs, &step.work) {
                (false, _) => Ok(None),
                (true, Work::Wait { for_ms }) => Ok(Some(Begun::Wait(*for_ms))),
                (true, Work::Call(called)) => {
                    let branch = branch(called, &frame.scope(None), index)?;
                    Ok(Some(Begun::Calls(vec![branch])))
                }
                (true, Work::Parallel(steps)) => branches(steps, frame, index).map(Some),
            });
            match begun {
                Err(error) => return self.fail(call, error, cx),
                Ok(None) => {
                    self.event(
                        call,
                        "child.skipped",
                        Object::new().with("stepIndex", &index),
                        cx,
                    );
                    self.bind(call, step, None);
                }
                Ok(Some(Begun::Wait(for_ms))) => {
                    if self.begin_wait(call, index, for_ms, cx) {
                        return;
                    }
                    self.bind(call, step, None);
                }
                Ok(Some(Begun::Calls(branches))) => {
                    if let Some(composition) = self.composition_mut(call) {
                        composition.current = branches;
                    }
                    if !self.finish_step(call, step) {
                        return self.begin_calls(call, index, step, cx);
                    }
                }
            }
        }
    }

    /// Starts as many calls of the step under way as may run at a time.
    fn begin_calls(&mut self, call: CallId, index: usize, step: &Step, cx: &mut Context<'_>) {
        let parallel = matches!(step.work, Work::Parallel(_));
        for (number, called) in step.calls().enumerate() {
            let at_a_time = called.for_each.as_ref();
            let at_a_time = at_a_time.map_or(1, |each| each.concurrency);
            loop {
                let Some(branch) = self.branch_mut(call, number) else {
                    return;
                };
                let item = branch.next;
                if branch.open as u64 >= at_a_time || item >= branch.outputs.len() {
                    break;
                }
                branch.next += 1;
                branch.open += 1;
                let at = At {
                    step: index as u64,
                    branch: parallel.then_some(number),
                    item: branch.items.is_some().then_some(item),
                    fallback: false,
                };
                let Err(error) = self.spawn_call(call, at, called, cx) else {
                    continue;
                };
                match self.branch_mut(call, number) {
                    // Its loop runs as often as it may: the next one that ends makes room.
                    Some(branch) if error.code == FailureCode::Overloaded && branch.open > 1 => {
                        branch.next -= 1;
                        branch.open -= 1;
                        break;
                    }
                    _ if called.for_each.is_some() || called.fallback.is_some() => {
                        let place = Place { frame: call, at };
                        let attempt = self.frames.get(&call).map_or(1, |frame| frame.attempt);
                        let child = child_id(self.id, (call, attempt), at);
                        self.ready.push_back(Task::Done(place, child, Err(error)));
                    }
                    _ => return self.fail(call, error, cx),
                }
            }
        }
    }

    /// Takes the end of one of a step's calls.
    pub(super) fn call_done(
        &mut self,
        place: Place,
        result: Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        let Place { frame: call, at } = place;
        let Some(manifest) = self.manifest_of(call) else {
            return;
        };
        let Some(step) = step_at(&manifest, at.step) else {
            return;
        };
        let number = at.branch.unwrap_or(0);
        let Some(called) = step.calls().nth(number) else {
            return;
        };
        // Who is fallen back on says nothing of what the other one has begun.
        let result = result.map_err(|error| LoopError {
            may_have_begun: error.may_have_begun || at.fallback,
            ..error
        });
        let output = match result {
            Ok(output) => output,
            Err(_) if called.fallback.is_some() && !at.fallback => {
                let at = At {
                    fallback: true,
                    ..at
                };
                if let Err(error) = self.spawn_call(call, at, called, cx) {
                    // It says nothing of what the other one has begun.
                    self.fail(call, error.after_work(), cx);
                }
                return;
            }
            Err(error)
                if called
                    .for_each
                    .as_ref()
                    .is_some_and(|each| each.keep_failures) =>
            {
                json!({"error": {"code": error.code.name(), "message": error.message}})
            }
            Err(error) => {
                let item = at.item.map(|item| format!(", item {item},"));
                let named = step.output_binding.as_ref();
                let message = format!(
                    "step {}{}{} failed: {}",
                    at.step,
                    named.map(|name| format!(" (`{name}`)")).unwrap_or_default(),
                    item.unwrap_or_default(),
                    error.message
                );
                return self.fail(call, LoopError { message, ..error }, cx);
            }
        };
        if let Some(branch) = self.branch_mut(call, number) {
            branch.open = branch.open.saturating_sub(1);
            branch.done += 1;
            if let Some(slot) = branch.outputs.get_mut(at.item.unwrap_or(0)) {
                *slot = output;
            }
        }
        if self.finish_step(call, step) {
            self.ready.push_back(Task::Advance(call));
        } else {
            let index = usize::try_from(at.step).unwrap_or(usize::MAX);
            self.begin_calls(call, index, step, cx);
        }
    }

    /// Closes the step under way if all its calls have ended.
    fn finish_step(&mut self, call: CallId, step: &Step) -> bool {
        let Some(composition) = self.composition_mut(call) else {
            return false;
        };
        if !composition.current.iter().all(Branch::is_done) {
            return false;
        }
        let parallel = matches!(step.work, Work::Parallel(_));
        let outputs = std::mem::take(&mut composition.current).into_iter();
        let mut outputs: Vec<Value> = outputs.map(Branch::into_output).collect();
        let output = if parallel {
            Value::Array(outputs)
        } else {
            outputs.pop().unwrap_or(Value::Null)
        };
        self.bind(call, step, Some(output));
        true
    }

    /// Keeps a step's output for the steps after it; none for a step that did not run.
    pub(super) fn bind(&mut self, call: CallId, step: &Step, output: Option<Value>) {
        let Some(composition) = self.composition_mut(call) else {
            return;
        };
        let index = composition.outputs.len();
        if output.is_some() {
            composition.last = Some(index);
        }
        composition.outputs.push(output.unwrap_or(Value::Null));
        let bind = |name: &String, branch| Binding {
            name: name.clone(),
            step: index,
            branch,
        };
        let own = step.output_binding.iter().map(|name| bind(name, None));
        composition.bindings.extend(own);
        if let Work::Parallel(branches) = &step.work {
            let names = branches.iter().enumerate().filter_map(|(number, branch)| {
                let name = branch.output_binding.as_ref()?;
                Some(bind(name, Some(number)))
            });
            composition.bindings.extend(names);
        }
    }

    pub(super) fn manifest_of(&self, call: CallId) -> Option<Arc<Manifest>> {
        self.frames.get(&call)?.subject.manifest().cloned()
    }

    pub(super) fn composition(&self, call: CallId) -> Option<(&Frame, &Composition)> {
        let frame = self.frames.get(&call)?;
        match &frame.progress {
            Progress::Composite(composition) => Some((frame, composition)),
            _ => None,
        }
    }

    pub(super) fn composition_mut(&mut self, call: CallId) -> Option<&mut Composition> {
        match &mut self.frames.get_mut(&call)?.progress {
            Progress::Composite(composition) => Some(composition),
            _ => None,
        }
    }

    fn branch_mut(&mut self, call: CallId, number: usize) -> Option<&mut Branch> {
        self.composition_mut(call)?.current.get_mut(number)
    }
}

pub(super) fn step_at(manifest: &Manifest, index: u64) -> Option<&Step> {
    match &manifest.body {
        Body::Composite(composite) => composite.steps.get(usize::try_from(index).ok()?),
        _ => None,
    }
}

/// What a step begins with.
enum Begun {
    Wait(u64),
    Calls(Vec<Branch>),
}

fn holds(step: &Step, scope: &Scope<'_>, index: usize) -> Result<bool, LoopError> {
    let Some(condition) = &step.when else {
        return Ok(true);
    };
    condition.holds(scope).map_err(|error| {
        let message = format!("the condition of step {index}, `{condition}`: {error}");
        LoopError::new(FailureCode::LoopFailed, message)
    })
}

fn branches(steps: &[Step], frame: &Frame, index: usize) -> Result<Begun, LoopError> {
    let scope = frame.scope(None);
    let branches = steps.iter().filter_map(|step| {
        let called = step.call()?;
        Some(match holds(step, &scope, index) {
            Ok(true) => branch(called, &scope, index),
            Ok(false) => Ok(Branch::skipped()),
            Err(error) => Err(error),
        })
    });
    branches.collect::<Result<_, _>>().map(Begun::Calls)
}

/// A branch with the items it goes over.
fn branch(called: &Call, scope: &Scope<'_>, index: usize) -> Result<Branch, LoopError> {
    let Some(each) = &called.for_each else {
        return Ok(Branch::new(None));
    };
    match each.items.select(scope) {
        Some(Value::Array(items)) if items.len() <= limits::ITEMS => Ok(Branch::new(Some(items))),
        Some(Value::Array(items)) => {
            let message = format!(
                "step {index} goes over {} items, and {} is the limit",
                items.len(),
                limits::ITEMS
            );
            Err(LoopError::new(FailureCode::Budget, message))
        }
        _ => {
            let message = format!("step {index} goes over a list, and finds none");
            let detail = format!("/steps/{index}/forEach: `{}` is no list", each.items);
            let error = LoopError::new(FailureCode::SchemaInput, message);
            Err(error.with_details(vec![detail]))
        }
    }
}
