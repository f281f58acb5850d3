//! Grants on the disk.

use realm_crypto::{CertError, SignedGrant, VerifiedGrants, verify_grant, verify_grants};
use realm_protocol::{GrantId, Scope, Timestamp, numbered, records::GrantLink, wire_map};

numbered! {
    /// Why a realm keeps a grant.
    GrantKept ("a known reason to keep a grant") {
        /// It gave it, of its own or of what it holds.
        Given = 1,
        /// It may use it.
        Held = 2,
        /// Somebody else handed it on, and its uses are counted here.
        Counted = 3,
    }
}

wire_map! {
    /// A grant as a realm keeps it, by its id.
    pub struct StoredGrant {
        /// Why.
        0 => kept: GrantKept,
        /// Its chain, the first first; empty of one that is counted alone.
        1 => links: Vec<GrantLink>,
        /// Where who holds it stood, or who gave it.
        2 => other: Option<Scope>,
        /// Calls that have begun by it here.
        3 => used: u64,
        /// When it was taken back.
        4 => revoked: Option<Timestamp>,
        /// When it is good no more, and forgotten.
        5 => until: Timestamp,
        /// The first of its chain, of one that is counted alone.
        6 => first: Option<GrantId>,
    }
}

impl StoredGrant {
    /// The chain, which was verified before it was kept.
    pub(crate) fn chain(&self) -> Option<VerifiedGrants> {
        verify_grants(&self.links, trusted).ok()
    }
}

/// A grant whose signer was judged before, or is this node.
pub(super) fn trusted(link: &GrantLink) -> Result<SignedGrant, CertError> {
    verify_grant(link, |_, _, _| Ok(()))
}
