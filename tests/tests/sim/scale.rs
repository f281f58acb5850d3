//! Many realms in one world: several peered trees, all of them pulled about at once.

use std::collections::{BTreeMap, BTreeSet};

use realm_node::{ControlId, Refused, Request, Response};
use realm_protocol::limits;
use realm_tests::{HostId, Hostile, Tree, World, invariants};
use serde_json::json;

use self::meanwhile::Meanwhile;
use super::bounds::revoked;

#[path = "scale/meanwhile.rs"]
mod meanwhile;

const ROOTS: usize = 4;
/// Pairs that call each other when the faults are over.
const PAIRS: usize = 150;
/// How often a pair tries, and how long one try takes at most, milliseconds.
const TRY_MS: u64 = 500;
const WITHIN_MS: u64 = 2_500;
/// When all must reach each other, and 99 of 100, milliseconds after the faults.
const HEALED_MS: u64 = 15_000;
const HEALED_P99_MS: u64 = 5_000;

/// Realms whose certificates run out while they are away, and those that mean harm at a time.
const LAPSED: usize = 3;
const HOSTILE: usize = 4;
/// Time between two deeds of each.
const HARM_MS: u64 = 250;
const DAY_MS: u64 = 24 * 3_600_000;
/// When all that can have renewed their certificates, and when those that have not are over.
const RENEWED_MS: u64 = limits::CHILD_RENEW_MS + DAY_MS;
const LAPSED_MS: u64 = limits::CHILD_CERT_MS + DAY_MS / 2;
/// How wrong clocks are meanwhile, at most, milliseconds.
const WRONG_CLOCK_MS: u64 = 30 * 60_000;
/// How much longer slow disks take than others, milliseconds.
const SLOW_MS: u64 = 700;

struct Land {
    world: World,
    /// Full names by host.
    names: Vec<String>,
    parents: Vec<Option<HostId>>,
    meanwhile: Meanwhile,
    /// Realms that it had in the beginning; later ones are guests.
    realms: usize,
}

