//! When something is sent again that may have been lost.

use realm_protocol::{Tick, limits};

/// The part of the time that an answer has after which its question is sent again the first time; each
/// time twice as long.
const PART: u64 = 8;

/// How often something was sent, and when it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resend {
    next: Tick,
    waits_ms: u64,
    sends: u32,
}

impl Resend {
    /// Something was sent whose answer has so long, milliseconds.
    pub(crate) fn new(now: Tick, answer_ms: u64) -> Self {
        let waits_ms = (answer_ms / PART).max(1);
        Self {
            next: now.plus(waits_ms),
            waits_ms,
            sends: 1,
        }
    }

    /// When it is sent again; none once it was sent as often as may be.
    pub(crate) fn next(&self) -> Option<Tick> {
        (self.sends < limits::AWARD_SENDS).then_some(self.next)
    }

    /// Whether it is to be sent again now, and so is taken for sent.
    pub(crate) fn is_due(&mut self, now: Tick) -> bool {
        let due = self.next().is_some_and(|next| next <= now);
        if due {
            self.sends = self.sends.saturating_add(1);
            self.waits_ms = self.waits_ms.saturating_mul(2);
            self.next = now.plus(self.waits_ms);
        }
        due
    }
}
