//! Every byte that leaves a process: names, ids, records, envelopes, failure codes and limits.
//!
//! Start at [`Envelope`] and [`Header`] for what crosses a link, at [`records`] for what realms
//! sign about themselves and each other, at [`broadcast`] for work without an address, at
//! [`Failure`] for what can go wrong, and at [`limits`] for every bound. The normative text is `protocol/spec/`; this crate is its first reader.
//! It must never know secret keys, clocks, IO, or what is allowed.

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod address;
pub mod audit;
pub mod broadcast;
pub mod budget;
pub mod cbor;
mod envelope;
mod failure;
pub mod halt;
mod ids;
mod internet;
pub mod journal;
pub mod json;
mod key;
pub mod limits;
pub mod link;
pub mod message;
mod name;
pub mod receipt;
pub mod records;
#[cfg(test)]
mod samples;
mod time;
pub mod trace;

pub use address::{LoopAddress, LoopId, Place, RealmName, Scope};
pub use envelope::{
    Envelope, Header, Hop, Kind, Phase, Priority, ReadHeader, Signature, Suite, TAG_ROOT,
    TAG_SINGLE, flags, message_digest,
};
pub use failure::{Failure, FailureCode};
pub use ids::{
    ApprovalId, BroadcastId, CallId, Digest, GrantId, KeyId, MessageId, NodeId, PersonId, RealmId,
    RunId, Secret16, TicketId,
};
pub use internet::is_public;
pub use key::is_canonical_key;
pub use name::{Label, NameError, RealmPath};
pub use time::{Now, Tick, Timestamp};
