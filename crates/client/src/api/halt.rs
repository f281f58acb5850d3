//! What stands still by its owner's word.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// Something to stand still; this realm and every realm below it unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HaltRequest {
    /// This loop alone.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub loop_id: Option<String>,
    /// This realm alone: this one, or one below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// This realm and every realm below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subtree: Option<String>,
    /// Why, for those who read it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How long to wait for realms below to confirm, milliseconds; at most a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Something to go on; everything unless told otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnhaltRequest {
    /// This loop alone.
    #[serde(default, rename = "loop", skip_serializing_if = "Option::is_none")]
    pub loop_id: Option<String>,
    /// This run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// This realm, and what was halted with it: this one, or one below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// Why, for those who read it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How long to wait for realms below to confirm, milliseconds; at most a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// A word that lets something stand still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Halt {
    /// Who said it.
    pub by: String,
    /// When.
    pub at: Time,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Loops that go on all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loops: Vec<String>,
    /// Runs that go on all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
}

/// A loop that stands still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoopHalt {
    /// The loop.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The word.
    pub halt: Halt,
}

/// The word of a realm above.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AboveHalt {
    /// The realm that said it to this one.
    pub realm: String,
    /// The realm whose owner said it first.
    pub by: String,
    /// When it came.
    pub at: Time,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A realm below that is told to stand still, or to go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BelowHalt {
    /// The realm.
    pub realm: String,
    /// Whether it is to stand still, and not to go on.
    pub halted: bool,
    /// Whether every realm below it is meant as well.
    pub subtree: bool,
    /// Since when.
    pub at: Time,
    /// When it confirmed; absent where it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<Time>,
    /// Runs that stand still there.
    pub runs: u64,
    /// Whether its own work stands still as well, and not only what it does for others.
    pub own: bool,
    /// Realms below it that have confirmed, as it says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<String>,
    /// Realms below it that have not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconfirmed: Vec<String>,
    /// Realms below it that it did not name.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unnamed: u64,
}

impl BelowHalt {
    /// Whether it and every realm below it have confirmed.
    pub fn is_settled(&self) -> bool {
        self.confirmed_at.is_some() && self.unconfirmed.is_empty() && self.unnamed == 0
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes what it asks about by reference"
)]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// One change of what stands still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HaltChange {
    /// Its number.
    pub number: u64,
    /// When it was made.
    pub at: Time,
    /// Who made it.
    pub by: String,
    /// Whether something stands still since, and does not go on.
    pub halted: bool,
    /// What it is about.
    pub what: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What stands still.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HaltState {
    /// The whole realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Halt>,
    /// Whether every realm below is meant with the whole realm.
    #[serde(default)]
    pub tree: bool,
    /// Loops.
    #[serde(default)]
    pub loops: Vec<LoopHalt>,
    /// Realms above that let this one stand still, for what it does for others or through the tree.
    #[serde(default)]
    pub above: Vec<AboveHalt>,
    /// Realms below that are told to stand still, or to go on.
    #[serde(default)]
    pub below: Vec<BelowHalt>,
    /// Runs that stand still by that.
    pub runs: u64,
    /// What was changed, the newest first.
    #[serde(default)]
    pub changes: Vec<HaltChange>,
}
