//! What happens in a schedule, step by step.

use realm_node::{
    ContractsOf, HaltAsked, HaltOf, InviteAsked, InviteKind, InvokeAsked, JoinAsked, Request,
    Response, UnhaltAsked, UnhaltOf,
};
use realm_protocol::journal::Status;
use serde_json::json;

use super::{Fault, Member, Schedule};
use crate::{CrashPoint, Faults, Flows, HostId, Hostile, Tree, World, grants::Word};

impl Schedule {
    pub(super) fn step(&mut self) {
        if self.world.random(10) < 6 {
            self.call();
        } else {
            let index = self.world.random(self.faults.len() as u64) as usize;
            self.faults[index](self);
        }
        let pause = match self.world.random(4) {
            0 => 0,
            1 => self.world.random(20),
            2 => self.world.random(300),
            _ => self.world.random(3_000),
        };
        self.world.run_for(pause);
        self.bring_together();
        self.make_room();
        self.hand_over();
        self.overhear();
    }

    /// In every third schedule one realm means harm.
    pub(super) fn choose_hostile(&mut self) {
        if self.world.random(3) == 0 {
            let member = self.pick(&self.members.clone());
            self.hostile = Some(Hostile::new(member.host));
            self.world.tap = true;
        }
    }

    /// Lets the hostile realm remember what passed it.
    fn overhear(&mut self) {
        let wire = std::mem::take(&mut self.world.wire);
        if let Some(hostile) = &mut self.hostile {
            hostile.overhear(&wire);
        }
    }

    /// Does one of the things that a hostile realm does.
    fn harm(&mut self) {
        let realms = self.members.iter();
        let realms: Vec<_> = realms.map(|member| (member.host, member.parent)).collect();
        if let Some(hostile) = &mut self.hostile {
            hostile.harm(&mut self.world, &realms);
        }
    }

    /// What may go wrong in this schedule: a few things of all, so that each is met alone too.
    pub(super) fn choose_faults(&mut self) {
        let all: [(u64, Fault); 20] = [
            (80, Self::call_again),
            (40, Self::crash),
            (40, Self::crash_at_entry),
            (40, Self::keep_apart),
            (40, Self::cut_once),
            (40, Self::vary_faults),
            (20, Self::move_clock),
            (20, Self::leap),
            (15, Self::revoke),
            (10, Self::break_disk),
            (40, Self::cancel),
            (30, Self::hold),
            (25, Self::join),
            (30, Self::rule),
            (30, Self::look_around),
            (25, Self::slow_disk),
            (15, Self::fill_disk),
            (25, Self::allow_for_a_while),
            (60, Self::harm),
            (30, Self::halt),
        ];
        for (chance, fault) in all {
            if self.world.random(100) < chance {
                self.faults.push(fault);
            }
        }
        if self.world.random(100) < 40 {
            // Grants are of no use but together.
            self.faults.extend(Self::GRANTING);
        }
        if self.faults.is_empty() {
            self.faults.push(Self::call);
        }
    }

    pub(super) fn member(&mut self) -> Member {
        self.pick(&self.members.clone())
    }

    fn call(&mut self) {
        let from = self.member();
        let mut to = self.member();
        for _ in 0..3 {
            if self.root_of(&to) != self.root_of(&from) {
                to = self.member();
            }
        }
        let loops = [
            "echo", "echo", "pay", "pay", "look", "ask", "both", "secret", "fails", "flow", "flow",
        ];
        let loop_id = loops[self.world.random(loops.len() as u64) as usize];
        self.call_of(&from, &to, loop_id);
    }

    /// One realm calls a loop of another one.
    pub(super) fn call_of(&mut self, from: &Member, to: &Member, loop_id: &str) {
        let mut known_to = vec![from.host, to.host];
        if loop_id == "both" {
            known_to = self.members.iter().map(|member| member.host).collect();
        }
        let canary = self.world.canary(&known_to);
        let number = self.calls.len();
        let mut input = json!({"n": number, "question": canary});
        if loop_id == "flow" {
            input = Flows::input(number, &mut |bound| self.world.random(bound));
            input["question"] = json!(canary);
        }
        let timeout_ms = [2_000, 10_000, 30_000, 60_000, 90_000][self.world.random(5) as usize];
        let address = format!("{loop_id}@{}", to.name);
        let request = World::invoke_within(&address, input, timeout_ms);
        let Request::Invoke(mut asked) = request else {
            return;
        };
        if self.world.random(2) == 0 {
            asked.key = Some(format!("k{number}"));
            self.keyed.push((from.host, asked.clone()));
        }
        self.ask(from.host, asked);
    }

