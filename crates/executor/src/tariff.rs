//! What models cost, so that a call which a budget would not bear is never made.

use std::{collections::BTreeMap, fmt};

use realm_protocol::budget::{Amount, Currency, Spend};
use serde_json::Value;

use crate::{BackendReply, ModelRequest, ToolSpec, Turn};

/// Tokens that a price is for.
const PRICED_TOKENS: u128 = 1_000_000;
/// Tokens that a model's format may put around one message or tool, at most.
const AROUND: usize = 64;

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// The currency.
    pub currency: Currency,
    /// For tokens read, in millionths of the currency.
    pub input: u64,
    /// For tokens written, in millionths of the currency.
    pub output: u64,
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |micros| Amount {
            currency: self.currency,
            micros,
        };
        let output = amount(self.output).to_string();
        let output = output.split_once(' ').map_or("", |(_, number)| number);
        write!(f, "{} {output}", amount(self.input))
    }
}

impl Price {
    /// What this many tokens cost, rounded up; none past what can be counted.
    pub fn of(&self, input: u64, output: u64) -> Option<Amount> {
        let times = |tokens: u64, price: u64| u128::from(tokens).checked_mul(u128::from(price));
        let sum = times(input, self.input)?.checked_add(times(output, self.output)?)?;
        Some(Amount {
            currency: self.currency,
            micros: u64::try_from(sum.div_ceil(PRICED_TOKENS)).ok()?,
        })
    }
}

/// What is known of a model backend before it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// Most tokens of an answer where a loop does not say.
    pub max_tokens: u64,
    /// The model that its price is for; none for whichever answers.
    pub model: Option<String>,
    /// What it costs, if that is known.
    pub price: Option<Price>,
    /// What others cost.
    pub prices: Prices,
}

/// What models cost, by their names.
pub type Prices = BTreeMap<String, Price>;

/// What a model costs that is asked, none for its backend's own choice: as the backend says of its own, or of whichever
/// answers where it names none; else as the table says of its name.
pub fn price_of(
    (own, price): (Option<&str>, Option<Price>),
    table: &Prices,
    asked: Option<&str>,
) -> Option<Price> {
    let is_own = own.zip(asked).is_none_or(|(own, asked)| own == asked);
    let listed = || table.get(asked.or(own)?).copied();
    price.filter(|_| is_own).or_else(listed)
}

impl Tariff {
    /// Of what costs nothing.
    pub(crate) const FREE: Self = Self {
        max_tokens: 1_024,
        model: None,
        price: Some(Price {
            currency: Currency::NONE,
            input: 0,
            output: 0,
        }),
        prices: Prices::new(),
    };
    /// Of what nobody knows anything about.
    pub(crate) const UNKNOWN: Self = Self {
        max_tokens: 4_096,
        model: None,
        price: None,
        prices: Prices::new(),
    };

    /// What is known of one model behind it.
    pub(crate) fn of_model(&self, asked: Option<&str>) -> Self {
        let own = (self.model.as_deref(), self.price);
        Self {
            max_tokens: self.max_tokens,
            model: asked.map(str::to_owned),
            price: price_of(own, &self.prices, asked),
            prices: Prices::new(),
        }
    }

    /// What an answer has used; none where its backend did not say.
    pub(crate) fn used(&self, reply: &BackendReply) -> Option<Spend> {
        let (input, output) = reply.input_tokens.zip(reply.output_tokens)?;
        Some(self.answer(input, output, reply.cost))
    }

    /// The most that an answer can use.
    pub(crate) fn most(&self, request: &ModelRequest) -> Spend {
        let input = request.most_input_tokens();
        let output = request.max_tokens.unwrap_or(self.max_tokens);
        self.answer(input, output, None)
    }

    /// An answer that reads and writes this many tokens, for what its backend says that it costs or else by
    /// its price.
    fn answer(&self, input: u64, output: u64, cost: Option<Amount>) -> Spend {
        let worked_out = || self.price.and_then(|price| price.of(input, output));
        let cost = cost.or_else(worked_out);
        Spend {
            money: cost.into_iter().filter(|cost| cost.micros > 0).collect(),
            tokens: input.saturating_add(output),
            calls: 1,
            unpriced: u64::from(cost.is_none()),
        }
    }
}

impl ModelRequest {
    /// More tokens than a model reads of it: no token is shorter than a byte.
    fn most_input_tokens(&self) -> u64 {
        let json = |value: &Value| value.to_string().len();
        let tool = |tool: &ToolSpec| {
            let words = tool.name.len().saturating_add(tool.description.len());
            words
                .saturating_add(json(&tool.schema))
                .saturating_add(AROUND)
        };
        let turn = |turn: &Turn| {
            let said = turn.said.as_ref().map_or(0, String::len);
            let calls = turn.calls.iter().map(|call| {
                let names = call.id.len().saturating_add(call.name.len());
                names
                    .saturating_add(json(&call.arguments))
                    .saturating_add(AROUND)
            });
            let results = turn.results.iter();
            let results = results.map(|result| json(&result.output).saturating_add(AROUND));
            calls
                .chain(results)
                .fold(said.saturating_add(AROUND), usize::saturating_add)
        };
        let system = self.system.as_ref().map_or(0, String::len);
        let texts = [system, self.prompt.len(), AROUND, AROUND];
        let texts = texts.into_iter().fold(0, usize::saturating_add);
        let schema = self.schema.as_ref().map_or(0, json);
        let tools = self.tools.iter().map(tool);
        let turns = self.turns.iter().map(turn);
        let bytes = tools
            .chain(turns)
            .fold(texts.saturating_add(schema), usize::saturating_add);
        bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_costs_what_its_backend_says_of_its_own_and_else_what_the_table_says() {
        let price = |input| Price {
            currency: Currency::NONE,
            input,
            output: 0,
        };
        let names = [("small", 1), ("large", 2)];
        let table = names.map(|(name, input)| (name.to_owned(), price(input)));
        let table = Prices::from(table);
        let cost = |own, asked| price_of(own, &table, asked).map(|price| price.input);
        let own = Some(price(9));

        assert_eq!(cost((Some("small"), own), None), Some(9));
        assert_eq!(cost((Some("small"), own), Some("small")), Some(9));
        assert_eq!(cost((Some("small"), own), Some("large")), Some(2));
        assert_eq!(cost((Some("small"), own), Some("other")), None);
        assert_eq!(cost((Some("small"), None), None), Some(1));
        assert_eq!(cost((None, own), Some("large")), Some(9));
        assert_eq!(cost((None, None), None), None);
    }
}
