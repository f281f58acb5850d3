//! What a node starts with.

use std::collections::{BTreeMap, BTreeSet};

use realm_crypto::SigningKey;
use realm_executor::Tariff;
use realm_policy::Redaction;
use realm_protocol::{
    Label,
    budget::Budget,
    journal::{JournalSeq, Run, Table},
    limits,
    records::{Inception, NodeCert, Signed, Succession},
};

use crate::{AuditTail, KeptOutline};

/// What the owner decides about a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// What this machine calls the realm; for a root also the petname it offers to others.
    pub name: Label,
    /// Addresses a ticket names, as multiaddr text, the best first.
    pub addresses: Vec<String>,
    /// Calls under way, in and out.
    pub max_calls: usize,
    /// Calls under way here from one foreign root.
    pub max_calls_per_peer: usize,
    /// Milliseconds a call waits where the caller does not say.
    pub call_timeout_ms: u64,
    /// Messages a second that a child's certificate lets its link carry, and that this realm takes
    /// from its parent; four times as many at once.
    pub child_rate: u64,
    /// Bytes a second that are taken from one peer; four times as many at once.
    pub peer_bytes: u64,
    /// Whether realms that talk share session keys; otherwise each message is sealed for itself.
    pub sessions: bool,
    /// Chains of other realms that are remembered.
    pub chains: usize,
    /// Announcements a second that are passed on from under one root; four times as many at once.
    pub announce_rate: u64,
    /// What is kept for realms that are offline.
    pub custody: CustodyTerms,
    /// Whether everything stands still from the start.
    pub halted: bool,
    /// What realms above may halt here.
    pub halted_from_above: crate::HaltedFromAbove,
    /// What is taken out of inputs and outputs before traces are written.
    pub redaction: Redaction,
    /// What calls may use where nobody else says.
    pub budgets: Budgets,
    /// What makes breakers open though nothing fails.
    pub breakers: realm_executor::BreakerBounds,
    /// What models cost, by backend.
    pub tariffs: BTreeMap<String, Tariff>,
    /// Which loops may use which secrets.
    pub secrets: realm_executor::SecretLoops,
    /// Bytes that prompts' definitions may have together, in all their versions.
    pub prompt_bytes: u64,
    /// How often calls of others begin.
    pub rates: Vec<crate::Rate>,
    /// Roots that hear the names of people; all others hear pseudonyms.
    pub hear_names: BTreeSet<Label>,
}

/// What calls may use where nobody else says: nothing is bounded by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// A call that is made on this machine and does not say.
    pub run: Budget,
    /// A call of another realm, whatever it says.
    pub served: Budget,
    /// A run of this realm before people are asked, whatever its loop says.
    pub ask: Budget,
}

/// What an owner agrees to about calls for realms that are offline: nothing by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustodyTerms {
    /// Whether this realm asks its parent to keep calls for it.
    pub ask: bool,
    /// Whether this realm keeps calls for its children that ask for it.
    pub keep_for_children: bool,
    /// Longest that it keeps one, milliseconds.
    pub keep_ms: u64,
}

impl Default for CustodyTerms {
    fn default() -> Self {
        Self {
            ask: false,
            keep_for_children: false,
            keep_ms: limits::STORABLE_TTL_MS,
        }
    }
}

/// Messages at once, for each of a second's.
pub(crate) const BURST: u64 = 4;

/// The secret keys a node works with. Files are the daemon's business.
#[derive(Debug)]
pub struct Keys {
    /// Signs node certificates; absent while its owner keeps it offline.
    pub realm: Option<SigningKey>,
    /// Signs everything else.
    pub node: SigningKey,
}

/// The public records a realm was founded with.
#[derive(Clone, Debug)]
pub struct Founding {
    /// The realm's first record.
    pub inception: Signed<Inception>,
    /// Its successions, in order.
    pub successions: Vec<Signed<Succession>>,
    /// The node's first certificate.
    pub node_cert: Signed<NodeCert>,
}

/// What the store holds from before.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Sequence of the last durable entry.
    pub last: JournalSeq,
    /// Every record of every table but `Keys`, which is only ever looked up, `Custody`, and those of the
    /// audit log.
    pub records: Vec<(Table, Vec<u8>, Vec<u8>)>,
    /// What is in `Custody`, by key.
    pub kept: Vec<KeptOutline>,
    /// Runs that had not ended.
    pub under_way: Vec<UnderWay>,
    /// The end of the audit log.
    pub audit: AuditTail,
    /// Whether the store was restored from a backup since the last start.
    pub restored: bool,
}

/// A run that had not ended.
#[derive(Clone, Debug)]
pub struct UnderWay {
    /// The run.
    pub run: Run,
    /// The index that its next event has.
    pub events: u64,
}
