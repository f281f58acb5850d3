//! What a node shows of itself: for status, listings and explanations.

use realm_executor::Registry;
use realm_policy::{Decision, Denial, LevelSays, Policy, Request};
use realm_protocol::{
    Label, NodeId, RealmId, RealmName, RealmPath, Scope, Timestamp, limits, records::KemPurpose,
};
use realm_router::{LinkId, Relation};

use crate::{Counters, Node, outbound::Task, state::Target};

/// Who a realm is and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingView {
    /// What this machine calls it.
    pub name: Label,
    /// The realm.
    pub realm: RealmId,
    /// The node that serves it.
    pub node: NodeId,
    /// Where it stands.
    pub scope: Scope,
    /// What its root is called here.
    pub root_name: Label,
    /// Where its parent stands, and whether it is connected.
    pub parent: Option<(Scope, bool)>,
    /// Why the parent turned this realm away when last it did.
    pub turned_away: Option<String>,
    /// When the first certificate in its chain runs out; none while the chain does not stand.
    pub chain_expires: Option<Timestamp>,
    /// When the node's certificate runs out.
    pub node_cert_expires: Option<Timestamp>,
    /// Until when bodies can be sealed to its newest key.
    pub kem_until: Option<Timestamp>,
    /// Largest difference to a neighbour's clock seen lately, milliseconds.
    pub skew_ms: u64,
    /// Jumps of the wall clock since the start.
    pub clock_jumps: u64,
    /// Calls to other realms under way.
    pub calls_out: usize,
    /// Calls run here under way.
    pub calls_in: usize,
    /// Invitations not used up.
    pub open_tickets: usize,
    /// Promises that wait for the disk.
    pub promises_held: usize,
    /// Whether the store has failed.
    pub store_failed: bool,
    /// Whether a later key of this realm is in use than the one here.
    pub superseded: bool,
    /// Realms that were seen with two histories of keys, and the first succession that differs.
    pub forks: Vec<(RealmId, u64)>,
}

/// A child as its parent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildView {
    /// Its label.
    pub label: Label,
    /// The child.
    pub realm: RealmId,
    /// Where it stands.
    pub scope: Scope,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether its certificate carries both signatures.
    pub accepted: bool,
    /// When its certificate runs out.
    pub expires: Option<Timestamp>,
}

/// A peer root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// What it is called here.
    pub petname: Label,
    /// The root.
    pub root: RealmId,
    /// Whether it is connected.
    pub connected: bool,
    /// When the peering runs out.
    pub expires: Option<Timestamp>,
    /// Whether this side dials.
    pub dialled: bool,
    /// Subtrees of its tree whose messages are let in.
    pub scopes: Vec<RealmPath>,
    /// Why it turned this realm away when last it did.
    pub turned_away: Option<String>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkView {
    /// The link.
    pub link: LinkId,
    /// Who is at the other end.
    pub node: NodeId,
    /// What it is to this realm; none for a stranger.
    pub relation: Option<Relation>,
    /// The wire version that both sides speak; none before a Hello has shown it.
    pub version: Option<u64>,
}

/// Something bounded that a node holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadView {
    /// What it is.
    pub what: &'static str,
    /// How many there are.
    pub held: usize,
    /// How many there may be.
    pub bound: usize,
    /// Whether there are none when nothing is under way.
    pub at_rest: bool,
}

impl Node {
    /// Where this realm stands.
    pub fn scope(&self) -> Scope {
        self.me.scope()
    }

