//! Broadcasts among many realms in this program: nodes without nets and stores, on one thread, whose
//! frames are handed over at once. What is measured is what realms themselves do.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bytes::Bytes;
use realm_crypto::{SigningKey, commit_to, incept, meter, metered};
use realm_executor::{BackendReply, Manifest};
use realm_node::{
    ApplyAsked, BroadcastAsked, Broadcasted, Config, ControlId, CustodyTerms, DialId, Effect,
    Founding, GrantView, Input, InviteAsked, InviteKind, JoinAsked, Keys, LinkId, Node, Recovered,
    Request, Response,
};
use realm_protocol::{
    Kind, NodeId, Now, Tick, Timestamp,
    broadcast::{Aggregation, BidLimits, Reach, Rule, Selection, Strategy, Waiting},
    limits,
    link::Frame,
    records::{NodeCert, Signed, scopes},
};
use serde_json::{Value, json};

use crate::{resources::thread_cpu, row::Row};

/// Where virtual time begins, milliseconds.
const EPOCH_MS: u64 = 1_767_225_600_000;
/// Broadcasts that are measured; the row tells the median.
const TIMES: usize = 5;

/// Something on its way to a realm.
enum Happening {
    Input(Input),
    Frame(LinkId, Bytes),
}

impl Happening {
    fn is_bid(&self) -> bool {
        matches!(self, Self::Frame(_, frame) if kind(frame) == Some(Kind::Bid))
    }
}

/// What the envelope in a frame is, if there is one.
fn kind(frame: &Bytes) -> Option<Kind> {
    if frame.get(1) != Some(&0) {
        return None;
    }
    match Frame::decode(frame) {
        Ok(Frame::Envelope(envelope)) => envelope.peek().ok().map(|header| header.kind),
        _ => None,
    }
}

struct Host {
    node: Node,
    id: NodeId,
    links: BTreeMap<LinkId, (usize, LinkId)>,
    waiting: VecDeque<Happening>,
}

/// Many realms.
pub(crate) struct Market {
    hosts: Vec<Host>,
    /// Hosts with something waiting, in order.
    busy: VecDeque<usize>,
    tick: u64,
    next: u64,
    answers: BTreeMap<ControlId, Response>,
    /// How long the first host has worked in the turns in which it took bids.
    announcer: Work,
    /// Bytes of announcements, and over how many links they went.
    announced: (u64, u64),
}

/// Time of this thread, and how much of it went to signing, checking, sealing and opening.
#[derive(Clone, Copy, Default)]
struct Work {
    all: Duration,
    crypto: Duration,
}

impl Work {
    /// What this thread has worked so far.
    fn now() -> Self {
        Self {
            all: thread_cpu(),
            crypto: metered().took,
        }
    }

    fn since(self, begun: Self) -> Self {
        Self {
            all: self.all.saturating_sub(begun.all),
            crypto: self.crypto.saturating_sub(begun.crypto),
        }
    }

    fn add(&mut self, more: Self) {
        self.all += more.all;
        self.crypto += more.crypto;
    }

    fn rest(self) -> Duration {
        self.all.saturating_sub(self.crypto)
    }
}

/// What a broadcast took.
struct Took {
    all: Work,
    announcer: Work,
    bids: usize,
    announced: (u64, u64),
}

/// Announces to so many realms, each with an agent that bids. `cpu_us_per_call` is what the
/// announcer's node works for each bid, with all that it signs, seals and checks; `p50_us` the whole
/// broadcast, the work of all realms on this one thread, as its CPU time; `link_bytes` what its announcement takes
/// on each link. The second row, `-crypto`, is how much of each went to the libraries that sign, check, seal
/// and open, the third, `-rest`, what remains.
pub(crate) fn broadcasts(job: &str, realms: usize) -> Result<[Row; 3]> {
    meter(thread_cpu);
    let mut market = Market::settle(realms)?;
    let mut took: Vec<Took> = Vec::new();
    // The first acquaints everybody with everybody.
    for _ in 0..=TIMES {
        took.push(market.broadcast(realms)?);
    }
    let first = took.remove(0);
    ensure!(
        took.iter().all(|it| it.bids == realms),
        "{} bids of {realms}",
        first.bids
    );
    took.sort_by_key(|it| it.all.all);
    let median = took.get(TIMES / 2).context("no broadcast")?;
    let longest = took.last().context("no broadcast")?;
    let (bytes, links) = median.announced;
    eprintln!(
        "{job}: the first {:.0} ms, {:.0} us a bid at the announcer",
        first.all.all.as_secs_f64() * 1e3,
        first.announcer.all.as_secs_f64() * 1e6 / realms as f64,
    );
    let row = |job: String, part: fn(Work) -> Duration| {
        let us = |work| part(work).as_secs_f64() * 1e6;
        Row {
            job,
            in_flight: realms,
            p50_us: Some(us(median.all)),
            p99_us: Some(us(longest.all)),
            cpu_us_per_call: Some(us(median.announcer) / realms as f64),
            ..Row::default()
        }
    };
    let all = Row {
        link_bytes: Some(bytes as f64 / links.max(1) as f64),
        ..row(job.to_owned(), |work| work.all)
    };
    let crypto = row(format!("{job}-crypto"), |work| work.crypto);
    let rest = row(format!("{job}-rest"), Work::rest);
    Ok([all, crypto, rest])
}

