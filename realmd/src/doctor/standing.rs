//! What the node knows: clock, neighbours, backends, policy.

use std::{collections::BTreeMap, path::Path};

use realm_backends::{Models, Servers};
use realm_client::api::{Check, Finding};
use realm_executor::{Body, Limit, MOCK, Standing, Tool};
use realm_node::{BreakerView, Node, RateView, StandingView};
use realm_protocol::{Timestamp, audit::Contradiction, limits};

use super::{bad, halts, ok};

/// How long a realm may show a longer audit log before the proof that it only grew is missed, milliseconds.
const UNPROVEN_MS: u64 = 10 * 60 * 1_000;

/// What the checks need of the node, in one look.
pub(super) struct Seen {
    pub(super) standing: StandingView,
    parent: Option<(String, bool)>,
    children: Vec<(String, bool, bool)>,
    peers: Vec<(String, bool, bool, Option<Timestamp>)>,
    /// Realms whose audit logs contradict what was seen of them, and how.
    contradicted: Vec<(String, String)>,
    /// Realms that show longer audit logs without proof that they only grew, and since when.
    unproven: Vec<(String, Timestamp)>,
    /// Loops whose program or backend cannot be right.
    backends: Vec<(String, String)>,
    loops: usize,
    policies: usize,
    /// Cedar texts that do not hold.
    faults: Vec<String>,
    missing_ceilings: bool,
    rates: Vec<RateView>,
    limits: Vec<Check>,
    pub(super) halts: Vec<Check>,
    breakers: Vec<BreakerView>,
}

impl Seen {
    pub(super) fn of(node: &Node, models: &Models, servers: &Servers) -> Self {
        let standing = node.standing();
        let parent = standing.parent.as_ref();
        let children = node.children();
        let children = children
            .iter()
            .map(|child| (child.label.to_string(), child.connected, child.accepted));
        let peers = node.peers();
        let peers = peers.iter().map(|peer| {
            (
                peer.petname.to_string(),
                peer.connected,
                peer.dialled,
                peer.expires,
            )
        });
        let faults = node
            .policies()
            .filter(|(_, cedar, ..)| !realm_policy::check(cedar).is_empty());
        let unproven = node.witnessed().into_iter();
        let unproven =
            unproven.filter_map(|seen| Some((node.name_of(&seen.scope), seen.unproven?)));
        let unproven = unproven.collect();
        let contradicted = node.witnessed().into_iter().filter_map(|seen| {
            let found = seen.contradiction;
            let found = found.filter(|found| found.acknowledged.is_none())?;
            let said = match found.how {
                Contradiction::Shorter => "it was cut short, or an old one was put back",
                Contradiction::Other => "it was told anew",
            };
            let counts = format!(
                "{} entries, then {}: {said}",
                found.known.count, found.shown.count
            );
            Some((node.name_of(&seen.scope), counts))
        });
        let contradicted = contradicted.collect();
        Self {
            contradicted,
            unproven,
            parent: parent.map(|(scope, connected)| (node.name_of(scope), *connected)),
            children: children.collect(),
            peers: peers.collect(),
            backends: node
                .registry()
                .iter()
                .filter_map(|known| {
                    let fault = backend_fault(&known.manifest.body, models, servers)?;
                    Some((known.manifest.id.to_string(), fault))
                })
                .collect(),
            loops: node.registry().iter().count(),
            policies: node.policies().count(),
            faults: faults.map(|(id, ..)| id.to_owned()).collect(),
            missing_ceilings: node.ceilings().len() < standing.scope.path.depth(),
            rates: node.rates(),
            limits: node.limits().map(limit_check).collect(),
            halts: halts::checks(&node.halts(), |scope| node.name_of(scope)),
            breakers: node.breakers(),
            standing,
        }
    }

    pub(super) fn clock(&self) -> Vec<Check> {
        let skew = self.standing.skew_ms;
        let (code, title) = ("clock.skew", "difference to neighbours");
        let evidence = format!("{skew} ms");
        let fix = "timedatectl set-ntp true";
        let differs = if skew > limits::CLOCK_SKEW_MS {
            bad(Finding::Fail, code, title, evidence, fix)
        } else {
            ok(code, title, evidence)
        };
        let jumps = self.standing.clock_jumps;
        let (code, title) = ("clock.jumps", "jumps since the start");
        let jumped = if jumps > 0 {
            bad(Finding::Warn, code, title, jumps.to_string(), fix)
        } else {
            ok(code, title, "none")
        };
        vec![differs, jumped]
    }

