//! Work without an address.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCompleter;

use super::{Span, calls::BudgetArgs};
use crate::complete;

/// One whole, in millionths.
const MILLION: u64 = 1_000_000;

/// Announce work without an address: agents that can do it bid, the winners do it.
#[derive(Args, Debug)]
pub struct BroadcastArgs {
    /// The loop whose contract the work has; it is registered here.
    #[arg(value_name = "LOOP", add = ArgValueCompleter::new(complete::own_loops))]
    pub loop_id: String,
    /// Members of the input: `name=text` or `name:=JSON`.
    #[arg(value_name = "KEY=VALUE")]
    pub members: Vec<String>,
    /// Input: JSON, `@FILE`, or `-` for stdin.
    #[arg(short, long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub input: Option<String>,
    /// A capability that loops declare which may do the work, whatever they are called; can be given
    /// several times.
    #[arg(long, value_name = "NAME")]
    pub capability: Vec<String>,
    /// Who is asked: `children`, `subtree`, `peers`, or a realm and all below it.
    #[arg(
        long,
        value_name = "SCOPE",
        value_delimiter = ',',
        default_value = "subtree"
    )]
    pub scope: Vec<String>,
    /// Who is asked besides, in a second round, if the first has too few bids.
    #[arg(long, value_name = "SCOPE", value_delimiter = ',')]
    pub wider: Vec<String>,
    /// Levels of the subtree and of each peer's tree.
    #[arg(long, value_name = "LEVELS")]
    pub depth: Option<u64>,
    /// How long bids are taken at most; it ends once everybody has answered.
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub window: Span,
    /// How long the work may take in all.
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub within: Span,
    /// How long after the bids awards are made; `--within` unless told, and at most.
    #[arg(long, value_name = "TIME")]
    pub award: Option<Span>,
    /// How long a person is waited for who has to say whether work that may have begun is given out again; `--within`
    /// unless told, and at most.
    #[arg(long, value_name = "TIME")]
    pub person: Option<Span>,
    /// The work may neither call loops nor announce work of its own.
    #[arg(long)]
    pub no_sub_loops: bool,
    /// Currency of prices: three upper-case letters.
    #[arg(long, value_name = "CURRENCY")]
    pub currency: Option<String>,
    /// Highest price, in the currency.
    #[arg(long, value_name = "PRICE", requires = "currency")]
    pub max_price: Option<Decimal>,
    /// Longest time to the result that a bid may offer.
    #[arg(long, value_name = "TIME")]
    pub max_time: Option<Span>,
    /// Lowest confidence of a bid: 0.8.
    #[arg(long, value_name = "SHARE")]
    pub min_confidence: Option<Decimal>,
    /// How bids are ranked.
    #[arg(long, value_enum, default_value_t = SelectBy::Best)]
    pub select: SelectBy,
    /// Rank by a score: `price=0.5,time=0.3,confidence=0.2,trust=0.1`.
    #[arg(
        long,
        value_name = "WHAT=WEIGHT",
        value_delimiter = ',',
        conflicts_with = "select"
    )]
    pub weigh: Vec<Weight>,
    /// How many bids win.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub winners: u64,
    /// How many further bids may win in place of one that falls out.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub standbys: u64,
    /// How many winners work at a time; all of them unless told.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub at_once: Option<u64>,
    /// Fewest bids.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub min_bids: u64,
    /// Most bids.
    #[arg(long, value_name = "N")]
    pub max_bids: Option<u64>,
    /// Most bids of one realm of this tree with all below it.
    #[arg(long, value_name = "N")]
    pub per_realm: Option<u64>,
    /// Take bids no longer once this many have come.
    #[arg(long, value_name = "N")]
    pub enough: Option<u64>,
    /// Which bids count for `--enough`: `price=0.05,time=2s,confidence=0.8`; all, unless told.
    #[arg(
        long,
        value_name = "WHAT=BOUND",
        value_delimiter = ',',
        requires = "enough"
    )]
    pub good: Vec<Good>,
    /// How results are made one.
    #[arg(long, value_enum, default_value_t = AggregateBy::Select)]
    pub aggregate: AggregateBy,
    /// A loop of this realm that makes the results one.
    #[arg(long, value_name = "LOOP", conflicts_with = "aggregate", add = ArgValueCompleter::new(complete::own_loops))]
    pub aggregator: Option<String>,
    /// How many results are waited for.
    #[arg(long, value_enum, default_value_t = WaitBy::All)]
    pub wait: WaitBy,
    /// Share of the winners that a quorum needs: 0.5.
    #[arg(long, value_name = "SHARE")]
    pub quorum: Option<Decimal>,
    /// Share of the results that a consensus needs: 0.6.
    #[arg(long, value_name = "SHARE")]
    pub threshold: Option<Decimal>,
    /// Fewest results.
    #[arg(long, value_name = "N")]
    pub min_results: Option<u64>,
    /// Lowest confidence of a result that counts: 0.8.
    #[arg(long, value_name = "SHARE")]
    pub min_result_confidence: Option<Decimal>,
    /// The member of the outputs that is compared or counted: `quote.price`.
    #[arg(long, value_name = "NAME.NAME")]
    pub field: Option<String>,
    /// What it may use.
    #[command(flatten)]
    pub budget: BudgetArgs,
    /// Draw bids, awards, leases and results on stderr as they come, with what runs here announce for them.
    #[arg(long)]
    pub watch: bool,
    /// Do not wait: print the run.
    #[arg(long, conflicts_with = "watch")]
    pub detach: bool,
}

