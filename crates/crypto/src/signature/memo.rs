//! Roots whose signatures were verified, so that one flush costs one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use realm_protocol::{Digest, NodeId, TAG_ROOT};

use crate::ed25519::PublicKey;

/// Verified roots remembered; at the bound the oldest is forgotten and verified again.
const ROOTS: usize = 1_024;

/// Verified Merkle roots by node, so that one flush costs one signature.
#[derive(Clone, Debug, Default)]
pub struct RootMemo {
    /// Node, and the digest of its root with the signature over it.
    known: BTreeSet<(NodeId, Digest)>,
    order: VecDeque<(NodeId, Digest)>,
    verified: u64,
}

impl RootMemo {
    /// Gives how many signatures over roots it has verified and not merely remembered.
    pub fn verified(&self) -> u64 {
        self.verified
    }

    fn forget(&mut self, node: NodeId) {
        self.known.retain(|(of, _)| *of != node);
        self.order.retain(|(of, _)| *of != node);
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.known.remove(&oldest);
        }
    }

    /// Verifies a root's signature, or remembers having done so.
    pub(super) fn verify(
        &mut self,
        node: NodeId,
        key: &PublicKey,
        root: Digest,
        signature: &[u8; 64],
    ) -> bool {
        let entry = (node, Digest::of(&[root.as_bytes(), signature]));
        if self.known.contains(&entry) {
            return true;
        }
        self.verified = self.verified.saturating_add(1);
        if !key.has_signed(&[TAG_ROOT.as_bytes(), &[0], root.as_bytes()], signature) {
            return false;
        }
        if self.order.len() >= ROOTS {
            self.forget_oldest();
        }
        self.known.insert(entry);
        self.order.push_back(entry);
        true
    }
}

/// One [`RootMemo`] for each side that messages come from. At the bound of all of them together the side
/// that has most forgets its oldest, so that nobody pushes out the roots of others.
#[derive(Clone, Debug)]
pub struct RootMemos<S> {
    sides: BTreeMap<S, RootMemo>,
    held: usize,
    verified: u64,
}

impl<S> Default for RootMemos<S> {
    fn default() -> Self {
        Self {
            sides: BTreeMap::new(),
            held: 0,
            verified: 0,
        }
    }
}

impl<S: Ord> RootMemos<S> {
    /// Gives how many signatures over roots they have verified and not merely remembered.
    pub fn verified(&self) -> u64 {
        self.verified
    }

    /// Lets `verify` use the memo of a side.
    pub fn with<T>(&mut self, side: S, verify: impl FnOnce(&mut RootMemo) -> T) -> T {
        let mut memo = self.sides.remove(&side).unwrap_or_default();
        let (held, verified) = (memo.order.len(), memo.verified);
        let result = verify(&mut memo);
        let news = memo.verified.saturating_sub(verified);
        self.verified = self.verified.saturating_add(news);
        let others = self.held.saturating_sub(held);
        self.held = others.saturating_add(memo.order.len());
        if !memo.order.is_empty() {
            self.sides.insert(side, memo);
        }
        if self.held > ROOTS {
            self.make_room();
        }
        result
    }

    fn make_room(&mut self) {
        let sides = self.sides.values_mut();
        if let Some(fullest) = sides.max_by_key(|memo| memo.order.len()) {
            fullest.forget_oldest();
            self.held = self.held.saturating_sub(1);
        }
    }

    /// Forgets a node's roots; for when its certificate goes.
    pub fn forget(&mut self, node: NodeId) {
        for memo in self.sides.values_mut() {
            memo.forget(node);
        }
        self.sides.retain(|_, memo| !memo.order.is_empty());
        self.held = self.sides.values().map(|memo| memo.order.len()).sum();
    }

    /// Forgets all roots: what is whose side is another matter from here on.
    pub fn clear(&mut self) {
        self.sides.clear();
        self.held = 0;
    }
}

#[cfg(test)]
mod tests;
