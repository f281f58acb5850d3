//! What nodes want done, done.

use realm_backends::Pure;
use realm_executor::{AttachedRequest, BackendError, BackendReply, BackendRequest, ModelRequest};
use realm_node::{ControlId, Effect, Input, Part, Response, Urgency};
use realm_protocol::{
    CallId, Digest,
    budget::Amount,
    journal::{Change, Entry, JournalSeq},
};
use serde_json::{Value, json};

use super::{CrashPoint, Happening, Outcome, World};
use crate::HostId;

/// Processes that work for this long say when half is done, milliseconds.
const LONG_MS: u64 = 60_000;

impl World {
    pub(super) fn carry_out(&mut self, id: HostId) {
        while let Some(effect) = self.hosts[id.0]
            .node
            .as_mut()
            .and_then(realm_node::Node::poll_effect)
        {
            self.perform(id, effect);
        }
        self.hosts[id.0].note_scope();
        self.schedule_wake(id);
    }

    fn schedule_wake(&mut self, id: HostId) {
        let host = &self.hosts[id.0];
        let timeout = host.node.as_ref().and_then(realm_node::Node::poll_timeout);
        let Some(at) = timeout.map(|at| at.as_millis().max(self.now_ms)) else {
            return;
        };
        if host.next_wake.is_none_or(|next| at < next) {
            let life = host.life;
            self.hosts[id.0].next_wake = Some(at);
            self.schedule_at(at, Happening::Wake(id, life));
        }
    }

    fn perform(&mut self, id: HostId, effect: Effect) {
        let life = self.hosts[id.0].life;
        match effect {
            Effect::Send(link, bytes) => self.send(id, link, bytes),
            Effect::Dial {
                dial,
                node,
                addresses,
            } => {
                let after = 1 + self.random(self.faults.latency_ms + 1);
                self.schedule(after, Happening::Dialled(id, life, dial, node, addresses));
            }
            Effect::Admit(_) => {}
            Effect::Close(link) => self.close_after_frames(id, link),
            Effect::CallBackend(call, request) => self.call_backend(id, call, request),
            Effect::CancelBackend(call) => {
                self.cancelled.insert((id, call));
            }
            Effect::Look(look, table, key) => {
                let value = self.hosts[id.0].disk.look(table, &key);
                let slow = self.faults.disk_ms + self.slow_ms(id);
                let after = self.random(slow + 1);
                self.schedule(after, Happening::Look(id, life, look, value));
            }
            Effect::Grow(look, from, to) => {
                let growth = self.hosts[id.0].disk.growth(from, to);
                self.give(id, Input::Grown(look, growth));
            }
            Effect::ReadRun(look, call, peer) => {
                let found = self.hosts[id.0].disk.served_run(call, &peer);
                self.give(id, Input::RunRead(look, found));
            }
            Effect::Part(control, part) => self.take_part(id, control, part),
            Effect::Respond(control, response) => self.take_response(id, control, response),
            Effect::Record(seq, entry, urgency) => self.record(id, seq, entry, urgency),
        }
    }

    /// Parts come before the end, each in its place.
    fn take_part(&mut self, id: HostId, control: ControlId, part: Part) {
        if !self.asked.contains_key(&(id, control)) {
            let line = format!("host {} shows {} to nobody: {part:?}", id.0, control.0);
            return self.watch.broken(line);
        }
        let shown = self.shown.entry((id, control)).or_default();
        let before = shown.last().map_or((0, 0), |last: &Part| {
            let same = last.number == part.number;
            let end = last.offset + last.text.len() as u64;
            (last.number, if same { end } else { 0 })
        });
        if (part.number, part.offset) < before || part.offset > before.1 {
            let line = format!("host {} shows {} out of order: {part:?}", id.0, control.0);
            return self.watch.broken(line);
        }
        shown.push(part);
    }

    fn take_response(&mut self, id: HostId, control: ControlId, response: Response) {
        self.note(&format!("respond {} {}", id.0, control.0));
        let Some(asked) = self.asked.remove(&(id, control)) else {
            let line = format!("host {} answers {} twice: {response:?}", id.0, control.0);
            return self.watch.broken(line);
        };
        self.watch
            .responded(&self.hosts[id.0], asked, self.now_ms, &response);
        self.watch.grants.answered(id, control, &response);
        let outcome = Outcome {
            asked: asked.at,
            answered: self.now_ms,
            response,
        };
        self.outcomes.insert((id, control), outcome);
    }

    fn record(&mut self, id: HostId, seq: JournalSeq, entry: Entry, urgency: Urgency) {
        self.note(&format!("record {} {}", id.0, seq.0));
        let now = self.now(id);
        self.watch.recorded(id, &self.hosts, &entry, now.wall);
        let crash = self.reaches_crash_point(id, &entry);
        self.hosts[id.0].disk.append(seq, entry);
        if let Some(point) = crash {
            return self.crash_at_point(id, seq, point);
        }
        let slow = match urgency {
            Urgency::Now => self.faults.disk_ms,
            Urgency::Soon => 50,
        };
        let slow = slow + self.slow_ms(id);
        let after = self.random(slow + 1);
        let life = self.hosts[id.0].life;
        self.schedule(after, Happening::Sync(id, life, seq));
    }

