//! The world's clock, its heap of things to come, and the rules of its wires.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use realm_executor::{BackendReply, BackendRequest};
use realm_node::{ControlId, DialId, Effect, Input, LinkId, LookId, Request, Response, Urgency};
use realm_protocol::{CallId, Digest, NodeId, Now, Tick, Timestamp, journal::JournalSeq};

use crate::{Host, HostId};

/// Where virtual time begins: 2026-01-01.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// What may go wrong, each in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Envelopes lost.
    pub loss: u64,
    /// Envelopes given twice.
    pub duplication: u64,
    /// Envelopes held back so that later ones overtake them.
    pub reordering: u64,
    /// Most latency of a link, milliseconds.
    pub latency_ms: u64,
    /// Most time a write takes to become durable, milliseconds.
    pub disk_ms: u64,
}

/// What became of a request.
#[derive(Debug)]
pub struct Outcome {
    /// When it was asked.
    pub asked: u64,
    /// When it was answered.
    pub answered: u64,
    /// The answer.
    pub response: Response,
}

#[derive(Debug)]
enum Happening {
    Input(HostId, u64, Box<Input>),
    Frame(HostId, u64, LinkId, Vec<u8>),
    Sync(HostId, u64, JournalSeq),
    Dialled(HostId, u64, DialId, NodeId, Vec<String>),
    LinkLost(HostId, u64, LinkId),
    Look(HostId, u64, LookId, Option<Vec<u8>>),
    Wake(HostId, u64),
}

