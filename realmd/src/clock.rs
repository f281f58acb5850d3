//! Both clocks: the only place that reads them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use realm_protocol::{Now, Tick, Timestamp};

/// Reads the wall clock, and a monotonic clock that began with the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// Starts the monotonic clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the edge reads the clock, here alone"
    )]
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }

    /// Reads both clocks.
    pub(crate) fn now(&self) -> Now {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now {
            wall: Self::wall(),
            tick: Tick::from_millis(millis),
        }
    }

    /// Reads the wall clock; a clock before 1970 reads as 1970.
    #[expect(
        clippy::disallowed_methods,
        reason = "the edge reads the clock, here alone"
    )]
    pub(crate) fn wall() -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment of the monotonic clock that a tick names, for timers.
    pub(crate) fn instant(&self, tick: Tick) -> Instant {
        let since = std::time::Duration::from_millis(tick.as_millis());
        // Far beyond any timer of the node, and never past what the clock can hold.
        let century = std::time::Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.started
            .checked_add(since.min(century))
            .unwrap_or(self.started)
    }
}
