//! What nodes want done, done.

use realm_backends::Pure;
use realm_executor::{BackendError, BackendReply, BackendRequest};
use realm_node::{ControlId, Effect, Input, Part, Response, Urgency};
use realm_protocol::{CallId, journal::Entry, journal::JournalSeq};
use serde_json::{Value, json};

use super::{Happening, Outcome, World};
use crate::HostId;

/// Time between two words of a model, milliseconds.
const WORD_MS: u64 = 60;

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
        self.hosts[id.0].disk.append(seq, entry);
        if self.reaches_crash_point(id) {
            return self.crash_at_point(id, seq);
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

    fn reaches_crash_point(&mut self, id: HostId) -> bool {
        let Some(point) = self.crash_points.get_mut(&id) else {
            return false;
        };
        point.entries = point.entries.saturating_sub(1);
        point.entries == 0
    }

    fn crash_at_point(&mut self, id: HostId, seq: JournalSeq) {
        let Some(point) = self.crash_points.remove(&id) else {
            return;
        };
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
                let count = parts.len() as u64;
                for (number, text) in parts.into_iter().enumerate() {
                    let part = Box::new(Input::BackendPart(call, text));
                    let at = after + number as u64 * WORD_MS;
                    self.schedule(at, Happening::Input(id, life, part));
                }
                (Ok(reply), count * WORD_MS)
            }
            Err(BackendRequest::Process {
                argv, input, key, ..
            }) => {
                self.watch.acts(&self.hosts[id.0], call, key);
                let ms = argv.get(1).and_then(|ms| ms.parse().ok()).unwrap_or(0);
                (self.run_process(id, key, &argv, input), ms)
            }
            Err(_) => {
                let reason = "no such backend in the simulation";
                (Err(BackendError::Refused { reason }), 0)
            }
        };
        let input = Box::new(Input::BackendDone(call, result));
        self.schedule(after + ms, Happening::Backend(id, life, call, input));
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
        if program == "flaky" && self.random(2) == 0 {
            return Err(BackendError::Status {
                code: 503,
                said: String::new(),
                retry_after_ms: None,
            });
        }
        let gave = match program {
            "fail" | "balk" => None,
            "step" => Some(step(&input)),
            "say" => argv.get(1).and_then(|said| serde_json::from_str(said).ok()),
            _ => Some(json!({"done": input})),
        };
        if !matches!(program, "again" | "balk" | "say") {
            let effect = format!("{} {input}", id.0);
            *self.effects.entry(effect).or_default() += 1;
            let work = self.work.entry((id, key)).or_default();
            work.times += 1;
            work.gave.clone_from(&gave);
        }
        let slipped = program == "slip" && self.random(2) == 0;
        match gave {
            Some(_) if slipped => Err(BackendError::Unreachable {
                host: "till:80".to_owned(),
                reason: "connection reset".to_owned(),
            }),
            Some(output) => Ok(BackendReply::json(output)),
            None => Err(BackendError::Exit {
                code: Some(1),
                stderr: "it fails".to_owned(),
            }),
        }
    }
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
