//! The world's clock, its heap of things to come, and what can be done to it.

mod keys;
mod perform;
mod wires;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use realm_net::Limits;
use realm_node::{ControlId, DialId, Input, InvokeAsked, LinkId, LookId, Part, Request, Response};
use realm_protocol::{CallId, Digest, Kind, NodeId, Now, Tick, Timestamp, journal::JournalSeq};
use serde_json::Value;

use crate::{Host, HostId, errors, grants::Grants, market::Post, watch::Watch};

pub(crate) use wires::Message;

/// How often a host takes another input of the same instant into its turn, in thousandths.
const TOGETHER: u64 = 750;

/// Where virtual time begins: 2026-01-01.
pub(crate) const EPOCH_MS: u64 = 1_767_225_600_000;
/// How long a call waits where it does not say.
pub(crate) const CALL_TIMEOUT_MS: u64 = 30_000;

/// What may go wrong, each in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Envelopes lost.
    pub loss: u64,
    /// Envelopes given twice.
    pub duplication: u64,
    /// Envelopes held back so that later ones overtake them.
    pub reordering: u64,
    /// Envelopes that find their link's queue full.
    pub full: u64,
    /// Most latency of a link, milliseconds.
    pub latency_ms: u64,
    /// Most time a write takes to become durable, milliseconds.
    pub disk_ms: u64,
}

/// When a host crashes by itself.
#[derive(Clone, Copy, Debug)]
pub struct CrashPoint {
    /// Journal entries until then.
    pub entries: u64,
    /// Whether the last of them becomes durable.
    pub durable: bool,
    /// How long the host stays down, milliseconds.
    pub down_ms: u64,
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

/// What came of one piece of work.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// How often it was done.
    pub times: u64,
    /// What it gave the last time; none if it failed.
    pub gave: Option<Value>,
}

#[derive(Debug)]
enum Happening {
    Input(HostId, u64, Box<Input>),
    Backend(HostId, u64, CallId, Box<Input>),
    Frame(HostId, u64, LinkId, Bytes, Option<Arc<Message>>),
    Sync(HostId, u64, JournalSeq),
    Dialled(HostId, u64, DialId, NodeId, Vec<String>),
    LinkLost(HostId, u64, LinkId),
    Look(HostId, u64, LookId, Option<Vec<u8>>),
    Wake(HostId, u64),
    Start(HostId, u64),
}

impl Happening {
    /// The host that takes it as an input.
    fn taker(&self) -> Option<HostId> {
        match self {
            Self::Input(id, ..)
            | Self::Backend(id, ..)
            | Self::Frame(id, ..)
            | Self::Sync(id, ..)
            | Self::Look(id, ..)
            | Self::Wake(id, _) => Some(*id),
            Self::Dialled(..) | Self::LinkLost(..) | Self::Start(..) => None,
        }
    }
}

/// How two hosts are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    /// Links break, and both ends notice.
    Loud,
    /// Frames vanish, and nobody notices.
    Silent,
}

/// What was asked and not yet answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) at: u64,
    /// How long a call may take; none for what has no deadline.
    pub(crate) within: Option<u64>,
}

