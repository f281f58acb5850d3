//! The Merkle tree over a log (RFC 9162 §2.1.1), kept as the roots of its complete subtrees.

use crate::{
    Digest,
    cbor::{Blob, CborError},
};

/// Before the bytes of an entry, when they are digested: RFC 9162's byte for leaves, then what they
/// are, so that no leaf of another tree is one of these.
const LEAF: &[u8] = b"\x00realm/1/audit-entry\x00";
/// Before two digests, when they are digested.
const NODE: &[u8] = b"\x01";
/// Complete subtrees of a tree at most: one a bit of its count.
const PEAKS: usize = 64;

/// The digest of an encoded entry: a leaf of the tree.
pub fn entry_digest(entry: &[u8]) -> Digest {
    Digest::of(&[LEAF, entry])
}

/// The roots of the complete subtrees of a tree, the largest first: enough to go on with it, and
/// to know its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    count: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// How many leaves there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Digest) {
        self.add(0, leaf);
    }

    /// Adds the leaves of a range.
    ///
    /// # Errors
    /// [`CborError`] where it does not begin where this tree ends.
    pub fn join(&mut self, range: &LeafRange) -> Result<(), CborError> {
        if range.first != self.count {
            return Err(CborError::Expected("the leaves that follow"));
        }
        for (level, root) in &range.subtrees {
            self.add(*level, *root);
        }
        Ok(())
    }

    /// Adds a complete subtree of 2^level leaves, whose place is a multiple of its size.
    fn add(&mut self, level: u32, subtree: Digest) {
        let mut root = subtree;
        let pairs = self.count.checked_shr(level).unwrap_or_default();
        for _ in 0..pairs.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                root = node(&left, &root);
            }
        }
        self.peaks.push(root);
        self.count = self.count.saturating_add(leaves(level));
    }

    /// The root of the whole tree; of an empty one, SHA-256 of nothing.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return Digest::of(&[]);
        };
        peaks.fold(*last, |right, left| node(left, &right))
    }

    /// The digests, one after the other.
    pub fn to_bytes(&self) -> Blob {
        joined(self.peaks.iter())
    }

    /// Reads what [`Frontier::to_bytes`] gives of a tree with `count` leaves.
    ///
    /// # Errors
    /// [`CborError`] where it is another number of digests.
    pub fn from_bytes(count: u64, bytes: &[u8]) -> Result<Self, CborError> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        let expected = usize::try_from(count.count_ones()).unwrap_or(PEAKS);
        if !rest.is_empty() || peaks.len() != expected {
            return Err(CborError::Expected("one digest for each bit of the count"));
        }
        Ok(Self {
            count,
            peaks: peaks.iter().map(|peak| Digest::new(*peak)).collect(),
        })
    }
}

/// Consecutive leaves somewhere in a tree, kept as the roots of the largest complete subtrees that hold nothing
/// else: with the [`Frontier`] before them, the frontier after them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafRange {
    first: u64,
    end: u64,
    /// Each with its level: 2^level leaves.
    subtrees: Vec<(u32, Digest)>,
}

impl LeafRange {
    /// No leaf yet; the first is to have this place.
    pub const fn new(first: u64) -> Self {
        Self {
            first,
            end: first,
            subtrees: Vec::new(),
        }
    }

    /// The place of its first leaf.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The place after its last leaf.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Digest) {
        self.add(0, leaf);
    }

    /// Adds the leaves of another range.
    ///
    /// # Errors
    /// [`CborError`] where it does not begin where this one ends.
    pub fn join(&mut self, next: &Self) -> Result<(), CborError> {
        if next.first != self.end {
            return Err(CborError::Expected("the leaves that follow"));
        }
        for (level, root) in &next.subtrees {
            self.add(*level, *root);
        }
        Ok(())
    }

    fn add(&mut self, mut level: u32, mut root: Digest) {
        self.end = self.end.saturating_add(leaves(level));
        let end = self.end;
        let ends_pair = |level| end.checked_shr(level).is_some_and(|pairs| pairs % 2 == 0);
        while let Some((_, left)) = self
            .subtrees
            .pop_if(|(left, _)| *left == level && ends_pair(level))
        {
            root = node(&left, &root);
            level = level.saturating_add(1);
        }
        self.subtrees.push((level, root));
    }

    /// The digests, one after the other.
    pub fn to_bytes(&self) -> Blob {
        joined(self.subtrees.iter().map(|(_, root)| root))
    }

    /// Reads what [`LeafRange::to_bytes`] gives of the leaves from one place to before another.
    ///
    /// # Errors
    /// [`CborError`] where it is another number of digests.
    pub fn from_bytes(first: u64, end: u64, bytes: &[u8]) -> Result<Self, CborError> {
        let wrong = || CborError::Expected("one digest for each subtree of the range");
        let (roots, rest) = bytes.as_chunks::<32>();
        let mut range = Self::new(first);
        for root in roots {
            let left = end.checked_sub(range.end).filter(|left| *left > 0);
            let fits = left.ok_or_else(wrong)?.ilog2();
            let level = range.end.trailing_zeros().min(fits);
            range.end = range.end.saturating_add(leaves(level));
            range.subtrees.push((level, Digest::new(*root)));
        }
        match range.end == end && rest.is_empty() {
            true => Ok(range),
            false => Err(wrong()),
        }
    }
}

/// Leaves of a complete subtree.
fn leaves(level: u32) -> u64 {
    1_u64.checked_shl(level).unwrap_or_default()
}

fn joined<'a>(digests: impl Iterator<Item = &'a Digest>) -> Blob {
    let bytes = digests.flat_map(|digest| *digest.as_bytes());
    bytes.collect::<Vec<u8>>().into()
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[NODE, left.as_bytes(), right.as_bytes()])
}
