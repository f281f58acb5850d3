//! How an agent bids, and what comes of it for one announcement.

use realm_protocol::{
    Digest, LoopId,
    broadcast::{Announcement, MILLION, Price},
    limits,
};
use serde_json::{Value, json};
use thiserror::Error;

use super::DayBudget;
use crate::{number::Micros, rule::RuleError};

/// A figure of a bid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Always the same, in the figure's own unit.
    Fixed(u64),
    /// What an expression over the announcement gives.
    Expression(String),
}

/// How an agent bids by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// An expression; the agent bids only where it gives true.
    pub when: Option<String>,
    /// Currency and price: millionths, or an expression for whole units. None for nothing.
    pub price: Option<(String, Figure)>,
    /// Milliseconds to the result.
    pub time: Figure,
    /// Millionths, or an expression for a fraction of one.
    pub confidence: Figure,
}

/// How an agent bids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Terms {
    /// By itself.
    Quote(Quote),
    /// It is asked, and has so long to answer, milliseconds.
    Ask {
        /// An expression; the agent is asked only where it gives true.
        when: Option<String>,
        /// How long.
        limit_ms: u64,
    },
}

/// An agent that may bid for an announcement: it can do the work, and policy permits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// The agent.
    pub agent: LoopId,
    /// Digest of its contract.
    pub contract: Digest,
    /// How it bids.
    pub terms: Terms,
    /// What its confirmed bids of a day may come to; none for no bound.
    pub budget: Option<DayBudget>,
}

/// What an agent offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it would cost; none for nothing.
    pub price: Option<Price>,
    /// Milliseconds to the result.
    pub time_ms: u64,
    /// How sure it is, in millionths.
    pub confidence: u64,
}

/// Why there is no bid.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NoBid {
    /// The announcement breaks a rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A broadcast of another announcer has the same id: nobody takes another's place.
    #[error("another realm announced a broadcast of that id")]
    Taken,
    /// Bids are open for as many announcements as may be: of its tree, or of all others.
    #[error(
        "bids are open for {} announcements of one's own tree at most, for {} of one foreign root, and by {} agents for each on average",
        limits::OFFERS,
        limits::OFFERS_PER_ROOT,
        limits::OFFER_AGENTS
    )]
    Flooded,
    /// The agent bids only where its condition holds.
    #[error("the agent's condition does not hold")]
    Condition,
    /// An expression gives nothing, or no number that a bid can hold.
    #[error("an expression of the agent's bid gives no figure")]
    Expression,
    /// The agent was asked and would not, or did not answer in time.
    #[error("the agent would not, or did not say in time")]
    Declined,
    /// The agent's confirmed bids of this day leave no room for the price.
    #[error("the agent's budget of this day has no room for the price")]
    Budget,
    /// The announcement asks for another currency, or for nothing to be paid.
    #[error("the announcement is in another currency")]
    Currency,
    /// The price is above the highest.
    #[error("the price is above the announcement's highest")]
    Price,
    /// The time is above the longest.
    #[error("the time is above the announcement's longest")]
    Time,
    /// The confidence is below the lowest.
    #[error("the confidence is below the announcement's lowest")]
    Confidence,
}

/// What an expression is evaluated over, and gives.
pub type Evaluate<'a> = &'a dyn Fn(&str, &Value) -> Option<Value>;

impl Quote {
    /// What the agent offers for an announcement.
    pub(super) fn offer(&self, facts: &Value, evaluate: Evaluate<'_>) -> Result<Offer, NoBid> {
        meets(self.when.as_deref(), facts, evaluate)?;
        let price = match &self.price {
            Some((currency, figure)) => Some(Price {
                currency: currency.clone(),
                micros: figure.get(facts, evaluate, Micros::millionths)?,
            }),
            None => None,
        };
        Ok(Offer {
            price,
            time_ms: self.time.get(facts, evaluate, Micros::rounded)?,
            confidence: self.confidence.get(facts, evaluate, Micros::millionths)?,
        })
    }
}

/// Whether an agent's condition holds, if it has one.
pub(super) fn meets(
    when: Option<&str>,
    facts: &Value,
    evaluate: Evaluate<'_>,
) -> Result<(), NoBid> {
    match when.map(|when| evaluate(when, facts)) {
        None | Some(Some(Value::Bool(true))) => Ok(()),
        Some(Some(Value::Bool(false))) => Err(NoBid::Condition),
        Some(_) => Err(NoBid::Expression),
    }
}

impl Figure {
    fn get(
        &self,
        facts: &Value,
        evaluate: Evaluate<'_>,
        unit: fn(Micros) -> Option<u64>,
    ) -> Result<u64, NoBid> {
        match self {
            Self::Fixed(figure) => Ok(*figure),
            Self::Expression(text) => {
                let value = evaluate(text, facts).as_ref().and_then(Micros::read);
                value.and_then(unit).ok_or(NoBid::Expression)
            }
        }
    }
}

/// Whether an offer keeps to an announcement's limits.
pub(super) fn keeps_to(offer: &Offer, announcement: &Announcement) -> Result<(), NoBid> {
    let asked = &announcement.limits;
    let (price, currency) = (offer.price.as_ref(), asked.currency.as_deref());
    let refusals = [
        (
            price.is_some_and(|price| Some(price.currency.as_str()) != currency),
            NoBid::Currency,
        ),
        (
            asked
                .price
                .is_some_and(|most| price.is_some_and(|it| it.micros > most)),
            NoBid::Price,
        ),
        (
            asked.time_ms.is_some_and(|most| offer.time_ms > most),
            NoBid::Time,
        ),
        (
            offer.confidence > MILLION
                || asked
                    .confidence
                    .is_some_and(|least| offer.confidence < least),
            NoBid::Confidence,
        ),
    ];
    let first = refusals.into_iter().find(|(refused, _)| *refused);
    first.map_or(Ok(()), |(_, why)| Err(why))
}

/// What expressions see of an announcement and of the bidder; shares and prices always with a
/// fraction, so that they mix with each other.
pub(super) fn facts(
    announcement: &Announcement,
    window_ms: u64,
    load: u64,
    budget: Option<u64>,
) -> Value {
    let units = |millionths: u64| Micros::of_millionths(millionths).write()?.as_f64();
    let asked = &announcement.limits;
    json!({
        "loop": announcement.loop_id,
        "capabilities": announcement.capabilities,
        "effects": announcement.effects.name(),
        "root": announcement.announcer.root,
        "path": announcement.announcer.path.as_str(),
        "currency": asked.currency,
        "highestPrice": asked.price.and_then(units),
        "longestTime": asked.time_ms,
        "lowestConfidence": asked.confidence.and_then(units),
        "window": window_ms,
        "execution": announcement.execution_ms,
        "slots": announcement.rule.awards,
        "depth": announcement.depth,
        "load": units(load),
        "budget": budget.and_then(units),
    })
}
