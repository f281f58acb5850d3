//! How many bids count from where, so that splitting into many realms gains nothing.

use std::collections::BTreeMap;

use realm_protocol::{RealmPath, Scope, limits};

/// Bids counted by where they come from.
#[derive(Clone, Debug)]
pub struct Quotas {
    home: Scope,
    per_realm: Option<u64>,
    counted: BTreeMap<Scope, u64>,
}

impl Quotas {
    /// Takes where the announcer stands, and the bound that its rule sets in its own tree.
    pub fn new(home: Scope, per_realm: Option<u64>) -> Self {
        Self {
            home,
            per_realm,
            counted: BTreeMap::new(),
        }
    }

    /// Whether another bid of the realm at a place may count.
    pub fn has_room(&self, bidder: &Scope) -> bool {
        let full = |scope: &Scope| {
            let counted = self.counted.get(scope).copied().unwrap_or(0);
            self.share(scope).is_some_and(|share| counted >= share)
        };
        !ancestors(bidder).any(|scope| full(&scope))
    }

    /// Counts a bid of the realm at a place.
    pub fn count(&mut self, bidder: &Scope) {
        for scope in ancestors(bidder) {
            let counted = self.counted.entry(scope).or_insert(0);
            *counted = counted.saturating_add(1);
        }
    }

    /// Gives back what a bid took that is counted no more.
    pub fn release(&mut self, bidder: &Scope) {
        for scope in ancestors(bidder) {
            if let Some(counted) = self.counted.get_mut(&scope) {
                *counted = counted.saturating_sub(1);
            }
        }
    }

    /// Forgets everything that was counted.
    pub fn clear(&mut self) {
        self.counted.clear();
    }

    /// How many bids count from a realm with all below it; none for no bound.
    fn share(&self, scope: &Scope) -> Option<u64> {
        if scope.root == self.home.root {
            let above_home = scope.contains(&self.home);
            return if above_home { None } else { self.per_realm };
        }
        let levels = u32::try_from(scope.path.depth()).unwrap_or(u32::MAX).min(3);
        (limits::BIDS_PER_ROOT as u64).checked_shr(levels)
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
