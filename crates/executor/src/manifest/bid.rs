//! How a loop bids for announced work.

use realm_protocol::{
    LoopId,
    broadcast::{MILLION, millionths},
    limits,
};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::{Condition, load::duration};

/// Names of what expressions see of an announcement and of the bidder.
const NAMES: [&str; 15] = [
    "loop",
    "capabilities",
    "effects",
    "root",
    "path",
    "currency",
    "highestPrice",
    "longestTime",
    "lowestConfidence",
    "window",
    "execution",
    "slots",
    "depth",
    "load",
    "budget",
];
/// How long an agent that is asked has to answer unless told, milliseconds.
const ASK_MS: u64 = 1_000;

/// What a loop offers for announced work: `{price: EUR 0.02, time: 2s, confidence: 0.9, when: …}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BidTerms {
    /// Where its offer comes from.
    pub offer: OfferTerms,
    /// It bids only where this holds over the announcement.
    pub when: Option<Condition>,
    /// Currency and millionths that its confirmed bids of one day come to at most.
    pub budget: Option<(String, u64)>,
    written: Value,
}

/// Where a loop's offers come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferTerms {
    /// From its manifest.
    Quote {
        /// Currency, three upper-case letters, and price: millionths, or an expression for whole
        /// units; none for nothing.
        price: Option<(String, Figure)>,
        /// Milliseconds to the result.
        time: Figure,
        /// How sure it is of it: millionths, or an expression for a fraction of one.
        confidence: Figure,
    },
    /// From another loop, which is asked about each announcement.
    Ask {
        /// The loop.
        loop_id: LoopId,
        /// How long it has, milliseconds.
        limit_ms: u64,
    },
}

/// A figure of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// Always the same.
    Fixed(u64),
    /// What an expression gives.
    Expression(Condition),
}

/// What an agent that was asked has said: `{price: EUR 0.02, time: 2s, confidence: 0.9}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Currency and price in millionths; none for nothing.
    pub price: Option<(String, u64)>,
    /// Milliseconds to the result.
    pub time_ms: u64,
    /// How sure it is of it, in millionths.
    pub confidence: u64,
}

impl Offered {
    /// Reads what was said; none if it would not, or says something else.
    pub fn read(said: &Value) -> Option<Self> {
        let members = Members(said.as_object()?);
        if members.0.get("bid") == Some(&Value::Bool(false)) {
            return None;
        }
        let OfferTerms::Quote {
            price,
            time,
            confidence,
        } = members.quote().ok()?
        else {
            return None;
        };
        let price = match price {
            Some((currency, price)) => Some((currency, price.fixed()?)),
            None => None,
        };
        Some(Self {
            price,
            time_ms: time.fixed()?,
            confidence: confidence.fixed()?,
        })
    }
}

impl Figure {
    const fn fixed(&self) -> Option<u64> {
        match self {
            Self::Fixed(figure) => Some(*figure),
            Self::Expression(_) => None,
        }
    }
}

/// What is wrong with a manifest's `bid`, and with which member of it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{fault}")]
pub struct BidTermsError {
    /// The member; none for the whole.
    pub member: Option<&'static str>,
    /// What is wrong.
    pub fault: BidTermsFault,
}

/// What is wrong with a member of a manifest's `bid`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BidTermsFault {
    /// It is no object.
    #[error(
        "write {{price: EUR 0.02, time: 2s, confidence: 0.9, when: \"load < 0.8\"}} or {{ask: LOOP}}"
    )]
    Form,
    /// A member that is not known.
    #[error(
        "`{0}` is not known; a bid has price, time, confidence, when and budget, or ask, within, \
         when and budget"
    )]
    Unknown(String),
    /// A member that has no meaning where the agent is asked, or without being asked.
    #[error("`{0}` and `ask` exclude each other")]
    Beside(&'static str),
    /// The time to answer, where nobody is asked.
    #[error("`within` is how long a loop has that is asked: write `ask` beside it")]
    Within,
    /// The price.
    #[error(
        "a price is a currency of three upper-case letters and a number or an expression: EUR 0.02"
    )]
    Price,
    /// The time.
    #[error(
        "the time to the result is needed, such as 2s, 1ms to 30d, or an expression in milliseconds"
    )]
    Time,
    /// The confidence.
    #[error(
        "a confidence is a number from 0 to 1, of at most six decimal places, or an expression"
    )]
    Confidence,
    /// The condition.
    #[error("a condition is a text: \"load < 0.8\"")]
    When,
    /// The budget.
    #[error("a budget is a currency of three upper-case letters and a number, for a day: EUR 5")]
    Budget,
    /// The loop that is asked, or how long it has.
    #[error("`ask` names a loop of this realm, and `within` is a time of 1ms to 60s")]
    Ask,
    /// An expression that is not CEL, or is too large.
    #[error("`{member}`: {what}")]
    Expression {
        /// Whose.
        member: &'static str,
        /// What is wrong.
        what: String,
    },
    /// An expression over something that an announcement does not have.
    #[error("`{member}`: `{name}` is not known; known are {}", NAMES.join(", "))]
    Name {
        /// Whose.
        member: &'static str,
        /// The name.
        name: String,
    },
}

