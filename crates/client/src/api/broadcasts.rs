//! Work without an address: announced, bid for, awarded, made one.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Budget, CallError, InvokeStatus};

/// What is announced, to whom, and how bids and results are chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BroadcastRequest {
    /// The loop whose contract the work has; it is registered here.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// If any, loops that declare all of these may do it, whatever they are called.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Input, as the loop's input schema has it. It leaves with a lease alone.
    pub input: Value,
    /// Levels below this realm that are asked; 1 is its children.
    #[serde(default)]
    pub down: u64,
    /// Levels above it whose other subtrees are asked.
    #[serde(default)]
    pub up: u64,
    /// Levels of each peer's tree that are asked; 1 is the peers themselves.
    #[serde(default)]
    pub across: u64,
    /// If any, only realms at or below these are asked, and those besides.
    #[serde(default)]
    pub realms: Vec<String>,
    /// Who else is asked beside `realms`, whatever they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub besides: Option<Levels>,
    /// A second round, where the first has too few bids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wider: Option<Wider>,
    /// Currency of prices, three upper-case letters; none where nothing is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Highest price, millionths of the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price_micros: Option<u64>,
    /// Longest time to the result that a bid may offer, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_time_ms: Option<u64>,
    /// Lowest confidence of a bid, millionths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_confidence: Option<u64>,
    /// What the broadcast and all that it causes may use; where it says nothing, what the configuration does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// How long bids are taken, milliseconds, 1 to 60,000; it ends earlier once everybody has
    /// answered.
    pub window_ms: u64,
    /// How long the work may take in all, milliseconds.
    pub execution_ms: u64,
    /// How long after the bids awards are made, milliseconds; as long as the work may take unless told, and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub award_ms: Option<u64>,
    /// How long a person is waited for who has to say whether work that may have begun is given out again, milliseconds; as
    /// long as the work may take unless told, and at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_ms: Option<u64>,
    /// Whether the work may call loops and announce work of its own; it may unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_loops: Option<bool>,
    /// How bids are ranked.
    #[serde(default)]
    pub select: Select,
    /// What a score is made of; with `weighted`, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// How many bids win.
    pub winners: u64,
    /// How many further bids may win in place of one that falls out.
    #[serde(default)]
    pub standbys: u64,
    /// How many winners work at a time; all of them unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u64>,
    /// Fewest bids.
    pub min_bids: u64,
    /// Most bids; 8,192 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bids: Option<u64>,
    /// Most bids of one realm of this tree with all below it; none for no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_realm: Option<u64>,
    /// When bids are taken no longer because enough good ones have come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enough: Option<Enough>,
    /// How results are made one.
    #[serde(default)]
    pub aggregate: Aggregate,
    /// The loop here that makes them one; with `loop`, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregator: Option<String>,
    /// How many results are waited for.
    #[serde(default)]
    pub wait: WaitFor,
    /// Share of all winners that a quorum needs, millionths; with `aggregate` or `wait` as
    /// `quorum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u64>,
    /// Share of the valid results that a consensus needs, millionths; with `consensus`, and only
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u64>,
    /// Fewest results; 1 unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_results: Option<u64>,
    /// Lowest confidence of a result that counts, millionths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_result_confidence: Option<u64>,
    /// Members on the way to the value that is compared or counted; none for the whole output.
    #[serde(default)]
    pub field: Vec<String>,
    /// Answer as soon as the broadcast is on the disk, with its run and status `running`.
    #[serde(default)]
    pub detach: bool,
}

/// How far a second round goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wider {
    /// Levels below this realm that are asked.
    #[serde(default)]
    pub down: u64,
    /// Levels above it whose other subtrees are asked.
    #[serde(default)]
    pub up: u64,
    /// Levels of each peer's tree that are asked.
    #[serde(default)]
    pub across: u64,
    /// If any, only realms at or below these are asked, and those besides.
    #[serde(default)]
    pub realms: Vec<String>,
    /// Who else is asked beside `realms`, whatever they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub besides: Option<Levels>,
}

/// How near realms are that are asked whatever they are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Levels {
    /// Levels below this realm.
    #[serde(default)]
    pub down: u64,
    /// Levels above it, each with so many levels below it as there are down.
    #[serde(default)]
    pub up: u64,
    /// Levels of each peer's tree.
    #[serde(default)]
    pub across: u64,
}

/// What a score is made of: how much each counts, up to 1,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Weights {
    /// A low price, against the highest.
    #[serde(default)]
    pub price: u64,
    /// A short time, against the longest or the time for the work.
    #[serde(default)]
    pub time: u64,
    /// Confidence.
    #[serde(default)]
    pub confidence: u64,
    /// What this realm makes of the bidder.
    #[serde(default)]
    pub trust: u64,
}

/// Which bids are good, and how many of them are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Enough {
    /// How many.
    pub bids: u64,
    /// Highest price of a good one, millionths of the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_micros: Option<u64>,
    /// Longest time to the result of a good one, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// Lowest confidence of a good one, millionths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<u64>,
}

/// How many results are waited for; at least `minResults`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum WaitFor {
    /// All winners'.
    #[default]
    All,
    /// The quorum's share of them.
    Quorum,
    /// More than half of them.
    Majority,
    /// One.
    Any,
}

/// How bids are ranked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Select {
    /// In the order in which they counted.
    First,
    /// By price, then time, then confidence.
    #[default]
    Best,
    /// By a hash that nobody knows before.
    Random,
    /// As `best`; every bid wins, up to `winners`.
    All,
    /// By a score of `weights`.
    Weighted,
}

/// How results are made one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Aggregate {
    /// The best bidder's.
    #[default]
    Select,
    /// All members of all objects.
    Merge,
    /// What most say, if they are as many of the results as `threshold` asks.
    Consensus,
    /// What most say, if they are as many of the winners as `quorum` asks.
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
    /// What a loop here makes of them.
    Loop,
}

/// What became of a broadcast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BroadcastResult {
    /// The run here.
    pub run_id: String,
    /// The broadcast.
    pub broadcast_id: String,
    /// The loop's id.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// How it ended.
    pub status: InvokeStatus,
    /// Output, if it ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Error, if it did not; its name says how: `TooFewBids`, `NoConsensus`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CallError>,
    /// Bids that counted.
    pub bids: usize,
    /// Everybody who won a slot, by slot.
    pub slots: Vec<SlotResult>,
    /// Milliseconds from announcement to outcome.
    pub duration_ms: u64,
}

/// Who held a slot last, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotResult {
    /// The slot, from 0.
    pub slot: u64,
    /// Its holder's id.
    pub realm_id: String,
    /// Digest of the holder's signed bid.
    pub bid: String,
    /// Digest of its signed outcome, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What it was to the output: `Contributed`, `Dissented`, `Failed`, ….
    pub part: String,
    /// Why it has no output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
