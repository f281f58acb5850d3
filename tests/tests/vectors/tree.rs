//! Realms with keys that everybody knows.

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use realm_crypto::{
    KemKey, Outgoing, SigningKey, Trust, VerifiedChain, commit_to, incept, verify_chain,
};
use realm_protocol::{
    ApprovalId, CallId, Digest, GrantId, Kind, Place, Priority, RealmId, RunId, Timestamp,
    cbor::{self, Blob},
    records::{
        Admission, Approval, ApprovalAction, ApprovalVerdict, Chain, ChainLink, ChildCert,
        ChildLimits, Grant, KemPurpose, KemRecord, NodeCert, Peering, Petname, PolicyRecord,
        RealmRecord, Record, RevocationList, Role, Signed, Ticket, TicketKind, scopes,
    },
    trace::TracePass,
};

pub(super) const DAY: u64 = 24 * 60 * 60 * 1_000;
/// The wall clock of all vectors.
pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// The signing key of a seed: 32 bytes of this number.
pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

pub(super) fn rng(number: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([number; 32])
}

/// A realm with all its keys: realm key, next key, node and KEM by seeds that follow each other.
pub(super) struct Realm {
    pub(super) seed: u8,
    pub(super) id: RealmId,
    pub(super) realm_key: SigningKey,
    pub(super) next_key: SigningKey,
    pub(super) node: SigningKey,
    pub(super) kem: KemKey,
    pub(super) links: Vec<ChainLink>,
}

/// A root called `acme`, its child and grandchild, and another root.
pub(super) struct World {
    pub(super) acme: Realm,
    pub(super) health: Realm,
    pub(super) cardiology: Realm,
    pub(super) lab: Realm,
}

pub(super) fn world() -> World {
    let acme = Realm::new(10, None);
    let health = Realm::new(20, Some((&acme, "health")));
    let cardiology = Realm::new(30, Some((&health, "cardiology")));
    let lab = Realm::new(40, None);
    World {
        acme,
        health,
        cardiology,
        lab,
    }
}