impl BidTerms {
    /// Reads a manifest's `bid`.
    ///
    /// # Errors
    /// [`BidTermsError`] for the first member that says nothing.
    pub fn read(written: &Value) -> Result<Self, BidTermsError> {
        let members = written.as_object().ok_or(BidTermsFault::Form.of(None))?;
        let known = [
            "price",
            "time",
            "confidence",
            "when",
            "budget",
            "ask",
            "within",
        ];
        if let Some(name) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(BidTermsFault::Unknown(name.clone()).of(None));
        }
        let members = Members(members);
        let offer = if members.has("ask") {
            members.ask()?
        } else {
            members.quote()?
        };
        Ok(Self {
            offer,
            when: members.when()?,
            budget: members.budget()?,
            written: written.clone(),
        })
    }

    /// As it was written.
    pub const fn written(&self) -> &Value {
        &self.written
    }

    /// What the expression with this text gives over the members of an object; nothing if it is
    /// none of these, or fails.
    pub fn evaluate(&self, text: &str, facts: &Value) -> Option<Value> {
        let figures = match &self.offer {
            OfferTerms::Quote {
                price,
                time,
                confidence,
            } => [
                price.as_ref().map(|(_, it)| it),
                Some(time),
                Some(confidence),
            ],
            OfferTerms::Ask { .. } => [None; 3],
        };
        let expressions = figures.into_iter().flatten().filter_map(|it| match it {
            Figure::Expression(expression) => Some(expression),
            Figure::Fixed(_) => None,
        });
        let mut all = expressions.chain(&self.when);
        all.find(|it| it.text() == text)?.evaluate(facts)
    }
}

/// The members of a `bid`.
struct Members<'a>(&'a Map<String, Value>);

impl Members<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn ask(&self) -> Result<OfferTerms, BidTermsError> {
        let figures = ["price", "time", "confidence"];
        if let Some(name) = figures.into_iter().find(|name| self.has(name)) {
            return Err(BidTermsFault::Beside(name).of(Some(name)));
        }
        let loop_id = self.text("ask").and_then(|id| id.parse().ok());
        let limit_ms = match self.has("within") {
            true => self.text("within").and_then(|it| duration::parse(it).ok()),
            false => Some(ASK_MS),
        };
        let limit_ms = limit_ms.filter(|limit| (1..=limits::BID_MS).contains(limit));
        Ok(OfferTerms::Ask {
            loop_id: loop_id.ok_or(BidTermsFault::Ask.of(Some("ask")))?,
            limit_ms: limit_ms.ok_or(BidTermsFault::Ask.of(Some("within")))?,
        })
    }

    fn quote(&self) -> Result<OfferTerms, BidTermsError> {
        if self.has("within") {
            return Err(BidTermsFault::Within.of(Some("within")));
        }
        let price = match self.0.get("price") {
            None => None,
            Some(_) => Some(self.price()?),
        };
        let time = self.text("time");
        let time = time.ok_or(BidTermsFault::Time.of(self.at("time")))?;
        let time = match duration::parse(time) {
            Ok(time) if (1..=limits::RUN_MS).contains(&time) => Figure::Fixed(time),
            Ok(_) => return Err(BidTermsFault::Time.of(Some("time"))),
            Err(_) => expression("time", time)?,
        };
        Ok(OfferTerms::Quote {
            price,
            time,
            confidence: self.confidence()?,
        })
    }

    /// A member's name where it is there.
    fn at(&self, name: &'static str) -> Option<&'static str> {
        self.has(name).then_some(name)
    }

    fn price(&self) -> Result<(String, Figure), BidTermsError> {
        let wrong = || BidTermsFault::Price.of(Some("price"));
        let (currency, figure) = self.text("price").and_then(money).ok_or_else(wrong)?;
        let figure = match millionths(figure) {
            Some(price) => Figure::Fixed(price),
            None => expression("price", figure)?,
        };
        Ok((currency.to_owned(), figure))
    }

    fn confidence(&self) -> Result<Figure, BidTermsError> {
        let share = match self.0.get("confidence") {
            None => Some(MILLION),
            Some(Value::String(text)) => return expression("confidence", text),
            Some(Value::Number(number)) => millionths(&number.to_string()),
            Some(_) => None,
        };
        let share = share.filter(|share| *share <= MILLION);
        let share = share.ok_or(BidTermsFault::Confidence.of(Some("confidence")))?;
        Ok(Figure::Fixed(share))
    }

    fn when(&self) -> Result<Option<Condition>, BidTermsError> {
        match self.0.get("when") {
            None => Ok(None),
            Some(Value::String(text)) => compile("when", text).map(Some),
            Some(_) => Err(BidTermsFault::When.of(Some("when"))),
        }
    }

    fn budget(&self) -> Result<Option<(String, u64)>, BidTermsError> {
        if !self.has("budget") {
            return Ok(None);
        }
        let budget = self.text("budget").and_then(money);
        let budget = budget.and_then(|(currency, number)| Some((currency, millionths(number)?)));
        let (currency, most) = budget.ok_or(BidTermsFault::Budget.of(Some("budget")))?;
        Ok(Some((currency.to_owned(), most)))
    }
}

impl BidTermsFault {
    const fn of(self, member: Option<&'static str>) -> BidTermsError {
        let fault = self;
        BidTermsError { member, fault }
    }
}

fn expression(member: &'static str, text: &str) -> Result<Figure, BidTermsError> {
    compile(member, text).map(Figure::Expression)
}

fn compile(member: &'static str, text: &str) -> Result<Condition, BidTermsError> {
    let compiled: Condition = text.parse().map_err(|error: crate::ConditionError| {
        let what = error.to_string();
        BidTermsFault::Expression { member, what }.of(Some(member))
    })?;
    match compiled
        .names()
        .into_iter()
        .find(|it| !NAMES.contains(&it.as_str()))
    {
        Some(name) => Err(BidTermsFault::Name { member, name }.of(Some(member))),
        None => Ok(compiled),
    }
}

/// A currency, and what follows it: `EUR 0.02`.
fn money(text: &str) -> Option<(&str, &str)> {
    let (currency, rest) = text.split_once(' ')?;
    let letters = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    letters.then_some((currency, rest.trim()))
}
