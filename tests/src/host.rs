//! One machine: a realm's keys, its disk, and its node while that runs.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use realm_crypto::{SigningKey, commit_to, incept};
use realm_node::{Config, Founding, Keys, LinkId, Node};
use realm_protocol::{
    Label, NodeId, Now, RealmId, Timestamp, limits,
    records::{NodeCert, Signed, scopes},
};

use crate::Disk;

/// A host's number in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub usize);

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
    /// The other end of each of its links.
    pub links: BTreeMap<LinkId, (HostId, LinkId)>,
    /// Counts starts, so that what was meant for an earlier process is dropped.
    pub life: u64,
    realm_seed: [u8; 32],
    node_seed: [u8; 32],
    founding: Founding,
}

impl Host {
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
            life: 0,
            realm_seed,
            node_seed,
            founding: Founding {
                inception,
                successions: Vec::new(),
                node_cert,
            },
        }
    }

    /// Starts the node on what its disk holds.
    pub fn start(&mut self, id: HostId, seed: [u8; 32], now: Now) {
        let config = Config {
            name: self.name.clone(),
            addresses: vec![format!("host:{}", id.0)],
            max_calls: 1_024,
            max_calls_per_peer: 64,
            call_timeout_ms: 30_000,
        };
        let keys = Keys {
            realm: Some(SigningKey::from_seed(&self.realm_seed)),
            node: SigningKey::from_seed(&self.node_seed),
        };
        let recovered = self.disk.recovered(now.wall);
        let founding = self.founding.clone();
        self.life += 1;
        self.node = Some(Node::new(config, keys, founding, recovered, seed, now));
    }

    /// The running node.
    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("the host runs")
    }
}
