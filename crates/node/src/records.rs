//! What neighbours keep each other informed of: chains, revocations, policies from above.

mod owed;

use std::collections::BTreeSet;

use realm_crypto::VerifiedChain;
use realm_protocol::{
    Digest, RealmId,
    journal::Table,
    link::{Frame, Records, Renew},
    records::{Chain, PolicyRecord, Signed},
};
use realm_router::{LinkId, Relation};

pub(crate) use self::owed::Owed;
use crate::{
    Node, Refused,
    state::{self, StoredRevocations, standing},
};

/// Bytes of policies, lists and issuers in one Records frame; the rest follows in further ones.
const SHARED_BYTES: usize = 64 * 1024;

/// Records spread over as many frames as they need.
#[derive(Default)]
struct Sheaf {
    full: Vec<Records>,
    last: Records,
    bytes: usize,
}

impl Sheaf {
    /// Puts this realm's chain first; a frame has room for one beside the rest.
    fn add_chain(&mut self, chain: Chain) {
        self.last.chain = Some(chain);
    }

    /// Begins a new frame if the last one has no room for so many bytes more.
    fn make_room(&mut self, bytes: usize) {
        if self.bytes > 0 && self.bytes.saturating_add(bytes) > SHARED_BYTES {
            self.full.push(std::mem::take(&mut self.last));
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn add_policy(&mut self, policy: Signed<PolicyRecord>) {
        self.make_room(policy.payload.len());
        self.last.policies.push(policy);
    }

    fn add_list(&mut self, stored: &StoredRevocations) {
        self.make_room(stored.bytes());
        self.last.revocations.push(stored.list.clone());
        self.last.issuers.push(stored.issuer.clone());
    }

    fn finish(mut self) -> Vec<Records> {
        if self.bytes > 0 || self.last.chain.is_some() {
            self.full.push(self.last);
        }
        self.full
    }
}

impl Node {
    fn send_sheaf(&mut self, id: LinkId, sheaf: Sheaf) {
        for records in sheaf.finish() {
            self.send_promise(id, &Frame::Records(records));
        }
    }

    /// Tells every child what it may do, after a change.
    pub(crate) fn share_policies(&mut self) {
        let children: Vec<LinkId> = self.routes.children().map(|(_, link)| link).collect();
        for id in children {
            let mut sheaf = Sheaf::default();
            for policy in self.policies_for_children() {
                sheaf.add_policy(policy.clone());
            }
            self.send_sheaf(id, sheaf);
        }
    }

    /// Tells every neighbour but one about revocation lists that are new here.
    pub(crate) fn share_lists(&mut self, issuers: &BTreeSet<RealmId>, but: Option<LinkId>) {
        for id in self.neighbours_but(but) {
            let scope = self.shared_with(id);
            let mut sheaf = Sheaf::default();
            for issuer in issuers {
                if let Some(stored) = self.trust.list_of(*issuer, scope.as_ref()) {
                    sheaf.add_list(stored);
                }
            }
            self.send_sheaf(id, sheaf);
        }
    }

    fn neighbours_but(&self, but: Option<LinkId>) -> Vec<LinkId> {
        let admitted = self.links.iter().filter(|(_, link)| link.admitted);
        let others = admitted.map(|(id, _)| *id);
        others.filter(|id| Some(*id) != but).collect()
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
        let is_parent = self.routes.relation(id) == Some(&Relation::Parent);
        let policies = is_parent.then(|| self.policies_above());
        let policies = numbers(policies.into_iter().flatten());
        let mine = self.trust.digest(theirs_about.as_ref(), policies);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.their_records == Some(mine) || link.settled == link.their_records {
            link.settled = link.their_records;
            return;
        }
        self.send(id, &Frame::Renew(Renew { held: None }));
    }

    /// The digest of what this realm shares on a link.
    pub(crate) fn records_shared(&self, id: LinkId) -> Digest {
        let is_child = matches!(self.routes.relation(id), Some(Relation::Child(_)));
        let policies = is_child.then(|| self.policies_for_children());
        let policies = numbers(policies.into_iter().flatten());
        self.trust.digest(self.shared_with(id).as_ref(), policies)
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
        let lists = records.revocations.into_iter().zip(records.issuers);
        let news: BTreeSet<RealmId> = lists
            .filter_map(|(list, issuer)| {
                self.take_revocations(&relation, StoredRevocations { list, issuer })
            })
            .collect();
        self.spread_revocations(&news, Some(id));
        if let Some(summary) = &records.summary {
            self.take_summary(&relation, summary);
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
            Ok(chain) if *chain.place() == place && !self.is_outdated(relation, &chain) => {
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

    /// Whether a later realm record is written down of this neighbour than its chain shows: it
    /// is served by another node by now.
    pub(crate) fn is_outdated(&self, relation: &Relation, chain: &VerifiedChain) -> bool {
        let known = match relation {
            Relation::Parent => self.kin.parent.as_ref().map(|parent| &parent.chain),
            Relation::Child(label) => {
                let child = self.kin.children.get(label);
                child.and_then(|child| child.chain.as_deref())
            }
            Relation::Peer(root) => self.kin.peers.get(root).map(|peer| &peer.chain),
            Relation::Direct(_) => None,
        };
        let known = known.and_then(|known| known.realm_record.peek().ok());
        known.is_some_and(|known| known.realm == chain.realm() && known.epoch > chain.epoch())
    }

    /// Writes down the newest chain of a neighbour.
    pub(crate) fn note_neighbour(&mut self, relation: &Relation, chain: &VerifiedChain) {
        if self.is_outdated(relation, chain) {
            return self.counters.refuse(Refused::Certificate);
        }
        match relation {
            Relation::Parent => self.note_parent(chain),
            Relation::Child(label) => {
                let Some(child) = self.kin.children.get_mut(label) else {
                    return;
                };
                let known = child.chain.replace(chain.shared_chain());
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
                if known.as_deref() != Some(chain.chain()) {
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
        self.trust.set_place(self.me.scope());
        self.reissue_revocations();
        for id in self.neighbours_but(None) {
            self.share_records(id);
        }
    }

    pub(crate) fn handle_renew(&mut self, id: LinkId, renew: Renew) {
        match (self.routes.relation(id).cloned(), renew.held) {
            (Some(Relation::Child(label)), Some(_)) => self.offer_renewal(id, &label),
            (Some(_), None) => self.answer_for_records(id),
            _ => self.counters.refuse(Refused::NotAdmitted),
        }
    }
}

/// What tells policy records apart: whose they are, and which.
fn numbers<'a>(
    policies: impl Iterator<Item = &'a Signed<PolicyRecord>>,
) -> impl Iterator<Item = (RealmId, u64)> {
    let records = policies.filter_map(|policy| policy.peek().ok());
    records.map(|record| (record.realm, record.number))
}
