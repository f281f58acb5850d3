//! Revocation lists: taken from others, kept, spread, enforced, and this realm's own.

use std::collections::BTreeSet;

use realm_crypto::{VerifiedChain, verify};
use realm_protocol::{
    FailureCode, RealmId, Scope, Timestamp, cbor, journal::Table, limits, records::RevocationList,
};
use realm_router::{LinkId, Relation};

use crate::{
    Node, Refused,
    state::{self, Issued, StoredRevocations, standing},
    trust::Taken,
};

impl StoredRevocations {
    /// Bytes that they take on a link.
    pub(crate) fn bytes(&self) -> usize {
        let issuer = cbor::encode(&self.issuer).len();
        self.list.payload.len().saturating_add(issuer)
    }
}

impl Node {
    /// Takes a list that came over a link, if its issuer stands where that neighbour speaks for
    /// it; gives the issuer of one that is new here.
    pub(crate) fn take_revocations(
        &mut self,
        relation: &Relation,
        stored: StoredRevocations,
    ) -> Option<RealmId> {
        if self.trust.knows(&stored) && !self.shows_later_key(&stored) {
            return None;
        }
        let first = stored.issuer.links.first()?;
        let root = first.inception.realm_id();
        let checked = self
            .trust
            .check(&stored.issuer, root, self.me.chain(), self.wall());
        let issuer = checked.ok()?;
        let scope = issuer.place().scope();
        let theirs = match relation {
            Relation::Parent => true,
            Relation::Child(label) => self.me.path().child(label).is_ok_and(|path| {
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
            return None;
        }
        self.keep_revocations(stored, &issuer)
    }

    /// Whether the chain beside this realm's own list knows more of its keys than this node does.
    fn shows_later_key(&self, stored: &StoredRevocations) -> bool {
        let mine = stored.issuer.links.last().filter(|link| {
            let realm = link.inception.realm_id();
            realm == self.me.realm()
        });
        mine.is_some_and(|link| link.successions.len() > self.me.successions().len())
    }

    /// Keeps a list whose issuer's chain stands; gives the issuer if it is new here.
    pub(crate) fn keep_revocations(
        &mut self,
        stored: StoredRevocations,
        issuer: &VerifiedChain,
    ) -> Option<RealmId> {
        if issuer.realm() == self.me.realm() {
            self.take_back_revocations(&stored);
            return None;
        }
        let row = state::write(&stored);
        match self.trust.revoke(stored, issuer, self.wall()) {
            Ok(Taken::News(displaced)) => {
                for realm in displaced {
                    tracing::warn!(%realm, "a realm's revocations make room for those of one above it");
                    self.delete(Table::Revocations, realm.as_bytes());
                }
                self.put(Table::Revocations, issuer.realm().as_bytes(), row);
                Some(issuer.realm())
            }
            Ok(Taken::Known) => None,
            Ok(Taken::Full) => {
                self.counters.refuse(Refused::Overloaded);
                None
            }
            Err(_) => {
                self.counters.refuse(Refused::Signature);
                None
            }
        }
    }

    /// This realm's own list comes back from a neighbour: what a restored store has forgotten is
    /// revoked again.
    fn take_back_revocations(&mut self, stored: &StoredRevocations) {
        let Ok(list) = verify(&stored.list, &[*self.me.node().as_bytes()]) else {
            return self.counters.refuse(Refused::Signature);
        };
        let until = over_at(list.created);
        if list.realm != self.me.realm() || until <= self.wall() {
            return;
        }
        let held = self.kin.revoked.len();
        for serial in list.serials {
            self.kin.revoked.entry(serial).or_insert(until);
        }
        if self.kin.revoked.len() > held {
            tracing::warn!("a neighbour remembers certificates revoked that this store did not");
            self.kin.least = self.kin.least.max(list.number.saturating_add(1));
            self.note_revoked();
            self.publish_revocations();
        }
    }

    /// Closes the links that new lists cut off, and tells the other neighbours.
    pub(crate) fn spread_revocations(&mut self, news: &BTreeSet<RealmId>, but: Option<LinkId>) {
        if !news.is_empty() {
            self.enforce_revocations();
            self.share_lists(news, but);
        }
    }

    /// Adds a serial to this realm's own list, signs it and tells everybody.
    pub(crate) fn revoke_serial(&mut self, serial: u64) {
        let until = over_at(self.wall());
        self.kin.revoked.insert(serial, until);
        self.note_revoked();
        self.publish_revocations();
    }

    fn note_revoked(&mut self) {
        let revoked = self.kin.revoked.iter();
        let revoked: Vec<Issued> = revoked
            .map(|(serial, not_after)| Issued {
                serial: *serial,
                not_after: *not_after,
            })
            .collect();
        self.put(Table::Standing, standing::REVOKED, state::write(&revoked));
    }

    /// Signs this realm's own list anew, if it has changed or a number given out before may have
    /// been forgotten.
    pub(crate) fn publish_revocations(&mut self) {
        let me = self.me.realm();
        let serials: BTreeSet<u64> = self.kin.revoked.keys().copied().collect();
        let number = self.trust.number(me);
        let numbered = number >= self.kin.least || number == 0;
        if self.trust.serials(me) != serials || !numbered {
            self.publish_revocations_anew();
        }
    }

    /// Signs this realm's own list anew and tells everybody.
    pub(crate) fn publish_revocations_anew(&mut self) {
        let me = self.me.realm();
        let Some(chain) = self.me.chain().cloned() else {
            return;
        };
        let serials: BTreeSet<u64> = self.kin.revoked.keys().copied().collect();
        let number = self.trust.number(me);
        let list = self.me.sign(&RevocationList {
            realm: me,
            number: number.saturating_add(1).max(self.kin.least),
            serials: serials.into_iter().collect(),
            created: self.wall(),
            node: self.me.node(),
        });
        let stored = StoredRevocations {
            list,
            issuer: chain.chain().clone(),
        };
        let row = state::write(&stored);
        if self.trust.revoke(stored, &chain, self.wall()).is_ok() {
            self.put(Table::Revocations, me.as_bytes(), row);
        }
        self.spread_revocations(&BTreeSet::from([me]), None);
    }

    /// Puts this realm's newest chain beside its own list: with the old one nobody would take it
    /// once that has run out.
    pub(crate) fn reissue_revocations(&mut self) {
        let me = self.me.realm();
        let Some(chain) = self.me.chain() else { return };
        if let Some(stored) = self.trust.reissue(me, chain) {
            let row = state::write(stored);
            self.put(Table::Revocations, me.as_bytes(), row);
        }
    }

    /// Leaves out what has run out: own serials, and the lists of realms that are gone.
    pub(crate) fn prune_revocations(&mut self) {
        let now = self.wall();
        if self.skew_ms() > limits::CLOCK_SKEW_MS {
            return;
        }
        let held = self.kin.revoked.len();
        self.kin.revoked.retain(|_, until| now < *until);
        if self.kin.revoked.len() < held {
            self.note_revoked();
        }
        self.publish_revocations();
        for realm in self.trust.forget_lists(now) {
            self.delete(Table::Revocations, realm.as_bytes());
        }
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
            self.close(id, Some(FailureCode::BadCertificate), "revoked");
        }
    }
}

/// When every certificate that was issued by `at` has run out.
pub(crate) fn over_at(at: Timestamp) -> Timestamp {
    at.plus(limits::CHILD_CERT_MS.saturating_add(limits::CLOCK_SKEW_MS))
}
