//! Messages over random forests: they arrive, get closer with every hop, and never turn back up.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use realm_protocol::{Hop, Label, Phase, Place, RealmId, RealmPath, Scope, Tick};
use realm_router::{LinkId, Next, Relation, Routes, distance, first_hop, forward_hop};

const NOW: Tick = Tick::from_millis(1_000_000);

/// Realms by position, with the links between them; both ends of a link use the same id.
struct Forest {
    realms: BTreeMap<Scope, Routes>,
    ends: BTreeMap<LinkId, [Scope; 2]>,
}

/// How a message ended, and every realm it was at.
struct Journey {
    end: Next,
    at: Vec<Scope>,
    phases: Vec<Phase>,
}

impl Forest {
    /// Trees with these positions and all above them, peered as said.
    fn grow(positions: &[Scope], peered: &[(RealmId, RealmId)]) -> Self {
        let mut forest = Self {
            realms: BTreeMap::new(),
            ends: BTreeMap::new(),
        };
        for position in positions {
            for path in position.path.lineage() {
                let root = position.root;
                let scope = Scope { root, path };
                let routes = Routes::new(scope.clone());
                forest.realms.entry(scope).or_insert(routes);
            }
        }
        let scopes: Vec<Scope> = forest.realms.keys().cloned().collect();
        for child in &scopes {
            let Some(path) = child.path.parent() else {
                continue;
            };
            let parent = Scope {
                root: child.root,
                path,
            };
            let label = child.path.last_label().unwrap();
            forest.link(child, Relation::Parent, &parent, Relation::Child(label));
        }
        for (a, b) in peered.iter().filter(|(a, b)| a != b) {
            let root = |root| Scope {
                root,
                path: RealmPath::ROOT,
            };
            forest.link(&root(*a), Relation::Peer(*b), &root(*b), Relation::Peer(*a));
        }
        forest
    }

    fn link(&mut self, a: &Scope, to_b: Relation, b: &Scope, to_a: Relation) {
        let link = LinkId(self.ends.len() as u64);
        self.realms.get_mut(a).unwrap().add(link, to_b, NOW);
        self.realms.get_mut(b).unwrap().add(link, to_a, NOW);
        self.ends.insert(link, [a.clone(), b.clone()]);
    }

    /// Cuts one link, as seen by one end only or by both.
    fn cut(&mut self, index: usize, both: bool) {
        let Some((link, ends)) = self.ends.iter().nth(index % self.ends.len().max(1)) else {
            return;
        };
        for end in ends.iter().take(if both { 2 } else { 1 }) {
            self.realms
                .get_mut(end)
                .unwrap()
                .remove(*link, Tick::default());
        }
    }

    /// Sends a message on its way, each realm checking what it gets; `None` is a refusal.
    fn send(&self, source: &Scope, destination: &Scope) -> Option<Journey> {
        let mut at = vec![source.clone()];
        let mut phases = Vec::new();
        let (mut from, mut hop) = (None, None::<Hop>);
        loop {
            let here = &self.realms[at.last().unwrap()];
            if let (Some(link), Some(hop)) = (from, hop) {
                let (source, destination) = (place(source), place(destination));
                let all = |_| vec![RealmPath::ROOT];
                here.ingress(link, &source, &destination, &hop, &all).ok()?;
            }
            let next = here.next(destination, from, hop.map(|hop| hop.phase), NOW);
            let Next::Forward { link, phase } = next else {
                return Some(Journey {
                    end: next,
                    at,
                    phases,
                });
            };
            hop = Some(match hop {
                None => first_hop(phase),
                Some(hop) => forward_hop(&hop, phase, 1).expect("hops for the deepest trees"),
            });
            let other = self.ends[&link].iter().find(|end| *end != here.me());
            at.push(other.unwrap().clone());
            phases.push(phase);
            from = Some(link);
        }
    }
}

fn place(scope: &Scope) -> Place {
    Place {
        root: scope.root,
        path: scope.path.clone(),
        realm: None,
        node: None,
    }
}

