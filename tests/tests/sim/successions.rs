//! Realm keys that are handed on, and old ones that come back.

use realm_protocol::{journal::Table, limits, records::SuccessionReason};
use realm_tests::{HostId, Loops, Tree, World, errors, invariants};
use serde_json::json;

use SuccessionReason::{Compromised, Routine};

/// `acme` with `health` and `billing`, `imaging` below `health`, and `lab`, a peer.
struct Cast {
    acme: HostId,
    health: HostId,
    imaging: HostId,
    billing: HostId,
    lab: HostId,
}

impl Cast {
    fn of(world: &mut World) -> Self {
        let acme = world.found("acme");
        let health = world.child(acme, "health");
        let imaging = world.child(health, "imaging");
        let billing = world.child(acme, "billing");
        let lab = world.found("lab");
        world.peer(lab, acme);
        world.allow(lab, "acme", "echo");
        world.allow(acme, "lab", "echo");
        world.run_for(5_000);
        Self {
            acme,
            health,
            imaging,
            billing,
            lab,
        }
    }

    /// Everybody reaches everybody who matters here.
    fn talk(&self, world: &mut World) {
        for (from, to) in [
            (self.imaging, "echo@lab"),
            (self.imaging, "echo@acme/health"),
            (self.acme, "echo@acme/health/imaging"),
            (self.billing, "echo@acme/health"),
            (self.health, "echo@acme/billing"),
            (self.lab, "echo@acme"),
        ] {
            let call = world.call(from, to, json!({"to": to}));
            assert_eq!(call.result, Ok(json!({"to": to})), "{from:?} to {to}");
        }
    }
}

fn seed(world: &mut World) -> [u8; 32] {
    std::array::from_fn(|_| world.random(256) as u8)
}

/// Whether a host has written down a succession of another's realm.
fn knows(world: &World, id: HostId, of: HostId) -> bool {
    let realm = world.hosts[of.0].realm;
    let key = [b"history/".as_slice(), realm.as_bytes()].concat();
    world.hosts[id.0].disk.holds(Table::Standing, &key)
}

#[test]
fn parents_children_and_peers_follow_a_routine_succession_in_the_middle_of_calls() {
    let mut world = World::new(80);
    let cast = Cast::of(&mut world);
    world.apply(cast.billing, &[Loops::once("slow", 3_000)]);
    cast.talk(&mut world);
    let pinned = world.hosts[cast.lab.0].node().petnames();

    for id in [cast.health, cast.acme, cast.lab] {
        let slow = World::invoke("slow@acme/billing", json!({"of": id.0}));
        let under_way = world.ask(cast.imaging, slow);
        world.run_for(500);
        world.hand_over(id, Routine);
        world.wait_for(cast.imaging, under_way);
        world.run_for(15_000);
        cast.talk(&mut world);
    }

    assert_eq!(world.hosts[cast.lab.0].node().petnames(), pinned);
    invariants::check(&mut world);
}

#[test]
fn a_compromise_voids_what_the_old_key_signed_for_everybody_within_two_beats() {
    let mut world = World::new(81);
    let cast = Cast::of(&mut world);
    cast.talk(&mut world);
    let stolen = world.hosts[cast.health.0].keys.clone();
    let copied = world.hosts[cast.health.0].disk.copy();

    world.hand_over(cast.health, Compromised);
    world.run_for(2 * limits::BEAT_MS + 2_000);
    for id in [cast.acme, cast.imaging, cast.billing, cast.lab] {
        assert!(knows(&world, id, cast.health), "{id:?}");
    }
    world.run_for(15_000);
    cast.talk(&mut world);

    // Whoever has the old key, and everything it signed, gets nowhere with it.
    let refused = |world: &World| {
        let counters = world.hosts[cast.acme.0].node().counters();
        counters.refused.values().sum::<u64>()
    };
    let before = refused(&world);
    let thief = world.twin(cast.health, stolen, copied);
    world.run_for(10_000);
    let connected = world.hosts[thief.0].node().standing().parent;
    assert!(connected.is_some_and(|(_, connected)| !connected));
    let theft = world.call(thief, "echo@acme", json!({}));
    assert!(theft.result.is_err());
    assert!(refused(&world) > before);
    cast.talk(&mut world);
    world.crash(thief);
    invariants::check(&mut world);
}

