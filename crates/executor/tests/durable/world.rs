//! A realm in miniature: what is written down survives, everything else is lost in a crash.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use realm_executor::{
    Action, Announcing, BackendError, BackendOutput, BackendReply, BackendRequest, CallError,
    Decision, Executor, Limits, Manifest, ModelRequest, Outcome, RealmCall, Registry, Restart,
    RestartError, ResumeError, Start, Tariff, ToolCall,
};
use realm_protocol::{
    CallId, FailureCode, Now, RunId, Tick, Timestamp,
    journal::{self, Event},
};
use serde_json::{Value, json};

pub(crate) const RUN: RunId = RunId::new([1; 16]);
pub(crate) const CALL: CallId = CallId::new([1; 16]);

/// A realm in miniature: what is written down survives, everything else is lost in a crash.
pub(crate) struct World {
    pub(crate) registry: Registry,
    pub(crate) executor: Executor,
    pub(crate) now: Now,
    pub(crate) start: Start,
    pub(crate) started: Timestamp,
    pub(crate) disk: BTreeMap<CallId, journal::FrameRecord>,
    pub(crate) events: Vec<Event>,
    /// Work given to a backend that has not answered.
    pub(crate) asked: VecDeque<(CallId, BackendRequest)>,
    /// Other realms' loops that were called.
    pub(crate) called: VecDeque<RealmCall>,
    /// Work that was announced and has not ended.
    pub(crate) announced: VecDeque<Announcing>,
    /// The broadcasts there were.
    pub(crate) broadcasts: BTreeSet<CallId>,
    pub(crate) paused: bool,
    /// Whether it stands still for a person's decision.
    pub(crate) undecided: bool,
    pub(crate) outcome: Option<Outcome>,
    /// How often each piece of work was done, by its key.
    pub(crate) done: BTreeMap<CallId, u64>,
    /// What each call gave.
    pub(crate) gave: BTreeMap<CallId, Value>,
    /// The keys of work that counts each time.
    pub(crate) charges: BTreeSet<CallId>,
    pub(crate) turns: u64,
    /// Whether all work fails.
    pub(crate) fails: bool,
    /// What models cost.
    pub(crate) tariffs: BTreeMap<String, Tariff>,
}

pub(crate) type Answer = Result<BackendReply, BackendError>;

/// What a tool of this world gives.
fn worked(input: &Value) -> Value {
    let seen = input.get("n").and_then(Value::as_u64).unwrap_or(0);
    match input.get("to").and_then(Value::as_u64) {
        Some(to) if seen + 1 >= to => json!({"complete": {"n": seen + 1}}),
        Some(to) => json!({"continue": {"n": seen + 1, "to": to}}),
        None => json!({"n": seen + 1}),
    }
}

/// What a model of this world answers: it charges and looks, charges once more, and counts.
fn thought(request: &ModelRequest) -> BackendReply {
    let call = |id: &str, name: &str, n: u64| ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: json!({"n": n}),
    };
    let calls = match request.turns.len() {
        0 => vec![
            call("a", "charge", 1),
            call("b", "look", 2),
            call("c", "none", 3),
        ],
        1 => vec![call("d", "charge", 4)],
        _ => {
            let results = request.turns.iter().flat_map(|turn| &turn.results);
            let counted = results.filter_map(|result| result.output.get("n")?.as_u64());
            return BackendReply::json(json!({"n": counted.sum::<u64>()}));
        }
    };
    BackendReply {
        output: BackendOutput::Calls { said: None, calls },
        ..BackendReply::json(Value::Null)
    }
}