impl Realm {
    pub(super) fn new(seed: u8, parent: Option<(&Self, &str)>) -> Self {
        let (realm_key, next_key) = (key(seed), key(seed + 1));
        let (id, inception) = incept(&realm_key, commit_to(&next_key.public()), NOW);
        let mut realm = Self {
            seed,
            id,
            realm_key,
            next_key,
            node: key(seed + 2),
            kem: KemKey::from_secret([seed + 3; 32]),
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

    pub(super) fn root(&self) -> RealmId {
        self.links[0].inception.realm_id()
    }

    pub(super) fn link(&mut self) -> &mut ChainLink {
        self.links.last_mut().unwrap()
    }

    /// By the realm's first key, unless the edit names another epoch.
    pub(super) fn node_cert(&self, edit: impl FnOnce(&mut NodeCert)) -> Signed<NodeCert> {
        let mut cert = NodeCert {
            serial: 1,
            realm: self.id,
            node: self.node.node_id(),
            scopes: scopes::MESSAGE | scopes::ISSUE,
            not_before: NOW.minus(DAY),
            not_after: NOW.plus(89 * DAY),
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

    pub(super) fn child_cert(
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
            not_after: NOW.plus(13 * DAY),
            parent_node: self.node.node_id(),
            child_node: child.node.node_id(),
            limits: ChildLimits {
                rate: 5_000,
                burst: 20_000,
                may_certify: true,
            },
            epoch: 1,
        };
        edit(&mut cert);
        signed(&cert, &[&self.node, &child.node])
    }

    pub(super) fn kem_record(&self, edit: impl FnOnce(&mut KemRecord)) -> Signed<KemRecord> {
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

    pub(super) fn realm_record(&self, edit: impl FnOnce(&mut RealmRecord)) -> Signed<RealmRecord> {
        let mut record = RealmRecord {
            realm: self.id,
            epoch: 3,
            node: self.node.node_id(),
            created: NOW,
        };
        edit(&mut record);
        signed(&record, &[&self.node])
    }

    pub(super) fn revocations(&self, serials: &[u64]) -> Signed<RevocationList> {
        let list = RevocationList {
            realm: self.id,
            number: 2,
            serials: serials.to_vec(),
            created: NOW,
            node: self.node.node_id(),
        };
        signed(&list, &[&self.node])
    }

    pub(super) fn approval(&self) -> Signed<Approval> {
        let approval = Approval {
            id: ApprovalId::at(NOW, [3; 10]),
            action: ApprovalAction {
                realm: self.id,
                run: RunId::at(NOW, [1; 10]),
                frame: CallId::new([2; 16]),
                loop_id: "rollback".to_owned(),
                version: None,
                revision: None,
                contract: None,
                input: Digest::of(&[b"{}"]),
                callee: None,
            },
            verdict: ApprovalVerdict::Granted,
            person: "alice".to_owned(),
            roles: vec![Role::Approver, Role::Owner],
            reason: None,
            decided: NOW,
            expires: NOW.plus(3_600_000),
            node: self.node.node_id(),
        };
        signed(&approval, &[&self.node])
    }

    pub(super) fn trace_pass(&self, to: &Self) -> Signed<TracePass> {
        let pass = TracePass {
            call: CallId::new([3; 16]),
            to: to.place().scope(),
            until: NOW.plus(600_000),
        };
        signed(&pass, &[&self.node])
    }

    pub(super) fn grant(&self, holder: &Self) -> Signed<Grant> {
        let grant = Grant {
            id: GrantId::at(NOW, [5; 10]),
            issuer: self.id,
            node: self.node.node_id(),
            holder: holder.id,
            loops: vec!["billing/*".parse().unwrap()],
            uses: None,
            budget: None,
            not_before: NOW,
            not_after: NOW.plus(3_600_000),
            from: None,
            agent: None,
            run: None,
        };
        signed(&grant, &[&self.node])
    }

    pub(super) fn policy(&self, above: Option<Digest>) -> Signed<PolicyRecord> {
        let record = PolicyRecord {
            realm: self.id,
            number: 1,
            cedar: "permit (principal, action, resource);".to_owned(),
            petnames: vec![Petname {
                name: "acme".parse().unwrap(),
                root: self.root(),
            }],
            created: NOW,
            node: self.node.node_id(),
            above,
        };
        signed(&record, &[&self.node])
    }

    pub(super) fn peering(&self, acceptor: &Self) -> Signed<Peering> {
        let peering = Peering {
            serial: 8,
            inviter: self.id,
            acceptor: acceptor.id,
            from_inviter: admission(&[""]),
            from_acceptor: admission(&["health", "billing"]),
            not_before: NOW.minus(DAY),
            not_after: NOW.plus(364 * DAY),
            inviter_node: self.node.node_id(),
            acceptor_node: acceptor.node.node_id(),
        };
        signed(&peering, &[&self.node, &acceptor.node])
    }

    pub(super) fn ticket(&self, kind: TicketKind) -> Ticket {
        Ticket {
            id: realm_protocol::TicketId::new([1; 16]),
            secret: realm_protocol::Secret16::new([2; 16]),
            kind,
            realm: self.id,
            root: self.root(),
            path: self.verified().path().clone(),
            petname: "acme".parse().unwrap(),
            node: self.node.node_id(),
            addresses: vec!["/ip4/192.0.2.1/tcp/4100".to_owned()],
            expires: NOW.plus(DAY),
        }
    }

    pub(super) fn chain(&self) -> Chain {
        Chain {
            links: self.links.clone(),
            kem: vec![self.kem_record(|_| ())],
            realm_record: self.realm_record(|_| ()),
        }
    }

    pub(super) fn chain_bytes(&self) -> Blob {
        Blob::from(cbor::encode(&self.chain()))
    }

    pub(super) fn verified(&self) -> VerifiedChain {
        let trust = Trust {
            root: self.root(),
            shared: None,
            revoked: &|_, _| false,
            now: NOW,
        };
        verify_chain(&self.chain(), &trust).unwrap()
    }

    pub(super) fn place(&self) -> Place {
        self.verified().place().clone()
    }
}

pub(super) fn admission(scopes: &[&str]) -> Admission {
    Admission {
        scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
        rate: 50,
        burst: 200,
    }
}

/// Signs with one key for each of the record's tags.
pub(super) fn signed<T: Record>(record: &T, keys: &[&SigningKey]) -> Signed<T> {
    let mut signed = Signed::unsigned(record);
    for key in keys {
        key.sign(&mut signed);
    }
    signed
}

pub(super) fn outgoing<'a>(
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
        max_reply: 65_536,
        receipt: None,
        content,
    }
}
