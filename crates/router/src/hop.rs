//! What a realm writes into the mutable part of an envelope.

use realm_protocol::{Hop, Phase, limits};

/// The hop of a message on its first link: all hops left, age zero.
pub const fn first_hop(phase: Phase) -> Hop {
    Hop {
        left: limits::HOPS,
        phase,
        age_ms: 0,
    }
}

/// The hop of a message sent on in `phase` after `waited_ms` here; none is `HopLimit`.
///
/// The last link a message may take carries `left` = 1.
pub const fn forward_hop(hop: &Hop, phase: Phase, waited_ms: u64) -> Option<Hop> {
    if hop.left <= 1 {
        return None;
    }
    Some(Hop {
        left: hop.left - 1,
        phase,
        age_ms: hop.age_ms.saturating_add(waited_ms),
    })
}
