//! The links of one realm and the way to every other.

use std::collections::{BTreeMap, BTreeSet};

use realm_protocol::{Label, Phase, Place, RealmId, Scope, Tick, limits};

/// How long a message waits for a link that was up a moment ago, milliseconds.
pub const GRACE_MS: u64 = 2_000;

/// A live connection to one other node; never used again after it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What stands at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// The realm that certifies this one.
    Parent,
    /// The child with this label.
    Child(Label),
    /// The root of another tree, by its id.
    Peer(RealmId),
    /// A shortcut to exactly one realm. The last of the relations in their order.
    Direct(Place),
}

/// Where a message goes from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It has arrived.
    Deliver,
    /// Over a link, on this leg of its way.
    Forward {
        /// The link.
        link: LinkId,
        /// The phase to write into its hop.
        phase: Phase,
    },
    /// The link was up a moment ago: ask again when it is back, at the latest then.
    Wait {
        /// The end of the grace.
        until: Tick,
    },
    /// The next realm is certified and not connected.
    Offline,
    /// No realm known here is closer to the destination on the legs left.
    NoRoute,
}

/// One realm's view of the tree: itself, its links, and whom it would accept as neighbours.
#[derive(Clone, Debug)]
pub struct Routes {
    pub(crate) me: Scope,
    links: BTreeMap<LinkId, Relation>,
    live: BTreeMap<Relation, LinkId>,
    /// Since when a relation has no link; kept for the grace only.
    lost: BTreeMap<Relation, Tick>,
    known_children: BTreeSet<Label>,
    known_peers: BTreeSet<RealmId>,
}

impl Routes {
    /// Starts without links or neighbours at the position `me`.
    pub const fn new(me: Scope) -> Self {
        Self {
            me,
            links: BTreeMap::new(),
            live: BTreeMap::new(),
            lost: BTreeMap::new(),
            known_children: BTreeSet::new(),
            known_peers: BTreeSet::new(),
        }
    }

    /// Moves this realm to another position, as joining a parent does.
    pub fn set_place(&mut self, me: Scope) {
        self.me = me;
    }

    /// This realm's position.
    pub const fn me(&self) -> &Scope {
        &self.me
    }

    /// Takes a link that is up; gives the older link with the same relation, which it replaces.
    ///
    /// A link is only added once its certificate is verified, so a child or peer at its end is
    /// known from then on. How many links there are is bounded by whoever accepts connections.
    pub fn add(&mut self, link: LinkId, relation: Relation, now: Tick) -> Option<LinkId> {
        if let Some(before) = self.links.insert(link, relation.clone())
            && self.live.get(&before) == Some(&link)
        {
            self.live.remove(&before);
        }
        match &relation {
            Relation::Child(label) => drop(self.known_children.insert(label.clone())),
            Relation::Peer(root) => drop(self.known_peers.insert(*root)),
            Relation::Parent | Relation::Direct(_) => {}
        }
        self.lost.remove(&relation);
        self.forget_lost(now);
        let replaced = self.live.insert(relation, link)?;
        self.links.remove(&replaced);
        Some(replaced)
    }

    /// Forgets a link that is down; gives what stood at its end. A replaced link is forgotten
    /// already and gives none.
    pub fn remove(&mut self, link: LinkId, now: Tick) -> Option<Relation> {
        let relation = self.links.remove(&link)?;
        self.live.remove(&relation);
        self.forget_lost(now);
        self.lost.insert(relation.clone(), now);
        Some(relation)
    }

    /// Waits no longer for a link that was lost: whoever stood at its end had not let this realm in.
    pub fn give_up(&mut self, relation: &Relation) {
        self.lost.remove(relation);
    }

    /// What stands at the end of a link.
    pub fn relation(&self, link: LinkId) -> Option<&Relation> {
        self.links.get(&link)
    }

    /// The live link with this relation.
    pub fn link_to(&self, relation: &Relation) -> Option<LinkId> {
        self.live.get(relation).copied()
    }

    /// The connected children, by label.
    pub fn children(&self) -> impl Iterator<Item = (&Label, LinkId)> {
        self.live
            .iter()
            .filter_map(|(relation, link)| match relation {
                Relation::Child(label) => Some((label, *link)),
                _ => None,
            })
    }

    /// The connected peers, by root.
    pub fn peers(&self) -> impl Iterator<Item = (RealmId, LinkId)> {
        self.live
            .iter()
            .filter_map(|(relation, link)| match relation {
                Relation::Peer(root) => Some((*root, *link)),
                _ => None,
            })
    }

    /// The certified children, connected or not.
    pub fn known_children(&self) -> impl Iterator<Item = &Label> {
        self.known_children.iter()
    }

