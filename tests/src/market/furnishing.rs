//! What realms have and permit.

use super::*;

/// How the agents of a realm bid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Fixed,
    Expressions,
    Asked,
}

/// What an agent that bids by expressions may be paid in a day, in millionths of a euro: its budget.
pub(super) const DAY_MICROS: u64 = 3_000_000;

impl Way {
    pub(super) fn of(host: HostId) -> Self {
        [Self::Fixed, Self::Expressions, Self::Asked][host.0 % 3]
    }
}

impl Market {
    /// Gives every realm its loops and the permissions that others need, and makes some of them
    /// announcers and some puppets.
    pub(super) fn furnish(&mut self) {
        let many = self.members.len() as u64;
        let crowded = many >= CROWD;
        for _ in 0..1 + u64::from(crowded) + self.world.random(3) {
            let announcer = HostId(self.world.random(many) as usize);
            self.announcers.insert(announcer);
        }
        if self.world.random(6) > 0 || crowded {
            for _ in 0..2 + self.world.random(4) + many / 20 {
                let host = HostId(self.world.random(many) as usize);
                if !self.announcers.contains(&host) && self.world.post.puppets.insert(host) {
                    // What it is told in a session only its node could read.
                    self.world.hosts[host.0].sessions = false;
                    self.world.crash(host);
                    self.world.start(host);
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
            let mut loops = Vec::new();
            for (id, effects, program) in AGENTS {
                let agent = match id {
                    "see" if self.passes_on(&member) => passed_on(id, "part"),
                    _ => self.agent(id, effects, program),
                };
                loops.extend(self.bidding(agent, &member));
            }
            if self.announcers.contains(&member.host) {
                let makers = [("sum", "again"), ("babble", "say"), ("botch", "fail")];
                loops.extend(makers.map(|(id, program)| aggregator(id, program)));
                loops.extend(STACKS.iter().flat_map(|(id, makers)| stack(id, makers)));
            }
            self.world.apply(member.host, &loops);
            let root = member.name.split('/').next().unwrap_or_default();
            let (mut own, mut below) = (String::new(), String::new());
            for foreign in roots.iter().filter(|name| *name != root) {
                let mut actions = Vec::new();
                if self.world.random(6) > 0 {
                    let grants = self.world.grants();
                    grants.allow(member.host, foreign, "*", None);
                    actions.extend(["discover", "invoke", "bid"]);
                }
                match (member.depth, self.world.random(2)) {
                    (0, _) => {}
                    (_, 0) => {
                        let all = ["discover", "invoke", "bid", "award"];
                        below += &self.permit(foreign, &all);
                    }
                    _ => self.shun_below(&member.name, foreign),
                }
                match self.world.random(6) {
                    0 => drop(self.shunned.insert((member.host, foreign.clone()))),
                    _ => actions.push("award"),
                }
                own += &self.permit(foreign, &actions);
            }
            self.rule(member.host, "strangers", own, false);
            self.rule(member.host, "strangers-below", below, true);
        }
    }

    /// Sets a policy of a host's, if it says anything.
    fn rule(&mut self, host: HostId, id: &str, cedar: String, subtree: bool) {
        if !cedar.is_empty() {
            let id = id.to_owned();
            self.world
                .ask(host, Request::SetPolicy { id, cedar, subtree });
        }
    }

    /// Cedar that permits a root and all below it these actions.
    fn permit(&self, root: &str, actions: &[&str]) -> String {
        let member = self.members.iter().find(|member| member.name == root);
        let realm = self.world.hosts[member.expect("a root").host.0].realm;
        if actions.is_empty() {
            return String::new();
        }
        let actions: Vec<String> = actions
            .iter()
            .map(|action| format!("Action::\"{action}\""))
            .collect();
        format!(
            "permit (principal is Realm in Realm::\"{realm}\", action in [{}], resource);\n",
            actions.join(", ")
        )
    }

    /// No realm below one lets anything from elsewhere in.
    fn shun_below(&mut self, above: &str, foreign: &str) {
        let above = format!("{above}/");
        let below = self.members.iter().filter(|it| it.name.starts_with(&above));
        let shunned = below.map(|member| (member.host, foreign.to_owned()));
        self.shunned.extend(shunned);
    }

    /// Whether a realm announces the work that it wins to those below it.
    fn passes_on(&mut self, member: &Member) -> bool {
        let mut others = self.members.iter();
        let has_children = others.any(|it| it.parent == Some(member.host));
        has_children && self.world.random(3) == 0
    }

    /// A loop of one of the kinds that are announced.
    fn agent(&mut self, id: &str, effects: &str, program: &str) -> Value {
        let slow = [300, 3_000, 25_000][self.world.random(3) as usize];
        let ms = self.world.random(slow);
        let mut tool = Loops::once(id, ms);
        tool["effects"] = json!(effects);
        if id == LIST {
            tool["outputSchema"] = json!({});
        }
        tool["tool"]["config"]["argv"] = json!([program, ms.to_string()]);
        tool
    }

    /// A loop with how it bids, if its realm does, and the loop that says so where one does. Each realm
    /// has one way for all its loops.
    fn bidding(&mut self, mut agent: Value, member: &Member) -> Vec<Value> {
        if !member.bids {
            return vec![agent];
        }
        let (cents, time) = (self.world.random(90), 1 + self.world.random(9));
        let confidence = (4 + self.world.random(7)) as f64 / 10.0;
        let price = format!("EUR 0.{cents:02}");
        let fixed = json!({
            "price": price, "time": format!("{time}s"), "confidence": confidence,
        });
        match Way::of(member.host) {
            Way::Fixed => agent["bid"] = fixed,
            Way::Expressions => {
                agent["bid"] = json!({
                    "price": format!("EUR highestPrice * 0.{cents:02}"), "time": "execution / 4",
                    "confidence": format!("load < 0.5 ? {confidence:?} : 0.1"),
                    "when": "budget > 0.05", "budget": "EUR 3",
                });
            }
            Way::Asked => {
                let id = format!("quote-{}", agent["id"].as_str().unwrap_or_default());
                agent["bid"] = json!({"ask": id, "within": "1s"});
                let takes = [5, 40, 400, 2_500][self.world.random(4) as usize];
                let says = match self.world.random(8) {
                    0 => json!({"bid": false}),
                    1 => json!("what?"),
                    _ => fixed,
                };
                let quote = json!({
                    "id": id, "version": "1.0.0", "kind": "tool",
                    "inputSchema": {"type": "object"}, "outputSchema": {},
                    "tool": {"implementation": "process",
                             "config": {"argv": ["say", takes.to_string(), says.to_string()]}},
                });
                return vec![quote, agent];
            }
        }
        match self.world.random(6) {
            0 => agent["bid"]["when"] = json!("load < 0.01"),
            1 => agent["bid"]["when"] = json!("highestPrice > 0.5"),
            _ => {}
        }
        vec![agent]
    }
}

/// A loop whose contract allows any output.
pub(super) const LIST: &str = "list";

/// Loops that are announced: their effects, and the program behind them.
const AGENTS: [(&str, &str, &str); 5] = [
    ("see", "idempotent", "judge"),
    ("buy", "once", "judge"),
    ("try", "idempotent", "doubt"),
    ("part", "idempotent", "again"),
    (LIST, "idempotent", "list"),
];

/// A loop that announces what it is asked for as another one, to all below its realm.
fn passed_on(id: &str, announced: &str) -> Value {
    let down = json!({
        "scope": "children", "maxPrice": "EUR 1", "window": "600ms", "within": "8s",
        "select": "best", "standbys": 2,
    });
    let mut loops = Loops::broadcast(id, announced, down);
    loops["effects"] = json!("idempotent");
    loops
}

/// A stack: work that is announced step by step, and the results of each made one by a loop.
fn stack(id: &str, makers: &[(&str, &str)]) -> Vec<Value> {
    let parts = makers.iter().map(|(announced, maker)| {
        let everybody = json!({
            "scope": ["subtree", "peers"], "maxPrice": "EUR 1", "window": "900ms", "within": "20s",
            "select": "all", "winners": 3, "aggregate": "loop", "aggregator": maker,
        });
        let mut part = Loops::broadcast(&format!("{announced}-{maker}"), announced, everybody);
        part["effects"] = json!("idempotent");
        part
    });
    let mut loops: Vec<Value> = parts.collect();
    let steps: Vec<&str> = loops.iter().filter_map(|it| it["id"].as_str()).collect();
    let whole = Loops::composite(id, &steps);
    loops.push(whole);
    loops
}

/// A loop that makes results one.
fn aggregator(id: &str, program: &str) -> Value {
    json!({
        "id": id, "version": "1.0.0", "kind": "tool", "effects": "idempotent",
        "inputSchema": {"type": "array"}, "outputSchema": {},
        "tool": {"implementation": "process", "config": {"argv": [program, "[1]"]}},
    })
}