/// What a bid is scored by, and how much it counts.
#[derive(Clone, Copy, Debug)]
pub struct Weight {
    /// What.
    pub of: Scored,
    /// Out of 1,000.
    pub weight: u64,
}

/// What a bid is scored by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scored {
    /// A low price.
    Price,
    /// A short time.
    Time,
    /// Confidence.
    Confidence,
    /// What this realm makes of the bidder.
    Trust,
}

impl FromStr for Weight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not price, time, confidence or trust, `=` and 0 to 1");
        let (of, weight) = text.split_once('=').ok_or_else(wrong)?;
        let of = Scored::from_str(of, false).map_err(|_| wrong())?;
        let micros = realm_client::millionths(weight).filter(|it| *it <= MILLION);
        let weight = micros.ok_or_else(wrong)? / 1_000;
        Ok(Self { of, weight })
    }
}

/// A bound that a good bid keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Good {
    /// Highest price, in millionths of the currency.
    Price(u64),
    /// Longest time to the result, milliseconds.
    Time(u64),
    /// Lowest confidence, in millionths.
    Confidence(u64),
}

impl FromStr for Good {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bound = match text.split_once('=') {
            Some(("price", price)) => realm_client::millionths(price).map(Self::Price),
            Some(("time", time)) => time.parse().ok().map(|it: Span| Self::Time(it.as_millis())),
            Some(("confidence", share)) => {
                let share = realm_client::millionths(share).filter(|it| *it <= MILLION);
                share.map(Self::Confidence)
            }
            _ => None,
        };
        bound.ok_or_else(|| format!("`{text}` is not price=0.05, time=2s or confidence=0.8"))
    }
}

/// How many results are waited for.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum WaitBy {
    /// All winners'.
    All,
    /// The share of them that `--quorum` says.
    Quorum,
    /// More than half of them.
    Majority,
    /// One.
    Any,
}

/// How bids are ranked.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SelectBy {
    /// In the order in which they counted.
    First,
    /// By price, then time, then confidence.
    Best,
    /// By a hash that nobody knows before.
    Random,
    /// As `best`; every bid wins, up to `--winners`.
    All,
}

/// How results are made one.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum AggregateBy {
    /// The best bidder's.
    Select,
    /// All members of all objects.
    Merge,
    /// What most say, if they are as many as `--threshold` asks.
    Consensus,
    /// What most say, if they are as many of the winners as `--quorum` asks.
    Quorum,
    /// What most say.
    Vote,
    /// The mean of numbers.
    Average,
    /// The mean of numbers, each by how sure its bidder is.
    WeightedAverage,
    /// The sum of numbers.
    Sum,
    /// All, by their numbers, the largest first.
    Rank,
    /// The one that came first.
    FirstValid,
    /// The surest.
    HighestConfidence,
    /// All, as a list.
    CollectAll,
}

/// A decimal number of at most six places.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    /// In millionths.
    pub micros: u64,
}

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let micros = realm_client::millionths(text).ok_or_else(|| {
            format!("`{text}` is no number such as 0.02, with six decimal places at most")
        })?;
        Ok(Self { micros })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_good_is_a_price_a_time_or_a_share() {
        let read = |text: &str| text.parse::<Good>().ok();
        assert_eq!(read("price=0.05"), Some(Good::Price(50_000)));
        assert_eq!(read("time=2s"), Some(Good::Time(2_000)));
        assert_eq!(read("confidence=0.8"), Some(Good::Confidence(800_000)));
        for wrong in [
            "price",
            "price=EUR 1",
            "time=2",
            "confidence=1.1",
            "load=0.1",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
