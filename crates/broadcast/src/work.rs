//! What every holder of a slot shares.

use realm_protocol::{BroadcastId, CallId, Digest};

/// Domain tag of the idempotency key of leased work.
const TAG_SLOT: &str = "realm/1/slot";

/// The idempotency key of a slot's work; the same for every holder, so that the work has at most
/// one effect where it goes to the next, or is announced again.
pub fn slot_key(broadcast: BroadcastId, work: Option<CallId>, slot: u64) -> Digest {
    let name = work.as_ref().map_or(broadcast.as_bytes(), CallId::as_bytes);
    Digest::of(&[TAG_SLOT.as_bytes(), &[0], name, &slot.to_be_bytes()])
}