    /// The same again, under the same key.
    fn call_again(&mut self) {
        if self.keyed.is_empty() {
            return self.call();
        }
        let index = self.world.random(self.keyed.len() as u64) as usize;
        let (from, asked) = self.keyed[index].clone();
        self.ask(from, asked);
    }

    fn ask(&mut self, from: HostId, asked: InvokeAsked) {
        if self.world.is_up(from) {
            let control = self.world.ask(from, Request::Invoke(asked));
            self.calls.push((from, control));
        }
    }

    fn crash(&mut self) {
        let host = self.member().host;
        if self.world.is_up(host) {
            let down = self.world.random(4_000);
            self.world.crash_for(host, down);
        }
    }

    fn crash_at_entry(&mut self) {
        let host = self.member().host;
        let point = CrashPoint {
            entries: 1 + self.world.random(8),
            durable: self.world.random(2) == 0,
            down_ms: self.world.random(4_000),
        };
        self.world.crash_points.insert(host, point);
    }

    /// A pair of hosts that a link may join.
    fn pair(&mut self) -> Option<(HostId, HostId)> {
        let member = self.member();
        let other = match member.parent {
            Some(parent) => parent,
            None => {
                let roots = self.members.iter().filter(|other| other.parent.is_none());
                let roots: Vec<Member> = roots.cloned().collect();
                self.pick(&roots).host
            }
        };
        (member.host != other).then_some((member.host, other))
    }

    fn keep_apart(&mut self) {
        let Some((a, b)) = self.pair() else { return };
        if self.world.random(2) == 0 {
            self.world.partition(a, b);
        } else {
            self.world.silence(a, b);
        }
        let until = self.world.elapsed_ms() + self.world.random(8_000);
        self.apart.push((until, a, b));
    }

    fn bring_together(&mut self) {
        let now = self.world.elapsed_ms();
        let apart = std::mem::take(&mut self.apart);
        for (until, a, b) in apart {
            if until <= now {
                self.world.heal(a, b);
            } else {
                self.apart.push((until, a, b));
            }
        }
    }

    fn cut_once(&mut self) {
        if let Some((a, b)) = self.pair() {
            self.world.cut_once(a, b);
        }
    }

    fn vary_faults(&mut self) {
        self.world.faults = Faults {
            loss: self.world.random(60),
            duplication: self.world.random(150),
            reordering: self.world.random(300),
            full: self.world.random(40),
            latency_ms: self.world.random(150),
            disk_ms: self.world.random(60),
        };
    }

    fn move_clock(&mut self) {
        let host = self.member().host;
        let minutes = [-90, -3, -1, 0, 0, 1, 3, 90][self.world.random(8) as usize];
        self.world.hosts[host.0].clock_offset = minutes * 60_000;
    }

    fn leap(&mut self) {
        if self.leaps < 2 {
            self.leaps += 1;
            let hours = 1 + self.world.random(30);
            self.world.leap(hours * 3_600_000);
        }
    }

    fn revoke(&mut self) {
        let member = self.member();
        let Some(parent) = member.parent.filter(|parent| self.world.is_up(*parent)) else {
            return;
        };
        if !self.cut_off.is_empty() || self.world.hosts[parent.0].disk.broken {
            return;
        }
        let path = member.name.split_once('/').expect("a child").1;
        let request = Request::Revoke(path.parse().expect("a path"));
        let control = self.world.ask(parent, request);
        self.world.grants().revoke(control, parent, member.host);
        self.cut_off.insert(member.host);
    }

    fn break_disk(&mut self) {
        let host = self.member().host;
        self.world.hosts[host.0].disk.broken = true;
    }

    fn cancel(&mut self) {
        let host = self.member().host;
        let runs = self.world.hosts[host.0].disk.runs.values();
        let running = runs.rev().find(|run| run.status == Status::Running);
        if let Some(run) = running.map(|run| run.id)
            && self.world.is_up(host)
        {
            self.world.ask(host, Request::Cancel(run));
        }
    }

    /// An owner lets a run stand still, or go on.
    fn hold(&mut self) {
        let host = self.member().host;
        if !self.world.is_up(host) {
            return;
        }
        let runs = self.world.hosts[host.0].disk.runs.values().rev();
        let mut held = runs.filter_map(|run| match run.status {
            Status::Running => Some(Request::Pause(run.id)),
            Status::Paused => Some(Request::Resume(run.id, None)),
            Status::Completed | Status::Failed | Status::Cancelled => None,
        });
        if let Some(request) = held.next() {
            self.world.ask(host, request);
        }
    }