    /// How much of everything bounded is in use.
    pub fn load(&self) -> Vec<LoadView> {
        let calls = self.most_calls();
        let passing = |what, held, bound| LoadView {
            what,
            held,
            bound,
            at_rest: true,
        };
        let kept = |what, held, bound| LoadView {
            what,
            held,
            bound,
            at_rest: false,
        };
        let (live, stored) = self.seen.len();
        let tasks = self.calls.values().map(|out| &out.task);
        let ends = tasks
            .filter(|task| matches!(task, Task::Deliver(_)))
            .count();
        let tasks = self.calls.values().map(|out| &out.task);
        let halts = tasks.filter(|task| matches!(task, Task::Halt(_))).count();
        let told = ends.saturating_add(halts);
        vec![
            passing("calls out", self.calls.len().saturating_sub(told), calls),
            kept("ends to tell", ends, limits::ACCEPTED),
            kept(
                "halts to tell",
                halts,
                limits::CHILDREN.saturating_add(limits::HALTED_REALMS),
            ),
            passing("calls in", self.serving.under_way(), calls),
            kept(
                "runs that stand still",
                self.serving.taken(&|_| false).paused,
                limits::PAUSED.saturating_add(calls),
            ),
            kept(
                "requests for approval",
                self.approvals.waiting().count(),
                limits::APPROVALS,
            ),
            passing(
                "bytes of answers that wait for room",
                self.unsent_bytes,
                limits::UNSENT_BYTES,
            ),
            passing(
                "requests that wait for an answer",
                self.waiting.len(),
                calls,
            ),
            kept(
                "messages in sessions just sent",
                self.unheard.len(),
                limits::SESSIONS,
            ),
            passing("resolutions", self.resolving.len(), calls),
            passing("broadcasts", self.market.announced(), limits::OFFERS),
            passing("announcements", self.market.passed(), limits::OFFERS),
            passing(
                "messages held back",
                self.holds.len(),
                limits::CHAIN_WAITERS,
            ),
            passing("promises held back", self.out.held(), usize::MAX),
            kept("message ids", live, limits::REPLAY_IDS),
            kept("ids of kept messages", stored, limits::STORED_REPLAY_IDS),
            kept("chains", self.trust.len(), self.config.chains),
            kept("successions", self.trust.histories.len(), limits::HISTORIES),
            kept("sessions", self.sessions.len(), limits::SESSIONS),
            kept("session offers", self.sessions.offered(), limits::SESSIONS),
            kept("contracts", self.known.len(), limits::CONTRACTS),
            kept(
                "realms introduced to",
                self.introduced.len(),
                limits::CHAINS,
            ),
            kept(
                "bytes kept for children",
                self.custody.bytes(),
                limits::CUSTODY_BYTES_IN_ALL,
            ),
            kept("tickets", self.kin.tickets.len(), limits::TICKETS),
            kept("people", self.pseudonyms.len(), limits::PSEUDONYMS),
        ]
    }

    /// Who this realm is and how it stands.
    pub fn standing(&self) -> StandingView {
        let parent = self.me.path().parent().map(|path| {
            (
                Scope {
                    root: self.me.root(),
                    path,
                },
                self.parent_connected(),
            )
        });
        let out = self
            .calls
            .values()
            .filter(|out| matches!(out.task, Task::Invoke(_)));
        StandingView {
            name: self.config.name.clone(),
            realm: self.me.realm(),
            node: self.me.node(),
            scope: self.me.scope(),
            root_name: self.root_name(),
            parent,
            turned_away: self.turned_away.get(&Target::Parent).cloned(),
            chain_expires: self.chain_expires(),
            node_cert_expires: self.me.node_cert_times().map(|(_, not_after)| not_after),
            kem_until: self.me.kem_until(KemPurpose::Live, self.now.wall),
            skew_ms: self.skew_ms(),
            clock_jumps: self.clock_jumps,
            calls_out: out.count(),
            calls_in: self.serving.len(),
            open_tickets: self
                .kin
                .tickets
                .values()
                .filter(|held| held.uses > 0)
                .count(),
            promises_held: self.out.held(),
            store_failed: self.out.has_failed(),
            superseded: self.me.is_superseded(),
            forks: self
                .trust
                .histories
                .forks()
                .iter()
                .map(|(realm, number)| (*realm, *number))
                .collect(),
        }
    }

    /// The chain's own end, or that of the certificate from the parent if it comes first.
    fn chain_expires(&self) -> Option<Timestamp> {
        let chain = self.me.chain()?.expires();
        let cert = self.me.parent_cert().and_then(|cert| cert.peek().ok());
        Some(cert.map_or(chain, |cert| chain.min(cert.not_after)))
    }

    /// The children, by label.
    pub fn children(&self) -> Vec<ChildView> {
        let children = self.kin.children.iter().filter_map(|(label, child)| {
            Some(ChildView {
                label: label.clone(),
                realm: child.realm,
                scope: Scope {
                    root: self.me.root(),
                    path: self.me.path().child(label).ok()?,
                },
                connected: self
                    .routes
                    .link_to(&Relation::Child(label.clone()))
                    .is_some(),
                accepted: child.accepted,
                expires: child.child_cert.peek().ok().map(|cert| cert.not_after),
            })
        });
        children.collect()
    }

