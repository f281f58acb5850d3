//! A thousand realms in one world: several peered trees, all of them pulled about at once.

use std::collections::BTreeMap;

use realm_node::{ControlId, Request, Response};
use realm_protocol::limits;
use realm_tests::{HostId, Tree, World, invariants};
use serde_json::json;

const REALMS: usize = 1_000;
const ROOTS: usize = 4;
/// Pairs that call each other when the faults are over.
const PAIRS: usize = 150;
/// How often a pair tries, and how long one try takes at most, milliseconds.
const TRY_MS: u64 = 500;
const WITHIN_MS: u64 = 2_500;
/// When all must reach each other, and 99 of 100, milliseconds after the faults.
const HEALED_MS: u64 = 15_000;
const HEALED_P99_MS: u64 = 5_000;

struct Land {
    world: World,
    /// Full names by host.
    names: Vec<String>,
    parents: Vec<Option<HostId>>,
}

impl Land {
    fn settle(seed: u64) -> Self {
        let mut land = Self {
            world: World::new(seed),
            names: Vec::new(),
            parents: Vec::new(),
        };
        for number in 0..ROOTS {
            let name = format!("r{number}");
            land.world.found(&name);
            land.names.push(name);
            land.parents.push(None);
        }
        for root in 1..ROOTS {
            for other in 0..root {
                land.world.peer(HostId(root), HostId(other));
            }
        }
        // The echo of every root is open to the trees of its peers.
        for owner in 0..ROOTS {
            for caller in (0..ROOTS).filter(|caller| *caller != owner) {
                land.world
                    .allow(HostId(owner), &format!("r{caller}"), "echo");
            }
        }
        while land.names.len() < REALMS {
            land.bear();
        }
        land.world.run_for(5_000);
        land
    }

    fn bear(&mut self) {
        let many = self.names.len() as u64;
        // Half of them under a realm that came late, so that there are deep ones.
        let least = (many - 16.min(many)) * self.world.random(2);
        let parent = loop {
            let parent = (least + self.world.random(many - least)) as usize;
            if self.names[parent].matches('/').count() < limits::PATH_DEPTH {
                break parent;
            }
        };
        let label = format!("c{many}");
        self.world.child(HostId(parent), &label);
        self.names.push(format!("{}/{label}", self.names[parent]));
        self.parents.push(Some(HostId(parent)));
    }

    fn anybody(&mut self) -> HostId {
        HostId(self.world.random(REALMS as u64) as usize)
    }

    fn below(&self, name: &str, above: HostId) -> bool {
        format!("{name}/").starts_with(&format!("{}/", self.names[above.0]))
    }

    /// Crashes, cuts and silences a part of them for up to eight seconds, and revokes one leaf.
    fn pull_about(&mut self) -> HostId {
        let leaf = (0..REALMS).rev().find(|leaf| self.parents[*leaf].is_some());
        let revoked = HostId(leaf.unwrap());
        let (_, path) = self.names[revoked.0].split_once('/').unwrap();
        let parent = self.parents[revoked.0].unwrap();
        self.world
            .ask_and_wait(parent, Request::Revoke(path.parse().unwrap()));
        let mut apart = Vec::new();
        for number in 0..REALMS / 5 {
            let host = self.anybody();
            let above = self.parents[host.0].unwrap_or(HostId((host.0 + 1) % ROOTS));
            match number % 3 {
                0 if self.world.is_up(host) => {
                    let down = self.world.random(8_000);
                    self.world.crash_for(host, down);
                }
                1 => self.world.partition(host, above),
                _ => self.world.silence(host, above),
            }
            apart.push((host, above));
        }
        self.world.run_for(12_000);
        for (a, b) in apart {
            self.world.heal(a, b);
        }
        revoked
    }

    /// How long after now each pair took; fails with the pairs that never did.
    fn reach(&mut self, mut left: Vec<(HostId, String)>) -> Vec<u64> {
        let began = self.world.elapsed_ms();
        let mut trying: BTreeMap<ControlId, (HostId, String)> = BTreeMap::new();
        let mut took = Vec::new();
        while !left.is_empty() || !trying.is_empty() {
            let late = self.world.elapsed_ms() > began + HEALED_MS;
            assert!(!late, "never reached: {left:?} {trying:?}");
            for (from, to) in std::mem::take(&mut left) {
                let request = World::invoke_within(&format!("echo@{to}"), json!({}), WITHIN_MS);
                trying.insert(self.world.ask(from, request), (from, to));
            }
            self.world.run_for(TRY_MS);
            for (control, pair) in std::mem::take(&mut trying) {
                match self.world.outcomes.remove(&(pair.0, control)) {
                    None => drop(trying.insert(control, pair)),
                    Some(done) => match done.response {
                        Response::Invoked(call) if call.result.is_ok() => {
                            took.push(done.answered - began);
                        }
                        _ => left.push(pair),
                    },
                }
            }
        }
        took.sort_unstable();
        took
    }
}

#[test]
fn a_thousand_realms_reach_each_other_again_within_seconds() {
    let mut land = Land::settle(1_000);
    let deepest = land.names.iter().map(|name| name.matches('/').count());
    assert_eq!(deepest.max(), Some(limits::PATH_DEPTH));

    let revoked = land.pull_about();
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        let (from, to) = (land.anybody(), land.anybody());
        let root = |name: &str| name.split('/').next().map(str::to_owned);
        let to = match root(&land.names[from.0]) == root(&land.names[to.0]) {
            true => land.names[to.0].clone(),
            false => root(&land.names[to.0]).unwrap(),
        };
        let names = [land.names[from.0].clone(), to.clone()];
        if !names.iter().any(|name| land.below(name, revoked)) {
            pairs.push((from, to));
        }
    }
    let took = land.reach(pairs);

    let (p99, longest) = (took[took.len() * 99 / 100], took[took.len() - 1]);
    println!("{PAIRS} pairs of {REALMS} realms: p99 {p99} ms, max {longest} ms");
    assert!(p99 <= HEALED_P99_MS, "p99 {p99} ms");
    let parent = land.names[land.parents[revoked.0].unwrap().0].clone();
    let call = land
        .world
        .call(revoked, &format!("echo@{parent}"), json!({}));
    assert!(call.result.is_err(), "a revoked realm is let in: {call:?}");
    land.world.run_for(40_000);
    invariants::check(&mut land.world);
}
