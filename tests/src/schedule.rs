//! Random schedules: trees, loops, policies, calls and faults, all from one seed.

mod chaos;
mod granting;
mod healing;

use std::collections::{BTreeMap, BTreeSet};

use realm_node::{ControlId, InvokeAsked, Request, Response, UnhaltAsked, UnhaltOf};
use realm_protocol::Digest;
use serde_json::json;

use self::granting::Granting;
use crate::{Flows, HostId, Hostile, Loops, Tree, World, grants::Word, invariants};

/// Realms in one schedule.
const REALMS: u64 = 11;
/// Things that happen in one schedule.
const STEPS: u64 = 40;
/// Depth of the deepest tree.
const DEPTH: usize = 8;
/// How long everything under way has to come to its end, milliseconds: more than any deadline.
const REST_MS: u64 = 85_000;

/// Something that goes wrong, or just happens.
type Fault = fn(&mut Schedule);

/// A realm of a schedule.
#[derive(Clone, Debug)]
struct Member {
    host: HostId,
    /// What everybody calls it.
    name: String,
    parent: Option<HostId>,
    depth: usize,
    /// Whether it forbids everybody to invoke `secret`.
    closed: bool,
}

/// One random schedule.
#[derive(Debug)]
pub struct Schedule {
    world: World,
    members: Vec<Member>,
    /// Hosts that were revoked.
    cut_off: BTreeSet<HostId>,
    /// Pairs kept apart, and until when.
    apart: Vec<(u64, HostId, HostId)>,
    /// Calls that may be made again under their key: caller and request.
    keyed: Vec<(HostId, InvokeAsked)>,
    calls: Vec<(HostId, ControlId)>,
    asked: u64,
    answered: u64,
    leaps: u64,
    /// Disks that are full, and until when.
    full: Vec<(u64, HostId)>,
    /// Realms whose owners have stopped something.
    halted: BTreeSet<HostId>,
    hostile: Option<Hostile>,
    granting: Granting,
    /// When the faults ended.
    calm_since: u64,
    /// How long each pair took to reach each other after the faults, milliseconds.
    healed: Vec<u64>,
    /// What may go wrong, besides calls.
    faults: Vec<Fault>,
}

/// What came of a schedule.
#[derive(Debug)]
pub struct Verdict {
    /// What does not hold.
    pub broken: Vec<String>,
    /// Calls made.
    pub asked: u64,
    /// Calls that gave an output.
    pub answered: u64,
    /// How long each pair took to reach each other after the faults, milliseconds.
    pub healed: Vec<u64>,
    /// What happened in it, and how often.
    pub met: BTreeMap<&'static str, u64>,
    /// Digest of everything that happened.
    pub log: Digest,
}

impl Schedule {
    /// Runs the schedule of a seed from beginning to end.
    pub fn run(seed: u64) -> Verdict {
        let mut schedule = Self::new(seed);
        schedule.grow();
        schedule.furnish();
        schedule.choose_faults();
        schedule.choose_hostile();
        schedule.world.run_for(3_500);
        for _ in 0..STEPS {
            schedule.step();
        }
        schedule.calm_down();
        let mut broken = schedule.heal();
        schedule.settle();
        schedule.answer();
        schedule.ask_for_what_is_forbidden();
        broken.extend(schedule.revoked_stay_out());
        schedule.world.run_for(REST_MS);
        broken.extend(schedule.links_are_few());
        broken.extend(invariants::broken(&mut schedule.world));
        schedule.count();
        Verdict {
            broken,
            asked: schedule.asked,
            answered: schedule.answered,
            met: schedule.tell_grants(),
            healed: schedule.healed,
            log: schedule.world.log(),
        }
    }

    fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed),
            members: Vec::new(),
            cut_off: BTreeSet::new(),
            apart: Vec::new(),
            keyed: Vec::new(),
            calls: Vec::new(),
            asked: 0,
            answered: 0,
            leaps: 0,
            full: Vec::new(),
            halted: BTreeSet::new(),
            hostile: None,
            granting: Granting::default(),
            calm_since: 0,
            healed: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Founds two or three roots, lets their trees grow, and peers most of them.
    fn grow(&mut self) {
        self.world.faults.latency_ms = self.world.random(40);
        self.world.faults.disk_ms = self.world.random(10);
        let roots = 2 + self.world.random(2) as usize;
        for number in 0..roots {
            let name = format!("r{number}");
            let host = self.world.found(&name);
            self.enlist(host, name, None, 0);
        }
        let most = self.world.random(REALMS - roots as u64) + 1;
        let realms = roots as u64 + self.world.random(most + 1);
        let deep = self.world.random(3) == 0;
        for number in roots as u64..realms {
            self.bear(&format!("c{number}"), deep);
        }
        for a in 0..roots {
            for b in 0..a {
                if self.world.random(10) < 8 {
                    let (a, b) = (self.members[a].host, self.members[b].host);
                    self.world.peer(a, b);
                }
            }
        }
    }

    fn bear(&mut self, label: &str, deep: bool) {
        let able = |member: &&Member| member.depth < DEPTH;
        let able: Vec<Member> = self.members.iter().filter(able).cloned().collect();
        let parent = match able.last() {
            Some(last) if deep => last.clone(),
            _ => self.pick(&able),
        };
        let host = self.world.child(parent.host, label);
        let name = format!("{}/{label}", parent.name);
        self.enlist(host, name, Some(parent.host), parent.depth + 1);
    }

    fn enlist(&mut self, host: HostId, name: String, parent: Option<HostId>, depth: usize) {
        let closed = self.world.random(2) == 0;
        self.members.push(Member {
            host,
            name,
            parent,
            depth,
            closed,
        });
        let member = &self.members[self.members.len() - 1];
        self.world.grants().enlist(host, &member.name);
    }

    /// Gives every realm loops and policies.
    fn furnish(&mut self) {
        for member in self.members.clone() {
            let host = member.host;
            let other = self.pick(&self.members.clone());
            let (ms, idle) = (self.world.random(3_000), self.world.random(500));
            let mut loops = vec![
                Loops::once("pay", ms),
                Loops::idempotent("look", idle),
                Loops::once("secret", 10),
                Loops::prompt("ask"),
                Loops::failing("fails"),
            ];
            if other.host != host {
                let step = format!("pay@{}", other.name);
                let mut both = Loops::composite("both", &["echo", &step]);
                both["needs"] = json!([step]);
                loops.push(both);
            }
            let others = [other.name.clone()].into_iter();
            let others: Vec<String> = others.filter(|name| *name != member.name).collect();
            loops.extend(Flows::loops(&others, &mut |bound| self.world.random(bound)));
            self.world.apply(host, &loops);
            if member.closed {
                let forbid = r#"forbid (principal, action == Action::"invoke", resource)
                    when { resource.name == "secret" };"#;
                let request = Request::SetPolicy {
                    id: "no-secrets".to_owned(),
                    cedar: forbid.to_owned(),
                    subtree: false,
                };
                let control = self.world.ask(host, request);
                let secret = (host, "secret", false);
                self.world.grants().say(control, secret, Word::Forbid);
                self.world.wait_for(host, control);
            }
        }
        for _ in 0..self.members.len() {
            let owner = self.pick(&self.members.clone());
            let caller = self.far_from(&owner);
            let pattern = ["echo", "pay", "*"][self.world.random(3) as usize];
            self.permit(owner.host, &caller.name, pattern, None);
            self.world.run_for(50);
        }
    }

    /// Permits, where the caller is known and inside a peering.
    fn permit(&mut self, owner: HostId, caller: &str, pattern: &str, for_ms: Option<u64>) {
        let asked = realm_node::AllowAsked {
            caller: realm_node::CallerName::Realm(caller.parse().expect("a realm")),
            action: "invoke".to_owned(),
            pattern: pattern.to_owned(),
            owner: None,
            for_ms,
            subtree: false,
            dry_run: false,
        };
        let until = for_ms.map(|ms| self.world.now(owner).wall.plus(ms));
        self.world.grants().allow(owner, caller, pattern, until);
        self.world.ask(owner, Request::Allow(asked));
    }

    fn root_of(&self, member: &Member) -> String {
        let root = member.name.split('/').next();
        root.unwrap_or_default().to_owned()
    }

    /// A realm of another tree.
    fn far_from(&mut self, member: &Member) -> Member {
        let root = self.root_of(member);
        let foreign = self.members.iter();
        let foreign = foreign.filter(|member| self.root_of(member) != root);
        let foreign: Vec<Member> = foreign.cloned().collect();
        self.pick(&foreign)
    }

    fn pick(&mut self, among: &[Member]) -> Member {
        let index = self.world.random(among.len() as u64) as usize;
        among[index].clone()
    }

    /// Ends every fault, and lets what is under way come to its end.
    fn calm_down(&mut self) {
        self.world.faults = crate::Faults {
            latency_ms: 10,
            disk_ms: 2,
            ..crate::Faults::default()
        };
        self.world.crash_points.clear();
        self.full.clear();
        self.calm_since = self.world.elapsed_ms();
        for (_, a, b) in std::mem::take(&mut self.apart) {
            self.world.heal(a, b);
        }
        for id in (0..self.world.hosts.len()).map(HostId) {
            self.world.hosts[id.0].clock_offset = 0;
            self.world.hosts[id.0].slow_ms = 0;
            if std::mem::take(&mut self.world.hosts[id.0].disk.broken) && self.world.is_up(id) {
                self.world.crash(id);
            }
            if !self.world.is_up(id) {
                self.world.start(id);
            }
        }
        for host in std::mem::take(&mut self.halted) {
            let lifted = Request::Unhalt(UnhaltAsked {
                of: UnhaltOf::All,
                by: "owner".to_owned(),
                why: None,
            });
            self.world.ask(host, lifted);
        }
    }

    /// From here on every edit has had the time to reach whom it concerns.
    fn settle(&mut self) {
        let healed = self.calm_since + healing::HEALED_MS;
        let left = healed.saturating_sub(self.world.elapsed_ms());
        self.world.run_for(left);
        self.world.grants().settled = true;
    }

    /// Persons let go on what stands still, and say what became of what nobody knows. Each answer
    /// may lead to another question.
    fn answer(&mut self) {
        for _ in 0..30 {
            if self.world.resume_all() == 0 {
                return;
            }
            self.world.run_for(200);
        }
    }

    fn count(&mut self) {
        self.asked = self.calls.len() as u64;
        let answered = self.calls.iter().filter(|(host, control)| {
            let outcome = self.world.outcomes.get(&(*host, *control));
            matches!(
                outcome.map(|outcome| &outcome.response),
                Some(Response::Invoked(invocation)) if invocation.result.is_ok()
            )
        });
        self.answered = answered.count() as u64;
    }
}
