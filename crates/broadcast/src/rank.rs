//! The order of bids by the published rule, exact to the last tie.

use std::cmp::Reverse;

use realm_protocol::{
    Digest,
    broadcast::{Announcement, Bid, MILLION, Rule, Selection, Weights},
};

/// What a bid is ranked by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Digest of the signed bid.
    pub bid: Digest,
    /// What it would cost, in millionths of the broadcast's currency.
    pub micros: u64,
    /// How long it would take, milliseconds.
    pub time_ms: u64,
    /// How sure the bidder is, in millionths.
    pub confidence: u64,
    /// The announcer's own experience with the bidder, in millionths.
    pub trust: u64,
    /// The how-manieth bid it was to be counted.
    pub arrival: u64,
}

impl Candidate {
    /// What a bid is ranked by, with what only the announcer knows of it.
    pub fn of(bid: &Bid, digest: Digest, trust: u64, arrival: u64) -> Self {
        Self {
            bid: digest,
            micros: bid.micros(),
            time_ms: bid.time_ms,
            confidence: bid.confidence,
            trust,
            arrival,
        }
    }
}

/// What a score measures prices and times against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The price that scores nothing, in millionths.
    pub micros: u64,
    /// The time that scores nothing, milliseconds.
    pub time_ms: u64,
}

impl Scale {
    /// An announcement's: its ceilings, and its execution time where it has none for time.
    pub fn of(announcement: &Announcement) -> Self {
        let limits = &announcement.limits;
        Self {
            micros: limits.price.unwrap_or(0),
            time_ms: limits.time_ms.unwrap_or(announcement.execution_ms),
        }
    }
}

/// A bid and why it stands where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// What it was ranked by.
    pub candidate: Candidate,
    /// Its score, where the rule has weights.
    pub score: Option<u64>,
    /// What its ties are broken by; the smaller comes first.
    pub tie: Digest,
}

impl Ranked {
    /// Why a bid stands where it does among all whose digests have this root.
    fn of(
        candidate: Candidate,
        rule: &Rule,
        scale: &Scale,
        (secret, root): (&[u8; 32], Digest),
    ) -> Self {
        let weights = rule.weights;
        Self {
            score: weights.map(|weights| score(&candidate, &weights, scale)),
            tie: Digest::of(&[secret, root.as_bytes(), candidate.bid.as_bytes()]),
            candidate,
        }
    }
}

/// All bids that counted, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// Merkle root of the bids' digests, ascending.
    pub root: Digest,
    /// The bids in rank order.
    pub ranked: Vec<Ranked>,
}

impl Ranking {
    /// The bids' digests, one after the other in rank order.
    pub fn digests(&self) -> Vec<u8> {
        let digests = self.ranked.iter().map(|it| it.candidate.bid);
        digests.flat_map(|digest| *digest.as_bytes()).collect()
    }

    /// SHA-256 of [`Ranking::digests`].
    pub fn order(&self) -> Digest {
        Digest::of(&[&self.digests()])
    }
}

/// Ranks bids, no two of one digest, by the rule; ties go by the secret.
pub fn rank(candidates: &[Candidate], rule: &Rule, scale: &Scale, secret: &[u8; 32]) -> Ranking {
    let root = bids_root(candidates.iter().map(|candidate| candidate.bid).collect());
    let ranked = candidates.iter().cloned();
    let ranked = ranked.map(|candidate| Ranked::of(candidate, rule, scale, (secret, root)));
    let mut ranked: Vec<Ranked> = ranked.collect();
    ranked.sort_by_key(|ranked| (place(ranked, rule.selection), ranked.tie));
    Ranking { root, ranked }
}

/// Of bids in the order that somebody gives them, the first two that cannot stand so: the one that stands
/// after the other, and stands before it by the rule whatever the announcer alone knows, in which order
/// bids came and how it trusts them.
pub(crate) fn misplaced<'a>(
    bids: impl IntoIterator<Item = (Digest, &'a Bid)>,
    announcement: &Announcement,
    seed: (&[u8; 32], Digest),
) -> Option<(Digest, Digest)> {
    let (rule, scale) = (&announcement.rule, Scale::of(announcement));
    if rule.selection == Selection::First {
        return None;
    }
    let trusts = rule.weights.is_some_and(|weights| weights.trust > 0);
    let stands = |digest: Digest, bid: &Bid, trust: u64| {
        let candidate = Candidate::of(bid, digest, trust, 0);
        let ranked = Ranked::of(candidate, rule, &scale, seed);
        // Who is trusted how breaks ties that these do not.
        let tie = (!trusts).then_some(ranked.tie);
        (place(&ranked, rule.selection), tie)
    };
    let mut last = None;
    for (digest, bid) in bids {
        if let Some((before, earlier)) = last
            && before > stands(digest, bid, 0)
        {
            return Some((digest, earlier));
        }
        last = last.max(Some((stands(digest, bid, MILLION), digest)));
    }
    None
}

/// Where a bid stands but for ties: three numbers, compared in order, the smaller first.
fn place(ranked: &Ranked, selection: Selection) -> (u64, u64, Reverse<u64>) {
    let bid = &ranked.candidate;
    match selection {
        Selection::First => (bid.arrival, 0, Reverse(0)),
        Selection::Best | Selection::All => (bid.micros, bid.time_ms, Reverse(bid.confidence)),
        Selection::Random => (0, 0, Reverse(0)),
        Selection::Weighted => (0, 0, Reverse(ranked.score.unwrap_or(0))),
    }
}

fn score(bid: &Candidate, weights: &Weights, scale: &Scale) -> u64 {
    let parts = [
        (weights.price, below(bid.micros, scale.micros)),
        (weights.time, below(bid.time_ms, scale.time_ms)),
        (weights.confidence, bid.confidence),
        (weights.trust, bid.trust),
    ];
    parts.iter().fold(0, |sum, (weight, part)| {
        weight.saturating_mul(*part).saturating_add(sum)
    })
}

/// How far a value lies below a ceiling, in millionths of the ceiling: a whole for nothing.
fn below(value: u64, ceiling: u64) -> u64 {
    let part = u128::from(value).saturating_mul(u128::from(MILLION));
    let used = match part.checked_div(u128::from(ceiling)) {
        Some(used) => u64::try_from(used).unwrap_or(u64::MAX),
        None if value == 0 => 0,
        None => MILLION,
    };
    MILLION.saturating_sub(used)
}

/// The Merkle tree hash (RFC 9162, section 2.1.1) of bids' digests in ascending order.
pub fn bids_root(mut digests: Vec<Digest>) -> Digest {
    digests.sort_unstable();
    let leaf = |digest: &Digest| Digest::of(&[&[0], digest.as_bytes()]);
    let mut level: Vec<Digest> = digests.iter().map(leaf).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(parent).collect();
    }
    level.pop().unwrap_or_else(|| Digest::of(&[]))
}

/// The node above two, or the one itself where it has no neighbour.
fn parent(pair: &[Digest]) -> Digest {
    match pair {
        [left, right] => Digest::of(&[&[1], left.as_bytes(), right.as_bytes()]),
        [alone] => *alone,
        _ => Digest::of(&[]),
    }
}

#[cfg(test)]
mod tests;