    /// How long a host's disk takes besides, milliseconds.
    fn slow_ms(&mut self, id: HostId) -> u64 {
        let host = &mut self.hosts[id.0];
        host.slowest_ms = host.slowest_ms.max(host.slow_ms);
        host.slow_ms
    }

    fn reaches_crash_point(&mut self, id: HostId, entry: &Entry) -> Option<CrashPoint> {
        let is_reached = |point: &mut CrashPoint| {
            point.entries = point.entries.saturating_sub(1);
            point.entries == 0
        };
        if self.crash_points.get_mut(&id).is_some_and(is_reached) {
            return self.crash_points.remove(&id);
        }
        let (kind, point) = self.crash_events.get_mut(&id)?;
        let has_event = |change: &Change| matches!(change, Change::Event(it) if it.kind == *kind);
        let is_reached = entry.changes.iter().any(has_event) && is_reached(point);
        let reached = is_reached.then(|| self.crash_events.remove(&id));
        reached.flatten().map(|(_, point)| point)
    }

    fn crash_at_point(&mut self, id: HostId, seq: JournalSeq, point: CrashPoint) {
        if point.durable {
            self.hosts[id.0].disk.sync(seq);
        }
        self.crash_for(id, point.down_ms);
    }

    fn call_backend(&mut self, id: HostId, call: CallId, request: BackendRequest) {
        let life = self.hosts[id.0].life;
        let after = self.random(20);
        let (result, ms) = match realm_backends::pure(request) {
            Ok(Pure { parts, reply }) => {
                let ms = self.write(id, call, after, parts);
                (Ok(reply), ms)
            }
            Err(BackendRequest::Attached(work)) => {
                let (reply, words) = read_aloud(&work);
                let ms = self.write(id, call, after, words);
                (Ok(reply), ms)
            }
            Err(BackendRequest::Process {
                argv, input, key, ..
            }) => {
                self.watch.acts(&self.hosts[id.0], call, key);
                let now = self.now(id).wall;
                self.watch.uses(&self.hosts[id.0], &argv, now);
                self.watch.moves(&self.hosts[id.0], "asks a process");
                let ms = argv.get(1).and_then(|ms| ms.parse().ok()).unwrap_or(0);
                if ms >= LONG_MS {
                    let said = Box::new(Input::BackendSaid(call, json!({"done": 0.5})));
                    let life = self.hosts[id.0].life;
                    self.schedule(after + ms / 2, Happening::Input(id, life, said));
                }
                (self.run_process(id, key, &argv, input), ms)
            }
            Err(BackendRequest::Model(request)) => {
                let (reply, ms) = self.bill(id, &request);
                (Ok(reply), ms)
            }
            Err(_) => {
                let reason = "no such backend in the simulation";
                (Err(BackendError::Refused { reason }), 0)
            }
        };
        let input = Box::new(Input::BackendDone(call, result));
        self.schedule(after + ms, Happening::Backend(id, life, call, input));
    }

    /// Lets somebody write words one after the other; gives how long that takes.
    fn write(&mut self, id: HostId, call: CallId, after: u64, words: Vec<String>) -> u64 {
        let life = self.hosts[id.0].life;
        let count = words.len() as u64;
        for (number, text) in words.into_iter().enumerate() {
            let part = Box::new(Input::BackendPart(call, 0, text));
            let at = after + number as u64 * self.word_ms;
            self.schedule(at, Happening::Input(id, life, part));
        }
        count * self.word_ms
    }

    /// A model that is paid for answers; whoever asked pays, whether the answer is heard or not.
    fn bill(&mut self, id: HostId, request: &ModelRequest) -> (BackendReply, u64) {
        let input = request.prompt.len() as u64;
        let most = request.max_tokens.unwrap_or(1_000);
        let output = most / 2 + self.random(most / 2 + 1);
        let charged = (input + output) * self.hosts[id.0].overcharged.max(1);
        *self.billed.entry(id).or_default() += charged;
        let reply = BackendReply {
            input_tokens: Some(input),
            output_tokens: Some(output),
            cost: "EUR 0".parse().ok().map(|euros: Amount| Amount {
                micros: charged,
                ..euros
            }),
            ..BackendReply::json(json!({"text": "so"}))
        };
        (reply, 40)
    }

