//! How much a link may send.

use realm_protocol::Tick;

const MILLI: u64 = 1_000;

/// A token bucket: `rate` messages a second, at most `burst` at once. Starts full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    rate: u64,
    burst: u64,
    /// Thousandths of a token, so that milliseconds divide evenly.
    millis: u64,
    filled: Tick,
}

impl TokenBucket {
    /// Takes the rate in messages a second and the burst in messages.
    pub const fn new(rate: u64, burst: u64, now: Tick) -> Self {
        Self {
            rate,
            burst,
            millis: burst.saturating_mul(MILLI),
            filled: now,
        }
    }

    /// Takes one token if there is one. Time that runs backward fills nothing.
    pub fn take(&mut self, now: Tick) -> bool {
        self.take_above(1, 0, now)
    }

    /// Takes so many tokens if a quarter of the burst is there besides, which is for the other verbs.
    pub fn take_early(&mut self, count: u64, now: Tick) -> bool {
        self.take_above(count, self.burst / 4, now)
    }

    /// Takes so many tokens if they are there.
    pub fn take_many(&mut self, count: u64, now: Tick) -> bool {
        self.take_above(count, 0, now)
    }

    fn take_above(&mut self, count: u64, kept: u64, now: Tick) -> bool {
        self.fill(now);
        let kept = kept.saturating_mul(MILLI);
        let taken = self.millis.checked_sub(count.saturating_mul(MILLI));
        let taken = taken.filter(|left| *left >= kept);
        self.millis = taken.unwrap_or(self.millis);
        taken.is_some()
    }

    /// Milliseconds until [`TokenBucket::take`] can succeed; `u64::MAX` for never.
    pub fn retry_after_ms(&self, now: Tick) -> u64 {
        let mut filled = *self;
        filled.fill(now);
        let missing = MILLI.saturating_sub(filled.millis);
        match missing {
            0 => 0,
            _ if self.rate == 0 || self.burst == 0 => u64::MAX,
            _ => missing.div_ceil(self.rate),
        }
    }

    /// Changes rate and burst, as a greeting and a renewed certificate may. What was taken stays taken: what
    /// a larger burst has more is there at once.
    pub fn set(&mut self, rate: u64, burst: u64, now: Tick) {
        self.fill(now);
        let more = burst.saturating_sub(self.burst).saturating_mul(MILLI);
        let full = burst.saturating_mul(MILLI);
        self.rate = rate;
        self.burst = burst;
        self.millis = self.millis.saturating_add(more).min(full);
    }

    fn fill(&mut self, now: Tick) {
        let fresh = now.since(self.filled).saturating_mul(self.rate);
        let full = self.burst.saturating_mul(MILLI);
        self.millis = self.millis.saturating_add(fresh).min(full);
        self.filled = self.filled.max(now);
    }
}
