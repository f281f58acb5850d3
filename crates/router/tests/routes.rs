//! One realm's table: replacement, grace, shortcuts, and what may come over which link.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use realm_protocol::{Hop, NodeId, Phase, Place, RealmId, RealmPath, Scope, Tick, limits};
use realm_router::{GRACE_MS, IngressError, LinkId, Next, Relation, Routes, forward_hop};

const ACME: RealmId = RealmId::new([1; 32]);
const LAB: RealmId = RealmId::new([2; 32]);
const BANK: RealmId = RealmId::new([3; 32]);
const UP: LinkId = LinkId(1);
const DOWN: LinkId = LinkId(2);
const ACROSS: LinkId = LinkId(3);
const DIRECT: LinkId = LinkId(4);

fn at(millis: u64) -> Tick {
    Tick::from_millis(millis)
}

fn scope(root: RealmId, path: &str) -> Scope {
    let path = path.parse().unwrap();
    Scope { root, path }
}

fn place(root: RealmId, path: &str) -> Place {
    Place {
        root,
        path: path.parse().unwrap(),
        realm: Some(RealmId::new([9; 32])),
        node: Some(NodeId::new([9; 32])),
    }
}

/// `acme/health` with a parent, the child `heart`, and a shortcut to `lab/dna`.
fn health() -> Routes {
    let mut routes = Routes::new(scope(ACME, "health"));
    routes.add(UP, Relation::Parent, at(0));
    routes.add(DOWN, Relation::Child("heart".parse().unwrap()), at(0));
    routes.add(DIRECT, Relation::Direct(place(LAB, "dna")), at(0));
    routes
}

/// `acme` with the child `health` and the peer `lab`.
fn acme() -> Routes {
    let mut routes = Routes::new(scope(ACME, ""));
    routes.add(DOWN, Relation::Child("health".parse().unwrap()), at(0));
    routes.add(ACROSS, Relation::Peer(LAB), at(0));
    routes
}

fn from_source(routes: &Routes, destination: Scope, tick: Tick) -> Next {
    routes.next(&destination, None, None, tick)
}

#[test]
fn a_newer_link_replaces_the_older_and_its_end_changes_nothing() {
    let mut routes = acme();
    let newer = LinkId(20);

    let replaced = routes.add(newer, Relation::Peer(LAB), at(5));
    let removed = routes.remove(ACROSS, at(6));

    assert_eq!((replaced, removed), (Some(ACROSS), None));
    assert_eq!(routes.link_to(&Relation::Peer(LAB)), Some(newer));
    let forward = Next::Forward {
        link: newer,
        phase: Phase::Across,
    };
    assert_eq!(from_source(&routes, scope(LAB, "dna"), at(7)), forward);
    assert_eq!(routes.peers().collect::<Vec<_>>(), [(LAB, newer)]);
}

#[test]
fn a_link_that_takes_on_another_relation_leaves_the_first() {
    let mut routes = acme();

    assert_eq!(routes.add(ACROSS, Relation::Peer(BANK), at(1)), None);

    assert_eq!(routes.link_to(&Relation::Peer(LAB)), None);
    assert_eq!(routes.relation(ACROSS), Some(&Relation::Peer(BANK)));
}

#[test]
fn a_message_waits_for_a_neighbour_that_left_a_moment_ago_and_then_it_is_offline() {
    let mut acme = acme();
    let mut health = health();
    acme.remove(DOWN, at(100));
    acme.remove(ACROSS, at(100));
    health.remove(UP, at(100));
    let until = at(100 + GRACE_MS);
    let ways = [
        (&acme, scope(ACME, "health/heart")),
        (&acme, scope(LAB, "")),
        (&health, scope(ACME, "billing")),
    ];

    for (routes, destination) in ways {
        let next = |millis| from_source(routes, destination.clone(), at(millis));
        assert_eq!(next(101), Next::Wait { until });
        assert_eq!(next(99 + GRACE_MS), Next::Wait { until });
        assert_eq!(next(100 + GRACE_MS), Next::Offline);
    }
}

