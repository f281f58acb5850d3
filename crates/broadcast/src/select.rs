//! Who of the ranked bids wins.

use realm_protocol::broadcast::Rule;
use thiserror::Error;

use crate::rank::{Ranked, Ranking};

/// Fewer bids counted than the rule asks for.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("{have} bids counted, and the rule asks for {need}")]
pub struct TooFewBids {
    /// How many counted.
    pub have: u64,
    /// How many the rule asks for.
    pub need: u64,
}

/// The ranking, cut by the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selected<'a> {
    /// Bids that win a slot each, in the order of the slots.
    pub winners: &'a [Ranked],
    /// Bids that may win in place of one that falls out, the first first.
    pub standbys: &'a [Ranked],
    /// Bids that lose.
    pub losers: &'a [Ranked],
}

/// Cuts a ranking into winners, standbys and losers.
///
/// # Errors
/// [`TooFewBids`] where fewer counted than the rule asks for; one bid is always asked for.
pub fn select<'a>(ranking: &'a Ranking, rule: &Rule) -> Result<Selected<'a>, TooFewBids> {
    let ranked = &ranking.ranked;
    let (have, need) = (ranked.len() as u64, rule.min_bids.max(1));
    if have < need {
        return Err(TooFewBids { have, need });
    }
    let (winners, rest) = cut(ranked, rule.awards);
    let (standbys, losers) = cut(rest, rule.standbys);
    Ok(Selected {
        winners,
        standbys,
        losers,
    })
}

fn cut(ranked: &[Ranked], at: u64) -> (&[Ranked], &[Ranked]) {
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(ranked.len());
    ranked.split_at(at)
}