impl World {
    pub(crate) fn new(loops: &[Value], loop_id: &str, input: Value) -> Self {
        let mut registry = Registry::default();
        for document in loops {
            let manifest = Manifest::from_json(document).unwrap();
            registry.insert(manifest).unwrap();
        }
        let now = Now {
            wall: Timestamp::from_millis(1_000_000),
            tick: Tick::from_millis(500),
        };
        Self {
            registry,
            executor: Executor::new(Limits::default()),
            now,
            start: Start {
                run: RUN,
                call: CALL,
                loop_id: loop_id.parse().unwrap(),
                version: None,
                input,
                timeout_ms: u64::MAX,
                depth: 0,
                caller: None,
                parent: None,
                durable: true,
                work: None,
                approvals: Vec::new(),
                stream: false,
                budgets: Vec::new(),
                backend: None,
            },
            started: now.wall,
            disk: BTreeMap::new(),
            events: Vec::new(),
            asked: VecDeque::new(),
            called: VecDeque::new(),
            announced: VecDeque::new(),
            broadcasts: BTreeSet::new(),
            paused: false,
            undecided: false,
            outcome: None,
            done: BTreeMap::new(),
            gave: BTreeMap::new(),
            charges: BTreeSet::new(),
            turns: 0,
            fails: false,
            tariffs: BTreeMap::new(),
        }
    }

    pub(crate) fn begin(&mut self) {
        self.executor.set_tariffs(self.tariffs.clone());
        self.executor
            .start(self.start.clone(), &self.registry, self.now)
            .unwrap();
    }

    /// The process ends and another begins: ticks start anew, the wall clock goes on.
    pub(crate) fn restart(&mut self) {
        self.try_restart().unwrap();
    }

    pub(crate) fn try_restart(&mut self) -> Result<(), RestartError> {
        self.executor = Executor::new(Limits::default());
        self.executor.set_tariffs(self.tariffs.clone());
        self.asked.clear();
        self.called.clear();
        self.announced.clear();
        (self.paused, self.undecided) = (false, false);
        self.now.tick = Tick::from_millis(1);
        let from = Restart {
            start: self.start.clone(),
            started: self.started,
            known: self.disk.clone(),
        };
        self.executor.restart(from, &self.registry, self.now)
    }

    pub(crate) fn later(&mut self, millis: u64) {
        self.now.wall = self.now.wall.plus(millis);
        self.now.tick = self.now.tick.plus(millis);
        self.executor.handle_timeout(&self.registry, self.now);
    }

    /// Carries out what the executor wants, as one turn: its changes are written down together,
    /// and before anything that rests on them. A turn that is `lost` leaves nothing.
    pub(crate) fn turn(&mut self, lost: bool) {
        let mut disk = self.disk.clone();
        let mut asked = VecDeque::new();
        let mut announced = VecDeque::new();
        while let Some(action) = self.executor.poll() {
            match action {
                Action::Event(event) => self.events.push(event),
                // No loop of this world keeps state, and nobody halts it.
                Action::Part { .. }
                | Action::Recall(_)
                | Action::Halted { .. }
                | Action::Unhalted { .. }
                | Action::State { .. }
                | Action::Approve(_)
                | Action::CancelApproval { .. }
                | Action::Breaker(_) => {}
                Action::Step(asked) => {
                    let of = (asked.run, asked.call);
                    self.executor
                        .permit_step(of, Vec::new(), &self.registry, self.now);
                }
                Action::Keep { call, frame, .. } => drop(disk.insert(call, *frame)),
                Action::Forget { calls, .. } => disk.retain(|call, _| !calls.contains(call)),
                Action::Backend { call, request, .. } => asked.push_back((call, request)),
                Action::CancelBackend(call) => self.asked.retain(|(of, _)| *of != call),
                Action::Paused { undecided, .. } => {
                    (self.paused, self.undecided) = (true, undecided);
                }
                Action::Resumed { .. } => {
                    (self.paused, self.undecided) = (false, false);
                }
                Action::Finished { outcome, .. } => self.outcome = Some(outcome),
                Action::Invoke(call) => self.called.push_back(call),
                Action::Announce(work) => announced.push_back(work),
                Action::CancelAnnounce(call) => self.announced.retain(|of| of.call != call),
                Action::CancelInvoke(call) => self.called.retain(|of| of.call != call),
            }
        }
        if lost {
            self.outcome = None;
        } else {
            self.disk = disk;
            self.asked.extend(asked);
            self.broadcasts
                .extend(announced.iter().map(|work| work.call));
            self.announced.extend(announced);
        }
        self.turns += 1;
    }

