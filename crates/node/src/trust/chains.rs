//! Chains of other realms by place: no more than may be held, and no more of one neighbour's side than
//! its share.

use std::collections::BTreeMap;

use realm_crypto::VerifiedChain;
use realm_protocol::{NodeId, Scope, limits};

/// Neighbours that it takes to fill the memory.
const SHARES: usize = limits::CHAINS / limits::CHAINS_SHARE;

/// Chains by place; those used longest ago are forgotten first.
#[derive(Debug)]
pub(super) struct Chains {
    bound: Amount,
    known: BTreeMap<Scope, Known>,
    held: Amount,
    shares: BTreeMap<Scope, Amount>,
    /// Counts uses.
    uses: u64,
}

#[derive(Debug)]
struct Known {
    chain: VerifiedChain,
    used: u64,
    share: Option<Scope>,
}

/// So many chains, with so many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    chains: usize,
    bytes: usize,
}

impl Amount {
    fn of(chain: &VerifiedChain) -> Self {
        Self {
            chains: 1,
            bytes: chain.bytes().len(),
        }
    }

    fn add(&mut self, other: Self) {
        self.chains = self.chains.saturating_add(other.chains);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    fn subtract(&mut self, other: Self) {
        self.chains = self.chains.saturating_sub(other.chains);
        self.bytes = self.bytes.saturating_sub(other.bytes);
    }

    const fn exceeds(&self, bound: Self) -> bool {
        self.chains > bound.chains || self.bytes > bound.bytes
    }

    const fn share(&self) -> Self {
        Self {
            chains: self.chains / SHARES,
            bytes: self.bytes / SHARES,
        }
    }
}

impl Chains {
    /// Holds so many chains at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            bound: Amount {
                chains: most,
                bytes: limits::CHAINS_BYTES,
            },
            known: BTreeMap::new(),
            held: Amount::default(),
            shares: BTreeMap::new(),
            uses: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Scope, &VerifiedChain)> {
        let known = self.known.iter();
        known.map(|(scope, known)| (scope, &known.chain))
    }

    /// The chain of a place; this is no use of it.
    pub(super) fn get(&self, scope: &Scope) -> Option<&VerifiedChain> {
        self.known.get(scope).map(|known| &known.chain)
    }

    /// Notes that the chain of a place is used, and gives it.
    pub(super) fn using(&mut self, scope: &Scope) -> Option<&VerifiedChain> {
        self.uses = self.uses.saturating_add(1);
        let known = self.known.get_mut(scope)?;
        known.used = self.uses;
        Some(&known.chain)
    }

    /// Holds a chain that falls into a share; gives the nodes whose chains are forgotten for it.
    pub(super) fn insert(&mut self, chain: VerifiedChain, share: Option<Scope>) -> Vec<NodeId> {
        let (scope, amount) = (chain.place().scope(), Amount::of(&chain));
        let node = chain.node();
        let before = self.remove(&scope).filter(|before| *before != node);
        let mut forgotten: Vec<NodeId> = before.into_iter().collect();
        self.uses = self.uses.saturating_add(1);
        self.held.add(amount);
        if let Some(share) = &share {
            self.shares.entry(share.clone()).or_default().add(amount);
        }
        let (used, of) = (self.uses, share.clone());
        let known = Known { chain, used, share };
        self.known.insert(scope, known);
        while let Some(share) = of.as_ref().filter(|of| self.is_over(of)) {
            forgotten.extend(self.forget_oldest(|it| it.share.as_ref() == Some(share)));
        }
        while self.held.exceeds(self.bound) {
            forgotten.extend(self.forget_oldest(|_| true));
        }
        forgotten
    }

    fn is_over(&self, share: &Scope) -> bool {
        let held = self.shares.get(share).copied().unwrap_or_default();
        held.exceeds(self.bound.share())
    }

    fn forget_oldest(&mut self, among: impl Fn(&Known) -> bool) -> Option<NodeId> {
        let some = self.known.iter().filter(|(_, known)| among(known));
        let (oldest, _) = some.min_by_key(|(_, known)| known.used)?;
        let oldest = oldest.clone();
        self.remove(&oldest)
    }

    /// Forgets the chain of a place; gives its node.
    pub(super) fn remove(&mut self, scope: &Scope) -> Option<NodeId> {
        let known = self.known.remove(scope)?;
        let amount = Amount::of(&known.chain);
        self.held.subtract(amount);
        if let Some(share) = known.share
            && let Some(held) = self.shares.get_mut(&share)
        {
            held.subtract(amount);
            if held.chains == 0 {
                self.shares.remove(&share);
            }
        }
        Some(known.chain.node())
    }

    /// This realm stands elsewhere: what falls into which share is found anew.
    pub(super) fn share_anew(&mut self, share_of: impl Fn(&Scope) -> Option<Scope>) {
        self.shares.clear();
        for (scope, known) in &mut self.known {
            known.share = share_of(scope);
            if let Some(share) = &known.share {
                let held = self.shares.entry(share.clone()).or_default();
                held.add(Amount::of(&known.chain));
            }
        }
    }
}
