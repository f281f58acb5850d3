//! What a call and all that it causes may use, and what they have used.

use std::{cmp::Ordering, fmt, str::FromStr};

use thiserror::Error;

use crate::{
    broadcast::{MILLION, millionths},
    cbor::{CborError, Reader, Wire, Writer},
    limits, wire_map,
};

/// A currency: three upper-case letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// The text is not three upper-case letters.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a currency has three upper-case letters, such as EUR")]
pub struct NotACurrency;

/// The text is no amount of money.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "an amount is a currency of three upper-case letters and a number of at most six decimal places: EUR 0.50"
)]
pub struct NotAnAmount;

wire_map! {
    /// An amount of money.
    #[derive(Copy)]
    pub struct Amount {
        /// The currency.
        0 => currency: Currency,
        /// Millionths of it.
        1 => micros: u64,
    }
}

wire_map! {
    /// What a call and all that it causes may use. What is absent has no bound.
    #[derive(Copy, Default)]
    pub struct Budget {
        /// Money, of one currency: nothing may be spent in another one, nor what nobody knows the price of.
        0 => money: Option<Amount>,
        /// Tokens of models, read and written.
        1 => tokens: Option<u64>,
        /// How often a model, a tool, another realm or bidders may be asked.
        2 => calls: Option<u64>,
    }
}

wire_map! {
    /// What a call and all that it caused have used.
    #[derive(Default)]
    pub struct Spend {
        /// Money, by currency: each once, in their order.
        0 => money: Vec<Amount>,
        /// Tokens of models, read and written.
        1 => tokens: u64,
        /// How often a model, a tool, another realm or bidders were asked.
        2 => calls: u64,
        /// How many of them cost what nobody knows.
        3 => unpriced: u64,
    }
}

/// What of a budget does not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// The money.
    Money {
        /// What is wanted.
        wanted: u64,
        /// What is left.
        left: Amount,
    },
    /// The money is of another currency.
    Currency {
        /// What is wanted.
        wanted: Amount,
        /// What there is.
        given: Currency,
    },
    /// There is a bound for money, and nobody knows the price.
    Unpriced,
    /// The tokens.
    Tokens {
        /// How many are wanted.
        wanted: u64,
        /// How many are left.
        left: u64,
    },
    /// The calls.
    Calls,
}

impl Currency {
    /// No currency, for what costs nothing.
    pub const NONE: Self = Self(*b"XXX");

