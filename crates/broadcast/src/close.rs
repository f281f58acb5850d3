//! The end of a broadcast in pages, and what a bidder makes of it.

use realm_protocol::{
    Digest, Timestamp,
    broadcast::{Announcement, Bid, Close, Verdict, Winner},
    limits::{CLOSE_BIDS, CLOSE_DIGESTS},
    records::Signed,
};
use thiserror::Error;

use crate::rank::{Ranking, bids_root, misplaced};

/// How long a close is overdue before it is asked for, milliseconds.
const OVERDUE_MS: u64 = 10_000;
/// Bytes of a digest.
const DIGEST_BYTES: usize = 32;

/// Cuts the end of a broadcast into pages; winners' bids come by slot.
pub fn close_pages(
    verdict: &Signed<Verdict>,
    told: &Verdict,
    ranking: &Ranking,
    winners: &[Signed<Bid>],
) -> Vec<Close> {
    let digests = ranking.digests();
    let by_digests = ranking.ranked.len().div_ceil(CLOSE_DIGESTS);
    let pages = by_digests.max(winners.len().div_ceil(CLOSE_BIDS)).max(1);
    let mut digests = digests.chunks(CLOSE_DIGESTS.saturating_mul(DIGEST_BYTES));
    let mut winners = winners.chunks(CLOSE_BIDS);
    let page = |page| Close {
        broadcast: told.broadcast,
        page,
        pages: pages as u64,
        verdict: verdict.clone(),
        digests: digests.next().unwrap_or_default().to_vec().into(),
        winners: winners.next().unwrap_or_default().to_vec(),
        session: None,
    };
    (0..pages as u64).map(page).collect()
}

/// When a bidder asks for the close of a broadcast that has not come: its rounds are over by then, and
/// its work.
pub fn close_due(announcement: &Announcement) -> Timestamp {
    let bidding = announcement.window_ms.saturating_mul(2);
    let lasts = bidding.saturating_add(announcement.execution_ms);
    announcement.created.plus(lasts.saturating_add(OVERDUE_MS))
}

/// Why a Close proves that its bids were not ranked by the rule, or proves nothing.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CloseError {
    /// Pages are missing, doubled, or not of one verdict.
    #[error("the pages are not those of one close")]
    Pages,
    /// The verdict is of another broadcast.
    #[error("the verdict is of another broadcast")]
    Another,
    /// The secret is not the one that was announced.
    #[error("the secret does not have the digest that was announced")]
    Secret,
    /// The digests do not have the verdict's number, root or order.
    #[error("the digests are not those of the verdict")]
    Digests,
    /// A winner's bid is not there, or not among the digests.
    #[error("the bid that won slot {slot} is not among those that counted")]
    Winner {
        /// The slot.
        slot: u64,
    },
    /// The bidder's own bid did not count: it never came, or came and was left out.
    #[error("the bid is not among those that counted: it was dropped on the way, or left out")]
    Missing,
    /// The bidder's own bid stands before a winner by the rule, and after it in the list.
    #[error(
        "the bid stands before the winner of slot {slot} by the rule, and after it in the list"
    )]
    Misplaced {
        /// The winner's slot.
        slot: u64,
    },
    /// The bidder's own bid stands before a winner that was awarded while it held, was awarded nothing,
    /// and no award to it is said to have been left without an answer.
    #[error("the bid stands before the winner of slot {slot} and was awarded nothing")]
    PassedOver {
        /// The winner's slot.
        slot: u64,
    },
}

/// The end of a broadcast, joined of its pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What the announcer signed. The signature is for the caller to check.
    pub verdict: Verdict,
    /// Digests of the counted bids in rank order.
    pub digests: Vec<Digest>,
    /// The winners' bids, by slot. Their signatures are for the caller to check.
    pub winners: Vec<(Winner, Bid)>,
}

/// Where a bid stands in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its rank, from 1.
    pub rank: u64,
    /// How many bids counted.
    pub of: u64,
    /// The slot it won last, if any.
    pub slot: Option<u64>,
    /// Whether the announcer has signed that it was awarded a slot last, and not confirmed: the award,
    /// or what answered it, may have been lost.
    pub unconfirmed: bool,
}