/// Many realms, one thread, one seed.
#[derive(Debug)]
pub struct World {
    /// The hosts, by number.
    pub hosts: Vec<Host>,
    /// What may go wrong from here on.
    pub faults: Faults,
    /// Answers by host and request.
    pub outcomes: BTreeMap<(HostId, ControlId), Outcome>,
    /// How often a process was run, by host and what it was to do.
    pub effects: BTreeMap<String, u64>,
    /// What models have charged, by host, in millionths of a euro, whether the answers were heard or not.
    pub billed: BTreeMap<HostId, u64>,
    /// What processes did, by host and the key they were asked under.
    pub work: BTreeMap<(HostId, CallId), Work>,
    /// Frames that crossed a wire, for a search: sender, receiver, bytes.
    pub wire: Vec<(HostId, HostId, Bytes)>,
    /// Whether frames are kept in `wire`.
    pub tap: bool,
    /// Whether realms share session keys; without, whoever has their keys can read all that was sent.
    pub sessions: bool,
    /// Whether backends go on with what was cancelled, and answer.
    pub deaf: bool,
    /// Time between two words of a model, milliseconds.
    pub word_ms: u64,
    /// Where hosts crash by themselves.
    pub crash_points: BTreeMap<HostId, CrashPoint>,
    /// Where hosts crash by themselves, counted in entries with an event of this kind alone.
    pub crash_events: BTreeMap<HostId, (&'static str, CrashPoint)>,
    /// Bounds of the queues of links.
    pub queues: Limits,
    pub(crate) watch: Watch,
    pub(crate) post: Post,
    rng: ChaCha8Rng,
    /// Draws which inputs make one turn.
    turns: ChaCha8Rng,
    /// The host that has taken inputs whose effects are not carried out yet.
    turn: Option<HostId>,
    now_ms: u64,
    /// How far every wall clock has been moved on.
    leapt_ms: u64,
    heap: BTreeMap<(u64, u64), Happening>,
    next: u64,
    next_control: u64,
    next_link: u64,
    cut: BTreeMap<(HostId, HostId), Cut>,
    /// How many messages of a kind get lost from one host to its neighbour.
    muted: BTreeMap<(HostId, HostId, Kind), u64>,
    /// Hosts whose summaries get lost.
    unsummed: BTreeSet<HostId>,
    cancelled: BTreeSet<(HostId, CallId)>,
    asked: BTreeMap<(HostId, ControlId), Asked>,
    /// What streamed calls have been shown.
    pub shown: BTreeMap<(HostId, ControlId), Vec<Part>>,
    log: Digest,
}

impl World {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        errors::watch();
        Self {
            hosts: Vec::new(),
            faults: Faults {
                latency_ms: 5,
                disk_ms: 2,
                ..Faults::default()
            },
            outcomes: BTreeMap::new(),
            effects: BTreeMap::new(),
            billed: BTreeMap::new(),
            work: BTreeMap::new(),
            wire: Vec::new(),
            tap: false,
            sessions: true,
            deaf: false,
            word_ms: 60,
            crash_points: BTreeMap::new(),
            crash_events: BTreeMap::new(),
            queues: Limits::default(),
            watch: Watch::default(),
            post: Post::default(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            turns: ChaCha8Rng::seed_from_u64(!seed),
            turn: None,
            now_ms: 0,
            leapt_ms: 0,
            heap: BTreeMap::new(),
            next: 0,
            next_control: 0,
            next_link: 0,
            cut: BTreeMap::new(),
            muted: BTreeMap::new(),
            unsummed: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            asked: BTreeMap::new(),
            shown: BTreeMap::new(),
            log: Digest::of(&[]),
        }
    }

    /// Founds a realm on a host of its own, and starts it.
    pub fn found(&mut self, name: &str) -> HostId {
        let id = HostId(self.hosts.len());
        let wall = Timestamp::from_millis(EPOCH_MS + self.leapt_ms + self.now_ms);
        let mut host = Host::new(name, &mut self.rng, wall);
        host.sessions = self.sessions;
        self.hosts.push(host);
        self.start(id);
        id
    }

    /// Starts a host that is down.
    pub fn start(&mut self, id: HostId) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let now = self.now(id);
        self.note(&format!("start {}", id.0));
        self.hosts[id.0].start(id, seed, now);
        self.carry_out(id);
    }

    /// Kills a host: what was not durable is lost, its links break.
    pub fn crash(&mut self, id: HostId) {
        self.note(&format!("crash {}", id.0));
        let host = &mut self.hosts[id.0];
        host.node = None;
        host.life += 1;
        host.next_wake = None;
        self.turn = self.turn.filter(|of| *of != id);
        let lost = host.disk.crash();
        self.watch.lost(lost);
        let links: Vec<LinkId> = self.hosts[id.0].links.keys().copied().collect();
        for link in links {
            self.break_link(id, link);
        }
        self.asked.retain(|(host, _), _| *host != id);
        self.cancelled.retain(|(host, _)| *host != id);
    }

    /// Kills a host, and starts it again after a while.
    pub fn crash_for(&mut self, id: HostId, down_ms: u64) {
        self.crash(id);
        let life = self.hosts[id.0].life;
        self.schedule(down_ms, Happening::Start(id, life));
    }

    /// Whether a host runs.
    pub fn is_up(&self, id: HostId) -> bool {
        self.hosts[id.0].node.is_some()
    }

    /// Separates two hosts: their links break, and no dial gets through.
    pub fn partition(&mut self, a: HostId, b: HostId) {
        self.cut.insert((a.min(b), a.max(b)), Cut::Loud);
        for link in self.links_between(a, b) {
            self.break_link(a, link);
        }
    }

