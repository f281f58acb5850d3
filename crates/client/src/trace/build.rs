//! From events to frames.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::{Node, number, text};
use crate::api::{Direction, Frame, RunStatus, Time, Trace, TraceEvent};

/// The frames of a trace, depth first.
pub(super) fn nodes(trace: &Trace) -> Vec<Node> {
    let mut building = Building::new(trace);
    for (index, event) in trace.events.iter().enumerate() {
        building.read(index, event);
    }
    building.take_run(trace);
    building.ordered()
}

/// A step that began, and whose frame has not been seen.
struct Begun {
    caller: usize,
    place: Place,
    fallback: bool,
    attempt: Option<u64>,
    address: String,
    input: [Option<Value>; 2],
}

/// Where in its caller a frame stands.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    step: Option<u64>,
    branch: Option<u64>,
    item: Option<u64>,
}

impl Place {
    fn of(payload: &Value) -> Self {
        Self {
            step: number(payload, "stepIndex"),
            branch: number(payload, "branch"),
            item: number(payload, "item"),
        }
    }
}

struct Building {
    /// Callers stand before what they called.
    nodes: Vec<Node>,
    children: Vec<Vec<usize>>,
    calls: BTreeMap<String, usize>,
    begun: VecDeque<Begun>,
    /// Frames that another realm is asked for again, under another id.
    retried: VecDeque<usize>,
}

impl Building {
    fn new(trace: &Trace) -> Self {
        let run = &trace.run.summary;
        let mut building = Self {
            nodes: Vec::new(),
            children: Vec::new(),
            calls: BTreeMap::new(),
            begun: VecDeque::new(),
            retried: VecDeque::new(),
        };
        building.add(&run.call_id, &run.loop_id, run.started_at, None);
        building
    }

    /// Adds a frame; `address` may carry a realm after `@`.
    fn add(&mut self, call: &str, address: &str, at: Time, parent: Option<usize>) -> usize {
        let index = self.nodes.len();
        let caller = parent.and_then(|parent| self.nodes.get(parent));
        self.nodes.push(Node {
            frame: frame(call, address, at),
            parent,
            depth: caller.map_or(0, |caller| caller.depth.saturating_add(1)),
            events: Vec::new(),
            critical: false,
        });
        self.children.push(Vec::new());
        if let Some(children) = parent.and_then(|parent| self.children.get_mut(parent)) {
            children.push(index);
        }
        self.calls.insert(call.to_owned(), index);
        index
    }

    fn read(&mut self, index: usize, event: &TraceEvent) {
        let known = self.calls.get(&event.call_id).copied();
        let own = known.unwrap_or_else(|| self.appear(event));
        if let Some(node) = self.nodes.get_mut(own) {
            node.events.push(index);
            if !event.kind.starts_with("child.") {
                note(&mut node.frame, event);
            }
        }
        match event.kind.as_str() {
            "child.started" => self.begin(own, event),
            "child.completed" => self.end(own, event),
            "call.retried" if self.is_remote(own) => self.retried.push_back(own),
            _ => {}
        }
    }

    fn is_remote(&self, index: usize) -> bool {
        let node = self.nodes.get(index);
        node.is_some_and(|node| node.frame.realm.is_some())
    }

    /// The frame that is asked for again by this event, if one is.
    fn again(&mut self, event: &TraceEvent) -> Option<usize> {
        let realm = text(&event.payload, "realm").filter(|_| event.kind == "call.sent")?;
        let same = |index: &usize| {
            let node = self.nodes.get(*index);
            node.is_some_and(|node| node.frame.realm.as_ref() == Some(&realm))
        };
        let at = self.retried.iter().position(same)?;
        self.retried.remove(at)
    }

    /// A frame shows itself by its first event.
    fn appear(&mut self, event: &TraceEvent) -> usize {
        if let Some(index) = self.again(event) {
            self.calls.insert(event.call_id.clone(), index);
            return index;
        }
        let parent = text(&event.payload, "parentCallId");
        let parent = parent.and_then(|call| self.calls.get(&call).copied());
        let loop_id = text(&event.payload, "loopId");
        let realm = text(&event.payload, "realm");
        let candidates = self.begun.iter().enumerate();
        let candidates = candidates
            .filter(|(_, begun)| parent.is_none_or(|parent| parent == begun.caller))
            .filter_map(|(at, begun)| {
                Some((
                    strangeness(&begun.address, loop_id.as_deref(), realm.as_deref())?,
                    at,
                ))
            });
        let begun = candidates.min().map(|(_, at)| at);
        match begun.and_then(|at| self.begun.remove(at)) {
            Some(begun) => self.attach(&event.call_id, event.ts, begun),
            None => {
                let address = loop_id.unwrap_or_default();
                self.add(
                    &event.call_id,
                    &address,
                    event.ts,
                    Some(parent.unwrap_or(0)),
                )
            }
        }
    }

