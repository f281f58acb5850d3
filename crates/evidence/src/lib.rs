//! What a file proves, from its bytes alone.
//!
//! [`examine`] reads the evidence of a broadcast: an announcer's transcript, of which it recomputes
//! the ranking, every award and the outcome ([`Account`]), or a bidder's receipt, which shows whether
//! its bid was counted and ranked by the rule ([`Standing`]); or a part of a realm's audit log, of
//! which it shows that nothing was removed, changed, moved or added ([`AuditAccount`]). Every signature is checked by the
//! certificates in the file. What is wrong is an [`EvidenceError`] that names the entry. The same
//! bytes give the same verdict everywhere. It must never know where a file came from, what realm
//! reads it, what else that realm knows, or the time.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod account;
mod audit;
mod chains;
mod error;
mod receipt;
mod transcript;

use realm_protocol::{broadcast::Evidence, cbor};
use serde::Serialize;

pub use account::{Account, BidAccount, Fate, Slot};
pub use audit::{AuditAccount, AuditError};
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
    /// A part of a realm's audit log is as it was signed.
    Audit(AuditAccount),
}

/// Examines an audit log, and holds it against another export of it that somebody has kept: what was
/// signed then must be the beginning of what is signed now.
///
/// # Errors
/// As [`examine`], also where one of the two is no audit log.
pub fn examine_witnessed(bytes: &[u8], witness: &[u8]) -> Result<Finding, EvidenceError> {
    let read = |bytes| match cbor::decode(bytes).map_err(EvidenceError::Unreadable)? {
        Evidence::Audit(it) => Ok(it),
        _ => Err(EvidenceError::NoAudit),
    };
    let (export, witness) = (read(bytes)?, read(witness)?);
    let account = audit::examine(&export)?;
    audit::witnessed(&export, &witness)?;
    Ok(Finding::Audit(account))
}

/// Examines a file of evidence.
///
/// # Errors
/// [`EvidenceError`] where it is none, or for the first thing in it that is wrong.
pub fn examine(bytes: &[u8]) -> Result<Finding, EvidenceError> {
    match cbor::decode(bytes).map_err(EvidenceError::Unreadable)? {
        Evidence::Transcript(it) => transcript::examine(&it).map(Finding::Transcript),
        Evidence::Receipt(it) => receipt::examine(&it).map(Finding::Receipt),
        Evidence::Audit(it) => Ok(audit::examine(&it).map(Finding::Audit)?),
    }
}