    /// Separates two hosts without a sound: what they send each other vanishes.
    pub fn silence(&mut self, a: HostId, b: HostId) {
        self.cut.insert((a.min(b), a.max(b)), Cut::Silent);
    }

    /// Loses the next messages of a kind from one host to its neighbour, so many of them.
    pub fn mute(&mut self, from: HostId, to: HostId, kind: Kind, times: u64) {
        self.muted.insert((from, to, kind), times);
    }

    /// How many messages of a kind still get lost between two hosts.
    pub fn muted(&self, from: HostId, to: HostId, kind: Kind) -> u64 {
        self.muted.get(&(from, to, kind)).copied().unwrap_or(0)
    }

    /// Lets no halt of one host's reach another one, as if that did not listen.
    pub fn mute_halts(&mut self, from: HostId, to: HostId) {
        self.mute(from, to, Kind::Halt, u64::MAX);
    }

    /// Lets halts through again.
    pub fn hear_halts(&mut self, from: HostId, to: HostId) {
        self.muted.remove(&(from, to, Kind::Halt));
    }

    /// Lets no summary of a host's reach its parent, as if it gave none.
    pub fn mute_summaries(&mut self, of: HostId) {
        self.unsummed.insert(of);
    }

    /// Lets two hosts reach each other again.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        self.cut.remove(&(a.min(b), a.max(b)));
    }

    /// Breaks the links between two hosts once; both notice and may dial again.
    pub fn cut_once(&mut self, a: HostId, b: HostId) {
        for link in self.links_between(a, b) {
            self.break_link(a, link);
        }
    }

    /// The links from one host to another, as the first knows them.
    pub fn links_between(&self, a: HostId, b: HostId) -> Vec<LinkId> {
        let links = self.hosts[a.0].links.iter();
        let between = links.filter(|(_, end)| end.host == b);
        between.map(|(link, _)| *link).collect()
    }

    /// Asks a host for something.
    pub fn ask(&mut self, id: HostId, request: Request) -> ControlId {
        let (control, input) = self.asking(id, request);
        self.give(id, input);
        control
    }

    /// Whoever asked goes, and waits no longer to be shown anything.
    pub fn hang_up(&mut self, id: HostId, control: ControlId) {
        self.give(id, Input::Gone(control));
    }

    /// Asks a host for several things before any effect of them is carried out.
    pub fn ask_together(&mut self, id: HostId, requests: Vec<Request>) -> Vec<ControlId> {
        let asked = requests.into_iter();
        let asked: Vec<(ControlId, Input)> =
            asked.map(|request| self.asking(id, request)).collect();
        let controls = asked.iter().map(|(control, _)| *control).collect();
        for (_, input) in asked {
            self.handle(id, input);
        }
        self.carry_out(id);
        controls
    }

    fn asking(&mut self, id: HostId, request: Request) -> (ControlId, Input) {
        self.next_control += 1;
        let control = ControlId(self.next_control);
        let within = match &request {
            Request::Invoke(InvokeAsked { detach: true, .. }) => None,
            Request::Invoke(InvokeAsked { timeout_ms, .. }) => {
                Some(timeout_ms.unwrap_or(CALL_TIMEOUT_MS))
            }
            Request::Contracts(_) | Request::Trace(_) => Some(15_000),
            Request::Ping(_) => Some(10_000),
            _ => None,
        };
        if let Request::RevokeGrant(grant) = &request {
            self.watch.grants.take_back(control, id, *grant);
        }
        if matches!(request, Request::Pause(_)) {
            // No time runs out while a run stands still.
            let of_host = self.asked.iter_mut().filter(|((host, _), _)| *host == id);
            of_host.for_each(|(_, asked)| asked.within = None);
        }
        let at = self.now_ms;
        self.asked.insert((id, control), Asked { at, within });
        (control, Input::Control(control, request))
    }

    /// Asks, and lets time pass until there is an answer.
    pub fn ask_and_wait(&mut self, id: HostId, request: Request) -> Response {
        let control = self.ask(id, request);
        self.wait_for(id, control)
    }

    /// Lets time pass until there is an answer.
    pub fn wait_for(&mut self, id: HostId, control: ControlId) -> Response {
        let until = self.now_ms + 120_000;
        while !self.outcomes.contains_key(&(id, control)) {
            assert!(self.step(until), "host {} never answered", id.0);
        }
        let outcome = self.outcomes.remove(&(id, control));
        outcome.expect("checked").response
    }

    /// Requests that have no answer yet, of hosts that run.
    pub fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// Lets time pass.
    pub fn run_for(&mut self, millis: u64) {
        let until = self.now_ms + millis;
        while self.step(until) {}
        self.now_ms = until;
    }

    /// Moves every wall clock on, as if all machines had been asleep; no timer notices.
    pub fn leap(&mut self, millis: u64) {
        self.leapt_ms += millis;
        self.note("leap");
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
    pub fn inject(&mut self, id: HostId, link: LinkId, bytes: Bytes) {
        self.give(id, Input::Received(link, bytes));
    }

    /// Gives a host something as if it had happened to it.
    pub(crate) fn feed(&mut self, id: HostId, input: Input) {
        self.give(id, input);
    }

    /// What owners have asked to permit and to forbid.
    pub(crate) fn grants(&mut self) -> &mut Grants {
        &mut self.watch.grants
    }

    /// Makes a string that only these hosts may ever hold in the clear.
    pub fn canary(&mut self, known_to: &[HostId]) -> String {
        let letters = (0..48).map(|_| char::from(b'a' + self.random(26) as u8));
        let canary: String = letters.collect();
        self.watch.canaries.add(&canary, known_to.to_vec());
        canary
    }

    /// Both clocks of a host.
    pub fn now(&self, id: HostId) -> Now {
        let wall = EPOCH_MS + self.leapt_ms + self.now_ms;
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
        self.schedule_at(self.now_ms + after_ms, happening);
    }

    fn schedule_at(&mut self, at: u64, happening: Happening) {
        self.next += 1;
        self.heap
            .insert((at.max(self.now_ms), self.next), happening);
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        thousandths > 0 && self.random(1_000) < thousandths
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
        let turn = self.turn.take();
        self.happen(happening);
        if let Some(id) = turn.filter(|_| self.turn != turn) {
            self.carry_out(id);
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Input(id, life, input) if self.lives(id, life) => self.give(id, *input),
            Happening::Backend(id, life, call, input)
                if self.lives(id, life) && (self.deaf || !self.cancelled.remove(&(id, call))) =>
            {
                self.give(id, *input);
            }
            Happening::Frame(id, life, link, bytes, message) if self.lives(id, life) => {
                self.arrive(id, link, bytes, message.as_ref());
            }
            Happening::Sync(id, life, seq) if self.lives(id, life) => {
                match self.hosts[id.0].disk.sync(seq) {
                    Some(durable) => self.give(id, Input::Persisted(durable)),
                    None => self.fail_store(id),
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
            Happening::Wake(id, life) if self.lives(id, life) => self.wake(id),
            Happening::Start(id, life) if self.hosts[id.0].life == life && !self.is_up(id) => {
                self.start(id);
            }
            _ => {}
        }
    }

    fn fail_store(&mut self, id: HostId) {
        if !self.hosts[id.0].told_broken {
            self.hosts[id.0].told_broken = true;
            self.watch.a_disk_failed = true;
            self.give(id, Input::StoreFailed);
        }
    }

    fn wake(&mut self, id: HostId) {
        self.hosts[id.0].next_wake = None;
        let now = self.now(id);
        if let Some(node) = self.hosts[id.0].node.as_mut() {
            node.handle_timeout(now);
        }
        self.end_turn(id);
    }

    fn lives(&self, id: HostId, life: u64) -> bool {
        self.hosts[id.0].life == life && self.is_up(id)
    }

    fn give(&mut self, id: HostId, input: Input) {
        self.handle(id, input);
        self.end_turn(id);
    }

    fn handle(&mut self, id: HostId, input: Input) {
        let now = self.now(id);
        if let Some(node) = self.hosts[id.0].node.as_mut() {
            node.handle(input, now);
        }
    }

    /// Carries out what a host wants done, or lets it take what comes next at the same instant
    /// first, as a busy daemon does.
    fn end_turn(&mut self, id: HostId) {
        let next = self.heap.first_key_value();
        let more = next.is_some_and(|((at, _), happening)| {
            *at <= self.now_ms && happening.taker() == Some(id)
        });
        let goes_on = more && self.turns.next_u64() % 1_000 < TOGETHER;
        if let Some(other) = self.turn.take().filter(|other| *other != id) {
            self.carry_out(other);
        }
        if goes_on {
            self.turn = Some(id);
        } else {
            self.carry_out(id);
        }
    }
}
