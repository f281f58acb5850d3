//! A bench for stories: two realms, runs that nobody waits for, and what became of them.

use realm_node::{InvokeAsked, Person, Refusal, Request, Response};
use realm_protocol::{
    RunId,
    journal::{Direction, Run, Status},
    records::Role,
};
use realm_tests::{HostId, Loops, Tree, World, invariants};
use serde_json::{Value, json};

/// The roots acme and lab, which may call each other. Runs begin at acme.
pub(in super::super) struct Bench {
    pub(in super::super) world: World,
    pub(in super::super) acme: HostId,
    pub(in super::super) lab: HostId,
}

impl Bench {
    pub(in super::super) fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let (acme, lab) = (world.found("acme"), world.found("lab"));
        world.peer(acme, lab);
        world.allow(lab, "acme", "*");
        world.run_for(1_000);
        Self { world, acme, lab }
    }

    /// A bench whose acme has a composite `main` of these steps over these tools.
    pub(in super::super) fn with(seed: u64, tools: &[Value], steps: Value) -> Self {
        let mut bench = Self::new(seed);
        let mut loops = tools.to_vec();
        loops.push(composite("main", steps));
        bench.world.apply(bench.acme, &loops);
        bench
    }

    /// Begins `main` and lets some time pass.
    pub(in super::super) fn begin(&mut self, input: Value, millis: u64) -> RunId {
        self.ask(detached("main@acme", input), millis)
    }

    /// Begins `main` as somebody, and lets some time pass.
    pub(in super::super) fn begin_as(
        &mut self,
        (name, role): (&str, Role),
        input: Value,
        millis: u64,
    ) -> RunId {
        let person = Person {
            name: name.to_owned(),
            roles: [role].into(),
        };
        let asked = detached("main@acme", input);
        self.ask(Request::By(person, Box::new(asked)), millis)
    }

    /// Asks for a run and lets some time pass; gives the run.
    fn ask(&mut self, asked: Request, millis: u64) -> RunId {
        self.world.ask(self.acme, asked);
        self.world.run_for(millis);
        let runs = self.world.hosts[self.acme.0].disk.runs.values();
        let own = runs.filter(|run| run.direction == Direction::Local);
        own.max_by_key(|run| run.started).expect("a run").id
    }

    pub(in super::super) fn run(&self, run: RunId) -> &Run {
        &self.world.hosts[self.acme.0].disk.runs[&run]
    }

    pub(in super::super) fn status(&self, run: RunId) -> Status {
        self.run(run).status
    }

    pub(in super::super) fn error(&self, run: RunId) -> (String, String) {
        let run = self.run(run);
        let output = run.output.as_deref().unwrap_or_default();
        let message = String::from_utf8_lossy(output).into_owned();
        (run.error.clone().unwrap_or_default(), message)
    }

    pub(in super::super) fn count(&self, run: RunId, kind: &str) -> usize {
        let events = self.world.hosts[self.acme.0].disk.events.values();
        let of_run = events.filter(|event| event.run == run && event.kind == kind);
        of_run.count()
    }

    pub(in super::super) fn restart(&mut self, host: HostId, down_ms: u64) {
        self.world.crash(host);
        self.world.run_for(down_ms);
        self.world.start(host);
        self.world.run_for(100);
    }

    pub(in super::super) fn pause(&mut self, run: RunId) {
        let paused = self.world.ask_and_wait(self.acme, Request::Pause(run));
        assert!(matches!(paused, Response::Done), "{paused:?}");
        self.world.run_for(100);
    }

    pub(in super::super) fn resume(&mut self, run: RunId) {
        let resumed = self
            .world
            .ask_and_wait(self.acme, Request::Resume(run, None));
        assert!(matches!(resumed, Response::Done), "{resumed:?}");
    }

    pub(in super::super) fn effects(&self) -> u64 {
        self.world.effects.values().sum()
    }

    pub(in super::super) fn completes(mut self, run: RunId) {
        assert_eq!(self.status(run), Status::Completed, "{:?}", self.error(run));
        invariants::check(&mut self.world);
    }

    /// The run has failed with this code, and says this.
    pub(in super::super) fn fails(mut self, run: RunId, code: &str, says: &str) {
        let (error, message) = self.error(run);
        assert_eq!(error, code, "{message}");
        assert!(message.contains(says), "{message}");
        invariants::check(&mut self.world);
    }
}

pub(in super::super) fn detached(address: &str, input: Value) -> Request {
    match World::invoke(address, input) {
        Request::Invoke(asked) => Request::Invoke(InvokeAsked {
            detach: true,
            ..asked
        }),
        other => other,
    }
}

pub(in super::super) fn composite(id: &str, steps: Value) -> Value {
    json!({
        "id": id, "version": "1.0.0", "kind": "composite",
        "inputSchema": {"type": "object"}, "outputSchema": {},
        "composite": {"steps": steps},
    })
}

/// A call of `loop_id` with an input that says which one it is.
pub(in super::super) fn call(loop_id: &str, tag: &str) -> Value {
    let mapping = json!({"n": "$.input.n", "tag": format!("literal:{tag}")});
    json!({"loopId": loop_id, "inputMapping": mapping})
}

/// A call that is tried again.
pub(in super::super) fn retried(loop_id: &str, tag: &str, attempts: u64) -> Value {
    let mut call = call(loop_id, tag);
    call["retry"] = json!({
        "attempts": attempts, "delay": "1s", "backoff": "fixed",
        "on": ["transient", "business", "unknown"],
    });
    call
}

/// A tool whose program is another one of the world's.
pub(in super::super) fn program(id: &str, program: &str, ms: u64) -> Value {
    let mut tool = Loops::once(id, ms);
    tool["tool"]["config"]["argv"] = json!([program, ms.to_string()]);
    tool
}

/// What a person is told who asks for something that is refused.
pub(in super::super) fn refusal(response: Response) -> Refusal {
    match response {
        Response::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
