//! What a neighbour is still to be told, a part at a time, so that its link has room for the rest.

use std::collections::BTreeSet;

use realm_protocol::{
    RealmId, Tick, limits,
    link::{Beat, Records},
};
use realm_router::{LinkId, Relation};

use super::Sheaf;
use crate::{Node, Refused, timers::Timer};

/// Bytes of lists that leave together, and one list more.
const TOGETHER_BYTES: usize = 256 * 1024;
/// Time until further ones do, milliseconds.
const PAUSE_MS: u64 = 50;
/// Time in which a neighbour is answered once, milliseconds: it asks at most once a Beat, and Beats
/// come early or late.
const ANSWERED_MS: u64 = limits::BEAT_MS / 2;

/// At most the issuers of every list that is held.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    /// This realm's chain, and a child the policies.
    standing: bool,
    /// A parent what the realms below can do.
    summary: bool,
    /// The lists of these realms.
    lists: BTreeSet<RealmId>,
    /// When the neighbour's latest question was answered.
    answered: Option<Tick>,
}

impl Owed {
    fn is_empty(&self) -> bool {
        !self.standing && !self.summary && self.lists.is_empty()
    }
}

impl Node {
    /// Tells a neighbour everything it should know.
    pub(crate) fn share_records(&mut self, id: LinkId) {
        let scope = self.shared_with(id);
        let issuers = self.trust.issuers(scope.as_ref());
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.owed.standing = true;
        link.owed.lists.extend(issuers);
        self.tell_owed(id);
        self.share_summary();
    }

    /// Tells a neighbour everything because it asks. It is answered once a Beat.
    pub(crate) fn answer_for_records(&mut self, id: LinkId) {
        let tick = self.now.tick;
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let answered = link.owed.answered;
        if answered.is_some_and(|at| tick.since(at) < ANSWERED_MS) {
            return self.counters.refuse(Refused::Rate);
        }
        link.owed.answered = Some(tick);
        if link.owed.lists.is_empty() {
            self.share_records(id);
        }
    }

    /// Tells a neighbour some of what it is still to be told; the rest follows.
    pub(crate) fn tell_owed(&mut self, id: LinkId) {
        let scope = self.shared_with(id);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let mut owed = std::mem::take(&mut link.owed);
        let mut sheaf = Sheaf::default();
        if std::mem::take(&mut owed.standing) {
            self.add_standing(id, &mut sheaf);
        }
        let mut bytes = 0_usize;
        while bytes < TOGETHER_BYTES
            && let Some(issuer) = owed.lists.pop_first()
        {
            if let Some(stored) = self.trust.list_of(issuer, scope.as_ref()) {
                bytes = bytes.saturating_add(stored.bytes());
                sheaf.add_list(stored);
            }
        }
        let timer = Timer::Records(id);
        match owed.lists.is_empty() {
            true => self.timers.cancel(&timer),
            false => self.timers.set(timer, self.now.tick.plus(PAUSE_MS)),
        }
        let summary = std::mem::take(&mut owed.summary);
        if let Some(link) = self.links.get_mut(&id) {
            link.owed = owed;
        }
        self.send_sheaf(id, sheaf);
        if summary {
            self.share_summary();
        }
    }

    /// This realm's chain, and for a child what the realms above it permit.
    fn add_standing(&self, id: LinkId, sheaf: &mut Sheaf) {
        if let Some(chain) = self.me.chain() {
            sheaf.add_chain(chain.chain().clone());
        }
        if let Some(Relation::Child(_)) = self.routes.relation(id) {
            for policy in self.policies_for_children() {
                sheaf.add_policy(policy.clone());
            }
        }
    }

    /// Goes on with what found no room in a link's queue.
    pub(crate) fn tell_rest(&mut self, id: LinkId) {
        let waits = self.timers.is_set(&Timer::Records(id));
        let link = self.links.get(&id);
        if !waits && link.is_some_and(|link| link.admitted && !link.owed.is_empty()) {
            self.tell_owed(id);
        }
    }

    /// Records found no room in a link's queue: they are owed again, until the next Beat.
    pub(crate) fn owe_again(&mut self, id: LinkId, records: &Records) {
        self.timers.cancel(&Timer::Records(id));
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let issuers = records.revocations.iter();
        let issuers = issuers.filter_map(|list| list.peek().ok().map(|list| list.realm));
        link.owed.lists.extend(issuers);
        link.owed.standing |= records.chain.is_some() || !records.policies.is_empty();
        if records.summary.is_some() {
            link.owed.summary = true;
            self.summary_unsent();
        }
    }

    /// A Beat found no room in a link's queue. What is queued there shows as well that this side
    /// lives; the head of the log in it is shown by the next.
    pub(crate) fn beat_unsent(&mut self, id: LinkId, beat: &Beat) {
        if let Some(link) = self.links.get_mut(&id)
            && beat.head.is_some()
        {
            link.log_shown.forget();
        }
    }
}
