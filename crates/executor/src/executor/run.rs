//! One run: the tree of frames that one call caused in this realm.

mod approval;
mod ask;
mod call;
mod composite;
mod finish;
mod guard;
mod halt;
mod keep;
mod kept;
mod known;
mod leaf;
mod machine;
mod model;
mod pause;
mod permit;
mod route;
mod spend;
mod stream;
mod wait;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use realm_protocol::{
    CallId, Digest, FailureCode, Now, RunId, Tick, Timestamp,
    budget::Spend,
    journal::Event,
    json::{self, Object},
    limits,
};
use serde_json::Value;

use super::{
    Action, Given, Limits, Start,
    account::Account,
    frame::{Began, Composition, Conversation, Frame, Place, Progress, Routing, Subject},
    shared::Shared,
};
use crate::{BackendChoice, Body, LoopError, Outcome, Registered, Registry};
pub(super) use known::Known;
pub(super) use spend::budget_value;
pub use spend::spend_value;
use stream::Stream;

/// What a step of a run may touch.
pub(super) struct Context<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) registry: &'a Registry,
    pub(super) now: Now,
    pub(super) limits: Limits,
}

/// Things that one run does before others have their turn, and milliseconds until it goes on: steps
/// that wait for nobody make no more of a trace than a store takes.
const TURN: usize = 256;
const TURN_MS: u64 = 10;
/// Ends known from before a restart that count as one such thing: nothing is written for them.
const KNOWN_ENDS: usize = 64;
/// A turn, where such an end counts as one.
const WHOLE_TURN: usize = TURN * KNOWN_ENDS;

#[derive(Debug)]
pub(super) struct Run {
    id: RunId,
    root: CallId,
    entry: Arc<Registered>,
    started: Timestamp,
    /// When its caller no longer waits for it, whatever it is allowed itself.
    latest: Tick,
    events: u64,
    opened: u64,
    frames: BTreeMap<CallId, Frame>,
    /// Who waits for what was asked, of backends and other realms.
    asked: BTreeMap<CallId, CallId>,
    /// What is to be done next; nothing of it waits for anybody.
    ready: VecDeque<Task>,
    /// What is left of its turn.
    turn: usize,
    /// Calls that policy has not spoken of yet: nothing else is done until it has, so that they begin in their order.
    unspoken: usize,
    /// Whether it goes on after a restart.
    durable: bool,
    /// Whether it has asked for what has effects or is paid for.
    acted: bool,
    /// Names the work, if it is not this run's alone.
    work: Option<Digest>,
    /// Frames that are written down, by the frame that called them; the first one by itself.
    kept: BTreeMap<CallId, BTreeSet<CallId>>,
    /// What was written down before a restart and has not been used yet.
    known: BTreeMap<CallId, Known>,
    /// Since when it stands still, if it does.
    paused: Option<Pause>,
    /// Whether it stands still by its owner's word.
    halted: bool,
    /// Milliseconds spent in earlier pauses.
    paused_ms: u64,
    /// Whether its frames take the places that their loops allow: not while it stands still and nobody works for it.
    placed: bool,
    /// What is shown of it while it runs.
    stream: Stream,
    /// Whom its prompts ask instead of their own backends.
    backend: Option<BackendChoice>,
    /// What it may use.
    budgets: Vec<Given>,
    /// What it has used, once it has ended.
    spent: Spend,
    result: Option<Result<Value, LoopError>>,
}

/// A run that stands still until somebody says otherwise.
#[derive(Clone, Copy, Debug)]
struct Pause {
    since: Began,
    cause: Cause,
}

/// Why a run stands still. A later cause takes the place of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// The process ends: nobody is told, and nothing of it is written down.
    Stop,
    /// Its owner has halted it, and whoever halts it again after a restart.
    Halt,
    /// Nothing of it is at work but calls that wait for an approval. They ask again by themselves after a
    /// restart.
    Approval,
    /// Whether whoever began it may go on is not known. It is asked again by itself after a restart.
    Permission,
    /// What a call did is unknown. The question comes again by itself after a restart.
    Question,
    /// Somebody asked for it.
    Hand,
}