fn root(number: u8) -> RealmId {
    RealmId::new([number; 32])
}

fn position() -> impl Strategy<Value = Scope> {
    let label = "[ab]".prop_map(|text| text.parse::<Label>().unwrap());
    let labels = prop::collection::vec(label, 0..=8);
    (0_u8..3, labels).prop_map(|(tree, labels)| Scope {
        root: root(tree),
        path: RealmPath::new(&labels).unwrap(),
    })
}

fn assert_valley_free(journey: &Journey, destination: &Scope) {
    let distances: Vec<usize> = journey
        .at
        .iter()
        .map(|at| distance(at, destination))
        .collect();
    assert!(
        distances.windows(2).all(|pair| pair[1] < pair[0]),
        "{distances:?}"
    );
    assert!(journey.phases.is_sorted(), "{:?}", journey.phases);
    let across = journey
        .phases
        .iter()
        .filter(|phase| **phase == Phase::Across);
    assert!(across.count() <= 1);
}

proptest! {
    #[test]
    fn every_realm_reaches_every_other_when_all_links_are_up(
        positions in prop::collection::vec(position(), 2..12),
        pick in any::<[prop::sample::Index; 2]>(),
    ) {
        let peered = [(root(0), root(1)), (root(0), root(2)), (root(1), root(2))];
        let all_roots = (0..3).map(|tree| Scope { root: root(tree), path: RealmPath::ROOT });
        let positions: Vec<Scope> = positions.into_iter().chain(all_roots).collect();
        let forest = Forest::grow(&positions, &peered);
        let [source, destination] = pick.map(|index| index.get(&positions));

        let journey = forest.send(source, destination).expect("no realm refuses");

        prop_assert_eq!(journey.end, Next::Deliver);
        prop_assert_eq!(journey.at.len(), distance(source, destination) + 1);
        assert_valley_free(&journey, destination);
    }

    #[test]
    fn with_links_cut_messages_stop_and_never_wander(
        positions in prop::collection::vec(position(), 2..12),
        peerings in prop::collection::vec((0_u8..3, 0_u8..3), 0..3),
        cuts in prop::collection::vec((any::<usize>(), any::<bool>()), 0..6),
        pick in any::<[prop::sample::Index; 2]>(),
    ) {
        let all_roots = (0..3).map(|tree| Scope { root: root(tree), path: RealmPath::ROOT });
        let positions: Vec<Scope> = positions.into_iter().chain(all_roots).collect();
        let peered: Vec<_> = peerings.iter().map(|(a, b)| (root(*a), root(*b))).collect();
        let mut forest = Forest::grow(&positions, &peered);
        for (index, both) in cuts {
            forest.cut(index, both);
        }
        let [source, destination] = pick.map(|index| index.get(&positions));

        if let Some(journey) = forest.send(source, destination) {
            assert_valley_free(&journey, destination);
        }
    }

    #[test]
    fn no_hop_a_neighbour_writes_sends_a_message_upward_again(
        positions in prop::collection::vec(position(), 2..12),
        destination in position(),
        phase in prop::sample::select(Phase::ALL.to_vec()),
    ) {
        let peered = [(root(0), root(1)), (root(1), root(2)), (root(0), root(2))];
        let all_roots = (0..3).map(|tree| Scope { root: root(tree), path: RealmPath::ROOT });
        let positions: Vec<Scope> = positions.into_iter().chain(all_roots).collect();
        let forest = Forest::grow(&positions, &peered);

        for routes in forest.realms.values() {
            for (link, ends) in &forest.ends {
                let Some(relation) = routes.relation(*link) else { continue };
                let next = routes.next(&destination, Some(*link), Some(phase), NOW);
                let Next::Forward { link: onward, phase: leg } = next else { continue };
                prop_assert_ne!(onward, *link, "back to {:?}", ends);
                prop_assert!(leg >= phase);
                if !matches!(relation, Relation::Child(_)) {
                    prop_assert_eq!(leg, Phase::Down);
                }
            }
        }
    }
}
