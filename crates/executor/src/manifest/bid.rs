//! How a loop bids for announced work.

use realm_protocol::{
    broadcast::{MILLION, millionths},
    limits,
};
use serde_json::Value;
use thiserror::Error;

use crate::{Condition, load::duration};

/// What a loop offers for announced work: `{price: EUR 0.02, time: 2s, confidence: 0.9, when: …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BidTerms {
    /// Currency, three upper-case letters, and price in millionths; none for nothing.
    pub price: Option<(String, u64)>,
    /// Milliseconds to the result.
    pub time_ms: u64,
    /// How sure it is of it, in millionths; one whole unless told.
    pub confidence: u64,
    /// CEL over the announcement; it bids only where this holds.
    pub when: Option<String>,
}

/// Why a manifest's `bid` says nothing.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BidTermsError {
    /// It is no object.
    #[error("write {{price: EUR 0.02, time: 2s, confidence: 0.9, when: \"load < 0.8\"}}")]
    Form,
    /// A member that is not known.
    #[error("`{0}` is not known; a bid has price, time, confidence and when")]
    Unknown(String),
    /// The price.
    #[error("a price is a currency of three upper-case letters and a number: EUR 0.02")]
    Price,
    /// The time.
    #[error("the time to the result is needed, such as 2s, 1ms to 30d")]
    Time,
    /// The confidence.
    #[error("a confidence is a number from 0 to 1, of at most six decimal places")]
    Confidence,
    /// The condition.
    #[error("`when`: {0}")]
    When(String),
}

impl TryFrom<&Value> for BidTerms {
    type Error = BidTermsError;

    fn try_from(bid: &Value) -> Result<Self, BidTermsError> {
        let members = bid.as_object().ok_or(BidTermsError::Form)?;
        let known = ["price", "time", "confidence", "when"];
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(BidTermsError::Unknown(name.clone()));
        }
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let price = match members.get("price") {
            None => None,
            Some(price) => Some(
                price
                    .as_str()
                    .and_then(amount)
                    .ok_or(BidTermsError::Price)?,
            ),
        };
        let time = text("time").and_then(|time| duration::parse(time).ok());
        let time = time.filter(|time| (1..=limits::RUN_MS).contains(time));
        let confidence = match members.get("confidence") {
            None => Some(MILLION),
            Some(Value::Number(number)) => millionths(&number.to_string()),
            Some(_) => None,
        };
        let confidence = confidence.filter(|confidence| *confidence <= MILLION);
        let when = match members.get("when") {
            None => None,
            Some(when) => {
                let when = when
                    .as_str()
                    .ok_or_else(|| BidTermsError::When("no text".into()))?;
                let parsed: Result<Condition, _> = when.parse();
                parsed.map_err(|error| BidTermsError::When(error.to_string()))?;
                Some(when.to_owned())
            }
        };
        Ok(Self {
            price,
            time_ms: time.ok_or(BidTermsError::Time)?,
            confidence: confidence.ok_or(BidTermsError::Confidence)?,
            when,
        })
    }
}

/// A currency and a price: `EUR 0.02`.
fn amount(text: &str) -> Option<(String, u64)> {
    let (currency, number) = text.split_once(' ')?;
    let letters = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    let price = millionths(number).filter(|_| letters)?;
    Some((currency.to_owned(), price))
}
