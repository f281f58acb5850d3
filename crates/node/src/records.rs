//! What neighbours keep each other informed of: chains, revocations, policies from above.

use realm_crypto::{VerifiedChain, verify};
use realm_protocol::{
    RealmId, Scope, cbor,
    journal::Table,
    link::{Frame, Records, Renew},
    records::{Chain, Petname, PolicyRecord, RevocationList, Signed},
};
use realm_router::{LinkId, Relation};

use crate::{
    Node, Refused,
    state::{self, StoredCeiling, StoredRevocations, standing},
};

/// Bytes of policies, lists and issuers in one Records frame; the rest follows in further ones.
const SHARED_BYTES: usize = 64 * 1024;

/// Records spread over as many frames as they need.
struct Sheaf {
    full: Vec<Records>,
    last: Records,
    bytes: usize,
}

impl Sheaf {
    fn new(chain: Option<Chain>) -> Self {
        let last = Records {
            chain,
            policies: vec![],
            revocations: vec![],
            issuers: vec![],
        };
        Self {
            full: Vec::new(),
            last,
            bytes: 0,
        }
    }

    /// Begins a new frame if the last one has no room for so many bytes more.
    fn make_room(&mut self, bytes: usize) {
        if self.bytes > 0 && self.bytes.saturating_add(bytes) > SHARED_BYTES {
            let next = Self::new(None).last;
            self.full.push(std::mem::replace(&mut self.last, next));
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn finish(mut self) -> Vec<Records> {
        self.full.push(self.last);
        self.full
    }
}

impl Node {
    /// Tells a neighbour everything it should know.
    pub(crate) fn share_records(&mut self, id: LinkId) {
        let chain = self.me.chain().map(|chain| chain.chain().clone());
        let policies = match self.routes.relation(id) {
            Some(Relation::Child(_)) => self.policies_for_children(),
            _ => Vec::new(),
        };
        let scope = self.shared_with(id);
        let mut sheaf = Sheaf::new(chain);
        for policy in policies {
            sheaf.make_room(policy.payload.len());
            sheaf.last.policies.push(policy);
        }
        for stored in self.trust.lists(scope.as_ref()) {
            sheaf.make_room(stored.list.payload.len() + cbor::encode(&stored.issuer).len());
            sheaf.last.revocations.push(stored.list.clone());
            sheaf.last.issuers.push(stored.issuer.clone());
        }
        for records in sheaf.finish() {
            self.send_promise(id, &Frame::Records(records));
        }
    }

    /// Tells every neighbour but one.
    pub(crate) fn share_records_but(&mut self, but: Option<LinkId>) {
        let admitted = self.links.iter().filter(|(_, link)| link.admitted);
        let others: Vec<LinkId> = admitted
            .map(|(id, _)| *id)
            .filter(|id| Some(*id) != but)
            .collect();
        for id in others {
            self.share_records(id);
        }
    }

    /// Asks for records if the neighbour has some that are not here.
    pub(crate) fn compare_records(&mut self, id: LinkId) {
        let theirs_about = match self.routes.relation(id) {
            Some(Relation::Parent) => None,
            Some(Relation::Child(_) | Relation::Peer(_)) => self
                .links
                .get(&id)
                .and_then(|link| link.chain.as_ref())
                .map(|c| c.place().scope()),
            _ => return,
        };
        let mine = self.trust.digest(theirs_about.as_ref());
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.their_records == Some(mine) || link.settled == link.their_records {
            link.settled = link.their_records;
            return;
        }
        self.send(id, &Frame::Renew(Renew { held: None }));
    }

    pub(crate) fn handle_records(&mut self, id: LinkId, records: Records) {
        let Some(relation) = self.routes.relation(id).cloned() else {
            return self.counters.refuse(Refused::NotAdmitted);
        };
        if let Some(link) = self.links.get_mut(&id) {
            link.settled = link.their_records;
        }
        if let Some(chain) = records.chain {
            self.take_neighbours_chain(id, &relation, &chain);
        }
        if relation == Relation::Parent && !records.policies.is_empty() {
            self.take_policies(&records.policies);
        }
        let mut news = false;
        for (list, issuer) in records.revocations.into_iter().zip(records.issuers) {
            news |= self.take_revocations(&relation, StoredRevocations { list, issuer });
        }
        if news {
            self.enforce_revocations();
            self.share_records_but(Some(id));
        }
        let joined = self.links.get_mut(&id).and_then(|link| link.joined.take());
        self.tell_joined(joined);
    }

    fn take_neighbours_chain(&mut self, id: LinkId, relation: &Relation, chain: &Chain) {
        let Some(held) = self.links.get(&id).and_then(|link| link.chain.as_ref()) else {
            return;
        };
        let (root, place) = (held.root(), held.place().clone());
        match self.trust.check(chain, root, self.me.chain(), self.wall()) {
            Ok(chain) if *chain.place() == place => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.chain = Some(chain.clone());
                }
                self.note_neighbour(relation, &chain);
                self.trust.remember(chain);
            }
            Ok(_) => self.counters.refuse(Refused::Certificate),
            Err(error) => {
                tracing::debug!(link = id.0, %error, "a neighbour's new chain does not stand");
                self.counters.refuse(Refused::Certificate);
            }
        }
    }

