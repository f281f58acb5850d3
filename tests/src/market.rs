//! Random broadcasts: trees, bidders, rules and faults, all from one seed. What was said is taken off
//! the wires and checked afterwards by rules of its own.

mod asking;
mod book;
mod evidence;
mod faults;
mod furnishing;
mod judging;
mod ledger;
mod letter;
mod money;
mod post;
mod puppet;
mod ranking;
mod results;
mod rules;
mod sealed;
mod telling;

use std::collections::{BTreeMap, BTreeSet};

use realm_broadcast::log::Ending;
use realm_executor::Decision;
use realm_node::{BroadcastAsked, ControlId, Refusal, Request, Response, Wider};
use realm_protocol::{
    RealmId, RealmName,
    broadcast::{
        Aggregation, BidLimits, EarlyClose, Levels, Reach, Rule, Selection, Strategy, Waiting,
        Weights,
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
/// From so many realms on nothing that may go wrong is left out.
const CROWD: u64 = 100;
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
    what: What,
}

/// What an announcer was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// One broadcast, and by which loop its results are made one.
    Broadcast(Option<Aggregator>),
    /// All that a stack announces.
    Stack,
}

/// A loop that makes results one, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aggregator {
    /// Gives its input back.
    Sums,
    /// Gives what no contract allows but one that allows everything.
    Babbles,
    /// Fails.
    Fails,
}

impl Aggregator {
    fn of(maker: &str) -> Self {
        match maker {
            "sum" => Self::Sums,
            "babble" => Self::Babbles,
            _ => Self::Fails,
        }
    }
}

/// Stacks that announcers have, and by which loop each part of theirs makes results one.
const STACKS: [(&str, &[(&str, &str)]); 2] = [
    ("panel", &[("see", "sum"), ("part", "sum")]),
    ("brawl", &[("see", "botch")]),
];

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

impl Told {
    fn meet(&mut self, what: &str, times: u64) {
        if times > 0 {
            *self.met.entry(what.to_owned()).or_default() += times;
        }
    }
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
            tricks: Tricks::new(seed),
            apart: Vec::new(),
            crashed: BTreeSet::new(),
            announcers: BTreeSet::new(),
            shunned: BTreeSet::new(),
        };
        // What is said in sessions only the two realms can read: it is checked by what they have written
        // down of it, and by what sealed messages show.
        market.world.sessions = seed.is_multiple_of(2);
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

    fn calm_down(&mut self) {
        self.world.faults = Faults {
            latency_ms: 10,
            disk_ms: 2,
            ..Faults::default()
        };
        self.world.crash_points.clear();
        self.world.crash_events.clear();
        for (_, a, b) in std::mem::take(&mut self.apart) {
            self.world.heal(a, b);
        }
        for id in (0..self.world.hosts.len()).map(HostId) {
            if !self.world.is_up(id) {
                self.world.start(id);
            }
        }
    }
}
