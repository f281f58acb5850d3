//! Counts of what happened and of what was refused, by reason.

use std::collections::BTreeMap;

/// Why bytes from a link were dropped or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// Not well-formed.
    Malformed,
    /// A frame that the link's standing does not allow.
    NotAdmitted,
    /// An unknown version or a kind without code.
    Version,
    /// A source, destination or phase that the link may not carry.
    Ingress,
    /// No hops left.
    Hops,
    /// Past its time.
    Expired,
    /// More than the link may send.
    Rate,
    /// A call beyond a rate that its owner set.
    CallRate,
    /// A wrong or missing signature.
    Signature,
    /// A wrong, expired or revoked certificate.
    Certificate,
    /// A message id seen before.
    Replay,
    /// Addressed to another realm or node than this.
    Audience,
    /// Sealed to a key that is not here, or sealed wrongly.
    Sealed,
    /// An answer that nobody waits for.
    Unasked,
    /// No permission.
    Denied,
    /// A bound reached.
    Overloaded,
    /// Work of a realm below that stands still by this one's word.
    Halted,
}

impl Refused {
    /// The reason's name in status and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotAdmitted => "notAdmitted",
            Self::Version => "version",
            Self::Ingress => "ingress",
            Self::Hops => "hops",
            Self::Expired => "expired",
            Self::Rate => "rate",
            Self::CallRate => "callRate",
            Self::Signature => "signature",
            Self::Certificate => "certificate",
            Self::Replay => "replay",
            Self::Audience => "audience",
            Self::Sealed => "sealed",
            Self::Unasked => "unasked",
            Self::Denied => "denied",
            Self::Overloaded => "overloaded",
            Self::Halted => "halted",
        }
    }
}

/// What a node has counted since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Envelopes delivered here.
    pub delivered: u64,
    /// Envelopes forwarded.
    pub relayed: u64,
    /// Envelopes sent from here.
    pub sent: u64,
    /// Calls served here, given answers again not counted.
    pub served: u64,
    /// Callees that said that they used more than they were given.
    pub overclaimed: u64,
    /// What was refused, by reason.
    pub refused: BTreeMap<Refused, u64>,
}

impl Counters {
    pub(crate) fn refuse(&mut self, reason: Refused) {
        let count = self.refused.entry(reason).or_default();
        *count = count.saturating_add(1);
    }
}
