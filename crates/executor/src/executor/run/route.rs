//! Routes: one target after the other, until one takes the work.

use realm_protocol::{CallId, FailureCode, json::Object};
use serde_json::Value;

use super::{Context, Run, Task};
use crate::{
    Body, Category, Effects, LoopError, Manifest, Route, Target,
    executor::frame::{At, Progress, Routing},
};

impl Run {
    /// Hands the work to the first target that has not refused it. Which one it is was written down
    /// before: a restarted run does not choose anew.
    pub(super) fn next_target(&mut self, call: CallId, route: &Route, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let Progress::Routing(routing) = &frame.progress else {
            return;
        };
        let chosen = routing.order.get(routing.refused);
        let Some(target) = chosen.and_then(|place| route.targets.get(*place)) else {
            let error = LoopError::new(FailureCode::NoRoute, "the route has no target left");
            return self.fail(call, error, cx);
        };
        let at = At {
            step: routing.refused as u64,
            ..At::default()
        };
        let mut handed = target.call.clone();
        handed.loop_id = target.address(&routing.called);
        handed.timeout_ms = Some(target.timeout_ms());
        let input = frame.input.clone();
        if let Err(error) = self.spawn(call, at, &handed, input, cx) {
            self.target_done(call, Err(error), cx);
        }
    }

    /// Takes what came of the target that was chosen: the route's output, or a refusal after which the
    /// next one has its turn.
    pub(super) fn target_done(
        &mut self,
        call: CallId,
        result: Result<Value, LoopError>,
        cx: &mut Context<'_>,
    ) {
        let error = match result {
            Ok(output) => return self.complete(call, output, cx),
            Err(error) => error,
        };
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let effects = frame.subject.effects();
        let Some(manifest) = frame.subject.manifest().cloned() else {
            return;
        };
        let Progress::Routing(routing) = &mut frame.progress else {
            return;
        };
        let address = target_of(&manifest, routing)
            .map(|target| target.address(&routing.called).to_string())
            .unwrap_or_default();
        routing.doubtful |= error.may_have_begun;
        routing
            .reasons
            .push(format!("{address}: {}: {}", error.code, error.message));
        let left = routing.order.len().saturating_sub(routing.refused);
        if left <= 1 || !another_may(&error, effects) {
            let reasons = std::mem::take(&mut routing.reasons);
            let (tried, details) = match reasons.as_slice() {
                [_] => ("its target".to_owned(), error.details.clone()),
                reasons => (format!("{} targets", reasons.len()), reasons.to_vec()),
            };
            let message = format!(
                "the route has tried {tried}, `{address}` last: {}",
                error.message
            );
            let error = LoopError { message, ..error };
            return self.fail(call, error.with_details(details), cx);
        }
        routing.refused = routing.refused.saturating_add(1);
        let next = target_of(&manifest, routing);
        let next = next.map(|target| target.address(&routing.called).to_string());
        let payload = Object::new()
            .with("refused", &address)
            .with("failure", error.code.name())
            .with("message", &error.message)
            .with_some("next", next);
        self.event(call, "call.rerouted", payload, cx);
        self.keep(call, cx);
        self.ready.push_back(Task::Advance(call));
    }
}

/// The target that has its turn.
fn target_of<'a>(manifest: &'a Manifest, routing: &Routing) -> Option<&'a Target> {
    let Body::Route(route) = &manifest.body else {
        return None;
    };
    route.targets.get(*routing.order.get(routing.refused)?)
}

/// Whether another target may have work after a failure: the failure proves that nothing was done, or
/// doing it twice is as doing it once and another realm may fare better.
fn another_may(error: &LoopError, effects: Effects) -> bool {
    let elsewhere = matches!(
        error.code,
        FailureCode::Denied
            | FailureCode::Overloaded
            | FailureCode::LoopNotFound
            | FailureCode::Halted
            | FailureCode::BadCertificate
            | FailureCode::UnknownKey
            | FailureCode::VersionMismatch
            | FailureCode::Expired
    ) || error.category == Category::Transient;
    elsewhere && (!error.may_have_begun || effects != Effects::Once)
}