impl Closed {
    /// Joins the pages of a close, in any order.
    ///
    /// # Errors
    /// [`CloseError`] where they are not those of one close, or contradict its verdict.
    pub fn join(pages: &[Close]) -> Result<Self, CloseError> {
        let mut pages: Vec<&Close> = pages.iter().collect();
        pages.sort_by_key(|page| page.page);
        let first = pages.first().ok_or(CloseError::Pages)?;
        let whole = first.pages == pages.len() as u64
            && (0..).zip(&pages).all(|(at, page)| {
                page.page == at && page.pages == first.pages && page.verdict == first.verdict
            });
        if !whole {
            return Err(CloseError::Pages);
        }
        let verdict = first.verdict.peek().map_err(|_| CloseError::Pages)?;
        let bytes: Vec<u8> = pages
            .iter()
            .flat_map(|page| page.digests.iter().copied())
            .collect();
        let digests = digests(&bytes)?;
        let consistent = verdict.broadcast == first.broadcast
            && verdict.counted == digests.len() as u64
            && verdict.order == Digest::of(&[&bytes])
            && verdict.root == bids_root(digests.clone());
        if !consistent {
            return Err(CloseError::Digests);
        }
        let bids: Vec<&Signed<Bid>> = pages.iter().flat_map(|page| &page.winners).collect();
        let winners = winners(&verdict, &digests, &bids)?;
        Ok(Self {
            verdict,
            digests,
            winners,
        })
    }

    /// Where a bid of this broadcast stands. `was_awarded` tells whether the bidder got an award.
    ///
    /// # Errors
    /// [`CloseError`] is proof that the bid was not ranked by the rule, if it was sent in time.
    pub fn stands(
        &self,
        announcement: &Announcement,
        own: &Bid,
        digest: Digest,
        was_awarded: bool,
    ) -> Result<Standing, CloseError> {
        if self.verdict.broadcast != announcement.broadcast {
            return Err(CloseError::Another);
        }
        if Digest::of(&[&self.verdict.secret]) != announcement.commitment {
            return Err(CloseError::Secret);
        }
        let at = |bid: Digest| self.digests.iter().position(|held| *held == bid);
        let own_at = at(digest).ok_or(CloseError::Missing)?;
        let unconfirmed = self.verdict.unconfirmed.as_deref().unwrap_or_default();
        let unconfirmed = unconfirmed.contains(&digest);
        let others = self.winners.iter().filter(|(won, _)| won.bid != digest);
        for (won, bid) in others {
            let slot = won.slot;
            let is_after = at(won.bid).is_some_and(|winner| winner < own_at);
            let pair = [(won.bid, bid), (digest, own)];
            if is_after && self.misplaced(announcement, pair).is_some() {
                return Err(CloseError::Misplaced { slot });
            }
            // Bids count after they are announced, and hold from then on.
            let awarded = won.awarded.unwrap_or(self.verdict.closed);
            let held = awarded.since(announcement.created) < own.expires_ms;
            if !is_after && held && !was_awarded && !unconfirmed {
                return Err(CloseError::PassedOver { slot });
            }
        }
        let slot = self.winners.iter().find(|(won, _)| won.bid == digest);
        Ok(Standing {
            rank: (own_at as u64).saturating_add(1),
            of: self.digests.len() as u64,
            slot: slot.map(|(won, _)| won.slot),
            unconfirmed,
        })
    }

    /// Of bids in rank order, two that the rule puts the other way round, the first of them the one
    /// that should stand before the other.
    pub(crate) fn misplaced<'a>(
        &self,
        announcement: &Announcement,
        bids: impl IntoIterator<Item = (Digest, &'a Bid)>,
    ) -> Option<(Digest, Digest)> {
        let verdict = &self.verdict;
        misplaced(bids, announcement, (&verdict.secret, verdict.root))
    }
}

fn digests(bytes: &[u8]) -> Result<Vec<Digest>, CloseError> {
    let digests = bytes.chunks(DIGEST_BYTES);
    let digests = digests.map(|digest| Digest::try_from(digest).map_err(|_| CloseError::Digests));
    digests.collect()
}

/// The winners' bids by the slots they won.
fn winners(
    verdict: &Verdict,
    digests: &[Digest],
    bids: &[&Signed<Bid>],
) -> Result<Vec<(Winner, Bid)>, CloseError> {
    if bids.len() != verdict.winners.len() {
        return Err(CloseError::Pages);
    }
    let pairs = verdict.winners.iter().zip(bids);
    let pairs = pairs.map(|(won, bid)| {
        let error = CloseError::Winner { slot: won.slot };
        if bid.digest() != won.bid || !digests.contains(&won.bid) {
            return Err(error);
        }
        Ok((*won, bid.peek().map_err(|_| error)?))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests;