/// One thing that a run does next.
#[derive(Debug)]
enum Task {
    Open(Box<Frame>),
    /// Asks whom a frame asks, again after a restart.
    Start(CallId),
    /// Takes a composite or a machine on.
    Advance(CallId),
    /// A child has ended.
    Done(Place, CallId, Result<Value, LoopError>),
    /// A child had ended before a restart.
    Known(Place, Result<Value, LoopError>),
    /// A pause is over.
    Wake(CallId),
}

impl Run {
    pub(super) fn new(start: &Start, entry: Arc<Registered>, now: Now) -> Self {
        Self {
            id: start.run,
            root: start.call,
            durable: start.durable,
            acted: false,
            work: start.work,
            entry,
            started: now.wall,
            latest: Tick::MAX,
            events: 0,
            opened: 0,
            frames: BTreeMap::new(),
            asked: BTreeMap::new(),
            ready: VecDeque::new(),
            turn: WHOLE_TURN,
            unspoken: 0,
            kept: BTreeMap::new(),
            known: BTreeMap::new(),
            paused: None,
            halted: false,
            paused_ms: 0,
            placed: true,
            stream: Stream::new(start.stream),
            backend: start.backend.clone(),
            budgets: start.budgets.clone(),
            spent: Spend::default(),
            result: None,
        }
    }

    /// Goes on with a run that a restart broke off.
    pub(super) fn restart(
        &mut self,
        start: Start,
        (started, known): (Timestamp, BTreeMap<CallId, Known>),
        cx: &mut Context<'_>,
    ) {
        self.started = started;
        self.known = known;
        let root = self.known.get(&self.root).and_then(Known::open);
        let since = root.and_then(|root| root.paused);
        let by_hand = root.is_some_and(|root| root.by_hand);
        self.paused_ms = root.map_or(0, |root| root.paused_ms);
        // What it stood still before the restart is none of its time, and neither is what it
        // overslept.
        let still = match since {
            Some(since) => cx.now.wall.since(since),
            None => self.overslept_ms(cx.now),
        };
        self.paused_ms = self.paused_ms.saturating_add(still);
        self.paused = by_hand.then(|| Pause {
            since: Began::now(cx.now),
            cause: Cause::Hand,
        });
        self.halted = cx.shared.halted.runs.contains(&self.id);
        if self.halted {
            self.paused.get_or_insert(Pause {
                since: Began::now(cx.now),
                cause: Cause::Halt,
            });
            cx.shared.push(Action::Halted { run: self.id });
        }
        self.begin(start, cx);
        if by_hand {
            self.tell_paused(cx);
        }
        if still > 0 || since.is_some() {
            self.keep(self.root, cx);
        }
    }

    /// For how long a wait has been over that ended while no process was there.
    fn overslept_ms(&self, now: Now) -> u64 {
        let dues = self.known.values().filter_map(|known| known.open()?.due);
        dues.map(|due| now.wall.since(due)).max().unwrap_or(0)
    }

    pub(super) fn begin(&mut self, start: Start, cx: &mut Context<'_>) {
        let timeout_ms = self.entry.manifest.limits.timeout_ms.min(limits::RUN_MS);
        self.latest = cx.now.tick.plus(start.timeout_ms.min(limits::RUN_MS));
        let frame = Frame::new(
            start.call,
            (
                Subject::Local(self.entry.clone()),
                start.loop_id,
                start.input,
            ),
            (timeout_ms, self.latest),
            start.depth,
            cx.now,
        );
        let own = self.entry.manifest.approval.iter();
        let approvals = own.chain(&start.approvals).cloned().collect();
        let frame = Frame { approvals, ..frame };
        let parent = start.parent.map(|parent| parent.frame);
        self.open(frame, parent, start.caller.as_deref(), cx);
        self.go_on(cx);
    }

    /// Something has come from outside: it has a turn of its own.
    pub(super) const fn take_turn(&mut self) {
        self.turn = WHOLE_TURN;
    }

    /// Does what is ready, until everything waits for somebody, or until others have had their turn.
    pub(super) fn go_on(&mut self, cx: &mut Context<'_>) {
        while self.turn > 0 {
            if self.paused.is_some() || self.unspoken > 0 {
                return;
            }
            let Some(task) = self.ready.pop_front() else {
                return;
            };
            self.turn = self.turn.saturating_sub(match task {
                Task::Known(..) => 1,
                _ => KNOWN_ENDS,
            });
            self.carry_out(task, cx);
        }
        if !self.ready.is_empty() && self.paused.is_none() {
            let next = cx.now.tick.plus(TURN_MS);
            cx.shared.set_timer(next, self.id, self.root);
        }
    }