    /// Does what a process does; the first argument says what that is.
    fn run_process(
        &mut self,
        id: HostId,
        key: CallId,
        argv: &[String],
        input: Value,
    ) -> Result<BackendReply, BackendError> {
        let program = argv.first().map_or("", String::as_str);
        let down = self.hosts[id.0].agents_down;
        if down || matches!(program, "flaky" | "doubt") && self.random(2) == 0 {
            return Err(BackendError::Status {
                code: 503,
                said: String::new(),
                retry_after_ms: None,
            });
        }
        let gave = match program {
            "fail" | "balk" => None,
            "ask" => Some(ask(&input)),
            "step" => Some(step(&input)),
            "tally" => Some(tally(&input)),
            "judge" | "doubt" => Some(judgement(id, &input)),
            "list" => Some(json!(["red", id.0 % 2])),
            "say" => argv.last().and_then(|said| serde_json::from_str(said).ok()),
            _ => Some(json!({"done": input})),
        };
        // Who asks first has done nothing yet.
        let asks = gave.as_ref().is_some_and(|gave| gave.get("ask").is_some());
        if !asks && !matches!(program, "again" | "balk" | "list" | "say" | "tally") {
            let effect = format!("{} {input}", id.0);
            *self.effects.entry(effect).or_default() += 1;
            let work = self.work.entry((id, key)).or_default();
            work.times += 1;
            work.gave = match program {
                "ask" => gave.as_ref().map(|gave| gave["output"].clone()),
                _ => gave.clone(),
            };
        }
        let slipped = program == "slip" && self.random(2) == 0;
        match gave {
            Some(_) if slipped => Err(BackendError::Unreachable {
                host: "till:80".to_owned(),
                reason: "connection reset".to_owned(),
                sent: true,
            }),
            Some(output) => Ok(BackendReply::json(output)),
            None => Err(BackendError::Exit {
                code: Some(1),
                stderr: "it fails".to_owned(),
            }),
        }
    }
}

/// What an attached agent makes of a text that is to be said: the same, a word at a time where somebody
/// wants to see it. One that may ask people asks what its input says.
fn read_aloud(work: &AttachedRequest) -> (BackendReply, Vec<String>) {
    if let Some(answers) = &work.answers {
        let asked = ask(&json!({"input": work.input, "answers": answers}));
        return (BackendReply::json(asked), Vec::new());
    }
    let text = work.input["say"].as_str().unwrap_or_default();
    let words = text.split_inclusive(' ').filter(|_| work.stream);
    let words = words.map(str::to_owned).collect();
    (BackendReply::json(json!({"text": text})), words)
}

/// Asks one thing after the other that its input lists, then gives all the answers.
fn ask(given: &Value) -> Value {
    let answers = given["answers"].as_array().map_or(0, Vec::len);
    match given["input"]["ask"].get(answers) {
        Some(question) => json!({"ask": {"question": question, "about": {"answered": answers}}}),
        None => json!({"output": {"answers": given["answers"]}}),
    }
}

/// What a host makes of an input: the same each time, and much like others' or not at all; but for what the
/// input says itself.
fn judgement(id: HostId, input: &Value) -> Value {
    let digest = Digest::of(&[&id.0.to_be_bytes(), input.to_string().as_bytes()]);
    let chance = |at: usize, of: usize| usize::from(digest.as_bytes()[at]) % of;
    let scores = [
        json!(0),
        json!(1),
        json!(2.5),
        json!(-2.5),
        json!(0.1),
        json!(0.000_000_5),
        json!(0.000_001_5),
        json!(-0.0),
        json!(33.333_333),
        json!(9_007_199_254_740_990_u64),
        json!(9_007_199_254_740_991_u64),
        json!(9_007_199_254_740_993_u64),
        json!(1e300),
        json!("seven"),
    ];
    let tags: Vec<&str> = ["red", "green", "blue"]
        .into_iter()
        .enumerate()
        .filter_map(|(at, tag)| (chance(3 + at, 2) == 0).then_some(tag))
        .collect();
    let mut output = json!({
        "done": input, "tags": tags,
        "detail": {"size": chance(6, 3), format!("by{}", chance(7, 3)): [chance(8, 2)]},
    });
    if chance(0, 8) > 0 {
        output["verdict"] = json!(["yes", "yes", "yes", "no", "maybe"][chance(1, 5)]);
    }
    if chance(2, 8) > 0 {
        output["score"] = scores[chance(9, scores.len())].clone();
    }
    if chance(10, 2) > 0 {
        output["confidence"] = [json!(0), json!(0.5), json!(1)][chance(11, 3)].clone();
    }
    for name in ["score", "confidence"] {
        if let Some(said) = input.get(name) {
            output[name] = said.clone();
        }
    }
    output
}

/// One step of a machine of three, by an agent that keeps how many it has done.
fn tally(asked: &Value) -> Value {
    let total = asked["state"]["total"]["value"].as_u64().unwrap_or(0);
    let kept = json!({"total": {"value": total + 1}});
    json!({"output": step(&asked["input"]), "state": kept})
}

/// One step of a machine of three.
fn step(input: &Value) -> Value {
    let at = input["at"].as_u64().unwrap_or(0) + 1;
    let mut state = input.clone();
    state["at"] = json!(at);
    match at {
        3.. => json!({"complete": state}),
        _ => json!({"continue": state}),
    }
}
