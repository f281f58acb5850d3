//! Which calls their sources have taken back. Clocks have no say in it: where one is set back, what was
//! over may come again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use realm_protocol::{Digest, Header, Scope, cbor, limits, wire_map};

/// Before the number of each, among what is written down of this realm's standing.
pub(crate) const TAKEN_BACK: &[u8] = b"taken-back/";

wire_map! {
    /// A call that was taken back, as it is written down.
    pub struct Mark {
        /// Digest of the call and its source.
        0 => digest: Digest,
        /// From whose side it came.
        1 => share: Scope,
    }
}

/// At most [`limits::TAKEN_BACK`], and [`limits::TAKEN_BACK_SHARE`] from one neighbour's side.
#[derive(Debug, Default)]
pub(crate) struct TakenBack {
    digests: BTreeSet<Digest>,
    /// Numbers and digests from each side, the oldest first.
    shares: BTreeMap<Scope, VecDeque<(u64, Digest)>>,
    last: u64,
}

/// What is to be written down, and the numbers of what is to be deleted.
#[derive(Debug)]
pub(super) struct Noted {
    pub(super) number: u64,
    pub(super) mark: Mark,
    pub(super) forgotten: Vec<u64>,
}

impl TakenBack {
    /// Whether a call was taken back.
    pub(super) fn holds(&self, header: &Header) -> bool {
        self.digests.contains(&digest(header))
    }

    /// Remembers a call as taken back; none if it is already.
    pub(super) fn note(&mut self, cancel: &Header, share: Scope) -> Option<Noted> {
        let digest = digest(cancel);
        if self.digests.contains(&digest) {
            return None;
        }
        let number = self.last.saturating_add(1);
        let mark = Mark { digest, share };
        let forgotten = self.insert(number, mark.clone());
        Some(Noted {
            number,
            mark,
            forgotten,
        })
    }

    /// Takes up what was written down, in order.
    pub(crate) fn recover(&mut self, marks: impl IntoIterator<Item = (u64, Mark)>) -> Vec<u64> {
        let marks = marks.into_iter();
        marks
            .flat_map(|(number, mark)| self.insert(number, mark))
            .collect()
    }

    fn insert(&mut self, number: u64, mark: Mark) -> Vec<u64> {
        self.last = self.last.max(number);
        self.digests.insert(mark.digest);
        let of_share = self.shares.entry(mark.share.clone()).or_default();
        of_share.push_back((number, mark.digest));
        if of_share.len() > limits::TAKEN_BACK_SHARE {
            return self.forget_oldest(&mark.share).into_iter().collect();
        }
        if self.digests.len() > limits::TAKEN_BACK {
            let most = self.shares.iter().max_by_key(|(_, of)| of.len());
            let most = most.map(|(share, _)| share.clone());
            return most
                .and_then(|share| self.forget_oldest(&share))
                .into_iter()
                .collect();
        }
        Vec::new()
    }

    fn forget_oldest(&mut self, share: &Scope) -> Option<u64> {
        let of_share = self.shares.get_mut(share)?;
        let (number, digest) = of_share.pop_front()?;
        if of_share.is_empty() {
            self.shares.remove(share);
        }
        self.digests.remove(&digest);
        Some(number)
    }
}

/// Where one is written down.
pub(crate) fn taken_back(number: u64) -> Vec<u8> {
    [TAKEN_BACK, &number.to_be_bytes()].concat()
}

fn digest(header: &Header) -> Digest {
    let source = cbor::encode(&header.source);
    Digest::of(&[b"realm/1/taken-back", header.call.as_bytes(), &source])
}