    fn carry_out(&mut self, task: Task, cx: &mut Context<'_>) {
        match task {
            Task::Open(frame) if cx.shared.halted.stops(self.id, &frame.subject) => {
                self.ready.push_front(Task::Open(frame));
                self.halt(cx);
            }
            Task::Open(frame) => {
                let caller = frame.parent.map(|place| place.frame);
                // A caller that has ended meanwhile waits for nothing.
                if caller.is_none_or(|caller| self.frames.contains_key(&caller)) {
                    self.open(*frame, caller, None, cx);
                }
            }
            Task::Start(call) => self.start_body(call, cx),
            Task::Advance(call) => self.advance(call, cx),
            Task::Done(place, child, result) => self.child_done(place, child, result, cx),
            Task::Known(place, result) => self.child_ended(place, result, cx),
            Task::Wake(call) => self.wake(call, cx),
        }
    }

    /// Enters a frame: records it, checks its input, and sets its body going.
    fn open(
        &mut self,
        frame: Frame,
        parent: Option<CallId>,
        caller: Option<&str>,
        cx: &mut Context<'_>,
    ) {
        let call = frame.call;
        let subject = frame.subject.clone();
        self.opened = self.opened.saturating_add(1);
        let full = self.frames.len() >= cx.limits.frames || self.opened > cx.limits.run_frames;
        let taken = self.frames.contains_key(&call) || cx.shared.is_waiting(call);
        if (full || taken) && frame.parent.is_some() {
            let message = format!("`{}` is one frame too many for one run", subject.name());
            return self.refuse(&frame, LoopError::new(FailureCode::Budget, message));
        }
        cx.shared.set_timer(frame.deadline, self.id, call);
        let account = self.account_of(&frame);
        self.frames.insert(call, Frame { account, ..frame });
        match &subject {
            Subject::Local(entry) => {
                if self.placed {
                    cx.shared.enter(&entry.manifest.id);
                }
                self.open_local(call, entry, parent, caller, cx);
            }
            Subject::Remote { .. } => self.set_going(call, cx),
        }
    }

    /// What a frame and all below it may use; of the first one there is always an account.
    fn account_of(&self, frame: &Frame) -> Option<Box<Account>> {
        let first = frame.parent.is_none();
        let mut account = Account::of_run(if first { &self.budgets } else { &[] });
        if let Some(manifest) = frame.subject.manifest() {
            account.bound_by(&manifest.id, manifest.budget);
        }
        if let Some((by, budget)) = frame.budget.as_deref() {
            account.bound_by_caller(by, *budget);
        }
        let asked = frame.approvals.iter();
        let asked = asked.filter(|rule| rule.means(&frame.input));
        asked.for_each(|rule| account.ask_above(rule));
        (first || account.is_bounded()).then(|| Box::new(account))
    }

