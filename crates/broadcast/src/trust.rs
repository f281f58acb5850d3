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
        /// What the conduct of realms below it comes to; none where none did anything.
        64 => below: Option<Below>,
    }
}

wire_map! {
    /// What is made of the realms below one, all of them together.
    #[derive(Copy)]
    pub struct Below {
        /// The score when it last changed, in millionths.
        0 => score: u64,
        /// When it last changed.
        1 => at: Timestamp,
    }
}

impl Known {
    /// Of whom nothing is known by its own conduct.
    const fn stranger(now: Timestamp) -> Self {
        Self {
            score: UNKNOWN,
            at: now,
            events: Vec::new(),
            below: None,
        }
    }

    /// When anything was last learnt.
    fn learnt(&self) -> Timestamp {
        self.below.map_or(self.at, |below| below.at.max(self.at))
    }

    /// How it is trusted by its own conduct.
    fn own(&self, now: Timestamp) -> Option<u64> {
        (!self.events.is_empty()).then(|| fade(self.score, now.since(self.at)))
    }

    /// How a realm below it is trusted of which nothing is known.
    pub fn newcomers(&self, now: Timestamp) -> Option<u64> {
        let below = self.below?;
        Some(fade(below.score, now.since(below.at)))
    }
}

/// What a realm makes of bidders.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    known: BTreeMap<RealmId, Known>,
}

impl Trust {
    /// Begins with what was written down. Gives as well the realms that are forgotten, where that is of too many.
    pub fn recover(known: impl IntoIterator<Item = (RealmId, Known)>) -> (Self, Vec<RealmId>) {
        let mut trust = Self {
            known: known.into_iter().collect(),
        };
        let forgotten = trust.forget_oldest(|_| false);
        (trust, forgotten)
    }

    /// How a bidder is trusted now, in millionths. One of whom nothing is known is trusted no more than the
    /// realms above it, and than others below those were last: nobody gains by bidding from a new one.
    pub fn of(&self, bidder: &RealmId, above: &[RealmId], now: Timestamp) -> u64 {
        let own = |realm: &RealmId| self.known.get(realm)?.own(now);
        let newcomers = |realm: &RealmId| self.known.get(realm)?.newcomers(now);
        let above = || {
            let scores = above.iter().flat_map(|it| [own(it), newcomers(it)]);
            scores.flatten().fold(UNKNOWN, u64::min)
        };
        own(bidder).unwrap_or_else(above)
    }

    /// Takes what a bidder did, which tells of newcomers below the same realms, too. What is to be written down is in
    /// [`Trust::explain`] of each of them. Gives the realms that are forgotten for it.
    pub fn note(
        &mut self,
        (bidder, above): (RealmId, &[RealmId]),
        conduct: Conduct,
        now: Timestamp,
    ) -> Vec<RealmId> {
        let score = conduct.after(self.of(&bidder, above, now));
        let known = self.known_of(bidder, now);
        (known.score, known.at) = (score, now);
        if known.events.len() >= EVENTS {
            known.events.remove(0);
        }
        known.events.push(TrustEvent {
            conduct,
            at: now,
            score,
        });
        for realm in above {
            let known = self.known_of(*realm, now);
            let score = conduct.after(known.newcomers(now).unwrap_or(UNKNOWN));
            known.below = Some(Below { score, at: now });
        }
        self.forget_oldest(|realm| *realm == bidder || above.contains(realm))
    }

    fn known_of(&mut self, realm: RealmId, now: Timestamp) -> &mut Known {
        let known = self.known.entry(realm);
        known.or_insert_with(|| Known::stranger(now))
    }

    /// Every bidder that is known.
    pub fn iter(&self) -> impl Iterator<Item = (&RealmId, &Known)> {
        self.known.iter()
    }

    /// Why a bidder is trusted as it is.
    pub fn explain(&self, bidder: &RealmId) -> Option<&Known> {
        self.known.get(bidder)
    }

    /// Forgets the realms learnt of longest ago, but none of some, if there are more than may be; gives them.
    fn forget_oldest(&mut self, but: impl Fn(&RealmId) -> bool) -> Vec<RealmId> {
        let excess = self.known.len().saturating_sub(limits::TRUSTED);
        if excess == 0 {
            return Vec::new();
        }
        let others = self.known.iter().filter(|(realm, _)| !but(realm));
        let learnt = others.map(|(realm, known)| (known.learnt(), *realm));
        let mut oldest: Vec<(Timestamp, RealmId)> = learnt.collect();
        oldest.sort_unstable();
        oldest.truncate(excess);
        let oldest: Vec<RealmId> = oldest.into_iter().map(|(_, realm)| realm).collect();
        for realm in &oldest {
            self.known.remove(realm);
        }
        oldest
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
