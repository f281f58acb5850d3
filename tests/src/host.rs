//! One machine: a realm's keys, its disk, and its node while that runs.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use realm_crypto::{SigningKey, commit_to, incept, succeed};
use realm_executor::{BreakerBounds, Price, Prices, SecretLoops, Tariff};
use realm_net::Limits;
use realm_node::{Budgets, Config, CustodyTerms, Founding, Keys, LinkId, Node};
use realm_policy::Redaction;
use realm_protocol::{
    Label, NodeId, Now, Place, RealmId, RealmPath, Scope, Timestamp, limits,
    link::{Frame, Hello, Versions},
    records::{NodeCert, Signed, SuccessionReason, scopes},
};

use crate::Disk;

/// A host's number in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub usize);

/// A link as the host at one end of it sees it.
#[derive(Clone, Copy, Debug)]
pub struct LinkEnd {
    /// The host at the other end.
    pub host: HostId,
    /// What that host calls the link.
    pub link: LinkId,
    /// Time a frame takes, milliseconds.
    pub latency_ms: u64,
    /// When the last frame that keeps its place arrives.
    pub(crate) busy_until: u64,
    /// What waits in its queue, which is empty again a moment later.
    queue: Queue,
}

/// Frames that were queued in one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    at_ms: u64,
    frames: usize,
    bytes: usize,
}

impl LinkEnd {
    pub(crate) const fn new(host: HostId, link: LinkId, latency_ms: u64) -> Self {
        Self {
            host,
            link,
            latency_ms,
            busy_until: 0,
            queue: Queue {
                at_ms: 0,
                frames: 0,
                bytes: 0,
            },
        }
    }

    /// Queues a frame; false if there is no room for it.
    pub(crate) fn queue(&mut self, bytes: usize, now_ms: u64, bounds: &Limits) -> bool {
        if self.queue.at_ms != now_ms {
            self.queue = Queue {
                at_ms: now_ms,
                ..Queue::default()
            };
        }
        let (frames, bytes) = (self.queue.frames + 1, self.queue.bytes + bytes);
        let fits = frames <= bounds.outbox_frames && bytes <= bounds.outbox_bytes;
        if fits {
            (self.queue.frames, self.queue.bytes) = (frames, bytes);
        }
        fits
    }
}

/// What a machine signs with, and the key its owner keeps in a drawer.
#[derive(Clone, Debug)]
pub struct HostKeys {
    realm_seed: [u8; 32],
    next_seed: [u8; 32],
    node_seed: [u8; 32],
    founding: Founding,
}

impl HostKeys {
    /// Hands the realm to the key in the drawer; `next_seed` takes its place there.
    pub fn hand_over(&mut self, next_seed: [u8; 32], reason: SuccessionReason, now: Timestamp) {
        let key = SigningKey::from_seed(&self.next_seed);
        let next = commit_to(&SigningKey::from_seed(&next_seed).public());
        let Founding {
            inception,
            successions,
            node_cert,
        } = &mut self.founding;
        let succession = succeed(inception, successions, &key, next, reason, now);
        successions.push(succession);
        let held = node_cert.peek().expect("made here");
        *node_cert = Signed::unsigned(&NodeCert {
            serial: held.serial + 1,
            not_before: now.minus(limits::CLOCK_SKEW_MS),
            not_after: now.plus(limits::NODE_CERT_MS),
            epoch: successions.len() as u64,
            ..held
        });
        key.sign(node_cert);
        self.realm_seed = self.next_seed;
        self.next_seed = next_seed;
    }
}

