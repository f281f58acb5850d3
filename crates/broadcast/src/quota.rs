//! How many bids count from where, so that splitting into many realms gains nothing.

use std::collections::BTreeMap;

use realm_protocol::{RealmPath, Scope, broadcast::Announcement, limits};

/// How many bids may count from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    home: Scope,
    per_realm: Option<u64>,
    /// From under one foreign root.
    per_root: u64,
}

impl Shares {
    pub(crate) fn of(announcement: &Announcement) -> Self {
        let rule = &announcement.rule;
        // Nobody fills all places alone, unless more than half of them are asked for.
        let half = (rule.max_bids / 2).max(rule.min_bids).max(1);
        Self {
            home: announcement.announcer.scope(),
            per_realm: rule.per_realm,
            per_root: half.min(limits::BIDS_PER_ROOT as u64),
        }
    }

    /// How many bids count from a realm with all below it; none for no bound.
    pub(crate) fn most(&self, scope: &Scope) -> Option<u64> {
        if scope.root == self.home.root {
            let above_home = scope.contains(&self.home);
            return if above_home { None } else { self.per_realm };
        }
        let levels = u32::try_from(scope.path.depth()).unwrap_or(u32::MAX).min(3);
        let share = (limits::BIDS_PER_ROOT as u64).checked_shr(levels);
        share.map(|share| share.min(self.per_root))
    }
}

/// Bids counted by where they come from.
#[derive(Clone, Debug)]
pub(crate) struct Quotas {
    shares: Shares,
    counted: BTreeMap<Scope, u64>,
}

impl Quotas {
    pub(crate) fn new(shares: Shares) -> Self {
        Self {
            shares,
            counted: BTreeMap::new(),
        }
    }

    /// Whether another bid of the realm at a place may count.
    pub(crate) fn has_room(&self, bidder: &Scope) -> bool {
        let full = |scope: &Scope| {
            let counted = self.counted.get(scope).copied().unwrap_or(0);
            self.shares
                .most(scope)
                .is_some_and(|share| counted >= share)
        };
        !ancestors(bidder).any(|scope| full(&scope))
    }

    /// Counts a bid of the realm at a place.
    pub(crate) fn count(&mut self, bidder: &Scope) {
        for scope in ancestors(bidder) {
            let counted = self.counted.entry(scope).or_insert(0);
            *counted = counted.saturating_add(1);
        }
    }

    /// Gives back what a bid took that is counted no more.
    pub(crate) fn release(&mut self, bidder: &Scope) {
        for scope in ancestors(bidder) {
            if let Some(counted) = self.counted.get_mut(&scope) {
                *counted = counted.saturating_sub(1);
            }
        }
    }

    /// Forgets everything that was counted.
    pub(crate) fn clear(&mut self) {
        self.counted.clear();
    }
}

/// A place and all above it, the root last.
fn ancestors(place: &Scope) -> impl Iterator<Item = Scope> {
    let root = place.root;
    let paths = std::iter::successors(Some(place.path.clone()), RealmPath::parent);
    paths.map(move |path| Scope { root, path })
}

#[cfg(test)]
mod tests;