    /// Does one piece of work; whether its answer is heard is another matter.
    pub(crate) fn work(&mut self) -> Option<(CallId, Answer)> {
        let (call, request) = self.asked.pop_front()?;
        let (key, input, argv) = match request {
            BackendRequest::Process {
                key, input, argv, ..
            } => (key, input, argv),
            BackendRequest::Echo { input } => return Some((call, Ok(BackendReply::json(input)))),
            BackendRequest::Model(request) => return Some((call, Ok(thought(&request)))),
            other => panic!("{other:?} is no work for this world"),
        };
        *self.done.entry(key).or_default() += 1;
        if argv == ["charge"] {
            self.charges.insert(key);
        }
        if self.fails || input.get("fail").is_some() {
            let stderr = "told to".to_owned();
            let code = Some(1);
            return Some((call, Err(BackendError::Exit { code, stderr })));
        }
        let output = worked(&input);
        self.gave.insert(call, output.clone());
        Some((call, Ok(BackendReply::json(output))))
    }

    pub(crate) fn hear(&mut self, (call, answer): (CallId, Answer)) {
        self.executor
            .backend_done(call, answer, &self.registry, self.now);
    }

    /// Another realm gives no output.
    pub(crate) fn refuse(&mut self, call: CallId, code: FailureCode) {
        let error = CallError {
            code,
            message: "no output".to_owned(),
            details: Vec::new(),
            may_have_begun: true,
        };
        self.executor
            .invoke_done(call, Err(error), None, &self.registry, self.now);
    }

    /// What happens next: an answer, or the end of a wait. False if nothing does.
    pub(crate) fn next(&mut self) -> bool {
        if let Some(answer) = self.work() {
            self.hear(answer);
            return true;
        }
        if let Some(Announcing { call, input, .. }) = self.announced.pop_front() {
            self.executor
                .invoke_done(call, Ok(worked(&input)), None, &self.registry, self.now);
            return true;
        }
        if self.outcome.is_some() || self.paused {
            return false;
        }
        let next = self.executor.poll_timeout().unwrap();
        self.later(next.since(self.now.tick));
        true
    }

    /// Runs to the end, or until a person has to say something.
    pub(crate) fn run(&mut self) {
        loop {
            self.turn(false);
            if !self.next() {
                return;
            }
        }
    }

    pub(crate) fn resume(&mut self, decision: Option<Decision>) -> Result<(), ResumeError> {
        self.executor
            .resume(RUN, decision, &self.registry, self.now)
    }

    /// Runs to the end; where a call's outcome is unknown, a person finds out what it was.
    pub(crate) fn go_on_with_a_person(&mut self) {
        loop {
            self.run();
            if self.outcome.is_some() {
                return;
            }
            let Err(ResumeError::Undecided { call }) = self.resume(None) else {
                panic!("it is paused for a decision");
            };
            let decision = match self.gave.get(&call) {
                Some(output) => Decision::Output(output.clone()),
                None => Decision::Again,
            };
            self.resume(Some(decision)).unwrap();
        }
    }

    pub(crate) fn output(&self) -> &Value {
        let outcome = self.outcome.as_ref().unwrap();
        outcome.result.as_ref().unwrap()
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        let of_kind = self.events.iter().filter(|event| event.kind == kind);
        of_kind.count()
    }
}

pub(crate) fn a_loop(id: &str, kind: &str, body: Value) -> Value {
    let mut document = json!({
        "id": id, "version": "1.0.0", "kind": kind, "inputSchema": {}, "outputSchema": {},
    });
    let members = document.as_object_mut().unwrap();
    members.insert(kind.to_owned(), body);
    document
}

/// A tool that does something in the world.
pub(crate) fn tool(id: &str, effects: &str) -> Value {
    let body = json!({"implementation": "process", "config": {"argv": [id]}});
    let mut document = a_loop(id, "tool", body);
    document["effects"] = json!(effects);
    document
}