    pub(super) fn neighbours(&self, now: Timestamp) -> Vec<Check> {
        let mut checks = vec![self.chain(now)];
        if let Some((name, connected)) = &self.parent {
            let (code, title) = ("parent.link", format!("parent {name}"));
            checks.push(if *connected {
                ok(code, &title, "connected directly")
            } else {
                bad(
                    Finding::Fail,
                    code,
                    &title,
                    "unreachable: this side dials and nobody answers",
                    "see that its daemon runs and its address is open: there, realmctl status",
                )
            });
        }
        checks.extend(self.children.iter().map(|(label, connected, accepted)| {
            let title = format!("child {label}");
            match (connected, accepted) {
                (true, _) => ok("child.link", &title, "connected directly"),
                (false, true) => bad(
                    Finding::Warn,
                    "child.link",
                    &title,
                    "not connected: it dials, this side waits",
                    "on its machine: realmctl status",
                ),
                (false, false) => bad(
                    Finding::Warn,
                    "child.link",
                    &title,
                    "it has not finished joining",
                    "on its machine, once more: realmctl join -",
                ),
            }
        }));
        checks.extend(self.peers.iter().map(|peer| peer_check(peer, now)));
        checks.extend(self.contradicted.iter().map(|(name, how)| {
            let title = format!("audit log of {name}");
            let fix = format!(
                "realmctl audit witness show {name}, then: realmctl audit witness acknowledge {name}"
            );
            bad(Finding::Fail, "witness.contradiction", &title, how, &fix)
        }));
        let late = self.unproven.iter();
        let late = late.filter(|(_, since)| now.since(*since) > UNPROVEN_MS);
        checks.extend(late.map(|(name, _)| {
            let title = format!("audit log of {name}");
            let how = "it shows more entries, and no proof that those seen before are still there";
            let fix =
                "ask its owner for `realmctl audit export`, and hold it against an earlier one";
            bad(Finding::Warn, "witness.unproven", &title, how, fix)
        }));
        checks
    }

    fn chain(&self, now: Timestamp) -> Check {
        let (code, title) = ("parent.chain", "certificate chain");
        match self.standing.chain_expires {
            Some(expires) if expires > now => {
                let hours = expires.since(now) / (60 * 60 * 1_000);
                ok(
                    code,
                    title,
                    format!("stands, for {hours} more hours unless renewed"),
                )
            }
            _ => bad(
                Finding::Fail,
                code,
                title,
                "a certificate in it has expired or was revoked",
                "connect to the parent, which renews it; or join again: realmctl join -",
            ),
        }
    }

    pub(super) fn backends(&self) -> Vec<Check> {
        let breakers = self.breakers.iter().filter_map(breaker_check);
        self.loops_with_backends()
            .into_iter()
            .chain(breakers)
            .collect()
    }

    fn loops_with_backends(&self) -> Vec<Check> {
        if self.backends.is_empty() {
            let evidence = format!("{} loops, all with a backend", self.loops);
            return vec![ok("backends.loops", "loops", evidence)];
        }
        let check = |(id, fault): &(String, String)| {
            let fix = format!("correct the definition and apply it again: realmctl loop show {id}");
            bad(
                Finding::Fail,
                "backends.loop",
                &format!("loop {id}"),
                fault.clone(),
                fix,
            )
        };
        self.backends.iter().map(check).collect()
    }

    pub(super) fn policy(&self) -> Vec<Check> {
        let own = if self.faults.is_empty() {
            let evidence = format!("{} policies, all valid", self.policies);
            ok("policy.own", "policies of this realm", evidence)
        } else {
            bad(
                Finding::Fail,
                "policy.own",
                "policies of this realm",
                format!("not valid, and so denying: {}", self.faults.join(", ")),
                "realmctl policy ls, then realmctl disallow ID",
            )
        };
        let (code, title) = ("policy.above", "policies from above");
        let above = if self.missing_ceilings {
            bad(
                Finding::Fail,
                code,
                title,
                "a realm above has not said what its tree may do: everything is denied",
                "connect to the parent, which sends them",
            )
        } else {
            ok(code, title, "all here")
        };
        let rates = self.rates.iter().map(rate_check);
        let limits = self.limits.iter().cloned();
        [own, above]
            .into_iter()
            .chain(rates)
            .chain(limits)
            .collect()
    }
}

