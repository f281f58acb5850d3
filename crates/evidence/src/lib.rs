//! What a file proves, from its bytes alone.
//!
//! [`examine`] reads the evidence of a broadcast: an announcer's transcript, of which it recomputes
//! the ranking, every award and the outcome ([`Account`]), or a bidder's receipt, which shows whether
//! its bid was counted and ranked by the rule ([`Standing`]). Every signature is checked by the
//! certificates in the file. What is wrong is an [`EvidenceError`] that names the entry. The same
//! bytes give the same verdict everywhere. It must never know where a file came from, what realm
//! reads it, what else that realm knows, or the time.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod account;
mod chains;
mod error;
mod receipt;
mod transcript;

use realm_protocol::{broadcast::Evidence, cbor};
use serde::Serialize;

pub use account::{Account, BidAccount, Fate, Slot};
pub use chains::SignatureError;
pub use error::EvidenceError;
pub use receipt::{Receipt, Standing};

/// What evidence shows, where nothing in it is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Finding {
    /// An announcer's transcript follows the rule.
    Transcript(Account),
    /// A bidder's receipt does not contradict the rule.
    Receipt(Receipt),
}

/// Examines a file of evidence.
///
/// # Errors
/// [`EvidenceError`] where it is none, or for the first thing in it that is wrong.
pub fn examine(bytes: &[u8]) -> Result<Finding, EvidenceError> {
    match cbor::decode(bytes).map_err(EvidenceError::Unreadable)? {
        Evidence::Transcript(it) => transcript::examine(&it).map(Finding::Transcript),
        Evidence::Receipt(it) => receipt::examine(&it).map(Finding::Receipt),
    }
}
