//! What a file proves, from its bytes alone.
//!
//! [`examine`] reads the evidence of a broadcast: an announcer's transcript, of which it recomputes
//! the ranking, every award and the outcome ([`Account`]), or as much of it as one bidder may see
//! ([`ViewAccount`]); or a bidder's receipt, which shows whether
//! its bid was counted and ranked by the rule ([`Standing`]); or a part of a realm's audit log, of
//! which it shows that nothing was removed, changed, moved or added ([`AuditAccount`]); or receipts of
//! calls, of which it says what they come to ([`CallsAccount`]); or two heads of one audit log that contradict
//! each other ([`ContradictionAccount`]). Every signature is checked by the
//! certificates in the file. What is wrong is an [`EvidenceError`] that names the entry. The same
//! bytes give the same verdict everywhere. It must never know where a file came from, what realm
//! reads it, what else that realm knows, or the time.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod account;
mod audit;
mod calls;
mod chains;
mod contradiction;
mod error;
mod receipt;
mod signatures;
mod transcript;
mod view;

use realm_protocol::{broadcast::Evidence, cbor};
use serde::Serialize;

pub use account::{Account, BidAccount, Decision, Fate, Late, Said, SideAccount, Slot};
pub use audit::{AuditAccount, AuditError};
pub use calls::{Bill, CallAccount, CallsAccount, CallsError, StatementAccount, Used};
pub use chains::SignatureError;
pub use contradiction::{ContradictionAccount, ContradictionError, HeadAccount};
pub use error::EvidenceError;
pub use realm_protocol::audit::Contradiction;
pub use receipt::{Receipt, Standing};
pub use view::{ViewAccount, ViewedBid};

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
    /// Receipts of calls are as both sides have signed them.
    Calls(CallsAccount),
    /// A realm has signed two heads of its audit log that contradict each other.
    Contradiction(ContradictionAccount),
    /// What a bidder may see of an announcer's transcript does not contradict the rule.
    View(ViewAccount),
}

/// Examines a file, and holds it against another one that somebody has kept: what was signed of an audit
/// log then must be the beginning of what is signed now; a statement must have every receipt that
/// the witness shows, and no realm may have reported less than it spent.
///
/// # Errors
/// As [`examine`], also where the two are not of one kind, or of a kind that has no witnesses.
pub fn examine_witnessed(bytes: &[u8], witness: &[u8]) -> Result<Finding, EvidenceError> {
    let read = |bytes| cbor::decode(bytes).map_err(EvidenceError::Unreadable);
    match (read(bytes)?, read(witness)?) {
        (Evidence::Audit(export), Evidence::Audit(witness)) => {
            let account = audit::examine(&export)?;
            audit::witnessed(&export, &witness)?;
            Ok(Finding::Audit(account))
        }
        (Evidence::Receipts(export), Evidence::Receipts(witness)) => {
            let (checked, witness) = (calls::check(&export)?, calls::check(&witness)?);
            let unmatched = Some(calls::witnessed(&checked, &witness)?);
            let account = calls::account(&checked);
            Ok(Finding::Calls(CallsAccount {
                unmatched,
                ..account
            }))
        }
        _ => Err(EvidenceError::NoWitness),
    }
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
        Evidence::Contradiction(it) => Ok(contradiction::examine(&it).map(Finding::Contradiction)?),
        Evidence::View(it) => view::examine(&it).map(Finding::View),
        Evidence::Receipts(it) => Ok(Finding::Calls(calls::account(&calls::check(&it)?))),
    }
}