/// Many realms, one thread, one seed.
#[derive(Debug)]
pub struct World {
    /// The hosts, by number.
    pub hosts: Vec<Host>,
    /// What may go wrong from here on.
    pub faults: Faults,
    /// Pairs of hosts that cannot reach each other.
    pub cut: BTreeSet<(HostId, HostId)>,
    /// Answers by host and request.
    pub outcomes: BTreeMap<(HostId, ControlId), Outcome>,
    /// How often each backend call was made, by what it would do.
    pub effects: BTreeMap<String, u64>,
    /// Frames that crossed a wire, for a search: sender, receiver, bytes.
    pub wire: Vec<(HostId, HostId, Vec<u8>)>,
    /// Whether frames are kept in `wire`.
    pub tap: bool,
    rng: ChaCha8Rng,
    now_ms: u64,
    heap: BTreeMap<(u64, u64), Happening>,
    next: u64,
    next_control: u64,
    next_link: u64,
    cancelled: BTreeSet<(HostId, CallId)>,
    asked: BTreeMap<(HostId, ControlId), u64>,
    log: Digest,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        Self {
            hosts: Vec::new(),
            faults: Faults {
                latency_ms: 5,
                disk_ms: 2,
                ..Faults::default()
            },
            cut: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            effects: BTreeMap::new(),
            wire: Vec::new(),
            tap: false,
            rng: ChaCha8Rng::seed_from_u64(seed),
            now_ms: 0,
            heap: BTreeMap::new(),
            next: 0,
            next_control: 0,
            next_link: 0,
            cancelled: BTreeSet::new(),
            asked: BTreeMap::new(),
            log: Digest::of(&[]),
        }
    }

    /// Founds a realm on a host of its own, and starts it.
    pub fn found(&mut self, name: &str) -> HostId {
        let id = HostId(self.hosts.len());
        let wall = Timestamp::from_millis(EPOCH_MS + self.now_ms);
        self.hosts.push(Host::new(name, &mut self.rng, wall));
        self.start(id);
        id
    }

    /// Starts a host that is down.
    pub fn start(&mut self, id: HostId) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let now = self.now(id);
        self.hosts[id.0].start(id, seed, now);
        self.carry_out(id);
    }

    /// Kills a host: what was not durable is lost, its links break.
    pub fn crash(&mut self, id: HostId) {
        let host = &mut self.hosts[id.0];
        host.node = None;
        host.life += 1;
        host.disk.crash();
        let links: Vec<LinkId> = host.links.keys().copied().collect();
        for link in links {
            self.break_link(id, link);
        }
        self.asked.retain(|(host, _), _| *host != id);
        self.note(&format!("crash {}", id.0));
    }

    /// Whether a host runs.
    pub fn is_up(&self, id: HostId) -> bool {
        self.hosts[id.0].node.is_some()
    }

    /// Separates two hosts: their links break, and no dial gets through.
    pub fn partition(&mut self, a: HostId, b: HostId) {
        self.cut.insert((a.min(b), a.max(b)));
        let links = self.hosts[a.0].links.iter();
        let between: Vec<LinkId> = links
            .filter(|(_, (other, _))| *other == b)
            .map(|(link, _)| *link)
            .collect();
        for link in between {
            self.break_link(a, link);
        }
    }

    /// Lets two hosts reach each other again.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        self.cut.remove(&(a.min(b), a.max(b)));
    }

    /// Asks a host for something.
    pub fn ask(&mut self, id: HostId, request: Request) -> ControlId {
        self.next_control += 1;
        let control = ControlId(self.next_control);
        self.asked.insert((id, control), self.now_ms);
        self.give(id, Input::Control(control, request));
        control
    }

    /// Asks, and lets time pass until there is an answer.
    pub fn ask_and_wait(&mut self, id: HostId, request: Request) -> Response {
        let control = self.ask(id, request);
        let until = self.now_ms + 120_000;
        while !self.outcomes.contains_key(&(id, control)) {
            assert!(self.step(until), "host {} never answered", id.0);
        }
        self.outcomes
            .remove(&(id, control))
            .expect("checked")
            .response
    }

    /// Requests that have no answer yet.
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// Lets time pass.
    pub fn run_for(&mut self, millis: u64) {
        let until = self.now_ms + millis;
        while self.step(until) {}
        self.now_ms = until;
    }

    /// Virtual time since the world began, milliseconds.
    pub fn elapsed_ms(&self) -> u64 {
        self.now_ms
    }

    /// Digest of everything that has happened.
    pub fn log(&self) -> Digest {
        self.log
    }

    /// A random number below `bound`.
    pub fn random(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    /// Gives a frame to a host as if it had come over a link of its.
    pub fn inject(&mut self, id: HostId, link: LinkId, bytes: Vec<u8>) {
        self.give(id, Input::Received(link, bytes));
    }

    fn now(&self, id: HostId) -> Now {
        let wall = EPOCH_MS + self.now_ms;
        let wall = wall.saturating_add_signed(self.hosts[id.0].clock_offset);
        Now {
            wall: Timestamp::from_millis(wall),
            tick: Tick::from_millis(self.now_ms),
        }
    }

    fn note(&mut self, line: &str) {
        self.log = Digest::of(&[
            self.log.as_bytes(),
            &self.now_ms.to_be_bytes(),
            line.as_bytes(),
        ]);
    }

    fn schedule(&mut self, after_ms: u64, happening: Happening) {
        self.next += 1;
        self.heap
            .insert((self.now_ms + after_ms, self.next), happening);
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        self.random(1_000) < thousandths
    }

    /// Lets the next thing happen, unless it lies after `until`.
    fn step(&mut self, until: u64) -> bool {
        let Some(entry) = self.heap.first_entry() else {
            return false;
        };
        if entry.key().0 > until {
            return false;
        }
        let ((at, _), happening) = entry.remove_entry();
        self.now_ms = self.now_ms.max(at);
        self.happen(happening);
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input(id, life, input) if self.lives(id, life) => self.give(id, *input),
            Happening::Frame(id, life, link, bytes) if self.lives(id, life) => {
                if self.hosts[id.0].links.contains_key(&link) {
                    self.note(&format!("frame {} {}", id.0, Digest::of(&[&bytes])));
                    self.give(id, Input::Received(link, bytes));
                }
            }
            Happening::Sync(id, life, seq) if self.lives(id, life) => {
                match self.hosts[id.0].disk.sync(seq) {
                    Some(durable) => self.give(id, Input::Persisted(durable)),
                    None => self.give(id, Input::StoreFailed),
                }
            }
            Happening::Dialled(id, life, dial, node, addresses) if self.lives(id, life) => {
                self.connect(id, dial, node, &addresses);
            }
            Happening::LinkLost(id, life, link) if self.lives(id, life) => {
                self.give(id, Input::LinkDown(link));
            }
            Happening::Look(id, life, look, value) if self.lives(id, life) => {
                self.give(id, Input::Looked(look, value));
            }
            Happening::Wake(id, life) if self.lives(id, life) => {
                let now = self.now(id);
                let node = self.hosts[id.0].node.as_mut().expect("lives");
                if node.poll_timeout().is_some_and(|at| at <= now.tick) {
                    node.handle_timeout(now);
                    self.carry_out(id);
                }
            }
            _ => {}
        }
    }

    fn lives(&self, id: HostId, life: u64) -> bool {
        self.hosts[id.0].life == life && self.is_up(id)
    }

    fn give(&mut self, id: HostId, input: Input) {
        let now = self.now(id);
        let Some(node) = self.hosts[id.0].node.as_mut() else {
            return;
        };
        node.handle(input, now);
        self.carry_out(id);
    }

    fn carry_out(&mut self, id: HostId) {
        while let Some(effect) = self.hosts[id.0]
            .node
            .as_mut()
            .and_then(|node| node.poll_effect())
        {
            self.perform(id, effect);
        }
        let life = self.hosts[id.0].life;
        if let Some(at) = self.hosts[id.0]
            .node
            .as_ref()
            .and_then(|node| node.poll_timeout())
        {
            let after = at.as_millis().saturating_sub(self.now_ms);
            self.schedule(after, Happening::Wake(id, life));
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
                self.schedule(0, Happening::Look(id, life, look, value));
            }
            Effect::Respond(control, response) => {
                self.note(&format!("respond {} {}", id.0, control.0));
                let asked = self.asked.remove(&(id, control));
                let asked = asked.expect("each request is answered once");
                let outcome = Outcome {
                    asked,
                    answered: self.now_ms,
                    response,
                };
                self.outcomes.insert((id, control), outcome);
            }
            Effect::Record(seq, entry, urgency) => {
                self.note(&format!("record {} {}", id.0, seq.0));
                self.hosts[id.0].disk.append(seq, entry);
                let slow = match urgency {
                    Urgency::Now => self.faults.disk_ms,
                    Urgency::Soon => 50,
                };
                let after = self.random(slow + 1);
                self.schedule(after, Happening::Sync(id, life, seq));
            }
        }
    }

    fn call_backend(&mut self, id: HostId, call: CallId, request: BackendRequest) {
        let life = self.hosts[id.0].life;
        let result = match realm_backends::pure(&request) {
            Some(result) => result,
            None => {
                *self
                    .effects
                    .entry(format!("{} {request:?}", id.0))
                    .or_default() += 1;
                Ok(BackendReply::json(serde_json::json!({"done": true})))
            }
        };
        let after = self.random(20);
        let input = Box::new(Input::BackendDone(call, result));
        self.schedule(after, Happening::Input(id, life, input));
    }

    fn connect(&mut self, id: HostId, dial: DialId, node: NodeId, addresses: &[String]) {
        let life = self.hosts[id.0].life;
        let there = addresses
            .iter()
            .filter_map(|address| address.strip_prefix("host:")?.parse().ok().map(HostId))
            .find(|there| {
                self.hosts
                    .get(there.0)
                    .is_some_and(|host| host.node_id == node)
                    && self.is_up(*there)
                    && !self.cut.contains(&(id.min(*there), id.max(*there)))
            });
        let Some(there) = there else {
            let input = Box::new(Input::DialFailed(dial, "unreachable".to_owned()));
            return self.schedule(1, Happening::Input(id, life, input));
        };
        self.next_link += 2;
        let (mine, theirs) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.hosts[id.0].links.insert(mine, (there, theirs));
        self.hosts[there.0].links.insert(theirs, (id, mine));
        let me = self.hosts[id.0].node_id;
        self.give(
            there,
            Input::LinkUp {
                link: theirs,
                node: me,
                dial: None,
            },
        );
        self.give(
            id,
            Input::LinkUp {
                link: mine,
                node,
                dial: Some(dial),
            },
        );
    }

    fn send(&mut self, id: HostId, link: LinkId, bytes: Vec<u8>) {
        let Some((there, theirs)) = self.hosts[id.0].links.get(&link).copied() else {
            return;
        };
        if self.tap {
            self.wire.push((id, there, bytes.clone()));
        }
        // A frame is `[number, content]`; envelopes are number 0.
        let is_envelope = bytes.get(1) == Some(&0);
        let life = self.hosts[there.0].life;
        let mut after = 1 + self.faults.latency_ms / 2;
        if is_envelope {
            if self.chance(self.faults.loss) {
                return;
            }
            if self.chance(self.faults.duplication) {
                let again = after + self.random(200);
                self.schedule(again, Happening::Frame(there, life, theirs, bytes.clone()));
            }
            if self.chance(self.faults.reordering) {
                after += self.random(50);
            }
        }
        self.schedule(after, Happening::Frame(there, life, theirs, bytes));
    }

    /// Closes a link once the frames under way on it have arrived.
    fn close_after_frames(&mut self, id: HostId, link: LinkId) {
        let Some((there, theirs)) = self.hosts[id.0].links.get(&link).copied() else {
            return;
        };
        let life = self.hosts[there.0].life;
        let after = 2 + self.faults.latency_ms;
        self.hosts[id.0].links.remove(&link);
        self.schedule(after, Happening::LinkLost(there, life, theirs));
    }

    /// Breaks a link at once; both ends notice.
    fn break_link(&mut self, id: HostId, link: LinkId) {
        let Some((there, theirs)) = self.hosts[id.0].links.remove(&link) else {
            return;
        };
        self.hosts[there.0].links.remove(&theirs);
        for (host, link) in [(id, link), (there, theirs)] {
            let life = self.hosts[host.0].life;
            self.schedule(1, Happening::LinkLost(host, life, link));
        }
    }
}