    fn attach(&mut self, call: &str, at: Time, begun: Begun) -> usize {
        let index = self.add(call, &begun.address, at, Some(begun.caller));
        if let Some(Node { frame, .. }) = self.nodes.get_mut(index) {
            stand(frame, begun.place);
            (frame.attempts, frame.fallback) = (begun.attempt, begun.fallback);
            let [input, digest] = begun.input;
            frame.input = input;
            frame.input_digest = digest.and_then(|digest| digest.as_str().map(str::to_owned));
        }
        index
    }

    fn begin(&mut self, caller: usize, event: &TraceEvent) {
        let payload = &event.payload;
        let begun = Begun {
            caller,
            place: Place::of(payload),
            fallback: payload.get("fallback") == Some(&Value::Bool(true)),
            attempt: number(payload, "attempt"),
            address: text(payload, "loopId").unwrap_or_default(),
            input: ["input", "inputDigest"].map(|key| payload.get(key).cloned()),
        };
        match text(payload, "childCallId") {
            Some(call) if self.calls.contains_key(&call) => {}
            Some(call) => drop(self.attach(&call, event.ts, begun)),
            None => self.begun.push_back(begun),
        }
    }

    /// A step ended; a frame that left no event of its own is known by now at the latest.
    fn end(&mut self, caller: usize, event: &TraceEvent) {
        let payload = &event.payload;
        let Some(call) = text(payload, "childCallId") else {
            return;
        };
        let place = Place::of(payload);
        let own = self.calls.get(&call).copied().unwrap_or_else(|| {
            let fits = |begun: &Begun| begun.caller == caller && begun.place == place;
            match self.begun.iter().position(fits) {
                Some(at) => match self.begun.remove(at) {
                    Some(begun) => self.attach(&call, event.ts, begun),
                    None => self.add(&call, "", event.ts, Some(caller)),
                },
                None => self.add(&call, "", event.ts, Some(caller)),
            }
        });
        let Some(Node { frame, .. }) = self.nodes.get_mut(own) else {
            return;
        };
        // That names the call; the beginning did not.
        stand(frame, place);
        content(frame, payload);
        if frame.status == RunStatus::Running {
            frame.status = match text(payload, "status").as_deref() {
                Some("ok") => RunStatus::Completed,
                _ => ended(frame.error.as_deref().or(Some(""))),
            };
            frame.duration_ms = Some(event.ts.since(frame.started_at));
        }
    }

    /// What is known of the run is known of its own call.
    fn take_run(&mut self, trace: &Trace) {
        let Some(Node { frame, .. }) = self.nodes.first_mut() else {
            return;
        };
        let run = &trace.run;
        let peer = run.summary.peer.clone();
        match run.summary.direction {
            Direction::Out => frame.realm = peer.or(frame.realm.take()),
            Direction::In => frame.caller = peer.or(frame.caller.take()),
            Direction::Local => {}
        }
        frame.version = frame.version.take().or(run.summary.version.clone());
        frame.status = run.summary.status;
        frame.duration_ms = run.summary.duration_ms.or(frame.duration_ms);
        frame.error = run.summary.error.clone().or(frame.error.take());
        let message = run.failure.as_ref().map(|error| error.message.clone());
        frame.message = message.or(frame.message.take());
        frame.input = run.input.clone().or(frame.input.take());
        frame.output = run.output.clone().or(frame.output.take());
    }

    /// Puts the frames in order, depth first, without recursion: they may be thousands deep.
    fn ordered(self) -> Vec<Node> {
        let Self {
            nodes, children, ..
        } = self;
        let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
        let mut ordered: Vec<Node> = Vec::with_capacity(slots.len());
        let mut open = vec![(0, None)];
        while let Some((old, parent)) = open.pop() {
            let Some(node) = slots.get_mut(old).and_then(Option::take) else {
                continue;
            };
            let new = ordered.len();
            ordered.push(Node { parent, ..node });
            let below = children.get(old).into_iter().flatten().rev();
            open.extend(below.map(|child| (*child, Some(new))));
        }
        ordered
    }
}

/// How badly a frame that names a loop, a realm, or neither suits a step that calls an address;
/// none where it cannot be that step's. A realm may have several names.
fn strangeness(address: &str, loop_id: Option<&str>, realm: Option<&str>) -> Option<u8> {
    let (called, at) = match address.split_once('@') {
        Some((called, at)) => (called, Some(at)),
        None => (address, None),
    };
    if loop_id.is_some_and(|id| id != called) {
        return None;
    }
    Some(match (at, realm) {
        (Some(at), Some(realm)) if at == realm => 0,
        (Some(_), Some(_)) => 1,
        (None, None) if loop_id.is_some() => 0,
        (Some(_), None) if loop_id.is_none() => 1,
        _ => 2,
    })
}

