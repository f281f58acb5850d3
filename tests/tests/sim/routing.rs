//! Ten thousand realms that only route: real tables, with ingress and hops checked at each.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use realm_protocol::{Hop, Label, Phase, Place, RealmId, RealmPath, Scope, Tick, limits};
use realm_router::{GRACE_MS, IngressError, LinkId, Next, Relation, Routes};
use realm_router::{first_hop, forward_hop};

const REALMS: usize = 10_000;
const ROOTS: usize = 12;
const MESSAGES: usize = 20_000;
const NOW: Tick = Tick::from_millis(1_000_000);

/// How a message ended.
#[derive(Debug, PartialEq)]
enum End {
    /// At its destination, after so many links.
    Arrived(usize),
    /// At this realm, with this answer.
    Stopped(usize, Next),
    /// Refused by this realm.
    Refused(usize, IngressError),
}

/// Realms by number, and what joins them, known to the test apart from the tables.
struct Forest {
    rng: ChaCha8Rng,
    realms: Vec<Routes>,
    parent: Vec<Option<usize>>,
    /// Who stands at the other end of each link of each realm.
    ends: BTreeMap<(usize, LinkId), usize>,
    links: BTreeMap<(usize, usize), LinkId>,
}

impl Forest {
    fn grow(seed: u64) -> Self {
        let mut forest = Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            realms: Vec::new(),
            parent: Vec::new(),
            ends: BTreeMap::new(),
            links: BTreeMap::new(),
        };
        for number in 0..ROOTS {
            forest.realms.push(Routes::new(Scope {
                root: RealmId::new([number as u8 + 1; 32]),
                path: RealmPath::ROOT,
            }));
            forest.parent.push(None);
        }
        while forest.realms.len() < REALMS {
            forest.bear();
        }
        for a in 0..ROOTS {
            for b in 0..a {
                // Not every pair of roots is peered.
                if (a + b) % 5 != 0 {
                    let [of_a, of_b] = [a, b].map(|root| forest.realms[root].me().root);
                    forest.link(a, Relation::Peer(of_b), b, Relation::Peer(of_a));
                }
            }
        }
        forest
    }

    /// A child of anybody who may have one, as often as not of a realm that came late.
    fn bear(&mut self) {
        let many = self.realms.len();
        let late = many - many.min(64);
        let parent = loop {
            let from = if self.random(2) == 0 { late } else { 0 };
            let parent = from + self.random(many - from);
            if self.realms[parent].me().path.depth() < limits::PATH_DEPTH {
                break parent;
            }
        };
        let above = self.realms[parent].me().clone();
        let label: Label = format!("c{many}").parse().unwrap();
        let path = above.path.child(&label).unwrap();
        let root = above.root;
        self.realms.push(Routes::new(Scope { root, path }));
        self.parent.push(Some(parent));
        self.link(many, Relation::Parent, parent, Relation::Child(label));
    }

    fn link(&mut self, a: usize, to_b: Relation, b: usize, to_a: Relation) {
        let link = LinkId(self.ends.len() as u64);
        self.realms[a].add(link, to_b, NOW);
        self.realms[b].add(link, to_a, NOW);
        self.ends.insert((a, link), b);
        self.ends.insert((b, link), a);
        self.links.insert((a.min(b), a.max(b)), link);
    }

    fn random(&mut self, bound: usize) -> usize {
        (self.rng.next_u64() % bound as u64) as usize
    }

    fn pair(&mut self) -> (usize, usize) {
        (self.random(REALMS), self.random(REALMS))
    }

    fn lineage(&self, realm: usize) -> Vec<usize> {
        let mut lineage = vec![realm];
        while let Some(parent) = self.parent[lineage[lineage.len() - 1]] {
            lineage.push(parent);
        }
        lineage
    }

    /// The one way that the links allow, both ends included.
    fn way(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let way = self.way_if_peered(from, to);
        let linked = |step: &[usize]| {
            let ends = (step[0].min(step[1]), step[0].max(step[1]));
            self.links.contains_key(&ends)
        };
        way.windows(2).all(linked).then_some(way)
    }

    /// The one way there would be if all roots were peered.
    fn way_if_peered(&self, from: usize, to: usize) -> Vec<usize> {
        let (mut up, mut down) = (self.lineage(from), self.lineage(to));
        if up.last() == down.last() {
            while up.len() > 1 && down.len() > 1 && up[up.len() - 2] == down[down.len() - 2] {
                up.pop();
                down.pop();
            }
            down.pop();
        }
        up.extend(down.into_iter().rev());
        up
    }

    fn place(&self, realm: usize) -> Place {
        let Scope { root, path } = self.realms[realm].me().clone();
        Place {
            root,
            path,
            realm: None,
            node: None,
        }
    }

    /// Sends a message on its way; each realm checks what it gets.
    fn send(&self, from: usize, to: usize, tick: Tick) -> End {
        let (source, destination) = (self.place(from), self.place(to));
        let all = |_| vec![RealmPath::ROOT];
        let (mut at, mut over, mut hop) = (from, None, None::<Hop>);
        for links in 0.. {
            let here = &self.realms[at];
            if let (Some(link), Some(hop)) = (over, &hop)
                && let Err(error) = here.ingress(link, &source, &destination, hop, &all)
            {
                return End::Refused(at, error);
            }
            let phase = hop.map(|hop| hop.phase);
            let (link, phase) = match here.next(&destination.scope(), over, phase, tick) {
                Next::Deliver => return End::Arrived(links),
                Next::Forward { link, phase } => (link, phase),
                other => return End::Stopped(at, other),
            };
            hop = match hop {
                None => Some(first_hop(phase)),
                Some(hop) => forward_hop(&hop, phase, 1),
            };
            assert!(hop.is_some(), "hops for the deepest trees");
            at = self.ends[&(at, link)];
            over = Some(link);
        }
        unreachable!("a message stops or arrives")
    }
}

