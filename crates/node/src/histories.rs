//! How far the keys of realms have come, as far as this one has seen.
//!
//! Whoever has seen a succession believes no chain that leaves it out: a stolen key cannot come
//! back by hiding the record that took it out of use.

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::{VerifiedChain, check_fork, check_known};
use realm_protocol::{
    FailureCode, RealmId,
    journal::Table,
    records::{Chain, Signed, Succession, SuccessionReason},
};
use realm_router::{LinkId, Relation};

use crate::{
    Node,
    state::{self, StoredHistory, standing},
};

/// Successions by realm; only realms with at least one.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    held: BTreeMap<RealmId, StoredHistory>,
    /// The first number that differs, of realms that were seen with two histories.
    forks: BTreeMap<RealmId, u64>,
    news: News,
}

/// What was learned and is still to be heeded.
#[derive(Debug, Default)]
struct News {
    /// Realms whose history has grown, and whether a key of theirs was compromised.
    grown: BTreeMap<RealmId, bool>,
    forked: BTreeSet<RealmId>,
}

impl Histories {
    /// The successions known of a realm.
    pub(crate) fn of(&self, realm: RealmId) -> &[Signed<Succession>] {
        self.held
            .get(&realm)
            .map_or(&[][..], |held| &held.successions)
    }

    /// Everything held.
    pub(crate) fn all(&self) -> impl Iterator<Item = &StoredHistory> {
        self.held.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Realms that were seen with two histories, and the first number that differs.
    pub(crate) fn forks(&self) -> &BTreeMap<RealmId, u64> {
        &self.forks
    }

    pub(crate) fn holds(&self, realm: RealmId) -> bool {
        self.held.contains_key(&realm)
    }

    /// Takes back a history that was checked before it was written down.
    pub(crate) fn recover(&mut self, realm: RealmId, history: StoredHistory) {
        self.held.insert(realm, history);
    }

    /// Takes a history that holds, continues the one known, and has a place here.
    pub(crate) fn learn(&mut self, realm: RealmId, history: StoredHistory) {
        let known = self.of(realm).len();
        let new = history.successions.iter().skip(known);
        let voids = new
            .filter_map(|signed| signed.peek().ok())
            .any(|record| record.reason == SuccessionReason::Compromised);
        *self.news.grown.entry(realm).or_default() |= voids;
        self.held.insert(realm, history);
    }

    /// Notes which realm of a chain shows another history than the one known.
    pub(crate) fn note_fork(&mut self, chain: &Chain) {
        for link in &chain.links {
            let realm = link.inception.realm_id();
            if let Err(realm_crypto::CertError::Fork(number)) =
                check_fork(self.of(realm), &link.successions)
                && self.forks.insert(realm, number).is_none()
            {
                self.news.forked.insert(realm);
            }
        }
    }

    /// Whether a chain leaves out what is known of a realm on it.
    pub(crate) fn undo(&self, chain: &VerifiedChain) -> bool {
        check_known(chain.chain(), |realm| self.of(realm)).is_err()
    }
}

impl Node {
    /// Writes down what was learned of other realms' keys, and acts on it.
    pub(crate) fn heed_histories(&mut self) {
        let News { grown, forked } = std::mem::take(&mut self.trust.histories.news);
        for realm in forked {
            let number = self.trust.histories.forks.get(&realm);
            tracing::error!(
                %realm,
                number,
                "a realm shows two successors: somebody holds a key they should not"
            );
        }
        for (realm, voids) in &grown {
            let held = self.trust.histories.held.get(realm);
            if let Some(row) = held.map(state::write) {
                self.put(Table::Standing, &standing::history(*realm), row);
            }
            tracing::info!(%realm, compromised = voids, "a realm has a new key");
        }
        if grown.values().any(|voids| *voids) {
            self.trust.forget_undone();
            self.close_undone(&grown);
        }
        if self.trust.histories.of(self.me.realm()).len() > self.me.successions().len() {
            self.step_down();
        }
    }

    /// Closes the links whose chains rest on a key that was compromised. Where that key is of a
    /// realm above, children get to hear of it from here and show a new chain by themselves.
    fn close_undone(&mut self, grown: &BTreeMap<RealmId, bool>) {
        let above = self.me.chain().is_some_and(|chain| {
            let mut ancestors = chain.ancestors().iter();
            ancestors.any(|above| grown.contains_key(&above.realm))
        });
        let undone = self.links.iter().filter(|(id, link)| {
            let child = matches!(self.routes.relation(**id), Some(Relation::Child(_)));
            let chain = link.chain.as_ref();
            !(above && child) && chain.is_some_and(|chain| self.trust.histories.undo(chain))
        });
        let undone: Vec<LinkId> = undone.map(|(id, _)| *id).collect();
        for id in undone {
            let detail = "a key in your chain was declared compromised";
            self.close(id, Some(FailureCode::BadCertificate), detail);
        }
    }

    /// A later key of this realm is in use than the one here: this copy of the realm is an old
    /// one, and must sign nothing more.
    pub(crate) fn step_down(&mut self) {
        if self.me.is_superseded() {
            return;
        }
        tracing::error!(
            "a later key of this realm is in use: this copy of it is an old one, and stops"
        );
        self.me.step_down();
        self.chain_changed();
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for id in links {
            self.close(id, None, "this copy of the realm has been succeeded");
        }
    }
}
