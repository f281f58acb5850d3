//! Whether an announcement's rule can be followed at all.

use realm_protocol::{
    BroadcastId,
    broadcast::{Announcement, BidLimits, MILLION, Rule, Selection, Strategy, Waiting},
    limits,
};
use thiserror::Error;

/// Why an announcement is refused by whoever reads it, before anything else.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RuleError {
    /// The id is not the one that its announcer and its commitment give.
    #[error("a broadcast's id is made of its announcer and its commitment")]
    Id,
    /// The round is neither the first nor the second.
    #[error("an announcement is of round 1 or 2")]
    Round,
    /// More broadcasts and calls led to it than may.
    #[error("the broadcast is deeper than {}", limits::CALL_DEPTH)]
    Depth,
    /// Bids are taken for no time, or for too long.
    #[error("bids are taken for 1 to {} ms", limits::WINDOW_MAX_MS)]
    Window,
    /// The work has no time, or too much.
    #[error("work takes 1 to {} ms", limits::RUN_MS)]
    Execution,
    /// Too many capabilities, or not ascending.
    #[error("at most {} capabilities, ascending", limits::CAPABILITIES)]
    Capabilities,
    /// Too many scopes.
    #[error("at most {} scopes", limits::NAMED_SCOPES)]
    Scopes,
    /// The currency is not three upper-case letters.
    #[error("a currency is three upper-case letters")]
    Currency,
    /// A ceiling for prices without a currency.
    #[error("a highest price needs a currency")]
    PriceWithoutCurrency,
    /// A share, confidence or trust above one whole.
    #[error("shares and confidences are at most 1,000,000 millionths")]
    AboveOne,
    /// No slots, or too many.
    #[error("1 to {} bids win", limits::AWARDS)]
    Awards,
    /// The least number of bids is above the greatest.
    #[error(
        "at most {} bids are taken, and at least as many as are asked for",
        limits::BIDS
    )]
    Bids,
    /// Weights without a score, a score without weights, or a weight too large.
    #[error(
        "weights of at most {} stand with the weighted selection alone",
        limits::WEIGHT
    )]
    Weights,
    /// A weighted price without a price to measure it against.
    #[error("weighing prices needs a highest price")]
    PriceScale,
    /// A strategy or way of waiting that lacks its share.
    #[error("quorum and consensus need their share")]
    Share,
    /// Fewer winners than results that are asked for.
    #[error("no more results can be asked for than bids win")]
    Results,
    /// The way to the compared value is too long.
    #[error("at most {} members on the way to a value", limits::FIELD_DEPTH)]
    Field,
}

/// Checks everything about an announcement that needs no other record.
///
/// # Errors
/// [`RuleError`] for the first rule of the specification that it breaks.
pub fn check_announcement(it: &Announcement) -> Result<(), RuleError> {
    let ascending = it
        .capabilities
        .windows(2)
        .all(|pair| pair.first() < pair.last());
    let id = it
        .announcer
        .realm
        .map(|realm| BroadcastId::of(realm, it.commitment));
    check(id == Some(it.broadcast), RuleError::Id)?;
    check((1..=2).contains(&it.round), RuleError::Round)?;
    check(it.depth <= limits::CALL_DEPTH, RuleError::Depth)?;
    check(
        (1..=limits::WINDOW_MAX_MS).contains(&it.window_ms),
        RuleError::Window,
    )?;
    check(
        (1..=limits::RUN_MS).contains(&it.execution_ms),
        RuleError::Execution,
    )?;
    check(
        it.capabilities.len() <= limits::CAPABILITIES && ascending,
        RuleError::Capabilities,
    )?;
    check(
        it.reach.realms.len() <= limits::NAMED_SCOPES,
        RuleError::Scopes,
    )?;
    check_limits(&it.limits)?;
    check_rule(&it.rule, &it.limits)?;
    check_aggregation(it)
}

fn check(holds: bool, error: RuleError) -> Result<(), RuleError> {
    if holds { Ok(()) } else { Err(error) }
}

fn check_limits(limits: &BidLimits) -> Result<(), RuleError> {
    let currency = limits.currency.as_deref();
    check(currency.is_none_or(is_currency), RuleError::Currency)?;
    check(
        limits.price.is_none() || currency.is_some(),
        RuleError::PriceWithoutCurrency,
    )?;
    check(is_share(limits.confidence), RuleError::AboveOne)
}

pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_share(share: Option<u64>) -> bool {
    share.is_none_or(|share| share <= MILLION)
}

fn check_rule(rule: &Rule, ceilings: &BidLimits) -> Result<(), RuleError> {
    let most = limits::BIDS as u64;
    check(
        (1..=limits::AWARDS).contains(&rule.awards),
        RuleError::Awards,
    )?;
    check(
        rule.max_bids <= most && rule.min_bids.max(1) <= rule.max_bids && rule.standbys <= most,
        RuleError::Bids,
    )?;
    let early = rule.early;
    check(
        is_share(early.and_then(|it| it.confidence)),
        RuleError::AboveOne,
    )?;
    let weighted = rule.selection == Selection::Weighted;
    let Some(weights) = rule.weights else {
        return check(!weighted, RuleError::Weights);
    };
    let all = [
        weights.price,
        weights.time,
        weights.confidence,
        weights.trust,
    ];
    let bounded = all.iter().all(|weight| *weight <= limits::WEIGHT);
    check(weighted && bounded, RuleError::Weights)?;
    check(
        weights.price == 0 || ceilings.price.is_some(),
        RuleError::PriceScale,
    )
}

fn check_aggregation(it: &Announcement) -> Result<(), RuleError> {
    let aggregation = &it.aggregation;
    let asks_quorum =
        aggregation.strategy == Strategy::Quorum || aggregation.waiting == Waiting::Quorum;
    check(
        !asks_quorum || aggregation.quorum.is_some(),
        RuleError::Share,
    )?;
    let asks_threshold = aggregation.strategy == Strategy::Consensus;
    check(
        !asks_threshold || aggregation.threshold.is_some(),
        RuleError::Share,
    )?;
    let shares = [
        aggregation.quorum,
        aggregation.threshold,
        aggregation.confidence,
    ];
    check(shares.into_iter().all(is_share), RuleError::AboveOne)?;
    check(
        aggregation.min_results <= it.rule.awards,
        RuleError::Results,
    )?;
    check(
        aggregation.field.len() <= limits::FIELD_DEPTH,
        RuleError::Field,
    )
}
