//! How far the keys of realms have come, as far as this one has seen.
//!
//! Whoever has seen a succession believes no chain that leaves it out: a stolen key cannot come
//! back by hiding the record that took it out of use.

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::{VerifiedChain, check_fork, check_known};
use realm_protocol::{
    FailureCode, RealmId, Scope,
    journal::Table,
    limits,
    records::{Chain, Signed, Succession, SuccessionReason},
};
use realm_router::{LinkId, Relation};

use crate::{
    Node,
    state::{self, StoredHistory, standing},
    trust::realms_on,
};

/// Successions by realm; only realms with at least one.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    held: BTreeMap<RealmId, Held>,
    /// Counts uses, to forget the one used longest ago.
    uses: u64,
    /// The first number that differs, of realms that were seen with two histories.
    forks: BTreeMap<RealmId, u64>,
    news: News,
}

#[derive(Debug)]
struct Held {
    history: StoredHistory,
    used: u64,
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
            .map_or(&[][..], |held| &held.history.successions)
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Realms that were seen with two histories, and the first number that differs.
    pub(crate) fn forks(&self) -> &BTreeMap<RealmId, u64> {
        &self.forks
    }

    /// Takes back a history that was checked before it was written down.
    pub(crate) fn recover(&mut self, realm: RealmId, history: StoredHistory) {
        self.uses = self.uses.saturating_add(1);
        let used = self.uses;
        self.held.insert(realm, Held { history, used });
    }

    /// Notes that a chain was checked against the history of a realm.
    pub(crate) fn touch(&mut self, realm: RealmId) {
        if let Some(held) = self.held.get_mut(&realm) {
            self.uses = self.uses.saturating_add(1);
            held.used = self.uses;
        }
    }

    /// Takes a history that holds and continues the one known.
    pub(crate) fn learn(&mut self, realm: RealmId, history: StoredHistory) {
        let known = self.of(realm).len();
        let new = history.successions.iter().skip(known);
        let voids = new
            .filter_map(|signed| signed.peek().ok())
            .any(|record| record.reason == SuccessionReason::Compromised);
        *self.news.grown.entry(realm).or_default() |= voids;
        self.recover(realm, history);
    }

    /// Forgets histories until no share, and all of them, hold more than they may; gives whose.
    /// First go those that are not needed, the one used longest ago first; then the newest. Those
    /// of `kept` never go.
    pub(crate) fn trim(
        &mut self,
        needed: &BTreeSet<RealmId>,
        kept: &BTreeSet<RealmId>,
        share_of: impl Fn(&Scope) -> Option<Scope>,
    ) -> Vec<RealmId> {
        let mut shares: BTreeMap<Option<Scope>, Vec<(bool, u64, RealmId)>> = BTreeMap::new();
        for (realm, held) in self.held.iter().filter(|(realm, _)| !kept.contains(realm)) {
            let needed = needed.contains(realm);
            let rank = if needed { !held.used } else { held.used };
            let share = shares.entry(share_of(&held.history.scope)).or_default();
            share.push((needed, rank, *realm));
        }
        let mut forgotten = Vec::new();
        for (share, ranked) in &mut shares {
            // The first to go stand last.
            ranked.sort_unstable_by(|a, b| b.cmp(a));
            let most = match share {
                Some(_) => limits::HISTORIES_SHARE,
                None => limits::HISTORIES_OWN_TREE,
            };
            forgotten.extend(ranked.split_off(most.min(ranked.len())));
        }
        let held: usize = shares.values().map(Vec::len).sum();
        for _ in limits::HISTORIES..held {
            let largest = shares.values_mut().max_by_key(|ranked| ranked.len());
            forgotten.extend(largest.and_then(Vec::pop));
        }
        let forgotten: Vec<RealmId> = forgotten.into_iter().map(|(_, _, realm)| realm).collect();
        for realm in &forgotten {
            self.held.remove(realm);
            self.forks.remove(realm);
        }
        forgotten
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
            if let Some(row) = held.map(|held| state::write(&held.history)) {
                self.put(Table::Standing, &standing::history(*realm), row);
            }
            tracing::info!(%realm, compromised = voids, "a realm has a new key");
        }
        if grown.values().any(|voids| *voids) {
            self.trust.forget_undone();
            self.close_undone(&grown);
        }
        if !grown.is_empty() {
            self.trim_histories();
        }
        if self.trust.histories.of(self.me.realm()).len() > self.me.successions().len() {
            self.step_down();
        }
    }

    /// Makes room among the histories: what no chain in use needs goes first.
    pub(crate) fn trim_histories(&mut self) {
        if self.trust.histories.len() <= limits::HISTORIES_SHARE {
            return;
        }
        let mine = self.me.chain().into_iter();
        let above = mine.flat_map(|chain| realms_on(chain.chain()));
        let kept: BTreeSet<RealmId> = above.chain([self.me.realm()]).collect();
        let parent = self.kin.parent.iter().map(|parent| &parent.chain);
        let children = self.kin.children.values();
        let children = children.filter_map(|child| child.chain.as_deref());
        let peers = self.kin.peers.values().map(|peer| &peer.chain);
        let links = self.links.values().filter_map(|link| link.chain.as_ref());
        let links = links.map(VerifiedChain::chain);
        let kin = parent.chain(children).chain(peers).chain(links);
        let needed = kin.flat_map(realms_on).chain(self.trust.in_use()).collect();
        for realm in self.trust.trim_histories(&needed, &kept) {
            tracing::warn!(%realm, "there is no room to remember a realm's successions");
            self.delete(Table::Standing, &standing::history(realm));
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

#[cfg(test)]
mod tests;
