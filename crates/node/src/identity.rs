//! Who this realm is: its place, its certificates, its keys, and their renewal.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use realm_crypto::{CertError, KemKey, SigningKey, VerifiedChain, verify_own_chain};
use realm_protocol::{
    KeyId, NodeId, Place, RealmId, RealmPath, Scope, Timestamp, limits,
    records::{
        Chain, ChainLink, ChildCert, KemPurpose, KemRecord, NodeCert, RealmRecord, Record, Signed,
        Succession, scopes,
    },
};

use crate::{Founding, Keys};

/// This realm's own standing.
#[derive(Debug)]
pub(crate) struct Identity {
    keys: Keys,
    founding: Founding,
    realm: RealmId,
    place: Place,
    /// The parent's chain and this realm's certificate from it; none for a root.
    above: Option<(Chain, Signed<ChildCert>)>,
    node_cert: Signed<NodeCert>,
    realm_record: Option<Signed<RealmRecord>>,
    kem: BTreeMap<KeyId, HeldKem>,
    chain: Option<VerifiedChain>,
    /// Whether the keys for messages that the parent may keep are shown.
    asks_for_custody: bool,
    /// Whether a later key of this realm is known than the one here.
    superseded: bool,
}

/// A KEM key with its record and the end of its life here.
#[derive(Debug)]
pub(crate) struct HeldKem {
    pub(crate) key: KemKey,
    pub(crate) record: Signed<KemRecord>,
    pub(crate) purpose: KemPurpose,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) erased: Timestamp,
}

impl Identity {
    pub(crate) fn new(keys: Keys, founding: Founding, asks_for_custody: bool) -> Self {
        let realm = founding.inception.realm_id();
        let node = keys.node.node_id();
        let node_cert = founding.node_cert.clone();
        Self {
            place: Place {
                root: realm,
                path: RealmPath::ROOT,
                realm: Some(realm),
                node: Some(node),
            },
            keys,
            founding,
            realm,
            above: None,
            node_cert,
            realm_record: None,
            kem: BTreeMap::new(),
            chain: None,
            asks_for_custody,
            superseded: false,
        }
    }

    pub(crate) fn realm(&self) -> RealmId {
        self.realm
    }

    pub(crate) fn node(&self) -> NodeId {
        self.keys.node.node_id()
    }

