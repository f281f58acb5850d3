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
        let mut root = leaf;
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                root = node(&left, &root);
            }
        }
        self.peaks.push(root);
        self.count = self.count.saturating_add(1);
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
        let peaks = self.peaks.iter().flat_map(|peak| *peak.as_bytes());
        peaks.collect::<Vec<u8>>().into()
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

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[NODE, left.as_bytes(), right.as_bytes()])
}
