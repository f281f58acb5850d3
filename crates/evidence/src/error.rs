//! What is wrong with evidence.

use realm_broadcast::{CloseError, TranscriptError, announcer::Fault};
use realm_protocol::cbor::CborError;
use thiserror::Error;

use crate::{AuditError, CallsError, ContradictionError, SignatureError};

/// Why a file is no evidence, or what in it is wrong.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EvidenceError {
    /// The bytes are no evidence.
    #[error("no evidence: {0}")]
    Unreadable(#[source] CborError),
    /// The transcript is not the one that was signed.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// The transcript is of another broadcast than its seal.
    #[error("the seal is of another broadcast")]
    Another,
    /// The seal is not the announcer's.
    #[error("the seal: {0}")]
    Seal(#[source] SignatureError),
    /// Something signed in an entry is not whose it should be.
    #[error("entry {entry}, {what}: {error}")]
    Signature {
        /// The entry's number, from 0.
        entry: u64,
        /// What was signed.
        what: &'static str,
        /// Why it proves nothing.
        #[source]
        error: SignatureError,
    },
    /// An entry does not follow from the rule.
    #[error(transparent)]
    Rule(#[from] Fault),
    /// Something signed in a receipt is not whose it should be.
    #[error("{what}: {error}")]
    Receipt {
        /// What was signed.
        what: &'static str,
        /// Why it proves nothing.
        #[source]
        error: SignatureError,
    },
    /// It is evidence of something else.
    #[error("only an audit log has another audit log as a witness, and receipts others")]
    NoWitness,
    /// An audit log is not the one that was signed.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Two heads of an audit log do not contradict each other.
    #[error(transparent)]
    Contradiction(#[from] ContradictionError),
    /// Receipts of calls are not what was signed.
    #[error(transparent)]
    Calls(#[from] CallsError),
    /// The bid does not answer the announcement.
    #[error("the bid does not answer the announcement beside it")]
    Unrelated,
    /// The close proves that the rule was broken.
    #[error("the close proves a wrong ranking: {0}")]
    Close(#[from] CloseError),
}

impl EvidenceError {
    /// What signatures and the rule give, or what is wrong first: that may be why the other is wrong
    /// as well.
    pub(crate) fn first<A, B>(
        signatures: Result<A, Self>,
        rule: Result<B, Fault>,
    ) -> Result<(A, B), Self> {
        match (signatures, rule) {
            (Ok(signatures), Ok(rule)) => Ok((signatures, rule)),
            (Err(error), Err(fault)) if error.entry() <= Some(fault.entry) => Err(error),
            (_, Err(fault)) => Err(fault.into()),
            (Err(error), Ok(_)) => Err(error),
        }
    }

    pub(crate) fn signature(entry: u64, what: &'static str, error: SignatureError) -> Self {
        Self::Signature { entry, what, error }
    }

    /// The number, from 0, of the entry that is wrong, if it is one.
    pub fn entry(&self) -> Option<u64> {
        match self {
            Self::Signature { entry, .. } => Some(*entry),
            Self::Rule(fault) => Some(fault.entry),
            Self::Transcript(error) => error.entry(),
            Self::Audit(error) => error.entry(),
            Self::Calls(error) => error.receipt(),
            _ => None,
        }
    }

    /// Whether the file could be read at all, so that there is a verdict on it.
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::Unreadable(_) | Self::NoWitness)
    }
}