    /// The peers, by root.
    pub fn peers(&self) -> Vec<PeerView> {
        let peers = self.kin.peers.iter().map(|(root, peer)| PeerView {
            petname: peer.petname.clone(),
            root: *root,
            connected: self.routes.link_to(&Relation::Peer(*root)).is_some(),
            expires: peer.peering.peek().ok().map(|peering| peering.not_after),
            dialled: !peer.addresses.is_empty(),
            scopes: self.kin.peer_scopes(self.me.realm(), *root),
            turned_away: self.turned_away.get(&Target::Peer(*root)).cloned(),
        });
        peers.collect()
    }

    /// The links, by age.
    pub fn links(&self) -> Vec<LinkView> {
        let links = self.links.iter().map(|(id, link)| LinkView {
            link: *id,
            node: link.node,
            relation: self.routes.relation(*id).cloned(),
            version: link.version,
        });
        links.collect()
    }

    /// What roots are called here, and whether the name came from above.
    pub fn petnames(&self) -> Vec<(Label, RealmId, bool)> {
        let pinned = self
            .kin
            .petnames
            .iter()
            .map(|(name, root)| (name.clone(), *root, false));
        let given = self.rules.petnames_above().iter();
        let given = given.filter(|(name, _)| !self.kin.petnames.contains_key(name));
        pinned
            .chain(given.map(|(name, root)| (name.clone(), *root, true)))
            .collect()
    }

    /// Why a name stands for no other realm that this one knows; none where it does, or where only realms
    /// further away can tell.
    pub fn unknown_realm(&self, name: &RealmName) -> Option<String> {
        let scope = match self.resolve_name(name) {
            Ok(scope) => scope,
            Err(refusal) => return Some(refusal.to_string()),
        };
        let me = self.me.scope();
        if scope == me {
            return Some(format!("`{name}` is this realm itself"));
        }
        let deeper = scope.path.labels().nth(me.path.depth());
        let below = scope.path.lineage().any(|path| path == me.path);
        let child = deeper.filter(|_| scope.root == me.root && below)?;
        let known = self.children();
        let known = known.iter().any(|it| it.label.as_str() == child);
        (!known).then(|| format!("this realm has no child `{child}`"))
    }

    /// The loops.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// This realm's policies: id, Cedar text, whether they decide for the subtree, when made.
    pub fn policies(&self) -> impl Iterator<Item = (&str, &str, bool, Timestamp)> {
        let documents = self.rules.documents().iter();
        documents.map(|(id, policy)| {
            (
                id.as_str(),
                policy.cedar.as_str(),
                policy.subtree,
                policy.created,
            )
        })
    }

    /// The policies from above: where they come from, their number, their Cedar text.
    pub fn ceilings(&self) -> Vec<(Scope, u64, String)> {
        let ceilings = self.rules.ceilings().filter_map(|held| {
            let record = held.record.peek().ok()?;
            Some((held.scope.clone(), record.number, record.cedar))
        });
        ceilings.collect()
    }

    /// A denial of this realm's, by its reference.
    pub fn denial(&self, reference: &str) -> Option<&Denial> {
        self.rules.denial(reference)
    }

    /// Decides as this realm would, without any consequence.
    pub fn policy_decide(&self, request: &Request<'_>) -> Decision {
        self.rules.policy().decide(request)
    }

    /// All that decides here, for questions about what would be.
    pub fn policy(&self) -> &Policy {
        self.rules.policy()
    }

    /// The denials that are remembered.
    pub fn denials(&self) -> impl Iterator<Item = &Denial> {
        self.rules.denials()
    }

    /// What each level says of a question, the root's first and this realm's own last.
    pub fn policy_explain(&self, request: &Request<'_>) -> Vec<LevelSays> {
        self.rules.policy().explain(request)
    }

    /// How many signatures over several messages were verified; each counts once.
    pub fn roots_verified(&self) -> u64 {
        self.trust.roots.verified()
    }

    /// What has been counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
