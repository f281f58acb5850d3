//! What a realm makes of bidders by their own conduct: a score that falls quickly, rises slowly and
//! fades.

use std::collections::BTreeMap;

use realm_protocol::{RealmId, Timestamp, broadcast::MILLION, limits, numbered, wire_map};

use crate::log::End;

/// The score of whom nothing is known, and the one that every other fades to, in millionths.
pub const UNKNOWN: u64 = MILLION / 2;
/// How long it takes until a score is half as far from [`UNKNOWN`], milliseconds.
pub const HALF_LIFE_MS: u64 = 7 * 24 * 60 * 60 * 1_000;
/// How long after twice the time of its bid a result is late, milliseconds: it has to travel.
const SLACK_MS: u64 = 5_000;
/// Events that are remembered of one bidder.
const EVENTS: usize = 16;

numbered! {
    /// What a bidder did with work that it had confirmed.
    Conduct ("known conduct") {
        /// It gave a result.
        Delivered = 1,
        /// It gave the work back before it began.
        GaveBack = 2,
        /// It failed, and said so.
        Failed = 3,
        /// It fell silent, charged more than it bid, or gave something else than it should have.
        Broke = 4,
        /// It gave a result much later than it had said.
        Late = 5,
    }
}

impl Conduct {
    /// What an end says of the bidder; nothing where the announcer ended it.
    pub const fn of(end: End) -> Option<Self> {
        match end {
            End::Result => Some(Self::Delivered),
            End::NotBegun => Some(Self::GaveBack),
            End::Failed => Some(Self::Failed),
            End::Expired | End::Overcharged | End::Mismatched | End::Forged => Some(Self::Broke),
            End::Withdrawn => None,
        }
    }

    /// The same where a result has taken as long as this, and was to take as long as its bid says,
    /// milliseconds.
    #[must_use]
    pub const fn timed(self, took_ms: u64, bid_ms: u64) -> Self {
        match self {
            Self::Delivered if took_ms > bid_ms.saturating_mul(2).saturating_add(SLACK_MS) => {
                Self::Late
            }
            other => other,
        }
    }

    /// The score after it.
    const fn after(self, score: u64) -> u64 {
        match self {
            Self::Delivered => score.saturating_add(MILLION.saturating_sub(score) / 8),
            Self::GaveBack => score.saturating_sub(score / 16),
            Self::Failed | Self::Late => score.saturating_sub(score / 8),
            Self::Broke => score / 2,
        }
    }
}

wire_map! {
    /// One thing that a bidder did.
    #[derive(Copy)]
    pub struct TrustEvent {
        /// What.
        0 => conduct: Conduct,
        /// When.
        1 => at: Timestamp,
        /// The score after it, in millionths.
        2 => score: u64,
    }
}

wire_map! {
    /// What is known of one bidder.
    pub struct Known {
        /// The score when it last changed, in millionths.
        0 => score: u64,
        /// When it last changed.
        1 => at: Timestamp,
        /// What changed it, the oldest first; what lies further back is forgotten.
        2 => events: Vec<TrustEvent>,
    }
}

/// What a realm makes of bidders.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    known: BTreeMap<RealmId, Known>,
}

impl Trust {
    /// Begins with what was written down.
    pub fn new(known: impl IntoIterator<Item = (RealmId, Known)>) -> Self {
        Self {
            known: known.into_iter().collect(),
        }
    }

    /// How a bidder is trusted now, in millionths. One of whom nothing is known is trusted no more than the
    /// realms above it: nobody gains by bidding from a new one below.
    pub fn of(&self, bidder: &RealmId, above: &[RealmId], now: Timestamp) -> u64 {
        let score = |realm: &RealmId| {
            let known = self.known.get(realm)?;
            Some(fade(known.score, now.since(known.at)))
        };
        let above = || above.iter().filter_map(score).fold(UNKNOWN, u64::min);
        score(bidder).unwrap_or_else(above)
    }

    /// Takes what a bidder did, and gives what is to be written down of it.
    pub fn note(
        &mut self,
        (bidder, above): (RealmId, &[RealmId]),
        conduct: Conduct,
        now: Timestamp,
    ) -> Known {
        let score = conduct.after(self.of(&bidder, above, now));
        let mut events = self
            .known
            .remove(&bidder)
            .map_or_else(Vec::new, |known| known.events);
        if events.len() >= EVENTS {
            events.remove(0);
        }
        events.push(TrustEvent {
            conduct,
            at: now,
            score,
        });
        let known = Known {
            score,
            at: now,
            events,
        };
        self.make_room();
        self.known.insert(bidder, known.clone());
        known
    }

    /// Every bidder that is known.
    pub fn iter(&self) -> impl Iterator<Item = (&RealmId, &Known)> {
        self.known.iter()
    }

    /// Why a bidder is trusted as it is.
    pub fn explain(&self, bidder: &RealmId) -> Option<&Known> {
        self.known.get(bidder)
    }

    /// Forgets the bidder heard of longest ago, if there are as many as may be.
    fn make_room(&mut self) {
        if self.known.len() < limits::TRUSTED {
            return;
        }
        let oldest = self.known.iter().min_by_key(|(_, known)| known.at);
        if let Some(oldest) = oldest.map(|(bidder, _)| *bidder) {
            self.known.remove(&oldest);
        }
    }
}

/// A score after some time: its distance from [`UNKNOWN`] halves with every half-life, in a straight
/// line within one.
fn fade(score: u64, passed: u64) -> u64 {
    let halvings = u32::try_from(passed / HALF_LIFE_MS).unwrap_or(u32::MAX);
    let within = passed % HALF_LIFE_MS;
    let distance = score.abs_diff(UNKNOWN).checked_shr(halvings).unwrap_or(0);
    let lost = distance.saturating_mul(within) / (2 * HALF_LIFE_MS);
    let left = distance.saturating_sub(lost);
    if score < UNKNOWN {
        UNKNOWN.saturating_sub(left)
    } else {
        UNKNOWN.saturating_add(left)
    }
}

#[cfg(test)]
mod tests;