    /// Somebody stops a realm, with all below it or without, or one that is stopped goes on.
    fn halt(&mut self) {
        let member = self.member();
        if !self.world.is_up(member.host) {
            return;
        }
        let (by, why) = ("owner".to_owned(), None);
        let name = || member.name.parse().expect("a realm");
        let of = match self.world.random(4) {
            0 => HaltOf::All,
            1 => HaltOf::Realm(name()),
            2 => HaltOf::Loop("pay".parse().expect("a loop")),
            _ => {
                let of = UnhaltOf::All;
                let lifted = Request::Unhalt(UnhaltAsked { of, by, why });
                self.world.ask(member.host, lifted);
                return;
            }
        };
        self.halted.insert(member.host);
        let stopped = Request::Halt(HaltAsked { of, by, why });
        self.world.ask(member.host, stopped);
    }

    /// An owner changes its mind.
    fn rule(&mut self) {
        let member = self.member();
        if !self.world.is_up(member.host) {
            return;
        }
        let verb = ["permit", "forbid"][self.world.random(2) as usize];
        let cedar = format!(
            r#"{verb} (principal, action == Action::"invoke", resource) when {{ resource.name == "look" }};"#
        );
        let subtree = self.world.random(3) == 0;
        let id = if subtree { "subtree.looks" } else { "looks" };
        let withdraw = self.world.random(3) == 0;
        let request = match withdraw {
            true => Request::Disallow(id.to_owned()),
            false => Request::SetPolicy {
                id: id.to_owned(),
                cedar,
                subtree,
            },
        };
        let control = self.world.ask(member.host, request);
        let word = match (withdraw, verb) {
            (true, _) => Word::Silence,
            (false, "permit") => Word::Permit,
            _ => Word::Forbid,
        };
        let document = (member.host, "look", subtree);
        self.world.grants().say(control, document, word);
    }

    /// A disk that takes its time.
    fn slow_disk(&mut self) {
        let host = self.member().host;
        self.world.hosts[host.0].slow_ms = [0, 100, 700, 2_000][self.world.random(4) as usize];
    }

    /// A disk without room: nothing is durable until somebody makes some and starts the realm
    /// again.
    fn fill_disk(&mut self) {
        let host = self.member().host;
        if !self.world.hosts[host.0].disk.broken {
            self.world.hosts[host.0].disk.broken = true;
            let until = self.world.elapsed_ms() + self.world.random(6_000);
            self.full.push((until, host));
        }
    }

    fn make_room(&mut self) {
        let now = self.world.elapsed_ms();
        for (until, host) in std::mem::take(&mut self.full) {
            if until > now {
                self.full.push((until, host));
                continue;
            }
            self.world.hosts[host.0].disk.broken = false;
            if self.world.is_up(host) {
                self.world.crash_for(host, 200);
            }
        }
    }

    /// A permission that ends while it is used.
    fn allow_for_a_while(&mut self) {
        let (owner, caller) = (self.member(), self.member());
        if self.world.is_up(owner.host) {
            let for_ms = 500 + self.world.random(5_000);
            self.permit(owner.host, &caller.name, "*", Some(for_ms));
        }
    }

    fn look_around(&mut self) {
        let (from, to) = (self.member(), self.member());
        if !self.world.is_up(from.host) {
            return;
        }
        let realm = to.name.parse().expect("a realm");
        let request = match self.world.random(2) {
            0 => Request::Ping(realm),
            _ => Request::Contracts(ContractsOf {
                realm,
                loop_id: None,
            }),
        };
        self.world.ask(from.host, request);
    }

    /// Somebody joins while everything goes wrong; whether it works out is another matter.
    fn join(&mut self) {
        let parent = self.member();
        if !self.world.is_up(parent.host) || self.world.hosts.len() > 14 {
            return;
        }
        let label = format!("j{}", self.world.hosts.len());
        let kind = if parent.depth < super::DEPTH {
            InviteKind::Child(label.parse().expect("a label"))
        } else {
            InviteKind::Peer
        };
        let asked = InviteAsked {
            kind,
            allow: vec![],
            uses: 1,
            ttl_ms: 3_600_000,
            petname: None,
        };
        let control = self.world.ask(parent.host, Request::Invite(asked));
        self.world.run_for(100);
        let answered = self.world.outcomes.remove(&(parent.host, control));
        let Some(Response::Invited(invited)) = answered.map(|outcome| outcome.response) else {
            return;
        };
        let joiner = self.world.found(&label);
        let asked = JoinAsked {
            ticket: invited.ticket,
            petname: None,
            allow: vec![],
        };
        self.world.ask(joiner, Request::Join(asked));
    }
}