impl Land {
    fn settle(realms: usize, seed: u64) -> Self {
        let mut land = Self {
            world: World::new(seed),
            names: Vec::new(),
            parents: Vec::new(),
            meanwhile: Meanwhile::default(),
            realms,
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
        while land.names.len() < realms {
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
        HostId(self.world.random(self.realms as u64) as usize)
    }

    fn below(&self, name: &str, above: HostId) -> bool {
        format!("{name}/").starts_with(&format!("{}/", self.names[above.0]))
    }

    /// So many realms below which nobody stands, and their parents.
    fn leaves(&self, many: usize) -> Vec<(HostId, HostId)> {
        let childless = |host: &HostId| !self.parents.contains(&Some(*host));
        let leaves = (0..self.realms).rev().map(HostId).filter(childless);
        let leaves = leaves.filter_map(|leaf| Some((leaf, self.parents[leaf.0]?)));
        leaves.take(many).collect()
    }

    /// Crashes, cuts and silences a part of them for up to eight seconds, while clocks go wrong, disks are slow
    /// or full, some mean harm, some join and some pay, one leaf is revoked and the certificates of others run
    /// out. Gives who is let in no more, the revoked one first.
    fn pull_about(&mut self) -> Vec<HostId> {
        let mut gone = self.leaves(1 + LAPSED);
        let lapsed = gone.split_off(1);
        let (revoked, parent) = gone[0];
        let (_, path) = self.names[revoked.0].split_once('/').unwrap();
        let path = path.parse().unwrap();
        // These are away while all others renew theirs, and when theirs run out.
        for (leaf, parent) in &lapsed {
            self.world.partition(*leaf, *parent);
        }
        self.world.leap(RENEWED_MS);
        self.world.run_for(15_000);
        let gone: Vec<HostId> = gone.iter().chain(&lapsed).map(|(leaf, _)| *leaf).collect();
        self.prepare(&gone);
        let mut apart = lapsed.clone();
        for _ in 0..self.realms / 20 {
            let host = self.anybody();
            self.set_clock(host, WRONG_CLOCK_MS);
            let host = self.anybody();
            self.world.hosts[host.0].slow_ms = SLOW_MS;
        }
        self.world.ask_and_wait(parent, Request::Revoke(path));
        for _ in 0..self.realms / 20 {
            let host = self.anybody();
            self.world.hosts[host.0].disk.broken = host != parent;
        }
        apart.extend(self.take_apart());
        self.mean_harm(6_000);
        self.world.leap(LAPSED_MS - RENEWED_MS);
        self.mean_harm(6_000);
        for (a, b) in apart {
            self.world.heal(a, b);
        }
        for host in (0..self.realms).map(HostId) {
            self.set_clock(host, limits::CLOCK_SKEW_MS / 3);
            self.make_room(host);
        }
        gone
    }

    /// Crashes, cuts and silences a fifth of them, each from the one above it; gives the pairs.
    fn take_apart(&mut self) -> Vec<(HostId, HostId)> {
        let mut apart = Vec::new();
        for number in 0..self.realms / 5 {
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
        apart
    }

    /// Gives a host a disk like any other, and starts it again where it had none.
    fn make_room(&mut self, host: HostId) {
        self.world.hosts[host.0].slow_ms = 0;
        if std::mem::take(&mut self.world.hosts[host.0].disk.broken) {
            self.world.crash(host);
            self.world.start(host);
        }
    }

    /// Moves a host's clock away from the right time, by so much at most either way.
    fn set_clock(&mut self, host: HostId, most_ms: u64) {
        let offset = self.world.random(2 * most_ms).cast_signed();
        self.world.hosts[host.0].clock_offset = offset - most_ms.cast_signed();
    }

    /// Lets a few realms do all that a hostile realm does, for so long.
    fn mean_harm(&mut self, millis: u64) {
        let parents = self.parents.iter().copied();
        let realms: Vec<_> = (0..self.realms).map(HostId).zip(parents).collect();
        let members: Vec<HostId> = (0..HOSTILE).map(|_| self.anybody()).collect();
        let mut hostile: Vec<Hostile> = members.iter().copied().map(Hostile::new).collect();
        self.world.tap = true;
        for _ in 0..millis / HARM_MS {
            for host in &members {
                self.call_past(*host);
            }
            self.go_on();
            self.world.run_for(HARM_MS);
            let wire = std::mem::take(&mut self.world.wire);
            for hostile in &mut hostile {
                hostile.overhear(&wire);
                hostile.harm(&mut self.world, &realms);
            }
        }
        self.world.tap = false;
    }

    /// Lets a realm and the one above it call each other, whether they can or not.
    fn call_past(&mut self, host: HostId) {
        let Some(above) = self.parents[host.0] else {
            return;
        };
        for (from, to) in [(host, above), (above, host)] {
            let address = format!("echo@{}", self.names[to.0]);
            let request = World::invoke_within(&address, json!({}), WITHIN_MS);
            if self.world.is_up(from) {
                self.world.ask(from, request);
            }
        }
    }

    /// The realms that have not heard of a revocation, but for those that are let in no more.
    fn ignorant(&self, gone: &[HostId]) -> Vec<HostId> {
        let parent = self.parents[gone[0].0].unwrap();
        let known = revoked(&self.world, parent, parent);
        assert!(!known.is_empty(), "nobody is revoked");
        let lets_in = |host: &HostId| !gone.contains(host);
        let ignorant = |host: &HostId| !revoked(&self.world, *host, parent).is_superset(&known);
        let all = (0..self.realms).map(HostId).filter(lets_in);
        all.filter(ignorant).collect()
    }

    /// Why realms have refused something.
    fn refusals(&self) -> BTreeSet<Refused> {
        let up = (0..self.realms).map(HostId);
        let up = up.filter(|host| self.world.is_up(*host));
        let counters = up.map(|host| self.world.hosts[host.0].node().counters());
        counters
            .flat_map(|counters| counters.refused.keys().copied())
            .collect()
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
fn hundreds_of_realms_reach_each_other_again_within_seconds() {
    reach_again(200, 1_000);
}

/// Run by CI: `cargo test -p realm-tests --test sim -- --ignored --nocapture a_thousand_realms_reach`.
#[test]
#[ignore = "takes minutes"]
fn a_thousand_realms_reach_each_other_again_within_seconds() {
    reach_again(1_000, 1_000);
}

fn reach_again(realms: usize, seed: u64) {
    let mut land = Land::settle(realms, seed);
    let deepest = land.names.iter().map(|name| name.matches('/').count());
    assert_eq!(deepest.max(), Some(limits::PATH_DEPTH));

    let gone = land.pull_about();
    let refusals = land.refusals();
    for harm in [
        Refused::Malformed,
        Refused::Ingress,
        Refused::Certificate,
        Refused::Replay,
    ] {
        assert!(refusals.contains(&harm), "no harm: {refusals:?}");
    }
    let guests = land.guests().into_iter();
    let mut pairs: Vec<_> = guests
        .map(|guest| (guest, land.names[land.parents[guest.0].unwrap().0].clone()))
        .collect();
    while pairs.len() < PAIRS {
        let (from, to) = (land.anybody(), land.anybody());
        let root = |name: &str| name.split('/').next().map(str::to_owned);
        let to = match root(&land.names[from.0]) == root(&land.names[to.0]) {
            true => land.names[to.0].clone(),
            false => root(&land.names[to.0]).unwrap(),
        };
        let names = [land.names[from.0].clone(), to.clone()];
        if !names
            .iter()
            .any(|name| gone.iter().any(|gone| land.below(name, *gone)))
        {
            pairs.push((from, to));
        }
    }
    let calm = land.world.elapsed_ms();
    let took = land.reach(pairs);
    let left = (calm + HEALED_MS).saturating_sub(land.world.elapsed_ms());
    land.world.run_for(left);

    assert_eq!(land.ignorant(&gone), [], "the revocation is not known");
    let (p99, longest) = (took[took.len() * 99 / 100], took[took.len() - 1]);
    println!("{PAIRS} pairs of {realms} realms: p99 {p99} ms, max {longest} ms");
    assert!(p99 <= HEALED_P99_MS, "p99 {p99} ms");
    for gone in gone {
        let parent = land.names[land.parents[gone.0].unwrap().0].clone();
        let call = land.world.call(gone, &format!("echo@{parent}"), json!({}));
        assert!(call.result.is_err(), "{} is let in: {call:?}", gone.0);
    }
    land.let_in();
    land.settle_payments();
    land.world.run_for(40_000);
    invariants::check(&mut land.world);
}