#[test]
fn nobody_waits_for_a_neighbour_that_was_given_up() {
    let mut routes = acme();
    routes.know_peer(LAB);
    routes.remove(ACROSS, at(100));

    routes.give_up(&Relation::Peer(LAB));

    assert_eq!(from_source(&routes, scope(LAB, ""), at(101)), Next::Offline);
}

#[test]
fn children_are_the_connected_ones_and_no_other_neighbour() {
    let mut routes = acme();
    routes.know_child("billing".parse().unwrap());

    let children: Vec<_> = routes.children().collect();

    assert_eq!(children, [(&"health".parse().unwrap(), DOWN)]);
}

#[test]
fn a_neighbour_nobody_certified_is_no_route_and_one_that_never_came_is_offline() {
    let mut routes = acme();
    routes.know_child("billing".parse().unwrap());
    routes.know_peer(BANK);

    assert_eq!(
        from_source(&routes, scope(ACME, "sales/eu"), at(1)),
        Next::NoRoute
    );
    assert_eq!(
        from_source(&routes, scope(RealmId::new([7; 32]), ""), at(1)),
        Next::NoRoute
    );
    assert_eq!(
        from_source(&routes, scope(ACME, "billing/eu"), at(1)),
        Next::Offline
    );
    assert_eq!(from_source(&routes, scope(BANK, "x"), at(1)), Next::Offline);
}

#[test]
fn a_forgotten_neighbour_gets_nothing_while_its_link_still_stands() {
    let mut routes = acme();

    routes.forget_child(&"health".parse().unwrap());
    routes.forget_peer(LAB);

    assert_eq!(
        from_source(&routes, scope(ACME, "health"), at(1)),
        Next::NoRoute
    );
    assert_eq!(from_source(&routes, scope(LAB, ""), at(1)), Next::NoRoute);
}

#[test]
fn known_children_and_peers_are_bounded() {
    let mut routes = Routes::new(scope(ACME, ""));
    let label = |number: usize| format!("c{number}").parse().unwrap();
    let root = |number: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        RealmId::new(bytes)
    };

    assert!((0..limits::CHILDREN).all(|number| routes.know_child(label(number))));
    assert!((0..limits::PEERS).all(|number| routes.know_peer(root(number))));

    assert!(!routes.know_child(label(limits::CHILDREN)));
    assert!(!routes.know_peer(root(limits::PEERS)));
    assert!(routes.know_child(label(0)) && routes.know_peer(root(0)));
    assert_eq!(routes.known_children().count(), limits::CHILDREN);
    assert_eq!(routes.known_peers().count(), limits::PEERS);
}

#[test]
fn only_a_source_takes_a_shortcut_and_only_to_exactly_its_other_end() {
    let routes = health();
    let next = |path, from, phase| routes.next(&scope(LAB, path), from, phase, at(1));
    let parent = Next::Forward {
        link: UP,
        phase: Phase::Up,
    };

    let direct = Next::Forward {
        link: DIRECT,
        phase: Phase::Across,
    };
    assert_eq!(next("dna", None, None), direct);
    assert_eq!(next("dna/rare", None, None), parent);
    assert_eq!(next("dna", Some(DOWN), Some(Phase::Up)), parent);
}

#[test]
fn a_link_that_went_down_meanwhile_leaves_the_phase_to_decide() {
    let routes = health();
    let gone = Some(LinkId(99));
    let next = |phase| routes.next(&scope(ACME, "billing"), gone, phase, at(1));

    let parent = Next::Forward {
        link: UP,
        phase: Phase::Up,
    };
    assert_eq!(next(Some(Phase::Up)), parent);
    assert_eq!(next(Some(Phase::Down)), Next::NoRoute);
    assert_eq!(next(None), Next::NoRoute);
}

#[test]
fn a_realm_that_moves_routes_from_its_new_place() {
    let mut routes = Routes::new(scope(ACME, ""));
    routes.add(UP, Relation::Parent, at(0));
    assert_eq!(
        from_source(&routes, scope(LAB, "dna"), at(1)),
        Next::NoRoute
    );

    routes.set_place(scope(LAB, "rna"));

    let parent = Next::Forward {
        link: UP,
        phase: Phase::Up,
    };
    assert_eq!(from_source(&routes, scope(LAB, "dna"), at(1)), parent);
}

