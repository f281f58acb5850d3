//! Authority on request: what this realm lets others do by grants, and what others let it do.
//!
//! A chain of grants begins at the realm whose loops it is for. That realm keeps the first of each and
//! counts uses there, so nothing rests on what a holder says. A holder hands on some of what it holds, and
//! a run here that needs one is given a last grant for itself alone.

mod giving;
mod proven;
mod shown;
mod stored;
mod using;

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::VerifiedGrants;
use realm_protocol::{
    GrantId, LoopId, RealmName, RunId, Scope, Timestamp,
    budget::Budget,
    cbor::Blob,
    journal::Table,
    records::{Grant, GrantLink, LoopPattern},
};

use self::proven::Proven;
use crate::{ControlId, Node, serve::Serving, state};
pub(crate) use shown::Shown;
pub use stored::GrantKept;
pub(crate) use stored::StoredGrant;
pub(crate) use using::Chosen;

/// What somebody wants to grant.
#[derive(Clone, Debug)]
pub struct GrantAsked {
    /// Who may use it.
    pub holder: RealmName,
    /// The loops: of this realm, or of the realm that the grant before is by.
    pub loops: Vec<LoopPattern>,
    /// How many calls may begin by it; none for as many as the grant before lets, or any number.
    pub uses: Option<u64>,
    /// What each may use.
    pub budget: Budget,
    /// How long it is good, milliseconds.
    pub for_ms: u64,
    /// The grant of another realm's that some is handed on of; none for one of this realm's own.
    pub from: Option<GrantId>,
}

/// A grant as this realm knows it.
#[derive(Clone, Debug)]
pub struct GrantView {
    /// The grant itself, the last of its chain.
    pub grant: Grant,
    /// Whether this realm gave it, or holds it.
    pub kept: GrantKept,
    /// Where who holds it, or who gave it, stood.
    pub other: Scope,
    /// Calls that have begun by it here; of one that is held, calls made.
    pub used: u64,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
    /// The whole chain, the first first.
    pub chain: Vec<Grant>,
    /// What the holder is handed: the chain with everybody's certificates.
    pub links: Vec<GrantLink>,
}

/// What is known of one grant.
#[derive(Clone, Debug)]
struct Known {
    stored: StoredGrant,
    /// Its chain; none of those that others have handed on.
    chain: Option<VerifiedGrants>,
}

impl Known {
    fn is_good_at(&self, now: Timestamp) -> bool {
        self.stored.revoked.is_none() && now < self.stored.until
    }
}

/// Every grant that this realm knows of.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    known: BTreeMap<GrantId, Known>,
    /// What waits to know who its holder is.
    asked: BTreeMap<ControlId, (Option<String>, GrantAsked)>,
    /// Links of chains that calls have come by, and that were found good.
    proven: Proven,
}

impl Grants {
    fn count(&self, kept: GrantKept) -> usize {
        let known = self.known.values();
        known.filter(|known| known.stored.kept == kept).count()
    }

    /// Forgets what has run out; of what was taken back before, what no run goes by any more, which it gives.
    fn trim(&mut self, now: Timestamp, serving: &Serving) -> Vec<GrantId> {
        let is_good = |known: &Known| now < known.stored.until;
        let mut over = self.known.values().filter(|known| !is_good(known));
        let gone_by = match over.any(|known| known.stored.revoked.is_some()) {
            true => serving.grants(),
            false => BTreeSet::new(),
        };
        let mut forgotten = Vec::new();
        self.known.retain(|row, known| {
            let revoked = known.stored.revoked.is_some();
            let kept = is_good(known) || revoked && gone_by.contains(row);
            if revoked && !kept {
                forgotten.push(*row);
            }
            kept
        });
        forgotten
    }
}

impl Node {
    /// Takes up the grants that were kept. A backup knows neither how often they were used since nor which of them
    /// were taken back: those that it gave are good no more, for good. Rows of earlier builds have an end also where they
    /// were taken back, and are written anew.
    pub(crate) fn recover_grants(
        &mut self,
        rows: impl Iterator<Item = (GrantId, StoredGrant)>,
        restored: bool,
    ) {
        for (id, mut stored) in rows {
            let chain = stored.chain();
            let gone = restored && stored.kept == GrantKept::Given && stored.revoked.is_none();
            if gone {
                stored.revoked = Some(self.now.wall);
            }
            let known = Known { stored, chain };
            match known.stored.revoked.is_some() {
                true => self.keep_grant(id, known),
                false => drop(self.grants.known.insert(id, known)),
            }
        }
    }

    /// One that was taken back stays on the disk until no run goes by it any more, however long that stands still.
    fn keep_grant(&mut self, id: GrantId, known: Known) {
        let row = state::write(&known.stored);
        match known.stored.revoked {
            Some(_) => self.put(Table::Grants, id.as_bytes(), row),
            None => self.put_until(Table::Grants, id.as_bytes(), row, known.stored.until),
        }
        self.grants.known.insert(id, known);
    }

    fn trim_grants(&mut self) {
        for forgotten in self.grants.trim(self.now.wall, &self.serving) {
            self.delete(Table::Grants, forgotten.as_bytes());
        }
    }

    /// The grants that this realm has given and those that it holds, the oldest first.
    pub fn grants(&self) -> Vec<GrantView> {
        let now = self.now.wall;
        let known = self.grants.known.values();
        let known = known.filter(|known| now < known.stored.until);
        known.filter_map(view).collect()
    }
}

fn view(known: &Known) -> Option<GrantView> {
    let chain = known.chain.as_ref()?;
    Some(GrantView {
        grant: chain.last().clone(),
        kept: known.stored.kept,
        other: known.stored.other.clone()?,
        used: known.stored.used,
        revoked: known.stored.revoked,
        chain: chain.all().cloned().collect(),
        links: known.stored.links.clone(),
    })
}

/// The one loop and run that a grant is for, where it is for one alone.
pub(crate) type Bearer = (LoopId, RunId);

/// Certificates as they go along with a grant.
fn certificates(node: &Node) -> Option<Blob> {
    node.me.chain().map(crate::market::bare)
}