/// One machine.
#[derive(Debug)]
pub struct Host {
    /// What it calls its realm.
    pub name: Label,
    /// The realm.
    pub realm: RealmId,
    /// The node.
    pub node_id: NodeId,
    /// The node while it runs.
    pub node: Option<Node>,
    /// What it has written.
    pub disk: Disk,
    /// How far its wall clock is ahead, milliseconds; negative for behind.
    pub clock_offset: i64,
    /// Its links.
    pub links: BTreeMap<LinkId, LinkEnd>,
    /// Where its realm stands.
    pub scope: Scope,
    /// Counts starts, so that what was meant for an earlier process is dropped.
    pub life: u64,
    /// Calls its node takes on from one foreign root at a time.
    pub max_calls_per_peer: usize,
    /// The wire versions that its greetings name, where it is of another build than this one.
    pub versions: Option<Versions>,
    /// Bytes a second that its node takes from one peer. Taken up at the next start.
    pub peer_bytes: u64,
    /// Chains of others that its node remembers. Taken up at the next start.
    pub chains: usize,
    /// Announcements a second that its node passes on from under one root. Taken up at the next start.
    pub announce_rate: u64,
    /// What its node keeps for others, and asks others to keep. Taken up at the next start.
    pub custody: CustodyTerms,
    /// Whether its node begins halted. Taken up at the next start.
    pub halted: bool,
    /// What realms above may halt there. Taken up at the next start.
    pub halted_from_above: realm_node::HaltedFromAbove,
    /// Whether its node shares session keys with others.
    pub sessions: bool,
    /// What is taken out of its traces.
    pub redaction: Redaction,
    /// What calls may use where nobody else says.
    pub budgets: Budgets,
    /// What makes its breakers open though nothing fails. Taken up at the next start.
    pub breakers: BreakerBounds,
    /// Whether its agents are down.
    pub agents_down: bool,
    /// How many times as much as they say its models cost.
    pub overcharged: u64,
    /// What models cost, by backend.
    pub tariffs: BTreeMap<String, Tariff>,
    /// Which loops may use which secrets.
    pub secrets: SecretLoops,
    /// How often calls begin there. Taken up at the next start.
    pub rates: Vec<realm_node::Rate>,
    /// Roots that hear the names of people.
    pub hear_names: BTreeSet<Label>,
    /// How long its disk takes besides what all disks take, milliseconds.
    pub slow_ms: u64,
    /// The most that was.
    pub(crate) slowest_ms: u64,
    /// When it will be woken next.
    pub(crate) next_wake: Option<u64>,
    /// Whether its node knows that the disk is broken.
    pub(crate) told_broken: bool,
    /// What it signs with. Taken up at the next start.
    pub keys: HostKeys,
}

impl Host {
    /// What its node signs with.
    pub fn signer(&self) -> SigningKey {
        SigningKey::from_seed(&self.keys.node_seed)
    }

    /// Founds a realm.
    pub fn new(name: &str, rng: &mut ChaCha8Rng, now: Timestamp) -> Self {
        let mut seed = || {
            let mut bytes = [0; 32];
            rng.fill_bytes(&mut bytes);
            bytes
        };
        let (realm_seed, node_seed, next_seed) = (seed(), seed(), seed());
        let realm_key = SigningKey::from_seed(&realm_seed);
        let node_key = SigningKey::from_seed(&node_seed);
        let next = commit_to(&SigningKey::from_seed(&next_seed).public());
        let (realm, inception) = incept(&realm_key, next, now);
        let mut node_cert = Signed::unsigned(&NodeCert {
            serial: 1,
            realm,
            node: node_key.node_id(),
            scopes: scopes::MESSAGE | scopes::ISSUE,
            not_before: now.minus(limits::CLOCK_SKEW_MS),
            not_after: now.plus(limits::NODE_CERT_MS),
            epoch: 0,
        });
        realm_key.sign(&mut node_cert);
        Self {
            name: name.parse().expect("a label"),
            realm,
            node_id: node_key.node_id(),
            node: None,
            disk: Disk::default(),
            clock_offset: 0,
            links: BTreeMap::new(),
            scope: Scope {
                root: realm,
                path: RealmPath::ROOT,
            },
            life: 0,
            max_calls_per_peer: 64,
            versions: None,
            peer_bytes: limits::PEER_BYTES,
            chains: limits::CHAINS,
            announce_rate: limits::ANNOUNCE_RATE,
            custody: CustodyTerms::default(),
            halted: false,
            halted_from_above: realm_node::HaltedFromAbove::Tree,
            sessions: true,
            redaction: Redaction::default(),
            budgets: Budgets::default(),
            breakers: BreakerBounds::default(),
            agents_down: false,
            overcharged: 1,
            rates: Vec::new(),
            hear_names: BTreeSet::new(),
            tariffs: BTreeMap::from([("office".to_owned(), office())]),
            secrets: SecretLoops::default(),
            slow_ms: 0,
            slowest_ms: 0,
            next_wake: None,
            told_broken: false,
            keys: HostKeys {
                realm_seed,
                next_seed,
                node_seed,
                founding: Founding {
                    inception,
                    successions: Vec::new(),
                    node_cert,
                },
            },
        }
    }