#[test]
fn each_link_carries_only_what_lies_behind_it_toward_this_side() {
    use IngressError::{Destination, Link, Phase as WrongPhase, Source};
    let (health, acme) = (health(), acme());
    let heart = place(ACME, "health/heart");
    let table = [
        // A child speaks for its subtree, toward the rest of the world.
        (
            &health,
            DOWN,
            heart.clone(),
            place(LAB, "dna"),
            Phase::Up,
            Ok(()),
        ),
        (
            &health,
            DOWN,
            place(ACME, "health/heart/mri"),
            place(ACME, "health"),
            Phase::Up,
            Ok(()),
        ),
        (
            &health,
            DOWN,
            place(ACME, "health"),
            place(LAB, ""),
            Phase::Up,
            Err(Source),
        ),
        (
            &health,
            DOWN,
            place(ACME, "health/lungs"),
            place(LAB, ""),
            Phase::Up,
            Err(Source),
        ),
        (
            &health,
            DOWN,
            place(LAB, "health/heart"),
            place(LAB, ""),
            Phase::Up,
            Err(Source),
        ),
        (
            &health,
            DOWN,
            heart.clone(),
            place(ACME, "health/heart/mri"),
            Phase::Up,
            Err(Destination),
        ),
        (
            &health,
            DOWN,
            heart.clone(),
            place(LAB, ""),
            Phase::Down,
            Err(WrongPhase),
        ),
        (
            &health,
            DOWN,
            heart.clone(),
            place(LAB, ""),
            Phase::Across,
            Err(WrongPhase),
        ),
        // The parent speaks for everybody else, toward this subtree.
        (
            &health,
            UP,
            place(LAB, "dna"),
            place(ACME, "health"),
            Phase::Down,
            Ok(()),
        ),
        (
            &health,
            UP,
            place(ACME, "billing"),
            heart.clone(),
            Phase::Down,
            Ok(()),
        ),
        (
            &health,
            UP,
            heart.clone(),
            place(ACME, "health"),
            Phase::Down,
            Err(Source),
        ),
        (
            &health,
            UP,
            place(ACME, "health"),
            heart.clone(),
            Phase::Down,
            Err(Source),
        ),
        (
            &health,
            UP,
            place(LAB, ""),
            place(ACME, "billing"),
            Phase::Down,
            Err(Destination),
        ),
        (
            &health,
            UP,
            place(LAB, ""),
            place(ACME, ""),
            Phase::Down,
            Err(Destination),
        ),
        (
            &health,
            UP,
            place(LAB, ""),
            heart.clone(),
            Phase::Up,
            Err(WrongPhase),
        ),
        // A peer speaks for its own tree's scopes, toward this tree.
        (
            &acme,
            ACROSS,
            place(LAB, "dna/rare"),
            heart.clone(),
            Phase::Across,
            Ok(()),
        ),
        (
            &acme,
            ACROSS,
            place(LAB, "rna"),
            heart.clone(),
            Phase::Across,
            Err(Source),
        ),
        (
            &acme,
            ACROSS,
            place(LAB, ""),
            heart.clone(),
            Phase::Across,
            Err(Source),
        ),
        (
            &acme,
            ACROSS,
            place(BANK, "dna"),
            heart.clone(),
            Phase::Across,
            Err(Source),
        ),
        (
            &acme,
            ACROSS,
            place(ACME, "dna"),
            heart.clone(),
            Phase::Across,
            Err(Source),
        ),
        (
            &acme,
            ACROSS,
            place(LAB, "dna"),
            place(BANK, ""),
            Phase::Across,
            Err(Destination),
        ),
        (
            &acme,
            ACROSS,
            place(LAB, "dna"),
            place(LAB, ""),
            Phase::Across,
            Err(Destination),
        ),
        (
            &acme,
            ACROSS,
            place(LAB, "dna"),
            heart.clone(),
            Phase::Up,
            Err(WrongPhase),
        ),
        // A shortcut speaks for exactly one realm, to exactly this one.
        (
            &health,
            DIRECT,
            place(LAB, "dna"),
            place(ACME, "health"),
            Phase::Across,
            Ok(()),
        ),
        (
            &health,
            DIRECT,
            place(LAB, "dna/rare"),
            place(ACME, "health"),
            Phase::Across,
            Err(Source),
        ),
        (
            &health,
            DIRECT,
            place(LAB, "dna"),
            heart.clone(),
            Phase::Across,
            Err(Destination),
        ),
        (
            &health,
            DIRECT,
            place(LAB, "dna"),
            place(ACME, "health"),
            Phase::Up,
            Err(WrongPhase),
        ),
        // Nothing comes over a link that is down.
        (
            &health,
            LinkId(99),
            place(LAB, "dna"),
            place(ACME, "health"),
            Phase::Down,
            Err(Link),
        ),
    ];

    let scopes = |root| match root {
        LAB => vec!["dna".parse().unwrap()],
        _ => Vec::new(),
    };
    for (routes, link, source, destination, phase, expected) in table {
        let hop = Hop {
            left: 5,
            phase,
            age_ms: 0,
        };
        let came = routes.ingress(link, &source, &destination, &hop, &scopes);
        assert_eq!(
            came, expected,
            "{link:?} {source:?} {destination:?} {phase:?}"
        );
    }
}