    /// This realm's place, complete.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn scope(&self) -> Scope {
        self.place.scope()
    }

    pub(crate) fn root(&self) -> RealmId {
        self.place.root
    }

    pub(crate) fn path(&self) -> &RealmPath {
        &self.place.path
    }

    pub(crate) fn is_root(&self) -> bool {
        self.place.path.is_root()
    }

    /// A record of this realm's, signed by its node.
    pub(crate) fn sign<T: Record>(&self, record: &T) -> Signed<T> {
        let mut signed = Signed::unsigned(record);
        self.keys.node.sign(&mut signed);
        signed
    }

    pub(crate) fn signer(&self) -> &SigningKey {
        &self.keys.node
    }

    pub(crate) fn parent_cert(&self) -> Option<&Signed<ChildCert>> {
        self.above.as_ref().map(|(_, cert)| cert)
    }

    /// This realm's chain if it stands; none while a certificate in it is wrong or expired.
    pub(crate) fn chain(&self) -> Option<&VerifiedChain> {
        self.chain.as_ref()
    }

    /// Whether this node may sign certificates, lists and policy records now.
    pub(crate) fn may_issue(&self, now: Timestamp) -> bool {
        let in_time = self.node_cert.peek().is_ok_and(|cert| {
            cert.scopes & scopes::ISSUE != 0 && cert.not_before <= now && now < cert.not_after
        });
        in_time && self.chain.is_some()
    }

    pub(crate) fn node_cert_times(&self) -> Option<(Timestamp, Timestamp)> {
        self.node_cert
            .peek()
            .ok()
            .map(|cert| (cert.not_before, cert.not_after))
    }

    /// Takes up a certificate that was written down, unless the one this realm begins with is by
    /// a later key, lasts longer, or is another node's.
    pub(crate) fn recover_node_cert(&mut self, stored: Signed<NodeCert>) {
        let age = |cert: &NodeCert| (cert.epoch, cert.not_after);
        let (Ok(old), held) = (stored.peek(), self.node_cert.peek()) else {
            return;
        };
        if old.node == self.node() && held.is_ok_and(|held| age(&held) < age(&old)) {
            self.node_cert = stored;
        }
    }

    /// This realm's successions, in order.
    pub(crate) fn successions(&self) -> &[Signed<Succession>] {
        &self.founding.successions
    }

    /// Whether a later key of this realm is known than the one here.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded
    }

    /// Signs and shows nothing from here on.
    pub(crate) fn step_down(&mut self) {
        self.superseded = true;
        self.keys.realm = None;
    }

    /// Signs a new node certificate, if the realm key is on this machine.
    pub(crate) fn renew_node_cert(&mut self, now: Timestamp) -> Option<&Signed<NodeCert>> {
        let realm_key = self.keys.realm.as_ref()?;
        let held = self.node_cert.peek().ok()?;
        let mut cert = Signed::unsigned(&NodeCert {
            serial: held.serial.saturating_add(1),
            not_before: now.minus(limits::CLOCK_SKEW_MS),
            not_after: now.plus(limits::NODE_CERT_MS),
            epoch: self.founding.successions.len() as u64,
            ..held
        });
        realm_key.sign(&mut cert);
        self.node_cert = cert;
        Some(&self.node_cert)
    }

    /// Takes the parent's chain and certificate: the realm stands under it from here on.
    pub(crate) fn set_above(&mut self, parent: &VerifiedChain, cert: Signed<ChildCert>) {
        self.stand_under(parent.root(), parent.chain(), cert);
    }

    /// Like [`Identity::set_above`], for a chain that was checked before it was written down.
    pub(crate) fn stand_under(&mut self, root: RealmId, parent: &Chain, cert: Signed<ChildCert>) {
        let above = parent
            .links
            .iter()
            .filter_map(|link| link.child_cert.as_ref());
        let labels = above
            .chain([&cert])
            .map(|cert| cert.peek().map(|cert| cert.label));
        let path = labels.collect::<Result<Vec<_>, _>>().ok();
        if let Some(path) = path.and_then(|labels| RealmPath::new(&labels).ok()) {
            self.place.root = root;
            self.place.path = path;
            self.above = Some((parent.clone(), cert));
        }
    }

    pub(crate) fn realm_record(&self) -> Option<&Signed<RealmRecord>> {
        self.realm_record.as_ref()
    }

    pub(crate) fn set_realm_record(&mut self, record: Signed<RealmRecord>) {
        self.realm_record = Some(record);
    }

    /// Names this node as the one that serves the realm, in an epoch of at least `least`.
    pub(crate) fn serve_from_here(&mut self, now: Timestamp, least: u64) -> &Signed<RealmRecord> {
        let epoch = self
            .realm_record
            .as_ref()
            .and_then(|record| record.peek().ok());
        let record = self.sign(&RealmRecord {
            realm: self.realm,
            epoch: epoch
                .map_or(1, |record| record.epoch.saturating_add(1))
                .max(least),
            node: self.node(),
            created: now,
        });
        self.realm_record.insert(record)
    }

    /// Whether this realm asks its parent to keep calls for it.
    pub(crate) fn asks_for_custody(&self) -> bool {
        self.asks_for_custody
    }

    /// Makes a KEM key, valid from `from`.
    pub(crate) fn make_kem(
        &mut self,
        rng: &mut impl CryptoRng,
        purpose: KemPurpose,
        from: Timestamp,
    ) -> &HeldKem {
        let key = KemKey::generate(rng);
        let (life, grace) = match purpose {
            KemPurpose::Live => (limits::KEM_LIVE_MS, limits::KEM_GRACE_MS),
            KemPurpose::Stored => (limits::KEM_STORED_MS, limits::KEM_STORED_GRACE_MS),
        };
        let not_after = from.plus(life);
        let record = self.sign(&KemRecord {
            realm: self.realm,
            node: self.node(),
            key: key.public(),
            purpose,
            not_before: from,
            not_after,
        });
        let id = key.key_id();
        let erased = not_after.plus(grace);
        self.kem.entry(id).or_insert(HeldKem {
            key,
            record,
            purpose,
            not_before: from,
            not_after,
            erased,
        })
    }

    pub(crate) fn hold_kem(&mut self, held: HeldKem) {
        self.kem.insert(held.key.key_id(), held);
    }

    /// The key with this id, if it is for messages of the purpose.
    pub(crate) fn kem_key(&self, id: KeyId, purpose: KemPurpose) -> Option<&KemKey> {
        let held = self.kem.get(&id).filter(|held| held.purpose == purpose);
        held.map(|held| &held.key)
    }

    /// Until when bodies can be sealed to the newest key of the purpose that is valid now.
    pub(crate) fn kem_until(&self, purpose: KemPurpose, now: Timestamp) -> Option<Timestamp> {
        let begun = self
            .kem
            .values()
            .filter(|held| held.purpose == purpose && held.not_before <= now);
        begun.map(|held| held.not_after).max()
    }

    /// Forgets the keys whose grace is over, and those made under a clock that was ahead; says
    /// which.
    pub(crate) fn erase_kem(&mut self, now: Timestamp) -> Vec<KeyId> {
        let soon = now.plus(limits::CLOCK_SKEW_MS);
        let over = self
            .kem
            .iter()
            .filter(|(_, held)| held.erased <= now || held.not_before > soon);
        let over: Vec<KeyId> = over.map(|(id, _)| *id).collect();
        for id in &over {
            self.kem.remove(id);
        }
        over
    }

    /// Forgets every KEM key, and says which there were.
    pub(crate) fn forget_kem(&mut self) -> Vec<KeyId> {
        std::mem::take(&mut self.kem).into_keys().collect()
    }

    /// This realm's chain as if it were a root: for joining, when its place may be lost.
    pub(crate) fn bare_chain(&self, now: Timestamp) -> Option<Chain> {
        Some(Chain {
            links: vec![ChainLink {
                inception: self.founding.inception.clone(),
                successions: self.founding.successions.clone(),
                node_cert: self.node_cert.clone(),
                child_cert: None,
            }],
            kem: self.shown_kem(now),
            realm_record: self.realm_record.clone()?,
        })
    }

    fn shown_kem(&self, now: Timestamp) -> Vec<Signed<KemRecord>> {
        let shown = self.kem.values().filter(|held| {
            let wanted = held.purpose == KemPurpose::Live || self.asks_for_custody;
            wanted && now < held.not_after
        });
        shown.map(|held| held.record.clone()).collect()
    }

    /// Puts the chain together from its parts and checks it as a stranger would.
    pub(crate) fn rebuild(&mut self, now: Timestamp) -> Result<(), CertError> {
        self.chain = None;
        if self.superseded {
            return Err(CertError::Superseded);
        }
        let Some(realm_record) = self.realm_record.clone() else {
            return Ok(());
        };
        let mut links = self
            .above
            .as_ref()
            .map_or(Vec::new(), |(chain, _)| chain.links.clone());
        links.push(ChainLink {
            inception: self.founding.inception.clone(),
            successions: self.founding.successions.clone(),
            node_cert: self.node_cert.clone(),
            child_cert: self.above.as_ref().map(|(_, cert)| cert.clone()),
        });
        let chain = Chain {
            links,
            kem: self.shown_kem(now),
            realm_record,
        };
        self.chain = Some(verify_own_chain(&chain, self.place.root, now)?);
        Ok(())
    }
}