    /// Starts the node on what its disk holds.
    pub fn start(&mut self, id: HostId, seed: [u8; 32], now: Now) {
        let config = Config {
            name: self.name.clone(),
            addresses: vec![format!("host:{}", id.0)],
            max_calls: 1_024,
            max_calls_per_peer: self.max_calls_per_peer,
            call_timeout_ms: crate::world::CALL_TIMEOUT_MS,
            child_rate: u64::from(limits::CHILD_RATE.0),
            peer_bytes: self.peer_bytes,
            sessions: self.sessions,
            chains: self.chains,
            announce_rate: self.announce_rate,
            custody: self.custody,
            halted: self.halted,
            halted_from_above: self.halted_from_above,
            redaction: self.redaction.clone(),
            budgets: self.budgets,
            breakers: self.breakers,
            tariffs: self.tariffs.clone(),
            secrets: self.secrets.clone(),
            prompt_bytes: realm_protocol::limits::PROMPT_BYTES,
            rates: self.rates.clone(),
            hear_names: self.hear_names.clone(),
        };
        let keys = Keys {
            realm: Some(SigningKey::from_seed(&self.keys.realm_seed)),
            node: SigningKey::from_seed(&self.keys.node_seed),
        };
        let recovered = self.disk.recovered(now.wall);
        let founding = self.keys.founding.clone();
        self.life += 1;
        self.next_wake = None;
        self.told_broken = false;
        self.node = Some(Node::new(config, keys, founding, recovered, seed, now));
    }

    /// Whether its disk has seen a later key of the realm than it signs with.
    pub fn is_superseded(&mut self, now: Timestamp) -> bool {
        realm_node::is_superseded(&self.keys.founding, &self.disk.recovered(now))
    }

    /// The key that signs for its node.
    pub fn node_key(&self) -> SigningKey {
        SigningKey::from_seed(&self.keys.node_seed)
    }

    /// Where the realm stands, in full.
    pub fn place(&self) -> Place {
        Place {
            root: self.scope.root,
            path: self.scope.path.clone(),
            realm: Some(self.realm),
            node: Some(self.node_id),
        }
    }

    /// A frame as this host's build sends it: its greetings name the versions that it speaks.
    pub(crate) fn in_its_versions(&self, frame: Bytes) -> Bytes {
        let (Some(versions), Ok(Frame::Hello(hello))) = (self.versions, Frame::decode(&frame))
        else {
            return frame;
        };
        let Versions { oldest, newest } = versions;
        let hello = Hello {
            oldest,
            newest,
            ..hello
        };
        Frame::Hello(hello).encode()
    }

    /// Looks up where the realm stands now.
    pub(crate) fn note_scope(&mut self) {
        if let Some(node) = &self.node {
            self.scope = node.scope();
        }
    }

    /// The running node.
    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("the host runs")
    }
}

/// A model that costs a euro for a million tokens.
fn office() -> Tariff {
    let price = "EUR".parse().ok().map(|currency| Price {
        currency,
        input: 1_000_000,
        output: 1_000_000,
    });
    Tariff {
        max_tokens: 1_000,
        model: None,
        price,
        prices: Prices::new(),
    }
}