#[test]
fn ten_thousand_realms_take_the_only_way_or_say_that_there_is_none() {
    let mut forest = Forest::grow(1);
    let deepest = forest.realms.iter().map(|realm| realm.me().path.depth());
    assert_eq!(deepest.max(), Some(limits::PATH_DEPTH));
    let mut longest = 0;
    for _ in 0..MESSAGES {
        let (from, to) = forest.pair();
        match (forest.way(from, to), forest.send(from, to, NOW)) {
            (Some(way), End::Arrived(links)) => {
                assert_eq!(links, way.len() - 1);
                longest = longest.max(links);
            }
            (None, End::Stopped(_, Next::NoRoute)) => {}
            other => panic!("{from} to {to}: {other:?}"),
        }
    }
    assert_eq!(longest as u64, limits::HOPS);
}

#[test]
fn messages_stop_where_a_link_is_cut_and_pass_when_it_is_back() {
    let mut forest = Forest::grow(2);
    let later = NOW.plus(GRACE_MS);
    let mut cut = BTreeMap::new();
    for _ in 0..REALMS / 20 {
        let index = forest.random(forest.links.len());
        let (ends, link) = forest.links.iter().nth(index).unwrap();
        cut.insert(*link, *ends);
    }
    let mut relations = Vec::new();
    for (link, (a, b)) in &cut {
        for end in [*a, *b] {
            let relation = forest.realms[end].remove(*link, NOW).unwrap();
            relations.push((end, *link, relation));
        }
    }
    let mut stopped = 0;
    for _ in 0..MESSAGES {
        let (from, to) = forest.pair();
        let Some(way) = forest.way(from, to) else {
            continue;
        };
        let gap = way.windows(2).find(|step| {
            let ends = (step[0].min(step[1]), step[0].max(step[1]));
            cut.contains_key(&forest.links[&ends])
        });
        let (soon, after) = (forest.send(from, to, NOW), forest.send(from, to, later));
        match gap {
            None => assert_eq!(after, End::Arrived(way.len() - 1)),
            Some(gap) => {
                stopped += 1;
                assert_eq!(soon, End::Stopped(gap[0], Next::Wait { until: later }));
                assert_eq!(after, End::Stopped(gap[0], Next::Offline));
            }
        }
    }
    assert!(stopped > MESSAGES / 10, "{stopped}");

    for (end, link, relation) in relations {
        forest.realms[end].add(link, relation, later);
    }
    for _ in 0..MESSAGES / 10 {
        let (from, to) = forest.pair();
        if let Some(way) = forest.way(from, to) {
            assert_eq!(forest.send(from, to, later), End::Arrived(way.len() - 1));
        }
    }
}

#[test]
fn no_realm_takes_over_a_link_what_cannot_have_come_that_way() {
    let mut forest = Forest::grow(3);
    let all = |_| vec![RealmPath::ROOT];
    let ends: Vec<(usize, LinkId)> = forest.ends.keys().copied().collect();
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..MESSAGES {
        let (from, to) = forest.pair();
        let (at, link) = ends[forest.random(ends.len())];
        let neighbour = forest.ends[&(at, link)];
        let way = forest.way_if_peered(from, to);
        let legal = way.windows(2).any(|step| step == [neighbour, at]);
        let (source, destination) = (forest.place(from), forest.place(to));
        let let_in = [Phase::Up, Phase::Across, Phase::Down]
            .into_iter()
            .any(|phase| {
                let hop = first_hop(phase);
                let here = &forest.realms[at];
                here.ingress(link, &source, &destination, &hop, &all)
                    .is_ok()
            });
        assert_eq!(let_in, legal, "{from} to {to} at {at} from {neighbour}");
        *if legal { &mut taken } else { &mut refused } += 1;
    }
    assert!(refused > MESSAGES / 2 && taken > 0, "{refused} {taken}");
}