    /// The peered roots, connected or not.
    pub fn known_peers(&self) -> impl Iterator<Item = RealmId> {
        self.known_peers.iter().copied()
    }

    /// Notes that a child is certified; false at [`limits::CHILDREN`], and then it is not noted.
    pub fn know_child(&mut self, label: Label) -> bool {
        if self.known_children.len() >= limits::CHILDREN {
            return self.known_children.contains(&label);
        }
        self.known_children.insert(label);
        true
    }

    /// Takes a child's certificate back: nothing is routed to it, even while its link closes.
    pub fn forget_child(&mut self, label: &Label) {
        self.known_children.remove(label);
    }

    /// Notes that a root is peered; false at [`limits::PEERS`], and then it is not noted.
    pub fn know_peer(&mut self, root: RealmId) -> bool {
        if self.known_peers.len() >= limits::PEERS {
            return self.known_peers.contains(&root);
        }
        self.known_peers.insert(root);
        true
    }

    /// Takes a peering back: nothing is routed across it, even while its link closes.
    pub fn forget_peer(&mut self, root: RealmId) {
        self.known_peers.remove(&root);
    }

    /// Where a message to `destination` goes.
    ///
    /// `from` is the link it came over, none at its source; `phase` is the leg its hop names.
    /// Where link and hop disagree, the later leg counts: a message never turns upward again.
    pub fn next(
        &self,
        destination: &Scope,
        from: Option<LinkId>,
        phase: Option<Phase>,
        tick: Tick,
    ) -> Next {
        if *destination == self.me {
            return Next::Deliver;
        }
        if from.is_none()
            && let Some(link) = self.shortcut(destination)
        {
            return Next::Forward {
                link,
                phase: Phase::Across,
            };
        }
        let came_over = from.and_then(|link| self.links.get(&link));
        let leg = leg(from.is_none(), came_over, phase);
        match self.toward(destination, leg) {
            Some((relation, _)) if came_over == Some(&relation) => Next::NoRoute,
            Some((relation, phase)) => self.over(&relation, phase, tick),
            None => Next::NoRoute,
        }
    }

    fn forget_lost(&mut self, now: Tick) {
        self.lost.retain(|_, since| now < since.plus(GRACE_MS));
    }

    fn shortcut(&self, destination: &Scope) -> Option<LinkId> {
        // Shortcuts stand last in the order of relations.
        let last = self.live.iter().rev();
        last.map_while(|(relation, link)| match relation {
            Relation::Direct(place) => Some((place, link)),
            _ => None,
        })
        .find(|(place, _)| place.root == destination.root && place.path == destination.path)
        .map(|(_, link)| *link)
    }

    /// The one neighbour that is closer to the destination and legal on this leg.
    fn toward(&self, destination: &Scope, leg: Phase) -> Option<(Relation, Phase)> {
        if self.me.contains(destination) {
            let label = self.me.path.next_label(&destination.path)?;
            let known = self.known_children.contains(&label);
            return known.then_some((Relation::Child(label), Phase::Down));
        }
        if leg != Phase::Up {
            return None;
        }
        if !self.me.path.is_root() {
            return Some((Relation::Parent, Phase::Up));
        }
        let peered = self.known_peers.contains(&destination.root);
        peered.then_some((Relation::Peer(destination.root), Phase::Across))
    }

    fn over(&self, relation: &Relation, phase: Phase, tick: Tick) -> Next {
        if let Some(link) = self.link_to(relation) {
            return Next::Forward { link, phase };
        }
        let until = self.lost.get(relation).map(|since| since.plus(GRACE_MS));
        match until {
            Some(until) if tick < until => Next::Wait { until },
            _ => Next::Offline,
        }
    }
}

/// The leg a message is on when it gets here.
fn leg(source: bool, came_over: Option<&Relation>, phase: Option<Phase>) -> Phase {
    let of_link = match came_over {
        Some(Relation::Child(_)) => Some(Phase::Up),
        Some(Relation::Peer(_)) => Some(Phase::Across),
        Some(Relation::Parent | Relation::Direct(_)) => Some(Phase::Down),
        None => None,
    };
    let unknown = if source { Phase::Up } else { Phase::Down };
    of_link.max(phase).unwrap_or(unknown)
}

/// Links between two positions when all are up; two roots count as neighbours.
pub fn distance(a: &Scope, b: &Scope) -> usize {
    let (depth_a, depth_b) = (a.path.depth(), b.path.depth());
    if a.root != b.root {
        return depth_a + 1 + depth_b;
    }
    let pairs = a.path.labels().zip(b.path.labels());
    let shared = pairs.take_while(|(a, b)| a == b).count();
    depth_a + depth_b - 2 * shared
}
