//! What a start needs to know of a kept call: all but the call itself.

use realm_protocol::{CallId, Digest, Label, Place, Scope, Timestamp, journal::JournalSeq};

use super::mailbox::Kept;
use crate::state::{self, KeptCall};

/// A kept call without its body, so that a start need not hold all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOutline {
    pub(super) number: u64,
    pub(super) child: Label,
    pub(super) source: Place,
    digest: Digest,
    call: CallId,
    pub(super) created: Timestamp,
    until: Timestamp,
    bytes: usize,
}

impl KeptOutline {
    /// Reads key and value of a record of [`realm_protocol::journal::Table::Custody`]; one that
    /// does not read is reported and left out.
    pub fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let stored = state::read::<KeptCall>(value);
        let stored =
            stored.inspect_err(|error| tracing::error!(%error, "a kept call does not read"));
        let stored = stored.ok()?;
        let header = stored.envelope.peek().ok()?;
        Some(Self {
            number: u64::from_be_bytes(key.try_into().ok()?),
            child: stored.child,
            source: header.source,
            digest: stored.envelope.digest(),
            call: header.call,
            created: header.created,
            until: stored.until,
            bytes: value.len(),
        })
    }

    /// The call as the custodian holds it, and for which child.
    pub(super) fn into_kept(self, share: Option<Scope>) -> (Label, Kept) {
        let kept = Kept {
            digest: self.digest,
            source: self.source,
            call: self.call,
            created: self.created,
            share,
            bytes: self.bytes,
            until: self.until,
            written: JournalSeq(0),
            given: None,
            given_up: false,
        };
        (self.child, kept)
    }
}
