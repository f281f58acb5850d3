//! Random broadcasts: trees, bidders, rules and faults, all from one seed. What was said is taken off
//! the wires and checked afterwards by rules of its own.

mod asking;
mod book;
mod ledger;
mod letter;
mod money;
mod post;
mod puppet;
mod ranking;
mod results;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use realm_broadcast::log::Ending;
use realm_executor::Decision;
use realm_node::{AllowAsked, BroadcastAsked, ControlId, Refusal, Request, Response, Wider};
use realm_protocol::{
    LoopId, RealmId, RealmName,
    broadcast::{
        Aggregation, BidLimits, EarlyClose, Reach, Rule, Selection, Strategy, Waiting, Weights,
    },
    budget::{Amount, Budget},
    journal::Status,
};
use serde_json::{Value, json};

use self::{
    book::Book,
    ledger::Ledger,
    puppet::{Puppet, Tricks},
    rules::Rules,
};
use crate::{CrashPoint, Faults, HostId, Loops, Tree, World, invariants};

pub(crate) use post::Post;

/// How long everything under way has to come to its end, milliseconds.
const REST_MS: u64 = 70_000;
/// How long realms have to find each other again once nothing goes wrong any more, milliseconds.
const HEALED_MS: u64 = 15_000;
/// How long a broadcast may take in all: its bids, its awards and the work.
const LONGEST_MS: u64 = 90_000;
/// How often puppets look at what they have heard, milliseconds.
const TURN_MS: u64 = 15;
/// Depth of the deepest tree.
const DEPTH: usize = 4;

#[derive(Clone, Debug)]
struct Member {
    host: HostId,
    name: String,
    parent: Option<HostId>,
    depth: usize,
    bids: bool,
}

#[derive(Debug)]
struct Asked {
    host: HostId,
    control: ControlId,
    canary: String,
    aggregator: Option<Aggregator>,
}

/// A loop that makes results one, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregator {
    /// Gives its input back.
    Sums,
    /// Fails, or gives what the contract does not allow.
    Fails,
}

/// The request to permit a realm and all below it an action on all loops, here or everywhere below.
fn allow(caller: &str, action: &str, subtree: bool) -> Request {
    Request::Allow(AllowAsked {
        caller: caller.parse().expect("a realm"),
        action: action.to_owned(),
        pattern: "*".to_owned(),
        for_ms: None,
        subtree,
        dry_run: false,
    })
}

/// A loop that makes results one.
fn aggregator(id: &str, program: &str) -> Value {
    json!({
        "id": id, "version": "1.0.0", "kind": "tool", "effects": "idempotent",
        "inputSchema": {"type": "array"}, "outputSchema": {},
        "tool": {"implementation": "process", "config": {"argv": [program, "[1]"]}},
    })
}

/// Random broadcasts in one world.
#[derive(Debug)]
pub struct Market {
    world: World,
    members: Vec<Member>,
    puppets: Vec<Puppet>,
    asked: Vec<Asked>,
    /// Which way to make results one is next.
    turn: usize,
    tricks: Tricks,
    /// Pairs kept apart, and until when.
    apart: Vec<(u64, HostId, HostId)>,
    /// Hosts that crashed.
    crashed: BTreeSet<HostId>,
    /// Hosts that announce.
    announcers: BTreeSet<HostId>,
    /// Whom a host awards nothing: the names of roots.
    shunned: BTreeSet<(HostId, String)>,
}

/// What came of one world's broadcasts.
#[derive(Debug, Default)]
pub struct Told {
    /// What does not hold.
    pub broken: Vec<String>,
    /// How broadcasts ended, and how often.
    pub endings: BTreeMap<String, u64>,
    /// What happened in them, by event and what it says, and how often.
    pub met: BTreeMap<String, u64>,
}

impl Market {
    /// Runs the broadcasts of a seed in a world of so many realms.
    pub fn run(seed: u64, realms: u64, broadcasts: u64) -> Told {
        let mut market = Self {
            world: World::new(seed),
            members: Vec::new(),
            puppets: Vec::new(),
            asked: Vec::new(),
            turn: seed as usize,
            tricks: Tricks::new(),
            apart: Vec::new(),
            crashed: BTreeSet::new(),
            announcers: BTreeSet::new(),
            shunned: BTreeSet::new(),
        };
        market.world.sessions = false;
        market.grow(realms);
        market.pass(4_000);
        market.furnish();
        market.world.post.listening = true;
        market.pass(3_500);
        for _ in 0..broadcasts {
            market.announce();
            for _ in 0..market.world.random(5) {
                let pause = [0, 20, 300, 2_500][market.world.random(4) as usize];
                let pause = market.world.random(pause + 1);
                market.pass(pause);
                market.meddle();
                for fault in 0..=realms / 100 {
                    market.go_wrong(fault == 0);
                }
            }
        }
        market.calm_down();
        market.pass(HEALED_MS);
        for _ in 0..broadcasts / 3 {
            market.announce();
            market.pass(1_000);
        }
        market.pass(LONGEST_MS);
        market.world.post.puppets.clear();
        market.pass(REST_MS);
        market.judge()
    }