    /// Writes down the newest chain of a neighbour.
    pub(crate) fn note_neighbour(&mut self, relation: &Relation, chain: &VerifiedChain) {
        match relation {
            Relation::Parent => self.note_parent(chain),
            Relation::Child(label) => {
                let Some(child) = self.kin.children.get_mut(label) else {
                    return;
                };
                let known = child.chain.replace(chain.chain().clone());
                let shown = chain
                    .chain()
                    .links
                    .last()
                    .and_then(|link| link.child_cert.clone());
                if let Some(cert) = shown.filter(|cert| cert.digest() == child.child_cert.digest())
                {
                    child.child_cert = cert;
                    child.accepted = true;
                }
                if known.as_ref() != Some(chain.chain()) {
                    let row = state::write(child);
                    self.put(Table::Children, label.as_str().as_bytes(), row);
                }
            }
            Relation::Peer(root) => {
                let Some(peer) = self.kin.peers.get_mut(root) else {
                    return;
                };
                if peer.chain != *chain.chain() {
                    peer.chain = chain.chain().clone();
                    peer.node = chain.node();
                    let row = state::write(peer);
                    self.put(Table::Peers, root.as_bytes(), row);
                }
            }
            Relation::Direct(_) => {}
        }
    }

    fn note_parent(&mut self, chain: &VerifiedChain) {
        let Some(parent) = self.kin.parent.as_mut() else {
            return;
        };
        if parent.chain == *chain.chain() {
            return;
        }
        parent.chain = chain.chain().clone();
        parent.node = chain.node();
        let cert = parent.child_cert.clone();
        let row = state::write(parent);
        self.put(Table::Standing, standing::PARENT, row);
        self.me.set_above(chain, cert);
        self.chain_changed();
    }

    /// This realm's chain has changed: builds it anew and tells the neighbours.
    pub(crate) fn chain_changed(&mut self) {
        let now = self.wall();
        self.introduced.clear();
        if let Err(error) = self.me.rebuild(now) {
            tracing::warn!(%error, "this realm's own chain does not stand");
        }
        self.share_records_but(None);
    }

    fn take_policies(&mut self, policies: &[Signed<PolicyRecord>]) {
        let Some(chain) = self.me.chain() else { return };
        let above: Vec<_> = chain.ancestors().to_vec();
        let root = self.me.root();
        let mut news = false;
        for record in policies {
            let Ok(claimed) = record.peek() else { continue };
            let Some(ancestor) = above.iter().find(|ancestor| {
                ancestor.realm == claimed.realm && ancestor.realm != self.me.realm()
            }) else {
                self.counters.refuse(Refused::Certificate);
                continue;
            };
            let Ok(policy) = verify(record, &[*ancestor.node.as_bytes()]) else {
                self.counters.refuse(Refused::Signature);
                continue;
            };
            let depth = ancestor.path.depth();
            if !ancestor.issue || policy.number <= self.rules.ceiling_number(depth) {
                continue;
            }
            let scope = Scope {
                root,
                path: ancestor.path.clone(),
            };
            let ceiling = StoredCeiling {
                record: record.clone(),
                scope,
            };
            let row = state::write(&ceiling);
            match self.rules.set_ceiling(ceiling, &policy) {
                Ok(()) => {
                    self.put(
                        Table::Ceilings,
                        &[u8::try_from(depth).unwrap_or(u8::MAX)],
                        row,
                    );
                    news = true;
                }
                Err(problems) => {
                    tracing::warn!(
                        ?problems,
                        "a policy from above does not compile; kept the old"
                    );
                }
            }
        }
        if news {
            self.share_with_children();
        }
    }

    pub(crate) fn share_with_children(&mut self) {
        let children: Vec<LinkId> = self.routes.children().map(|(_, link)| link).collect();
        for link in children {
            self.share_records(link);
        }
    }