/// What has opened; what is closed is well.
fn breaker_check(view: &BreakerView) -> Option<Check> {
    let opened = view.standing.opened()?;
    let stands = match view.standing {
        Standing::HalfOpen(_) => "a probe is under way",
        _ => "what would ask it is refused as Overloaded",
    };
    let evidence = format!("{}; {stands}", opened.reason);
    let title = format!("breaker {}", view.of);
    let fix = format!(
        "see why its calls fail: realmctl run ls --status failed; when it is well: \
         realmctl breaker reset {}",
        view.of
    );
    let check = bad(Finding::Warn, "backends.breaker", &title, evidence, fix);
    Some(check)
}

/// What a document of another system limits.
fn limit_check((id, of, most): (&str, Limit, u64)) -> Check {
    let evidence = match of {
        Limit::Runs => format!("{most} runs at once"),
        Limit::Agents => format!("{most} agents attached"),
        Limit::Kept => format!("runs are kept for {} h", most / (60 * 60 * 1_000)),
    };
    ok("policy.limit", &format!("limit {id}"), evidence)
}

fn rate_check(view: &RateView) -> Check {
    let (code, rate) = ("policy.rate", &view.rate);
    let title = format!("rate {}", rate.name);
    if let Some(name) = rate.callers.as_ref().filter(|_| view.unknown) {
        let evidence = format!("is for {name}, which no realm is called here, and so for nobody");
        let fix = match view.configured {
            true => format!("realmctl peer ls, then correct rates.{}.callers", rate.name),
            false => format!("realmctl peer ls, then realmctl rate apply {}", rate.name),
        };
        return bad(Finding::Warn, code, &title, evidence, fix);
    }
    let evidence = format!(
        "{} a minute, {} at once: {} calls waited for their turn, {} were refused",
        rate.per_minute, rate.burst, view.waited, view.refused
    );
    if view.refused == 0 {
        return ok(code, &title, evidence);
    }
    let fix = match view.configured {
        true => format!("realmctl config explain rates.{}.per_minute", rate.name),
        false => format!("realmctl rate show {}", rate.name),
    };
    bad(Finding::Warn, code, &title, evidence, fix)
}

fn peer_check(
    (name, connected, dialled, expires): &(String, bool, bool, Option<Timestamp>),
    now: Timestamp,
) -> Check {
    let (code, title) = ("peer.link", format!("peer {name}"));
    if expires.is_none_or(|expires| expires <= now) {
        return bad(
            Finding::Fail,
            code,
            &title,
            "the peering has expired",
            "peer again: realmctl invite --peer on one side, realmctl join - on the other",
        );
    }
    match (connected, dialled) {
        (true, _) => ok(code, &title, "connected directly"),
        (false, true) => bad(
            Finding::Warn,
            code,
            &title,
            "unreachable: this side dials and nobody answers",
            "see with its owner that its daemon runs and its address is open",
        ),
        (false, false) => bad(
            Finding::Warn,
            code,
            &title,
            "not connected: it dials, this side waits",
            "see with its owner that its daemon runs",
        ),
    }
}

/// What cannot be right about a backend without calling it.
fn backend_fault(body: &Body, models: &Models, servers: &Servers) -> Option<String> {
    match body {
        Body::Prompt(prompt) if prompt.backend != MOCK => match models.get(&prompt.backend) {
            Some(model) => model.fault(&prompt.backend).map(|fault| fault.to_string()),
            None => Some(format!(
                "backend `{}` is not configured here",
                prompt.backend
            )),
        },
        Body::Tool(Tool::Mcp(mcp)) => {
            realm_backends::tool_fault(mcp, servers).map(|fault| fault.to_string())
        }
        Body::Tool(Tool::Process(process)) => {
            program_fault(process.cwd.as_deref(), &process.env, process.argv.first())
        }
        Body::Tool(Tool::Commands(commands)) => {
            let programs = commands.list.values();
            let mut faults = programs.filter_map(|command| {
                program_fault(commands.cwd.as_deref(), &commands.env, command.program())
            });
            faults.next()
        }
        _ => None,
    }
}

/// A program that is not where it would be looked for, or a folder that it cannot run in.
fn program_fault(
    folder: Option<&str>,
    env: &BTreeMap<String, String>,
    program: Option<&String>,
) -> Option<String> {
    let folder = folder.map(Path::new);
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Some(format!("its folder {} is gone", folder.display()));
    }
    let program = program?;
    if program.contains('/') {
        let path = folder.map_or_else(|| program.into(), |folder| folder.join(program));
        return (!path.is_file()).then(|| format!("its program {} is gone", path.display()));
    }
    let path = env.get("PATH").map(String::as_str);
    let mut folders = path.unwrap_or(realm_backends::PATH).split(':');
    let found = folders.any(|folder| Path::new(folder).join(program).is_file());
    (!found).then(|| format!("its program `{program}` is in no folder of its PATH"))
}