    fn grow(&mut self, realms: u64) {
        self.world.faults.latency_ms = self.world.random(30);
        self.world.faults.disk_ms = self.world.random(8);
        let roots = 2 + self.world.random(2) as usize;
        for number in 0..roots {
            let name = format!("r{number}");
            let host = self.world.found(&name);
            self.enlist(host, name, None, 0);
        }
        for number in roots as u64..realms {
            let able = self.members.iter().filter(|member| member.depth < DEPTH);
            let able: Vec<Member> = able.cloned().collect();
            let parent = able[self.world.random(able.len() as u64) as usize].clone();
            let label = format!("c{number}");
            let host = self.world.child(parent.host, &label);
            let name = format!("{}/{label}", parent.name);
            self.enlist(host, name, Some(parent.host), parent.depth + 1);
        }
        for a in 0..roots {
            for b in 0..a {
                self.world.peer(HostId(a), HostId(b));
            }
        }
    }

    fn enlist(&mut self, host: HostId, name: String, parent: Option<HostId>, depth: usize) {
        self.world.grants().enlist(host, &name);
        let bids = self.world.random(5) > 0;
        self.members.push(Member {
            host,
            name,
            parent,
            depth,
            bids,
        });
    }

    /// Gives every realm its loops and the permissions that others need, and makes some of them
    /// announcers and some puppets.
    fn furnish(&mut self) {
        let many = self.members.len() as u64;
        for _ in 0..1 + self.world.random(3) {
            let announcer = HostId(self.world.random(many) as usize);
            self.announcers.insert(announcer);
        }
        if self.world.random(6) > 0 {
            for _ in 0..2 + self.world.random(4) + many / 50 {
                let host = HostId(self.world.random(many) as usize);
                if !self.announcers.contains(&host) && self.world.post.puppets.insert(host) {
                    self.puppets.push(Puppet::new(host));
                    self.members[host.0].bids = false;
                }
            }
        }
        let roots: Vec<String> = self
            .members
            .iter()
            .filter(|member| member.parent.is_none())
            .map(|member| member.name.clone())
            .collect();
        for member in self.members.clone() {
            let loops = [
                self.agent("see", "idempotent", "judge", member.bids),
                self.agent("buy", "once", "judge", member.bids),
                self.agent("try", "idempotent", "doubt", member.bids),
            ];
            self.world.apply(member.host, &loops);
            if self.announcers.contains(&member.host) {
                let makers = [("sum", "again"), ("babble", "say"), ("botch", "fail")];
                let makers = makers.map(|(id, program)| aggregator(id, program));
                self.world.apply(member.host, &makers);
            }
            let root = member.name.split('/').next().unwrap_or_default();
            for foreign in roots.iter().filter(|name| *name != root) {
                if self.world.random(6) > 0 {
                    let owner = member.host;
                    self.world.grants().allow(owner, foreign, "*", None);
                    self.world.ask(owner, allow(foreign, "invoke", false));
                    self.world.ask(owner, allow(foreign, "bid", false));
                }
                match (member.depth, self.world.random(2)) {
                    (0, _) => {}
                    (_, 0) => {
                        for action in ["invoke", "bid", "award"] {
                            self.world.ask(member.host, allow(foreign, action, true));
                        }
                    }
                    _ => self.shun_below(&member.name, foreign),
                }
                match self.world.random(6) {
                    0 => drop(self.shunned.insert((member.host, foreign.clone()))),
                    _ => drop(self.world.ask(member.host, allow(foreign, "award", false))),
                }
            }
        }
    }

    /// No realm below one lets anything from elsewhere in.
    fn shun_below(&mut self, above: &str, foreign: &str) {
        let above = format!("{above}/");
        let below = self.members.iter().filter(|it| it.name.starts_with(&above));
        let shunned = below.map(|member| (member.host, foreign.to_owned()));
        self.shunned.extend(shunned);
    }