impl Market {
    /// A root, its children, and theirs, as many at each as there are children of the root.
    pub(crate) fn settle(realms: usize) -> Result<Self> {
        let mut market = Self {
            hosts: Vec::new(),
            busy: VecDeque::new(),
            tick: 0,
            next: 0,
            answers: BTreeMap::new(),
            announcer: Work::default(),
            announced: (0, 0),
        };
        let work = |bid: Option<Value>| {
            let mut tool = json!({
                "id": "see", "version": "1.0.0", "kind": "tool", "effects": "idempotent",
                "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"},
                "tool": {"implementation": "process", "config": {"argv": ["see"]}},
            });
            if let Some(bid) = bid {
                tool["bid"] = bid;
            }
            tool
        };
        market.found(0)?;
        market.apply(0, work(None))?;
        let wide = (1..).find(|wide| wide * wide + wide >= realms).unwrap_or(1);
        for number in 1..=realms {
            let parent = match number <= wide {
                true => 0,
                false => 1 + (number - wide - 1) % wide,
            };
            market.found(number)?;
            market.join(parent, number)?;
            let price = format!("EUR 0.{:04}", 1 + number * 7 % 5_000);
            let bid =
                json!({"price": price, "time": "1s", "confidence": 0.9, "when": "load < 0.8"});
            market.apply(number, work(Some(bid)))?;
        }
        Ok(market)
    }

    fn found(&mut self, number: usize) -> Result<()> {
        let now = self.now();
        let seed = |purpose: u8| {
            let mut seed = [purpose; 32];
            seed[..8].copy_from_slice(&(number as u64).to_be_bytes());
            seed
        };
        let (realm, key) = (
            SigningKey::from_seed(&seed(1)),
            SigningKey::from_seed(&seed(2)),
        );
        let next = commit_to(&SigningKey::from_seed(&seed(3)).public());
        let (realm_id, inception) = incept(&realm, next, now.wall);
        let mut node_cert = Signed::unsigned(&NodeCert {
            serial: 1,
            realm: realm_id,
            node: key.node_id(),
            scopes: scopes::MESSAGE | scopes::ISSUE,
            not_before: now.wall.minus(limits::CLOCK_SKEW_MS),
            not_after: now.wall.plus(limits::NODE_CERT_MS),
            epoch: 0,
        });
        realm.sign(&mut node_cert);
        let config = Config {
            name: format!("m{number}").parse()?,
            addresses: vec![format!("host:{number}")],
            max_calls: 65_536,
            max_calls_per_peer: 65_536,
            call_timeout_ms: limits::CALL_MS,
            child_rate: 1_000_000,
            peer_bytes: 1 << 30,
            sessions: true,
            chains: limits::CHAINS,
            announce_rate: 1_000_000,
            custody: CustodyTerms::default(),
            halted: false,
            halted_from_above: realm_node::HaltedFromAbove::default(),
            redaction: realm_policy::Redaction::default(),
            budgets: realm_node::Budgets::default(),
            breakers: realm_executor::BreakerBounds::default(),
            tariffs: std::collections::BTreeMap::new(),
            secrets: realm_executor::SecretLoops::default(),
            prompt_bytes: realm_protocol::limits::PROMPT_BYTES,
            rates: Vec::new(),
            hear_names: std::collections::BTreeSet::new(),
        };
        let id = key.node_id();
        let keys = Keys {
            realm: Some(realm),
            node: key,
        };
        let founding = Founding {
            inception,
            successions: Vec::new(),
            node_cert,
        };
        let node = Node::new(config, keys, founding, Recovered::default(), seed(4), now);
        self.hosts.push(Host {
            node,
            id,
            links: BTreeMap::new(),
            waiting: VecDeque::new(),
        });
        self.perform(number);
        self.settle_down();
        Ok(())
    }

    fn join(&mut self, parent: usize, child: usize) -> Result<()> {
        let invite = InviteAsked {
            kind: InviteKind::Child(format!("m{child}").parse()?),
            allow: Vec::new(),
            uses: 1,
            ttl_ms: 3_600_000,
            petname: None,
        };
        let ticket = match self.ask(parent, Request::Invite(invite))? {
            Response::Invited(invited) => invited.ticket,
            other => bail!("no ticket: {other:?}"),
        };
        let asked = JoinAsked {
            ticket,
            petname: None,
            allow: Vec::new(),
        };
        match self.ask(child, Request::Join(asked))? {
            Response::Joined(_) => Ok(()),
            other => bail!("realm {child} did not join: {other:?}"),
        }
    }

    fn apply(&mut self, host: usize, document: Value) -> Result<()> {
        let manifest = Manifest::from_json(&document);
        let asked = ApplyAsked {
            manifests: vec![manifest.map_err(|problems| anyhow!("{problems:?}"))?],
            dry_run: false,
            force: true,
            prune: false,
            stage: false,
            by: "owner".to_owned(),
            why: None,
        };
        match self.ask(host, Request::Apply(asked))? {
            Response::Applied(_) => Ok(()),
            other => bail!("not applied: {other:?}"),
        }
    }

    fn broadcast(&mut self, realms: usize) -> Result<Took> {
        let asked = BroadcastAsked {
            loop_id: "see".parse()?,
            capabilities: Default::default(),
            input: json!({"n": 1}),
            reach: Reach {
                down: 2,
                up: 0,
                across: 0,
                realms: Vec::new(),
                besides: None,
            },
            realms: Vec::new(),
            wider: None,
            limits: BidLimits {
                currency: Some("EUR".to_owned()),
                price: Some(1_000_000),
                time_ms: None,
                confidence: None,
            },
            budget: realm_protocol::budget::Budget::default(),
            window_ms: 10_000,
            award_ms: 10_000,
            execution_ms: 60_000,
            person_ms: None,
            sub_loops: true,
            at_once: None,
            rule: Rule {
                selection: Selection::Best,
                weights: None,
                awards: 4,
                standbys: 4,
                min_bids: 1,
                max_bids: realms as u64 + 1,
                early: None,
                per_realm: None,
            },
            aggregation: Aggregation {
                strategy: Strategy::CollectAll,
                waiting: Waiting::All,
                quorum: None,
                threshold: None,
                min_results: 4,
                confidence: None,
                field: Vec::new(),
            },
            aggregator: None,
        };
        (self.announcer, self.announced) = (Work::default(), (0, 0));
        let begun = Work::now();
        let control = self.control(0, Request::Broadcast(Box::new(asked)));
        let mut ended = None;
        while let Some(host) = self.busy.pop_front() {
            self.turn(host);
            if ended.is_none() && self.answers.contains_key(&control) {
                ended = Some(Work::now().since(begun));
            }
        }
        let answer = self.answers.remove(&control);
        let told: Box<Broadcasted> = match answer.context("the broadcast does not end")? {
            Response::Broadcasted(told) => told,
            other => bail!("no broadcast: {other:?}"),
        };
        ensure!(told.output.is_some(), "{told:?}");
        // What is done after the outcome is none of it.
        for _ in 0..200 {
            self.let_time_pass();
        }
        Ok(Took {
            all: ended.context("it ends")?,
            announcer: self.announcer,
            bids: told.bids,
            announced: self.announced,
        })
    }

    fn control(&mut self, host: usize, request: Request) -> ControlId {
        self.next += 1;
        let control = ControlId(self.next);
        self.give(host, Happening::Input(Input::Control(control, request)));
        control
    }

    /// Asks a realm for something, and lets time pass until it answers.
    pub(crate) fn ask(&mut self, host: usize, request: Request) -> Result<Response> {
        let control = self.control(host, request);
        for _ in 0..10_000 {
            self.settle_down();
            if let Some(answer) = self.answers.remove(&control) {
                return Ok(answer);
            }
            self.let_time_pass();
        }
        bail!("realm {host} never answers")
    }

    /// The grants that a realm knows.
    pub(crate) fn grants(&self, host: usize) -> Vec<GrantView> {
        self.hosts[host].node.grants()
    }

    /// A millisecond passes, and what is due is done.
    fn let_time_pass(&mut self) {
        self.tick += 1;
        for host in 0..self.hosts.len() {
            let due = self.hosts[host].node.poll_timeout();
            if due.is_some_and(|due| due.as_millis() <= self.tick) {
                let now = self.now();
                self.hosts[host].node.handle_timeout(now);
                self.perform(host);
            }
        }
        self.settle_down();
    }

    fn now(&self) -> Now {
        Now {
            wall: Timestamp::from_millis(EPOCH_MS + self.tick),
            tick: Tick::from_millis(self.tick),
        }
    }

    fn give(&mut self, host: usize, happening: Happening) {
        let waiting = &mut self.hosts[host].waiting;
        if waiting.is_empty() {
            self.busy.push_back(host);
        }
        waiting.push_back(happening);
    }

    fn settle_down(&mut self) {
        while let Some(host) = self.busy.pop_front() {
            self.turn(host);
        }
    }

    /// A host takes what waits for it, as a daemon does, and then does what follows.
    fn turn(&mut self, host: usize) {
        let now = self.now();
        let waiting = std::mem::take(&mut self.hosts[host].waiting);
        let takes_bids = host == 0 && waiting.iter().any(Happening::is_bid);
        let begun = takes_bids.then(Work::now);
        for happening in waiting {
            let input = match happening {
                Happening::Input(input) => input,
                Happening::Frame(link, frame) => Input::Received(link, frame),
            };
            self.hosts[host].node.handle(input, now);
        }
        self.perform(host);
        if let Some(begun) = begun {
            self.announcer.add(Work::now().since(begun));
        }
    }

    fn perform(&mut self, host: usize) {
        while let Some(effect) = self.hosts[host].node.poll_effect() {
            self.carry_out(host, effect);
        }
    }

    fn carry_out(&mut self, host: usize, effect: Effect) {
        match effect {
            Effect::Send(link, frame) => {
                let Some((to, theirs)) = self.hosts[host].links.get(&link).copied() else {
                    return;
                };
                self.count(&frame);
                self.give(to, Happening::Frame(theirs, frame));
            }
            Effect::Dial {
                dial, addresses, ..
            } => self.dial(host, dial, &addresses),
            Effect::Close(link) => {
                if let Some((to, theirs)) = self.hosts[host].links.remove(&link) {
                    self.hosts[to].links.remove(&theirs);
                    self.give(to, Happening::Input(Input::LinkDown(theirs)));
                }
            }
            Effect::ReadRun(id, _, _) => {
                self.give(host, Happening::Input(Input::RunRead(id, None)));
            }
            Effect::Grow(id, _, _) => {
                self.give(host, Happening::Input(Input::Grown(id, None)));
            }
            Effect::Look(id, _, _) => {
                self.give(host, Happening::Input(Input::Looked(id, None)));
            }
            Effect::Record(seq, _, _) => {
                self.give(host, Happening::Input(Input::Persisted(seq)));
            }
            Effect::Part(..) => {}
            Effect::Respond(control, response) => {
                self.answers.insert(control, response);
            }
            Effect::CallBackend(call, _) => {
                let reply = Ok(BackendReply::json(json!({"seen": host})));
                self.give(host, Happening::Input(Input::BackendDone(call, reply)));
            }
            Effect::CancelBackend(_) | Effect::Admit(_) => {}
        }
    }

    fn dial(&mut self, host: usize, dial: DialId, addresses: &[String]) {
        let there = addresses
            .iter()
            .find_map(|it| it.strip_prefix("host:")?.parse().ok());
        let Some(there) = there.filter(|there: &usize| *there < self.hosts.len()) else {
            let failed = Input::DialFailed(dial, "nobody".to_owned());
            return self.give(host, Happening::Input(failed));
        };
        self.next += 2;
        let (mine, theirs) = (LinkId(self.next), LinkId(self.next + 1));
        self.hosts[host].links.insert(mine, (there, theirs));
        self.hosts[there].links.insert(theirs, (host, mine));
        let up = |link, node, dial| Happening::Input(Input::LinkUp { link, node, dial });
        let ids = (self.hosts[host].id, self.hosts[there].id);
        self.give(there, up(theirs, ids.0, None));
        self.give(host, up(mine, ids.1, Some(dial)));
    }

    /// Counts what announcements take.
    fn count(&mut self, frame: &Bytes) {
        if kind(frame) == Some(Kind::Announce) {
            self.announced.0 += frame.len() as u64;
            self.announced.1 += 1;
        }
    }
}
