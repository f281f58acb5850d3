//! Stacks: composites that announce work.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A composite whose steps announce work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackView {
    /// The composite's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it announces, in the order in which it runs.
    pub parts: Vec<StackPart>,
}

/// Work that a stack announces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackPart {
    /// Its step, from 0; parts of one step run side by side.
    pub step: usize,
    /// The loop that says how it is announced.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// What bidders must be able to do; if there is nothing, they have a loop of that name.
    pub capabilities: Vec<String>,
    /// Loops of this realm that can do it.
    pub able: Vec<String>,
    /// The members of its input, each with where it comes from; none where it gets the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Vec<StackInput>>,
    /// It runs only where this holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// How bids are chosen among: `best`, `all`, ….
    pub select: String,
    /// How many bids win.
    pub winners: u64,
    /// Fewest bids.
    pub min_bids: u64,
    /// How results are made one: `select`, `merge`, ….
    pub aggregate: String,
    /// How long bids are taken, milliseconds.
    pub window_ms: u64,
    /// How long the work may take in all, milliseconds.
    pub within_ms: u64,
}

/// A member of a part's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StackInput {
    /// Its name.
    pub name: String,
    /// Where it comes from: `$.input.text`.
    pub from: String,
}