fn frame(call: &str, address: &str, started_at: Time) -> Frame {
    let (loop_id, realm) = match address.split_once('@') {
        Some((loop_id, realm)) => (loop_id, Some(realm.to_owned())),
        None => (address, None),
    };
    Frame {
        call_id: call.to_owned(),
        loop_id: loop_id.to_owned(),
        version: None,
        contract: None,
        realm,
        caller: None,
        step: None,
        branch: None,
        item: None,
        fallback: false,
        status: RunStatus::Running,
        started_at,
        duration_ms: None,
        error: None,
        message: None,
        category: None,
        attempts: None,
        backend: None,
        model: None,
        prompt_version: None,
        input_tokens: None,
        output_tokens: None,
        cost_micros: None,
        budget: None,
        spent: None,
        tool: None,
        tool_calls: None,
        input_digest: None,
        output_digest: None,
        input: None,
        output: None,
    }
}

/// What an event says of its frame.
fn note(frame: &mut Frame, event: &TraceEvent) {
    let payload = &event.payload;
    content(frame, payload);
    take(&mut frame.contract, text(payload, "contract"));
    take(&mut frame.prompt_version, text(payload, "promptVersion"));
    take(&mut frame.model, text(payload, "model"));
    take(&mut frame.caller, text(payload, "caller"));
    frame.attempts = frame.attempts.max(number(payload, "attempt"));
    if event.kind == "call.retried" && number(payload, "attempt").is_none() {
        let tried = frame.attempts.unwrap_or(1);
        frame.attempts = Some(tried.saturating_add(1));
    }
    match event.kind.as_str() {
        "call.started" => {
            if let Some(loop_id) = text(payload, "loopId") {
                frame.loop_id = loop_id;
            }
            take(&mut frame.version, text(payload, "loopVersion"));
            take(&mut frame.realm, text(payload, "realm"));
            take(&mut frame.budget, member(payload, "budget"));
        }
        "call.sent" => take(&mut frame.realm, text(payload, "realm")),
        "call.backend.requested" => {
            frame.status = RunStatus::Running;
            take(&mut frame.backend, text(payload, "backendId"));
        }
        "call.backend.responded" => {
            add(&mut frame.input_tokens, number(payload, "inputTokens"));
            add(&mut frame.output_tokens, number(payload, "outputTokens"));
            add(&mut frame.cost_micros, number(payload, "costMicros"));
        }
        "call.tool.invoked" => {
            frame.status = RunStatus::Running;
            take(&mut frame.tool, text(payload, "implementation"));
            add(&mut frame.tool_calls, Some(1));
        }
        "call.returned" => {
            take(&mut frame.version, text(payload, "version"));
            take(&mut frame.spent, member(payload, "spent"));
            close(frame, event, true);
        }
        "call.completed" => {
            take(&mut frame.spent, member(payload, "spent"));
            close(frame, event, false);
        }
        "call.errored" => {
            take(&mut frame.spent, member(payload, "spent"));
            close(frame, event, true);
        }
        // Only a person can say how it goes on.
        "call.outcome.unknown" => {
            frame.status = RunStatus::Paused;
            take(&mut frame.message, text(payload, "message"));
        }
        "run.paused" => frame.status = RunStatus::Paused,
        "run.resumed" => {
            (frame.status, frame.duration_ms) = (RunStatus::Running, None);
            (frame.error, frame.message, frame.category) = (None, None, None);
        }
        _ => {}
    }
}

fn close(frame: &mut Frame, event: &TraceEvent, may_fail: bool) {
    let told = |key| may_fail.then(|| text(&event.payload, key)).flatten();
    frame.error = told("failure");
    frame.message = frame.error.as_ref().and_then(|_| told("message"));
    frame.category = frame.error.as_ref().and_then(|_| told("category"));
    frame.status = ended(frame.error.as_deref());
    frame.duration_ms = Some(event.ts.since(frame.started_at));
}

/// The first input and the last output are the frame's own.
fn content(frame: &mut Frame, payload: &Value) {
    let value = |key| payload.get(key).cloned();
    frame.input = frame.input.take().or_else(|| value("input"));
    let digest = || text(payload, "inputDigest");
    frame.input_digest = frame.input_digest.take().or_else(digest);
    take(&mut frame.output, value("output"));
    take(&mut frame.output_digest, text(payload, "outputDigest"));
}

fn stand(frame: &mut Frame, place: Place) {
    take(&mut frame.step, place.step);
    take(&mut frame.branch, place.branch);
    take(&mut frame.item, place.item);
}

fn take<T>(member: &mut Option<T>, told: Option<T>) {
    if told.is_some() {
        *member = told;
    }
}

fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

fn ended(failure: Option<&str>) -> RunStatus {
    match failure {
        None => RunStatus::Completed,
        Some("Cancelled") => RunStatus::Cancelled,
        Some(_) => RunStatus::Failed,
    }
}

/// A member of a payload that reads.
fn member<T: serde::de::DeserializeOwned>(payload: &Value, name: &str) -> Option<T> {
    let found = payload.get(name)?.clone();
    serde_json::from_value(found).ok()
}
