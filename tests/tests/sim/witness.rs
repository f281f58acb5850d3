//! Realms that keep heads of each other's audit logs.

use realm_node::{Request, Response, WitnessView};
use realm_protocol::{audit::Contradiction, journal::Table, limits::AUDIT_HEAD_MS};
use realm_tests::{Disk, HostId, Tree, World, audit, invariants};
use serde_json::json;

/// A root with a child and a peer, who have all called each other.
fn cast(seed: u64) -> (World, [HostId; 3]) {
    let mut world = World::new(seed);
    let acme = world.found("acme");
    let lab = world.found("lab");
    world.peer(acme, lab);
    let genomics = world.child(lab, "genomics");
    world.allow(lab, "acme", "*");
    world.run_for(1_000);
    work(&mut world, lab, 4);
    (world, [acme, lab, genomics])
}

/// Lets a realm do something, and sign a head of what it wrote down.
fn work(world: &mut World, host: HostId, calls: u64) {
    for number in 0..calls {
        world.call(host, "echo", json!({"number": number}));
    }
    world.run_for(AUDIT_HEAD_MS + 30_000);
}

/// What a realm has seen of another one's log.
fn seen(world: &World, by: HostId, about: HostId) -> WitnessView {
    let scope = world.hosts[about.0].node().standing().scope;
    let seen = world.hosts[by.0].node().witnessed();
    let of = seen.into_iter().find(|seen| seen.scope == scope);
    of.expect("it was shown a head")
}

fn newest(world: &World, by: HostId, about: HostId) -> u64 {
    seen(world, by, about).newest.count
}

/// What a realm says of how another one's log contradicts itself.
fn told(world: &World, by: HostId, about: HostId) -> Option<Contradiction> {
    Some(seen(world, by, about).contradiction?.how)
}

fn entries_of(world: &World, host: HostId) -> usize {
    let entries = audit::entries(&world.hosts[host.0].disk);
    let meant = entries
        .iter()
        .filter(|entry| entry.action == "witness.contradicted");
    meant.count()
}

/// Whether there was something for an owner to acknowledge.
fn acknowledge(world: &mut World, by: HostId, about: HostId) -> bool {
    let request = Request::Acknowledge {
        realm: world.hosts[about.0].node().standing().scope,
        why: Some("restored".to_owned()),
    };
    matches!(world.ask_and_wait(by, request), Response::Done)
}

fn put_back(world: &mut World, host: HostId, disk: Disk) {
    world.crash(host);
    world.hosts[host.0].disk = disk;
    world.start(host);
    world.run_for(2_000);
}

#[test]
fn parent_and_peer_keep_the_newest_head_and_find_nothing_wrong_with_a_log_that_grows() {
    let (mut world, [acme, lab, genomics]) = cast(1);
    work(&mut world, genomics, 3);
    world.crash_for(lab, 500);
    world.run_for(2_000);
    work(&mut world, lab, 3);

    for (by, about, least) in [(acme, lab, 7), (lab, acme, 1), (lab, genomics, 3)] {
        let standing = world.hosts[about.0].node().standing();
        let seen = world.hosts[by.0].node().witnessed();
        let seen = seen.iter().find(|seen| seen.scope == standing.scope);
        let newest = &seen.expect("it was shown a head").newest;
        assert_eq!(newest.realm, standing.realm);
        assert!(newest.count >= least, "{newest:?}");
        assert_eq!(told(&world, by, about), None);
    }
    let seen = world.hosts[genomics.0].node().witnessed();
    assert!(seen.is_empty(), "children are no witnesses: {seen:?}");
    invariants::check(&mut world);
}

#[test]
fn a_log_that_is_put_back_to_an_older_one_is_told_by_peer_and_child_alike() {
    for (by, about) in [(0, 1), (1, 2)] {
        let (mut world, hosts) = cast(2);
        let (by, about) = (hosts[by], hosts[about]);
        work(&mut world, about, 1);
        let old = world.hosts[about.0].disk.copy();
        work(&mut world, about, 20);

        put_back(&mut world, about, old);
        work(&mut world, about, 2);

        assert_eq!(told(&world, by, about), Some(Contradiction::Shorter));
        assert_eq!(entries_of(&world, by), 1, "once");
        world.crash_for(by, 500);
        world.run_for(5_000);
        let still = told(&world, by, about);
        assert_eq!(still, Some(Contradiction::Shorter), "after a restart too");
    }
}

#[test]
fn a_log_that_is_told_anew_to_the_same_length_is_told() {
    let (mut world, [acme, lab, _]) = cast(3);
    let old = world.hosts[lab.0].disk.copy();
    work(&mut world, lab, 5);

    // What it shows at once would tell already.
    world.partition(acme, lab);
    put_back(&mut world, lab, old);
    let known = world.hosts[acme.0].node().witnessed()[0].newest.count;
    let have = world.hosts[lab.0].disk.audit.len() as u64;
    work(&mut world, lab, known - have);
    world.heal(acme, lab);
    world.run_for(60_000);

    assert_eq!(told(&world, acme, lab), Some(Contradiction::Other));
}

