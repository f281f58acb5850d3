//! When to try again.

/// Exponential backoff with full jitter: each delay is uniform between nothing and a ceiling
/// that doubles up to a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    base_ms: u64,
    cap_ms: u64,
    attempts: u32,
}

impl Backoff {
    /// For a link to a parent or peer that cannot be reached: from half a second up to four, so
    /// that a partition is over soon after it has ended.
    pub const RECONNECT: Self = Self::new(500, 4_000);
    /// For a link to a parent or peer that has turned this realm away: from half a second up to
    /// half a minute, since asking again changes nothing there.
    pub const TURNED_AWAY: Self = Self::new(500, 30_000);
    /// For a call tried again inside its deadline: from 100 ms up to 2 s.
    pub const RETRY: Self = Self::new(100, 2_000);

    /// Takes the ceiling of the first delay and of all, milliseconds.
    pub const fn new(base_ms: u64, cap_ms: u64) -> Self {
        Self {
            base_ms,
            cap_ms,
            attempts: 0,
        }
    }

    /// The next delay, milliseconds, drawn with 64 uniform random bits.
    pub fn delay_ms(&mut self, random: u64) -> u64 {
        let ceiling = self.ceiling_ms();
        self.attempts = self.attempts.saturating_add(1);
        let span = u128::from(ceiling) + 1;
        // The product of a u64 and at most 2^64, shifted by 64 bits, is at most `ceiling`.
        ((u128::from(random) * span) >> 64)
            .try_into()
            .unwrap_or(ceiling)
    }

    /// The most the next delay can be, milliseconds.
    pub fn ceiling_ms(&self) -> u64 {
        let factor = 1_u64.checked_shl(self.attempts).unwrap_or(u64::MAX);
        self.base_ms.saturating_mul(factor).min(self.cap_ms)
    }

    /// How many delays have been drawn since the last reset.
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Starts over: there was contact.
    pub const fn reset(&mut self) {
        self.attempts = 0;
    }
}
