//! Work without an address: announced, bid for, awarded, made one.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{CallError, InvokeStatus};

/// What is announced, to whom, and how bids and results are chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// If any, only realms at or below these are asked.
    #[serde(default)]
    pub realms: Vec<String>,
    /// Currency of prices, three upper-case letters; none where nothing is paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Highest price, millionths of the currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price_micros: Option<u64>,
    /// How long bids are taken, milliseconds, 1 to 60,000; it ends earlier once everybody has
    /// answered.
    pub window_ms: u64,
    /// How long the work may take in all, milliseconds.
    pub execution_ms: u64,
    /// How bids are ranked.
    #[serde(default)]
    pub select: Select,
    /// How many bids win.
    pub winners: u64,
    /// How many further bids may win in place of one that falls out.
    #[serde(default)]
    pub standbys: u64,
    /// Fewest bids.
    pub min_bids: u64,
    /// How results are made one.
    #[serde(default)]
    pub aggregate: Aggregate,
    /// Share of the valid results that a consensus needs, millionths; with `consensus`, and only
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u64>,
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
    /// What most say, if they are as many as `threshold` asks.
    Consensus,
    /// What most say.
    Vote,
    /// The mean of numbers.
    Average,
    /// The one that came first.
    FirstValid,
    /// The surest.
    HighestConfidence,
    /// All, as a list.
    CollectAll,
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