    fn open_local(
        &mut self,
        call: CallId,
        entry: &Registered,
        parent: Option<CallId>,
        caller: Option<&str>,
        cx: &mut Context<'_>,
    ) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let checked = entry.check_input(&frame.input);
        let again = self.known.contains_key(&call);
        if !again {
            let payload = started_payload(entry, parent, caller, frame);
            self.event(call, "call.started", payload, cx);
        }
        match checked {
            Ok(()) => {
                if !again {
                    self.event(call, "call.input.validated", checked_payload(), cx);
                }
                self.set_going(call, cx);
            }
            Err(details) => {
                let id = &entry.manifest.id;
                let message = format!("the input of `{id}` does not match its schema");
                let error = LoopError::new(FailureCode::SchemaInput, message);
                self.fail(call, error.with_details(details), cx);
            }
        }
    }

    /// Sets a frame's body going, where it stood before a restart if there was one.
    fn set_going(&mut self, call: CallId, cx: &mut Context<'_>) {
        match self.known.remove(&call) {
            None if self.halted => self.ready.push_back(Task::Start(call)),
            None => self.start_body(call, cx),
            Some(Known::Ended(end)) if call == self.root => self.end_again(end, cx),
            Some(Known::Open(record, state)) => self.take_up(call, *record, state, cx),
            Some(Known::Ended(Ok(output))) => self.complete(call, output, cx),
            Some(Known::Ended(Err(error))) => self.fail_for_good(call, error, cx),
        }
    }

    /// Starts a frame's body from its beginning.
    fn start_body(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        if frame.deadline <= cx.now.tick {
            return self.time_out(call, cx);
        }
        self.ask_policy(call, false, cx);
    }

    /// Begins a frame's work: policy permits it, and whoever has to approve it has.
    fn begin_body(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get_mut(&call) else {
            return;
        };
        let Subject::Local(entry) = frame.subject.clone() else {
            return self.ask_realm(call, cx);
        };
        frame.progress = match &entry.manifest.body {
            Body::Prompt(prompt) if prompt.tools.is_empty() => {
                return self.ask_model(call, prompt, cx);
            }
            Body::Prompt(_) => Progress::Conversation(Conversation::default()),
            Body::Tool(tool) => return self.use_tool(call, tool, cx),
            Body::Broadcast(_) => return self.ask_bidders(call, cx),
            Body::Route(route) => {
                let own = &entry.manifest.id;
                Progress::Routing(Routing::new(route, (own, &frame.called), self.id, call))
            }
            Body::Composite(_) => Progress::Composite(Composition::default()),
            Body::Machine(_) => Progress::Machine {
                state: frame.input.clone(),
                steps: 0,
            },
        };
        self.keep(call, cx);
        self.ready.push_back(Task::Advance(call));
    }

    fn advance(&mut self, call: CallId, cx: &mut Context<'_>) {
        let Some(frame) = self.frames.get(&call) else {
            return;
        };
        let Some(manifest) = frame.subject.manifest().cloned() else {
            return;
        };
        match &manifest.body {
            Body::Composite(composite) => self.next_step(call, composite, cx),
            Body::Machine(machine) => self.next_state(call, machine, cx),
            Body::Prompt(prompt) => self.ask_model(call, prompt, cx),
            Body::Route(route) => self.next_target(call, route, cx),
            Body::Tool(_) | Body::Broadcast(_) => {}
        }
    }

    /// The revisions of loops that its frames run, or ran before a restart.
    pub(super) fn revisions(&self) -> impl Iterator<Item = Digest> {
        let frames = self
            .frames
            .values()
            .filter_map(|frame| match &frame.subject {
                Subject::Local(entry) => Some(entry.digest),
                Subject::Remote { .. } => None,
            });
        let known = self
            .known
            .values()
            .filter_map(|known| known.open()?.manifest);
        frames.chain(known)
    }

    pub(super) fn take_outcome(&mut self, now: Now) -> Option<(CallId, Outcome)> {
        if self.halted {
            return None;
        }
        let result = self.result.take()?;
        let entry = &self.entry;
        let outcome = Outcome {
            result,
            loop_id: entry.manifest.id.clone(),
            version: entry.manifest.version.to_string(),
            contract: entry.contract,
            manifest: entry.manifest.clone(),
            effects: entry.effects,
            started: self.started,
            ended: now.wall,
            spent: std::mem::take(&mut self.spent),
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

fn started_payload(
    entry: &Registered,
    parent: Option<CallId>,
    caller: Option<&str>,
    frame: &Frame,
) -> Object {
    let at = frame.parent.map(|place| place.at);
    let payload = Object::new()
        .with("loopId", &entry.manifest.id)
        .with("loopVersion", &entry.manifest.version)
        .with("revision", &entry.digest)
        .with_some("parentCallId", parent)
        .with_some("caller", caller)
        .with_some("item", at.and_then(|at| at.item))
        .with_some("budget", frame.account.as_deref().and_then(Account::shown));
    with_data(payload, frame, ["input", "inputDigest"], &frame.input)
}

/// Adds what went into a frame or came out of it; of the first frame, the run itself says so.
fn with_data(payload: Object, frame: &Frame, names: [&str; 2], data: &Value) -> Object {
    let [name, digest] = names;
    if frame.parent.is_none() {
        return payload;
    }
    let bytes = json::to_bytes(data);
    let readable = json::check_inside(data, 1).is_ok();
    if readable && bytes.len() <= limits::TRACED_BYTES {
        payload.with(name, data)
    } else {
        payload.with(digest, &Digest::of(&[&bytes]))
    }
}

/// A check against a schema takes no time that this clock would show.
fn checked_payload() -> Object {
    Object::new().with("durationMs", &0)
}
