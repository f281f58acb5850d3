//! What calls may use, and what they have used.

use std::{fmt, str::FromStr};

use realm_protocol::budget;
pub use realm_protocol::budget::NotAnAmount;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Amount {
    /// Three upper-case letters.
    pub currency: String,
    /// Millionths of the currency.
    pub micros: u64,
}

/// What a call and all that it causes may use. What is absent has no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// Money, of one currency: nothing is spent in another one, nor what nobody knows the price of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Amount>,
    /// Tokens of models, read and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// How often a model, a tool, another realm or bidders may be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
}

/// What a call and all that it caused have used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spend {
    /// Money, by currency.
    #[serde(default)]
    pub money: Vec<Amount>,
    /// Tokens of models, read and written.
    pub tokens: u64,
    /// How often a model, a tool, another realm or bidders were asked.
    pub calls: u64,
    /// How many of them cost what nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<u64>,
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        text.parse::<budget::Amount>().map(Self::from)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.currency.parse() {
            Ok(currency) => budget::Amount {
                currency,
                micros: self.micros,
            }
            .fmt(f),
            Err(_) => write!(f, "{} {} millionths", self.currency, self.micros),
        }
    }
}

impl fmt::Display for Spend {
    /// `EUR 0.0012, 1,204 tokens, 3 calls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for money in &self.money {
            write!(f, "{money}, ")?;
        }
        write!(f, "{} tokens, {} calls", self.tokens, self.calls)?;
        match self.unpriced {
            Some(unpriced) => write!(f, ", {unpriced} of unknown price"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = self.money.as_ref().map(ToString::to_string);
        let tokens = self.tokens.map(|tokens| format!("{tokens} tokens"));
        let calls = self.calls.map(|calls| format!("{calls} calls"));
        let bounds: Vec<String> = [money, tokens, calls].into_iter().flatten().collect();
        f.write_str(&bounds.join(", "))
    }
}

impl From<budget::Amount> for Amount {
    fn from(amount: budget::Amount) -> Self {
        Self {
            currency: amount.currency.to_string(),
            micros: amount.micros,
        }
    }
}

impl From<&budget::Spend> for Spend {
    fn from(spend: &budget::Spend) -> Self {
        Self {
            money: spend.money.iter().copied().map(Amount::from).collect(),
            tokens: spend.tokens,
            calls: spend.calls,
            unpriced: (spend.unpriced > 0).then_some(spend.unpriced),
        }
    }
}

impl From<budget::Budget> for Budget {
    fn from(budget: budget::Budget) -> Self {
        Self {
            money: budget.money.map(Amount::from),
            tokens: budget.tokens,
            calls: budget.calls,
        }
    }
}

impl TryFrom<Budget> for budget::Budget {
    type Error = budget::NotACurrency;

    fn try_from(asked: Budget) -> Result<Self, budget::NotACurrency> {
        let money = asked.money.map(|money| {
            Ok(budget::Amount {
                currency: money.currency.parse()?,
                micros: money.micros,
            })
        });
        Ok(Self {
            money: money.transpose()?,
            tokens: asked.tokens,
            calls: asked.calls,
        })
    }
}