#[test]
fn a_shortcut_speaks_for_one_realm_and_not_for_another_at_its_place() {
    let impostor = Place {
        realm: Some(RealmId::new([8; 32])),
        ..place(LAB, "dna")
    };
    let hop = Hop {
        left: 1,
        phase: Phase::Across,
        age_ms: 0,
    };

    let came = health().ingress(DIRECT, &impostor, &place(ACME, "health"), &hop, &|_| {
        Vec::new()
    });

    assert_eq!(came, Err(IngressError::Source));
}

#[test]
fn a_root_has_no_parent_and_only_a_root_has_peers() {
    let mut root = Routes::new(scope(ACME, ""));
    root.add(UP, Relation::Parent, at(0));
    let mut below = Routes::new(scope(ACME, "health"));
    below.add(ACROSS, Relation::Peer(LAB), at(0));
    let all = |_| vec![RealmPath::ROOT];
    let hop = |phase| Hop {
        left: 5,
        phase,
        age_ms: 0,
    };

    let (lab, health) = (place(LAB, ""), place(ACME, "health"));
    let over_parent = root.ingress(UP, &lab, &place(ACME, ""), &hop(Phase::Down), &all);
    let over_peer = below.ingress(ACROSS, &lab, &health, &hop(Phase::Across), &all);

    assert_eq!(
        (over_parent, over_peer),
        (Err(IngressError::Link), Err(IngressError::Link))
    );
    assert_eq!(from_source(&root, scope(LAB, ""), at(1)), Next::NoRoute);
    assert_eq!(from_source(&below, scope(LAB, ""), at(1)), Next::Offline);
}

#[test]
fn hops_left_are_between_one_and_the_deepest_way() {
    let routes = health();
    let come = |left| {
        let hop = Hop {
            left,
            phase: Phase::Down,
            age_ms: 0,
        };
        routes.ingress(UP, &place(LAB, ""), &place(ACME, "health"), &hop, &|_| {
            Vec::new()
        })
    };

    assert_eq!([come(1), come(limits::HOPS)], [Ok(()), Ok(())]);
    for left in [0, limits::HOPS + 1, u64::MAX] {
        assert_eq!(come(left), Err(IngressError::HopLimit));
    }
}

#[test]
fn forwarding_uses_up_a_hop_and_adds_the_wait_to_the_age() {
    let hop = |left, age_ms| Hop {
        left,
        phase: Phase::Up,
        age_ms,
    };

    let on = forward_hop(&hop(2, 40), Phase::Down, 2).unwrap();

    assert_eq!((on.left, on.phase, on.age_ms), (1, Phase::Down, 42));
    assert_eq!(forward_hop(&hop(1, 40), Phase::Down, 2), None);
    assert_eq!(forward_hop(&hop(0, 40), Phase::Down, 2), None);
    let oldest = forward_hop(&hop(9, u64::MAX), Phase::Down, 2).unwrap();
    assert_eq!(oldest.age_ms, u64::MAX);
}