    /// The letters.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, NotACurrency> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| NotACurrency)?;
        match letters.iter().all(u8::is_ascii_uppercase) {
            true => Ok(Self(letters)),
            false => Err(NotACurrency),
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Wire for Currency {
    fn write(&self, out: &mut Writer) {
        out.text(self.as_str());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, CborError> {
        let read = from.text()?.parse();
        read.map_err(|_| CborError::Expected("a currency"))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.micros / MILLION, self.micros % MILLION);
        let places = format!("{rest:06}");
        let places = places.trim_end_matches('0');
        write!(f, "{} {whole}.{places:0<2}", self.currency)
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    /// Reads `EUR 0.50`, and the same with the currency behind or without the space.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let text = text.trim();
        let front = text.split_at_checked(3);
        let back = text
            .len()
            .checked_sub(3)
            .and_then(|at| text.split_at_checked(at));
        let read = |currency: &str, number: &str| {
            let currency = currency.parse().ok()?;
            let micros = millionths(number.trim())?;
            Some(Self { currency, micros })
        };
        let front = front.and_then(|(currency, number)| read(currency, number));
        let read = front.or_else(|| back.and_then(|(number, currency)| read(currency, number)));
        read.ok_or(NotAnAmount)
    }
}

impl Budget {
    /// Whether nothing is bounded.
    pub const fn is_unbounded(&self) -> bool {
        self.money.is_none() && self.tokens.is_none() && self.calls.is_none()
    }

    /// Whether there is no money or there are no tokens left to use, where they are bounded.
    pub fn is_used_up(&self) -> bool {
        self.money.is_some_and(|money| money.micros == 0) || self.tokens == Some(0)
    }

    /// The narrower of two, member by member. Of two currencies neither may be spent.
    #[must_use]
    pub fn narrowed(self, other: Self) -> Self {
        let money = match (self.money, other.money) {
            (Some(one), Some(two)) if one.currency == two.currency => Some(Amount {
                micros: one.micros.min(two.micros),
                ..one
            }),
            (Some(one), Some(_)) => Some(Amount { micros: 0, ..one }),
            (one, two) => one.or(two),
        };
        let least = |one: Option<u64>, two: Option<u64>| match (one, two) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        Self {
            money,
            tokens: least(self.tokens, other.tokens),
            calls: least(self.calls, other.calls),
        }
    }

    /// What is left after something was used.
    #[must_use]
    pub fn less(self, used: &Spend) -> Self {
        let money = self.money.map(|money| Amount {
            micros: money.micros.saturating_sub(used.micros_of(money.currency)),
            ..money
        });
        Self {
            money,
            tokens: self.tokens.map(|most| most.saturating_sub(used.tokens)),
            calls: self.calls.map(|most| most.saturating_sub(used.calls)),
        }
    }

    /// One of so many equal shares.
    #[must_use]
    pub fn share(self, of: u64) -> Self {
        let part = |whole: u64| whole.checked_div(of).unwrap_or(whole);
        Self {
            money: self.money.map(|money| Amount {
                micros: part(money.micros),
                ..money
            }),
            tokens: self.tokens.map(part),
            calls: self.calls.map(part),
        }
    }

    /// Whether something may be used.
    ///
    /// # Errors
    /// The first thing that does not suffice.
    pub fn check(&self, wanted: &Spend) -> Result<(), Excess> {
        if let Some(left) = self.money {
            if wanted.unpriced > 0 {
                return Err(Excess::Unpriced);
            }
            let (given, mut amounts) = (left.currency, wanted.money.iter());
            if let Some(wanted) = amounts.find(|it| it.currency != given && it.micros > 0) {
                let wanted = *wanted;
                return Err(Excess::Currency { wanted, given });
            }
            let wanted = wanted.micros_of(given);
            if wanted > left.micros {
                return Err(Excess::Money { wanted, left });
            }
        }
        if let Some(left) = self.tokens.filter(|left| wanted.tokens > *left) {
            let wanted = wanted.tokens;
            return Err(Excess::Tokens { wanted, left });
        }
        match self.calls {
            Some(left) if wanted.calls > left => Err(Excess::Calls),
            _ => Ok(()),
        }
    }

    /// All of it, as used.
    pub fn whole(&self) -> Spend {
        Spend {
            money: self
                .money
                .into_iter()
                .filter(|money| money.micros > 0)
                .collect(),
            tokens: self.tokens.unwrap_or(0),
            calls: self.calls.unwrap_or(0),
            unpriced: 0,
        }
    }

    /// What counts of a claim: at most all of what is bounded, and of the rest what is claimed.
    pub fn clamped(&self, claimed: &Spend) -> Spend {
        let least =
            |most: Option<u64>, claimed: u64| most.map_or(claimed, |most| claimed.min(most));
        let money = match self.money {
            None => claimed.money.clone(),
            Some(most) => {
                // Money that may not be spent at all is as if everything were.
                let foreign = claimed.money.iter().any(|it| it.currency != most.currency);
                let micros = match foreign || claimed.unpriced > 0 {
                    true => most.micros,
                    false => claimed.micros_of(most.currency).min(most.micros),
                };
                vec![Amount { micros, ..most }]
            }
        };
        Spend {
            money: money.into_iter().filter(|money| money.micros > 0).collect(),
            tokens: least(self.tokens, claimed.tokens),
            calls: least(self.calls, claimed.calls),
            unpriced: self.money.map_or(claimed.unpriced, |_| 0),
        }
    }
}

impl Spend {
    /// One call, and nothing else.
    pub fn one_call() -> Self {
        Self {
            calls: 1,
            ..Self::default()
        }
    }

    /// Whether nothing at all was used.
    pub fn is_nothing(&self) -> bool {
        let Self {
            money,
            tokens,
            calls,
            unpriced,
        } = self;
        money.is_empty() && *tokens == 0 && *calls == 0 && *unpriced == 0
    }

    /// Whether it is nothing but calls, of which none costs what nobody knows.
    pub fn is_calls_alone(&self) -> bool {
        self.money.is_empty() && self.tokens == 0 && self.unpriced == 0
    }

    /// Whether it is written as the protocol has it: few currencies, each once, in their order, none
    /// of which nothing was spent.
    pub fn is_well_formed(&self) -> bool {
        let ordered = self
            .money
            .iter()
            .zip(self.money.iter().skip(1))
            .all(|(one, next)| one.currency.cmp(&next.currency) == Ordering::Less);
        let some = self.money.iter().all(|money| money.micros > 0);
        ordered && some && self.money.len() <= limits::CURRENCIES
    }

    /// What was used of one currency, in millionths.
    pub fn micros_of(&self, currency: Currency) -> u64 {
        let found = self.money.iter().find(|money| money.currency == currency);
        found.map_or(0, |money| money.micros)
    }

    /// Adds what else was used. Of more currencies than fit the last count as unpriced.
    pub fn add(&mut self, more: &Self) {
        for money in more.money.iter().filter(|money| money.micros > 0) {
            let found = self
                .money
                .binary_search_by_key(&money.currency, |it| it.currency);
            match found {
                Ok(at) => {
                    if let Some(sum) = self.money.get_mut(at) {
                        sum.micros = sum.micros.saturating_add(money.micros);
                    }
                }
                Err(_) if self.money.len() >= limits::CURRENCIES => {
                    self.unpriced = self.unpriced.saturating_add(1);
                }
                Err(at) => self.money.insert(at, *money),
            }
        }
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.calls = self.calls.saturating_add(more.calls);
        self.unpriced = self.unpriced.saturating_add(more.unpriced);
    }

    /// Takes away what was added before.
    pub fn subtract(&mut self, less: &Self) {
        for money in &less.money {
            let found = self
                .money
                .iter_mut()
                .find(|it| it.currency == money.currency);
            if let Some(sum) = found {
                sum.micros = sum.micros.saturating_sub(money.micros);
            }
        }
        self.money.retain(|money| money.micros > 0);
        self.tokens = self.tokens.saturating_sub(less.tokens);
        self.calls = self.calls.saturating_sub(less.calls);
        self.unpriced = self.unpriced.saturating_sub(less.unpriced);
    }

    /// Two together.
    #[must_use]
    pub fn plus(mut self, more: &Self) -> Self {
        self.add(more);
        self
    }

    /// Whether it is more than another one in anything.
    pub fn exceeds(&self, other: &Self) -> bool {
        let money = self.money.iter();
        money
            .clone()
            .any(|it| it.micros > other.micros_of(it.currency))
            || self.tokens > other.tokens
            || self.calls > other.calls
            || self.unpriced > other.unpriced
    }
}

#[cfg(test)]
mod tests;