#[test]
fn what_was_acknowledged_stays_and_is_told_anew_when_the_log_contradicts_itself_again() {
    let (mut world, [acme, lab, genomics]) = cast(6);
    assert!(!acknowledge(&mut world, acme, lab), "there is nothing");
    let old = world.hosts[lab.0].disk.copy();
    for times in [1, 2] {
        work(&mut world, lab, 5);
        put_back(&mut world, lab, old.copy());
        world.run_for(60_000);
        let found = seen(&world, acme, lab).contradiction.unwrap();
        assert_eq!(
            (found.acknowledged, entries_of(&world, acme)),
            (None, times)
        );

        assert!(acknowledge(&mut world, acme, lab));
        world.crash_for(acme, 100);
        world.run_for(10_000);
        let found = seen(&world, acme, lab).contradiction.unwrap();
        assert!(found.acknowledged.is_some());
    }
    assert!(!acknowledge(&mut world, acme, genomics));
    let seen = audit::entries(&world.hosts[acme.0].disk);
    let seen = seen.iter().filter(|it| it.action == "witness.acknowledged");
    assert!(seen.count() >= 2 && world.is_up(genomics));
}

#[test]
fn a_contradiction_that_was_not_told_of_is_told_once_the_one_before_is_acknowledged() {
    let (mut world, [acme, lab, _]) = cast(7);
    let old = world.hosts[lab.0].disk.copy();
    let mut first = None;
    for _ in 0..2 {
        work(&mut world, lab, 5);
        put_back(&mut world, lab, old.copy());
        world.run_for(60_000);
        let found = seen(&world, acme, lab).contradiction.unwrap();
        let at = *first.get_or_insert(found.at);
        assert_eq!((found.at, entries_of(&world, acme)), (at, 1), "told once");
    }

    assert!(acknowledge(&mut world, acme, lab));
    for _ in 0..2 {
        let found = seen(&world, acme, lab).contradiction.unwrap();
        assert_eq!(found.acknowledged, None, "nobody has seen it");
        assert!(Some(found.at) > first);
        assert_eq!(entries_of(&world, acme), 2);
        world.crash_for(acme, 100);
        world.run_for(10_000);
    }
    assert!(acknowledge(&mut world, acme, lab));
    let found = seen(&world, acme, lab).contradiction.unwrap();
    assert!(found.acknowledged.is_some());
    assert_eq!(entries_of(&world, acme), 2);
}

#[test]
fn what_several_realms_at_one_place_have_told_is_acknowledged_together_also_without_a_name() {
    let (mut world, [acme, lab, _]) = cast(8);
    let old = world.hosts[lab.0].disk.copy();
    work(&mut world, lab, 5);
    put_back(&mut world, lab, old);
    world.run_for(60_000);
    world.crash(acme);
    let realm = world.hosts[lab.0].node().standing().realm;
    world.hosts[acme.0]
        .disk
        .double(Table::Witness, realm.as_bytes(), &[7; 32]);
    world.start(acme);
    world.run_for(1_000);
    let ended = Request::RemovePeer("lab".parse().unwrap());
    assert!(matches!(world.ask_and_wait(acme, ended), Response::Done));

    assert!(acknowledge(&mut world, acme, lab));

    let scope = world.hosts[lab.0].node().standing().scope;
    let seen = world.hosts[acme.0].node().witnessed();
    let there = seen.into_iter().filter(|seen| seen.scope == scope);
    let found: Vec<_> = there.filter_map(|seen| seen.contradiction).collect();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|found| found.acknowledged.is_some()));
}

#[test]
fn a_log_that_is_put_back_and_has_grown_past_what_was_seen_is_told_by_parent_and_peer() {
    for (by, about) in [(0, 1), (1, 2)] {
        let (mut world, hosts) = cast(4);
        let (by, about) = (hosts[by], hosts[about]);
        let old = world.hosts[about.0].disk.copy();
        work(&mut world, about, 5);
        let known = newest(&world, by, about);

        world.partition(by, about);
        put_back(&mut world, about, old);
        work(&mut world, about, 20);
        world.heal(by, about);
        world.run_for(60_000);

        let seen = seen(&world, by, about);
        let found = seen.contradiction.expect("it is told");
        assert_eq!(found.how, Contradiction::Other);
        assert_eq!((found.known.count, found.shown.count), (known, known));
        assert!(seen.newest.count > known, "it is followed from here on");
        assert_eq!(seen.unproven, None);
        assert_eq!(entries_of(&world, by), 1, "once");
        work(&mut world, about, 3);
        assert_eq!(entries_of(&world, by), 1, "and not again");
    }
}

#[test]
fn a_witness_follows_a_log_over_many_heads_whoever_of_the_two_was_away() {
    let (mut world, [acme, lab, genomics]) = cast(5);
    for (away, at) in [(acme, lab), (lab, acme), (genomics, lab)] {
        // More than one head that stays, and counts between two of them.
        work(&mut world, lab, 7);
        world.partition(away, at);
        for _ in 0..3 {
            work(&mut world, lab, 300);
            work(&mut world, genomics, 5);
        }
        world.crash_for(away, 500);
        world.run_for(1_000);
        world.heal(away, at);
        world.run_for(AUDIT_HEAD_MS + 30_000);

        for (by, about) in [(acme, lab), (lab, genomics)] {
            let seen = seen(&world, by, about);
            let signed = world.hosts[about.0].disk.audit.len() as u64;
            assert_eq!((seen.newest.count, seen.unproven), (signed, None));
            assert_eq!(seen.contradiction, None);
        }
    }
    invariants::check(&mut world);
}

#[test]
fn a_head_without_proof_is_not_kept_and_told_as_unproven() {
    let (mut world, [acme, lab, _]) = cast(6);
    work(&mut world, lab, 300);
    let known = newest(&world, acme, lab);

    // What would prove it is gone from its disk.
    world.hosts[lab.0].disk.lose(Table::AuditHeads);
    work(&mut world, lab, 3);

    let unproven = seen(&world, acme, lab);
    assert_eq!(unproven.newest.count, known);
    assert!(unproven.unproven.is_some());
    assert_eq!(
        unproven.contradiction, None,
        "nothing shows that it was changed"
    );
}
