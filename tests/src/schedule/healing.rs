//! After the faults: who reaches whom again, and how soon.

use std::collections::{BTreeMap, BTreeSet};

use realm_node::{ControlId, Request, Response};
use serde_json::json;

use super::Schedule;
use crate::{HostId, Tree, World};

/// When every pair must reach each other again, milliseconds after the faults.
pub(super) const HEALED_MS: u64 = 15_000;
/// How often a pair tries, milliseconds.
const TRY_MS: u64 = 200;
/// How long one try may take, milliseconds.
const WITHIN_MS: u64 = 2_500;
/// Pairs that are no neighbours, besides all neighbours.
const FAR_PAIRS: usize = 6;

/// Who calls whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    from: HostId,
    to: String,
}

impl Schedule {
    /// Every neighbouring pair and some others of one tree between whom nobody was revoked.
    fn pairs(&mut self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        let members = self.members.clone();
        for member in &members {
            let parent = member
                .parent
                .filter(|_| !self.cut_off.contains(&member.host));
            let above = members.iter().find(|above| Some(above.host) == parent);
            if let Some(above) = above {
                pairs.push(Pair::new(member.host, &above.name));
                pairs.push(Pair::new(above.host, &member.name));
            }
        }
        for _ in 0..FAR_PAIRS {
            let (from, to) = (self.pick(&members), self.pick(&members));
            let cut = self.cut_between(&from.name, &to.name);
            let same = self.root_of(&from) == self.root_of(&to);
            if from.host != to.host && same && !cut {
                pairs.push(Pair::new(from.host, &to.name));
            }
        }
        pairs.sort();
        pairs.dedup();
        pairs
    }

    fn cut_between(&self, from: &str, to: &str) -> bool {
        let cut_off = self.members.iter();
        let mut cut_off = cut_off.filter(|member| self.cut_off.contains(&member.host));
        let below = |name: &str, above: &str| format!("{name}/").starts_with(&format!("{above}/"));
        cut_off.any(|member| below(from, &member.name) != below(to, &member.name))
    }

    /// Lets every pair try until it succeeds: notes how long that took, gives who never did.
    pub(super) fn heal(&mut self) -> Vec<String> {
        let began = self.world.elapsed_ms();
        let mut left = self.pairs();
        let mut trying: BTreeMap<ControlId, Pair> = BTreeMap::new();
        let mut failures: BTreeMap<Pair, String> = BTreeMap::new();
        while (!left.is_empty() || !trying.is_empty())
            && self.world.elapsed_ms() < began + HEALED_MS
        {
            for pair in std::mem::take(&mut left) {
                if !self.world.is_up(pair.from) {
                    left.push(pair);
                    continue;
                }
                let echo = format!("echo@{}", pair.to);
                let request = World::invoke_within(&echo, json!({}), WITHIN_MS);
                let control = self.world.ask(pair.from, request);
                trying.insert(control, pair);
            }
            self.world.run_for(TRY_MS);
            for (control, pair) in std::mem::take(&mut trying) {
                let key = (pair.from, control);
                match self.world.outcomes.get(&key).map(|done| &done.response) {
                    None => drop(trying.insert(control, pair)),
                    Some(Response::Invoked(done)) if done.result.is_ok() => {
                        let answered = self.world.outcomes[&key].answered;
                        self.healed.push(answered - began);
                    }
                    Some(other) => {
                        failures.insert(pair.clone(), format!("{other:?}"));
                        left.push(pair);
                    }
                }
            }
        }
        let never = left.into_iter().chain(trying.into_values());
        never
            .map(|pair| {
                let (from, why) = (pair.from.0, failures.get(&pair));
                format!("host {from} does not reach {}: {why:?}", pair.to)
            })
            .collect()
    }

    /// Whoever was revoked reaches nobody above, and nobody above reaches it.
    pub(super) fn revoked_stay_out(&mut self) -> Vec<String> {
        let mut broken = Vec::new();
        for member in self.members.clone() {
            let Some(parent) = member.parent else {
                continue;
            };
            if !self.world.grants().is_revoked(member.host) {
                continue;
            }
            let above = self.members.iter().find(|above| above.host == parent);
            let above = above.expect("a member").name.clone();
            for (from, to) in [(member.host, above), (parent, member.name.clone())] {
                let echo = format!("echo@{to}");
                let request = World::invoke_within(&echo, json!({}), 2_000);
                match self.world.ask_and_wait(from, request) {
                    Response::Invoked(done) if done.result.is_err() => {}
                    other => broken.push(format!("revoked, yet {} to {to}: {other:?}", from.0)),
                }
            }
        }
        broken
    }

    /// No realm keeps a link to a stranger, nor two to one neighbour. One whose ends are still saying
    /// who they are is not kept: it is gone, or known, a moment later.
    pub(super) fn links_are_few(&mut self) -> Vec<String> {
        let before = self.superfluous_links();
        if before.is_empty() {
            return before;
        }
        self.world.run_for(1_000);
        let after = self.superfluous_links();
        after
            .into_iter()
            .filter(|link| before.contains(link))
            .collect()
    }

    fn superfluous_links(&self) -> Vec<String> {
        let mut superfluous = Vec::new();
        for host in &self.world.hosts {
            let mut relations = BTreeSet::new();
            for link in host.node().links() {
                if link.relation.is_none() || !relations.insert(link.relation.clone()) {
                    superfluous.push(format!("{} keeps {link:?}", host.name));
                }
            }
        }
        superfluous
    }
}

impl Pair {
    fn new(from: HostId, to: &str) -> Self {
        let to = to.to_owned();
        Self { from, to }
    }
}

impl Schedule {
    /// Asks every realm below one that forbids `look` to all below it: none may run it.
    pub(super) fn ask_for_what_is_forbidden(&mut self) {
        for member in self.members.clone() {
            let Some(parent) = member.parent else {
                continue;
            };
            if self.cut_off.contains(&member.host) {
                continue;
            }
            let look = format!("look@{}", member.name);
            let request = World::invoke_within(&look, json!({}), 2_000);
            let Request::Invoke(asked) = request else {
                continue;
            };
            // The watch judges whatever runs.
            self.world.ask(parent, Request::Invoke(asked));
        }
        self.world.run_for(3_000);
    }
}
