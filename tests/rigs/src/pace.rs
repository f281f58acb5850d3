//! The clock and the pauses of a run: when a kill falls, how long an agent works.

use std::time::{Duration, Instant};

/// The time now, for measuring how long something takes.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a rig measures real time")]
    Instant::now()
}

/// Lets load run for a while.
pub(crate) async fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a rig strikes at random moments")]
    tokio::time::sleep(time).await;
}

/// Milliseconds as a duration.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