    /// A loop of one of the three kinds that are announced, and how it bids.
    fn agent(&mut self, id: &str, effects: &str, program: &str, bids: bool) -> Value {
        let slow = [300, 3_000, 25_000][self.world.random(3) as usize];
        let ms = self.world.random(slow);
        let mut tool = Loops::once(id, ms);
        tool["effects"] = json!(effects);
        tool["tool"]["config"]["argv"] = json!([program, ms.to_string()]);
        if bids {
            let (cents, time) = (self.world.random(90), 1 + self.world.random(9));
            let confidence = (4 + self.world.random(7)) as f64 / 10.0;
            tool["bid"] = json!({
                "price": format!("EUR 0.{cents:02}"), "time": format!("{time}s"),
                "confidence": confidence,
            });
            match self.world.random(6) {
                0 => tool["bid"]["when"] = json!("load < 0.01"),
                1 => tool["bid"]["when"] = json!("highestPrice > 0.5"),
                _ => {}
            }
        }
        tool
    }

    /// Lets time pass, and puppets act.
    fn pass(&mut self, millis: u64) {
        let until = self.world.elapsed_ms() + millis;
        while !self.puppets.is_empty() && self.world.elapsed_ms() < until {
            let left = until - self.world.elapsed_ms();
            self.world.run_for(left.min(TURN_MS));
            for puppet in &mut self.puppets {
                puppet.act(&mut self.world, &mut self.tricks);
            }
        }
        self.world.run_for(until - self.world.elapsed_ms());
    }

    /// Lets something go wrong; with announcers only where `all` may.
    fn go_wrong(&mut self, all: bool) {
        let now = self.world.elapsed_ms();
        for (until, a, b) in std::mem::take(&mut self.apart) {
            match until <= now {
                true => self.world.heal(a, b),
                false => self.apart.push((until, a, b)),
            }
        }
        let host = HostId(self.world.random(self.members.len() as u64) as usize);
        match self.world.random(10) {
            _ if !all && self.announcers.contains(&host) => {}
            0 if self.world.is_up(host) => {
                let down = self.world.random(6_000);
                self.world.crash_for(host, down);
                self.crashed.insert(host);
            }
            1 if all => {
                let announcers: Vec<HostId> = self.announcers.iter().copied().collect();
                let host = announcers[self.world.random(announcers.len() as u64) as usize];
                let point = CrashPoint {
                    entries: 1 + self.world.random(40),
                    durable: self.world.random(2) == 0,
                    down_ms: self.world.random(4_000),
                };
                self.world.crash_points.insert(host, point);
                self.crashed.insert(host);
            }
            2 => {
                let point = CrashPoint {
                    entries: 1 + self.world.random(20),
                    durable: self.world.random(2) == 0,
                    down_ms: self.world.random(4_000),
                };
                self.world.crash_points.insert(host, point);
                self.crashed.insert(host);
            }
            3 => {
                if let Some(parent) = self.members[host.0].parent {
                    let until = now + self.world.random(6_000);
                    match self.world.random(2) {
                        0 => self.world.partition(host, parent),
                        _ => self.world.silence(host, parent),
                    }
                    self.apart.push((until, host, parent));
                }
            }
            4 => {
                self.world.faults = Faults {
                    loss: self.world.random(80),
                    duplication: self.world.random(150),
                    reordering: self.world.random(300),
                    full: self.world.random(30),
                    latency_ms: self.world.random(120),
                    disk_ms: self.world.random(40),
                };
            }
            _ => {}
        }
    }

    fn calm_down(&mut self) {
        self.world.faults = Faults {
            latency_ms: 10,
            disk_ms: 2,
            ..Faults::default()
        };
        self.world.crash_points.clear();
        for (_, a, b) in std::mem::take(&mut self.apart) {
            self.world.heal(a, b);
        }
        for id in (0..self.world.hosts.len()).map(HostId) {
            if !self.world.is_up(id) {
                self.world.start(id);
            }
        }
    }

