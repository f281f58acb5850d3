//! One run: the tree of frames that one call caused in this realm.

mod body;
mod finish;

use std::{collections::BTreeMap, sync::Arc};

use realm_protocol::{CallId, FailureCode, Now, RunId, journal::Event, json::Object, limits};
use serde_json::Value;

use super::{
    Action, Limits, Start,
    frame::{Frame, Place, Waiting},
    shared::Shared,
};
use crate::{LoopError, Outcome, Registered, Registry};

/// What a step of a run may touch.
pub(super) struct Context<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) registry: &'a Registry,
    pub(super) now: Now,
    pub(super) limits: Limits,
}

#[derive(Debug)]
pub(super) struct Run {
    id: RunId,
    root: CallId,
    entry: Arc<Registered>,
    started: Now,
    events: u64,
    opened: usize,
    frames: BTreeMap<CallId, Frame>,
    remotes: BTreeMap<CallId, Place>,
    result: Option<Result<Value, LoopError>>,
}

impl Run {
    pub(super) fn new(start: &Start, entry: Arc<Registered>, now: Now) -> Self {
        Self {
            id: start.run,
            root: start.call,
            entry,
            started: now,
            events: 0,
            opened: 0,
            frames: BTreeMap::new(),
            remotes: BTreeMap::new(),
            result: None,
        }
    }

    pub(super) fn begin(&mut self, start: Start, cx: &mut Context<'_>) {
        let entry = self.entry.clone();
        let timeout = entry
            .manifest
            .limits
            .timeout_ms
            .min(start.timeout_ms)
            .min(limits::CALL_MAX_MS);
        let frame = Frame {
            call: start.call,
            parent: None,
            entry,
            input: start.input,
            started: cx.now,
            deadline: cx.now.tick.plus(timeout),
            depth: start.depth,
            waiting: Waiting::Nothing,
            outputs: Vec::new(),
            bindings: Vec::new(),
        };
        let parent = start.parent.map(|parent| parent.frame);
        self.open(frame, parent, start.caller.as_deref(), cx);
    }

    /// Enters a frame: records it, checks its input, and sets its body going.
    fn open(
        &mut self,
        frame: Frame,
        parent: Option<CallId>,
        caller: Option<&str>,
        cx: &mut Context<'_>,
    ) {
        let (call, entry) = (frame.call, frame.entry.clone());
        self.opened = self.opened.saturating_add(1);
        cx.shared.enter(&entry.manifest.id);
        cx.shared.set_timer(frame.deadline, self.id, call);
        let checked = entry.check_input(&frame.input);
        self.frames.insert(call, frame);
        self.event(
            call,
            "call.started",
            started_payload(&entry, parent, caller),
            cx,
        );
        match checked {
            Ok(()) => {
                self.event(call, "call.input.validated", checked_payload(), cx);
                self.run_body(call, cx);
            }
            Err(details) => {
                let message = format!(
                    "the input of `{}` does not match its schema",
                    entry.manifest.id
                );
                self.fail(
                    call,
                    LoopError {
                        code: FailureCode::SchemaInput,
                        message,
                        details,
                    },
                    cx,
                );
            }
        }
    }

    pub(super) fn take_outcome(&mut self, now: Now) -> Option<(CallId, Outcome)> {
        let result = self.result.take()?;
        let entry = &self.entry;
        let outcome = Outcome {
            result,
            loop_id: entry.manifest.id.clone(),
            version: entry.manifest.version.to_string(),
            contract: entry.contract,
            manifest: entry.manifest.clone(),
            effects: entry.effects,
            started: self.started.wall,
            ended: now.wall,
        };
        Some((self.root, outcome))
    }

    pub(super) fn record(
        &mut self,
        call: CallId,
        kind: &str,
        payload: Object,
        shared: &mut Shared,
        now: Now,
    ) {
        let event = Event {
            run: self.id,
            index: self.events,
            call,
            at: now.wall,
            kind: kind.to_owned(),
            payload: payload.into_bytes().into(),
        };
        self.events = self.events.saturating_add(1);
        shared.push(Action::Event(event));
    }

    fn event(&mut self, call: CallId, kind: &str, payload: Object, cx: &mut Context<'_>) {
        self.record(call, kind, payload, cx.shared, cx.now);
    }
}

fn started_payload(entry: &Registered, parent: Option<CallId>, caller: Option<&str>) -> Object {
    Object::new()
        .with("loopId", &entry.manifest.id)
        .with("loopVersion", &entry.manifest.version)
        .with_some("parentCallId", parent)
        .with_some("caller", caller)
}

/// A check against a schema takes no time that this clock would show.
fn checked_payload() -> Object {
    Object::new().with("durationMs", &0)
}