#[test]
fn a_compromised_root_takes_its_tree_and_its_peers_along() {
    let mut world = World::new(82);
    let cast = Cast::of(&mut world);
    cast.talk(&mut world);

    world.hand_over(cast.acme, Compromised);
    world.run_for(20_000);

    for id in [cast.health, cast.imaging, cast.billing, cast.lab] {
        assert!(knows(&world, id, cast.acme), "{id:?}");
    }
    cast.talk(&mut world);
    invariants::check(&mut world);
}

#[test]
fn a_second_successor_of_one_key_is_refused_and_called_out() {
    let mut world = World::new(83);
    let cast = Cast::of(&mut world);
    let mut stolen = world.hosts[cast.health.0].keys.clone();
    let copied = world.hosts[cast.health.0].disk.copy();
    world.hand_over(cast.health, Routine);
    world.run_for(15_000);
    let realm = world.hosts[cast.health.0].realm;

    // Somebody else has the recovery key too, and hands the realm to themselves.
    let (next, now) = (seed(&mut world), world.now(cast.health).wall);
    stolen.hand_over(next, Compromised, now);
    let thief = world.twin(cast.health, stolen, copied);
    world.run_for(10_000);

    let connected = world.hosts[thief.0].node().standing().parent;
    assert!(connected.is_some_and(|(_, connected)| !connected));
    let seen = world.hosts[cast.acme.0].node().standing().forks;
    assert_eq!(seen, vec![(realm, 1)]);
    let said = errors::take();
    assert!(!said.is_empty() && said.iter().all(|line| line.contains("two successors")));
    cast.talk(&mut world);
    world.crash(thief);
    errors::take();
    invariants::check(&mut world);
}

#[test]
fn an_old_backup_does_not_bring_back_a_key_that_was_succeeded() {
    let mut world = World::new(84);
    let cast = Cast::of(&mut world);
    let (keys, disk) = {
        let host = &world.hosts[cast.health.0];
        (host.keys.clone(), host.disk.copy().restored())
    };
    world.hand_over(cast.health, Routine);
    world.run_for(15_000);
    let now = world.now(cast.health).wall;

    // Only the keys are old: the store beside them knows better.
    world.crash(cast.health);
    let newest = std::mem::replace(&mut world.hosts[cast.health.0].keys, keys.clone());
    assert!(world.hosts[cast.health.0].is_superseded(now));
    world.hosts[cast.health.0].keys = newest;
    assert!(!world.hosts[cast.health.0].is_superseded(now));

    // Keys and store are old: the neighbours know better, and say so.
    let newest = world.hosts[cast.health.0].keys.clone();
    let latest = world.hosts[cast.health.0].disk.copy();
    world.hosts[cast.health.0].keys = keys;
    world.hosts[cast.health.0].disk = disk;
    world.start(cast.health);
    world.run_for(15_000);
    assert!(world.hosts[cast.health.0].node().standing().superseded);
    let children = world.hosts[cast.acme.0].node().children();
    let health = children
        .iter()
        .find(|child| child.label.as_str() == "health");
    assert!(!health.unwrap().connected);
    let said = errors::take();
    assert!(!said.is_empty() && said.iter().all(|line| line.contains("an old one")));

    // The newest keys with the newest store serve again.
    world.crash(cast.health);
    world.hosts[cast.health.0].keys = newest;
    world.hosts[cast.health.0].disk = latest.restored();
    world.start(cast.health);
    world.run_for(20_000);
    cast.talk(&mut world);
    invariants::check(&mut world);
}