    /// Checks everything that was said and done.
    fn judge(mut self) -> Told {
        let books = Book::read_all(&mut self.world);
        let mut told = Told::default();
        let (mut known, mut inputs) = (BTreeSet::new(), Vec::new());
        for asked in &self.asked {
            let ledger = Ledger::read(&self.world, asked.host, &asked.canary);
            let Some(ledger) = ledger else {
                let outcome = self.world.outcomes.get(&(asked.host, asked.control));
                let refused = outcome.map(|it| &it.response);
                if let Some(Response::Refused(Refusal::UnknownPetname { .. })) = refused {
                    *told.met.entry("an unknown name".to_owned()).or_default() += 1;
                } else if !self.crashed.contains(&asked.host) {
                    told.broken
                        .push(format!("nothing is written down of {asked:?}"));
                }
                continue;
            };
            known.insert(ledger.run.call);
            let book = books.get(&ledger.run.call);
            let may_know = self.judge_one(book, asked, &ledger, &mut told);
            inputs.push((asked.canary.as_bytes(), may_know));
        }
        for host in &self.world.hosts {
            let bytes = host.disk.bytes();
            let knows = |seeks: &[u8]| bytes.windows(seeks.len()).any(|window| window == seeks);
            let mut others = inputs
                .iter()
                .filter(|(_, known)| !known.contains(&host.realm));
            if others.any(|(seeks, _)| knows(seeks)) {
                let what = format!("{} has the input of a broadcast", host.name);
                told.broken.push(what);
            }
        }
        if let Some(call) = books.keys().find(|call| !known.contains(call)) {
            told.broken
                .push(format!("a broadcast without a run: {call}"));
        }
        for (trick, times) in &self.tricks {
            *told.met.entry(format!("trick: {trick}")).or_default() += times;
        }
        told.broken.extend(invariants::broken(&mut self.world));
        told
    }

    /// Gives who may know the input.
    fn judge_one(
        &self,
        book: Option<&Book>,
        asked: &Asked,
        ledger: &Ledger,
        told: &mut Told,
    ) -> BTreeSet<RealmId> {
        let host = asked.host;
        told.broken.extend(ledger.broken());
        for name in &ledger.told {
            *told.met.entry(name.clone()).or_default() += 1;
        }
        let mut may_know = BTreeSet::from([self.world.hosts[host.0].realm]);
        if let Some(book) = book {
            let shunned = self.shunned.iter().filter(|(by, _)| *by == host);
            let shunned = shunned.filter_map(|(_, name)| {
                let member = self.members.iter().find(|member| member.name == *name)?;
                Some(self.world.hosts[member.host.0].realm)
            });
            let rules = Rules {
                book,
                canary: &asked.canary,
                ledger,
                shunned: shunned.collect(),
                puppets: self
                    .puppets
                    .iter()
                    .map(|it| self.world.hosts[it.host.0].realm)
                    .collect(),
                aggregator: asked.aggregator,
                crashed: self.crashed.contains(&host),
                broken: Vec::new(),
            };
            told.broken.extend(rules.check());
            may_know.extend(Rules::informed(book));
        }
        self.judge_outcome(asked, ledger, told);
        may_know
    }

    /// The owner is told what is written down, and so is whoever reads the run.
    fn judge_outcome(&self, asked: &Asked, ledger: &Ledger, told: &mut Told) {
        let Some(conclusion) = ledger.conclusion() else {
            return;
        };
        let ending = conclusion.ending.name();
        *told.endings.entry(ending.to_owned()).or_default() += 1;
        if conclusion.ending == Ending::Output {
            let strategy = ledger.announcement.aggregation.strategy;
            *told.met.entry(format!("output: {strategy:?}")).or_default() += 1;
        }
        if !ledger.announcement.reach.realms.is_empty() {
            *told.met.entry("confined to names".to_owned()).or_default() += 1;
        }
        let status = match conclusion.ending {
            Ending::Output => Status::Completed,
            Ending::Cancelled => Status::Cancelled,
            _ => Status::Failed,
        };
        if ledger.run.status != status {
            told.broken
                .push(format!("{ending} leaves {:?}", ledger.run));
        }
        let outcome = self.world.outcomes.get(&(asked.host, asked.control));
        match outcome.map(|outcome| &outcome.response) {
            Some(Response::Broadcasted(ended)) => {
                let output = conclusion.output.as_deref();
                let output = output.and_then(|output| realm_protocol::json::parse(output).ok());
                let bids = ledger.counted().len();
                if (ended.ending, ended.bids, &ended.output) != (ending, bids, &output) {
                    told.broken.push(format!("the owner is told {ended:?}"));
                }
            }
            // Whoever asked a process that died has no answer.
            None if self.crashed.contains(&asked.host) => {}
            other => told
                .broken
                .push(format!("no outcome of {asked:?}: {other:?}")),
        }
    }
}