    fn policies_for_children(&mut self) -> Vec<Signed<PolicyRecord>> {
        let above = self.rules.ceilings().map(|ceiling| ceiling.record.clone());
        let mut policies: Vec<_> = above.collect();
        policies.extend(self.kin.policy.clone());
        policies
    }

    /// Signs this realm's word for the realms below anew.
    pub(crate) fn publish_policy(&mut self) {
        let held = self
            .kin
            .policy
            .as_ref()
            .and_then(|record| record.peek().ok());
        let petnames = self.kin.petnames.iter();
        let petnames: Vec<Petname> = petnames
            .map(|(name, root)| Petname {
                name: name.clone(),
                root: *root,
            })
            .collect();
        let cedar = self.rules.subtree_text();
        if held
            .as_ref()
            .is_some_and(|held| held.cedar == cedar && held.petnames == petnames)
        {
            return;
        }
        let mut record = Signed::unsigned(&PolicyRecord {
            realm: self.me.realm(),
            number: held.map_or(1, |held| held.number.saturating_add(1)),
            cedar,
            petnames,
            created: self.wall(),
            node: self.me.node(),
            above: self
                .rules
                .ceilings()
                .last()
                .map(|ceiling| ceiling.record.digest()),
        });
        self.me.signer().sign(&mut record);
        let row = state::write(&record);
        self.put(Table::Standing, standing::POLICY, row);
        self.kin.policy = Some(record);
        self.share_with_children();
    }

    fn take_revocations(&mut self, relation: &Relation, stored: StoredRevocations) -> bool {
        let Some(root) = stored
            .issuer
            .links
            .first()
            .map(|link| link.inception.realm_id())
        else {
            return false;
        };
        let Ok(issuer) = self
            .trust
            .check(&stored.issuer, root, self.me.chain(), self.wall())
        else {
            return false;
        };
        let scope = issuer.place().scope();
        let theirs = match relation {
            Relation::Parent => true,
            Relation::Child(label) => self.me.path().child(label.clone()).is_ok_and(|path| {
                Scope {
                    root: self.me.root(),
                    path,
                }
                .contains(&scope)
            }),
            Relation::Peer(peer) => *peer == root,
            Relation::Direct(_) => false,
        };
        if !theirs {
            self.counters.refuse(Refused::Ingress);
            return false;
        }
        let row = state::write(&stored);
        match self.trust.revoke(stored, &issuer) {
            Ok(true) => {
                self.put(Table::Revocations, issuer.realm().as_bytes(), row);
                true
            }
            Ok(false) => false,
            Err(_) => {
                self.counters.refuse(Refused::Signature);
                false
            }
        }
    }

    /// Adds a serial to this realm's own list, signs it and tells everybody.
    pub(crate) fn revoke_serial(&mut self, serial: u64) {
        let me = self.me.realm();
        let Some(chain) = self.me.chain().cloned() else {
            return;
        };
        let mut serials = self.trust.serials(me);
        serials.insert(serial);
        let mut list = Signed::unsigned(&RevocationList {
            realm: me,
            number: self.trust.number(me).saturating_add(1),
            serials: serials.into_iter().collect(),
            created: self.wall(),
            node: self.me.node(),
        });
        self.me.signer().sign(&mut list);
        let stored = StoredRevocations {
            list,
            issuer: chain.chain().clone(),
        };
        let row = state::write(&stored);
        if self.trust.revoke(stored, &chain).is_ok() {
            self.put(Table::Revocations, me.as_bytes(), row);
        }
        self.enforce_revocations();
        self.share_records_but(None);
    }

    /// Closes the links whose chains no longer stand.
    pub(crate) fn enforce_revocations(&mut self) {
        let now = self.wall();
        let revoked = |issuer: RealmId, serial| self.trust.is_revoked(issuer, serial);
        let fallen: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| {
                let chain = link.chain.as_ref();
                chain.is_some_and(|chain| chain.is_valid_at(now, &revoked).is_err())
            })
            .map(|(id, _)| *id)
            .collect();
        for id in fallen {
            self.close(
                id,
                Some(realm_protocol::FailureCode::BadCertificate),
                "revoked",
            );
        }
    }

    pub(crate) fn handle_renew(&mut self, id: LinkId, renew: Renew) {
        match (self.routes.relation(id).cloned(), renew.held) {
            (Some(Relation::Child(label)), Some(_)) => self.offer_renewal(id, &label),
            (Some(_), None) => self.share_records(id),
            _ => self.counters.refuse(Refused::NotAdmitted),
        }
    }
}
