//! Bids of this realm, and what proves how a broadcast went.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Time;

/// A bid that this realm has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BidSummary {
    /// Digest of the bid.
    pub bid: String,
    /// The broadcast.
    pub broadcast_id: String,
    /// Who announced it.
    pub announcer: String,
    /// The loop whose work it was.
    #[serde(rename = "loop")]
    pub loop_id: String,
    /// The loop here that would do it.
    pub agent: String,
    /// Currency of the price; none for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Price, millionths of the currency.
    pub price_micros: u64,
    /// Time to the result, milliseconds.
    pub time_ms: u64,
    /// Confidence, millionths.
    pub confidence: u64,
    /// When it was made.
    pub created_at: Time,
    /// Whether it was awarded a slot.
    pub awarded: bool,
    /// Whether the announcer has closed the broadcast.
    pub closed: bool,
}

/// What this realm makes of a bidder by what it did with work that it had confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BidderTrust {
    /// The bidder's id.
    pub realm_id: String,
    /// How it is trusted now, millionths; half is what nobody is known by, and what all fade to.
    pub trust: u64,
    /// What it did last, the oldest first.
    pub events: Vec<TrustEvent>,
    /// How realms below it are trusted of which nothing is known, millionths; absent where none below has done anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<u64>,
}

/// Something that a bidder did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustEvent {
    /// What: `Delivered`, `Late`, `GaveBack`, `Failed` or `Broke`.
    pub conduct: String,
    /// When.
    pub at: Time,
    /// How it was trusted after that, millionths.
    pub trust: u64,
}

/// Which bids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BidQuery {
    /// At most so many, 1 to 500.
    pub limit: Option<u32>,
}

/// Which of a run's broadcasts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TranscriptQuery {
    /// The call that is the broadcast; needed only where the run has announced several.
    pub call: Option<String>,
    /// A realm that has bid: what it may see of the broadcast, once that has ended. Without one,
    /// everything.
    #[serde(rename = "for")]
    pub reader: Option<String>,
}

/// A file that proves how a broadcast went, by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceFile {
    /// The broadcast.
    pub broadcast_id: String,
    /// The bytes, in base64url without padding.
    pub evidence: String,
}
