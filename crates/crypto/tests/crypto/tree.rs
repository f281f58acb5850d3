//! Small trees of realms with known keys.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use realm_crypto::{
    KemKey, Outgoing, SigningKey, Trust, VerifiedChain, commit_to, incept, verify_chain,
};
use realm_protocol::{
    CallId, Digest, Kind, Place, Priority, RealmId, Timestamp,
    records::{
        Chain, ChainLink, ChildCert, ChildLimits, KemPurpose, KemRecord, NodeCert, RealmRecord,
        Signed, scopes,
    },
};

pub(crate) const DAY: u64 = 24 * 60 * 60 * 1_000;
/// The wall clock in all tests.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

/// A realm with all its keys.
pub(crate) struct Realm {
    pub(crate) id: RealmId,
    pub(crate) realm_key: SigningKey,
    pub(crate) next_key: SigningKey,
    pub(crate) node: SigningKey,
    pub(crate) kem: KemKey,
    pub(crate) links: Vec<ChainLink>,
}

impl Realm {
    pub(crate) fn root(seed: u8) -> Self {
        Self::new(seed, None)
    }

    pub(crate) fn child(&self, seed: u8, label: &str) -> Self {
        Self::new(seed, Some((self, label)))
    }

    fn new(seed: u8, parent: Option<(&Self, &str)>) -> Self {
        let mut rng = rng(seed);
        let realm_key = SigningKey::generate(&mut rng);
        let next_key = SigningKey::generate(&mut rng);
        let (id, inception) = incept(&realm_key, commit_to(&next_key.public()), NOW);
        let mut realm = Self {
            id,
            realm_key,
            next_key,
            node: SigningKey::generate(&mut rng),
            kem: KemKey::generate(&mut rng),
            links: parent.map_or_else(Vec::new, |(parent, _)| parent.links.clone()),
        };
        let link = ChainLink {
            inception,
            successions: Vec::new(),
            node_cert: realm.node_cert(|_| ()),
            child_cert: parent.map(|(parent, label)| parent.child_cert(&realm, label, |_| ())),
        };
        realm.links.push(link);
        realm
    }

    /// A certificate for the realm's node, by its first key unless the edit says another epoch.
    pub(crate) fn node_cert(&self, edit: impl FnOnce(&mut NodeCert)) -> Signed<NodeCert> {
        let mut cert = NodeCert {
            serial: 1,
            realm: self.id,
            node: self.node.node_id(),
            scopes: scopes::MESSAGE | scopes::ISSUE,
            not_before: NOW.minus(DAY),
            not_after: NOW.plus(90 * DAY),
            epoch: 0,
        };
        edit(&mut cert);
        let key = if cert.epoch == 0 {
            &self.realm_key
        } else {
            &self.next_key
        };
        signed(&cert, &[key])
    }

    pub(crate) fn child_cert(
        &self,
        child: &Self,
        label: &str,
        edit: impl FnOnce(&mut ChildCert),
    ) -> Signed<ChildCert> {
        let mut cert = ChildCert {
            serial: 7,
            parent: self.id,
            label: label.parse().unwrap(),
            child: child.id,
            not_before: NOW.minus(DAY),
            not_after: NOW.plus(14 * DAY),
            parent_node: self.node.node_id(),
            child_node: child.node.node_id(),
            limits: ChildLimits {
                rate: 10,
                burst: 20,
                may_certify: true,
            },
            epoch: 1,
        };
        edit(&mut cert);
        signed(&cert, &[&self.node, &child.node])
    }

    pub(crate) fn kem_record(&self, edit: impl FnOnce(&mut KemRecord)) -> Signed<KemRecord> {
        let mut record = KemRecord {
            realm: self.id,
            node: self.node.node_id(),
            key: self.kem.public(),
            purpose: KemPurpose::Live,
            not_before: NOW.minus(DAY / 2),
            not_after: NOW.plus(DAY / 2),
        };
        edit(&mut record);
        signed(&record, &[&self.node])
    }

    pub(crate) fn realm_record(&self, edit: impl FnOnce(&mut RealmRecord)) -> Signed<RealmRecord> {
        let mut record = RealmRecord {
            realm: self.id,
            epoch: 3,
            node: self.node.node_id(),
            created: NOW,
        };
        edit(&mut record);
        signed(&record, &[&self.node])
    }

    pub(crate) fn chain(&self) -> Chain {
        Chain {
            links: self.links.clone(),
            kem: vec![self.kem_record(|_| ())],
            realm_record: self.realm_record(|_| ()),
        }
    }

    pub(crate) fn root_id(&self) -> RealmId {
        self.links[0].inception.realm_id()
    }

    pub(crate) fn verified(&self) -> VerifiedChain {
        verify_chain(&self.chain(), &trust(self.root_id())).unwrap()
    }
}

/// Signs with one key for each of the record's tags.
pub(crate) fn signed<T: realm_protocol::records::Record>(
    record: &T,
    keys: &[&SigningKey],
) -> Signed<T> {
    let mut signed = Signed::unsigned(record);
    for key in keys {
        key.sign(&mut signed);
    }
    signed
}

pub(crate) fn none_revoked(_: RealmId, _: u64) -> bool {
    false
}

pub(crate) fn trust(root: RealmId) -> Trust<'static> {
    Trust {
        root,
        shared: None,
        revoked: &none_revoked,
        now: NOW,
    }
}

pub(crate) fn outgoing<'a>(
    kind: Kind,
    source: &'a Place,
    destination: &'a Place,
    answers: Option<Digest>,
    content: &'a [u8],
) -> Outgoing<'a> {
    Outgoing {
        kind,
        source,
        destination,
        created: NOW,
        ttl_ms: 60_000,
        call: CallId::new([9; 16]),
        answers,
        priority: Priority::Normal,
        flags: None,
        max_reply: 1_000,
        receipt: None,
        content,
    }
}
